//! Outputs of a Copilot add-on. Each output is a variable of the add-on's app, in upper snake case.
//!
//! <https://aws.github.io/copilot-cli/docs/developing/addons/workload/>

use super::intrinsics::{Template, resource_of};
use crate::model::{Service, Value, Variable};
use crate::syntax::tree::Node;
use std::path::Path;

/// The app that gets the outputs of a template: `copilot/APP/addons/x.yml`.
pub(super) fn copilot_app(path: &Path) -> Option<String> {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let at = parts.iter().position(|part| *part == "copilot")?;
    match parts.get(at + 1..)? {
        [app, "addons", ..] if *app != "environments" => Some((*app).to_owned()),
        _ => None,
    }
}

/// The app's variables. An output that is an attribute of a service is bound to that service.
pub(super) fn variables(
    document: &Node,
    template: &Template<'_>,
    app: &str,
    services: &mut [Service],
) -> Vec<Variable> {
    let outputs = document.get("Outputs").map(Node::entries).into_iter().flatten();
    let mut found = Vec::new();
    for entry in outputs {
        let Some(value) = entry.value.get("Value") else { continue };
        found.push(Variable {
            name: upper_snake(&entry.key.value),
            app: app.to_owned(),
            value: bound(document, value, services).unwrap_or_else(|| {
                let evaluated = template.evaluate(value);
                match evaluated.as_literal() {
                    Some(text) => Value::Plain(text.to_owned()),
                    None => Value::Unresolved(evaluated.as_unresolved().unwrap_or("an output of the stack").to_owned()),
                }
            }),
            origin: entry.key.origin.clone(),
        });
    }
    for service in services {
        let names = |field: &str| {
            found.iter().any(|variable| match &variable.value {
                Value::Bound { template, .. } => template.fields().any(|found| found == (service.name.as_str(), field)),
                _ => false,
            })
        };
        service.needs_own_port = names("host") && !names("port");
    }
    found
}

/// The bound value of an output that is an attribute of a service, or the secret that it is.
fn bound(document: &Node, value: &Node, services: &[Service]) -> Option<Value> {
    let (name, attribute) = resource_of(value)?;
    let resource = document.get("Resources")?.get(&name)?;
    let type_name = resource.get("Type").and_then(Node::as_str).unwrap_or_default();
    if type_name.starts_with("AWS::SecretsManager::") {
        return Some(Value::Secret(format!("the secret {name}")));
    }
    let service = services.iter().find(|service| service.name == name)?;
    let field = match attribute.rsplit_once('.') {
        Some((endpoint, "Address")) if is_endpoint(endpoint) => "host",
        Some((endpoint, "Port")) if is_endpoint(endpoint) => "port",
        None if attribute == "DomainEndpoint" => "host",
        None if attribute == "QueueUrl" => "url",
        _ => return None,
    };
    Some(Value::Bound { template: crate::model::Template::field(&service.name, field), dropped: Vec::new() })
}

/// `Endpoint`, `PrimaryEndPoint`, `ReadEndpoint`: all of them lead to the one local server.
fn is_endpoint(attribute: &str) -> bool {
    attribute.to_ascii_lowercase().ends_with("endpoint")
}

/// `MyTableName` → `MY_TABLE_NAME`, as Copilot writes it.
fn upper_snake(name: &str) -> String {
    let mut text = String::new();
    let characters: Vec<char> = name.chars().collect();
    for (at, c) in characters.iter().enumerate() {
        let after_lower = at > 0 && (characters[at - 1].is_ascii_lowercase() || characters[at - 1].is_ascii_digit());
        let ends_acronym = at > 0
            && characters[at - 1].is_ascii_uppercase()
            && characters.get(at + 1).is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && (after_lower || ends_acronym) {
            text.push('_');
        }
        text.push(c.to_ascii_uppercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_called_as_copilot_calls_them() {
        for (output, variable) in [
            ("MyTableName", "MY_TABLE_NAME"),
            ("DBHost", "DB_HOST"),
            ("url", "URL"),
            ("ordersDBSecret", "ORDERS_DB_SECRET"),
        ] {
            assert_eq!(upper_snake(output), variable);
        }
    }

    #[test]
    fn the_app_is_the_folder_beside_the_add_ons() {
        let app = |path: &str| copilot_app(Path::new(path));
        assert_eq!(app("copilot/api/addons/db.yml").as_deref(), Some("api"));
        assert_eq!(app("copilot/environments/addons/db.yml").as_deref(), None);
        assert_eq!(app("templates/db.yml").as_deref(), None);
    }
}
