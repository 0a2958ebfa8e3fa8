//! What happens while a plan is carried out; `ui/` shows it.

use super::Diagnostic;
use std::time::Duration;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A service changed its state.
    Service {
        /// The service's name.
        name: String,
        /// What it does now.
        state: ServiceState,
    },
    /// An image's pull went on.
    Pull {
        /// The image as declared.
        image: String,
        /// The services that wait for it.
        services: Vec<String>,
        /// How far it is.
        progress: PullProgress,
    },
    /// Something a person should know, not tied to the end of the run.
    Message(Diagnostic),
}

/// A service on its way to being ready.
#[derive(Clone, Debug, PartialEq)]
pub enum ServiceState {
    /// Its container is removed so that another can take its place; the text says why.
    Replacing(String),
    /// Its container is made and started.
    Starting,
    /// Its seeds are put in.
    Seeding {
        /// The file or the command.
        what: String,
        /// Bytes done.
        done: u64,
        /// In all; 0 where that is not known.
        total: u64,
    },
    /// It runs; logging in has not worked yet. The text is the last try's error.
    LoggingIn(String),
    /// Logged in, one round trip done.
    Ready {
        /// From the start of the command.
        took: Duration,
        /// `127.0.0.1:24310`.
        address: String,
        /// What was done to prove it: `logged in`, `answers HTTP`.
        proof: String,
        /// Whether it was running already and nothing was changed.
        unchanged: bool,
    },
    /// It will not come up; the failure follows at the end.
    Failed,
}

/// How far an image's pull is, in bytes over all layers.
#[derive(Clone, Debug, PartialEq)]
pub enum PullProgress {
    /// Bytes so far, and in all as far as the registry has said.
    Bytes {
        /// Done.
        done: u64,
        /// In all; 0 while unknown.
        total: u64,
    },
    /// A fault that passes; it is tried again after the wait.
    Retry {
        /// What went wrong.
        error: String,
        /// How long until the next try.
        wait: Duration,
    },
    /// It is here.
    Done {
        /// Bytes downloaded.
        bytes: u64,
    },
}
