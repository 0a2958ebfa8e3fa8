//! The agreements of the user: the actions that checkouts may carry out on this machine.
//!
//! Each agreement is a separate file, named by the hash of the agreed action, so that two runs never write different
//! content to the same file. Only the user can read these files.

use crate::model::{Diagnostic, Exit, Failure};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// One agreement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Agreement {
    /// The checkout's root.
    pub root: PathBuf,
    /// The action that it may carry out, as text for people.
    pub what: String,
}

/// All agreements on this machine.
#[derive(Clone, Debug)]
pub struct Trust {
    folder: PathBuf,
}

impl Trust {
    /// The agreements in the machine's folder, which need not exist.
    pub fn open(machine: &Path) -> Self {
        Self { folder: machine.join("trust") }
    }

    /// Whether the user agreed to exactly this action.
    pub fn has(&self, digest: &str) -> bool {
        self.path_of(digest).is_file()
    }

    /// Saves an agreement. The file has mode 0600, its folder 0700.
    pub fn add(&self, digest: &str, agreement: &Agreement) -> Result<(), Failure> {
        let keep = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(&serde_json::to_vec(agreement)?)?;
            file.persist(self.path_of(digest)).map_err(|error| error.error)
        };
        keep().map(drop).map_err(|error: std::io::Error| self.fault("written", &error))
    }

    /// Every agreement, by checkout. A file that cannot be read is ignored.
    pub fn all(&self) -> Vec<Agreement> {
        let mut all: Vec<Agreement> = self.files().into_iter().map(|(_, agreement)| agreement).collect();
        all.sort();
        all
    }

    /// Revokes all agreements for a checkout and returns how many there were.
    pub fn revoke(&self, root: &Path) -> Result<usize, Failure> {
        let mut count = 0;
        for (path, _) in self.files().into_iter().filter(|(_, agreement)| agreement.root == root) {
            match fs::remove_file(&path) {
                Ok(()) => count += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(self.fault("removed", &error)),
            }
        }
        Ok(count)
    }

    fn path_of(&self, digest: &str) -> PathBuf {
        self.folder.join(digest.rsplit(':').next().unwrap_or(digest))
    }

    fn files(&self) -> Vec<(PathBuf, Agreement)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let read = |path: PathBuf| {
            Some((path.clone(), serde_json::from_slice(&crate::project::read_up_to(&path, 1 << 20).ok()?).ok()?))
        };
        entries.filter_map(|entry| read(entry.path())).collect()
    }

    fn fault(&self, verb: &str, error: &dyn std::fmt::Display) -> Failure {
        let diagnostic =
            Diagnostic::error("trust", format!("an agreement cannot be {verb} in {}", self.folder.display()));
        Failure::new(Exit::Failed, diagnostic.because(error.to_string()).help("make the folder writable"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn an_agreement_is_kept_for_its_user_alone_and_taken_back_by_checkout() {
        let machine = tempfile::tempdir().unwrap();
        let trust = Trust::open(machine.path());
        assert!(!trust.has("sha256:aa") && trust.all().is_empty());
        let agreement = |root: &str, what: &str| Agreement { root: PathBuf::from(root), what: what.to_owned() };
        trust.add("sha256:aa", &agreement("/shop", "make seed")).unwrap();
        trust.add("sha256:bb", &agreement("/other", "make it")).unwrap();
        trust.add("sha256:aa", &agreement("/shop", "make seed")).unwrap();
        assert!(trust.has("sha256:aa") && trust.has("sha256:bb") && !trust.has("sha256:cc"));
        assert_eq!(trust.all(), [agreement("/other", "make it"), agreement("/shop", "make seed")]);
        let mode = |path: &str| fs::metadata(machine.path().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("trust"), mode("trust/aa")), (0o700, 0o600));
        assert_eq!(trust.revoke(Path::new("/shop")).unwrap(), 1);
        assert!(!trust.has("sha256:aa") && trust.has("sha256:bb"));
        assert_eq!(trust.revoke(Path::new("/shop")).unwrap(), 0);
    }
}
