//! Errors in the command line, and the help text.

use crate::cli;
use crate::model::{Diagnostic, Exit, Failure};
use crate::ui::{ColorChoice, Printer, failure_json};

/// Prints the error in the command line, also as JSON if the command line has `--json`. Returns the exit code.
pub fn usage(error: &cli::Error) -> u8 {
    // If the terminal is gone, the message cannot be shown.
    let _ = error.print();
    if !error.use_stderr() {
        return 0;
    }
    if std::env::args().take_while(|word| word != "--").any(|word| word == "--json") {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let failure = Failure::new(Exit::Usage, Diagnostic::error("usage", message));
        let _ = Printer::new(false, ColorChoice::Never).json(&failure_json(&failure));
    }
    Exit::Usage as u8
}
