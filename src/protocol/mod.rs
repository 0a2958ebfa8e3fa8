//! How services are spoken to: log in, do one round trip, and carry out what a login needs to be there.
//!
//! One file a protocol. Every function is bounded by its caller's deadline; none of them waits for a server to come up:
//! a refused connection is an error at once, and trying again is the business of `apply/`.

/// Why a login or round trip failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeError {
    /// What kind of fault it is, as far as it decides what to do next.
    pub fault: Fault,
    /// The server's own words or the connection's error; holds no secret.
    pub message: String,
}

/// What to make of a failed probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server is not there yet, or still starting: worth another try.
    NotYet,
    /// It refused the login: name, password, or a missing database or vhost.
    Login,
    /// Something else that another try will not mend.
    Other,
}
