//! Base layers: volumes with initialised data, on which new environments are layered. Most are made after an
//! environment is ready, so that no user waits for them.

use super::seeds;
use super::session::Project;
use super::starting::{Ready, Starting};
use crate::apply;
use crate::docker::{EngineError, EngineFault};
use crate::machine::{CheckoutLock, is_held};
use crate::model::{CloneMode, Diagnostic, Event, Exit, Failure, Scope, ServiceState};
use crate::plan::Base;
use crate::protocol;
use std::time::Duration;

/// The pause between two checks whether another run still makes a base.
const PAUSE: Duration = Duration::from_millis(100);

/// Makes the missing base layers of the services that this run initialised, and the bases that an earlier run began. A
/// failure is only a warning: the environment runs.
pub(crate) async fn make_missing_bases(project: &Project, ready: &Ready, start: &Starting<'_>) -> Result<(), Failure> {
    if project.cold {
        return Ok(());
    }
    let before = &ready.before;
    let initialised = |base: &Base| {
        let service = ready.desired.services.iter().find(|service| service.name == base.service());
        let mut volumes = service.into_iter().flat_map(|service| &service.volumes);
        volumes.any(|volume| before.volume(&volume.name).is_none())
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
        if let Err(failure) = keep_base(project, &base, &ready.desired.scope, start, &|_| {}).await {
            let mut diagnostic = Diagnostic::warning("base", "the base layer for the next environments was not made");
            for cause in failure.diagnostics {
                diagnostic = diagnostic.because(cause.message);
                diagnostic = cause.notes.into_iter().fold(diagnostic, Diagnostic::because);
            }
            start
                .printer
                .diagnostics(&[diagnostic
                    .help("nothing is lost: the next environment initialises its own; `--cold` skips this step")]);
        }
    }
    Ok(())
}

/// Makes the bases of these services, seeded or not, so that the services' data can start from them. If another run
/// already makes one of the bases, this waits for that run. `rebuild` makes the bases again even if they exist.
pub(crate) async fn make_bases(
    project: &Project,
    services: &[&str],
    of_network: &Scope,
    rebuild: bool,
    start: &Starting<'_>,
    emit: &(dyn Fn(Event) + Sync),
) -> Result<(), Failure> {
    let observed = project.observe(start.engine).await?;
    for base in project.bases(&observed).into_iter().filter(|base| services.contains(&base.service())) {
        let base = if rebuild && base.record(&observed).is_some() { base.rebuilt() } else { base };
        let _lock = lock_base(project, &base, start).await?;
        if let Err(failure) = keep_base(project, &base, of_network, start, emit).await {
            let state = ServiceState::Failed;
            emit(Event::Service { name: base.service().to_owned(), state });
            // An incomplete base is useless, and holds no user's data.
            let _ = start.engine.remove_container(base.container()).await;
            let _ = start.engine.remove_volume(&base.volume).await;
            let _ = remove_sidecars(&base, start).await;
            return Err(failure);
        }
    }
    Ok(())
}

/// Acquires the lock of a base. Another lane of this process may hold the lock; that lane continues while this one
/// waits.
async fn lock_base(project: &Project, base: &Base, start: &Starting<'_>) -> Result<CheckoutLock, Failure> {
    let mut is_said = false;
    loop {
        if let Some(lock) = CheckoutLock::try_acquire(&project.machine.folder, &base.name)? {
            return Ok(lock);
        }
        if !is_said && !start.silent {
            let doing = if base.seeds.is_empty() { "initialising" } else { "seeding" };
            start.printer.line(&format!("another devenv is {doing} {}; waiting for it to end", base.service()));
            is_said = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Removes the containers and volumes that existed only for the seed commands of a base.
async fn remove_sidecars(base: &Base, start: &Starting<'_>) -> Result<(), Failure> {
    let (containers, volumes) = base.sidecars();
    for container in containers {
        start.engine.remove_container(container).await.map_err(EngineError::into_failure)?;
    }
    for volume in volumes {
        start.engine.remove_volume(volume).await.map_err(EngineError::into_failure)?;
    }
    Ok(())
}

/// Makes one base: the server initialises an empty volume and is stopped cleanly; then a record says that the volume is
/// complete.
async fn keep_base(
    project: &Project,
    base: &Base,
    of_network: &Scope,
    start: &Starting<'_>,
    emit: &(dyn Fn(Event) + Sync),
) -> Result<(), Failure> {
    let engine = start.engine;
    let observed = project.observe(engine).await?;
    if base.record(&observed).is_some() {
        return Ok(());
    }
    if project.bases_first {
        let doing = if base.seeds.is_empty() { "initialised" } else { "seeded" };
        start.printer.line(&format!(" {} is {doing} once, for all lanes", base.service()));
    }
    let (desired, plan) = base.making(of_network, &observed);
    let run = apply::Run {
        engine,
        desired: &desired,
        mirror: None,
        began: start.began,
        timeout: start.start.timeout,
        emit: &|_| {},
        stop: &start.stop,
    };
    if !base.seeds.is_empty() {
        let state = ServiceState::Seeding { what: "starting a server for the seeds".to_owned(), done: 0, total: 0 };
        emit(Event::Service { name: base.service().to_owned(), state });
    }
    apply::apply(&plan, &run).await?;
    let fault = EngineError::into_failure;
    if !base.seeds.is_empty() && !plan.steps.is_empty() {
        seeds::take(project, base, &desired, start, emit).await?;
        remove_sidecars(base, start).await?;
        let made = base.made_by();
        if let Some(endpoint) = made.endpoints.first() {
            protocol::save(made.protocol, endpoint).await.map_err(|error| {
                let diagnostic = Diagnostic::error("seed", format!("{} failed to flush its data", made.name));
                Failure::new(Exit::Failed, diagnostic.because(error.message).help("its log tells more: `docker logs`"))
            })?;
        }
    }
    engine.stop(base.container(), None).await.map_err(fault)?;
    let probe = format!("{}.probe", base.name);
    let parent_spec = base.parent_spec(CloneMode::Overlay, &observed);
    let mounted = engine.can_overlay(&probe, &base.scope, Some(&base.key), &parent_spec).await.map_err(fault)?;
    match engine.write_record(&base.complete_record(mounted), &base.image_id).await {
        Err(error) if error.kind != EngineFault::Conflict => return Err(error.into_failure()),
        _ => {}
    }
    engine.remove_container(base.container()).await.map_err(fault)
}
