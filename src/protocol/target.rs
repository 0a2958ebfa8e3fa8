//! A server by its URL, as in production's variables.

mod security;
mod words;

use super::{Tls, TlsMode};
use crate::kinds::{Kind, Kinds};
use crate::model::{Endpoint, Protocol, Secret};
use percent_encoding::percent_decode_str;
use url::Url;

/// A server that is asked for its facts, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The protocol of the server.
    pub protocol: Protocol,
    /// The address and the login.
    pub endpoint: Endpoint,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// `RabbitMQ`'s management API, if devenv asks it.
    pub management: Option<Endpoint>,
}

/// The default ports of `RabbitMQ`'s management API, in plain text and with TLS.
const MANAGEMENT: [u16; 2] = [15672, 15671];

impl Target {
    /// Reads a URL; also returns the kind's name. The error says what is wrong with the URL, and does not repeat its
    /// login.
    pub fn parse(text: &str, kinds: &Kinds) -> Result<(String, Self), String> {
        let text = text.trim();
        let (jdbc, text) = text.strip_prefix("jdbc:").map_or((false, text), |text| (true, text));
        let url = Url::parse(text).map_err(|error| format!("it is not a URL ({error})"))?;
        // `postgresql+psycopg`, `mysql2`: the driver in the scheme changes nothing here.
        let scheme = url.scheme().split('+').next().unwrap_or_default().to_owned();
        let asked = || kinds.iter().filter(|kind| speaks(kind.protocol));
        let knows = |kind: &&Kind| kind.schemes.contains(&scheme) || kind.tls_schemes.contains_key(&scheme);
        // Several kinds share a scheme: the kind that has the scheme as its name comes first.
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
        let parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        for name in ["user", "password", "management"] {
            if parameters.iter().filter(|(other, _)| other == name).count() > 1 {
                return Err(format!("it says `{name}` twice: write it once"));
            }
        }
        let parameter =
            |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let path = Some(decoded(url.path().trim_start_matches('/'))).filter(|path| !path.is_empty());
        let encrypted = kind.tls_schemes.contains_key(&scheme);
        let tls =
            security::read(&security::Scheme { protocol: kind.protocol, name: &scheme, encrypted, jdbc }, &parameters)?;
        let endpoint = Endpoint {
            host,
            port: url.port().unwrap_or(kind.port),
            user: Some(decoded(url.username())).filter(|user| !user.is_empty()).or_else(|| parameter("user")),
            password: url.password().map(decoded).or_else(|| parameter("password")).map(Secret::new),
            database: if kind.protocol == Protocol::Amqp { None } else { path.clone() },
            vhost: (kind.protocol == Protocol::Amqp).then(|| path.unwrap_or_else(|| "/".to_owned())),
            path: None,
        };
        let management = match (kind.protocol, parameter("management")) {
            (Protocol::Amqp, None) => Some(MANAGEMENT[usize::from(tls.mode != TlsMode::Off)]),
            (Protocol::Amqp, Some(off)) if off == "off" => None,
            (Protocol::Amqp, Some(port)) => {
                Some(port.parse().map_err(|_| "its parameter `management` is neither a port nor `off`")?)
            }
            _ => None,
        };
        let management = management.map(|port| Endpoint { port, ..endpoint.clone() });
        Ok((kind.name.clone(), Self { protocol: kind.protocol, endpoint, tls, management }))
    }
}

/// Whether servers of a protocol can report facts.
fn speaks(protocol: Protocol) -> bool {
    !matches!(protocol, Protocol::Http | Protocol::Tcp)
}

#[cfg(test)]
mod tests;
