//! The administrator's login in data that another environment initialised: its first statement is a new password.

use super::password::verifier;
use super::quote::{identifier, literal};
use super::reconcile::{OPTIONS, major};
use super::refusal::Refusal;
use super::{LIMIT, Session, drive, login};
use crate::model::{Endpoint, Secret};
use crate::protocol::ReconcileError;

/// Logs in as it was and sets the password that it should have. A second run at the same time does the same again.
pub(in crate::protocol) async fn take_over(inherited: &Endpoint, admin: &Endpoint) -> Result<(), ReconcileError> {
    let taken = async {
        // The database that every server has: the wanted one may not be there.
        let endpoint = Endpoint { database: Some("postgres".to_owned()), ..inherited.clone() };
        let Session { client, connection, version } = login(&endpoint, LIMIT, OPTIONS).await?;
        let user = admin.user.as_deref().unwrap_or("postgres");
        let password = admin.password.as_ref().map(Secret::reveal).unwrap_or_default();
        let stored = verifier(major(&version), user, password);
        let sql = format!("ALTER ROLE {} PASSWORD {}", identifier(user), literal(&stored));
        drive(connection, async move { client.batch_execute(&sql).await }).await.map_err(Refusal::from)
    };
    taken.await.map_err(Refusal::into_reconcile_error)
}
