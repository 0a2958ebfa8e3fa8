//! Memcached's text protocol (`doc/protocol.txt` of memcached).
//!
//! It has no login: one `version` is the whole round trip.

use super::wire::{Conversation, Parsed};
use super::{ProbeError, Proof};
use crate::model::Endpoint;

/// Bytes that a server may answer.
const LIMIT: u64 = 1024;

/// Asks for the version.
pub(super) async fn prove(endpoint: &Endpoint) -> Result<Proof, ProbeError> {
    let mut conversation = Conversation::open(endpoint, LIMIT).await?;
    conversation.send(b"version\r\n").await?;
    let version = conversation.receive(parse).await?;
    Ok(Proof { words: "answers", server_version: Some(version) })
}

/// The version in `VERSION 1.6.18`, and the line's length.
fn parse(bytes: &[u8]) -> Parsed<String> {
    let refusals: [&[u8]; 2] = [b"SERVER_ERROR ", b"CLIENT_ERROR "];
    let expected: &[u8] = b"VERSION ";
    let begins = |word: &[u8]| bytes.iter().zip(word).all(|(is, should)| is == should);
    if !begins(expected) && !refusals.iter().any(|refusal| begins(refusal)) {
        return Err(ProbeError::foreign("memcached's protocol"));
    }
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
    let line = String::from_utf8_lossy(&bytes[..end]);
    match line.strip_prefix("VERSION ") {
        Some(version) => Ok(Some((version.trim().to_owned(), end + 2))),
        None => Err(ProbeError::other(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::peer::{Peer, endpoint_of};
    use crate::protocol::{Fault, prove as prove_any};

    #[test]
    fn the_version_is_read_once_its_line_is_whole() {
        assert_eq!(parse(b"").unwrap(), None);
        assert_eq!(parse(b"VERSION 1.6").unwrap(), None);
        assert_eq!(parse(b"VERSION 1.6.18\r\n").unwrap(), Some(("1.6.18".to_owned(), 16)));
    }

    #[test]
    fn what_is_no_version_is_refused_at_once() {
        for bytes in [&b"ERROR\r\n"[..], b"HTTP", b"-ERR", b"\0", b"SERVER_ERROR out of memory\r\n"] {
            assert_eq!(parse(bytes).unwrap_err().fault, Fault::Other, "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_in_pieces_is_put_together() {
        let peer = Peer::answers_in_pieces(&[b"VERS", b"ION 1.6.18\r", b"\n"]).await;
        let proof = prove(&endpoint_of(&peer)).await.unwrap();
        assert_eq!(proof.server_version.as_deref(), Some("1.6.18"));
    }

    #[tokio::test]
    async fn hostile_peers_end_in_an_error() {
        crate::protocol::peer::assert_hostile_peers_end(|endpoint| async move {
            prove_any(crate::model::Protocol::Memcached, &endpoint).await
        })
        .await;
    }
}
