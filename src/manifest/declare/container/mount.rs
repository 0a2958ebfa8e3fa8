//! Mounts of a container: their sources and their paths.

use crate::manifest::read::files::{FileError, Project};
use crate::model::{Diagnostic, Origin, Secret, Severity};
use std::path::{Path, PathBuf};

/// One mount at one path of a container.
#[derive(Clone, Debug)]
pub(crate) struct Mount {
    /// Its path in the container, without a slash at its end.
    pub(crate) target: String,
    /// Its source.
    pub(crate) source: MountSource,
    /// Where it was declared.
    pub(crate) origin: Origin,
}

/// The source of a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MountSource {
    /// A volume of the engine, or an anonymous one.
    Volume,
    /// A file or folder of the host, as an absolute path.
    Host(PathBuf),
    /// A text that is written in the manifest or comes from a variable.
    Text(String),
    /// A secret by its name, and the source of its text, which is read only for parts of a login that are no password.
    Secret(String, SecretText),
    /// A temporary file system.
    Temporary,
    /// A config that the platform holds.
    External(String),
}

/// The source of a secret's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SecretText {
    /// The text is not available here.
    NotHere,
    /// The text itself.
    Known(Secret),
    /// A file of the project, as an absolute path.
    File(PathBuf),
}

/// A file in a container.
pub(crate) struct MountedFile {
    /// The file's name.
    pub(crate) name: String,
    /// Its bytes.
    pub(crate) content: Vec<u8>,
}

impl Mount {
    /// The content of the mounted file, or of the files of a mounted folder. An error if they are not in the project or
    /// cannot be read.
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
