//! What is wanted of a server, by statements of the administrator.
//!
//! It reads first and writes only what differs; what it writes, it decides again under a lock, so that several can do
//! it at once. Nothing is ever dropped.

use super::LIMIT_OF_LISTS;
use super::accounts::{Accounts, changes};
use super::refusal::Refusal;
use super::session::Session;
use crate::model::{Endpoint, Wanted};
use crate::protocol::{Done, ProbeError, ReconcileError, Subject};

/// The lock that reconciling holds while it writes, and how many seconds it is waited for.
const LOCK: &str = "SELECT GET_LOCK('devenv', 5)";

/// In place of production's settings, which could read, forbid or end statements of ours otherwise.
const OPTIONS: [&str; 3] =
    ["SET SESSION sql_mode = '', lock_wait_timeout = 5", "SET NAMES utf8mb4", "SET SESSION TRANSACTION READ WRITE"];

/// Creates and alters what differs. The administrator's own login is never touched. What init files made needs nothing
/// to be done: nobody owns it, and all rights on its database are rights on it.
pub(in crate::protocol) async fn reconcile(admin: &Endpoint, wanted: &Wanted) -> Result<Vec<Done>, ReconcileError> {
    let done = async {
        let mut session = open(admin).await?;
        let done = settle(&mut session, admin, wanted).await;
        session.quit().await;
        done
    };
    done.await.map_err(Refusal::into_reconcile_error)
}

/// The administrator's login, on no database: the wanted one may not be there.
pub(super) async fn open(admin: &Endpoint) -> Result<Session, Refusal> {
    let mut session = Session::login(&Endpoint { database: None, ..admin.clone() }, LIMIT_OF_LISTS).await?;
    for option in OPTIONS {
        session.query(option).await?;
    }
    Ok(session)
}

/// Statements that go together, what they do, and what they are about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) done: Done,
    pub(super) subject: Subject,
    pub(super) statements: Vec<String>,
    /// What no message may repeat of them.
    pub(super) secret: String,
}

/// Carries out what differs, after comparing again under the lock: another could have done it meanwhile.
async fn settle(session: &mut Session, admin: &Endpoint, wanted: &Wanted) -> Result<Vec<Done>, Refusal> {
    if changes(admin, wanted, &Accounts::read(session, admin, wanted).await?).is_empty() {
        return Ok(Vec::new());
    }
    // The lock goes with the session.
    let locked = session.query(LOCK).await?;
    if locked.first().and_then(|row| row.first()) != Some(&Some("1".to_owned())) {
        return Err(ProbeError::not_yet("another devenv is changing logins and databases of this server").into());
    }
    let mut done = Vec::new();
    for change in changes(admin, wanted, &Accounts::read(session, admin, wanted).await?) {
        for statement in &change.statements {
            let said = session.query(statement).await;
            said.map_err(|refusal| refusal.without(&change.secret).about(change.subject.clone()))?;
        }
        done.push(change.done);
    }
    Ok(done)
}
