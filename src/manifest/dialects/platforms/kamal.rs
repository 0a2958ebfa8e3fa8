//! Kamal's `config/deploy.yml` with its destinations. Accessories are containers with the project's servers.
//!
//! ERB is not run. `ENV` in ERB is an ordinary variable; any other ERB is unresolved.

use super::container::{Containers, entry, list, map};
use super::templated::{parse, replaced};
use super::variables::PlatformVariables;
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::count::Counted as _;
use crate::manifest::read::env_file::{self, Format};
use crate::manifest::read::interpolate::{Interpolated, interpolate};
use crate::model::{App, Diagnostic, Key, Located, Service, Source, SourceFile, Stack, Support, Value};
use crate::project::Budget;
use crate::syntax::expect::Expect;
use crate::syntax::tree::{Entry, Node, NodeKind};
use crate::syntax::yaml::Documents;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// This dialect's entry in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "kamal",
    title: "Kamal",
    places: Places::Files(&["config/deploy.{yml,yaml}", "config/deploy.*.{yml,yaml}"]),
    syntax: Syntax::Text,
    marks: &[],
    recognises,
    read,
};

/// Keys at the top of a configuration (Kamal's `lib/kamal/configuration/docs/configuration.yml`).
const KEYS: &[&str] = &[
    "service",
    "image",
    "servers",
    "env",
    "accessories",
    "registry",
    "builder",
    "proxy",
    "ssh",
    "sshkit",
    "boot",
    "aliases",
    "labels",
    "volumes",
    "healthcheck",
    "traefik",
    "logging",
    "hooks_path",
    "secrets_path",
    "error_pages_path",
    "asset_path",
    "primary_role",
    "allow_empty_roles",
    "require_destination",
    "minimum_version",
    "readiness_delay",
    "deploy_timeout",
    "drain_timeout",
    "retain_containers",
    "run_directory",
    "stop_wait_time",
];

/// The variable that replaces all ERB that is no plain `ENV`.
const ERB: &str = "ERB";

fn recognises(file: &ManifestFile) -> bool {
    let text = &file.source.text;
    if !["service:", "servers:", "accessories:", "registry:", "proxy:", "env:"].iter().any(|word| text.contains(word)) {
        return false;
    }
    let read = documents(&file.source, &Budget::default());
    let Some(document) = read.documents.first() else { return false };
    let has = |key: &str| document.get(key).is_some();
    let whole =
        has("service") && has("image") && ["servers", "registry", "accessories", "builder"].into_iter().any(has);
    let keys = || document.entries().map(|entry| entry.key.value.as_str());
    let known = |key: &str| KEYS.contains(&key) || key.starts_with("x-");
    let adds = destination(&file.source.path).is_some() && keys().next().is_some() && keys().all(known);
    whole && document.get("services").is_none() || adds
}

/// `production` of `config/deploy.production.yml`.
fn destination(path: &Path) -> Option<&str> {
    path.file_stem()?.to_str()?.strip_prefix("deploy.")
}

/// Marks around a number that replaces ERB: private-use characters, which have no meaning in YAML.
const MARKS: (char, char) = ('\u{E000}', '\u{E001}');

/// The documents, in which `${X}` replaces ERB that reads `X` from the environment, and `$$` replaces each dollar.
fn documents(source: &Arc<SourceFile>, budget: &Budget) -> Documents {
    let mut found: Vec<String> = Vec::new();
    let (open, close) = MARKS;
    let text = replaced(&source.text, "<%", "%>", &mut |inside| {
        let inside = inside.trim_end_matches('-');
        let expression = inside.strip_prefix('=')?.trim();
        found.push(from_environment(expression).unwrap_or_else(|| format!("${{{ERB}}}")));
        Some(format!("{open}{}{close}", found.len() - 1))
    });
    parse(source, text, budget, &|text| {
        let (open, close) = (open.to_string(), close.to_string());
        replaced(&text.replace('$', "$$"), &open, &close, &mut |number| {
            found.get(number.parse::<usize>().ok()?).cloned()
        })
    })
}

/// `${X}` for `ENV["X"]` and `ENV.fetch("X")`, `${X:-default}` for `ENV.fetch("X", "default")`.
fn from_environment(expression: &str) -> Option<String> {
    let inside = |open: &str, close: char| expression.strip_prefix(open)?.strip_suffix(close);
    let quoted = |text: &str| {
        let text = text.trim();
        let text = ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))?;
        text.chars().all(|c| !matches!(c, '"' | '\'' | '{' | '}' | '\n')).then(|| text.to_owned())
    };
    let is_name = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let words = inside("ENV[", ']').or_else(|| inside("ENV.fetch(", ')'))?;
    match words.split_once(',') {
        Some((name, default)) => {
            let (name, default) = (quoted(name).filter(is_name)?, quoted(default)?);
            Some(format!("${{{name}:-{default}}}"))
        }
        None => quoted(words).filter(is_name).map(|name| format!("${{{name}}}")),
    }
}

fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let mut expect = Expect::default();
    let mut stack = Stack::default();
    let mut whole: Option<Node> = None;
    let mut destinations = Vec::new();
    for source in sources(input) {
        let read = documents(&source, &input.project.budget);
        expect.diagnostics.extend(read.diagnostics);
        destinations.extend(destination(&source.path).map(str::to_owned));
        stack.sources.push(Source { path: source.path.clone(), format: DIALECT.name, title: DIALECT.title });
        if let Some(document) = read.documents.into_iter().next() {
            whole = Some(match whole {
                Some(base) => merged(base, document),
                None => document,
            });
        }
    }
    let Some(document) = whole else { return (stack, expect.diagnostics) };
    let secrets = secrets(input, &destinations, &mut expect);
    let mut reader = Reader {
        input,
        expect,
        stack,
        app_variables: PlatformVariables::of(input),
        containers: Containers::default(),
        secrets,
    };
    reader.document(&document);
    let Reader { mut stack, app_variables, containers, mut expect, .. } = reader;
    app_variables.bind_into(&mut stack, input.kinds, &containers.sources);
    expect.diagnostics.extend(containers.diagnostics);
    (stack, expect.diagnostics)
}

/// The base file and its destinations. If the user named only a destination, the base file is added. If the user named
/// only a base file, production's destination is added.
fn sources(input: &Input<'_>) -> Vec<Arc<SourceFile>> {
    let mut sources: Vec<Arc<SourceFile>> = input.files.iter().map(|file| Arc::clone(&file.source)).collect();
    let Some(first) = input.files.first() else { return sources };
    let beside = |name: &str| input.project.read(&first.folder.join(name)).ok();
    if !sources.iter().any(|source| destination(&source.path).is_none()) {
        sources.extend(["deploy.yml", "deploy.yaml"].into_iter().find_map(beside));
    } else if !sources.iter().any(|source| destination(&source.path).is_some())
        && first.source.path != Path::new("<stdin>")
    {
        let names = ["deploy.production.yml", "deploy.production.yaml", "deploy.prod.yml", "deploy.prod.yaml"];
        sources.extend(names.into_iter().find_map(beside));
    }
    sources.sort_by_key(|source| destination(&source.path).is_some());
    sources
}

/// Merges a destination into the base file, as Kamal does: maps are merged, other values are replaced.
fn merged(base: Node, destination: Node) -> Node {
    match (base.kind, destination.kind) {
        (NodeKind::Mapping(mut entries), NodeKind::Mapping(more)) => {
            for entry in more {
                match entries.iter().position(|known| known.key.value == entry.key.value) {
                    Some(at) => {
                        let known = entries.remove(at);
                        entries.insert(at, Entry { key: known.key, value: merged(known.value, entry.value) });
                    }
                    None => entries.push(entry),
                }
            }
            Node { origin: base.origin, tag: base.tag, kind: NodeKind::Mapping(entries) }
        }
        (_, kind) => Node { origin: destination.origin, tag: destination.tag, kind },
    }
}

/// The text of each secret in `.kamal/secrets`. A secret that a command fetches is not known.
fn secrets(input: &Input<'_>, destinations: &[String], expect: &mut Expect) -> BTreeMap<String, Interpolated> {
    let Some(root) = input.files.first().and_then(|file| file.folder.parent()) else { return BTreeMap::new() };
    let mut names = vec![".kamal/secrets-common".to_owned(), ".kamal/secrets".to_owned()];
    names.extend(destinations.iter().map(|destination| format!(".kamal/secrets.{destination}")));
    let mut found = BTreeMap::new();
    for name in names {
        let Ok(source) = input.project.read(&root.join(name)) else { continue };
        let environment = input.environment;
        let (entries, diagnostics) = env_file::read(
            &source,
            Format::Compose,
            &|name| environment.get(name).map(str::to_owned),
            &input.project.budget,
        );
        // Commands that a shell would run are not read here, so only errors of the files themselves are reported.
        expect.diagnostics.extend(diagnostics.into_iter().filter(|found| found.code.starts_with("file-")));
        for entry in entries {
            if let Some(value) = entry.value.filter(|value| !value.text.contains("$(") && !value.text.contains('`')) {
                found.insert(entry.name, value);
            }
        }
    }
    found
}

struct Reader<'a> {
    input: &'a Input<'a>,
    expect: Expect,
    stack: Stack,
    app_variables: PlatformVariables,
    containers: Containers,
    secrets: BTreeMap<String, Interpolated>,
}

impl Reader<'_> {
    fn document(&mut self, document: &Node) {
        let service = document.get("service").and_then(Node::as_str).unwrap_or_default().to_owned();
        self.stack.project.clone_from(&service);
        let accessories = document.get("accessories");
        for entry in accessories.map(|node| self.expect.map(node, "`accessories`")).unwrap_or_default() {
            self.accessory(&service, entry);
        }
        let image = document.get("image").and_then(Node::as_str).map(|text| text.replace("$$", "$"));
        let roles: Vec<(Located<String>, Option<&Node>)> = match document.get("servers") {
            Some(servers) if servers.as_mapping().is_some() => {
                servers.entries().map(|entry| (entry.key.clone(), Some(&entry.value))).collect()
            }
            servers => {
                let origin = servers.map_or(&document.origin, |node| &node.origin).clone();
                vec![(Located::new("web".to_owned(), origin), None)]
            }
        };
        for (role, node) in roles {
            let (name, origin) = (role.value.clone(), role.origin.clone());
            App { name, image: image.clone(), note: String::new(), origin }
                .add_to(&mut self.stack.apps, &self.input.project.budget);
            for env in [document.get("env"), node.and_then(|node| node.get("env"))].into_iter().flatten() {
                self.variables(&role.value, env);
            }
        }
    }

    fn variables(&mut self, app: &str, env: &Node) {
        for (name, value) in clear(env) {
            let Some(text) = value.as_str() else {
                self.app_variables.node(app, name, value);
                continue;
            };
            let environment = self.input.environment;
            match interpolate(text, &|name| environment.get(name).map(str::to_owned), &self.input.project.budget) {
                Ok(text) if text.variables().contains(&ERB) => {
                    let value = Value::Unresolved("a value that its ERB computes at deploy time".to_owned());
                    self.app_variables.fixed(app, name, value, &value_origin(env, name));
                }
                Ok(text) => self.app_variables.interpolated(app, name, text, &value.origin),
                Err(_) if self.input.project.budget.blame(&value.origin) => return,
                Err(_) => self.app_variables.node(app, name, value),
            }
        }
        for (name, source, node) in secret(env) {
            let from = format!("the secret {source} of .kamal/secrets");
            // A connection in that file may lead to an accessory.
            match self.secrets.get(&source).filter(|text| text.text.contains("://")) {
                Some(text) => self.app_variables.secret_text(app, &name, text.clone(), &from, &node.origin),
                None => self.app_variables.secret(app, &name, &source, &from, &node.origin),
            }
        }
    }

    /// Reads an accessory: a container next to the app.
    fn accessory(&mut self, service: &str, accessory: &Entry) {
        let (name, node) = (&accessory.key, &accessory.value);
        let mut entries = Vec::new();
        for (key, word) in [("image", "image"), ("cmd", "command"), ("labels", "labels")] {
            entries.extend(node.get(key).filter(|node| !node.is_null()).map(|node| entry(word, node.clone())));
        }
        if let Some(port) = node.get("port") {
            entries.push(entry("ports", list(&port.origin, vec![port.clone()])));
        }
        let host = match node.get("service").and_then(Node::as_str) {
            Some(own) => own.to_owned(),
            None => format!("{service}-{}", name.value),
        };
        entries.push(entry("container_name", Node::scalar(host, true, name.origin.clone())));
        if let Some(env) = node.get("env") {
            let mut environment: Vec<Entry> = clear(env)
                .into_iter()
                .map(|(name, value)| Entry {
                    key: Located::new(name.to_owned(), value.origin.clone()),
                    value: value.clone(),
                })
                .collect();
            for (name, source, node) in secret(env) {
                let value = Node::scalar(format!("${{{source}}}"), true, node.origin.clone());
                environment.push(Entry { key: Located::new(name, node.origin.clone()), value });
            }
            entries.push(entry("environment", map(&env.origin, environment)));
        }
        let mut volumes = Vec::new();
        for key in ["files", "directories", "volumes"] {
            for item in node.get(key).and_then(Node::as_sequence).unwrap_or_default() {
                let Some(text) = item.as_str() else { continue };
                let is_file = key == "files" && !text.starts_with(['.', '/']);
                let text = if is_file { format!("./{text}") } else { text.to_owned() };
                volumes.push(Node::scalar(text, true, item.origin.clone()));
            }
        }
        if !volumes.is_empty() {
            entries.push(entry("volumes", list(&node.origin, volumes)));
        }
        self.containers.read(self.input, name, entries, &mut self.stack, &mut self.app_variables, &mut |service| {
            account(service, node);
        });
    }
}

/// Records keys by Kamal's own names, and the keys that Compose does not have.
fn account(service: &mut Service, node: &Node) {
    let is_file = |target: &str| {
        let files = node.get("files").and_then(Node::as_sequence).unwrap_or_default();
        files.iter().filter_map(Node::as_str).any(|text| text.split(':').nth(1) == Some(target))
    };
    service.keys.retain(|key| key.path != "container_name");
    for key in &mut service.keys {
        key.path = match key.path.split_once('.') {
            Some(("environment", name)) => format!("env.{name}"),
            Some(("volumes", target)) if is_file(target) => format!("files.{target}"),
            Some(("volumes", target)) => format!("directories.{target}"),
            _ if key.path == "command" => "cmd".to_owned(),
            _ if key.path == "ports" => "port".to_owned(),
            _ => continue,
        };
    }
    for entry in node.entries() {
        let (support, reason) = match entry.key.value.as_str() {
            "host" | "hosts" | "role" | "roles" | "tag" | "tags" => (Support::Unsupported, "where production runs it"),
            "service" => (Support::Reproduced, "apps reach it by this name too"),
            "registry" => (Support::Unsupported, "the engine's own logins are used"),
            "network" | "options" | "proxy" => (Support::Unsupported, "the container runs with the engine's own rules"),
            _ => continue,
        };
        service.keys.push(Key { path: entry.key.value.clone(), support, note: reason.to_owned() });
    }
}

/// The variables in clear text: `env.clear`, or `env` itself in the short form.
fn clear(env: &Node) -> Vec<(&str, &Node)> {
    let is_short = ["clear", "secret", "tags"].iter().all(|key| env.get(key).is_none());
    let node = if is_short { Some(env) } else { env.get("clear") };
    node.into_iter().flat_map(Node::entries).map(|entry| (entry.key.value.as_str(), &entry.value)).collect()
}

fn value_origin(env: &Node, name: &str) -> crate::model::Origin {
    let value = env.get("clear").unwrap_or(env).get(name);
    value.map_or(&env.origin, |value| &value.origin).clone()
}

/// The secrets by their variable's name and by their name in `.kamal/secrets`. `DB_PASSWORD:MAIN_DB_PASSWORD` has two
/// names.
fn secret(env: &Node) -> Vec<(String, String, &Node)> {
    let items = env.get("secret").and_then(Node::as_sequence).unwrap_or_default();
    let both = items.iter().filter_map(|item| {
        let text = item.as_str()?;
        let (name, source) = text.split_once(':').unwrap_or((text, text));
        Some((name.to_owned(), source.to_owned(), item))
    });
    both.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erb_that_reads_a_variable_is_that_variable_and_other_erb_is_unresolved() {
        for (expression, meant) in [
            (r#"ENV["A_B"]"#, Some("${A_B}")),
            ("ENV['A']", Some("${A}")),
            (r#"ENV.fetch("A")"#, Some("${A}")),
            (r#"ENV.fetch("A", "b c")"#, Some("${A:-b c}")),
            (r#"ENV.fetch("A", 5)"#, None),
            (r#"ENV["A"] || "b""#, None),
            ("`git rev-parse HEAD`", None),
            (r#"ENV["A}"]"#, None),
        ] {
            assert_eq!(from_environment(expression).as_deref(), meant, "{expression}");
        }
    }

    #[test]
    fn places_are_those_of_the_file_and_dollars_stay_dollars() {
        let text = "a: 1\n<% if x\n y %>\nb: { c: <%= `a: b` %>, d: \"$5 <%= ENV['E'] %>\" }\n";
        let source = Arc::new(SourceFile { path: "config/deploy.yml".into(), text: text.to_owned() });
        let read = documents(&source, &Budget::default());
        assert_eq!(read.diagnostics, []);
        let b = read.documents[0].get("b").unwrap();
        assert_eq!(b.get("c").unwrap().as_str(), Some("${ERB}"));
        assert_eq!(b.get("d").unwrap().as_str(), Some("$$5 ${E}"));
        assert_eq!((b.origin.line, &b.origin.file), (4, &source));
    }
}
