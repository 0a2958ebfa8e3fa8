//! A login, and statements over its connection.

use super::auth::{NATIVE, Response, SHA2, digest, response};
use super::link::Link;
use super::packet::{Authentication, Handshake, Login, Row, authentication, foreign, handshake, head, is_end, row};
use super::refusal::Refusal;
use crate::model::{Endpoint, Secret};
use crate::protocol::wire::bare;
use crate::protocol::{ATTEMPT_TIMEOUT, ProbeError, Tls, TlsMode, within};
use std::net::IpAddr;

/// The commands that are used here.
const QUIT: u8 = 0x01;
const QUERY: u8 = 0x03;

/// The answers of `caching_sha2_password`: it knows the digest, or it wants the password itself.
const KNOWN: [u8; 1] = [3];
const UNKNOWN: [u8; 1] = [4];

/// A session that is logged in.
pub(super) struct Session {
    link: Link,
    version: String,
    mariadb: bool,
}

/// Why a login failed.
enum Ended {
    Refused(Refusal),
    /// The server wants the password itself, which devenv does not send over every connection.
    WantsPassword {
        plugin: String,
        tls: bool,
        /// Whether the server is on this machine.
        local: bool,
        peer: IpAddr,
    },
}

impl<E: Into<Refusal>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

impl Session {
    /// Logs in to a server on this machine, or in plain text.
    pub(super) async fn login(endpoint: &Endpoint, limit: u64) -> Result<Self, Refusal> {
        Self::login_over(endpoint, &Tls::default(), limit).await
    }

    /// Logs in within the time limit of one attempt. If a server on this machine wants the password itself, devenv
    /// sends the password over TLS without a check of the certificate, because the server made the certificate for
    /// itself.
    pub(super) async fn login_over(endpoint: &Endpoint, tls: &Tls, limit: u64) -> Result<Self, Refusal> {
        let login = async {
            let ended = match attempt(endpoint, limit, tls).await {
                Ok(session) => return Ok(session),
                Err(Ended::WantsPassword { tls: true, local: true, .. }) if tls.mode == TlsMode::Off => {
                    match attempt(endpoint, limit, &TlsMode::Unchecked.into()).await {
                        Ok(session) => return Ok(session),
                        Err(ended) => ended,
                    }
                }
                Err(ended) => ended,
            };
            Err(match ended {
                Ended::Refused(refusal) => refusal,
                Ended::WantsPassword { plugin, tls, peer, .. } => not_given(&plugin, tls, peer).into(),
            })
        };
        within(ATTEMPT_TIMEOUT, login).await
    }

    /// The server's release without the packager's addition: `10.11.6`.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Whether it is `MariaDB`.
    pub(super) fn is_mariadb(&self) -> bool {
        self.mariadb
    }

    /// Runs one statement and returns all its rows, each column as text.
    pub(super) async fn query(&mut self, sql: &str) -> Result<Vec<Row>, Refusal> {
        self.link.command(&[&[QUERY], sql.as_bytes()].concat()).await?;
        let columns = head(&self.link.receive().await?).ok_or_else(foreign)??;
        let mut rows = Vec::new();
        if columns == 0 {
            return Ok(rows);
        }
        for _ in 0..columns {
            // The statement decides the columns, so their descriptions are skipped.
            self.link.receive().await?;
        }
        if !is_end(&self.link.receive().await?) {
            return Err(foreign().into());
        }
        while let Some(row) = row(&self.link.receive().await?, columns).ok_or_else(foreign)?? {
            rows.push(row);
        }
        Ok(rows)
    }

    /// Ends the connection by the rules of the protocol.
    pub(super) async fn quit(mut self) {
        // An error here changes nothing about the work that is done.
        let _ = self.link.command(&[QUIT]).await;
    }
}

async fn attempt(endpoint: &Endpoint, limit: u64, tls: &Tls) -> Result<Session, Ended> {
    let password = endpoint.password.as_ref().map(Secret::reveal).unwrap_or_default();
    let mut link = Link::open(endpoint, limit).await?;
    let server_handshake = handshake(&link.receive().await?).ok_or_else(foreign)??;
    let secure = match tls.mode {
        TlsMode::Off => false,
        TlsMode::Preferred => server_handshake.tls,
        TlsMode::Unchecked | TlsMode::Authority | TlsMode::Checked if server_handshake.tls => true,
        TlsMode::Unchecked | TlsMode::Authority | TlsMode::Checked => {
            return Err(ProbeError::other("the server offers no TLS, and the URL asks for it").into());
        }
    };
    // Most logins use the plugin that the server proposes. If a login uses another plugin, the server asks again.
    let plugin = if server_handshake.plugin == SHA2 { SHA2 } else { NATIVE };
    let login = Login {
        user: endpoint.user.as_deref().unwrap_or("root"),
        database: endpoint.database.as_deref().filter(|database| !database.is_empty()),
        plugin,
        response: &digest(plugin, password, &server_handshake.nonce),
        tls: secure,
    };
    if secure {
        link.send(&login.tls_request()).await?;
        link.secure(bare(&endpoint.host), tls).await?;
    }
    link.send(&login.response()).await?;
    // A user who did not ask for TLS did not agree to give the password itself away.
    let give = secure && (tls.mode != TlsMode::Preferred || tls.gives_in_clear(link.peer()));
    authenticate(&mut link, password, plugin, &server_handshake, give).await?;
    let (version, mariadb) = product(&server_handshake.version);
    Ok(Session { link, version, mariadb })
}

/// Answers until the server has decided, with the password itself if `give` allows it. No plugin needs more than four
/// rounds.
async fn authenticate(
    link: &mut Link,
    password: &str,
    plugin: &str,
    server_handshake: &Handshake,
    give: bool,
) -> Result<(), Ended> {
    let mut plugin = plugin.to_owned();
    for _ in 0..4 {
        let answer = match authentication(&link.receive().await?).ok_or_else(foreign)?? {
            Authentication::Done => return Ok(()),
            Authentication::Switch { plugin: other, nonce } => {
                plugin = other;
                response(&plugin, password, &nonce)?
            }
            Authentication::More(said) if plugin == SHA2 && said == KNOWN => continue,
            Authentication::More(said) if plugin == SHA2 && said == UNKNOWN => Response::Password,
            Authentication::More(_) => return Err(foreign().into()),
        };
        match answer {
            Response::Digest(digest) => link.send(&digest).await?,
            Response::Password if give => link.send(&[password.as_bytes(), &[0]].concat()).await?,
            Response::Password => {
                let (local, peer) = (link.is_local(), link.peer());
                return Err(Ended::WantsPassword { plugin, tls: server_handshake.tls, local, peer });
            }
        }
    }
    Err(foreign().into())
}

/// The error for a server that wanted the password itself and did not get it.
fn not_given(plugin: &str, tls: bool, peer: IpAddr) -> ProbeError {
    let why = if tls {
        format!("and {peer} is neither this machine nor asked over TLS (`ssl-mode=REQUIRED` or stricter)")
    } else {
        "and this server offers no TLS, so that anybody could read it on the way".to_owned()
    };
    ProbeError::login(format!(
        "the server wants the password itself (the plugin {plugin}, for the first login since it started), {why}: \
         log in once with the server's own client, or give the login mysql_native_password"
    ))
}

/// Returns the release, and whether the product is `MariaDB`: `5.5.5-10.3.39-MariaDB-1` is `MariaDB` 10.3.39, with a
/// prefix for old replicas.
fn product(version: &str) -> (String, bool) {
    let mariadb = version.contains("MariaDB");
    let release = version.strip_prefix("5.5.5-").filter(|_| mariadb).unwrap_or(version);
    (release.split('-').next().unwrap_or_default().to_owned(), mariadb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_those_of_their_product() {
        for (said, release, mariadb) in [
            ("8.4.4", "8.4.4", false),
            ("8.0.36-28", "8.0.36", false),
            ("5.7.44-log", "5.7.44", false),
            ("11.8.3-MariaDB-0+deb13u1 from Debian", "11.8.3", true),
            ("5.5.5-10.3.39-MariaDB-1:10.3.39+maria~ubu2004", "10.3.39", true),
        ] {
            assert_eq!(product(said), (release.to_owned(), mariadb), "{said}");
        }
    }

    #[test]
    fn a_password_that_was_not_given_is_reported_with_reason_and_advice() {
        let elsewhere = not_given(SHA2, true, IpAddr::from([10, 0, 0, 1])).message;
        assert!(elsewhere.contains("10.0.0.1 is neither this machine"), "{elsewhere}");
        let plain = not_given(SHA2, false, IpAddr::from([127, 0, 0, 1])).message;
        for part in [SHA2, "no TLS", "log in once", "mysql_native_password"] {
            assert!(plain.contains(part), "{part}: {plain}");
        }
    }
}
