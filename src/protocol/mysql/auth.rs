//! How a client proves a password without sending it: `mysql_native_password` and `caching_sha2_password`.
//!
//! A server with `caching_sha2_password` remembers a digest after it has seen the password itself. Until then, the
//! server accepts only the password, which devenv sends only over TLS.

use crate::protocol::ProbeError;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

pub(super) const NATIVE: &str = "mysql_native_password";
pub(super) const SHA2: &str = "caching_sha2_password";
/// The predecessor of [`SHA2`], which has no digest at all.
const SHA256: &str = "sha256_password";

/// The answer to a server's nonce.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Response {
    /// A digest of password and nonce; empty if there is no password.
    Digest(Vec<u8>),
    /// The password itself, for a connection that nobody else can read.
    Password,
}

/// Returns the answer for that authentication plugin.
pub(super) fn response(plugin: &str, password: &str, nonce: &[u8]) -> Result<Response, ProbeError> {
    match plugin {
        NATIVE | SHA2 => Ok(Response::Digest(digest(plugin, password, nonce))),
        SHA256 if password.is_empty() => Ok(Response::Digest(Vec::new())),
        SHA256 => Ok(Response::Password),
        _ => Err(ProbeError::login(format!(
            "the server wants this login by the plugin {plugin}, which devenv does not speak: it speaks {NATIVE} and {SHA2}"
        ))),
    }
}

/// The digest for [`SHA2`] or [`NATIVE`].
pub(super) fn digest(plugin: &str, password: &str, nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        Vec::new()
    } else if plugin == SHA2 {
        let once = Sha256::digest(password);
        let twice = Sha256::new().chain_update(Sha256::digest(once)).chain_update(nonce).finalize();
        mixed(&once, &twice)
    } else {
        let once = Sha1::digest(password);
        let twice = Sha1::new().chain_update(nonce).chain_update(Sha1::digest(once)).finalize();
        mixed(&once, &twice)
    }
}

/// The form in which a server stores a password for [`NATIVE`]. Statements carry this form and never the password.
pub(super) fn native_hash(password: &str) -> String {
    format!("*{}", hex(&Sha1::digest(Sha1::digest(password))))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

fn mixed(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_hash_is_the_one_that_the_server_computes() {
        // `SELECT PASSWORD('secret')` of MariaDB 10.11.
        assert_eq!(native_hash("secret"), "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7");
    }

    #[test]
    fn the_digests_are_those_of_other_clients() {
        // Computed by PyMySQL 1.2 (`pymysql/_auth.py`).
        let nonce = b"abcdefghijklmnopqrst";
        let digest = |plugin: &str| hex(&digest(plugin, "secret", nonce));
        assert_eq!(digest(NATIVE), "8817C50FA779DAEF010EE7577825B0847DF9842E");
        assert_eq!(digest(SHA2), "C76E2898612A4CF042C77FA8C4702C4C64C0C2C557C53C4D75595AAA6ABAE809");
    }

    #[test]
    fn no_password_is_an_empty_answer() {
        for plugin in [NATIVE, SHA2, SHA256] {
            assert_eq!(response(plugin, "", b"nonce"), Ok(Response::Digest(Vec::new())));
        }
        assert_eq!(response(SHA256, "secret", b"nonce"), Ok(Response::Password));
    }

    #[test]
    fn a_way_that_is_not_spoken_is_named() {
        for plugin in ["mysql_clear_password", "mysql_old_password", "dialog", "client_ed25519", ""] {
            let error = response(plugin, "secret", b"nonce").unwrap_err();
            assert!(error.message.contains(plugin) && error.message.contains("does not speak"), "{error:?}");
            assert!(!error.message.contains("secret"));
        }
    }
}
