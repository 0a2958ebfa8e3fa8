use super::*;
use crate::dotenv::EntryValue;
use crate::model::Secret;
use proptest::prelude::*;

fn entry(name: &str, value: &str) -> Entry {
    Entry { name: name.to_owned(), value: EntryValue::Plain(value.to_owned()), comment: None }
}

fn block(values: &[(&str, &str)]) -> String {
    let entries: Vec<Entry> = values.iter().map(|(name, value)| entry(name, value)).collect();
    render_block(&entries).0
}

#[test]
fn values_filled_in_inside_the_block_are_copied_below_the_block() {
    let existing = format!("A=1\n{BLOCK_START}\n# {TO_FILL_IN}; production: x\nKEY='sk'\nEMPTY=\nURL=x\n{BLOCK_END}\n");
    // A value that devenv wrote is not copied, even if nothing sets the variable any more.
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
    let (lines, refusals) = render_lines(&entries);
    assert_eq!(refusals, []);
    assert_eq!(
        lines,
        "LOG_LEVEL=info\n# `sslmode` was dropped\n# second \\u{1b}line\nDATABASE_URL='postgresql://a:b@127.0.0.1:1/d?x=1&y=2'\n# a secret\nSTRIPE_KEY=\n"
    );
}

#[test]
fn a_value_that_cannot_be_carried_is_named_but_not_shown_and_affects_no_other_value() {
    let entries = [
        entry("A", "hush\r"),
        entry("B", "fine"),
        entry("C-D", "x"),
        entry("B", "other"),
        entry("E", "it's $5"),
        entry("F", "last"),
    ];
    let (text, refusals) = render_lines(&entries);
    let named: Vec<_> = refusals.iter().map(|refusal| (refusal.name.as_str(), refusal.for_most)).collect();
    assert_eq!(named, [("A", false), ("C-D", false), ("B", false), ("E", true)]);
    assert!(!format!("{refusals:?}{text}").contains("hush"));
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, ["A=", "B=fine", "E=\"it's \\$5\"", "F=last"]);
    assert!(text.contains("# left empty: it holds a carriage return"), "{text}");
    assert_eq!(check(&format!("{BLOCK_START}\n{text}{BLOCK_END}\n"), &text), []);
    let changed = text.replace("$5", "$6");
    assert_eq!(check(&format!("{BLOCK_START}\n{text}{BLOCK_END}\n"), &changed), [Difference::Changed("E".into())]);
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
fn without_the_block_the_lines_of_the_user_are_left() {
    let ours = block(&[("A", "1")]);
    assert_eq!(without_block(&format!("\u{feff}X=1\n\n{ours}Y=2\n")), "\u{feff}X=1\n\nY=2\n");
    assert_eq!(without_block(&format!("{BLOCK_START}\nA=1\n")), "A=1\n");
}

#[test]
fn below_a_start_line_without_an_end_line_nothing_is_lost() {
    let new = block(&[("A", "2")]);
    let before = format!("X=1\n{BLOCK_START}\nA=1\r\nmine=\"a\nb\"\nA='c\nd'\n");
    let after = format!("X=1\n{new}# A=1\r\nmine=\"a\nb\"\nA='c\nd'\n");
    assert_eq!(merge(&before, &new), after);
    let twice = format!("{BLOCK_START}\nA=1\nmine=1\n{new}Y=1\n");
    assert_eq!(merge(&twice, &new), format!("{new}# A=1\nmine=1\nY=1\n"));
    assert_eq!(commented_out(&twice, &new), ["A"]);
    assert_eq!(commented_out(&format!("{BLOCK_START}\nA=2\nmine=1\n"), &new), Vec::<String>::new());
    assert_eq!(commented_out(&format!("{new}A=1\n"), &new), Vec::<String>::new());
}

#[test]
fn a_stale_block_is_recognised_by_the_names_that_differ() {
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
    let (text, refusals) = render_block(&[entry("BEFORE", "1"), entry("X", value), entry("AFTER", "2")]);
    // If one value cannot be carried for all readers, the other values still are.
    let carried = refusals.first().is_none_or(|refusal| refusal.for_most);
    let expected = [("BEFORE", "1"), ("X", if carried { value } else { "" }), ("AFTER", "2")];
    if refusals.is_empty() {
        let ours: Vec<_> = assignments(&text).into_iter().map(|found| (found.name, found.value)).collect();
        let wanted: Vec<_> = expected.iter().map(|(name, value)| (*name, Some((*value).to_owned()))).collect();
        prop_assert_eq!(ours, wanted);
    }
    let theirs: Vec<_> = dotenvy::from_read_iter(text.as_bytes()).map(Result::unwrap).collect();
    let wanted: Vec<_> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    prop_assert_eq!(theirs, wanted);
    Ok(())
}
