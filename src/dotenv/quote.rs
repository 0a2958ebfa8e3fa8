//! How a value is quoted, so that every reader reads the same value.
//!
//! The readers differ, and they have little in common (python-dotenv 1.2 `parser.py` and `variables.py`, dotenv 17
//! `lib/main.js`, dotenv for Ruby 3 `parser.rb`, dotenvy 0.15 `parse.rs`, POSIX 2.2):
//!
//! - In single quotes, all readers except python-dotenv take every character literally. python-dotenv reads `\\` as `\`
//!   and `\'` as `'`, so the value cannot contain two backslashes in a row or end with a backslash. No two readers
//!   agree on `'`.
//! - In double quotes, `"`, `\`, `$` and the backtick have a meaning for a shell, and another meaning for each reader.
//! - python-dotenv replaces `${NAME}` and `${NAME:-text}` in any quotes.
//! - All readers except a shell and dotenvy turn a carriage return into a line feed.
//! - In double quotes, a shell, dotenvy and Ruby remove a backslash before `"`, `\` and `$`. python-dotenv does so
//!   except before `$`, and Node's dotenv does not. If a reader could take the closing quote for an escaped quote, the
//!   text after the value would become part of the value. That form is not used, so that one value never affects the
//!   others.

use crate::model::{BLOCK_END, BLOCK_START};
use std::borrow::Cow;

/// How a value can be written after the `=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Quoted<'a> {
    /// Every reader reads the value unchanged.
    ForAll(Cow<'a, str>),
    /// Most readers read the value unchanged; the second text says why not all do.
    ForMost(String, &'static str),
    /// The value cannot be written; the text says why.
    Not(&'static str),
}

/// Returns the form of a value that the most readers read unchanged.
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

/// Characters without a meaning for any reader; `=` and `~` are excluded because of zsh.
fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_./:@%+,-".contains(c)
}

/// Whether python-dotenv would replace a part of the value: `\$\{[^\}:]*(?::-[^\}]*)?\}` in its `variables.py`.
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
    fn a_value_that_not_every_reader_reads_gets_the_form_that_most_read_or_none() {
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
