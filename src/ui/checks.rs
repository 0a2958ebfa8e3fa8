//! The list of `devenv doctor`.

use super::paint::Style;
use super::printer::Printer;
use super::table::padded;
use super::visible::one_line;
use serde::Serialize;
use std::fmt::Write as _;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// Everything is in order.
    Ok,
    /// It works, but needs attention.
    Warn,
    /// Something will not work.
    Fail,
}

impl CheckState {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Ok => Style::Good,
            Self::Warn => Style::Warn,
            Self::Fail => Style::Bad,
        }
    }
}

/// One check, with its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The subject: `engine`, `.env`.
    pub name: String,
    /// The result.
    pub state: CheckState,
    /// The finding, in one line.
    pub words: String,
    /// The advice; each entry is one way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
}

impl Check {
    /// A check without help.
    pub fn new(name: impl Into<String>, state: CheckState, words: impl Into<String>) -> Self {
        Self { name: name.into(), state, words: words.into(), help: Vec::new() }
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Renders the checks as data for standard output; each line ends in a line feed.
    pub fn render(checks: &[Self], printer: &Printer) -> String {
        let width = checks.iter().map(|check| console::measure_text_width(&one_line(&check.name))).max().unwrap_or(0);
        let mut text = String::new();
        for check in checks {
            let state = printer.paint_data(check.state.style(), &padded(check.state.name(), 4));
            let name = padded(&one_line(&check.name), width);
            let _ = writeln!(text, " {state}   {name}   {}", one_line(&check.words));
            for help in &check.help {
                let label = printer.paint_data(Style::Dim, "help:");
                let _ = writeln!(text, " {:4}   {}   {label} {}", "", padded("", width), one_line(help));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::ColorChoice;
    use insta::assert_snapshot;

    #[test]
    fn checks_are_a_list_with_help_below() {
        let checks = [
            Check::new("engine", CheckState::Ok, "Docker 28.2.2 (API 1.50), found by the default socket"),
            Check::new(".env", CheckState::Warn, "git does not ignore it").help("add a line `.env` to `.gitignore`"),
            Check::new("disk", CheckState::Fail, "0.2 GB free").help("docker image prune").help("docker volume ls"),
        ];
        let printer = Printer::new(false, ColorChoice::Never);
        assert_snapshot!(Check::render(&checks, &printer), @r#"
        ok     engine   Docker 28.2.2 (API 1.50), found by the default socket
        warn   .env     git does not ignore it
                        help: add a line `.env` to `.gitignore`
        fail   disk     0.2 GB free
                        help: docker image prune
                        help: docker volume ls
        "#);
        assert_eq!(
            serde_json::to_string(&checks[1]).unwrap(),
            r#"{"name":".env","state":"warn","words":"git does not ignore it","help":["add a line `.env` to `.gitignore`"]}"#
        );
    }
}
