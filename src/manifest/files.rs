//! Reading the project's files, and only those.
//!
//! A manifest is not trusted: a path that it names is read only where it lies, with every symbolic link followed, inside
//! the project's boundary.

use crate::model::{Diagnostic, Origin, SourceFile};
pub(crate) use crate::project::{git_top_level, tidy};
use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 32 * 1024 * 1024;

/// A project's place on disk.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    /// The folder that the project's environment belongs to: absolute, links followed. Paths are shown from here.
    pub(crate) root: PathBuf,
    /// The folder outside of which no manifest may point: git's top level, else the root.
    boundary: PathBuf,
}

/// Why a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileFault {
    /// There is no such file.
    Missing,
    /// It lies outside the project.
    Outside,
    /// It is a folder, too large, or may not be read.
    Unreadable,
    /// Its bytes are no UTF-8 text.
    NotText,
}

/// A file that was not read, and what to tell about it.
#[derive(Clone, Debug)]
pub(crate) struct FileError {
    /// Why.
    pub(crate) fault: FileFault,
    /// The message; the caller says which line names the file ([`FileError::named_at`]).
    pub(crate) diagnostic: Box<Diagnostic>,
}

impl FileError {
    /// The message, with the place that names the file.
    pub(crate) fn named_at(self, origin: &Origin) -> Diagnostic {
        match self.fault {
            FileFault::NotText => self.diagnostic.and_at(origin, "named here"),
            _ => self.diagnostic.at(origin, "named here"),
        }
    }
}

impl Project {
    /// The project whose root is that folder.
    pub(crate) fn at(folder: &Path) -> io::Result<Self> {
        let root = fs::canonicalize(folder)?;
        let boundary = git_top_level(&root).unwrap_or(&root).to_path_buf();
        Ok(Self { root, boundary })
    }

    /// Reads a file that a manifest names; relative paths start from the root.
    pub(crate) fn read(&self, path: &Path) -> Result<Arc<SourceFile>, FileError> {
        let bytes = self.read_bytes(path)?;
        source_of(&self.shown(path), bytes)
    }

    /// Reads a file that a manifest names, text or not.
    pub(crate) fn read_bytes(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        let real = self.locate(path)?;
        read_bytes(&real, &self.shown(path))
    }

    /// The names of a folder's entries that a manifest names, sorted. Links in it are followed when they are read.
    pub(crate) fn list(&self, path: &Path) -> Result<Vec<String>, FileError> {
        let real = self.locate(path)?;
        let shown = self.shown(path);
        let entries = fs::read_dir(&real).map_err(|error| io_error(&shown, &error))?;
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        Ok(names)
    }

    /// Whether a path that a manifest names is a folder inside the project.
    pub(crate) fn is_folder(&self, path: &Path) -> bool {
        self.locate(path).is_ok_and(|real| real.is_dir())
    }

    /// Reads a file that the user named; it may lie anywhere.
    pub(crate) fn read_asked(&self, path: &Path) -> Result<Arc<SourceFile>, FileError> {
        let shown = self.shown(path);
        source_of(&shown, read_bytes(&self.root.join(path), &shown)?)
    }

    /// Reads a file of a folder that the user named. The folder may lie anywhere; a link in it leads no further than a
    /// manifest's path does.
    pub(crate) fn read_in_asked(&self, path: &Path) -> Result<Arc<SourceFile>, FileError> {
        if self.root.join(path).is_symlink() { self.read(path) } else { self.read_asked(path) }
    }

    /// A path as messages show it: relative to the root where it lies inside.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        let path = tidy(&self.root.join(path));
        relative(&path, &self.root, &self.boundary).unwrap_or(path)
    }

    /// Where a named path really lies, if that is inside the boundary.
    fn locate(&self, path: &Path) -> Result<PathBuf, FileError> {
        let shown = self.shown(path);
        let wanted = tidy(&self.root.join(path));
        if !wanted.starts_with(&self.boundary) {
            return Err(self.outside(&shown, &wanted));
        }
        let real = fs::canonicalize(&wanted).map_err(|error| io_error(&shown, &error))?;
        if !real.starts_with(&self.boundary) {
            return Err(self.outside(&shown, &real));
        }
        Ok(real)
    }

    fn outside(&self, shown: &Path, lies: &Path) -> FileError {
        let diagnostic = Diagnostic::error("file-outside", format!("`{}` lies outside the project", shown.display()))
            .because(format!(
                "it is {}, and a manifest may name files below {} only",
                lies.display(),
                self.boundary.display()
            ))
            .help("copy the file into the project, or take the line out");
        FileError { fault: FileFault::Outside, diagnostic: Box::new(diagnostic) }
    }
}

/// Text from bytes: without a byte order mark, and refused where it is no UTF-8.
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

fn read_bytes(real: &Path, shown: &Path) -> Result<Vec<u8>, FileError> {
    // A pipe that the user names (`-f <(helm template …)`) has no size and is no regular file, yet it ends.
    let file = fs::File::open(real).map_err(|error| io_error(shown, &error))?;
    if file.metadata().is_ok_and(|facts| facts.is_dir()) {
        return Err(unreadable(shown, "is a folder, not a file", "name a file in it"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| io_error(shown, &error))?;
    if bytes.len() as u64 > LARGEST {
        let what = format!("is larger than {} MB", LARGEST / 1024 / 1024);
        return Err(unreadable(shown, &what, "no manifest needs that: is this the right file?"));
    }
    Ok(bytes)
}

fn io_error(shown: &Path, error: &io::Error) -> FileError {
    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
        let diagnostic = Diagnostic::error("file-missing", format!("there is no file `{}`", shown.display()));
        return FileError { fault: FileFault::Missing, diagnostic: Box::new(diagnostic) };
    }
    unreadable(shown, &format!("cannot be read: {error}"), "check the file and its permissions")
}

fn unreadable(shown: &Path, what: &str, help: &str) -> FileError {
    let diagnostic = Diagnostic::error("file-unreadable", format!("`{}` {what}", shown.display())).help(help);
    FileError { fault: FileFault::Unreadable, diagnostic: Box::new(diagnostic) }
}

/// The path as seen from the root, with `..` where it lies beside it inside the boundary.
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

    /// `checkout/.git`, `checkout/app` (the root), `checkout/shared.env`, `secret`.
    fn project() -> (tempfile::TempDir, Project) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("checkout/app");
        fs::create_dir_all(&root).unwrap();
        fs::create_dir(folder.path().join("checkout/.git")).unwrap();
        fs::write(folder.path().join("checkout/shared.env"), "A=1").unwrap();
        fs::write(folder.path().join("secret"), "s").unwrap();
        let project = Project::at(&root).unwrap();
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
    fn what_the_user_asks_for_may_lie_anywhere() {
        let (_folder, project) = project();
        assert_eq!(project.read_asked(Path::new("../../secret")).unwrap().text, "s");
    }

    #[test]
    fn an_endless_file_is_read_up_to_the_limit() {
        let (_folder, project) = project();
        let error = project.read_asked(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.fault, FileFault::Unreadable);
    }
}
