//! `devenv manifest`: shows production's declarations.

use crate::cli::Global;
use crate::environment::session::data_folder;
use crate::environment::{checkout, consent, unsafe_variables};
use crate::machine::{Trust, today};
use crate::manifest;
use crate::model::{Diagnostic, Exit, Failure};
use crate::ui::Printer;
use std::path::PathBuf;

/// Runs the command. Shows everything that could be read, even if the files have mistakes; then the command fails with
/// [`Exit::Manifest`]. Open versions are shown and are no failure: only `plan` and `up` refuse them.
pub(crate) async fn run(global: &Global, files: &[PathBuf], as_json: bool, printer: &Printer) -> Result<(), Failure> {
    let reading = manifest::read(&checkout::source(global, files, printer).await?.request)?;
    let mut refusals = manifest::refusals(&reading.stack, &reading.kinds, manifest::Strictness::Usual);
    refusals.extend(manifest::ended(&reading.stack, &reading.kinds, &today()));
    let mistakes: Vec<Diagnostic> = reading.mistakes().cloned().collect();
    // Without a home folder there are no agreements.
    let trust = Trust::open(&data_folder().unwrap_or_else(|| PathBuf::from("/dev/null")));
    let asked = consent::requests(&reading);
    let unset =
        unsafe_variables::take_out(&mut reading.clone(), Some(&trust), global.trust || consent::by_environment());
    let more: Vec<Diagnostic> = refusals.into_iter().chain(unsafe_variables::diagnostic(&unset, &[])).collect();
    if as_json {
        let mut shown = manifest::json(&reading, &more);
        shown["consent"] = consent::json(&asked, &trust);
        printer.json(&shown)?;
    } else {
        for line in manifest::lines(&reading).into_iter().chain(consent::lines(&asked, &trust)) {
            printer.data(&format!("{line}\n"))?;
        }
        // The failure reports the mistakes.
        let others = reading.diagnostics.iter().filter(|one| !mistakes.contains(one)).cloned();
        printer.diagnostics(&manifest::gathered(others.chain(more).collect()));
    }
    if mistakes.is_empty() { Ok(()) } else { Err(Failure::of(Exit::Manifest, mistakes)) }
}
