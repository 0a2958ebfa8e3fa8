//! Servers with their own certificates, asked with the TLS mode of a URL; and passwords that are not sent.

use crate::server::Server;
use devenv::kinds::Kinds;
use devenv::model::{Endpoint, Protocol};
use devenv::protocol::{ClearText, ProbeError, Target, facts};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

const AUTHORITY: &str = include_str!("../certificates/authority.pem");
const STRANGER: &str = include_str!("../certificates/stranger.pem");
const SERVER: &str = include_str!("../certificates/server.pem");
const SERVER_KEY: &str = include_str!("../certificates/server.key");
const CLIENT: &str = include_str!("../certificates/client.pem");
const CLIENT_KEY: &str = include_str!("../certificates/client.key");

/// Files that a URL names, each readable by its owner only.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in
            [("authority", AUTHORITY), ("stranger", STRANGER), ("client", CLIENT), ("client-key", CLIENT_KEY)]
        {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Asks a server with a known port through a URL without a port.
async fn asked(url: &str, port: u16, clear_text: ClearText) -> Result<Target, ProbeError> {
    let mut target = Target::parse(url, &Kinds::built_in().expect("the kinds")).expect(url).1;
    target.endpoint.port = port;
    target.tls.clear_text = clear_text;
    facts(&target).await.map(|_| target)
}

#[tokio::test]
async fn postgres_is_asked_over_tls_as_its_url_says() {
    let files = Files::new();
    let tls = [("/tls/server.pem", SERVER), ("/tls/server.key", SERVER_KEY), ("/tls/authority.pem", AUTHORITY)];
    let server =
        Server::start(("postgres:17", Protocol::Postgres, 5432), &[("POSTGRES_PASSWORD", "correct-horse")], &[], &tls);
    let admin = server.endpoint(Some("postgres"), Some("correct-horse"));
    server.ready(&admin).await;
    server.run(&["sh", "-c", "
        cp /tls/* \"$PGDATA\" && chown postgres \"$PGDATA\"/server.* && chmod 600 \"$PGDATA\"/server.key &&
        { echo 'hostssl all certified all cert'; cat \"$PGDATA\"/pg_hba.conf; } > /tls/hba && cat /tls/hba > \"$PGDATA\"/pg_hba.conf &&
        psql -U postgres -c 'CREATE ROLE certified LOGIN' -c \"ALTER SYSTEM SET ssl_cert_file = 'server.pem'\" \
            -c \"ALTER SYSTEM SET ssl_ca_file = 'authority.pem'\" -c 'ALTER SYSTEM SET ssl = on' -c 'SELECT pg_reload_conf()'"]);
    let (authority, stranger) = (files.path("authority"), files.path("stranger"));
    let (authority, stranger) = (authority.display(), stranger.display());
    let (certificate, key) = (files.path("client"), files.path("client-key"));
    let identity = format!("sslcert={}&sslkey={}", certificate.display(), key.display());
    let password = "postgres:correct-horse";
    let ask = async |login: &str, host: &str, words: &str| {
        asked(&format!("postgres://{login}@{host}/postgres?{words}"), admin.port, ClearText::Never).await
    };
    server.eventually("it speaks TLS", async || ask(password, "localhost", "sslmode=require").await.ok()).await;
    for (login, host, words) in [
        (password, "localhost", format!("sslmode=verify-full&sslrootcert={authority}")),
        (password, "127.0.0.1", format!("sslmode=verify-ca&sslrootcert={authority}")),
        (password, "localhost", "sslmode=require&channel_binding=require&require_auth=scram-sha-256".to_owned()),
        (password, "localhost", "sslmode=require&sslnegotiation=direct&channel_binding=require".to_owned()),
        (password, "localhost", "sslmode=require&channel_binding=disable&ssl_min_protocol_version=TLSv1.3".to_owned()),
        ("certified", "localhost", format!("sslmode=verify-full&sslrootcert={authority}&{identity}")),
    ] {
        let answer = ask(login, host, &words).await;
        assert!(answer.is_ok(), "{host} {words}: {answer:?}\n{}", server.log());
    }
    for (login, host, words, part) in [
        (password, "localhost", format!("sslmode=verify-full&sslrootcert={stranger}"), "TLS: invalid peer certificate"),
        (password, "localhost", format!("sslrootcert={stranger}"), "TLS: invalid peer certificate"),
        (
            password,
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={authority}"),
            "TLS: invalid peer certificate",
        ),
        ("certified", "localhost", "sslmode=require".to_owned(), "certificate"),
    ] {
        let error = ask(login, host, &words).await.expect_err(&words);
        assert!(error.message.contains(part), "{words}: {error:?}");
    }
}

#[tokio::test]
async fn redis_is_asked_over_tls_with_a_certificate_of_the_client() {
    let files = Files::new();
    let server = Server::start(
        ("redis:8.0", Protocol::Redis, 6379),
        &[],
        &[
            "sh",
            "-c",
            "exec redis-server --port 0 --tls-port 6379 --tls-cert-file /tls/server.pem --tls-key-file \
            /tls/server.key --tls-ca-cert-file /tls/authority.pem --requirepass correct-horse",
        ],
        &[("/tls/server.pem", SERVER), ("/tls/server.key", SERVER_KEY), ("/tls/authority.pem", AUTHORITY)],
    );
    let port = server.endpoint(None, None).port;
    let authority = files.path("authority");
    let (certificate, key) = (files.path("client"), files.path("client-key"));
    let (certificate, key) = (certificate.display(), key.display());
    let words = format!("ssl_ca_certs={}&ssl_certfile={certificate}&ssl_keyfile={key}", authority.display());
    let url = format!("rediss://:correct-horse@localhost/0?{words}");
    server.eventually("it answers", async || asked(&url, port, ClearText::Never).await.ok()).await;
    let without = format!("rediss://:correct-horse@localhost/0?ssl_ca_certs={}", authority.display());
    asked(&without, port, ClearText::Never).await.expect_err("it wants a client's certificate");
    let plain = asked("redis://:correct-horse@localhost/0", port, ClearText::Never).await.expect_err("in plain text");
    assert!(plain.message.contains("the password was not sent"), "{plain:?}");
}

/// The container's own address is on this machine, and is not a loopback address.
#[tokio::test]
async fn off_loopback_no_password_is_sent_in_clear_text_unless_the_user_says_so() {
    let postgres = Server::start(
        ("postgres:15", Protocol::Postgres, 5432),
        &[("POSTGRES_PASSWORD", "correct-horse"), ("POSTGRES_HOST_AUTH_METHOD", "password")],
        &[],
        &[],
    );
    let redis = Server::start(
        ("redis:7.0", Protocol::Redis, 6379),
        &[],
        &["redis-server", "--requirepass", "correct-horse"],
        &[],
    );
    let broker = Server::start(
        ("rabbitmq:4.0", Protocol::Amqp, 5672),
        &[("RABBITMQ_DEFAULT_USER", "app"), ("RABBITMQ_DEFAULT_PASS", "correct-horse")],
        &[],
        &[],
    );
    for (server, port, login, scheme, rest) in [
        (&postgres, 5432, "postgres:correct-horse", "postgres", "postgres?sslmode=prefer"),
        (&redis, 6379, ":correct-horse", "redis", "0"),
        (&broker, 5672, "app:correct-horse", "amqp", "%2F?management=off"),
    ] {
        let (user, password) = login.split_once(':').expect("a login");
        let here = server.endpoint(Some(user).filter(|user| !user.is_empty()), Some(password));
        server.ready(&Endpoint { vhost: None, ..here }).await;
        let url = format!("{scheme}://{login}@{}/{rest}", server.address());
        let error = asked(&url, port, ClearText::OnLoopback).await.expect_err(scheme);
        assert!(error.message.contains("the password was not sent"), "{scheme}: {error:?}");
        assert!(error.message.contains(&server.address()), "{scheme}: {error:?}");
        let answer = asked(&url, port, ClearText::Anywhere).await;
        assert!(answer.is_ok(), "{scheme}: {answer:?}");
    }
}

/// A proxy to a server on an address of this machine that is not a loopback address; the proxy records the bytes of
/// clients.
struct Wire {
    address: String,
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    fn to(server: &Server, port: u16) -> Self {
        // The address of this machine from which the server is reached; finding it sends nothing.
        let way = UdpSocket::bind(("0.0.0.0", 0)).expect("a socket");
        way.connect((server.address().as_str(), port)).expect("a way to the server");
        let address = way.local_addr().expect("its own address").ip().to_string();
        let listener = TcpListener::bind((address.as_str(), 0)).expect("the bridge's address on this machine");
        let (here, there) = (listener.local_addr().expect("its port").port(), (server.address(), port));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let keeps = Arc::clone(&heard);
        // The thread ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // The server may not listen yet: the client then gets no answer, and tries again.
                let Ok(server) = TcpStream::connect((there.0.as_str(), there.1)) else { continue };
                let (mut answers, mut to_client) =
                    (server.try_clone().expect("a copy"), client.try_clone().expect("a copy"));
                std::thread::spawn(move || std::io::copy(&mut answers, &mut to_client));
                let keeps = Arc::clone(&keeps);
                std::thread::spawn(move || pass_on(client, server, &keeps));
            }
        });
        Self { address, port: here, heard }
    }

    /// Whether a client has sent this text in clear text.
    fn has_heard(&self, text: &str) -> bool {
        self.heard.lock().expect("the recorded bytes").windows(text.len()).any(|part| part == text.as_bytes())
    }
}

fn pass_on(mut client: TcpStream, mut server: TcpStream, keeps: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        keeps.lock().expect("the recorded bytes").extend_from_slice(&buffer[..count]);
        if server.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
    let _ = server.shutdown(std::net::Shutdown::Both);
}

#[tokio::test]
async fn off_loopback_mysql_and_mariadb_get_a_password_over_tls_alone() {
    for (image, root) in [("mysql:9.7", "MYSQL_ROOT_PASSWORD"), ("mariadb:11.8", "MARIADB_ROOT_PASSWORD")] {
        let server = Server::start((image, Protocol::Mysql, 3306), &[(root, "correct-horse")], &[], &[]);
        server.ready(&server.endpoint(Some("root"), Some("correct-horse"))).await;
        let client = if image.starts_with("mysql") { "mysql" } else { "mariadb" };
        let wire = Wire::to(&server, 3306);
        // Each login is new, because a server that has seen a password once does not ask for it again.
        for (number, words, clear_text, answered) in [
            (1, "ssl-mode=DISABLED", ClearText::OnLoopback, client == "mariadb"),
            (2, "", ClearText::OnLoopback, client == "mariadb"),
            (3, "ssl-mode=REQUIRED", ClearText::OnLoopback, true),
            (4, "ssl-mode=REQUIRED", ClearText::Never, true),
            (5, "", ClearText::Anywhere, true),
        ] {
            let statement = format!("CREATE USER u{number} IDENTIFIED BY 'battery-staple'");
            server.run(&[client, "-uroot", "-pcorrect-horse", "-e", &statement]);
            let url = format!("mysql://u{number}:battery-staple@{}/?{words}", wire.address);
            let answer = asked(&url, wire.port, clear_text).await;
            assert_eq!(answer.is_ok(), answered, "{image} {words} {clear_text:?}: {answer:?}");
            if let Err(error) = answer {
                assert!(error.message.contains("wants the password itself"), "{image} {words}: {error:?}");
            }
            assert!(!wire.has_heard("battery-staple"), "{image} {words}: the password went out in clear text");
        }
        assert!(wire.has_heard("u1"), "the names of logins go over this wire");
    }
}

#[tokio::test]
async fn off_loopback_a_broker_gets_a_password_over_tls_or_by_the_user_s_word() {
    let listener = "listeners.ssl.default = 5671\nssl_options.cacertfile = /tls/authority.pem\nssl_options.certfile = /tls/server.pem\n\
                    ssl_options.keyfile = /tls/server.key\nssl_options.verify = verify_none\nssl_options.fail_if_no_peer_cert = false\n";
    let broker = Server::start(
        ("rabbitmq:4.0", Protocol::Amqp, 5672),
        &[("RABBITMQ_DEFAULT_USER", "app"), ("RABBITMQ_DEFAULT_PASS", "correct-horse")],
        &[],
        &[
            ("/etc/rabbitmq/conf.d/90-tls.conf", listener),
            ("/tls/server.pem", SERVER),
            ("/tls/server.key", SERVER_KEY),
            ("/tls/authority.pem", AUTHORITY),
        ],
    );
    broker.ready(&broker.endpoint(Some("app"), Some("correct-horse"))).await;
    let (secret, plain) = (Wire::to(&broker, 5671), Wire::to(&broker, 5672));
    let in_clear = format!("amqp://app:correct-horse@{}/%2F?management=off", plain.address);
    let error = asked(&in_clear, plain.port, ClearText::OnLoopback).await.expect_err("in clear text");
    assert!(error.message.contains("the password was not sent"), "{error:?}");
    let url = format!("amqps://app:correct-horse@{}/%2F?verify=verify_none&management=off", secret.address);
    broker.eventually("it speaks TLS", async || asked(&url, secret.port, ClearText::Never).await.ok()).await;
    assert!(
        !plain.has_heard("correct-horse") && !secret.has_heard("correct-horse"),
        "the password went out in clear text"
    );
    asked(&in_clear, plain.port, ClearText::Anywhere).await.expect("the user said so");
    assert!(plain.has_heard("correct-horse"), "the proxy records the bytes of this connection");
}
