//! `devenv logs`: the logs of the services.

use crate::cli::{Global, Logs};
use crate::docker::{EngineError, LogLine};
use crate::environment::checkout::{self, Found};
use crate::environment::session::unknown_service;
use crate::model::{Diagnostic, Exit, Failure};
use crate::ui::{Printer, padded};
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], logs: &Logs, printer: &Printer) -> Result<(), Failure> {
    let Found { engine, identity, observed, .. } = checkout::find(global, files).await?;
    let ours: Vec<(String, String)> = observed
        .containers_of(&identity.name)
        .map(|container| (container.service().to_owned(), container.id.clone()))
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
    let show = |line: &LogLine| match wanted.len() {
        1 => printer.program_line(&line.text),
        _ => printer.program_line(&format!("{}  {}", padded(&line.service, width), line.text)),
    };
    // Existing lines are printed in the order of their time, new lines in the order of their arrival.
    let mut known = BTreeMap::new();
    let mut lines = engine.logs(&wanted, Some(logs.tail));
    while let Some(line) = lines.next().await {
        let line = line.map_err(EngineError::into_failure)?;
        show(&line)?;
        if printer.is_closed() {
            return Ok(());
        }
        known.insert(line.service, line.time);
    }
    if !logs.follow {
        return Ok(());
    }
    let mut lines = engine.further_logs(&wanted, &known);
    while let Some(line) = lines.next().await {
        show(&line.map_err(EngineError::into_failure)?)?;
        if printer.is_closed() {
            break;
        }
    }
    Ok(())
}
