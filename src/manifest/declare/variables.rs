//! `${db.url}` in the variables of `services.yaml` and `services.local.yaml`.
//!
//! A service or field in a template has to exist; one that does not exist is an error at its own place.

use crate::kinds::Kinds;
use crate::model::{Diagnostic, Origin, Piece, Service, Template, Value, did_you_mean};
use crate::syntax::expect::list;
use crate::syntax::tree::{Node, NodeKind};

/// The names that templates may use.
pub(crate) struct Names<'a> {
    /// The services that were read.
    pub(crate) services: &'a [Service],
    /// Names of services that were declared and could not be read. A template that names such a service is no further
    /// mistake.
    pub(crate) broken: &'a [String],
    /// The known kinds.
    pub(crate) kinds: &'a Kinds,
}

/// A variable's value: bound if it names a field, else plain. `$$` is a dollar; null is empty text.
pub(crate) fn value(node: &Node, names: &Names<'_>) -> Result<Value, Diagnostic> {
    let NodeKind::Scalar { text, quoted } = &node.kind else {
        return Err(Diagnostic::error("wrong-type", format!("a variable has to be text, and is {}", node.shape()))
            .at(&node.origin, format!("found {}", node.shape()))
            .help("put the text in quotes; fields of services are written `${db.url}`"));
    };
    if node.is_null() {
        return Ok(Value::Plain(String::new()));
    }
    let place = |from: usize, length: usize| part_of(&node.origin, text, *quoted, from, length);
    let mut template = Template::default();
    let mut broken = None;
    let mut rest = text.as_str();
    while let Some(dollar) = rest.find('$') {
        let at = text.len() - rest.len() + dollar;
        template.push_text(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(after) = after.strip_prefix('$') {
            template.push_text("$");
            rest = after;
        } else if let Some(inside) = after.strip_prefix('{') {
            let Some(end) = inside.find('}') else {
                return Err(Diagnostic::error("template-open", "a `${` has no `}`")
                    .at(&place(at, 2), "opened here")
                    .help("write `$${` where a dollar and a brace are meant"));
            };
            let name = &inside[..end];
            match names.field(name.trim()) {
                Ok((service, field)) => {
                    let last = field.rsplit('.').next().unwrap_or(field);
                    let in_url =
                        template.0.iter().any(|piece| matches!(piece, Piece::Text(text) if text.contains("://")));
                    let encoded = in_url && matches!(last, "user" | "password" | "database" | "vhost");
                    template.0.push(Piece::Field { service: service.to_owned(), field: field.to_owned(), encoded });
                }
                Err(Fault::Broken(service)) => broken = Some(service),
                Err(Fault::Unknown(mut diagnostic)) => {
                    diagnostic.origin = Some(place(at, name.chars().count() + 3));
                    return Err(*diagnostic);
                }
            }
            rest = &inside[end + 1..];
        } else {
            template.push_text("$");
            rest = after;
        }
    }
    template.push_text(rest);
    if let Some(service) = broken {
        return Ok(Value::Unresolved(format!("a field of `{service}`, which could not be read")));
    }
    if template.fields().next().is_some() {
        return Ok(Value::Bound { template, dropped: Vec::new() });
    }
    Ok(Value::Plain(template.0.iter().map(|piece| if let Piece::Text(text) = piece { text } else { "" }).collect()))
}

/// The reason why a name in a template cannot be resolved.
enum Fault {
    /// The service could not be read.
    Broken(String),
    /// A mistake; the caller adds its place.
    Unknown(Box<Diagnostic>),
}

fn unknown(message: String, label: &str, help: String) -> Fault {
    let mut diagnostic = Diagnostic::error("template-unknown", message).help(help);
    label.clone_into(&mut diagnostic.label);
    Fault::Unknown(Box::new(diagnostic))
}

impl Names<'_> {
    /// The service and field that `db.url` or `db.databases.audit.url` names.
    fn field<'t>(&self, name: &'t str) -> Result<(&str, &'t str), Fault> {
        // Names in other dialects may contain dots, so the longest service name that fits counts.
        let fits = |service: &&Service| name.strip_prefix(&service.name).is_some_and(|rest| rest.starts_with('.'));
        let Some(service) = self.services.iter().filter(fits).max_by_key(|service| service.name.len()) else {
            return Err(self.no_such_service(name));
        };
        let field = &name[service.name.len() + 1..];
        let Some(kind) = self.kinds.get(&service.kind) else {
            return Err(Fault::Broken(service.name.clone()));
        };
        let mut fields: Vec<&str> = kind.fields.keys().map(String::as_str).collect();
        let Some((group, of)) = field.split_once('.') else {
            if fields.contains(&field) {
                return Ok((&service.name, field));
            }
            let help = match did_you_mean(field, fields.iter().copied()) {
                Some(meant) => format!("did you mean `${{{}.{meant}}}`?", service.name),
                None => format!("its fields are {}", list(&fields)),
            };
            let message = format!("{} `{}` has no field `{field}`", kind.title, service.name);
            return Err(unknown(message, "no such field", help));
        };
        let members: Vec<&str> = match group {
            "databases" => service.databases.iter().map(|database| database.name.value.as_str()).collect(),
            "users" => service.users.iter().map(|user| user.name.value.as_str()).collect(),
            "vhosts" => service.vhosts.iter().map(|vhost| vhost.value.as_str()).collect(),
            _ => {
                fields.extend(["databases.NAME.url", "users.NAME.url", "vhosts.NAME.url"]);
                let message = format!("`{}` has no field `{field}`", service.name);
                return Err(unknown(message, "no such field", format!("its fields are {}", list(&fields))));
            }
        };
        let Some((member, field_of)) = of.rsplit_once('.') else {
            let help = format!("add the field: `${{{name}.url}}`");
            return Err(unknown(format!("`{name}` names no field"), "a field is missing", help));
        };
        if !members.contains(&member) {
            let help = match did_you_mean(member, members.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if members.is_empty() => format!("`{}` declares no {group}", service.name),
                None => format!("its {group} are {}", list(&members)),
            };
            let message = format!("`{}` has no `{member}` among its {group}", service.name);
            return Err(unknown(message, "not declared", help));
        }
        if !fields.contains(&field_of) {
            let message = format!("{} `{}` has no field `{field_of}`", kind.title, service.name);
            return Err(unknown(message, "no such field", format!("its fields are {}", list(&fields))));
        }
        Ok((&service.name, field))
    }

    fn no_such_service(&self, name: &str) -> Fault {
        let Some((service, _)) = name.split_once('.') else {
            return match self.services.iter().find(|service| service.name == name) {
                Some(service) => unknown(
                    format!("`${{{name}}}` names a service and no field of it"),
                    "a field is missing",
                    format!("write `${{{}.url}}`, say", service.name),
                ),
                None => unknown(
                    format!("`${{{name}}}` is no field of a service"),
                    "not known here",
                    format!("fields are written `${{db.url}}`; a dollar as it is, `$${{{name}}}`"),
                ),
            };
        };
        if let Some(broken) = self.broken.iter().find(|broken| *broken == service) {
            return Fault::Broken(broken.clone());
        }
        let known: Vec<&str> = self.services.iter().map(|service| service.name.as_str()).collect();
        let help = match did_you_mean(service, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => "no services are declared".to_owned(),
            None => format!("the services are {}", list(&known)),
        };
        unknown(format!("there is no service `{service}`"), "not declared", help)
    }
}

/// The place of a part of a scalar, if the source has the scalar on one line without escapes; else the place of the
/// scalar.
fn part_of(origin: &Origin, text: &str, quoted: bool, from: usize, length: usize) -> Origin {
    let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let marks = if quoted { 2 } else { 0 };
    if origin.length != characters.saturating_add(marks) {
        return origin.clone();
    }
    let before = u32::try_from(text[..from].chars().count()).unwrap_or_default();
    Origin { column: origin.column + before + marks / 2, length: u32::try_from(length).unwrap_or(1), ..origin.clone() }
}
