//! Logins and databases of a whole server: reads the current state and plans the changes.
//!
//! A login gets the wanted rights, raised or lowered; rights that are not specified stay unchanged.

use super::password::{is_ours, verifier};
use super::quote::{identifier, kept, literal};
use super::reconcile::{Change, rows};
use super::refusal::Refusal;
use super::{LIMIT, Session, drive, login};
use crate::model::{Endpoint, Rights, Secret, Wanted, WantedDatabase, WantedUser};
use crate::protocol::{Done, Subject};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// The logins and databases of a server.
#[derive(Debug, Default)]
pub(super) struct Cluster {
    roles: BTreeMap<String, Role>,
    pub(super) databases: BTreeMap<String, Database>,
    /// The existing logins whose wanted password is refused.
    refused: BTreeSet<String>,
}

#[derive(Debug)]
struct Role {
    attributes: Attributes,
    /// The predefined roles that the login is a member of.
    member_of: Vec<String>,
    can_login: bool,
    /// The first login of the server, which the server does not allow to lose its rights.
    bootstrap: bool,
    /// The stored form of the password.
    password: String,
}

/// The rights of a role on the whole server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Attributes {
    superuser: bool,
    createdb: bool,
    createrole: bool,
}

impl Attributes {
    /// A superuser has all rights, like the first login of a server.
    fn of(rights: Rights) -> Self {
        Self {
            superuser: rights == Rights::Superuser,
            createdb: rights >= Rights::Owner,
            createrole: rights >= Rights::Master,
        }
    }

    /// Returns the words after `CREATE ROLE` or `ALTER ROLE` that give these rights and no others. `REPLICATION` stays
    /// if init files gave it to a login that is not a superuser.
    fn sql(self, was: Self) -> String {
        let word = |has: bool, word: &str| format!(" {}{word}", if has { "" } else { "NO" });
        let mut words = [(self.superuser, "SUPERUSER"), (self.createdb, "CREATEDB"), (self.createrole, "CREATEROLE")]
            .map(|(has, name)| word(has, name))
            .concat();
        if self.superuser || was.superuser {
            words += &word(self.superuser, "REPLICATION");
        }
        words
    }
}

/// One database.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) owner: String,
    /// Whether a user or an init file made the database: it is not a database of the system and not a template.
    pub(super) made: bool,
}

impl Cluster {
    /// Reads both lists in one round trip, and tries a login only if the stored password is not known to match.
    pub(super) async fn read(client: &Client, admin: &Endpoint, wanted: &Wanted) -> Result<Self, Refusal> {
        const LISTS: &str = "SELECT a.rolname, a.rolsuper, a.rolcreatedb, a.rolcreaterole, a.rolcanlogin, a.oid = 10, a.rolpassword, \
               pg_catalog.array_to_string(ARRAY(SELECT g.rolname FROM pg_catalog.pg_auth_members m \
                 JOIN pg_catalog.pg_authid g ON g.oid = m.roleid \
                 WHERE m.member = a.oid AND g.rolname ~ '^pg_' GROUP BY g.rolname), ',') \
               FROM pg_catalog.pg_authid a; \
             SELECT datname, pg_catalog.pg_get_userbyid(datdba), oid >= 16384 AND datallowconn AND NOT datistemplate \
               FROM pg_catalog.pg_database";
        let mut cluster = Self::default();
        for row in rows(client, LISTS).await? {
            match <[String; 8]>::try_from(row) {
                Ok([name, superuser, createdb, createrole, can_login, bootstrap, password, member_of]) => {
                    let is = |truth: String| truth == "t";
                    let attributes =
                        Attributes { superuser: is(superuser), createdb: is(createdb), createrole: is(createrole) };
                    let (can_login, bootstrap) = (is(can_login), is(bootstrap));
                    let member_of = member_of.split(',').map(str::to_owned).collect();
                    cluster.roles.insert(name, Role { attributes, member_of, can_login, bootstrap, password });
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

    /// Whether only a login can tell if a password matches. A login that does not exist, or that has no password, is
    /// not tried: the server's log would show the refusal as an error.
    fn is_unsure(&self, user: &WantedUser) -> bool {
        let name = kept(&user.name);
        let stored = self.roles.get(name).map_or("", |role| &role.password);
        let password = user.password.as_ref().map(Secret::reveal);
        !stored.is_empty() && password.is_some_and(|password| !is_ours(stored, name, password))
    }
}

/// Whether the server accepts the wanted password of that login. A refusal by the database for another reason does not
/// matter.
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

/// Returns the changes in an order in which they can be made: logins, then databases.
pub(super) fn cluster_changes(admin: &Endpoint, wanted: &Wanted, major: u32, cluster: &Cluster) -> Vec<Change> {
    let users = wanted.users.iter().filter(|user| !is_admin(admin, user));
    let mut changes: Vec<Change> = users.flat_map(|user| user_changes(user, &wanted.master, major, cluster)).collect();
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

fn user_changes(user: &WantedUser, master: &[String], major: u32, cluster: &Cluster) -> Vec<Change> {
    let name = kept(&user.name);
    let quoted = identifier(name);
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
        let rights = user.rights.map(|rights| Attributes::of(rights).sql(Attributes::default())).unwrap_or_default();
        let grants = user.rights.and_then(|rights| membership(rights, &quoted, master, None, cluster));
        let sql = format!("CREATE ROLE {quoted} LOGIN{rights}{}{}", password(), grants.unwrap_or_default());
        return vec![change(Done::UserCreated, sql)];
    };
    let mut changes = Vec::new();
    let rights = user.rights.filter(|_| !role.bootstrap);
    let attributes = rights.map(Attributes::of).filter(|wanted| *wanted != role.attributes);
    let grants = rights.and_then(|rights| membership(rights, &quoted, master, Some(role), cluster));
    if !role.can_login || attributes.is_some() || grants.is_some() {
        let attributes = attributes.map(|wanted| wanted.sql(role.attributes)).unwrap_or_default();
        let sql = format!("ALTER ROLE {quoted} LOGIN{attributes}{}", grants.unwrap_or_default());
        changes.push(change(Done::UserChanged, sql));
    }
    if user.password.is_some() && (role.password.is_empty() || cluster.refused.contains(name)) {
        changes.push(change(Done::PasswordSet, format!("ALTER ROLE {quoted}{}", password())));
    }
    changes
}

/// Returns the statements, each after a semicolon, that change the membership in the predefined roles. A monitoring
/// login or a master login becomes a member of the roles that this release has, and a master login may grant them to
/// others. A former master login loses its membership.
fn membership(
    rights: Rights,
    quoted: &str,
    master: &[String],
    role: Option<&Role>,
    cluster: &Cluster,
) -> Option<String> {
    let is_member = |name: &&String| role.is_some_and(|role| role.member_of.contains(name));
    let list = |names: Vec<&String>| names.into_iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
    if matches!(rights, Rights::Monitor | Rights::Master) {
        let missing = master.iter().filter(|name| cluster.roles.contains_key(*name) && !is_member(name));
        let missing = list(missing.collect());
        let option = if rights == Rights::Master { " WITH ADMIN OPTION" } else { "" };
        return (!missing.is_empty()).then(|| format!("; GRANT {missing} TO {quoted}{option}"));
    }
    // Roles stay that init files granted to a login that was never a master login: nothing tells them apart from the
    // roles of a monitoring login.
    let was_master = role.is_some_and(|role| role.attributes == Attributes::of(Rights::Master));
    let granted = list(master.iter().filter(|name| was_master && is_member(name)).collect());
    (!granted.is_empty()).then(|| format!("; REVOKE {granted} FROM {quoted} CASCADE"))
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
            // Objects of the earlier owner stay with that owner; the new owner gets all the rights of the earlier
            // owner, and no object is rewritten.
            if cluster.roles.get(&found.owner).is_some_and(|role| !role.attributes.superuser && !role.bootstrap) {
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

    fn role(rights: Rights, can_login: bool, bootstrap: bool) -> Role {
        let attributes = Attributes::of(rights);
        Role { attributes, member_of: Vec::new(), can_login, bootstrap, password: "md5…".to_owned() }
    }

    fn changes(user: &WantedUser, cluster: &Cluster) -> Vec<Change> {
        user_changes(user, &["pg_monitor".to_owned(), "pg_later".to_owned()], 15, cluster)
    }

    fn with(rights: Rights) -> WantedUser {
        WantedUser { rights: Some(rights), ..user("app") }
    }

    fn user(name: &str) -> WantedUser {
        WantedUser { name: name.to_owned(), password: Some(Secret::new("pw")), rights: None }
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
    fn a_new_login_has_the_rights_that_are_wanted_and_its_password_is_not_shown() {
        let none = Cluster::default();
        let [change] = <[Change; 1]>::try_from(changes(&user("a\"pp"), &none)).unwrap();
        assert!(
            change.sql.starts_with("CREATE ROLE \"a\"\"pp\" LOGIN PASSWORD 'SCRAM-SHA-256$4096:"),
            "{}",
            change.sql
        );
        let made = |rights| changes(&WantedUser { password: None, rights, ..user("app") }, &none)[0].sql.clone();
        assert_eq!(made(None), "CREATE ROLE \"app\" LOGIN");
        assert_eq!(made(Some(Rights::Minimal)), "CREATE ROLE \"app\" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE");
        assert_eq!(made(Some(Rights::Monitor)), "CREATE ROLE \"app\" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE");
        assert_eq!(made(Some(Rights::Owner)), "CREATE ROLE \"app\" LOGIN NOSUPERUSER CREATEDB NOCREATEROLE");
        assert_eq!(made(Some(Rights::Master)), "CREATE ROLE \"app\" LOGIN NOSUPERUSER CREATEDB CREATEROLE");
        let superuser = "CREATE ROLE \"app\" LOGIN SUPERUSER CREATEDB CREATEROLE REPLICATION";
        assert_eq!(made(Some(Rights::Superuser)), superuser);
    }

    #[test]
    fn only_differences_are_altered() {
        let mut cluster = Cluster::default();
        let sql = |user: &WantedUser, cluster: &Cluster| changes(user, cluster)[0].sql.clone();
        cluster.roles.insert("app".to_owned(), role(Rights::Minimal, true, false));
        assert_eq!(changes(&with(Rights::Minimal), &cluster), []);
        assert_eq!(sql(&with(Rights::Owner), &cluster), "ALTER ROLE \"app\" LOGIN NOSUPERUSER CREATEDB NOCREATEROLE");
        cluster.roles.insert("app".to_owned(), role(Rights::Superuser, true, false));
        assert_eq!(
            sql(&with(Rights::Owner), &cluster),
            "ALTER ROLE \"app\" LOGIN NOSUPERUSER CREATEDB NOCREATEROLE NOREPLICATION"
        );
        // No rights are specified, so the login keeps the rights that it was created with.
        assert_eq!(changes(&user("app"), &cluster), []);
        cluster.roles.insert("app".to_owned(), role(Rights::Superuser, false, true));
        assert_eq!(sql(&with(Rights::Owner), &cluster), "ALTER ROLE \"app\" LOGIN");
        cluster.roles.insert("app".to_owned(), role(Rights::Superuser, true, true));
        assert_eq!(changes(&with(Rights::Owner), &cluster), []);
        cluster.refused.insert("app".to_owned());
        assert_eq!(changes(&user("app"), &cluster)[0].done, Done::PasswordSet("app".to_owned()));
        cluster.refused.clear();
        let without = Role { password: String::new(), ..role(Rights::Minimal, true, false) };
        cluster.roles.insert("app".to_owned(), without);
        assert_eq!(changes(&user("app"), &cluster)[0].done, Done::PasswordSet("app".to_owned()));
        assert!(!cluster.is_unsure(&user("app")));
    }

    #[test]
    fn a_master_login_is_a_member_of_the_roles_that_its_release_has_until_it_is_none_any_more() {
        let mut cluster = Cluster::default();
        cluster.roles.insert("pg_monitor".to_owned(), role(Rights::Minimal, false, false));
        cluster.roles.insert("app".to_owned(), role(Rights::Master, true, false));
        let raised = changes(&with(Rights::Master), &cluster);
        assert_eq!(raised[0].sql, "ALTER ROLE \"app\" LOGIN; GRANT \"pg_monitor\" TO \"app\" WITH ADMIN OPTION");
        let member_of = vec!["pg_monitor".to_owned()];
        cluster
            .roles
            .insert("app".to_owned(), Role { member_of: member_of.clone(), ..role(Rights::Master, true, false) });
        assert_eq!(changes(&with(Rights::Master), &cluster), []);
        let lowered = changes(&with(Rights::Owner), &cluster);
        assert!(lowered[0].sql.ends_with("; REVOKE \"pg_monitor\" FROM \"app\" CASCADE"), "{lowered:?}");
        // Roles that init files granted to a login that was not a master login stay.
        cluster.roles.insert("app".to_owned(), Role { member_of, ..role(Rights::Owner, true, false) });
        assert_eq!(changes(&with(Rights::Owner), &cluster), []);
    }

    #[test]
    fn a_login_to_monitor_is_a_member_that_grants_nothing_on() {
        let mut cluster = Cluster::default();
        cluster.roles.insert("pg_monitor".to_owned(), role(Rights::Minimal, false, false));
        let made = changes(&WantedUser { password: None, ..with(Rights::Monitor) }, &cluster);
        let login = "CREATE ROLE \"app\" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE";
        assert_eq!(made[0].sql, format!("{login}; GRANT \"pg_monitor\" TO \"app\""));
        cluster.roles.insert("app".to_owned(), role(Rights::Minimal, true, false));
        let raised = changes(&with(Rights::Monitor), &cluster);
        assert_eq!(raised[0].sql, "ALTER ROLE \"app\" LOGIN; GRANT \"pg_monitor\" TO \"app\"");
        let member_of = vec!["pg_monitor".to_owned()];
        cluster.roles.insert("app".to_owned(), Role { member_of, ..role(Rights::Minimal, true, false) });
        assert_eq!(changes(&with(Rights::Monitor), &cluster), []);
    }

    #[test]
    fn a_name_that_the_server_cuts_is_found_again() {
        let long = "n".repeat(80);
        let mut cluster = Cluster::default();
        cluster.roles.insert("n".repeat(63), role(Rights::Minimal, true, false));
        cluster.databases.insert("n".repeat(63), database(&"n".repeat(63), true));
        assert_eq!(changes(&user(&long), &cluster), []);
        assert_eq!(database_change(&WantedDatabase { name: long.clone(), owner: long }, &cluster), None);
    }

    #[test]
    fn databases_that_init_files_made_go_to_the_first_login_and_no_others() {
        let mut cluster = Cluster::default();
        cluster.roles.insert("app".to_owned(), role(Rights::Minimal, true, false));
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
    fn the_administrators_login_is_not_changed() {
        let wanted = Wanted { users: vec![user("devenv_admin")], ..Wanted::default() };
        assert_eq!(cluster_changes(&admin(), &wanted, 15, &Cluster::default()), []);
    }
}
