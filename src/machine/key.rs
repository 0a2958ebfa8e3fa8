//! The secret from which every local password is derived.

use crate::model::{Diagnostic, Exit, Failure, Secret};
use crate::project::read_up_to;
use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// 32 random bytes, in a file that only the user can read.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// Reads the key from `folder/key`, or creates it. The file has mode 0600.
    pub fn load_or_create(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("key");
        let refuse = |what: &str, error: &dyn std::fmt::Display| {
            Failure::new(
                Exit::Failed,
                Diagnostic::error("machine-key", format!("cannot {what} this machine's key, {}", path.display()))
                    .because(error.to_string())
                    .help(
                        "passwords of local services are derived from it; make the folder writable, or remove the file",
                    ),
            )
        };
        if let Some(mode) = open_to_others(&path) {
            return Err(Failure::new(
                Exit::Failed,
                Diagnostic::error("machine-key", format!("others can read this machine's key, {}", path.display()))
                    .because(format!("its mode is {mode:04o}, and passwords of local services are derived from it"))
                    .help(format!("`chmod 600 {}`", path.display()))
                    .help("if somebody may have read it, remove it: then every environment is a new one"),
            ));
        }
        match read(&path) {
            Ok(Some(key)) => return Ok(Self(key)),
            Ok(None) => {}
            Err(error) => return Err(refuse("read", &error)),
        }
        fs::create_dir_all(folder).map_err(|error| refuse("write", &error))?;
        let mut bytes = [0; 32];
        fs::File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(&mut bytes))
            .map_err(|error| refuse("make", &error))?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| refuse("write", &error))?;
        file.write_all(&bytes).map_err(|error| refuse("write", &error))?;
        // Another run may have created the key meanwhile. Then both runs use the first key.
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(Self(bytes)),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => read(&path)
                .map_err(|error| refuse("read", &error))?
                .map(Self)
                .ok_or_else(|| refuse("read", &"it is gone")),
            Err(error) => Err(refuse("write", &error)),
        }
    }

    /// A key with the given bytes, for tests.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The public id of the key. It distinguishes machines and reveals nothing about the key.
    pub fn public_id(&self) -> [u8; 32] {
        Sha256::new().chain_update(b"devenv public id").chain_update(self.0).finalize().into()
    }

    /// The bytes, sealed so that only the holder of the key can read them, and any change is detected
    /// (ChaCha20-Poly1305). None if the system gives no random numbers.
    pub fn sealed(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = bytes.to_vec();
        let key = self.sealing_key()?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    /// The bytes that were sealed with this key. None if they were not sealed with this key, or were changed.
    pub fn unsealed(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut bytes = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        Some(self.sealing_key()?.open_in_place(nonce, Aad::empty(), &mut bytes).ok()?.to_vec())
    }

    fn sealing_key(&self) -> Option<LessSafeKey> {
        Some(LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &self.mac(&[b"sealing key"])).ok()?))
    }

    /// HMAC-SHA256 over the parts, each with its length, so that no two lists of parts read the same.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        // HMAC takes keys of any length, so this cannot fail; an empty key would be the fallback.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()));
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// A password for a source of credentials in an environment: 24 letters and digits (142 bits).
    pub fn password(&self, environment: &str, source: &str) -> Secret {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mac = self.mac(&[b"password", environment.as_bytes(), source.as_bytes()]);
        Secret::new(
            mac[..24].iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect::<String>(),
        )
    }
}

/// The mode of a file that users other than its owner can read or write.
fn open_to_others(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

fn read(path: &Path) -> std::io::Result<Option<[u8; 32]>> {
    let bytes = match read_up_to(path, 4096) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let key = <[u8; 32]>::try_from(bytes.as_slice())
        .map_err(|_| std::io::Error::other(format!("it has {} bytes where a key has 32", bytes.len())))?;
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_user_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = Key::load_or_create(&folder.path().join("new")).unwrap();
        let second = Key::load_or_create(&folder.path().join("new")).unwrap();
        assert_eq!(first.0, second.0);
        let mode = fs::metadata(folder.path().join("new/key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), "short").unwrap();
        fs::set_permissions(folder.path().join("key"), fs::Permissions::from_mode(0o600)).unwrap();
        let failure = Key::load_or_create(folder.path()).err().unwrap();
        assert!(failure.diagnostics[0].notes[0].contains("5 bytes where a key has 32"));
        assert_eq!(fs::read(folder.path().join("key")).unwrap(), b"short");
    }

    #[test]
    fn sealed_bytes_are_read_by_their_key_alone_and_only_unchanged() {
        let key = Key::from_bytes([1; 32]);
        let mut sealed = key.sealed(b"kind: Secret").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"Secret"));
        assert_eq!(key.unsealed(&sealed).unwrap(), b"kind: Secret");
        assert_eq!(Key::from_bytes([2; 32]).unsealed(&sealed), None);
        *sealed.last_mut().unwrap() ^= 1;
        assert_eq!(key.unsealed(&sealed), None);
        assert_eq!(key.unsealed(b"short"), None);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_and_the_help_fixes_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = Key::load_or_create(folder.path()).unwrap();
        let path = folder.path().join("key");
        for mode in [0o644, 0o640, 0o604, 0o660, 0o602] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let diagnostic = Key::load_or_create(folder.path()).err().unwrap().diagnostics.remove(0);
            assert!(diagnostic.message.contains("others can read"), "{mode:o}: {diagnostic:?}");
            assert_eq!(diagnostic.help[0], format!("`chmod 600 {}`", path.display()));
        }
        let chmod = std::process::Command::new("chmod").arg("600").arg(&path).status().unwrap();
        assert!(chmod.success());
        assert_eq!(Key::load_or_create(folder.path()).unwrap().0, first.0);
    }

    #[test]
    fn passwords_differ_by_machine_environment_and_source() {
        let (one, other) = (Key::from_bytes([1; 32]), Key::from_bytes([2; 32]));
        let all = [one.password("a", "x"), one.password("a", "y"), one.password("b", "x"), other.password("a", "x")];
        for (index, password) in all.iter().enumerate() {
            assert_eq!(password.reveal().len(), 24);
            assert!(password.reveal().chars().all(|c| c.is_ascii_alphanumeric()));
            assert!(!all[..index].contains(password));
        }
        assert_eq!(one.password("a", "x"), one.password("a", "x"));
    }
}
