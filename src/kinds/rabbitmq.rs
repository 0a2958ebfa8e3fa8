//! `RabbitMQ`'s users and vhosts, as the file that it imports on every boot.
//!
//! This code is here and not in `protocol/`, because `plan/` puts the text into a container's files. The text depends
//! only on the arguments, so that a container's configuration hash stays the same from run to run.

use super::base64::base64;
use crate::model::Secret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// `RabbitMQ`'s definitions (JSON): each user as `(name, password, administrator)`, every vhost, and the objects that
/// `more` declares: production's mounted definitions, without passwords. The text contains passwords only as salted
/// hashes.
///
/// A user of `more` keeps its tags and permissions ([`rabbitmq_permits`]). Every other user has all permissions on
/// every vhost. `load_definitions` imports the text on every boot, changed passwords included. While `load_definitions`
/// is set, the broker creates neither its default user nor its default vhost. A user without a password cannot log in
/// with a password. The hash is that of `rabbit_password_hashing_sha256` (<https://www.rabbitmq.com/docs/passwords>).
pub fn rabbitmq_definitions(
    users: &[(String, Option<Secret>, bool)],
    vhosts: &[String],
    more: Option<&Value>,
) -> String {
    let nothing = Value::Null;
    let more = more.unwrap_or(&nothing);
    let theirs = |name: &str| items(more, "users").find(|user| user["name"] == name);
    let logins: Vec<_> = users
        .iter()
        .map(|(name, password, administrator)| {
            let mut login = theirs(name).cloned().unwrap_or_else(|| json!({ "name": name }));
            login["password_hash"] =
                json!(password.as_ref().map(|password| password_hash(name, password)).unwrap_or_default());
            login["hashing_algorithm"] = json!("rabbit_password_hashing_sha256");
            if *administrator || login["tags"].is_null() {
                login["tags"] = json!(if *administrator { "administrator" } else { "" });
            }
            login
        })
        .collect();
    let permissions = users.iter().filter(|(user, ..)| !has_permissions(more, user)).flat_map(|(user, ..)| {
        vhosts
            .iter()
            .map(move |vhost| json!({ "user": user, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*" }))
    });
    let has_vhost = |name: &String| items(more, "vhosts").any(|vhost| vhost["name"] == **name);
    let new_vhosts = vhosts.iter().filter(|name| !has_vhost(name)).map(|name| json!({ "name": name }));
    let ours = json!({ "vhosts": new_vhosts.collect::<Vec<_>>(), "permissions": permissions.collect::<Vec<_>>() });
    let mut all = rabbitmq_merged(ours, more);
    all["users"] = Value::Array(logins);
    all.to_string()
}

/// Whether a user may open a vhost. A user whose permissions `more` does not declare may open every vhost.
pub fn rabbitmq_permits(more: &Value, user: &str, vhost: &str) -> bool {
    let permitted = |one: &Value| one["user"] == user && one["vhost"] == vhost;
    !has_permissions(more, user) || items(more, "permissions").any(permitted)
}

/// Whether `more` declares the permissions of a user: it has permissions, and the user is among its users.
fn has_permissions(more: &Value, user: &str) -> bool {
    items(more, "permissions").next().is_some() && items(more, "users").any(|one| one["name"] == user)
}

/// Merges two definitions: each list of the first, followed by that of the other.
pub fn rabbitmq_merged(mut one: Value, other: &Value) -> Value {
    if !one.is_object() {
        one = json!({});
    }
    for (list, items) in other.as_object().into_iter().flatten() {
        match (one.get_mut(list).and_then(Value::as_array_mut), items.as_array()) {
            (Some(known), Some(items)) => known.extend(items.iter().cloned()),
            _ => one[list] = items.clone(),
        }
    }
    one
}

fn items<'a>(definitions: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    definitions[list].as_array().into_iter().flatten()
}

/// The salt (4 bytes) and the hash of salt and password. The salt is derived from name and password: equal input gives
/// equal text, and each login still has another salt.
fn password_hash(name: &str, password: &Secret) -> String {
    let password = password.reveal().as_bytes();
    let seed = Sha256::new().chain_update(name).chain_update([0]).chain_update(password).finalize();
    let salt = &seed[..4];
    let hash = Sha256::new().chain_update(salt).chain_update(password).finalize();
    base64(&[salt, &hash[..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, password: &str, administrator: bool) -> (String, Option<Secret>, bool) {
        (name.to_owned(), Some(Secret::new(password)), administrator)
    }

    #[test]
    fn equal_users_give_equal_text_and_another_password_gives_another() {
        let vhosts = ["/".to_owned()];
        let text = rabbitmq_definitions(&[user("app", "secret-1", false)], &vhosts, None);
        assert_eq!(text, rabbitmq_definitions(&[user("app", "secret-1", false)], &vhosts, None));
        assert_ne!(text, rabbitmq_definitions(&[user("app", "secret-2", false)], &vhosts, None));
        assert!(!text.contains("secret-1"), "{text}");
    }

    #[test]
    fn every_user_may_do_everything_on_every_vhost() {
        let users = [user("app", "a", false), user("ops", "b", true)];
        let text = rabbitmq_definitions(&users, &["/".to_owned(), "sh\"op/é".to_owned()], None);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["permissions"].as_array().unwrap().len(), 4);
        assert_eq!(read["permissions"][1]["vhost"], "sh\"op/é");
        assert_eq!(read["permissions"][1]["configure"], ".*");
        assert_eq!(read["users"][0]["tags"], "");
        assert_eq!(read["users"][1]["tags"], "administrator");
        assert_eq!(read["vhosts"][1]["name"], "sh\"op/é");
    }

    #[test]
    fn production_s_definitions_are_loaded_with_our_users_passwords() {
        let theirs = json!({
            "users": [{"name": "app", "tags": ["monitoring"], "limits": {}}],
            "vhosts": [{"name": "shop", "default_queue_type": "quorum"}],
            "permissions": [{"user": "app", "vhost": "shop", "configure": "", "write": "^jobs$", "read": ".*"}],
            "queues": [{"name": "jobs", "vhost": "shop", "durable": true, "auto_delete": false, "arguments": {}}],
        });
        let users = [user("app", "secret-1", false), user("ops", "b", true)];
        let text = rabbitmq_definitions(&users, &["shop".to_owned(), "/".to_owned()], Some(&theirs));
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["queues"], theirs["queues"]);
        assert_eq!(read["users"].as_array().unwrap().len(), 2);
        assert_eq!(read["users"][0]["tags"], json!(["monitoring"]));
        assert_eq!(read["users"][0]["password_hash"], password_hash("app", &Secret::new("secret-1")));
        let vhosts: Vec<&Value> = items(&read, "vhosts").map(|vhost| &vhost["name"]).collect();
        assert_eq!(vhosts, ["/", "shop"]);
        assert_eq!(items(&read, "permissions").filter(|one| one["user"] == "app").count(), 1, "as in production");
        assert_eq!(items(&read, "permissions").filter(|one| one["user"] == "ops").count(), 2);
        assert!(rabbitmq_permits(&theirs, "app", "shop") && !rabbitmq_permits(&theirs, "app", "/"));
        assert!(rabbitmq_permits(&theirs, "ops", "/"));
    }

    #[test]
    fn a_hash_is_the_salt_and_the_sha_256_of_salt_and_password() {
        // RabbitMQ's own documentation computes this one: salt 908D C60A, password `test12`.
        let salt = [0x90, 0x8d, 0xc6, 0x0a];
        let hash = Sha256::new().chain_update(salt).chain_update(b"test12").finalize();
        assert_eq!(base64(&[&salt[..], &hash[..]].concat()), "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR");
        // The hash of this module has the same form: 36 bytes, and each login has its own salt.
        let ours = password_hash("app", &Secret::new("test12"));
        assert_eq!(ours.len(), 48);
        assert_ne!(ours[..5], password_hash("ops", &Secret::new("test12"))[..5]);
    }

    #[test]
    fn a_user_without_a_password_gets_no_hash() {
        let text = rabbitmq_definitions(&[("app".to_owned(), None, false)], &[], None);
        assert!(text.contains(r#""password_hash":"""#), "{text}");
    }
}
