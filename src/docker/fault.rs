//! What the engine would not do, and what to make of it.

use crate::model::{Diagnostic, Exit, Failure};
use bollard::errors::Error;

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineError {
    /// What was to be done, after "could not": `start the container of db`.
    pub operation: String,
    /// What to make of it.
    pub kind: ErrorKind,
    /// The engine's own words.
    pub message: String,
}

/// What to make of a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no such thing.
    NotFound,
    /// Something of that name is there already, or is in use.
    Conflict,
    /// The port to be published is held by something else.
    PortTaken,
    /// The engine does not answer any more.
    Gone,
    /// The engine's disk is full.
    NoSpace,
    /// Anything else.
    Other,
}

impl EngineError {
    pub(super) fn new(operation: impl Into<String>, error: &Error) -> Self {
        let message = words(error);
        let kind = match error {
            _ if is_no_space(&message) => ErrorKind::NoSpace,
            _ if is_port_taken(&message) => ErrorKind::PortTaken,
            Error::DockerResponseServerError { status_code: 404, .. } => ErrorKind::NotFound,
            Error::DockerResponseServerError { status_code: 409, .. } => ErrorKind::Conflict,
            Error::DockerResponseServerError { .. }
            | Error::DockerStreamError { .. }
            | Error::DockerContainerWaitError { .. } => ErrorKind::Other,
            Error::JsonDataError { .. } | Error::JsonSerdeError { .. } | Error::URLEncodedError { .. } => {
                ErrorKind::Other
            }
            // What is left are faults of the connection: closed, reset, refused, timed out.
            _ => ErrorKind::Gone,
        };
        Self { operation: operation.into(), kind, message }
    }
}

/// The engine's words without bollard's wrapping, with the causes behind an opaque error.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.clone(),
        Error::DockerStreamError { error } | Error::DockerContainerWaitError { error, .. } => error.clone(),
        other => {
            let mut text = other.to_string();
            let mut cause = std::error::Error::source(other);
            while let Some(inner) = cause {
                let inner_text = inner.to_string();
                if !text.contains(&inner_text) {
                    text = format!("{text}: {inner_text}");
                }
                cause = inner.source();
            }
            text
        }
    }
}

fn is_port_taken(message: &str) -> bool {
    ["port is already allocated", "address already in use", "ports are not available"]
        .iter()
        .any(|words| message.contains(words))
}

pub(super) fn is_no_space(message: &str) -> bool {
    message.contains("no space left on device") || message.contains("disk quota exceeded")
}

/// A failed call as the end of a command.
pub fn failure(error: &EngineError) -> Failure {
    let exit = if error.kind == ErrorKind::Gone { Exit::Engine } else { Exit::Failed };
    Failure::new(
        exit,
        Diagnostic::error("engine", format!("the engine could not {}", error.operation))
            .because(error.message.clone())
            .help("`devenv doctor` checks the engine"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(status_code: u16, message: &str) -> EngineError {
        EngineError::new("start it", &Error::DockerResponseServerError { status_code, message: message.to_owned() })
    }

    #[test]
    fn what_the_engine_says_decides_the_kind() {
        assert_eq!(server(404, "No such container: x").kind, ErrorKind::NotFound);
        assert_eq!(server(409, "Conflict. The name is in use").kind, ErrorKind::Conflict);
        let taken = "driver failed programming external connectivity on endpoint x: Bind for 127.0.0.1:24310 failed: port is already allocated";
        assert_eq!(server(500, taken).kind, ErrorKind::PortTaken);
        assert_eq!(server(500, "write /var/lib/x: no space left on device").kind, ErrorKind::NoSpace);
        assert_eq!(server(500, "something else").kind, ErrorKind::Other);
        let reset = Error::IOError { err: std::io::ErrorKind::ConnectionReset.into() };
        assert_eq!(EngineError::new("start it", &reset).kind, ErrorKind::Gone);
    }
}
