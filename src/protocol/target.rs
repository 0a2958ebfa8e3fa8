//! A server by its URL, as production's variables have it.

use super::Tls;
use crate::kinds::{Kind, Kinds};
use crate::model::{Endpoint, Protocol, Secret};
use percent_encoding::percent_decode_str;
use url::Url;

/// A server that is asked for its facts, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Where, and with which login.
    pub endpoint: Endpoint,
    /// Whether it is spoken to encrypted.
    pub tls: Tls,
    /// `RabbitMQ`'s management API, where it is to be asked.
    pub management: Option<Endpoint>,
}

/// Where `RabbitMQ`'s management API listens where nothing is said, in plain text and with TLS.
const MANAGEMENT: [u16; 2] = [15672, 15671];

impl Target {
    /// Reads a URL; gives the kind's name too. The error says what is wrong with it without a word of it.
    pub fn parse(text: &str, kinds: &Kinds) -> Result<(String, Self), String> {
        let url = Url::parse(text.trim()).map_err(|error| format!("it is no URL ({error})"))?;
        // `postgresql+psycopg`, `mysql2`: the driver behind the scheme changes nothing here.
        let scheme = url.scheme().split('+').next().unwrap_or_default().to_owned();
        let asked = || kinds.iter().filter(|kind| speaks(kind.protocol));
        let knows = |kind: &&Kind| kind.schemes.contains(&scheme) || kind.tls_schemes.contains_key(&scheme);
        // Several kinds share a scheme: the one that is called so comes first.
        let named = asked().filter(knows).find(|kind| kind.names.contains(&scheme));
        let kind = named.or_else(|| asked().find(knows)).ok_or_else(|| {
            let mut known: Vec<&str> = asked()
                .flat_map(|kind| kind.schemes.iter().chain(kind.tls_schemes.keys()))
                .map(String::as_str)
                .collect();
            known.sort_unstable();
            known.dedup();
            format!("no server that can be asked has the scheme `{scheme}`: there are {}", known.join(", "))
        })?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("it names no host")?.to_owned();
        let parameter = |names: &[&str]| {
            url.query_pairs().find(|(name, _)| names.contains(&name.as_ref())).map(|(_, value)| value.into_owned())
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let path = Some(decoded(url.path().trim_start_matches('/'))).filter(|path| !path.is_empty());
        let encrypted = kind.tls_schemes.contains_key(&scheme);
        let tls = tls(kind.protocol, encrypted, &parameter);
        let endpoint = Endpoint {
            host,
            port: url.port().unwrap_or(kind.port),
            user: Some(decoded(url.username())).filter(|user| !user.is_empty()).or_else(|| parameter(&["user"])),
            password: url.password().map(decoded).or_else(|| parameter(&["password"])).map(Secret::new),
            database: if kind.protocol == Protocol::Amqp { None } else { path.clone() },
            vhost: (kind.protocol == Protocol::Amqp).then(|| path.unwrap_or_else(|| "/".to_owned())),
            path: None,
        };
        let management = match (kind.protocol, parameter(&["management"])) {
            (Protocol::Amqp, None) => Some(MANAGEMENT[usize::from(tls != Tls::Off)]),
            (Protocol::Amqp, Some(off)) if off == "off" => None,
            (Protocol::Amqp, Some(port)) => {
                Some(port.parse().map_err(|_| "its parameter `management` is no port, and not `off`")?)
            }
            _ => None,
        };
        let management = management.map(|port| Endpoint { port, ..endpoint.clone() });
        Ok((kind.name.clone(), Self { protocol: kind.protocol, endpoint, tls, management }))
    }
}

/// Whether servers of a protocol can say what they are.
fn speaks(protocol: Protocol) -> bool {
    !matches!(protocol, Protocol::Http | Protocol::Tcp)
}

/// What the URL says of TLS, in the words of each server's own clients.
fn tls(protocol: Protocol, scheme: bool, parameter: &dyn Fn(&[&str]) -> Option<String>) -> Tls {
    if protocol == Protocol::Postgres {
        return match parameter(&["sslmode", "ssl-mode"]).unwrap_or_default().to_ascii_lowercase().as_str() {
            "disable" => Tls::Off,
            "require" | "no-verify" => Tls::Unchecked,
            "verify-ca" | "verify-full" => Tls::Checked,
            _ => Tls::Preferred,
        };
    }
    if protocol == Protocol::Mysql {
        // The words of MySQL's own clients, of Go's driver, and of Connector/J.
        let names = ["ssl-mode", "sslmode", "ssl_mode", "sslMode", "tls", "useSSL", "ssl"];
        return match parameter(&names).unwrap_or_default().to_ascii_lowercase().as_str() {
            "disabled" | "disable" | "false" => Tls::Off,
            "required" | "require" | "skip-verify" => Tls::Unchecked,
            "verify_ca" | "verify-ca" | "verify_identity" | "verify-full" | "true" => Tls::Checked,
            _ => Tls::Preferred,
        };
    }
    let unchecked = parameter(&["ssl_cert_reqs", "verify", "ssl-mode", "sslmode"]).is_some_and(|said| {
        ["none", "cert_none", "verify_none", "required", "require"].contains(&said.to_ascii_lowercase().as_str())
    });
    match (scheme, unchecked) {
        (false, _) => Tls::Off,
        (true, true) => Tls::Unchecked,
        (true, false) => Tls::Checked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> (String, Target) {
        Target::parse(text, &Kinds::built_in().unwrap()).unwrap()
    }

    #[test]
    fn a_url_says_where_with_which_login_and_how() {
        assert_eq!(target("redis://h").0, "redis");
        assert_eq!(target("amqp://h").0, "rabbitmq");
        let (kind, target) = target("postgresql+psycopg://u%40x:p%2Fw@db.example.com/shop?sslmode=verify-full");
        assert_eq!((kind.as_str(), target.protocol, target.tls), ("postgres", Protocol::Postgres, Tls::Checked));
        let endpoint = target.endpoint;
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("db.example.com", 5432));
        assert_eq!(endpoint.user.as_deref(), Some("u@x"));
        assert_eq!(endpoint.password.as_ref().map(Secret::reveal), Some("p/w"));
        assert_eq!(endpoint.database.as_deref(), Some("shop"));
        assert_eq!(target.management, None);
    }

    #[test]
    fn each_scheme_and_parameter_says_how_it_is_encrypted() {
        for (text, tls) in [
            ("postgres://h/d", Tls::Preferred),
            ("postgres://h/d?sslmode=disable", Tls::Off),
            ("postgres://h/d?sslmode=require", Tls::Unchecked),
            ("mysql://h/d", Tls::Preferred),
            ("mysql2://h/d?sslmode=disabled", Tls::Off),
            ("mysql://h/d?ssl-mode=REQUIRED", Tls::Unchecked),
            ("mariadb://h/d?sslMode=VERIFY_IDENTITY", Tls::Checked),
            ("mysql://h/d?tls=skip-verify", Tls::Unchecked),
            ("redis://h", Tls::Off),
            ("rediss://:p@h:6380/1", Tls::Checked),
            ("rediss://h?ssl_cert_reqs=none", Tls::Unchecked),
            ("amqps://u:p@h/v", Tls::Checked),
        ] {
            assert_eq!(target(text).1.tls, tls, "{text}");
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
    fn what_is_no_server_is_refused_without_being_repeated() {
        let kinds = Kinds::built_in().unwrap();
        for text in
            ["s3cret", "telnet://u:s3cret@h", "postgres:///shop?password=s3cret", "amqp://u:s3cret@h?management=x"]
        {
            let error = Target::parse(text, &kinds).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
        let error = Target::parse("https://example.com", &kinds).unwrap_err();
        assert!(error.contains("`https`") && error.contains("postgres, postgresql"), "{error}");
    }
}
