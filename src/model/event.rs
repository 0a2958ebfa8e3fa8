//! Events of carrying out a plan, which `ui/` shows.

use super::Diagnostic;
use std::time::Duration;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A service changed its state.
    Service {
        /// The service's name.
        name: String,
        /// Its new state.
        state: ServiceState,
    },
    /// The pull of an image made progress.
    Pull {
        /// The image as declared.
        image: String,
        /// The services that wait for it.
        services: Vec<String>,
        /// The progress.
        progress: PullProgress,
    },
    /// A message for the user, not tied to the end of the run.
    Message(Diagnostic),
}

/// A service on its way to being ready.
#[derive(Clone, Debug, PartialEq)]
pub enum ServiceState {
    /// Its container is removed so that a new container can replace it; the text is the reason.
    Replacing(String),
    /// Its container is created and started.
    Starting,
    /// Its seeds are loaded.
    Seeding {
        /// The file or the command.
        what: String,
        /// Bytes done.
        done: u64,
        /// Bytes in total; 0 if the total is not known.
        total: u64,
    },
    /// The server runs; no login has worked yet. The text is the error of the last attempt.
    LoggingIn(String),
    /// Logged in, one round trip done.
    Ready {
        /// From the start of the command.
        took: Duration,
        /// `127.0.0.1:24310`.
        address: String,
        /// The proof that it is ready: `logged in`, `answers HTTP`.
        proof: String,
        /// Whether the service was already running and nothing was changed.
        unchanged: bool,
    },
    /// The service will not become ready; the failure follows at the end.
    Failed,
}

/// The progress of an image's pull, in bytes over all layers.
#[derive(Clone, Debug, PartialEq)]
pub enum PullProgress {
    /// Bytes so far, and the total as far as the registry has reported it.
    Bytes {
        /// Done.
        done: u64,
        /// Bytes in total; 0 while unknown.
        total: u64,
    },
    /// A temporary failure; devenv tries again after the wait.
    Retry {
        /// The error.
        error: String,
        /// How long until the next try.
        wait: Duration,
    },
    /// The image is complete.
    Done {
        /// Bytes downloaded.
        bytes: u64,
    },
}
