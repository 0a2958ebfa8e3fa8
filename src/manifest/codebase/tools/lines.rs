//! Reads single values from line-based files, each with its place. Values over several lines are skipped.

use crate::manifest::read::place::place;
use crate::model::{Located, SourceFile};
use std::sync::Arc;

/// A part of a file's text with its place.
pub(super) fn located(source: &Arc<SourceFile>, part: &str) -> Located<String> {
    Located::new(part.to_owned(), place(source, part))
}

/// The lines that are not empty, without comments (`#`) and without the space around them.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.split_once('#').map_or(line, |(line, _)| line).trim()).filter(|line| !line.is_empty())
}

/// The value of `name=value`, if a line has it.
pub(super) fn property<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    lines(text).find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('=')).map(str::trim)
}

/// The text in the first pair of quotes.
pub(super) fn quoted(text: &str) -> Option<&str> {
    let begin = text.find(['"', '\''])?;
    let rest = &text[begin + 1..];
    rest.split_once(&text[begin..=begin]).map(|(inside, _)| inside)
}

/// One assignment of a TOML file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assignment<'t> {
    /// The table's name as written: `tool.poetry.dependencies`.
    pub(super) table: &'t str,
    /// The key as written.
    pub(super) key: &'t str,
    /// The value as written, up to the end of the line.
    pub(super) value: &'t str,
}

impl Assignment<'_> {
    /// Whether table and key together are that path, no matter where the path is split between the two.
    pub(super) fn is(&self, path: &str) -> bool {
        let bare = |text: &str| text.replace([' ', '\t', '"', '\''], "");
        let (table, key) = (bare(self.table), bare(self.key));
        if table.is_empty() { key == path } else { path.strip_prefix(&table) == Some(&format!(".{key}")) }
    }
}

/// The assignments of a TOML file that fit on one line. Strings and lists over several lines are skipped.
pub(super) fn toml(text: &str) -> Vec<Assignment<'_>> {
    let mut found = Vec::new();
    let mut table = "";
    let mut open: Option<&str> = None;
    let mut depth = 0_i64;
    for line in text.lines() {
        if let Some(quotes) = open {
            if line.contains(quotes) {
                open = None;
            }
            continue;
        }
        let content = line.trim();
        if depth > 0 {
            depth += brackets(content);
            continue;
        }
        if content.starts_with('#') {
            continue;
        }
        if let Some(header) = content.strip_prefix('[') {
            table = header.trim_start_matches('[').split(']').next().unwrap_or_default().trim();
            continue;
        }
        let Some((key, value)) = content.split_once('=') else { continue };
        let value = value.trim();
        open = ["\"\"\"", "'''"].into_iter().find(|quotes| value.matches(quotes).count() == 1);
        depth = if open.is_some() { 0 } else { brackets(value).max(0) };
        if open.is_none() && depth == 0 {
            found.push(Assignment { table, key: key.trim(), value });
        }
    }
    found
}

/// The number of brackets that a line opens minus those that it closes, without brackets in strings and comments.
fn brackets(line: &str) -> i64 {
    let mut depth = 0;
    let mut quote: Option<char> = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '#') => break,
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth -= 1,
            _ => {}
        }
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_and_look_alikes_are_not() {
        let text = "a = 1\n[project]\nname = \"x\" # y = 2\ndescription = \"\"\"\nrequires-python = \"2\"\n\"\"\"\n\
                    list = [\n  \"b = 3\", # ]\n]\nrequires-python = \">=3.10\"\n[[bin]]\nname='z'\n# [project]\n# c = 4\n\
                    [ tool . \"poetry\" ]\ndependencies.python = '^3.11'\n";
        let found = toml(text);
        let keys: Vec<(&str, &str)> = found.iter().map(|one| (one.key, one.value)).collect();
        assert_eq!(
            keys,
            [
                ("a", "1"),
                ("name", "\"x\" # y = 2"),
                ("requires-python", "\">=3.10\""),
                ("name", "'z'"),
                ("dependencies.python", "'^3.11'")
            ]
        );
        assert!(found[0].is("a") && found[2].is("project.requires-python") && !found[2].is("requires-python"));
        assert!(found[4].is("tool.poetry.dependencies.python"));
    }

    #[test]
    fn properties_and_quotes_are_read() {
        let text = "#java.runtime.version=8\n java.runtime.version = 17 # eleven\n";
        assert_eq!(property(text, "java.runtime.version"), Some("17"));
        assert_eq!(property(text, "java.runtime"), None);
        assert_eq!(quoted("ruby '3.3', \"x\""), Some("3.3"));
        assert_eq!(quoted("ruby"), None);
    }
}
