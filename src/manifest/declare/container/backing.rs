//! Reads everything that a backing service's container declares, and records how each key is supported.

use super::login::{Found, unset_name};
use super::words::plain;
use super::{Container, ContainerVariable, Keys};
use crate::kinds::{Family, Kind, matches};
use crate::manifest::bind::Sources;
use crate::manifest::read::files::Project;
use crate::model::{Diagnostic, Located, Service, Support};

/// A backing service that is being read.
pub(crate) struct Backing<'c> {
    pub(super) project: &'c Project,
    pub(super) container: &'c Container,
    pub(super) kind: &'c Kind,
    pub(super) family: &'c Family,
    /// The service, as far as it has been read.
    pub(crate) service: Service,
    pub(super) sources: Sources,
    /// The support of its keys.
    pub(crate) keys: Keys,
    pub(super) login: Found,
    /// Errors, warnings and notes.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// A backing service that has been read.
pub(crate) struct BackingRead {
    /// The service.
    pub(crate) service: Service,
    /// Facts about it that the model does not hold.
    pub(crate) sources: Sources,
    /// Errors, warnings and notes.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl<'c> Backing<'c> {
    /// A service that has not been read yet.
    pub(crate) fn new(
        project: &'c Project,
        container: &'c Container,
        kind: &'c Kind,
        family: &'c Family,
        service: Service,
    ) -> Self {
        Self {
            project,
            container,
            kind,
            family,
            service,
            sources: Sources::default(),
            keys: Keys::default(),
            login: Found::default(),
            diagnostics: Vec::new(),
        }
    }

    /// Reads variables, command and files, and resolves the login.
    pub(crate) fn read(&mut self) {
        self.image();
        self.read_environment();
        let named_files = self.command();
        self.read_mounts(&named_files);
        self.resolve_login();
    }

    /// Adds another name by which apps reach the service.
    pub(crate) fn alias(&mut self, name: &str) {
        if name != self.service.name && !name.is_empty() && !self.service.aliases.iter().any(|known| known == name) {
            self.service.aliases.push(name.to_owned());
        }
    }

    /// The finished service.
    pub(crate) fn finish(self) -> BackingRead {
        let mut service = self.service;
        service.support = self.kind.support.max(self.keys.worst);
        if !self.kind.note.is_empty() {
            service.notes.push(self.kind.note.clone());
        }
        service.keys = self.keys.all;
        BackingRead { service, sources: self.sources, diagnostics: self.diagnostics }
    }

    /// Adds the extensions and plugins that the image's name implies.
    fn image(&mut self) {
        let Some(image) = self.service.image.clone() else { return };
        let name = image.value.canonical_name();
        for (pattern, extensions) in &self.family.extensions {
            if matches(pattern, &name) {
                let located = extensions.iter().map(|name| Located::new(name.clone(), image.origin.clone()));
                self.service.extensions.extend(located);
            }
        }
        let is_management =
            image.value.tag.as_deref().is_some_and(|tag| tag.split('-').any(|word| word == "management"));
        if self.kind.name == "rabbitmq" && is_management {
            self.service.plugins.push(Located::new("rabbitmq_management".to_owned(), image.origin));
        }
    }

    fn read_environment(&mut self) {
        let field_names = self.container.field_names;
        for given in &self.container.environment {
            let name = given.name.as_str();
            let (base, is_file) = match name.strip_suffix("_FILE") {
                Some(base) if self.family.variables.contains_key(base) => (base, true),
                _ => (name, false),
            };
            let path = format!(
                "{}.{name}",
                if given.from_file { field_names.environment_file } else { field_names.environment }
            );
            let meaning = self.family.variables.get(base).copied();
            let is_passed = self.family.passed.iter().any(|pattern| matches(pattern, name));
            if let Some(meaning) = meaning {
                let located = Located::new(given.text.clone(), given.origin.clone());
                if is_file {
                    self.login_file(meaning, &located, &path);
                } else {
                    self.login_variable(meaning, &located, &path);
                }
            }
            if is_passed && !is_file {
                self.pass(given, &path);
            } else if meaning.is_none() && (!given.from_file || self.is_image_variable(name)) {
                self.other_variable(name, &path);
            }
        }
    }

    fn pass(&mut self, given: &ContainerVariable, path: &str) {
        if given.text.unset {
            self.keys.add_neutral(
                path,
                Support::Unsupported,
                format!("it is not set here ({})", unset_name(&given.text)),
            );
            return;
        }
        let text = match given.name.as_str() {
            // A definitions file in this variable is loaded in another way, and is not at that path.
            super::definitions::ARGUMENTS => super::definitions::split_arguments(&given.text.text).0,
            _ => given.text.text.clone(),
        };
        let value = Located::new(text, given.origin.clone());
        self.service.environment.push((given.name.clone(), value));
        self.keys.add_neutral(path, Support::Reproduced, "");
    }

    /// Records a variable that the kind's file does not name.
    fn other_variable(&mut self, name: &str, path: &str) {
        let left_out = self.family.left_out.iter().find(|(pattern, _)| matches(pattern, name));
        if let Some((_, reason)) = left_out {
            return self.keys.add_neutral(path, Support::Unsupported, reason.clone());
        }
        let used = self.container.used.iter().any(|used| used == name)
            || self.script_text().is_some_and(|script| script.contains(name));
        if self.family.environment.contains_key(name) {
            self.keys.add_neutral(path, Support::Reproduced, "set by devenv itself");
        } else if used {
            self.keys.add_neutral(path, Support::Reproduced, "read where the command uses it");
        } else if self.is_image_variable(name) {
            self.keys.add(path, Support::Unsupported, "the meaning of this variable for the image is not known here");
        } else {
            self.keys.add_neutral(path, Support::Unsupported, "not a variable of this image");
        }
    }

    /// Whether a name begins like the image's own variables.
    fn is_image_variable(&self, name: &str) -> bool {
        let first = |name: &str| name.split(['_', '.']).next().unwrap_or_default().to_ascii_uppercase();
        let start = first(name);
        let known = self.family.variables.keys().chain(self.family.environment.keys()).chain(&self.family.passed);
        start != "TZ"
            && start != "LANG"
            && (self.kind.names.iter().any(|word| word.eq_ignore_ascii_case(&start))
                || known.filter(|known| known.contains('_')).any(|known| first(known) == start))
    }

    fn script_text(&self) -> Option<String> {
        let words = [&self.container.entrypoint, &self.container.command].into_iter().flatten();
        let text: String = words.flat_map(|words| &words.marked).map(|word| plain(word).text + " ").collect();
        text.contains('$').then_some(text)
    }
}
