//! Turns the managed services that infrastructure code declares into the closest server, with its settings.
//!
//! This module knows no dialect. A reader finds the resources and evaluates their attributes; a [`Shape`] names the
//! attributes. An attribute that holds a password is never read.

mod engine;
mod settings;

pub(crate) use engine::{engine_of, number_of};
pub(crate) use settings::{Parameter, libraries, pairs};

use crate::kinds::{Kind, Kinds};
use crate::manifest::declare::service_facts;
use crate::model::{App, Diagnostic, ImageRef, Key, Located, Origin, Service, Support, Version, VersionClass};
use crate::syntax::expect::Expect;
use crate::syntax::tree::{Entry, Node, NodeKind};

/// The attributes by which a type of resource declares its service. Paths go through maps and the first item of lists:
/// `settings.tier`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// The resource's type; `*` stands for any run of characters.
    pub(crate) resource: &'static str,
    /// The attribute with the engine's name; empty if the type alone says which engine it is.
    pub(crate) engine: &'static str,
    /// Attributes with the version, the most exact first.
    pub(crate) version: &'static [&'static str],
    /// The attribute with the first database's name.
    pub(crate) database: &'static str,
    /// The attribute with the first login's name.
    pub(crate) user: &'static str,
    /// The attributes that hold settings.
    pub(crate) settings: &'static [Settings],
    /// Attributes that a resource has only if it is a copy or a member of another service. Such a resource is no service
    /// itself.
    pub(crate) part_of: &'static [&'static str],
}

/// An attribute that holds settings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Settings {
    /// A list of `{name, value}`.
    Pairs(&'static str),
    /// A map from names to values.
    Map(&'static str),
    /// One attribute that is one setting: the attribute, and the name of the setting.
    One(&'static str, &'static str),
    /// An attribute that names a parameter group, which is a separate resource.
    Group(&'static str),
}

/// One resource. Its attributes are evaluated as far as the files allow.
#[derive(Debug)]
pub(crate) struct Resource<'a> {
    /// The dialect's name, which decides how a type names a kind.
    pub(crate) dialect: &'static str,
    /// The service's name.
    pub(crate) name: String,
    /// Where it is declared.
    pub(crate) origin: Origin,
    /// The type, as written.
    pub(crate) type_name: &'a str,
    /// The creator of its logins, as the kinds' `rights` name it: its type, or the type of the call that it comes from.
    pub(crate) maker: &'a str,
    /// The meaning of its attributes.
    pub(crate) shape: &'a Shape,
    /// Its attributes.
    pub(crate) body: &'a Node,
    /// Parameters of groups and of separate resources that belong to it.
    pub(crate) parameters: Vec<Parameter>,
    /// Names of databases that are separate resources.
    pub(crate) databases: Vec<Located<String>>,
    /// Names of logins that are separate resources.
    pub(crate) users: Vec<Located<String>>,
}

/// The result of a resource.
pub(crate) enum Built {
    /// A service.
    Service(Box<Service>, Vec<Diagnostic>),
    /// No service; the note says why.
    App(App),
}

/// Builds the service for a resource.
pub(crate) fn build(kinds: &Kinds, resource: &Resource<'_>) -> Built {
    let shape = resource.shape;
    let app = |note: String| {
        Built::App(App { name: resource.name.clone(), image: None, note, origin: resource.origin.clone() })
    };
    let says =
        |path: &&&str| at(resource.body, path).is_some_and(|node| !node.is_null() && node.as_literal() != Some(""));
    if let Some(attribute) = shape.part_of.iter().find(says) {
        return app(format!("part of another service: `{attribute}` names it"));
    }
    let engine = at(resource.body, shape.engine).filter(|_| !shape.engine.is_empty()).filter(|node| !node.is_null());
    let kind = match engine.map(|node| (node, node.as_literal())) {
        Some((_, Some(word))) => engine_of(kinds, word).or_else(|| {
            // The word is only a version, and the type says the engine: `16`.
            word.starts_with(|c: char| c.is_ascii_digit())
                .then(|| kinds.spelled(resource.dialect, resource.type_name))?
        }),
        Some((node, None)) => {
            let by_group = resource.parameters.first().and_then(|parameter| parameter.kind(kinds));
            let by_type = || kinds.spelled(resource.dialect, resource.type_name);
            match by_group.or_else(by_type) {
                Some(kind) => Some(kind),
                None => {
                    return app(format!(
                        "its engine is not known from the files: `{}`",
                        node.as_unresolved().unwrap_or_default()
                    ));
                }
            }
        }
        None => kinds.spelled(resource.dialect, resource.type_name),
    };
    let Some(kind) = kind else {
        let word = engine.and_then(Node::as_literal).unwrap_or("an unnamed engine");
        return app(format!("{word}: no image stands for it"));
    };
    let version = version(resource, kind);
    let family = kind.families.first().map_or("official", |family| family.name.as_str());
    let mut service = Service::new(&resource.name, &kind.name, family, version, resource.origin.clone());
    service.support = kind.support;
    if !kind.note.is_empty() {
        service.notes.push(kind.note.clone());
    }
    let diagnostics = fill(&mut service, resource, kind);
    stand_in(&mut service, resource.type_name, engine.and_then(Node::as_literal).unwrap_or_default());
    Built::Service(Box::new(service), diagnostics)
}

/// The value at a path. A list on the path means its first item.
pub(crate) fn at<'n>(node: &'n Node, path: &str) -> Option<&'n Node> {
    let mut node = node;
    for key in path.split('.') {
        while let NodeKind::Sequence(items) = &node.kind {
            node = items.first()?;
        }
        node = node.get(key)?;
    }
    Some(node)
}

/// The version, from the first attribute that declares one.
fn version(resource: &Resource<'_>, kind: &Kind) -> Version {
    let found = resource.shape.version.iter().filter_map(|path| at(resource.body, path)).find(|node| !node.is_null());
    read_version(found, kind, &resource.origin)
}

/// The version in an attribute; absent if there is no attribute.
pub(crate) fn read_version(node: Option<&Node>, kind: &Kind, origin: &Origin) -> Version {
    let without = |class, text: &str, origin: &Origin| Version {
        text: text.to_owned(),
        number: None,
        class,
        origin: origin.clone(),
    };
    let Some(node) = node.filter(|node| node.as_literal() != Some("")) else {
        return without(VersionClass::Absent, "", origin);
    };
    match (node.as_literal(), node.as_unresolved()) {
        (Some(text), _) => {
            let mut version = kind.version(&number_of(text), false, node.origin.clone());
            text.clone_into(&mut version.text);
            version
        }
        (None, Some(text)) => without(VersionClass::Unresolved, text, &node.origin),
        (None, None) => without(VersionClass::Unresolved, "…", &node.origin),
    }
}

/// Adds databases, logins, settings and extensions in the same way as `services.yaml` does, and records how each
/// attribute is supported.
fn fill(service: &mut Service, resource: &Resource<'_>, kind: &Kind) -> Vec<Diagnostic> {
    let shape = resource.shape;
    let mut keys = Vec::new();
    let mut databases = resource.databases.clone();
    let mut users = resource.users.clone();
    for (path, names) in [(shape.database, &mut databases), (shape.user, &mut users)] {
        let Some(node) = at(resource.body, path).filter(|node| !path.is_empty() && !node.is_null()) else { continue };
        match node.as_literal() {
            Some("") => {}
            Some(name) => {
                names.insert(0, Located::new(name.to_owned(), node.origin.clone()));
                keys.push(key(path, Support::Reproduced, ""));
            }
            None => keys.push(key(path, Support::Unsupported, &unresolved_note(node))),
        }
    }
    let mut found = settings::Found::default();
    for settings in shape.settings {
        found.read(settings, resource.body);
    }
    found.parameters.extend(resource.parameters.iter().cloned());
    let mut read = settings::sort(&found.parameters, kind);
    keys.append(&mut read.keys);

    let mut entries = Vec::new();
    let origin = &resource.origin;
    let mut put = |name: &str, kind: NodeKind| {
        let value = Node { origin: origin.clone(), tag: None, kind };
        entries.push(Entry { key: Located::new(name.to_owned(), origin.clone()), value });
    };
    let list = |names: &[Located<String>]| {
        NodeKind::Sequence(names.iter().map(|name| Node::scalar(&name.value, true, name.origin.clone())).collect())
    };
    if !databases.is_empty() && kind.default_database.is_some() {
        put("databases", list(&databases));
    }
    if !users.is_empty() && kind.fields.contains_key("password") {
        put("users", list(&users));
    }
    if !read.extensions.is_empty() {
        put("extensions", list(&read.extensions));
    }
    put("settings", NodeKind::Mapping(read.settings));
    let node = Node { origin: origin.clone(), tag: None, kind: NodeKind::Mapping(entries) };
    let mut expect = Expect::default();
    service_facts::read(service, &node, kind, &mut expect);
    let of_its_own = format!("{} user", resource.maker);
    for user in &mut service.users {
        let is_own = resource.users.iter().any(|own| own.value == user.name.value);
        let makers = [if is_own { of_its_own.as_str() } else { resource.maker }, "cloud"];
        user.rights = kind.rights_by(&makers);
    }
    service.keys = keys;
    if read.worst > Support::Reproduced {
        service.support = service.support.max(Support::Approximated);
    }
    other_attributes(service, resource);
    expect.diagnostics
}

/// The key for all attributes that say nothing about the server itself.
const OTHERS: &str = "other attributes";

/// Records every attribute that was not read, once, in one line.
fn other_attributes(service: &mut Service, resource: &Resource<'_>) {
    let shape = resource.shape;
    let first = |path: &str| path.split('.').next().unwrap_or_default().to_owned();
    let mut known: Vec<String> = shape.version.iter().map(|path| first(path)).collect();
    known.extend([shape.engine, shape.database, shape.user].map(first));
    known.extend(shape.settings.iter().map(|settings| first(settings.path())));
    let mut said: Vec<&str> = Vec::new();
    let mut passwords: Vec<&str> = Vec::new();
    let mut read: Vec<String> = Vec::new();
    for entry in resource.body.entries().filter(|entry| !entry.value.is_null()) {
        let name = entry.key.value.as_str();
        if is_password(name) {
            passwords.push(name);
        } else if known.iter().any(|known| known == name) {
            read.push(name.to_owned());
        } else {
            said.push(name);
        }
    }
    for name in read {
        if !service.keys.iter().any(|key| key.path == name || key.path.starts_with(&format!("{name}."))) {
            service.keys.push(key(&name, Support::Reproduced, ""));
        }
    }
    if !passwords.is_empty() {
        let note = "never copied: this environment has its own password";
        service.keys.push(key(&passwords.join(", "), Support::Approximated, note));
    }
    if !said.is_empty() {
        let note = format!("about the cloud around the server; one server runs here: {}", said.join(", "));
        service.keys.push(key(OTHERS, Support::Unsupported, &note));
    }
}

fn is_password(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "auth_token", "authtoken", "secret", "access_key", "certificate"]
        .iter()
        .any(|word| name.contains(word))
}

/// Notes how the local server differs from production's, if another product replaces it.
pub(crate) fn stand_in(service: &mut Service, type_name: &str, engine: &str) {
    let engine = engine.to_ascii_lowercase();
    let mut approximate = |note: String| {
        service.support = service.support.max(Support::Approximated);
        service.notes.push(note);
    };
    if engine.starts_with("aurora") {
        let stands = if engine.contains("postgres") { "Postgres" } else { "MySQL" };
        approximate(format!("Aurora in production: {stands} stands in, with other storage, failover and limits"));
    } else if engine == "docdb" || type_name.to_ascii_lowercase().contains("docdb") {
        approximate("DocumentDB in production: MongoDB stands in, which has more features than DocumentDB".to_owned());
    }
    if service.kind == "redis" && service.version.number.as_deref() == Some("7.1") {
        approximate("ElastiCache's Redis 7.1 is upstream's 7.0, which runs here".to_owned());
        if let Ok(image) = ImageRef::parse("docker.io/library/redis:7.0") {
            service.image = Some(Located::new(image, service.version.origin.clone()));
        }
    }
}

/// Removes attributes that were read later from the key for other attributes.
pub(crate) fn recognised<'n>(service: &mut Service, names: impl Iterator<Item = &'n str>) {
    let names: Vec<&str> = names.collect();
    for known in service.keys.iter_mut().filter(|key| key.path == OTHERS) {
        if let Some((about, said)) = known.note.split_once(": ") {
            let kept: Vec<&str> = said.split(", ").filter(|name| !names.contains(name)).collect();
            known.note = if kept.is_empty() { String::new() } else { format!("{about}: {}", kept.join(", ")) };
        }
    }
    service.keys.retain(|key| key.path != OTHERS || !key.note.is_empty());
    for name in names {
        if !service.keys.iter().any(|known| known.path == name) {
            service.keys.push(key(name, Support::Reproduced, ""));
        }
    }
}

/// One key of a service.
pub(crate) fn key(path: &str, support: Support, note: &str) -> Key {
    Key { path: path.to_owned(), support, note: note.to_owned() }
}

/// The note for a value that is not applied.
pub(crate) fn unresolved_note(node: &Node) -> String {
    match node.as_unresolved() {
        Some(text) => format!("the files do not determine `{text}`"),
        None => format!("{} is not read here", node.shape()),
    }
}
