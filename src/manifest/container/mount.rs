//! What is put into a container, at which path.

use crate::manifest::files::{FileError, Project};
use crate::model::{Diagnostic, Origin, Secret, Severity};
use std::path::{Path, PathBuf};

/// One thing at one path of a container.
#[derive(Clone, Debug)]
pub(crate) struct Mount {
    /// Its path in the container, without a slash at its end.
    pub(crate) target: String,
    /// What it is.
    pub(crate) source: MountSource,
    /// Where it was declared.
    pub(crate) origin: Origin,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MountSource {
    /// A volume of the engine, or an anonymous one.
    Volume,
    /// A file or folder of the host, as an absolute path.
    Host(PathBuf),
    /// Text written in the manifest, or taken from a variable.
    Text(String),
    /// A secret of that name, and where its text would be, for the parts of a login that are no password.
    Secret(String, SecretText),
    /// A temporary file system.
    Temporary,
    /// A config that the platform holds.
    External(String),
}

/// Where a secret's text can be read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretText {
    /// It is not here.
    NotHere,
    /// It is at hand.
    Known(Secret),
    /// A file of the project, as an absolute path.
    File(PathBuf),
}

/// A file's text in a container, with the place that a line of it has.
pub(crate) struct MountedFile {
    /// The file's name.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) content: Vec<u8>,
}

impl Mount {
    /// The file's or the folder's files' contents, as far as they lie in the project; a message where they do not.
    pub(crate) fn files(&self, project: &Project) -> Result<Vec<MountedFile>, Option<Diagnostic>> {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let target_name = name(Path::new(&self.target));
        match &self.source {
            MountSource::Text(text) => Ok(vec![MountedFile { name: target_name, content: text.clone().into_bytes() }]),
            MountSource::Host(path) => {
                let as_warning = |error: FileError| {
                    let mut diagnostic = error.named_at(&self.origin);
                    diagnostic.severity = Severity::Warning;
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
            MountSource::Volume | MountSource::Secret(..) | MountSource::Temporary | MountSource::External(_) => {
                Err(None)
            }
        }
    }
}
