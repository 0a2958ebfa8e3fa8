//! `RabbitMQ`'s users and vhosts, as the file that it imports on every boot.
//!
//! This is here and not in `protocol/`, because `plan/` puts it into a container's files. The text depends on nothing
//! but its arguments, so that a container's configuration hash stays the same from run to run.

use super::base64::base64;
use crate::model::Secret;
use serde_json::json;
use sha2::{Digest, Sha256};

/// `RabbitMQ`'s definitions (JSON): each user as `(name, password, administrator)` with every permission on every
/// vhost. Passwords are in it as salted hashes only.
///
/// `load_definitions` imports it on every boot, changed passwords included; while it is set, the broker makes neither
/// its default user nor its default vhost. A user without a password cannot log in with one. The hash is the one of
/// `rabbit_password_hashing_sha256` (<https://www.rabbitmq.com/docs/passwords>).
pub fn rabbitmq_definitions(users: &[(String, Option<Secret>, bool)], vhosts: &[String]) -> String {
    let logins: Vec<_> = users
        .iter()
        .map(|(name, password, administrator)| {
            json!({
                "name": name,
                "password_hash": password.as_ref().map(|password| password_hash(name, password)).unwrap_or_default(),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": if *administrator { "administrator" } else { "" },
            })
        })
        .collect();
    let permissions: Vec<_> = users
        .iter()
        .flat_map(|(user, _, _)| {
            vhosts.iter().map(
                move |vhost| json!({ "user": user, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*" }),
            )
        })
        .collect();
    let vhosts: Vec<_> = vhosts.iter().map(|name| json!({ "name": name })).collect();
    json!({ "users": logins, "vhosts": vhosts, "permissions": permissions }).to_string()
}

/// The salt (4 bytes) and the hash of salt and password. The salt comes from name and password: equal input, equal
/// text, and still another salt for each login.
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
        let text = rabbitmq_definitions(&[user("app", "secret-1", false)], &vhosts);
        assert_eq!(text, rabbitmq_definitions(&[user("app", "secret-1", false)], &vhosts));
        assert_ne!(text, rabbitmq_definitions(&[user("app", "secret-2", false)], &vhosts));
        assert!(!text.contains("secret-1"), "{text}");
    }

    #[test]
    fn every_user_may_do_everything_on_every_vhost() {
        let users = [user("app", "a", false), user("ops", "b", true)];
        let text = rabbitmq_definitions(&users, &["/".to_owned(), "sh\"op/é".to_owned()]);
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["permissions"].as_array().unwrap().len(), 4);
        assert_eq!(read["permissions"][1]["vhost"], "sh\"op/é");
        assert_eq!(read["permissions"][1]["configure"], ".*");
        assert_eq!(read["users"][0]["tags"], "");
        assert_eq!(read["users"][1]["tags"], "administrator");
        assert_eq!(read["vhosts"][1]["name"], "sh\"op/é");
    }

    #[test]
    fn a_hash_is_the_salt_and_the_sha_256_of_salt_and_password() {
        // RabbitMQ's own documentation computes this one: salt 908D C60A, password `test12`.
        let salt = [0x90, 0x8d, 0xc6, 0x0a];
        let hash = Sha256::new().chain_update(salt).chain_update(b"test12").finalize();
        assert_eq!(base64(&[&salt[..], &hash[..]].concat()), "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR");
        // Ours has the same form: 36 bytes, and each login its own salt.
        let ours = password_hash("app", &Secret::new("test12"));
        assert_eq!(ours.len(), 48);
        assert_ne!(ours[..5], password_hash("ops", &Secret::new("test12"))[..5]);
    }

    #[test]
    fn a_user_without_a_password_gets_no_hash() {
        let text = rabbitmq_definitions(&[("app".to_owned(), None, false)], &[]);
        assert!(text.contains(r#""password_hash":"""#), "{text}");
    }
}
