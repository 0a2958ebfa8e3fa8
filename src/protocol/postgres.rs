//! Postgres: its frontend/backend protocol, version 3, without TLS.
//!
//! A connection lives as long as the work over it, and is ended by the protocol's own rules.

mod adopt;
mod password;
mod quote;
mod reconcile;

use super::wire::connect;
use super::{Fault, ProbeError, Proof, TRY, within};
use crate::model::Endpoint;
pub(super) use reconcile::reconcile;
use std::error::Error as _;
use std::io;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};

/// Bytes that a server may send for a login and a `SELECT 1`.
const LIMIT: u64 = 1024 * 1024;
/// Bytes that a server may send while reconciling: lists of what a database holds.
const LIMIT_OF_LISTS: u64 = 64 * 1024 * 1024;

/// Logs in to the endpoint's database (the login's own name where there is none) and asks for 1.
pub(super) async fn prove(endpoint: &Endpoint) -> Result<Proof, ProbeError> {
    session(endpoint, LIMIT, async |client, version| {
        client.simple_query("SELECT 1").await?;
        Ok(Proof { words: "logged in", server_version: Some(version.to_owned()) })
    })
    .await
}

/// Logs in, and does the work with the client and the server's version (`15.18`). Only the login is bounded in time.
async fn session<T, E: From<ProbeError> + From<tokio_postgres::Error>>(
    endpoint: &Endpoint,
    limit: u64,
    work: impl AsyncFnOnce(&Client, &str) -> Result<T, E>,
) -> Result<T, E> {
    let mut config = Config::new();
    config.user(endpoint.user.as_deref().unwrap_or("postgres")).ssl_mode(SslMode::Disable).application_name("devenv");
    if let Some(password) = &endpoint.password {
        config.password(password.reveal());
    }
    if let Some(database) = &endpoint.database {
        config.dbname(database);
    }
    let login = async {
        let stream = connect(endpoint, limit).await?;
        config.connect_raw(stream, NoTls).await.map_err(|error| {
            if endpoint.password.is_none() && unable(&error) {
                ProbeError::login("the server asks for a password, and the endpoint has none").into()
            } else {
                E::from(error)
            }
        })
    };
    let (client, connection) = within(TRY, login).await?;
    let version = connection.parameter("server_version").unwrap_or_default().to_owned();
    let version = version.split_whitespace().next().unwrap_or_default();
    let work = async {
        let done = work(&client, version).await;
        // The connection ends once its client is gone.
        drop(client);
        done
    };
    // If the connection breaks, the work ends too: its next statement fails.
    let (done, _ended) = tokio::join!(work, connection);
    done
}

/// Whether the client's own configuration was at fault: no password where one is asked for.
fn unable(error: &tokio_postgres::Error) -> bool {
    let from_connection = error.source().is_some_and(<dyn std::error::Error>::is::<io::Error>);
    error.as_db_error().is_none() && !error.is_closed() && !from_connection && error.source().is_some()
}

impl From<tokio_postgres::Error> for ProbeError {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(refusal) = error.as_db_error() {
            let detail = refusal.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            return Self::new(fault(refusal.code().code()), format!("{}{detail}", refusal.message()));
        }
        if error.is_closed() {
            return Self::closed();
        }
        let source = error.source();
        match source.and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind) {
            Some(
                io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe
                | io::ErrorKind::NotConnected
                | io::ErrorKind::TimedOut,
            ) => Self::not_yet(error.to_string()),
            Some(_) => Self::foreign("Postgres' protocol"),
            None => match source {
                Some(source) => Self::other(format!("{error}: {source}")),
                None => Self::foreign("Postgres' protocol"),
            },
        }
    }
}

/// What an SQLSTATE means here (appendix A of Postgres' documentation).
fn fault(code: &str) -> Fault {
    match code {
        // starting up; shutting down; crashed and recovering; no connection left
        "57P03" | "57P01" | "57P02" | "53300" => Fault::NotYet,
        // wrong password; no such login, or not from here; no such database; not allowed to connect to it
        "28P01" | "28000" | "3D000" | "42501" => Fault::Login,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Protocol, Secret};
    use crate::protocol::peer::{Peer, endpoint_of, nobody};
    use crate::protocol::prove_within;
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
        // These could be the beginning of a very long message: the bound ends them.
        for peer in [Peer::answers(b"SSH-2.0-OpenSSH_9.2p1\r\n").await, Peer::echoes().await] {
            let bound = Duration::from_millis(50);
            let error = prove_within(bound, Protocol::Postgres, &endpoint_of(&peer)).await.unwrap_err();
            assert_eq!(error, ProbeError::not_yet("no answer within 0.05 s"));
        }
    }
}
