//! A difference between development and production: one finding of parity, as plain data.

use super::Origin;

/// How much a difference matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Impact {
    /// By design: a port, a password, a setting of a provider or of `devenv` itself.
    Expected,
    /// Visible, without an effect on an app.
    Cosmetic,
    /// An app continues to work, but may get other answers, another order or other limits.
    Behaves,
    /// An app that works on one side fails on the other.
    Breaks,
}

/// The three gaps between development and production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gap {
    /// Services, languages and tools.
    Tools,
    /// How far the deployed code is behind the written code.
    Time,
    /// Whether authors release their own code.
    People,
}

/// The value of one side.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Said {
    /// The side: `manifest`, `lock`, `local`, `production`, or a file's name.
    pub side: String,
    /// Its value as it would be written there; `absent` if the side has no value.
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
    /// The answers of production's servers.
    pub const PRODUCTION: &str = "production";
    /// The answers of the servers here.
    pub const LOCAL: &str = "local";
    /// The content of `services.lock`.
    pub const LOCK: &str = "lock";
    /// The declarations of production's own manifests.
    pub const MANIFEST: &str = "manifest";
    /// The declarations after the changes of `services.local.yaml`.
    pub const OVERLAY: &str = "overlay";
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// A short stable name in kebab case: `collation`, `version-minor`, `tool-version`.
    pub code: &'static str,
    /// The impact.
    pub impact: Impact,
    /// The gap that the difference belongs to.
    pub gap: Gap,
    /// The service; empty for a difference of the whole project.
    pub service: String,
    /// The subject, in a few words: `max_connections`, `extension pg_trgm in shop`, `python`.
    pub subject: String,
    /// The sides that differ, production's first.
    pub said: Vec<Said>,
    /// Why the difference matters, in one line.
    pub why: String,
    /// The source of the reason: an address in the product's own documentation; empty if the reason is obvious.
    pub source: String,
    /// The change to make, here or in production; each entry is one alternative.
    pub help: Vec<String>,
    /// The line of the manifest (or of another file) that the difference belongs to.
    pub origin: Option<Origin>,
}
