//! `devenv up`: read, observe, diff, apply and prove, write `.env`.

use super::checkout::{self, Opened, Wish};
use super::env_files::{self, Written};
use super::session::{Project, Purpose, steps, strictness, unknown_service};
use super::signals::Signals;
use super::{branch, choice, consent, gc, layers, lock, records, seeds, snapshot, unset};
use crate::apply;
use crate::cli::{Global, Start, Up};
use crate::docker::{Engine, EngineError};
use crate::dotenv::UserLine;
use crate::model::{Diagnostic, Event, Exit, Failure, ImageRef, Observed, Service, Stack};
use crate::plan::{self, Action, Desired, Fields, Plan};
use crate::resolve::lock_file;
use crate::ui::{
    Layout, Printer, Reporter, ServiceRow, env_line, not_carried_out, not_carried_out_json, production_line, ready_line,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// How often a plan is made again because the engine changed meanwhile.
const RETRIES: usize = 5;
/// Before that: as long as an engine takes to make a container.
const PAUSE: Duration = Duration::from_millis(100);

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], up: &Up, printer: &Printer) -> Result<(), Failure> {
    let began = Instant::now();
    let wish = Wish {
        files,
        env_file: up.env_file.as_deref(),
        strictness: strictness(&up.start),
        token: None,
        purpose: Purpose::Start,
        start: Some(&up.start),
        locks: true,
        or_by_labels: false,
    };
    let Opened { project, engine, lock, observed } = checkout::open(global, &wish, printer).await?;
    let mut project = project.cold(up.start.cold);
    project.only.clone_from(&up.services);
    let env = env_files::Main::of(&project.reading, &project.choice)?;
    printer.diagnostics(&unset::told(&project.unset, &[]));
    printer.diagnostics(&env_files::check(&project, &env)?);
    let interrupted = lock.as_ref().and_then(|lock| lock.interrupted);
    let stop = apply::Stop::default();
    let start = Starting { engine: &engine, start: &up.start, printer, silent: up.json, began, stop, interrupted };
    let brought_up = async {
        let begun = Box::pin(branch::begin(&project, &engine, up.from.as_deref(), global, &up.start, printer)).await?;
        if up.reseed {
            reseed(&project, &start, up.yes).await?;
        }
        let seen = (!begun && !up.reseed).then_some(observed);
        bring_up(&project, &start, &env.lines, seen).await
    };
    let ready = Box::pin(Signals::new()?.or_stop(&start.stop, printer, brought_up)).await?;
    let written = env_files::write(&project, &ready, &env)?;
    printer.diagnostics(&written.notes);
    let locked = lock::make_missing(&project, &engine, printer).await;
    if up.json {
        layers::keep_bases(&project, &ready, &start).await?;
        gc::remove_stale(&project, &ready.before, &engine, printer).await;
        return printer.json(&outcome_json(&project, &ready, &env, &written));
    }
    let shown = env.file.shown().display().to_string();
    printer.line(&env_line(ready.layout, &shown, written.count, written.changed, &written.to_fill_in));
    for (file, what) in &written.further {
        printer.line(&ready.layout.line(&file.shown().display().to_string(), what));
    }
    if !written.own_lines.is_empty() {
        printer.line(&ready.layout.line("", &format!("your own lines win for {}", written.own_lines.join(", "))));
    }
    let others = ready.desired.services.iter().map(|service| service.name.as_str());
    let others: Vec<&str> = others.filter(|name| !project.is_about(name)).collect();
    if !others.is_empty() {
        printer.line(&ready.layout.line("", &format!("left as they are: {}", others.join(", "))));
    }
    if locked {
        let told = format!("{} written: commit it, so that everybody runs these images", lock_file::NAME);
        printer.line(&ready.layout.line("lock", &told));
    }
    let shell = ready.desired.services.first().map(|service| format!("devenv shell {}", service.name));
    let next: Vec<&str> = ["devenv status", "devenv logs"].into_iter().chain(shell.as_deref()).collect();
    printer.line(&ready_line(began.elapsed(), &next, printer.width()));
    layers::keep_bases(&project, &ready, &start).await?;
    gc::remove_stale(&project, &ready.before, &engine, printer).await;
    Ok(())
}

/// A running environment, proven.
pub(crate) struct Ready {
    /// What the engine had before.
    pub(crate) before: Observed,
    /// What runs.
    pub(crate) desired: Desired,
    /// The endpoints' fields as the host sees them.
    pub(crate) fields: Fields,
    /// The columns of the report.
    pub(crate) layout: Layout,
}

/// With what an environment is brought up.
pub(crate) struct Starting<'a> {
    /// The engine.
    pub(crate) engine: &'a Engine,
    /// What the command line says.
    pub(crate) start: &'a Start,
    /// The terminal.
    pub(crate) printer: &'a Printer,
    /// Whether only messages are shown.
    pub(crate) silent: bool,
    /// When the command began.
    pub(crate) began: Instant,
    /// Ends it early.
    pub(crate) stop: apply::Stop,
    /// Since when runs in this environment were killed: the engine may still be doing what they asked.
    pub(crate) interrupted: Option<SystemTime>,
}

/// Observes, plans and applies; tries again with other ports where one was lost to another program meanwhile. `seen` is
/// what the engine has, where it was asked under the same lock and nothing was done since.
pub(crate) async fn bring_up(
    project: &Project,
    starting: &Starting<'_>,
    user_lines: &[UserLine],
    seen: Option<Observed>,
) -> Result<Ready, Failure> {
    // Where a killed run's containers have yet to end, it is old by then.
    let mut seen = seen.filter(|_| starting.interrupted.is_none());
    let stack = &project.reading.stack;
    let (mut lost, mut shown, mut pulled, mut seeded, mut left, mut kept) = (0, false, false, false, false, None);
    loop {
        wait_for_ends(project, starting).await?;
        let Prepared { observed, desired, plan, warnings } =
            prepare(project, starting.engine, starting.start, user_lines, seen.take()).await?;
        if !shown {
            starting.printer.diagnostics(&warnings);
            consent::agree(project, &seeds::to_be_taken(project, &desired, &observed), starting.printer)?;
        }
        let leaving = if left { BTreeMap::new() } else { plan::leaving(&project.identity, &observed) };
        let without_base = without_base(project, &desired, &observed);
        let is_absent = |name: &str| {
            let service = desired.services.iter().find(|service| service.name == name);
            service.is_some_and(|service| !observed.images.contains_key(&service.container.image.to_string()))
        };
        let pulls_first = !pulled
            && (desired.services.iter().any(|service| service.volumes_unknown)
                || without_base.iter().any(|service| is_absent(service))
                || choice::lacks_image(project, &desired, &observed)
                // What runs goes on until all is here.
                || !leaving.is_empty() && desired.services.iter().any(|service| is_absent(&service.name)));
        let plan = if pulls_first { plan.pulls() } else { plan };
        if !pulls_first {
            records::repair(project, starting.engine, &desired, &observed).await?;
            choice::keep(project, starting.engine, &desired, &observed).await?;
        }
        if !pulls_first && !leaving.is_empty() {
            for line in branch::switched(&project.identity, &leaving, &observed) {
                starting.printer.line(&line);
            }
            branch::leave(project, starting.engine, &desired, &leaving, false).await?;
            left = true;
            continue;
        }
        let rows: Vec<ServiceRow> = rows_of(&desired).into_iter().filter(|row| project.is_about(&row.name)).collect();
        let layout = Layout::of(&rows).within(starting.printer.width());
        if !starting.silent && !shown {
            let apps = stack.apps.iter().filter(|app| !stack.left_out.contains(&app.name)).count();
            let line = production_line(layout, &stack.sources, rows.len(), apps, &stack.left_out);
            starting.printer.line(&line);
            if let Some(text) = not_carried_out(&stack.services) {
                starting.printer.line(&layout.line("", &text));
            }
        }
        shown = true;
        let reporter = match kept.take() {
            Some(reporter) => reporter,
            None if starting.silent => Reporter::silent(starting.printer),
            None => Reporter::new(starting.printer, &rows),
        };
        let emit = |event: Event| reporter.event(&event);
        let run = apply::Run {
            engine: starting.engine,
            desired: &desired,
            mirror: project.machine.mirror.as_ref(),
            began: starting.began,
            timeout: starting.start.timeout,
            emit: &emit,
            stop: &starting.stop,
        };
        let anew: Vec<&str> = if project.cold && !seeded { seeded_of(stack, &desired, &observed) } else { Vec::new() };
        let wanting: Vec<&str> = without_base.into_iter().chain(anew.iter().copied()).collect();
        if !pulls_first && !seeded && !wanting.is_empty() {
            let made = layers::make_bases(project, &wanting, &desired.of, project.cold, starting, &emit).await;
            if let Err(failure) = made {
                reporter.finish();
                return Err(failure);
            }
            (seeded, kept) = (true, Some(reporter));
            continue;
        }
        let applied = apply::apply(&plan, &run).await;
        if pulls_first && applied.is_ok() {
            pulled = true;
            kept = Some(reporter);
            continue;
        }
        reporter.finish();
        match applied {
            Ok(()) if lost < RETRIES && wait_for_ends(project, starting).await? => lost += 1,
            Ok(()) => {
                let fields = desired.fields(project.kinds(), false).map_err(manifest_failure)?;
                return Ok(Ready { before: observed, desired, fields, layout });
            }
            Err(failure) if lost < RETRIES && apply::is_overtaken(&failure) => {
                lost += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Waits for what a run that was killed had told to end: until then the engine calls it running, and its server answers.
/// Whether there was any.
async fn wait_for_ends(project: &Project, starting: &Starting<'_>) -> Result<bool, Failure> {
    let Some(since) = starting.interrupted else { return Ok(false) };
    let (engine, environment) = (starting.engine, &project.identity.name);
    let ending = engine.pending_stops(environment, since).await.map_err(EngineError::into_failure)?;
    if ending.is_empty() {
        return Ok(false);
    }
    starting.printer.line("an earlier run was killed; waiting for what it had told to stop");
    engine.wait_for_ends(&ending, starting.start.timeout).await.map_err(EngineError::into_failure)?;
    Ok(true)
}

/// Makes the seeded bases anew, and sends the services that are seeded there: what they hold is discarded.
async fn reseed(project: &Project, start: &Starting<'_>, yes: bool) -> Result<(), Failure> {
    let Prepared { observed, desired, .. } = prepare(project, start.engine, start.start, &[], None).await?;
    let stack = &project.reading.stack;
    let seeded: Vec<&str> = stack
        .services
        .iter()
        .filter(|service| !service.seeds.is_empty())
        .map(|service| service.name.as_str())
        .collect();
    if seeded.is_empty() {
        let told = Diagnostic::error("no-seeds", "no service has seeds to take again");
        return Err(Failure::new(
            Exit::Usage,
            told.help("name them in services.local.yaml: `seeds: {db: [schema.sql]}`"),
        ));
    }
    consent::agree(project, &seeded, start.printer)?;
    let data = plan::data(&desired, &observed);
    let going: BTreeMap<&str, &String> = seeded.iter().filter_map(|name| Some((*name, data.get(*name)?))).collect();
    if !going.is_empty() {
        snapshot::agree_to_discard(&going, yes, start.printer)?;
    }
    let rows = rows_of(&desired);
    let reporter = if start.silent { Reporter::silent(start.printer) } else { Reporter::new(start.printer, &rows) };
    let emit = |event: Event| reporter.event(&event);
    let made = layers::make_bases(project, &seeded, &desired.of, true, start, &emit).await;
    reporter.finish();
    made.map_err(|mut failure| {
        if let Some(last) = failure.diagnostics.last_mut() {
            last.help.push("the data that is there was not touched".to_owned());
        }
        failure
    })?;
    if going.is_empty() { Ok(()) } else { snapshot::send_back(project, start.engine, &going).await }
}

pub(super) fn rows_of(desired: &Desired) -> Vec<ServiceRow> {
    let row = |service: &plan::DesiredService| ServiceRow {
        name: service.name.clone(),
        what: format!("{} {}", service.kind, service.version),
    };
    desired.services.iter().map(row).collect()
}

/// Services whose base is to be made before they start: those with seeds, and where several are to begin at once, all
/// that have one and begin with nothing. An image that is not here yet has none so far.
fn without_base<'a>(project: &'a Project, desired: &Desired, observed: &Observed) -> Vec<&'a str> {
    let stack = &project.reading.stack;
    let name = |service: &'a Service| service.name.as_str();
    if !project.bases_first || project.cold {
        return plan::unseeded(stack, desired, observed).into_iter().map(name).collect();
    }
    let mut empty: Vec<&str> = plan::beginning_empty(stack, desired, observed).into_iter().map(name).collect();
    if !empty.is_empty() {
        let bases = project.bases(observed);
        let image =
            |service: &str| desired.services.iter().find(|one| one.name == service).map(|one| &one.container.image);
        let is_absent =
            |service: &str| image(service).is_some_and(|image| !observed.images.contains_key(&image.to_string()));
        let is_missing =
            |service: &str| bases.iter().any(|base| base.service() == service && base.record(observed).is_none());
        empty.retain(|service| is_absent(service) || is_missing(service));
    }
    empty
}

/// Services whose new data would begin with a seeded base that is there already.
pub(super) fn seeded_of<'a>(stack: &'a Stack, desired: &Desired, observed: &Observed) -> Vec<&'a str> {
    let begins = |name: &str| {
        let wanted = desired.services.iter().find(|wanted| wanted.name == name);
        wanted.and_then(|wanted| wanted.volumes.first()).is_some_and(|volume| {
            volume.over.is_some() && !observed.volumes.iter().any(|known| known.name == volume.name)
        })
    };
    let seeded = stack.services.iter().filter(|service| !service.seeds.is_empty());
    seeded.map(|service| service.name.as_str()).filter(|name| begins(name)).collect()
}

/// What is decided before anything is done.
pub(crate) struct Prepared {
    /// What the engine has.
    pub(crate) observed: Observed,
    /// What should run.
    pub(crate) desired: Desired,
    /// The steps to it.
    pub(crate) plan: Plan,
    /// What a person should know.
    pub(crate) warnings: Vec<Diagnostic>,
}

/// What should run and the steps to it, given what the engine has; it is asked where that is not `seen`.
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
    lock::is_to_be_had(project, &observed)?;
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
    // Whatever stands in for the registry may still have them.
    if !withdrawn.is_empty() && project.machine.mirror.is_none() && !engine.has_mirrors().await {
        return Err(Failure { exit: Exit::Image, diagnostics: withdrawn });
    }
    let mut warnings = plan::platform_mismatches(&desired.services, &observed);
    warnings.extend(plan::flattened(&desired, &plan));
    warnings.extend(plan::reseedable(&project.reading.stack, &desired, &observed));
    warnings.extend(moved_tags(project, engine, &observed, &plan).await);
    Ok(Prepared { observed, desired, plan, warnings })
}

/// Locked services whose tag means another image by now. Whoever has the locked image asks no registry.
async fn moved_tags(project: &Project, engine: &Engine, observed: &Observed, plan: &Plan) -> Vec<Diagnostic> {
    let mut moved = Vec::new();
    for service in &project.reading.stack.services {
        let Some(image) = project.locked_image(&service.name) else { continue };
        let tagged = lock::by_tag(image);
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
                // Where the registry does not say, the pull by digest tells what is wrong.
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
    Failure { exit: crate::model::Exit::Manifest, diagnostics }
}

fn outcome_json(project: &Project, ready: &Ready, env: &env_files::Main, written: &Written) -> serde_json::Value {
    let services: Vec<_> = ready
        .desired
        .services
        .iter()
        .filter_map(|service| {
            let endpoint = service.endpoints.first()?;
            Some(serde_json::json!({
                "name": service.name, "kind": service.kind, "version": service.version,
                "image": service.container.image.to_string(), "host": endpoint.host, "port": endpoint.port,
            }))
        })
        .collect();
    serde_json::json!({
        "environment": project.identity.name, "services": services,
        "env_file": env.file.path(), "variables": written.count, "to_fill_in": written.to_fill_in,
        "not_carried_out": not_carried_out_json(&project.reading.stack.services),
    })
}
