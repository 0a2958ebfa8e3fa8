//! `devenv reset`: gives services the data of the first `up` again; snapshots stay.

use crate::cli::{Global, Reset};
use crate::environment::snapshot::EnvironmentState;
use crate::model::Failure;
use crate::plan;
use crate::ui::Printer;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], reset: &Reset, printer: &Printer) -> Result<(), Failure> {
    let state = EnvironmentState::open(global, files, &reset.start, printer).await?;
    let now = plan::data(&state.desired, &state.observed);
    if now.is_empty() {
        printer.line("nothing to reset: this environment has no data yet");
        return Ok(());
    }
    let now = state.only(now, &reset.services, "this environment")?;
    let to: BTreeMap<String, Option<String>> = now.into_keys().map(|service| (service, None)).collect();
    state.agree(&to, reset.yes, printer)?;
    state.restore(&to, &reset.start, printer).await?;
    let services = to.into_keys().collect::<Vec<_>>().join(", ");
    printer.line(&format!("the initial data is there again: {services}"));
    Ok(())
}
