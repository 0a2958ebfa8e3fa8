//! Ends a run early without leaving the engine in the middle of something.

use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// A run that is asked to stop begins no further steps and abandons steps that only wait. It waits for operations that
/// the engine is carrying out: the engine finishes a request even if no client reads the answer, and the result would
/// appear after a teardown.
#[derive(Debug, Default)]
pub struct Stop {
    asked: AtomicBool,
    notify: Notify,
}

impl Stop {
    /// Asks the run to stop.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    /// Whether the run was asked to stop.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Ends when the run is asked to stop.
    pub(super) async fn wait(&self) {
        // Enabled before the check, so that a request between the two is not missed.
        let mut notify = std::pin::pin!(self.notify.notified());
        notify.as_mut().enable();
        if !self.is_asked() {
            notify.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_hears_it_whether_it_was_asked_before_or_after() {
        let stop = Stop::default();
        tokio::join!(stop.wait(), async { stop.ask() });
        assert!(stop.is_asked());
        stop.wait().await;
    }
}
