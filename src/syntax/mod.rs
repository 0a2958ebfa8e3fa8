//! Located syntax trees out of YAML, and typed values out of trees.
//!
//! What is read here knows no dialect: manifests and `services.lock` are read by the same rules. Imports the model alone.

pub(crate) mod expect;
pub(crate) mod tree;
pub(crate) mod yaml;

/// A text in quotes that YAML reads as this very text: JSON's strings are YAML's.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
