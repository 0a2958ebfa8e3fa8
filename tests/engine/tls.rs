//! Servers with a certificate of their own, asked as a URL says; and passwords that stay here.

use crate::server::Server;
use devenv::kinds::Kinds;
use devenv::model::{Endpoint, Protocol};
use devenv::protocol::{ClearText, ProbeError, Target, facts};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

const AUTHORITY: &str = include_str!("../certificates/authority.pem");
const STRANGER: &str = include_str!("../certificates/stranger.pem");
const SERVER: &str = include_str!("../certificates/server.pem");
const SERVER_KEY: &str = include_str!("../certificates/server.key");
const CLIENT: &str = include_str!("../certificates/client.pem");
const CLIENT_KEY: &str = include_str!("../certificates/client.key");

/// Files that a URL names, each readable by its owner alone.
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

/// Asks a server whose port is known by a URL without one.
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

/// The container's own address is on this machine, and still none of loopback's.
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
