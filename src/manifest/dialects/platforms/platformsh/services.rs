//! The services of Platform.sh: `type: kind:version`, and the server's settings in `configuration`.

use super::{DIALECT, End, Reader};
use crate::manifest::dialects::platforms::managed::{Managed, lacks};
use crate::manifest::read::count::Counted as _;
use crate::model::{App, Located, Support};
use crate::syntax::tree::{Entry, Node};

/// Types of services that are no backing service, each with its description.
const NO_SERVICES: &[(&str, &str)] = &[
    ("varnish", "a cache in front of the apps; no request goes through it here"),
    ("network-storage", "a file share that apps mount"),
    ("vault-kms", "a store of keys"),
    ("chrome-headless", "a browser for the apps"),
];
impl Reader<'_> {
    pub(super) fn services(&mut self, node: &Node) {
        for entry in self.expect.map(node, "the services") {
            let (name, node) = (&entry.key, &entry.value);
            let what = format!("the type of `{}`", name.value);
            let Some(said) = node.get("type") else {
                self.expect.diagnostics.push(lacks(&format!("`{}`", name.value), "type", node));
                continue;
            };
            let Some(said) = self.expect.text(said, &what) else { continue };
            let (word, version) = said.value.split_once(':').unwrap_or((&said.value, ""));
            let kind = self.input.kinds.spelled(DIALECT.name, word);
            let other = NO_SERVICES.iter().find(|(known, _)| *known == word);
            let (Some(kind), None) = (kind, other) else {
                let what = other
                    .map_or_else(|| format!("`{word}`, for which devenv has no kind"), |(_, what)| (*what).to_owned());
                App { name: name.value.clone(), image: None, note: what, origin: name.origin.clone() }
                    .add_to(&mut self.stack.apps, &self.input.project.budget);
                continue;
            };
            let version = Located::new(version.to_owned(), said.origin.clone());
            let mut service = Managed::new(DIALECT.name, name, kind, Some(&version));
            service.add_neutral("type", Support::Reproduced, "");
            if let Some(configuration) = node.get("configuration") {
                self.configuration(&mut service, configuration);
            }
            // The login and database that Platform.sh creates by default.
            match kind.name.as_str() {
                "mariadb" | "mysql" => service.defaults("user", "main"),
                "redis" | "valkey" => {}
                _ => service.defaults("main", "main"),
            }
            service.rest(node, "about production's machine, which a local server does not have");
            service.finish().add_to(&mut self.stack.services, &self.input.project.budget);
        }
    }

    fn configuration(&mut self, service: &mut Managed<'_>, node: &Node) {
        service.add_neutral("configuration", Support::Reproduced, "each key is listed separately");
        for entry in self.expect.map(node, "`configuration`") {
            let (key, value) = (entry.key.value.as_str(), &entry.value);
            let path = format!("configuration.{key}");
            match key {
                "databases" | "schemas" if service.has_databases() => {
                    for name in self.expect.texts(value, &format!("`{key}`")) {
                        service.database(&name, None);
                    }
                    service.add_neutral(&path, Support::Reproduced, "");
                }
                "extensions" if service.kind.name == "postgres" => {
                    for name in self.expect.texts(value, "`extensions`") {
                        service.service.extensions.push(name);
                    }
                    service.add_neutral(&path, Support::Reproduced, "");
                }
                "vhosts" if service.kind.default_vhost.is_some() => {
                    service.service.vhosts.extend(self.expect.texts(value, "`vhosts`"));
                    service.add_neutral(&path, Support::Reproduced, "");
                }
                "maxmemory_policy" => service.setting(&path, "maxmemory-policy", value),
                "properties" => {
                    for entry in self.expect.map(value, "`properties`") {
                        property(service, entry);
                    }
                }
                "endpoints" => self.endpoints(service, value),
                "plugins" => {
                    service.key(&path, Support::Unsupported, "plugins that the image does not have are not installed");
                }
                "authentication" => {
                    service.key(&path, Support::Approximated, "apps reach the local server without a login");
                }
                "rotate_passwords" => service.add_neutral(&path, Support::Unsupported, "passwords stay the same here"),
                _ => {
                    service.key(
                        &path,
                        Support::Unsupported,
                        "the meaning of this key for the server is not known here",
                    );
                }
            }
        }
    }

    /// Reads endpoints by name. Each endpoint has its own login.
    fn endpoints(&mut self, service: &mut Managed<'_>, node: &Node) {
        for entry in self.expect.map(node, "`endpoints`") {
            let (name, value) = (&entry.key, &entry.value);
            let mut end = End { user: Some(name.value.clone()), ..End::default() };
            service.user(name);
            let path = format!("configuration.endpoints.{}", name.value);
            let said = value.get("default_schema").or_else(|| value.get("default_database"));
            let mut administers = Vec::new();
            let mut others = false;
            for privilege in value.get("privileges").into_iter().flat_map(Node::entries) {
                if privilege.value.as_str() == Some("admin") {
                    administers.push(privilege.key.value.clone());
                } else {
                    others = true;
                }
                service.database(&privilege.key, None);
            }
            for database in &mut service.service.databases {
                if database.owner.is_none() && administers.contains(&database.name.value) {
                    database.owner = Some(name.value.clone());
                }
            }
            let only =
                value.get("privileges").into_iter().flat_map(Node::entries).next().map(|first| first.key.value.clone());
            end.database = said.and_then(Node::as_str).map(str::to_owned).or(only).filter(|_| service.has_databases());
            end.vhost = value.get("vhost").and_then(Node::as_str).map(str::to_owned);
            if others {
                let reason = "a login owns the databases that it administers; `rw` and `ro` are not granted here";
                service.key(&path, Support::Approximated, reason);
            } else {
                service.add_neutral(&path, Support::Reproduced, "");
            }
            self.ends.insert((service.service.name.clone(), name.value.clone()), end);
        }
    }
}

/// Reads a property of `MariaDB`. Some properties have names and units of the platform.
fn property(service: &mut Managed<'_>, entry: &Entry) {
    let path = format!("configuration.properties.{}", entry.key.value);
    let value = &entry.value;
    match entry.key.value.as_str() {
        "default_charset" => service.setting(&path, "character_set_server", value),
        "default_collation" => service.setting(&path, "collation_server", value),
        // The platform's value is in megabytes.
        "max_allowed_packet" => match value.as_str() {
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                let megabytes = Node::scalar(format!("{text}M"), false, value.origin.clone());
                service.setting(&path, "max_allowed_packet", &megabytes);
            }
            _ => service.setting(&path, "max_allowed_packet", value),
        },
        name => service.setting(&path, name, value),
    }
}
