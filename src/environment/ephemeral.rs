//! `devenv run --ephemeral` and `--lanes`: separate environments that are removed when the run ends, however it ends.

use super::bring_up::bring_up;
use super::checkout::{self, Opened, Wish};
use super::child::{Child, run_all};
use super::env_files::Main;
use super::process::{lines, variables_for};
use super::session::{Project, Purpose, strictness};
use super::signals::{Signals, name_of};
use super::starting::{Ready, Starting};
use super::tear_down::{carry_out, tear_down};
use super::unsafe_variables;
use crate::apply::{self, Stop};
use crate::cli::{Global, Run};
use crate::docker::{Engine, EngineError};
use crate::dotenv::UserLine;
use crate::machine::is_held;
use crate::model::Failure;
use crate::plan::{self, Identity, Plan};
use crate::ui::Printer;
use futures_util::future::join_all;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The deadline for the engine's current steps after a signal was received.
const LAST_STEPS: Duration = Duration::from_secs(10);

/// Brings up one environment for each lane, all at the same time, runs the command in each, and removes all of them.
pub(crate) async fn run(global: &Global, files: &[PathBuf], run: &Run, printer: &Printer) -> Result<u8, Failure> {
    let began = Instant::now();
    // From here on a signal ends the run in an orderly way.
    let mut signals = Signals::new()?;
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let token = format!("{} {}", std::process::id(), since_1970.as_nanos());
    let wish = Wish {
        files,
        env_file: run.env_file.as_deref(),
        strictness: strictness(&run.start),
        token: Some(&token),
        purpose: Purpose::Use,
        start: Some(&run.start),
        locks: false,
        or_by_labels: false,
    };
    let Opened { project, engine, .. } = checkout::open(global, &wish, printer).await?;
    let mut first = project.cold(run.start.cold);
    let expires = i64::try_from((since_1970 + run.ttl).as_secs()).unwrap_or(i64::MAX);
    first.identity.lease = Some(plan::lease_of(&|name| std::env::var(name).ok(), std::process::id(), expires));
    let env = Main::of(&first.reading, &first.choice)?;
    let user_lines = lines(&first, &env, run.app.as_deref(), printer)?;
    printer.diagnostics(&unsafe_variables::diagnostic(&first.unset, &user_lines));
    first.bases_first = run.lanes.is_some_and(|count| count > 1);
    let lanes: Vec<Project> = match run.lanes {
        None => vec![first],
        Some(count) => (1..=count).map(|number| first.with_token(&format!("{token} {number}"))).collect(),
    };
    let mut locks = Vec::new();
    for lane in &lanes {
        locks.push(lane.wait_for_others(printer)?);
    }
    let own: BTreeSet<&str> = lanes.iter().map(|lane| lane.identity.name.as_str()).collect();
    remove_leftovers(&lanes[0], &own, &engine, printer).await?;
    let outcome = match all_up(&lanes, &engine, run, began, &mut signals, printer).await {
        Ok(ready) => {
            let children = lanes.iter().zip(&ready).enumerate().map(|(index, (project, ready))| {
                let lane = run.lanes.map(|count| (index + 1, count));
                child_of(project, ready, &user_lines, run.app.as_deref(), lane)
            });
            match children.collect::<Result<_, Failure>>() {
                Ok(children) => run_all(&run.command, children, &mut signals, printer).await,
                Err(failure) => Err(failure),
            }
        }
        Err(Ended::By(signal)) => Ok(128 + u8::try_from(signal.as_raw()).unwrap_or_default()),
        Err(Ended::With(failure)) => Err(failure),
    };
    let removed = async {
        let observed = engine.observe(&[]).await.map_err(EngineError::into_failure)?;
        let all = lanes.iter().map(|lane| tear_down(&engine, &lane.identity, &observed, true));
        join_all(all).await.into_iter().collect::<Result<(), Failure>>()
    };
    match (outcome, removed.await) {
        (Ok(code), Ok(())) => Ok(code),
        (Err(failure), Ok(())) | (Ok(_), Err(failure)) => Err(failure),
        (Err(mut failure), Err(left)) => {
            failure.diagnostics.extend(left.diagnostics);
            Err(failure)
        }
    }
}

/// The reason why the environments did not get ready.
enum Ended {
    By(Signal),
    With(Failure),
}

/// Brings up every lane at the same time. Ends early on a signal, or when one lane fails.
async fn all_up(
    lanes: &[Project],
    engine: &Engine,
    run: &Run,
    began: Instant,
    signals: &mut Signals,
    printer: &Printer,
) -> Result<Vec<Ready>, Ended> {
    let several = run.lanes.is_some();
    let starting: Vec<Starting<'_>> = lanes
        .iter()
        .map(|_| Starting {
            engine,
            start: &run.start,
            printer,
            silent: several,
            began,
            stop: Stop::default(),
            // The environment is new, so no earlier run was interrupted.
            interrupted: None,
        })
        .collect();
    let stop_all = || starting.iter().for_each(|starting| starting.stop.ask());
    let each = lanes.iter().zip(&starting).map(|(lane, starting)| {
        let stop_all = &stop_all;
        async move {
            let ready = bring_up(lane, starting, &[], None).await;
            if ready.is_err() {
                stop_all();
            }
            ready
        }
    });
    let mut all = std::pin::pin!(join_all(each));
    tokio::select! {
        ready = &mut all => {
            let ready: Vec<Ready> = first_fault_or_all(ready)?;
            if several {
                printer.line(&format!(" {} lanes ready in {:.1} s", ready.len(), began.elapsed().as_secs_f32()));
            }
            Ok(ready)
        }
        signal = signals.next() => {
            printer.line(&format!("received {}: removing everything", name_of(signal)));
            stop_all();
            // A resource that the engine is creating now can be removed only after it is created.
            let _ = tokio::time::timeout(LAST_STEPS, all).await;
            Err(Ended::By(signal))
        }
    }
}

/// All lanes, or the fault that made the other lanes stop. A fault that only says that a lane was stopped comes last.
fn first_fault_or_all(lanes: Vec<Result<Ready, Failure>>) -> Result<Vec<Ready>, Ended> {
    let (mut ready, mut faults) = (Vec::new(), Vec::new());
    for lane in lanes {
        match lane {
            Ok(lane) => ready.push(lane),
            Err(fault) => faults.push(fault),
        }
    }
    let cause = faults.iter().position(|fault| !apply::is_stopped(fault)).unwrap_or(0);
    if faults.is_empty() { Ok(ready) } else { Err(Ended::With(faults.swap_remove(cause))) }
}

/// The command in one environment. The variables `DEVENV_LANE` and `DEVENV_LANES` win over any other value of these
/// names.
fn child_of(
    project: &Project,
    ready: &Ready,
    user_lines: &[UserLine],
    app: Option<&str>,
    lane: Option<(usize, usize)>,
) -> Result<Child, Failure> {
    let mut variables = variables_for(project, ready, user_lines, app)?;
    if let Some((number, count)) = lane {
        variables.push(("DEVENV_LANE".to_owned(), number.to_string()));
        variables.push(("DEVENV_LANES".to_owned(), count.to_string()));
    }
    Ok(Child { variables, lane: lane.map(|(number, _)| number) })
}

/// Removes the ephemeral environments of this checkout whose run was killed: no process holds their lock.
async fn remove_leftovers(
    project: &Project,
    own: &BTreeSet<&str>,
    engine: &Engine,
    printer: &Printer,
) -> Result<(), Failure> {
    // Observe the images too, so that the lanes need not look for them one by one.
    let observed = project.observe(engine).await?;
    let root = project.identity.root.display().to_string();
    let all = observed
        .containers
        .iter()
        .map(|container| &container.scope)
        .chain(observed.volumes.iter().map(|volume| &volume.scope))
        .chain(observed.networks.iter().map(|network| &network.scope))
        .chain(observed.records.iter().map(|one| &one.record.scope));
    let left = all.filter(|scope| scope.ephemeral && scope.root == root && !scope.environment.is_empty());
    let names: BTreeSet<&String> = left.map(|scope| &scope.environment).collect();
    let mut removal = Plan::default();
    for name in names {
        if own.contains(name.as_str()) || is_held(&project.machine.folder, name) {
            continue;
        }
        printer.line(&format!("removing {name}, left behind by a run that was killed"));
        let identity = Identity { name: name.clone(), ..project.identity.clone() };
        removal.append(plan::teardown(&identity, &observed, true), "its run was killed");
    }
    carry_out(engine, &project.identity, &removal.with_volumes_last()).await
}
