//! Creates the wanted logins and databases of a server, with statements of the administrator.
//!
//! Reconciling reads first, and writes only the differences. Before writing, it compares again under a lock, so that
//! several processes can reconcile at once. Nothing is ever dropped.

use super::LIMIT_OF_LISTS;
use super::accounts::{Accounts, changes};
use super::refusal::Refusal;
use super::session::Session;
use crate::model::{Endpoint, Wanted};
use crate::protocol::{Done, ProbeError, ReconcileError};

/// The lock that reconciling holds while it writes, with the number of seconds to wait for the lock.
const LOCK: &str = "SELECT GET_LOCK('devenv', 5)";

/// Replaces production's settings, which could change the meaning of the statements, forbid them or end them.
const OPTIONS: [&str; 3] =
    ["SET SESSION sql_mode = '', lock_wait_timeout = 5", "SET NAMES utf8mb4", "SET SESSION TRANSACTION READ WRITE"];

/// Creates and alters everything that differs. The administrator's own login is never touched. Objects that init files
/// created need no change: they have no owner, and all rights on their database include them.
pub(in crate::protocol) async fn reconcile(admin: &Endpoint, wanted: &Wanted) -> Result<Vec<Done>, ReconcileError> {
    let done = async {
        let mut session = open(admin).await?;
        let done = reconcile_in_session(&mut session, admin, wanted).await;
        session.quit().await;
        done
    };
    done.await.map_err(Refusal::into_reconcile_error)
}

/// Logs in as the administrator, on no database: the wanted database may not exist yet.
pub(super) async fn open(admin: &Endpoint) -> Result<Session, Refusal> {
    let mut session = Session::login(&Endpoint { database: None, ..admin.clone() }, LIMIT_OF_LISTS).await?;
    for option in OPTIONS {
        session.query(option).await?;
    }
    Ok(session)
}

/// Makes all changes, after a second comparison under the lock: another process could have made them in the meantime.
async fn reconcile_in_session(session: &mut Session, admin: &Endpoint, wanted: &Wanted) -> Result<Vec<Done>, Refusal> {
    if changes(admin, wanted, &Accounts::read(session, admin, wanted).await?).is_empty() {
        return Ok(Vec::new());
    }
    // The lock ends with the session.
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
