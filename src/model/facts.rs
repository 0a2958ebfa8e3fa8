//! What a live server says of itself: the side of parity that no file can give.

use super::Protocol;
use std::collections::BTreeMap;

/// The facts of one server, as it answered over the wire. Never holds a secret, a host or a row of the user's.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ServiceFacts {
    /// How it was asked.
    pub protocol: Protocol,
    /// What it calls itself: `PostgreSQL`, `Valkey`.
    pub product: String,
    /// Its release without a distribution's suffixes: `16.4`, `7.2.5`.
    pub version: Option<String>,
    /// What it said, by topic and name, values as the server writes them: `settings` → `max_connections` → `200`,
    /// `extensions` → `pg_trgm` → `1.6`. Settings are those that differ from the server's own default, or that somebody
    /// set; `defaults` has the default of each of them.
    pub topics: BTreeMap<String, BTreeMap<String, String>>,
    /// Topics (`users`), or single names in them (`settings/save`), that could not be asked, and why.
    #[serde(default)]
    pub not_asked: BTreeMap<String, String>,
}

impl ServiceFacts {
    /// One value, where the server said it.
    pub fn get(&self, topic: &str, name: &str) -> Option<&str> {
        self.topics.get(topic)?.get(name).map(String::as_str)
    }
}
