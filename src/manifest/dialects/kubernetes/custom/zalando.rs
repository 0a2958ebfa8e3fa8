//! Zalando's `postgresql`.

use super::resource::{Resource, rights_of};
use crate::model::{Credential, Support};
use crate::syntax::tree::Node;

const KEYS: &[(&str, &str)] = &[("username", "user"), ("password", "password")];

pub(super) fn read(resource: &mut Resource<'_, '_, '_>) {
    resource.settings("spec.postgresql.parameters");
    let object = resource.object;
    let own = object.name.value.clone();
    let entries = |path: &str| object.at(path).into_iter().flat_map(Node::entries);
    // The owner of the first database is the service's first login.
    let owners: Vec<&str> = entries("spec.databases").filter_map(|entry| entry.value.as_str()).collect();
    let mut users: Vec<_> = entries("spec.users").collect();
    users.sort_by_key(|entry| owners.first() != Some(&entry.key.value.as_str()));
    for entry in users {
        let (name, origin) = (&entry.key.value, &entry.key.origin);
        // A user of another namespace has that namespace in its name: `namespace.user`.
        let secret = format!("{}.{own}.credentials.postgresql.acid.zalan.do", name.replace('_', "-"));
        let credential = Credential::Secret(format!("{secret} key password"));
        // The flags of a user (Zalando, "Role management").
        let flags = entry.value.as_sequence().unwrap_or_default();
        let has =
            |flag: &str| flags.iter().any(|known| known.as_str().is_some_and(|known| known.eq_ignore_ascii_case(flag)));
        resource.user_with(name, credential, Some(rights_of(has)), origin);
        let is_first = resource.backing.service.users.first().is_some_and(|first| first.name.value == *name);
        resource.secret(secret, (!is_first).then_some(name.as_str()), KEYS);
    }
    if object.at("spec.users").is_some() {
        resource.reproduced("spec.users");
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
