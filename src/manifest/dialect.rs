//! The types of a dialect: one manifest format, the files that it reads, and the input of its reader.

mod found;

pub(crate) use super::read::parsed::ManifestFile;
pub(crate) use found::{Found, folder_of, has_marks, no_format, recognised};

use crate::kinds::{Family, Kind, Kinds};
use crate::manifest::declare::generic::Included;
use crate::manifest::read::environment::Environment;
use crate::manifest::read::files::Project;
use crate::model::{Diagnostic, ImageRef, Service, Stack};
use std::collections::BTreeMap;
use std::path::Path;

/// One manifest format.
pub(crate) struct Dialect {
    /// The name in `--json`: `compose`.
    pub(crate) name: &'static str,
    /// The name for people: `Compose`.
    pub(crate) title: &'static str,
    /// Where its files are in a project.
    pub(crate) places: Places,
    /// How its text becomes trees.
    pub(crate) syntax: Syntax,
    /// Words that every file of this dialect contains. A file without one of these words is not even parsed.
    pub(crate) marks: &'static [&'static str],
    /// Whether a file is of this format, by its content, and by its name where the name is enough. False for a file
    /// that only looks similar.
    pub(crate) recognises: fn(&ManifestFile) -> bool,
    /// Reads the declarations of the files. All files of one dialect are passed together, because in some formats one
    /// file is applied over another.
    pub(crate) read: fn(&Input<'_>) -> (Stack, Vec<Diagnostic>),
}

/// Where a dialect's files are.
#[derive(Clone, Copy)]
pub(crate) enum Places {
    /// Every file that is recognised and whose path from the root matches one of these patterns
    /// ([`crate::manifest::read::search::Search::matching`]). Files whose path names production win over files of staging and
    /// development.
    Files(&'static [&'static str]),
    /// The dialect chooses its files by its own rules.
    Own {
        /// Whether a folder holds files of the dialect. Used to find the root.
        holds: fn(&Path) -> bool,
        /// Takes its files, and records where it looked.
        find: fn(&Wanted<'_>, &mut Found),
    },
}

/// The input of discovery.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Where to look.
    pub(crate) project: &'a Project,
    /// The variables that may name files.
    pub(crate) environment: &'a Environment,
    /// The folder that the user works in.
    pub(crate) working: &'a Path,
}

/// How a dialect's text is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// YAML or JSON: [`ManifestFile::documents`] holds the trees.
    Yaml,
    /// The same, in which templates may be in the place of values ([`crate::manifest::read::templates`]).
    Templated,
    /// The dialect parses `source.text` itself (HCL, TOML, YAML with templates in it); `documents` is empty.
    Text,
}

/// The input of a reader.
pub(crate) struct Input<'a> {
    /// The files, at least one. A later file is applied over an earlier file.
    pub(crate) files: &'a [ManifestFile],
    /// Reads further files that manifests name.
    pub(crate) project: &'a Project,
    /// The variables that a manifest may read. A dialect that reads `.env` beside a manifest reads that file itself,
    /// and has to read it through [`crate::model::without_managed_block`].
    pub(crate) environment: &'a Environment,
    /// The known kinds.
    pub(crate) kinds: &'a Kinds,
    /// Profiles given on the command line.
    pub(crate) profiles: &'a [String],
    /// By name, the services that `services.local.yaml` includes although the reader would take them for apps.
    pub(crate) included: &'a BTreeMap<String, Included>,
}

impl<'a> Input<'a> {
    /// The kind and family of a service, by its image, or by the user's `include` entry.
    pub(crate) fn kind_of(&self, service: &str, image: Option<&ImageRef>) -> Option<(&'a Kind, &'a Family)> {
        let generic = self.included.get(service).and_then(|included| included.generic.as_ref());
        if let Some(kind) = generic.and_then(|generic| self.kinds.get(generic.kind)) {
            let family = kind.families.first()?;
            return Some((kind, family));
        }
        self.kinds.of_image(image?)
    }

    /// Sets the port and the health check of an included service, before variables are bound to the service.
    pub(crate) fn describe(&self, service: &mut Service) {
        if let Some(generic) = self.included.get(&service.name).and_then(|included| included.generic.as_ref()) {
            generic.describe(service);
        }
    }
}
