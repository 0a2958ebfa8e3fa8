//! The changes that reconciling made, or the reason why it failed.

use super::ProbeError;
use std::fmt;

/// One change. As text, it is the end of a sentence: `database "shop" created`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A login was created.
    UserCreated(String),
    /// A login may now log in, or its rights on the server were changed.
    UserChanged(String),
    /// The password of a login was changed.
    PasswordSet(String),
    /// A database was created.
    DatabaseCreated(String),
    /// A database was given to its owner, or its schema `public` was (before Postgres 15).
    OwnerSet {
        /// The database.
        database: String,
        /// The new owner.
        owner: String,
    },
    /// An extension was created.
    ExtensionCreated {
        /// The database.
        database: String,
        /// The extension.
        extension: String,
    },
    /// The objects that the administrator's init files made went to the database's owner.
    Adopted {
        /// The database.
        database: String,
        /// The number of tables, views, sequences, functions, types and schemas.
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

/// The subject of a statement, so that a message can point at the manifest's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A login.
    User(String),
    /// A database.
    Database(String),
    /// An extension that cannot be created: this image does not have it, or it needs a setting.
    Extension(String),
}

/// Why reconciling failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconcileError {
    /// The object that could not be created; `None` if the administrator's connection failed.
    pub subject: Option<Subject>,
    /// The fault, in the server's words.
    pub error: ProbeError,
}

impl From<ProbeError> for ReconcileError {
    fn from(error: ProbeError) -> Self {
        Self { subject: None, error }
    }
}
