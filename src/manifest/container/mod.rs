//! A container that runs a server, in whatever dialect it is described: what its variables, its words and its files say
//! about the service.
//!
//! It knows no dialect's syntax: a reader fills in a [`Container`] and says what the dialect calls its parts. No secret's
//! content becomes a value here.

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

use super::interpolate::Interpolated;
use crate::model::{Diagnostic, Origin};

/// What a dialect says of one container.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    /// Its variables; names are unique.
    pub(crate) environment: Vec<Given>,
    /// What it runs in place of the image's entrypoint, where something is said.
    pub(crate) entrypoint: Option<Words>,
    /// What it runs in place of the image's command, where something is said.
    pub(crate) command: Option<Words>,
    /// Names of variables that the dialect itself has put into the words.
    pub(crate) used: Vec<String>,
    /// What is put into it.
    pub(crate) mounts: Vec<Mount>,
    /// What the dialect calls these parts.
    pub(crate) wording: &'static Wording,
}

/// One variable of a container.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// Its name.
    pub(crate) name: String,
    /// Its value, with the variable that it came from.
    pub(crate) text: Sourced,
    /// The same with every part's source.
    pub(crate) whole: Interpolated,
    /// Whether it is passed through where it is set, and is not set here.
    pub(crate) not_passed: bool,
    /// Whether it comes from a file or another object that holds many (`env_file`, `envFrom`).
    pub(crate) from_file: bool,
    /// Where it was declared.
    pub(crate) origin: Origin,
}

/// What a dialect calls the parts of a container.
#[derive(Debug)]
pub(crate) struct Wording {
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
    /// The message for something that matters and comes from a place that is not here.
    pub(crate) unset: fn(&Unset<'_>) -> Diagnostic,
    /// The message for a database's name that lies in a file that is not here.
    pub(crate) unset_file: fn(&Unset<'_>) -> Diagnostic,
}

/// Something that matters and is not here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unset<'a> {
    /// `the database's name`.
    pub(crate) what: &'a str,
    /// The service's name.
    pub(crate) service: &'a str,
    /// The variable, secret or file that it comes from.
    pub(crate) from: &'a str,
    /// Where that is named.
    pub(crate) origin: &'a Origin,
}
