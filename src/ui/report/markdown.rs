//! The report as Markdown, for a pull request or a job's summary.

use super::{groups, place, sides, totals, verdict};
use crate::model::{Difference, Impact, Report};
use crate::ui::visible::one_line;
use std::fmt::Write as _;

/// The whole report. Writing to a string cannot fail.
pub fn markdown(report: &Report) -> String {
    let mut text = format!("# Parity of {}\n\n**{}**\n\n", cell(&report.project), totals(report));
    text += "| side | source |\n| --- | --- |\n";
    for said in &report.sides {
        let _ = writeln!(text, "| {} | {} |", cell(&said.side), cell(&said.value));
    }
    for (name, kind) in groups(report) {
        let service = report.services.iter().find(|service| service.name == name);
        match service {
            Some(service) => {
                let _ = write!(
                    text,
                    "\n## {} ({})\n\n{}\n\n{}.\n",
                    cell(name),
                    cell(kind),
                    cell(&sides(&service.versions)),
                    verdict(service).1,
                );
            }
            None => text += "\n## Project\n",
        }
        let found: Vec<&Difference> = report.of(name).collect();
        if !found.is_empty() {
            text += "\n| impact | subject | sides | why | advice |\n| --- | --- | --- | --- | --- |\n";
        }
        for difference in found {
            let _ = writeln!(
                text,
                "| {} | {}{} | {} | {} | {} |",
                impact(difference.impact),
                cell(&difference.subject),
                place(difference).map_or_else(String::new, |place| format!("<br>{}", code(&place))),
                difference
                    .said
                    .iter()
                    .map(|said| format!("{}: {}", cell(&said.side), code(&said.value)))
                    .collect::<Vec<_>>()
                    .join("<br>"),
                why(difference),
                difference.help.iter().map(|help| prose(help)).collect::<Vec<_>>().join("<br>"),
            );
        }
        for missing in service.iter().flat_map(|service| &service.not_asked) {
            let topics = missing.topics.join(", ");
            let _ =
                write!(text, "\nNot asked of {}: {} ({}).\n", cell(&missing.side), cell(&topics), cell(&missing.why));
        }
    }
    for section in &report.sections {
        let _ = write!(text, "\n## {}\n\n| measure | figure |\n| --- | --- |\n", cell(&section.title));
        for (what, figure) in &section.rows {
            let _ = writeln!(text, "| {} | {} |", cell(what), cell(figure));
        }
        if !section.note.is_empty() {
            let _ = write!(text, "\n{}\n", cell(&section.note));
        }
    }
    text
}

fn impact(impact: Impact) -> String {
    match impact {
        Impact::Breaks | Impact::Behaves => format!("**{}**", impact.words()),
        Impact::Cosmetic | Impact::Expected => impact.words().to_owned(),
    }
}

fn why(difference: &Difference) -> String {
    match difference.source.as_str() {
        "" => prose(&difference.why),
        source => format!("{} ([source]({source}))", prose(&difference.why)),
    }
}

/// A text of devenv that quotes other texts: the text between backticks is code, as in `super::html`.
fn prose(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(at, part)| match part {
        "" => String::new(),
        part if at % 2 == 1 => code(part),
        part => cell(part),
    });
    parts.collect()
}

/// Text as code, in which no character of Markdown counts except the end of the code.
fn code(text: &str) -> String {
    let text = one_line(text).replace('`', "'").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text = text.replace('|', "\\|");
    if text.trim().is_empty() { "` `".to_owned() } else { format!("`{text}`") }
}

/// Text on one line in which Markdown, HTML and code hosts recognise nothing: no link or image, no code, no mention of
/// a person, an issue or a commit.
fn cell(text: &str) -> String {
    let mut shown = String::new();
    let line = one_line(text);
    for (at, letter) in line.char_indices() {
        match letter {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '\\' | '`' | '*' | '~' | '[' | ']' | '!' | '|' | '$' => shown.extend(['\\', letter]),
            '_' if is_edge(&line, at) => shown.extend(['\\', letter]),
            '-' | '+' | '=' if at == 0 => shown.extend(['\\', letter]),
            // An invisible space follows, so that the text is no name, number or address any more.
            '@' | '#' => shown.extend([&letter.to_string(), "&#8203;"]),
            ':' if line[at..].starts_with("://") => shown.push_str(":&#8203;"),
            '.' if line[..at].to_ascii_lowercase().ends_with("www") => shown.push_str(".&#8203;"),
            letter => shown.push(letter),
        }
    }
    shown
}

/// Whether a letter stands at the edge of a word.
fn is_edge(line: &str, at: usize) -> bool {
    let is_word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    !is_word(line[..at].chars().next_back()) || !is_word(line[at + 1..].chars().next())
}

#[cfg(test)]
mod tests {
    use super::super::example::report;
    use super::*;

    #[test]
    fn nothing_that_others_named_becomes_a_link_an_image_code_or_a_mention() {
        for (text, shown) in [
            ("[x](javascript:a)", r"\[x\](javascript:a)"),
            ("![x](http://a/b.png)", r"\!\[x\](http:&#8203;//a/b.png)"),
            ("@octocat fixes #12", "@&#8203;octocat fixes #&#8203;12"),
            ("www.example.com a@b.c", "www.&#8203;example.com a@&#8203;b.c"),
            ("`x` **b** ~~s~~ a_b _i_", r"\`x\` \*\*b\*\* \~\~s\~\~ a_b \_i\_"),
            ("<img src=x>&amp;", "&lt;img src=x&gt;&amp;amp;"),
            ("- item | cell", r"\- item \| cell"),
            ("a\u{1b}[31m\nb\\", "a␛\\[31m b\\\\"),
        ] {
            assert_eq!(cell(text), shown);
        }
        assert_eq!(code("a`b|<i>@x"), r"`a'b\|&lt;i&gt;@x`");
        assert_eq!(prose("declare `a: [b]` for @x `"), "declare `a: [b]` for @&#8203;x ");
    }

    #[test]
    fn text_of_servers_stays_text() {
        let text = markdown(&report());
        assert!(
            text.contains(
                "**1 breaks · 1 behaves differently · 1 cosmetic · 1 expected · 5 facts compared · 1 not asked**"
            ),
            "{text}"
        );
        assert!(
            text.contains(
                "| **breaks** | extension pg_trgm<br>`deploy/compose.yaml:3` | production: `1.6`<br>local: `absent` |"
            ),
            "{text}"
        );
        assert!(text.contains(r"a\|b␛\[31m"), "{text}");
        assert!(text.contains("&lt;x&gt;") && !text.contains("<x>"), "{text}");
        assert!(text.contains("\n4 facts compared, 2 differ, 1 not asked.\n"), "{text}");
        assert!(text.contains("\nno difference that matters in 1 fact.\n"), "{text}");
        assert!(text.contains("Not asked of production: settings/shared_preload_libraries"), "{text}");
        assert!(text.contains("| commits not deployed | 3 |"), "{text}");
    }
}
