//! YAML that contains templates. The values that templates would insert are not known, but the rest is read.
//!
//! The number of lines does not change, so every place is a place in the written file.

use crate::manifest::read::files::parse_yaml;
use crate::model::{Diagnostic, Located, Origin, SourceFile};
use crate::project::Budget;
use crate::syntax::tree::{Entry, Node, NodeKind};
use crate::syntax::yaml::Documents;
use std::sync::Arc;

/// Parses a text that replaces a file's own text, line by line. Places lead to the file. `scalar` changes every scalar.
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
    // Counting lines once for each node would take time that grows with the square of the file's length.
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

/// A text with each `open…close` replaced by the result of `replace` for the inside, or removed if the result is
/// `None`. A template that is never closed stays unchanged.
pub(super) fn replaced(text: &str, open: &str, close: &str, replace: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        let Some((inside, after)) = after.split_once(close) else { break };
        result.push_str(before);
        if let Some(text) = replace(inside) {
            result.push_str(&text);
        }
        // A template over several lines is replaced by as many lines.
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
    fn a_template_that_is_never_closed_stays_and_lines_are_kept() {
        let mut upper = |inside: &str| Some(inside.trim().to_uppercase());
        assert_eq!(replaced("a (( b )) c (( d", "((", "))", &mut upper), "a B c (( d");
        assert_eq!(replaced("a <%\n x\n%> b", "<%", "%>", &mut |_| None), "a \n\n b");
    }
}
