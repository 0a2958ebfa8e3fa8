//! Cloud Foundry's `manifest.yml`: `services` names instances, whose kind and version only the platform knows.
//!
//! If the user declares an instance (`include` in services.local.yaml), it becomes a service, and its apps get
//! `VCAP_SERVICES` as the platform writes it.

use super::managed::Managed;
use super::templated::replaced;
use super::variables::{PlatformVariables, json};
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::count::Counted as _;
use crate::manifest::read::interpolate::{Interpolated, Span, Unset};
use crate::manifest::read::parsed::parsed;
use crate::model::{App, Diagnostic, Json, Located, Service, Source, Stack, Template};
use crate::syntax::expect::Expect;
use crate::syntax::tree::Node;
use std::collections::BTreeMap;

/// This dialect's entry in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "cloudfoundry",
    title: "Cloud Foundry",
    places: Places::Files(&["manifest.{yml,yaml}", "manifest{-,.,_}*.{yml,yaml}"]),
    syntax: Syntax::Yaml,
    marks: &["applications"],
    recognises,
    read,
};

/// The code of the message about unknown instances. Reading the manifests makes it an error if no manifest declares a
/// service.
pub(crate) const INSTANCES_UNKNOWN: &str = "instances-unknown";

/// Folders of the files for `cf push --vars-file`, relative to the manifest's folder.
const VARS_FOLDERS: &[&str] = &[".", "vars", "deploy-config", "config/deploy", "config/cf", "cf", "config"];

/// Names of those files, production's first.
const VARS_FILES: &[&str] =
    &["production", "prod", "vars-production", "vars-prod", "vars.production", "vars.prod", "production-vars", "vars"];

fn recognises(file: &ManifestFile) -> bool {
    file.documents.first().is_some_and(|document| {
        let apps = document.get("applications").and_then(Node::as_sequence).unwrap_or_default();
        !apps.is_empty() && apps.iter().all(|app| app.get("name").is_some()) && document.get("apiVersion").is_none()
    })
}

fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let mut reader = Reader {
        input,
        expect: Expect::default(),
        stack: Stack::default(),
        app_variables: PlatformVariables::of(input),
        vars: BTreeMap::new(),
        unknown: Vec::new(),
    };
    for file in input.files {
        let path = file.source.path.clone();
        reader.stack.sources.push(Source { path, format: DIALECT.name, title: DIALECT.title });
        reader.read_vars(file);
        for document in &file.documents {
            for app in document.get("applications").and_then(Node::as_sequence).unwrap_or_default() {
                reader.app(app);
            }
        }
    }
    reader.report_unknown();
    let Reader { mut stack, app_variables, expect, .. } = reader;
    app_variables.bind_into(&mut stack, input.kinds, &BTreeMap::new());
    (stack, expect.diagnostics)
}

/// The maximum number of places that one message shows after the first.
const MAX_SHOWN: usize = 20;

struct Reader<'a> {
    input: &'a Input<'a>,
    expect: Expect,
    stack: Stack,
    app_variables: PlatformVariables,
    vars: BTreeMap<String, String>,
    /// Instances whose kind is not declared.
    unknown: Vec<Located<String>>,
}

impl Reader<'_> {
    /// Reads the variables of the first file that has a variable of the manifest.
    fn read_vars(&mut self, file: &ManifestFile) {
        let text = &file.source.text;
        if !text.contains("((") || file.folder.file_name().is_none() {
            return;
        }
        let endings = ["yml", "yaml"];
        for (folder, name) in VARS_FOLDERS.iter().flat_map(|folder| VARS_FILES.iter().map(move |name| (folder, name))) {
            for ending in endings {
                let path = file.folder.join(folder).join(format!("{name}.{ending}"));
                let Ok(source) = self.input.project.read(&path) else { continue };
                let vars = parsed(source, file.folder.clone(), &self.input.project.budget, &mut Vec::new());
                let entries: Vec<(String, String)> = vars
                    .documents
                    .iter()
                    .flat_map(Node::entries)
                    .filter_map(|entry| Some((entry.key.value.clone(), entry.value.as_str()?.to_owned())))
                    .collect();
                if entries.iter().any(|(name, _)| text.contains(&format!("(({name}))"))) {
                    self.vars.extend(entries);
                    return;
                }
            }
        }
    }

    /// A text in which each `((x))` from the vars file is replaced.
    fn filled(&self, text: &str) -> String {
        replaced(text, "((", "))", &mut |name| {
            Some(self.vars.get(name.trim()).cloned().unwrap_or_else(|| format!("(({name}))")))
        })
    }

    fn app(&mut self, node: &Node) {
        let Some(name) = node.get("name").and_then(|name| self.expect.text(name, "an app's name")) else { return };
        let app = self.filled(&name.value);
        let image = node.get("docker").and_then(|docker| docker.get("image")).and_then(Node::as_str);
        let image = image.map(|image| self.filled(image));
        App { name: app.clone(), image, note: String::new(), origin: name.origin.clone() }
            .add_to(&mut self.stack.apps, &self.input.project.budget);
        for entry in node.get("env").into_iter().flat_map(Node::entries) {
            match entry.value.as_str() {
                Some(text) => {
                    let text = self.interpolated(text);
                    self.app_variables.interpolated(&app, &entry.key.value, text, &entry.value.origin);
                }
                None => self.app_variables.node(&app, &entry.key.value, &entry.value),
            }
        }
        let mut bound = Vec::new();
        for item in node.get("services").and_then(Node::as_sequence).unwrap_or_default() {
            let said = if item.as_mapping().is_some() { item.get("name") } else { Some(item) };
            let Some(said) = said.and_then(|said| self.expect.text(said, "a service instance's name")) else {
                continue;
            };
            let binding = item.get("binding_name").and_then(Node::as_str).map(str::to_owned);
            let name = Located::new(self.filled(&said.value), said.origin);
            self.instance(&name);
            bound.push((name.value, binding));
        }
        let services: Vec<(&Service, Option<String>)> =
            bound.into_iter().filter_map(|(name, binding)| Some((self.stack.service(&name)?, binding))).collect();
        if !services.is_empty() {
            let value = vcap_services(&services, self.input);
            self.app_variables.bound(&app, "VCAP_SERVICES", Template::json(value, false), &name.origin);
        }
    }

    /// A text in which each `((x))` that is in no file is a variable that is not set.
    fn interpolated(&self, text: &str) -> Interpolated {
        let filled = self.filled(text);
        let mut result = Interpolated::default();
        let mut rest = filled.as_str();
        while let Some((before, after)) = rest.split_once("((") {
            let Some((name, after)) = after.split_once("))") else { break };
            result.text.push_str(before);
            let at = result.text.len();
            result.spans.push(Span { range: at..at, variable: name.to_owned() });
            result.unset.push(Unset { name: name.to_owned(), required: None });
            rest = after;
        }
        result.text.push_str(rest);
        result
    }

    fn instance(&mut self, name: &Located<String>) {
        if self.input.project.budget.is_over() {
            return;
        }
        if self.stack.service(&name.value).is_some() || self.stack.apps.iter().any(|app| app.name == name.value) {
            return;
        }
        let image = self.input.included.get(&name.value).and_then(|included| included.image.clone());
        let found = image.as_ref().and_then(|image| self.input.kind_of(&name.value, Some(&image.value)));
        let (Some(image), Some((kind, family))) = (image, found) else {
            let note = "an instance of the platform, whose kind the manifest does not declare".to_owned();
            App { name: name.value.clone(), image: None, note, origin: name.origin.clone() }
                .add_to(&mut self.stack.apps, &self.input.project.budget);
            self.unknown.push(name.clone());
            return;
        };
        let mut service = Managed::new(DIALECT.name, name, kind, None);
        let tag = image.value.tag.as_deref().unwrap_or_default();
        service.service.version = kind.version(tag, image.value.digest.is_some(), image.origin.clone());
        service.service.family.clone_from(&family.name);
        service.service.image = Some(image);
        service.defaults("app", "app");
        let mut service = service.finish();
        self.input.describe(&mut service);
        service.add_to(&mut self.stack.services, &self.input.project.budget);
    }

    fn report_unknown(&mut self) {
        let Some(first) = self.unknown.first() else { return };
        let names: Vec<&str> = self.unknown.iter().map(|name| name.value.as_str()).collect();
        let shown = crate::manifest::combine::local::names(&names);
        let message = match names.as_slice() {
            [_] => format!("the kind of the service instance {shown} is not known"),
            _ => format!("the kinds of the service instances {shown} are not known"),
        };
        let mut found = Diagnostic::warning(INSTANCES_UNKNOWN, message).at(&first.origin, "only a name");
        for other in self.unknown[1..].iter().take(MAX_SHOWN) {
            found = found.and_at(&other.origin, "another instance");
        }
        self.expect.diagnostics.push(
            found
                .because("Cloud Foundry keeps the kind and version of an instance outside of the manifest")
                .help(format!(
                    "declare it in services.local.yaml, for example: `include: {{\"{}\": {{image: \"postgres:16.4\"}}}}`",
                    first.value
                ))
                .help("or name the file that creates the instances too, for example Terraform's: `-f manifest.yml -f main.tf`"),
        );
    }
}

/// `VCAP_SERVICES`: lists of instances by their offering's name. The kind's name is used as the offering's name.
fn vcap_services(services: &[(&Service, Option<String>)], input: &Input<'_>) -> Json {
    let mut groups: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for (service, binding) in services {
        let Some(kind) = input.kinds.get(&service.kind) else { continue };
        let name = service.name.as_str();
        let label = kind.names.get(1).filter(|_| kind.name == "postgres").unwrap_or(&kind.name);
        let mut credentials = Vec::new();
        for (key, field) in [
            ("uri", "url"),
            ("url", "url"),
            ("jdbcUrl", "jdbc_url"),
            ("host", "host"),
            ("hostname", "host"),
            ("username", "user"),
            ("user", "user"),
            ("password", "password"),
            ("name", "database"),
            ("db_name", "database"),
            ("database", "database"),
            ("vhost", "vhost"),
        ] {
            if kind.fields.contains_key(field) {
                credentials.push(json(key, Json::Text(Template::field(name, field))));
            }
        }
        credentials.push(json("port", Json::Number(Template::field(name, "port"))));
        let tags = kind.names.iter().map(|name| Json::text(name)).collect();
        groups.entry(label.clone()).or_default().push(Json::Map(vec![
            json("binding_name", binding.as_deref().map_or(Json::Null, Json::text)),
            json("credentials", Json::Map(credentials)),
            json("instance_name", Json::text(name)),
            json("label", Json::text(label)),
            json("name", Json::text(binding.as_deref().unwrap_or(name))),
            json("plan", Json::text("local")),
            json("tags", Json::List(tags)),
        ]));
    }
    Json::Map(groups.into_iter().map(|(label, items)| (label, Json::List(items))).collect())
}

/// Makes the message about unknown instances an error if no manifest declares a service.
pub(crate) fn raise_unknown(stack: &Stack, diagnostics: &mut [Diagnostic]) {
    if stack.services.is_empty() {
        for found in diagnostics.iter_mut().filter(|found| found.code == INSTANCES_UNKNOWN) {
            found.severity = crate::model::Severity::Error;
        }
    }
}
