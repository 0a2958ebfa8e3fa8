//! Takes over the administrator's login in data that another environment initialised: the first statement sets a new
//! password.

use super::accounts::columns;
use super::auth::native_hash;
use super::quote::{account, literal};
use super::reconcile::open;
use super::refusal::Refusal;
use crate::model::{Endpoint, Secret};
use crate::protocol::ReconcileError;

/// Logs in with the inherited password and sets the new password, for every host from which the login may connect. A
/// second run at the same time does the same again.
pub(in crate::protocol) async fn take_over(inherited: &Endpoint, admin: &Endpoint) -> Result<(), ReconcileError> {
    let taken = async {
        let mut session = open(inherited).await?;
        let user = admin.user.as_deref().unwrap_or("root");
        let password = admin.password.as_ref().map(Secret::reveal).unwrap_or_default();
        let new = if session.is_mariadb() {
            format!("IDENTIFIED BY PASSWORD {}", literal(&native_hash(password)))
        } else {
            format!("IDENTIFIED BY {}", literal(password))
        };
        // Logins without a password stay without a password. The login of this session is changed last: after an
        // interrupted run, the next run can log in the same way.
        let hosts = format!(
            "SELECT Host FROM mysql.user WHERE User = {} AND plugin NOT LIKE '%socket' ORDER BY Host = '%'",
            literal(user)
        );
        let mut set = Ok(());
        for [host] in columns(session.query(&hosts).await?) {
            let changed = session.query(&format!("ALTER USER {} {new}", account(user, &host))).await;
            set = set.and(changed.map(drop).map_err(|refusal| refusal.without(password)));
        }
        session.quit().await;
        set
    };
    taken.await.map_err(Refusal::into_reconcile_error)
}
