//! Reads and replaces env files.
//!
//! A write is atomic: the file is always complete, old or new, and only the user can read it. The file is inside the
//! checkout, even through links, unless the user named another place on the command line.

use crate::model::{BLOCK_START, Diagnostic, Exit, Failure, Origin};
use crate::project::{Checkout, Fault, FileName, Mode};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str;

/// An env file of a checkout. The file need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvFile {
    checkout: Checkout,
    path: PathBuf,
    name: FileName,
    /// The line that names the file.
    origin: Option<Origin>,
}

/// The result of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Whether the text changed.
    pub changed: bool,
    /// The former mode of the file, if others could read or write the file. The mode is 0600 now.
    pub corrected: Option<u32>,
}

impl EnvFile {
    /// An env file inside the checkout; a relative path starts from its root.
    pub fn inside(checkout: &Checkout, path: &Path) -> Self {
        let path = checkout.root().join(path);
        Self { checkout: checkout.clone(), path, name: FileName::EnvFile, origin: None }
    }

    /// The file that the user named on the command line; a relative path starts at the working directory.
    pub fn asked(checkout: &Checkout, path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self { checkout: checkout.clone(), path, name: FileName::Asked, origin: None }
    }

    /// The same file, with the line that names it.
    #[must_use]
    pub fn named_at(self, origin: &Origin) -> Self {
        Self { origin: Some(origin.clone()), ..self }
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path for messages: relative to the root if the file is below the root.
    pub fn shown(&self) -> PathBuf {
        self.path.strip_prefix(self.checkout.root()).unwrap_or(&self.path).to_owned()
    }

    /// The text of the file; empty if there is no file. All bytes are kept, with line endings and the byte order mark.
    pub fn read(&self) -> Result<String, Failure> {
        let bytes = match self.bytes() {
            Ok(found) => found.map(|(bytes, _)| bytes).unwrap_or_default(),
            Err(fault) => return Err(self.failure("cannot be read", fault)),
        };
        String::from_utf8(bytes).map_err(|error| self.not_text(error.as_bytes(), error.utf8_error()))
    }

    /// Checks whether devenv may write the file, given its current text. The caller asks this before anything is
    /// started.
    pub fn check(&self, existing: &str) -> Result<(), Failure> {
        let name =
            self.checkout.check(&self.path, self.name).map_err(|fault| self.failure("cannot be written", fault))?;
        let has_block = existing.lines().any(|line| line.trim_start_matches('\u{feff}').trim_end() == BLOCK_START);
        // A file called `.env` is meant for variables; `prod.env` may be a file that production reads.
        let is_ours = self.name == FileName::Asked || is_dot_env(&name) || has_block || existing.trim().is_empty();
        if is_ours {
            return Ok(());
        }
        let diagnostic = self.error("is not written: it has no devenv block");
        Err(Failure::new(
            Exit::Failed,
            diagnostic
                .because("devenv adds its block only to a file that is empty or is called `.env` or `.env.NAME`")
                .help("name a file that does not exist yet, or a file called `.env.NAME`"),
        ))
    }

    /// Replaces the text of the file and sets the mode 0600. A symbolic link stays a symbolic link.
    pub fn write(&self, text: &str) -> Result<Written, Failure> {
        let failed = |fault: Fault| self.failure("cannot be written", fault);
        let before = self.bytes().map_err(failed)?;
        self.check(before.as_ref().and_then(|(bytes, _)| str::from_utf8(bytes).ok()).unwrap_or_default())?;
        let mode = before.as_ref().and_then(|(_, file)| Some(file.metadata().ok()?.mode() & 0o7777));
        let corrected = mode.filter(|mode| mode & 0o077 != 0);
        if let Some((bytes, file)) = &before
            && bytes == text.as_bytes()
            && (corrected.is_none() || file.set_permissions(std::fs::Permissions::from_mode(0o600)).is_ok())
        {
            return Ok(Written { changed: false, corrected });
        }
        let replaced = self.checkout.replace(&self.path, self.name, Mode::Private).and_then(|mut file| {
            file.write_all(text.as_bytes()).map_err(Fault::Io)?;
            file.finish().map_err(Fault::Io)
        });
        replaced.map_err(failed)?;
        Ok(Written { changed: true, corrected })
    }

    /// The bytes of the file, and the open file.
    fn bytes(&self) -> Result<Option<(Vec<u8>, File)>, Fault> {
        let opened = match self.name {
            FileName::Asked => self.checkout.open_asked(&self.path),
            FileName::EnvFile | FileName::Same => self.checkout.open(&self.path),
        };
        let mut file = match opened {
            Ok(file) => file,
            Err(Fault::Missing) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(Fault::Io)?;
        Ok(Some((bytes, file)))
    }

    fn error(&self, what: &str) -> Diagnostic {
        let diagnostic = Diagnostic::error("env-file", format!("`{}` {what}", self.shown().display()));
        match &self.origin {
            Some(origin) => diagnostic.at(origin, "named here"),
            None => diagnostic,
        }
    }

    fn failure(&self, what: &str, fault: Fault) -> Failure {
        let path = self.shown();
        let elsewhere = match &self.origin {
            Some(_) => "name another file there".to_owned(),
            None => "write elsewhere: `--env-file PATH`".to_owned(),
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let diagnostic = match fault {
            Fault::Outside(leads) => self
                .error("is not written: it lies outside the checkout")
                .because(format!(
                    "it leads to {}, and a path in a clone may only lead to a file below {}",
                    leads.display(),
                    self.checkout.boundary().display()
                ))
                .help(match &self.origin {
                    Some(_) => "name a file inside the checkout that is not a link out of it",
                    None => "remove the link, or write elsewhere: `--env-file PATH`",
                }),
            Fault::Git => {
                self.error("is not written: it lies in `.git`").because("only git writes there").help(elsewhere)
            }
            Fault::OtherPurpose(inside) => self
                .error("is not written: its name is not the name of an env file")
                .because(format!(
                    "it is `{}`, and devenv writes variables only to `.env`, `.env.NAME` or `NAME.env`",
                    inside.display()
                ))
                .help("use a name of that form: `.env.web`"),
            Fault::Folder => self
                .error("is a folder")
                .because("the variables are written to a file of that name")
                .help(format!("move it away, or {elsewhere}")),
            Fault::NotRegular => self
                .error("is not a regular file")
                .because("the variables are written to a file of that name")
                .help(format!("move it away, or {elsewhere}")),
            Fault::ReadOnly => self
                .error("is read-only")
                .because("someone made it read-only, and devenv does not change that")
                .help(format!("`chmod u+w {}`, or {elsewhere}", path.display())),
            Fault::Missing => self
                .error(what)
                .because(format!("there is no folder `{}`", folder.display()))
                .help(format!("make the folder `{}` first", folder.display())),
            Fault::Io(error) => {
                let help = match error.kind() {
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                        format!("make the folder `{}` and the file writable, or {elsewhere}", folder.display())
                    }
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "make room on the disk and run the command again; the file is as it was before".to_owned()
                    }
                    _ => elsewhere,
                };
                self.error(what).because(error.to_string()).help(help)
            }
        };
        Failure::new(Exit::Failed, diagnostic)
    }

    fn not_text(&self, bytes: &[u8], error: str::Utf8Error) -> Failure {
        let line = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        let because = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            "it is UTF-16, as some Windows programs write it".to_owned()
        } else {
            format!("line {line} holds a byte that is not UTF-8")
        };
        let diagnostic = self.error("is not UTF-8 text").because(because);
        Failure::new(Exit::Failed, diagnostic.help("save it as UTF-8, or write elsewhere: `--env-file PATH`"))
    }
}

/// `.env` or `.env.NAME`.
fn is_dot_env(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name == b".env" || name.starts_with(b".env.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A checkout with one env file, which does not exist yet.
    fn env_file(name: &str) -> (tempfile::TempDir, EnvFile) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("checkout")).unwrap();
        let checkout = Checkout::at(&folder.path().join("checkout")).unwrap();
        let file = EnvFile::inside(&checkout, Path::new(name));
        (folder, file)
    }

    fn diagnostic(result: Result<impl std::fmt::Debug, Failure>) -> Diagnostic {
        let diagnostic = result.unwrap_err().diagnostics.remove(0);
        assert!(!diagnostic.help.is_empty() && !diagnostic.notes.is_empty(), "{diagnostic:?}");
        diagnostic
    }

    #[test]
    fn a_full_disk_is_reported_with_advice() {
        let (_folder, file) = env_file(".env");
        let full = Fault::Io(io::ErrorKind::StorageFull.into());
        assert!(diagnostic(Err::<(), _>(file.failure("cannot be written", full))).help[0].contains("make room"));
    }

    #[test]
    fn an_unchanged_file_is_not_written_again_and_one_that_others_can_read_is_corrected() {
        let (_folder, file) = env_file(".env");
        assert_eq!(file.write("A=1\n"), Ok(Written { changed: true, corrected: None }));
        let before = fs::metadata(file.path()).unwrap();
        assert_eq!(file.write("A=1\n"), Ok(Written::default()));
        assert_eq!(fs::metadata(file.path()).unwrap().ino(), before.ino());
        assert_eq!(file.read(), Ok("A=1\n".to_owned()));
        for (text, mode) in [("A=1\n", 0o644), ("A=2\n", 0o640)] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(file.write(text).unwrap().corrected, Some(mode));
            assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o7777, 0o600);
        }
    }

    #[test]
    fn a_missing_file_reads_as_empty_and_a_folder_in_its_place_is_said() {
        let (_folder, file) = env_file(".env");
        assert_eq!(file.read(), Ok(String::new()));
        fs::create_dir(file.path()).unwrap();
        assert!(diagnostic(file.write("A=1\n")).message.contains("is a folder"));
        assert!(diagnostic(file.read()).message.contains("is a folder"));
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_their_line() {
        let (_folder, file) = env_file(".env");
        fs::write(file.path(), b"A=1\nB=\xff\n").unwrap();
        assert!(diagnostic(file.read()).notes[0].contains("line 2"));
        fs::write(file.path(), b"\xff\xfeA\0").unwrap();
        assert!(diagnostic(file.read()).notes[0].contains("UTF-16"));
    }

    #[test]
    fn a_file_outside_the_checkout_or_of_another_purpose_is_refused_and_unchanged() {
        let (folder, file) = env_file(".env");
        let checkout = file.checkout.clone();
        symlink("../.bash_login", file.path()).unwrap();
        symlink("..", checkout.root().join("web")).unwrap();
        fs::write(checkout.root().join("prod.env"), "THEIRS=1\n").unwrap();
        fs::write(checkout.root().join(".envrc"), "use flake\n").unwrap();
        for (path, why) in [
            (".env", "outside the checkout"),
            ("web/.env", "outside the checkout"),
            ("../.env", "outside the checkout"),
            ("prod.env", "it has no devenv block"),
            (".envrc", "not the name of an env file"),
            ("Makefile", "not the name of an env file"),
            ("missing/.env", "cannot be written"),
        ] {
            let file = EnvFile::inside(&checkout, Path::new(path));
            assert!(diagnostic(file.write("A=1\n")).message.contains(why), "{path}");
        }
        assert_eq!(fs::read_to_string(checkout.root().join("prod.env")).unwrap(), "THEIRS=1\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        // devenv may write a file that has a devenv block, and an empty file.
        for text in ["", &format!("THEIRS=1\n{BLOCK_START}\n")] {
            fs::write(checkout.root().join("prod.env"), text).unwrap();
            assert!(EnvFile::inside(&checkout, Path::new("prod.env")).write("A=1\n").unwrap().changed);
        }
        let asked = EnvFile::asked(&checkout, &folder.path().join("elsewhere"));
        assert!(asked.write("A=1\n").unwrap().changed, "the user said so");
    }
}
