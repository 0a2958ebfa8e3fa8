//! `devenv down`: stops and removes the containers; with `--volumes` this environment's data too.

use super::session::{Machine, connect, read};
use crate::apply;
use crate::cli::{Down, Global};
use crate::docker::{Engine, EngineError};
use crate::machine::CheckoutLock;
use crate::model::{Diagnostic, Exit, Failure, Observed};
use crate::plan::{self, Action, Desired, Identity};
use crate::ui::{Printer, confirm};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], down: &Down, printer: &Printer) -> Result<(), Failure> {
    let reading = read(global, files)?;
    let machine = Machine::load()?;
    let identity = Identity::of_checkout(&reading.stack.project, &reading.root, machine.key.clone());
    let _lock = CheckoutLock::acquire(&machine.folder, &identity.name, || {
        printer.line("another devenv is changing this environment; waiting for it to end");
    })?;
    let engine = connect(global).await?;
    let observed = engine.observe(&[]).await.map_err(EngineError::into_failure)?;
    let plan = plan::teardown(&identity, &observed, down.volumes);
    if plan.steps.is_empty() {
        printer.line("nothing to take down: this environment does not run");
        return Ok(());
    }
    let volumes: Vec<&str> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::RemoveVolume { name } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    if !volumes.is_empty() {
        agree_to_delete(&volumes, down, printer)?;
    }
    tear_down(&engine, &identity, &observed, down.volumes).await?;
    let removed = plan.steps.iter().filter(|step| matches!(step.action, Action::Remove { .. })).count();
    let containers = if removed == 1 { "1 container".to_owned() } else { format!("{removed} containers") };
    printer.line(&if volumes.is_empty() {
        format!("{containers} removed; the data is kept (`devenv up` goes on with it)")
    } else {
        format!("{containers} and {} volumes removed, their data deleted", volumes.len())
    });
    Ok(())
}

/// Names what goes, and asks on a terminal; elsewhere it takes `--yes`.
fn agree_to_delete(volumes: &[&str], down: &Down, printer: &Printer) -> Result<(), Failure> {
    printer.line("this deletes the data of:");
    for volume in volumes {
        printer.line(&format!("  {volume}"));
    }
    if down.yes {
        return Ok(());
    }
    let refusal = |why: &str, help: &str| {
        Failure::new(Exit::Usage, Diagnostic::error("not-confirmed", "nothing was deleted").because(why).help(help))
    };
    match confirm(printer, "delete it?") {
        Some(true) => Ok(()),
        Some(false) => Err(refusal("you did not agree", "`devenv down` without --volumes keeps the data")),
        None => Err(refusal(
            "there is no terminal to ask on",
            "`devenv down --volumes --yes` deletes without asking; `devenv down` keeps the data",
        )),
    }
}

/// Carries a teardown out.
pub(crate) async fn tear_down(
    engine: &Engine,
    identity: &Identity,
    observed: &Observed,
    volumes: bool,
) -> Result<(), Failure> {
    let plan = plan::teardown(identity, observed, volumes);
    let desired = Desired {
        environment: identity.name.clone(),
        labels: BTreeMap::new(),
        services: Vec::new(),
        taken: Vec::new(),
    };
    let run = apply::Run {
        engine,
        desired: &desired,
        mirror: None,
        began: Instant::now(),
        timeout: Duration::from_secs(60),
        emit: &|_| {},
    };
    apply::apply(&plan, &run).await
}
