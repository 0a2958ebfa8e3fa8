//! The form in which a server stores a password (`pg_authid.rolpassword`).
//!
//! Statements carry this form and never the password: the server logs the text of a failed statement, and the text of
//! every statement if it is configured to do so.

use crate::kinds::base64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Rounds of the hash: Postgres' own default (`scram_iterations`).
const ITERATIONS: u32 = 4096;

/// Returns the text to store: SCRAM-SHA-256 since Postgres 10, MD5 before.
pub(super) fn verifier(major: u32, user: &str, password: &str) -> String {
    if major < 10 {
        postgres_protocol::password::md5(password.as_bytes(), user)
    } else if password.is_ascii() {
        scram(&salt(user, password), password)
    } else {
        // Other characters are normalised first (SASLprep), which the client's own library does.
        postgres_protocol::password::scram_sha_256(password.as_bytes())
    }
}

/// Whether [`verifier`] made the stored text for this password: the salt tells, without the 4096 rounds or a login. If
/// not, the password may still match.
pub(super) fn is_ours(stored: &str, user: &str, password: &str) -> bool {
    password.is_ascii() && stored.starts_with(&scram_prefix(&salt(user, password)))
}

/// Another salt for each pair of login and password, and always the same salt for the same pair.
fn salt(user: &str, password: &str) -> [u8; 16] {
    let digest = Sha256::new().chain_update(user).chain_update([0]).chain_update(password).finalize();
    std::array::from_fn(|index| digest[index])
}

fn scram_prefix(salt: &[u8]) -> String {
    format!("SCRAM-SHA-256${ITERATIONS}:{}$", base64(salt))
}

/// RFC 5803, as Postgres writes it (`src/common/scram-common.c`).
fn scram(salt: &[u8], password: &str) -> String {
    let salted = salted_password(salt, password.as_bytes());
    let stored_key = Sha256::digest(keyed_hash(&salted, &[b"Client Key"]));
    let server_key = keyed_hash(&salted, &[b"Server Key"]);
    format!("{}{}:{}", scram_prefix(salt), base64(&stored_key), base64(&server_key))
}

/// PBKDF2 with HMAC-SHA-256 and one block (RFC 8018, section 5.2).
fn salted_password(salt: &[u8], password: &[u8]) -> [u8; 32] {
    let mut round = keyed_hash(password, &[salt, &1_u32.to_be_bytes()]);
    let mut sum = round;
    for _ in 1..ITERATIONS {
        round = keyed_hash(password, &[&round]);
        sum.iter_mut().zip(round).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

fn keyed_hash(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // A key of any length is accepted.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_is_the_one_that_postgres_computes() {
        // The vector of rust-postgres (`postgres-protocol/src/password/test.rs`).
        let salt = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
        let expected = "SCRAM-SHA-256$4096:AQIDBAUGBwgJCgsMDQ4PEA==$8rrDg00OqaiWXJ7p+sCgHEIaBSHY89ZJl3mfIsf32oY=:\
                        05L1f+yZbiN8O0AnO40Og85NNRhvzTS57naKRWCcsIA=";
        assert_eq!(scram(&salt, "secret"), expected);
    }

    #[test]
    fn the_verifier_of_a_password_is_recognised_and_no_other() {
        let stored = verifier(15, "app", "pw");
        assert!(is_ours(&stored, "app", "pw"));
        assert!(!is_ours(&stored, "app", "pw2"));
        assert!(!is_ours(&stored, "other", "pw"));
        assert!(!is_ours("", "app", "pw"));
        assert!(!stored.contains("pw"));
    }

    #[test]
    fn each_server_gets_a_form_that_it_knows() {
        assert_eq!(verifier(9, "foo", "secret"), "md54ab2c5d00339c4b2a4e921d2dc4edec7");
        assert!(verifier(15, "app", "pässwörd").starts_with("SCRAM-SHA-256$4096:"));
    }
}
