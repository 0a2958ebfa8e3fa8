//! The report as Markdown, for a pull request or a job's summary.

use super::{groups, place, sides, totals, verdict};
use crate::model::{Difference, Impact, Report};
use crate::ui::visible::one_line;
use std::fmt::Write as _;

/// The whole report. Writing to a string cannot fail.
pub fn markdown(report: &Report) -> String {
    let mut text = format!("# Parity of {}\n\n**{}**\n\n", cell(&report.project), totals(report));
    text += "| side | what |\n| --- | --- |\n";
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
            text += "\n| impact | what | sides | why | what to do |\n| --- | --- | --- | --- | --- |\n";
        }
        for difference in found {
            let _ = writeln!(
                text,
                "| {} | {}{} | {} | {} | {} |",
                impact(difference.impact),
                cell(&difference.subject),
                place(difference).map_or_else(String::new, |place| format!("<br>`{}`", cell(&place))),
                difference
                    .said
                    .iter()
                    .map(|said| format!("{}: `{}`", cell(&said.side), cell(&said.value).replace('`', "'")))
                    .collect::<Vec<_>>()
                    .join("<br>"),
                why(difference),
                difference.help.iter().map(|help| cell(help)).collect::<Vec<_>>().join("<br>"),
            );
        }
        for missing in service.iter().flat_map(|service| &service.not_asked) {
            let topics = missing.topics.join(", ");
            let _ =
                write!(text, "\nNot asked of {}: {} ({}).\n", cell(&missing.side), cell(&topics), cell(&missing.why));
        }
    }
    for section in &report.sections {
        let _ = write!(text, "\n## {}\n\n| what | figure |\n| --- | --- |\n", cell(&section.title));
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
        "" => cell(&difference.why),
        source => format!("{} ([source]({source}))", cell(&difference.why)),
    }
}

/// Text for a table's cell: on one line, and nothing in it that Markdown or HTML would obey.
fn cell(text: &str) -> String {
    one_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::super::example::report;
    use super::*;

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
        assert!(text.contains(r"a\|b␛[31m"), "{text}");
        assert!(text.contains("&lt;x&gt;") && !text.contains("<x>"), "{text}");
        assert!(text.contains("\n4 facts compared, 2 differ, 1 not asked.\n"), "{text}");
        assert!(text.contains("\nno difference that matters in 1 fact.\n"), "{text}");
        assert!(text.contains("Not asked of production: settings/shared_preload_libraries"), "{text}");
        assert!(text.contains("| commits not deployed | 3 |"), "{text}");
    }
}
