//! Base layers: made once a project's environment is ready, so that nobody waits for them.

use super::session::Project;
use super::up::{Ready, Starting};
use crate::apply;
use crate::docker::EngineFault;
use crate::machine::{CheckoutLock, is_held};
use crate::model::{Diagnostic, Failure, Way};
use crate::plan::Base;

/// Makes the base layers that are not there yet, of what this run initialised, or an earlier one began. Where that
/// fails, it is said and no more: the environment runs.
pub(crate) async fn keep_bases(project: &Project, ready: &Ready, start: &Starting<'_>) -> Result<(), Failure> {
    if project.cold {
        return Ok(());
    }
    let before = &ready.before;
    let initialised = |base: &Base| {
        let service = ready.desired.services.iter().find(|service| service.name == base.service());
        let mut volumes = service.into_iter().flat_map(|service| &service.volumes);
        volumes.any(|volume| !before.volumes.iter().any(|known| known.name == volume.name))
    };
    let begun = |base: &Base| before.containers.iter().any(|container| container.name == base.container());
    for base in project.bases(before) {
        if base.record(before).is_some() || !(initialised(&base) || begun(&base)) {
            continue;
        }
        if is_held(&project.machine.folder, &base.name) {
            continue;
        }
        let _lock = CheckoutLock::acquire(&project.machine.folder, &base.name, || {})?;
        if let Err(failure) = keep_base(project, &base, start).await {
            let mut told =
                Diagnostic::warning("base", "what the server initialised is not kept for the next environment");
            for diagnostic in failure.diagnostics {
                told = told.because(diagnostic.message);
                told = diagnostic.notes.into_iter().fold(told, Diagnostic::because);
            }
            start.printer.diagnostics(&[
                told.help("nothing is lost: the next environment initialises its own; `--cold` spares the attempt")
            ]);
        }
    }
    Ok(())
}

/// The server initialises an empty volume, is stopped cleanly, and a record says that the volume is complete.
async fn keep_base(project: &Project, base: &Base, start: &Starting<'_>) -> Result<(), Failure> {
    let engine = start.engine;
    let observed = project.observe(engine).await?;
    if base.record(&observed).is_some() {
        return Ok(());
    }
    let (desired, plan) = base.making(&observed);
    let run = apply::Run {
        engine,
        desired: &desired,
        mirror: None,
        began: start.began,
        timeout: start.start.timeout,
        emit: &|_| {},
        stop: &start.stop,
    };
    apply::apply(&plan, &run).await?;
    let fault = crate::docker::EngineError::into_failure;
    engine.stop(base.container(), None).await.map_err(fault)?;
    let probe = format!("{}-probe", base.name);
    let can = engine.can_overlay(&probe, &base.labels, &base.over(Way::Overlay)).await.map_err(fault)?;
    let way = if can { Way::Overlay } else { Way::Copy };
    let volumes = [base.volume.clone()];
    match engine.keep_volumes(&base.name, &base.image_id, &base.record_labels(way), &volumes).await {
        Err(error) if error.kind != EngineFault::Conflict => return Err(error.into_failure()),
        _ => {}
    }
    engine.remove_container(base.container()).await.map_err(fault)
}
