//! Logins and databases of a whole server: what is there, and what is to be changed.
//!
//! An app's login owns its databases and no more, unless more was asked for.

use super::password::{is_ours, verifier};
use super::quote::{identifier, kept, literal};
use super::reconcile::{Change, rows};
use super::refusal::Refusal;
use super::{LIMIT, Session, drive, login};
use crate::model::{Endpoint, Secret, Wanted, WantedDatabase, WantedUser};
use crate::protocol::{Done, Subject};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// What the server has of logins and databases.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    roles: BTreeMap<String, Role>,
    pub(super) databases: BTreeMap<String, Database>,
    /// The logins that are there and whose wanted password is refused.
    refused: BTreeSet<String>,
}

#[derive(Debug)]
struct Role {
    superuser: bool,
    can_login: bool,
    /// The first of all logins, which the server does not let go of its rights.
    bootstrap: bool,
    /// What is stored for its password.
    password: String,
}

/// One database.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) owner: String,
    /// Whether someone made it: no database of the system's, no template.
    pub(super) made: bool,
}

impl Cluster {
    /// Asks for both lists in one round trip, and tries logins only where the stored password is not known to fit.
    pub(super) async fn read(client: &Client, admin: &Endpoint, wanted: &Wanted) -> Result<Self, Refusal> {
        const LISTS: &str = "SELECT rolname, rolsuper, rolcanlogin, oid = 10, rolpassword FROM pg_catalog.pg_authid; \
             SELECT datname, pg_catalog.pg_get_userbyid(datdba), oid >= 16384 AND datallowconn AND NOT datistemplate \
               FROM pg_catalog.pg_database";
        let mut cluster = Self::default();
        for row in rows(client, LISTS).await? {
            match <[String; 5]>::try_from(row) {
                Ok([name, superuser, can_login, bootstrap, password]) => {
                    let is = |truth: String| truth == "t";
                    let (superuser, can_login, bootstrap) = (is(superuser), is(can_login), is(bootstrap));
                    cluster.roles.insert(name, Role { superuser, can_login, bootstrap, password });
                }
                Err(row) => {
                    if let Ok([name, owner, made]) = <[String; 3]>::try_from(row) {
                        cluster.databases.insert(name, Database { owner, made: made == "t" });
                    }
                }
            }
        }
        let unsure = wanted.users.iter().filter(|user| !is_admin(admin, user) && cluster.is_unsure(user));
        for (name, fits) in join_all(unsure.map(|user| accepts(admin, user))).await {
            if !fits? {
                cluster.refused.insert(name);
            }
        }
        Ok(cluster)
    }

    /// Whether only a login can tell if a password fits. A login that is not there, or has no password, is not tried:
    /// the refusal would stand in the server's log as an error.
    fn is_unsure(&self, user: &WantedUser) -> bool {
        let name = kept(&user.name);
        let stored = self.roles.get(name).map_or("", |role| &role.password);
        let password = user.password.as_ref().map(Secret::reveal);
        !stored.is_empty() && password.is_some_and(|password| !is_ours(stored, name, password))
    }
}

/// Whether the server takes the wanted password of the login of that name. That the database refuses it for another
/// reason is no matter.
async fn accepts(admin: &Endpoint, user: &WantedUser) -> (String, Result<bool, Refusal>) {
    let endpoint = Endpoint { user: Some(user.name.clone()), password: user.password.clone(), ..admin.clone() };
    let fits = match login(&endpoint, LIMIT, "").await {
        Ok(Session { client, connection, .. }) => {
            drive(connection, async move { drop(client) }).await;
            Ok(true)
        }
        Err(refusal) if refusal.is_the_servers() => Ok(!refusal.is(&SqlState::INVALID_PASSWORD)),
        Err(refusal) => Err(refusal),
    };
    (kept(&user.name).to_owned(), fits)
}

fn is_admin(admin: &Endpoint, user: &WantedUser) -> bool {
    admin.user.as_deref() == Some(user.name.as_str())
}

/// What is to be done, in an order in which it can be: logins, then databases.
pub(super) fn cluster_changes(admin: &Endpoint, wanted: &Wanted, major: u32, cluster: &Cluster) -> Vec<Change> {
    let users = wanted.users.iter().filter(|user| !is_admin(admin, user));
    let mut changes: Vec<Change> = users.flat_map(|user| user_changes(user, major, cluster)).collect();
    changes.extend(wanted.databases.iter().filter_map(|database| database_change(database, cluster)));
    if let (true, Some(first)) = (wanted.adopt, wanted.users.first()) {
        let made = cluster.databases.iter().filter(|(name, database)| {
            database.made
                && admin.user.as_ref() == Some(&database.owner)
                && !wanted.databases.iter().any(|wanted| kept(&wanted.name) == *name)
        });
        changes.extend(made.filter_map(|(name, _)| {
            database_change(&WantedDatabase { name: name.clone(), owner: first.name.clone() }, cluster)
        }));
    }
    changes
}

fn user_changes(user: &WantedUser, major: u32, cluster: &Cluster) -> Vec<Change> {
    let name = kept(&user.name);
    let quoted = identifier(name);
    let rights = if user.superuser { " SUPERUSER" } else { " NOSUPERUSER" };
    let password = || {
        let verifier = user.password.as_ref().map(|password| verifier(major, name, password.reveal()));
        verifier.map(|verifier| format!(" PASSWORD {}", literal(&verifier))).unwrap_or_default()
    };
    let change = |done: fn(String) -> Done, sql: String| Change {
        done: done(user.name.clone()),
        subject: Subject::User(user.name.clone()),
        sql,
    };
    let Some(role) = cluster.roles.get(name) else {
        return vec![change(Done::UserCreated, format!("CREATE ROLE {quoted} LOGIN{rights}{}", password()))];
    };
    let mut changes = Vec::new();
    if !role.can_login || (role.superuser != user.superuser && !role.bootstrap) {
        let rights = if role.bootstrap { "" } else { rights };
        changes.push(change(Done::UserChanged, format!("ALTER ROLE {quoted} LOGIN{rights}")));
    }
    if user.password.is_some() && (role.password.is_empty() || cluster.refused.contains(name)) {
        changes.push(change(Done::PasswordSet, format!("ALTER ROLE {quoted}{}", password())));
    }
    changes
}

fn database_change(database: &WantedDatabase, cluster: &Cluster) -> Option<Change> {
    let WantedDatabase { name, owner } = database;
    let quoted = identifier(name);
    let (done, sql) = match cluster.databases.get(kept(name)) {
        None if owner.is_empty() => (Done::DatabaseCreated(name.clone()), format!("CREATE DATABASE {quoted}")),
        None => (Done::DatabaseCreated(name.clone()), format!("CREATE DATABASE {quoted} OWNER {}", identifier(owner))),
        Some(found) if owner.is_empty() || found.owner == kept(owner) => return None,
        Some(found) => {
            let to = identifier(owner);
            let mut sql = format!("ALTER DATABASE {quoted} OWNER TO {to}");
            // What the earlier owner made stays its own; the new one gets all its rights, and nothing is rewritten.
            if cluster.roles.get(&found.owner).is_some_and(|role| !role.superuser && !role.bootstrap) {
                sql = format!("{sql}; GRANT {} TO {to}", identifier(&found.owner));
            }
            (Done::OwnerSet { database: name.clone(), owner: owner.clone() }, sql)
        }
    };
    Some(Change { done, subject: Subject::Database(name.clone()), sql })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(superuser: bool, can_login: bool, bootstrap: bool) -> Role {
        Role { superuser, can_login, bootstrap, password: "md5…".to_owned() }
    }

    fn user(name: &str) -> WantedUser {
        WantedUser { name: name.to_owned(), password: Some(Secret::new("pw")), superuser: false }
    }

    fn database(owner: &str, made: bool) -> Database {
        Database { owner: owner.to_owned(), made }
    }

    fn admin() -> Endpoint {
        Endpoint {
            host: String::new(),
            port: 0,
            user: Some("devenv_admin".to_owned()),
            password: None,
            database: None,
            vhost: None,
            path: None,
        }
    }

    #[test]
    fn a_new_login_is_made_without_rights_and_its_password_is_not_shown() {
        let changes = user_changes(&user("a\"pp"), 15, &Cluster::default());
        let [change] = changes.as_slice() else { panic!("{changes:?}") };
        assert!(change.sql.starts_with("CREATE ROLE \"a\"\"pp\" LOGIN NOSUPERUSER PASSWORD 'SCRAM-SHA-256$4096:"));
        let without = WantedUser { password: None, ..user("app") };
        assert_eq!(user_changes(&without, 15, &Cluster::default())[0].sql, "CREATE ROLE \"app\" LOGIN NOSUPERUSER");
    }

    #[test]
    fn only_what_differs_is_altered() {
        let mut cluster = Cluster::default();
        cluster.roles.insert("app".to_owned(), role(false, true, false));
        assert_eq!(user_changes(&user("app"), 15, &cluster), []);
        cluster.roles.insert("app".to_owned(), role(true, true, false));
        assert_eq!(user_changes(&user("app"), 15, &cluster)[0].sql, "ALTER ROLE \"app\" LOGIN NOSUPERUSER");
        cluster.roles.insert("app".to_owned(), role(true, false, true));
        assert_eq!(user_changes(&user("app"), 15, &cluster)[0].sql, "ALTER ROLE \"app\" LOGIN");
        cluster.roles.insert("app".to_owned(), role(true, true, true));
        assert_eq!(user_changes(&user("app"), 15, &cluster), []);
        cluster.refused.insert("app".to_owned());
        assert_eq!(user_changes(&user("app"), 15, &cluster)[0].done, Done::PasswordSet("app".to_owned()));
        cluster.refused.clear();
        cluster.roles.insert("app".to_owned(), Role { password: String::new(), ..role(false, true, false) });
        assert_eq!(user_changes(&user("app"), 15, &cluster)[0].done, Done::PasswordSet("app".to_owned()));
        assert!(!cluster.is_unsure(&user("app")));
    }

    #[test]
    fn a_name_that_the_server_cuts_is_found_again() {
        let long = "n".repeat(80);
        let mut cluster = Cluster::default();
        cluster.roles.insert("n".repeat(63), role(false, true, false));
        cluster.databases.insert("n".repeat(63), database(&"n".repeat(63), true));
        assert_eq!(user_changes(&user(&long), 15, &cluster), []);
        assert_eq!(database_change(&WantedDatabase { name: long.clone(), owner: long }, &cluster), None);
    }

    #[test]
    fn databases_that_init_files_made_go_to_the_first_login_and_no_others() {
        let mut cluster = Cluster::default();
        cluster.roles.insert("app".to_owned(), role(false, true, false));
        cluster.databases.insert("made".to_owned(), database("devenv_admin", true));
        cluster.databases.insert("postgres".to_owned(), database("devenv_admin", false));
        cluster.databases.insert("kept".to_owned(), database("someone", true));
        let mut wanted = Wanted { users: vec![user("app")], ..Wanted::default() };
        assert_eq!(cluster_changes(&admin(), &wanted, 15, &cluster), []);
        wanted.adopt = true;
        let changes = cluster_changes(&admin(), &wanted, 15, &cluster);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].sql, "ALTER DATABASE \"made\" OWNER TO \"app\"");
    }

    #[test]
    fn the_administrators_login_is_left_alone() {
        let wanted = Wanted { users: vec![user("devenv_admin")], ..Wanted::default() };
        assert_eq!(cluster_changes(&admin(), &wanted, 15, &Cluster::default()), []);
    }
}
