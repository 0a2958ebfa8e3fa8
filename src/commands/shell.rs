//! `devenv shell SERVICE`: runs the service's own client in its container.

use crate::cli::{Global, Shell};
use crate::docker::{EngineError, ExecRequest};
use crate::environment::checkout::{self, Opened, Wish};
use crate::environment::env_files;
use crate::environment::session::unknown_service;
use crate::model::{Diagnostic, Exit, Failure};
use crate::ui::Printer;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Runs the client and returns its exit code.
pub(crate) async fn run(global: &Global, files: &[PathBuf], shell: &Shell, printer: &Printer) -> Result<u8, Failure> {
    let wish = Wish::to_use(files);
    let Opened { mut project, engine, observed, .. } = checkout::open(global, &wish, printer).await?;
    let desired = env_files::as_it_runs(&mut project, &observed)?;
    let Some(service) = desired.services.iter().find(|service| service.name == shell.service) else {
        return Err(unknown_service(&shell.service, desired.services.iter().map(|service| service.name.as_str())));
    };
    let container = observed.container(&project.identity.name, &service.name);
    let container = container.filter(|container| container.state == "running");
    let Some(container) = container else {
        return Err(Failure::new(
            Exit::Failed,
            Diagnostic::error("not-running", format!("{} does not run", service.name)).help("`devenv up` starts it"),
        ));
    };
    let client = service.shell.clone();
    let environment = service.shell_environments[usize::from(shell.admin)].clone();
    let command = if !shell.command.is_empty() {
        shell.command.clone()
    } else if client.is_empty() {
        vec!["sh".to_owned()]
    } else {
        client
    };
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let request = ExecRequest { command, environment, tty: terminal };
    let code = engine.exec_interactive(&container.id, &request).await.map_err(EngineError::into_failure)?;
    Ok(u8::try_from(code).unwrap_or(1))
}
