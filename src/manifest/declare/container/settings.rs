//! A backing service's settings, from its command line and from mounted configuration files.

use super::ContainerVariable;
use super::backing::Backing;
use super::login::unset_name;
use super::mount::{Mount, MountSource};
use super::words::{Reference, Sourced, Words, plain, plain_words, reference, server_arguments};
use crate::kinds::arguments::{self, Argument};
use crate::kinds::{ArgumentStyle, Login};
use crate::model::{Credential, Located, Origin, Protocol, Setting, SourceFile, Support};
use crate::project::Resource;
use std::sync::Arc;

/// Settings that a server accepts more than once.
pub(super) const REPEATED: &[&str] = &["save", "rename-command", "loadmodule", "user", "client-output-buffer-limit"];

impl Backing<'_> {
    /// Reads the settings of the command line. Returns the configuration files that it names.
    pub(super) fn command(&mut self) -> Vec<String> {
        let container = self.container;
        let field_names = container.field_names;
        let (entrypoint, command) = (container.entrypoint.as_ref(), container.command.as_ref());
        let own = |said: Option<&Words>| {
            said.filter(|words| !words.is_empty()).map(|words| words.marked.clone()).unwrap_or_default()
        };
        let (entry_words, command_words) = (own(entrypoint), own(command));
        let keys: Vec<&'static str> = [(field_names.entrypoint, entrypoint), (field_names.command, command)]
            .into_iter()
            .filter(|(_, said)| said.is_some())
            .map(|(key, _)| key)
            .collect();
        let entry_count = entry_words.len();
        if self.kind.port == 0 {
            // An image of no known kind runs as declared.
            self.service.command = command.and_then(plain_words);
            for key in keys {
                let support = if key == field_names.command { Support::Reproduced } else { Support::Unsupported };
                let note = if key == field_names.command { "" } else { "the image's own entrypoint is kept" };
                self.keys.add(key, support, note);
            }
            return Vec::new();
        }
        let words: Vec<String> = entry_words.into_iter().chain(command_words).collect();
        if words.is_empty() {
            for key in keys {
                self.keys.add_neutral(key, Support::Reproduced, "");
            }
            return Vec::new();
        }
        let key = *keys.last().unwrap_or(&field_names.command);
        let origin = command.or(entrypoint).map_or(&self.service.origin, |words| &words.origin).clone();
        let Some(found) = server_arguments(&words, &self.kind.servers) else {
            for key in keys {
                self.keys.add(
                    key,
                    Support::Approximated,
                    "this script cannot be interpreted; the image's own start is used instead",
                );
            }
            return Vec::new();
        };
        let read = arguments::read(self.kind, &found.words);
        let mut named_files = Vec::new();
        let mut unread: Vec<String> = Vec::new();
        for (_, word) in &read.rest {
            let word = plain(word).text;
            if word.starts_with('/') && self.container.mounts.iter().any(|mount| word.starts_with(&mount.target)) {
                named_files.push(word);
            } else if !word.is_empty() {
                unread.push(word);
            }
        }
        for argument in read.settings {
            let origin = found
                .first
                .and_then(|first| (argument.at + first).checked_sub(entry_count))
                .and_then(|at| command?.places.get(at).cloned())
                .unwrap_or_else(|| origin.clone());
            if matches!(argument.name.as_str(), "config_file" | "config" | "defaults_file") {
                named_files.push(plain(&argument.value).text);
            }
            self.setting(&argument, &origin, key);
        }
        for key in &keys {
            if found.in_script {
                self.keys.add(
                    *key,
                    Support::Approximated,
                    "only the server's own arguments in this script are applied",
                );
            } else if !unread.is_empty() {
                let note = if self.kind.arguments == ArgumentStyle::None && self.kind.protocol == Protocol::Http {
                    "the image's own start is used instead".to_owned()
                } else {
                    format!("not read: {}", unread.join(" "))
                };
                self.keys.add(*key, Support::Approximated, note);
            } else {
                self.keys.add_neutral(*key, Support::Reproduced, "");
            }
        }
        named_files
    }

    /// Adds one setting of a command line or file.
    pub(crate) fn setting(&mut self, argument: &Argument, origin: &Origin, key: &str) {
        // Each setting is compared with the settings before it.
        let before = 1 + self.service.settings.len() + self.keys.all.len();
        if !self.project.budget.spend_at(Resource::Steps, before, origin) {
            return;
        }
        let name = plain(&argument.name).text;
        let mut value = plain(&argument.value);
        let path = format!("{key}.{name}");
        if let Some(reason) = self.kind.own_settings.get(&name) {
            if name == "port" {
                self.sources.ports.extend(value.text.parse::<u16>().ok());
            }
            self.keys.add_neutral(path, Support::Unsupported, reason.clone());
            return;
        }
        if let Some(meaning) = self.kind.setting_logins.get(&name).copied() {
            let text = value.text.trim_matches('"').to_owned();
            match reference(&text) {
                Some(Reference::File(file)) if matches!(meaning, Login::Password | Login::Admin) => {
                    let found = Credential::Secret(self.secret_at(&file));
                    self.login.password = Some(Located::new(found, origin.clone()));
                    self.keys.add_neutral(path, Support::Reproduced, "");
                }
                Some(Reference::FileIn(variable)) if matches!(meaning, Login::Password | Login::Admin) => {
                    let file = self.variable(&variable).map(|given| given.text.text.clone()).unwrap_or_default();
                    let found = Credential::Secret(self.secret_at(&file));
                    self.login.password = Some(Located::new(found, origin.clone()));
                    self.keys.add_neutral(path, Support::Reproduced, "");
                }
                Some(Reference::Variable(variable)) => {
                    let given = self.variable(&variable).map(|given| given.text.clone());
                    let given = given.unwrap_or(Sourced { text: String::new(), variable: Some(variable), unset: true });
                    self.login_variable(meaning, &Located::new(given, origin.clone()), &path);
                }
                _ => {
                    value.text = text;
                    self.login_variable(meaning, &Located::new(value, origin.clone()), &path);
                }
            }
            return;
        }
        if let Some(Reference::Variable(variable)) = reference(&value.text)
            && let Some(given) = self.variable(&variable)
        {
            value = given.text.clone();
        }
        if value.unset {
            self.keys.add(path, Support::Unsupported, format!("it is not set here ({})", unset_name(&value)));
            return;
        }
        if !REPEATED.contains(&name.as_str()) {
            self.service.settings.retain(|known| known.name != name);
        }
        let takes_none = self.family.setting_arguments.is_empty()
            && self.family.files.iter().all(|file| !file.content.contains("setting"));
        if takes_none {
            self.keys.add(path, Support::Unsupported, "settings of this image are not carried over");
        } else {
            self.keys.add_neutral(path, Support::Reproduced, "");
        }
        self.service.settings.push(Setting { name, value: Located::new(value.text, origin.clone()) });
    }

    pub(super) fn variable(&self, name: &str) -> Option<&ContainerVariable> {
        self.container.environment.iter().find(|given| given.name == name)
    }

    pub(super) fn setting_files(&mut self, mount: &Mount, key: &str) {
        let files = match mount.files(self.project) {
            Ok(files) => files,
            Err(message) => return self.unreadable(message, key.to_owned()),
        };
        self.keys.add_neutral(key, Support::Reproduced, "read as settings");
        for file in files {
            if !file.name.rsplit_once('.').is_some_and(|(_, end)| matches!(end, "conf" | "cnf")) {
                continue;
            }
            let text = String::from_utf8_lossy(&file.content).into_owned();
            let path = match &mount.source {
                MountSource::Host(path) if path.ends_with(&file.name) => self.project.shown(path),
                MountSource::Host(path) if self.project.is_folder(path) => self.project.shown(&path.join(&file.name)),
                MountSource::Host(path) => self.project.shown(path),
                _ => mount.origin.path().to_path_buf(),
            };
            let in_file = matches!(mount.source, MountSource::Host(_));
            let source = Arc::new(SourceFile { path, text });
            let lines: Vec<&str> = source.text.lines().collect();
            for argument in arguments::read_file(self.kind, &source.text) {
                let line = lines.get(argument.at.saturating_sub(1)).copied().unwrap_or_default();
                let origin = if in_file {
                    Origin {
                        file: Arc::clone(&source),
                        line: u32::try_from(argument.at).unwrap_or(1),
                        column: u32::try_from(line.chars().take_while(|c| c.is_whitespace()).count() + 1).unwrap_or(1),
                        length: u32::try_from(line.trim().chars().count().max(1)).unwrap_or(1),
                    }
                } else {
                    mount.origin.clone()
                };
                self.setting(&argument, &origin, key);
            }
        }
    }
}
