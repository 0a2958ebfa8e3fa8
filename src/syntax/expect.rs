//! Reads typed values from located trees.
//!
//! A value of the wrong shape becomes a diagnostic with the expected and the found shape, and reading continues.

use super::tree::{Entry, Node, NodeKind};
use crate::model::{Diagnostic, Located, did_you_mean};

/// Reads values and collects diagnostics about them.
#[derive(Debug, Default)]
pub(crate) struct Expect {
    /// The diagnostics so far.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Expect {
    /// A text. The text of a plain number or word is its source text.
    pub(crate) fn text(&mut self, node: &Node, what: &str) -> Option<Located<String>> {
        if let Some(text) = node.as_str() {
            return Some(Located::new(text.to_owned(), node.origin.clone()));
        }
        self.wrong(node, what, "text");
        None
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, node: &Node, what: &str) -> Option<Located<bool>> {
        let value = node.as_bool();
        if value.is_none() {
            self.wrong(node, what, "true or false");
        }
        value.map(|value| Located::new(value, node.origin.clone()))
    }

    /// A port, 1 to 65535.
    pub(crate) fn port(&mut self, node: &Node, what: &str) -> Option<Located<u16>> {
        let port = node.as_str().and_then(|text| text.parse::<u16>().ok()).filter(|port| *port > 0);
        if port.is_none() {
            self.wrong(node, what, "a port from 1 to 65535");
        }
        port.map(|port| Located::new(port, node.origin.clone()))
    }

    /// A list of texts. A single text is a list of one, and null is an empty list.
    pub(crate) fn texts(&mut self, node: &Node, what: &str) -> Vec<Located<String>> {
        match &node.kind {
            NodeKind::Sequence(items) => items.iter().filter_map(|item| self.text(item, what)).collect(),
            NodeKind::Scalar { .. } if node.is_null() => Vec::new(),
            NodeKind::Scalar { text, .. } => vec![Located::new(text.clone(), node.origin.clone())],
            NodeKind::Mapping(_) => {
                self.wrong(node, what, "a list");
                Vec::new()
            }
        }
    }

    /// The entries of a map. Null is an empty map.
    pub(crate) fn map<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        if let Some(entries) = node.as_mapping() {
            return entries;
        }
        if !node.is_null() {
            self.wrong(node, what, "a map");
        }
        &[]
    }

    /// The entries of a map whose keys are among `known`. Other entries are reported and skipped.
    pub(crate) fn known<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Vec<&'n Entry> {
        let entries = self.map(node, what).iter();
        entries.filter(|entry| self.is_known(entry, what, known)).collect()
    }

    /// Whether a key is one of `known`. Any other key is reported.
    pub(crate) fn is_known(&mut self, entry: &Entry, what: &str, known: &[&str]) -> bool {
        let key = entry.key.value.as_str();
        if known.contains(&key) {
            return true;
        }
        let unknown = Diagnostic::error("unknown-key", format!("{what} has no key `{key}`"))
            .at(&entry.key.origin, "not known here");
        self.diagnostics.push(match did_you_mean(key, known.iter().copied()) {
            Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
            None => unknown.help(format!("the keys are {}", list(known))),
        });
        false
    }

    /// Reports a value of the wrong shape.
    pub(crate) fn wrong(&mut self, node: &Node, what: &str, expected: &str) {
        let found = match node.as_str() {
            Some(text) if text.chars().count() <= 40 && !text.contains('\n') => format!("found `{text}`"),
            _ => format!("found {}", node.shape()),
        };
        self.diagnostics.push(
            Diagnostic::error("wrong-type", format!("{what} has to be {expected}, and is {}", node.shape()))
                .at(&node.origin, found),
        );
    }
}

/// How many words a message lists.
const MAX_LISTED: usize = 20;

/// Lists words as `a`, `b` and `c`, in code quotes. A long list shows only its first words.
pub(crate) fn list(words: &[&str]) -> String {
    let mut quoted: Vec<String> = words.iter().take(MAX_LISTED).map(|word| format!("`{word}`")).collect();
    if words.len() > MAX_LISTED {
        quoted.push(format!("{} others", words.len() - MAX_LISTED));
    }
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}
