//! `devenv logs`: what the services say.

use super::session::{Machine, connect, read, unknown_service};
use crate::cli::{Global, Logs};
use crate::docker::{EngineError, LogLine, LogRequest};
use crate::model::{Diagnostic, Exit, Failure, label};
use crate::plan::Identity;
use crate::ui::Printer;
use futures_util::StreamExt;
use std::path::PathBuf;

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], logs: &Logs, printer: &Printer) -> Result<(), Failure> {
    let reading = read(global, files)?;
    let machine = Machine::load()?;
    let identity = Identity::of_checkout(&reading.stack.project, &reading.root, machine.key.clone());
    let engine = connect(global).await?;
    let observed = engine.observe(&[]).await.map_err(EngineError::into_failure)?;
    let ours: Vec<(String, String)> = observed
        .containers
        .iter()
        .filter(|container| container.label(label::ENVIRONMENT) == identity.name)
        .map(|container| (container.label(label::SERVICE).to_owned(), container.id.clone()))
        .collect();
    if ours.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            Diagnostic::error("not-running", "this environment has no containers, and so no logs")
                .help("`devenv up` starts it"),
        ));
    }
    for name in &logs.services {
        if !ours.iter().any(|(service, _)| service == name) {
            return Err(unknown_service(name, ours.iter().map(|(service, _)| service.as_str())));
        }
    }
    let wanted: Vec<(String, String)> =
        ours.into_iter().filter(|(service, _)| logs.services.is_empty() || logs.services.contains(service)).collect();
    let width = wanted.iter().map(|(service, _)| service.len()).max().unwrap_or_default();
    let request = LogRequest { follow: logs.follow, tail: Some(logs.tail) };
    let mut lines = engine.logs(&wanted, request);
    while let Some(line) = lines.next().await {
        let LogLine { service, text: line, .. } = line.map_err(EngineError::into_failure)?;
        if wanted.len() == 1 {
            printer.data(&format!("{line}\n"))?;
        } else {
            printer.data(&format!("{service:width$}  {line}\n"))?;
        }
        if printer.is_closed() {
            break;
        }
    }
    Ok(())
}
