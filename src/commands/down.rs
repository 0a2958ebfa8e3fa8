//! `devenv down`: stops and removes the containers, and with `--volumes` also this environment's data.

use crate::cli::{Down, Global};
use crate::environment::agreement::agreed;
use crate::environment::checkout::{self, Found};
use crate::environment::tear_down::{pin, tear_down};
use crate::model::{Failure, Observed, Volume};
use crate::plan::{self, Action};
use crate::ui::Printer;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], down: &Down, printer: &Printer) -> Result<(), Failure> {
    let (found, _lock) = checkout::find(global, files).await?.locked(printer).await?;
    let Found { engine, identity, observed, .. } = found;
    let plan = plan::teardown(&identity, &observed, down.volumes);
    if plan.steps.is_empty() {
        printer.line("nothing to take down: no environment of this folder runs; `devenv ls` shows every environment");
        return Ok(());
    }
    let volumes: Vec<&str> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            // An upper volume is removed with its volume, and a record's volume holds no data.
            Action::RemoveVolume { name } if holds_data(name, &observed) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    // Of a volume on which others are layered, only the upper volume is left by now.
    let is_upper = |name: &str| observed.volume(name).is_some_and(|volume| !volume.upper_of().is_empty());
    let only_upper_layers = volumes.is_empty()
        && plan.steps.iter().any(|step| matches!(&step.action, Action::RemoveVolume { name } if is_upper(name)));
    if !volumes.is_empty() {
        let snapshots = plan::snapshots(&identity, &observed);
        let snapshots: Vec<&str> = snapshots.iter().map(|snapshot| snapshot.name.as_str()).collect();
        let service_of = |name: &&str| observed.volume(name).map(Volume::service);
        let services: BTreeSet<&str> =
            volumes.iter().filter_map(service_of).filter(|service| !service.is_empty()).collect();
        agree_to_delete(&services, &snapshots, down, printer)?;
    }
    if !down.volumes {
        pin(&engine, &identity, &observed).await?;
    }
    tear_down(&engine, &identity, &observed, down.volumes).await?;
    let of_services = |step: &&plan::Step| matches!(step.action, Action::Remove { .. }) && !step.service.is_empty();
    let removed = plan.steps.iter().filter(of_services).count();
    let containers = if removed == 1 { "1 container".to_owned() } else { format!("{removed} containers") };
    if !down.volumes && engine.facts().await.is_ok_and(|facts| facts.prunes_named_volumes()) {
        printer
            .line("on this engine `docker system prune --volumes` deletes this data; `docker volume prune` keeps it");
    }
    printer.line(&if only_upper_layers {
        format!("{containers} removed, and the data that had been kept for another environment")
    } else if volumes.is_empty() && down.volumes {
        format!("{containers} removed; there was no data")
    } else if volumes.is_empty() {
        format!("{containers} removed; the data is kept (`devenv up` continues with it)")
    } else {
        let data = if volumes.len() == 1 { "1 volume".to_owned() } else { format!("{} volumes", volumes.len()) };
        if removed == 0 {
            format!("{data} removed with the data")
        } else {
            format!("{containers} and {data} removed with the data")
        }
    });
    let shared = plan::shared(&identity, &observed);
    if down.volumes && !shared.is_empty() {
        let names: Vec<&str> = shared.iter().map(String::as_str).collect();
        printer.line(&format!(
            "kept, since the data of another environment is layered on it: {}; `devenv down --volumes` removes it once \
             that environment is gone",
            names.join(", ")
        ));
    }
    Ok(())
}

fn holds_data(name: &str, observed: &Observed) -> bool {
    observed.volume(name).is_some_and(|volume| volume.data().is_some())
}

/// Names the data to delete, and asks on a terminal. Without a terminal, `--yes` is required.
fn agree_to_delete(
    services: &BTreeSet<&str>,
    snapshots: &[&str],
    down: &Down,
    printer: &Printer,
) -> Result<(), Failure> {
    // A user who is asked has to see the names, even with `--quiet`.
    let say = |text: &str| if down.yes { printer.line(text) } else { printer.always(text) };
    say(&format!("this deletes the data of: {}", services.iter().copied().collect::<Vec<_>>().join(", ")));
    if !snapshots.is_empty() {
        say(&format!("and with it the snapshots: {}", snapshots.join(", ")));
    }
    if down.yes { Ok(()) } else { agreed(printer, "delete it?") }
}
