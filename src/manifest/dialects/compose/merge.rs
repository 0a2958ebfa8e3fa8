//! Merges one Compose value into another, as the Compose specification merges files.
//!
//! Maps are merged and lists are appended. Commands are replaced. Lists whose items have an identity are merged by it:
//! variables by name, mounts by target, ports by the port that they publish.

use super::value::{Content, Value};
use crate::model::Located;
use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};

/// Merges `over` into `base`; `over` has precedence. `path` holds the keys from the top, with `*` for a service's name.
pub(super) fn merge(base: Value, over: Value, path: &[&str]) -> Value {
    match over.tag.as_deref() {
        Some("!override") => return Value { tag: None, ..over },
        Some("!reset") => return Value { tag: None, content: Content::Null, ..over },
        _ => {}
    }
    if over.is_null() {
        // A key without a value changes nothing.
        return base;
    }
    let (base, over) = if named_by_key(path) { (base.into_map(), over.into_map()) } else { (base, over) };
    let (base, over) = (as_map(base, path), as_map(over, path));
    match (base.content, over.content) {
        (Content::Map(base_entries), Content::Map(over_entries)) => Value {
            origin: base.origin,
            tag: None,
            content: Content::Map(merge_maps(base_entries, over_entries, path)),
        },
        (Content::List(mut items), Content::List(more)) if !replaces(path) => {
            // Of items with the same identity, the first decides the position.
            let mut places: HashMap<String, usize> = HashMap::new();
            for (place, item) in items.iter().enumerate() {
                if let Some(name) = identity(item, path) {
                    places.entry(name).or_insert(place);
                }
            }
            for item in more {
                match identity(&item, path).map(|name| places.entry(name)) {
                    Some(Occupied(place)) => items[*place.get()] = item,
                    Some(Vacant(place)) => {
                        place.insert(items.len());
                        items.push(item);
                    }
                    None => items.push(item),
                }
            }
            Value { origin: base.origin, tag: None, content: Content::List(items) }
        }
        // For `env_file` and similar keys, a text is a list with one item.
        (Content::Text { text, raw }, Content::List(more)) if appends_text(path) => {
            let first = Value { origin: base.origin.clone(), tag: None, content: Content::Text { text, raw } };
            let items = std::iter::once(first).chain(more).collect();
            Value { origin: base.origin, tag: None, content: Content::List(items) }
        }
        (base_content @ (Content::List(_) | Content::Text { .. }), Content::Text { text, raw })
            if appends_text(path) =>
        {
            let mut items = match base_content {
                Content::List(items) => items,
                content => vec![Value { origin: base.origin.clone(), tag: None, content }],
            };
            items.push(Value { origin: over.origin, tag: None, content: Content::Text { text, raw } });
            Value { origin: base.origin, tag: None, content: Content::List(items) }
        }
        (_, content) => Value { origin: over.origin, tag: None, content },
    }
}

type Entries = Vec<(Located<String>, Value)>;

fn merge_maps(base: Entries, over: Entries, path: &[&str]) -> Entries {
    let mut places: HashMap<String, usize> = HashMap::new();
    for (place, (key, _)) in base.iter().enumerate() {
        places.entry(key.value.clone()).or_insert(place);
    }
    let mut base: Vec<Option<(Located<String>, Value)>> = base.into_iter().map(Some).collect();
    for (key, value) in over {
        let is_service = path == ["services"];
        let inner: Vec<&str> =
            path.iter().copied().chain(std::iter::once(if is_service { "*" } else { key.value.as_str() })).collect();
        let at = places.get(&key.value).copied();
        let known = at.and_then(|at| base.get_mut(at)).and_then(Option::take);
        match (at.zip(known), value.tag.as_deref()) {
            (_, Some("!reset")) => drop(places.remove(&key.value)),
            // The later value has precedence. If both have a value, the key keeps its first place.
            (Some((at, (known, earlier))), _) => base[at] = Some((known, merge(earlier, value, &inner))),
            (None, _) => {
                places.insert(key.value.clone(), base.len());
                base.push(Some((key, without_tags(value))));
            }
        }
    }
    base.into_iter().flatten().collect()
}

/// A value that has no value to merge with: removes `!reset` keys and all tags.
pub(super) fn without_tags(value: Value) -> Value {
    let content = match value.content {
        Content::Map(entries) => Content::Map(
            entries
                .into_iter()
                .filter(|(_, value)| value.tag.as_deref() != Some("!reset"))
                .map(|(key, value)| (key, without_tags(value)))
                .collect(),
        ),
        Content::List(items) => Content::List(items.into_iter().map(without_tags).collect()),
        content => content,
    };
    Value { tag: None, content, ..value }
}

/// Whether a list of `NAME=value` at that path is another form of a map.
fn named_by_key(path: &[&str]) -> bool {
    matches!(path, ["services", "*", "environment" | "labels" | "annotations" | "sysctls" | "extra_hosts"])
        || matches!(path, ["services", "*", "build", "args" | "labels" | "additional_contexts"])
}

/// Expands short forms of a map: `build: .`, `depends_on: [db]`, `networks: [back]`.
fn as_map(value: Value, path: &[&str]) -> Value {
    match (path, &value.content) {
        (["services", "*", "build"], Content::Text { .. }) => {
            let key = Located::new("context".to_owned(), value.origin.clone());
            Value { origin: value.origin.clone(), tag: None, content: Content::Map(vec![(key, value)]) }
        }
        (["services", "*", "depends_on" | "networks"], Content::List(items)) => {
            let entries = items
                .iter()
                .filter_map(|item| {
                    let key = Located::new(item.as_str()?.to_owned(), item.origin.clone());
                    Some((key, Value { origin: item.origin.clone(), tag: None, content: Content::Null }))
                })
                .collect();
            Value { origin: value.origin.clone(), tag: None, content: Content::Map(entries) }
        }
        _ => value,
    }
}

fn replaces(path: &[&str]) -> bool {
    matches!(path, ["services", "*", "command" | "entrypoint"] | ["services", "*", "healthcheck", "test"])
}

fn appends_text(path: &[&str]) -> bool {
    matches!(path, ["services", "*", "env_file" | "dns" | "dns_search" | "tmpfs" | "label_file"] | ["include"])
}

/// The identity of a list's item. Two items with the same identity are merged.
fn identity(item: &Value, path: &[&str]) -> Option<String> {
    match path {
        ["services", "*", "volumes"] => target_of_mount(item),
        ["services", "*", "ports"] => Some(match &item.content {
            Content::Map(_) => {
                let part = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                format!("{}:{}:{}/{}", part("host_ip"), part("published"), part("target"), part("protocol"))
            }
            _ => item.as_str()?.to_owned(),
        }),
        ["services", "*", "secrets" | "configs"] => Some(
            item.get("target")
                .or_else(|| item.get("source"))
                .and_then(Value::as_str)
                .or_else(|| item.as_str())?
                .to_owned(),
        ),
        ["services", "*", "expose" | "profiles" | "cap_add" | "cap_drop" | "security_opt" | "env_file"] => {
            Some(item.as_str()?.to_owned())
        }
        _ => None,
    }
}

/// The path of a mount in the container, from its short or long form.
pub(super) fn target_of_mount(item: &Value) -> Option<String> {
    if let Some(target) = item.get("target") {
        return target.as_str().map(str::to_owned);
    }
    let parts: Vec<&str> = item.as_str()?.split(':').collect();
    let target = match parts.as_slice() {
        [only] => only,
        [_, target, ..] => target,
        [] => return None,
    };
    Some((*target).to_owned())
}
