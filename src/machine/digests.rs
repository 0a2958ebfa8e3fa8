//! Hashes of the content of files. A file that has not changed since the last run is not read again.
//!
//! Only the content decides. If length, modification time and inode are unchanged, the known hash is used without
//! reading the file. This does not apply to a file that is so new that it could have been written twice within one tick
//! of the clock.

use crate::project::{Checkout, Fault, read_up_to};
use rustix::fs::FileType;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const NAME: &str = "digests.json";

/// A file that was written less than this time ago may be written again without a change of its modification time.
const NEW: Duration = Duration::from_secs(3);

/// The known hashes of files on this machine.
#[derive(Debug)]
pub struct Digests {
    path: PathBuf,
    known: BTreeMap<String, Known>,
    changed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    length: u64,
    /// Nanoseconds since 1970, as text, because the number is too large for JSON.
    modified: String,
    place: u64,
    digest: String,
}

/// The largest file of known hashes, in bytes.
const MAX_SIZE: u64 = 32 * 1024 * 1024;

impl Digests {
    /// The hashes in the machine's folder. A file that cannot be read counts as empty.
    pub fn open(folder: &Path) -> Self {
        let path = folder.join(NAME);
        let text = read_up_to(&path, MAX_SIZE).unwrap_or_default();
        Self { path, known: serde_json::from_slice(&text).unwrap_or_default(), changed: false }
    }

    /// No known hashes: every file is read again, whatever its modification time. Do not call `keep` on these.
    pub fn unknown() -> Self {
        Self { path: PathBuf::new(), known: BTreeMap::new(), changed: false }
    }

    /// A hash of the content of a file of the checkout, or of all files of a folder with their paths: 64 hexadecimal
    /// digits.
    pub fn of(&mut self, checkout: &Checkout, path: &Path) -> Result<String, Fault> {
        match checkout.open(path) {
            Ok(file) => return Ok(self.of_file(&checkout.root().join(path), file)?),
            Err(Fault::Folder) => {}
            Err(fault) => return Err(fault),
        }
        let mut files = Vec::new();
        walk(checkout, path, &mut files)?;
        files.sort();
        let mut hash = Sha256::new();
        for file in files {
            let inner = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
            hash.update((inner.len() as u64).to_le_bytes());
            hash.update(inner.as_bytes());
            match checkout.open(&file) {
                Ok(opened) => hash.update(self.of_file(&checkout.root().join(&file), opened)?.as_bytes()),
                // The target of a link belongs to the folder, but a linked folder could lead back here.
                Err(Fault::Folder | Fault::NotRegular | Fault::Missing) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(hex(&hash.finalize()))
    }

    fn of_file(&mut self, path: &Path, mut file: File) -> io::Result<String> {
        let facts = file.metadata()?;
        let modified = facts.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let name = fs::canonicalize(path)?.to_string_lossy().into_owned();
        let seen = |digest: String| Known {
            length: facts.len(),
            modified: since.as_nanos().to_string(),
            place: place(&facts),
            digest,
        };
        if let Some(known) = self.known.get(&name)
            && *known == seen(known.digest.clone())
        {
            return Ok(known.digest.clone());
        }
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
        }
        let digest = hex(&hash.finalize());
        if modified.elapsed().is_ok_and(|age| age > NEW) {
            self.known.insert(name, seen(digest.clone()));
            self.changed = true;
        }
        Ok(digest)
    }

    /// Saves the hashes. If this fails, the next run reads the files again.
    pub fn keep(mut self) {
        if !self.changed {
            return;
        }
        self.known.retain(|path, _| Path::new(path).exists());
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
            file.write_all(&serde_json::to_vec(&self.known)?)?;
            file.persist(&self.path).map_err(|error| error.error)
        });
        drop(written);
    }
}

fn walk(checkout: &Checkout, folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Fault> {
    for entry in rustix::fs::Dir::new(checkout.open_folder(folder)?)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let path = folder.join(name);
        let is_folder = match entry.file_type() {
            FileType::Unknown => matches!(checkout.open(&path), Err(Fault::Folder)),
            found => found == FileType::Directory,
        };
        if is_folder {
            walk(checkout, &path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(unix)]
fn place(facts: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(facts)
}

#[cfg(not(unix))]
fn place(_: &Metadata) -> u64 {
    0
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(folder: &tempfile::TempDir) -> Checkout {
        Checkout::at(folder.path()).unwrap()
    }

    #[test]
    fn files_outside_the_checkout_are_not_read_through_any_link() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("checkout");
        fs::create_dir_all(root.join("migrate")).unwrap();
        fs::write(folder.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink("../../secret", root.join("migrate/1.sql")).unwrap();
        std::os::unix::fs::symlink("..", root.join("up")).unwrap();
        let checkout = Checkout::at(&root).unwrap();
        for path in ["migrate", "migrate/1.sql", "up", "up/secret", "../secret", "/etc/passwd"] {
            let refused = Digests::open(folder.path()).of(&checkout, Path::new(path));
            assert!(matches!(refused, Err(Fault::Outside(_))), "{path}: {refused:?}");
        }
    }

    fn age(path: &Path, by: Duration) {
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - by).unwrap();
    }

    #[test]
    fn content_decides_and_not_the_time() {
        let folder = tempfile::tempdir().unwrap();
        let (state, file) = (folder.path().join("state"), folder.path().join("a.sql"));
        fs::create_dir(&state).unwrap();
        fs::write(&file, "one").unwrap();
        age(&file, Duration::from_secs(100));
        let mut digests = Digests::open(&state);
        let first = digests.of(&here(&folder), &file).unwrap();
        digests.keep();
        age(&file, Duration::from_secs(50));
        assert_eq!(Digests::open(&state).of(&here(&folder), &file).unwrap(), first, "another time, the same content");
        fs::write(&file, "two").unwrap();
        assert_ne!(Digests::open(&state).of(&here(&folder), &file).unwrap(), first);
    }

    #[test]
    fn a_known_file_is_not_read_again_and_a_new_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.sql");
        fs::write(&file, "one").unwrap();
        let mut digests = Digests::open(folder.path());
        digests.of(&here(&folder), &file).unwrap();
        assert!(!digests.changed, "too new to be known");
        age(&file, Duration::from_secs(100));
        digests.of(&here(&folder), &file).unwrap();
        let known = digests.known.values_mut().next().unwrap();
        known.digest = "known".to_owned();
        assert_eq!(digests.of(&here(&folder), &file).unwrap(), "known");
    }

    #[test]
    fn a_folder_is_all_its_files_with_their_paths() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("migrate/deep");
        fs::create_dir_all(&inside).unwrap();
        fs::write(inside.join("1.rb"), "one").unwrap();
        let mut digests = Digests::open(folder.path());
        let first = digests.of(&here(&folder), Path::new("migrate")).unwrap();
        fs::rename(inside.join("1.rb"), inside.join("2.rb")).unwrap();
        assert_ne!(digests.of(&here(&folder), Path::new("migrate")).unwrap(), first);
        fs::write(inside.join("1.rb"), "").unwrap();
        let both = digests.of(&here(&folder), Path::new("migrate")).unwrap();
        assert_eq!(digests.of(&here(&folder), Path::new("migrate")).unwrap(), both);
    }
}
