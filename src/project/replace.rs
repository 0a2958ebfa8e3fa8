//! Replaces a file in one step: at every moment the file is complete, old or new.
//!
//! The new text is written to a temporary file in the same folder and renamed over the old file. Both steps use the
//! folder that was opened and checked.

use super::jail::{Checkout, Fault, Place, is_git_s, is_regular, tidy};
use rustix::fs::{AtFlags, OFlags, Stat, fchmod, fchown, fstat, openat, renameat, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The names that a written file may have. After links, the name of their target counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileName {
    /// The requested name: a link must lead to a file of the same name.
    Same,
    /// The name of an env file: `.env`, `.env.NAME` or `NAME.env`.
    EnvFile,
    /// Any name: the user named the file on the command line. The file may also be outside the checkout.
    Asked,
}

/// The users that may read the written file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only the user: mode 0600.
    Private,
    /// The mode of the replaced file, else that of any new file.
    Kept,
}

/// A file that replaces another once it is finished. If it is dropped before that, it leaves nothing behind.
#[derive(Debug)]
pub struct Replacement {
    folder: OwnedFd,
    name: OsString,
    temporary: OsString,
    file: File,
    finished: bool,
}

impl Checkout {
    /// Begins to replace the file at this path, or to write a new one. Relative paths start from the root.
    pub fn replace(&self, path: &Path, name: FileName, mode: Mode) -> Result<Replacement, Fault> {
        let place = self.to_write(path, name)?;
        Replacement::begin(place, mode).map_err(Fault::from)
    }

    /// Replaces the file at this path, which keeps its mode.
    pub fn write(&self, path: &Path, name: FileName, text: &[u8]) -> Result<(), Fault> {
        let mut file = self.replace(path, name, Mode::Kept)?;
        file.write_all(text).map_err(Fault::Io)?;
        file.finish().map_err(Fault::Io)
    }

    /// Creates a file if there is none.
    pub fn create(&self, path: &Path, text: &[u8]) -> Result<(), Fault> {
        let place = self.to_write(path, FileName::Same)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let bits = rustix::fs::Mode::from_raw_mode(0o666);
        let mut file = File::from(openat(&place.folder, place.name.unwrap_or_default(), flags, bits)?);
        keep_owner(&file, None, &place.folder);
        file.write_all(text).map_err(Fault::Io)
    }

    /// The name of the file that a path leads to, if that file could be replaced. Nothing is written.
    pub fn check(&self, path: &Path, name: FileName) -> Result<OsString, Fault> {
        self.to_write(path, name).map(|place| place.name.unwrap_or_default())
    }

    /// Opens a file that the user named on the command line. The file may be outside the checkout.
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

    /// The path of a file that the user named, if the file is in the checkout. Then its links may not leave the
    /// checkout either.
    pub(crate) fn inside(&self, path: &Path) -> Option<PathBuf> {
        match self.asked(path) {
            Asked::Inside(path) => Some(path),
            Asked::Outside(_) => None,
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

    /// A path inside the checkout may not leave it, even if the user named the path, because its links came with the
    /// clone.
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

/// The place of a file outside the checkout. The user named the file, so its links are followed.
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
pub fn is_env_file(name: &OsStr) -> bool {
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
            // A file that replaces another gets its mode below. Until then, only the user may read it.
            (Mode::Private, _) | (Mode::Kept, Some(_)) => 0o600,
            (Mode::Kept, None) => 0o666,
        });
        let mut number = 0_u32;
        let (temporary, file) = loop {
            let temporary = temporary_name(&name, number);
            match openat(&place.folder, &temporary, flags, bits) {
                Ok(file) => break (temporary, File::from(file)),
                // A killed run left this file, or someone else created it, so it is not touched.
                Err(Errno::EXIST) if number < 1000 => number += 1,
                Err(error) => return Err(error),
            }
        };
        let replacement = Self { folder: place.folder, name, temporary, file, finished: false };
        keep_owner(&replacement.file, place.found.as_ref(), &replacement.folder);
        if let (Mode::Kept, Some(found)) = (mode, &place.found) {
            fchmod(&replacement.file, rustix::fs::Mode::from_raw_mode(found.st_mode & 0o777))?;
        }
        Ok(replacement)
    }

    /// Writes the file to the disk and puts it in its place.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        renameat(&self.folder, &self.temporary, &self.folder, &self.name)?;
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
            // If this fails, nothing more can be done.
            let _ = unlinkat(&self.folder, &self.temporary, AtFlags::empty());
        }
    }
}

/// The name of the temporary file: `.env.devenv-123-0`, hidden and unique to this process.
fn temporary_name(name: &OsStr, number: u32) -> OsString {
    let mut temporary = OsString::new();
    if !name.as_encoded_bytes().starts_with(b".") {
        temporary.push(".");
    }
    temporary.push(name);
    temporary.push(format!(".devenv-{}-{number}", std::process::id()));
    temporary
}

/// A file that root writes gets the owner of the old file, else the owner of the folder.
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
        // Root without that right (in a user namespace) still writes the file.
        let _ = fchown(file, Some(user), Some(group));
    }
}

#[cfg(test)]
mod tests;
