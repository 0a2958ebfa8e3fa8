//! What a service's data begins with, beyond what its server makes of an empty folder.

use super::Origin;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One seed of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// Its line in `services.local.yaml`.
    pub origin: Origin,
    /// What it is.
    pub source: SeedSource,
    /// A hash of all that decides what it makes of a server; empty until somebody has computed it.
    pub digest: String,
}

/// Where a seed comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeedSource {
    /// A file that the service's own client, or server, takes: statements, a dump, definitions. What is in it tells what
    /// it is.
    File {
        /// As written, seen from the project's root.
        path: PathBuf,
        /// The database it goes into, where it is not the first one.
        database: Option<String>,
    },
    /// A command that is run on the host, in the project's root, with the project's variables.
    Command {
        /// Program and arguments.
        command: Vec<String>,
        /// Files and folders that decide what it does.
        reads: Vec<PathBuf>,
    },
}

impl SeedSource {
    /// For people: the file's path, or the command's words.
    pub fn name(&self) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
            Self::Command { command, .. } => match command.as_slice() {
                [shell, option, line] if shell == "sh" && option == "-c" => line.clone(),
                words => words.join(" "),
            },
        }
    }
}
