//! Task definitions of Amazon ECS. The image of each container decides whether it is a service or an app.

use super::container::{Containers, entry, list, literal, map};
use super::variables::PlatformVariables;
use crate::kinds::Kinds;
use crate::manifest::declare::classify::{Class, Runs, classify};
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::count::Counted as _;
use crate::model::{App, Diagnostic, ImageRef, Key, Located, Service, Source, Stack, Support};
use crate::syntax::tree::{Entry, Node};

/// This dialect's entry in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "ecs",
    title: "ECS task definition",
    places: Places::Files(&["*.json", "{ecs,.aws,aws,deploy,deployment,infra,task-definitions}/**/*.json"]),
    syntax: Syntax::Yaml,
    marks: &["containerDefinitions"],
    recognises,
    read,
};

/// Properties of a container that are read.
const READ: &[&str] = &["name", "image", "entryPoint", "command", "environment", "secrets", "links", "hostname"];

fn recognises(file: &ManifestFile) -> bool {
    file.documents.first().is_some_and(|document| !containers(document).is_empty())
}

/// The containers of a task definition, in the registered form or as `aws ecs describe-task-definition` prints it.
fn containers(document: &Node) -> &[Node] {
    let task = document.get("taskDefinition").unwrap_or(document);
    let containers = task.get("containerDefinitions").and_then(Node::as_sequence).unwrap_or_default();
    if containers.iter().any(|container| container.get("image").is_some()) { containers } else { &[] }
}

fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let (mut stack, mut app_variables, mut read) =
        (Stack::default(), PlatformVariables::of(input), Containers::default());
    for file in input.files {
        stack.sources.push(Source { path: file.source.path.clone(), format: DIALECT.name, title: DIALECT.title });
        let Some(document) = file.documents.first() else { continue };
        let neighbours = neighbours(input.kinds, document);
        for container in containers(document) {
            let Some(name) = container.get("name").and_then(text) else { continue };
            let known =
                stack.services.iter().map(|service| &service.name).chain(stack.apps.iter().map(|app| &app.name));
            if known.into_iter().any(|known| *known == name.value) {
                continue;
            }
            one(input, &name, container, &neighbours, &mut stack, &mut app_variables, &mut read);
        }
    }
    app_variables.bind_into(&mut stack, input.kinds, &read.sources);
    (stack, read.diagnostics)
}

fn one(
    input: &Input<'_>,
    name: &Located<String>,
    container: &Node,
    neighbours: &[(u16, &str)],
    stack: &mut Stack,
    app_variables: &mut PlatformVariables,
    read: &mut Containers,
) {
    let secrets: Vec<(Located<String>, Located<String>)> = pairs(container.get("secrets"), "valueFrom");
    let image = container.get("image").and_then(Node::as_str).unwrap_or_default();
    // `<IMAGE1_NAME>` and similar placeholders are replaced at deploy time.
    if image.contains(['<', '{', '$']) {
        App {
            name: name.value.clone(),
            image: Some(image.to_owned()),
            note: String::new(),
            origin: name.origin.clone(),
        }
        .add_to(&mut stack.apps, &input.project.budget);
        variables(name, container, neighbours, app_variables);
    } else {
        let origin = &container.origin;
        let mut entries: Vec<Entry> = [("image", "image"), ("entryPoint", "entrypoint"), ("command", "command")]
            .into_iter()
            .filter_map(|(theirs, ours)| Some(entry(ours, literal(container.get(theirs)?))))
            .collect();
        let mut environment: Vec<Entry> = pairs(container.get("environment"), "value")
            .into_iter()
            .map(|(name, value)| {
                let text = named(&value.value, neighbours);
                entry(&name.value, literal(&Node::scalar(text, true, value.origin)))
            })
            .collect();
        for (name, from) in &secrets {
            let value = format!("${{{}}}", variable_of(&from.value));
            environment.push(entry(&name.value, Node::scalar(value, true, from.origin.clone())));
        }
        entries.push(entry("environment", map(origin, environment)));
        if container.get("portMappings").is_some() {
            entries.push(entry("expose", list(origin, Vec::new())));
        }
        read.read(input, name, entries, stack, app_variables, &mut |service| finish(service, container));
    }
    if stack.service(&name.value).is_none() {
        for (variable, from) in &secrets {
            let said = format!("the secret {}", from.value);
            app_variables.secret(&name.value, &variable.value, &variable_of(&from.value), &said, &from.origin);
        }
    }
}

fn variables(
    name: &Located<String>,
    container: &Node,
    neighbours: &[(u16, &str)],
    app_variables: &mut PlatformVariables,
) {
    for (variable, value) in pairs(container.get("environment"), "value") {
        app_variables.text(&name.value, &variable.value, &named(&value.value, neighbours), &value.origin);
    }
}

/// The servers that a task's containers reach on their own loopback, by port. Two servers with the same port are
/// excluded. Containers share the loopback in the modes `awsvpc` and `host` (Amazon ECS, "Task networking").
fn neighbours<'n>(kinds: &Kinds, document: &'n Node) -> Vec<(u16, &'n str)> {
    let task = document.get("taskDefinition").unwrap_or(document);
    let mode = task.get("networkMode").and_then(Node::as_str).unwrap_or_default();
    if !matches!(mode, "awsvpc" | "host") {
        return Vec::new();
    }
    let server = |container: &'n Node| {
        let image = ImageRef::parse(container.get("image")?.as_str()?).ok()?;
        match classify(kinds, &image, &Runs::default()) {
            Class::Backing { kind, .. } => Some((kind.port, container.get("name")?.as_str()?)),
            Class::App { .. } => None,
        }
    };
    let all: Vec<(u16, &str)> = containers(document).iter().filter_map(server).collect();
    let alone = |port: u16| all.iter().filter(|(other, _)| *other == port).count() == 1;
    all.iter().filter(|(port, _)| alone(*port)).copied().collect()
}

/// A value in which the loopback's address with a neighbour's port is replaced by the neighbour's name with that port.
fn named(text: &str, neighbours: &[(u16, &str)]) -> String {
    let mut text = text.to_owned();
    for (port, name) in neighbours {
        for host in ["localhost", "127.0.0.1"] {
            let address = format!("{host}:{port}");
            let Some(at) = text.find(&address) else { continue };
            let end = at + address.len();
            let is_whole = !text[end..].starts_with(|c: char| c.is_ascii_digit())
                && !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
            if is_whole {
                text.replace_range(at..end, &format!("{name}:{port}"));
            }
        }
    }
    text
}

/// Adds the container's other properties, and the names by which its neighbours know it.
fn finish(service: &mut Service, container: &Node) {
    service.keys.retain(|key| key.path != "expose");
    let mut others: Vec<&str> = container.entries().map(|entry| entry.key.value.as_str()).collect();
    others.retain(|name| !READ.contains(name));
    if !others.is_empty() {
        let note = format!("about the task around the server: {}", others.join(", "));
        service.keys.push(Key { path: "other properties".to_owned(), support: Support::Unsupported, note });
    }
    if let Some(host) = container.get("hostname").and_then(Node::as_str) {
        service.aliases.push(host.to_owned());
    }
}

/// Names and values from `[{name, value}]`.
fn pairs(node: Option<&Node>, value: &str) -> Vec<(Located<String>, Located<String>)> {
    let items = node.and_then(Node::as_sequence).unwrap_or_default();
    items.iter().filter_map(|item| Some((item.get("name").and_then(text)?, item.get(value).and_then(text)?))).collect()
}

fn text(node: &Node) -> Option<Located<String>> {
    let text = node.as_str()?;
    Some(Located::new(text.to_owned(), node.origin.clone()))
}

/// A variable's name for the source of a secret. Services and apps with the same source share the secret.
fn variable_of(from: &str) -> String {
    let name: String = from.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("secret_{name}")
}
