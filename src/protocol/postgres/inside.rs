//! The wanted state inside one database: extensions, and the owner of the objects that the administrator made there.
//!
//! A database with no wanted state inside needs no connection.

use super::adopt::{PUBLIC_OF_ADMINISTRATOR, adoptable};
use super::quote::{identifier, kept};
use super::reconcile::{Change, rows};
use super::refusal::Refusal;
use crate::model::{Endpoint, Wanted, WantedDatabase};
use crate::protocol::{Done, Subject};
use tokio_postgres::Client;

/// From this version on, the owner of a database owns its schema `public`.
const OWNERS_HAVE_PUBLIC: u32 = 15;

/// The parts of a database to compare.
pub(super) struct Inside {
    pub(super) database: WantedDatabase,
    extensions: Vec<String>,
    /// Whether the owner gets the schema `public`.
    public: bool,
    /// Whether the owner gets the administrator's objects.
    adopt: bool,
    major: u32,
}

impl Inside {
    /// Extensions are for the wanted databases only, not for databases that init files made.
    pub(super) fn of(admin: &Endpoint, wanted: &Wanted, database: WantedDatabase, major: u32) -> Self {
        let owned = !database.owner.is_empty() && admin.user.as_ref() != Some(&database.owner);
        let extensions = if wanted.databases.contains(&database) { wanted.extensions.clone() } else { Vec::new() };
        let public = owned && major < OWNERS_HAVE_PUBLIC;
        Self { database, extensions, public, adopt: owned && wanted.adopt, major }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.extensions.is_empty() && !self.public && !self.adopt
    }
}

/// Returns the changes, over a connection to that database.
pub(super) async fn inside_changes(client: &Client, inside: &Inside) -> Result<Vec<Change>, Refusal> {
    let WantedDatabase { name, owner } = &inside.database;
    let mut changes = Vec::new();
    if !inside.extensions.is_empty() {
        let known = first_column(client, "SELECT extname FROM pg_catalog.pg_extension").await?;
        let missing = inside.extensions.iter().filter(|extension| !known.iter().any(|name| name == kept(extension)));
        changes.extend(missing.map(|extension| Change {
            done: Done::ExtensionCreated { database: name.clone(), extension: extension.clone() },
            subject: Subject::Extension(extension.clone()),
            sql: format!("CREATE EXTENSION IF NOT EXISTS {} CASCADE", identifier(extension)),
        }));
    }
    let hand_over = |done: Done, objects: &[String]| {
        let to = identifier(owner);
        let statements = objects.iter().map(|object| format!("ALTER {object} OWNER TO {to};\n"));
        Change { done, subject: Subject::Database(name.clone()), sql: statements.collect() }
    };
    if inside.public {
        let public = first_column(client, PUBLIC_OF_ADMINISTRATOR).await?;
        if !public.is_empty() {
            changes.push(hand_over(Done::OwnerSet { database: name.clone(), owner: owner.clone() }, &public));
        }
    }
    if inside.adopt {
        // A statement locks the objects that it alters until the end of its batch, and a server has room for some
        // thousand locks.
        for objects in first_column(client, &adoptable(inside.major)).await?.chunks(500) {
            changes.push(hand_over(Done::Adopted { database: name.clone(), objects: objects.len() }, objects));
        }
    }
    Ok(changes)
}

async fn first_column(client: &Client, sql: &str) -> Result<Vec<String>, Refusal> {
    Ok(rows(client, sql).await?.into_iter().filter_map(|row| row.into_iter().next()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_spared_where_nothing_is_wanted() {
        let admin = Endpoint {
            host: String::new(),
            port: 0,
            user: Some("devenv_admin".to_owned()),
            password: None,
            database: None,
            vhost: None,
            path: None,
        };
        let database = WantedDatabase { name: "shop".to_owned(), owner: "app".to_owned() };
        let mut wanted = Wanted { databases: vec![database.clone()], ..Wanted::default() };
        assert!(Inside::of(&admin, &wanted, database.clone(), 15).is_nothing());
        assert!(!Inside::of(&admin, &wanted, database.clone(), 14).is_nothing());
        wanted.extensions.push("vector".to_owned());
        assert!(!Inside::of(&admin, &wanted, database, 15).is_nothing());
        let made_by_init_files = WantedDatabase { name: "made".to_owned(), owner: "app".to_owned() };
        assert!(Inside::of(&admin, &wanted, made_by_init_files, 15).is_nothing());
    }
}
