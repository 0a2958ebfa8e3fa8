//! The progress of a pull, summed over the layers of an image.

use bollard::models::CreateImageInfo;
use std::collections::BTreeMap;
use std::time::Duration;

/// A change in the progress of a pull that a person may want to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Bytes downloaded so far, and the total as far as it is known.
    Bytes { done: u64, total: u64 },
    /// A layer failed, and the engine waits before it tries again by itself.
    EngineRetries { wait: Duration },
}

/// The layers of one pull.
#[derive(Default)]
pub(super) struct Layers {
    /// Downloaded bytes and total bytes, by layer. Layers that the engine already had are not included.
    downloads: BTreeMap<String, (u64, u64)>,
    /// The digest that the registry gave.
    pub(super) digest: Option<String>,
    /// Whether the engine has retried a layer.
    pub(super) engine_retried: bool,
    waiting: bool,
}

impl Layers {
    /// Reads a message of the engine and returns the news in it, if any.
    pub(super) fn take(&mut self, said: &CreateImageInfo) -> Option<News> {
        let status = said.status.as_deref().unwrap_or_default();
        if let Some(digest) = status.strip_prefix("Digest: ") {
            self.digest = Some(digest.trim().to_owned());
            return None;
        }
        if let Some(wait) = status.strip_prefix("Retrying in ") {
            // The engine counts down second by second. One report is enough.
            let first = !std::mem::replace(&mut self.waiting, true);
            self.engine_retried = true;
            let seconds = wait.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
            return first.then_some(News::EngineRetries { wait: Duration::from_secs(seconds) });
        }
        let id = said.id.as_deref().filter(|id| !id.is_empty())?;
        let before = (self.done(), self.bytes());
        match status {
            "Downloading" => {
                self.waiting = false;
                let detail = said.progress_detail.as_ref()?;
                let number = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
                let (done, total) = (number(detail.current), number(detail.total));
                self.downloads.insert(id.to_owned(), (done, total.max(done)));
            }
            "Verifying Checksum" | "Download complete" | "Pull complete" => {
                self.waiting = false;
                if let Some((done, total)) = self.downloads.get_mut(id) {
                    *done = *total;
                }
            }
            _ => return None,
        }
        let now = (self.done(), self.bytes());
        (now != before).then_some(News::Bytes { done: now.0, total: now.1 })
    }

    /// Bytes of all layers that had to be downloaded.
    pub(super) fn bytes(&self) -> u64 {
        self.downloads.values().map(|(_, total)| total).sum()
    }

    fn done(&self) -> u64 {
        self.downloads.values().map(|(done, _)| done).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ProgressDetail;

    fn said(id: &str, status: &str, progress: Option<(i64, i64)>) -> CreateImageInfo {
        CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: progress
                .map(|(current, total)| ProgressDetail { current: Some(current), total: Some(total) }),
            error_detail: None,
        }
    }

    #[test]
    fn bytes_are_added_up_over_the_layers() {
        let mut layers = Layers::default();
        let bytes = |done, total| Some(News::Bytes { done, total });
        assert_eq!(layers.take(&said("16", "Pulling from library/x", None)), None);
        assert_eq!(layers.take(&said("a", "Pulling fs layer", None)), None);
        assert_eq!(layers.take(&said("a", "Downloading", Some((10, 100)))), bytes(10, 100));
        assert_eq!(layers.take(&said("b", "Downloading", Some((1, 50)))), bytes(11, 150));
        assert_eq!(layers.take(&said("b", "Downloading", Some((1, 50)))), None);
        assert_eq!(layers.take(&said("c", "Already exists", None)), None);
        assert_eq!(layers.take(&said("a", "Download complete", None)), bytes(101, 150));
        assert_eq!(layers.take(&said("a", "Extracting", Some((3, 100)))), None);
        assert_eq!(layers.take(&said("b", "Verifying Checksum", None)), bytes(150, 150));
        assert_eq!(layers.bytes(), 150);
    }

    #[test]
    fn the_engine_s_own_retries_are_reported_once_each() {
        let mut layers = Layers::default();
        let retry = |wait| Some(News::EngineRetries { wait: Duration::from_secs(wait) });
        assert_eq!(layers.take(&said("a", "Retrying in 5 seconds", None)), retry(5));
        assert_eq!(layers.take(&said("a", "Retrying in 4 seconds", None)), None);
        layers.take(&said("a", "Downloading", Some((1, 2))));
        assert_eq!(layers.take(&said("a", "Retrying in 10 seconds", None)), retry(10));
        assert!(layers.engine_retried);
    }
}
