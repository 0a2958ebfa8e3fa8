//! What went wrong with a login or a statement, and what to make of it.
//!
//! It is told by the SQLSTATE, never by the words: those depend on the server's language.

use crate::protocol::{Fault, ProbeError, ReconcileError, Subject};
use std::error::Error as _;
use std::io;
use tokio_postgres::error::SqlState;

/// A fault with its SQLSTATE: the words depend on the server's language.
#[derive(Debug)]
pub(super) struct Refusal {
    sqlstate: Option<SqlState>,
    pub(super) subject: Option<Subject>,
    error: ProbeError,
}

impl Refusal {
    /// Whether the server's words are its own, and no broken connection.
    pub(super) fn is_the_servers(&self) -> bool {
        self.sqlstate.is_some()
    }

    pub(super) fn is(&self, sqlstate: &SqlState) -> bool {
        self.sqlstate.as_ref() == Some(sqlstate)
    }

    /// Says what it is about, unless that is known more closely.
    pub(super) fn about(mut self, subject: Subject) -> Self {
        self.subject.get_or_insert(subject);
        self
    }

    pub(super) fn into_error(self) -> ProbeError {
        self.error
    }

    pub(super) fn into_reconcile_error(self) -> ReconcileError {
        ReconcileError { subject: self.subject, error: self.error }
    }
}

impl From<ProbeError> for Refusal {
    fn from(error: ProbeError) -> Self {
        Self { sqlstate: None, subject: None, error }
    }
}

impl From<tokio_postgres::Error> for Refusal {
    fn from(error: tokio_postgres::Error) -> Self {
        Self { sqlstate: error.code().cloned(), subject: None, error: error.into() }
    }
}

/// Whether the client's own configuration was at fault: no password where one is asked for.
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

/// What an SQLSTATE means here (appendix A of Postgres' documentation).
fn fault(code: &str) -> Fault {
    match code {
        // starting up; shutting down; crashed and recovering; no connection left; another session is in the way: a
        // template in use, a lock, a deadlock, a conflicting change
        "57P03" | "57P01" | "57P02" | "53300" | "55006" | "55P03" | "40P01" | "40001" => Fault::NotYet,
        // wrong password; no such login, or not from here; no such database; not allowed to connect to it
        "28P01" | "28000" | "3D000" | "42501" => Fault::Login,
        _ => Fault::Other,
    }
}
