//! Asks before an action that cannot be undone.

use super::printer::Printer;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, IsTerminal as _, Read as _};

/// The answer of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `y` or `yes`.
    Yes,
    /// Anything else.
    No,
    /// Ctrl-C.
    Interrupted,
    /// The end of input (Ctrl-D), or an input that cannot be read.
    End,
    /// There is no terminal to ask on.
    Nobody,
}

/// Asks a question on the terminal.
pub fn ask(printer: &Printer, question: &str) -> Answer {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Answer::Nobody;
    }
    // Ctrl-C is an answer here, from the moment that the question is visible: as a signal, it would end the process
    // before devenv could report anything.
    let mode = WithoutSignals::enter();
    printer.prompt(&format!("{question} [y/N] "));
    let mut line = Line::default();
    let mut byte = [0];
    let answer = loop {
        match io::stdin().lock().read(&mut byte) {
            Ok(1) => {
                if let Some(answer) = line.push(byte[0]) {
                    break answer;
                }
            }
            _ => break Answer::End,
        }
    };
    drop(mode);
    if matches!(answer, Answer::Interrupted | Answer::End) {
        printer.prompt("\n");
    }
    answer
}

/// An answer while it is typed. The terminal edits and echoes the line itself; only signals arrive as bytes.
#[derive(Default)]
struct Line(Vec<u8>);

impl Line {
    fn push(&mut self, byte: u8) -> Option<Answer> {
        match byte {
            3 => return Some(Answer::Interrupted),
            b'\n' | b'\r' => {}
            _ => {
                self.0.push(byte);
                return None;
            }
        }
        let text = String::from_utf8_lossy(&self.0).trim().to_lowercase();
        Some(if ["y", "yes"].contains(&text.as_str()) { Answer::Yes } else { Answer::No })
    }
}

/// The terminal's mode in which Ctrl-C is a byte and ends a line. The former mode returns when this value is dropped.
struct WithoutSignals(Termios);

impl WithoutSignals {
    fn enter() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut mode = before.clone();
        mode.local_modes.remove(LocalModes::ISIG);
        // A second character that ends a line.
        mode.special_codes[rustix::termios::SpecialCodeIndex::VEOL] = 3;
        tcsetattr(io::stdin(), OptionalActions::Now, &mode).ok()?;
        Some(Self(before))
    }
}

impl Drop for WithoutSignals {
    fn drop(&mut self) {
        // If this fails, there is no terminal any more.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &str) -> Option<Answer> {
        let mut line = Line::default();
        bytes.bytes().find_map(|byte| line.push(byte))
    }

    #[test]
    fn only_a_clear_yes_counts_as_yes() {
        assert!(["y\n", "YES\n", " yes \n"].into_iter().all(|text| said(text) == Some(Answer::Yes)));
        assert!(["\n", "n\n", "yep\n", "y y\n"].into_iter().all(|text| said(text) == Some(Answer::No)));
    }

    #[test]
    fn ctrl_c_ends_a_question_whatever_was_typed_before() {
        assert_eq!(said("\u{3}"), Some(Answer::Interrupted));
        assert_eq!(said("ye\u{3}"), Some(Answer::Interrupted));
        assert_eq!(said("ye"), None);
    }
}
