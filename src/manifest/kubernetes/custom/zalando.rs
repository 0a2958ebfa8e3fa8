//! Zalando's `postgresql`.

use super::resource::Resource;
use crate::manifest::tree::Node;
use crate::model::{Credential, Support};

const KEYS: &[(&str, &str)] = &[("username", "user"), ("password", "password")];

pub(super) fn read(resource: &mut Resource<'_, '_, '_>) {
    resource.settings("spec.postgresql.parameters");
    let object = resource.object;
    let own = object.name.value.clone();
    let entries = |path: &str| object.at(path).into_iter().flat_map(Node::entries);
    // The first database's owner is the login that the others stand beside.
    let owners: Vec<&str> = entries("spec.databases").filter_map(|entry| entry.value.as_str()).collect();
    let mut users: Vec<_> = entries("spec.users").map(|entry| (&entry.key.value, &entry.key.origin)).collect();
    users.sort_by_key(|(name, _)| owners.first() != Some(&name.as_str()));
    for (name, origin) in users {
        // Users of other namespaces are written with theirs: `namespace.user`.
        let secret = format!("{}.{own}.credentials.postgresql.acid.zalan.do", name.replace('_', "-"));
        resource.user(name, Credential::Secret(format!("{secret} key password")), origin);
        let is_first = resource.backing.service.users.first().is_some_and(|first| first.name.value == *name);
        resource.secret(secret, (!is_first).then_some(name.as_str()), KEYS);
    }
    if object.at("spec.users").is_some() {
        resource.differs("spec.users", Support::Approximated, "users log in and own their databases, and no more");
    }
    for entry in entries("spec.databases") {
        resource.database(&entry.key.value, entry.value.as_str(), &entry.key.origin);
        resource.reproduced("spec.databases");
    }
    for entry in entries("spec.preparedDatabases") {
        let owner = format!("{}_owner_user", entry.key.value);
        let makes_users = entry.value.get("defaultUsers").and_then(Node::as_bool) == Some(true);
        if makes_users {
            let secret = format!("{}.{own}.credentials.postgresql.acid.zalan.do", owner.replace('_', "-"));
            resource.user(&owner, Credential::Secret(format!("{secret} key password")), &entry.key.origin);
            resource.secret(secret, Some(&owner), KEYS);
        }
        resource.database(&entry.key.value, makes_users.then_some(owner.as_str()), &entry.key.origin);
        for extension in entry.value.get("extensions").into_iter().flat_map(Node::entries) {
            resource.extension(&extension.key.value, &extension.key.origin);
        }
        let note = "databases and their extensions, without the schemas and roles that the operator prepares";
        resource.differs("spec.preparedDatabases", Support::Approximated, note);
    }
}
