//! NAIS: Kubernetes applications whose `gcp.sqlInstances`, `valkey`, `redis`, `openSearch` and `kafka` are services.
//!
//! Files are Handlebars templates. Values come from production's vars file. Conditions of blocks are taken as true.

use super::managed::{Managed, is_template};
use super::templated::{parse, replaced};
use super::variables::{PlatformVariables, field};
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::count::Counted as _;
use crate::manifest::read::parsed::parsed;
use crate::model::{App, Diagnostic, Located, Origin, Piece, Source, Stack, Support, Template, Value};
use crate::syntax::expect::Expect;
use crate::syntax::tree::{Node, NodeKind};
use std::collections::BTreeMap;

/// This dialect's entry in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "nais",
    title: "NAIS",
    places: Places::Files(&[
        "{.nais,nais}/**/*.{yaml,yml}",
        "{nais,app,naiserator}*.{yaml,yml}",
        ".nais*.{yaml,yml}",
        "{.deploy,deploy,.github/deploy}/nais*.{yaml,yml}",
    ]),
    syntax: Syntax::Text,
    marks: &["nais.io/", "kind:"],
    recognises,
    read,
};

/// The note for keys about Google's machine.
const OF_THE_MACHINE: &str = "about production's machine, which a local server does not have";

/// Prefixes of database flags that Postgres itself knows although they contain a dot.
const OWN_PREFIXES: &[&str] = &["pg_stat_statements.", "auto_explain."];

fn recognises(file: &ManifestFile) -> bool {
    let mut is_nais = false;
    let mut is_app = false;
    for line in file.source.text.lines() {
        let value = |key: &str| line.strip_prefix(key).map(|rest| rest.trim().trim_matches(['"', '\'']));
        is_nais |= value("apiVersion:").is_some_and(|version| version.starts_with("nais.io/"));
        is_app |= value("kind:").is_some_and(|kind| matches!(kind, "Application" | "Naisjob"));
    }
    is_nais && is_app
}

fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let mut reader = Reader {
        input,
        expect: Expect::default(),
        stack: Stack::default(),
        app_variables: PlatformVariables::of(input),
    };
    for file in input.files {
        let path = file.source.path.clone();
        reader.stack.sources.push(Source { path, format: DIALECT.name, title: DIALECT.title });
        let vars = vars(input, file);
        let read = parse(&file.source, rendered(&file.source.text, &vars), &input.project.budget, &|text| text);
        reader.expect.diagnostics.extend(read.diagnostics);
        for document in &read.documents {
            let is = |kind: &Node| matches!(kind.as_str(), Some("Application" | "Naisjob"));
            if document.get("kind").is_some_and(is) {
                reader.app(document);
            }
        }
    }
    let Reader { mut stack, app_variables, expect, .. } = reader;
    app_variables.bind_into(&mut stack, input.kinds, &BTreeMap::new());
    (stack, expect.diagnostics)
}

/// The values of production's vars file next to the template, by their dotted path.
fn vars(input: &Input<'_>, file: &ManifestFile) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    if !file.source.text.contains("{{") {
        return values;
    }
    let names = input.project.list(&file.folder).unwrap_or_default();
    let words = |name: &str| -> Vec<String> {
        name.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase).collect()
    };
    let of_production = names.iter().filter(|name| {
        let is_text = [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending));
        is_text && words(name).iter().any(|word| matches!(word.as_str(), "prod" | "production"))
    });
    let plain = names.iter().filter(|name| matches!(name.as_str(), "vars.yaml" | "vars.yml" | "vars.json"));
    for name in of_production.chain(plain) {
        let path = file.folder.join(name);
        let Ok(source) = input.project.read(&path) else { continue };
        // A production manifest of another app is no file of values.
        if source.text.contains("apiVersion:") {
            continue;
        }
        let read = parsed(source, file.folder.clone(), &input.project.budget, &mut Vec::new());
        for document in &read.documents {
            flatten("", document, &mut values, 0);
        }
    }
    values
}

fn flatten(path: &str, node: &Node, values: &mut BTreeMap<String, String>, depth: usize) {
    match &node.kind {
        NodeKind::Scalar { text, .. } => {
            // The first file with a value has precedence. Production's own file comes first.
            values.entry(path.to_owned()).or_insert_with(|| text.clone());
        }
        NodeKind::Mapping(entries) if depth < 20 => {
            for entry in entries {
                let key = &entry.key.value;
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, &entry.value, values, depth + 1);
            }
        }
        _ => {}
    }
}

/// The template with its values. The marks of blocks and the branches after `else` are removed. A value that is in no
/// file becomes a placeholder in double parentheses, which YAML reads as text.
fn rendered(text: &str, vars: &BTreeMap<String, String>) -> String {
    let mut otherwise = 0_usize;
    let mut lines = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim();
        let mark = trimmed.trim_start_matches("{{").trim_start_matches('~').trim();
        let whole = trimmed.starts_with("{{") && trimmed.ends_with("}}");
        let keeps = if whole && mark.starts_with('#') {
            otherwise += usize::from(otherwise > 0);
            false
        } else if whole && mark.starts_with('/') {
            otherwise = otherwise.saturating_sub(1);
            false
        } else if whole && mark.starts_with("else") {
            otherwise = otherwise.max(1);
            false
        } else {
            otherwise == 0
        };
        lines.push(if keeps { filled(line, vars) } else { String::new() });
    }
    lines.join("\n")
}

fn filled(line: &str, vars: &BTreeMap<String, String>) -> String {
    let simple = |value: &String| !value.contains(['\n', '"', '\'', '#', '{', '}', '[', ']']) && !value.contains(": ");
    let replace = &mut |inside: &str| {
        let name = inside.trim_matches(['{', '}', '~', ' ']).trim_start_matches("this.");
        if name.starts_with(['#', '/', '!', '>']) {
            return Some(String::new());
        }
        Some(vars.get(name).filter(|value| simple(value)).cloned().unwrap_or_else(|| format!("(({name}))")))
    };
    replaced(&replaced(line, "{{{", "}}}", replace), "{{", "}}", replace)
}

struct Reader<'a> {
    input: &'a Input<'a>,
    expect: Expect,
    stack: Stack,
    app_variables: PlatformVariables,
}

impl Reader<'_> {
    fn app(&mut self, document: &Node) {
        let Some(name) = document.get("metadata").and_then(|metadata| metadata.get("name")) else { return };
        let Some(mut name) = self.expect.text(name, "the app's name") else { return };
        if is_template(&name.value) {
            // The name comes from elsewhere, but the app's services need a name.
            "app".clone_into(&mut name.value);
        }
        let Some(spec) = document.get("spec") else { return };
        let image = spec.get("image").and_then(Node::as_str).filter(|image| !is_template(image)).map(str::to_owned);
        let gcp = spec.get("gcp");
        for (index, node) in items(gcp.and_then(|gcp| gcp.get("sqlInstances"))).iter().enumerate() {
            self.sql_instance(&name, node, index);
        }
        for (key, word) in [("redis", "REDIS"), ("valkey", "VALKEY")] {
            for node in items(spec.get(key)) {
                self.store(&name.value, key, word, node);
            }
        }
        if let Some(node) = spec.get("openSearch") {
            self.open_search(&name.value, node);
        }
        if let Some(node) = spec.get("kafka") {
            self.kafka(&name.value, node);
        }
        App { name: name.value.clone(), image, note: String::new(), origin: name.origin.clone() }
            .add_to(&mut self.stack.apps, &self.input.project.budget);
        for (key, note) in [("buckets", "a Google bucket"), ("bigQueryDatasets", "a Google data set")] {
            for node in items(gcp.and_then(|gcp| gcp.get(key))) {
                let Some(said) = node.get("name") else { continue };
                let (name, note) = (said.as_str().unwrap_or(key).to_owned(), note.to_owned());
                App { name, image: None, note, origin: said.origin.clone() }
                    .add_to(&mut self.stack.apps, &self.input.project.budget);
            }
        }
        for node in items(spec.get("env")) {
            self.variable(&name.value, node);
        }
    }

    /// Adds a service, unless another app has already added it.
    fn keep(&mut self, service: Managed<'_>) {
        if self.stack.service(&service.service.name).is_none() {
            service.finish().add_to(&mut self.stack.services, &self.input.project.budget);
        }
    }

    fn sql_instance(&mut self, app: &Located<String>, node: &Node, index: usize) {
        let said = node.get("name").and_then(|name| Some(Located::new(name.as_str()?.to_owned(), name.origin.clone())));
        let said = said.filter(|said| !is_template(&said.value));
        let origin = node.get("type").map_or(&node.origin, |node| &node.origin);
        // NAIS names the instance after the app.
        let own = if index == 0 { app.value.clone() } else { format!("{}-{index}", app.value) };
        let name = said.unwrap_or_else(|| Located::new(own, origin.clone()));
        let word = node.get("type").and_then(|word| self.expect.text(word, "an instance's `type`"));
        let text = word.as_ref().map_or("POSTGRES_", |word| word.value.as_str());
        let Some(kind) = self.input.kinds.spelled(DIALECT.name, text) else {
            self.expect.diagnostics.push(
                Diagnostic::error("unknown-kind", format!("there is no instance of the type `{text}`"))
                    .at(origin, "not known")
                    .help("the types are those of Postgres: `POSTGRES_17`"),
            );
            return;
        };
        let number = text.split_once('_').map_or("", |(_, number)| number).replace('_', ".");
        let version = word.as_ref().map(|word| Located::new(number, word.origin.clone()));
        let mut service = Managed::new(DIALECT.name, &name, kind, version.as_ref());
        service.service.aliases.retain(|alias| *alias != name.value);
        for key in ["type", "name", "databases"].into_iter().filter(|key| node.get(key).is_some()) {
            service.add_neutral(key, Support::Reproduced, "");
        }
        for flag in items(node.get("flags")) {
            let (Some(flag_name), Some(value)) = (flag.get("name").and_then(Node::as_str), flag.get("value")) else {
                continue;
            };
            let path = format!("flags.{flag_name}");
            let is_own = OWN_PREFIXES.iter().any(|prefix| flag_name.starts_with(prefix));
            if flag_name.starts_with("cloudsql.") {
                service.add_neutral(&path, Support::Unsupported, "specific to Google: no other server has it");
            } else if flag_name.contains('.') && !is_own {
                service.key(&path, Support::Unsupported, "of an extension that the official image does not have");
            } else {
                service.setting(&path, flag_name, value);
            }
        }
        if node.get("flags").is_some() {
            service.add_neutral("flags", Support::Reproduced, "each flag is listed separately");
        }
        // The app logs in under its own name.
        service.user(app);
        let mut bindings = Vec::new();
        for database in items(node.get("databases")) {
            let Some(said) = database.get("name") else { continue };
            let Some(text) = said.as_str().filter(|text| !is_template(text)) else { continue };
            let located = Located::new(text.to_owned(), said.origin.clone());
            service.database(&located, None);
            let prefix = database
                .get("envVarPrefix")
                .and_then(Node::as_str)
                .map_or_else(|| format!("NAIS_DATABASE_{}_{}", upper(&app.value), upper(text)), str::to_owned);
            bindings.push((prefix.clone(), located.clone(), None));
            for user in items(database.get("users")) {
                let Some(user) = user
                    .get("name")
                    .and_then(|name| Some(Located::new(name.as_str()?.to_owned(), name.origin.clone())))
                else {
                    continue;
                };
                service.user(&user);
                bindings.push((format!("{prefix}_{}", upper(&user.value)), located.clone(), Some(user.value)));
            }
        }
        if bindings.is_empty() {
            service.database(app, None);
            bindings.push((format!("NAIS_DATABASE_{0}_{0}", upper(&app.value)), app.clone(), None));
        }
        service.rest(node, OF_THE_MACHINE);
        let first = service.service.databases.first().map(|database| database.name.value.clone());
        let service_name = service.service.name.clone();
        self.keep(service);
        for (prefix, database, user) in bindings {
            let other = first.as_ref() != Some(&database.value);
            self.database_variables(
                &app.value,
                &service_name,
                &prefix,
                other.then_some(&database.value),
                user.as_deref(),
                &database.origin,
            );
        }
    }

    fn database_variables(
        &mut self,
        app: &str,
        service: &str,
        prefix: &str,
        database: Option<&String>,
        user: Option<&str>,
        origin: &Origin,
    ) {
        let login = |part: &str| user.map_or_else(|| part.to_owned(), |user| format!("users.{user}.{part}"));
        let database = database.map_or_else(|| "database".to_owned(), |name| format!("databases.{name}.database"));
        for (end, name) in [
            ("HOST", "host".to_owned()),
            ("PORT", "port".to_owned()),
            ("USERNAME", login("user")),
            ("PASSWORD", login("password")),
            ("DATABASE", database.clone()),
        ] {
            self.app_variables.bound(app, &format!("{prefix}_{end}"), Template::field(service, &name), origin);
        }
        let address = |template: &mut Template| {
            template.0.extend(field(service, "host"));
            template.push_text(":");
            template.0.extend(field(service, "port"));
            template.push_text("/");
            template.push_encoded(service, &database);
        };
        let mut url = Template::text("postgresql://");
        url.push_encoded(service, &login("user"));
        url.push_text(":");
        url.push_encoded(service, &login("password"));
        url.push_text("@");
        address(&mut url);
        self.app_variables.bound(app, &format!("{prefix}_URL"), url, origin);
        let mut jdbc = Template::text("jdbc:postgresql://");
        address(&mut jdbc);
        jdbc.push_text("?user=");
        jdbc.push_encoded(service, &login("user"));
        jdbc.push_text("&password=");
        jdbc.push_encoded(service, &login("password"));
        self.app_variables.bound(app, &format!("{prefix}_JDBC_URL"), jdbc, origin);
    }

    /// Reads a Valkey or Redis store, by its instance's name.
    fn store(&mut self, app: &str, key: &str, word: &str, node: &Node) {
        let Some(instance) = node.get("instance") else { return };
        let Some(instance) = self.expect.text(instance, "an instance's name") else { return };
        let Some(kind) = self.input.kinds.get(key) else { return };
        let mut service = Managed::new(DIALECT.name, &instance, kind, None);
        service.add_neutral("instance", Support::Reproduced, "");
        service.defaults("", "");
        service.rest(node, OF_THE_MACHINE);
        self.keep(service);
        let end = upper(&instance.value);
        for (part, of) in [("URI", "url"), ("HOST", "host"), ("PORT", "port"), ("PASSWORD", "password")] {
            let template = Template::field(&instance.value, of);
            self.app_variables.bound(app, &format!("{word}_{part}_{end}"), template, &instance.origin);
        }
        let user = Value::Plain("default".to_owned());
        self.app_variables.fixed(app, &format!("{word}_USERNAME_{end}"), user, &instance.origin);
    }

    fn open_search(&mut self, app: &str, node: &Node) {
        let Some(instance) = node.get("instance") else { return };
        let Some(instance) = self.expect.text(instance, "an instance's name") else { return };
        let Some(kind) = self.input.kinds.get("opensearch") else { return };
        let mut service = Managed::new(DIALECT.name, &instance, kind, None);
        service.add_neutral("instance", Support::Reproduced, "");
        service.rest(node, OF_THE_MACHINE);
        self.keep(service);
        for (part, of) in [("URI", "url"), ("HOST", "host"), ("PORT", "port")] {
            let template = Template::field(&instance.value, of);
            self.app_variables.bound(app, &format!("OPEN_SEARCH_{part}"), template, &instance.origin);
        }
        for part in ["USERNAME", "PASSWORD"] {
            let value = Value::Unresolved("a login, which a local OpenSearch does not ask for".to_owned());
            self.app_variables.fixed(app, &format!("OPEN_SEARCH_{part}"), value, &instance.origin);
        }
    }

    /// Reads the shared Kafka cluster of a pool.
    fn kafka(&mut self, app: &str, node: &Node) {
        let origin = node.get("pool").map_or(&node.origin, |pool| &pool.origin);
        let Some(kind) = self.input.kinds.get("kafka") else { return };
        let name = Located::new("kafka".to_owned(), origin.clone());
        let mut service = Managed::new(DIALECT.name, &name, kind, None);
        service.add_neutral("pool", Support::Approximated, "the environment's own broker replaces the shared cluster");
        service.rest(node, OF_THE_MACHINE);
        self.keep(service);
        let mut brokers = Template::field("kafka", "host");
        brokers.0.push(Piece::Text(":".to_owned()));
        brokers.0.extend(field("kafka", "port"));
        self.app_variables.bound(app, "KAFKA_BROKERS", brokers, origin);
    }

    fn variable(&mut self, app: &str, node: &Node) {
        let Some(name) = node.get("name").and_then(Node::as_str).filter(|name| !is_template(name)) else { return };
        let Some(value) = node.get("value") else {
            let from = Value::Secret("a field or secret of the cluster".to_owned());
            return self.app_variables.fixed(app, name, from, &node.origin);
        };
        match value.as_str() {
            Some(text) if text.contains("((") => {
                let what = text.replace("((", "{{").replace("))", "}}");
                self.app_variables.fixed(app, name, Value::Unresolved(what), &value.origin);
            }
            _ => self.app_variables.node(app, name, value),
        }
    }
}

fn items(node: Option<&Node>) -> &[Node] {
    node.and_then(Node::as_sequence).unwrap_or_default()
}

/// A name as NAIS writes it in a variable's name.
fn upper(name: &str) -> String {
    name.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_line_by_line_and_the_first_branch_holds() {
        let vars = BTreeMap::from([("a.b".to_owned(), "5".to_owned()), ("odd".to_owned(), "x: y".to_owned())]);
        let text = "n: {{a.b}}\n{{#if x}}\ny: 1\n{{#each z}}\n- {{this}}\n{{/each}}\n{{else}}\ny: 2\n{{#if q}}\ny: 3\n{{/if}}\n{{/if}}\no: \"{{odd}}\" # {{{raw}}}";
        let expected = "n: 5\n\ny: 1\n\n- ((this))\n\n\n\n\n\n\n\no: \"((odd))\" # ((raw))";
        assert_eq!(rendered(text, &vars), expected);
    }
}
