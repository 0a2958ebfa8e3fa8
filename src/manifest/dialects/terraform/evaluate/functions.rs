//! The few functions that are used for versions, names and maps of services. Any other function is unresolved. No
//! function reads a file.

use super::Place;
use crate::syntax::tree::{Entry, Node, NodeKind};

/// The longest text that a function returns, in bytes.
const MAX_LENGTH: usize = 64 * 1024;

/// Evaluates a function; `None` if the function is not known here or a required argument is unresolved.
pub(super) fn call(name: &str, arguments: &[Node], at: &Place<'_>) -> Option<Node> {
    let first = arguments.first();
    let is_resolved = |node: &&Node| node.as_unresolved().is_none();
    let literal = |index: usize| arguments.get(index).and_then(Node::as_literal);
    match name {
        // JSON is kept as a tree, because its parts are read and not its text.
        "jsonencode" | "jsondecode" | "yamlencode" | "toset" | "tolist" | "tomap" | "tostring" | "tonumber"
        | "tobool" | "sensitive" | "nonsensitive" | "trimspace" | "one" => first.cloned(),
        "lower" => Some(at.text(&literal(0)?.to_lowercase())),
        "upper" => Some(at.text(&literal(0)?.to_uppercase())),
        "coalesce" => arguments.iter().find(|node| !is_empty(node)).filter(is_resolved).cloned(),
        "try" => arguments.iter().find(is_resolved).cloned(),
        "merge" => {
            let mut merged: Vec<Entry> = Vec::new();
            for argument in arguments.iter().filter(|node| !node.is_null()) {
                for entry in argument.as_mapping()? {
                    merged.retain(|known| known.key.value != entry.key.value);
                    merged.push(entry.clone());
                }
            }
            Some(at.node(NodeKind::Mapping(merged)))
        }
        "concat" | "setunion" => {
            let mut all = Vec::new();
            for argument in arguments {
                all.extend_from_slice(argument.as_sequence()?);
            }
            Some(at.node(NodeKind::Sequence(all)))
        }
        "keys" => {
            let keys = first?.as_mapping()?.iter().map(|entry| at.text(&entry.key.value));
            Some(at.node(NodeKind::Sequence(keys.collect())))
        }
        "values" => {
            let values = first?.as_mapping()?.iter().map(|entry| entry.value.clone());
            Some(at.node(NodeKind::Sequence(values.collect())))
        }
        "lookup" => {
            let (map, key) = (first?, literal(1)?);
            map.as_mapping()?;
            map.get(key).or(arguments.get(2)).cloned()
        }
        "element" => {
            let items = first?.as_sequence()?;
            let index: usize = literal(1)?.parse().ok()?;
            items.get(index.checked_rem(items.len())?).cloned()
        }
        "length" => {
            let length = match &first?.kind {
                NodeKind::Sequence(items) => items.len(),
                NodeKind::Mapping(entries) => entries.len(),
                NodeKind::Scalar { .. } => first?.as_literal()?.chars().count(),
            };
            Some(at.plain(length.to_string()))
        }
        "contains" => {
            let items = first?.as_sequence()?;
            let wanted = literal(1)?;
            let all: Option<Vec<&str>> = items.iter().map(Node::as_literal).collect();
            Some(at.boolean(all?.contains(&wanted)))
        }
        "join" => {
            let parts: Option<Vec<&str>> = arguments.get(1)?.as_sequence()?.iter().map(Node::as_literal).collect();
            let (parts, between) = (parts?, first?.as_str().unwrap_or_default());
            let length: usize = parts.iter().map(|part| part.len() + between.len()).sum();
            (length <= MAX_LENGTH).then(|| at.text(&parts.join(between)))
        }
        "replace" => {
            let (text, from, to) = (literal(0)?, literal(1)?, arguments.get(2)?.as_str().unwrap_or_default());
            // `/…/` is a regular expression.
            if from.starts_with('/') {
                return None;
            }
            let length = text.len() + text.matches(from).count().saturating_mul(to.len());
            (length <= MAX_LENGTH).then(|| at.text(&text.replace(from, to)))
        }
        "split" => {
            let parts = literal(1)?.split(literal(0)?).map(|part| at.text(part));
            Some(at.node(NodeKind::Sequence(parts.collect())))
        }
        "format" => {
            let mut text = String::new();
            let mut rest = literal(0)?;
            let mut values = arguments[1..].iter();
            while let Some(found) = rest.find('%').filter(|_| text.len() <= MAX_LENGTH) {
                text.push_str(&rest[..found]);
                match rest.as_bytes().get(found + 1) {
                    Some(b's' | b'd' | b'v') => text.push_str(values.next()?.as_literal()?),
                    Some(b'%') => text.push('%'),
                    _ => return None,
                }
                rest = &rest[found + 2..];
            }
            text.push_str(rest);
            (text.len() <= MAX_LENGTH).then(|| at.text(&text))
        }
        _ => None,
    }
}

fn is_empty(node: &Node) -> bool {
    node.as_unresolved().is_none()
        && matches!(&node.kind, NodeKind::Scalar { .. })
        && node.as_str().is_none_or(str::is_empty)
}
