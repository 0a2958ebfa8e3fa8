//! The programs of this machine that devenv runs: how they are found, and the PATH that they get.
//!
//! devenv runs no program of a checkout, and a program that devenv runs cannot find another program there. A clone may
//! contain its own `git` or `node`, and a relative or added entry of PATH may lead to it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The result of a look-up on PATH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OnPath {
    /// A program of this machine.
    Machine(PathBuf),
    /// The first program of that name is in the checkout. A shell would run it, but devenv never does.
    Checkout(PathBuf),
    /// There is no such program.
    Missing,
}

/// The programs of this machine, as seen from a checkout.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    folder: PathBuf,
    checkout: PathBuf,
    path: OsString,
}

impl Programs {
    /// The programs on the PATH of this process, as seen from that folder.
    pub(crate) fn seen_from(folder: &Path) -> Self {
        Self::on(&std::env::var_os("PATH").unwrap_or_default(), folder)
    }

    /// The programs on the given PATH, as seen from that folder.
    pub(super) fn on(path: &OsStr, folder: &Path) -> Self {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Self { checkout: checkout_of(&folder), folder, path: path.to_owned() }
    }

    /// The first program of that name.
    pub(crate) fn find(&self, name: &str) -> OnPath {
        let Ok(program) = which::which_in(name, Some(&self.path), &self.folder) else { return OnPath::Missing };
        if self.is_of_checkout(&program) { OnPath::Checkout(program) } else { OnPath::Machine(program) }
    }

    /// Whether a path is in the checkout, either the path itself or the target of its links.
    pub(crate) fn is_of_checkout(&self, path: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().is_ok_and(|real| real.starts_with(&self.checkout));
        real(path) || path.parent().is_some_and(real)
    }

    /// A command that runs the program. Its PATH has no folder of the checkout, so that programs that it starts are not
    /// looked up there.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let outside = |entry: &PathBuf| entry.is_absolute() && !self.is_of_checkout(&entry.join("any"));
        let path = std::env::join_paths(std::env::split_paths(&self.path).filter(outside)).unwrap_or_default();
        let mut command = Command::new(program);
        command.env("PATH", path);
        command
    }
}

/// The checkout that a folder belongs to: git's top level, else the folder itself. A home folder under git is no
/// checkout: the programs that are installed there belong to the user.
fn checkout_of(folder: &Path) -> PathBuf {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let home = dirs::home_dir().and_then(|home| home.canonicalize().ok());
    let top = folder.ancestors().find(|folder| folder.join(".git").exists());
    let is_home = |top: &&Path| home.as_ref().is_some_and(|home| home.starts_with(top));
    top.filter(|top| !is_home(top)).unwrap_or(&folder).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn program(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_program_of_the_checkout_is_none_of_the_machine_however_path_leads_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (checkout, bin) = (root.join("shop"), root.join("bin"));
        std::fs::create_dir_all(checkout.join(".git")).unwrap();
        program(&checkout.join("web/node_modules/.bin/git"));
        program(&bin.join("git"));
        program(&bin.join("other"));
        std::os::unix::fs::symlink(checkout.join("web/node_modules/.bin"), root.join("link")).unwrap();
        std::os::unix::fs::symlink(checkout.join("web/node_modules/.bin/git"), bin.join("wrapper")).unwrap();
        let web = checkout.join("web");
        let find = |first: &str, name: &str| {
            let path = std::env::join_paths([Path::new(first), &bin]).unwrap();
            Programs::on(&path, &web).find(name)
        };
        let absolute = web.join("node_modules/.bin").display().to_string();
        for first in ["node_modules/.bin", "./node_modules/.bin", &absolute, &root.join("link").display().to_string()] {
            assert!(matches!(find(first, "git"), OnPath::Checkout(_)), "{first}");
            assert_eq!(find(first, "other"), OnPath::Machine(bin.join("other")), "{first}");
        }
        assert!(matches!(find("nowhere", "wrapper"), OnPath::Checkout(_)));
        assert_eq!(find("nowhere", "git"), OnPath::Machine(bin.join("git")));
        assert_eq!(find("nowhere", "absent"), OnPath::Missing);
    }

    #[test]
    fn programs_that_a_program_starts_are_not_looked_up_in_the_checkout() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("shop/.git")).unwrap();
        std::fs::create_dir_all(root.join("shop/bin")).unwrap();
        let path = format!("bin:.::{0}/shop/bin:{0}/bin:/usr/bin", root.display());
        let command = Programs::on(OsStr::new(&path), &root.join("shop")).command(Path::new("/bin/true"));
        let given = command.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap();
        assert_eq!(given.to_str().unwrap(), format!("{}/bin:/usr/bin", root.display()));
    }
}
