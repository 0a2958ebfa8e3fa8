//! One `up` at a time in one checkout.

use crate::model::{Diagnostic, Exit, Failure};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// Held while an environment is changed; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct CheckoutLock {
    _file: File,
}

impl CheckoutLock {
    /// Takes the environment's lock. Where another process has it, `on_wait` is called once before waiting.
    pub fn acquire(folder: &Path, environment: &str, on_wait: impl FnOnce()) -> Result<Self, Failure> {
        let path = path_of(folder, environment);
        let refuse = |error: std::io::Error| {
            Failure::new(
                Exit::Failed,
                Diagnostic::error("lock", format!("cannot lock this environment with {}", path.display()))
                    .because(error.to_string()),
            )
        };
        let file = open(&path).map_err(refuse)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                on_wait();
                file.lock().map_err(refuse)?;
            }
            Err(TryLockError::Error(error)) => return Err(refuse(error)),
        }
        Ok(Self { _file: file })
    }
}

/// Whether some process holds the environment's lock now.
pub fn is_held(folder: &Path, environment: &str) -> bool {
    let path = path_of(folder, environment);
    path.exists() && open(&path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn path_of(folder: &Path, environment: &str) -> PathBuf {
    folder.join("locks").join(environment)
}

fn open(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_held(folder.path(), "shop-1"));
        let lock = CheckoutLock::acquire(folder.path(), "shop-1", || panic!("nobody else has it")).unwrap();
        assert!(is_held(folder.path(), "shop-1"));
        assert!(!is_held(folder.path(), "shop-2"));
        drop(lock);
        assert!(!is_held(folder.path(), "shop-1"));
    }
}
