//! Logins against peers that answer like a server, or as no server should.

use super::packet::framed;
use super::packet::tests::handshake_packet;
use super::*;
use crate::kinds::from_base64;
use crate::model::{Protocol, Secret};
use crate::protocol::peer::{Peer, endpoint_of, nobody};
use crate::protocol::{Fault, prove_within};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

const NATIVE: &str = "mysql_native_password";
const SHA2: &str = "caching_sha2_password";
const OK: &[u8] = b"\0\0\0\x02\0\0\0";

/// A certificate as a server makes one for itself, and its key: for this test alone.
const CERTIFICATE: &str = "MIIBgjCCASegAwIBAgIUA5ois48UQ78NIELuEL9EYimog2AwCgYIKoZIzj0EAwIwFTETMBEGA1UEAwwKTXlTUUwgdGVzdDAgFw0y \
     NjExMjcwOTI2NDdaGA8yMTI2MTEwMzA5MjY0N1owFTETMBEGA1UEAwwKTXlTUUwgdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEH \
     A0IABHAj6SBlU3TFm+v4k97hFkFaXINshblAB29bOVOflk+naTSx6/6bZGYhY809iDNFUWHWYLdC8yuITV7qBTKGMLijUzBRMB0G \
     A1UdDgQWBBQdFZkRYUQca2tW6ElbvODqIyFV9TAfBgNVHSMEGDAWgBQdFZkRYUQca2tW6ElbvODqIyFV9TAPBgNVHRMBAf8EBTAD \
     AQH/MAoGCCqGSM49BAMCA0kAMEYCIQDSlOtyQE+NVhGTAAyVFxyK1o1neP0Xxp9vWg54Z2dhMAIhAOt4W/P7y4dKUiNuiQHgTQj9 \
     E8PafYKEAU0Pe1XgfYSv";
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg7sM9FSmTHySQoHZslIsVLx2qAE+lh0Io8PehdCS1SEyhRANCAARw \
     I+kgZVN0xZvr+JPe4RZBWlyDbIW5QAdvWzlTn5ZPp2k0sev+m2RmIWPNPYgzRVFh1mC3QvMriE1e6gUyhjC4";

/// A packet's number and payload.
type Packet<'a> = (u8, &'a [u8]);

/// Packets in the order in which a server sends them, each with its number.
fn packets(packets: &[Packet<'_>]) -> Vec<u8> {
    packets.iter().flat_map(|(sequence, payload)| framed(payload, *sequence)).collect()
}

/// The answer of a server to `SELECT 1`.
fn one() -> Vec<u8> {
    packets(&[(1, b"\x01"), (2, b"\x03def\0\0\0\x011"), (3, b"\xfe\0\0\x02\0"), (4, b"\x011"), (5, b"\xfe\0\0\x02\0")])
}

async fn proven(bytes: &[u8]) -> Result<Proof, ProbeError> {
    let peer = Peer::answers(bytes).await;
    prove(&with_login(endpoint_of(&peer))).await
}

fn with_login(endpoint: Endpoint) -> Endpoint {
    Endpoint {
        user: Some("app".to_owned()),
        password: Some(Secret::new("correct-horse")),
        database: Some("shop".to_owned()),
        ..endpoint
    }
}

#[tokio::test]
async fn a_login_is_proven_whichever_way_the_server_wants_it() {
    let ways: [(&str, &[Packet<'_>]); 5] = [
        (NATIVE, &[(2, OK)]),
        (NATIVE, &[(2, b"\xfecaching_sha2_password\0abcdefghijklmnopqrst\0"), (4, b"\x01\x03"), (5, OK)]),
        (SHA2, &[(2, b"\x01\x03"), (3, OK)]),
        (SHA2, &[(2, b"\xfemysql_native_password\0abcdefghijklmnopqrst\0"), (4, OK)]),
        ("parsec", &[(2, OK)]),
    ];
    for (plugin, answers) in ways {
        let bytes = [framed(&handshake_packet("8.4.4", plugin), 0), packets(answers), one()].concat();
        let proof = proven(&bytes).await.unwrap_or_else(|error| panic!("{plugin} {answers:?}: {error:?}"));
        assert_eq!(proof, Proof { words: "logged in", server_version: Some("8.4.4".to_owned()) });
    }
}

#[tokio::test]
async fn a_refusal_has_the_servers_words_at_whatever_moment_it_comes() {
    let greeted = framed(&handshake_packet("8.4.4", SHA2), 0);
    let no = b"\xff\x15\x04#28000Access denied for user 'app'";
    for bytes in [packets(&[(0, no)]), [&greeted[..], &packets(&[(2, no)])].concat()] {
        let error = proven(&bytes).await.unwrap_err();
        assert_eq!(error, ProbeError::login("Access denied for user 'app' (1045)"));
    }
    let error = proven(&packets(&[(0, b"\xff\x10\x04Too many connections")])).await.unwrap_err();
    assert_eq!(error, ProbeError::not_yet("Too many connections (1040)"));
    let statement = packets(&[(2, OK), (1, b"\xff\x1d\x04#08S01Server shutdown in progress")]);
    let error = proven(&[greeted, statement].concat()).await.unwrap_err();
    assert_eq!(error, ProbeError::not_yet("Server shutdown in progress (1053)"));
}

#[tokio::test]
async fn a_plugin_that_is_not_spoken_is_named() {
    let bytes = [framed(&handshake_packet("11.8.3-MariaDB", NATIVE), 0), packets(&[(2, b"\xfeclient_ed25519\0nonce")])]
        .concat();
    let error = proven(&bytes).await.unwrap_err();
    assert_eq!(error.fault, Fault::Login);
    assert!(error.message.contains("client_ed25519"), "{error:?}");
}

#[tokio::test]
async fn the_password_itself_is_not_given_where_anybody_could_read_it() {
    let mut greeted = handshake_packet("8.4.4", SHA2);
    // TLS is not among its capabilities.
    let at = greeted.windows(2).position(|pair| pair == b"\xff\xff").unwrap() + 1;
    greeted[at] = 0xf7;
    let error = proven(&[framed(&greeted, 0), packets(&[(2, b"\x01\x04")])].concat()).await.unwrap_err();
    assert_eq!(error.fault, Fault::Login);
    for part in ["the password itself", "no TLS", "log in once"] {
        assert!(error.message.contains(part), "{part}: {error:?}");
    }
}

#[tokio::test]
async fn the_password_itself_goes_over_tls_to_a_server_on_this_machine() {
    fn packet(stream: &mut impl Read) -> (u8, Vec<u8>) {
        let mut header = [0; 4];
        stream.read_exact(&mut header).unwrap();
        let mut payload = vec![0; usize::from(header[0])];
        stream.read_exact(&mut payload).unwrap();
        (header[3], payload)
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let greeted = framed(&handshake_packet("8.4.4", SHA2), 0);
        let (mut plain, _) = listener.accept().unwrap();
        plain.write_all(&greeted).unwrap();
        packet(&mut plain);
        plain.write_all(&framed(b"\x01\x04", 2)).unwrap();
        // From here on the client speaks TLS, after a request that contains no name.
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&greeted).unwrap();
        let (_, request) = packet(&mut stream);
        assert_eq!(request.len(), 32);
        let certificate = CertificateDer::from(from_base64(CERTIFICATE).unwrap());
        let key = PrivatePkcs8KeyDer::from(from_base64(KEY).unwrap());
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key.into())
            .unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
        assert_eq!(packet(&mut stream).0, 2);
        stream.write_all(&framed(b"\x01\x04", 3)).unwrap();
        assert_eq!(packet(&mut stream), (4, b"correct-horse\0".to_vec()));
        stream.write_all(&framed(OK, 5)).unwrap();
        assert_eq!(packet(&mut stream), (0, b"\x03SELECT 1".to_vec()));
        stream.write_all(&one()).unwrap();
        assert_eq!(packet(&mut stream), (0, b"\x01".to_vec()));
    });
    let proof = prove(&with_login(Endpoint { port, ..nobody().await })).await.unwrap();
    assert_eq!(proof.server_version.as_deref(), Some("8.4.4"));
    server.join().unwrap();
}

#[tokio::test]
async fn a_server_that_asks_for_a_file_or_gives_something_else_than_1_is_none() {
    let before = [framed(&handshake_packet("8.4.4", NATIVE), 0), packets(&[(2, OK)])].concat();
    for answer in
        [packets(&[(1, b"\xfb/etc/passwd")]), packets(&[(1, OK)]), packets(&[(1, b"\x01"), (2, b""), (3, b"x")])]
    {
        let error = proven(&[&before[..], &answer].concat()).await.unwrap_err();
        assert_eq!(error, packet::foreign());
    }
    // The server asks again and again.
    let again: Vec<u8> = (1..9).flat_map(|turn| framed(b"\xfemysql_native_password\0nonce", turn * 2)).collect();
    let error = proven(&[framed(&handshake_packet("8.4.4", NATIVE), 0), again].concat()).await.unwrap_err();
    assert_eq!(error, packet::foreign());
}

#[tokio::test]
async fn connections_that_end_are_worth_another_try() {
    for endpoint in [nobody().await, endpoint_of(&Peer::closes().await)] {
        assert_eq!(prove(&endpoint).await.unwrap_err().fault, Fault::NotYet);
    }
    let peer = Peer::half_closes().await;
    assert_eq!(prove(&endpoint_of(&peer)).await.unwrap_err().fault, Fault::NotYet);
}

#[tokio::test]
async fn peers_of_another_protocol_end_in_an_error() {
    for (what, peer) in [
        ("another protocol", Peer::answers(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").await),
        ("zeros without end", Peer::endless(&[0; 4096]).await),
        ("letters without end", Peer::endless(&[b'x'; 4096]).await),
        ("a packet without end", Peer::endless(b"\xfe\xff\xff\0\x0a\xff\xff").await),
        ("garbage", Peer::answers(&[0xff; 64]).await),
        ("an older protocol", Peer::answers(&framed(b"\x093.23\0", 0)).await),
    ] {
        let error = prove(&with_login(endpoint_of(&peer))).await.unwrap_err();
        assert_eq!(error.fault, Fault::Other, "{what}: {error:?}");
        assert!(!error.message.contains("correct-horse"), "{what}: {error:?}");
    }
    // The server must send first: a server that waits for the client counts as silent.
    let bound = Duration::from_millis(50);
    let error = prove_within(bound, Protocol::Mysql, &endpoint_of(&Peer::echoes().await)).await.unwrap_err();
    assert_eq!(error, ProbeError::not_yet("no answer within 0.05 s"));
}
