//! How a value is quoted, so that every reader reads the same.
//!
//! The readers differ, and what they share is small (python-dotenv 1.2 `parser.py` and `variables.py`, dotenv 17
//! `lib/main.js`, dotenv for Ruby 3 `parser.rb`, dotenvy 0.15 `parse.rs`, POSIX 2.2):
//!
//! - In single quotes all but python-dotenv take every character as it is. python-dotenv reads `\\` as `\` and `\'` as
//!   `'`, so two backslashes in a row and one at the end cannot be there. No reader agrees with another on `'`.
//! - In double quotes `"`, `\`, `$` and the backtick mean something to a shell, and something else to each reader.
//! - python-dotenv replaces `${NAME}` and `${NAME:-text}` whatever the quotes.
//! - Everyone but a shell and dotenvy turns a carriage return into a line feed.
//! - In double quotes a backslash before `"`, `\` and `$` is taken away by a shell, dotenvy and Ruby, by python-dotenv but
//!   for `$`, and not by Node's. Where a quote could be taken for an escaped one, what follows would be part of the value,
//!   so such a form is none: one value never costs the others.

use crate::model::{BLOCK_END, BLOCK_START};
use std::borrow::Cow;

/// How a value can stand after the `=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Quoted<'a> {
    /// So that every reader reads it as it is.
    ForAll(Cow<'a, str>),
    /// So that most readers do, and why not all.
    ForMost(String, &'static str),
    /// Not at all, and why.
    Not(&'static str),
}

/// The form of a value that the most readers read as it is.
pub(super) fn quote(value: &str) -> Quoted<'_> {
    if value.contains('\0') {
        return Quoted::Not("it holds a NUL character, which no variable can");
    }
    if value.contains('\r') {
        return Quoted::Not("it holds a carriage return, which python-dotenv and others read as a line feed");
    }
    if value.lines().any(|line| [BLOCK_START, BLOCK_END].contains(&line.trim_end())) {
        return Quoted::Not("it holds a line that marks where the part of `.env` written by devenv starts or ends");
    }
    if value.chars().all(is_bare) {
        return Quoted::ForAll(Cow::Borrowed(value));
    }
    if value.ends_with('\\') {
        return Quoted::Not("it ends with a backslash, which readers take for an escape of the closing quote");
    }
    if value.contains('\'') {
        if !value.contains(['"', '\\', '$', '`']) {
            return Quoted::ForAll(Cow::Owned(format!("\"{value}\"")));
        }
        if value.contains('`') {
            return Quoted::Not("it holds `'` together with a backtick, and no quotes carry both");
        }
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$");
        let why = "it holds `'` together with `\"`, `\\` or `$`, which Node's dotenv and others read with a backslash too many";
        return Quoted::ForMost(format!("\"{escaped}\""), why);
    }
    let quoted = format!("'{value}'");
    if python_replaces(value) {
        return Quoted::ForMost(quoted, "it holds `${…}`, which python-dotenv replaces even inside single quotes");
    }
    if value.contains("\\\\") {
        return Quoted::ForMost(quoted, "it holds two backslashes in a row, which python-dotenv reads as one");
    }
    Quoted::ForAll(Cow::Owned(quoted))
}

/// Characters that mean nothing to any reader; `=` and `~` are not among them because of zsh.
fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_./:@%+,-".contains(c)
}

/// Whether python-dotenv would replace a part of it: `\$\{[^\}:]*(?::-[^\}]*)?\}` of its `variables.py`.
pub(super) fn python_replaces(value: &str) -> bool {
    value.match_indices("${").any(|(at, opening)| {
        let rest = &value[at + opening.len()..];
        match rest.find(['}', ':']) {
            Some(end) if rest[end..].starts_with('}') => true,
            Some(end) => rest[end..].starts_with(":-") && rest[end..].contains('}'),
            None => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_gets_the_plainest_form_that_every_reader_reads_the_same() {
        for (value, written) in [
            ("", ""),
            ("info", "info"),
            ("127.0.0.1:24310", "127.0.0.1:24310"),
            ("a b", "'a b'"),
            ("postgres://a:b@h/d?x=1&y=2", "'postgres://a:b@h/d?x=1&y=2'"),
            ("$HOME", "'$HOME'"),
            ("${open", "'${open'"),
            ("${a:b}", "'${a:b}'"),
            ("say \"hi\"", "'say \"hi\"'"),
            ("it's", "\"it's\""),
            ("it's # here!", "\"it's # here!\""),
            ("C:\\dir", "'C:\\dir'"),
            ("a\nb", "'a\nb'"),
            ("`ls`", "'`ls`'"),
            ("~", "'~'"),
            (" ", "' '"),
        ] {
            assert_eq!(quote(value), Quoted::ForAll(written.into()), "{value:?}");
        }
    }

    #[test]
    fn what_not_every_reader_takes_gets_the_form_that_most_take_or_none() {
        for (value, written) in [
            ("${X}", "'${X}'"),
            ("a${X:-b}c", "'a${X:-b}c'"),
            ("it's $5", "\"it's \\$5\""),
            ("it's \"so\"", "\"it's \\\"so\\\"\""),
            ("it's \\ x", "\"it's \\\\ x\""),
            ("\\\\host", "'\\\\host'"),
        ] {
            assert!(
                matches!(quote(value), Quoted::ForMost(text, _) if text == written),
                "{value:?}: {:?}",
                quote(value)
            );
        }
        for value in ["a\0b", "a\r\nb", "it's `so`", "it's \\", "end\\", &format!("a\n{BLOCK_END}\nb")] {
            assert!(matches!(quote(value), Quoted::Not(_)), "{value:?}: {:?}", quote(value));
        }
    }
}
