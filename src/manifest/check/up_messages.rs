//! The notes of a manifest's reader that every command that starts services shows too, in one line: notes about a local
//! app or service that gets another value than production's files say, or a value that no file says.

use crate::manifest::combine::contradictions::CONTRADICTS;
use crate::model::{Diagnostic, Severity};

/// The codes of these messages.
const CODES: &[&str] =
    &[CONTRADICTS, "central-variable", "host-without-port", "pooler", "production-environment", "production-place"];

/// Whether `up` and `plan` show a diagnostic; other notes are shown only by `manifest`.
pub fn is_shown_by_up(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity != Severity::Note || CODES.contains(&diagnostic.code)
}

/// A diagnostic of these codes as one line, without the line of source. A warning that leaves a choice to the user
/// keeps its place and all its help lines.
pub fn in_one_line(diagnostic: Diagnostic) -> Diagnostic {
    let has_code = CODES.contains(&diagnostic.code);
    if !has_code || diagnostic.code != CONTRADICTS && diagnostic.severity != Severity::Note {
        return diagnostic;
    }
    let message = std::iter::once(diagnostic.message.as_str()).chain(diagnostic.help.iter().map(String::as_str));
    let message = message.collect::<Vec<_>>().join("; ");
    Diagnostic { message, origin: None, label: String::new(), help: Vec::new(), ..diagnostic }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, SourceFile};
    use std::sync::Arc;

    #[test]
    fn a_note_that_up_shows_is_one_line_and_a_choice_keeps_all_its_help() {
        let origin = Origin::start_of(&Arc::new(SourceFile { path: "compose.yaml".into(), text: "x\n".into() }));
        let note = Diagnostic::note("central-variable", "`URL` is taken to be db")
            .at(&origin, "here")
            .help("`x` makes it certain");
        assert!(is_shown_by_up(&note));
        let line = in_one_line(note);
        assert_eq!(
            (line.message.as_str(), line.origin, line.help),
            ("`URL` is taken to be db; `x` makes it certain", None, vec![])
        );
        let choice = Diagnostic::warning("central-variable", "two fit").at(&origin, "here").help("one").help("other");
        assert_eq!(in_one_line(choice.clone()), choice);
        assert!(!is_shown_by_up(&Diagnostic::note("development-file", "ignored")));
    }
}
