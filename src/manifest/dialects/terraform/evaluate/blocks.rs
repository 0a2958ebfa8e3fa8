//! `dynamic "parameter" { … }`: blocks that are generated from a collection.
//!
//! Each item of the collection becomes the block that would otherwise be written out. If the collection is not known,
//! one block represents all blocks, and its unknown values are unresolved.

use super::{Scope, pairs};
use crate::manifest::dialects::terraform::module::labelled;
use crate::model::Located;
use crate::syntax::tree::{Entry, Node, NodeKind};

/// How many blocks are generated from one collection.
const MAX_BLOCKS: usize = 1000;
/// How many collections one body may have.
const MAX_COLLECTIONS: usize = 100;

/// Adds the blocks that `dynamic` generates.
pub(super) fn make(scope: &Scope<'_>, dynamic: &Node, depth: usize, entries: &mut Vec<Entry>) {
    for (label, body) in labelled(Some(dynamic)).take(MAX_COLLECTIONS) {
        let (Some(each), Some(content)) = (body.get("for_each"), first(body.get("content"))) else { continue };
        let name = body.get("iterator").and_then(iterator).unwrap_or(&label.value);
        let collection = scope.node(each, depth);
        let blocks = match pairs(&collection) {
            Some(pairs) => pairs
                .into_iter()
                .take(MAX_BLOCKS)
                .map(|(key, value)| {
                    let key = Node::scalar(key, true, collection.origin.clone());
                    scope.with(name, names(&collection, key, value)).node(content, depth)
                })
                .collect(),
            None => vec![scope.node(content, depth)],
        };
        let value = Node { origin: label.origin.clone(), tag: None, kind: NodeKind::Sequence(blocks) };
        add(entries, Entry { key: label.clone(), value });
    }
}

/// Adds an entry. Blocks are appended to existing blocks of the same name.
fn add(entries: &mut Vec<Entry>, mut entry: Entry) {
    if let NodeKind::Sequence(blocks) = &mut entry.value.kind
        && let Some(known) = entries.iter_mut().find(|known| known.key.value == entry.key.value)
        && let NodeKind::Sequence(before) = &mut known.value.kind
    {
        before.append(blocks);
        return;
    }
    entries.push(entry);
}

/// The value of a block's iterator: `{key, value}`.
fn names(collection: &Node, key: Node, value: Node) -> Node {
    let entry =
        |name: &str, value: Node| Entry { key: Located::new(name.to_owned(), collection.origin.clone()), value };
    let kind = NodeKind::Mapping(vec![entry("key", key), entry("value", value)]);
    Node { origin: collection.origin.clone(), tag: None, kind }
}

/// The name of an iterator: in `iterator = setting`, `setting` is a name and no expression.
fn iterator(node: &Node) -> Option<&str> {
    match &node.kind {
        NodeKind::Scalar { text, .. } => Some(text.trim()),
        _ => None,
    }
}

fn first(node: Option<&Node>) -> Option<&Node> {
    match &node?.kind {
        NodeKind::Sequence(items) => items.first(),
        _ => node,
    }
}
