//! The input and the result of one reading.

use super::dialects::platforms;
use crate::kinds::Kinds;
use crate::model::{Branching, Diagnostic, Located, Severity, Stack};
use crate::project::{Budget, LIMIT};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The input of one reading. Nothing is taken from the process itself, so that tests can set all of it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The folder that the user works in (`-C`, else the working folder of the process): an absolute path.
    pub folder: PathBuf,
    /// The project's root, if it is known.
    pub root: Option<PathBuf>,
    /// Whether `folder` is the root without regard to the folders above it (`-C`).
    pub folder_is_root: bool,
    /// Manifests that the user names, relative to `folder`; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// The bytes of standard input, if `-` is among the files.
    pub stdin: Option<Vec<u8>>,
    /// The variables of the process.
    pub environment: BTreeMap<String, String>,
    /// Profiles given on the command line.
    pub profiles: Vec<String>,
}

/// The result of one reading.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The project's root: the folder that its environment belongs to.
    pub root: PathBuf,
    /// Everything that the manifests declare, with `services.local.yaml` applied over it.
    pub stack: Stack,
    /// Every kind: the built-in kinds and the user's own kinds.
    pub kinds: Kinds,
    /// The file that variables are written to instead of `.env`, relative to the root, if `services.local.yaml` names
    /// one.
    pub env_file: Option<Located<String>>,
    /// By app, the file that its variables are written to instead of the common file, relative to the root.
    pub env_files: BTreeMap<String, Located<String>>,
    /// How data follows git, if `services.local.yaml` sets `branch`.
    pub branching: Option<Branching>,
    /// Mistakes and notes, in the order of reading.
    pub diagnostics: Vec<Diagnostic>,
    /// The budget of the project: its cost so far, and the rest that is left for further files.
    pub budget: Budget,
}

impl Reading {
    /// Whether a file could not be read as a whole or in part, so that its declarations are not known.
    pub fn has_unreadable(&self) -> bool {
        self.diagnostics.iter().any(is_unreadable)
    }

    /// Mistakes in the files themselves (an unknown key or kind, a wrong type). With such a mistake, even a command
    /// that only shows the stack ends with [`crate::model::Exit::Manifest`]. A variable that is not set on this machine is no
    /// mistake.
    pub fn mistakes(&self) -> impl Iterator<Item = &Diagnostic> {
        let is_mistake = |one: &&Diagnostic| one.severity == Severity::Error && one.code != "variable-unset";
        self.diagnostics.iter().filter(is_mistake)
    }

    /// Whether there is an error, so that no plan can be made.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

pub(super) fn is_unreadable(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Error
        && (["yaml-", "hcl-", "file-"].iter().any(|start| diagnostic.code.starts_with(start))
            || [LIMIT, platforms::cloudfoundry::INSTANCES_UNKNOWN].contains(&diagnostic.code))
}
