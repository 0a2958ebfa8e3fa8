//! `devenv gc`: removes unused resources.

use crate::cli::{Gc, Global};
use crate::docker::EngineError;
use crate::environment::agreement::agreed;
use crate::environment::checkout::{self, Found};
use crate::environment::cleanup::{measure, now, without_folder};
use crate::environment::session::{Machine, branch, connect};
use crate::environment::tear_down::{carry_out, pin, tear_down};
use crate::machine::{CheckoutLock, git, is_held};
use crate::model::Failure;
use crate::plan::{self, Action, Identity, Listed};
use crate::ui::{Printer, Table, bytes};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], gc: &Gc, printer: &Printer) -> Result<(), Failure> {
    if gc.folders {
        return folders(global, gc, printer).await;
    }
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
    let gone_folders = without_folder(&machine.key, &observed);
    if !gone_folders.is_empty() {
        let roots: BTreeSet<&str> = gone_folders.iter().map(|one| one.root.as_str()).collect();
        let roots = roots.into_iter().collect::<Vec<_>>().join(", ");
        printer.line(&format!(
            "there are environments whose folder is gone ({roots}): `devenv gc --folders` removes them with their data"
        ));
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

/// Removes the environments whose folder no longer exists, with their data.
async fn folders(global: &Global, gc: &Gc, printer: &Printer) -> Result<(), Failure> {
    let fault = EngineError::into_failure;
    let machine = Machine::load()?;
    let engine = connect(global).await?;
    let observed = engine.observe(&[]).await.map_err(fault)?;
    let known = |one: &Listed| Identity::of_labels(&one.name, Path::new(&one.root), &machine.key);
    let gone: Vec<(Listed, Identity)> = without_folder(&machine.key, &observed)
        .into_iter()
        .filter_map(|one| known(&one).map(|identity| (one, identity)))
        .collect();
    let Some((_, first)) = gone.first() else {
        return printer.data("nothing to remove: the folder of every environment exists\n");
    };
    let volumes_of = |identity: &Identity| -> Vec<String> {
        let ours = observed.volumes.iter().filter(|volume| volume.scope.environment == identity.name);
        ours.map(|volume| volume.name.clone()).collect()
    };
    let all: Vec<String> = gone.iter().flat_map(|(_, identity)| volumes_of(identity)).collect();
    let sizes = measure(&engine, first, &observed, &all, printer).await;
    let mut table = Table::new(["folder", "project", "services", "size"]);
    for (one, identity) in &gone {
        let services = one.services.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let size: u64 = volumes_of(identity).iter().filter_map(|name| sizes.get(name)).sum();
        table.row([one.root.clone(), one.project.clone(), services, bytes(size)]);
    }
    printer.data(&table.render(printer))?;
    if gc.dry_run {
        printer.line("nothing was removed; `devenv gc --folders` without `--dry-run` removes these environments");
        return Ok(());
    }
    let said = "this deletes these environments with their data and snapshots; a folder on a disk that is not mounted now \
                counts as gone too";
    if gc.yes {
        printer.line(said);
    } else {
        printer.always(said);
        agreed(printer, "delete them?")?;
    }
    for (one, identity) in &gone {
        let _lock = CheckoutLock::acquire(&machine.folder, &identity.name, || {
            printer.line("another devenv is changing this environment; waiting for it to end");
        })?;
        let observed = engine.observe(&[]).await.map_err(fault)?;
        tear_down(&engine, identity, &observed, true).await?;
        printer.line(&format!("removed the environment of {}", one.root));
        let shared = plan::shared(identity, &observed);
        if !shared.is_empty() {
            let names = shared.into_iter().collect::<Vec<_>>().join(", ");
            printer.line(&format!("kept, since the data of another environment is layered on it: {names}"));
        }
    }
    Ok(())
}

fn volume_of(action: &Action) -> Option<String> {
    match action {
        Action::RemoveVolume { name } => Some(name.clone()),
        _ => None,
    }
}
