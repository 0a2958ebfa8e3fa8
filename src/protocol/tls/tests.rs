//! Handshakes with a server whose certificate was signed by an authority of this test, and passwords that must not be
//! given away.

use super::*;
use crate::kinds::Kinds;
use crate::model::{Endpoint, Protocol, Secret};
use crate::protocol::{Fault, Target, facts};
use rustls::{ClientConnection, ServerConfig, ServerConnection};
use std::io::{Read as _, Write as _};
use std::net::{Ipv6Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

const SERVER: &[u8] = include_bytes!("../../../tests/certificates/server.pem");
const SERVER_KEY: &[u8] = include_bytes!("../../../tests/certificates/server.key");
const AUTHORITY: &str = include_str!("../../../tests/certificates/authority.pem");
const STRANGER: &str = include_str!("../../../tests/certificates/stranger.pem");

/// A handshake in memory with the server, under that name.
fn shake(tls: &Tls, name: &str) -> Result<(), String> {
    let certificate = CertificateDer::from_pem_slice(SERVER).unwrap();
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap();
    let configuration = configuration(tls).map_err(|error| error.message)?;
    let mut client = ClientConnection::new(Arc::new(configuration), server_name(name).unwrap()).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        server.read_tls(&mut bytes.as_slice()).unwrap();
        server.process_new_packets().map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        client.read_tls(&mut bytes.as_slice()).unwrap();
        client.process_new_packets().map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn file(folder: &tempfile::TempDir, name: &str, text: &[u8], mode: u32) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn a_certificate_counts_as_far_as_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str, text: &[u8]| Some(file(&folder, name, text, 0o644));
    let authority = of("authority", AUTHORITY.as_bytes());
    let stranger = of("stranger", STRANGER.as_bytes());
    let own = of("own", SERVER);
    for (mode, authorities, name, accepted) in [
        (TlsMode::Unchecked, None, "elsewhere.test", true),
        (TlsMode::Preferred, None, "elsewhere.test", true),
        (TlsMode::Authority, authority.clone(), "elsewhere.test", true),
        (TlsMode::Authority, stranger.clone(), "db.test", false),
        (TlsMode::Checked, authority.clone(), "db.test", true),
        (TlsMode::Checked, authority, "elsewhere.test", false),
        (TlsMode::Checked, stranger, "db.test", false),
        // The server's own certificate, named by the user.
        (TlsMode::Checked, own.clone(), "db.test", true),
        (TlsMode::Checked, own.clone(), "elsewhere.test", false),
        (TlsMode::Authority, own, "elsewhere.test", true),
    ] {
        let shaken = shake(&Tls { mode, authorities: authorities.clone(), ..Tls::default() }, name);
        assert_eq!(shaken.is_ok(), accepted, "{mode:?} {authorities:?} {name}: {shaken:?}");
    }
}

#[test]
fn a_file_that_cannot_be_taken_ends_the_connection_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = file(&folder, "me.pem", SERVER, 0o644);
    let open = file(&folder, "open.key", SERVER_KEY, 0o644);
    let closed = file(&folder, "closed.key", SERVER_KEY, 0o600);
    let empty = file(&folder, "empty.pem", b"", 0o600);
    let with = |authorities: Option<&Path>, key: Option<&Path>| {
        let identity = key.map(|key| (certificate.clone(), key.to_owned()));
        let authorities = authorities.map(Path::to_owned);
        configuration(&Tls { mode: TlsMode::Authority, authorities, identity, ..Tls::default() })
            .map_err(|error| error.message)
    };
    assert!(with(Some(&certificate), Some(&closed)).is_ok());
    for (authorities, key, part) in [
        (folder.path().join("none.pem"), None, "none.pem: No such file"),
        (empty.clone(), None, "empty.pem: it holds no certificate"),
        (certificate.clone(), Some(open.as_path()), "open.key: others can read it (mode 0644): `chmod 600`"),
        (certificate.clone(), Some(empty.as_path()), "empty.pem: it holds no key in PEM"),
        (certificate.clone(), Some(folder.path()), "private key"),
    ] {
        let error = with(Some(&authorities), key).expect_err(part);
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn loopback_is_decided_by_the_connected_address_only() {
    let tls = Tls::default();
    for address in ["127.0.0.1", "127.88.3.4", "::1", "::ffff:127.0.0.1"] {
        assert!(tls.gives_in_clear(address.parse().unwrap()), "{address}");
    }
    for address in ["172.17.0.1", "10.0.0.1", "::ffff:10.0.0.1", "fe80::1", "128.0.0.1"] {
        assert!(!tls.gives_in_clear(address.parse().unwrap()), "{address}");
    }
    let anywhere = Tls { clear_text: ClearText::Anywhere, ..Tls::default() };
    assert!(anywhere.gives_in_clear(IpAddr::V6(Ipv6Addr::UNSPECIFIED)));
}

/// A server that sends these answers, each after it has received something. Returns the port, and all the bytes that
/// the server received.
fn scripted(answers: &'static [&'static [u8]]) -> (u16, thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = Vec::new();
        for answer in answers {
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer) {
                Ok(length) if length > 0 => heard.extend_from_slice(&buffer[..length]),
                _ => break,
            }
            if stream.write_all(answer).is_err() {
                break;
            }
        }
        let _ = stream.read_to_end(&mut heard);
        heard
    });
    (port, server)
}

/// A peer between the client and the server denies TLS, and asks for the password itself.
#[tokio::test]
async fn a_downgrade_gets_no_password_in_clear_text() {
    const CLEAR: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
    const MD5: &[u8] = b"R\0\0\0\x0c\0\0\0\x05salt";
    const START: &[u8] = b"\x01\0\0\0\0\0\x21\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US\xce";
    let cases: [(&str, &'static [&'static [u8]]); 7] = [
        ("postgres://app:correct-horse@localhost/shop", &[b"N", CLEAR]),
        ("postgres://app:correct-horse@localhost/shop?sslmode=prefer", &[b"N", MD5]),
        ("postgres://app:correct-horse@localhost/shop?sslmode=disable", &[CLEAR]),
        ("postgres://app:correct-horse@localhost/shop?sslmode=require", &[b"N", CLEAR]),
        ("redis://:correct-horse@localhost/0", &[b"+OK\r\n"]),
        ("amqp://app:correct-horse@localhost/shop?management=off", &[START]),
        ("rediss://:correct-horse@localhost/0", &[b"-ERR unknown command\r\n"]),
    ];
    for (url, answers) in cases {
        let (port, server) = scripted(answers);
        let mut target = Target::parse(url, &Kinds::built_in().unwrap()).unwrap().1;
        target.endpoint.port = port;
        target.tls.clear_text = ClearText::Never;
        let error = facts(&target).await.unwrap_err();
        let heard = server.join().unwrap();
        let heard = String::from_utf8_lossy(&heard);
        // An MD5 answer would be recognised by its first bytes.
        assert!(!heard.contains("correct-horse") && !heard.contains("md5"), "{url}: {heard}");
        assert_ne!(error.fault, Fault::NotYet, "{url}: {error:?}");
        let said = error.message.contains("the password was not sent") && error.message.contains("--insecure");
        assert!(said || error.message.contains("TLS"), "{url}: {error:?}");
    }
    // The same peers get the password if the user allowed it.
    let (port, server) = scripted(&[b"N", CLEAR]);
    let mut target =
        Target::parse("postgres://app:correct-horse@localhost/shop", &Kinds::built_in().unwrap()).unwrap().1;
    target.endpoint.port = port;
    target.tls.clear_text = ClearText::Anywhere;
    facts(&target).await.unwrap_err();
    assert!(String::from_utf8_lossy(&server.join().unwrap()).contains("correct-horse"));
}

#[tokio::test]
async fn the_management_api_gets_no_login_where_others_could_read_it() {
    let (port, server) = scripted(&[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"]);
    let endpoint = Endpoint {
        host: "localhost".to_owned(),
        port,
        user: Some("app".to_owned()),
        password: Some(Secret::new("correct-horse")),
        database: None,
        vhost: None,
        path: None,
    };
    let tls = Tls { clear_text: ClearText::Never, ..Tls::default() };
    let error = crate::protocol::http::get(&endpoint, &tls, "/api/users").await.unwrap_err();
    assert!(error.message.contains("the password was not sent"), "{error:?}");
    assert_eq!(server.join().unwrap(), b"", "nothing was sent at all");
}

#[tokio::test]
async fn a_login_that_must_be_bound_to_tls_is_done_no_other_way() {
    const BEGIN: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
    let (port, server) = scripted(&[b"N", BEGIN]);
    let url = "postgres://app:correct-horse@localhost/shop?channel_binding=require";
    let mut target = Target::parse(url, &Kinds::built_in().unwrap()).unwrap().1;
    target.endpoint.port = port;
    assert_eq!(target.protocol, Protocol::Postgres);
    let error = facts(&target).await.unwrap_err();
    assert!(error.message.contains("channel binding"), "{error:?}");
    assert!(!String::from_utf8_lossy(&server.join().unwrap()).contains("SCRAM"));
}
