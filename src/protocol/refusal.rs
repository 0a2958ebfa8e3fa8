//! A server's refusal of the administrator's work: the error, its code, and its subject.

use super::{ProbeError, ReconcileError, Subject};

/// A fault, with its code if the server gave one: an SQLSTATE, a number.
#[derive(Debug)]
pub(super) struct Refusal<Code> {
    pub(super) code: Option<Code>,
    pub(super) subject: Option<Subject>,
    pub(super) error: ProbeError,
}

impl<Code> Refusal<Code> {
    /// Whether the fault comes from the server, and not from a broken connection.
    pub(super) fn is_the_servers(&self) -> bool {
        self.code.is_some()
    }

    /// Sets the subject, unless a more exact subject is known.
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

impl<Code> From<ProbeError> for Refusal<Code> {
    fn from(error: ProbeError) -> Self {
        Self { code: None, subject: None, error }
    }
}
