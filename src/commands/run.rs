//! `devenv run -- COMMAND`: the services up, the variables set, the command's own exit code.

use super::down::tear_down;
use super::session::{Project, Purpose, connect, strictness};
use super::up::{self, Ready, Starting};
use super::variables;
use crate::apply::Stop;
use crate::cli::{Global, Run};
use crate::docker::{Engine, EngineError};
use crate::dotenv::{self, UserLine};
use crate::machine::is_held;
use crate::model::{Diagnostic, Exit, Failure, SourceFile, label};
use crate::plan::Identity;
use crate::ui::Printer;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::process::Command;
use tokio::signal::unix::{self, SignalKind};

/// How long the engine's steps under way may take when a signal has come.
const LAST_STEPS: Duration = Duration::from_secs(10);

/// Runs the command; its exit code is ours.
pub(crate) async fn run(global: &Global, files: &[PathBuf], run: &Run, printer: &Printer) -> Result<u8, Failure> {
    // A mistyped command is told before anything is started for it.
    if let Some(program) = run.command.first()
        && let Err(error) = which::which(program)
    {
        return Err(no_command(program, &error.to_string()));
    }
    if run.ephemeral {
        return ephemeral(global, files, run, printer).await;
    }
    let began = Instant::now();
    let project =
        Project::load(global, files, strictness(&run.start), None, Purpose::Use, printer)?.cold(run.start.cold);
    let engine = connect(global).await?;
    let target = dotenv::git::choose(&project.reading.root, None)?;
    printer.diagnostics(&target.notes);
    let existing = dotenv::file::read(&target.path)?;
    let user_lines = dotenv::user_lines(&existing);
    let ready = {
        let _lock = project.lock(printer)?;
        let starting =
            Starting { engine: &engine, start: &run.start, printer, silent: false, began, stop: Stop::default() };
        let ready = up::bring_up(&project, &starting, &user_lines).await?;
        let written = up::write_variables(&project, &ready, &target.path, &existing)?;
        printer.diagnostics(&written.notes);
        ready
    };
    let mut signals = Signals::new()?;
    let variables = variables_for(&project, &ready, &user_lines);
    with_variables(&run.command, variables, &mut signals).await
}

/// An environment of its own that is gone at the end, however the run ends.
async fn ephemeral(global: &Global, files: &[PathBuf], run: &Run, printer: &Printer) -> Result<u8, Failure> {
    let began = Instant::now();
    // From here on a signal ends the run in an orderly way.
    let mut signals = Signals::new()?;
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let token = format!("{} {}", std::process::id(), since_1970.as_nanos());
    let project =
        Project::load(global, files, strictness(&run.start), Some(&token), Purpose::Use, printer)?.cold(run.start.cold);
    let engine = connect(global).await?;
    let _lock = project.lock(printer)?;
    remove_leftovers(&project, &engine, printer).await?;
    let outcome = {
        let starting =
            Starting { engine: &engine, start: &run.start, printer, silent: false, began, stop: Stop::default() };
        let mut bring_up = std::pin::pin!(up::bring_up(&project, &starting, &[]));
        tokio::select! {
            ready = &mut bring_up => ready.map_err(Ended::With),
            signal = signals.next() => {
                printer.line(&format!("{} came: removing everything", name_of(signal)));
                starting.stop.ask();
                // What the engine is making now can be removed once it is made.
                let _ = tokio::time::timeout(LAST_STEPS, bring_up).await;
                Err(Ended::By(signal))
            }
        }
    };
    let outcome = match outcome {
        Ok(ready) => {
            let target = dotenv::git::choose(&project.reading.root, None)?;
            let user_lines = dotenv::user_lines(&dotenv::file::read(&target.path)?);
            let variables = variables_for(&project, &ready, &user_lines);
            with_variables(&run.command, variables, &mut signals).await
        }
        Err(Ended::By(signal)) => Ok(128 + u8::try_from(signal.as_raw()).unwrap_or_default()),
        Err(Ended::With(failure)) => Err(failure),
    };
    let removed = async {
        let observed = engine.observe(&[]).await.map_err(EngineError::into_failure)?;
        tear_down(&engine, &project.identity, &observed, true).await
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

/// Why an environment did not get ready.
enum Ended {
    By(Signal),
    With(Failure),
}

/// Ephemeral environments of this checkout whose run was killed: nobody holds their lock.
async fn remove_leftovers(project: &Project, engine: &Engine, printer: &Printer) -> Result<(), Failure> {
    let observed = engine.observe(&[]).await.map_err(EngineError::into_failure)?;
    let root = project.identity.root.display().to_string();
    let all = observed
        .containers
        .iter()
        .map(|container| &container.labels)
        .chain(observed.volumes.iter().map(|volume| &volume.labels))
        .chain(observed.networks.iter().map(|network| &network.labels));
    let names: BTreeSet<&String> = all
        .filter(|labels| labels.contains_key(label::EPHEMERAL) && labels.get(label::ROOT) == Some(&root))
        .filter_map(|labels| labels.get(label::ENVIRONMENT))
        .collect();
    for name in names {
        if *name == project.identity.name || is_held(&project.machine.folder, name) {
            continue;
        }
        printer.line(&format!("removing {name}, left behind by a run that was killed"));
        let identity = Identity { name: name.clone(), ..project.identity.clone() };
        tear_down(engine, &identity, &observed, true).await?;
    }
    Ok(())
}

/// Every variable with a value; the user's own lines win, and what is left to fill in keeps what the caller has.
fn variables_for(project: &Project, ready: &Ready, user_lines: &[UserLine]) -> Vec<(String, String)> {
    let all: Vec<_> = project.reading.stack.variables.iter().collect();
    let file = Arc::new(SourceFile { path: PathBuf::from(".env"), text: String::new() });
    let mut rendered = variables::render(&all, &ready.fields, &[], &file);
    let ephemeral = project.identity.ephemeral;
    variables::put_own_lines(&mut rendered.entries, &all, user_lines, !ephemeral);
    let mut values: Vec<(String, String)> = rendered
        .entries
        .iter()
        .filter_map(|entry| Some((entry.name.clone(), entry.value.text()?.to_owned())))
        .collect();
    // What no manifest knows of is the user's alone.
    let others = user_lines.iter().filter(|line| !all.iter().any(|variable| variable.name == line.name));
    values.extend(others.filter_map(|line| Some((line.name.clone(), line.value.as_ref()?.reveal().to_owned()))));
    values
}

/// Runs the command; signals that come meanwhile are passed on to it.
async fn with_variables(
    command: &[String],
    variables: Vec<(String, String)>,
    signals: &mut Signals,
) -> Result<u8, Failure> {
    let mut words = command.iter().map(OsString::from);
    let program = words.next().unwrap_or_default();
    let mut child = Command::new(&program)
        .args(words)
        .envs(variables)
        .spawn()
        .map_err(|error| no_command(&program.to_string_lossy(), &error.to_string()))?;
    loop {
        tokio::select! {
            status = child.wait() => {
                let status = status.map_err(|error| Failure::new(Exit::Failed, Diagnostic::error("command", "cannot wait for the command").because(error.to_string())))?;
                return Ok(code_of(status));
            }
            signal = signals.next() => {
                let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
                // On Ctrl-C the terminal has told the command itself already.
                if let (Some(pid), false) = (pid, signal == Signal::INT && std::io::IsTerminal::is_terminal(&std::io::stdin())) {
                    // A command that ended just now cannot be told any more, and need not be.
                    let _ = kill_process(pid, signal);
                }
            }
        }
    }
}

fn no_command(program: &str, why: &str) -> Failure {
    Failure::new(
        Exit::Failed,
        Diagnostic::error("command", format!("cannot run `{program}`"))
            .because(why)
            .help("the command after `--` is looked for on PATH; a shell line needs `sh -c '…'`"),
    )
}

/// As a shell has it: 128 and the signal's number for what a signal ended.
fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

/// The signals that end a run.
struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            unix::signal(kind).map_err(|error| {
                Failure::new(
                    Exit::Failed,
                    Diagnostic::error("signals", "cannot listen for signals").because(error.to_string()),
                )
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hang_up.recv() => Signal::HUP,
        }
    }
}

fn name_of(signal: Signal) -> &'static str {
    match signal {
        Signal::INT => "SIGINT",
        Signal::HUP => "SIGHUP",
        _ => "SIGTERM",
    }
}
