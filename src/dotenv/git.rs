//! The git status of an env file.
//!
//! devenv asks the `git` on PATH. Without git, or outside a repository, the status is unknown and no warning is needed.

use crate::machine::git::{command, in_repository};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Stdio};

/// The git status of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitStatus {
    /// The file is in the index.
    Tracked,
    /// An ignore rule matches the file.
    Ignored,
    /// `git add .` would add the file.
    NotIgnored,
    /// There is no repository or no git, or git gives no clear answer.
    Unknown,
}

/// Returns the git status of the file at this path. The file need not exist.
pub fn status(path: &Path) -> GitStatus {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name() else { return GitStatus::Unknown };
    if !in_repository(folder) {
        return GitStatus::Unknown;
    }
    // Both run at the same time: two processes take no longer than one.
    let tracked = git(folder, &["--literal-pathspecs", "ls-files", "--error-unmatch", "--"], name);
    let ignored = git(folder, &["check-ignore", "--quiet", "--"], name);
    match (tracked.and_then(exit_code), ignored.and_then(exit_code)) {
        (Some(0), _) => GitStatus::Tracked,
        (_, Some(0)) => GitStatus::Ignored,
        (_, Some(1)) => GitStatus::NotIgnored,
        _ => GitStatus::Unknown,
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
