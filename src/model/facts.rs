//! The facts that a live server reports about itself: the side of parity that no file can supply.

use super::Protocol;
use std::collections::BTreeMap;

/// The facts of one server, as the server reported them. They never contain a secret, a host or a row of the user.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ServiceFacts {
    /// The protocol of the questions.
    pub protocol: Protocol,
    /// The server's name for itself: `PostgreSQL`, `Valkey`.
    pub product: String,
    /// Its release without a distribution's suffixes: `16.4`, `7.2.5`.
    pub version: Option<String>,
    /// The facts, by topic and name, with values as the server writes them: `settings` → `max_connections` → `200`,
    /// `extensions` → `pg_trgm` → `1.6`. Settings are those that differ from the server's own default, or that were set
    /// explicitly; `defaults` has the default of each of them.
    pub topics: BTreeMap<String, BTreeMap<String, String>>,
    /// Topics (`users`), or single names in them (`settings/save`), that could not be asked, each with the reason.
    #[serde(default)]
    pub not_asked: BTreeMap<String, String>,
}

impl ServiceFacts {
    /// One value, if the server reported the value.
    pub fn get(&self, topic: &str, name: &str) -> Option<&str> {
        self.topics.get(topic)?.get(name).map(String::as_str)
    }
}
