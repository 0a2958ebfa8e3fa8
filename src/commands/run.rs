//! `devenv run -- COMMAND`: brings the services up, sets the variables, runs the command, and returns its exit code.

use crate::apply::Stop;
use crate::cli::{Global, Run};
use crate::environment::bring_up::bring_up;
use crate::environment::checkout::{self, Opened, Wish};
use crate::environment::child::{Child, no_command, run_all};
use crate::environment::process::{lines, variables_for};
use crate::environment::session::{Purpose, strictness};
use crate::environment::signals::Signals;
use crate::environment::starting::Starting;
use crate::environment::{branch, env_files, ephemeral, unsafe_variables};
use crate::model::Failure;
use crate::ui::Printer;
use std::path::PathBuf;
use std::time::Instant;

/// Runs the command and returns its exit code.
pub(crate) async fn run(global: &Global, files: &[PathBuf], run: &Run, printer: &Printer) -> Result<u8, Failure> {
    // Report a mistyped command before anything is started.
    if let Some(program) = run.command.first()
        && let Err(error) = which::which(program)
    {
        return Err(no_command(program, &error.to_string()));
    }
    if run.ephemeral || run.lanes.is_some() {
        return ephemeral::run(global, files, run, printer).await;
    }
    let began = Instant::now();
    let wish = Wish {
        files,
        env_file: run.env_file.as_deref(),
        strictness: strictness(&run.start),
        token: None,
        purpose: Purpose::Use,
        start: Some(&run.start),
        locks: true,
        or_by_labels: false,
    };
    let Opened { project, engine, lock, observed } = checkout::open(global, &wish, printer).await?;
    let project = project.cold(run.start.cold);
    let env = env_files::Main::of(&project.reading, &project.choice)?;
    printer.diagnostics(&env_files::check(&project, &env)?);
    let user_lines = lines(&project, &env, run.app.as_deref(), printer)?;
    printer.diagnostics(&unsafe_variables::diagnostic(&project.unset, &user_lines));
    let mut signals = Signals::new()?;
    let ready = {
        // Hold the lock until the services are proven and the variables are written.
        let lock = lock;
        let interrupted = lock.as_ref().and_then(|lock| lock.interrupted);
        let stop = Stop::default();
        let starting =
            Starting { engine: &engine, start: &run.start, printer, silent: false, began, stop, interrupted };
        let brought_up = async {
            let begun = Box::pin(branch::begin(&project, &engine, None, global, &run.start, printer)).await?;
            bring_up(&project, &starting, &env.lines, (!begun).then_some(observed)).await
        };
        let ready = Box::pin(signals.or_stop(&starting.stop, printer, brought_up)).await?;
        let written = env_files::write(&project, &ready, &env)?;
        printer.diagnostics(&written.notes);
        ready
    };
    let variables = variables_for(&project, &ready, &user_lines, run.app.as_deref())?;
    run_all(&run.command, vec![Child { variables, lane: None }], &mut signals, printer).await
}
