//! `devenv ls`: the environments of this machine.

use crate::cli::{Global, Ls};
use crate::docker::EngineError;
use crate::environment::cleanup::is_without_folder;
use crate::environment::session::{Machine, connect};
use crate::model::Failure;
use crate::plan::{self, Listed};
use crate::ui::{Printer, Table, age};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs the command.
pub(crate) async fn run(global: &Global, ls: &Ls, printer: &Printer) -> Result<(), Failure> {
    let machine = Machine::load()?;
    let engine = connect(global).await?;
    let observed = engine.observe(&[]).await.map_err(EngineError::into_failure)?;
    let all = plan::listed(&machine.key, &observed);
    if ls.json {
        let all: Vec<_> = all
            .iter()
            .map(|one| {
                json!({
                    "environment": one.name, "folder": one.root, "project": one.project, "services": one.services,
                    "running": one.running, "created": one.since, "ephemeral": one.is_ephemeral, "ours": one.is_ours,
                    "folder_is_gone": is_without_folder(one),
                })
            })
            .collect();
        return printer.json(&json!({"environments": all}));
    }
    if all.is_empty() {
        return printer.data("no environments yet: `devenv up` makes one\n");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut table = Table::new(["folder", "project", "services", "state", "age"]);
    for one in &all {
        let since = one.since.map(|since| now.saturating_sub(u64::try_from(since).unwrap_or_default()));
        let services = one.services.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        table.row([one.root.clone(), one.project.clone(), services, state(one), since.map(age).unwrap_or_default()]);
    }
    printer.data(&table.render(printer))?;
    if all.iter().any(is_without_folder) {
        printer.line(
            "the folder of an environment was moved or deleted, but the environment and its data still exist: `devenv gc \
             --folders` removes both",
        );
    }
    Ok(())
}

fn state(one: &Listed) -> String {
    let mut state = match (one.running.len(), one.services.len()) {
        (0, _) => "down".to_owned(),
        (running, all) if running == all => "running".to_owned(),
        (running, all) => format!("{running} of {all} run"),
    };
    if is_without_folder(one) {
        state.push_str(", its folder is gone");
    }
    if one.is_ephemeral {
        state.push_str(", ephemeral");
    }
    if !one.is_ours {
        state.push_str(", of another user or an older key");
    }
    state
}
