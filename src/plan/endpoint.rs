//! An endpoint's fields, and the values of variables made from them.

use crate::kinds::{FIELD_FUEL, Kind, base64, templates};
use crate::model::{Endpoint, Json, Piece, Template};
use minijinja::context;
use std::collections::BTreeMap;

/// The fields of every endpoint by service, then by field: `db` → `url` → `postgresql://…`. They hold secrets.
pub type Fields = BTreeMap<String, BTreeMap<String, String>>;

/// The fields of one endpoint, as the kind's file has them. A field that the endpoint has no value for is empty.
pub fn render_fields(kind: &Kind, endpoint: &Endpoint) -> Result<BTreeMap<String, String>, String> {
    let jinja = templates(FIELD_FUEL);
    let values = context! {
        host => endpoint.host.as_str(),
        port => endpoint.port.to_string(),
        user => endpoint.user.as_deref().unwrap_or_default(),
        password => endpoint.password.as_ref().map(crate::model::Secret::reveal).unwrap_or_default(),
        database => endpoint.database.as_deref().unwrap_or_default(),
        vhost => endpoint.vhost.as_deref().unwrap_or_default(),
    };
    kind.fields
        .iter()
        .map(|(field, template)| {
            let text = jinja
                .render_str(template, &values)
                .map_err(|error| format!("the field `{field}` of the kind {} does not render: {error}", kind.name))?;
            Ok((field.clone(), text))
        })
        .collect()
}

/// A variable's value. Where a field is not known, its name comes back as the error.
pub fn render_value(template: &Template, fields: &Fields) -> Result<String, String> {
    let mut text = String::new();
    for piece in &template.0 {
        match piece {
            Piece::Text(plain) => text.push_str(plain),
            Piece::Field { service, field, encoded } => {
                let value = fields
                    .get(service)
                    .and_then(|fields| fields.get(field))
                    .ok_or_else(|| format!("{service}.{field}"))?;
                if *encoded {
                    text.push_str(&percent_encoded(value));
                } else {
                    text.push_str(value);
                }
            }
            Piece::Json { value, base64: encoded } => {
                let json = render_json(value, fields)?.to_string();
                text.push_str(&if *encoded { base64(json.as_bytes()) } else { json });
            }
        }
    }
    Ok(text)
}

fn render_json(value: &Json, fields: &Fields) -> Result<serde_json::Value, String> {
    use serde_json::Value;
    Ok(match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Text(template) => Value::String(render_value(template, fields)?),
        Json::Number(template) => {
            let text = render_value(template, fields)?;
            text.parse::<u64>().map_or(Value::String(text), Value::from)
        }
        Json::List(items) => items.iter().map(|item| render_json(item, fields)).collect::<Result<_, _>>()?,
        Json::Map(entries) => {
            let rendered = entries.iter().map(|(key, value)| Ok((key.clone(), render_json(value, fields)?)));
            Value::Object(rendered.collect::<Result<_, String>>()?)
        }
    })
}

/// Everything but RFC 3986's unreserved characters, in UTF-8.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;
    use crate::model::Secret;

    fn endpoint() -> Endpoint {
        Endpoint {
            host: "127.0.0.1".into(),
            port: 24310,
            user: Some("shop".into()),
            password: Some(Secret::new("p@ss")),
            database: Some("shop".into()),
            vhost: Some("/".into()),
            path: None,
        }
    }

    #[test]
    fn every_field_of_every_kind_renders() {
        for kind in Kinds::built_in().unwrap().iter() {
            let fields = render_fields(kind, &endpoint()).unwrap();
            assert!(fields["url"].contains("127.0.0.1"), "{}: {fields:?}", kind.name);
            assert!(!fields["url"].contains("p@ss"), "{}: {fields:?}", kind.name);
        }
    }

    #[test]
    fn values_are_encoded_where_a_url_needs_it() {
        let fields = Fields::from([("db".to_owned(), BTreeMap::from([("password".to_owned(), "a b/ü".to_owned())]))]);
        let mut template = Template::default();
        template.push_text("x://");
        template.push_encoded("db", "password");
        assert_eq!(render_value(&template, &fields).unwrap(), "x://a%20b%2F%C3%BC");
        assert_eq!(render_value(&Template::field("db", "password"), &fields).unwrap(), "a b/ü");
        assert_eq!(render_value(&Template::field("db", "url"), &fields).unwrap_err(), "db.url");
    }

    #[test]
    fn json_is_escaped_as_json_needs_it_and_encoded_where_asked() {
        let fields = Fields::from([(
            "db".to_owned(),
            BTreeMap::from([("password".to_owned(), "a\"\\".to_owned()), ("port".to_owned(), "5432".to_owned())]),
        )]);
        let value = Json::Map(vec![(
            "db".to_owned(),
            Json::List(vec![Json::Map(vec![
                ("port".to_owned(), Json::Number(Template::field("db", "port"))),
                ("password".to_owned(), Json::Text(Template::field("db", "password"))),
                ("public".to_owned(), Json::Bool(false)),
            ])]),
        )]);
        let plain = Template::json(value.clone(), false);
        let text = r#"{"db":[{"password":"a\"\\","port":5432,"public":false}]}"#;
        assert_eq!(render_value(&plain, &fields).unwrap(), text);
        assert_eq!(render_value(&Template::json(value, true), &fields).unwrap(), base64(text.as_bytes()));
        assert_eq!(plain.fields().collect::<Vec<_>>(), [("db", "port"), ("db", "password")]);
    }
}
