//! The objects of all documents, by group, kind and name.
//!
//! If an object is declared twice, the later declaration replaces the earlier one, as in a cluster.

use super::image::Changes;
use super::kustomize::Loaded;
use crate::model::Located;
use crate::project::{Budget, Resource};
use crate::syntax::tree::{Entry, Node};
use std::collections::HashMap;

/// One object.
#[derive(Clone, Debug)]
pub(super) struct Object<'n> {
    /// Its API group without the version; empty for the core group.
    pub(super) group: &'n str,
    /// Its kind.
    pub(super) kind: &'n str,
    /// Its name, with the changes of kustomizations.
    pub(super) name: Located<String>,
    /// Its namespace; empty if none is given.
    pub(super) namespace: String,
    /// The whole document.
    pub(super) node: &'n Node,
    /// The changes of kustomizations, the innermost first.
    pub(super) changes: &'n [Changes],
}

impl<'n> Object<'n> {
    /// The node at a path: `spec.postgresql.version`.
    pub(super) fn at(&self, path: &str) -> Option<&'n Node> {
        at(self.node, path)
    }

    /// The text at a path.
    pub(super) fn text(&self, path: &str) -> Option<&'n str> {
        self.at(path)?.as_str()
    }

    /// Whether an object in that namespace may be in the same namespace; an empty namespace may be any.
    pub(super) fn shares(&self, namespace: &str) -> bool {
        self.namespace.is_empty() || namespace.is_empty() || self.namespace == namespace
    }
}

/// The node at a path of keys, separated by dots.
pub(super) fn at<'n>(node: &'n Node, path: &str) -> Option<&'n Node> {
    path.split('.').try_fold(node, |node, key| node.get(key)).filter(|node| !node.is_null())
}

/// All objects.
#[derive(Debug, Default)]
pub(super) struct Objects<'n> {
    all: Vec<Object<'n>>,
    by_name: HashMap<(&'n str, String), Vec<usize>>,
    by_kind: HashMap<&'n str, Vec<usize>>,
    /// `Service` objects by the first label of their selector.
    by_label: HashMap<(String, String), Vec<usize>>,
}

impl<'n> Objects<'n> {
    /// The objects of every document; the items of a list are added one by one.
    pub(super) fn of(loaded: &'n [Loaded<'n>], budget: &Budget) -> Self {
        let mut objects = Self::default();
        for part in loaded {
            for document in &part.file().documents {
                objects.add(document, &part.changes, budget);
            }
        }
        for (index, object) in objects.all.iter().enumerate() {
            let selector = object.at("spec.selector").filter(|_| object.kind == "Service" && object.group.is_empty());
            let first = selector.and_then(|selector| selector.entries().next());
            if let Some((entry, value)) = first.and_then(|entry| Some((entry, entry.value.as_str()?))) {
                let label = (entry.key.value.clone(), value.to_owned());
                objects.by_label.entry(label).or_default().push(index);
            }
        }
        objects
    }

    /// Every object, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Object<'n>> {
        self.all.iter()
    }

    /// The objects of a kind, in order.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Object<'n>> {
        let indices = self.by_kind.get(kind).map(Vec::as_slice).unwrap_or_default();
        indices.iter().filter_map(|index| self.all.get(*index))
    }

    /// The `Service` objects with a selector whose first label is among these, in order.
    pub(super) fn that_may_select(&self, labels: Option<&Node>) -> impl Iterator<Item = &Object<'n>> {
        let of = |entry: &Entry| self.by_label.get(&(entry.key.value.clone(), entry.value.as_str()?.to_owned()));
        let mut found: Vec<usize> =
            labels.into_iter().flat_map(Node::entries).filter_map(of).flatten().copied().collect();
        found.sort_unstable();
        found.into_iter().filter_map(|index| self.all.get(index))
    }

    /// The object of that kind and name to which an object of that namespace refers.
    pub(super) fn named(&self, kind: &'static str, name: &str, namespace: &str) -> Option<&Object<'n>> {
        let indices = self.by_name.get(&(kind, name.to_owned()))?;
        let mut found = indices.iter().filter_map(|index| self.all.get(*index));
        found
            .clone()
            .find(|object| object.namespace == namespace)
            .or_else(|| found.find(|object| object.shares(namespace)))
    }

    fn add(&mut self, node: &'n Node, changes: &'n [Changes], budget: &Budget) {
        let (Some(api), Some(kind)) = (node.get("apiVersion").and_then(Node::as_str), node.get("kind")) else { return };
        let Some(kind_text) = kind.as_str() else { return };
        if kind_text.ends_with("List")
            && let Some(items) = node.get("items").and_then(Node::as_sequence)
        {
            for item in items {
                self.add(item, changes, budget);
            }
            return;
        }
        let metadata = |key: &str| node.get("metadata").and_then(|metadata| metadata.get(key));
        let named = metadata("name").or_else(|| metadata("generateName"));
        let (name, origin) = match named.and_then(|node| Some((node.as_str()?, &node.origin))) {
            Some((name, origin)) => (name, origin),
            None => ("", &kind.origin),
        };
        // Prefixes and suffixes are written once, and are added to every name.
        let put_in: usize = changes.iter().map(|changes| changes.prefix.len() + changes.suffix.len()).sum();
        if !budget.spend_at(Resource::Expanded, put_in, origin) {
            return;
        }
        // Kustomize also changes the references to a `ConfigMap` or `Secret`. The references are not changed here, so
        // the object keeps its name.
        let is_config = matches!(kind_text, "ConfigMap" | "Secret");
        let name = changes
            .iter()
            .filter(|_| !is_config)
            .fold(name.to_owned(), |name, changes| format!("{}{name}{}", changes.prefix, changes.suffix));
        let own = metadata("namespace").and_then(Node::as_str).unwrap_or_default();
        let namespace = changes.iter().rev().find_map(|changes| changes.namespace.as_deref()).unwrap_or(own);
        let object = Object {
            group: api.split_once('/').map_or("", |(group, _)| group),
            kind: kind_text,
            name: Located::new(name.clone(), origin.clone()),
            namespace: namespace.to_owned(),
            node,
            changes,
        };
        let known = self.by_name.entry((kind_text, name)).or_default();
        let again = known
            .iter()
            .copied()
            .find(|index| self.all[*index].group == object.group && self.all[*index].namespace == object.namespace);
        match again {
            Some(index) if !object.name.value.is_empty() => self.all[index] = object,
            _ => {
                known.push(self.all.len());
                self.by_kind.entry(kind_text).or_default().push(self.all.len());
                self.all.push(object);
            }
        }
    }
}
