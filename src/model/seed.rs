//! The initial data of a service, in addition to the data that its server creates in an empty folder.

use super::Origin;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One seed of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// Its line in `services.local.yaml`.
    pub origin: Origin,
    /// The file or the command.
    pub source: SeedSource,
    /// A hash of everything that decides the effect of the seed; empty until it is computed.
    pub digest: String,
}

/// Where a seed comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeedSource {
    /// A file that the service's own client or server reads: statements, a dump, definitions. The content of the file
    /// decides which of them it is.
    File {
        /// The path as written, relative to the project's root.
        path: PathBuf,
        /// The database that gets the file, if it is not the first database.
        database: Option<String>,
    },
    /// A command that runs on the host, in the project's root, with the project's variables.
    Command {
        /// Program and arguments.
        command: Vec<String>,
        /// Files and folders that decide the effect of the command.
        reads: Vec<PathBuf>,
    },
}

impl SeedSource {
    /// The name for users: the file's path, or the command's words.
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
