//! `devenv snapshot`: saves the data of services at one moment under a name, and restores it.

use crate::cli::{Global, Snapshot, SnapshotAction, Start};
use crate::docker::EngineError;
use crate::environment::agreement::agreed;
use crate::environment::snapshot::{EnvironmentState, save};
use crate::environment::tear_down::pin;
use crate::model::Failure;
use crate::plan::{self};
use crate::ui::{Printer, Table, age};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Runs the command.
pub(crate) async fn run(
    global: &Global,
    files: &[PathBuf],
    snapshot: &Snapshot,
    printer: &Printer,
) -> Result<(), Failure> {
    let start = Start { timeout: snapshot.timeout, ..Start::with(&snapshot.manifests) };
    let state = EnvironmentState::open(global, files, &start, printer).await?;
    match &snapshot.action {
        SnapshotAction::Save { name, services } => save(&state, name, services, &start, printer).await,
        SnapshotAction::List { json } => list(&state, *json, printer),
        SnapshotAction::Restore { name, services, yes } => {
            let mut found = state.named(name)?;
            found.data = state.only(found.data, services, &format!("the snapshot {name}"))?;
            state.is_usable(&found)?;
            let to = found.data.into_iter().map(|(service, volume)| (service, Some(volume))).collect();
            state.agree(&to, *yes, printer)?;
            state.restore(&to, &start, printer).await?;
            printer.line(&format!("{name} is restored: {}", to.into_keys().collect::<Vec<_>>().join(", ")));
            Ok(())
        }
        SnapshotAction::Diff { a, b, json } => Box::pin(diff(&state, a, b.as_deref(), *json, &start, printer)).await,
        SnapshotAction::Rm { name, yes } => remove(&state, name, *yes, printer).await,
    }
}

async fn diff(
    state: &EnvironmentState,
    a: &str,
    b: Option<&str>,
    json: bool,
    start: &Start,
    printer: &Printer,
) -> Result<(), Failure> {
    let named = [Some(a), b].into_iter().flatten().map(|name| state.named(name));
    let named: Vec<plan::Snapshot> = named.collect::<Result<_, _>>()?;
    named.iter().try_for_each(|snapshot| state.is_usable(snapshot))?;
    let mut sides = Vec::new();
    for snapshot in &named {
        let services: Vec<&str> = snapshot.data.keys().map(String::as_str).collect();
        printer.line(&format!(
            "reading {}: starting servers on a clone of its data ({})",
            snapshot.name,
            services.join(", ")
        ));
        sides.push(state.holdings_of(snapshot, start, printer).await?);
    }
    if b.is_none() {
        printer.line("reading the running services");
        sides.push(state.holdings_now(&named[0]).await?);
    }
    let now = "now".to_owned();
    let other = b.map_or(now, str::to_owned);
    let mut found = Vec::new();
    let services: BTreeSet<&String> = sides.iter().flat_map(BTreeMap::keys).collect();
    let nothing = BTreeMap::new();
    for service in services {
        let [one, two] = [0, 1].map(|at: usize| sides[at].get(service).unwrap_or(&nothing));
        let names: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
        for name in names.into_iter().filter(|name| one.get(*name) != two.get(*name)) {
            found.push((service, name, one.get(name), two.get(name)));
        }
    }
    if json {
        let all: Vec<_> = found
            .iter()
            .map(|(service, name, one, two)| serde_json::json!({"service": service, "name": name, "a": one, "b": two}))
            .collect();
        return printer.json(&serde_json::json!({"a": a, "b": other, "differences": all}));
    }
    if found.is_empty() {
        return printer.data(&format!("no difference between {a} and {other}, as far as numbers tell\n"));
    }
    let mut table = Table::new(["service", "what", a, &other]);
    let said = |count: Option<&u64>| count.map_or_else(|| "absent".to_owned(), ToString::to_string);
    for (service, name, one, two) in found {
        table.row([service.clone(), name.clone(), said(one), said(two)]);
    }
    printer.data(&table.render(printer))
}

fn list(state: &EnvironmentState, json: bool, printer: &Printer) -> Result<(), Failure> {
    let all = plan::snapshots(&state.project.identity, &state.observed);
    if json {
        let all: Vec<_> = all
            .iter()
            .map(|one| serde_json::json!({"name": one.name, "created": one.created, "services": one.data.keys().collect::<Vec<_>>()}))
            .collect();
        return printer.json(&serde_json::json!({"environment": state.project.identity.name, "snapshots": all}));
    }
    if all.is_empty() {
        return printer.data("no snapshots yet: `devenv snapshot save NAME`\n");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut table = Table::new(["snapshot", "saved", "services"]);
    for one in &all {
        let seconds = now.saturating_sub(u64::try_from(one.created).unwrap_or_default());
        let services = one.data.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        table.row([one.name.clone(), format!("{} ago", age(seconds)), services]);
    }
    printer.data(&table.render(printer))
}

async fn remove(state: &EnvironmentState, name: &str, yes: bool, printer: &Printer) -> Result<(), Failure> {
    let found = state.named(name)?;
    let volumes = plan::unneeded(&found, &state.project.identity, &state.observed);
    let say = |text: &str| if yes { printer.line(text) } else { printer.always(text) };
    if volumes.is_empty() {
        say(&format!("this deletes {name}; it frees no space, because other data needs the same volumes"));
    } else {
        say(&format!(
            "this deletes {name}, the data of {} as it was then",
            found.data.keys().cloned().collect::<Vec<_>>().join(", ")
        ));
    }
    if !yes {
        agreed(printer, "delete it?")?;
    }
    let fault = EngineError::into_failure;
    if let Some(record) = state.observed.records.iter().find(|one| one.record.name == found.record) {
        state.engine.remove_record(record).await.map_err(fault)?;
    }
    // Write a pin that does not reference these volumes, in place of a pin that does.
    let identity = &state.project.identity;
    let volumes: BTreeSet<String> = volumes.into_iter().collect();
    let is_pinned =
        plan::pins(identity, &state.observed).any(|pin| pin.record.pins.iter().any(|name| volumes.contains(name)));
    if is_pinned {
        let rest = plan::without(&BTreeSet::from([found.record.as_str()]), &volumes, &state.observed);
        pin(&state.engine, identity, &rest).await?;
    }
    for volume in &volumes {
        state.engine.remove_volume(volume).await.map_err(fault)?;
    }
    printer.line(&format!("{name} is deleted"));
    Ok(())
}
