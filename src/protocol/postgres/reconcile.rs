//! Logins, databases and extensions as they are wanted, by statements of the administrator.
//!
//! It reads first and writes only what differs; what it writes, it decides again under a lock, so that several can
//! do it at once. Nothing is ever dropped.

use super::adopt::{PUBLIC_OF_ADMINISTRATOR, adoptable};
use super::password::{is_ours, verifier};
use super::quote::{identifier, kept, literal};
use super::{LIMIT, LIMIT_OF_LISTS, session};
use crate::model::{Endpoint, Secret, Wanted, WantedDatabase, WantedUser};
use crate::protocol::{Done, ProbeError, ReconcileError, Subject};
use futures_util::future::{join_all, try_join_all};
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

/// The advisory lock that reconciling holds while it writes; advisory locks count in one database only.
const LOCK: i64 = 0x6465_7665_6e76_0001;

/// Creates and alters what differs. The administrator's own login is never touched, and needs to be a superuser.
///
/// It logs in to the administrator's database, which spares a connection where that is the wanted one; where it is not
/// there, to `postgres`.
pub(in crate::protocol) async fn reconcile(admin: &Endpoint, wanted: &Wanted) -> Result<Vec<Done>, ReconcileError> {
    match over(admin, wanted).await {
        Err(refusal) if refusal.subject.is_none() && refusal.is(NO_SUCH_DATABASE) => {
            over(&Endpoint { database: Some("postgres".to_owned()), ..admin.clone() }, wanted).await
        }
        result => result,
    }
    .map_err(|Refusal { subject, error, .. }| ReconcileError { subject, error })
}

async fn over(admin: &Endpoint, wanted: &Wanted) -> Result<Vec<Done>, Refusal> {
    let at_hand = |database: &WantedDatabase| admin.database.as_deref() == Some(database.name.as_str());
    let (mut done, major) = session(admin, LIMIT_OF_LISTS, async |client, version| {
        let major = major(version);
        let plan = async || Ok(cluster_changes(wanted, admin, major, &read(client, admin, wanted).await?));
        let mut done = settle(client, plan).await?;
        if let Some(database) = wanted.databases.iter().find(|database| at_hand(database)) {
            done.extend(inside(client, admin, wanted, database, major).await?);
        }
        Ok::<_, Refusal>((done, major))
    })
    .await?;
    let others = wanted.databases.iter().filter(|database| !at_hand(database));
    let others = others.filter(|database| has_wishes(admin, wanted, database, major)).map(async |database| {
        let endpoint = Endpoint { database: Some(database.name.clone()), ..admin.clone() };
        session(&endpoint, LIMIT_OF_LISTS, async |client, _| inside(client, admin, wanted, database, major).await)
            .await
            .map_err(|refusal| refusal.about(Subject::Database(database.name.clone())))
    });
    done.extend(try_join_all(others).await?.into_iter().flatten());
    Ok(done)
}

/// From this version on, whoever owns a database owns its schema `public`.
const OWNERS_HAVE_PUBLIC: u32 = 15;
const NO_SUCH_DATABASE: &str = "3D000";
const WRONG_PASSWORD: &str = "28P01";

/// A fault with its SQLSTATE: the words depend on the server's language.
struct Refusal {
    sqlstate: Option<String>,
    subject: Option<Subject>,
    error: ProbeError,
}

impl Refusal {
    fn is(&self, sqlstate: &str) -> bool {
        self.sqlstate.as_deref() == Some(sqlstate)
    }

    /// Says what it is about, unless that is known more closely.
    fn about(mut self, subject: Subject) -> Self {
        self.subject.get_or_insert(subject);
        self
    }
}

impl From<ProbeError> for Refusal {
    fn from(error: ProbeError) -> Self {
        Self { sqlstate: None, subject: None, error }
    }
}

impl From<tokio_postgres::Error> for Refusal {
    fn from(error: tokio_postgres::Error) -> Self {
        let sqlstate = error.code().map(|code| code.code().to_owned());
        Self { sqlstate, subject: None, error: error.into() }
    }
}

/// One statement, what it does, and what it is about.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    done: Done,
    subject: Subject,
    sql: String,
}

/// Carries out what `plan` finds, after asking it again under the lock: another could have done it meanwhile.
async fn settle(client: &Client, plan: impl AsyncFn() -> Result<Vec<Change>, Refusal>) -> Result<Vec<Done>, Refusal> {
    if plan().await?.is_empty() {
        return Ok(Vec::new());
    }
    // The lock goes with the session.
    client.batch_execute(&format!("SELECT pg_catalog.pg_advisory_lock({LOCK})")).await?;
    let mut done = Vec::new();
    for change in plan().await? {
        match client.batch_execute(&change.sql).await {
            Ok(()) => done.push(change.done),
            // Someone else made it between our look and our statement: it is there.
            Err(error) if matches!(error.code().map(SqlState::code), Some("42710" | "42P04" | "23505")) => {}
            Err(error) => return Err(Refusal::from(error).about(change.subject)),
        }
    }
    Ok(done)
}

/// What the server has of logins and databases.
#[derive(Debug, Default)]
struct Cluster {
    roles: BTreeMap<String, Role>,
    /// Each database's owner.
    databases: BTreeMap<String, String>,
    /// The logins that are there and whose wanted password is refused.
    refused: BTreeSet<String>,
}

#[derive(Debug)]
struct Role {
    superuser: bool,
    can_login: bool,
    /// The first of all logins, which the server does not let go of its rights.
    bootstrap: bool,
}

async fn read(client: &Client, admin: &Endpoint, wanted: &Wanted) -> Result<Cluster, Refusal> {
    let mut cluster = Cluster::default();
    let mut stored = BTreeMap::new();
    let lists = "SELECT 'role', rolname, rolsuper, rolcanlogin, oid = 10, rolpassword FROM pg_catalog.pg_authid; \
                 SELECT 'database', datname, pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database";
    for message in client.simple_query(lists).await? {
        let SimpleQueryMessage::Row(row) = message else { continue };
        let text = |column: usize| row.get(column).unwrap_or_default();
        if text(0) == "role" {
            let role = Role { superuser: text(2) == "t", can_login: text(3) == "t", bootstrap: text(4) == "t" };
            stored.insert(text(1).to_owned(), text(5).to_owned());
            cluster.roles.insert(text(1).to_owned(), role);
        } else {
            cluster.databases.insert(text(1).to_owned(), text(2).to_owned());
        }
    }
    // Only logins that are there are tried: a refused one would stand in the server's log as an error.
    let unsure = wanted.users.iter().filter(|user| {
        let password = user.password.as_ref().map(Secret::reveal);
        let stored = stored.get(kept(&user.name));
        password.zip(stored).is_some_and(|(password, stored)| !is_ours(stored, kept(&user.name), password))
            && !is_admin(admin, user)
    });
    for (name, fits) in join_all(unsure.map(async |user| (kept(&user.name), accepts(admin, user).await))).await {
        if !fits? {
            cluster.refused.insert(name.to_owned());
        }
    }
    Ok(cluster)
}

/// Whether the server takes the wanted password. That the database refuses the login for another reason is no matter.
async fn accepts(admin: &Endpoint, user: &WantedUser) -> Result<bool, Refusal> {
    let endpoint = Endpoint { user: Some(user.name.clone()), password: user.password.clone(), ..admin.clone() };
    match session(&endpoint, LIMIT, async |_, _| Ok::<_, Refusal>(())).await {
        Ok(()) => Ok(true),
        Err(refusal) if refusal.sqlstate.is_some() => Ok(!refusal.is(WRONG_PASSWORD)),
        Err(refusal) => Err(refusal),
    }
}

fn is_admin(admin: &Endpoint, user: &WantedUser) -> bool {
    admin.user.as_deref() == Some(user.name.as_str())
}

fn cluster_changes(wanted: &Wanted, admin: &Endpoint, major: u32, cluster: &Cluster) -> Vec<Change> {
    let mut changes = Vec::new();
    for user in wanted.users.iter().filter(|user| !is_admin(admin, user)) {
        let name = identifier(&user.name);
        let rights = if user.superuser { "SUPERUSER" } else { "NOSUPERUSER" };
        let password = || user.password.as_ref().map(|password| verifier(major, kept(&user.name), password.reveal()));
        let mut change = |done: fn(String) -> Done, sql: String| {
            changes.push(Change { done: done(user.name.clone()), subject: Subject::User(user.name.clone()), sql });
        };
        let Some(role) = cluster.roles.get(kept(&user.name)) else {
            let password = password().map(|verifier| format!(" PASSWORD {}", literal(&verifier))).unwrap_or_default();
            change(Done::UserCreated, format!("CREATE ROLE {name} LOGIN {rights}{password}"));
            continue;
        };
        if !role.can_login || (role.superuser != user.superuser && !role.bootstrap) {
            let rights = if role.bootstrap { "" } else { rights };
            change(Done::UserChanged, format!("ALTER ROLE {name} LOGIN {rights}"));
        }
        if let (true, Some(verifier)) = (cluster.refused.contains(kept(&user.name)), password()) {
            change(Done::PasswordSet, format!("ALTER ROLE {name} PASSWORD {}", literal(&verifier)));
        }
    }
    for WantedDatabase { name, owner } in &wanted.databases {
        let quoted = (!owner.is_empty()).then(|| identifier(owner));
        let subject = Subject::Database(name.clone());
        match (cluster.databases.get(kept(name)), quoted) {
            (None, quoted) => {
                let clause = quoted.map(|owner| format!(" OWNER {owner}")).unwrap_or_default();
                let sql = format!("CREATE DATABASE {}{clause}", identifier(name));
                changes.push(Change { done: Done::DatabaseCreated(name.clone()), subject, sql });
            }
            (Some(current), Some(quoted)) if current != kept(owner) => {
                let done = Done::OwnerSet { database: name.clone(), owner: owner.clone() };
                let sql = format!("ALTER DATABASE {} OWNER TO {quoted}", identifier(name));
                changes.push(Change { done, subject, sql });
            }
            _ => {}
        }
    }
    changes
}

fn major(version: &str) -> u32 {
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(u32::MAX)
}

/// Whether there is anything to look at in a database.
fn has_wishes(admin: &Endpoint, wanted: &Wanted, database: &WantedDatabase, major: u32) -> bool {
    let owned = !database.owner.is_empty() && admin.user.as_ref() != Some(&database.owner);
    !wanted.extensions.is_empty() || owned && (wanted.adopt || major < OWNERS_HAVE_PUBLIC)
}

/// What is wanted inside one database, over a connection to it.
async fn inside(
    client: &Client,
    admin: &Endpoint,
    wanted: &Wanted,
    database: &WantedDatabase,
    major: u32,
) -> Result<Vec<Done>, Refusal> {
    settle(client, async || {
        let mut changes = extensions(client, wanted, database).await?;
        if !database.owner.is_empty() && admin.user.as_ref() != Some(&database.owner) {
            changes.extend(ownership(client, wanted.adopt, database, major).await?);
        }
        Ok(changes)
    })
    .await
}

async fn extensions(client: &Client, wanted: &Wanted, database: &WantedDatabase) -> Result<Vec<Change>, Refusal> {
    if wanted.extensions.is_empty() {
        return Ok(Vec::new());
    }
    let known = first_column(client, "SELECT extname FROM pg_catalog.pg_extension").await?;
    let missing = wanted.extensions.iter().filter(|extension| !known.iter().any(|name| name == kept(extension)));
    Ok(missing
        .map(|extension| Change {
            done: Done::ExtensionCreated { database: database.name.clone(), extension: extension.clone() },
            subject: Subject::Extension(extension.clone()),
            sql: format!("CREATE EXTENSION IF NOT EXISTS {} CASCADE", identifier(extension)),
        })
        .collect())
}

/// The schema `public` before Postgres 15, and what init files made.
async fn ownership(
    client: &Client,
    adopt: bool,
    database: &WantedDatabase,
    major: u32,
) -> Result<Vec<Change>, Refusal> {
    let owner = identifier(&database.owner);
    let mut changes = Vec::new();
    let mut change = |done: Done, objects: &[String]| {
        let statements = objects.iter().map(|object| format!("ALTER {object} OWNER TO {owner};\n"));
        changes.push(Change { done, subject: Subject::Database(database.name.clone()), sql: statements.collect() });
    };
    if major < OWNERS_HAVE_PUBLIC {
        let public = first_column(client, PUBLIC_OF_ADMINISTRATOR).await?;
        if !public.is_empty() {
            change(Done::OwnerSet { database: database.name.clone(), owner: database.owner.clone() }, &public);
        }
    }
    if adopt {
        // A statement locks what it alters until the end of its batch, and a server has room for some thousand locks.
        for objects in first_column(client, &adoptable(major)).await?.chunks(500) {
            change(Done::Adopted { database: database.name.clone(), objects: objects.len() }, objects);
        }
    }
    Ok(changes)
}

async fn first_column(client: &Client, sql: &str) -> Result<Vec<String>, Refusal> {
    let messages = client.simple_query(sql).await?;
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(rows.collect())
}
