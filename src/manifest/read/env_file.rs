//! Compose's files of variables: `.env` and `env_file`, in the syntax that `compose-go`'s `dotenv` reads.
//!
//! Lines are `NAME=value`, `NAME: value`, `export NAME=value`, or a bare `NAME` that takes its value from the
//! environment. A value in single quotes is taken as it is. In a value in double quotes or without quotes, variables
//! are replaced. A quoted value, in single or double quotes, may have several lines. A comment after a value begins
//! with ` #`.

use crate::manifest::read::interpolate::{Interpolated, interpolate};
use crate::model::{Diagnostic, Origin, SourceFile};
use crate::project::{Budget, Resource, VARIABLE, of_text};
use std::collections::HashMap;
use std::sync::Arc;

/// One line's variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name.
    pub(crate) name: String,
    /// Its value; `None` for a bare name that is not set in the environment.
    pub(crate) value: Option<Interpolated>,
    /// Where the value is written.
    pub(crate) origin: Origin,
}

/// How values are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// With quotes, comments and interpolation.
    Compose,
    /// `format: raw`: everything after the `=` as it is.
    Raw,
}

/// Reads a file's variables. `lookup` returns the variables of the environment, which win in interpolation over the
/// lines of the file itself.
pub(crate) fn read(
    file: &Arc<SourceFile>,
    format: Format,
    lookup: &dyn Fn(&str) -> Option<String>,
    budget: &Budget,
) -> (Vec<Entry>, Vec<Diagnostic>) {
    let mut reader = Reader { file, rest: &file.text, line: 1, budget, diagnostics: Vec::new() };
    reader.rest = reader.rest.strip_prefix('\u{feff}').unwrap_or(reader.rest);
    let mut entries: Vec<Option<Entry>> = Vec::new();
    let mut known: HashMap<String, String> = HashMap::new();
    // By name, the index of its last entry so far.
    let mut places: HashMap<String, usize> = HashMap::new();
    // A file that many services name is read for each of them, so each reading is counted.
    if !budget.spend_at(Resource::Steps, file.text.len(), &Origin::start_of(file)) {
        return (Vec::new(), Vec::new());
    }
    while !reader.rest.is_empty() {
        let entry = reader.entry(format, &|name| lookup(name).or_else(|| known.get(name).cloned()));
        if let Some(entry) = entry {
            let text = entry.value.as_ref().map_or(0, |value| value.text.len());
            if !budget.spend_at(Resource::Values, VARIABLE + of_text(text), &entry.origin) {
                break;
            }
            if let Some(value) = &entry.value {
                known.insert(entry.name.clone(), value.text.clone());
            }
            if let Some(earlier) = places.insert(entry.name.clone(), entries.len()) {
                entries[earlier] = None;
            }
            entries.push(Some(entry));
        }
    }
    (entries.into_iter().flatten().collect(), reader.diagnostics)
}

/// How many mistakes of one file are reported.
const MAX_MESSAGES: usize = 20;

struct Reader<'a> {
    file: &'a Arc<SourceFile>,
    rest: &'a str,
    line: u32,
    budget: &'a Budget,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Reads one line, or several lines if a quoted value has several.
    fn entry(&mut self, format: Format, lookup: &dyn Fn(&str) -> Option<String>) -> Option<Entry> {
        let start = self.rest;
        let line_number = self.line;
        let end = start.find('\n').map_or(start.len(), |at| at + 1);
        let line = start[..end].trim_end_matches(['\n', '\r']);
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            self.skip(end);
            return None;
        }
        let content = match content.strip_prefix("export") {
            Some(after) if after.starts_with([' ', '\t']) => after.trim_start(),
            _ => content,
        };
        let name_end = content.find(['=', ':']).unwrap_or(content.len());
        let name = content[..name_end].trim().to_owned();
        let column_of = |part: &str| line[..line.len() - part.len()].chars().count() + 1;
        let origin = |column: usize, length: usize| Origin {
            file: Arc::clone(self.file),
            line: line_number,
            column: u32::try_from(column).unwrap_or(1),
            length: u32::try_from(length.max(1)).unwrap_or(1),
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            let place = origin(column_of(content), content.chars().count().min(1));
            self.report(
                Diagnostic::warning("env-file-line", "a line of a file of variables cannot be read")
                    .at(&place, "no variable's name")
                    .help(
                        "write `NAME=value`; a value with spaces at its ends or with ` #` in it goes in single quotes",
                    ),
            );
            self.skip(end);
            return None;
        }
        if name_end == content.len() {
            let value = lookup(&name).map(Interpolated::literal);
            let origin = origin(column_of(content), name.chars().count());
            self.skip(end);
            return Some(Entry { name, value, origin });
        }
        let after = &content[name_end + 1..];
        let value = if format == Format::Raw { after } else { after.trim_start_matches([' ', '\t']) };
        let column = column_of(value);
        let value_start = line.len() - value.len();
        let quote = value.chars().next().filter(|quote| format == Format::Compose && matches!(quote, '\'' | '"'));
        if let Some(quote) = quote {
            let body = &start[value_start + 1..];
            if let Some(length) = closing_quote(body, quote) {
                let raw = &body[..length];
                let origin = origin(column, raw.lines().next().unwrap_or_default().chars().count() + 2);
                let after = value_start + 1 + length + 1;
                let line_end = start[after..].find('\n').map_or(start.len(), |at| after + at + 1);
                let value = if quote == '\'' {
                    Interpolated::literal(raw)
                } else {
                    self.interpolated(&unescaped(raw), &origin, lookup)
                };
                self.skip(line_end);
                return Some(Entry { name, value: Some(value), origin });
            }
            let place = origin(column, 1);
            self.report(
                Diagnostic::warning(
                    "env-file-line",
                    format!("the value of `{name}` opens a quote and never closes it"),
                )
                .at(&place, "opened here")
                .help("close the quote; the line is read as if it had none"),
            );
        }
        let raw = match format {
            Format::Raw => value,
            Format::Compose => without_comment(value).trim_end(),
        };
        let origin = origin(column, raw.chars().count());
        let value = match format {
            Format::Raw => Interpolated::literal(raw),
            Format::Compose => self.interpolated(raw, &origin, lookup),
        };
        self.skip(end);
        Some(Entry { name, value: Some(value), origin })
    }

    fn interpolated(&mut self, text: &str, origin: &Origin, lookup: &dyn Fn(&str) -> Option<String>) -> Interpolated {
        interpolate(text, lookup, self.budget).unwrap_or_else(|error| {
            if self.budget.blame(origin) {
                return Interpolated::default();
            }
            self.report(
                Diagnostic::warning("interpolation", "a value's `${…}` cannot be read")
                    .at(origin, error.message)
                    .help("write `$$` for a dollar that is no variable, or put the value in single quotes"),
            );
            Interpolated::literal(text)
        })
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MAX_MESSAGES {
            self.diagnostics.push(diagnostic);
        }
    }

    fn skip(&mut self, bytes: usize) {
        let lines = self.rest[..bytes].matches('\n').count();
        self.line += u32::try_from(lines).unwrap_or_default();
        self.rest = &self.rest[bytes..];
    }
}

/// The byte offset of the closing quote; a quote after a backslash does not close.
fn closing_quote(body: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// Replaces the escapes of a value in double quotes. An escaped dollar becomes `$$`, which interpolation turns into a
/// dollar.
fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('$') => text.push_str("$$"),
            Some(c @ ('"' | '\\' | '\'')) => text.push(c),
            Some(other) => text.extend(['\\', other]),
            None => text.push('\\'),
        }
    }
    text
}

/// The text before a ` #`; a value that begins with `#` is a comment as a whole.
fn without_comment(value: &str) -> &str {
    let mut before = ' ';
    for (at, c) in value.char_indices() {
        if c == '#' && before.is_whitespace() {
            return &value[..at];
        }
        before = c;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(String, Option<String>)> {
        let file = Arc::new(SourceFile { path: ".env".into(), text: text.to_owned() });
        let outside = |name: &str| (name == "OUTSIDE").then(|| "given".to_owned());
        let (entries, _) = read(&file, Format::Compose, &outside, &Budget::default());
        entries.into_iter().map(|entry| (entry.name, entry.value.map(|value| value.text))).collect()
    }

    fn value(line: &str) -> String {
        entries(line).remove(0).1.unwrap_or_default()
    }

    #[test]
    fn values_are_read_as_compose_reads_them() {
        for (line, expected) in [
            ("A=b", "b"),
            ("A = b ", "b"),
            ("A: b", "b"),
            ("export A=b", "b"),
            ("A=b  # comment", "b"),
            ("A=b#c", "b#c"),
            ("A=# all comment", ""),
            ("A=\"\" # empty", ""),
            ("A=\"x y\" # comment", "x y"),
            ("A='x $OUTSIDE'", "x $OUTSIDE"),
            ("A=\"x $OUTSIDE\"", "x given"),
            ("A=${NO:-d}", "d"),
            ("A=\"a\\nb\\$c\\\"\"", "a\nb$c\""),
            ("A='two\nlines'", "two\nlines"),
            ("A=x=y", "x=y"),
            ("A=b\r", "b"),
            ("A=", ""),
            ("A=\"open", "\"open"),
        ] {
            assert_eq!(value(line), expected, "{line:?}");
        }
    }

    #[test]
    fn a_bare_name_takes_its_value_from_the_environment() {
        assert_eq!(
            entries("OUTSIDE\nNOWHERE\n"),
            [("OUTSIDE".to_owned(), Some("given".to_owned())), ("NOWHERE".to_owned(), None),]
        );
    }

    #[test]
    fn a_line_may_use_earlier_lines_and_the_last_line_of_a_name_counts() {
        assert_eq!(
            entries("A=1\nB=${A}2\nA=3\n"),
            [("B".to_owned(), Some("12".to_owned())), ("A".to_owned(), Some("3".to_owned())),]
        );
    }

    #[test]
    fn places_are_those_of_the_values_even_after_several_lines() {
        let file = Arc::new(SourceFile { path: ".env".into(), text: "A='x\ny'\n\n  B=  c # d\nnot good\n".to_owned() });
        let (entries, diagnostics) = read(&file, Format::Compose, &|_| None, &Budget::default());
        assert_eq!(entries[1].origin.to_string(), ".env:4:7");
        assert_eq!(entries[1].origin.length, 1);
        assert_eq!(diagnostics[0].origin.as_ref().unwrap().to_string(), ".env:5:1");
    }

    #[test]
    fn raw_values_stay_as_they_are() {
        let file = Arc::new(SourceFile { path: "e".into(), text: "A='x' # $Y\n".to_owned() });
        let (entries, _) = read(&file, Format::Raw, &|_| None, &Budget::default());
        assert_eq!(entries[0].value.as_ref().unwrap().text, "'x' # $Y");
    }
}
