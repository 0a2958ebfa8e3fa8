//! A container that runs a server, in any dialect: reads the service from its variables, its command and its files.
//!
//! This module knows no dialect's syntax. A reader fills in a [`Container`], with the dialect's names for its fields.
//! The content of a secret never becomes a value here.

mod backing;
mod contents;
mod definitions;
mod keys;
mod login;
mod mount;
mod settings;
mod words;

pub(crate) use backing::Backing;
pub(crate) use contents::extensions_in;
pub(crate) use definitions::{definitions_loaded, take_definitions};
pub(crate) use keys::Keys;
pub(crate) use mount::{Mount, MountSource, SecretText};
pub(crate) use words::{Sourced, Words, plain_words, sourced};

use crate::manifest::read::interpolate::Interpolated;
use crate::model::{Diagnostic, Origin};

/// One container, as a dialect declares it.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    /// Its variables; names are unique.
    pub(crate) environment: Vec<ContainerVariable>,
    /// The entrypoint that replaces the image's entrypoint, if it is declared.
    pub(crate) entrypoint: Option<Words>,
    /// The command that replaces the image's command, if it is declared.
    pub(crate) command: Option<Words>,
    /// Names of variables that the dialect itself has inserted into the command.
    pub(crate) used: Vec<String>,
    /// Its mounts.
    pub(crate) mounts: Vec<Mount>,
    /// The dialect's names for these fields.
    pub(crate) field_names: &'static FieldNames,
}

/// One variable of a container.
#[derive(Clone, Debug)]
pub(crate) struct ContainerVariable {
    /// Its name.
    pub(crate) name: String,
    /// Its value, with the variable that the value came from.
    pub(crate) text: Sourced,
    /// Its value, with the source of every part.
    pub(crate) whole: Interpolated,
    /// Whether the manifest passes it through only if it is set, and it is not set here.
    pub(crate) not_passed: bool,
    /// Whether it comes from a file or object that holds several variables (`env_file`, `envFrom`).
    pub(crate) from_file: bool,
    /// Where it was declared.
    pub(crate) origin: Origin,
}

/// A dialect's names for the fields of a container, and its messages about missing values.
#[derive(Debug)]
pub(crate) struct FieldNames {
    /// `environment`.
    pub(crate) environment: &'static str,
    /// `env_file`.
    pub(crate) environment_file: &'static str,
    /// `entrypoint`.
    pub(crate) entrypoint: &'static str,
    /// `command`.
    pub(crate) command: &'static str,
    /// `volumes`.
    pub(crate) mounts: &'static str,
    /// `secrets`.
    pub(crate) secrets: &'static str,
    /// The message for a required value whose source is missing here.
    pub(crate) unset: fn(&Unset<'_>) -> Diagnostic,
    /// The message for a database's name in a file that is missing here.
    pub(crate) unset_file: fn(&Unset<'_>) -> Diagnostic,
}

/// A required value that is missing here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unset<'a> {
    /// The value, in words: `the database's name`.
    pub(crate) what: &'a str,
    /// The service's name.
    pub(crate) service: &'a str,
    /// The variable, secret or file that holds the value.
    pub(crate) from: &'a str,
    /// Where the manifest names that source.
    pub(crate) origin: &'a Origin,
}
