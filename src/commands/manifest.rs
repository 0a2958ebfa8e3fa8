//! `devenv manifest`: what production declares.

use super::session::read;
use crate::cli::Global;
use crate::manifest;
use crate::model::{Exit, Failure, Severity};
use crate::ui::Printer;
use std::path::PathBuf;

/// Runs the command. What is left open is shown and no failure: refusing is for `plan` and `up`.
pub(crate) fn run(global: &Global, files: &[PathBuf], as_json: bool, printer: &Printer) -> Result<(), Failure> {
    let reading = read(global, files)?;
    if reading.has_unreadable() {
        let errors = reading.diagnostics.into_iter().filter(|one| one.severity == Severity::Error).collect();
        return Err(Failure { exit: Exit::Manifest, diagnostics: errors });
    }
    let refusals = manifest::refusals(&reading.stack, &reading.kinds, manifest::Strictness::Usual);
    if as_json {
        return printer.json(&manifest::json(&reading, &refusals));
    }
    for line in manifest::lines(&reading) {
        printer.data(&format!("{line}\n"))?;
    }
    printer.diagnostics(&manifest::gathered([reading.diagnostics, refusals].concat()));
    Ok(())
}
