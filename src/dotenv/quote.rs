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

use crate::model::{BLOCK_END, BLOCK_START};
use std::borrow::Cow;

/// The value as it stands after the `=`, or why it cannot stand there.
pub(super) fn quote(value: &str) -> Result<Cow<'_, str>, &'static str> {
    if value.contains('\0') {
        return Err("it holds a NUL character, which no variable can");
    }
    if value.contains('\r') {
        return Err("it holds a carriage return, which python-dotenv and others read as a line feed");
    }
    if python_replaces(value) {
        return Err("it holds `${…}`, which python-dotenv replaces even inside single quotes");
    }
    if value.lines().any(|line| [BLOCK_START, BLOCK_END].contains(&line.trim_end())) {
        return Err("it holds a line that marks where the part of `.env` written by devenv starts or ends");
    }
    if value.chars().all(is_bare) {
        return Ok(Cow::Borrowed(value));
    }
    if value.contains('\'') {
        return if value.contains(['"', '\\', '$', '`']) {
            Err("it holds `'` together with `\"`, `\\`, `$` or a backtick, and no quotes carry both for every reader")
        } else {
            Ok(Cow::Owned(format!("\"{value}\"")))
        };
    }
    if value.contains("\\\\") || value.ends_with('\\') {
        return Err("it holds two backslashes in a row or ends with one, which python-dotenv reads as an escape");
    }
    Ok(Cow::Owned(format!("'{value}'")))
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
            assert_eq!(quote(value).as_deref(), Ok(written), "{value:?}");
        }
    }

    #[test]
    fn what_no_form_carries_is_refused() {
        for value in [
            "a\0b",
            "a\r\nb",
            "${X}",
            "a${X:-b}c",
            "it's $5",
            "it's \"so\"",
            "it's `so`",
            "it's \\",
            "\\\\host",
            "end\\",
        ] {
            assert!(quote(value).is_err(), "{value:?}");
        }
        assert!(quote(&format!("a\n{BLOCK_END}\nb")).is_err());
    }
}
