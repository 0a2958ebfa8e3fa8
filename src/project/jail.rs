//! Resolves a path of a checkout to its real target.
//!
//! Links are followed inside the checkout and refused if they leave it. No component is opened by following a link.

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// How many symbolic links one path may have, as on Linux.
const LINKS: usize = 40;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// A FIFO or a device must not block the program before its type is known.
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// A checkout's place on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The folder that paths are relative to: absolute, links followed.
    root: PathBuf,
    /// The folder that no path may leave: git's top level, else the root.
    boundary: PathBuf,
}

/// Why a path of a checkout is not opened or replaced.
#[derive(Debug)]
pub enum Fault {
    /// There is no such file, or a folder of the path is missing.
    Missing,
    /// The path leaves the checkout. Holds its target.
    Outside(PathBuf),
    /// It is a folder.
    Folder,
    /// It is a FIFO, a socket or a device.
    NotRegular,
    /// It is in `.git`, where only git may write.
    Git,
    /// The path leads to this file, whose name is reserved for another purpose.
    OtherPurpose(PathBuf),
    /// Its mode lets no user write to it.
    ReadOnly,
    /// An error of the operating system.
    Io(io::Error),
}

impl std::fmt::Display for Fault {
    /// The reason, as words that follow "because".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such file"),
            Self::Outside(path) => write!(f, "it leads to {}, outside of the checkout", path.display()),
            Self::Folder => f.write_str("it is a folder"),
            Self::NotRegular => f.write_str("it is no regular file"),
            Self::Git => f.write_str("it lies in `.git`, where only git writes"),
            Self::OtherPurpose(path) => write!(f, "`{}` is a file of another purpose", path.display()),
            Self::ReadOnly => f.write_str("it is read-only"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Io(error) => error,
            Fault::Missing => Self::new(io::ErrorKind::NotFound, fault.to_string()),
            fault => Self::other(fault.to_string()),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            _ => Self::Io(error),
        }
    }
}

impl From<Errno> for Fault {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT | Errno::NOTDIR => Self::Missing,
            error => Self::Io(error.into()),
        }
    }
}

/// The target of a path: a name in an open folder. The name is no link, and it may not exist.
pub(super) struct Place {
    /// The folder.
    pub(super) folder: OwnedFd,
    /// The name. None if the path leads to the folder itself.
    pub(super) name: Option<OsString>,
    /// The file of that name, if it exists.
    pub(super) found: Option<Stat>,
    /// The path from the checkout's top.
    pub(super) inside: PathBuf,
}

impl Checkout {
    /// The checkout that the folder belongs to; the folder is its root.
    pub fn at(folder: &Path) -> io::Result<Self> {
        let root = fs::canonicalize(folder)?;
        let boundary = git_top_level(&root).unwrap_or(&root).to_path_buf();
        Ok(Self { root, boundary })
    }

    /// The folder that paths are relative to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that no path may leave.
    pub fn boundary(&self) -> &Path {
        &self.boundary
    }

    /// Opens a regular file to read it. Relative paths start from the root.
    pub fn open(&self, path: &Path) -> Result<File, Fault> {
        let place = self.locate(path)?;
        let Some(name) = &place.name else { return Err(Fault::Folder) };
        is_regular(&place.found.ok_or(Fault::Missing)?)?;
        let file = File::from(openat(&place.folder, name, READ, Mode::empty())?);
        // The name may belong to another file by now.
        is_regular(&rustix::fs::fstat(&file)?)?;
        Ok(file)
    }

    /// Opens a folder, to list it.
    pub fn open_folder(&self, path: &Path) -> Result<OwnedFd, Fault> {
        let place = self.locate(path)?;
        match &place.name {
            Some(name) => Ok(openat(&place.folder, name, FOLDER, Mode::empty())?),
            None => Ok(place.folder),
        }
    }

    /// Follows a path to its last component.
    pub(super) fn locate(&self, path: &Path) -> Result<Place, Fault> {
        let wanted = tidy(&self.root.join(path));
        let rest = wanted.strip_prefix(&self.boundary).map_err(|_| Fault::Outside(wanted.clone()))?;
        let mut walk = Walk { boundary: &self.boundary, names: PathBuf::new(), folders: Vec::new() };
        let mut top = Some(openat(rustix::fs::CWD, &self.boundary, FOLDER, Mode::empty())?);
        let mut links = 0;
        let mut to_do = parts(rest);
        while let Some(part) = to_do.pop_front() {
            let Part::Name(name) = part else {
                walk.up()?;
                continue;
            };
            let Some(folder) = walk.folders.last().or(top.as_ref()) else { return Err(Fault::Missing) };
            match readlinkat(folder, &name, Vec::new()) {
                Ok(target) => {
                    links += 1;
                    if links > LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                    let target = walk.follow(target)?;
                    for part in parts(&target).into_iter().rev() {
                        to_do.push_front(part);
                    }
                    continue;
                }
                Err(Errno::INVAL) => {}
                Err(Errno::NOENT) if to_do.is_empty() => {}
                Err(error) => return Err(error.into()),
            }
            if to_do.is_empty() {
                let found = match statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(found) => Some(found),
                    Err(Errno::NOENT) => None,
                    Err(error) => return Err(error.into()),
                };
                let inside = walk.names.join(&name);
                let Some(folder) = walk.folders.pop().or(top.take()) else { return Err(Fault::Missing) };
                return Ok(Place { folder, name: Some(name), found, inside });
            }
            let opened = openat(folder, &name, FOLDER, Mode::empty())?;
            walk.folders.push(opened);
            walk.names.push(name);
        }
        let Some(folder) = walk.folders.pop().or(top) else { return Err(Fault::Missing) };
        Ok(Place { folder, name: None, found: None, inside: walk.names })
    }
}

/// The open folders from the checkout's top down to the component that was followed last.
struct Walk<'a> {
    boundary: &'a Path,
    names: PathBuf,
    folders: Vec<OwnedFd>,
}

impl Walk<'_> {
    /// Goes to the parent folder.
    fn up(&mut self) -> Result<(), Fault> {
        if self.folders.pop().is_none() {
            return Err(Fault::Outside(self.boundary.parent().unwrap_or(self.boundary).to_path_buf()));
        }
        self.names.pop();
        Ok(())
    }

    /// The path that remains after a link. A link with an absolute path starts again from the checkout's top, or leaves
    /// the checkout.
    fn follow(&mut self, target: PathBuf) -> Result<PathBuf, Fault> {
        if !target.is_absolute() {
            // The fault names the whole target, not only the `..` that leaves the checkout.
            let leads = tidy(&self.boundary.join(&self.names).join(&target));
            return if leads.starts_with(self.boundary) { Ok(target) } else { Err(Fault::Outside(leads)) };
        }
        let inside = if let Ok(inside) = target.strip_prefix(self.boundary) {
            inside.to_path_buf()
        } else {
            let real = fs::canonicalize(&target).unwrap_or_else(|_| target.clone());
            real.strip_prefix(self.boundary).map_err(|_| Fault::Outside(target))?.to_path_buf()
        };
        self.folders.clear();
        self.names.clear();
        Ok(inside)
    }
}

enum Part {
    Up,
    Name(OsString),
}

fn parts(path: &Path) -> VecDeque<Part> {
    let parts = path.components().filter_map(|part| match part {
        Component::ParentDir => Some(Part::Up),
        Component::Normal(name) => Some(Part::Name(name.to_owned())),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    });
    parts.collect()
}

/// Checks that this is a regular file.
pub(super) fn is_regular(found: &Stat) -> Result<(), Fault> {
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(Fault::Folder),
        _ => Err(Fault::NotRegular),
    }
}

/// Whether a part of the path is git's own folder, or the file that replaces this folder in a worktree.
pub(super) fn is_git_s(inside: &Path) -> bool {
    // Some file systems do not distinguish `.GIT` from `.git`.
    inside.iter().any(|part: &OsStr| part.eq_ignore_ascii_case(".git"))
}

/// The nearest folder upwards that git knows as a checkout or worktree.
pub fn git_top_level(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.join(".git").exists())
}

/// The path without `.` and `..`, computed from the text alone.
pub(crate) fn tidy(path: &Path) -> PathBuf {
    let mut tidied = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                tidied.pop();
            }
            part => tidied.push(part),
        }
    }
    tidied
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    /// `secret`, and `checkout` with `.git`, `shared.env` and `app`, which is the root.
    fn checkout() -> (tempfile::TempDir, Checkout) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("checkout/app");
        fs::create_dir_all(&root).unwrap();
        fs::create_dir(folder.path().join("checkout/.git")).unwrap();
        fs::write(folder.path().join("checkout/shared.env"), "A=1").unwrap();
        fs::write(folder.path().join("secret"), "s").unwrap();
        let checkout = Checkout::at(&root).unwrap();
        (folder, checkout)
    }

    fn text(checkout: &Checkout, path: &str) -> Result<String, Fault> {
        let mut text = String::new();
        checkout.open(Path::new(path))?.read_to_string(&mut text).map_err(Fault::Io)?;
        Ok(text)
    }

    #[test]
    fn a_path_and_its_links_go_anywhere_inside_the_checkout_and_no_further() {
        let (folder, checkout) = checkout();
        let root = checkout.root().to_path_buf();
        let top = checkout.boundary().to_path_buf();
        fs::create_dir(root.join("deep")).unwrap();
        symlink("../../shared.env", root.join("deep/up")).unwrap();
        symlink("deep", root.join("folder")).unwrap();
        symlink(top.join("shared.env"), root.join("absolute")).unwrap();
        for inside in ["../shared.env", "deep/up", "folder/up", "absolute", "deep/../folder/./up"] {
            assert_eq!(text(&checkout, inside).unwrap(), "A=1", "{inside}");
        }
        symlink("../../secret", root.join("out")).unwrap();
        symlink("../..", root.join("folder-out")).unwrap();
        symlink("folder-out", root.join("by-another")).unwrap();
        symlink(folder.path().join("secret"), root.join("absolute-out")).unwrap();
        symlink(format!("{}/../secret", top.display()), root.join("back-out")).unwrap();
        symlink("../../nothing", root.join("dangling-out")).unwrap();
        for outside in [
            "../../secret",
            "/etc/passwd",
            "nothing/../../../secret",
            "out",
            "folder-out/secret",
            "by-another/secret",
            "absolute-out",
            "back-out",
            "dangling-out",
        ] {
            assert!(matches!(text(&checkout, outside), Err(Fault::Outside(_))), "{outside}");
        }
        assert!(matches!(checkout.open_folder(Path::new("folder-out")), Err(Fault::Outside(_))));
        assert!(checkout.open_folder(Path::new("folder")).is_ok());
        assert!(checkout.open_folder(Path::new("..")).is_ok());
    }

    #[test]
    fn only_regular_files_are_opened_and_nothing_waits_for_a_pipe() {
        let (_folder, checkout) = checkout();
        let root = checkout.root().to_path_buf();
        rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let _listens = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
        symlink("round", root.join("round")).unwrap();
        assert!(matches!(text(&checkout, "pipe"), Err(Fault::NotRegular)));
        assert!(matches!(text(&checkout, "socket"), Err(Fault::NotRegular)));
        assert!(matches!(text(&checkout, "."), Err(Fault::Folder)));
        assert!(matches!(text(&checkout, "../app"), Err(Fault::Folder)));
        assert!(matches!(text(&checkout, "missing/file"), Err(Fault::Missing)));
        assert!(matches!(text(&checkout, "../shared.env/file"), Err(Fault::Missing)));
        assert!(matches!(text(&checkout, "round"), Err(Fault::Io(_))));
    }
}
