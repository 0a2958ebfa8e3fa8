//! A service that a platform runs for its apps. The manifest declares its kind and version, but no image.
//!
//! Every key of the manifest is recorded here, so that none is dropped in silence.

use crate::kinds::Kind;
use crate::model::{
    Credential, Database, Diagnostic, Key, Located, Origin, Protocol, Rights, Service, Setting, Support, User, Version,
    VersionClass,
};
use crate::syntax::tree::Node;

/// A managed service that is being read.
pub(super) struct Managed<'k> {
    pub(super) service: Service,
    pub(super) kind: &'k Kind,
    /// The rights of the logins that the platform creates.
    rights: Option<Rights>,
    worst: Support,
}

impl<'k> Managed<'k> {
    /// A service of that name, which the platform of a dialect creates. Without a version, the platform chooses one.
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

    /// Adds a key that changes how the server answers.
    pub(super) fn key(&mut self, path: &str, support: Support, note: &str) {
        if support != Support::Reproduced {
            self.worst = Support::Approximated;
        }
        self.add_neutral(path, support, note);
    }

    /// Adds a key that does not change how the server answers: size, region, backups.
    pub(super) fn add_neutral(&mut self, path: &str, support: Support, note: &str) {
        if !self.service.keys.iter().any(|key| key.path == path) {
            self.service.keys.push(Key { path: path.to_owned(), support, note: note.to_owned() });
        }
    }

    /// Records every other key of a map as unsupported, with the reason.
    pub(super) fn rest(&mut self, node: &Node, reason: &str) {
        for entry in node.entries() {
            self.add_neutral(&entry.key.value, Support::Unsupported, reason);
        }
    }

    /// Adds a setting of the server, by the server's own name. A setting that devenv decides itself is only recorded.
    pub(super) fn setting(&mut self, path: &str, name: &str, value: &Node) {
        let Some(text) = value.as_str() else {
            return self.key(path, Support::Unsupported, "the value is not a text");
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

    /// Sets the creator of the logins that are added from now on, if it is not the dialect's platform.
    pub(super) fn made_by(&mut self, maker: &str) {
        self.rights = self.kind.rights_by(&[maker]);
    }

    /// Adds a login by name. A server that knows only a password gets a login without a name.
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

    /// Adds a database, which that login owns.
    pub(super) fn database(&mut self, name: &Located<String>, owner: Option<&str>) {
        if self.has_databases() && !self.service.databases.iter().any(|known| known.name.value == name.value) {
            let owner = owner.map(str::to_owned);
            self.service.databases.push(Database { name: name.clone(), owner });
        }
    }

    /// Adds the login, database and virtual host that the platform creates by default.
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

    /// The finished service.
    pub(super) fn finish(self) -> Service {
        let mut service = self.service;
        service.support = self.kind.support.max(self.worst);
        service
    }
}

/// The error for an entry without a required key.
pub(super) fn lacks(what: &str, key: &str, node: &Node) -> Diagnostic {
    Diagnostic::error("key-missing", format!("{what} has no `{key}`"))
        .at(&node.origin, "it is ignored")
        .help(format!("add `{key}`, or remove the entry"))
}

/// The version that a text declares. A text with a template is unresolved.
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

/// A version that the platform chooses.
pub(super) fn absent(origin: &Origin) -> Version {
    Version { text: String::new(), number: None, class: VersionClass::Absent, origin: origin.clone() }
}

/// Whether a text holds a placeholder: `${X}`, `{{ x }}`, `((x))`, `<%= x %>`.
pub(super) fn is_template(text: &str) -> bool {
    ["${", "{{", "((", "<%"].iter().any(|open| text.contains(open))
}
