//! A service that a platform runs for its apps: kind and version, without an image of the manifest's own.
//!
//! Every key that is said goes through here, so that each is accounted for.

use crate::kinds::Kind;
use crate::model::{
    Credential, Database, Diagnostic, Key, Located, Origin, Protocol, Rights, Service, Setting, Support, User, Version,
    VersionClass,
};
use crate::syntax::tree::Node;

/// A managed service while it is read.
pub(super) struct Managed<'k> {
    pub(super) service: Service,
    pub(super) kind: &'k Kind,
    /// What the platform lets the logins do that it makes.
    rights: Option<Rights>,
    worst: Support,
}

impl<'k> Managed<'k> {
    /// A service of that name, made by the platform of a dialect; without a version the platform fills one in.
    pub(super) fn new(
        dialect: &str,
        name: &Located<String>,
        kind: &'k Kind,
        version: Option<&Located<String>>,
    ) -> Self {
        let version = match version {
            Some(said) => version_of(kind, said),
            None => absent(&name.origin),
        };
        let family = kind.families.first().map_or("official", |family| &family.name);
        let mut service = Service::new(&name.value, &kind.name, family, version, name.origin.clone());
        if !kind.note.is_empty() {
            service.notes.push(kind.note.clone());
        }
        let rights = kind.rights_by(&[dialect]);
        Self { service, kind, rights, worst: Support::Reproduced }
    }

    /// A key that changes how the server answers.
    pub(super) fn key(&mut self, path: &str, support: Support, note: &str) {
        if support != Support::Reproduced {
            self.worst = Support::Approximated;
        }
        self.add_neutral(path, support, note);
    }

    /// A key about the platform around it: size, place, backups.
    pub(super) fn add_neutral(&mut self, path: &str, support: Support, note: &str) {
        if !self.service.keys.iter().any(|key| key.path == path) {
            self.service.keys.push(Key { path: path.to_owned(), support, note: note.to_owned() });
        }
    }

    /// Every key of a map that was not accounted for is told as the platform's own.
    pub(super) fn rest(&mut self, node: &Node, reason: &str) {
        for entry in node.entries() {
            self.add_neutral(&entry.key.value, Support::Unsupported, reason);
        }
    }

    /// A setting of the server, in its own name; what devenv decides itself is told and left out.
    pub(super) fn setting(&mut self, path: &str, name: &str, value: &Node) {
        let Some(text) = value.as_str() else {
            return self.key(path, Support::Unsupported, "the value is no text");
        };
        if let Some(reason) = self.kind.own_settings.get(name) {
            return self.key(path, Support::Unsupported, &reason.clone());
        }
        self.service.settings.retain(|known| known.name != name);
        let value = Located::new(text.to_owned(), value.origin.clone());
        self.service.settings.push(Setting { name: name.to_owned(), value });
        self.add_neutral(path, Support::Reproduced, "");
    }

    /// Whether its server knows databases by name.
    pub(super) fn has_databases(&self) -> bool {
        self.kind.default_database.is_some() || self.kind.name == "mongodb"
    }

    /// Logins from here on are made by another maker than the dialect's platform usually is.
    pub(super) fn made_by(&mut self, maker: &str) {
        self.rights = self.kind.rights_by(&[maker]);
    }

    /// A login by name; a server that knows only a password gets a nameless one.
    pub(super) fn user(&mut self, name: &Located<String>) {
        if !self.kind.fields.contains_key("password") {
            return;
        }
        let nameless = self.kind.protocol == Protocol::Redis || !self.kind.fields.contains_key("user");
        let name = if nameless { name.clone().map(|_| String::new()) } else { name.clone() };
        if self.service.users.iter().any(|user| user.name.value == name.value) {
            return;
        }
        let service = &self.service.name;
        let own = if self.service.users.is_empty() { service.clone() } else { format!("{service}/{}", name.value) };
        self.service.users.push(User { name, credential: Credential::Own(own), bound: false, rights: self.rights });
    }

    /// A database, owned by that login.
    pub(super) fn database(&mut self, name: &Located<String>, owner: Option<&str>) {
        if self.has_databases() && !self.service.databases.iter().any(|known| known.name.value == name.value) {
            let owner = owner.map(str::to_owned);
            self.service.databases.push(Database { name: name.clone(), owner });
        }
    }

    /// The login, database and virtual host that a platform makes without being asked.
    pub(super) fn defaults(&mut self, user: &str, database: &str) {
        let at = |name: &str, origin: &Origin| Located::new(name.to_owned(), origin.clone());
        let origin = self.service.origin.clone();
        if self.service.users.is_empty() {
            self.user(&at(user, &origin));
        }
        if self.service.databases.is_empty() {
            self.database(&at(database, &origin), None);
        }
        if let (true, Some(vhost)) = (self.service.vhosts.is_empty(), &self.kind.default_vhost) {
            self.service.vhosts.push(at(vhost, &origin));
        }
    }

    /// The service.
    pub(super) fn finish(self) -> Service {
        let mut service = self.service;
        service.support = self.kind.support.max(self.worst);
        service
    }
}

/// What is said of an entry that lacks a key without which it means nothing.
pub(super) fn lacks(what: &str, key: &str, node: &Node) -> Diagnostic {
    Diagnostic::error("key-missing", format!("{what} has no `{key}`"))
        .at(&node.origin, "it is left out")
        .help(format!("add `{key}`, or take the entry out"))
}

/// The version that a text declares; one with a template in it is not settled.
pub(super) fn version_of(kind: &Kind, said: &Located<String>) -> Version {
    let text = said.value.trim();
    if text.is_empty() {
        return absent(&said.origin);
    }
    if is_template(text) {
        let class = VersionClass::Unresolved;
        return Version { text: text.to_owned(), number: None, class, origin: said.origin.clone() };
    }
    kind.version(text, false, said.origin.clone())
}

/// A version that the platform fills in.
pub(super) fn absent(origin: &Origin) -> Version {
    Version { text: String::new(), number: None, class: VersionClass::Absent, origin: origin.clone() }
}

/// Whether a text holds a place that something else fills in: `${X}`, `{{ x }}`, `((x))`, `<%= x %>`.
pub(super) fn is_template(text: &str) -> bool {
    ["${", "{{", "((", "<%"].iter().any(|open| text.contains(open))
}
