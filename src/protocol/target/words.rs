//! The TLS parameters that each server's own clients and drivers know in a URL, as data.
//!
//! devenv carries out a parameter in these tables as its client does, or more strictly; [`Meaning::Refused`] says why
//! not.

use crate::model::Protocol;
use crate::protocol::tls::TlsMode;

/// A parameter, under all its names.
pub(super) struct Word {
    pub(super) names: &'static [&'static str],
    pub(super) meaning: Meaning,
}

/// The meaning of a parameter's value.
pub(super) enum Meaning {
    /// How much is encrypted and checked; `None` if the value asks for no more than devenv does in any case.
    Mode(&'static [(&'static str, Option<TlsMode>)]),
    /// Whether the certificate must match the server's name: `false` weakens [`TlsMode::Checked`].
    HostName,
    /// The file of authorities.
    Authorities,
    /// The file of the client's certificate.
    Certificate,
    /// The file of the client's key.
    Key,
    /// `disable`, `prefer`, `require`.
    ChannelBinding,
    /// `postgres`, `direct`.
    Negotiation,
    /// The oldest version of TLS.
    Oldest,
    /// The newest version of TLS.
    Newest,
    /// All versions of TLS, separated by commas.
    Versions,
    /// `0` keeps the server's name out of the handshake.
    Sni,
    /// The required method of a login.
    Login(&'static [&'static str]),
    /// Its values change nothing here; if no values are listed, any value is accepted.
    NoMatter(&'static [&'static str]),
    /// devenv does not carry it out, and that would make a difference: the text says why, and how to write the URL
    /// instead.
    Refused(&'static str),
}

use Meaning::{
    Authorities, Certificate, ChannelBinding, HostName, Key, Login, Mode, Negotiation, Newest, NoMatter, Oldest,
    Refused, Sni, Versions,
};
use TlsMode::{Authority, Checked, Off, Preferred, Unchecked};

/// The parameters of a protocol's clients. For Java's clients, whose URL begins with `jdbc:`, some parameters mean
/// other things.
pub(super) fn words(protocol: Protocol, jdbc: bool) -> Vec<&'static Word> {
    let tables: &[&'static [Word]] = match (protocol, jdbc) {
        (Protocol::Postgres, false) => &[POSTGRES, LIBPQ],
        (Protocol::Postgres, true) => &[POSTGRES, PGJDBC],
        (Protocol::Mysql, _) => &[MYSQL],
        (Protocol::Redis, _) => &[REDIS],
        (Protocol::Amqp, _) => &[AMQP],
        (Protocol::Memcached | Protocol::Http | Protocol::Tcp, _) => &[],
    };
    tables.iter().flat_map(|table| table.iter()).collect()
}

/// Whether a protocol's clients accept values in any case: those of Postgres do not.
pub(super) fn any_case(protocol: Protocol) -> bool {
    protocol != Protocol::Postgres
}

const fn word(names: &'static [&'static str], meaning: Meaning) -> Word {
    Word { names, meaning }
}

const PASSPHRASE: &str = "a key with a passphrase is not read: name one without, which only you can read";
const REVOKED: &str = "lists of revoked certificates are not read";
const CIPHERS: &str = "the ciphers of TLS cannot be chosen";
const JAVA_STORE: &str = "Java's key stores are not read: name files in PEM";

/// For libpq and pgJDBC (<https://www.postgresql.org/docs/current/libpq-connect.html>), Prisma, node-postgres.
const POSTGRES: &[Word] = &[
    word(
        &["sslmode"],
        Mode(&[
            ("disable", Some(Off)),
            ("allow", Some(Preferred)),
            ("prefer", Some(Preferred)),
            ("require", Some(Unchecked)),
            ("no-verify", Some(Unchecked)),
            ("verify-ca", Some(Authority)),
            ("verify-full", Some(Checked)),
        ]),
    ),
    word(&["sslaccept"], Mode(&[("accept_invalid_certs", Some(Unchecked)), ("strict", Some(Checked))])),
    word(&["sslrootcert"], Authorities),
    word(&["sslcert"], Certificate),
    word(&["sslkey"], Key),
    word(&["sslpassword"], Refused(PASSPHRASE)),
    word(&["sslidentity"], Refused("PKCS #12 is not read: name `sslcert` and `sslkey`, in PEM")),
];

const LIBPQ: &[Word] = &[
    word(
        &["ssl"],
        Refused(
            "to libpq it is `sslmode=require`, to drivers of Java and JavaScript `sslmode=verify-full`: write which",
        ),
    ),
    word(&["channel_binding"], ChannelBinding),
    word(&["sslnegotiation"], Negotiation),
    word(&["ssl_min_protocol_version"], Oldest),
    word(&["ssl_max_protocol_version"], Newest),
    word(&["sslsni"], Sni),
    word(&["require_auth"], Login(&["scram-sha-256"])),
    word(&["sslcertmode"], NoMatter(&["allow"])),
    word(&["sslcompression"], NoMatter(&["0"])),
    word(&["sslcrl", "sslcrldir"], Refused(REVOKED)),
    word(&["sslkeylogfile"], Refused("the keys of a connection are written nowhere")),
    word(&["sslinline"], Refused("certificates are read from files")),
    word(&["gssencmode"], NoMatter(&["disable", "prefer"])),
    word(&["uselibpqcompat"], NoMatter(&[])),
    // Every server of a cluster reports the same facts; the address decides which server answers.
    word(
        &["target_session_attrs"],
        NoMatter(&["any", "read-write", "read-only", "primary", "standby", "prefer-standby"]),
    ),
];

/// <https://jdbc.postgresql.org/documentation/use/>
const PGJDBC: &[Word] = &[
    word(&["ssl"], Mode(&[("true", Some(Checked)), ("false", None), ("", Some(Checked))])),
    word(&["channelBinding"], ChannelBinding),
    word(&["sslNegotiation"], Negotiation),
    word(
        &["sslfactory"],
        Refused(
            "Java's classes are not run: `sslmode=require` replaces `NonValidatingFactory`, and `sslrootcert` names authorities",
        ),
    ),
    word(&["sslfactoryarg", "sslhostnameverifier", "sslpasswordcallback"], Refused("Java's classes are not run")),
    word(&["sslResponseTimeout"], NoMatter(&[])),
    word(&["gssEncMode"], NoMatter(&["disable", "allow", "prefer"])),
    word(&["targetServerType"], NoMatter(&[])),
];

/// For the clients and connectors of `MySQL` and `MariaDB`, Go's driver, `SQLAlchemy`, sqlx, Prisma.
const MYSQL: &[Word] = &[
    word(
        &["ssl-mode", "ssl_mode", "sslmode", "sslMode"],
        Mode(&[
            ("DISABLED", Some(Off)),
            ("PREFERRED", Some(Preferred)),
            ("REQUIRED", Some(Unchecked)),
            ("VERIFY_CA", Some(Authority)),
            ("VERIFY_IDENTITY", Some(Checked)),
            // MariaDB's Connector/J.
            ("disable", Some(Off)),
            ("trust", Some(Unchecked)),
            ("verify-ca", Some(Authority)),
            ("verify-full", Some(Checked)),
        ]),
    ),
    word(
        &["tls"],
        Mode(&[
            ("false", Some(Off)),
            ("preferred", Some(Preferred)),
            ("skip-verify", Some(Unchecked)),
            ("true", Some(Checked)),
        ]),
    ),
    word(&["useSSL", "useSsl"], Mode(&[("false", Some(Off)), ("true", Some(Unchecked))])),
    word(&["requireSSL"], Mode(&[("false", None), ("true", Some(Unchecked))])),
    word(&["verifyServerCertificate"], Mode(&[("false", Some(Unchecked)), ("true", Some(Authority))])),
    word(&["trustServerCertificate"], Mode(&[("false", None), ("true", Some(Unchecked))])),
    word(
        &["ssl_verify_cert"],
        Mode(&[("false", None), ("true", Some(Authority)), ("0", None), ("1", Some(Authority))]),
    ),
    word(
        &["ssl_verify_identity", "ssl-verify-server-cert"],
        Mode(&[("false", None), ("true", Some(Checked)), ("0", None), ("1", Some(Checked))]),
    ),
    word(&["ssl_check_hostname"], HostName),
    word(&["sslaccept"], Mode(&[("accept_invalid_certs", Some(Unchecked)), ("strict", Some(Checked))])),
    word(
        &["ssl"],
        Refused("its meaning depends on the driver: write `ssl-mode=REQUIRED` or `ssl-mode=VERIFY_IDENTITY`"),
    ),
    word(&["ssl-ca", "ssl_ca", "sslca", "serverSslCert"], Authorities),
    word(&["ssl-cert", "ssl_cert", "sslcert"], Certificate),
    word(&["ssl-key", "ssl_key", "sslkey"], Key),
    word(&["tls-version", "tls_version", "tlsVersions", "enabledTLSProtocols", "enabledSslProtocolSuites"], Versions),
    word(
        &[
            "ssl-cipher",
            "ssl_cipher",
            "tls-ciphersuites",
            "tlsCiphersuites",
            "enabledSSLCipherSuites",
            "enabledSslCipherSuites",
        ],
        Refused(CIPHERS),
    ),
    word(&["ssl-crl", "ssl-crlpath"], Refused(REVOKED)),
    word(&["ssl-capath", "ssl_capath"], Refused("folders of authorities are not read: name one file by `ssl-ca`")),
    word(
        &[
            "trustCertificateKeyStoreUrl",
            "trustCertificateKeyStorePassword",
            "trustCertificateKeyStoreType",
            "clientCertificateKeyStoreUrl",
            "clientCertificateKeyStorePassword",
            "clientCertificateKeyStoreType",
        ],
        Refused(JAVA_STORE),
    ),
];

/// For redis-py and Celery, go-redis, Lettuce.
const REDIS: &[Word] = &[
    word(
        &["ssl_cert_reqs"],
        Mode(&[
            ("none", Some(Unchecked)),
            ("CERT_NONE", Some(Unchecked)),
            ("optional", Some(Checked)),
            ("CERT_OPTIONAL", Some(Checked)),
            ("required", Some(Checked)),
            ("CERT_REQUIRED", Some(Checked)),
        ]),
    ),
    word(
        &["verifyPeer"],
        Mode(&[
            ("NONE", Some(Unchecked)),
            ("CA", Some(Authority)),
            ("FULL", Some(Checked)),
            ("false", Some(Unchecked)),
            ("true", Some(Checked)),
        ]),
    ),
    word(&["skip_verify"], Mode(&[("true", Some(Unchecked)), ("false", Some(Checked))])),
    word(&["ssl", "tls"], Mode(&[("true", Some(Checked)), ("false", Some(Off))])),
    word(&["ssl_check_hostname"], HostName),
    word(&["ssl_ca_certs"], Authorities),
    word(&["ssl_certfile"], Certificate),
    word(&["ssl_keyfile"], Key),
    word(&["ssl_min_version"], Refused("TLS 1.2 and 1.3 are spoken, and neither can be excluded")),
    word(&["ssl_ca_path", "ssl_ca_data"], Refused("authorities are read from one file: `ssl_ca_certs`")),
    word(&["ssl_password"], Refused(PASSPHRASE)),
    word(&["ssl_ciphers"], Refused(CIPHERS)),
];

/// For `RabbitMQ`'s URI parameters (<https://www.rabbitmq.com/docs/uri-query-parameters>), kombu, aio-pika.
const AMQP: &[Word] = &[
    word(&["verify"], Mode(&[("verify_none", Some(Unchecked)), ("verify_peer", Some(Checked))])),
    word(
        &["ssl_cert_reqs"],
        Mode(&[
            ("CERT_NONE", Some(Unchecked)),
            ("none", Some(Unchecked)),
            ("CERT_REQUIRED", Some(Checked)),
            ("required", Some(Checked)),
        ]),
    ),
    word(
        &["no_verify_ssl"],
        Mode(&[("1", Some(Unchecked)), ("true", Some(Unchecked)), ("0", Some(Checked)), ("false", Some(Checked))]),
    ),
    word(&["ssl"], Mode(&[("true", Some(Checked)), ("1", Some(Checked)), ("false", Some(Off)), ("0", Some(Off))])),
    word(&["cacertfile", "cafile", "ssl_ca_certs"], Authorities),
    word(&["certfile", "ssl_certfile"], Certificate),
    word(&["keyfile", "ssl_keyfile"], Key),
    word(&["fail_if_no_peer_cert"], NoMatter(&[])),
    word(&["auth_mechanism"], Login(&["plain"])),
    word(&["server_name_indication"], Refused("the certificate's name is that of the URL's host")),
    word(&["depth"], Refused("the number of intermediate authorities cannot be chosen")),
    word(&["ssl_options"], Refused("write `verify`, `cacertfile`, `certfile` and `keyfile`")),
    word(&["capath", "cadata"], Refused("authorities are read from one file: `cacertfile`")),
];
