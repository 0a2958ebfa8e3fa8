//! Memcached's text protocol (`doc/protocol.txt` of memcached).
//!
//! The protocol has no login: one `version` is the whole round trip.

use super::facts::{note, nothing_yet};
use super::wire::{Conversation, Parsed};
use super::{ProbeError, Proof, Tls};
use crate::model::{Endpoint, Protocol, ServiceFacts};

/// The number of bytes that a server may answer.
const LIMIT: u64 = 1024;
/// The number of bytes that a server may answer to `stats settings`, which has about 60 lines.
const LIMIT_OF_SETTINGS: u64 = 64 * 1024;

/// The settings that an app can notice.
const SETTINGS: [&str; 6] = ["maxbytes", "item_size_max", "maxconns", "evictions", "cas_enabled", "flush_enabled"];

/// Asks for the version.
pub(super) async fn prove(endpoint: &Endpoint) -> Result<Proof, ProbeError> {
    let mut conversation = Conversation::open(endpoint, LIMIT).await?;
    conversation.send(b"version\r\n").await?;
    let version = conversation.receive(parse).await?;
    Ok(Proof { words: "answers", server_version: Some(version) })
}

/// The version, and the settings that an app can notice.
pub(super) async fn facts(endpoint: &Endpoint, tls: &Tls) -> Result<ServiceFacts, ProbeError> {
    let mut conversation = Conversation::open_over(endpoint, tls, LIMIT_OF_SETTINGS).await?;
    conversation.send(b"version\r\nstats settings\r\n").await?;
    let version = conversation.receive(parse).await?;
    let mut facts = nothing_yet(Protocol::Memcached, "memcached", Some(version));
    let settings = conversation.receive(parse_settings).await?;
    let reported = settings.into_iter().filter(|(name, _)| SETTINGS.contains(&name.as_str()));
    note(&mut facts, "settings", Ok(reported));
    Ok(facts)
}

/// Reads `STAT name value` lines up to `END`.
fn parse_settings(bytes: &[u8]) -> Parsed<Vec<(String, String)>> {
    let text = String::from_utf8_lossy(bytes);
    let begins = |word: &str| text.bytes().zip(word.bytes()).all(|(is, should)| is == should);
    if !begins("STAT ") && !begins("END\r\n") {
        return Err(ProbeError::foreign("memcached's protocol"));
    }
    let Some((lines, _)) = text.split_once("END\r\n") else { return Ok(None) };
    let stat = |line: &str| {
        let (name, value) = line.strip_prefix("STAT ")?.split_once(' ')?;
        Some((name.to_owned(), value.trim_end().to_owned()))
    };
    Ok(Some((lines.lines().filter_map(stat).collect(), lines.len() + 5)))
}

/// Returns the version in `VERSION 1.6.18`, and the length of the line.
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
    fn settings_are_read_once_their_end_has_come() {
        assert_eq!(parse_settings(b"").unwrap(), None);
        assert_eq!(parse_settings(b"STAT maxbytes 1\r\n").unwrap(), None);
        let maxbytes = vec![("maxbytes".to_owned(), "1".to_owned())];
        assert_eq!(parse_settings(b"STAT maxbytes 1\r\nEND\r\n").unwrap(), Some((maxbytes, 22)));
        assert_eq!(parse_settings(b"ERROR\r\n").unwrap_err().fault, Fault::Other);
    }

    #[test]
    fn bytes_that_are_no_version_are_refused_at_once() {
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
