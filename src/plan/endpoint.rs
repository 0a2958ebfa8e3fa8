//! The fields of an endpoint, and the values of variables that are rendered from these fields.

use crate::kinds::{FIELD_FUEL, Kind, base64, templates};
use crate::model::{Endpoint, Json, Piece, Template};
use minijinja::context;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;
use std::fmt;

/// All characters except the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The fields of every endpoint by service, then by field: `db` → `url` → `postgresql://…`.
pub type Fields = BTreeMap<String, BTreeMap<String, Field>>;

/// A rendered value, and whether it contains a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Field {
    /// The value.
    pub text: String,
    /// Whether the value was rendered with a password. The text itself cannot show this, because it may contain the
    /// password in any encoding.
    pub secret: bool,
}

impl Field {
    /// A value without a password.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), secret: false }
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secret { "[secret]" } else { &self.text })
    }
}

/// The fields of one endpoint, rendered from the templates in the kind's file. A value that the endpoint does not have
/// is empty.
pub fn render_fields(kind: &Kind, endpoint: &Endpoint) -> Result<BTreeMap<String, Field>, String> {
    let jinja = templates(FIELD_FUEL);
    let has_password = endpoint.password.as_ref().is_some_and(|password| !password.reveal().is_empty());
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
            let fault = |error| format!("the field `{field}` of the kind {} does not render: {error}", kind.name);
            let template = jinja.template_from_str(template).map_err(fault)?;
            let secret = has_password && template.undeclared_variables(false).contains("password");
            Ok((field.clone(), Field { text: template.render(&values).map_err(fault)?, secret }))
        })
        .collect()
}

/// The value of a variable. The error is the name of an unknown field.
pub fn render_value(template: &Template, fields: &Fields) -> Result<Field, String> {
    let Field { mut text, mut secret } = Field::default();
    for piece in &template.0 {
        match piece {
            Piece::Text(plain) => text.push_str(plain),
            Piece::Field { service, field, encoded } => {
                let value = fields
                    .get(service)
                    .and_then(|fields| fields.get(field))
                    .ok_or_else(|| format!("{service}.{field}"))?;
                secret |= value.secret;
                if *encoded {
                    text.extend(utf8_percent_encode(&value.text, RESERVED));
                } else {
                    text.push_str(&value.text);
                }
            }
            Piece::Json { value, base64: encoded } => {
                let json = render_json(value, fields, &mut secret)?.to_string();
                text.push_str(&if *encoded { base64(json.as_bytes()) } else { json });
            }
        }
    }
    Ok(Field { text, secret })
}

fn render_json(value: &Json, fields: &Fields, secret: &mut bool) -> Result<serde_json::Value, String> {
    use serde_json::Value;
    let mut text = |template| {
        let Field { text, secret: is_secret } = render_value(template, fields)?;
        *secret |= is_secret;
        Ok::<_, String>(text)
    };
    Ok(match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Text(template) => Value::String(text(template)?),
        Json::Number(template) => {
            let text = text(template)?;
            text.parse::<u64>().map_or(Value::String(text), Value::from)
        }
        Json::List(items) => items.iter().map(|item| render_json(item, fields, secret)).collect::<Result<_, _>>()?,
        Json::Map(entries) => {
            let rendered = entries.iter().map(|(key, value)| Ok((key.clone(), render_json(value, fields, secret)?)));
            Value::Object(rendered.collect::<Result<_, String>>()?)
        }
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
            let url = &fields["url"].text;
            assert!(url.contains("127.0.0.1"), "{}: {url}", kind.name);
            assert!(!url.contains("p@ss"), "{}: {url}", kind.name);
        }
    }

    #[test]
    fn a_value_with_a_password_is_marked_as_secret_in_any_encoding() {
        for kind in Kinds::built_in().unwrap().iter() {
            let other = Endpoint { password: Some(Secret::new("an/other")), ..endpoint() };
            let without = Endpoint { password: None, ..endpoint() };
            let [one, other, without] =
                [&endpoint(), &other, &without].map(|endpoint| render_fields(kind, endpoint).unwrap());
            for (name, field) in &one {
                assert_eq!(field.secret, field.text != other[name].text, "{}.{name}", kind.name);
                assert!(!without[name].secret, "{}.{name}", kind.name);
            }
        }
        let secret = Field { text: "p@ss".to_owned(), secret: true };
        let all = BTreeMap::from([("password".to_owned(), secret), ("host".to_owned(), Field::plain("h"))]);
        let fields = Fields::from([("db".to_owned(), all)]);
        let mut encoded = Template::default();
        encoded.push_encoded("db", "password");
        let json =
            |field| Json::Map(vec![("a".to_owned(), Json::List(vec![Json::Text(Template::field("db", field))]))]);
        let is_secret = |template: &Template| render_value(template, &fields).unwrap().secret;
        assert!(is_secret(&encoded) && is_secret(&Template::json(json("password"), true)));
        assert!(!is_secret(&Template::field("db", "host")) && !is_secret(&Template::json(json("host"), true)));
    }

    #[test]
    fn values_are_encoded_where_a_url_needs_it() {
        let fields =
            Fields::from([("db".to_owned(), BTreeMap::from([("password".to_owned(), Field::plain("a b/ü"))]))]);
        let mut template = Template::default();
        template.push_text("x://");
        template.push_encoded("db", "password");
        assert_eq!(render_value(&template, &fields).unwrap().text, "x://a%20b%2F%C3%BC");
        assert_eq!(render_value(&Template::field("db", "password"), &fields).unwrap().text, "a b/ü");
        assert_eq!(render_value(&Template::field("db", "url"), &fields).unwrap_err(), "db.url");
    }

    #[test]
    fn json_is_escaped_as_json_needs_it_and_encoded_where_asked() {
        let fields = Fields::from([(
            "db".to_owned(),
            BTreeMap::from([("password".to_owned(), Field::plain("a\"\\")), ("port".to_owned(), Field::plain("5432"))]),
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
        assert_eq!(render_value(&plain, &fields).unwrap().text, text);
        assert_eq!(render_value(&Template::json(value, true), &fields).unwrap().text, base64(text.as_bytes()));
        assert_eq!(plain.fields().collect::<Vec<_>>(), [("db", "port"), ("db", "password")]);
    }
}
