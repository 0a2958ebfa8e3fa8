//! URLs, and their meaning.

use super::*;
use crate::protocol::{ChannelBinding, ClearText, Tls, TlsMode, Versions};

fn target(text: &str) -> (String, Target) {
    Target::parse(text, &Kinds::built_in().unwrap()).unwrap()
}

#[test]
fn a_url_says_where_with_which_login_and_how() {
    assert_eq!(target("redis://h").0, "redis");
    assert_eq!(target("amqp://h").0, "rabbitmq");
    let (kind, target) = target("postgresql+psycopg://u%40x:p%2Fw@db.example.com/shop?sslmode=verify-full");
    assert_eq!((kind.as_str(), target.protocol, target.tls.mode), ("postgres", Protocol::Postgres, TlsMode::Checked));
    let endpoint = target.endpoint;
    assert_eq!((endpoint.host.as_str(), endpoint.port), ("db.example.com", 5432));
    assert_eq!(endpoint.user.as_deref(), Some("u@x"));
    assert_eq!(endpoint.password.as_ref().map(Secret::reveal), Some("p/w"));
    assert_eq!(endpoint.database.as_deref(), Some("shop"));
    assert_eq!(target.management, None);
}

#[test]
fn each_scheme_and_parameter_says_how_it_is_encrypted() {
    for (text, mode) in [
        ("postgres://h/d", TlsMode::Preferred),
        ("postgres://h/d?sslmode=disable", TlsMode::Off),
        ("postgres://h/d?sslmode=require&schema=public&connection_limit=5", TlsMode::Unchecked),
        ("postgres://h/d?sslmode=verify-ca", TlsMode::Authority),
        ("postgres://h/d?sslrootcert=system", TlsMode::Checked),
        ("postgres://h/d?sslmode=require&sslrootcert=ca.pem", TlsMode::Authority),
        ("postgres://h/d?sslcert=a.pem&sslkey=a.key", TlsMode::Unchecked),
        ("postgres://h/d?sslaccept=strict&sslmode=require", TlsMode::Checked),
        ("jdbc:postgresql://h/d?ssl=true&user=u&password=p", TlsMode::Checked),
        ("jdbc:postgresql://h/d?sslmode=require&channelBinding=require", TlsMode::Unchecked),
        ("mysql://h/d", TlsMode::Preferred),
        ("mysql2://h/d?sslmode=disabled", TlsMode::Off),
        ("mysql://h/d?ssl-mode=REQUIRED", TlsMode::Unchecked),
        ("mysql://h/d?ssl-ca=ca.pem", TlsMode::Authority),
        ("mariadb://h/d?sslMode=VERIFY_IDENTITY", TlsMode::Checked),
        ("mysql://h/d?tls=skip-verify", TlsMode::Unchecked),
        ("jdbc:mysql://h/d?useSSL=true&requireSSL=true&verifyServerCertificate=true", TlsMode::Authority),
        ("jdbc:mysql://h/d?useSSL=false&allowPublicKeyRetrieval=true", TlsMode::Off),
        ("redis://h", TlsMode::Off),
        ("rediss://:p@h:6380/1", TlsMode::Checked),
        ("rediss://h?ssl_cert_reqs=none", TlsMode::Unchecked),
        ("rediss://h?ssl_cert_reqs=required", TlsMode::Checked),
        ("rediss://h?ssl_cert_reqs=CERT_REQUIRED&ssl_check_hostname=false", TlsMode::Authority),
        ("amqps://u:p@h/v", TlsMode::Checked),
        ("amqps://u:p@h/v?verify=verify_none&heartbeat=10&channel_max=3", TlsMode::Unchecked),
    ] {
        assert_eq!(target(text).1.tls.mode, mode, "{text}");
    }
}

#[test]
fn files_versions_and_bindings_are_taken_from_the_url() {
    let tls = target(
        "postgres://h/d?sslmode=verify-full&sslrootcert=/c/ca.pem&sslcert=/c/me.pem&sslkey=/c/me.key\
        &channel_binding=require&sslnegotiation=direct&ssl_min_protocol_version=TLSv1.3&sslsni=0\
        &require_auth=scram-sha-256&target_session_attrs=read-write",
    )
    .1
    .tls;
    assert_eq!(
        tls,
        Tls {
            mode: TlsMode::Checked,
            authorities: Some("/c/ca.pem".into()),
            identity: Some(("/c/me.pem".into(), "/c/me.key".into())),
            versions: Versions::Only13,
            without_sni: true,
            direct: true,
            channel_binding: ChannelBinding::Require,
            scram_only: true,
            clear_text: ClearText::OnLoopback,
        }
    );
    let tls = target("rediss://h?ssl_ca_certs=ca.pem&ssl_certfile=me.pem").1.tls;
    assert_eq!((tls.authorities, tls.identity), (Some("ca.pem".into()), Some(("me.pem".into(), "me.pem".into()))));
    let tls = target("mysql://h/d?ssl-ca=ca.pem&ssl-cert=me.pem&ssl-key=me.key&tls-version=TLSv1.2").1.tls;
    assert_eq!((tls.versions, tls.identity), (Versions::Only12, Some(("me.pem".into(), "me.key".into()))));
    let tls = target("amqps://h?cacertfile=ca.pem&certfile=me.pem&keyfile=me.key").1.tls;
    assert_eq!((tls.authorities, tls.identity), (Some("ca.pem".into()), Some(("me.pem".into(), "me.key".into()))));
}

#[test]
fn a_word_that_is_not_known_is_refused_with_the_nearest_and_never_taken_for_less() {
    let kinds = Kinds::built_in().unwrap();
    for (text, part) in [
        ("postgres://h/d?sslmode=verify_full", "did you mean `verify-full`?"),
        ("postgres://h/d?sslmode=required", "did you mean `require`?"),
        ("postgres://h/d?sslmode=REQUIRE", "did you mean `require`?"),
        ("postgres://h/d?sslmode=", "none of disable, allow"),
        ("postgres://h/d?ssl=true", "`sslmode=verify-full`: write which"),
        ("postgres://h/d?ssl-mode=REQUIRED", "did you mean `sslmode`?"),
        ("postgres://h/d?sslMode=require", "did you mean `sslmode`?"),
        ("postgres://h/d?slmode=require", "did you mean `sslmode`?"),
        ("postgres://h/d?sslmode=disable&sslmode=require", "`sslmode` twice"),
        ("postgres://h/d?user=a&user=b", "`user` twice"),
        ("postgres://h/d?channel_binding=required", "did you mean `require`?"),
        ("postgres://h/d?channelbinding=require", "did you mean `channel_binding`?"),
        ("postgres://h/d?channel_binding=require&sslmode=disable", "binds the login to TLS"),
        ("postgres://h/d?sslnegotiation=direct", "`sslmode=require` or stricter"),
        ("postgres://h/d?sslrootcert=system&sslmode=require", "`sslmode=verify-full`"),
        ("postgres://h/d?sslmode=disable&sslrootcert=ca.pem", "asks for TLS, and another for none"),
        ("postgres://h/d?sslkey=me.key", "no certificate"),
        ("postgres://h/d?sslpassword=hush&sslkey=a", "passphrase"),
        ("postgres://h/d?sslcrl=x", "revoked"),
        ("postgres://h/d?gssencmode=require", "none of disable, prefer"),
        ("postgres://h/d?require_auth=password", "none of scram-sha-256"),
        ("postgres://h/d?target_session_attrs=readwrite", "did you mean `read-write`?"),
        ("postgres://h/d?ssl_max_protocol_version=TLSv1.1", "none of TLSv1.2, TLSv1.3"),
        ("jdbc:postgresql://h/d?ssl=yes", "none of true, false"),
        ("jdbc:postgresql://h/d?channel_binding=require", "did you mean `channelBinding`?"),
        ("jdbc:postgresql://h/d?sslfactory=org.postgresql.ssl.NonValidatingFactory", "`sslmode=require`"),
        ("mysql://h/d?ssl-mode=require", "did you mean `REQUIRED`?"),
        ("mysql://h/d?ssl=true", "`ssl-mode=REQUIRED`"),
        ("mysql://h/d?sslmod=REQUIRED", "did you mean `ssl-mode`?"),
        ("mysql://h/d?ssl-mode=DISABLED&sslMode=REQUIRED", "`sslMode` twice"),
        ("mysql://h/d?useSSL=false&verifyServerCertificate=true", "asks for TLS, and another for none"),
        ("mysql://h/d?tls=custom", "none of false, preferred"),
        ("mysql://h/d?trustCertificateKeyStoreUrl=file:x", "PEM"),
        ("redis://h?ssl_cert_reqs=required", "write `rediss:`"),
        ("redis://h?ssl=true", "write `rediss:`"),
        ("rediss://h?ssl=false", "asks for TLS, and another for none"),
        ("rediss://h?ssl_cert_reqs=require", "did you mean `required`?"),
        ("rediss://h?ssl_cert_req=none", "did you mean `ssl_cert_reqs`?"),
        ("amqp://h?verify=verify_peer", "write `amqps:`"),
        ("amqps://h?verify=none", "none of verify_none, verify_peer"),
        ("amqps://h?auth_mechanism=external", "none of plain"),
        ("amqps://h?cacert=x", "unknown to this server's clients"),
        ("memcached://h?tls=true", "not spoken to this kind of server"),
    ] {
        let error = Target::parse(text, &kinds).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
        assert!(!error.contains("hush"), "{text}: {error}");
    }
}

#[test]
fn every_word_that_is_known_is_known_once() {
    for protocol in [Protocol::Postgres, Protocol::Mysql, Protocol::Redis, Protocol::Amqp, Protocol::Memcached] {
        for jdbc in [false, true] {
            let mut names: Vec<&str> =
                words::words(protocol, jdbc).iter().flat_map(|word| word.names).copied().collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{protocol:?}");
        }
    }
}

#[test]
fn a_brokers_path_is_its_vhost_and_its_management_api_is_where_it_says() {
    let of = |text: &str| {
        let target = target(text).1;
        (target.endpoint.vhost.unwrap(), target.management.map(|management| management.port))
    };
    assert_eq!(of("amqp://u:p@h"), ("/".to_owned(), Some(15672)));
    assert_eq!(of("amqp://u:p@h/shop?management=8080"), ("shop".to_owned(), Some(8080)));
    assert_eq!(of("amqps://u:p@h/%2F"), ("/".to_owned(), Some(15671)));
    assert_eq!(of("amqp://u:p@h/a%2Fb?management=off"), ("a/b".to_owned(), None));
}

#[test]
fn a_url_of_no_server_is_refused_without_being_repeated() {
    let kinds = Kinds::built_in().unwrap();
    for text in ["s3cret", "telnet://u:s3cret@h", "postgres:///shop?password=s3cret", "amqp://u:s3cret@h?management=x"]
    {
        let error = Target::parse(text, &kinds).unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
    }
    let error = Target::parse("https://example.com", &kinds).unwrap_err();
    assert!(error.contains("`https`") && error.contains("postgres, postgresql"), "{error}");
}
