//! Data that several environments or branches share: `devenv up --from`, where an environment begins with another
//! environment's data, and `branch:` of `services.local.yaml`, where the data follows git's branches and worktrees. No
//! server writes to the shared volumes.

use super::session::Project;
use super::snapshot::{EnvironmentState, save};
use crate::cli::{Global, Start};
use crate::docker::{Engine, EngineError};
use crate::machine;
use crate::manifest;
use crate::model::{Diagnostic, Exit, Failure, Observed, Volume};
use crate::plan::{self, Identity, Source};
use crate::ui::Printer;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Decides which data an environment begins with: the data that `--from` names; otherwise, in a new worktree, the data
/// that `branch: worktree` says. The decision is written as a head, which every later `up` follows. So a run that is
/// killed between two services mixes no data. Returns whether this sent a request to the engine.
pub(crate) async fn begin(
    project: &Project,
    engine: &Engine,
    from: Option<&str>,
    global: &Global,
    start: &Start,
    printer: &Printer,
) -> Result<bool, Failure> {
    let main = if from.is_some() { None } else { main_worktree(project) };
    if from.is_none() && main.is_none() {
        return Ok(false);
    }
    let observed = project.observe(engine).await?;
    let from = from.map(str::to_owned).or_else(|| of_main_worktree(&project.identity, &main?, &observed, printer));
    let Some(from) = from else { return Ok(true) };
    if plan::is_unfinished(&project.identity, &observed) {
        printer.line(&format!(
            "an earlier run was interrupted: this run finishes it with the data that the earlier run chose, and does not \
             use {from}"
        ));
        return Ok(true);
    }
    let (source, observed) = source(project, engine, observed, &from, global, start, printer).await?;
    let project = Project { source: Some(source), ..project.clone() };
    let desired = project.desired(&observed, &[], &[])?;
    if let Some(head) = &desired.transition.head {
        engine.write_record(head, "").await.map_err(EngineError::into_failure)?;
    }
    Ok(true)
}

/// Resolves `from`: the current data of a checkout, or a snapshot of any checkout of this project. Also returns the
/// engine's state after that.
async fn source(
    project: &Project,
    engine: &Engine,
    observed: Observed,
    from: &str,
    global: &Global,
    start: &Start,
    printer: &Printer,
) -> Result<(Source, Observed), Failure> {
    let (folder, name) = match from.rsplit_once('@') {
        _ if Path::new(from).is_dir() => (Some(from), None),
        Some((folder, name)) if Path::new(folder).is_dir() => (Some(folder), Some(name)),
        _ => (None, Some(from)),
    };
    let (source, observed) = if let Some(folder) = folder {
        // Check this first: otherwise an unneeded snapshot would be taken, and would stay.
        has_no_data(&project.identity, &observed)?;
        (of_checkout(folder, name, global, start, printer).await?, project.observe(engine).await?)
    } else {
        let source = of_project(&project.identity, from, &observed)?;
        has_no_data(&project.identity, &observed)?;
        (source, observed)
    };
    let desired = project.desired(&observed, &[], &[])?;
    let snapshot = plan::Snapshot { name: from.to_owned(), data: source.data.clone(), ..plan::Snapshot::default() };
    let mut data = source.data;
    let unusable = plan::unusable(&snapshot, &desired, &observed);
    let declared = |name: &String| desired.services.iter().any(|service| service.name == *name);
    if let Some(wrong) = unusable.iter().find(|name| declared(name)) {
        let diagnostic = Diagnostic::error(
            "branch-version",
            format!("{wrong} is declared differently here than in the environment that its data comes from"),
        )
        .because("its kind or its major version differs, so its server could not read the data")
        .help("check out the manifests that the other environment was started with, or start without `--from`");
        return Err(Failure::new(Exit::Failed, diagnostic));
    }
    data.retain(|name, _| declared(name));
    let services: Vec<&str> = data.keys().map(String::as_str).collect();
    printer.line(&format!("begins with the data of {}: {}", source.environment, services.join(", ")));
    Ok((Source { data, ..source }, observed))
}

/// The same folder in the main worktree, if `branch: worktree` is set. `services.local.yaml` may be ignored by git, and
/// so be missing in a new worktree. Therefore the main worktree's file counts if the new worktree says nothing.
fn main_worktree(project: &Project) -> Option<PathBuf> {
    let main = machine::git::in_main_worktree(&project.reading.root)?;
    let said = project.reading.branching.or_else(|| manifest::branching_of(&main));
    said.is_some_and(|branching| branching.worktree).then_some(main)
}

/// The main worktree, if a new worktree begins with its data. None if this environment has data already, or if the main
/// worktree has none.
fn of_main_worktree(identity: &Identity, main: &Path, observed: &Observed, printer: &Printer) -> Option<String> {
    if has_no_data(identity, observed).is_err() {
        return None;
    }
    let main = main.display().to_string();
    let is_of_main = |volume: &Volume| volume.scope.root == main && volume.data().is_some() && !volume.scope.ephemeral;
    let has_data = observed.volumes.iter().any(is_of_main);
    if !has_data {
        printer.line(&format!("the main worktree ({main}) has no data to begin with"));
    }
    has_data.then_some(main)
}

fn has_no_data(identity: &Identity, observed: &Observed) -> Result<(), Failure> {
    if !plan::has_data(&identity.name, observed) {
        return Ok(());
    }
    let names: BTreeSet<&str> = observed.data_of(&identity.name).map(|(_, data)| data.service.as_str()).collect();
    let diagnostic = Diagnostic::error("branch-data", "this environment has data of its own already")
        .because(format!("of {}", names.into_iter().collect::<Vec<_>>().join(", ")))
        .help("nothing was changed. To begin with other data, delete this data and its snapshots with `devenv down --volumes`, then run `devenv up` with `--from` again");
    Err(Failure::new(Exit::Usage, diagnostic))
}

/// The named snapshot of the checkout in that folder. Without a name, a snapshot is taken now.
async fn of_checkout(
    folder: &str,
    name: Option<&str>,
    global: &Global,
    start: &Start,
    printer: &Printer,
) -> Result<Source, Failure> {
    let unreadable = |error: &std::io::Error| {
        let diagnostic = Diagnostic::error("folder", format!("cannot work in {folder}"));
        Failure::new(Exit::Usage, diagnostic.because(error.to_string()).help("check the folder after --from"))
    };
    let here = std::env::current_dir().map_err(|error| unreadable(&error))?;
    std::env::set_current_dir(folder).map_err(|error| unreadable(&error))?;
    let taken = Box::pin(taken_there(name, global, start, printer)).await;
    std::env::set_current_dir(&here).map_err(|error| unreadable(&error))?;
    taken
}

async fn taken_there(name: Option<&str>, global: &Global, start: &Start, printer: &Printer) -> Result<Source, Failure> {
    let there = Global { directory: Some(PathBuf::from(".")), ..global.clone() };
    let state = EnvironmentState::open(&there, &[], start, printer).await?;
    let environment = state.project.identity.name.clone();
    if let Some(name) = name {
        return Ok(Source { environment, data: state.named(name)?.data });
    }
    let name = format!("branch-{}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs());
    save(&state, &name, &[], start, printer).await?;
    let observed = state.project.observe(&state.engine).await?;
    let all = plan::snapshots(&state.project.identity, &observed);
    let data = all.into_iter().find(|snapshot| snapshot.name == name).map(|snapshot| snapshot.data);
    Ok(Source { environment, data: data.unwrap_or_default() })
}

/// The one snapshot of that name among all checkouts of the project.
fn of_project(identity: &Identity, name: &str, observed: &Observed) -> Result<Source, Failure> {
    let all = plan::records_of_project(identity, observed);
    let found: Vec<_> = all.iter().filter(|record| record.snapshot() == Some(name)).collect();
    match found.as_slice() {
        [one] => Ok(Source { environment: one.scope.environment.clone(), data: one.data.clone() }),
        [] => {
            let mut diagnostic =
                Diagnostic::error("branch-unknown", format!("`{name}` is no folder, and no snapshot of this project"))
                    .help("name a checkout's folder, or a snapshot: `devenv snapshot list` there shows them");
            let names: Vec<&str> = all.iter().filter_map(|record| record.snapshot()).collect();
            if let Some(near) = crate::model::did_you_mean(name, names.iter().copied()) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            }
            Err(Failure::new(Exit::Usage, diagnostic))
        }
        several => {
            let roots: Vec<&str> = several.iter().map(|record| record.scope.root.as_str()).collect();
            let diagnostic = Diagnostic::error("branch-several", format!("several checkouts have a snapshot `{name}`"))
                .because(roots.join(", "))
                .help(format!("say which: `--from {}@{name}`", roots[0]));
            Err(Failure::new(Exit::Usage, diagnostic))
        }
    }
}
