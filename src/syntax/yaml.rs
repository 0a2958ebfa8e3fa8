//! Parses YAML (and JSON, its subset) into located trees.
//!
//! Time and memory are bounded for any text. Depth, the number of values, and the copies that aliases make are limited.
//! A limit that is exceeded is a message with its place.

mod builder;
#[cfg(test)]
mod tests;

use super::tree::Node;
use crate::model::{Diagnostic, SourceFile};
use builder::{Builder, too_deep};
use granit_parser::{ErrorKind, Parser, ScanError, options};
use memchr::memmem;
use std::sync::Arc;

/// The most messages about one file. The rest of the file is then skipped.
const MESSAGES: usize = 20;

/// The content of a file: the documents that could be read, and diagnostics about the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "a stream of YAML is called its documents")]
pub(crate) struct Documents {
    /// Every document that is not empty, in order.
    pub(crate) documents: Vec<Node>,
    /// Errors, each with its place.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// How many values were read, those of broken documents included.
    pub(crate) values: usize,
}

/// A stream of documents with at least this many bytes is read in parts, in parallel.
const LARGE: usize = 512 * 1024;

/// How many values one file may hold, those of aliases included.
pub(crate) const VALUES: usize = 1_000_000;

/// Reads every document of a file. A broken document is reported and the others are kept.
pub(crate) fn parse(source: &Arc<SourceFile>) -> Documents {
    parse_within(source, VALUES)
}

/// Reads every document of a file that may hold at most `most` values.
pub(crate) fn parse_within(source: &Arc<SourceFile>, most: usize) -> Documents {
    let most = most.min(VALUES);
    let parts = if source.text.len() < LARGE { vec![Part::whole(&source.text)] } else { parts(&source.text) };
    let read: Vec<Documents> = match parts.as_slice() {
        [part] => vec![parse_part(source, *part, most)],
        parts => std::thread::scope(|scope| {
            // Values are not spread as evenly as bytes, so each part may hold twice its share.
            let share = (most / parts.len()).saturating_mul(2).min(most);
            let threads: Vec<_> =
                parts.iter().map(|part| scope.spawn(move || parse_part(source, *part, share))).collect();
            let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
            joined.map(|read| read.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        }),
    };
    let mut all = Documents::default();
    for part in read {
        all.documents.extend(part.documents);
        all.diagnostics.extend(part.diagnostics);
        all.values += part.values;
    }
    all.diagnostics.truncate(MESSAGES);
    all
}

/// A part of a file that consists of whole documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part<'t> {
    text: &'t str,
    /// The number of lines before it.
    lines_before: usize,
}

impl<'t> Part<'t> {
    fn whole(text: &'t str) -> Self {
        Self { text, lines_before: 0 }
    }
}

/// Cuts a text into one part for each processor, where documents begin: a line of `---` ends the content before it,
/// also in the middle of a quoted text (YAML 1.2, 9.1.2). A file with directives, which come before that line, is not
/// cut.
fn parts(text: &str) -> Vec<Part<'_>> {
    let count = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    if text.starts_with('%') || memmem::find(text.as_bytes(), b"\n%").is_some() {
        return vec![Part::whole(text)];
    }
    let (mut parts, mut rest, mut lines_before) = (Vec::new(), text, 0);
    for left in (2..=count).rev() {
        let Some(cut) = next_document(rest, rest.len() / left) else { break };
        let (text, after) = rest.split_at(cut);
        parts.push(Part { text, lines_before });
        lines_before += memchr::memchr_iter(b'\n', text.as_bytes()).count();
        rest = after;
    }
    parts.push(Part { text: rest, lines_before });
    parts
}

/// Where the first line of `---` after a position begins.
fn next_document(text: &str, position: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let begins =
        |at: usize| bytes[at..].starts_with(b"\n---") && bytes.get(at + 4).is_none_or(|byte| b" \t\r\n".contains(byte));
    let found = memmem::find_iter(&bytes[position..], b"\n---").map(|at| position + at);
    found.into_iter().find(|at| begins(*at)).map(|at| at + 1)
}

fn parse_part(source: &Arc<SourceFile>, part: Part<'_>, most: usize) -> Documents {
    let options = options! { emit_comments: false, emit_unresolved_aliases: true };
    let mut parser = Parser::new_from_str_with_options(part.text, options);
    let mut builder = Builder::new(source, part.text, part.lines_before, most);
    while let Some(next) = parser.next_event() {
        let step = match next {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => {
                builder.abandon_document(syntax(&builder, &error));
                match parser.proceed_next_document() {
                    Ok(true) => Ok(()),
                    Ok(false) | Err(_) => break,
                }
            }
        };
        if let Err(fatal) = step {
            builder.read.diagnostics.push(*fatal);
            break;
        }
        if builder.read.diagnostics.len() >= MESSAGES {
            break;
        }
    }
    builder.read
}

fn syntax(builder: &Builder<'_>, error: &ScanError) -> Diagnostic {
    let mark = error.marker();
    let origin = builder.place(mark.line(), mark.col(), 1);
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return too_deep(&origin);
    }
    let is_json = origin.path().extension().is_some_and(|ending| ending == "json");
    let (syntax, help) = if is_json {
        ("JSON", "look for a comma, quote or bracket that is missing here or on the line above")
    } else {
        ("YAML", "quote the value if it is meant as text, or fix the indentation above this line")
    };
    Diagnostic::error("yaml-syntax", format!("`{}` is not valid {syntax} here", origin.path().display()))
        .at(&origin, error.info())
        .help(help)
}
