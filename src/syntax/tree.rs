//! The located syntax tree that every dialect's reader walks.
//!
//! Every node and every key has its place, and a scalar keeps its source text (`3.10` stays `3.10`). A mapping never
//! holds the same key twice.

use crate::model::{Located, Origin};

/// The tag of a scalar that a reader could not evaluate. Its text names the missing value (`var.version`).
pub(crate) const UNRESOLVED: &str = "!unresolved";

/// One value of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Where it was written; inside an alias, where the anchor was.
    pub(crate) origin: Origin,
    /// A tag as written (`!reset`, `!Ref`). YAML's own tags (`!!str`) are applied and not kept.
    pub(crate) tag: Option<Box<str>>,
    /// The shape of the value, with its content.
    pub(crate) kind: NodeKind,
}

/// The three shapes of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// A single value.
    Scalar {
        /// Its text. For a plain scalar, the text as written. For a quoted scalar, the text inside the quotes.
        text: String,
        /// Whether it was written in quotes or as a block. Then it is text, whatever it looks like.
        quoted: bool,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// A map, in the order in which it was written. Entries from merge keys come last.
    Mapping(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: Located<String>,
    /// The value.
    pub(crate) value: Node,
}

impl Node {
    /// A plain or quoted scalar that a reader makes and that is in no file.
    pub(crate) fn scalar(text: impl Into<String>, quoted: bool, origin: Origin) -> Self {
        Self { origin, tag: None, kind: NodeKind::Scalar { text: text.into(), quoted } }
    }

    /// A value that cannot be evaluated from the files.
    pub(crate) fn unresolved(text: impl Into<String>, origin: Origin) -> Self {
        Self { tag: Some(UNRESOLVED.into()), ..Self::scalar(text, false, origin) }
    }

    /// The name of the missing value, if the value could not be evaluated.
    pub(crate) fn as_unresolved(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar { text, .. } if self.tag.as_deref() == Some(UNRESOLVED) => Some(text),
            _ => None,
        }
    }

    /// The text of an evaluated scalar: neither null nor under any tag.
    pub(crate) fn as_literal(&self) -> Option<&str> {
        self.as_str().filter(|_| self.tag.is_none())
    }

    /// Whether it is null: empty, `~` or `null`, not in quotes.
    pub(crate) fn is_null(&self) -> bool {
        match &self.kind {
            NodeKind::Scalar { text, quoted: false } => matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"),
            _ => false,
        }
    }

    /// The text of a scalar that is not null.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// A plain `true` or `false`, or the older spellings `yes`, `no`, `on` and `off`.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match &self.kind {
            NodeKind::Scalar { text, quoted: false } => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" => Some(true),
                "false" | "no" | "off" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The items of a list.
    pub(crate) fn as_sequence(&self) -> Option<&[Node]> {
        match &self.kind {
            NodeKind::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a map.
    pub(crate) fn as_mapping(&self) -> Option<&[Entry]> {
        match &self.kind {
            NodeKind::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a map's key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A map's key with its value.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().find(|entry| entry.key.value == key)
    }

    /// The entries of a map. Any other value has none.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.as_mapping().unwrap_or_default().iter()
    }

    /// The shape of the value, in words for a message: `a list`, `a map`, `text`, `nothing`.
    pub(crate) fn shape(&self) -> &'static str {
        match &self.kind {
            NodeKind::Sequence(_) => "a list",
            NodeKind::Mapping(_) => "a map",
            NodeKind::Scalar { .. } if self.is_null() => "nothing",
            NodeKind::Scalar { quoted: true, .. } => "text",
            NodeKind::Scalar { text, .. } if self.as_bool().is_some() && text.len() > 2 => "true or false",
            NodeKind::Scalar { text, .. } if text.parse::<f64>().is_ok() => "a number",
            NodeKind::Scalar { .. } => "text",
        }
    }
}
