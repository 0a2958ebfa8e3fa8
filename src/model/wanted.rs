//! What must be there in a server before an app can log in.

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
    /// What is granted to logins of [`Rights::Master`]: Postgres' predefined roles, which those of
    /// [`Rights::Monitor`] get too, or `MySQL`'s privileges.
    pub master: Vec<String>,
    /// Whether what init files made as the administrator goes over to each database's owner.
    pub adopt: bool,
}

/// One login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedUser {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: Option<Secret>,
    /// What it may do beyond its databases; none where what it has is left alone.
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
