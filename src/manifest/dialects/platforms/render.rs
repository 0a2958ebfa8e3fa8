//! Render's blueprint: Postgres under `databases`, Valkey and Redis under `services`, which `fromDatabase` and
//! `fromService` bind. These keys are at the top or in `projects[].environments[]`.

use super::container::{Containers, entry, literal, map};
use super::managed::{Managed, is_template, lacks};
use super::variables::{PlatformVariables, address, field};
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::count::Counted as _;
use crate::model::{App, Diagnostic, Located, Origin, Source, Stack, Support, Template, Value, did_you_mean};
use crate::syntax::expect::Expect;
use crate::syntax::tree::{Entry, Node};

/// This dialect's entry in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "render",
    title: "Render",
    places: Places::Files(&["render.{yaml,yml}"]),
    syntax: Syntax::Yaml,
    marks: &[],
    recognises,
    read,
};

/// Names of a blueprint's file.
const FILE_NAMES: &[&str] = &["render.yaml", "render.yml"];

/// The note for keys of a database or store that are about Render's machine.
const OF_THE_MACHINE: &str = "about production's machine, which a local server does not have";

/// Keys of a private service that are read with its container.
const OF_THE_CONTAINER: &[&str] = &["image", "name", "type", "envVars", "dockerCommand", "runtime", "env"];

fn recognises(file: &ManifestFile) -> bool {
    let name = file.source.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(document) = file.documents.first() else { return FILE_NAMES.contains(&name) };
    let listed = |key: &str| document.get(key).is_some_and(|node| node.as_sequence().is_some());
    let typed = |node: &Node| {
        let said = node.get("type").and_then(Node::as_str).unwrap_or_default();
        ["web", "worker", "pserv", "cron", "static", "keyvalue", "redis"].contains(&said)
    };
    let services = document.get("services").and_then(Node::as_sequence).unwrap_or_default();
    let is_named = FILE_NAMES.contains(&name)
        && (listed("services") || listed("databases") || listed("projects") || listed("envVarGroups"));
    is_named || (!services.is_empty() && services.iter().all(typed))
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
            let scopes = scopes(document);
            for scope in &scopes {
                reader.databases(scope);
            }
            for scope in &scopes {
                reader.services(scope);
            }
            for scope in &scopes {
                reader.apps(scope, &scopes);
            }
            for scope in &scopes {
                reader.variables(scope, &scopes);
            }
        }
    }
    let Reader { mut stack, app_variables, containers, mut expect, .. } = reader;
    app_variables.bind_into(&mut stack, input.kinds, &containers.sources);
    expect.diagnostics.extend(containers.diagnostics);
    (stack, expect.diagnostics)
}

/// The maps that hold `services` and `databases`: the file itself, `ungrouped`, and the environments of each project.
/// If a project has a production environment, only that environment.
fn scopes(document: &Node) -> Vec<&Node> {
    let mut scopes = vec![document];
    scopes.extend(document.get("ungrouped"));
    for project in document.get("projects").and_then(Node::as_sequence).unwrap_or_default() {
        let environments = project.get("environments").and_then(Node::as_sequence).unwrap_or_default();
        let is_production = |node: &&Node| {
            node.get("name").and_then(Node::as_str).is_some_and(|name| name.to_ascii_lowercase().starts_with("prod"))
        };
        match environments.iter().find(is_production) {
            Some(production) => scopes.push(production),
            None => scopes.extend(environments),
        }
    }
    scopes
}

struct Reader<'a> {
    input: &'a Input<'a>,
    expect: Expect,
    stack: Stack,
    app_variables: PlatformVariables,
    containers: Containers,
}

impl Reader<'_> {
    fn named(&mut self, node: &Node, what: &str) -> Option<Located<String>> {
        let Some(name) = node.get("name") else {
            self.expect.diagnostics.push(lacks(what, "name", node));
            return None;
        };
        self.expect.text(name, &format!("the name of {what}"))
    }

    fn databases(&mut self, scope: &Node) {
        for node in scope.get("databases").and_then(Node::as_sequence).unwrap_or_default() {
            let Some(name) = self.named(node, "a database") else { continue };
            let Some(kind) = self.input.kinds.spelled(DIALECT.name, "databases") else { continue };
            let version =
                node.get("postgresMajorVersion").and_then(|node| self.expect.text(node, "`postgresMajorVersion`"));
            let mut service = Managed::new(DIALECT.name, &name, kind, version.as_ref());
            let said = |key: &str| {
                let node = node.get(key)?;
                Some(Located::new(node.as_str()?.to_owned(), node.origin.clone()))
            };
            if let Some(user) = said("user") {
                service.user(&user);
                service.add_neutral("user", Support::Reproduced, "");
            }
            if let Some(database) = said("databaseName") {
                service.database(&database, None);
                service.add_neutral("databaseName", Support::Reproduced, "");
            }
            // Render derives the default database and login from the name.
            let plain = name.value.replace('-', "_");
            let database = service.service.databases.first().map_or(plain, |database| database.name.value.clone());
            service.defaults(&format!("{database}_user"), &database);
            service.add_neutral("name", Support::Reproduced, "");
            if version.is_some() {
                service.add_neutral("postgresMajorVersion", Support::Reproduced, "");
            }
            service.rest(node, OF_THE_MACHINE);
            self.keep(service);
        }
    }

    fn keep(&mut self, service: Managed<'_>) {
        let service = service.finish();
        if let Some(known) = self.stack.service(&service.name) {
            let twice = Diagnostic::error("service-twice", format!("`{}` is declared twice", service.name))
                .at(&service.origin, "declared here")
                .and_at(&known.origin, "and here")
                .help("rename one of them");
            self.expect.diagnostics.push(twice);
        } else {
            service.add_to(&mut self.stack.services, &self.input.project.budget);
        }
    }

    fn services(&mut self, scope: &Node) {
        for node in scope.get("services").and_then(Node::as_sequence).unwrap_or_default() {
            let Some(word) = node.get("type").and_then(Node::as_str) else { continue };
            if !matches!(word, "keyvalue" | "redis") {
                continue;
            }
            let Some(name) = self.named(node, "a service") else { continue };
            let Some(kind) = self.input.kinds.spelled(DIALECT.name, word) else { continue };
            let mut service = Managed::new(DIALECT.name, &name, kind, None);
            for key in ["name", "type"] {
                service.add_neutral(key, Support::Reproduced, "");
            }
            if let Some(policy) = node.get("maxmemoryPolicy") {
                let said = policy.as_str().map(|text| text.replace('_', "-")).unwrap_or_default();
                let value = Node::scalar(said, false, policy.origin.clone());
                service.setting("maxmemoryPolicy", "maxmemory-policy", &value);
            }
            service.rest(node, OF_THE_MACHINE);
            self.keep(service);
        }
    }

    fn apps(&mut self, scope: &Node, scopes: &[&Node]) {
        for node in scope.get("services").and_then(Node::as_sequence).unwrap_or_default() {
            if matches!(node.get("type").and_then(Node::as_str), Some("keyvalue" | "redis")) {
                continue;
            }
            let Some(name) = self.named(node, "a service") else { continue };
            let image = node.get("image").and_then(|image| image.get("url"));
            if let Some(image) = image.filter(|image| !is_template(image.as_str().unwrap_or_default())) {
                self.container(&name, image, node, scopes);
            } else {
                App {
                    name: name.value.clone(),
                    image: image.and_then(Node::as_str).map(str::to_owned),
                    note: String::new(),
                    origin: name.origin.clone(),
                }
                .add_to(&mut self.stack.apps, &self.input.project.budget);
            }
        }
    }

    fn variables(&mut self, scope: &Node, scopes: &[&Node]) {
        for node in scope.get("services").and_then(Node::as_sequence).unwrap_or_default() {
            let Some(name) = node.get("name").and_then(Node::as_str) else { continue };
            if self.stack.service(name).is_none() {
                for variable in node.get("envVars").and_then(Node::as_sequence).unwrap_or_default() {
                    self.variable(name, variable, scopes);
                }
            }
        }
    }

    /// Reads a service from an image, which may be a server.
    fn container(&mut self, name: &Located<String>, image: &Node, node: &Node, scopes: &[&Node]) {
        let mut entries = vec![entry("image", literal(image))];
        if let Some(command) = node.get("dockerCommand").filter(|command| !command.is_null()) {
            entries.push(entry("command", literal(command)));
        }
        let mut environment: Vec<Entry> = Vec::new();
        let groups = node.get("envVars").and_then(Node::as_sequence).unwrap_or_default().iter().flat_map(|variable| {
            match variable.get("fromGroup").and_then(Node::as_str) {
                Some(group) => group_of(scopes, group),
                None => std::slice::from_ref(variable),
            }
        });
        for variable in groups {
            let Some(key) = variable.get("key").and_then(Node::as_str) else { continue };
            let value = match variable.get("value") {
                Some(value) => literal(value),
                // A value that Render generates or asks for is a secret of that name.
                None => Node::scalar(format!("${{{key}}}"), true, variable.origin.clone()),
            };
            environment.push(entry(key, value));
        }
        entries.push(entry("environment", map(&node.origin, environment)));
        let published = node.get("disk").and_then(|disk| disk.get("mountPath")).and_then(Node::as_str);
        if let Some(path) = published {
            let volume = Node::scalar(format!("disk:{}", path.replace('$', "$$")), true, node.origin.clone());
            entries.push(entry("volumes", super::container::list(&node.origin, vec![volume])));
        }
        // Other services connect to a private service.
        if node.get("type").and_then(Node::as_str) == Some("pserv") {
            entries.push(entry("expose", super::container::list(&node.origin, Vec::new())));
        }
        let keys: Vec<String> = node.entries().map(|entry| entry.key.value.clone()).collect();
        // An app's variables are read again later, with Render's bindings.
        let mut unused = PlatformVariables::of(self.input);
        self.containers.read(self.input, name, entries, &mut self.stack, &mut unused, &mut |service| {
            service.keys.retain(|key| key.path != "expose");
            for key in &keys {
                let known = OF_THE_CONTAINER.contains(&key.as_str()) || key == "disk";
                if !known {
                    service.keys.push(crate::model::Key {
                        path: key.clone(),
                        support: Support::Unsupported,
                        note: OF_THE_MACHINE.to_owned(),
                    });
                }
            }
        });
    }

    fn variable(&mut self, app: &str, node: &Node, scopes: &[&Node]) {
        if let Some(group) = node.get("fromGroup") {
            let Some(name) = self.expect.text(group, "`fromGroup`") else { return };
            let members = group_of(scopes, &name.value);
            if members.is_empty() {
                self.expect.diagnostics.push(
                    Diagnostic::warning("unknown-group", format!("no group `{}` is declared", name.value))
                        .at(&name.origin, "its variables are not known here")
                        .help("groups that exist only on Render are not known here: add their variables in services.local.yaml"),
                );
            }
            // Groups hold variables and no groups. A group that names itself would never end.
            for member in members.iter().filter(|member| member.get("fromGroup").is_none()) {
                if self.input.project.budget.is_over() {
                    break;
                }
                self.variable(app, member, scopes);
            }
            return;
        }
        let Some(key) = node.get("key") else { return };
        let Some(name) = self.expect.text(key, "a variable's `key`") else { return };
        let origin = &name.origin;
        if let Some(value) = node.get("value") {
            self.app_variables.node(app, &name.value, value);
        } else if let Some(from) = node.get("fromDatabase") {
            self.bind_property(app, &name, from);
        } else if let Some(from) = node.get("fromService") {
            let of_variable = from.get("envVarKey").and_then(Node::as_str);
            match of_variable {
                Some(of) => self.bind_variable(app, &name, from, of, scopes),
                None => self.bind_property(app, &name, from),
            }
        } else if node.get("generateValue").and_then(Node::as_bool) == Some(true) {
            self.app_variables.fixed(app, &name.value, Value::Secret("Render generates it".to_owned()), origin);
        } else {
            self.app_variables.fixed(
                app,
                &name.value,
                Value::Secret("it is set in Render's dashboard".to_owned()),
                origin,
            );
        }
    }

    /// Binds a variable to a property of a database or service.
    fn bind_property(&mut self, app: &str, name: &Located<String>, from: &Node) {
        let (of, property) = (from.get("name").and_then(Node::as_str), from.get("property").and_then(Node::as_str));
        let (Some(of), Some(property)) = (of, property) else {
            return self.expect.wrong(
                from,
                &format!("the source of `{}`", name.value),
                "a map with `name` and `property`",
            );
        };
        let origin = &name.origin;
        let Some(service) = self.stack.service(of) else {
            if self.is_declared(of) {
                let what = format!("{property} of {of}, a part of the project that runs elsewhere");
                return self.app_variables.fixed(app, &name.value, Value::Unresolved(what), origin);
            }
            let known: Vec<&str> = self.stack.services.iter().map(|service| service.name.as_str()).collect();
            let unknown = Diagnostic::warning(
                "unknown-service",
                format!("`{}` is bound to `{of}`, which is not declared", name.value),
            )
            .at(from.get("name").map_or(&from.origin, |node| &node.origin), "no database or service of that name");
            self.expect.diagnostics.push(match did_you_mean(of, known) {
                Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
                None => unknown.help("declare it, or bind the variable in services.local.yaml"),
            });
            let what = format!("{property} of {of}, which is not declared");
            return self.app_variables.fixed(app, &name.value, Value::Unresolved(what), origin);
        };
        let template = self.property(&service.name, &service.kind, property);
        if let Some(template) = template {
            self.app_variables.bound(app, &name.value, template, origin);
        } else {
            let what = format!("{property} of {of}, which a local server does not have");
            self.app_variables.fixed(app, &name.value, Value::Unresolved(what), origin);
        }
    }

    fn property(&self, service: &str, kind: &str, property: &str) -> Option<Template> {
        let kind = self.input.kinds.get(kind)?;
        let name = match property {
            "connectionString" | "connectionPoolString" => "url",
            "hostport" => return Some(address(service)),
            other => other,
        };
        kind.fields.contains_key(name).then(|| Template(field(service, name)))
    }

    fn is_declared(&self, name: &str) -> bool {
        let files = self.input.files.iter().flat_map(|file| &file.documents).flat_map(scopes);
        let services = files.filter_map(|scope| scope.get("services")).filter_map(Node::as_sequence).flatten();
        services.into_iter().any(|node| node.get("name").and_then(Node::as_str) == Some(name))
    }

    /// Binds a variable to another service's variable of that name.
    fn bind_variable(&mut self, app: &str, name: &Located<String>, from: &Node, of: &str, scopes: &[&Node]) {
        let service = from.get("name").and_then(Node::as_str).unwrap_or_default();
        let origin: &Origin = &name.origin;
        let services = scopes.iter().filter_map(|scope| scope.get("services")).filter_map(Node::as_sequence).flatten();
        let source = services
            .filter(|node| node.get("name").and_then(Node::as_str) == Some(service))
            .flat_map(|node| node.get("envVars").and_then(Node::as_sequence).unwrap_or_default())
            .find(|variable| variable.get("key").and_then(Node::as_str) == Some(of));
        let Some(variable) = source else {
            let value = Value::Unresolved(format!("{of} of {service}, which Render sets"));
            return self.app_variables.fixed(app, &name.value, value, origin);
        };
        if let Some(value) = variable.get("value") {
            self.app_variables.node(app, &name.value, value);
        } else if let Some(from) = variable.get("fromDatabase") {
            self.bind_property(app, name, from);
        } else if let Some(from) = variable.get("fromService").filter(|from| from.get("property").is_some()) {
            self.bind_property(app, name, from);
        } else {
            let value = Value::Secret(format!("{of} of {service}"));
            self.app_variables.fixed(app, &name.value, value, origin);
        }
    }
}

/// The variables of a group.
fn group_of<'n>(scopes: &[&'n Node], name: &str) -> &'n [Node] {
    let groups = scopes.iter().filter_map(|scope| scope.get("envVarGroups")).filter_map(Node::as_sequence).flatten();
    let group = groups.into_iter().find(|group| group.get("name").and_then(Node::as_str) == Some(name));
    group.and_then(|group| group.get("envVars")).and_then(Node::as_sequence).unwrap_or_default()
}
