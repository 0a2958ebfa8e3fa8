//! Asks before something that cannot be undone.

use super::printer::Printer;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

/// The answer to a question, no unless it is `y` or `yes`; none where nobody can be asked.
pub fn confirm(printer: &Printer, question: &str) -> Option<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    printer.prompt(&format!("{question} [y/N] "));
    let mut answer = String::new();
    // The end of input, and an input that cannot be read, are no consent.
    let read = io::stdin().lock().read_line(&mut answer).unwrap_or_default();
    if read == 0 {
        let _ = writeln!(io::stderr());
    }
    Some(agrees(&answer))
}

fn agrees(answer: &str) -> bool {
    ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::agrees;

    #[test]
    fn only_a_clear_yes_is_one() {
        assert!(["y\n", "YES\n", " yes "].into_iter().all(agrees));
        assert!(!["", "\n", "n\n", "yep\n", "y y\n"].into_iter().any(agrees));
    }
}
