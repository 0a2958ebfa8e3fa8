//! Plain words: the terms of docs/glossary.md, and sentences that a reader understands at the first reading.
//!
//! The test reads comments and strings of the sources, and the prose of the documentation.

use crate::pages::pages;
use std::fs;
use std::path::{Path, PathBuf};

/// Words that another word replaced, and phrases that take two readings: each with the plain one.
const OLD: &[(&str, &str)] = &[
    ("a sort of", "a kind of"),
    ("anew", "again"),
    ("came of", "resulted from"),
    ("comes of", "results from"),
    ("do with what", "use"),
    ("does with", "uses"),
    ("found out", "determined"),
    ("go on with", "continue with"),
    ("goes on with", "continues with"),
    ("going back", "restoring"),
    ("gone on with", "continued with"),
    ("in earnest", "really"),
    ("is to be had", "is available"),
    ("keeper", "pin"),
    ("laid over", "applied to, layered on"),
    ("leave out", "exclude"),
    ("left alone", "not started, ignored"),
    ("left out", "excluded"),
    ("lie over", "are layered on"),
    ("lies over", "is layered on"),
    ("lying over", "layered on"),
    ("made anew", "created again"),
    ("mend", "fix"),
    ("mended", "fixed"),
    ("mends", "fixes"),
    ("nobody's", "of no user"),
    ("of ours", "of this program"),
    ("set aside", "ignored"),
    ("settled", "determined"),
    ("settles", "determines"),
    ("somebody's", "in use"),
    ("surroundings", "environment"),
    ("untold", "unavailable"),
];

/// A `what` clause after one of these has no noun: "a copy of what lies below".
const HEADLESS_AFTER: &[&str] = &[
    "about", "above", "after", "against", "all", "and", "are", "as", "at", "before", "behind", "below", "beside",
    "besides", "between", "but", "by", "except", "for", "from", "if", "in", "into", "is", "like", "nor", "not", "of",
    "on", "only", "or", "over", "since", "than", "that", "through", "to", "under", "until", "upon", "was", "were",
    "where", "which", "while", "with", "without",
];

/// The paragraphs of a text: lines that follow each other, joined. Each with the number of its first line.
fn paragraphs(lines: impl Iterator<Item = (usize, String)>) -> Vec<(usize, String)> {
    let mut all: Vec<(usize, usize, String)> = Vec::new();
    for (number, line) in lines {
        match all.last_mut() {
            Some((_, last, text)) if *last + 1 == number && !line.is_empty() => {
                *last = number;
                text.push(' ');
                text.push_str(&line);
            }
            _ => all.push((number, number, line)),
        }
    }
    all.into_iter().map(|(first, _, text)| (first, text)).collect()
}

/// Without code: what stands between backticks, in any language of the repository.
fn without_code(text: &str) -> String {
    text.split('`').enumerate().map(|(at, part)| if at % 2 == 0 { part } else { "x" }).collect()
}

/// The comments of a source, and its strings that are sentences.
fn prose_of(code: &str) -> Vec<(usize, String)> {
    let numbered = || code.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let comment =
        |line: &str| line.strip_prefix("//").map(|text| text.trim_start_matches(['/', '!']).trim().to_owned());
    let comments = numbered().filter_map(|(number, line)| Some((number, comment(line)?)));
    let mut all = paragraphs(comments);
    for (number, line) in numbered().filter(|(_, line)| !line.starts_with("//")) {
        let texts = line.split('"').skip(1).step_by(2).filter(|text| text.contains(' '));
        all.extend(texts.map(|text| (number, text.to_owned())));
    }
    all
}

/// What is wrong with a text, by the rules of this file.
fn faults(text: &str) -> Vec<String> {
    let text = without_code(text);
    let lower = text.to_lowercase();
    let mut found = Vec::new();
    for (old, plain) in OLD {
        let is_word = |at: usize| {
            let letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-');
            !letter(lower[..at].chars().next_back()) && !letter(lower[at + old.len()..].chars().next())
        };
        if lower.match_indices(old).any(|(at, _)| is_word(at)) {
            found.push(format!("`{old}`: say {plain}"));
        }
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    for (at, word) in words.iter().enumerate() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        if !bare.eq_ignore_ascii_case("what") || word.contains(['{', '?', '"', '\'']) {
            continue;
        }
        let rest = words[at..].iter().find(|word| word.ends_with(['.', '?', '!']));
        if rest.is_some_and(|word| word.ends_with('?')) {
            continue;
        }
        let begins = at == 0 || words[at - 1].ends_with(['.', '!', '?', ';', ':', ',', '(']) || word.starts_with('(');
        let before = words.get(at.wrapping_sub(1)).map(|word| word.to_lowercase()).unwrap_or_default();
        if begins || HEADLESS_AFTER.contains(&before.as_str()) {
            let clause = words[at..].iter().take(5).copied().collect::<Vec<_>>().join(" ");
            found.push(format!("`{clause} …` has no noun: name the thing"));
        }
    }
    found
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn comments_messages_and_documents_are_in_plain_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    assert!(files.len() > 50, "the sources were found");
    let mut wrong = Vec::new();
    for file in files {
        let code = fs::read_to_string(&file).expect("a source");
        let shown = file.strip_prefix(root).expect("a path of the project").display().to_string();
        for (line, text) in prose_of(&code) {
            wrong.extend(faults(&text).into_iter().map(|fault| format!("{shown}:{line}: {fault}")));
        }
    }
    for page in pages() {
        for line in &page.prose {
            wrong.extend(faults(line).into_iter().map(|fault| format!("{}: {fault}", page.path)));
        }
    }
    assert!(wrong.is_empty(), "{} places:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_rules_see_old_words_and_clauses_without_a_noun_and_nothing_else() {
    for bad in [
        "What the engine has.",
        "A copy of what lies below.",
        "The data is kept as it is. What was written goes.",
        "the data is gone on with",
        "2 apps left alone",
    ] {
        assert!(!faults(bad).is_empty(), "{bad}");
    }
    for good in [
        "Says what is wrong.",
        "What next?",
        "The message says what to do, and where.",
        "It is recommended to amend it.",
        "Reads `what` and `anew`.",
    ] {
        assert_eq!(faults(good), Vec::<String>::new(), "{good}");
    }
}
