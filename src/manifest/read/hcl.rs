//! Parses HCL (Terraform, Nomad) into located trees.
//!
//! Blocks get the shape of HCL's JSON form: `resource "type" "name" { … }` is an item of the list under `resource`,
//! `{type: {name: {…}}}`. An expression that is no literal keeps its source text under the tag [`EXPRESSION`], so that
//! a reader cannot take an expression for a value unless it ignores the tag. The parser bounds the nesting; this module
//! bounds the size.

use crate::model::{Diagnostic, Located, Origin, SourceFile};
use crate::syntax::tree::{Entry, Node, NodeKind};
use crate::syntax::yaml::Documents;
use hcl_edit::Span;
use hcl_edit::expr::{Expression, Object, ObjectKey};
use hcl_edit::structure::{Block, BlockLabel, Body, Structure};
use hcl_edit::template::Template;
use std::ops::Range;
use std::sync::Arc;

/// The tag of a scalar that is an expression; its text is the expression's source.
pub(crate) const EXPRESSION: &str = "!expression";

/// The largest file that is read, in bytes.
const LARGEST: usize = 8 * 1024 * 1024;

/// Parses a file. A file that is no HCL is reported at the place of its first mistake.
pub(crate) fn parse(source: &Arc<SourceFile>) -> Documents {
    let mut read = Documents::default();
    if source.text.len() > LARGEST {
        let path = source.path.display();
        read.diagnostics.push(
            Diagnostic::error("hcl-too-large", format!("`{path}` is larger than {} MB", LARGEST / 1024 / 1024))
                .at(&Origin::start_of(source), "not read")
                .help("name the files that describe the services with `-f`"),
        );
        return read;
    }
    if let Some(at) = overgrown(&source.text) {
        let origin = Places::new(source).of(&(at..at + 1));
        read.diagnostics.push(
            Diagnostic::error("hcl-too-large", "an object holds more keys than are read")
                .at(&origin, "not read")
                .because("the time to read an object grows with the square of its keys")
                .help("no manifest needs that: is this the right file?"),
        );
        return read;
    }
    match hcl_edit::parser::parse_body(&source.text) {
        Ok(body) => {
            let mut builder = Builder { places: Places::new(source) };
            let document = builder.body(&body, Origin::start_of(source));
            if !body.is_empty() {
                read.documents.push(document);
            }
        }
        Err(error) => {
            let offset = error.location().offset();
            let origin = Places::new(source).of(&(offset..offset + 1));
            let path = source.path.display();
            let (code, help) = if error.message().contains("nesting depth") {
                ("hcl-too-deep", "no manifest needs that: is this the right file?")
            } else {
                ("hcl-syntax", "check quotes, brackets and braces above this line too")
            };
            read.diagnostics.push(
                Diagnostic::error(code, format!("`{path}` is not valid HCL here"))
                    .at(&origin, error.message())
                    .help(help),
            );
        }
    }
    read
}

/// The offset of the object at which the keys of the text become too many for the parser, which compares each key with
/// every other key of its object. Braces and assignments are counted everywhere, in comments and strings too, so that
/// no object can be hidden. A block counts as an object.
fn overgrown(text: &str) -> Option<usize> {
    /// The largest sum of the squares of the numbers of keys.
    const MAX_SUM: usize = 30_000_000;
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut sum = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open.push((at, 0)),
            b'}' => drop(open.pop()),
            b'=' | b':' => {
                if let Some((begin, keys)) = open.last_mut() {
                    *keys += 1;
                    // One more key adds about this to the square.
                    sum += 2 * *keys;
                    if sum > MAX_SUM {
                        return Some(*begin);
                    }
                }
            }
            _ => {}
        }
    }
    None
}

/// Parses one expression; `None` if the text is no expression.
pub(crate) fn expression(text: &str) -> Option<Expression> {
    hcl_edit::parser::parse_expr(text).ok()
}

/// The text of a template; `None` if it has interpolations.
pub(crate) fn literal_text(template: &Template) -> Option<String> {
    template.iter().map(|element| element.as_literal().map(|text| text.as_str())).collect()
}

struct Builder<'s> {
    places: Places<'s>,
}

impl Builder<'_> {
    fn body(&mut self, body: &Body, origin: Origin) -> Node {
        let mut entries: Vec<Entry> = Vec::new();
        for structure in body {
            match structure {
                Structure::Attribute(attribute) => {
                    let key = Located::new(attribute.key.to_string(), self.origin(attribute.key.span()));
                    let value = self.expression(&attribute.value);
                    entries.push(Entry { key, value });
                }
                Structure::Block(block) => {
                    let key = Located::new(block.ident.to_string(), self.origin(block.ident.span()));
                    let block = self.block(block, &key.origin);
                    match entries.iter_mut().find(|entry| entry.key.value == key.value) {
                        Some(Entry { value: Node { kind: NodeKind::Sequence(blocks), .. }, .. }) => blocks.push(block),
                        Some(_) => {}
                        None => {
                            let value =
                                Node { origin: key.origin.clone(), tag: None, kind: NodeKind::Sequence(vec![block]) };
                            entries.push(Entry { key, value });
                        }
                    }
                }
            }
        }
        Node { origin, tag: None, kind: NodeKind::Mapping(entries) }
    }

    /// A block's body, inside a map for each of its labels.
    fn block(&mut self, block: &Block, at: &Origin) -> Node {
        let mut node = self.body(&block.body, at.clone());
        for label in block.labels.iter().rev() {
            let (text, span) = match label {
                BlockLabel::Ident(ident) => (ident.to_string(), ident.span()),
                BlockLabel::String(text) => (text.as_str().to_owned(), text.span()),
            };
            let key = Located::new(text, self.origin(span));
            let origin = key.origin.clone();
            node = Node { origin, tag: None, kind: NodeKind::Mapping(vec![Entry { key, value: node }]) };
        }
        node
    }

    fn expression(&mut self, expression: &Expression) -> Node {
        let origin = self.origin(expression.span());
        let plain = |text: String| NodeKind::Scalar { text, quoted: false };
        let quoted = |text: String| NodeKind::Scalar { text, quoted: true };
        let kind = match expression {
            Expression::Null(_) => plain("null".to_owned()),
            Expression::Bool(value) => plain(value.value().to_string()),
            Expression::Number(_) => plain(self.places.text(expression.span()).trim().to_owned()),
            Expression::String(text) => quoted(text.as_str().to_owned()),
            Expression::Array(items) => NodeKind::Sequence(items.iter().map(|item| self.expression(item)).collect()),
            Expression::Object(object) => NodeKind::Mapping(self.object(object)),
            Expression::Parenthesis(inner) => {
                let node = self.expression(inner.inner());
                if node.tag.is_none() {
                    return node;
                }
                return self.source(expression, origin);
            }
            Expression::HeredocTemplate(heredoc) => {
                let mut heredoc = heredoc.clone();
                heredoc.dedent();
                match literal_text(&heredoc.template) {
                    Some(text) => quoted(text),
                    None => return self.source(expression, origin),
                }
            }
            Expression::StringTemplate(template) => match literal_text(template) {
                Some(text) => quoted(text),
                None => return self.source(expression, origin),
            },
            _ => return self.source(expression, origin),
        };
        Node { origin, tag: None, kind }
    }

    fn source(&self, expression: &Expression, origin: Origin) -> Node {
        let text = self.places.text(expression.span()).to_owned();
        Node { origin, tag: Some(EXPRESSION.into()), kind: NodeKind::Scalar { text, quoted: false } }
    }

    fn object(&mut self, object: &Object) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(object.len());
        for (key, value) in object {
            let text = match key {
                ObjectKey::Ident(ident) => ident.to_string(),
                ObjectKey::Expression(Expression::String(text)) => text.as_str().to_owned(),
                ObjectKey::Expression(other) => self.places.text(other.span()).trim().to_owned(),
            };
            let key = Located::new(text, self.origin(key.span()));
            entries.push(Entry { key, value: self.expression(value.expr()) });
        }
        entries
    }

    fn origin(&mut self, span: Option<Range<usize>>) -> Origin {
        self.places.of(&span.unwrap_or_default())
    }
}

/// Converts byte offsets to lines and columns. Offsets that are converted in the order of the text take one pass over
/// it.
struct Places<'s> {
    source: &'s Arc<SourceFile>,
    /// Byte offsets at which lines begin.
    lines: Vec<usize>,
    /// Line (counted from 0), byte offset and column (counted from 0) of the last conversion.
    last: (usize, usize, usize),
}

impl<'s> Places<'s> {
    fn new(source: &'s Arc<SourceFile>) -> Self {
        let after = source.text.match_indices('\n').map(|(at, _)| at + 1);
        Self { source, lines: std::iter::once(0).chain(after).collect(), last: (0, 0, 0) }
    }

    fn of(&mut self, span: &Range<usize>) -> Origin {
        let text = self.source.text.as_str();
        let start = floor(text, span.start);
        let line = self.lines.partition_point(|begin| *begin <= start).saturating_sub(1);
        let begin = self.lines.get(line).copied().unwrap_or_default();
        let (from, before) = match self.last {
            (last, at, column) if last == line && at <= start => (at, column),
            _ => (begin, 0),
        };
        let column = before + text[from..start].chars().count();
        self.last = (line, start, column);
        let end = self.lines.get(line + 1).map_or(text.len(), |next| next - 1).min(span.end);
        let length = text[start..floor(text, end).max(start)].trim_end().chars().count().max(1);
        Origin {
            file: Arc::clone(self.source),
            line: small(line + 1),
            column: small(column + 1),
            length: small(length),
        }
    }

    fn text(&self, span: Option<Range<usize>>) -> &'s str {
        span.and_then(|span| self.source.text.get(span)).unwrap_or_default()
    }
}

/// The nearest start of a character at or before a byte offset.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Documents {
        parse(&Arc::new(SourceFile { path: "main.tf".into(), text: text.to_owned() }))
    }

    /// A value by its path, with its place.
    fn value(text: &str, path: &[&str]) -> (String, Option<String>, String) {
        let read = read(text);
        let mut node = &read.documents[0];
        for key in path {
            node = match &node.kind {
                NodeKind::Sequence(items) => &items[key.parse::<usize>().unwrap()],
                _ => node.get(key).unwrap(),
            };
        }
        let NodeKind::Scalar { text, .. } = &node.kind else { panic!("{node:?}") };
        (text.clone(), node.tag.as_deref().map(str::to_owned), node.origin.to_string())
    }

    #[test]
    fn blocks_are_lists_below_their_labels_and_values_know_their_places() {
        let text = "# ü\nresource \"a\" \"b\" {\n  x = 3.10\n  y { z = \"é\" }\n  y { z = \"ö\" }\n}\n";
        let path = ["resource", "0", "a", "b"];
        let at = |more: &[&str]| value(text, &[&path[..], more].concat());
        assert_eq!(at(&["x"]), ("3.10".to_owned(), None, "main.tf:3:7".to_owned()));
        assert_eq!(at(&["y", "1", "z"]), ("ö".to_owned(), None, "main.tf:5:11".to_owned()));
    }

    #[test]
    fn an_expression_that_is_no_literal_keeps_its_source() {
        let expression = |text: &str, source: &str| {
            let (found, tag, _) = value(&format!("x = {text}\n"), &["x"]);
            assert_eq!((found.as_str(), tag.as_deref()), (source, Some(EXPRESSION)), "{text}");
        };
        expression("var.version", "var.version");
        expression("\"${var.a}-b\"", "\"${var.a}-b\"");
        expression("var.a ? \"1\" : \"2\"", "var.a ? \"1\" : \"2\"");
        expression("jsonencode({ a = 1 })", "jsonencode({ a = 1 })");
    }

    #[test]
    fn literals_are_their_text() {
        for (text, wanted) in [
            ("\"a\\\"b\"", "a\"b"),
            ("true", "true"),
            ("null", "null"),
            ("-5", "-5"),
            ("(\"16\")", "16"),
            ("<<-EOT\n    a\n      b\n    EOT\n", "a\n  b\n"),
        ] {
            let (found, tag, _) = value(&format!("x = {text}\n"), &["x"]);
            assert_eq!((found.as_str(), tag), (wanted, None), "{text}");
        }
    }

    #[test]
    fn comments_hold_nothing() {
        assert_eq!(value("/* x = 1 */\n# x = 2\n// x = 3\nx = 4\n", &["x"]).0, "4");
    }

    #[test]
    fn a_broken_file_is_reported_with_its_place() {
        for (text, place) in [("x = \n", "main.tf:1:5"), ("a {\n", "main.tf:1:4")] {
            let found = read(text).diagnostics;
            assert_eq!(found[0].origin.as_ref().unwrap().to_string(), place, "{text:?}");
            assert_eq!(found[0].code, "hcl-syntax");
        }
        let twice = &read("x = 1\nx = 2\n").diagnostics[0];
        assert_eq!(twice.origin.as_ref().unwrap().line, 2);
    }

    #[test]
    fn hostile_files_are_refused() {
        let deep = |open: &str| format!("x = {}", open.repeat(100_000));
        for text in
            [deep("["), deep("{a="), deep("("), deep("!"), deep("\"${"), deep("a ? b : "), "a {".repeat(100_000)]
        {
            assert!(!read(&text).diagnostics.is_empty(), "{}", &text[..20]);
        }
        let keys = (0..20_000).map(|at| format!("k{at} = 1")).collect::<Vec<_>>().join("\n");
        for text in
            [format!("x = {{\n{keys}}}\n"), format!("x = [ {{\n{keys}}} ]\n"), format!("x = \"${{ {{\n{keys}}} }}\"")]
        {
            assert_eq!(read(&text).diagnostics[0].code, "hcl-too-large");
        }
        assert_eq!(read(&format!("{keys}\n")).diagnostics, []);
        let read = read(&"a".repeat(LARGEST + 1));
        assert_eq!(read.diagnostics[0].code, "hcl-too-large");
    }
}
