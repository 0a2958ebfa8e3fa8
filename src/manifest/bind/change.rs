//! A text in which some parts are replaced by fields. The rest is kept byte for byte.

use super::connection::Parameter;
use crate::manifest::read::interpolate::Interpolated;
use crate::model::{Piece, Template, Value};
use std::ops::Range;

/// A text, and the replacements of its parts.
pub(super) struct Change<'t> {
    pub(super) text: &'t Interpolated,
    pub(super) encoded: bool,
    pub(super) parts: Vec<(Range<usize>, Vec<Piece>)>,
    pub(super) dropped: Vec<String>,
}

impl<'t> Change<'t> {
    pub(super) fn new(text: &'t Interpolated, encoded: bool) -> Self {
        Self { text, encoded, parts: Vec::new(), dropped: Vec::new() }
    }

    pub(super) fn piece(&self, service: &str, field: &str) -> Piece {
        Piece::Field { service: service.to_owned(), field: field.to_owned(), encoded: self.encoded }
    }

    pub(super) fn field(&mut self, range: Range<usize>, service: &str, field: &str) {
        let piece = self.piece(service, field);
        self.parts.push((range, vec![piece]));
    }

    pub(super) fn insert(&mut self, at: usize, before: &str, service: &str, field: &str) {
        let piece = self.piece(service, field);
        self.parts.push((at..at, vec![Piece::Text(before.to_owned()), piece]));
    }

    pub(super) fn text(&mut self, range: Range<usize>, text: String) {
        self.parts.push((range, vec![Piece::Text(text)]));
    }

    /// Removes parameters, each with one separator. If no parameter of a query stays, its `?` is removed too.
    pub(super) fn remove_parameters(&mut self, all: &[Parameter], gone: &[bool]) {
        let text = self.text.text.as_bytes();
        let is_query = all.first().and_then(|first| text.get(first.name.start.checked_sub(1)?)) == Some(&b'?');
        let kept = gone.iter().filter(|gone| !**gone).count();
        for (index, parameter) in all.iter().enumerate().filter(|(index, _)| gone[*index]) {
            let (start, end) = (parameter.name.start, parameter.value.end);
            let kept_before = gone[..index].contains(&false);
            let range = match all.get(index + 1) {
                _ if !is_query || kept_before || kept == 0 => start.saturating_sub(1)..end,
                Some(next) => start..next.name.start,
                None => start..end,
            };
            self.parts.push((range, Vec::new()));
        }
    }

    pub(super) fn into_value(mut self) -> Value {
        self.parts.sort_by_key(|(range, _)| (range.start, range.end));
        let mut template = Template::default();
        let mut at = 0;
        for (range, pieces) in self.parts {
            if range.start < at {
                continue;
            }
            template.push_text(&self.text.text[at..range.start]);
            for piece in pieces {
                match piece {
                    Piece::Text(text) => template.push_text(&text),
                    other => template.0.push(other),
                }
            }
            at = range.end;
        }
        template.push_text(&self.text.text[at..]);
        Value::Bound { template, dropped: self.dropped }
    }
}
