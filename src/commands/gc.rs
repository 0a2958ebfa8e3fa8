//! `devenv gc`: removes what nothing needs any more.

use super::down::carry_out;
use super::session::{Machine, connect, read};
use crate::cli::{Gc, Global};
use crate::docker::EngineError;
use crate::machine::is_held;
use crate::model::Failure;
use crate::plan::{self, Action, Identity};
use crate::ui::{Printer, Table};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], gc: &Gc, printer: &Printer) -> Result<(), Failure> {
    let reading = read(global, files)?;
    let machine = Machine::load()?;
    let identity = Identity::of_checkout(&reading.stack.project, &reading.root, machine.key.clone());
    let engine = connect(global).await?;
    let observed = engine.observe(&[]).await.map_err(EngineError::into_failure)?;
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(since_1970).unwrap_or(i64::MAX);
    let plan = plan::garbage(&identity, &observed, &|name| is_held(&machine.folder, name), now);
    if plan.steps.is_empty() {
        return printer.data("nothing to remove: everything of ours is somebody's\n");
    }
    let mut table = Table::new(["removed", "", "why"]);
    for step in &plan.steps {
        let (what, name) = match &step.action {
            Action::Remove { name, .. } => ("container", name),
            Action::RemoveVolume { name } => ("volume", name),
            Action::RemoveNetwork { name, .. } => ("network", name),
            _ => continue,
        };
        table.row([what, name.as_str(), &step.cause]);
    }
    if !gc.dry_run {
        carry_out(&engine, &identity, &plan).await?;
    }
    printer.data(&table.render(printer))?;
    if gc.dry_run {
        printer.line("nothing was removed: `devenv gc` without --dry-run does it");
    }
    Ok(())
}
