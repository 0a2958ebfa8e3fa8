//! The effects of the user's own lines in `.env` on the servers.

use crate::model::{Piece, Secret, Template, Value, Variable};
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;

/// A line of the user that sets a bound variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The variable.
    pub name: String,
    /// The passwords that the line sets, by service.
    pub passwords: BTreeMap<String, Secret>,
    /// Whether the value does not have the variable's shape, so that the server in the value is unknown.
    pub other_shape: bool,
}

/// Reads each of the user's lines (name → value) that sets a bound variable.
pub fn overrides(variables: &[Variable], user_lines: &BTreeMap<String, String>) -> Vec<Override> {
    let mut found: Vec<Override> = Vec::new();
    for variable in variables {
        let (Value::Bound { template, .. }, Some(value)) = (&variable.value, user_lines.get(&variable.name)) else {
            continue;
        };
        if found.iter().any(|known| known.name == variable.name) {
            continue;
        }
        let fields = fields_in(template, value).or_else(|| fields_in_url(template, value));
        let mut passwords = BTreeMap::new();
        for (service, field, value) in fields.iter().flatten() {
            let password = match field.rsplit('.').next() {
                Some("password") => Some(value.clone()),
                Some("url") => password_in_url(value),
                _ => None,
            };
            if let Some(password) = password {
                passwords.insert(service.clone(), Secret::new(password));
            }
        }
        found.push(Override { name: variable.name.clone(), passwords, other_shape: fields.is_none() });
    }
    found
}

/// The values of the fields in a text that has the template's shape: a field ends where the template's next text
/// begins.
fn fields_in(template: &Template, value: &str) -> Option<Vec<(String, String, String)>> {
    let mut rest = value;
    let mut fields = Vec::new();
    let mut pieces = template.0.iter().peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            Piece::Text(text) => rest = rest.strip_prefix(text.as_str())?,
            Piece::Field { service, field, encoded } => {
                let end = match pieces.peek() {
                    Some(Piece::Text(next)) => rest.find(next.as_str())?,
                    Some(Piece::Field { .. } | Piece::Json { .. }) => return None,
                    None => rest.len(),
                };
                let (text, after) = rest.split_at(end);
                rest = after;
                let text =
                    if *encoded { percent_decode_str(text).decode_utf8_lossy().into_owned() } else { text.to_owned() };
                fields.push((service.clone(), field.clone(), text));
            }
            // A platform's JSON is written by machines. A line of the user that replaces such JSON is not read.
            Piece::Json { .. } => return None,
        }
    }
    rest.is_empty().then_some(fields)
}

/// The values of the fields in a URL with other parameters than the template's parameters: `?sslmode=disable`. None if
/// the parameters name another server: such a URL has another shape.
fn fields_in_url(template: &Template, value: &str) -> Option<Vec<(String, String, String)>> {
    let (base, parameters) = value.split_once('?').unwrap_or((value, ""));
    if !base.contains("://") || leads_elsewhere(parameters) {
        return None;
    }
    let mut without = Template::default();
    let mut in_parameters = false;
    for piece in &template.0 {
        match piece {
            Piece::Text(_) if in_parameters => {}
            Piece::Text(text) => {
                let (before, after) =
                    text.split_once('?').map_or((text.as_str(), None), |(before, after)| (before, Some(after)));
                without.push_text(before);
                in_parameters = after.is_some();
            }
            _ if in_parameters => return None,
            piece => without.0.push(piece.clone()),
        }
    }
    fields_in(&without, base)
}

/// Whether a URL's parameters name a server, a login or a database, which may differ from those of the URL itself.
fn leads_elsewhere(parameters: &str) -> bool {
    const PARTS: &[&str] = &["host", "hostaddr", "port", "user", "username", "dbname", "database", "service", "socket"];
    let mut names = parameters.split('&').map(|pair| pair.split('=').next().unwrap_or(pair));
    names.any(|name| PARTS.iter().any(|part| name.eq_ignore_ascii_case(part)))
}

/// Whether two values reach the same server with the same login. Other parameters of the connection may differ.
pub fn reach_the_same(one: &str, other: &str) -> bool {
    let split = |value: &str| {
        value
            .split_once('?')
            .map_or((value.to_owned(), String::new()), |(base, rest)| (base.to_owned(), rest.to_owned()))
    };
    let ((one, its), (other, others)) = (split(one), split(other));
    one == other && one.contains("://") && !leads_elsewhere(&its) && !leads_elsewhere(&others)
}

/// The password in `scheme://user:PASSWORD@host…`.
fn password_in_url(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (login, _) = authority.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    Some(percent_decode_str(password).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, SourceFile};
    use std::sync::Arc;

    fn variable() -> Variable {
        let mut template = Template::default();
        template.push_text("postgres://app:");
        template.push_encoded("db", "password");
        template.push_text("@");
        template.push_encoded("db", "host");
        template.push_text("/shop");
        let file = Arc::new(SourceFile { path: "compose.yaml".into(), text: String::new() });
        Variable {
            name: "DATABASE_URL".into(),
            app: "web".into(),
            value: Value::Bound { template, dropped: Vec::new() },
            origin: Origin::start_of(&file),
        }
    }

    fn of(value: &str) -> Override {
        let lines = BTreeMap::from([("DATABASE_URL".to_owned(), value.to_owned())]);
        overrides(&[variable()], &lines).remove(0)
    }

    #[test]
    fn a_password_that_the_user_wrote_is_found() {
        let found = of("postgres://app:my%20own@127.0.0.1/shop");
        assert_eq!(found.passwords["db"].reveal(), "my own");
        assert!(!found.other_shape);
    }

    #[test]
    fn a_password_in_a_whole_url_is_found() {
        let mut variable = variable();
        variable.value = Value::Bound { template: Template::field("cache", "url"), dropped: Vec::new() };
        let lines = BTreeMap::from([("DATABASE_URL".to_owned(), "redis://:mi%2Fne@127.0.0.1:6379/0".to_owned())]);
        assert_eq!(overrides(&[variable], &lines)[0].passwords["cache"].reveal(), "mi/ne");
    }

    #[test]
    fn a_password_is_found_beside_other_parameters() {
        for value in [
            "postgres://app:mine@127.0.0.1/shop?sslmode=disable",
            "postgres://app:mine@127.0.0.1/shop?",
            "postgres://app:mine@127.0.0.1/shop?application_name=me&connect_timeout=5",
        ] {
            assert_eq!(of(value).passwords["db"].reveal(), "mine", "{value}");
            assert!(!of(value).other_shape, "{value}");
        }
        for elsewhere in ["host=prod.example.com", "a=b&HOST=x", "service=prod", "port=1"] {
            assert!(of(&format!("postgres://app:mine@127.0.0.1/shop?{elsewhere}")).other_shape, "{elsewhere}");
        }
    }

    #[test]
    fn values_with_different_harmless_parameters_reach_the_same_server() {
        let url = "postgres://app:pw@127.0.0.1:5/shop";
        assert!(reach_the_same(url, &format!("{url}?sslmode=disable")));
        assert!(!reach_the_same(url, &format!("{url}?host=/elsewhere")));
        assert!(!reach_the_same(url, "postgres://app:pw@127.0.0.1:6/shop"));
    }

    #[test]
    fn a_value_of_another_shape_is_recognised() {
        assert!(of("sqlite:///tmp/x").other_shape);
    }
}
