//! The logins, databases and extensions that a server must have before an app can log in.

use super::{Rights, Secret};

/// Logins, databases and extensions of one service, carried out on every `up`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Logins.
    pub users: Vec<WantedUser>,
    /// Databases.
    pub databases: Vec<WantedDatabase>,
    /// Extensions for each of the databases.
    pub extensions: Vec<String>,
    /// The grants of logins with [`Rights::Master`]: Postgres' predefined roles, which logins with [`Rights::Monitor`]
    /// get too, or `MySQL`'s privileges.
    pub master: Vec<String>,
    /// Whether the objects that init files created as the administrator are transferred to each database's owner.
    pub adopt: bool,
}

/// One login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedUser {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: Option<Secret>,
    /// Its rights beyond its databases; none if its rights stay unchanged.
    pub rights: Option<Rights>,
}

/// One database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedDatabase {
    /// Its name.
    pub name: String,
    /// The login that owns it.
    pub owner: String,
}
