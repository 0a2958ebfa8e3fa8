//! The variables of a process that runs with an environment.

use super::bring_up::Ready;
use super::session::Project;
use super::{apps, env_files, variables};
use crate::dotenv::UserLine;
use crate::manifest;
use crate::model::{Failure, SourceFile};
use crate::plan::Fields;
use crate::ui::Printer;
use std::path::PathBuf;
use std::sync::Arc;

/// The variables of a running environment.
pub(crate) fn variables_for(
    project: &Project,
    ready: &Ready,
    user_lines: &[UserLine],
    app: Option<&str>,
) -> Result<Vec<(String, String)>, Failure> {
    values(project, &ready.fields, user_lines, !project.identity.ephemeral, app)
}

/// What the user's own lines set for an app; says what is left out where none is named, and fails where there is none of
/// that name.
pub(crate) fn lines(
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
pub(crate) fn values(
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
