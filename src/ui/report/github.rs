//! The report as a GitHub job's annotations
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>).

use super::{missing, place, sentence};
use crate::model::{Difference, Impact, Report};
use crate::ui::visible::visible;
use std::fmt::Write as _;

/// Returns a workflow command for each difference except the expected ones, at the manifest's line.
pub fn github_annotations(report: &Report) -> String {
    let mut text = String::new();
    for difference in &report.differences {
        let command = match difference.impact {
            Impact::Breaks => "error",
            Impact::Behaves => "warning",
            Impact::Cosmetic => "notice",
            Impact::Expected => continue,
        };
        let mut properties = Vec::new();
        if let Some(origin) = &difference.origin {
            properties.push(format!("file={}", property(&origin.path().display().to_string())));
            properties.push(format!("line={},col={}", origin.line, origin.column));
        }
        properties.push(format!("title={}", property(&format!("parity: {}", difference.code))));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "::{command} {}::{}", properties.join(","), data(&message(difference)));
    }
    for service in &report.services {
        for one in &service.not_asked {
            let _ = writeln!(text, "::notice title=parity%3A not asked::{}", data(&missing(&service.name, one)));
        }
    }
    text
}

fn message(difference: &Difference) -> String {
    let mut lines = vec![sentence(difference), difference.why.clone()];
    lines.extend(difference.help.iter().cloned());
    if place(difference).is_none() && !difference.source.is_empty() {
        lines.push(difference.source.clone());
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

fn data(text: &str) -> String {
    visible(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::super::example::report;
    use super::*;

    #[test]
    fn each_difference_is_one_command_at_its_line() {
        let text = github_annotations(&report());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(
            lines[0].starts_with("::error file=deploy/compose.yaml,line=3,col=5,title=parity%3A extension::db: extension pg_trgm: production 1.6 · local absent%0A"),
            "{text}"
        );
        assert!(lines[1].starts_with("::warning file=") && lines[1].contains("a|b␛[31m"), "{text}");
        assert!(lines[2].starts_with("::notice title=parity%3A tool-version::python"), "{text}");
        assert!(lines[3].starts_with("::notice title=parity%3A not asked::db: not asked of production: "), "{text}");
    }
}
