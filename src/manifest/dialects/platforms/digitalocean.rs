//! `DigitalOcean`'s app specification: `databases` by engine and version, which variables such as
//! `${db.DATABASE_URL}` bind.
//!
//! A database that is not `production` is only smaller, so it counts too.

use super::container::{Containers, entry, list, literal, map};
use super::managed::{Managed, is_template, lacks};
use super::variables::{PlatformVariables, address, field, template};
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::count::Counted as _;
use crate::model::{App, Diagnostic, Located, Piece, Source, Stack, Support, Value};
use crate::project::Resource;
use crate::syntax::expect::Expect;
use crate::syntax::tree::{Entry, Node};

/// This dialect's entry in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "digitalocean",
    title: "DigitalOcean",
    places: Places::Files(&[".do/{app,deploy.template}.{yaml,yml}"]),
    syntax: Syntax::Yaml,
    marks: &[],
    recognises,
    read,
};

/// Kinds of components of an app.
const COMPONENTS: &[&str] = &["services", "workers", "jobs", "static_sites", "functions"];

/// The meaning of `${name.X}` for a database, as fields of an endpoint.
const FIELDS: &[(&str, &str)] = &[
    ("DATABASE_URL", "url"),
    ("DATABASE_PRIVATE_URL", "url"),
    ("REDIS_URL", "url"),
    ("PRIVATE_URL", "url"),
    ("HOSTNAME", "host"),
    ("PRIVATE_DOMAIN", "host"),
    ("PORT", "port"),
    ("PRIVATE_PORT", "port"),
    ("USERNAME", "user"),
    ("PASSWORD", "password"),
    ("DATABASE", "database"),
    ("JDBC_DATABASE_URL", "jdbc_url"),
];

fn recognises(file: &ManifestFile) -> bool {
    let Some(document) = file.documents.first() else { return false };
    let spec = spec_of(document);
    let items = |key: &str| spec.get(key).and_then(Node::as_sequence).unwrap_or_default();
    let databases = items("databases");
    let says = |node: &Node, keys: &[&str]| keys.iter().any(|key| node.get(key).is_some());
    let in_folder = file.folder.ends_with(".do");
    let component = |node: &Node| {
        says(node, &["github", "gitlab", "bitbucket", "git", "instance_size_slug", "instance_count", "http_port"])
            || node.get("image").is_some_and(|image| image.get("registry_type").is_some())
    };
    (!databases.is_empty() && databases.iter().all(|node| says(node, &["engine"])))
        || COMPONENTS.iter().any(|key| {
            let items = items(key);
            !items.is_empty() && (in_folder || items.iter().all(component))
        })
}

/// The specification of an app. A template of the deploy button holds it under `spec`.
fn spec_of(document: &Node) -> &Node {
    document.get("spec").filter(|_| document.get("apiVersion").is_none()).unwrap_or(document)
}

fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let mut reader = Reader {
        input,
        expect: Expect::default(),
        stack: Stack::default(),
        app_variables: PlatformVariables::of(input),
        containers: Containers::default(),
    };
    for file in input.files {
        let path = file.source.path.clone();
        reader.stack.sources.push(Source { path, format: DIALECT.name, title: DIALECT.title });
        for document in &file.documents {
            reader.spec(spec_of(document));
        }
    }
    let Reader { mut stack, app_variables, containers, mut expect, .. } = reader;
    app_variables.bind_into(&mut stack, input.kinds, &containers.sources);
    expect.diagnostics.extend(containers.diagnostics);
    (stack, expect.diagnostics)
}

struct Reader<'a> {
    input: &'a Input<'a>,
    expect: Expect,
    stack: Stack,
    app_variables: PlatformVariables,
    containers: Containers,
}

impl Reader<'_> {
    fn spec(&mut self, spec: &Node) {
        if let Some(name) = spec.get("name").and_then(Node::as_str) {
            name.clone_into(&mut self.stack.project);
        }
        for node in spec.get("databases").and_then(Node::as_sequence).unwrap_or_default() {
            self.database(node);
        }
        let components = COMPONENTS.iter().filter_map(|key| spec.get(key)).filter_map(Node::as_sequence).flatten();
        let components: Vec<&Node> = components.collect();
        for node in &components {
            self.component(node);
        }
        for node in &components {
            let Some(name) = node.get("name").and_then(Node::as_str) else { continue };
            if self.stack.service(name).is_some() {
                continue;
            }
            for list in [spec.get("envs"), node.get("envs")] {
                for variable in list.and_then(Node::as_sequence).unwrap_or_default() {
                    self.variable(name, variable, spec);
                }
            }
        }
    }

    fn database(&mut self, node: &Node) {
        let Some(name) = node.get("name").and_then(|name| self.expect.text(name, "a database's name")) else {
            return self.expect.diagnostics.push(lacks("a database", "name", node));
        };
        // Without `engine`, the platform uses Postgres.
        let engine = node.get("engine").and_then(|engine| self.expect.text(engine, "`engine`"));
        let word = engine.as_ref().map_or_else(|| "PG".to_owned(), |engine| engine.value.to_uppercase());
        let Some(kind) =
            self.input.kinds.spelled(DIALECT.name, &word).or_else(|| self.input.kinds.named(&word.to_lowercase()))
        else {
            let place = engine.as_ref().map_or(&node.origin, |engine| &engine.origin);
            self.expect.diagnostics.push(
                Diagnostic::error("unknown-kind", format!("there is no engine `{word}`"))
                    .at(place, "not known")
                    .help("the engines are PG, MYSQL, REDIS, VALKEY, MONGODB, KAFKA and OPENSEARCH"),
            );
            return;
        };
        let version = node.get("version").and_then(|version| self.expect.text(version, "`version`"));
        let mut service = Managed::new(DIALECT.name, &name, kind, version.as_ref());
        for key in ["name", "engine", "version"].into_iter().filter(|key| node.get(key).is_some()) {
            service.add_neutral(key, Support::Reproduced, "");
        }
        let said = |key: &str| {
            let node = node.get(key)?;
            Some(Located::new(node.as_str()?.to_owned(), node.origin.clone()))
        };
        if let Some(user) = said("db_user") {
            service.user(&user);
            service.add_neutral("db_user", Support::Reproduced, "");
        }
        if let Some(database) = said("db_name") {
            service.database(&database, None);
            service.add_neutral("db_name", Support::Reproduced, "");
        }
        if let Some(policy) = node.get("eviction_policy") {
            let text = policy.as_str().unwrap_or_default().to_lowercase().replace('_', "-");
            let value = Node::scalar(text, false, policy.origin.clone());
            service.setting("eviction_policy", "maxmemory-policy", &value);
        }
        // A cluster and a development database have different default logins and databases.
        let is_cluster = node.get("production").and_then(Node::as_bool) == Some(true);
        let plain = name.value.as_str();
        if is_cluster {
            // These rights are those of `doadmin`. A login that the file names is the app's own.
            service.made_by("digitalocean production");
        }
        service.defaults(if is_cluster { "doadmin" } else { plain }, if is_cluster { "defaultdb" } else { plain });
        service.rest(node, "about production's machine, which a local server does not have");
        service.finish().add_to(&mut self.stack.services, &self.input.project.budget);
    }

    /// Reads a component of the app. A component that runs a server's image is a service.
    fn component(&mut self, node: &Node) {
        let Some(name) = node.get("name").and_then(|name| self.expect.text(name, "a component's name")) else { return };
        let has_no_template = |image: &Node| !image.as_str().is_some_and(is_template);
        let image = node.get("image").and_then(image_of).filter(has_no_template);
        let Some(image) = image else {
            let app = App { name: name.value.clone(), image: None, note: String::new(), origin: name.origin.clone() };
            return app.add_to(&mut self.stack.apps, &self.input.project.budget);
        };
        let mut entries = vec![entry("image", literal(&image))];
        if let Some(command) = node.get("run_command").filter(|command| !command.is_null()) {
            entries.push(entry("command", literal(command)));
        }
        if node.get("internal_ports").is_some() {
            entries.push(entry("expose", list(&node.origin, Vec::new())));
        }
        let mut environment: Vec<Entry> = Vec::new();
        for variable in node.get("envs").and_then(Node::as_sequence).unwrap_or_default() {
            let (Some(key), value) = (variable.get("key").and_then(Node::as_str), variable.get("value")) else {
                continue;
            };
            let value = match value {
                Some(value) if !is_secret(variable) => literal(value),
                _ => Node::scalar(format!("${{{key}}}"), true, variable.origin.clone()),
            };
            environment.push(entry(key, value));
        }
        entries.push(entry("environment", map(&node.origin, environment)));
        let mut unused = PlatformVariables::of(self.input);
        self.containers.read(self.input, &name, entries, &mut self.stack, &mut unused, &mut |service| {
            service.keys.retain(|key| key.path != "expose");
            for entry in node.entries() {
                let path = entry.key.value.as_str();
                if !["name", "image", "envs", "run_command"].contains(&path) {
                    let told = "about production's machine, which a local server does not have".to_owned();
                    let support = Support::Unsupported;
                    service.keys.push(crate::model::Key { path: path.to_owned(), support, note: told });
                }
            }
        });
    }

    fn variable(&mut self, app: &str, node: &Node, spec: &Node) {
        let Some(key) = node.get("key") else { return };
        let Some(name) = self.expect.text(key, "a variable's `key`") else { return };
        let origin = &name.origin;
        let text = node.get("value").and_then(Node::as_str).unwrap_or_default();
        if !text.contains("${") {
            if is_secret(node) || node.get("value").is_none() {
                let value = Value::Secret("it is set on DigitalOcean".to_owned());
                return self.app_variables.fixed(app, &name.value, value, origin);
            }
            let value = node.get("value").map_or(&node.origin, |value| &value.origin);
            return self.app_variables.text(app, &name.value, text, value);
        }
        let mut fixed = true;
        let read = template(text, ("${", "}"), &mut |place| {
            let pieces = self.place(place, spec, 0)?;
            fixed &= pieces.iter().all(|piece| matches!(piece, Piece::Text(_)));
            Some(pieces)
        });
        match read {
            Ok(read) if fixed => {
                let text: String =
                    read.0.iter().map(|piece| if let Piece::Text(text) = piece { text.as_str() } else { "" }).collect();
                self.app_variables.text(app, &name.value, &text, origin);
            }
            Ok(read) => self.app_variables.bound(app, &name.value, read, origin),
            Err(what) if is_secret(node) => self.app_variables.fixed(app, &name.value, Value::Secret(what), origin),
            Err(what) => self.app_variables.fixed(app, &name.value, Value::Unresolved(what), origin),
        }
    }

    /// The pieces that replace `${db.HOSTNAME}` or a variable of the whole app.
    fn place(&self, place: &str, spec: &Node, depth: usize) -> Option<Vec<Piece>> {
        let Some((name, what)) = place.split_once('.') else {
            let envs = spec.get("envs").and_then(Node::as_sequence)?;
            let variable = envs.iter().find(|variable| variable.get("key").and_then(Node::as_str) == Some(place))?;
            let text = variable.get("value").and_then(Node::as_str).filter(|_| !is_secret(variable) && depth < 5)?;
            let read = template(text, ("${", "}"), &mut |place| self.place(place, spec, depth + 1)).ok()?;
            // The variable's value is inserted at each reference, so each reference is paid.
            let size = read.0.iter().map(|piece| if let Piece::Text(text) = piece { text.len() } else { 64 }).sum();
            return self.input.project.budget.spend_at(Resource::Expanded, size, &variable.origin).then_some(read.0);
        };
        let service = self.stack.service(name)?;
        let kind = self.input.kinds.get(&service.kind)?;
        let (_, of) = FIELDS.iter().find(|(known, _)| *known == what)?;
        if what == "PRIVATE_URL" && service.image.is_some() {
            let mut url = vec![Piece::Text("http://".to_owned())];
            url.extend(address(name).0);
            return Some(url);
        }
        kind.fields.contains_key(*of).then(|| field(name, of))
    }
}

fn is_secret(variable: &Node) -> bool {
    let encrypted = variable.get("value").and_then(Node::as_str).is_some_and(|text| text.starts_with("EV["));
    encrypted || variable.get("type").and_then(Node::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("secret"))
}

/// The image's name, joined from its parts.
fn image_of(node: &Node) -> Option<Node> {
    let text = |key: &str| node.get(key).and_then(Node::as_str).filter(|text| !text.is_empty());
    let repository = text("repository")?;
    let registry = match text("registry_type").map(str::to_uppercase).as_deref() {
        Some("DOCKER_HUB") => text("registry").filter(|registry| *registry != "library").map(str::to_owned),
        Some("GHCR") => Some(format!("ghcr.io/{}", text("registry").unwrap_or_default())),
        Some("DOCR") => Some(format!("registry.digitalocean.com/{}", text("registry").unwrap_or("app"))),
        _ => text("registry").map(str::to_owned),
    };
    let mut name = registry.map_or_else(|| repository.to_owned(), |registry| format!("{registry}/{repository}"));
    if let Some(tag) = text("tag") {
        name = format!("{name}:{tag}");
    }
    if let Some(digest) = text("digest") {
        name = format!("{name}@{digest}");
    }
    let origin = node.get("tag").or_else(|| node.get("repository")).map_or(&node.origin, |node| &node.origin);
    Some(Node::scalar(name, true, origin.clone()))
}
