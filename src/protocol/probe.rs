//! The result of a probe: the proof, or the reason why there is none.

use std::io;

/// A completed round trip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// A description for people: `logged in`, `answers`, `answers HTTP`, `accepts connections`.
    pub words: &'static str,
    /// The server's version as the server reports it (`15.18`), if the protocol carries the version.
    pub server_version: Option<String>,
}

/// Why a login or round trip failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeError {
    /// The kind of fault, as far as it decides the next step.
    pub fault: Fault,
    /// The server's own words or the connection's error: one line, without control characters and secrets.
    pub message: String,
}

/// The kinds of fault of a failed probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server is not up yet, or still starting: another attempt can succeed.
    NotYet,
    /// The server refused the login: name, password, or a missing database or vhost.
    Login,
    /// Another fault, which another attempt will not fix.
    Other,
}

/// The maximum length of a message from a server, in characters.
const MAX_MESSAGE_LENGTH: usize = 300;

impl ProbeError {
    /// A fault with the server's words, made safe to show: a peer could send anything.
    pub(super) fn new(fault: Fault, words: impl AsRef<str>) -> Self {
        let turns = |letter| matches!(letter, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let printable = |letter: char| if letter.is_control() || turns(letter) { ' ' } else { letter };
        let message: String = words.as_ref().chars().take(MAX_MESSAGE_LENGTH).map(printable).collect();
        Self { fault, message: message.trim().to_owned() }
    }

    /// Whether the message has the maximum length, so that the server may have sent more.
    pub(super) fn is_cut(&self) -> bool {
        self.message.chars().count() >= MAX_MESSAGE_LENGTH
    }

    pub(super) fn not_yet(words: impl AsRef<str>) -> Self {
        Self::new(Fault::NotYet, words)
    }

    pub(super) fn login(words: impl AsRef<str>) -> Self {
        Self::new(Fault::Login, words)
    }

    pub(super) fn other(words: impl AsRef<str>) -> Self {
        Self::new(Fault::Other, words)
    }

    /// The peer's bytes make no sense in the protocol. The message does not quote them: the bytes of an echo would show
    /// a password.
    pub(super) fn foreign(protocol: &str) -> Self {
        Self::other(format!("the server there does not speak {protocol}"))
    }

    /// The connection ended where an answer was expected.
    pub(super) fn closed() -> Self {
        Self::not_yet("the connection was closed before the server answered")
    }
}

impl From<io::Error> for ProbeError {
    /// Any error that ends a connection can come from a server that is starting or stopping.
    fn from(error: io::Error) -> Self {
        let fault = match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::PermissionDenied => Fault::Other,
            _ => Fault::NotYet,
        };
        Self::new(fault, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_cannot_steer_the_terminal_or_fill_it() {
        let error = ProbeError::other(format!("\u{1b}[31mred\nline{}", "x".repeat(1000)));
        assert!(error.message.starts_with("[31mred line"), "{}", error.message);
        assert!(error.message.chars().count() <= MAX_MESSAGE_LENGTH);
        assert!(!error.message.contains(char::is_control));
    }

    #[test]
    fn a_connection_that_breaks_is_worth_another_try() {
        for kind in [io::ErrorKind::ConnectionRefused, io::ErrorKind::ConnectionReset, io::ErrorKind::UnexpectedEof] {
            assert_eq!(ProbeError::from(io::Error::from(kind)).fault, Fault::NotYet);
        }
        assert_eq!(ProbeError::from(io::Error::from(io::ErrorKind::InvalidInput)).fault, Fault::Other);
    }
}
