//! Reads YAML into located syntax trees, and typed values from these trees.
//!
//! This module knows no dialect: manifests and `services.lock` are read by the same rules. It imports only the model.

pub(crate) mod expect;
pub(crate) mod tree;
pub(crate) mod yaml;

/// Quotes a text so that YAML reads exactly this text. JSON's strings are valid in YAML.
pub(crate) fn quoted(text: &str) -> String {
    // Control characters that JSON does not escape, and characters that change the reading direction, are escaped by
    // their numbers too.
    let unseen = |c: char| {
        (c.is_control() && !c.is_ascii_control())
            || matches!(c, '\u{7f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
    };
    let text = serde_json::Value::from(text).to_string();
    if !text.contains(unseen) {
        return text;
    }
    text.chars().map(|c| if unseen(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }).collect()
}
