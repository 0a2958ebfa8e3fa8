//! A variable's value with places for an endpoint's fields.

/// One part of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
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
}

/// Text with endpoint fields in it: `postgresql+psycopg://${db.user}:${db.password}@…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template(pub Vec<Piece>);

impl Template {
    /// A template of one field and nothing else.
    pub fn field(service: &str, field: &str) -> Self {
        Self(vec![Piece::Field { service: service.to_owned(), field: field.to_owned(), encoded: false }])
    }

    /// Adds plain text, joined to text that already ends the template.
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

    /// The services and fields it names, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Field { service, field, .. } => Some((service.as_str(), field.as_str())),
            Piece::Text(_) => None,
        })
    }
}
