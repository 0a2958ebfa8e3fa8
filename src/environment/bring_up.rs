//! Brings an environment up: one phase after the other, until the desired services run and are proven.

use super::session::{Project, steps, unknown_service};
use super::starting::{Ready, Starting};
use super::{bases, choice, clone_mode, consent, lock, lock_reading, records, seeds, switch};
use crate::apply;
use crate::cli::Start;
use crate::docker::{Engine, EngineError};
use crate::dotenv::UserLine;
use crate::model::{CloneMode, Diagnostic, Event, Exit, Failure, ImageRef, Observed, Record};
use crate::plan::{self, Action, Desired, Phase, Plan, Progress, Situation};
use crate::ui::{Layout, Reporter, ServiceRow, not_carried_out, production_line};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a plan is made again because the engine's state changed while the plan was carried out.
const RETRIES: usize = 5;

/// The pause before each retry: about the time that an engine takes to create a container.
const PAUSE: Duration = Duration::from_millis(100);

/// Carries out one phase after the other until the desired services run and are proven. `seen` is the engine's state,
/// if the engine was asked under the same lock and nothing was changed since.
pub(crate) async fn bring_up(
    project: &Project,
    starting: &Starting<'_>,
    user_lines: &[UserLine],
    seen: Option<Observed>,
) -> Result<Ready, Failure> {
    // If the containers of an interrupted run still have to exit, `seen` is outdated after that wait.
    let mut seen = seen.filter(|_| starting.interrupted.is_none());
    // The project with the clone mode, once a phase found it out.
    let mut with_clone_mode: Option<Box<Project>> = None;
    let (mut progress, mut tries, mut view) = (Progress::default(), 0, None);
    let (mut start, mut head) = (Box::new(starting.start.clone()), None::<Box<Record>>);
    let outcome = loop {
        let project = with_clone_mode.as_deref().unwrap_or(project);
        wait_for_ends(project, starting).await?;
        let observed = match seen.take() {
            Some(observed) => observed,
            None => project.observe(starting.engine).await?,
        };
        // Once the head of an earlier try is written, `--fresh` is carried out: another try must not discard that data.
        let is_written = |head: &Record| observed.records.iter().any(|one| one.record.name == head.name);
        if head.as_deref().is_some_and(is_written) {
            start.fresh.clear();
        }
        let prepared = prepare(project, starting.engine, &start, user_lines, Some(observed)).await?;
        head = prepared.desired.transition.head.clone().map(Box::new);
        let phase = phase(project, &prepared, progress);
        let view = match &view {
            Some(view) => view,
            None => view.insert(View::begin(project, starting, &prepared)?),
        };
        match (&phase, carry_out(&phase, project, starting, &prepared, view).await) {
            (Phase::Converge(_), Ok(_)) if tries < RETRIES && wait_for_ends(project, starting).await? => tries += 1,
            (Phase::Converge(_), Ok(_)) => break Ok((prepared, view.layout)),
            (Phase::Converge(_), Err(failure)) if tries < RETRIES && apply::is_overtaken(&failure) => {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
            (_, Err(failure)) => break Err(failure),
            (_, Ok(None)) => {}
            (_, Ok(clone_mode)) => with_clone_mode = Some(Box::new(Project { clone_mode, ..project.clone() })),
        }
        progress = progress.after(&phase);
    };
    if let Some(view) = view {
        view.reporter.finish();
    }
    let (Prepared { observed, desired, .. }, layout) = outcome?;
    let fields = desired.fields(project.kinds(), false).map_err(manifest_failure)?;
    Ok(Ready { before: observed, desired, fields, layout })
}

/// The next phase of a project.
fn phase(project: &Project, prepared: &Prepared, progress: Progress) -> Phase {
    let Prepared { observed, desired, plan, .. } = prepared;
    let situation = Situation {
        stack: &project.reading.stack,
        identity: &project.identity,
        observed,
        desired,
        plan,
        bases: &|| project.bases(observed),
        clone_mode: project.clone_mode,
        cold: project.cold,
        bases_first: project.bases_first,
        needs_image: choice::lacks_image(project, desired, observed),
    };
    plan::next(&situation, progress)
}

/// The output of a run for a person.
struct View<'a> {
    layout: Layout,
    reporter: Reporter<'a>,
}

impl<'a> View<'a> {
    /// Prints the warnings and the first lines before anything is changed, and asks for consent.
    fn begin(project: &Project, starting: &Starting<'a>, prepared: &Prepared) -> Result<Self, Failure> {
        let Prepared { observed, desired, warnings, .. } = prepared;
        let printer = starting.printer;
        printer.diagnostics(warnings);
        consent::agree(
            &project.reading,
            project.trust().as_ref(),
            &seeds::to_be_taken(project, desired, observed),
            printer,
        )?;
        for line in switch::switched(&project.identity, observed) {
            printer.line(&line);
        }
        let rows: Vec<ServiceRow> = rows_of(desired).into_iter().filter(|row| project.is_about(&row.name)).collect();
        let layout = Layout::of(&rows).within(printer.width());
        if starting.silent {
            return Ok(Self { layout, reporter: Reporter::silent(printer) });
        }
        let stack = &project.reading.stack;
        let apps = stack.apps.iter().filter(|app| !stack.left_out.contains(&app.name)).count();
        printer.line(&production_line(layout, &stack.sources, rows.len(), apps, &stack.left_out));
        if let Some(text) = not_carried_out(&stack.services) {
            printer.line(&layout.line("", &text));
        }
        Ok(Self { layout, reporter: Reporter::new(printer, &rows) })
    }
}

/// Carries out a phase. Returns the clone mode if the phase determined it.
async fn carry_out(
    phase: &Phase,
    project: &Project,
    starting: &Starting<'_>,
    prepared: &Prepared,
    view: &View<'_>,
) -> Result<Option<CloneMode>, Failure> {
    let Prepared { observed, desired, .. } = prepared;
    let engine = starting.engine;
    let emit = |event: Event| view.reporter.event(&event);
    let run = apply::Run {
        engine,
        desired,
        mirror: project.machine.mirror.as_ref(),
        began: starting.began,
        timeout: starting.start.timeout,
        emit: &emit,
        stop: &starting.stop,
    };
    if let Phase::Pull(plan) = phase {
        return apply::apply(plan, &run).await.map(|()| None);
    }
    records::repair(project, engine, desired, observed).await?;
    choice::keep(project, engine, desired, observed).await?;
    match phase {
        Phase::Pull(_) => {}
        Phase::StopOtherBranch => switch::stop_other(engine, &project.identity, desired, observed).await?,
        Phase::FindCloneMode(volume) => {
            let here = |image: &&ImageRef| observed.images.contains_key(&image.to_string());
            let image = desired.services.iter().map(|service| &service.container.image).find(here);
            let Some(image) = image else { return Ok(Some(CloneMode::Copy)) };
            return clone_mode::find_clone_mode(engine, &project.identity, image, volume).await.map(Some);
        }
        Phase::MakeBases { services, again } => {
            let services: Vec<&str> = services.iter().map(String::as_str).collect();
            bases::make_bases(project, &services, &desired.scope, !again.is_empty(), starting, &emit).await?;
        }
        Phase::Converge(plan) => apply::apply(plan, &run).await?,
    }
    Ok(None)
}

/// Waits for the containers that an interrupted run had asked the engine to stop: until they exit, the engine lists
/// them as running, and their servers answer. Returns whether there were any.
async fn wait_for_ends(project: &Project, starting: &Starting<'_>) -> Result<bool, Failure> {
    let Some(since) = starting.interrupted else { return Ok(false) };
    let (engine, environment) = (starting.engine, &project.identity.name);
    let ending = engine.pending_stops(environment, since).await.map_err(EngineError::into_failure)?;
    if ending.is_empty() {
        return Ok(false);
    }
    starting.printer.line("a previous run was interrupted; waiting for its containers to stop");
    engine.wait_for_ends(&ending, starting.start.timeout).await.map_err(EngineError::into_failure)?;
    Ok(true)
}

pub(crate) fn rows_of(desired: &Desired) -> Vec<ServiceRow> {
    let row = |service: &plan::DesiredService| ServiceRow {
        name: service.name.clone(),
        what: format!("{} {}", service.kind, service.version),
    };
    desired.services.iter().map(row).collect()
}

/// The decisions that are made before anything is changed.
pub(crate) struct Prepared {
    /// The engine's state.
    pub(crate) observed: Observed,
    /// The services that should run.
    pub(crate) desired: Desired,
    /// The steps that lead there.
    pub(crate) plan: Plan,
    /// Warnings for the user.
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Decides which services should run, and the steps that lead there. The engine is asked for its state unless `seen`
/// has it.
pub(crate) async fn prepare(
    project: &Project,
    engine: &Engine,
    start: &Start,
    user_lines: &[UserLine],
    seen: Option<Observed>,
) -> Result<Prepared, Failure> {
    let observed = match seen {
        Some(observed) => observed,
        None => project.observe(engine).await?,
    };
    lock::ensure_available(project, &observed)?;
    let values: BTreeMap<String, String> = user_lines
        .iter()
        .filter_map(|line| Some((line.name.clone(), line.value.as_ref()?.reveal().to_owned())))
        .collect();
    let overrides = plan::overrides(&project.reading.stack.variables, &values);
    let desired = project.desired(&observed, &overrides, &start.fresh)?;
    let names = desired.services.iter().map(|service| service.name.as_str());
    if let Some(unknown) = project.only.iter().find(|only| !names.clone().any(|name| name == **only)) {
        return Err(unknown_service(unknown, names));
    }
    let plan = steps(&desired, &observed, start)?;
    let plan = if project.only.is_empty() { plan } else { plan.of_services(&project.only) };
    let withdrawn = plan::withdrawn_images(&plan, &desired);
    // A mirror of the registry may still have these images.
    if !withdrawn.is_empty() && project.machine.mirror.is_none() && !engine.has_mirrors().await {
        return Err(Failure::of(Exit::Image, withdrawn));
    }
    let mut warnings = plan::platform_mismatches(&desired.services, &observed);
    warnings.extend(plan::flattened(&desired, &plan));
    warnings.extend(plan::reseedable(&project.reading.stack, &desired, &observed));
    warnings.extend(plan::set_aside(&project.reading.stack, &desired, &observed));
    warnings.extend(moved_tags(project, engine, &observed, &plan).await);
    Ok(Prepared { observed, desired, plan, warnings })
}

/// Warnings for locked services whose tag means another image by now. If the engine has the locked image, no registry
/// is asked.
async fn moved_tags(project: &Project, engine: &Engine, observed: &Observed, plan: &Plan) -> Vec<Diagnostic> {
    let mut moved = Vec::new();
    for service in &project.reading.stack.services {
        let Some(image) = project.locked_image(&service.name) else { continue };
        let tagged = lock_reading::by_tag(image);
        let here = |image: &ImageRef| observed.images.get(&image.to_string());
        match (here(image), here(&tagged)) {
            (Some(locked), Some(now)) if locked.id != now.id => {
                moved.push(lock::moved_tag(&service.name, image, &locked.id, &now.id, "on this engine"));
            }
            (None, _)
                if plan
                    .steps
                    .iter()
                    .any(|step| matches!(&step.action, Action::Pull { image: pulled, .. } if pulled == image)) =>
            {
                // If the registry does not answer, the pull by digest reports the error.
                if let Ok(now) = engine.registry_image(&tagged, project.machine.mirror.as_ref()).await
                    && image.digest.as_ref().is_some_and(|locked| *locked != now.digest)
                {
                    let locked = image.digest.clone().unwrap_or_default();
                    moved.push(lock::moved_tag(&service.name, image, &locked, &now.digest, "in the registry"));
                }
            }
            _ => {}
        }
    }
    moved
}

pub(crate) fn manifest_failure(diagnostics: Vec<Diagnostic>) -> Failure {
    Failure::of(crate::model::Exit::Manifest, diagnostics)
}
