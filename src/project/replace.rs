//! Replacing a file in one step: it is whole, old or new, at every moment.
//!
//! The new text is written beside the file and renamed over it, both in the folder that was opened and checked.

use super::jail::{Checkout, Fault, Place, is_git_s, is_regular, tidy};
use rustix::fs::{AtFlags, OFlags, Stat, fchmod, fchown, fstat, openat, renameat, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// What a file may be called that is written; it counts where links have led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileName {
    /// The name that was asked for: a link leads to a file of the same name.
    Same,
    /// An env file's: `.env`, `.env.NAME` or `NAME.env`.
    EnvFile,
    /// Any: the user named the file on the command line. It may lie outside the checkout too.
    Asked,
}

/// Who may read what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The user alone: 0600.
    Private,
    /// As the file that is replaced, else as any new file.
    Kept,
}

/// A file that takes its place once it is finished; dropped before that, it leaves nothing behind.
#[derive(Debug)]
pub struct Replacement {
    folder: OwnedFd,
    name: OsString,
    beside: OsString,
    file: File,
    finished: bool,
}

impl Checkout {
    /// Begins a file in the place of the one at this path, or a new one. Relative paths start from the root.
    pub fn replace(&self, path: &Path, name: FileName, mode: Mode) -> Result<Replacement, Fault> {
        let place = self.to_write(path, name)?;
        Replacement::begin(place, mode).map_err(Fault::from)
    }

    /// Whether the file at this path could be replaced: nothing is written.
    pub fn check(&self, path: &Path, name: FileName) -> Result<(), Fault> {
        self.to_write(path, name).map(|_| ())
    }

    /// Opens a file that the user named on the command line, which may lie outside the checkout.
    pub fn open_asked(&self, path: &Path) -> Result<File, Fault> {
        match self.asked(path) {
            Asked::Inside(path) => self.open(&path),
            Asked::Outside(path) => {
                let file = File::from(rustix::fs::open(
                    &path,
                    OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
                    rustix::fs::Mode::empty(),
                )?);
                is_regular(&fstat(&file)?)?;
                Ok(file)
            }
        }
    }

    fn to_write(&self, path: &Path, name: FileName) -> Result<Place, Fault> {
        let place = match name {
            FileName::Asked => match self.asked(path) {
                Asked::Inside(path) => self.locate(&path)?,
                Asked::Outside(path) => outside(&path)?,
            },
            FileName::Same | FileName::EnvFile => self.locate(path)?,
        };
        let Some(found_name) = &place.name else { return Err(Fault::Folder) };
        if is_git_s(&place.inside) {
            return Err(Fault::Git);
        }
        let fits = match name {
            FileName::Same => path.file_name() == Some(found_name),
            FileName::EnvFile => is_env_file(found_name),
            FileName::Asked => true,
        };
        if !fits {
            return Err(Fault::OtherPurpose(place.inside));
        }
        if let Some(found) = &place.found {
            is_regular(found)?;
            if found.st_mode & 0o222 == 0 {
                return Err(Fault::ReadOnly);
            }
        }
        Ok(place)
    }

    /// A path inside the checkout keeps its boundary whoever names it, since its links came with the clone.
    fn asked(&self, path: &Path) -> Asked {
        let whole = tidy(&self.root().join(path));
        if whole.starts_with(self.boundary()) {
            return Asked::Inside(whole);
        }
        let folder = whole.parent().and_then(|folder| fs::canonicalize(folder).ok());
        match (folder, whole.file_name()) {
            (Some(folder), Some(name)) if folder.starts_with(self.boundary()) => Asked::Inside(folder.join(name)),
            _ => Asked::Outside(whole),
        }
    }
}

enum Asked {
    Inside(PathBuf),
    Outside(PathBuf),
}

/// The place of a file outside the checkout; the user named it, so its links are followed.
fn outside(path: &Path) -> Result<Place, Fault> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let Some(folder) = real.parent() else { return Err(Fault::Folder) };
    let folder =
        rustix::fs::open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, rustix::fs::Mode::empty())?;
    let name = real.file_name().map(OsStr::to_owned);
    let found = match &name {
        Some(name) => match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Some(found),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(error.into()),
        },
        None => None,
    };
    Ok(Place { folder, name, found, inside: PathBuf::new() })
}

/// Whether a name says that the file holds variables. `.envrc` does not: direnv runs it.
fn is_env_file(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    name == ".env"
        || name.strip_prefix(".env.").is_some_and(|rest| !rest.is_empty())
        || name.strip_suffix(".env").is_some()
}

impl Replacement {
    fn begin(place: Place, mode: Mode) -> Result<Self, Errno> {
        let name = place.name.unwrap_or_default();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let bits = rustix::fs::Mode::from_raw_mode(match (mode, &place.found) {
            // What replaces another file gets its mode below, and is nobody else's until then.
            (Mode::Private, _) | (Mode::Kept, Some(_)) => 0o600,
            (Mode::Kept, None) => 0o666,
        });
        let mut number = 0_u32;
        let (beside, file) = loop {
            let beside = name_beside(&name, number);
            match openat(&place.folder, &beside, flags, bits) {
                Ok(file) => break (beside, File::from(file)),
                // A run that was killed left it, or someone put it there: it is not touched.
                Err(Errno::EXIST) if number < 1000 => number += 1,
                Err(error) => return Err(error),
            }
        };
        let replacement = Self { folder: place.folder, name, beside, file, finished: false };
        keep_owner(&replacement.file, place.found.as_ref(), &replacement.folder);
        if let (Mode::Kept, Some(found)) = (mode, &place.found) {
            fchmod(&replacement.file, rustix::fs::Mode::from_raw_mode(found.st_mode & 0o777))?;
        }
        Ok(replacement)
    }

    /// Puts the file in its place, on the disk.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        renameat(&self.folder, &self.beside, &self.folder, &self.name)?;
        self.finished = true;
        Ok(())
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.finished {
            // Where that fails, nothing more can be done.
            let _ = unlinkat(&self.folder, &self.beside, AtFlags::empty());
        }
    }
}

/// `.env.devenv-123-0`, hidden and of this process.
fn name_beside(name: &OsStr, number: u32) -> OsString {
    let mut beside = OsString::new();
    if !name.as_encoded_bytes().starts_with(b".") {
        beside.push(".");
    }
    beside.push(name);
    beside.push(format!(".devenv-{}-{number}", std::process::id()));
    beside
}

/// What root writes into somebody's folder stays theirs: the old file's owner, else the folder's.
fn keep_owner(file: &File, found: Option<&Stat>, folder: &OwnedFd) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let owner = match found {
        Some(found) => Some(*found),
        None => fstat(folder).ok(),
    };
    if let Some(owner) = owner {
        let (user, group) = (rustix::fs::Uid::from_raw(owner.st_uid), rustix::fs::Gid::from_raw(owner.st_gid));
        // A root without that right (in a namespace of its own) writes the file all the same.
        let _ = fchown(file, Some(user), Some(group));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};

    /// A checkout in a folder of its own, and a file outside of it.
    fn checkout() -> (tempfile::TempDir, Checkout) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("checkout");
        fs::create_dir_all(root.join(".git/hooks")).unwrap();
        fs::write(folder.path().join("outside"), "theirs").unwrap();
        let checkout = Checkout::at(&root).unwrap();
        (folder, checkout)
    }

    fn write(checkout: &Checkout, path: &str, name: FileName) -> Result<(), Fault> {
        let mut file = checkout.replace(Path::new(path), name, Mode::Private)?;
        file.write_all(b"A=1\n").map_err(Fault::Io)?;
        file.finish().map_err(Fault::Io)
    }

    fn names_in(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn no_link_of_the_checkout_leads_a_write_out_of_it() {
        let (folder, checkout) = checkout();
        let root = checkout.root().to_path_buf();
        symlink("..", root.join("web")).unwrap();
        symlink("../.bash_login", root.join(".env")).unwrap();
        symlink("../outside", root.join(".env.local")).unwrap();
        for path in ["web/.env", ".env", ".env.local", "../.env", "/tmp/.env"] {
            for name in [FileName::EnvFile, FileName::Same] {
                assert!(matches!(write(&checkout, path, name), Err(Fault::Outside(_))), "{path}");
            }
        }
        // Also where the user names it: the link came with the clone.
        for path in ["web/.env", ".env"] {
            assert!(matches!(write(&checkout, path, FileName::Asked), Err(Fault::Outside(_))), "{path}");
        }
        assert_eq!(fs::read_to_string(folder.path().join("outside")).unwrap(), "theirs");
        let mut names = names_in(folder.path());
        names.sort();
        assert_eq!(names, ["checkout", "outside"]);
    }

    #[test]
    fn a_link_inside_the_checkout_stays_one_and_leads_to_no_file_of_another_purpose() {
        let (_folder, checkout) = checkout();
        let root = checkout.root().to_path_buf();
        fs::create_dir(root.join("config")).unwrap();
        fs::write(root.join("conftest.py"), "").unwrap();
        symlink("config/.env.web", root.join(".env")).unwrap();
        write(&checkout, ".env", FileName::EnvFile).unwrap();
        assert!(root.join(".env").is_symlink());
        assert_eq!(fs::read_to_string(root.join("config/.env.web")).unwrap(), "A=1\n");
        assert!(matches!(write(&checkout, ".env", FileName::Same), Err(Fault::OtherPurpose(_))));
        for (at, target) in ["conftest.py", ".envrc", ".npmrc", "config/.env/x"].into_iter().enumerate() {
            symlink(target, root.join(format!(".env.{at}"))).unwrap();
            let refused = write(&checkout, &format!(".env.{at}"), FileName::EnvFile);
            assert!(matches!(refused, Err(Fault::OtherPurpose(_) | Fault::Missing)), "{target}: {refused:?}");
        }
        for name in ["conftest.py", ".envrc", ".env.", ".environment", "env", "web/../Makefile"] {
            assert!(matches!(write(&checkout, name, FileName::EnvFile), Err(Fault::OtherPurpose(_))), "{name}");
        }
    }

    #[test]
    fn nothing_in_git_s_own_folder_is_written() {
        let (_folder, checkout) = checkout();
        let root = checkout.root().to_path_buf();
        symlink(".git/hooks", root.join("hooks")).unwrap();
        symlink(".git/x.env", root.join("x.env")).unwrap();
        fs::create_dir(root.join(".GIT")).unwrap();
        for path in [".git/.env", ".git/hooks/.env", "hooks/.env", "x.env", ".GIT/.env"] {
            for name in [FileName::EnvFile, FileName::Asked] {
                assert!(matches!(write(&checkout, path, name), Err(Fault::Git)), "{path}");
            }
        }
    }

    #[test]
    fn what_is_swapped_for_a_link_during_the_write_leads_nowhere_else() {
        let (folder, checkout) = checkout();
        let root = checkout.root().to_path_buf();
        fs::create_dir(root.join("web")).unwrap();
        fs::write(root.join("web/.env"), "old").unwrap();
        let mut file = checkout.replace(Path::new("web/.env"), FileName::EnvFile, Mode::Private).unwrap();
        file.write_all(b"A=1\n").unwrap();
        // The file becomes a link, and then its folder.
        fs::remove_file(root.join("web/.env")).unwrap();
        symlink("../../outside", root.join("web/.env")).unwrap();
        fs::rename(root.join("web"), root.join("was")).unwrap();
        symlink("..", root.join("web")).unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("outside")).unwrap(), "theirs");
        assert_eq!(fs::read_to_string(root.join("was/.env")).unwrap(), "A=1\n");
        assert!(!folder.path().join(".env").exists());
        assert_eq!(names_in(&root.join("was")), [".env"]);
    }

    #[test]
    fn a_file_that_is_not_finished_leaves_the_old_one_and_nothing_else() {
        let (_folder, checkout) = checkout();
        let root = checkout.root().join("web");
        fs::create_dir(&root).unwrap();
        fs::write(root.join(".env"), "old").unwrap();
        let mut file = checkout.replace(Path::new("web/.env"), FileName::EnvFile, Mode::Private).unwrap();
        file.write_all(b"A=").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(root.join(".env")).unwrap(), "old");
        assert_eq!(names_in(&root), [".env"]);
    }

    #[test]
    fn only_regular_files_that_may_be_written_are_replaced() {
        let (_folder, checkout) = checkout();
        let root = checkout.root().to_path_buf();
        fs::create_dir(root.join(".env")).unwrap();
        assert!(matches!(write(&checkout, ".env", FileName::EnvFile), Err(Fault::Folder)));
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, root.join("a.env"), fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert!(matches!(write(&checkout, "a.env", FileName::EnvFile), Err(Fault::NotRegular)));
        fs::write(root.join("b.env"), "").unwrap();
        fs::set_permissions(root.join("b.env"), PermissionsExt::from_mode(0o444)).unwrap();
        assert!(matches!(write(&checkout, "b.env", FileName::EnvFile), Err(Fault::ReadOnly)));
        assert!(matches!(write(&checkout, "missing/.env", FileName::EnvFile), Err(Fault::Missing)));
    }

    #[test]
    fn a_file_of_secrets_is_its_user_s_alone_and_another_keeps_its_mode() {
        let (_folder, checkout) = checkout();
        let mode = |name: &str| fs::metadata(checkout.root().join(name)).unwrap().mode() & 0o777;
        for name in [".env", "services.lock"] {
            fs::write(checkout.root().join(name), "").unwrap();
            fs::set_permissions(checkout.root().join(name), PermissionsExt::from_mode(0o664)).unwrap();
        }
        write(&checkout, ".env", FileName::EnvFile).unwrap();
        checkout.replace(Path::new("services.lock"), FileName::Same, Mode::Kept).unwrap().finish().unwrap();
        assert_eq!((mode(".env"), mode("services.lock")), (0o600, 0o664));
    }

    #[test]
    fn what_the_user_names_outside_the_checkout_is_written_there() {
        let (folder, checkout) = checkout();
        let path = folder.path().join("mine");
        symlink("outside", &path).unwrap();
        write(&checkout, path.to_str().unwrap(), FileName::Asked).unwrap();
        assert!(path.is_symlink());
        assert_eq!(fs::read_to_string(folder.path().join("outside")).unwrap(), "A=1\n");
        // The same folder by another way is still the checkout.
        symlink("checkout", folder.path().join("alias")).unwrap();
        symlink("../outside", checkout.root().join(".env")).unwrap();
        let alias = folder.path().join("alias/.env");
        assert!(matches!(write(&checkout, alias.to_str().unwrap(), FileName::Asked), Err(Fault::Outside(_))));
    }

    #[test]
    fn what_root_writes_belongs_to_the_old_file_s_owner_or_the_folder_s() {
        if !rustix::process::geteuid().is_root() {
            // Who is not root writes as themselves: nothing to keep.
            let (_folder, checkout) = checkout();
            write(&checkout, ".env", FileName::EnvFile).unwrap();
            let owner = fs::metadata(checkout.root().join(".env")).unwrap().uid();
            assert_eq!(owner, rustix::process::geteuid().as_raw());
            return;
        }
        let (_folder, checkout) = checkout();
        let owner = |name: &str| {
            let found = fs::metadata(checkout.root().join(name)).unwrap();
            (found.uid(), found.gid())
        };
        std::os::unix::fs::chown(checkout.root(), Some(1234), Some(2345)).unwrap();
        fs::write(checkout.root().join("old.env"), "").unwrap();
        std::os::unix::fs::chown(checkout.root().join("old.env"), Some(1235), Some(2346)).unwrap();
        for name in [".env", "old.env"] {
            write(&checkout, name, FileName::EnvFile).unwrap();
        }
        assert_eq!(owner(".env"), (1234, 2345));
        assert_eq!(owner("old.env"), (1235, 2346));
    }
}
