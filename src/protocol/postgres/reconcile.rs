//! Creates the wanted logins and databases of a server, with statements of the administrator.
//!
//! Reconciling reads first, and writes only the differences. Before writing, it compares again under a lock, so that
//! several processes can reconcile at once. Nothing is ever dropped.

use super::cluster::{Cluster, cluster_changes};
use super::inside::{Inside, inside_changes};
use super::refusal::Refusal;
use super::{LIMIT_OF_LISTS, Session, drive, login};
use crate::model::{Endpoint, Wanted, WantedDatabase};
use crate::protocol::{Done, ReconcileError, Subject};
use futures_util::future::try_join_all;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

/// The advisory lock that reconciling holds while it writes; an advisory lock counts in one database only.
const LOCK: i64 = 0x6465_7665_6e76_0001;

/// Replaces production's settings, which could end or forbid the statements. If an app holds a lock, devenv does not
/// wait in silence: the error is worth another attempt. If a crash within a second discards a change, the next run
/// makes it again, so there is no need to wait for the disk.
const OPTIONS: &str = "-c statement_timeout=0 -c lock_timeout=5s -c default_transaction_read_only=off \
                       -c synchronous_commit=off";

/// Creates and alters everything that differs. The administrator must be a superuser; its own login is never touched.
///
/// Logs in to the administrator's database, which saves a connection if that is the wanted database. If the
/// administrator's database does not exist, logs in to `postgres`.
pub(in crate::protocol) async fn reconcile(admin: &Endpoint, wanted: &Wanted) -> Result<Vec<Done>, ReconcileError> {
    let reconciled = async {
        let (session, database) = open(admin).await?;
        in_session(session, &Endpoint { database, ..admin.clone() }, wanted, None).await
    };
    reconciled.await.map_err(Refusal::into_reconcile_error)
}

/// Logs in to the endpoint's database or, if that does not exist, to the database that every server has. Also returns
/// the name of the database.
pub(super) async fn open(endpoint: &Endpoint) -> Result<(Session, Option<String>), Refusal> {
    match login(endpoint, LIMIT_OF_LISTS, OPTIONS).await {
        Err(refusal) if refusal.is(&SqlState::INVALID_CATALOG_NAME) => {
            let database = Some("postgres".to_owned());
            let everywhere = Endpoint { database: database.clone(), ..endpoint.clone() };
            Ok((login(&everywhere, LIMIT_OF_LISTS, OPTIONS).await?, database))
        }
        session => Ok((session?, endpoint.database.clone())),
    }
}

/// Runs `first`, then makes the changes. `admin` is the login for further connections, with the session's database.
pub(super) async fn in_session(
    session: Session,
    admin: &Endpoint,
    wanted: &Wanted,
    first: Option<&str>,
) -> Result<Vec<Done>, Refusal> {
    let Session { client, connection, version } = session;
    let major = major(&version);
    let work = async move {
        if let Some(sql) = first {
            client.batch_execute(sql).await?;
        }
        let mut done = reconcile_plan(&client, &Plan::Cluster { admin, wanted, major }).await?;
        let mut others = Vec::new();
        for database in databases(&client, admin, wanted).await? {
            let inside = Inside::of(admin, wanted, database, major);
            if inside.is_nothing() {
                continue;
            }
            if admin.database.as_ref() == Some(&inside.database.name) {
                done.extend(reconcile_plan(&client, &Plan::Inside(inside)).await?);
            } else {
                others.push(inside);
            }
        }
        Ok::<_, Refusal>((done, others))
    };
    let (mut done, others) = drive(connection, work).await?;
    let others = try_join_all(others.into_iter().map(|inside| elsewhere(admin, inside))).await?;
    done.extend(others.into_iter().flatten());
    Ok(done)
}

/// Makes the changes inside a database, over a connection to it.
async fn elsewhere(admin: &Endpoint, inside: Inside) -> Result<Vec<Done>, Refusal> {
    let name = inside.database.name.clone();
    let endpoint = Endpoint { database: Some(name.clone()), ..admin.clone() };
    let done = async {
        let Session { client, connection, .. } = login(&endpoint, LIMIT_OF_LISTS, OPTIONS).await?;
        drive(connection, async move { reconcile_plan(&client, &Plan::Inside(inside)).await }).await
    };
    done.await.map_err(|refusal: Refusal| refusal.about(Subject::Database(name)))
}

/// The wanted databases, and the databases that init files made, which were given to the first login.
async fn databases(client: &Client, admin: &Endpoint, wanted: &Wanted) -> Result<Vec<WantedDatabase>, Refusal> {
    let mut databases = wanted.databases.clone();
    if let (true, Some(first)) = (wanted.adopt, wanted.users.first()) {
        for (name, found) in Cluster::read(client, admin, wanted).await?.databases {
            if found.made && found.owner == first.name && !databases.iter().any(|wanted| wanted.name == name) {
                databases.push(WantedDatabase { name, owner: first.name.clone() });
            }
        }
    }
    Ok(databases)
}

/// One statement (or several that belong together), its effect, and its subject.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) done: Done,
    pub(super) subject: Subject,
    pub(super) sql: String,
}

/// The state to compare: logins and databases of the server, or the inside of one database.
enum Plan<'a> {
    Cluster { admin: &'a Endpoint, wanted: &'a Wanted, major: u32 },
    Inside(Inside),
}

impl Plan<'_> {
    async fn changes(&self, client: &Client) -> Result<Vec<Change>, Refusal> {
        match self {
            Self::Cluster { admin, wanted, major } => {
                Ok(cluster_changes(admin, wanted, *major, &Cluster::read(client, admin, wanted).await?))
            }
            Self::Inside(inside) => inside_changes(client, inside).await,
        }
    }
}

/// Makes all changes, after a second comparison under the lock: another process could have made them in the meantime.
async fn reconcile_plan(client: &Client, plan: &Plan<'_>) -> Result<Vec<Done>, Refusal> {
    if plan.changes(client).await?.is_empty() {
        return Ok(Vec::new());
    }
    // The lock ends with the session.
    client.batch_execute(&format!("SELECT pg_catalog.pg_advisory_lock({LOCK})")).await?;
    let mut done = Vec::new();
    for change in plan.changes(client).await? {
        match client.batch_execute(&change.sql).await {
            Ok(()) => done.push(change.done),
            // Another process created it between the comparison and this statement, so it exists.
            Err(error) if matches!(error.code().map(SqlState::code), Some("42710" | "42P04" | "23505")) => {}
            Err(error) => return Err(Refusal::from(error).about(change.subject)),
        }
    }
    Ok(done)
}

/// Returns the rows of one or several statements, each column as text; NULL becomes the empty text.
pub(super) async fn rows(client: &Client, sql: &str) -> Result<Vec<Vec<String>>, Refusal> {
    let messages = client.simple_query(sql).await?;
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|column| row.get(column).unwrap_or_default().to_owned()).collect())
        }
        _ => None,
    });
    Ok(rows.collect())
}

pub(super) fn major(version: &str) -> u32 {
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_major_version_is_read_from_releases_and_previews() {
        assert_eq!(major("15.18"), 15);
        assert_eq!(major("18beta1"), 18);
        assert_eq!(major("9.6.24"), 9);
    }
}
