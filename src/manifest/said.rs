//! What a manifest's reader tells that every command which starts services says too, in one line: where an app here gets
//! something else than production's files say, or than nobody said.

use super::CONTRADICTS;
use crate::model::{Diagnostic, Severity};

/// The codes of these messages.
const CODES: &[&str] =
    &[CONTRADICTS, "central-variable", "host-without-port", "pooler", "production-environment", "production-place"];

/// Whether `up` and `plan` say it; other notes are `manifest`'s.
pub fn is_said_by_up(told: &Diagnostic) -> bool {
    told.severity != Severity::Note || CODES.contains(&told.code)
}

/// Each of them as one line, without the line of source. One that leaves a choice keeps its places and all ways.
pub fn in_one_line(told: Diagnostic) -> Diagnostic {
    if !CODES.contains(&told.code) || told.code != CONTRADICTS && told.severity != Severity::Note {
        return told;
    }
    let message = std::iter::once(told.message.as_str()).chain(told.help.iter().map(String::as_str));
    let message = message.collect::<Vec<_>>().join("; ");
    Diagnostic { message, origin: None, label: String::new(), help: Vec::new(), ..told }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, SourceFile};
    use std::sync::Arc;

    #[test]
    fn what_up_says_too_is_one_line_and_a_choice_keeps_all_of_its_ways() {
        let origin = Origin::start_of(&Arc::new(SourceFile { path: "compose.yaml".into(), text: "x\n".into() }));
        let note = Diagnostic::note("central-variable", "`URL` is taken to be db")
            .at(&origin, "here")
            .help("`x` makes it certain");
        assert!(is_said_by_up(&note));
        let line = in_one_line(note);
        assert_eq!(
            (line.message.as_str(), line.origin, line.help),
            ("`URL` is taken to be db; `x` makes it certain", None, vec![])
        );
        let choice = Diagnostic::warning("central-variable", "two fit").at(&origin, "here").help("one").help("other");
        assert_eq!(in_one_line(choice.clone()), choice);
        assert!(!is_said_by_up(&Diagnostic::note("development-file", "left alone")));
    }
}
