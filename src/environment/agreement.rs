//! Consent to actions that cannot be undone.

use crate::model::{Diagnostic, Exit, Failure};
use crate::ui::{Answer, Printer, ask};

/// Asks the user on a terminal. Without a clear yes, this fails with a message that nothing was changed.
pub(crate) fn agreed(printer: &Printer, question: &str) -> Result<(), Failure> {
    refusal(ask(printer, question)).map_or(Ok(()), Err)
}

fn refusal(answer: Answer) -> Option<Failure> {
    let refuse = |exit, message: &str, why: &str| {
        let diagnostic = Diagnostic::error("not-confirmed", message).because(why);
        Some(Failure::new(exit, diagnostic.help("with `--yes` it is done without asking")))
    };
    match answer {
        Answer::Yes => None,
        Answer::No => refuse(Exit::Usage, "nothing was changed", "you did not agree"),
        Answer::Nobody => refuse(Exit::Usage, "nothing was changed", "there is no terminal to ask on"),
        Answer::Interrupted => refuse(Exit::Cancelled, "cancelled; nothing was changed", "you pressed Ctrl-C"),
        Answer::End => refuse(Exit::Usage, "cancelled; nothing was changed", "the input ended without an answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_question_says_that_nothing_was_changed() {
        assert_eq!(refusal(Answer::Yes), None);
        for (answer, exit) in [(Answer::Interrupted, Exit::Cancelled), (Answer::End, Exit::Usage)] {
            let failure = refusal(answer).unwrap();
            assert_eq!(
                (failure.exit, failure.diagnostics[0].message.as_str()),
                (exit, "cancelled; nothing was changed")
            );
        }
    }
}
