//! The managed block: its text, its place among the user's lines, and whether it still says what it should.
//!
//! Every byte outside the block stays as it is, whatever its line ends; the block's own lines end in a line feed.

use super::entry::check_name;
use super::quote::quote;
use super::reader::assignments;
use super::{Entry, Refusal};
use crate::model::{BLOCK_END, BLOCK_START};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The managed block with its marker lines, or every variable that it cannot carry.
pub fn render_block(entries: &[Entry]) -> Result<String, Vec<Refusal>> {
    Ok(format!("{BLOCK_START}\n{}{BLOCK_END}\n", render_lines(entries)?))
}

/// The lines between the markers.
pub(super) fn render_lines(entries: &[Entry]) -> Result<String, Vec<Refusal>> {
    let mut text = String::new();
    let mut refusals = Vec::new();
    let mut written = BTreeMap::new();
    for entry in entries {
        if let Some(before) = written.insert(&entry.name, &entry.value) {
            if *before != entry.value {
                refusals.push(Refusal::new(&entry.name, "it is there twice, with different values"));
            }
            continue;
        }
        if let Err(refusal) = check_name(&entry.name) {
            refusals.push(refusal);
            continue;
        }
        match quote(entry.value.text().unwrap_or_default()) {
            Ok(value) => {
                push_comment(&mut text, entry.comment.as_deref());
                let _ = writeln!(text, "{}={value}", entry.name);
            }
            Err(reason) => refusals.push(Refusal::new(&entry.name, reason)),
        }
    }
    if refusals.is_empty() { Ok(text) } else { Err(refusals) }
}

/// Writes a comment above a line; what could end it early is made visible.
pub(super) fn push_comment(text: &mut String, comment: Option<&str>) {
    for line in comment.into_iter().flat_map(str::lines) {
        text.push_str("# ");
        for c in line.chars() {
            if c.is_control() { text.extend(c.escape_debug()) } else { text.push(c) }
        }
        text.push('\n');
    }
}

/// Whether the file has a block of ours.
pub fn has_block(existing: &str) -> bool {
    parts(existing).iter().any(|part| !matches!(part, Part::Outside(_)))
}

/// The text of the file with this block in the place of the old one, else at the end.
///
/// A further block goes. Where a block has no end line, nobody can tell what below its start line is the user's: all of
/// it stays, below the new block, and lines that set what the block sets become comments.
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
        push_disarmed(&mut merged, unclosed, block);
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

/// How the comment of a line begins that is left to the user.
pub const TO_FILL_IN: &str = "to fill in below this block";

/// The text with a copy, at its end, of each line of the block that sets one of these names to something although the
/// comment above it left that to the user: what was filled in inside the block, which is written anew. A value of our own
/// is none of them. Nothing where there is none; else also the names.
pub fn lift(existing: &str, names: &BTreeSet<&str>) -> Option<(String, Vec<String>)> {
    let mut lifted = existing.to_owned();
    let mut found = Vec::new();
    for part in parts(existing) {
        let Part::Block { text, .. } = part else { continue };
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

/// Copies what stood below a start line that has no end line; what the block sets is turned into comments.
fn push_disarmed(merged: &mut String, rest: &str, block: &str) {
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

/// How the file's block differs from what it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase", tag = "difference", content = "name")]
pub enum Difference {
    /// A variable is not there.
    Missing(String),
    /// It has another value.
    Changed(String),
    /// It is there and should not be.
    Superfluous(String),
}

/// What differs between the file's block and this one; nothing where it is up to date. Comments do not count.
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
            Some(found) => (found.is_none() || found != value).then(|| Difference::Changed((*name).to_owned())),
        })
        .collect();
    differences.extend(
        there.keys().filter(|name| !wanted.contains_key(*name)).map(|name| Difference::Superfluous((*name).to_owned())),
    );
    differences
}

fn values(text: &str) -> BTreeMap<&str, Option<String>> {
    assignments(text).into_iter().map(|assignment| (assignment.name, assignment.value)).collect()
}

/// A stretch of a file's text.
enum Part<'a> {
    /// The user's.
    Outside(&'a str),
    /// From a start line to its end line; `bom` where the file's byte order mark stands before it.
    Block { bom: bool, text: &'a str },
    /// A start line without an end line before the next start line or the end; `rest` is what follows it.
    Unclosed { bom: bool, rest: &'a str },
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut outside_from = 0;
    // Where the open start line begins and ends, while one is open.
    let mut open: Option<(usize, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        let content = line.trim_start_matches('\u{feff}').trim_end();
        if content == BLOCK_START {
            if let Some((start, rest)) = open {
                parts.push(Part::Unclosed { bom: has_bom(text, start), rest: &text[rest..at] });
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
        Some((start, rest)) => parts.push(Part::Unclosed { bom: has_bom(text, start), rest: &text[rest..] }),
        None if outside_from < text.len() => parts.push(Part::Outside(&text[outside_from..])),
        None => {}
    }
    parts
}

fn has_bom(text: &str, at: usize) -> bool {
    text[at..].starts_with('\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dotenv::EntryValue;
    use crate::model::Secret;
    use proptest::prelude::*;

    fn entry(name: &str, value: &str) -> Entry {
        Entry { name: name.to_owned(), value: EntryValue::Plain(value.to_owned()), comment: None }
    }

    fn block(values: &[(&str, &str)]) -> String {
        let entries: Vec<Entry> = values.iter().map(|(name, value)| entry(name, value)).collect();
        render_block(&entries).unwrap()
    }

    #[test]
    fn what_was_filled_in_inside_the_block_is_copied_below_it() {
        let existing =
            format!("A=1\n{BLOCK_START}\n# {TO_FILL_IN}; production: x\nKEY='sk'\nEMPTY=\nURL=x\n{BLOCK_END}\n");
        // What was ours stays ours, also where nothing gives it a value any more.
        let (text, names) = lift(&existing, &BTreeSet::from(["KEY", "EMPTY", "URL"])).unwrap();
        assert_eq!(names, ["KEY"]);
        assert_eq!(text, format!("{existing}KEY='sk'\n"));
        assert_eq!(lift(&existing, &BTreeSet::from(["EMPTY"])), None);
    }

    #[test]
    fn a_block_holds_values_comments_and_empty_lines_to_fill_in() {
        let entries = [
            entry("LOG_LEVEL", "info"),
            Entry {
                name: "DATABASE_URL".into(),
                value: EntryValue::Secret(Secret::new("postgresql://a:b@127.0.0.1:1/d?x=1&y=2")),
                comment: Some("`sslmode` was dropped\nsecond \u{1b}line".into()),
            },
            Entry { name: "STRIPE_KEY".into(), value: EntryValue::Empty, comment: Some("a secret".into()) },
        ];
        let lines = render_lines(&entries).unwrap();
        assert_eq!(
            lines,
            "LOG_LEVEL=info\n# `sslmode` was dropped\n# second \\u{1b}line\nDATABASE_URL='postgresql://a:b@127.0.0.1:1/d?x=1&y=2'\n# a secret\nSTRIPE_KEY=\n"
        );
    }

    #[test]
    fn every_variable_that_cannot_be_carried_is_named_at_once_and_its_value_is_not_told() {
        let entries = [entry("A", "hush\r"), entry("B", "fine"), entry("C-D", "x"), entry("B", "other")];
        let refusals = render_block(&entries).unwrap_err();
        assert_eq!(refusals.iter().map(|refusal| refusal.name.as_str()).collect::<Vec<_>>(), ["A", "C-D", "B"]);
        assert!(!format!("{refusals:?}").contains("hush"));
    }

    #[test]
    fn the_block_takes_the_place_of_the_old_one() {
        let (old, new) = (block(&[("A", "1")]), block(&[("A", "2")]));
        for (before, after) in [
            (String::new(), new.clone()),
            ("X=1\n".into(), format!("X=1\n\n{new}")),
            ("X=1".into(), format!("X=1\n\n{new}")),
            ("X=1\r\nY=2".into(), format!("X=1\r\nY=2\r\n\r\n{new}")),
            ("X=1\n\n".into(), format!("X=1\n\n{new}")),
            (format!("X=1\r\n{old}Y=2"), format!("X=1\r\n{new}Y=2")),
            (format!("\u{feff}{old}Y=2\r\n"), format!("\u{feff}{new}Y=2\r\n")),
            ("\u{feff}X=1\n".into(), format!("\u{feff}X=1\n\n{new}")),
            (old.replace('\n', "\r\n"), new.clone()),
            (old.trim_end().to_owned(), new.clone()),
            (format!("{old}mine=1\n{old}"), format!("{new}mine=1\n")),
            (format!("{BLOCK_END}\nX=1\n{old}"), format!("{BLOCK_END}\nX=1\n{new}")),
        ] {
            assert_eq!(merge(&before, &new), after, "{before:?}");
            assert_eq!(merge(&after, &new), after, "{before:?}, again");
        }
    }

    #[test]
    fn below_a_start_line_without_an_end_line_nothing_is_lost() {
        let new = block(&[("A", "2")]);
        let before = format!("X=1\n{BLOCK_START}\nA=1\r\nmine=\"a\nb\"\nA='c\nd'\n");
        let after = format!("X=1\n{new}# A=1\r\nmine=\"a\nb\"\n# A='c\n# d'\n");
        assert_eq!(merge(&before, &new), after);
        let twice = format!("{BLOCK_START}\nA=1\nmine=1\n{new}Y=1\n");
        assert_eq!(merge(&twice, &new), format!("{new}# A=1\nmine=1\nY=1\n"));
    }

    #[test]
    fn a_stale_block_is_told_by_the_names_that_differ() {
        let new = block(&[("A", "2"), ("B", "x y"), ("C", "")]);
        assert_eq!(check(&format!("Z=1\n{new}A=7\n"), &new), []);
        let old = block(&[("A", "1"), ("B", "x y"), ("D", "gone")]);
        assert_eq!(
            check(&old, &new),
            [Difference::Changed("A".into()), Difference::Missing("C".into()), Difference::Superfluous("D".into())]
        );
        assert_eq!(check("", &new).len(), 3);
    }

    proptest! {
        #[test]
        fn a_value_is_refused_or_read_back_by_dotenvy_and_by_us(value in any::<String>()) {
            reads_back(&value)?;
        }

        #[test]
        fn an_awkward_value_is_refused_or_read_back(value in "[ab '\"\\\\$`{}:#=\n!-]{0,12}") {
            reads_back(&value)?;
        }

        #[test]
        fn merging_keeps_every_line_of_the_user(lines in proptest::collection::vec(line(), 0..12)) {
            let existing = lines.concat();
            let new = block(&[("A", "2")]);
            let merged = merge(&existing, &new);
            prop_assert_eq!(merged.matches(BLOCK_START).count(), 1);
            for line in lines.iter().map(|line| line.trim_end()).filter(|line| line.starts_with("mine")) {
                let kept = |text: &str| text.lines().filter(|kept| kept.trim_end() == line).count();
                let outside: String = parts(&existing).into_iter().map(|part| match part {
                    Part::Outside(text) | Part::Unclosed { rest: text, .. } => text,
                    Part::Block { .. } => "",
                }).collect();
                prop_assert_eq!(kept(&merged), kept(&outside));
            }
            prop_assert_eq!(merge(&merged, &new), merged);
        }
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(format!("{BLOCK_START}\n")),
            Just(format!("{BLOCK_END}\r\n")),
            Just("A=1\n".to_owned()),
            "mine[0-9]=x\r?\n",
            Just("\n".to_owned()),
        ]
    }

    fn reads_back(value: &str) -> Result<(), TestCaseError> {
        let Ok(text) = render_block(&[entry("BEFORE", "1"), entry("X", value), entry("AFTER", "2")]) else {
            return Ok(());
        };
        let expected = [("BEFORE", "1"), ("X", value), ("AFTER", "2")];
        let ours: Vec<_> = assignments(&text).into_iter().map(|found| (found.name, found.value)).collect();
        let wanted: Vec<_> = expected.iter().map(|(name, value)| (*name, Some((*value).to_owned()))).collect();
        prop_assert_eq!(ours, wanted);
        let theirs: Vec<_> = dotenvy::from_read_iter(text.as_bytes()).map(Result::unwrap).collect();
        let wanted: Vec<_> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        prop_assert_eq!(theirs, wanted);
        Ok(())
    }
}
