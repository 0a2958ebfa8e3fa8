//! Heroku's `app.json` and `heroku.yml`, and Scalingo's `scalingo.json`: add-ons of providers, by plan.
//!
//! An add-on gives the app variables that begin with its `as`, or with a word of the provider.

use super::managed::{Managed, lacks};
use super::variables::{PlatformVariables, address};
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::count::Counted as _;
use crate::model::{App, Diagnostic, Located, Source, Stack, Support, Template, Value};
use crate::syntax::expect::Expect;
use crate::syntax::tree::Node;
use std::collections::BTreeMap;

/// This dialect's entry in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "heroku",
    title: "Heroku",
    places: Places::Files(&["app.json", "heroku.{yml,yaml}"]),
    syntax: Syntax::Yaml,
    marks: &[],
    recognises,
    read,
};

/// Scalingo's entry in the table.
pub(crate) const SCALINGO: Dialect = Dialect {
    name: "scalingo",
    title: "Scalingo",
    places: Places::Files(&["scalingo.json"]),
    syntax: Syntax::Yaml,
    marks: &[],
    recognises: is_scalingo,
    read: read_scalingo,
};

/// An add-on's name, the prefix of its variables, and the suffix and field of each variable.
type Addon = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// The variables of add-ons: their prefix without `as`, and their fields. Variables of other add-ons begin with the
/// add-on's name.
const ADDONS: &[Addon] = &[
    ("heroku-postgresql", "DATABASE", &[("URL", "url")]),
    ("heroku-redis", "REDIS", &[("URL", "url")]),
    ("heroku-key-value-store", "REDIS", &[("URL", "url")]),
    ("heroku-kafka", "KAFKA", &[("URL", "url")]),
    ("memcachier", "MEMCACHIER", MEMCACHED),
    ("memcachedcloud", "MEMCACHEDCLOUD", MEMCACHED),
    ("cleardb", "CLEARDB_DATABASE", &[("URL", "url")]),
    ("mongolab", "MONGODB", &[("URI", "url")]),
    ("ormongo", "ORMONGO", &[("URL", "url"), ("RS_URL", "url")]),
    ("cloudkarafka", "CLOUDKARAFKA", &[("BROKERS", "address"), ("USERNAME", "user"), ("PASSWORD", "password")]),
    ("bucketeer", "BUCKETEER", &[("AWS_ACCESS_KEY_ID", "user"), ("AWS_SECRET_ACCESS_KEY", "password")]),
    ("cloudcube", "CLOUDCUBE", &[("ACCESS_KEY_ID", "user"), ("SECRET_ACCESS_KEY", "password"), ("URL", "url")]),
];

const MEMCACHED: &[(&str, &str)] = &[("SERVERS", "address"), ("USERNAME", "user"), ("PASSWORD", "password")];

/// Scalingo's word in `SCALINGO_WORD_URL`, and the second variable with the same value.
const SCALINGO_WORDS: &[(&str, &str, &str)] = &[
    ("postgres", "POSTGRESQL", "DATABASE_URL"),
    ("mysql", "MYSQL", "DATABASE_URL"),
    ("mongodb", "MONGO", "MONGO_URL"),
    ("redis", "REDIS", "REDIS_URL"),
    ("elasticsearch", "ELASTICSEARCH", "ELASTICSEARCH_URL"),
    ("opensearch", "OPENSEARCH", "OPENSEARCH_URL"),
    ("influxdb", "INFLUX", "INFLUX_URL"),
    ("rabbitmq", "RABBITMQ", "RABBITMQ_URL"),
];

fn file_name(file: &ManifestFile) -> &str {
    file.source.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// Recognises the top-level keys of Heroku's `app.json`. Files of Expo and React Native with that name do not have
/// these keys.
fn recognises(file: &ManifestFile) -> bool {
    let Some(document) = file.documents.first() else {
        // A broken file is read, and its errors reported, if its text shows that it is Heroku's.
        let says = |word: &str| file.source.text.contains(word);
        return file_name(file) == "app.json" && (says("\"addons\"") || says("\"buildpacks\"")) && !says("\"expo\"");
    };
    if document.get("expo").is_some() {
        return false;
    }
    let is_list = |key: &str| document.get(key).is_some_and(|node| node.as_sequence().is_some());
    let is_map = |key: &str| document.get(key).is_some_and(|node| node.as_mapping().is_some());
    match file_name(file) {
        "heroku.yml" | "heroku.yaml" => true,
        "scalingo.json" => false,
        "app.json" => {
            ["addons", "buildpacks"].into_iter().any(is_list)
                || ["env", "formation", "environments"].into_iter().any(is_map)
                || ["success_url", "stack"].iter().any(|key| document.get(key).is_some())
                || document.get("scripts").is_some_and(|scripts| scripts.get("postdeploy").is_some())
        }
        _ => {
            (is_list("addons") && ["env", "formation"].into_iter().any(is_map))
                || document
                    .get("setup")
                    .is_some_and(|setup| setup.get("addons").is_some_and(|node| node.as_sequence().is_some()))
        }
    }
}

fn is_scalingo(file: &ManifestFile) -> bool {
    file_name(file) == "scalingo.json" && file.documents.first().is_none_or(|document| document.as_mapping().is_some())
}

fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    read_as(input, &DIALECT)
}

fn read_scalingo(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    read_as(input, &SCALINGO)
}

fn read_as(input: &Input<'_>, dialect: &'static Dialect) -> (Stack, Vec<Diagnostic>) {
    let mut reader = Reader {
        input,
        scalingo: dialect.name == SCALINGO.name,
        expect: Expect::default(),
        stack: Stack::default(),
        app_variables: PlatformVariables::of(input),
        numbers: BTreeMap::new(),
        app: input.files.iter().find_map(name_of).unwrap_or_else(|| "app".to_owned()),
    };
    for file in input.files {
        let path = file.source.path.clone();
        reader.stack.sources.push(Source { path, format: dialect.name, title: dialect.title });
        let Some(document) = file.documents.first() else { continue };
        if reader.stack.apps.is_empty() {
            let origin = document.get("name").map_or(&document.origin, |name| &name.origin).clone();
            App { name: reader.app.clone(), image: None, note: String::new(), origin }
                .add_to(&mut reader.stack.apps, &input.project.budget);
        }
        let setup = document.get("setup").filter(|_| file_name(file).starts_with("heroku.")).unwrap_or(document);
        reader.addons(setup);
        for entry in document.get("env").or_else(|| setup.get("config")).into_iter().flat_map(Node::entries) {
            reader.variable(&entry.key, &entry.value);
        }
        if let Some(environments) = document.get("environments") {
            let note = Diagnostic::note("left-alone", "`environments` is only for reviews and tests")
                .at(&environments.origin, "not read");
            reader.expect.diagnostics.push(note);
        }
    }
    let Reader { mut stack, app_variables, expect, .. } = reader;
    app_variables.bind_into(&mut stack, input.kinds, &BTreeMap::new());
    (stack, expect.diagnostics)
}

fn name_of(file: &ManifestFile) -> Option<String> {
    Some(file.documents.first()?.get("name")?.as_str()?.to_owned())
}

struct Reader<'a> {
    input: &'a Input<'a>,
    scalingo: bool,
    expect: Expect,
    stack: Stack,
    app_variables: PlatformVariables,
    app: String,
    /// The last number that was added to each name.
    numbers: BTreeMap<String, usize>,
}

impl Reader<'_> {
    fn addons(&mut self, document: &Node) {
        let Some(addons) = document.get("addons") else { return };
        let Some(items) = addons.as_sequence() else {
            if !addons.is_null() {
                self.expect.wrong(addons, "`addons`", "a list");
            }
            return;
        };
        for item in items {
            let plan = match item.as_mapping() {
                Some(_) => item.get("plan").or_else(|| item.get("name")),
                None => Some(item),
            };
            match plan {
                Some(plan) => {
                    if let Some(plan) = self.expect.text(plan, "an add-on") {
                        self.addon(item, &plan);
                    }
                }
                None => self.expect.diagnostics.push(lacks("an add-on", "plan", item)),
            }
        }
    }

    fn addon(&mut self, item: &Node, plan: &Located<String>) {
        // The form is `provider:plan`, or `provider@version` in older files.
        let slug = plan.value.split([':', '@', ' ']).next().unwrap_or_default();
        let alias = item.get("as").and_then(Node::as_str).filter(|alias| !alias.is_empty());
        let base = alias.unwrap_or(slug).to_owned();
        let known = self.stack.service(&base).map(|service| service.origin.clone());
        let name = match known {
            // `heroku.yml` repeats the add-ons of `app.json`.
            Some(origin) if origin.path() != plan.origin.path() => return,
            Some(_) => self.another(&base),
            None => base.clone(),
        };
        let again = name != base;
        let origin = plan.origin.clone();
        let dialect = if self.scalingo { SCALINGO.name } else { DIALECT.name };
        let heroku = || self.input.kinds.spelled(DIALECT.name, slug);
        let Some(kind) = self.input.kinds.spelled(dialect, slug).or_else(heroku) else {
            let note = "an add-on that is no backing service that devenv knows".to_owned();
            let is_app = |app: &App| app.name == name;
            if self.stack.service(&name).is_none() && !self.stack.apps.iter().any(is_app) {
                App { name, image: None, note, origin }.add_to(&mut self.stack.apps, &self.input.project.budget);
            }
            return;
        };
        let options = item.get("options");
        let version = options
            .and_then(|options| options.get("version"))
            .and_then(|version| self.expect.text(version, "`version`"));
        let mut service = Managed::new(dialect, &Located::new(name.clone(), origin.clone()), kind, version.as_ref());
        service.add_neutral(
            "plan",
            Support::Reproduced,
            "the provider says the kind; the plan's size is not reproduced",
        );
        if alias.is_some() {
            service.add_neutral("as", Support::Reproduced, "");
        }
        for option in options.into_iter().flat_map(Node::entries) {
            let path = format!("options.{}", option.key.value);
            match option.key.value.as_str() {
                "version" => service.add_neutral(&path, Support::Reproduced, ""),
                "maxmemory_policy" | "maxmemory-policy" => service.setting(&path, "maxmemory-policy", &option.value),
                _ => service.add_neutral(&path, Support::Unsupported, "about production's own server"),
            }
        }
        service.defaults("app", "app");
        let service = service.finish();
        let provider = ADDONS.iter().find(|(known, ..)| *known == slug);
        if self.scalingo {
            let words = SCALINGO_WORDS.iter().find(|(kind, ..)| *kind == service.kind);
            if let Some((_, word, further)) = words {
                let names =
                    if again { Vec::new() } else { vec![format!("SCALINGO_{word}_URL"), (*further).to_owned()] };
                for variable in names {
                    self.app_variables.bound(&self.app, &variable, Template::field(&name, "url"), &origin);
                }
            }
        } else {
            let prefix = match (alias, provider) {
                (Some(alias), _) => alias.to_uppercase().replace('-', "_"),
                (None, Some((_, prefix, _))) => (*prefix).to_owned(),
                (None, None) => slug.to_uppercase().replace('-', "_"),
            };
            let parts = provider.map_or(&[("URL", "url")][..], |(_, _, parts)| parts);
            for (end, field) in parts.iter().filter(|_| !again) {
                let variable = format!("{prefix}_{end}");
                if *field == "address" {
                    self.app_variables.bound(&self.app, &variable, address(&name), &origin);
                } else if kind.fields.contains_key(*field) {
                    self.app_variables.bound(&self.app, &variable, Template::field(&name, field), &origin);
                } else {
                    let value = Value::Unresolved(format!("a login, which a local {} does not ask for", kind.title));
                    self.app_variables.fixed(&self.app, &variable, value, &origin);
                }
            }
        }
        let mut service = service;
        if again {
            service
                .notes
                .push("the name of its variable is the platform's choice: bind it in services.local.yaml".to_owned());
        }
        service.add_to(&mut self.stack.services, &self.input.project.budget);
    }

    /// The first of `base-2`, `base-3`, … that no service has.
    fn another(&mut self, base: &str) -> String {
        // The last number is kept, so that each number is tried only once.
        let number = self.numbers.entry(base.to_owned()).or_insert(1);
        loop {
            *number += 1;
            let name = format!("{base}-{number}");
            if self.stack.service(&name).is_none() {
                return name;
            }
        }
    }

    /// Reads a variable: a text, or a map that says where the value comes from.
    fn variable(&mut self, name: &Located<String>, node: &Node) {
        if self.app_variables.has(&self.app, &name.value) {
            return;
        }
        let origin = &name.origin;
        if node.as_mapping().is_none() {
            return self.app_variables.node(&self.app, &name.value, node);
        }
        if node.get("generator").is_some() {
            let value = Value::Secret("generated once by the platform".to_owned());
            return self.app_variables.fixed(&self.app, &name.value, value, origin);
        }
        match node.get("value").filter(|value| !value.is_null()) {
            Some(value) => self.app_variables.node(&self.app, &name.value, value),
            None if node.get("required").and_then(Node::as_bool) == Some(false) => {
                self.app_variables.fixed(&self.app, &name.value, Value::NotPassed, origin);
            }
            None => {
                let value = Value::Secret("it is asked for at the first deploy".to_owned());
                self.app_variables.fixed(&self.app, &name.value, value, origin);
            }
        }
    }
}
