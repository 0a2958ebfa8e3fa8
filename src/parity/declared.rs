//! What a manifest declares of a service, in the words of facts.

use super::compare::Declared;
use crate::model::{Origin, Protocol, Service, ServiceFacts};
use std::collections::BTreeMap;

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

/// What a manifest declares as if its server had said it, for a comparison with another manifest: what it does not
/// declare is not there.
pub fn as_facts(declared: &Declared, protocol: Protocol, product: &str) -> ServiceFacts {
    let topics = ["settings", "extensions", "vhosts", "plugins", "databases"];
    let mut topics: BTreeMap<String, BTreeMap<String, String>> =
        topics.into_iter().map(|topic| (topic.to_owned(), BTreeMap::new())).collect();
    for ((topic, name), (value, _)) in &declared.entries {
        let value = value.clone().unwrap_or_else(|| "declared".to_owned());
        topics.entry(topic.clone()).or_default().insert(name.clone(), value);
    }
    ServiceFacts {
        protocol,
        product: product.to_owned(),
        version: declared.version.clone(),
        topics,
        not_asked: BTreeMap::new(),
    }
}
