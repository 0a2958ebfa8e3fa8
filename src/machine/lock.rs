//! The lock that allows only one `up` at a time in one checkout.

use crate::model::{Diagnostic, Exit, Failure};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Held while an environment is changed. The system releases the lock when the process ends, however it ends.
///
/// The file holds the time since when the lock is held, in seconds since 1970, and is empty after the lock was
/// released. So the next holder sees that the last holder was killed, and that the engine may still be carrying out
/// requests of that holder.
#[derive(Debug)]
pub struct CheckoutLock {
    file: File,
    /// If the last holder was killed: the start of the first holder that was killed since a holder last ended normally.
    pub interrupted: Option<SystemTime>,
}

impl CheckoutLock {
    /// Takes the environment's lock. If another process holds it, `on_wait` is called once before waiting.
    pub fn acquire(folder: &Path, environment: &str, on_wait: impl FnOnce()) -> Result<Self, Failure> {
        if let Some(lock) = Self::try_acquire(folder, environment)? {
            return Ok(lock);
        }
        on_wait();
        let path = path_of(folder, environment);
        let file = open(&path).and_then(|file| file.lock().map(|()| file)).map_err(|error| refusal(&path, &error))?;
        Self::held(file, &path)
    }

    /// Takes the lock if neither another process nor this one holds it.
    pub fn try_acquire(folder: &Path, environment: &str) -> Result<Option<Self>, Failure> {
        let path = path_of(folder, environment);
        let file = open(&path).map_err(|error| refusal(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Self::held(file, &path).map(Some),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(refusal(&path, &error)),
        }
    }

    fn held(mut file: File, path: &Path) -> Result<Self, Failure> {
        let refuse = |error: std::io::Error| refusal(path, &error);
        let mut said = String::new();
        file.read_to_string(&mut said).map_err(refuse)?;
        let interrupted = said.parse().ok().map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
        if interrupted.is_none() {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            rewrite(&mut file, &now.as_secs().to_string()).map_err(refuse)?;
        }
        Ok(Self { file, interrupted })
    }
}

fn refusal(path: &Path, error: &std::io::Error) -> Failure {
    let diagnostic = Diagnostic::error("lock", format!("cannot lock this environment with {}", path.display()));
    Failure::new(Exit::Failed, diagnostic.because(error.to_string()))
}

impl Drop for CheckoutLock {
    fn drop(&mut self) {
        // If this fails, the next holder asks the engine one question more than necessary.
        let _ = rewrite(&mut self.file, "");
    }
}

fn rewrite(file: &mut File, text: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
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
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
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
        assert!(CheckoutLock::try_acquire(folder.path(), "shop-1").unwrap().is_none());
        assert!(!is_held(folder.path(), "shop-2"));
        assert!(CheckoutLock::try_acquire(folder.path(), "shop-2").unwrap().is_some());
        drop(lock);
        assert!(!is_held(folder.path(), "shop-1"));
    }

    #[test]
    fn a_holder_that_was_killed_is_seen_by_the_next_until_one_comes_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let take = || CheckoutLock::acquire(folder.path(), "shop-1", || {}).unwrap();
        let first = take();
        assert_eq!(first.interrupted, None);
        let kept = fs::read(path_of(folder.path(), "shop-1")).unwrap();
        drop(first);
        assert_eq!(take().interrupted, None, "it came to its end");
        fs::write(path_of(folder.path(), "shop-1"), kept).unwrap();
        let second = take();
        let since = second.interrupted.unwrap();
        assert!(since.elapsed().unwrap() < Duration::from_mins(10), "{since:?}");
        let kept = fs::read(path_of(folder.path(), "shop-1")).unwrap();
        drop(second);
        fs::write(path_of(folder.path(), "shop-1"), kept).unwrap();
        assert_eq!(take().interrupted, Some(since), "killed twice: since the first time");
        fs::write(path_of(folder.path(), "shop-1"), "garbage").unwrap();
        assert_eq!(take().interrupted, None);
    }
}
