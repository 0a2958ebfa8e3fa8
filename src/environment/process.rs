//! The variables of a process that runs with an environment's services.

use super::session::Project;
use super::starting::Ready;
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

/// The user's own lines for an app. Without an app, this lists the variables that get no value because the apps
/// disagree. It fails if no app has that name.
pub(crate) fn lines(
    project: &Project,
    env: &env_files::Main,
    app: Option<&str>,
    printer: &Printer,
) -> Result<Vec<UserLine>, Failure> {
    let (stack, files) = (&project.reading.stack, &project.reading.env_files);
    apps::of_app(stack, files, app)?;
    if app.is_none() {
        printer.diagnostics(apps::names_without_value(stack, files).as_slice());
    }
    env_files::lines_for(project, env, app)
}

/// Every variable that has a value. A variable whose value is still to fill in is not returned, so it keeps the value
/// that `devenv` itself has. The user's own lines win; over variables that are bound to a service only with
/// `bound_too`.
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
    // The other lines are the user's own: no manifest knows these names, or gives them a value here. But the file may
    // have come with the clone, so variables that make programs run are not set.
    let others = user_lines.iter().filter(|line| {
        !rendered.entries.iter().any(|entry| entry.name == line.name) && manifest::unsafe_variable(&line.name).is_none()
    });
    values.extend(others.filter_map(|line| Some((line.name.clone(), line.value.as_ref()?.reveal().to_owned()))));
    // No process can be started with such a name or value. Without it, the other variables still work.
    values.retain(|(name, value)| !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'));
    Ok(values)
}
