//! The mounts of a service's container: volumes, `configs:` and `secrets:`, in all their forms.

use super::load::Loader;
use super::merge::target_of_mount;
use super::value::Value;
use crate::manifest::declare::container::{Mount, MountSource, SecretText};
use crate::model::Secret;

/// Everything that is mounted into a service.
pub(super) fn mounts(loader: &Loader<'_>, whole: &Value, service: &Value) -> Vec<Mount> {
    let mut found = Vec::new();
    for item in service.get("volumes").map(Value::items).unwrap_or_default() {
        let Some(target) = target_of_mount(item) else { continue };
        let source = match item.get("type").and_then(Value::as_str) {
            Some("bind") => host(loader, item.get("source")),
            Some("tmpfs") => MountSource::Temporary,
            Some(_) => MountSource::Volume,
            None => short_source(loader, item),
        };
        found.push(Mount { target: trimmed(&target), source, origin: item.origin.clone() });
    }
    for (key, prefix) in [("configs", "/"), ("secrets", "/run/secrets/")] {
        for item in service.get(key).map(Value::items).unwrap_or_default() {
            let Some(name) = item.get("source").unwrap_or(item).as_str() else { continue };
            let target = item.get("target").and_then(Value::as_str).unwrap_or(name);
            let target = if target.starts_with('/') { target.to_owned() } else { format!("{prefix}{target}") };
            let source = if key == "secrets" {
                MountSource::Secret(name.to_owned(), secret_text(loader, whole, name))
            } else {
                config(loader, whole.get("configs").and_then(|configs| configs.get(name)), name)
            };
            found.push(Mount { target: trimmed(&target), source, origin: item.origin.clone() });
        }
    }
    found
}

fn trimmed(target: &str) -> String {
    let trimmed = target.trim_end_matches('/');
    if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() }
}

/// The source of a mount in short form: `./folder:/target:ro`, `name:/target`, `/target`.
fn short_source(loader: &Loader<'_>, item: &Value) -> MountSource {
    let text = item.as_str().unwrap_or_default();
    match text.split_once(':') {
        Some((source, _)) if source.starts_with(['.', '/', '~']) || source.contains('/') => {
            MountSource::Host(loader.path_in(&item.origin, source))
        }
        // `${FOLDER}/data` with an unset variable leaves no source before the colon.
        _ => MountSource::Volume,
    }
}

fn host(loader: &Loader<'_>, source: Option<&Value>) -> MountSource {
    match source.and_then(|source| Some((source, source.as_str()?))) {
        Some((source, path)) => MountSource::Host(loader.path_in(&source.origin, path)),
        None => MountSource::Volume,
    }
}

fn config(loader: &Loader<'_>, declared: Option<&Value>, name: &str) -> MountSource {
    let part =
        |key: &str| declared.and_then(|declared| declared.get(key)).and_then(|value| Some((value, value.as_str()?)));
    if let Some((_, content)) = part("content") {
        return MountSource::Text(content.to_owned());
    }
    if let Some((value, path)) = part("file") {
        return MountSource::Host(loader.path_in(&value.origin, path));
    }
    if let Some((value, variable)) = part("environment")
        && let Some(text) = loader.lookup(&value.origin, variable)
    {
        return MountSource::Text(text);
    }
    MountSource::External(name.to_owned())
}

/// The declared source of a secret's text: a variable or a file.
fn secret_text(loader: &Loader<'_>, whole: &Value, name: &str) -> SecretText {
    let declared = whole.get("secrets").and_then(|secrets| secrets.get(name));
    let part =
        |key: &str| declared.and_then(|declared| declared.get(key)).and_then(|value| Some((value, value.as_str()?)));
    if let Some((value, variable)) = part("environment") {
        return match loader.lookup(&value.origin, variable) {
            Some(text) => SecretText::Known(Secret::new(text)),
            None => SecretText::NotHere,
        };
    }
    match part("file") {
        Some((value, path)) => SecretText::File(loader.path_in(&value.origin, path)),
        None => SecretText::NotHere,
    }
}
