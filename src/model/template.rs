//! A variable's value with placeholders for an endpoint's fields.

use serde::{Deserialize, Serialize};

/// One part of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// Copied as it is.
    Text(String),
    /// A field of a service's endpoint: `url`, `host`, `port`, `user`, `password`, `database`, `vhost`, or a
    /// dotted one such as `databases.audit.url`.
    Field {
        /// The service's name in the stack.
        service: String,
        /// The field, as the kind's file names it.
        field: String,
        /// Whether the value is written in its percent-encoded form, as URLs need it.
        encoded: bool,
    },
    /// JSON with fields in it, as platforms hand several endpoints to an app in one variable.
    Json {
        /// The value.
        value: Json,
        /// Whether it is written in base64 (RFC 4648, section 4).
        base64: bool,
    },
}

/// A JSON value with placeholders for endpoints' fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Text.
    Text(Template),
    /// A number if the rendered text is a number (a port), otherwise the text.
    Number(Template),
    /// A list.
    List(Vec<Json>),
    /// A map; its keys keep their order.
    Map(Vec<(String, Json)>),
}

impl Json {
    /// Text without fields.
    pub fn text(text: &str) -> Self {
        Self::Text(Template::text(text))
    }

    fn rename(&mut self, from: &str, to: &str) {
        match self {
            Self::Null | Self::Bool(_) => {}
            Self::Text(template) | Self::Number(template) => template.rename(from, to),
            Self::List(items) => items.iter_mut().for_each(|item| item.rename(from, to)),
            Self::Map(entries) => entries.iter_mut().for_each(|(_, value)| value.rename(from, to)),
        }
    }

    fn collect<'a>(&'a self, fields: &mut Vec<(&'a str, &'a str)>) {
        match self {
            Self::Null | Self::Bool(_) => {}
            Self::Text(template) | Self::Number(template) => fields.extend(template.fields()),
            Self::List(items) => items.iter().for_each(|item| item.collect(fields)),
            Self::Map(entries) => entries.iter().for_each(|(_, value)| value.collect(fields)),
        }
    }
}

/// Text with endpoint fields in it: `postgresql+psycopg://${db.user}:${db.password}@…`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template(pub Vec<Piece>);

impl Template {
    /// A template of one field and nothing else.
    pub fn field(service: &str, field: &str) -> Self {
        Self(vec![Piece::Field { service: service.to_owned(), field: field.to_owned(), encoded: false }])
    }

    /// A template without fields.
    pub fn text(text: &str) -> Self {
        Self(vec![Piece::Text(text.to_owned())])
    }

    /// A template of one JSON value and nothing else.
    pub fn json(value: Json, base64: bool) -> Self {
        Self(vec![Piece::Json { value, base64 }])
    }

    /// Adds plain text, joined with plain text at the end of the template.
    pub fn push_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Piece::Text(last)) = self.0.last_mut() {
            last.push_str(text);
        } else {
            self.0.push(Piece::Text(text.to_owned()));
        }
    }

    /// Adds a field in its percent-encoded form.
    pub fn push_encoded(&mut self, service: &str, field: &str) {
        self.0.push(Piece::Field { service: service.to_owned(), field: field.to_owned(), encoded: true });
    }

    /// Renames a service everywhere in the template.
    pub fn rename(&mut self, from: &str, to: &str) {
        for piece in &mut self.0 {
            match piece {
                Piece::Field { service, .. } if service == from => to.clone_into(service),
                Piece::Json { value, .. } => value.rename(from, to),
                Piece::Field { .. } | Piece::Text(_) => {}
            }
        }
    }

    /// The services and fields in the template, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut fields = Vec::new();
        for piece in &self.0 {
            match piece {
                Piece::Field { service, field, .. } => fields.push((service.as_str(), field.as_str())),
                Piece::Json { value, .. } => value.collect(&mut fields),
                Piece::Text(_) => {}
            }
        }
        fields.into_iter()
    }
}
