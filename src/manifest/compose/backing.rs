//! Everything that a backing service declares, and what becomes of each key.

use super::keys::{COMMON, Keys, READ, of_container};
use super::load::Loader;
use super::login::{Found, unset_name};
use super::mounts::{Mount, mounts};
use super::value::Value;
use super::variables::{Given, environment};
use super::words::{marked_words, plain};
use crate::kinds::{Family, Kind, matches};
use crate::manifest::bind::Sources;
use crate::model::{Diagnostic, Located, Service, Support, did_you_mean};

/// A backing service while it is read.
pub(super) struct Backing<'l, 'a> {
    pub(super) loader: &'l mut Loader<'a>,
    pub(super) whole: &'l Value,
    pub(super) value: &'l Value,
    pub(super) kind: &'l Kind,
    pub(super) family: &'l Family,
    pub(super) service: Service,
    pub(super) sources: Sources,
    pub(super) keys: Keys,
    pub(super) mounts: Vec<Mount>,
    pub(super) environment: Vec<Given>,
    pub(super) login: Found,
}

impl<'l, 'a> Backing<'l, 'a> {
    pub(super) fn new(
        loader: &'l mut Loader<'a>,
        whole: &'l Value,
        value: &'l Value,
        kind: &'l Kind,
        family: &'l Family,
        service: Service,
    ) -> Self {
        let mounts = mounts(loader, whole, value);
        let environment = environment(loader, value);
        Self {
            loader,
            whole,
            value,
            kind,
            family,
            service,
            sources: Sources::default(),
            keys: Keys::default(),
            mounts,
            environment,
            login: Found::default(),
        }
    }

    /// Reads every key.
    pub(super) fn read(&mut self, derived: bool, dockerfile: Option<&str>) {
        self.image(derived, dockerfile);
        self.read_environment();
        let named_files = self.command();
        self.read_mounts(&named_files);
        self.settle_login();
        self.names();
        self.other_keys();
    }

    /// The service, and what the model does not hold of it.
    pub(super) fn finish(self) -> (Service, Sources) {
        let mut service = self.service;
        service.support = self.kind.support.max(self.keys.worst);
        if !self.kind.note.is_empty() {
            service.notes.push(self.kind.note.clone());
        }
        service.keys = self.keys.all;
        (service, self.sources)
    }

    fn image(&mut self, derived: bool, dockerfile: Option<&str>) {
        let title = &self.kind.title;
        if let Some(path) = dockerfile {
            let note = format!("what {path} adds to its image is not built here");
            self.keys.add("build", Support::Approximated, note.clone());
            self.service.notes.push(note);
            if self.value.get("image").is_some() {
                self.keys.aside("image", Support::Reproduced, "names what `build` makes");
            }
        } else {
            if derived {
                let note = format!("taken for {title} by its name, and run the way the official image is");
                self.keys.add("image", Support::Approximated, note.clone());
                self.service.notes.push(note);
            } else {
                self.keys.aside("image", Support::Reproduced, "");
            }
            if self.value.get("build").is_some() {
                self.keys.aside("build", Support::Unsupported, "the image is named, so nothing is built");
            }
        }
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
        if let Some(platform) = self.value.get("platform")
            && let Some(text) = platform.as_str()
        {
            self.service.platform = Some(Located::new(text.to_owned(), platform.origin.clone()));
            self.keys.aside("platform", Support::Reproduced, "");
        }
    }

    fn read_environment(&mut self) {
        if self.value.get("env_file").is_some() {
            self.keys.aside("env_file", Support::Reproduced, "what the image knows of it is read");
        }
        for given in self.environment.clone() {
            let name = given.name.as_str();
            let (base, is_file) = match name.strip_suffix("_FILE") {
                Some(base) if self.family.variables.contains_key(base) => (base, true),
                _ => (name, false),
            };
            let path = format!("{}.{name}", if given.from_file { "env_file" } else { "environment" });
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
                self.pass(&given, &path);
            } else if meaning.is_none() && (!given.from_file || self.is_image_variable(name)) {
                self.other_variable(name, &path);
            }
        }
    }

    fn pass(&mut self, given: &Given, path: &str) {
        if given.text.unset {
            self.keys.aside(path, Support::Unsupported, format!("it is not set here ({})", unset_name(&given.text)));
            return;
        }
        let value = Located::new(given.text.text.clone(), given.origin.clone());
        self.service.environment.push((given.name.clone(), value));
        self.keys.aside(path, Support::Reproduced, "");
    }

    /// A variable that the kind's file says nothing about.
    fn other_variable(&mut self, name: &str, path: &str) {
        let left_out = self.family.left_out.iter().find(|(pattern, _)| matches(pattern, name));
        if let Some((_, reason)) = left_out {
            return self.keys.aside(path, Support::Unsupported, reason.clone());
        }
        let used = self.script_text().is_some_and(|script| script.contains(name));
        if self.family.environment.contains_key(name) {
            self.keys.aside(path, Support::Reproduced, "set by devenv itself");
        } else if used {
            self.keys.aside(path, Support::Reproduced, "read where the command uses it");
        } else if self.is_image_variable(name) {
            self.keys.add(path, Support::Unsupported, "what this variable means to the image is not known here");
        } else {
            self.keys.aside(path, Support::Unsupported, "no variable of this image");
        }
    }

    /// Whether a name begins as the image's own variables do.
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
        let words = ["entrypoint", "command"].iter().filter_map(|key| marked_words(self.value.get(key)?)).flatten();
        let text: String = words.map(|word| plain(&word).text + " ").collect();
        text.contains('$').then_some(text)
    }

    /// Names by which apps reach it.
    fn names(&mut self) {
        for key in ["container_name", "hostname"] {
            if let Some(name) = self.value.get(key).and_then(Value::as_str) {
                self.alias(name.to_owned());
            }
        }
        for (_, network) in self.value.get("networks").map(Value::entries).unwrap_or_default() {
            for alias in network.get("aliases").map(Value::items).unwrap_or_default() {
                if let Some(name) = alias.as_str() {
                    self.alias(name.to_owned());
                }
            }
        }
    }

    fn alias(&mut self, name: String) {
        if name != self.service.name && !name.is_empty() && !self.service.aliases.contains(&name) {
            self.service.aliases.push(name);
        }
    }

    fn other_keys(&mut self) {
        for (key, value) in self.value.entries() {
            let name = key.value.as_str();
            if READ.contains(&name) || name.starts_with("x-") {
                continue;
            }
            let refused = match name {
                "privileged" => value.is_true(),
                "network_mode" | "pid" | "ipc" => value.as_str().is_some_and(|mode| mode == "host"),
                _ => false,
            };
            match of_container(name) {
                Some((support, note)) if refused => self.keys.add(name, support, note),
                Some((support, note)) => self.keys.aside(name, support, note),
                None => {
                    self.keys.add(name, Support::Unsupported, "no key of a Compose service that is known here");
                    let unknown = Diagnostic::warning("unknown-key", format!("a Compose service has no key `{name}`"))
                        .at(&key.origin, "not known here");
                    self.loader.diagnostics.push(match did_you_mean(name, COMMON.iter().copied()) {
                        Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
                        None => unknown.help("take it out, or begin it with `x-` if it is a note of your own"),
                    });
                }
            }
        }
    }
}
