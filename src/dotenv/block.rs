//! The managed block: its text, its place between the user's lines, and whether its content is up to date.
//!
//! The bytes outside the block stay unchanged, whatever their line endings are. The lines of the block end in a line
//! feed.

use super::entry::check_name;
use super::quote::{Quoted, quote};
use super::reader::{Assignment, assignments};
use super::{Entry, Refusal};
use crate::model::{BLOCK_END, BLOCK_START, unclosed_length};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Returns the managed block with its marker lines, and a refusal for each variable that the block does not carry for
/// all readers.
pub fn render_block(entries: &[Entry]) -> (String, Vec<Refusal>) {
    let (lines, refusals) = render_lines(entries);
    (format!("{BLOCK_START}\n{lines}{BLOCK_END}\n"), refusals)
}

/// Returns the lines between the markers. If a line cannot carry a value, the value is written empty, with the reason
/// above the line.
pub(super) fn render_lines(entries: &[Entry]) -> (String, Vec<Refusal>) {
    let mut text = String::new();
    let mut refusals = Vec::new();
    let mut written = BTreeMap::new();
    for entry in entries {
        if let Some(before) = written.insert(&entry.name, &entry.value) {
            if *before != entry.value {
                refusals.push(Refusal::new(&entry.name, "it is set twice, with different values"));
            }
            continue;
        }
        if let Err(refusal) = check_name(&entry.name) {
            push_comment(&mut text, Some(&format!("{} is not written: {}", entry.name, refusal.reason)));
            refusals.push(refusal);
            continue;
        }
        push_comment(&mut text, entry.comment.as_deref());
        let _ = match quote(entry.value.text().unwrap_or_default()) {
            Quoted::ForAll(value) => writeln!(text, "{}={value}", entry.name),
            Quoted::ForMost(value, reason) => {
                push_comment(&mut text, Some(&format!("some programs read another value: {reason}")));
                refusals.push(Refusal { for_most: true, ..Refusal::new(&entry.name, reason) });
                writeln!(text, "{}={value}", entry.name)
            }
            Quoted::Not(reason) => {
                push_comment(&mut text, Some(&format!("left empty: {reason}")));
                refusals.push(Refusal::new(&entry.name, reason));
                writeln!(text, "{}=", entry.name)
            }
        };
    }
    (text, refusals)
}

/// Writes a comment above a line. Control characters are escaped, because they could end the comment early.
pub(super) fn push_comment(text: &mut String, comment: Option<&str>) {
    for line in comment.into_iter().flat_map(str::lines) {
        text.push_str("# ");
        for c in line.chars() {
            if c.is_control() { text.extend(c.escape_debug()) } else { text.push(c) }
        }
        text.push('\n');
    }
}

/// Whether the file has a devenv block.
pub fn has_block(existing: &str) -> bool {
    parts(existing).iter().any(|part| !matches!(part, Part::Outside(_)))
}

/// Returns the text of the file with this block in the place of the old block, or at the end if there is no old block.
///
/// A second block is removed. If a block has no end line, it is not certain which lines below its start line belong to
/// the user: all of them stay, below the new block. Of these lines, those that set a variable of the block become
/// comments, up to the first line that devenv cannot have written.
pub fn merge(existing: &str, block: &str) -> String {
    let mut merged = String::with_capacity(existing.len() + block.len());
    let mut placed = false;
    for part in parts(existing) {
        let (bom, unclosed) = match part {
            Part::Outside(text) => {
                merged.push_str(text);
                continue;
            }
            Part::Block { bom, .. } => (bom, ""),
            Part::Unclosed { bom, rest } => (bom, rest),
        };
        if bom {
            merged.push('\u{feff}');
        }
        if !placed {
            merged.push_str(block);
            placed = true;
        }
        push_commented_out(&mut merged, unclosed, block);
    }
    if !placed {
        let line_end = if existing.contains("\r\n") { "\r\n" } else { "\n" };
        let has_text = !existing.trim_start_matches('\u{feff}').is_empty();
        if has_text && !existing.ends_with('\n') {
            merged.push_str(line_end);
        }
        if has_text && !existing.trim_end_matches(['\r', '\n']).is_empty() && !ends_with_empty_line(&merged) {
            merged.push_str(line_end);
        }
        merged.push_str(block);
    }
    merged
}

/// Returns the names that a block without an end line sets to another value than this block. [`merge`] turns these
/// lines into comments, since it is not certain who wrote them.
pub fn commented_out(existing: &str, block: &str) -> Vec<String> {
    let wanted = values(block);
    let mut names = Vec::new();
    for part in parts(existing) {
        let Part::Unclosed { rest, .. } = part else { continue };
        for (name, value) in values(rest) {
            if wanted.get(name).is_some_and(|wanted| *wanted != value) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// Returns the text without devenv's block. If a start line has no end line, everything below the start line stays.
pub fn without_block(existing: &str) -> String {
    let mut text = String::with_capacity(existing.len());
    for part in parts(existing) {
        match part {
            Part::Outside(outside) => text.push_str(outside),
            Part::Block { bom, .. } if bom => text.push('\u{feff}'),
            Part::Block { .. } => {}
            Part::Unclosed { rest, .. } => text.push_str(rest),
        }
    }
    text
}

/// The start of the comment above a line whose value the user has to fill in.
pub const TO_FILL_IN: &str = "to fill in below this block";

/// Copies the lines that the user filled in inside the block, because devenv rewrites the block. Returns the text with
/// the copies at its end, and the copied names; `None` if there are none. A line is copied if it sets one of `names` to
/// a non-empty value, and the comment above the line starts with [`TO_FILL_IN`]. A value that devenv wrote is not
/// copied.
pub fn lift(existing: &str, names: &BTreeSet<&str>) -> Option<(String, Vec<String>)> {
    let mut lifted = existing.to_owned();
    let mut found = Vec::new();
    for part in parts(existing) {
        let (Part::Block { text, .. } | Part::Unclosed { rest: text, .. }) = part else { continue };
        for assignment in assignments(text) {
            let empty = assignment.value.as_ref().is_some_and(String::is_empty);
            let mut above = text[..assignment.span.start].lines().rev().take_while(|line| line.starts_with('#'));
            let left_to_user = above.any(|line| line.trim_start_matches(['#', ' ']).starts_with(TO_FILL_IN));
            if empty || !left_to_user || !names.contains(assignment.name) {
                continue;
            }
            if !lifted.ends_with('\n') {
                lifted.push('\n');
            }
            lifted.push_str(&text[assignment.span.clone()]);
            found.push(assignment.name.to_owned());
        }
    }
    (!found.is_empty()).then_some((lifted, found))
}

fn ends_with_empty_line(text: &str) -> bool {
    text.ends_with("\n\n") || text.ends_with("\n\r\n")
}

/// Copies the text below a start line that has no end line. Lines that set a variable of the block become comments.
fn push_commented_out(merged: &mut String, rest: &str, block: &str) {
    let names: BTreeSet<&str> = assignments(block).into_iter().map(|assignment| assignment.name).collect();
    let mut at = 0;
    for assignment in assignments(rest).into_iter().filter(|assignment| names.contains(assignment.name)) {
        merged.push_str(&rest[at..assignment.span.start]);
        for line in rest[assignment.span.clone()].split_inclusive('\n') {
            merged.push_str("# ");
            merged.push_str(line);
        }
        at = assignment.span.end;
    }
    merged.push_str(&rest[at..]);
}

/// How the block of the file differs from the expected block.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase", tag = "difference", content = "name")]
pub enum Difference {
    /// The variable is missing.
    Missing(String),
    /// The variable has another value.
    Changed(String),
    /// The variable is in the block, but should not be.
    Superfluous(String),
}

/// Returns the differences between the file's block and this block; empty if the block is up to date. Comments do not
/// count.
pub fn check(existing: &str, block: &str) -> Vec<Difference> {
    let managed: String = parts(existing)
        .into_iter()
        .map(|part| match part {
            Part::Outside(_) => "",
            Part::Block { text, .. } => text,
            Part::Unclosed { rest, .. } => rest,
        })
        .collect();
    let there = values(&managed);
    let wanted = values(block);
    let mut differences: Vec<Difference> = wanted
        .iter()
        .filter_map(|(name, value)| match there.get(name) {
            None => Some(Difference::Missing((*name).to_owned())),
            Some(found) => (found != value).then(|| Difference::Changed((*name).to_owned())),
        })
        .collect();
    differences.extend(
        there.keys().filter(|name| !wanted.contains_key(*name)).map(|name| Difference::Superfluous((*name).to_owned())),
    );
    differences
}

/// Returns the value of each name, if all readers agree on the value; otherwise the text of its lines.
fn values(text: &str) -> BTreeMap<&str, Result<String, &str>> {
    let value =
        |assignment: &Assignment<'_>| assignment.value.clone().ok_or_else(|| text[assignment.span.clone()].trim_end());
    assignments(text).iter().map(|assignment| (assignment.name, value(assignment))).collect()
}

/// A part of the text of a file.
enum Part<'a> {
    /// Text of the user.
    Outside(&'a str),
    /// A block from its start line to its end line; `bom` is set if the file's byte order mark precedes the block.
    Block { bom: bool, text: &'a str },
    /// A start line without an end line before the next start line or the end of the file; `rest` is the text after the
    /// start line that devenv can have written.
    Unclosed { bom: bool, rest: &'a str },
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut outside_from = 0;
    // The start and the end of the open start line, while a block is open.
    let mut open: Option<(usize, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        let content = line.trim_start_matches('\u{feff}').trim_end();
        if content == BLOCK_START {
            if let Some((start, rest)) = open {
                push_unclosed(&mut parts, has_bom(text, start), &text[rest..at]);
            } else if outside_from < at {
                parts.push(Part::Outside(&text[outside_from..at]));
            }
            open = Some((at, next));
        } else if content == BLOCK_END
            && let Some((start, _)) = open.take()
        {
            parts.push(Part::Block { bom: has_bom(text, start), text: &text[start..next] });
            outside_from = next;
        }
        at = next;
    }
    match open {
        Some((start, rest)) => push_unclosed(&mut parts, has_bom(text, start), &text[rest..]),
        None if outside_from < text.len() => parts.push(Part::Outside(&text[outside_from..])),
        None => {}
    }
    parts
}

/// Adds the text that devenv can have written after the start line, and then the text of the user.
fn push_unclosed<'a>(parts: &mut Vec<Part<'a>>, bom: bool, rest: &'a str) {
    let (rest, outside) = rest.split_at(unclosed_length(rest));
    parts.push(Part::Unclosed { bom, rest });
    if !outside.is_empty() {
        parts.push(Part::Outside(outside));
    }
}

fn has_bom(text: &str, at: usize) -> bool {
    text[at..].starts_with('\u{feff}')
}

#[cfg(test)]
mod tests;
