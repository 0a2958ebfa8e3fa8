//! Everything that a backing service declares: its login, databases, settings, files, and what becomes of each key.

use super::keys::{COMMON, Keys, READ, of_container};
use super::load::Loader;
use super::mounts::{Mount, MountSource, mounts};
use super::value::Value;
use super::variables::{Given, environment};
use super::words::{Reference, Sourced, marked_words, plain, reference, server_arguments};
use crate::kinds::arguments::{self, Argument};
use crate::kinds::{ArgumentStyle, Family, Kind, Login, matches};
use crate::manifest::bind::Sources;
use crate::model::{
    Credential, Database, Diagnostic, InitFile, Located, Origin, Secret, Service, Setting, SourceFile, Support, User,
    did_you_mean,
};
use std::sync::Arc;

/// Settings that a server takes more than once.
const REPEATED: &[&str] = &["save", "rename-command", "loadmodule", "user", "client-output-buffer-limit"];

/// A backing service while it is read.
pub(super) struct Backing<'l, 'a> {
    loader: &'l mut Loader<'a>,
    whole: &'l Value,
    value: &'l Value,
    kind: &'l Kind,
    family: &'l Family,
    service: Service,
    sources: Sources,
    keys: Keys,
    mounts: Vec<Mount>,
    environment: Vec<Given>,
    login: Found,
}

/// What is known of the login so far.
#[derive(Default)]
struct Found {
    user: Option<Located<Sourced>>,
    password: Option<Located<Credential>>,
    admin: Option<Located<Credential>>,
    database: Option<Located<Sourced>>,
    open: bool,
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
                let note = format!("taken for {title} by its name, and run as {title}'s own image is run");
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

    /// A variable that says something about the login.
    fn login_variable(&mut self, meaning: Login, value: &Located<Sourced>, path: &str) {
        let text = &value.value;
        let origin = value.origin.clone();
        match meaning {
            Login::Password => {
                self.login.password = credential(text).map(|found| Located::new(found, origin));
                self.keys.aside(path, Support::Reproduced, "");
            }
            Login::Admin => {
                self.login.admin = credential(text).map(|found| Located::new(found, origin));
                self.keys.aside(path, Support::Approximated, "an administrator's login of devenv's own stands in");
            }
            Login::User => {
                self.login.user = Some(value.clone());
                if self.kind.data_follows_major && self.kind.protocol == crate::model::Protocol::Postgres {
                    let note =
                        "in production this login is the server's superuser; here it owns its databases and no more";
                    let way = "`users: {NAME: {superuser: true}}` in services.local.yaml restores that";
                    self.keys.aside(path, Support::Approximated, format!("{note}; {way}"));
                } else {
                    self.keys.aside(path, Support::Reproduced, "");
                }
            }
            Login::Database => {
                if text.unset {
                    self.unset_matters(text, &origin, "the database's name");
                    self.keys.add(path, Support::Unsupported, "the variable is not set here");
                    self.sources.database.clone_from(&text.variable);
                } else if !text.text.is_empty() {
                    self.login.database = Some(value.clone());
                    self.keys.aside(path, Support::Reproduced, "");
                }
            }
            Login::Vhost => {
                if text.unset {
                    self.sources.vhost.clone_from(&text.variable);
                    self.unset_matters(text, &origin, "the virtual host's name");
                    self.keys.add(path, Support::Unsupported, "the variable is not set here");
                } else if !text.text.is_empty() {
                    self.sources.vhost.clone_from(&text.variable);
                    self.service.vhosts.push(Located::new(text.text.clone(), origin));
                    self.keys.aside(path, Support::Reproduced, "");
                }
            }
            Login::Plugins => {
                self.plugins(&text.text, &origin);
                self.keys.aside(path, Support::Reproduced, "");
            }
            Login::Open => {
                self.login.open |= matches!(text.text.to_ascii_lowercase().as_str(), "trust" | "yes" | "true" | "1");
                self.keys.aside(path, Support::Reproduced, "");
            }
        }
    }

    fn unset_matters(&mut self, text: &Sourced, origin: &Origin, what: &str) {
        let name = unset_name(text);
        self.loader.diagnostics.push(
            Diagnostic::error(
                "variable-unset",
                format!("{what} of `{}` comes from `{name}`, which is not set here", self.service.name),
            )
            .at(origin, format!("`{name}` is not set"))
            .because("it stands neither in the environment nor in .env beside the file")
            .help(format!("set it as production does: `{name}=… devenv up`, or in .env")),
        );
    }

    /// `X_FILE`: a secret's name for a password, else the content of the file it names.
    fn login_file(&mut self, meaning: Login, value: &Located<Sourced>, path: &str) {
        let target = value.value.text.clone();
        if matches!(meaning, Login::Password | Login::Admin) {
            let found = Located::new(Credential::Secret(self.secret_at(&target)), value.origin.clone());
            if meaning == Login::Password {
                self.login.password = Some(found);
            } else {
                self.login.admin = Some(found);
            }
            self.keys.aside(path, Support::Reproduced, "");
            return;
        }
        match self.secret_text(&target) {
            Some(text) => {
                let text = Sourced { text: text.trim().to_owned(), ..Sourced::default() };
                self.login_variable(meaning, &Located::new(text, value.origin.clone()), path);
            }
            None if meaning == Login::Database => {
                self.loader.diagnostics.push(
                    Diagnostic::error(
                        "variable-unset",
                        format!("the database's name of `{}` lies in a file that is not here", self.service.name),
                    )
                    .at(&value.origin, format!("{target} in the container"))
                    .help(
                        "add the database in services.local.yaml, or put the secret's file where the manifest names it",
                    ),
                );
                self.keys.add(path, Support::Unsupported, "the file is not here");
            }
            None => self.keys.add(path, Support::Unsupported, "the file is not here"),
        }
    }

    /// The name of the secret that lies at a path of the container; else the path itself.
    fn secret_at(&self, target: &str) -> String {
        let mounted = self.mounts.iter().find(|mount| mount.target == target);
        match mounted.map(|mount| &mount.source) {
            Some(MountSource::Secret(name) | MountSource::External(name)) => name.clone(),
            _ => target.strip_prefix("/run/secrets/").unwrap_or(target).to_owned(),
        }
    }

    /// The text of a secret or file that is no password.
    fn secret_text(&self, target: &str) -> Option<String> {
        let mount = self.mounts.iter().find(|mount| mount.target == target)?;
        if let MountSource::Secret(name) = &mount.source {
            let declared = self.whole.get("secrets")?.get(name)?;
            if let Some(variable) = declared.get("environment") {
                return self.loader.lookup(&variable.origin, variable.as_str()?);
            }
            let file = declared.get("file")?;
            let path = self.loader.path_in(&file.origin, file.as_str()?);
            return self.loader.input.project.read(&path).ok().map(|file| file.text.clone());
        }
        let files = mount.files(self.loader).ok()?;
        String::from_utf8(files.into_iter().next()?.content).ok()
    }

    fn plugins(&mut self, text: &str, origin: &Origin) {
        let names = text.split([',', ' ', '[', ']', '.', '\n']).map(str::trim).filter(|name| !name.is_empty());
        for name in names {
            if !self.service.plugins.iter().any(|known| known.value == name) {
                self.service.plugins.push(Located::new(name.to_owned(), origin.clone()));
            }
        }
    }

    /// Settings of the command line; gives back the configuration files that it names.
    fn command(&mut self) -> Vec<String> {
        let value = self.value;
        let entrypoint = value.get("entrypoint").filter(|value| !value.is_null());
        let command = value.get("command").filter(|value| !value.is_null());
        let own = |value: Option<&Value>| value.and_then(marked_words).unwrap_or_default();
        let (entry_words, command_words) = (own(entrypoint), own(command));
        let keys: Vec<&'static str> = [("entrypoint", entrypoint), ("command", command)]
            .into_iter()
            .filter(|(_, value)| value.is_some())
            .map(|(key, _)| key)
            .collect();
        let words: Vec<String> = entry_words.into_iter().chain(command_words).collect();
        if words.is_empty() {
            for key in keys {
                self.keys.aside(key, Support::Reproduced, "");
            }
            return Vec::new();
        }
        let key = *keys.last().unwrap_or(&"command");
        let origin = command.or(entrypoint).map_or(&self.service.origin, |value| &value.origin).clone();
        let Some(found) = server_arguments(&words, &self.kind.servers) else {
            for key in keys {
                self.keys.add(
                    key,
                    Support::Approximated,
                    "what this script does cannot be read; the image's own start stands in",
                );
            }
            return Vec::new();
        };
        let read = arguments::read(self.kind, &found.words);
        let mut named_files = Vec::new();
        let mut unread: Vec<String> = Vec::new();
        for (_, word) in &read.rest {
            let word = plain(word).text;
            if word.starts_with('/') && self.mounts.iter().any(|mount| word.starts_with(&mount.target)) {
                named_files.push(word);
            } else if !word.is_empty() {
                unread.push(word);
            }
        }
        for argument in read.settings {
            let origin = argument_origin(command, argument.at, words.len() - found.words.len())
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
                    "of this script only the server's own arguments are carried over",
                );
            } else if !unread.is_empty() {
                let note = if self.kind.arguments == ArgumentStyle::None
                    && self.kind.protocol == crate::model::Protocol::Http
                {
                    "the image's own start stands in".to_owned()
                } else {
                    format!("not read: {}", unread.join(" "))
                };
                self.keys.add(*key, Support::Approximated, note);
            } else {
                self.keys.aside(*key, Support::Reproduced, "");
            }
        }
        named_files
    }

    /// One setting of a command line or file.
    fn setting(&mut self, argument: &Argument, origin: &Origin, key: &str) {
        let name = plain(&argument.name).text;
        let mut value = plain(&argument.value);
        let path = format!("{key}.{name}");
        if let Some(reason) = self.kind.own_settings.get(&name) {
            if name == "port" {
                self.sources.ports.extend(value.text.parse::<u16>().ok());
            }
            self.keys.aside(path, Support::Unsupported, reason.clone());
            return;
        }
        if let Some(meaning) = self.kind.setting_logins.get(&name).copied() {
            let text = value.text.trim_matches('"').to_owned();
            match reference(&text) {
                Some(Reference::File(file)) if matches!(meaning, Login::Password | Login::Admin) => {
                    let found = Credential::Secret(self.secret_at(&file));
                    self.login.password = Some(Located::new(found, origin.clone()));
                    self.keys.aside(path, Support::Reproduced, "");
                }
                Some(Reference::FileIn(variable)) if matches!(meaning, Login::Password | Login::Admin) => {
                    let file = self.given(&variable).map(|given| given.text.text.clone()).unwrap_or_default();
                    let found = Credential::Secret(self.secret_at(&file));
                    self.login.password = Some(Located::new(found, origin.clone()));
                    self.keys.aside(path, Support::Reproduced, "");
                }
                Some(Reference::Variable(variable)) => {
                    let given = self.given(&variable).map(|given| given.text.clone());
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
            && let Some(given) = self.given(&variable)
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
            self.keys.aside(path, Support::Reproduced, "");
        }
        self.service.settings.push(Setting { name, value: Located::new(value.text, origin.clone()) });
    }

    fn given(&self, name: &str) -> Option<&Given> {
        self.environment.iter().find(|given| given.name == name)
    }

    fn read_mounts(&mut self, named_files: &[String]) {
        // Settings of the command line win over those of files, so the files' go before them.
        let from_command = std::mem::take(&mut self.service.settings);
        for mount in self.mounts.clone() {
            if matches!(mount.source, MountSource::Secret(_)) {
                let used = Support::Reproduced;
                self.keys.aside(format!("secrets.{}", mount.target), used, "read by its name, never its content");
                continue;
            }
            let key = format!("volumes.{}", mount.target);
            if self.is_data(&mount.target) {
                let note = match mount.source {
                    MountSource::Host(_) => "a volume of the environment stands in for the host's folder",
                    _ => "a volume of the environment",
                };
                self.keys.aside(key, Support::Reproduced, note);
            } else if self.is_init(&mount.target) {
                self.init_files(&mount, &key);
            } else if self.is_setting_file(&mount, named_files) {
                self.setting_files(&mount, &key);
            } else if mount.target.ends_with("/enabled_plugins") {
                match mount.files(self.loader) {
                    Ok(files) => {
                        for file in files {
                            self.plugins(&String::from_utf8_lossy(&file.content), &mount.origin);
                        }
                        self.keys.aside(key, Support::Reproduced, "");
                    }
                    Err(message) => self.unreadable(message, key),
                }
            } else {
                match mount.source {
                    MountSource::Host(_)
                        if mount.target.starts_with("/etc/localtime") || mount.target.starts_with("/etc/timezone") =>
                    {
                        self.keys.aside(key, Support::Unsupported, "a manifest cannot mount a host path here");
                    }
                    MountSource::Host(_) => {
                        self.keys.add(key, Support::Unsupported, "a manifest cannot mount a host path here");
                    }
                    MountSource::Temporary => {
                        self.keys.aside(key, Support::Unsupported, "the container's own file system holds it");
                    }
                    MountSource::Volume => {
                        self.keys.aside(key, Support::Unsupported, "only the server's data folder is kept");
                    }
                    _ => {
                        self.keys.add(
                            key,
                            Support::Unsupported,
                            "what this file means to the server is not known here",
                        );
                    }
                }
            }
        }
        for setting in from_command {
            if !REPEATED.contains(&setting.name.as_str()) {
                self.service.settings.retain(|known| known.name != setting.name);
            }
            self.service.settings.push(setting);
        }
    }

    fn is_data(&self, target: &str) -> bool {
        let contains = |outer: &str, inner: &str| {
            inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
        };
        self.family.data.iter().any(|(_, folder)| contains(target, folder) || contains(folder, target)) && target != "/"
    }

    fn is_init(&self, target: &str) -> bool {
        self.family.init_folder.as_deref().is_some_and(|folder| {
            target == folder || target.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        })
    }

    fn is_setting_file(&self, mount: &Mount, named: &[String]) -> bool {
        let name = mount.target.rsplit('/').next().unwrap_or_default();
        let is_named =
            named.iter().any(|file| *file == mount.target || file.starts_with(&format!("{}/", mount.target)));
        let is_folder = name.rsplit_once('.').is_some_and(|(_, end)| end == "d") && mount.target.starts_with("/etc/");
        is_named
            || self.kind.setting_files.iter().any(|known| known == name)
            || (is_folder && !self.kind.setting_files.is_empty())
    }

    fn init_files(&mut self, mount: &Mount, key: &str) {
        let files = match mount.files(self.loader) {
            Ok(files) => files,
            Err(message) => return self.unreadable(message, key.to_owned()),
        };
        for file in files {
            let text = String::from_utf8_lossy(&file.content);
            for name in extensions_in(&text) {
                if !self.service.extensions.iter().any(|known| known.value == name) {
                    self.service.extensions.push(Located::new(name, mount.origin.clone()));
                }
            }
            self.service.init_files.push(InitFile {
                name: file.name,
                content: file.content,
                origin: mount.origin.clone(),
            });
        }
        self.service.init_files.sort_by(|one, other| one.name.cmp(&other.name));
        self.keys.aside(key, Support::Reproduced, "run at the first start");
    }

    fn setting_files(&mut self, mount: &Mount, key: &str) {
        let files = match mount.files(self.loader) {
            Ok(files) => files,
            Err(message) => return self.unreadable(message, key.to_owned()),
        };
        self.keys.aside(key, Support::Reproduced, "read as settings");
        for file in files {
            if !file.name.ends_with(".conf") && !file.name.ends_with(".cnf") {
                continue;
            }
            let text = String::from_utf8_lossy(&file.content).into_owned();
            let path = match &mount.source {
                MountSource::Host(path) if path.ends_with(&file.name) => self.loader.input.project.shown(path),
                MountSource::Host(path) if self.loader.input.project.is_folder(path) => {
                    self.loader.input.project.shown(&path.join(&file.name))
                }
                MountSource::Host(path) => self.loader.input.project.shown(path),
                _ => mount.origin.path().to_path_buf(),
            };
            let in_file = matches!(mount.source, MountSource::Host(_));
            let source = Arc::new(SourceFile { path, text });
            for argument in arguments::read_file(self.kind, &source.text) {
                let line = source.text.lines().nth(argument.at.saturating_sub(1)).unwrap_or_default();
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

    fn unreadable(&mut self, message: Option<Diagnostic>, key: String) {
        let note = if message.is_some() { "the file cannot be read" } else { "what it holds is not in the project" };
        self.loader.diagnostics.extend(message);
        self.keys.add(key, Support::Unsupported, note);
    }

    /// User, password and database out of what was said, and of what the image does where nothing is.
    fn settle_login(&mut self) {
        let found = std::mem::take(&mut self.login);
        let origin = self.service.origin.clone();
        let names_users = self.family.default_login.is_some()
            || self.kind.default_user.is_some()
            || self.family.variables.values().any(|login| *login == Login::User);
        let said = found.user.filter(|user| {
            self.sources.user.clone_from(&user.value.variable);
            !user.value.text.is_empty() && !user.value.unset
        });
        let user_unset = self.sources.user.is_some() && said.is_none();
        let default = self.family.default_login.as_ref().filter(|_| !user_unset);
        let fallback = if user_unset { self.kind.default_user.clone() } else { None };
        let name = said
            .map(|user| Located::new(user.value.text, user.origin))
            .or_else(|| default.map(|login| Located::new(login.user.clone(), origin.clone())))
            .or_else(|| fallback.map(|name| Located::new(name, origin.clone())));
        let is_default = default.is_some_and(|login| name.as_ref().is_some_and(|name| name.value == login.user));
        let own = || Credential::Own(self.service.name.clone());
        let password = found.password.or_else(|| found.admin.filter(|_| is_default)).map(|found| found.value);
        let credential = match password {
            Some(password) => password,
            None if found.open => Credential::None,
            None => match default.filter(|_| is_default).and_then(|login| login.password.as_ref()) {
                Some(password) => Credential::Literal(Secret::new(password.clone())),
                None if names_users && (name.is_some() || self.kind.default_user.is_some()) => own(),
                None => Credential::None,
            },
        };
        let nameless = !names_users;
        if nameless {
            if credential != Credential::None {
                let name = Located::new(String::new(), origin.clone());
                self.service.users.push(User { name, credential, bound: false, superuser: false });
            }
        } else if let Some(name) = name {
            self.service.users.push(User { name, credential, bound: false, superuser: false });
        }
        if let Some(database) = found.database {
            self.sources.database.clone_from(&database.value.variable);
            let name = Located::new(database.value.text, database.origin);
            self.service.databases.push(Database { name, owner: None });
        } else if let (Some(user), Some(template), None) =
            (self.service.users.first(), &self.kind.default_database, &self.sources.database)
            && self.kind.protocol == crate::model::Protocol::Postgres
        {
            let name = template.replace("{{ user }}", &user.name.value);
            self.service.databases.push(Database { name: Located::new(name, user.name.origin.clone()), owner: None });
        }
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

/// The place of a word of a command that is written as a list.
fn argument_origin(command: Option<&Value>, at: usize, before: usize) -> Option<Origin> {
    let items = command?.items();
    items.get(at + before).map(|item| item.origin.clone())
}

fn unset_name(text: &Sourced) -> String {
    text.variable.clone().unwrap_or_else(|| "a variable in it".to_owned())
}

/// Where a password comes from; none where nothing is said.
fn credential(text: &Sourced) -> Option<Credential> {
    match &text.variable {
        Some(variable) => Some(Credential::Variable(variable.clone())),
        None if text.text.is_empty() => None,
        None => Some(Credential::Literal(Secret::new(text.text.clone()))),
    }
}

/// Names after `CREATE EXTENSION` in an SQL file.
fn extensions_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut words =
        text.lines().map(|line| line.split("--").next().unwrap_or_default()).flat_map(str::split_whitespace).peekable();
    while let Some(word) = words.next() {
        if !word.eq_ignore_ascii_case("create")
            || !words.peek().is_some_and(|next| next.eq_ignore_ascii_case("extension"))
        {
            continue;
        }
        words.next();
        let mut name = words.next().unwrap_or_default();
        if name.eq_ignore_ascii_case("if") {
            words.next();
            words.next();
            name = words.next().unwrap_or_default();
        }
        let name = name.trim_end_matches(';').trim_matches('"');
        let valid = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if valid && !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_found_in_sql() {
        let text =
            "-- create extension no;\nCREATE EXTENSION IF NOT EXISTS \"uuid-ossp\";\ncreate extension pg_trgm;\n";
        assert_eq!(extensions_in(text), ["uuid-ossp", "pg_trgm"]);
    }
}
