//! The declaration of a service in a manifest, in the words of facts.

use super::base::{self, Base};
use super::sides::{Declared, IMAGE};
use crate::model::{ImageRef, Located, Origin, Protocol, Rights, Service, ServiceFacts};
use std::collections::BTreeMap;

/// Logins of Postgres.
const ROLES: &str = "roles";
/// Logins of `RabbitMQ`.
const USERS: &str = "users";

/// Returns the declaration in production's files: version, image, settings, extensions, databases, vhosts, plugins and
/// the rights of logins, each with its place. The changes of `services.local.yaml` are not included. `None` if
/// production's files do not have the service.
pub fn declared(service: &Service, protocol: Protocol) -> Option<Declared> {
    let production = service.in_production()?;
    let mut declared = Declared { version: production.version.number.clone(), ..Declared::default() };
    for change in service.changes().into_iter().filter(|change| change.topic != "version") {
        // The rights of logins that a server reports are added below, in the words of the server.
        if change.topic == "rights" && words_of(Rights::Minimal, protocol).is_some() {
            continue;
        }
        if let Some(said) = change.production {
            let name = if change.topic == "settings" { change.name.to_lowercase() } else { change.name };
            declared.entries.insert((change.topic.to_owned(), name), (Some(said.value), said.origin));
        }
    }
    let mut add = |topic: &str, name: String, value: Option<String>, origin: &Origin| {
        declared.entries.insert((topic.to_owned(), name), (value, origin.clone()));
    };
    for setting in &production.settings {
        add("settings", setting.name.to_lowercase(), Some(setting.value.value.clone()), &setting.value.origin);
    }
    for extension in &production.extensions {
        add("extensions", extension.value.clone(), None, &extension.origin);
    }
    for vhost in &production.vhosts {
        add("vhosts", vhost.value.clone(), None, &vhost.origin);
    }
    for plugin in &production.plugins {
        add("plugins", plugin.value.clone(), None, &plugin.origin);
    }
    if protocol == Protocol::Postgres {
        for database in &production.databases {
            add("databases", database.name.value.clone(), None, &database.name.origin);
        }
    }
    for user in production.users.iter().filter(|user| !user.name.value.is_empty()) {
        if let Some((topic, words)) = user.rights.and_then(|rights| words_of(rights, protocol)) {
            add(topic, user.name.value.clone(), Some(words.to_owned()), &user.name.origin);
        }
    }
    if let Some(image) = &production.image {
        of_image(&mut declared, image);
    }
    Some(declared)
}

/// Returns the changes that `services.local.yaml` makes to a service, and the place of its version there; `None` if
/// there are no changes.
pub fn overlay(service: &Service, protocol: Protocol) -> Option<(Declared, Option<&Origin>)> {
    let mut overlay = Declared::default();
    let place = service.local_version();
    if place.is_some() {
        let version = &service.version;
        overlay.version = version.number.clone().or_else(|| Some(version.text.clone())).filter(|text| !text.is_empty());
    }
    for change in service.changes().into_iter().filter(|change| change.topic != "version") {
        if change.topic == "rights" {
            let said = Rights::named(&change.local.value).and_then(|rights| words_of(rights, protocol));
            if let Some((topic, words)) = said {
                let key = (topic.to_owned(), change.name);
                overlay.entries.insert(key, (Some(words.to_owned()), change.local.origin));
                continue;
            }
        }
        let value = (change.local.value != "declared").then_some(change.local.value);
        let name = if change.topic == "settings" { change.name.to_lowercase() } else { change.name };
        overlay.entries.insert((change.topic.to_owned(), name), (value, change.local.origin));
    }
    let declared = service.in_production().and_then(|production| production.image.as_ref());
    if let Some(image) = &service.image
        && declared.is_none_or(|declared| declared.origin != image.origin)
        && place.is_some()
    {
        of_image(&mut overlay, image);
    }
    (overlay.version.is_some() || !overlay.entries.is_empty()).then_some((overlay, place))
}

/// Adds the image's name, its digest, and its base.
fn of_image(declared: &mut Declared, image: &Located<ImageRef>) {
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let key = (IMAGE.to_owned(), name.to_owned());
            declared.entries.entry(key).or_insert_with(|| (Some(value), image.origin.clone()));
        }
    };
    add("name", Some(image.value.canonical_name()));
    add("digest", image.value.digest.clone());
    if let Some(base) = base::of(&image.value.to_string()) {
        for name in Base::NAMES {
            add(name, base.get(name));
        }
    }
}

/// Returns the topic and the words in which a server reports a login with these rights; `None` if the server does not
/// report rights.
fn words_of(rights: Rights, protocol: Protocol) -> Option<(&'static str, &'static str)> {
    match (protocol, rights) {
        (Protocol::Postgres, Rights::Superuser) => Some((ROLES, "login, superuser, createdb, createrole, replication")),
        (Protocol::Postgres, Rights::Master) => Some((ROLES, "login, createdb, createrole")),
        (Protocol::Postgres, Rights::Owner) => Some((ROLES, "login, createdb")),
        (Protocol::Postgres, Rights::Monitor | Rights::Minimal) => Some((ROLES, "login")),
        (Protocol::Amqp, Rights::Superuser | Rights::Master) => Some((USERS, "administrator")),
        (Protocol::Amqp, Rights::Owner | Rights::Monitor | Rights::Minimal) => Some((USERS, "no tags")),
        _ => None,
    }
}

/// Returns the rights that are nearest to the words of a role in the facts.
pub(super) fn rights_of_words(words: &str) -> Rights {
    let has = |word: &str| words.split(", ").any(|known| known == word);
    if has("superuser") || has("administrator") {
        Rights::Superuser
    } else if has("createrole") {
        Rights::Master
    } else if has("createdb") {
        Rights::Owner
    } else {
        Rights::Minimal
    }
}

/// Returns the declaration as if a server had reported it, for a comparison with another manifest. An entry that the
/// manifest does not declare is absent.
pub fn as_facts(declared: &Declared, protocol: Protocol, product: &str) -> ServiceFacts {
    let topics = ["settings", "extensions", "vhosts", "plugins", "databases", ROLES, USERS];
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
