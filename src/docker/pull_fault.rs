//! Why an image could not be pulled. Engines give the reason only in their messages. The parts of messages here are
//! those of Docker Engine (19.03 to 28, with and without containerd's store) and Podman.

use std::fmt;

/// An image that could not be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullFault {
    /// The kind of fault.
    pub kind: PullFaultKind,
    /// The requested image, by the name that was really requested: the mirror's name if a mirror is used.
    pub asked: String,
    /// The message of the engine or the registry.
    pub message: String,
    /// Further notes: that a credential helper failed, or that the pull was tried several times.
    pub notes: Vec<String>,
}

/// The kinds of faults of a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullFaultKind {
    /// The registry has no such image, or no such tag or digest of it.
    NotFound,
    /// The registry requires a login, or refuses the login that Docker has. Docker Hub also says this of images that do
    /// not exist.
    Unauthorized,
    /// The registry limits the number of requests (429).
    TooManyRequests,
    /// The registry failed (5xx).
    Server,
    /// A layer arrived incomplete, or does not match its digest.
    Short,
    /// The engine's disk is full.
    NoSpace,
    /// The registry cannot be reached.
    Network,
    /// The image does not exist for that platform.
    Platform,
    /// The engine went away.
    Engine,
    /// Anything else.
    Other,
}

impl PullFault {
    pub(super) fn new(kind: PullFaultKind, asked: &str, message: impl Into<String>) -> Self {
        Self { kind, asked: asked.to_owned(), message: message.into(), notes: Vec::new() }
    }

    /// Classifies the engine's message.
    pub(super) fn read(asked: &str, message: &str) -> Self {
        Self::new(kind_of(message), asked, message.trim())
    }

    /// Whether the same pull may succeed a little later.
    pub(super) fn is_transient(&self) -> bool {
        match self.kind {
            PullFaultKind::TooManyRequests | PullFaultKind::Server | PullFaultKind::Short => true,
            PullFaultKind::Network => {
                let words = self.message.to_ascii_lowercase();
                TRANSIENT.iter().any(|part| words.contains(part))
            }
            _ => false,
        }
    }
}

impl fmt::Display for PullFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.asked, self.message)
    }
}

impl std::error::Error for PullFault {}

/// Parts of messages about network faults that end by themselves, unlike a name that does not resolve or a port on
/// which no server listens.
const TRANSIENT: &[&str] = &[
    "timeout",
    "timed out",
    "deadline exceeded",
    "reset by peer",
    "broken pipe",
    "eof",
    "request canceled",
    "try again",
];

/// Parts of messages, with the kind of fault that they mean. The first part that is found counts, so more specific
/// parts come first.
const WORDS: &[(PullFaultKind, &[&str])] = &[
    (PullFaultKind::NoSpace, &["no space left on device"]),
    (
        PullFaultKind::TooManyRequests,
        &["toomanyrequests", "too many requests", "http 429", "status: 429", "status code 429", "pull rate limit"],
    ),
    (
        PullFaultKind::Platform,
        &[
            "no matching manifest for",
            "does not match the specified platform",
            "no match for platform",
            "no image found in manifest list",
        ],
    ),
    (
        PullFaultKind::Short,
        &[
            "unexpected eof",
            "verification failed",
            "short read",
            "failed size validation",
            "unexpected commit digest",
            "invalid checksum",
            "gzip: invalid",
            "archive/tar: invalid",
            "invalid tar header",
        ],
    ),
    (
        PullFaultKind::Unauthorized,
        &[
            "pull access denied",
            "unauthorized",
            "authentication required",
            "no basic auth credentials",
            "access to the resource is denied",
            "incorrect username or password",
            "http 401",
            "status: 401",
            "status code 401",
            "403 forbidden",
            "denied:",
        ],
    ),
    (
        PullFaultKind::NotFound,
        &[
            "manifest unknown",
            "not found",
            "name unknown",
            "repository does not exist",
            "http 404",
            "status: 404",
            "status code 404",
        ],
    ),
    (
        PullFaultKind::Server,
        &[
            "internal server error",
            "bad gateway",
            "service unavailable",
            "gateway time",
            "http status: 5",
            "status code 5",
            "http 5",
            "server error",
        ],
    ),
    (
        PullFaultKind::Network,
        &[
            "dial tcp",
            "timeout",
            "timed out",
            "deadline exceeded",
            "connection refused",
            "connection reset",
            "no such host",
            "broken pipe",
            "eof",
            "x509:",
            "certificate",
            "http response to https client",
            "request canceled",
            "proxyconnect",
            "network is unreachable",
            "no route to host",
            "lookup ",
        ],
    ),
];

fn kind_of(message: &str) -> PullFaultKind {
    let words = message.to_ascii_lowercase();
    WORDS
        .iter()
        .find(|(_, parts)| parts.iter().any(|part| words.contains(part)))
        .map_or(PullFaultKind::Other, |(kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_messages_of_engines_are_distinguished() {
        use PullFaultKind as K;
        for (message, kind, is_transient) in [
            ("manifest for postgres:99 not found: manifest unknown: manifest unknown", K::NotFound, false),
            ("docker.io/library/postgres:99: not found", K::NotFound, false),
            (
                "pull access denied for pstgres, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
                K::Unauthorized,
                false,
            ),
            ("Head \"https://r.example/v2/x/manifests/1\": no basic auth credentials", K::Unauthorized, false),
            ("unauthorized: authentication required", K::Unauthorized, false),
            ("toomanyrequests: You have reached your pull rate limit.", K::TooManyRequests, true),
            ("received unexpected HTTP status: 500 Internal Server Error", K::Server, true),
            ("unexpected status code 503", K::Server, true),
            ("error parsing HTTP 502 response body: invalid character '<'", K::Server, true),
            ("unexpected EOF", K::Short, true),
            ("filesystem layer verification failed for digest sha256:aa", K::Short, true),
            ("failed to register layer: write /usr/x: no space left on device", K::NoSpace, false),
            ("Get \"https://r.example/v2/\": dial tcp: lookup r.example: no such host", K::Network, false),
            ("Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused", K::Network, false),
            ("Get \"https://r.example/v2/\": net/http: TLS handshake timeout", K::Network, true),
            ("Get \"http://127.0.0.1:1/v2/\": read tcp: connection reset by peer", K::Network, true),
            ("Get \"http://127.0.0.1:1/v2/\": EOF", K::Network, true),
            ("x509: certificate signed by unknown authority", K::Network, false),
            ("no matching manifest for linux/arm64/v8 in the manifest list entries", K::Platform, false),
            (
                "image with reference x was found but does not match the specified platform: wanted linux/arm64, actual: linux/amd64",
                K::Platform,
                false,
            ),
            ("something new", K::Other, false),
        ] {
            let fault = PullFault::read("x", message);
            assert_eq!((fault.kind, fault.is_transient()), (kind, is_transient), "{message}");
        }
    }
}
