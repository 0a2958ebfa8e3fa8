//! What the user's own lines in `.env` mean for the servers.

use crate::model::{Piece, Secret, Template, Value, Variable};
use std::collections::BTreeMap;

/// What a line of the user's own says about a bound variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The variable.
    pub name: String,
    /// The passwords it sets, by service.
    pub passwords: BTreeMap<String, Secret>,
    /// The value does not follow the variable's shape: it cannot be told what it reaches.
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
        let fields = fields_in(template, value);
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

/// The fields' values in a text of the template's shape: each field reaches up to the text that follows it.
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
                let text = if *encoded { percent_decoded(text) } else { text.to_owned() };
                fields.push((service.clone(), field.clone(), text));
            }
            // A platform's JSON is written by machines; a line of the user's own is taken as it is.
            Piece::Json { .. } => return None,
        }
    }
    rest.is_empty().then_some(fields)
}

/// `scheme://user:PASSWORD@host…`
fn password_in_url(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (login, _) = authority.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    Some(percent_decoded(password))
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            decoded.push(byte);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
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
    fn a_value_of_another_shape_is_told() {
        assert!(of("sqlite:///tmp/x").other_shape);
    }
}
