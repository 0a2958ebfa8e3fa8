//! `devenv manifest`: what production declares.

use crate::cli::Global;
use crate::environment::session::data_folder;
use crate::environment::{checkout, consent, unset};
use crate::machine::{Trust, today};
use crate::manifest;
use crate::model::{Diagnostic, Exit, Failure};
use crate::ui::Printer;
use std::path::PathBuf;

/// Runs the command. All that could be read is shown, also where the files have mistakes, which then end it with
/// [`Exit::Manifest`]. What is left open is shown and no failure: refusing is for `plan` and `up`.
pub(crate) async fn run(global: &Global, files: &[PathBuf], as_json: bool, printer: &Printer) -> Result<(), Failure> {
    let reading = manifest::read(&checkout::source(global, files, printer).await?.request)?;
    let mut refusals = manifest::refusals(&reading.stack, &reading.kinds, manifest::Strictness::Usual);
    refusals.extend(manifest::ended(&reading.stack, &reading.kinds, &today()));
    let mistakes: Vec<Diagnostic> = reading.mistakes().cloned().collect();
    // Without a home folder nothing was agreed to.
    let trust = Trust::open(&data_folder().unwrap_or_else(|| PathBuf::from("/dev/null")));
    let asked = consent::requests(&reading);
    let unset = unset::take_out(&mut reading.clone(), Some(&trust), global.trust || consent::by_environment());
    let more: Vec<Diagnostic> = refusals.into_iter().chain(unset::diagnostic(&unset, &[])).collect();
    if as_json {
        let mut shown = manifest::json(&reading, &more);
        shown["consent"] = consent::json(&asked, &trust);
        printer.json(&shown)?;
    } else {
        for line in manifest::lines(&reading).into_iter().chain(consent::lines(&asked, &trust)) {
            printer.data(&format!("{line}\n"))?;
        }
        // The failure tells the mistakes.
        let others = reading.diagnostics.iter().filter(|one| !mistakes.contains(one)).cloned();
        printer.diagnostics(&manifest::gathered(others.chain(more).collect()));
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Failure { exit: Exit::Manifest, diagnostics: mistakes }) }
}
