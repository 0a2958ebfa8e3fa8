//! Removes unused resources, and measures them.

use super::session::Project;
use super::tear_down::carry_out;
use crate::docker::Engine;
use crate::machine::{Key, is_held};
use crate::model::{Diagnostic, Observed};
use crate::plan::{self, Identity, Listed};
use crate::ui::Printer;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) fn now() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(since_1970).unwrap_or(i64::MAX)
}

/// The environments of this user whose folder no longer exists. A folder that cannot be looked up counts as existing.
pub(crate) fn without_folder(key: &Key, observed: &Observed) -> Vec<Listed> {
    let mut all = plan::listed(key, observed);
    all.retain(is_without_folder);
    all
}

pub(crate) fn is_without_folder(one: &Listed) -> bool {
    one.is_ours && !one.is_ephemeral && matches!(Path::new(&one.root).try_exists(), Ok(false))
}

/// The sizes in bytes of the data that these volumes hold themselves. If they cannot be measured, this prints a
/// warning.
pub(crate) async fn measure(
    engine: &Engine,
    identity: &Identity,
    observed: &Observed,
    volumes: &[String],
    printer: &Printer,
) -> BTreeMap<String, u64> {
    // A mounted overlay volume shows the data of its layers too; its own data is in its upper volume.
    let is_mounted = |name: &String| observed.volumes.iter().any(|volume| volume.upper_of() == name.as_str());
    let there = |name: &String| observed.volume(name).is_some();
    let own: Vec<String> = volumes.iter().filter(|name| there(name) && !is_mounted(name)).cloned().collect();
    let Some(image) = observed.any_image().filter(|_| !own.is_empty()) else { return BTreeMap::new() };
    engine.sizes(image, &identity.scope(), &own).await.unwrap_or_else(|error| {
        let diagnostic = Diagnostic::warning("sizes", "the sizes are not known").because(error.to_string());
        printer.diagnostics(&[diagnostic.help("`docker system df -v` may tell")]);
        BTreeMap::new()
    })
}

/// The clean-up of `up`: removes expired ephemeral environments, leftovers of killed runs, and bases that were unused
/// for a long time. If `known` shows none of these, this sends no request to the engine. A fault is only a warning.
pub(crate) async fn remove_stale(project: &Project, known: &Observed, engine: &Engine, printer: &Printer) {
    let stale = |observed: &Observed| {
        let own = &project.identity.name;
        let held = |name: &str| name == own || is_held(&project.machine.folder, name);
        plan::stale(&project.identity, observed, &held, now())
    };
    if stale(known).steps.is_empty() {
        return;
    }
    let removed = async {
        // `known` was read before this run, which may use some of these resources now.
        let plan = stale(&project.observe(engine).await?);
        carry_out(engine, &project.identity, &plan).await.map(|()| plan.steps.len())
    };
    match removed.await {
        Ok(0) => {}
        Ok(count) => printer.line(&format!("removed {count} unused resources; `devenv gc` removes more")),
        Err(failure) => {
            let mut diagnostic = Diagnostic::warning("gc", "cannot remove unused resources");
            diagnostic =
                failure.diagnostics.into_iter().fold(diagnostic, |diagnostic, one| diagnostic.because(one.message));
            printer.diagnostics(&[diagnostic.help("nothing of yours is touched; `devenv gc` tries again")]);
        }
    }
}
