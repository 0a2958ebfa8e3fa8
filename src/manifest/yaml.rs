//! YAML (and JSON, its subset) to located trees.
//!
//! Whatever the text, time and memory are bounded: depth, the number of values, and what aliases multiply are limited,
//! and a limit that is passed is a message with its place.

mod builder;
#[cfg(test)]
mod tests;

use super::tree::Node;
use crate::model::{Diagnostic, SourceFile};
use builder::{Builder, too_deep};
use granit_parser::{ErrorKind, Parser, ScanError, options};
use std::sync::Arc;

/// Messages about one file, after which the rest of it is left alone.
const MESSAGES: usize = 20;

/// What a file holds: the documents that could be read, and what is wrong with the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Documents {
    /// Every document that is not empty, in order.
    pub(crate) documents: Vec<Node>,
    /// Errors, each with its place.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads every document of a file. A broken one is reported and the others are kept.
pub(crate) fn parse(source: &Arc<SourceFile>) -> Documents {
    let options = options! { emit_comments: false, emit_unresolved_aliases: true };
    let mut parser = Parser::new_from_str_with_options(&source.text, options);
    let mut builder = Builder::new(source);
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
        ("YAML", "quote the value if it is meant as text, or mend the indentation above this line")
    };
    Diagnostic::error("yaml-syntax", format!("`{}` is not valid {syntax} here", origin.path().display()))
        .at(&origin, error.info())
        .help(help)
}
