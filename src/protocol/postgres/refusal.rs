//! The refusal of a login or a statement, and the kind of fault that it means.
//!
//! The SQLSTATE decides the kind of fault, never the text: the text depends on the server's language.

use crate::protocol::{Fault, ProbeError};
use std::error::Error as _;
use std::io;
use tokio_postgres::error::SqlState;

/// A refusal with its SQLSTATE.
pub(super) type Refusal = crate::protocol::refusal::Refusal<SqlState>;

impl Refusal {
    pub(super) fn is(&self, sqlstate: &SqlState) -> bool {
        self.code.as_ref() == Some(sqlstate)
    }
}

impl From<tokio_postgres::Error> for Refusal {
    fn from(error: tokio_postgres::Error) -> Self {
        Self { code: error.code().cloned(), subject: None, error: error.into() }
    }
}

/// Whether the client's own configuration was at fault: it has no password, and the server asks for one.
pub(super) fn is_unable(error: &tokio_postgres::Error) -> bool {
    let from_connection = error.source().is_some_and(<dyn std::error::Error>::is::<io::Error>);
    error.as_db_error().is_none() && !error.is_closed() && !from_connection && error.source().is_some()
}

impl From<tokio_postgres::Error> for ProbeError {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(refusal) = error.as_db_error() {
            let detail = refusal.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            return Self::new(fault(refusal.code().code()), format!("{}{detail}", refusal.message()));
        }
        if error.is_closed() {
            return Self::closed();
        }
        let source = error.source();
        if let Some(withheld) = source.and_then(|source| source.downcast_ref::<io::Error>())
            && withheld.kind() == io::ErrorKind::PermissionDenied
        {
            return Self::login(withheld.to_string());
        }
        match source.and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind) {
            Some(
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::NotConnected
                | io::ErrorKind::TimedOut,
            ) => Self::not_yet(error.to_string()),
            Some(_) => Self::foreign("Postgres' protocol"),
            None => match source {
                Some(source) => Self::other(format!("{error}: {source}")),
                None => Self::foreign("Postgres' protocol"),
            },
        }
    }
}

/// The kind of fault that an SQLSTATE means here (appendix A of Postgres' documentation).
fn fault(code: &str) -> Fault {
    match code {
        // starting up; shutting down; crashed and recovering; no connection left; another session is in the way: a
        // template in use, a lock, a deadlock, a conflicting change
        "57P03" | "57P01" | "57P02" | "53300" | "55006" | "55P03" | "40P01" | "40001" => Fault::NotYet,
        // wrong password; no such login, or no access from this host; no such database; no access to this database
        "28P01" | "28000" | "3D000" | "42501" => Fault::Login,
        _ => Fault::Other,
    }
}
