//! The refusal of a login or a statement, and the kind of fault that it means.
//!
//! The error's number decides the kind of fault, never the text: the text depends on the server's language.

use super::packet::ServerError;
use crate::protocol::{Fault, ProbeError};

/// A refusal with its number.
pub(super) type Refusal = crate::protocol::refusal::Refusal<u16>;

impl Refusal {
    /// Whether user name and password do not match (`ER_ACCESS_DENIED_ERROR`, `ER_ACCESS_DENIED_NO_PASSWORD_ERROR`).
    pub(super) fn is_of_password(&self) -> bool {
        matches!(self.code, Some(1045 | 1698))
    }

    /// Removes a password from a message that repeats a statement.
    pub(super) fn without(mut self, secret: &str) -> Self {
        if !secret.is_empty() {
            self.error.message = self.error.message.replace(secret, "…");
        }
        self
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        ProbeError::from(error).into()
    }
}

impl From<ServerError> for Refusal {
    fn from(ServerError { code, message }: ServerError) -> Self {
        Self { code: Some(code), subject: None, error: ProbeError::new(fault(code), format!("{message} ({code})")) }
    }
}

/// The kind of fault that an error's number means here (`mysqld_error.h`; from 1900 on, `MySQL` and `MariaDB` use
/// different numbers).
fn fault(code: u16) -> Fault {
    match code {
        // no connection left, in total or for this login; shutting down; another session is in the way: a lock, a
        // deadlock; the connection was killed; offline mode
        1040 | 1203 | 1053 | 1205 | 1213 | 1927 | 3169 | 3032 => Fault::NotYet,
        // wrong password; no access to this database; no such database; no access from this host; no access without a
        // password; the password has expired; the login is locked (MySQL, MariaDB); its plugin is not loaded
        1045 | 1044 | 1049 | 1130 | 1698 | 1820 | 1862 | 3118 | 4151 | 1524 => Fault::Login,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: u16, message: &str) -> Refusal {
        ServerError { code, message: message.to_owned() }.into()
    }

    #[test]
    fn refusals_are_told_apart_by_their_number() {
        for (code, fault) in [
            (1040, Fault::NotYet),
            (1053, Fault::NotYet),
            (1205, Fault::NotYet),
            (1045, Fault::Login),
            (1049, Fault::Login),
            (1130, Fault::Login),
            (1064, Fault::Other),
        ] {
            assert_eq!(said(code, "x").into_error(), ProbeError::new(fault, format!("x ({code})")));
        }
        assert!(said(1045, "x").is_of_password() && !said(1049, "x").is_of_password());
    }

    #[test]
    fn a_statement_that_is_repeated_does_not_show_its_password() {
        let refusal = said(1064, "near 'IDENTIFIED BY 'hush''").without("hush").without("");
        assert_eq!(refusal.into_error().message, "near 'IDENTIFIED BY '…'' (1064)");
    }
}
