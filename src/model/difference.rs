//! Where development differs from production: one finding of parity, as plain data.

use super::Origin;

/// How much a difference matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Impact {
    /// Is so by design: a port, a password, what a provider or `devenv` itself sets.
    Expected,
    /// Seen, without an effect on what an app gets.
    Cosmetic,
    /// Goes on, but an app may get other answers, another order or other limits.
    Behaves,
    /// An app that works on one side fails on the other.
    Breaks,
}

/// Which of the three gaps between development and production it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gap {
    /// Services, languages and tools.
    Tools,
    /// How far what is deployed lies behind what is written.
    Time,
    /// Who writes and who releases.
    People,
}

/// What one side says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Said {
    /// The side: `manifest`, `lock`, `local`, `production`, or a file's name.
    pub side: String,
    /// Its value as it would be written there; `absent` where it has none.
    pub value: String,
}

impl Said {
    /// A side and its value.
    pub fn new(side: impl Into<String>, value: impl Into<String>) -> Self {
        Self { side: side.into(), value: value.into() }
    }
}

/// The names of the sides.
pub mod side {
    /// What production's servers answer.
    pub const PRODUCTION: &str = "production";
    /// What the servers here answer.
    pub const LOCAL: &str = "local";
    /// What `services.lock` has.
    pub const LOCK: &str = "lock";
    /// What the manifests declare: production's own files.
    pub const MANIFEST: &str = "manifest";
    /// What `services.local.yaml` makes of it.
    pub const OVERLAY: &str = "overlay";
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A short stable name in kebab case: `collation`, `version-minor`, `tool-version`.
    pub code: &'static str,
    /// How much it matters.
    pub impact: Impact,
    /// Which gap it belongs to.
    pub gap: Gap,
    /// The service, where it is one's; empty for what belongs to the project.
    pub service: String,
    /// What differs, in a few words: `max_connections`, `extension pg_trgm in shop`, `python`.
    pub subject: String,
    /// The sides that differ, production's first.
    pub said: Vec<Said>,
    /// Why it matters, in one line.
    pub why: String,
    /// Where that is written: an address in the product's own documentation; empty where it is plain.
    pub source: String,
    /// What to change, here or in production; each entry is one way.
    pub help: Vec<String>,
    /// The manifest's (or file's) line it belongs to.
    pub origin: Option<Origin>,
}
