//! The variables of a container: `envFrom`, with `env` applied over it, and with the values of the `ConfigMap`s and
//! `Secret`s in the stream.

use super::config;
use super::object::Objects;
use super::secrets::Secrets;
use crate::manifest::bind::is_secret_name;
use crate::manifest::declare::container::{ContainerVariable, sourced};
use crate::manifest::read::interpolate::{Interpolated, Span, Unset};
use crate::model::{Diagnostic, Origin};
use crate::project::{Budget, Resource, VARIABLE, of_text};
use crate::syntax::tree::Node;
use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

/// How many bytes each remembered name of a variable counts as, in addition to the text.
const SPAN: usize = 32;

/// The variables of a container.
#[derive(Debug)]
pub(super) struct Environment {
    /// In order; names are unique.
    pub(super) variables: Vec<Variable>,
    /// Warnings about sources of variables that are not among the manifests.
    pub(super) unknown: Vec<Diagnostic>,
    /// By name, the index of a variable.
    places: HashMap<String, usize>,
    budget: Budget,
}

/// One variable.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    /// The variable in the form of every dialect.
    pub(super) given: ContainerVariable,
    /// The secret that its value comes from: `NAME key KEY`.
    pub(super) secret: Option<String>,
    /// The service and the field that its value is, if the secret is created by an operator.
    pub(super) field: Option<(String, String)>,
}

/// Reads a container's variables.
pub(super) fn of_container(
    objects: &Objects<'_>,
    secrets: &Secrets,
    container: &Node,
    namespace: &str,
    budget: &Budget,
) -> Environment {
    let mut read =
        Environment { variables: Vec::new(), unknown: Vec::new(), places: HashMap::new(), budget: budget.clone() };
    // A source that many containers name is copied for each container before the copy is counted.
    if budget.is_over() {
        return read;
    }
    for source in container.get("envFrom").and_then(Node::as_sequence).unwrap_or_default() {
        let prefix = source.get("prefix").and_then(Node::as_str).unwrap_or_default();
        if let Some(reference) = source.get("configMapRef") {
            read.config_map(objects, reference, prefix, namespace);
        }
        if let Some(reference) = source.get("secretRef") {
            read.secret(objects, secrets, reference, prefix, namespace);
        }
    }
    for entry in container.get("env").and_then(Node::as_sequence).unwrap_or_default() {
        let Some(name) = entry.get("name").and_then(Node::as_str) else { continue };
        if let Some(from) = entry.get("valueFrom") {
            read.put(from_reference(objects, secrets, name, from, namespace));
            continue;
        }
        let value = entry.get("value").filter(|value| !value.is_null());
        let origin = value.map_or(&entry.origin, |value| &value.origin);
        let written = value.and_then(Node::as_str).unwrap_or_default();
        let (text, secret) = if written.contains("{{") {
            (unset(&format!("template {written}")), None)
        } else {
            read.expanded(written, origin)
        };
        read.put(variable(name, text, secret, None, origin));
    }
    read
}

impl Environment {
    /// The text with each `$(NAME)` replaced by the value of that variable, and the secret that the value comes from.
    /// An unknown name stays.
    pub(super) fn expanded(&self, text: &str, origin: &Origin) -> (Interpolated, Option<String>) {
        let mut result = Interpolated::default();
        let mut secret = None;
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            result.text.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("$$") {
                // `$$(` is an escaped reference; `$$` before any other character stays.
                result.text.push_str(if after.starts_with('(') { "$" } else { "$$" });
                rest = after;
                continue;
            }
            let inside = rest.strip_prefix("$(").unwrap_or_default();
            // A name ends before the next dollar. So each character is searched once, even if many names are never
            // closed.
            let name = inside.find([')', '$']).filter(|at| inside[*at..].starts_with(')')).map(|at| &inside[..at]);
            let known = name.and_then(|name| self.places.get(name)).and_then(|place| self.variables.get(*place));
            let Some((name, known)) = name.zip(known) else {
                result.text.push('$');
                rest = &rest[1..];
                continue;
            };
            let start = result.text.len();
            let part = &known.given.whole;
            let cost = part.text.len() + SPAN * (part.spans.len() + part.unset.len());
            if !self.budget.spend_at(Resource::Expanded, cost, origin) {
                break;
            }
            result.text.push_str(&part.text);
            let moved = part.spans.iter().map(|span| Span {
                range: span.range.start + start..span.range.end + start,
                variable: span.variable.clone(),
            });
            result.spans.extend(moved);
            result.unset.extend(part.unset.iter().cloned());
            secret = secret.or_else(|| known.secret.clone());
            rest = &rest["$()".len() + name.len()..];
        }
        result.text.push_str(rest);
        (result, secret)
    }

    fn put(&mut self, variable: Variable) {
        let cost = VARIABLE + of_text(variable.given.whole.text.len());
        if !self.budget.spend_at(Resource::Values, cost, &variable.given.origin) {
            return;
        }
        match self.places.entry(variable.given.name.clone()) {
            Occupied(place) => self.variables[*place.get()] = variable,
            Vacant(place) => {
                place.insert(self.variables.len());
                self.variables.push(variable);
            }
        }
    }

    fn config_map(&mut self, objects: &Objects<'_>, reference: &Node, prefix: &str, namespace: &str) {
        let Some(name) = reference.get("name").and_then(Node::as_str) else { return };
        let Some(entries) = config::entries(objects, name, namespace) else {
            return self.not_here("config map", name, reference);
        };
        for (key, value) in entries {
            let text = Interpolated::literal(value.text);
            let mut variable = variable(&format!("{prefix}{key}"), text, None, None, value.origin);
            variable.given.from_file = true;
            self.put(variable);
        }
    }

    fn secret(&mut self, objects: &Objects<'_>, secrets: &Secrets, reference: &Node, prefix: &str, namespace: &str) {
        let Some(name) = reference.get("name").and_then(Node::as_str) else { return };
        if let Some(made) = secrets.get(name, namespace) {
            for (key, _) in &made.fields {
                let mut variable =
                    from_secret(objects, secrets, &format!("{prefix}{key}"), (name, key), namespace, &reference.origin);
                variable.given.from_file = true;
                self.put(variable);
            }
            return;
        }
        let Some(keys) = config::secret_keys(objects, name, namespace) else {
            return self.not_here("secret", name, reference);
        };
        for (key, origin) in keys {
            let mut variable = from_secret(objects, secrets, &format!("{prefix}{key}"), (name, key), namespace, origin);
            variable.given.from_file = true;
            self.put(variable);
        }
    }

    fn not_here(&mut self, what: &str, name: &str, reference: &Node) {
        if reference.get("optional").and_then(Node::as_bool) == Some(true) {
            return;
        }
        let origin = reference.get("name").map_or(&reference.origin, |node| &node.origin);
        self.unknown.push(
            Diagnostic::warning("environment-unknown", format!("the {what} `{name}` is not among the manifests"))
                .at(origin, "every key of it becomes a variable")
                .because("which variables these are is not known here")
                .help(
                    "add the file that declares it with -f, or the variables under `variables:` in services.local.yaml",
                ),
        );
    }
}

fn from_reference(objects: &Objects<'_>, secrets: &Secrets, name: &str, from: &Node, namespace: &str) -> Variable {
    let reference = |kind: &str| {
        let reference = from.get(kind)?;
        let text = |key: &str| reference.get(key).and_then(Node::as_str);
        Some((reference, text("name").unwrap_or_default(), text("key").unwrap_or_default()))
    };
    let optional = |reference: &Node| reference.get("optional").and_then(Node::as_bool) == Some(true);
    if let Some((reference, map, key)) = reference("configMapKeyRef") {
        if let Some(value) = config::value(objects, map, key, namespace) {
            return variable(name, Interpolated::literal(value.text), None, None, value.origin);
        }
        let text = unset(&format!("config map {map} key {key}"));
        let mut variable = variable(name, text, None, None, &reference.origin);
        variable.given.not_passed = optional(reference);
        return variable;
    }
    if let Some((reference, secret, key)) = reference("secretKeyRef") {
        let is_here = secrets.get(secret, namespace).is_some_and(|made| made.field(key).is_some())
            || config::secret_keys(objects, secret, namespace).is_some();
        let mut variable = from_secret(objects, secrets, name, (secret, key), namespace, &reference.origin);
        variable.given.not_passed = optional(reference) && !is_here;
        if variable.given.not_passed {
            variable.secret = None;
        }
        return variable;
    }
    // The pod's own name, address or limits, which have no value here because no pod runs.
    let field = ["fieldRef.fieldPath", "resourceFieldRef.resource"]
        .iter()
        .find_map(|path| super::object::at(from, path)?.as_str())
        .unwrap_or("(unknown)");
    let mut variable = variable(name, unset(&format!("field {field} of the pod")), None, None, &from.origin);
    variable.given.not_passed = true;
    variable
}

/// A variable from a key of a secret; a field of an endpoint if an operator creates the secret. The text of the secret
/// is taken only if it can be a host, a user, a database, or a whole connection, whose password is replaced.
fn from_secret(
    objects: &Objects<'_>,
    secrets: &Secrets,
    name: &str,
    (secret, key): (&str, &str),
    namespace: &str,
    origin: &Origin,
) -> Variable {
    let source = format!("{secret} key {key}");
    let field = secrets.get(secret, namespace).and_then(|made| made.field(key));
    let text = config::secret(objects, secret, key, namespace).filter(|text| {
        let text = text.reveal();
        text.contains("://") || !(is_secret_name(name) || is_secret_name(key) || text.contains('\n'))
    });
    let text = match text {
        Some(text) => {
            let text = text.reveal();
            let span = Span { range: 0..text.len(), variable: format!("secret {source}") };
            Interpolated { text: text.to_owned(), spans: vec![span], unset: Vec::new() }
        }
        None => unset(&format!("secret {source}")),
    };
    variable(name, text, Some(source), field, origin)
}

fn unset(source: &str) -> Interpolated {
    Interpolated {
        text: String::new(),
        spans: vec![Span { range: 0..0, variable: source.to_owned() }],
        unset: vec![Unset { name: source.to_owned(), required: None }],
    }
}

fn variable(
    name: &str,
    whole: Interpolated,
    secret: Option<String>,
    field: Option<(String, String)>,
    origin: &Origin,
) -> Variable {
    let given = ContainerVariable {
        name: name.to_owned(),
        text: sourced(&whole),
        whole,
        not_passed: false,
        from_file: false,
        origin: origin.clone(),
    };
    Variable { given, secret, field }
}
