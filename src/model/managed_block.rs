//! The two marker lines around the part of `.env` that devenv manages.
//!
//! This code is not in `dotenv/`, because readers of manifests must skip the block too: Compose reads `.env`.

use std::collections::BTreeSet;
use std::ops::Range;

/// First line of the managed block.
pub const BLOCK_START: &str = "# >>> devenv: written by `devenv up`, do not edit between these lines >>>";
/// Last line of the managed block.
pub const BLOCK_END: &str = "# <<< devenv <<<";

/// The text without the managed block; the lines of the block are emptied, not removed, so that line numbers stay the
/// same.
pub fn without_managed_block(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(block) = next_block(text, at) {
        kept.push_str(&text[at..block.start]);
        kept.extend(text[block.clone()].chars().filter(|c| *c == '\n'));
        at = block.end;
    }
    kept.push_str(&text[at..]);
    kept
}

/// The range of the next block, from its start line to its end.
fn next_block(text: &str, from: usize) -> Option<Range<usize>> {
    // The offsets of the beginning and the end of the start line.
    let mut open: Option<(usize, usize)> = None;
    let mut at = from;
    for line in text[from..].split_inclusive('\n') {
        let next = at + line.len();
        let content = line.trim_start_matches('\u{feff}').trim_end();
        match open {
            None if content == BLOCK_START => open = Some((at, next)),
            Some((start, _)) if content == BLOCK_END => return Some(start..next),
            Some((start, inside)) if content == BLOCK_START => {
                return Some(start..inside + unclosed_length(&text[inside..at]));
            }
            _ => {}
        }
        at = next;
    }
    open.map(|(start, inside)| start..inside + unclosed_length(&text[inside..]))
}

/// The length in bytes of the text that devenv can have written after a start line that has no end line: up to an empty
/// line, a line that sets no variable, or a line that sets the same name again. The rest of the text belongs to the
/// user.
pub fn unclosed_length(rest: &str) -> usize {
    let mut names = BTreeSet::new();
    let mut at = 0;
    while at < rest.len() {
        let end = rest[at..].find('\n').map_or(rest.len(), |feed| at + feed + 1);
        let line = rest[at..end].trim_end();
        if !line.starts_with('#') {
            let Some((name, value)) = line.split_once('=') else { return at };
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_name || !names.insert(name) {
                return at;
            }
            let value_at = at + name.len() + 1;
            if let Some(quote) = value.chars().next().filter(|c| matches!(c, '\'' | '"')) {
                let Some(length) = quoted_length(&rest[value_at + 1..], quote) else { return at };
                let closed = value_at + 1 + length;
                at = rest[closed..].find('\n').map_or(rest.len(), |feed| closed + feed + 1);
                continue;
            }
        }
        at = end;
    }
    at
}

/// Bytes up to the closing quote; in double quotes, a backslash escapes a quote.
fn quoted_length(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let closes = c == quote && !escaped;
        escaped = quote == '"' && c == '\\' && !escaped;
        closes.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_goes_and_line_numbers_stay() {
        let text = format!("A=1\r\n{BLOCK_START}\nB=2\n{BLOCK_END}\nC=3\n");
        assert_eq!(without_managed_block(&text), "A=1\r\n\n\n\nC=3\n");
    }

    #[test]
    fn after_a_lost_end_line_what_devenv_cannot_have_written_is_the_user_s() {
        for (ours, theirs) in [
            ("B=2", ""),
            ("# to fill in\nB=\nC='x\n\ny'\n", "\nTAG=16\n"),
            ("B=2\nC=\"it's \\\"\"\n", "B=mine\nD=4\n"),
            ("B=2\n", "export D=4\n"),
            ("B=2\n", "not a line\nD=4\n"),
        ] {
            let lines = "\n".repeat(1 + ours.matches('\n').count());
            let text = format!("A=1\n{BLOCK_START}\n{ours}{theirs}");
            assert_eq!(without_managed_block(&text), format!("A=1\n{lines}{theirs}"), "{text:?}");
        }
    }

    #[test]
    fn a_start_line_before_the_end_line_begins_another_block() {
        let text = format!("{BLOCK_START}\nB=2\n\nMINE=1\n{BLOCK_START}\nB=3\n{BLOCK_END}\nC=4\n");
        assert_eq!(without_managed_block(&text), "\n\n\nMINE=1\n\n\n\nC=4\n");
    }
}
