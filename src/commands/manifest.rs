//! `devenv manifest`: what production declares.

use super::session::read;
use crate::cli::Global;
use crate::manifest;
use crate::model::{Diagnostic, Exit, Failure};
use crate::ui::Printer;
use std::path::PathBuf;

/// Runs the command. All that could be read is shown, also where the files have mistakes, which then end it with
/// [`Exit::Manifest`]. What is left open is shown and no failure: refusing is for `plan` and `up`.
pub(crate) fn run(global: &Global, files: &[PathBuf], as_json: bool, printer: &Printer) -> Result<(), Failure> {
    let reading = read(global, files)?;
    let refusals = manifest::refusals(&reading.stack, &reading.kinds, manifest::Strictness::Usual);
    let mistakes: Vec<Diagnostic> = reading.mistakes().cloned().collect();
    if as_json {
        printer.json(&manifest::json(&reading, &refusals))?;
    } else {
        for line in manifest::lines(&reading) {
            printer.data(&format!("{line}\n"))?;
        }
        // The failure tells the mistakes.
        let others = reading.diagnostics.iter().filter(|one| !mistakes.contains(one)).cloned();
        printer.diagnostics(&manifest::gathered(others.chain(refusals).collect()));
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Failure { exit: Exit::Manifest, diagnostics: mistakes }) }
}
