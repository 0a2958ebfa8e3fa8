//! `devenv gc`: removes unused resources.

use crate::cli::{Gc, Global};
use crate::docker::EngineError;
use crate::environment::agreement::agreed;
use crate::environment::checkout::{self, Found};
use crate::environment::cleanup::{measure, now};
use crate::environment::session::branch;
use crate::environment::tear_down::{carry_out, pin};
use crate::machine::{git, is_held};
use crate::model::Failure;
use crate::plan::{self, Action, Identity};
use crate::ui::{Printer, Table, bytes};
use std::path::PathBuf;

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], gc: &Gc, printer: &Printer) -> Result<(), Failure> {
    let found = checkout::find(global, files).await?;
    // The current branch matters only for the removal of branches' data.
    let branch = match found.read(global, files).await {
        Ok(reading) => branch(&reading),
        Err(failure) if gc.branches => return Err(failure),
        Err(_) => None,
    };
    let pins_too_much = plan::pins_too_much(&found.identity, &found.observed);
    let (found, locked) = if (gc.branches || pins_too_much) && !gc.dry_run {
        let (found, lock) = found.locked(printer).await?;
        (found, Some(lock))
    } else {
        (found, None)
    };
    let Found { machine, engine, identity, mut observed, .. } = found;
    let identity = Identity { branch, ..identity };
    // A pin of an earlier moment may reference data that nothing needs any more. The new pin does not.
    if pins_too_much && !gc.dry_run {
        pin(&engine, &identity, &observed).await?;
        observed = engine.observe(&[]).await.map_err(EngineError::into_failure)?;
    }
    let held = |name: &str| !(locked.is_some() && name == identity.name) && is_held(&machine.folder, name);
    let mut plan = plan::garbage(&identity, &observed, &held, now());
    let gone = git::branches(&identity.root).map(|branches| plan::gone(&identity, &branches, &observed));
    let gone = gone.unwrap_or_default();
    let names = gone.branches.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if gc.branches {
        plan.append(gone.removal(&identity, &observed), "its branch is gone");
    } else if !gone.volumes.is_empty() {
        printer.line(&format!("there is data of branches that are gone ({names}): `devenv gc --branches` removes it"));
    }
    if plan.steps.is_empty() {
        let other = if gone.volumes.is_empty() { "" } else { "other " };
        return printer.data(&format!("nothing to remove: every {other}resource is needed\n"));
    }
    let volumes: Vec<String> = plan.steps.iter().filter_map(|step| volume_of(&step.action)).collect();
    let sizes = measure(&engine, &identity, &observed, &volumes, printer).await;
    let mut table = Table::new([if gc.dry_run { "to remove" } else { "removed" }, "", "size", "why"]);
    for step in &plan.steps {
        let (what, name) = match &step.action {
            Action::Remove { name, .. } => ("container", name),
            Action::RemoveVolume { name } => ("volume", name),
            Action::RemoveNetwork { name, .. } => ("network", name),
            _ => continue,
        };
        let size = sizes.get(name).filter(|_| what == "volume").map(|size| bytes(*size)).unwrap_or_default();
        table.row([what, name.as_str(), &size, &step.cause]);
    }
    if !gc.dry_run {
        if gc.branches && !gone.branches.is_empty() {
            let said = format!("this deletes the data of branches that are gone: {names}");
            if gc.yes {
                printer.line(&said);
            } else {
                printer.always(&said);
                agreed(printer, "delete it?")?;
            }
            // Write a new pin that references the remaining volumes before the old pin, which references all of them,
            // is removed.
            pin(&engine, &identity, &gone.without(&identity, &observed)).await?;
        }
        carry_out(&engine, &identity, &plan).await?;
    }
    printer.data(&table.render(printer))?;
    let total = bytes(sizes.values().sum());
    if gc.dry_run {
        printer.line(&format!(
            "nothing was removed; `devenv gc` without `--dry-run` removes these resources and frees {total}"
        ));
    } else {
        printer.line(&format!("freed {total}"));
    }
    Ok(())
}

fn volume_of(action: &Action) -> Option<String> {
    match action {
        Action::RemoveVolume { name } => Some(name.clone()),
        _ => None,
    }
}
