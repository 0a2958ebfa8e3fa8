use super::*;
use crate::model::SourceFile;

fn read(text: &str) -> Documents {
    parse(&Arc::new(SourceFile { path: "x.yaml".into(), text: text.to_owned() }))
}

fn one(text: &str) -> Node {
    let read = read(text);
    assert_eq!(read.diagnostics, []);
    assert_eq!(read.documents.len(), 1);
    read.documents.into_iter().next().unwrap()
}

fn codes(text: &str) -> Vec<&'static str> {
    read(text).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn scalars_keep_their_source_text() {
    let node = one("a: 3.10\nb: 0x1F\nc: '3.10'\nd: 1_000\ne: !!str 3.10\nf: 08\n");
    for (key, text) in [("a", "3.10"), ("b", "0x1F"), ("c", "3.10"), ("d", "1_000"), ("e", "3.10"), ("f", "08")] {
        assert_eq!(node.get(key).unwrap().as_str(), Some(text));
    }
}

#[test]
fn only_unquoted_words_are_null_or_boolean() {
    let node = one("a:\nb: ~\nc: null\nd: 'null'\ne: yes\nf: 'yes'\ng: ''\n");
    let null = |key: &str| node.get(key).unwrap().is_null();
    assert!(null("a") && null("b") && null("c"));
    assert!(!null("d") && !null("g"));
    assert_eq!(node.get("e").unwrap().as_bool(), Some(true));
    assert_eq!(node.get("f").unwrap().as_bool(), None);
}

#[test]
fn places_are_lines_and_characters_from_one() {
    let node = one("größe:\n  - \"ä b\" # note\n  - {c: d}\n");
    let list = node.get("größe").unwrap().as_sequence().unwrap();
    let place = |node: &Node| (node.origin.line, node.origin.column, node.origin.length);
    assert_eq!(place(&list[0]), (2, 5, 5));
    assert_eq!(place(&list[1]), (3, 5, 6));
    assert_eq!(place(list[1].get("c").unwrap()), (3, 9, 1));
    let key = &node.entry("größe").unwrap().key.origin;
    assert_eq!((key.line, key.column, key.length), (1, 1, 5));
}

#[test]
fn an_alias_keeps_the_place_of_its_anchor() {
    let node = one("a: &x 16\nb: *x\n");
    assert_eq!(node.get("b").unwrap().as_str(), Some("16"));
    assert_eq!(node.get("b").unwrap().origin.line, 1);
}

#[test]
fn the_maps_own_keys_win_over_merged_ones_and_earlier_ones_over_later() {
    let node = one("x: &x {a: 1, b: 1, c: 1}\ny: &y {b: 2, c: 2, d: 2}\nz: {<<: [*y, *x], c: 3}\n");
    let merged = node.get("z").unwrap();
    let text = |key: &str| merged.get(key).unwrap().as_str().unwrap().to_owned();
    assert_eq!([text("a"), text("b"), text("c"), text("d")], ["1", "2", "3", "2"]);
    assert_eq!(merged.entries().count(), 4);
}

#[test]
fn a_quoted_merge_key_is_a_key() {
    assert!(one("{\"<<\": {a: 1}}").get("<<").is_some());
}

#[test]
fn tags_are_kept_as_written() {
    let node = one("a: !reset null\nb: !override [x]\nc: !!int 3\nd: !Ref Thing\n");
    let tag = |key: &str| node.get(key).unwrap().tag.as_deref().map(str::to_owned);
    assert_eq!(tag("a").as_deref(), Some("!reset"));
    assert_eq!(tag("b").as_deref(), Some("!override"));
    assert_eq!(tag("c"), None);
    assert_eq!(tag("d").as_deref(), Some("!Ref"));
}

#[test]
fn json_is_read_too() {
    let node = one("{\n\t\"a\": [1, \"\\u00e4\", null, true],\n\t\"b\": {\"c\": 3.10}\n}\n");
    assert_eq!(node.get("a").unwrap().as_sequence().unwrap()[1].as_str(), Some("ä"));
    assert_eq!(node.get("b").unwrap().get("c").unwrap().as_str(), Some("3.10"));
}

#[test]
fn windows_line_ends_are_no_part_of_a_value() {
    let node = one("a: b\r\nc: |\r\n  d\r\n  e\r\n");
    assert_eq!(node.get("a").unwrap().as_str(), Some("b"));
    assert_eq!(node.get("c").unwrap().as_str(), Some("d\ne\n"));
}

#[test]
fn a_broken_document_costs_only_itself() {
    let read = read("a: 1\n---\nb: [\n---\nc: 3\n---\nd: 'x\n");
    let keys: Vec<&str> = read.documents.iter().map(|node| node.as_mapping().unwrap()[0].key.value.as_str()).collect();
    assert_eq!(keys, ["a", "c"]);
    let lines: Vec<u32> = read.diagnostics.iter().map(|wrong| wrong.origin.as_ref().unwrap().line).collect();
    assert_eq!(lines.len(), 2, "{:?}", read.diagnostics);
}

#[test]
fn empty_documents_are_none() {
    for text in ["", "\n", "# only a note\n", "---\n---\n", "...\n"] {
        let read = read(text);
        assert!(read.documents.is_empty() && read.diagnostics.is_empty(), "{text:?}");
    }
}

#[test]
fn duplicate_keys_are_found_in_small_and_large_maps() {
    let large = lines(40, |at| format!("k{at}: {at}"));
    assert_eq!(codes(&format!("{large}k7: again\n")), ["yaml-duplicate-key"]);
    assert_eq!(codes("a: 1\nb: 2\na: 3\n"), ["yaml-duplicate-key"]);
    let node = read("a: 1\na: 2\n").documents.remove(0);
    assert_eq!(node.get("a").unwrap().as_str(), Some("1"));
    assert_eq!(node.entries().count(), 1);
}

#[test]
fn copies_that_aliases_make_are_bounded() {
    let bomb = lines(30, |level| match level {
        0 => "a0: &a0 [x, x, x, x, x, x, x, x, x]".to_owned(),
        level => format!("a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 9].join(", ")),
    });
    assert_eq!(codes(&bomb), ["yaml-alias-bomb"]);
    let merges = lines(120, |level| match level {
        0 => "m0: &m0 {k: v}".to_owned(),
        level => format!("m{level}: &m{level} {{<<: *m{below}, k{level}: [*m{below}]}}", below = level - 1),
    });
    assert_eq!(codes(&merges), ["yaml-alias-bomb"]);
}

#[test]
fn depth_is_bounded_through_aliases_too() {
    assert_eq!(codes(&"[".repeat(1000)), ["yaml-too-deep"]);
    assert_eq!(codes(&"- ".repeat(1000)), ["yaml-too-deep"]);
    let chain = lines(300, |level| match level {
        0 => "a0: &a0 [x]".to_owned(),
        level => format!("a{level}: &a{level} [*a{}]", level - 1),
    });
    assert_eq!(codes(&chain), ["yaml-too-deep"]);
}

#[test]
fn an_alias_inside_its_own_anchor_is_an_error() {
    assert_eq!(codes("&a [*a]"), ["yaml-alias-cycle"]);
    assert_eq!(codes("a: &a {<<: *a}"), ["yaml-alias-cycle"]);
}

#[test]
fn a_file_of_mistakes_ends_after_twenty_messages() {
    let text = lines(1000, |at| format!("a: *x{at}\n---"));
    assert_eq!(codes(&text).len(), MESSAGES);
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "[\\PC\n\t]{0,200}") {
        read(&text);
    }

    #[test]
    fn any_text_of_yaml_signs_is_read_without_a_panic(text in "[-:?&*!|>'\"%@`\\[\\]{}, #a<\n\r\t]{0,80}") {
        for wrong in read(&text).diagnostics {
            proptest::prop_assert!(wrong.origin.is_some());
        }
    }
}

#[test]
fn a_large_stream_that_is_read_in_parts_reads_as_one() {
    let one = "kind: ConfigMap\ndata:\n  text: |\n    ü --- not at the beginning of a line\n  list: [1,\n   2]\n";
    let text = vec![one; LARGE / one.len() + 50].join("---\n");
    let source = Arc::new(SourceFile { path: "stream.yaml".into(), text });
    assert!(source.text.len() >= LARGE);
    let whole = parse_part(&source, Part::whole(&source.text), VALUES);
    assert_eq!(whole.diagnostics, []);
    let parted = parse(&source);
    assert_eq!((&parted.documents, &parted.diagnostics), (&whole.documents, &whole.diagnostics));
    // With one processor there is only one part. A cut by hand gives the same result.
    let cut = next_document(&source.text, 1000).unwrap();
    let (first, second) = source.text.split_at(cut);
    let lines_before = first.lines().count();
    let (first, second) = (
        parse_part(&source, Part::whole(first), VALUES),
        parse_part(&source, Part { text: second, lines_before }, VALUES),
    );
    assert_eq!(first.values + second.values, whole.values);
    assert_eq!([first.documents, second.documents].concat(), whole.documents);
}

#[test]
fn a_stream_with_directives_is_not_cut() {
    let text = "%YAML 1.2\n---\na: 1\n...\n%YAML 1.2\n---\nb: 2\n";
    assert_eq!(parts(text), [Part::whole(text)]);
    assert_eq!(next_document("a: 1\n----\n--- x\n", 0), Some(10));
}
