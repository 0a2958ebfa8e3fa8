//! Ends a run early without leaving the engine in the middle of something.

use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Asked to stop, a run begins nothing more and gives up what only waits. What the engine is carrying out is waited
/// for: a request whose answer nobody hears is carried out all the same, and would come behind a teardown's back.
#[derive(Debug, Default)]
pub struct Stop {
    asked: AtomicBool,
    told: Notify,
}

impl Stop {
    /// Asks the run to stop.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        self.told.notify_waiters();
    }

    /// Whether it was asked to.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Ends when it is asked to.
    pub(super) async fn wait(&self) {
        // Enabled before the look, so that what is asked in between is not missed.
        let mut told = std::pin::pin!(self.told.notified());
        told.as_mut().enable();
        if !self.is_asked() {
            told.await;
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
