//! What is put into a service's container: volumes, `configs:` and `secrets:`, in all their forms.

use super::load::Loader;
use super::merge::target_of_mount;
use super::value::Value;
use crate::model::{Diagnostic, Origin};
use std::path::{Path, PathBuf};

/// One thing at one path of a container.
#[derive(Clone, Debug)]
pub(super) struct Mount {
    /// Its path in the container, without a slash at its end.
    pub(super) target: String,
    /// What it is.
    pub(super) source: MountSource,
    /// Where it was declared.
    pub(super) origin: Origin,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MountSource {
    /// A volume of the engine, or an anonymous one.
    Volume,
    /// A file or folder of the host, as an absolute path.
    Host(PathBuf),
    /// Text written in the manifest, or taken from a variable.
    Text(String),
    /// A secret of that name.
    Secret(String),
    /// A temporary file system.
    Temporary,
    /// A config that the platform holds.
    External(String),
}

/// A file's text in a container, with the place that a line of it has.
pub(super) struct MountedFile {
    /// The file's name.
    pub(super) name: String,
    /// Its bytes.
    pub(super) content: Vec<u8>,
}

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
                MountSource::Secret(name.to_owned())
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

/// `./folder:/target:ro`, `name:/target`, `/target`.
fn short_source(loader: &Loader<'_>, item: &Value) -> MountSource {
    let text = item.as_str().unwrap_or_default();
    match text.split_once(':') {
        Some((source, _)) if source.starts_with(['.', '/', '~']) || source.contains('/') => {
            MountSource::Host(loader.path_in(&item.origin, source))
        }
        // An unset `${FOLDER}/data` leaves nothing before the colon's path.
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

impl Mount {
    /// The file's or the folder's files' contents, as far as they lie in the project; a message where they do not.
    pub(super) fn files(&self, loader: &Loader<'_>) -> Result<Vec<MountedFile>, Option<Diagnostic>> {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let target_name = name(Path::new(&self.target));
        match &self.source {
            MountSource::Text(text) => Ok(vec![MountedFile { name: target_name, content: text.clone().into_bytes() }]),
            MountSource::Host(path) => {
                let project = loader.input.project;
                let as_warning = |error: crate::manifest::files::FileError| {
                    let mut diagnostic = error.named_at(&self.origin);
                    diagnostic.severity = crate::model::Severity::Warning;
                    Some(diagnostic)
                };
                if !project.is_folder(path) {
                    let content = project.read_bytes(path).map_err(as_warning)?;
                    return Ok(vec![MountedFile { name: target_name, content }]);
                }
                let mut files = Vec::new();
                for entry in project.list(path).map_err(as_warning)? {
                    let path = path.join(&entry);
                    if !project.is_folder(&path) {
                        files
                            .push(MountedFile { name: entry, content: project.read_bytes(&path).map_err(as_warning)? });
                    }
                }
                Ok(files)
            }
            MountSource::Volume | MountSource::Secret(_) | MountSource::Temporary | MountSource::External(_) => {
                Err(None)
            }
        }
    }
}
