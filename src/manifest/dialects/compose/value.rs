//! Compose's tree after interpolation. Every scalar knows the variables that its text came from.

use crate::manifest::read::interpolate::{Interpolated, interpolate};
use crate::model::{Diagnostic, Located, Origin};
use crate::project::{Budget, of_text};
use crate::syntax::tree::{Node, NodeKind};
use std::collections::HashMap;

/// A value with its variables replaced.
#[derive(Clone, Debug)]
pub(super) struct Value {
    /// Its place.
    pub(super) origin: Origin,
    /// `!reset` or `!override`.
    pub(super) tag: Option<Box<str>>,
    /// Its content.
    pub(super) content: Content,
}

/// The content of a value.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// No value.
    Null,
    /// A text, number or boolean.
    Text {
        /// The text with variables replaced.
        text: Interpolated,
        /// The text as written.
        raw: String,
    },
    /// A list.
    List(Vec<Value>),
    /// A map, in the written order.
    Map(Vec<(Located<String>, Value)>),
}

impl Value {
    /// Replaces the variables of a whole tree.
    pub(super) fn from_node(
        node: &Node,
        lookup: &dyn Fn(&str) -> Option<String>,
        budget: &Budget,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let content = match &node.kind {
            _ if node.is_null() => Content::Null,
            NodeKind::Scalar { text, .. } => {
                let read = interpolate(text, lookup, budget).unwrap_or_else(|error| {
                    if budget.blame(&node.origin) {
                        return Interpolated::default();
                    }
                    diagnostics.push(
                        Diagnostic::error("interpolation", "a value's `${…}` cannot be read")
                            .at(&node.origin, error.message)
                            .help("write `$$` for a dollar that begins no variable"),
                    );
                    Interpolated::literal(text.clone())
                });
                Content::Text { text: read, raw: text.clone() }
            }
            NodeKind::Sequence(items) => {
                Content::List(items.iter().map(|item| Self::from_node(item, lookup, budget, diagnostics)).collect())
            }
            NodeKind::Mapping(entries) => Content::Map(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), Self::from_node(&entry.value, lookup, budget, diagnostics)))
                    .collect(),
            ),
        };
        Self { origin: node.origin.clone(), tag: node.tag.clone(), content }
    }

    /// The number of values in it, including itself and its keys.
    pub(super) fn size(&self) -> usize {
        match &self.content {
            Content::Null => 1,
            Content::Text { raw, .. } => 1 + of_text(raw.len()),
            Content::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Content::Map(entries) => 1 + entries.iter().map(|(_, value)| 1 + value.size()).sum::<usize>(),
        }
    }

    /// Makes a text at a place.
    pub(super) fn text_of(text: Interpolated, origin: Origin) -> Self {
        let raw = text.text.clone();
        Self { origin, tag: None, content: Content::Text { text, raw } }
    }

    /// The value of a map's key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _)| name.value == key).map(|(_, value)| value)
    }

    /// A map's entries; empty for other values.
    pub(super) fn entries(&self) -> &[(Located<String>, Self)] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    /// A list's items; empty for other values.
    pub(super) fn items(&self) -> &[Self] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// A list's items; for a text, only that text.
    pub(super) fn one_or_more(&self) -> &[Self] {
        match &self.content {
            Content::Text { .. } => std::slice::from_ref(self),
            _ => self.items(),
        }
    }

    /// A text with the variables that it came from.
    pub(super) fn text(&self) -> Option<&Interpolated> {
        match &self.content {
            Content::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// A text.
    pub(super) fn as_str(&self) -> Option<&str> {
        self.text().map(|text| text.text.as_str())
    }

    /// A text as written.
    pub(super) fn raw(&self) -> &str {
        match &self.content {
            Content::Text { raw, .. } => raw,
            _ => "",
        }
    }

    /// Whether it has no value.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }

    /// Whether it is a map.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.content, Content::Map(_))
    }

    /// Whether it is true.
    pub(super) fn is_true(&self) -> bool {
        self.as_str().is_some_and(|text| matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on"))
    }

    /// Makes a map from a list of `NAME=value`. A name alone has no value.
    pub(super) fn into_map(self) -> Self {
        let Content::List(items) = self.content else { return self };
        let mut entries: Vec<Option<(Located<String>, Self)>> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for item in items {
            let Some(text) = item.text() else { continue };
            let (name, value) = match text.text.find('=') {
                Some(at) => (
                    text.text[..at].to_owned(),
                    Self::text_of(text.slice(at + 1..text.text.len()), item.origin.clone()),
                ),
                None => (text.text.clone(), Self { origin: item.origin.clone(), tag: None, content: Content::Null }),
            };
            // If a name occurs several times, its last item is used.
            if let Some(earlier) = places.insert(name.clone(), entries.len()) {
                entries[earlier] = None;
            }
            entries.push(Some((Located::new(name, item.origin.clone()), value)));
        }
        Self { origin: self.origin, tag: self.tag, content: Content::Map(entries.into_iter().flatten().collect()) }
    }
}
