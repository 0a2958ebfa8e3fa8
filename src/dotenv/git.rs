//! What git makes of an env file, and so which one is written.
//!
//! Asked from the `git` on PATH; without it, or outside a repository, there is nothing to say and nothing to fear.

use crate::machine::git::{command, in_repository};
use crate::model::{Diagnostic, Exit, Failure};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// How git stands to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is in the index.
    Tracked,
    /// An ignore rule matches it.
    Ignored,
    /// It would be taken by `git add .`.
    NotIgnored,
    /// No repository, no git, or git does not say.
    Unknown,
}

/// The env file to write, and what is to be said about that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its path.
    pub path: PathBuf,
    /// Warnings and notes.
    pub notes: Vec<Diagnostic>,
}

/// Which file is written: the one that was asked for, else `.env`, else `.env.local` where git tracks `.env`.
pub fn choose(root: &Path, asked: Option<&Path>) -> Result<Target, Failure> {
    if let Some(path) = asked {
        let notes = match standing(path) {
            Standing::Tracked => vec![
                Diagnostic::warning("env-file-tracked", format!("git tracks `{}`", path.display()))
                    .because("the local passwords in it would be part of the next commit")
                    .help(format!("write another file, or `git rm --cached {}`", path.display())),
            ],
            Standing::NotIgnored => vec![not_ignored(path)],
            Standing::Ignored | Standing::Unknown => Vec::new(),
        };
        return Ok(Target { path: path.to_owned(), notes });
    }
    let path = root.join(".env");
    match standing(&path) {
        Standing::Ignored | Standing::Unknown => Ok(Target { path, notes: Vec::new() }),
        Standing::NotIgnored => Ok(Target { notes: vec![not_ignored(&path)], path }),
        Standing::Tracked => beside_a_tracked_one(root),
    }
}

fn beside_a_tracked_one(root: &Path) -> Result<Target, Failure> {
    let path = root.join(".env.local");
    let mut notes = vec![
        Diagnostic::note("env-file-tracked", "`.env.local` is written, because git tracks `.env`")
            .help("make your app read `.env.local` after `.env`, or `git rm --cached .env`"),
    ];
    match standing(&path) {
        Standing::Tracked => {
            return Err(Failure::new(
                Exit::Failed,
                Diagnostic::error("env-file-tracked", "git tracks both `.env` and `.env.local`")
                    .because("the variables hold local passwords, which have no place in a commit")
                    .help("write another file: `--env-file PATH`")
                    .help("or stop tracking one of them: `git rm --cached .env`"),
            ));
        }
        Standing::NotIgnored => notes.push(not_ignored(&path)),
        Standing::Ignored | Standing::Unknown => {}
    }
    Ok(Target { path, notes })
}

fn not_ignored(path: &Path) -> Diagnostic {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Diagnostic::warning("env-file-not-ignored", format!("git does not ignore `{name}`"))
        .because("it holds local passwords and could be committed by accident")
        .help(format!("add a line `{name}` to `.gitignore`"))
}

/// How git stands to the file at this path, which need not exist.
pub fn standing(path: &Path) -> Standing {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name() else { return Standing::Unknown };
    if !in_repository(folder) {
        return Standing::Unknown;
    }
    // Side by side: two processes take no longer than one.
    let tracked = git(folder, &["--literal-pathspecs", "ls-files", "--error-unmatch", "--"], name);
    let ignored = git(folder, &["check-ignore", "--quiet", "--"], name);
    match (tracked.and_then(exit_code), ignored.and_then(exit_code)) {
        (Some(0), _) => Standing::Tracked,
        (_, Some(0)) => Standing::Ignored,
        (_, Some(1)) => Standing::NotIgnored,
        _ => Standing::Unknown,
    }
}

fn git(folder: &Path, arguments: &[&str], name: &OsStr) -> Option<Child> {
    let mut command = command(folder)?;
    command.args(arguments).arg(name).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().ok()
}

fn exit_code(mut child: Child) -> Option<i32> {
    child.wait().ok()?.code()
}
