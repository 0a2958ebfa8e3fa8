//! `devenv lock` and `devenv update`: the exact image behind each declared version, in `services.lock`.

use crate::cli::{Global, Lock as Arguments, Update};
use crate::environment::checkout;
use crate::environment::lock::{resolved, write};
use crate::environment::session::{Project, connect, unknown_service};
use crate::machine::today;
use crate::manifest::{self};
use crate::model::{Failure, Lock, LockedService};
use crate::resolve::{lock_file, versions};
use crate::ui::Printer;
use serde_json::json;
use std::path::PathBuf;

/// Runs `devenv lock`.
pub(crate) async fn run(
    global: &Global,
    files: &[PathBuf],
    arguments: &Arguments,
    printer: &Printer,
) -> Result<(), Failure> {
    let project = checkout::project(global, files, printer).await?;
    let old = project.lock.clone().unwrap_or_default();
    let compared = versions::compare(&project.declared, &old);
    if arguments.check {
        printer.diagnostics(&manifest::ended(&project.reading.stack, project.kinds(), &today()));
        if !compared.is_current() {
            return Err(project.lock_failure(&compared));
        }
        printer.line("services.lock has every service as it is declared");
        return Ok(());
    }
    let stale = |name: &str| !compared.locked.contains_key(name);
    let new = if compared.is_current() {
        old.clone()
    } else {
        resolved(&connect(global).await?, &project, &old, &stale, false, printer).await?
    };
    finish(&project, &old, &new, arguments.json, printer)
}

/// Runs `devenv update`.
pub(crate) async fn update(
    global: &Global,
    files: &[PathBuf],
    arguments: &Update,
    printer: &Printer,
) -> Result<(), Failure> {
    let project = checkout::project(global, files, printer).await?;
    if let Some(name) = &arguments.service
        && project.reading.stack.service(name).is_none()
    {
        let known = project.reading.stack.services.iter().map(|service| service.name.as_str());
        return Err(unknown_service(name, known));
    }
    let old = project.lock.clone().unwrap_or_default();
    let wanted = |name: &str| arguments.service.as_deref().is_none_or(|asked| asked == name);
    let new = resolved(&connect(global).await?, &project, &old, &wanted, true, printer).await?;
    finish(&project, &old, &new, arguments.json, printer)
}

/// Writes the lock and shows the changed entries.
fn finish(project: &Project, old: &Lock, new: &Lock, as_json: bool, printer: &Printer) -> Result<(), Failure> {
    let mut whole = new.clone();
    whole.services.extend(project.lock_of_others.services.clone());
    let changed = write(&project.reading.root, &whole)?;
    let mut moved = Vec::new();
    for name in old.services.keys().chain(new.services.keys().filter(|name| !old.services.contains_key(*name))) {
        let (before, after) = (old.services.get(name), new.services.get(name));
        if before != after {
            moved.push((name, before, after));
        }
    }
    if as_json {
        let moved: Vec<_> = moved
            .iter()
            .map(|(name, before, after)| json!({"service": name, "before": before.map(shape), "after": after.map(shape)}))
            .collect();
        return printer
            .json(&json!({"file": project.reading.root.join(lock_file::NAME), "written": changed, "moved": moved}));
    }
    for (name, before, after) in &moved {
        let said = |entry: Option<&LockedService>| entry.map_or_else(|| "none".to_owned(), words);
        printer.line(&format!(" {name}  {} -> {}", said(*before), said(*after)));
    }
    let end = if changed { "written: commit it" } else { "unchanged" };
    printer.line(&format!("{} {end} · {} services", lock_file::NAME, new.services.len()));
    Ok(())
}

fn shape(entry: &LockedService) -> serde_json::Value {
    json!({
        "declared": entry.declared, "version": entry.version, "image": entry.image,
        "digest": entry.digest, "platforms": entry.platforms,
    })
}

/// `16.4 sha256:0123456789ab`: the release, or the declared version, and the start of the digest.
fn words(entry: &LockedService) -> String {
    let digest = entry.digest.as_ref().or(entry.platforms.values().next());
    let digest: String = digest.map(|digest| digest.chars().take(19).collect()).unwrap_or_default();
    format!("{} {digest}", entry.version.as_ref().unwrap_or(&entry.declared))
}
