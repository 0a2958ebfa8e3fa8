//! Located syntax trees out of YAML, and typed values out of trees.
//!
//! What is read here knows no dialect: manifests and `services.lock` are read by the same rules. Imports the model alone.

pub(crate) mod expect;
pub(crate) mod tree;
pub(crate) mod yaml;

/// A text in quotes that YAML reads as this very text: JSON's strings are YAML's.
pub(crate) fn quoted(text: &str) -> String {
    // Other control characters than JSON's, and what turns the reading direction, by their numbers too.
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
