//! The variables that manifests may read: the variables of the process, and never devenv's own output.
//!
//! direnv and similar tools load `.env` into the shell. The variables of the managed block must not become an input of
//! the next reading.

use crate::model::{BLOCK_END, BLOCK_START};
use std::collections::BTreeMap;

/// The variables of the process, without those that come from the managed block of the project's `.env`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Removes every variable whose name and value are in the managed block of an env file.
    pub(crate) fn new(process: &BTreeMap<String, String>, env_files: &[&str]) -> Self {
        let ours: Vec<_> = env_files.iter().map(|text| managed_entries(text)).collect();
        let is_ours = |name: &String, value: &String| ours.iter().any(|ours| ours.get(name) == Some(value));
        Self(
            process
                .iter()
                .filter(|(name, value)| !is_ours(name, value))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    /// A variable's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Names and values in the managed block, which has the quoting that `devenv up` writes.
fn managed_entries(text: &str) -> BTreeMap<String, String> {
    let Some((_, block)) = text.split_once(BLOCK_START) else { return BTreeMap::new() };
    let block = block.split_once(BLOCK_END).map_or(block, |(block, _)| block);
    let mut entries = BTreeMap::new();
    let mut rest = block;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let Some((name, value)) = rest.split_once('=').filter(|(name, _)| is_name(name)) else {
            rest = after;
            continue;
        };
        let quoted = value.chars().next().filter(|quote| matches!(quote, '\'' | '"')).and_then(|quote| {
            // A quoted value may contain newlines, so it ends at its closing quote and not at the end of the line.
            closed(&value[1..], quote)
        });
        if let Some((value, after)) = quoted {
            entries.insert(name.to_owned(), value);
            rest = after.split_once('\n').map_or("", |(_, after)| after);
        } else {
            entries.insert(name.to_owned(), line[name.len() + 1..].trim_end().to_owned());
            rest = after;
        }
    }
    entries
}

/// A quoted text up to its closing quote, without the escapes of double quotes, and the text after it.
fn closed(text: &str, quote: char) -> Option<(String, &str)> {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some((value, &text[at + 1..])),
            c => value.push(c),
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_the_managed_block_are_no_input() {
        let dotenv = format!(
            "TAG=15\n{BLOCK_START}\n# note\nURL='a b'\nMOTD=\"it's \\\"\\$5\\\"\"\nTWO='x\ny'\nPLAIN=1\n{BLOCK_END}\nC=3\n"
        );
        let motd = ("MOTD", "it's \"$5\"");
        let process = [("URL", "a b"), motd, ("TWO", "x\ny"), ("PLAIN", "2"), ("TAG", "15"), ("C", "3")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment = Environment::new(&process.into(), &["OTHER=1", &dotenv]);
        assert_eq!(environment.get("URL"), None);
        assert_eq!(environment.get("TWO"), None);
        assert_eq!(environment.get("MOTD"), None);
        assert_eq!(environment.get("PLAIN"), Some("2"), "the user changed it, so it is the user's");
        assert_eq!(environment.get("TAG"), Some("15"));
        assert_eq!(environment.get("C"), Some("3"));
    }
}
