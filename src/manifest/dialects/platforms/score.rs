//! Score's workloads: `resources` by type, always without a version, and variables that refer to their outputs.

use super::managed::Managed;
use super::variables::{PlatformVariables, field, template};
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::count::Counted as _;
use crate::model::{App, Diagnostic, Located, Piece, Source, Stack, Support, Value};
use crate::syntax::expect::Expect;
use crate::syntax::tree::{Entry, Node};
use std::collections::BTreeMap;

/// This dialect's entry in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "score",
    title: "Score",
    places: Places::Files(&["score.{yaml,yml}", "*.score.{yaml,yml}", "score-*.{yaml,yml}", "score/*.{yaml,yml}"]),
    syntax: Syntax::Yaml,
    marks: &["score.dev/"],
    recognises,
    read,
};

/// Types of resources that are no service, each with its description.
const NO_SERVICES: &[(&str, &str)] = &[
    ("dns", "a name of the platform"),
    ("route", "a route of the platform"),
    ("volume", "the app's own volume"),
    ("environment", "variables of the platform"),
    ("service", "another workload"),
    ("service-port", "another workload's port"),
    ("k8s-service-account", "an account of the platform"),
];

/// Outputs of resources as fields of an endpoint.
const OUTPUTS: &[(&str, &str)] = &[
    ("host", "host"),
    ("hostname", "host"),
    ("port", "port"),
    ("username", "user"),
    ("user", "user"),
    ("password", "password"),
    ("name", "database"),
    ("database", "database"),
    ("vhost", "vhost"),
    ("url", "url"),
    ("uri", "url"),
    ("connection", "url"),
    ("connection_string", "url"),
    ("endpoint", "url"),
    ("access_key_id", "user"),
    ("secret_key", "password"),
];

fn recognises(file: &ManifestFile) -> bool {
    file.documents.first().is_some_and(|document| {
        document.get("apiVersion").and_then(Node::as_str).is_some_and(|version| version.starts_with("score.dev/"))
    })
}

fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let mut reader = Reader {
        input,
        expect: Expect::default(),
        stack: Stack::default(),
        app_variables: PlatformVariables::of(input),
        other: Vec::new(),
    };
    for file in input.files {
        let path = file.source.path.clone();
        reader.stack.sources.push(Source { path, format: DIALECT.name, title: DIALECT.title });
        for document in &file.documents {
            reader.workload(document);
        }
    }
    let Reader { mut stack, app_variables, expect, .. } = reader;
    app_variables.bind_into(&mut stack, input.kinds, &BTreeMap::new());
    (stack, expect.diagnostics)
}

struct Reader<'a> {
    input: &'a Input<'a>,
    expect: Expect,
    stack: Stack,
    app_variables: PlatformVariables,
    /// Resources that are no service.
    other: Vec<String>,
}

impl Reader<'_> {
    fn workload(&mut self, document: &Node) {
        let name = document.get("metadata").and_then(|metadata| metadata.get("name"));
        let app = name.and_then(Node::as_str).unwrap_or("app").to_owned();
        let origin = name.map_or(&document.origin, |name| &name.origin).clone();
        // Maps the workload's own name of a resource to the service's name. All workloads share an `id`.
        let mut names = BTreeMap::new();
        for entry in document.get("resources").map(|node| self.expect.map(node, "`resources`")).unwrap_or_default() {
            let of = entry.value.get("id").and_then(Node::as_str).unwrap_or(&entry.key.value).to_owned();
            self.resource(entry, &of);
            names.insert(entry.key.value.clone(), of);
        }
        let containers: Vec<&Entry> = document.get("containers").into_iter().flat_map(Node::entries).collect();
        for container in &containers {
            let own = if containers.len() == 1 { app.clone() } else { format!("{app}/{}", container.key.value) };
            let image = container.value.get("image").and_then(Node::as_str).filter(|image| *image != ".");
            let (image, note) = (image.map(str::to_owned), String::new());
            App { name: own.clone(), image, note, origin: origin.clone() }
                .add_to(&mut self.stack.apps, &self.input.project.budget);
            for entry in container.value.get("variables").into_iter().flat_map(Node::entries) {
                self.variable(&own, &entry.key, &entry.value, &names, &app);
            }
        }
    }

    fn resource(&mut self, entry: &Entry, of: &str) {
        let Some(word) = entry.value.get("type").and_then(|word| self.expect.text(word, "a resource's `type`")) else {
            return;
        };
        if self.stack.service(of).is_some() || self.other.iter().any(|known| known == of) {
            return;
        }
        let name = Located::new(of.to_owned(), entry.key.origin.clone());
        let other = NO_SERVICES.iter().find(|(known, _)| *known == word.value);
        let Some(kind) = self.input.kinds.spelled(DIALECT.name, &word.value).filter(|_| other.is_none()) else {
            self.other.push(of.to_owned());
            let note = other.map_or_else(
                || format!("`{}`, for which devenv has no kind", word.value),
                |(_, note)| (*note).to_owned(),
            );
            return App { name: name.value, image: None, note, origin: name.origin }
                .add_to(&mut self.stack.apps, &self.input.project.budget);
        };
        let mut service = Managed::new(DIALECT.name, &name, kind, None);
        for key in ["type", "id"].into_iter().filter(|key| entry.value.get(key).is_some()) {
            service.add_neutral(key, Support::Reproduced, "");
        }
        service.defaults("app", "app");
        service.rest(&entry.value, "the platform's use of this key is not known here");
        service.finish().add_to(&mut self.stack.services, &self.input.project.budget);
    }

    fn variable(
        &mut self,
        app: &str,
        name: &Located<String>,
        value: &Node,
        names: &BTreeMap<String, String>,
        workload: &str,
    ) {
        let Some(text) = value.as_str().filter(|text| text.contains('$')) else {
            return self.app_variables.node(app, &name.value, value);
        };
        let mut bound = false;
        // `$$` is an escaped dollar. It is masked, so that `$${` begins no reference.
        let text = text.replace("$$", "\u{1}");
        let read = template(&text, ("${", "}"), &mut |place| {
            if place == "metadata.name" {
                return Some(vec![Piece::Text(workload.to_owned())]);
            }
            let (resource, output) = place.strip_prefix("resources.")?.split_once('.')?;
            let service = self.stack.service(names.get(resource)?)?;
            let kind = self.input.kinds.get(&service.kind)?;
            let (_, of) = OUTPUTS.iter().find(|(known, of)| *known == output && kind.fields.contains_key(*of))?;
            bound = true;
            Some(field(&service.name, of))
        });
        let origin = &value.origin;
        match read {
            Ok(mut read) => {
                for piece in &mut read.0 {
                    if let Piece::Text(text) = piece {
                        *text = text.replace('\u{1}', "$");
                    }
                }
                if bound {
                    return self.app_variables.bound(app, &name.value, read, origin);
                }
                let text: String =
                    read.0.iter().map(|piece| if let Piece::Text(text) = piece { text.as_str() } else { "" }).collect();
                self.app_variables.text(app, &name.value, &text, origin);
            }
            Err(what) => {
                let what = what.replace('\u{1}', "$$");
                self.app_variables.fixed(app, &name.value, Value::Unresolved(what), origin);
            }
        }
    }
}
