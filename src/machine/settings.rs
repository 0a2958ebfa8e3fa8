//! The user's own configuration file, for every project on this machine.

use crate::model::{Diagnostic, Exit, Failure};
use crate::project::read_text;
use serde::Deserialize;
use std::io::ErrorKind;
use std::path::Path;

/// `config.yaml` in the folder `devenv` of the system's folder for configuration (`~/.config` on Linux).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A mirror of `docker.io`: `127.0.0.1:5000`, `mirror.example.com/hub`.
    pub registry_mirror: Option<String>,
}

impl Settings {
    /// Reads `folder/config.yaml`; without the file there are no settings.
    pub fn load(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("config.yaml");
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(refuse(&path, &error)),
        };
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        // The heading of the parser's message repeats devenv's heading, and calls the file `<input>`.
        serde_saphyr::from_str(&text).map_err(|error| refuse(&path, &error.without_snippet()))
    }
}

fn refuse(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failed,
        Diagnostic::error("config", format!("cannot read {}", path.display()))
            .because(error.to_string())
            .help("it may hold one key: `registry_mirror: HOST[:PORT][/PATH]`"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_read_and_a_wrong_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Settings::load(folder.path()).unwrap(), Settings::default());
        std::fs::write(folder.path().join("config.yaml"), "registry_mirror: 127.0.0.1:5000\n").unwrap();
        assert_eq!(Settings::load(folder.path()).unwrap().registry_mirror.as_deref(), Some("127.0.0.1:5000"));
        std::fs::write(folder.path().join("config.yaml"), "registry: x\n").unwrap();
        let failure = Settings::load(folder.path()).unwrap_err();
        assert!(failure.diagnostics[0].notes[0].contains("registry"), "{failure:?}");
    }
}
