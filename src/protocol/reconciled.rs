//! What reconciling did, or could not do.

use super::ProbeError;
use std::fmt;

/// One thing that was done. It prints as a sentence's end: `database "shop" created`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A login was made.
    UserCreated(String),
    /// A login may now log in, or is now (or no more) an administrator.
    UserChanged(String),
    /// A login's password was another.
    PasswordSet(String),
    /// A database was made.
    DatabaseCreated(String),
    /// A database was given to its owner, or its schema `public` was (before Postgres 15).
    OwnerSet {
        /// The database.
        database: String,
        /// Who owns it now.
        owner: String,
    },
    /// An extension was made.
    ExtensionCreated {
        /// The database.
        database: String,
        /// The extension.
        extension: String,
    },
    /// What the administrator's init files made went over to the database's owner.
    Adopted {
        /// The database.
        database: String,
        /// How many tables, views, sequences, functions, types and schemas.
        objects: usize,
    },
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserCreated(user) => write!(f, "user \"{user}\" created"),
            Self::UserChanged(user) => write!(f, "user \"{user}\" changed"),
            Self::PasswordSet(user) => write!(f, "password of user \"{user}\" set"),
            Self::DatabaseCreated(database) => write!(f, "database \"{database}\" created"),
            Self::OwnerSet { database, owner } => write!(f, "database \"{database}\" given to user \"{owner}\""),
            Self::ExtensionCreated { database, extension } => {
                write!(f, "extension \"{extension}\" created in database \"{database}\"")
            }
            Self::Adopted { database, objects } => {
                write!(f, "{objects} objects in database \"{database}\" given to its owner")
            }
        }
    }
}

/// What a statement was about, so that a message can point at the manifest's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A login.
    User(String),
    /// A database.
    Database(String),
    /// An extension that cannot be made: not available in this image, or not without a setting.
    Extension(String),
}

/// Why reconciling ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconcileError {
    /// What could not be made; none where the administrator's connection failed.
    pub subject: Option<Subject>,
    /// The fault, in the server's words.
    pub error: ProbeError,
}

impl From<ProbeError> for ReconcileError {
    fn from(error: ProbeError) -> Self {
        Self { subject: None, error }
    }
}
