//! Faults of operations on the engine. Every fault names the operation and holds the engine's message.

use super::deadline::NoAnswer;
use crate::model::{Diagnostic, Exit, Failure, Reason};
use bollard::errors::Error;
use std::error::Error as _;
use std::fmt;
use std::io;

/// An operation that the engine did not carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineError {
    /// The operation, as words that follow `could not`: `start the container shop-db`.
    pub operation: String,
    /// The kind of fault, as far as it decides what to do next.
    pub kind: EngineFault,
    /// The engine's own message. It contains no variable and no file content: the engine never repeats those.
    pub message: String,
    /// Further notes about the fault.
    pub notes: Vec<String>,
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineFault {
    /// No such container, image, network or volume.
    NotFound,
    /// The name is taken, or the resource is in use.
    Conflict,
    /// Another program has the port that was to be published.
    PortTaken,
    /// The connection to the engine failed: the engine went away.
    Gone,
    /// The engine's disk is full.
    NoSpace,
    /// Every address range that the engine has for networks is in use.
    NoAddresses,
    /// No answer in time.
    TimedOut,
    /// The operating system denies this user access to the engine.
    Denied,
    /// Any other fault. The message describes it.
    Other,
}

impl EngineError {
    /// A fault that devenv finds itself, not the engine.
    pub(super) fn new(operation: impl Into<String>, kind: EngineFault, message: impl Into<String>) -> Self {
        Self { operation: operation.into(), kind, message: message.into(), notes: Vec::new() }
    }

    /// Classifies an error of bollard.
    pub(super) fn read(operation: impl Into<String>, error: &Error) -> Self {
        let (kind, message) = match error {
            Error::DockerResponseServerError { status_code, message } => {
                (by_status(*status_code, message), message.clone())
            }
            Error::DockerStreamError { error } => (by_message(error).unwrap_or(EngineFault::Other), error.clone()),
            Error::RequestTimeoutError => (EngineFault::TimedOut, "it did not answer in time".to_owned()),
            Error::HyperLegacyError { .. } | Error::HyperResponseError { .. } | Error::IOError { .. } => {
                let denied = io_kind(error) == Some(io::ErrorKind::PermissionDenied);
                (if denied { EngineFault::Denied } else { EngineFault::Gone }, innermost(error))
            }
            other => (EngineFault::Other, innermost(other)),
        };
        Self { operation: operation.into(), kind, message: message.trim().to_owned(), notes: Vec::new() }
    }

    /// The engine gave no answer in time.
    pub(super) fn unanswered(operation: impl Into<String>, why: NoAnswer) -> Self {
        Self::new(operation, EngineFault::TimedOut, why.text())
    }

    /// Whether the resource does not exist.
    pub fn is_not_found(&self) -> bool {
        self.kind == EngineFault::NotFound
    }

    /// The fault as a failure with a message, for callers that have no better message.
    pub fn into_failure(self) -> Failure {
        let Self { operation, kind, message, notes } = self;
        let (exit, code, help) = match kind {
            EngineFault::Gone => (
                Exit::Engine,
                "engine-gone",
                "check whether Docker still runs (`docker info`), then run the command again: it goes on where this one stopped",
            ),
            EngineFault::TimedOut => (
                Exit::Engine,
                "engine-silent",
                "`devenv doctor` asks it again; once it answers, run the command again: it goes on where this one stopped",
            ),
            EngineFault::Denied => (
                Exit::Engine,
                "engine-denied",
                "give this user access to the engine: `devenv doctor` says which engine",
            ),
            EngineFault::NoSpace => (
                Exit::Failed,
                "engine-disk-full",
                "make room on the engine's disk: `docker system df` shows what takes it",
            ),
            EngineFault::NoAddresses => (
                Exit::Failed,
                "engine-addresses",
                "`devenv gc` removes the leftovers of killed runs, `devenv down` in a project frees its network, and \
                 `docker network prune` removes every network that no container uses",
            ),
            EngineFault::PortTaken => {
                (Exit::Failed, "port-taken", "stop the program that has the port, or choose another port")
            }
            EngineFault::NotFound | EngineFault::Conflict => {
                (Exit::Failed, "engine-changed", "something else changed it meanwhile: run the command again")
            }
            EngineFault::Other => (Exit::Failed, "engine-refused", "`devenv doctor` shows what the engine is"),
        };
        let what = match kind {
            EngineFault::Gone => format!("the engine went away when it was to {operation}"),
            EngineFault::NoAddresses => {
                format!("the engine could not {operation}: its address pools for networks are used up")
            }
            EngineFault::TimedOut => format!("the engine gave no answer when it was to {operation}"),
            _ => format!("the engine could not {operation}"),
        };
        let because = match kind {
            EngineFault::TimedOut => message,
            _ => format!("the engine says: {message}"),
        };
        let mut diagnostic = Diagnostic::error(code, what).because(because).help(help);
        for note in notes {
            diagnostic = diagnostic.because(note);
        }
        match kind {
            EngineFault::TimedOut => diagnostic = diagnostic.help(RESTART),
            EngineFault::NoAddresses => diagnostic = diagnostic.help(MORE_ADDRESSES),
            _ => {}
        }
        let is_overtaken = matches!(kind, EngineFault::NotFound | EngineFault::Conflict);
        Failure::new(exit, diagnostic).because_of(if is_overtaken { Reason::Overtaken } else { Reason::Final })
    }
}

/// For an engine without addresses for another network.
const MORE_ADDRESSES: &str = "or give it more: `\"default-address-pools\": [{\"base\": \"10.201.0.0/16\", \"size\": 24}]` in \
     /etc/docker/daemon.json (Docker Desktop: Settings, Docker Engine; Podman: `default_subnet_pools` in \
     containers.conf), then restart it";

/// For an engine that hangs.
pub(super) const RESTART: &str = "restart the engine if it stays silent: `sudo systemctl restart docker`, or quit and open Docker Desktop \
     (or OrbStack, Colima, Rancher Desktop)";

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.operation, self.message)
    }
}

impl std::error::Error for EngineError {}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        error.into_failure()
    }
}

fn by_status(status: u16, message: &str) -> EngineFault {
    by_message(message).unwrap_or(match status {
        404 => EngineFault::NotFound,
        409 => EngineFault::Conflict,
        _ => EngineFault::Other,
    })
}

/// Parts of the messages of Docker and Podman about conflicts. Podman has no status code of its own for conflicts.
const CONFLICTS: &[&str] =
    &["volume is in use", "volume is being used", "has active endpoints", "is already in use by", "is being used"];

/// Parts of the messages of Docker up to 26, of later Docker releases, and of Podman.
const NO_ADDRESSES: &[&str] = &[
    "could not find an available, non-overlapping ipv4 address pool",
    "all predefined address pools have been fully subnetted",
    "could not find free subnet",
];

/// The short form of an engine's id that people know: its first twelve digits. Names stay as they are.
pub(super) fn brief(id: &str) -> &str {
    match id.get(..12) {
        Some(short) if id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => short,
        _ => id,
    }
}

/// Recognises faults that engines report with status 500 or within a stream, so that only the message identifies them.
fn by_message(message: &str) -> Option<EngineFault> {
    let words = message.to_ascii_lowercase();
    let says = |part: &str| words.contains(part);
    if says("port is already allocated") || says("address already in use") || says("ports are not available") {
        Some(EngineFault::PortTaken)
    } else if says("no space left on device") {
        Some(EngineFault::NoSpace)
    } else if NO_ADDRESSES.iter().any(|part| says(part)) {
        Some(EngineFault::NoAddresses)
    } else if CONFLICTS.iter().any(|part| says(part)) {
        Some(EngineFault::Conflict)
    } else {
        None
    }
}

/// The first input/output error among an error's causes.
pub(super) fn io_kind(error: &Error) -> Option<io::ErrorKind> {
    // This variant reports the source of its I/O error as its own source, so the loop would skip the I/O error.
    if let Error::IOError { err } = error {
        return Some(err.kind());
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}

/// The message of an error's innermost cause. The outer messages only say that there is a cause.
pub(super) fn innermost(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status_code: u16, message: &str) -> EngineFault {
        let error = Error::DockerResponseServerError { status_code, message: message.to_owned() };
        EngineError::read("start the container x", &error).kind
    }

    #[test]
    fn the_engine_s_words_decide_where_its_status_does_not() {
        let taken = "driver failed programming external connectivity on endpoint x: Bind for 127.0.0.1:1 failed: port is already allocated";
        let proxy = "Error starting userland proxy: listen tcp4 127.0.0.1:1: bind: address already in use";
        let disk = "failed to register layer: write /x: no space left on device";
        assert_eq!(kind(500, taken), EngineFault::PortTaken);
        assert_eq!(kind(500, proxy), EngineFault::PortTaken);
        assert_eq!(kind(500, disk), EngineFault::NoSpace);
        assert_eq!(kind(500, "the container name \"/x\" is already in use by container 1"), EngineFault::Conflict);
        assert_eq!(kind(404, "No such container: x"), EngineFault::NotFound);
        for pools in [
            "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
            "all predefined address pools have been fully subnetted",
            "could not find free subnet from subnet pools",
        ] {
            assert_eq!(kind(500, pools), EngineFault::NoAddresses, "{pools}");
        }
        assert_eq!(kind(500, "something else"), EngineFault::Other);
    }

    #[test]
    fn an_engine_that_went_away_ends_with_the_engine_s_exit_code() {
        let reset = Error::IOError { err: io::Error::from(io::ErrorKind::ConnectionReset) };
        let failure = EngineError::read("list the containers", &reset).into_failure();
        assert_eq!(failure.exit, Exit::Engine);
        assert_eq!(failure.diagnostics[0].message, "the engine went away when it was to list the containers");
    }
}
