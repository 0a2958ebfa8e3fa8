//! `RabbitMQ`: AMQP 0-9-1, as far as needed to open a vhost and to close the connection.
//!
//! The connection is always closed by the rules of the protocol, so that the broker's log shows no broken connection.

mod facts;
mod frame;
mod rabbitmqctl;

use super::wire::Conversation;
use super::{Fault, ProbeError, Proof, Tls};
use crate::model::Endpoint;
pub(super) use facts::facts;
use frame::Method;
pub use rabbitmqctl::note_rabbitmqctl;

/// The number of bytes that a server may send in total.
const LIMIT: u64 = 256 * 1024;

/// Logs in with PLAIN and opens the vhost (`/` if the endpoint has none).
///
/// An endpoint without a login uses `guest`, like the clients of AMQP.
pub(super) async fn prove(endpoint: &Endpoint) -> Result<Proof, ProbeError> {
    let server_version = introduction(endpoint, &Tls::default()).await?;
    Ok(Proof { words: "logged in", server_version })
}

/// Opens the vhost and closes the connection; returns the version that the broker reports in its introduction.
async fn introduction(endpoint: &Endpoint, tls: &Tls) -> Result<Option<String>, ProbeError> {
    let user = endpoint.user.as_deref().unwrap_or("guest");
    let password = endpoint.password.as_ref().map_or("guest", |password| password.reveal());
    let vhost = endpoint.vhost.as_deref().unwrap_or("/");

    let mut conversation = Conversation::open_for_password(endpoint, tls, LIMIT).await?;
    conversation.send(frame::PROTOCOL_HEADER).await?;
    let Method::Start { mechanisms, version } = next(&mut conversation).await? else {
        return Err(out_of_order());
    };
    if !mechanisms.split(' ').any(|mechanism| mechanism == "PLAIN") {
        return Err(ProbeError::other("the broker does not offer the login mechanism PLAIN"));
    }
    conversation.send(&frame::start_ok(user, password)).await?;
    let Method::Tune { channel_max, frame_max } = next(&mut conversation).await? else {
        return Err(out_of_order());
    };
    conversation.send(&[frame::tune_ok(channel_max, frame_max), frame::open(vhost)].concat()).await?;
    let Method::OpenOk = next(&mut conversation).await? else {
        return Err(out_of_order());
    };
    conversation.send(&frame::close()).await?;
    // The open vhost is the proof: an error while closing does not change it.
    let _ = next(&mut conversation).await;
    Ok(version)
}

/// Returns the next method. A `close` of the server is confirmed and returned as an error.
async fn next(conversation: &mut Conversation) -> Result<Method, ProbeError> {
    loop {
        match conversation.receive(frame::parse).await? {
            Method::Heartbeat => {}
            Method::Close { code, text } => {
                let error = ProbeError::new(fault(code), text);
                // The server has given its reason; it does not matter whether the confirmation arrives.
                let _ = conversation.send(&frame::close_ok()).await;
                return Err(error);
            }
            method => return Ok(method),
        }
    }
}

/// The kind of fault that a reply code means here (`amqp0-9-1.xml`, constants).
fn fault(code: u16) -> Fault {
    match code {
        // connection-forced (the broker stops), internal-error (a vhost that is not up yet)
        320 | 541 => Fault::NotYet,
        // access-refused; invalid-path and not-allowed (no such vhost, or not for this user)
        402 | 403 | 530 => Fault::Login,
        _ => Fault::Other,
    }
}

fn out_of_order() -> ProbeError {
    ProbeError::foreign("AMQP 0-9-1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::peer::{Peer, endpoint_of};
    use crate::protocol::prove as prove_any;

    #[test]
    fn reply_codes_are_told_apart() {
        assert_eq!(fault(403), Fault::Login);
        assert_eq!(fault(530), Fault::Login);
        assert_eq!(fault(320), Fault::NotYet);
        assert_eq!(fault(541), Fault::NotYet);
        assert_eq!(fault(501), Fault::Other);
    }

    #[tokio::test]
    async fn a_broker_that_closes_before_it_starts_is_not_there_yet() {
        let error = prove(&endpoint_of(&Peer::closes().await)).await.unwrap_err();
        assert_eq!(error.fault, Fault::NotYet);
    }

    #[tokio::test]
    async fn a_method_out_of_order_is_refused() {
        // `open-ok` where `start` is due.
        let peer = Peer::answers(b"\x01\0\0\0\0\0\x05\0\x0a\0\x29\0\xce").await;
        let error = prove(&endpoint_of(&peer)).await.unwrap_err();
        assert_eq!(error, ProbeError::foreign("AMQP 0-9-1"));
    }

    #[tokio::test]
    async fn hostile_peers_end_in_an_error() {
        crate::protocol::peer::assert_hostile_peers_end(|endpoint| async move {
            prove_any(crate::model::Protocol::Amqp, &endpoint).await
        })
        .await;
    }
}
