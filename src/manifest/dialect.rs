//! The table of dialects: a new dialect is a file with a reader and a line here.
//!
//! A reader never fails as a whole: a part that it cannot read becomes a diagnostic, and the rest of the stack stays.

use super::discover::Found;
use super::environment::Environment;
use super::files::Project;
use super::local::Included;
use super::tree::Node;
use super::{cloudformation, compose, kubernetes, platforms, services_yaml, terraform};
use crate::kinds::{Family, Kind, Kinds};
use crate::model::{Diagnostic, ImageRef, Service, SourceFile, Stack};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every dialect. A file is read by the first dialect whose `recognises` is true. The files that discovery finds are
/// read in this order.
pub(crate) const DIALECTS: &[Dialect] = &[
    platforms::platformsh::DIALECT,
    platforms::render::DIALECT,
    platforms::digitalocean::DIALECT,
    platforms::heroku::DIALECT,
    platforms::heroku::SCALINGO,
    platforms::kamal::DIALECT,
    platforms::cloudfoundry::DIALECT,
    platforms::nais::DIALECT,
    platforms::score::DIALECT,
    platforms::without_services::FLY,
    platforms::without_services::RAILWAY,
    platforms::ecs::DIALECT,
    platforms::nomad::DIALECT,
    cloudformation::DIALECT,
    terraform::DIALECT,
    terraform::SHOWN,
    services_yaml::DIALECT,
    kubernetes::DIALECT,
    kubernetes::KUSTOMIZE,
    kubernetes::helm::DIALECT,
    compose::DIALECT,
];

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
    /// ([`super::search::Search::matching`]). Files whose path names production win over files of staging and
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
    /// The same, in which templates may be in the place of values ([`super::templates`]).
    Templated,
    /// The dialect parses `source.text` itself (HCL, TOML, YAML with templates in it); `documents` is empty.
    Text,
}

/// A manifest that was found or named, parsed.
#[derive(Clone, Debug)]
pub(crate) struct ManifestFile {
    /// Its text, and its path as shown.
    pub(crate) source: Arc<SourceFile>,
    /// The absolute folder that relative paths in it start from.
    pub(crate) folder: PathBuf,
    /// The documents that could be parsed. Mistakes in the other documents have been reported.
    pub(crate) documents: Vec<Node>,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn dialects_of_one_name_are_consecutive() {
        let mut names: Vec<&str> = DIALECTS.iter().map(|dialect| dialect.name).collect();
        names.dedup();
        let all: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), all.len(), "consecutive dialects of one name are read together: {names:?}");
    }

    #[test]
    fn kinds_are_spelled_for_dialects_that_exist() {
        let names: BTreeSet<&str> = DIALECTS.iter().map(|dialect| dialect.name).collect();
        for kind in Kinds::built_in().unwrap().iter() {
            for dialect in kind.spellings.keys() {
                // The names of the clouds' engines (`aurora-postgresql`) are the same in every dialect.
                assert!(dialect == "cloud" || names.contains(dialect.as_str()), "{}: {dialect}", kind.name);
            }
        }
    }

    #[test]
    fn every_dialect_says_where_its_files_are() {
        for dialect in DIALECTS {
            if let Places::Files(patterns) = dialect.places {
                assert!(!patterns.is_empty(), "{}", dialect.name);
                for pattern in patterns {
                    let tidy = pattern.split('/').all(|part| !part.is_empty() && part != "..");
                    assert!(tidy && pattern.matches('{').count() == pattern.matches('}').count(), "{pattern}");
                }
            }
        }
    }
}
