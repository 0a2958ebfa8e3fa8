//! Crunchy's `PostgresCluster`.

use super::resource::{Resource, rights_of};
use crate::model::{Credential, Rights, VersionClass};
use crate::syntax::tree::Node;

/// Keys of the secret `<cluster>-pguser-<user>` (Crunchy, "Connect to a Postgres cluster").
const USER_KEYS: &[(&str, &str)] = &[
    ("user", "user"),
    ("password", "password"),
    ("host", "host"),
    ("port", "port"),
    ("dbname", "database"),
    ("uri", "url"),
    ("jdbc-uri", "jdbc_url"),
    ("pgbouncer-host", "host"),
    ("pgbouncer-port", "port"),
    ("pgbouncer-uri", "url"),
    ("pgbouncer-jdbc-uri", "jdbc_url"),
];

pub(super) fn read(resource: &mut Resource<'_, '_, '_>) {
    version_of_image(resource);
    resource.settings("spec.patroni.dynamicConfiguration.postgresql.parameters");
    resource.settings("spec.config.parameters");
    let object = resource.object;
    let own = object.name.value.clone();
    let users = object.at("spec.users").and_then(Node::as_sequence);
    let secret_of = |user: &str| format!("{own}-pguser-{}", user.replace('_', "-"));
    let Some(users) = users.filter(|users| !users.is_empty()) else {
        // Without users, the operator creates a user and a database with the cluster's name.
        let secret = secret_of(&own);
        resource.user(&own, Credential::Secret(format!("{secret} key password")), &object.name.origin);
        resource.database(&own, None, &object.name.origin);
        resource.secret(secret, None, USER_KEYS);
        return;
    };
    for (at, user) in users.iter().enumerate() {
        let Some(name) = user.get("name").filter(|name| name.as_str().is_some()) else { continue };
        let text = name.as_str().unwrap_or_default();
        let secret = secret_of(text);
        let credential = Credential::Secret(format!("{secret} key password"));
        resource.user_with(text, credential, Some(rights(user)), &name.origin);
        for database in user.get("databases").and_then(Node::as_sequence).unwrap_or_default() {
            let owner = (at > 0).then_some(text);
            resource.database(database.as_str().unwrap_or_default(), owner, &database.origin);
        }
        resource.secret(secret, (at > 0).then_some(text), USER_KEYS);
    }
    resource.reproduced("spec.users");
}

/// The rights of a user, from its `options`, which the operator adds to `ALTER ROLE`. The user `postgres` is the
/// superuser.
fn rights(user: &Node) -> Rights {
    if user.get("name").and_then(Node::as_str) == Some("postgres") {
        return Rights::Superuser;
    }
    let options = user.get("options").and_then(Node::as_str).unwrap_or_default();
    rights_of(|option| options.split_whitespace().any(|known| known.eq_ignore_ascii_case(option)))
}

/// Reads the version from the image's tag: `crunchy-postgres:ubi8-15.3-2` is Postgres 15.3 on the base image `ubi8`.
fn version_of_image(resource: &mut Resource<'_, '_, '_>) {
    let Some(node) = resource.object.at("spec.image") else { return };
    let Some((_, tag)) = node.as_str().and_then(|text| text.rsplit_once(':')) else { return };
    let tag = tag.split('@').next().unwrap_or(tag);
    let Some((base, rest)) = tag.split_once('-').filter(|(base, _)| base.starts_with(['u', 'c'])) else { return };
    if !base.starts_with("ubi") && !base.starts_with("centos") {
        return;
    }
    let has_digest = node.as_str().is_some_and(|text| text.contains('@'));
    let version = resource.kind.version(rest, has_digest, node.origin.clone());
    if version.class != VersionClass::Floating {
        resource.backing.service.version = version;
    }
}
