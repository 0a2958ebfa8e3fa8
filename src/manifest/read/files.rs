//! Reads the files of the project, and no other files.
//!
//! A manifest is not trusted: a path that it names is read only if the path, with every symbolic link followed, is
//! inside the project's boundary.

use crate::model::{Diagnostic, Origin, SourceFile};
use crate::project::{Budget, Checkout, Fault, LIMIT, Resource, open_named, read_at_most};
pub(crate) use crate::project::{git_top_level, tidy};
use crate::syntax::yaml::{self, Documents};
use rustix::fs::Dir;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The largest file that is read, in bytes.
pub(crate) const LARGEST: u64 = 32 * 1024 * 1024;

/// How many names of one folder are read.
const MAX_NAMES: usize = 20_000;

/// A project's folder on disk, with the budget for reading it.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    /// The folder that the project's environment belongs to: an absolute path with links followed. Shown paths are
    /// relative to this folder.
    pub(crate) root: PathBuf,
    /// Opens the project's files, and no file outside.
    checkout: Checkout,
    /// The budget for reading the project.
    pub(crate) budget: Budget,
    /// Texts that were read, by the path shown, because several dialects look at the same file.
    read: Arc<Mutex<HashMap<PathBuf, Arc<SourceFile>>>>,
}

/// Why a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileFault {
    /// There is no such file.
    Missing,
    /// The file is outside the project.
    Outside,
    /// It is no regular file, too large, or may not be read.
    Unreadable,
    /// Its bytes are no UTF-8 text.
    NotText,
}

/// A file that was not read, and the message about it.
#[derive(Clone, Debug)]
pub(crate) struct FileError {
    /// The reason.
    pub(crate) fault: FileFault,
    /// The message; the caller says which line names the file ([`FileError::named_at`]).
    pub(crate) diagnostic: Box<Diagnostic>,
}

impl FileError {
    /// The message, with the place at which the file is named.
    pub(crate) fn named_at(self, origin: &Origin) -> Diagnostic {
        match self.fault {
            FileFault::NotText => self.diagnostic.and_at(origin, "named here"),
            _ => self.diagnostic.at(origin, "named here"),
        }
    }
}

impl Project {
    /// The project whose root is that folder, read with that budget.
    pub(crate) fn at(folder: &Path, budget: &Budget) -> io::Result<Self> {
        let checkout = Checkout::at(folder)?;
        Ok(Self { root: checkout.root().to_path_buf(), checkout, budget: budget.clone(), read: Arc::default() })
    }

    /// Reads a file that a manifest names; relative paths start from the root.
    pub(crate) fn read(&self, path: &Path) -> Result<Arc<SourceFile>, FileError> {
        let shown = self.shown(path);
        if let Some(known) = self.known(&shown) {
            return self.asks_for(&shown).map(|()| known);
        }
        let source = source_of(&shown, self.read_bytes(path)?)?;
        self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(shown, Arc::clone(&source));
        Ok(source)
    }

    fn known(&self, shown: &Path) -> Option<Arc<SourceFile>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).get(shown).cloned()
    }

    /// Reads a file that a manifest names, text or not.
    pub(crate) fn read_bytes(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        let shown = self.shown(path);
        self.asks_for(&shown)?;
        let file = self.checkout.open(path).map_err(|fault| self.fault(&shown, fault))?;
        self.read_opened(file, &shown)
    }

    /// The names of the entries of a folder that a manifest names, sorted. Links in the folder are followed when they
    /// are read.
    pub(crate) fn list(&self, path: &Path) -> Result<Vec<String>, FileError> {
        let shown = self.shown(path);
        self.asks_for(&shown)?;
        let folder = self.checkout.open_folder(path).map_err(|fault| self.fault(&shown, fault))?;
        let entries = Dir::read_from(folder).map_err(|error| io_error(&shown, &error.into()))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str().ok().map(str::to_owned));
        let mut names: Vec<String> = names.filter(|name| name != "." && name != "..").take(MAX_NAMES).collect();
        names.sort();
        Ok(names)
    }

    /// Whether a path that a manifest names is a folder inside the project.
    pub(crate) fn is_folder(&self, path: &Path) -> bool {
        self.asks_for(&self.shown(path)).is_ok() && self.checkout.open_folder(path).is_ok()
    }

    /// Reads a file that the user named. The file may be anywhere. For a path inside the project, no link may lead
    /// outside, because the link came with the clone and not from the user.
    pub(crate) fn read_asked(&self, path: &Path) -> Result<Arc<SourceFile>, FileError> {
        let shown = self.shown(path);
        let file = match self.checkout.inside(path) {
            Some(inside) => self.checkout.open(&inside).map_err(|fault| self.fault(&shown, fault))?,
            None => open_named(&self.root.join(path)).map_err(|error| io_error(&shown, &error))?,
        };
        let bytes = self.read_opened(file, &shown)?;
        source_of(&shown, bytes)
    }

    /// Reads a file of a folder that the user named. The folder may be anywhere. A link in it may lead only to the
    /// places to which a manifest's path may lead.
    pub(crate) fn read_in_asked(&self, path: &Path) -> Result<Arc<SourceFile>, FileError> {
        if self.root.join(path).is_symlink() { self.read(path) } else { self.read_asked(path) }
    }

    /// A path as messages show it: relative to the root, if the path is inside the boundary.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        let path = tidy(&self.root.join(path));
        relative(&path, &self.root, self.checkout.boundary()).unwrap_or(path)
    }

    fn asks_for(&self, shown: &Path) -> Result<(), FileError> {
        if self.budget.spend_file(shown) { Ok(()) } else { Err(self.too_much()) }
    }

    fn fault(&self, shown: &Path, fault: Fault) -> FileError {
        let other = |kind, what: &str| io_error(shown, &io::Error::new(kind, what.to_owned()));
        match fault {
            Fault::Missing => io_error(shown, &io::ErrorKind::NotFound.into()),
            Fault::Outside(lies) => self.outside(shown, &lies),
            Fault::Folder => io_error(shown, &io::ErrorKind::IsADirectory.into()),
            Fault::NotRegular => {
                other(io::ErrorKind::InvalidInput, "it is a FIFO, a socket or a device, not a regular file")
            }
            Fault::Io(error) => io_error(shown, &error),
            // These faults occur only when a file is replaced.
            Fault::Git | Fault::OtherPurpose(_) | Fault::ReadOnly => other(io::ErrorKind::PermissionDenied, "not read"),
        }
    }

    fn read_opened(&self, file: File, shown: &Path) -> Result<Vec<u8>, FileError> {
        let bytes = read_at_most(file, LARGEST).map_err(|error| io_error(shown, &error))?;
        if self.budget.spend(Resource::Bytes, bytes.len()) { Ok(bytes) } else { Err(self.too_much()) }
    }

    /// The message that the budget is spent. It is reported once, even if many files are not read because of it.
    fn too_much(&self) -> FileError {
        let diagnostic =
            self.budget.overspent().unwrap_or_else(|| Diagnostic::error(LIMIT, "this project is too much to read"));
        FileError { fault: FileFault::Unreadable, diagnostic: Box::new(diagnostic) }
    }

    fn outside(&self, shown: &Path, lies: &Path) -> FileError {
        let diagnostic = Diagnostic::error("file-outside", format!("`{}` lies outside the project", shown.display()))
            .because(format!(
                "it is {}, and a manifest may name files below {} only",
                lies.display(),
                self.checkout.boundary().display()
            ))
            .help("copy the file into the project, or take the line out");
        FileError { fault: FileFault::Outside, diagnostic: Box::new(diagnostic) }
    }
}

/// Parses YAML within the rest of the budget, and takes the cost of the values from the budget.
pub(crate) fn parse_yaml(source: &Arc<SourceFile>, budget: &Budget) -> Documents {
    let read = yaml::parse_within(source, budget.left(Resource::Values));
    budget.spend_at(Resource::Values, read.values, &Origin::start_of(source));
    read
}

/// Text from bytes, without a byte order mark. Bytes that are not UTF-8 are refused.
pub(crate) fn source_of(shown: &Path, bytes: Vec<u8>) -> Result<Arc<SourceFile>, FileError> {
    let refuse = |bytes: &[u8], at: usize, what: String, help: &str| {
        let text = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
        let before = &bytes[..at];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = before.split(|byte| *byte == b'\n').count();
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        let origin = Origin {
            file: Arc::new(SourceFile { path: shown.to_path_buf(), text }),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            length: 1,
        };
        let diagnostic = Diagnostic::error("file-not-text", format!("`{}` is no UTF-8 text", shown.display()))
            .at(&origin, what)
            .help(help);
        FileError { fault: FileFault::NotText, diagnostic: Box::new(diagnostic) }
    };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(refuse(&[], 0, "the file is UTF-16".to_owned(), "save it as UTF-8"));
    }
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let what = format!("the byte 0x{:02x} stands for no character", bytes.get(at).copied().unwrap_or_default());
            return Err(refuse(bytes, at, what, "save the file as UTF-8, or check that it is the right one"));
        }
    };
    if let Some(at) = text.find('\0') {
        return Err(refuse(text.as_bytes(), at, "a zero byte".to_owned(), "check that it is the right file"));
    }
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(Arc::new(SourceFile { path: shown.to_path_buf(), text }))
}

fn io_error(shown: &Path, error: &io::Error) -> FileError {
    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
        let diagnostic = Diagnostic::error("file-missing", format!("there is no file `{}`", shown.display()));
        return FileError { fault: FileFault::Missing, diagnostic: Box::new(diagnostic) };
    }
    match error.kind() {
        io::ErrorKind::IsADirectory => {
            unreadable(shown, "is a folder, not a file", "name a file in it, or move the folder away")
        }
        io::ErrorKind::FileTooLarge => {
            let what = format!("is larger than {} MB", LARGEST / 1024 / 1024);
            unreadable(shown, &what, "no manifest needs that: is this the right file?")
        }
        io::ErrorKind::InvalidInput => {
            let what = format!("cannot be read: {error}");
            unreadable(shown, &what, "put a regular file there, or remove the line that names it")
        }
        _ => unreadable(shown, &format!("cannot be read: {error}"), "check the file and its permissions"),
    }
}

fn unreadable(shown: &Path, what: &str, help: &str) -> FileError {
    let diagnostic = Diagnostic::error("file-unreadable", format!("`{}` {what}", shown.display())).help(help);
    FileError { fault: FileFault::Unreadable, diagnostic: Box::new(diagnostic) }
}

/// The path relative to the root; it begins with `..` if it is outside the root and inside the boundary.
fn relative(path: &Path, root: &Path, boundary: &Path) -> Option<PathBuf> {
    if let Ok(inside) = path.strip_prefix(root) {
        let is_root = inside.as_os_str().is_empty();
        return Some(if is_root { PathBuf::from(".") } else { inside.to_path_buf() });
    }
    if !path.starts_with(boundary) {
        return None;
    }
    let shared = root.ancestors().find(|ancestor| path.starts_with(ancestor))?;
    let up = root.strip_prefix(shared).ok()?.components().map(|_| Component::ParentDir);
    Some(up.collect::<PathBuf>().join(path.strip_prefix(shared).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// `checkout/.git`, `checkout/app` (the root), `checkout/shared.env`, `secret`.
    fn project() -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("checkout/app");
        fs::create_dir_all(&root).unwrap();
        fs::create_dir(folder.path().join("checkout/.git")).unwrap();
        fs::write(folder.path().join("checkout/shared.env"), "A=1").unwrap();
        fs::write(folder.path().join("secret"), "s").unwrap();
        let project = Project::at(&root, &Budget::default()).unwrap();
        (folder, project)
    }

    fn fault(project: &Project, path: &str) -> Option<FileFault> {
        project.read(Path::new(path)).err().map(|error| error.fault)
    }

    #[test]
    fn a_path_may_go_up_inside_the_checkout_and_no_further() {
        let (_folder, project) = project();
        assert_eq!(project.read(Path::new("../shared.env")).unwrap().path, Path::new("../shared.env"));
        assert_eq!(fault(&project, "../../secret"), Some(FileFault::Outside));
        assert_eq!(fault(&project, "nothing/../../../secret"), Some(FileFault::Outside));
        assert_eq!(fault(&project, "/etc/passwd"), Some(FileFault::Outside));
        assert_eq!(fault(&project, "missing"), Some(FileFault::Missing));
        assert_eq!(fault(&project, ".."), Some(FileFault::Unreadable));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_checkout_is_not_followed() {
        use std::os::unix::fs::symlink;
        let (folder, project) = project();
        symlink(folder.path().join("secret"), project.root.join("file")).unwrap();
        symlink(folder.path(), project.root.join("folder")).unwrap();
        symlink("../shared.env", project.root.join("inside")).unwrap();
        assert_eq!(fault(&project, "file"), Some(FileFault::Outside));
        assert_eq!(fault(&project, "folder/secret"), Some(FileFault::Outside));
        assert_eq!(fault(&project, "inside"), None);
        assert!(!project.is_folder(Path::new("folder")));
    }

    #[test]
    fn a_file_that_the_user_names_may_be_anywhere() {
        let (_folder, project) = project();
        assert_eq!(project.read_asked(Path::new("../../secret")).unwrap().text, "s");
        assert_eq!(project.read_asked(Path::new("../shared.env")).unwrap().text, "A=1");
    }

    #[test]
    fn a_link_in_the_checkout_leads_a_path_of_the_user_outside_no_more_than_a_path_of_a_manifest() {
        use std::os::unix::fs::symlink;
        let (folder, project) = project();
        symlink(folder.path().join("secret"), project.root.join("file")).unwrap();
        symlink(folder.path(), project.root.join("folder")).unwrap();
        for path in ["file", "folder/secret"] {
            for path in [PathBuf::from(path), project.root.join(path)] {
                assert_eq!(project.read_asked(&path).unwrap_err().fault, FileFault::Outside, "{}", path.display());
            }
        }
    }

    #[test]
    fn a_device_is_refused_wherever_it_is() {
        let (_folder, project) = project();
        let error = project.read_asked(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.fault, FileFault::Unreadable);
        assert!(error.diagnostic.message.contains("it is a device"), "{:?}", error.diagnostic);
    }

    #[test]
    fn files_are_counted_and_a_file_that_is_read_again_costs_no_bytes() {
        let (_folder, project) = project();
        let before = project.budget.spent();
        for _ in 0..3 {
            project.read(Path::new("../shared.env")).unwrap();
        }
        let spent = |resource| project.budget.spent().of(resource) - before.of(resource);
        assert_eq!((spent(Resource::Files), spent(Resource::Bytes)), (3, 3));
        while project.read(Path::new("missing")).is_err_and(|error| error.fault == FileFault::Missing) {}
        assert_eq!(project.read(Path::new("../shared.env")).unwrap_err().diagnostic.code, LIMIT);
    }
}
