//! `devenv run -- COMMAND`: the services up, the variables set, the command's own exit code.

use super::checkout::{self, Opened, Wish};
use super::child::{Child, no_command, run_all};
use super::session::{Project, Purpose, strictness};
use super::signals::Signals;
use super::up::{self, Ready, Starting};
use super::{apps, branch, env_files, ephemeral, unset, variables};
use crate::apply::Stop;
use crate::cli::{Global, Run};
use crate::dotenv::UserLine;
use crate::manifest;
use crate::model::{Failure, SourceFile};
use crate::plan::Fields;
use crate::ui::Printer;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Runs the command; its exit code is ours.
pub(crate) async fn run(global: &Global, files: &[PathBuf], run: &Run, printer: &Printer) -> Result<u8, Failure> {
    // A mistyped command is told before anything is started for it.
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
    printer.diagnostics(&unset::told(&project.unset, &user_lines));
    let mut signals = Signals::new()?;
    let ready = {
        // Held until what is there is proven and written.
        let lock = lock;
        let interrupted = lock.as_ref().and_then(|lock| lock.interrupted);
        let stop = Stop::default();
        let starting =
            Starting { engine: &engine, start: &run.start, printer, silent: false, began, stop, interrupted };
        let brought_up = async {
            let begun = Box::pin(branch::begin(&project, &engine, None, global, &run.start, printer)).await?;
            up::bring_up(&project, &starting, &env.lines, (!begun).then_some(observed)).await
        };
        let ready = Box::pin(signals.or_stop(&starting.stop, printer, brought_up)).await?;
        let written = env_files::write(&project, &ready, &env)?;
        printer.diagnostics(&written.notes);
        ready
    };
    let variables = variables_for(&project, &ready, &user_lines, run.app.as_deref())?;
    run_all(&run.command, vec![Child { variables, lane: None }], &mut signals, printer).await
}

/// The variables of a running environment.
pub(super) fn variables_for(
    project: &Project,
    ready: &Ready,
    user_lines: &[UserLine],
    app: Option<&str>,
) -> Result<Vec<(String, String)>, Failure> {
    values(project, &ready.fields, user_lines, !project.identity.ephemeral, app)
}

/// What the user's own lines set for an app; says what is left out where none is named, and fails where there is none of
/// that name.
pub(super) fn lines(
    project: &Project,
    env: &env_files::Main,
    app: Option<&str>,
    printer: &Printer,
) -> Result<Vec<UserLine>, Failure> {
    let (stack, files) = (&project.reading.stack, &project.reading.env_files);
    apps::of_app(stack, files, app)?;
    if app.is_none() {
        printer.diagnostics(apps::left_out(stack, files).as_slice());
    }
    env_files::lines_for(project, env, app)
}

/// Every variable with a value; what is left to fill in keeps what the caller has. The user's own lines win, also over
/// what is bound to a service where `bound_too`.
pub(super) fn values(
    project: &Project,
    fields: &Fields,
    user_lines: &[UserLine],
    bound_too: bool,
    app: Option<&str>,
) -> Result<Vec<(String, String)>, Failure> {
    let all = apps::of_app(&project.reading.stack, &project.reading.env_files, app)?;
    let file = Arc::new(SourceFile { path: PathBuf::from(".env"), text: String::new() });
    let mut rendered = variables::render(&all, fields, &[], &file);
    variables::put_own_lines(&mut rendered.entries, &all, user_lines, bound_too);
    let mut values: Vec<(String, String)> = rendered
        .entries
        .iter()
        .filter_map(|entry| Some((entry.name.clone(), entry.value.text()?.to_owned())))
        .collect();
    // What no manifest knows of, or gives no value here, is the user's alone; the file may have come with the clone all
    // the same.
    let others = user_lines.iter().filter(|line| {
        !rendered.entries.iter().any(|entry| entry.name == line.name) && manifest::unsafe_variable(&line.name).is_none()
    });
    values.extend(others.filter_map(|line| Some((line.name.clone(), line.value.as_ref()?.reveal().to_owned()))));
    // No process can be started with such a one, and it costs the others nothing.
    values.retain(|(name, value)| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
    Ok(values)
}
