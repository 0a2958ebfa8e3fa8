//! Takes over the administrator's login in data that another environment initialised: the first statement sets a new
//! password.

use super::password::verifier;
use super::quote::{identifier, literal};
use super::reconcile::{in_session, major, open};
use super::refusal::Refusal;
use crate::model::{Endpoint, Secret, Wanted};
use crate::protocol::{Done, ReconcileError};

/// Logs in with the inherited password, sets the new password, and reconciles over the same connection. A second run at
/// the same time does the same again.
pub(in crate::protocol) async fn take_over(
    inherited: &Endpoint,
    admin: &Endpoint,
    wanted: &Wanted,
) -> Result<Vec<Done>, ReconcileError> {
    let taken = async {
        let (session, database) = open(inherited).await?;
        let user = admin.user.as_deref().unwrap_or("postgres");
        let password = admin.password.as_ref().map(Secret::reveal).unwrap_or_default();
        let stored = verifier(major(&session.version), user, password);
        let sql = format!("ALTER ROLE {} PASSWORD {}", identifier(user), literal(&stored));
        in_session(session, &Endpoint { database, ..admin.clone() }, wanted, Some(&sql)).await
    };
    taken.await.map_err(Refusal::into_reconcile_error)
}
