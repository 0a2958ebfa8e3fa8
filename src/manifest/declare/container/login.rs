//! A backing service's login: from its variables, or the image's default login.

use super::Unset;
use super::backing::Backing;
use super::mount::{MountSource, SecretText};
use super::words::Sourced;
use crate::kinds::Login;
use crate::model::{Credential, Database, Located, Origin, Protocol, Secret, Support, User};

/// The facts about the login that have been read so far.
#[derive(Default)]
pub(super) struct Found {
    pub(super) user: Option<Located<Sourced>>,
    pub(super) password: Option<Located<Credential>>,
    pub(super) admin: Option<Located<Credential>>,
    pub(super) database: Option<Located<Sourced>>,
    pub(super) open: bool,
}

impl Backing<'_> {
    /// Reads a variable that is a part of the login.
    pub(super) fn login_variable(&mut self, meaning: Login, value: &Located<Sourced>, path: &str) {
        let text = &value.value;
        let origin = value.origin.clone();
        match meaning {
            Login::Password => {
                self.login.password = credential(text).map(|found| Located::new(found, origin));
                self.keys.add_neutral(path, Support::Reproduced, "");
            }
            Login::Admin => {
                self.login.admin = credential(text).map(|found| Located::new(found, origin));
                self.keys.add_neutral(path, Support::Approximated, "devenv uses its own administrator's login");
            }
            Login::User => {
                self.login.user = Some(value.clone());
                self.keys.add_neutral(path, Support::Reproduced, "");
            }
            Login::Database => {
                if text.unset {
                    self.unset_matters(text, &origin, "the database's name");
                    self.keys.add(path, Support::Unsupported, "the variable is not set here");
                    self.sources.database.clone_from(&text.variable);
                } else if !text.text.is_empty() {
                    self.login.database = Some(value.clone());
                    self.keys.add_neutral(path, Support::Reproduced, "");
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
                    self.keys.add_neutral(path, Support::Reproduced, "");
                }
            }
            Login::Plugins => {
                self.plugins(&text.text, &origin);
                self.keys.add_neutral(path, Support::Reproduced, "");
            }
            Login::Open => {
                self.login.open |= matches!(text.text.to_ascii_lowercase().as_str(), "trust" | "yes" | "true" | "1");
                self.keys.add_neutral(path, Support::Reproduced, "");
            }
        }
    }

    pub(super) fn unset_matters(&mut self, text: &Sourced, origin: &Origin, what: &str) {
        let unset = Unset { what, service: &self.service.name, from: &unset_name(text), origin };
        self.diagnostics.push((self.container.field_names.unset)(&unset));
    }

    /// Reads `X_FILE`: for a password, the secret's name; otherwise the content of the file.
    pub(super) fn login_file(&mut self, meaning: Login, value: &Located<Sourced>, path: &str) {
        let target = value.value.text.clone();
        if matches!(meaning, Login::Password | Login::Admin) {
            let found = Located::new(Credential::Secret(self.secret_at(&target)), value.origin.clone());
            if meaning == Login::Password {
                self.login.password = Some(found);
            } else {
                self.login.admin = Some(found);
            }
            self.keys.add_neutral(path, Support::Reproduced, "");
            return;
        }
        match self.secret_text(&target) {
            Some(text) => {
                let text = Sourced { text: text.trim().to_owned(), ..Sourced::default() };
                self.login_variable(meaning, &Located::new(text, value.origin.clone()), path);
            }
            None if meaning == Login::Database => {
                let unset = Unset {
                    what: "the database's name",
                    service: &self.service.name,
                    from: &target,
                    origin: &value.origin,
                };
                self.diagnostics.push((self.container.field_names.unset_file)(&unset));
                self.keys.add(path, Support::Unsupported, "the file is not here");
            }
            None => self.keys.add(path, Support::Unsupported, "the file is not here"),
        }
    }

    /// The name of the secret at a path of the container; otherwise the path itself.
    pub(super) fn secret_at(&self, target: &str) -> String {
        let mounted = self.container.mounts.iter().find(|mount| mount.target == target);
        match mounted.map(|mount| &mount.source) {
            Some(MountSource::Secret(name, _) | MountSource::External(name)) => name.clone(),
            _ => target.strip_prefix("/run/secrets/").unwrap_or(target).to_owned(),
        }
    }

    /// The text of a secret or file that is no password.
    pub(super) fn secret_text(&self, target: &str) -> Option<String> {
        let mount = self.container.mounts.iter().find(|mount| mount.target == target)?;
        match &mount.source {
            MountSource::Secret(_, SecretText::NotHere) => return None,
            MountSource::Secret(_, SecretText::Known(text)) => return Some(text.reveal().to_owned()),
            MountSource::Secret(_, SecretText::File(path)) => {
                return self.project.read(path).ok().map(|file| file.text.clone());
            }
            _ => {}
        }
        let files = mount.files(self.project).ok()?;
        String::from_utf8(files.into_iter().next()?.content).ok()
    }

    /// Adds plugins by their names, which are separated by commas, spaces or line ends.
    pub(crate) fn plugins(&mut self, text: &str, origin: &Origin) {
        let names = text.split([',', ' ', '[', ']', '.', '\n']).map(str::trim).filter(|name| !name.is_empty());
        for name in names {
            if !self.service.plugins.iter().any(|known| known.value == name) {
                self.service.plugins.push(Located::new(name.to_owned(), origin.clone()));
            }
        }
    }

    /// Resolves user, password and database from the facts that were read, and from the image's defaults.
    pub(super) fn resolve_login(&mut self) {
        let found = std::mem::take(&mut self.login);
        let origin = self.service.origin.clone();
        let names_users = self.family.default_login.is_some()
            || self.kind.default_user.is_some()
            || self.family.variables.values().any(|login| *login == Login::User);
        // A broker with definitions creates no default user besides theirs.
        let has_logins = self.service.definitions.is_some() && !self.service.users.is_empty();
        if has_logins && found.user.is_none() {
            return;
        }
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
                self.service.users.push(User { name, credential, bound: false, rights: None });
            }
        } else if let Some(name) = name {
            let rights = self.family.rights_of(&name.value);
            // If the definitions have the same login, it is one login, with the password from the variables.
            self.service.users.retain(|known| known.name.value != name.value);
            self.service.users.insert(0, User { name, credential, bound: false, rights });
        }
        if let Some(database) = found.database {
            self.sources.database.clone_from(&database.value.variable);
            let name = Located::new(database.value.text, database.origin);
            self.service.databases.push(Database { name, owner: None });
        } else if let (Some(user), Some(template), None) =
            (self.service.users.first(), &self.kind.default_database, &self.sources.database)
            && self.kind.protocol == Protocol::Postgres
        {
            let name = template.replace("{{ user }}", &user.name.value);
            self.service.databases.push(Database { name: Located::new(name, user.name.origin.clone()), owner: None });
        }
    }
}

/// The source of a password; `None` for an empty text.
fn credential(text: &Sourced) -> Option<Credential> {
    match &text.variable {
        Some(variable) => Some(Credential::Variable(variable.clone())),
        None if text.text.is_empty() => None,
        None => Some(Credential::Literal(Secret::new(text.text.clone()))),
    }
}

pub(super) fn unset_name(text: &Sourced) -> String {
    text.variable.clone().unwrap_or_else(|| "a variable in it".to_owned())
}
