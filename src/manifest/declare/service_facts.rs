//! Reads the content of a service of `services.yaml`: databases, users, settings and similar entries.
//!
//! A key that the kind does not support is recorded as unsupported in the service's keys. A value of the wrong shape is
//! reported, and the other values are read.

use crate::kinds::{FIELD_FUEL, Family, Kind, Login, Protocol, matches, templates};
use crate::manifest::declare::generic;
use crate::manifest::declare::rights;
use crate::model::{
    Credential, Database, Diagnostic, Key, Located, Rights, Secret, Service, Setting, Support, User, did_you_mean,
};
use crate::syntax::expect::{Expect, list};
use crate::syntax::tree::Node;

/// Fills a service with the values of its entry, and with the defaults of its kind.
pub(crate) fn read(service: &mut Service, node: &Node, kind: &Kind, expect: &mut Expect) {
    if generic::is_generic(&kind.name) {
        let name = Located::new(service.name.clone(), service.origin.clone());
        // Mistakes in these keys were reported when the kind was chosen.
        if let Some(generic) = generic::read(node, &name, &mut Expect::default()) {
            generic.describe(service);
        }
    }
    let what = format!("`{}`", service.name);
    let rights = rights::of_service(node, kind, expect).or_else(|| kind.rights_by(&["services.yaml"]));
    let mut reader = Reader { service, kind, expect, what };
    let databases = reader.databases(node.get("databases"));
    reader.users(node.get("users"), databases, rights);
    for entry in node.entries() {
        reader.entry(&entry.key, &entry.value);
    }
    reader.defaults();
}

/// Reads the settings of a map into a service. A setting that is part of a login changes the login. A setting that
/// devenv decides itself is recorded as unsupported. A setting that the service already has is replaced.
pub(crate) fn settings(service: &mut Service, node: &Node, kind: &Kind, expect: &mut Expect) {
    let what = format!("`{}`", service.name);
    Reader { service, kind, expect, what }.settings(node);
}

/// Reads variables of the container into a service.
pub(crate) fn environment(service: &mut Service, node: &Node, kind: &Kind, expect: &mut Expect) {
    let what = format!("`{}`", service.name);
    Reader { service, kind, expect, what }.environment(node);
}

/// Reads `linux/amd64`.
pub(crate) fn platform(node: &Node, of: &str, expect: &mut Expect) -> Option<Located<String>> {
    let text = expect.text(node, of)?;
    let parts: Vec<&str> = text.value.split('/').collect();
    if matches!(parts.len(), 2 | 3) && parts.iter().all(|part| !part.is_empty()) {
        return Some(text);
    }
    expect.wrong(node, of, "a platform such as `linux/amd64`");
    None
}

struct Reader<'a> {
    service: &'a mut Service,
    kind: &'a Kind,
    expect: &'a mut Expect,
    /// The service's name in code quotes.
    what: String,
}

impl Reader<'_> {
    fn entry(&mut self, key: &Located<String>, node: &Node) {
        let name = key.value.as_str();
        let of = format!("`{name}` of {}", self.what);
        let generic = generic::is_generic(&self.kind.name);
        let carried_out = match name {
            "command" | "protocol" | "path" if !generic => {
                self.expect.diagnostics.push(
                    Diagnostic::error("key-of-generic", format!("`{name}` is for services of the kind `generic`"))
                        .at(&key.origin, format!("{} has its own", self.kind.title))
                        .help("settings of the server go under `settings`"),
                );
                return;
            }
            "databases" => self.has_databases(),
            "users" => self.has_users(),
            "rights" => self.kind.protocol.has_rights(),
            "extensions" => {
                add(&mut self.service.extensions, self.expect.texts(node, &of));
                self.kind.protocol == Protocol::Postgres
            }
            "vhosts" => {
                self.service.vhosts = self.expect.texts(node, &of);
                self.kind.default_vhost.is_some()
            }
            "plugins" => {
                self.service.plugins = self.expect.texts(node, &of);
                self.kind.families.iter().any(has_plugins)
            }
            "settings" => return self.settings(node),
            "environment" => return self.environment(node),
            "platform" => {
                self.service.platform = platform(node, &of, self.expect);
                true
            }
            "port" => {
                if !generic {
                    self.service.port = self.expect.port(node, &of);
                }
                true
            }
            "kind" | "version" | "image" | "protocol" | "path" => true,
            "command" => {
                if let Some(items) = node.as_sequence() {
                    let texts = items.iter().filter_map(|item| self.expect.text(item, &of));
                    self.service.command = Some(texts.map(|text| text.value).collect());
                } else {
                    self.expect.wrong(node, &of, "a list of arguments");
                }
                true
            }
            _ => return,
        };
        if carried_out {
            self.key(name, Support::Reproduced, "");
        } else {
            self.key(name, Support::Unsupported, &format!("{} has no {name}", self.kind.title));
            match name {
                "extensions" => self.service.extensions.clear(),
                "vhosts" => self.service.vhosts.clear(),
                "plugins" => self.service.plugins.clear(),
                _ => {}
            }
        }
    }

    fn has_users(&self) -> bool {
        self.kind.fields.contains_key("password")
    }

    fn has_databases(&self) -> bool {
        self.kind.default_database.is_some()
    }

    fn key(&mut self, path: &str, support: Support, note: &str) {
        self.service.keys.push(Key { path: path.to_owned(), support, note: note.to_owned() });
    }

    /// Reads a list of names, or a map from names to `{owner: …}`; returns the owners.
    fn databases(&mut self, node: Option<&Node>) -> Vec<Located<String>> {
        let Some(node) = node.filter(|_| self.has_databases()) else { return Vec::new() };
        let mut owners = Vec::new();
        if node.as_mapping().is_none() {
            let names = self.expect.texts(node, &format!("`databases` of {}", self.what));
            self.service.databases = names.into_iter().map(|name| Database { name, owner: None }).collect();
        }
        for entry in node.entries() {
            let what = format!("database `{}`", entry.key.value);
            let facts = self.expect.known(&entry.value, &what, &["owner"]);
            let owner = facts.first().and_then(|fact| self.expect.text(&fact.value, &format!("the owner of {what}")));
            self.service
                .databases
                .push(Database { name: entry.key.clone(), owner: owner.as_ref().map(|owner| owner.value.clone()) });
            owners.extend(owner);
        }
        owners
    }

    /// Reads a list of names, or a map from names to `{rights: …, databases: […]}`. Without `users`, the app's login is
    /// the default user of the kind, and each owner of a database is a further login.
    fn users(&mut self, node: Option<&Node>, owners: Vec<Located<String>>, rights: Option<Rights>) {
        if !self.has_users() {
            return;
        }
        let Some(node) = node.filter(|node| !node.is_null()) else {
            let first = self.service.databases.first().map(|database| database.name.value.clone());
            let own = self.kind.default_user.clone().or_else(|| first.filter(|_| self.has_databases()));
            if self.service.databases.iter().any(|database| database.owner.is_none()) || owners.is_empty() {
                self.add_user(Located::new(own.unwrap_or_default(), self.service.origin.clone()), rights);
            }
            for owner in owners {
                self.add_user(owner, rights);
            }
            return;
        };
        if node.as_mapping().is_none() {
            let names = self.expect.texts(node, &format!("`users` of {}", self.what));
            for name in names {
                self.add_user(name, rights);
            }
        }
        for entry in node.entries() {
            let what = format!("user `{}`", entry.key.value);
            for fact in self.expect.known(&entry.value, &what, &["superuser", "rights", "databases"]) {
                if fact.key.value == "databases" {
                    let names = self.expect.texts(&fact.value, &format!("the databases of {what}"));
                    for name in &names {
                        self.own(&entry.key.value, name);
                    }
                }
            }
            let own = rights::of_user(&entry.value, &what, self.kind, self.expect);
            self.add_user(entry.key.clone(), own.or(rights));
        }
        let users: Vec<&str> = self.service.users.iter().map(|user| user.name.value.as_str()).collect();
        for owner in owners.iter().filter(|owner| !users.contains(&owner.value.as_str())) {
            let help = did_you_mean(&owner.value, users.iter().copied())
                .map_or_else(|| format!("the users are {}", list(&users)), |meant| format!("did you mean `{meant}`?"));
            self.expect.diagnostics.push(
                Diagnostic::error("unknown-user", format!("{} has no user `{}`", self.what, owner.value))
                    .at(&owner.origin, "owns a database")
                    .and_at(&node.origin, "its users")
                    .help(help),
            );
        }
    }

    /// Makes a user the owner of a database, and adds the database if it is not declared.
    fn own(&mut self, user: &str, name: &Located<String>) {
        if let Some(database) = self.service.databases.iter_mut().find(|other| other.name.value == name.value) {
            if let Some(owner) = database.owner.as_deref().filter(|owner| *owner != user) {
                self.expect.diagnostics.push(
                    Diagnostic::error("two-owners", format!("database `{}` has two owners", name.value))
                        .at(&name.origin, format!("owned by `{user}`"))
                        .and_at(&database.name.origin, format!("owned by `{owner}`"))
                        .help("remove one of them"),
                );
            }
            database.owner = Some(user.to_owned());
        } else {
            self.service.databases.push(Database { name: name.clone(), owner: Some(user.to_owned()) });
        }
    }

    fn add_user(&mut self, name: Located<String>, rights: Option<Rights>) {
        if self.service.users.iter().any(|user| user.name.value == name.value) {
            return;
        }
        let service = &self.service.name;
        let own = if self.service.users.is_empty() { service.clone() } else { format!("{service}/{}", name.value) };
        self.service.users.push(User { name, credential: Credential::Own(own), bound: true, rights });
    }

    fn settings(&mut self, node: &Node) {
        for entry in self.expect.map(node, &format!("`settings` of {}", self.what)) {
            let name = &entry.key.value;
            let path = format!("settings.{name}");
            let Some(value) = setting(&entry.value, name, self.expect) else { continue };
            if let Some(reason) = self.kind.own_settings.get(name) {
                self.key(&path, Support::Unsupported, &reason.clone());
            } else if let Some(login) = self.kind.setting_logins.get(name) {
                self.login(*login, value);
                self.key(&path, Support::Reproduced, "");
            } else {
                self.service.settings.retain(|setting| setting.name != *name);
                self.service.settings.push(Setting { name: name.clone(), value });
                self.key(&path, Support::Reproduced, "");
            }
        }
    }

    /// Applies a setting that is part of a login: `requirepass`.
    fn login(&mut self, login: Login, value: Located<String>) {
        match login {
            Login::Vhost => self.service.vhosts.push(value),
            Login::User => {
                if let Some(user) = self.service.users.first_mut() {
                    user.name = value;
                }
            }
            Login::Password => {
                if let Some(user) = self.service.users.first_mut() {
                    user.credential = Credential::Literal(Secret::new(value.value));
                }
            }
            Login::Database => self.service.databases.push(Database { name: value, owner: None }),
            Login::Plugins => self.service.plugins.push(value),
            Login::Admin | Login::Open => {}
        }
    }

    fn environment(&mut self, node: &Node) {
        let Some(family) = self.kind.family(&self.service.family) else { return };
        for entry in self.expect.map(node, &format!("`environment` of {}", self.what)) {
            let name = &entry.key.value;
            let path = format!("environment.{name}");
            let is_login = family.variables.get(name).is_some_and(|login| *login != Login::Open);
            if is_login || family.environment.contains_key(name) {
                let reason = "devenv sets it itself: use `users`, `databases` or `vhosts`";
                self.key(&path, Support::Unsupported, reason);
                continue;
            }
            let value = if entry.value.is_null() {
                Some(Located::new(String::new(), entry.value.origin.clone()))
            } else {
                self.expect.text(&entry.value, &format!("the variable `{name}`"))
            };
            let Some(value) = value else { continue };
            self.service.environment.retain(|(other, _)| other != name);
            self.service.environment.push((name.clone(), value));
            if family.passed.iter().any(|pattern| matches(pattern, name)) {
                self.key(&path, Support::Reproduced, "");
            } else {
                let reason = format!("passed on as it is; {} may not know it", self.kind.title);
                self.key(&path, Support::Approximated, &reason);
            }
        }
    }

    fn defaults(&mut self) {
        let origin = self.service.origin.clone();
        if self.service.vhosts.is_empty()
            && let Some(vhost) = &self.kind.default_vhost
        {
            self.service.vhosts.push(Located::new(vhost.clone(), origin.clone()));
        }
        let user = self.service.users.first().map(|user| user.name.value.clone()).unwrap_or_default();
        if self.service.databases.is_empty()
            && let Some(template) = &self.kind.default_database
            && let Ok(name) = templates(FIELD_FUEL).render_str(template, minijinja::context! { user })
        {
            self.service.databases.push(Database { name: Located::new(name, origin), owner: None });
        }
    }
}

/// Adds the names that the list does not contain yet.
pub(crate) fn add(known: &mut Vec<Located<String>>, more: Vec<Located<String>>) {
    for name in more {
        if !known.iter().any(|other| other.value == name.value) {
            known.push(name);
        }
    }
}

fn has_plugins(family: &Family) -> bool {
    family.variables.values().any(|login| *login == Login::Plugins)
        || family.files.iter().any(|file| file.content.contains("plugins"))
}

/// A setting's text. A list is joined with commas; null is empty text.
fn setting(node: &Node, name: &str, expect: &mut Expect) -> Option<Located<String>> {
    let what = format!("the setting `{name}`");
    if node.is_null() {
        return Some(Located::new(String::new(), node.origin.clone()));
    }
    let Some(items) = node.as_sequence() else { return expect.text(node, &what) };
    let texts: Vec<String> = items.iter().filter_map(|item| expect.text(item, &what)).map(|text| text.value).collect();
    Some(Located::new(texts.join(","), node.origin.clone()))
}
