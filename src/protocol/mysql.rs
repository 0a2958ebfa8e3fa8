//! `MySQL` and `MariaDB`: the "Client/Server Protocol", version 10, as far as needed to log in and to run text queries.
//!
//! Every connection ends by the rules of the protocol, so that no server's log shows a broken connection.

mod accounts;
mod auth;
mod facts;
mod link;
mod packet;
mod quote;
mod reconcile;
mod refusal;
mod session;
mod take_over;
#[cfg(test)]
mod tests;

use super::{ProbeError, Proof};
use crate::model::Endpoint;
pub(super) use facts::facts;
pub(super) use reconcile::reconcile;
use refusal::Refusal;
use session::Session;
pub(super) use take_over::take_over;

/// The number of bytes that a server may send for a login and a `SELECT 1`.
const LIMIT: u64 = 64 * 1024;
/// The number of bytes that a server may send while devenv reads lists.
const LIMIT_OF_LISTS: u64 = 64 * 1024 * 1024;

/// Logs in to the endpoint's database and selects 1.
pub(super) async fn prove(endpoint: &Endpoint) -> Result<Proof, ProbeError> {
    let mut session = Session::login(endpoint, LIMIT).await.map_err(Refusal::into_error)?;
    let answer = session.query("SELECT 1").await.map_err(Refusal::into_error);
    let version = session.version().to_owned();
    session.quit().await;
    match answer?.as_slice() {
        [row] if row.as_slice() == [Some("1".to_owned())] => {
            Ok(Proof { words: "logged in", server_version: Some(version) })
        }
        _ => Err(packet::foreign()),
    }
}
