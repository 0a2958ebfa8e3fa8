//! Reads assignments from the text of an env file, with their positions.
//!
//! A value is given only if the readers that `quote` knows agree on it. If the readers differ (a `$`, a backslash in
//! double quotes), the value is unknown, because a guess could be taken for a credential.

use super::quote::python_replaces;
use crate::model::{Secret, without_managed_block};
use std::ops::Range;

/// A variable that the user sets outside the managed block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    /// The variable.
    pub name: String,
    /// The value; `None` if the value depends on the reader.
    pub value: Option<Secret>,
    /// The line, from 1.
    pub line: u32,
    /// The column of the name in characters, from 1.
    pub column: u32,
    /// The length of the name in characters.
    pub length: u32,
}

/// Returns the variables that are set outside the managed block, in order. If a name is set twice, the last line
/// counts.
pub fn user_lines(existing: &str) -> Vec<UserLine> {
    let outside = without_managed_block(existing);
    let mut lines: Vec<UserLine> = Vec::new();
    for assignment in assignments(&outside) {
        lines.retain(|line| line.name != assignment.name);
        lines.push(UserLine {
            name: assignment.name.to_owned(),
            value: assignment.value.map(Secret::new),
            line: assignment.line,
            column: assignment.column,
            length: u32::try_from(assignment.name.len()).unwrap_or(u32::MAX),
        });
    }
    lines
}

/// One assignment in a text.
pub(super) struct Assignment<'a> {
    /// The name.
    pub(super) name: &'a str,
    /// The value; `None` if readers differ.
    pub(super) value: Option<String>,
    /// The line of the name, from 1.
    pub(super) line: u32,
    /// The column of the name in characters, from 1.
    pub(super) column: u32,
    /// The byte range of its lines, with their line endings.
    pub(super) span: Range<usize>,
}

/// Returns every assignment, in order. Other lines are skipped.
pub(super) fn assignments(text: &str) -> Vec<Assignment<'_>> {
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < text.len() {
        let end = line_end(text, at);
        let mut next = end;
        if let Some((name, name_at, value_at)) = name_of(text, at, end) {
            let (value, value_end) = value_of(text, value_at, end);
            next = line_end(text, value_end);
            let before = text[at..name_at].trim_start_matches('\u{feff}');
            let column = u32::try_from(before.chars().count()).unwrap_or(u32::MAX).saturating_add(1);
            found.push(Assignment { name, value, line, column, span: at..next });
        }
        line += u32::try_from(text[at..next].matches('\n').count()).unwrap_or(u32::MAX);
        at = next;
    }
    found
}

/// Returns the end of the line that contains this byte. The line feed belongs to the line.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |feed| at + feed + 1)
}

/// Returns the name that a line sets, the position of the name, and the start of its value.
fn name_of(text: &str, start: usize, end: usize) -> Option<(&str, usize, usize)> {
    let line = &text[start..end];
    let mut rest = line.trim_start_matches('\u{feff}').trim_start();
    if let Some(after) = rest.strip_prefix("export")
        && after.starts_with([' ', '\t'])
        && !after.trim_start().starts_with('=')
    {
        rest = after.trim_start();
    }
    let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_.".contains(c)))?;
    let (name, after) = rest.split_at(length);
    let value = after.trim_start_matches([' ', '\t']).strip_prefix('=')?.trim_start_matches([' ', '\t']);
    (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| (name, end - rest.len(), end - value.len()))
}

/// Returns the value that starts at this byte of a line, and a byte position on the last line of the value.
fn value_of(text: &str, start: usize, end: usize) -> (Option<String>, usize) {
    let rest = &text[start..];
    for mark in ['\'', '"'] {
        let Some(content) = rest.strip_prefix(mark) else { continue };
        let Some(length) = closing(content, mark) else { break };
        let after = start + length + 2;
        let tail = text[after..line_end(text, after)].trim();
        let content = &content[..length];
        let agreed = match mark {
            '\'' => !content.contains("\\\\") && !content.ends_with('\\'),
            _ => !content.contains(['\\', '$', '`']),
        } && !python_replaces(content)
            && !content.contains('\r')
            && (tail.is_empty() || tail.starts_with('#'));
        return (agreed.then(|| content.to_owned()), after);
    }
    let line = text[start..end].trim_end();
    let value = match line.find([' ', '\t']).and_then(|_| comment_at(line)) {
        Some(comment) => line[..comment].trim_end(),
        None => line,
    };
    let agreed = !value.contains(['\'', '"', '`', '$', '\\', '#']);
    (agreed.then(|| value.to_owned()), start)
}

/// Returns the position of the closing quote: the first quote, but in double quotes the first quote that no backslash
/// escapes.
fn closing(content: &str, mark: char) -> Option<usize> {
    let mut escaped = false;
    content.char_indices().find_map(|(at, c)| {
        let closes = c == mark && !escaped;
        escaped = mark == '"' && c == '\\' && !escaped;
        closes.then_some(at)
    })
}

/// Returns the start of a comment that follows a blank.
fn comment_at(line: &str) -> Option<usize> {
    if line.starts_with('#') {
        return None;
    }
    line.match_indices('#').map(|(at, _)| at).find(|at| line[..*at].ends_with([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BLOCK_END, BLOCK_START};

    fn read(text: &str) -> Vec<(&str, Option<String>, u32, u32)> {
        assignments(text).into_iter().map(|found| (found.name, found.value, found.line, found.column)).collect()
    }

    #[test]
    fn values_are_known_where_all_readers_agree() {
        let known = |value: &str| Some(value.to_owned());
        let text = "\u{feff}A=1\r\n export B = 'x y' # why\n# C=2\nnot a line\nD=\"it's\n2 lines\"\nE=a b # c\nF=a#b\nG=\"$A\"\nH='${A}'\nI=postgres://u:p@h/d?a=1&b=2\nJ=\nK='\\\\'\nL='open";
        assert_eq!(
            read(text),
            [
                ("A", known("1"), 1, 1),
                ("B", known("x y"), 2, 9),
                ("D", known("it's\n2 lines"), 5, 1),
                ("E", known("a b"), 7, 1),
                ("F", None, 8, 1),
                ("G", None, 9, 1),
                ("H", None, 10, 1),
                ("I", known("postgres://u:p@h/d?a=1&b=2"), 11, 1),
                ("J", known(""), 12, 1),
                ("K", None, 13, 1),
                ("L", None, 14, 1),
            ]
        );
    }

    #[test]
    fn only_lines_outside_the_block_are_the_users() {
        let text = format!("A=1\n{BLOCK_START}\nB=2\n{BLOCK_END}\nA=3\n C=4\n");
        let lines: Vec<_> = user_lines(&text).into_iter().map(|line| (line.name, line.line, line.column)).collect();
        assert_eq!(lines, [("A".to_owned(), 5, 1), ("C".to_owned(), 6, 2)]);
    }

    #[test]
    fn after_a_lost_end_line_the_users_own_lines_are_still_theirs() {
        let text = format!("{BLOCK_START}\nA=1\nB=2\n\nMINE=1\nB=mine\n");
        let lines: Vec<_> = user_lines(&text).into_iter().map(|line| (line.name, line.line)).collect();
        assert_eq!(lines, [("MINE".to_owned(), 5), ("B".to_owned(), 6)]);
    }

    #[test]
    fn an_unclosed_quote_takes_its_own_line_only() {
        assert_eq!(read("A='x\nB=1\n").into_iter().map(|found| found.0).collect::<Vec<_>>(), ["A", "B"]);
    }
}
