//! Parses YAML with templates (`{{ … }}`) in the place of values that another tool fills in. A template becomes text,
//! as written.
//!
//! Every origin is a place in the original file.

use crate::manifest::read::files::parse_yaml;
use crate::model::{Located, Origin, SourceFile};
use crate::project::Budget;
use crate::syntax::tree::{Entry, Node, NodeKind};
use crate::syntax::yaml::Documents;
use std::sync::Arc;

/// Replace the braces while the text is parsed: characters for private use, which have no meaning in a manifest.
const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';

/// Parses a text whose values contain templates; `None` if it has no template, or has another mistake.
pub(crate) fn parse(source: &Arc<SourceFile>, budget: &Budget) -> Option<Documents> {
    memchr::memmem::find(source.text.as_bytes(), b"{{")?;
    let text: String = source.text.split_inclusive('\n').map(masked).collect();
    let read = parse_yaml(&Arc::new(SourceFile { path: source.path.clone(), text }), budget);
    let documents = read.documents.into_iter().map(|node| restored(node, source)).collect();
    read.diagnostics.is_empty().then_some(Documents { documents, diagnostics: Vec::new(), values: read.values })
}

/// A line with its templates masked. A line that consists only of templates becomes a comment.
fn masked(line: &str) -> String {
    let trimmed = line.trim();
    if trimmed.starts_with("{{")
        && trimmed.ends_with("}}")
        && trimmed.matches("}}").count() == trimmed.matches("{{").count()
    {
        return line.replacen('{', "#", 1);
    }
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    // Braces that are never closed by `}}` are maps in maps.
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inside, after)) = after.split_once("}}") else { break };
        text.push_str(before);
        text.extend([OPEN, OPEN]);
        text.push_str(inside);
        text.extend([CLOSE, CLOSE]);
        rest = after;
    }
    text.push_str(rest);
    text
}

fn restored(node: Node, source: &Arc<SourceFile>) -> Node {
    let here = |origin: Origin| Origin { file: Arc::clone(source), ..origin };
    let text = |text: String| if text.contains(OPEN) { text.replace(OPEN, "{").replace(CLOSE, "}") } else { text };
    let kind = match node.kind {
        NodeKind::Sequence(items) => NodeKind::Sequence(items.into_iter().map(|item| restored(item, source)).collect()),
        NodeKind::Mapping(entries) => NodeKind::Mapping(
            entries
                .into_iter()
                .map(|entry| Entry {
                    key: Located::new(text(entry.key.value), here(entry.key.origin)),
                    value: restored(entry.value, source),
                })
                .collect(),
        ),
        NodeKind::Scalar { text: value, quoted } => NodeKind::Scalar { text: text(value), quoted },
    };
    Node { origin: here(node.origin), tag: node.tag, kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_become_text_at_their_places() {
        let text = "{{- if .Values.db }}\nimage: {{ .Values.image }}:{{ .tag }}\n{{- end }}\nhost: \"{{HOST}}\"\nmap: {a: {b: c}}\n";
        let source = Arc::new(SourceFile { path: "x.yaml".into(), text: text.to_owned() });
        let read = parse(&source, &Budget::default()).unwrap();
        let image = read.documents[0].get("image").unwrap();
        assert_eq!(image.as_str(), Some("{{ .Values.image }}:{{ .tag }}"));
        assert_eq!((image.origin.line, image.origin.column), (2, 8));
        assert!(Arc::ptr_eq(&image.origin.file, &source));
        assert_eq!(read.documents[0].get("host").unwrap().as_str(), Some("{{HOST}}"));
    }

    #[test]
    fn a_text_with_another_mistake_is_not_parsed() {
        let source = Arc::new(SourceFile { path: "x.yaml".into(), text: "a: {{ b }}\n c: [\n".to_owned() });
        assert!(parse(&source, &Budget::default()).is_none());
    }
}
