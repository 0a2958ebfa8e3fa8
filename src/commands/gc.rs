//! `devenv gc`: removes what nothing needs any more.

use super::agreement::agreed;
use super::checkout::{self, Found};
use super::down::{carry_out, pin};
use super::session::{Project, branch};
use crate::cli::{Gc, Global};
use crate::docker::Engine;
use crate::machine::{git, is_held};
use crate::model::{Diagnostic, Failure, Observed};
use crate::plan::{self, Action, Identity};
use crate::ui::{Printer, Table, bytes};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], gc: &Gc, printer: &Printer) -> Result<(), Failure> {
    let found = checkout::find(global, files).await?;
    // Which branch's data is in use matters to what is removed of branches alone.
    let branch = match found.read(global, files).await {
        Ok(reading) => branch(&reading),
        Err(failure) if gc.branches => return Err(failure),
        Err(_) => None,
    };
    let (found, locked) = if gc.branches && !gc.dry_run {
        let (found, lock) = found.locked(printer).await?;
        (found, Some(lock))
    } else {
        (found, None)
    };
    let Found { machine, engine, identity, observed, .. } = found;
    let identity = Identity { branch, ..identity };
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
        return printer.data("nothing to remove: everything of ours is somebody's\n");
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
        if gc.branches && !gone.volumes.is_empty() {
            let said = format!("this deletes the data of branches that are gone: {names}");
            if gc.yes {
                printer.line(&said);
            } else {
                printer.always(&said);
                agreed(printer, "delete it?")?;
            }
            // A new pin mentions what is left, before the pin goes that mentions all of it.
            pin(&engine, &identity, &gone.without(&identity, &observed)).await?;
        }
        carry_out(&engine, &identity, &plan).await?;
    }
    printer.data(&table.render(printer))?;
    let total = bytes(sizes.values().sum());
    if gc.dry_run {
        printer.line(&format!("nothing was removed: `devenv gc` without --dry-run does it, and frees {total}"));
    } else {
        printer.line(&format!("freed {total}"));
    }
    Ok(())
}

fn now() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(since_1970).unwrap_or(i64::MAX)
}

fn volume_of(action: &Action) -> Option<String> {
    match action {
        Action::RemoveVolume { name } => Some(name.clone()),
        _ => None,
    }
}

/// Bytes of these volumes, as far as they hold anything themselves. Where they cannot be told, that is said.
pub(super) async fn measure(
    engine: &Engine,
    identity: &Identity,
    observed: &Observed,
    volumes: &[String],
    printer: &Printer,
) -> BTreeMap<String, u64> {
    // A mounted one shows what its layers hold; what is its own lies in its top.
    let is_mounted = |name: &String| observed.volumes.iter().any(|volume| volume.upper_of() == name.as_str());
    let there = |name: &String| observed.volume(name).is_some();
    let own: Vec<String> = volumes.iter().filter(|name| there(name) && !is_mounted(name)).cloned().collect();
    let Some(image) = observed.any_image().filter(|_| !own.is_empty()) else { return BTreeMap::new() };
    engine.sizes(image, &identity.belonging(), &own).await.unwrap_or_else(|error| {
        let told = Diagnostic::warning("sizes", "how much room it takes is not known").because(error.to_string());
        printer.diagnostics(&[told.help("`docker system df -v` may tell")]);
        BTreeMap::new()
    })
}

/// What `up` removes by itself: ephemeral environments past their time, what killed runs left, bases long unused. It
/// asks the engine nothing where `known` tells of none, and a fault is said and no more.
pub(super) async fn remove_stale(project: &Project, known: &Observed, engine: &Engine, printer: &Printer) {
    let stale = |observed: &Observed| {
        let own = &project.identity.name;
        let held = |name: &str| name == own || is_held(&project.machine.folder, name);
        plan::stale(&project.identity, observed, &held, now())
    };
    if stale(known).steps.is_empty() {
        return;
    }
    let removed = async {
        // What is known is from before this run, which may have begun to use some of it.
        let plan = stale(&project.observe(engine).await?);
        carry_out(engine, &project.identity, &plan).await.map(|()| plan.steps.len())
    };
    match removed.await {
        Ok(0) => {}
        Ok(count) => printer.line(&format!("removed {count} things that nothing needs; `devenv gc` removes more")),
        Err(failure) => {
            let mut told = Diagnostic::warning("gc", "what nothing needs any more could not be removed");
            told = failure.diagnostics.into_iter().fold(told, |told, one| told.because(one.message));
            printer.diagnostics(&[told.help("nothing of yours is touched; `devenv gc` tries again")]);
        }
    }
}
