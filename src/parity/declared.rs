//! What a manifest declares of a service, in the words of facts.

use super::compare::Declared;
use crate::model::{Origin, Protocol, Service};

/// Version, settings, extensions, databases, vhosts and plugins, each with its place.
pub fn declared(service: &Service, protocol: Protocol) -> Declared {
    let mut declared = Declared { version: service.version.number.clone(), ..Declared::default() };
    let mut add = |topic: &str, name: String, value: Option<String>, origin: &Origin| {
        declared.entries.insert((topic.to_owned(), name), (value, origin.clone()));
    };
    for setting in &service.settings {
        add("settings", setting.name.to_lowercase(), Some(setting.value.value.clone()), &setting.value.origin);
    }
    for extension in &service.extensions {
        add("extensions", extension.value.clone(), None, &extension.origin);
    }
    for vhost in &service.vhosts {
        add("vhosts", vhost.value.clone(), None, &vhost.origin);
    }
    for plugin in &service.plugins {
        add("plugins", plugin.value.clone(), None, &plugin.origin);
    }
    if protocol == Protocol::Postgres {
        for database in &service.databases {
            add("databases", database.name.value.clone(), None, &database.name.origin);
        }
    }
    declared
}
