//! `devenv up`: reads the manifests, observes the engine, plans the steps, applies and proves them, and writes `.env`.

use crate::apply;
use crate::cli::{Global, Up};
use crate::environment::bring_up::{Prepared, bring_up, prepare, rows_of};
use crate::environment::checkout::{self, Opened, Wish};
use crate::environment::env_files::{self, Written};
use crate::environment::session::{Project, Purpose, strictness};
use crate::environment::signals::Signals;
use crate::environment::starting::{Ready, Starting};
use crate::environment::{bases, branch, cleanup, consent, lock, snapshot, unsafe_variables};
use crate::model::{Diagnostic, Event, Exit, Failure};
use crate::plan::{self};
use crate::resolve::lock_file;
use crate::ui::{Printer, Reporter, env_line, not_carried_out_json, ready_line};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

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
    printer.diagnostics(&unsafe_variables::diagnostic(&project.unset, &[]));
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
        bases::make_missing_bases(&project, &ready, &start).await?;
        cleanup::remove_stale(&project, &ready.before, &engine, printer).await;
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
    let is_running =
        |name: &&str| ready.before.container(&project.identity.name, name).is_some_and(|one| one.state == "running");
    // After a switch to another branch, the servers of the other services were stopped.
    let (running, stopped): (Vec<&str>, Vec<&str>) =
        others.filter(|name| !project.is_about(name)).partition(is_running);
    for (what, names) in [("not changed", running), ("not started", stopped)] {
        if !names.is_empty() {
            printer.line(&ready.layout.line("", &format!("{what}: {}", names.join(", "))));
        }
    }
    if locked {
        let text = format!("{} written: commit it, so that everybody runs these images", lock_file::NAME);
        printer.line(&ready.layout.line("lock", &text));
    }
    let shell = ready.desired.services.first().map(|service| format!("devenv shell {}", service.name));
    let next: Vec<&str> = ["devenv status", "devenv logs"].into_iter().chain(shell.as_deref()).collect();
    printer.line(&ready_line(began.elapsed(), &next, printer.width()));
    bases::make_missing_bases(&project, &ready, &start).await?;
    cleanup::remove_stale(&project, &ready.before, &engine, printer).await;
    Ok(())
}

/// Makes the seeded bases again, and gives their services the new data. The services' current data is discarded.
async fn reseed(project: &Project, start: &Starting<'_>, yes: bool) -> Result<(), Failure> {
    let Prepared { observed, desired, .. } = prepare(project, start.engine, start.start, &[], None).await?;
    let stack = &project.reading.stack;
    let seeded: Vec<&str> = stack
        .services
        .iter()
        .filter(|service| !service.seeds.is_empty() && project.is_about(&service.name))
        .map(|service| service.name.as_str())
        .collect();
    if seeded.is_empty() {
        let diagnostic = Diagnostic::error("no-seeds", "no service has seeds, so `--reseed` has nothing to load");
        return Err(Failure::new(
            Exit::Usage,
            diagnostic.help("name them in services.local.yaml: `seeds: {db: [schema.sql]}`"),
        ));
    }
    consent::agree(&project.reading, project.trust().as_ref(), &seeded, start.printer)?;
    let data = plan::data(&desired, &observed);
    let going: BTreeMap<&str, &String> = seeded.iter().filter_map(|name| Some((*name, data.get(*name)?))).collect();
    if !going.is_empty() {
        snapshot::agree_to_discard(&going, yes, start.printer)?;
    }
    let rows = rows_of(&desired);
    let reporter = if start.silent { Reporter::silent(start.printer) } else { Reporter::new(start.printer, &rows) };
    let emit = |event: Event| reporter.event(&event);
    let made = bases::make_bases(project, &seeded, &desired.scope, true, start, &emit).await;
    reporter.finish();
    made.map_err(|mut failure| {
        if let Some(last) = failure.diagnostics.last_mut() {
            last.help.push("the current data was not touched".to_owned());
        }
        failure
    })?;
    if going.is_empty() { Ok(()) } else { snapshot::write_reset_head(project, start.engine, &desired, &going).await }
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
