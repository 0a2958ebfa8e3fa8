//! The table of dialects: a new one is a file with a reader and a line here.
//!
//! A reader never fails as a whole: what it cannot read becomes a diagnostic and the rest of the stack stays.

use super::environment::Environment;
use super::files::Project;
use super::local::Included;
use super::tree::Node;
use super::{compose, kubernetes, services_yaml};
use crate::kinds::{Family, Kind, Kinds};
use crate::model::{Diagnostic, ImageRef, Service, SourceFile, Stack};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Every dialect; the first whose `recognises` holds reads a file.
pub(crate) const DIALECTS: &[Dialect] = &[services_yaml::DIALECT, kubernetes::DIALECT, compose::DIALECT];

/// One manifest format.
pub(crate) struct Dialect {
    /// As `--json` has it: `compose`.
    pub(crate) name: &'static str,
    /// As people call it: `Compose`.
    pub(crate) title: &'static str,
    /// Whether a file is of this format, by its name or content.
    pub(crate) recognises: fn(&ManifestFile) -> bool,
    /// What the files declare. Files of one dialect come together, because some formats lay one over the other.
    pub(crate) read: fn(&Input<'_>) -> (Stack, Vec<Diagnostic>),
}

/// A manifest that was found or named, parsed.
#[derive(Clone, Debug)]
pub(crate) struct ManifestFile {
    /// Its text, and its path as shown.
    pub(crate) source: Arc<SourceFile>,
    /// The absolute folder that relative paths in it start from.
    pub(crate) folder: PathBuf,
    /// Its documents that could be parsed; what is wrong with others has been reported.
    pub(crate) documents: Vec<Node>,
}

/// What a reader gets.
pub(crate) struct Input<'a> {
    /// The files, in the order in which a later one lies over an earlier one; at least one.
    pub(crate) files: &'a [ManifestFile],
    /// For files that manifests name.
    pub(crate) project: &'a Project,
    /// The variables that a manifest may read. `.env` beside a manifest is the dialect's own business; it has to read
    /// it through [`crate::model::without_managed_block`].
    pub(crate) environment: &'a Environment,
    /// The known kinds.
    pub(crate) kinds: &'a Kinds,
    /// Profiles given on the command line.
    pub(crate) profiles: &'a [String],
    /// Services that `services.local.yaml` includes although the reader would take them for apps, by name.
    pub(crate) included: &'a BTreeMap<String, Included>,
}

impl<'a> Input<'a> {
    /// The kind and family of a service, by its image or because the user includes it.
    pub(crate) fn kind_of(&self, service: &str, image: Option<&ImageRef>) -> Option<(&'a Kind, &'a Family)> {
        let generic = self.included.get(service).and_then(|included| included.generic.as_ref());
        if let Some(kind) = generic.and_then(|generic| self.kinds.get(generic.kind)) {
            let family = kind.families.first()?;
            return Some((kind, family));
        }
        self.kinds.of_image(image?)
    }

    /// Tells an included service its port and how it is proven, before variables are bound to it.
    pub(crate) fn describe(&self, service: &mut Service) {
        if let Some(generic) = self.included.get(&service.name).and_then(|included| included.generic.as_ref()) {
            generic.describe(service);
        }
    }
}
