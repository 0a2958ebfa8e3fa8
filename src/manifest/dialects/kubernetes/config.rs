//! The content of the `ConfigMap`s and `Secret`s in the stream.
//!
//! The text of a `Secret` leaves this file only as a [`Secret`]. A caller reveals the text only if it is not secret: a
//! host, a user, a database.

use super::object::{Object, Objects};
use crate::kinds::from_base64;
use crate::model::{Origin, Secret};
use crate::syntax::tree::{Entry, Node};

/// A value of a `ConfigMap`, with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'n> {
    pub(super) text: &'n str,
    pub(super) origin: &'n Origin,
}

/// The entries of a `ConfigMap`; `None` if it is not among the objects.
pub(super) fn entries<'n>(objects: &Objects<'n>, name: &str, namespace: &str) -> Option<Vec<(&'n str, Value<'n>)>> {
    let object = objects.named("ConfigMap", name, namespace)?;
    Some(part(object, "data").filter_map(|entry| Some((entry.key.value.as_str(), plain(&entry.value)?))).collect())
}

/// One value of a `ConfigMap`.
pub(super) fn value<'n>(objects: &Objects<'n>, name: &str, key: &str, namespace: &str) -> Option<Value<'n>> {
    let object = objects.named("ConfigMap", name, namespace)?;
    object.node.get("data").and_then(|data| data.get(key)).and_then(plain)
}

/// The keys of a `Secret` with their places; `None` if it is not among the objects.
pub(super) fn secret_keys<'n>(
    objects: &Objects<'n>,
    name: &str,
    namespace: &str,
) -> Option<Vec<(&'n str, &'n Origin)>> {
    let object = objects.named("Secret", name, namespace)?;
    let own = part(object, "stringData").chain(part(object, "data"));
    let sealed = object.at("spec.encryptedData").into_iter().flat_map(Node::entries);
    let mut keys: Vec<(&str, &Origin)> = Vec::new();
    for entry in own.chain(sealed) {
        if !keys.iter().any(|(known, _)| *known == entry.key.value) {
            keys.push((&entry.key.value, &entry.key.origin));
        }
    }
    Some(keys)
}

/// One value of a `Secret`, as text.
pub(super) fn secret(objects: &Objects<'_>, name: &str, key: &str, namespace: &str) -> Option<Secret> {
    let object = objects.named("Secret", name, namespace)?;
    let entry = |part: &str| object.node.get(part).and_then(|data| data.get(key)).and_then(|node| node.as_str());
    if let Some(text) = entry("stringData") {
        return Some(Secret::new(text));
    }
    let bytes = from_base64(entry("data")?)?;
    String::from_utf8(bytes).ok().map(Secret::new)
}

fn part<'n>(object: &Object<'n>, name: &str) -> impl Iterator<Item = &'n Entry> + use<'n> {
    object.node.get(name).into_iter().flat_map(Node::entries)
}

fn plain(node: &Node) -> Option<Value<'_>> {
    let text = if node.is_null() { "" } else { node.as_str()? };
    Some(Value { text, origin: &node.origin })
}
