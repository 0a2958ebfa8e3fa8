//! Reads and replaces the env file.
//!
//! The file is always whole: the new text is written beside it and renamed over it, or the old one stays.

use crate::model::{Diagnostic, Exit, Failure};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{fs, str};

/// How many symbolic links are followed, as Linux does.
const LINKS: usize = 40;

/// The file's text; empty where there is no file. Its bytes are kept, line ends and byte order mark included.
pub fn read(path: &Path) -> Result<String, Failure> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(failure(path, "cannot be read", &error)),
        Ok(found) if !found.is_file() => return Err(not_a_file(path, found.is_dir())),
        Ok(_) => {}
    }
    let bytes = fs::read(path).map_err(|error| failure(path, "cannot be read", &error))?;
    String::from_utf8(bytes).map_err(|error| not_text(path, error.as_bytes(), error.utf8_error()))
}

/// Replaces the file's text, mode 0600, and says whether anything changed. A symbolic link stays one.
pub fn write(path: &Path, text: &str) -> Result<bool, Failure> {
    let target = resolve(path).map_err(|error| failure(path, "cannot be written", &error))?;
    match fs::metadata(&target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failure(path, "cannot be written", &error)),
        Ok(found) if !found.is_file() => return Err(not_a_file(path, found.is_dir())),
        Ok(found) => {
            if fs::read(&target).is_ok_and(|before| before == text.as_bytes()) {
                return Ok(false);
            }
            if found.permissions().readonly() {
                return Err(read_only(path));
            }
        }
    }
    replace(&target, |file| file.write_all(text.as_bytes()))
        .map(|()| true)
        .map_err(|error| failure(path, "cannot be written", &error))
}

/// Where a path leads through its symbolic links, the last of which need not lead to a file that exists.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(to) => path = path.parent().unwrap_or(Path::new("")).join(to),
            // Not a link, or nothing there.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Writes a file beside the target and renames it over the target; nothing is left where that fails.
fn replace(target: &Path, put: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Mode 0600 from its first byte on.
    let mut file = tempfile::Builder::new().prefix(".env.devenv-").tempfile_in(folder)?;
    put(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    Ok(())
}

fn failure(path: &Path, what: &str, error: &io::Error) -> Failure {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let diagnostic = Diagnostic::error("env-file", format!("`{}` {what}", path.display())).because(error.to_string());
    let diagnostic = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => diagnostic
            .help(format!("make the folder `{}` writable, or write elsewhere: `--env-file PATH`", folder.display())),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            diagnostic.help("make room on the disk and run the command again; the file is as it was before")
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            diagnostic.help(format!("make the folder `{}` first", folder.display()))
        }
        _ => diagnostic.help("write elsewhere: `--env-file PATH`"),
    };
    Failure::new(Exit::Failed, diagnostic)
}

fn not_a_file(path: &Path, is_folder: bool) -> Failure {
    let what = if is_folder { "a folder" } else { "no regular file" };
    Failure::new(
        Exit::Failed,
        Diagnostic::error("env-file", format!("`{}` is {what}", path.display()))
            .because("the variables are written to a file of that name")
            .help("move it away, or write elsewhere: `--env-file PATH`"),
    )
}

fn read_only(path: &Path) -> Failure {
    Failure::new(
        Exit::Failed,
        Diagnostic::error("env-file", format!("`{}` is read-only", path.display()))
            .because("someone made it so, and it is left as it is")
            .help(format!("`chmod u+w {}`, or write elsewhere: `--env-file PATH`", path.display())),
    )
}

fn not_text(path: &Path, bytes: &[u8], error: str::Utf8Error) -> Failure {
    let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
    let because = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        "it is UTF-16, as some Windows programs write it".to_owned()
    } else {
        format!("line {line} holds a byte that is not UTF-8")
    };
    Failure::new(
        Exit::Failed,
        Diagnostic::error("env-file", format!("`{}` is not UTF-8 text", path.display()))
            .because(because)
            .help("save it as UTF-8, or write elsewhere: `--env-file PATH`"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn a_write_that_fails_half_way_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        fs::write(&path, "A=1\n").unwrap();
        let error = replace(&path, |file| {
            file.write_all(b"B=")?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&path).unwrap(), "A=1\n");
        assert_eq!(names_in(folder.path()), [".env"]);
    }

    #[test]
    fn a_full_disk_is_said_with_what_to_do() {
        let failure = failure(Path::new(".env"), "cannot be written", &io::ErrorKind::StorageFull.into());
        assert!(failure.diagnostics[0].help[0].contains("make room"), "{failure:?}");
    }

    #[test]
    fn an_unchanged_file_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        assert_eq!(write(&path, "A=1\n"), Ok(true));
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(write(&path, "A=1\n"), Ok(false));
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        assert_eq!(read(&path), Ok("A=1\n".to_owned()));
    }

    #[test]
    fn a_missing_file_reads_as_empty() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&folder.path().join(".env")), Ok(String::new()));
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".env");
        fs::write(&path, b"A=1\nB=\xff\n").unwrap();
        assert!(read(&path).unwrap_err().diagnostics[0].notes[0].contains("line 2"));
        fs::write(&path, b"\xff\xfeA\0").unwrap();
        assert!(read(&path).unwrap_err().diagnostics[0].notes[0].contains("UTF-16"));
    }

    #[test]
    fn a_folder_in_its_place_is_said() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(folder.path(), "A=1\n").unwrap_err().diagnostics[0].message.contains("is a folder"));
        assert!(read(folder.path()).unwrap_err().diagnostics[0].message.contains("is a folder"));
    }
}
