//! YAML with templates in it: what they would put in is not known, and the rest is read all the same.
//!
//! Lines stay where they are, so that every place is one of the file as it was written.

use crate::manifest::files::parse_yaml;
use crate::model::{Diagnostic, Located, Origin, SourceFile};
use crate::project::Budget;
use crate::syntax::tree::{Entry, Node, NodeKind};
use crate::syntax::yaml::Documents;
use std::sync::Arc;

/// Parses a text that stands in for a file's own, line by line; places lead to the file. `scalar` sees every scalar.
pub(super) fn parse(
    source: &Arc<SourceFile>,
    text: String,
    budget: &Budget,
    scalar: &dyn Fn(String) -> String,
) -> Documents {
    let stand_in = Arc::new(SourceFile { path: source.path.clone(), text });
    let read = parse_yaml(&stand_in, budget);
    Documents {
        documents: read.documents.into_iter().map(|node| relocated(node, source, scalar)).collect(),
        diagnostics: read.diagnostics.into_iter().map(|found| of_file(found, source)).collect(),
        values: read.values,
    }
}

fn of_file(mut found: Diagnostic, source: &Arc<SourceFile>) -> Diagnostic {
    let related = found.related.iter_mut().map(|place| &mut place.origin);
    for origin in found.origin.iter_mut().chain(related) {
        *origin = moved(origin, source);
    }
    found
}

fn moved(origin: &Origin, source: &Arc<SourceFile>) -> Origin {
    let line = source.text.lines().nth(origin.line as usize - 1).unwrap_or_default();
    let width = u32::try_from(line.chars().count()).unwrap_or(u32::MAX);
    let column = origin.column.min(width.max(1));
    let length = origin.length.min((width + 1).saturating_sub(column)).max(1);
    Origin { file: Arc::clone(source), line: origin.line, column, length }
}

fn relocated(node: Node, source: &Arc<SourceFile>, change: &dyn Fn(String) -> String) -> Node {
    // Counting lines once for each node would take the square of a long file's time.
    let here = |origin: &Origin| Origin { file: Arc::clone(source), ..origin.clone() };
    let kind = match node.kind {
        NodeKind::Sequence(items) => {
            NodeKind::Sequence(items.into_iter().map(|item| relocated(item, source, change)).collect())
        }
        NodeKind::Mapping(entries) => NodeKind::Mapping(
            entries
                .into_iter()
                .map(|entry| Entry {
                    key: Located::new(entry.key.value, here(&entry.key.origin)),
                    value: relocated(entry.value, source, change),
                })
                .collect(),
        ),
        NodeKind::Scalar { text, quoted } => NodeKind::Scalar { text: change(text), quoted },
    };
    Node { origin: here(&node.origin), tag: node.tag, kind }
}

/// A text with each `open…close` replaced by what `replace` makes of the inside; none leaves the line without it.
/// What is never closed stays as it is.
pub(super) fn replaced(text: &str, open: &str, close: &str, replace: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        let Some((inside, after)) = after.split_once(close) else { break };
        result.push_str(before);
        if let Some(text) = replace(inside) {
            result.push_str(&text);
        }
        // A template over several lines takes as many.
        result.extend(inside.chars().filter(|c| *c == '\n'));
        rest = after;
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_closed_stays_and_lines_are_kept() {
        let mut upper = |inside: &str| Some(inside.trim().to_uppercase());
        assert_eq!(replaced("a (( b )) c (( d", "((", "))", &mut upper), "a B c (( d");
        assert_eq!(replaced("a <%\n x\n%> b", "<%", "%>", &mut |_| None), "a \n\n b");
    }
}
