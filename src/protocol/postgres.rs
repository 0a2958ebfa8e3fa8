//! Postgres: the frontend/backend protocol, version 3, as far as needed for a session.
//!
//! A connection lives as long as the work over it, and ends by the rules of the protocol.

mod adopt;
mod cluster;
mod facts;
mod guard;
mod inside;
mod password;
mod quote;
mod reconcile;
mod refusal;
mod take_over;

use super::tls::ChannelBinding;
use super::wire::{Stream, connect_postgres};
use super::{ATTEMPT_TIMEOUT, ProbeError, Proof, Tls, within};
use crate::model::Endpoint;
pub(super) use facts::facts;
use guard::{Established, Guarded};
pub(super) use reconcile::reconcile;
use refusal::{Refusal, is_unable};
pub(super) use take_over::take_over;
use tokio_postgres::config::{self, SslMode, SslNegotiation};
use tokio_postgres::{Client, Config, Connection};

/// The number of bytes that a server may send for a login and a `SELECT 1`.
const LIMIT: u64 = 1024 * 1024;
/// The number of bytes that a server may send while reconciling: lists of the objects in a database.
const LIMIT_OF_LISTS: u64 = 64 * 1024 * 1024;

/// Logs in to the endpoint's database (the login's own name if there is none) and selects 1.
pub(super) async fn prove(endpoint: &Endpoint) -> Result<Proof, ProbeError> {
    let Session { client, connection, version } = login(endpoint, LIMIT, "").await.map_err(Refusal::into_error)?;
    drive(connection, async move { client.simple_query("SELECT 1").await }).await?;
    Ok(Proof { words: "logged in", server_version: Some(version) })
}

/// A session that is logged in. The connection does nothing unless [`drive`] runs it.
struct Session {
    client: Client,
    connection: Connection<Stream, Guarded<Stream>>,
    /// The version as the server reports it, without the packager's addition: `15.18`.
    version: String,
}

/// Logs in, with options for the server's command line, within the time limit of one attempt.
async fn login(endpoint: &Endpoint, limit: u64, options: &str) -> Result<Session, Refusal> {
    login_over(endpoint, &Tls::default(), limit, options).await
}

/// The same, encrypted if `tls` asks for it.
async fn login_over(endpoint: &Endpoint, tls: &Tls, limit: u64, options: &str) -> Result<Session, Refusal> {
    let mut config = Config::new();
    config.user(endpoint.user.as_deref().unwrap_or("postgres")).application_name("devenv");
    // TLS is negotiated before this point: the client gets the connection as it is then.
    config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
    config.channel_binding(match tls.channel_binding {
        ChannelBinding::Disable => config::ChannelBinding::Disable,
        ChannelBinding::Prefer => config::ChannelBinding::Prefer,
        ChannelBinding::Require => config::ChannelBinding::Require,
    });
    if !options.is_empty() {
        config.options(options);
    }
    if let Some(password) = &endpoint.password {
        config.password(password.reveal());
    }
    if let Some(database) = &endpoint.database {
        config.dbname(database);
    }
    let login = async {
        let mut line = connect_postgres(endpoint, tls, limit).await?;
        let guard = Established::new(&mut line, tls);
        config.connect_raw(line.stream, guard).await.map_err(|error| {
            if endpoint.password.is_none() && is_unable(&error) {
                ProbeError::login("the server asks for a password, and the endpoint has none").into()
            } else {
                Refusal::from(error)
            }
        })
    };
    let (client, connection) = within(ATTEMPT_TIMEOUT, login).await?;
    let version = connection.parameter("server_version").unwrap_or_default();
    let version = version.split_whitespace().next().unwrap_or_default().to_owned();
    Ok(Session { client, connection, version })
}

/// Does the work while the connection runs. The work must own the client: the connection ends, by the rules of the
/// protocol, when the client is dropped. If the connection breaks first, the next statement of the work fails.
async fn drive<T>(connection: Connection<Stream, Guarded<Stream>>, work: impl Future<Output = T>) -> T {
    let (done, _ended) = tokio::join!(work, connection);
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Protocol, Secret};
    use crate::protocol::peer::{Peer, endpoint_of, nobody};
    use crate::protocol::{Fault, prove_within};
    use std::time::Duration;

    /// A server's message: its tag, its length, its body.
    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[tag], &length[..], body].concat()
    }

    fn refusal(code: &str, words: &str) -> Vec<u8> {
        message(b'E', format!("SFATAL\0VFATAL\0C{code}\0M{words}\0\0").as_bytes())
    }

    #[tokio::test]
    async fn a_server_that_starts_up_is_not_there_yet() {
        let peer = Peer::answers(&refusal("57P03", "the database system is starting up")).await;
        let error = prove(&endpoint_of(&peer)).await.unwrap_err();
        assert_eq!(error, ProbeError::not_yet("the database system is starting up"));
    }

    #[tokio::test]
    async fn a_refused_login_has_the_servers_words() {
        for code in ["28P01", "28000", "3D000", "42501"] {
            let peer = Peer::answers(&refusal(code, "no\u{1b}[31m")).await;
            let error = prove(&endpoint_of(&peer)).await.unwrap_err();
            assert_eq!(error, ProbeError::login("no [31m"), "{code}");
        }
    }

    #[tokio::test]
    async fn a_server_that_asks_for_a_password_we_have_not_refuses_the_login() {
        for request in [&3_u32.to_be_bytes()[..], b"\0\0\0\x05salt", b"\0\0\0\x0aSCRAM-SHA-256\0\0"] {
            let peer = Peer::answers(&message(b'R', request)).await;
            let error = prove(&endpoint_of(&peer)).await.unwrap_err();
            assert_eq!(error.fault, Fault::Login, "{error:?}");
            assert!(error.message.contains("asks for a password"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn connections_that_end_are_worth_another_try() {
        for endpoint in [nobody().await, endpoint_of(&Peer::closes().await)] {
            let error = prove(&endpoint).await.unwrap_err();
            assert_eq!(error.fault, Fault::NotYet, "{error:?}");
        }
        let peer = Peer::half_closes().await;
        assert_eq!(prove(&endpoint_of(&peer)).await.unwrap_err().fault, Fault::NotYet);
    }

    #[tokio::test]
    async fn peers_of_another_protocol_end_in_an_error() {
        for (what, peer) in [
            ("zeros without end", Peer::endless(&[0; 4096]).await),
            ("letters without end", Peer::endless(&[b'x'; 4096]).await),
            ("garbage", Peer::answers(&[0xff; 64]).await),
            ("a login without its end", Peer::endless(b"R\0\0\0\x08\0\0\0\0").await),
        ] {
            let endpoint = Endpoint { password: Some(Secret::new("correct-horse")), ..endpoint_of(&peer) };
            let error = prove(&endpoint).await.unwrap_err();
            assert_eq!(error.fault, Fault::Other, "{what}: {error:?}");
            assert!(!error.message.contains("correct-horse"), "{what}: {error:?}");
        }
        // These bytes could be the beginning of a very long message: the time limit ends the attempt.
        for peer in [Peer::answers(b"SSH-2.0-OpenSSH_9.2p1\r\n").await, Peer::echoes().await] {
            let bound = Duration::from_millis(50);
            let error = prove_within(bound, Protocol::Postgres, &endpoint_of(&peer)).await.unwrap_err();
            assert_eq!(error, ProbeError::not_yet("no answer within 0.05 s"));
        }
    }
}
