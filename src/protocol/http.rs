//! HTTP/1.1: one request; of the answer, only the status counts (RFC 9112).
//!
//! A status below 500 is a proof: a server that answers 404 is up. With a login, 401 and 403 mean that the login is
//! refused.

mod get;

use super::wire::{Conversation, Parsed};
use super::{ProbeError, Proof, Tls};
use crate::kinds::base64;
use crate::model::Endpoint;
pub(super) use get::get;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// The number of bytes that are read of an answer.
const LIMIT: u64 = 64 * 1024;

/// Requests the endpoint's path (`/` if there is none).
pub(super) async fn prove(endpoint: &Endpoint) -> Result<Proof, ProbeError> {
    let mut conversation = Conversation::open_for_password(endpoint, &Tls::default(), LIMIT).await?;
    conversation.send(request(endpoint).as_bytes()).await?;
    let (status, line) = conversation.receive(parse).await?;
    match status {
        401 | 403 if endpoint.password.is_some() => Err(ProbeError::login(line)),
        500.. => Err(ProbeError::not_yet(line)),
        _ => Ok(Proof {
            words: if endpoint.password.is_some() { "logged in" } else { "answers HTTP" },
            server_version: None,
        }),
    }
}

/// The login in the form of a header.
fn basic(endpoint: &Endpoint) -> Option<String> {
    let password = endpoint.password.as_ref()?.reveal();
    let login = format!("{}:{password}", endpoint.user.as_deref().unwrap_or_default());
    Some(format!("Basic {}", base64(login.as_bytes())))
}

/// Host and port in the form of a header.
fn authority(endpoint: &Endpoint) -> String {
    match endpoint.host.as_str() {
        address if address.contains(':') && !address.starts_with('[') => format!("[{address}]:{}", endpoint.port),
        name => format!("{name}:{}", endpoint.port),
    }
}

fn request(endpoint: &Endpoint) -> String {
    let login = basic(endpoint).map_or_else(String::new, |login| format!("Authorization: {login}\r\n"));
    let path = target(endpoint.path.as_deref().unwrap_or_default());
    let host = authority(endpoint);
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: devenv\r\nAccept: */*\r\n{login}Connection: close\r\n\r\n"
    )
}

/// A path in the form for a request: with a leading slash, and without characters that would end the line.
fn target(path: &str) -> String {
    const REFUSED: &AsciiSet = &CONTROLS.add(b' ');
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{slash}{}", utf8_percent_encode(path, REFUSED))
}

/// Returns the status, its line, and the length of the line.
fn parse(bytes: &[u8]) -> Parsed<(u16, String)> {
    let foreign = || ProbeError::foreign("HTTP");
    if !bytes.iter().zip(b"HTTP/1.").all(|(is, should)| is == should) {
        return Err(foreign());
    }
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    let line = String::from_utf8_lossy(&bytes[..end]).trim_end().to_owned();
    let status = line.split(' ').nth(1).filter(|status| status.len() == 3).and_then(|status| status.parse().ok());
    let status = status.filter(|status| (200..600).contains(status)).ok_or_else(foreign)?;
    Ok(Some(((status, line), end + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::protocol::peer::{Peer, endpoint_of};
    use crate::protocol::{Fault, prove as prove_any};

    #[test]
    fn a_path_cannot_add_lines_to_the_request() {
        assert_eq!(target(""), "/");
        assert_eq!(target("/_cluster/health?local=true"), "/_cluster/health?local=true");
        assert_eq!(target("a b\r\nX: y"), "/a%20b%0D%0AX:%20y");
        assert_eq!(target("/é"), "/%C3%A9");
    }

    #[test]
    fn the_request_names_host_and_login() {
        let endpoint = Endpoint {
            host: "::1".to_owned(),
            port: 9200,
            user: Some("elastic".to_owned()),
            password: Some(Secret::new("pw")),
            database: None,
            vhost: None,
            path: Some("/health".to_owned()),
        };
        let request = request(&endpoint);
        assert!(request.starts_with("GET /health HTTP/1.1\r\nHost: [::1]:9200\r\n"), "{request}");
        assert!(request.contains("\r\nAuthorization: Basic ZWxhc3RpYzpwdw==\r\n"), "{request}");
        assert!(request.ends_with("\r\n\r\n"), "{request}");
    }

    #[tokio::test]
    async fn an_answer_below_500_is_a_proof() {
        for status in ["200 OK", "404 Not Found", "401 Unauthorized", "302 Found"] {
            let peer = Peer::answers(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await;
            assert_eq!(prove(&endpoint_of(&peer)).await.unwrap().words, "answers HTTP", "{status}");
        }
    }

    #[tokio::test]
    async fn a_server_that_says_it_is_unavailable_is_not_there_yet() {
        let peer = Peer::answers(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
        let error = prove(&endpoint_of(&peer)).await.unwrap_err();
        assert_eq!(error, ProbeError::not_yet("HTTP/1.1 503 Service Unavailable"));
    }

    #[tokio::test]
    async fn a_refused_login_is_reported() {
        let peer = Peer::answers(b"HTTP/1.1 401 Unauthorized\r\n\r\n").await;
        let endpoint = Endpoint { password: Some(Secret::new("pw")), ..endpoint_of(&peer) };
        assert_eq!(prove(&endpoint).await.unwrap_err().fault, Fault::Login);
    }

    #[test]
    fn bytes_that_are_no_status_line_are_refused_at_once() {
        for bytes in [&b"-ERR unknown"[..], b"HTTP/2", b"HTTP/1.1 abc\r\n", b"HTTP/1.1 99\r\n", b"HTTP/1.1\r\n"] {
            assert_eq!(parse(bytes).unwrap_err().fault, Fault::Other, "{bytes:?}");
        }
        assert_eq!(parse(b"HTTP/1.1 20").unwrap(), None);
    }

    #[tokio::test]
    async fn hostile_peers_end_in_an_error() {
        crate::protocol::peer::assert_hostile_peers_end(|endpoint| async move {
            prove_any(crate::model::Protocol::Http, &endpoint).await
        })
        .await;
    }
}
