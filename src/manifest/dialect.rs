//! The table of dialects: a new one is a file with a reader and a line here.
//!
//! A reader never fails as a whole: what it cannot read becomes a diagnostic and the rest of the stack stays.

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

/// Every dialect; the first whose `recognises` holds reads a file. What discovery finds is read in this order.
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
    /// As `--json` has it: `compose`.
    pub(crate) name: &'static str,
    /// As people call it: `Compose`.
    pub(crate) title: &'static str,
    /// Where its files lie in a project.
    pub(crate) places: Places,
    /// How its text becomes trees.
    pub(crate) syntax: Syntax,
    /// Words that the text of each of its files holds, all of them: what lacks one is not even parsed.
    pub(crate) marks: &'static [&'static str],
    /// Whether a file is of this format, by its content, and by its name where that settles it. A look-alike is not.
    pub(crate) recognises: fn(&ManifestFile) -> bool,
    /// What the files declare. Files of one dialect come together, because some formats lay one over the other.
    pub(crate) read: fn(&Input<'_>) -> (Stack, Vec<Diagnostic>),
}

/// Where a dialect's files lie.
#[derive(Clone, Copy)]
pub(crate) enum Places {
    /// Every file that matches one of these patterns of paths from the root ([`super::search::Search::matching`]), and
    /// is recognised. Files whose path names production win over those of staging and development.
    Files(&'static [&'static str]),
    /// The dialect chooses by rules of its own.
    Own {
        /// Whether a folder holds such files, for finding the root.
        holds: fn(&Path) -> bool,
        /// Takes its files, and tells where it looked.
        find: fn(&Wanted<'_>, &mut Found),
    },
}

/// What discovery is asked for.
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
    /// The same, in which templates may stand for values ([`super::templates`]).
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn dialects_of_one_name_stand_together() {
        let mut names: Vec<&str> = DIALECTS.iter().map(|dialect| dialect.name).collect();
        names.dedup();
        let all: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), all.len(), "what follows each other is read together: {names:?}");
    }

    #[test]
    fn kinds_are_spelled_for_dialects_that_there_are() {
        let names: BTreeSet<&str> = DIALECTS.iter().map(|dialect| dialect.name).collect();
        for kind in Kinds::built_in().unwrap().iter() {
            for dialect in kind.spellings.keys() {
                // Words of clouds' engines (`aurora-postgresql`) are the same wherever they are declared.
                assert!(dialect == "cloud" || names.contains(dialect.as_str()), "{}: {dialect}", kind.name);
            }
        }
    }

    #[test]
    fn every_dialect_says_where_its_files_lie() {
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
