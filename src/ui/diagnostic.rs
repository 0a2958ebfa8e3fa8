//! Renders a message for a person: the message, its place with the line of source, the reasons, and the advice.
//!
//! Each place shows one line of source, whatever its length.

use super::lines::in_lines;
use super::visible::{visible, without_passwords};
use crate::model::{Diagnostic, Origin, Severity};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Renderer, Snippet};
use std::ops::Range;

/// Places in one file with a larger distance are shown separately.
const APART: u32 = 50;

/// Returns the message as text that ends in a line feed. `width` is the terminal's width in columns. If there is a
/// terminal, `wraps` is set, and sentences are broken between words.
pub(super) fn render(diagnostic: &Diagnostic, color: bool, width: usize, wraps: bool) -> String {
    let (level, name) = match diagnostic.severity {
        Severity::Error => (Level::ERROR, "error"),
        Severity::Warning => (Level::WARNING, "warning"),
        Severity::Note => (Level::NOTE, "note"),
    };
    let fitted = |text: &str, before: usize| {
        let text = shown(text);
        if wraps { in_lines(&text, width.saturating_sub(before), "") } else { text }
    };
    let places_of = diagnostic.origin.iter().chain(diagnostic.related.iter().map(|place| &place.origin));
    let digits = places_of.map(|origin| origin.line.to_string().len()).max().unwrap_or_default();
    let because = |note: &str| fitted(note, digits + " = because: ".len());
    let group = level.primary_title(fitted(&diagnostic.message, name.len() + 2)).elements(places(diagnostic)).elements(
        diagnostic.notes.iter().map(|note| Level::NOTE.with_name("because").message(because(note.trim_end()))),
    );
    let mut report: Vec<Group<'_>> = vec![group];
    let help = diagnostic.help.iter().map(|help| fitted(help, "help: ".len()));
    report.extend(help.map(|help| Group::with_title(Level::HELP.secondary_title(help))));
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(width);
    let mut text = renderer.render(&report);
    text.push('\n');
    text
}

/// A text of devenv that may quote a manifest. Of a text that is too long to read, only the beginning is shown.
fn shown(text: &str) -> String {
    const MUCH: usize = 8_000;
    match text.char_indices().nth(MUCH) {
        Some((end, _)) => format!("{} […]", visible(&text[..end])),
        None => visible(text).into_owned(),
    }
}

/// A range of lines of one file, with the marks in it.
struct Stretch<'a> {
    origin: &'a Origin,
    first: u32,
    last: u32,
    marks: Vec<(&'a Origin, &'a str, AnnotationKind)>,
}

fn places(diagnostic: &Diagnostic) -> Vec<Element<'static>> {
    let primary = diagnostic.origin.iter().map(|origin| (origin, diagnostic.label.as_str(), AnnotationKind::Primary));
    let related = diagnostic.related.iter().map(|place| (&place.origin, place.label.as_str(), AnnotationKind::Context));
    let mut stretches: Vec<Stretch<'_>> = Vec::new();
    for (origin, label, kind) in primary.chain(related) {
        let near = |stretch: &&mut Stretch<'_>| {
            stretch.origin.path() == origin.path()
                && origin.line.saturating_add(APART) >= stretch.first
                && origin.line <= stretch.last.saturating_add(APART)
        };
        if let Some(stretch) = stretches.iter_mut().find(near) {
            stretch.first = stretch.first.min(origin.line);
            stretch.last = stretch.last.max(origin.line);
            stretch.marks.push((origin, label, kind));
        } else {
            let marks = vec![(origin, label, kind)];
            stretches.push(Stretch { origin, first: origin.line, last: origin.line, marks });
        }
    }
    stretches.iter().map(element).collect()
}

fn element(stretch: &Stretch<'_>) -> Element<'static> {
    let path = visible(&stretch.origin.path().display().to_string()).into_owned();
    let mut source = String::new();
    let mut marks: Vec<Annotation<'static>> = Vec::new();
    let count = usize::try_from(stretch.last - stretch.first).unwrap_or_default() + 1;
    let skipped = usize::try_from(stretch.first.max(1) - 1).unwrap_or_default();
    let text = stretch.origin.file.text.strip_prefix('\u{feff}').unwrap_or(&stretch.origin.file.text);
    for (line, number) in text.split('\n').skip(skipped).take(count).zip(stretch.first..) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let marks_here = || stretch.marks.iter().filter(|(origin, ..)| origin.line == number);
        let left_of = marks_here().map(|(origin, ..)| origin.column).min().unwrap_or(1);
        let (line, before) = around(line, usize::try_from(left_of).unwrap_or_default());
        let line = visible(&without_passwords(line)).into_owned();
        for (origin, label, kind) in marks_here() {
            let marked = bytes_of(&line, origin, before);
            let span = source.len() + marked.start..source.len() + marked.end;
            let annotation = kind.span(span);
            marks.push(if label.is_empty() { annotation } else { annotation.label(shown(label)) });
        }
        source.push_str(&line);
        source.push('\n');
    }
    if marks.is_empty() {
        return annotate_snippets::Origin::path(path).into();
    }
    Snippet::source(source).line_start(skipped + 1).path(path).annotations(marks).into()
}

/// Returns the part of a very long line around a column, and the number of characters before that part. The renderer
/// cuts the part to the terminal's width; this function only bounds the work of the renderer.
fn around(line: &str, column: usize) -> (&str, usize) {
    const MUCH: usize = 16_000;
    if line.len() <= 2 * MUCH {
        return (line, 0);
    }
    let before = column.saturating_sub(MUCH);
    let byte = |column: usize| line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    (&line[byte(before)..byte(before + 2 * MUCH)], before)
}

/// The bytes of a line that an origin marks, cut to the line. `before` characters at the start of the line were cut.
fn bytes_of(line: &str, origin: &Origin, before: usize) -> Range<usize> {
    let byte = |column: u32| {
        let column = usize::try_from(column).unwrap_or(usize::MAX).saturating_sub(before);
        line.char_indices().nth(column).map_or(line.len(), |(at, _)| at)
    };
    let start = origin.column.max(1) - 1;
    byte(start)..byte(start.saturating_add(origin.length.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceFile;
    use insta::assert_snapshot;
    use std::sync::Arc;

    fn file(path: &str, text: &str) -> Arc<SourceFile> {
        Arc::new(SourceFile { path: path.into(), text: text.to_owned() })
    }

    fn origin(file: &Arc<SourceFile>, line: u32, column: u32, length: u32) -> Origin {
        Origin { file: Arc::clone(file), line, column, length }
    }

    fn printed(diagnostic: &Diagnostic) -> String {
        render(diagnostic, false, 100, false)
    }

    #[test]
    fn a_message_says_what_where_why_and_what_next() {
        let file = file("deploy/compose.prod.yaml", "services:\n  db:\n    image: postgres\n");
        let diagnostic = Diagnostic::error("version-absent", "production does not say which Postgres it runs")
            .at(&origin(&file, 3, 12, 8), "no tag: the registry's newest on the day of each deploy")
            .because("every environment could get another one")
            .help("pin it there: `postgres:16.4`")
            .help("or here: `devenv pin db 16.4`");
        assert_snapshot!(printed(&diagnostic), @r#"
        error: production does not say which Postgres it runs
         --> deploy/compose.prod.yaml:3:12
          |
        3 |     image: postgres
          |            ^^^^^^^^ no tag: the registry's newest on the day of each deploy
          |
          = because: every environment could get another one
        help: pin it there: `postgres:16.4`
        help: or here: `devenv pin db 16.4`
        "#);
    }

    #[test]
    fn on_a_terminal_sentences_are_broken_between_words_but_commands_are_not_broken() {
        let file = file("compose.yaml", "services:\n  db:\n    image: postgres\n");
        let diagnostic = Diagnostic::error("version-absent", "production does not say which Postgres it runs, at all")
            .at(&origin(&file, 3, 12, 8), "no tag")
            .because(
                "every environment could get another one, on any day\n  127.0.0.1:31698 and a log line that is long",
            )
            .help("pin it in services.local.yaml: `services: {db: {version: \"16.4\"}}`");
        assert_snapshot!(render(&diagnostic, false, 48, true), @r#"
        error: production does not say which Postgres it
               runs, at all
         --> compose.yaml:3:12
          |
        3 |     image: postgres
          |            ^^^^^^^^ no tag
          |
          = because: every environment could get another
                     one, on any day
                       127.0.0.1:31698 and a log line
                       that is long
        help: pin it in services.local.yaml:
              `services: {db: {version: "16.4"}}`
        "#);
    }

    #[test]
    fn a_message_without_a_place_is_short() {
        let diagnostic = Diagnostic::error("engine", "no engine answers")
            .because("tried:\n  /var/run/docker.sock: not there\n  /run/user/0/podman: not there")
            .help("start Docker");
        assert_snapshot!(printed(&diagnostic), @r#"
        error: no engine answers
         |
         = because: tried:
                      /var/run/docker.sock: not there
                      /run/user/0/podman: not there
        help: start Docker
        "#);
    }

    #[test]
    fn places_of_one_file_are_shown_together_and_others_apart() {
        let one = file("compose.yaml", "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\na: 7\n");
        let other = file("other.yaml", "x: y\n");
        let diagnostic = Diagnostic::error("duplicate", "`a` is there twice")
            .at(&origin(&one, 7, 1, 1), "again")
            .and_at(&origin(&one, 1, 1, 1), "first")
            .and_at(&origin(&other, 1, 4, 1), "and there");
        assert_snapshot!(printed(&diagnostic), @r#"
        error: `a` is there twice
         --> compose.yaml:7:1
          |
        1 | a: 1
          | - first
        ...
        7 | a: 7
          | ^ again
          |
         ::: other.yaml:1:4
          |
        1 | x: y
          |    - and there
        "#);
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text =
            format!("{{\"a\": \"{}\", \"image\": \"postgres\", \"b\": \"{}\"}}", "x".repeat(500), "y".repeat(500));
        let file = file("compose.json", &text);
        let column = u32::try_from(text.find("postgres").unwrap()).unwrap() + 1;
        let diagnostic = Diagnostic::warning("version", "no version").at(&origin(&file, 1, column, 8), "here");
        assert_snapshot!(printed(&diagnostic), @r#"
        warning: no version
         --> compose.json:1:521
          |
        1 | ...xxxxxxxxxxxxxxxxxxxxxxxxx", "image": "postgres", "b": "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy...
          |                                          ^^^^^^^^ here
        "#);
    }

    #[test]
    fn a_very_long_text_is_cut_and_keeps_its_place() {
        let text = format!("{{\"a\": \"{}\", \"image\": \"postgres\"}}", "ü".repeat(100_000));
        let file = file("compose.json", &text);
        let column = u32::try_from(text.chars().count()).unwrap() - 9;
        let message = format!("no {}", "version".repeat(10_000));
        let text =
            render(&Diagnostic::warning("version", message).at(&origin(&file, 1, column, 8), "here"), false, 60, false);
        assert!(text.contains(" […]") && text.len() < 20_000, "{}", text.len());
        let (line, marks) = text.split_once("1 | ").unwrap().1.split_once('\n').unwrap();
        let (start, end) = (marks.find('^').unwrap() - 4, marks.rfind('^').unwrap() - 3);
        let marked: String = line.chars().skip(start).take(end - start).collect();
        assert_eq!(marked, "postgres", "{text}");
    }

    #[test]
    fn no_escape_sequence_of_a_manifest_reaches_the_terminal() {
        let file = file("a\u{1b}]0;x\u{7}.yaml", "\u{1b}[2Jimage: \u{1b}[31mx\r\n");
        let diagnostic = Diagnostic::note("x", "bad \u{1b}[0m name")
            .at(&origin(&file, 1, 5, 5), "this \u{1b}[1m one")
            .because("log: \u{1b}[31mred\u{9b}")
            .help("try \u{8}\u{8}this");
        let text = printed(&diagnostic);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        assert_snapshot!(text, @r#"
        note: bad ␛[0m name
         --> a␛]0;x␇.yaml:1:5
          |
        1 | ␛[2Jimage: ␛[31mx
          |     ^^^^^ this ␛[1m one
          |
          = because: log: ␛[31mred�
        help: try ␈␈this
        "#);
    }

    #[test]
    fn a_place_beyond_the_text_is_named_without_a_line() {
        let empty = file("services.yaml", "");
        let diagnostic = Diagnostic::error("x", "nothing is there").at(&Origin::start_of(&empty), "empty");
        assert_snapshot!(printed(&diagnostic), @r#"
        error: nothing is there
         --> services.yaml:1:1
          |
        1 |
          | ^ empty
        "#);
        let past = Diagnostic::error("x", "nothing is there").at(&origin(&empty, 9, 1, 1), "past");
        assert_snapshot!(printed(&past), @r#"
        error: nothing is there
        --> services.yaml
        "#);
    }

    #[test]
    fn passwords_in_source_are_hidden() {
        let file = file("compose.yaml", "DATABASE_URL: postgres://app:hush@db/app?sslmode=require\n");
        let diagnostic = Diagnostic::warning("tls", "TLS is not offered").at(&origin(&file, 1, 42, 15), "dropped");
        let text = printed(&diagnostic);
        assert!(!text.contains("hush"), "{text}");
        assert_snapshot!(text, @r#"
        warning: TLS is not offered
         --> compose.yaml:1:42
          |
        1 | DATABASE_URL: postgres://app:••••@db/app?sslmode=require
          |                                          ^^^^^^^^^^^^^^^ dropped
        "#);
    }
}
