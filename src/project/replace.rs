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

    /// Replaces the file at this path, which keeps its mode.
    pub fn write(&self, path: &Path, name: FileName, text: &[u8]) -> Result<(), Fault> {
        let mut file = self.replace(path, name, Mode::Kept)?;
        file.write_all(text).map_err(Fault::Io)?;
        file.finish().map_err(Fault::Io)
    }

    /// Makes a file where there is none.
    pub fn create(&self, path: &Path, text: &[u8]) -> Result<(), Fault> {
        let place = self.to_write(path, FileName::Same)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let bits = rustix::fs::Mode::from_raw_mode(0o666);
        let mut file = File::from(openat(&place.folder, place.name.unwrap_or_default(), flags, bits)?);
        keep_owner(&file, None, &place.folder);
        file.write_all(text).map_err(Fault::Io)
    }

    /// The name of the file that a path leads to, if that could be replaced. Nothing is written.
    pub fn check(&self, path: &Path, name: FileName) -> Result<OsString, Fault> {
        self.to_write(path, name).map(|place| place.name.unwrap_or_default())
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

    /// The path of a file that the user named, where it lies in the checkout: then its links lead no further than others.
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
mod tests;
