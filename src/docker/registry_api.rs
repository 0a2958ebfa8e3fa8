//! The registry's own API, for documents that no engine passes on: an index, a manifest or a configuration, each
//! requested by its digest.
//!
//! OCI Distribution 1.1 (<https://github.com/opencontainers/distribution-spec>) and the token logins of
//! <https://distribution.github.io/distribution/spec/auth/token/>. Registries on loopback are asked over HTTP, as
//! engines do; all others over HTTPS, through the proxy that the environment names. An answer of a registry is accepted
//! only if its hash is the requested digest.

use super::credentials::Login;
use crate::kinds::base64;
use crate::model::{ImageRef, digest_of_bytes};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tower_service::Service as _;

/// The largest document, in bytes. The largest indexes have about 100 KiB.
const MAX_SIZE: usize = 4 * 1024 * 1024;

/// The deadline for one answer, from the DNS look-up to the last byte.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A registry redirects to a content network for blobs, and this network may redirect once more.
const MAX_REDIRECTS: usize = 3;

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// The kind of a document, which decides its path.
#[derive(Clone, Copy, Debug)]
pub(super) enum DocumentKind {
    /// Indexes and manifests.
    Manifests,
    /// Configurations.
    Blobs,
}

/// Why a registry does not give the document of a digest. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentFault {
    /// The registry could not be asked, or did not give the document.
    Unavailable(String),
    /// The registry gave content that does not match the digest.
    Other(String),
}

impl fmt::Display for ContentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) | Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<String> for ContentFault {
    fn from(why: String) -> Self {
        Self::Unavailable(why)
    }
}

/// One repository of one registry.
pub(super) struct RegistryApi<'a> {
    base: String,
    repository: &'a str,
    login: &'a Login,
    /// The header that the registry accepts as a login, once the registry has asked for one.
    authorization: Option<HeaderValue>,
}

impl<'a> RegistryApi<'a> {
    pub(super) fn of(image: &'a ImageRef, login: &'a Login) -> Self {
        let host = if image.registry == "docker.io" { "registry-1.docker.io" } else { &image.registry };
        let scheme = if is_loopback(host) { "http" } else { "https" };
        Self { base: format!("{scheme}://{host}"), repository: &image.repository, login, authorization: None }
    }

    /// The document of that digest.
    pub(super) async fn document(&mut self, kind: DocumentKind, digest: &str) -> Result<Bytes, ContentFault> {
        let (kind, accept) = match kind {
            DocumentKind::Manifests => ("manifests", MANIFESTS),
            DocumentKind::Blobs => ("blobs", "*/*"),
        };
        let url = format!("{}/v2/{}/{kind}/{digest}", self.base, self.repository);
        let mut answer = self.get(&url, accept).await?;
        if answer.status == StatusCode::UNAUTHORIZED && self.authorization.is_none() {
            self.authorization = Some(self.log_in(&answer.challenge).await?);
            answer = self.get(&url, accept).await?;
        }
        if answer.status != StatusCode::OK {
            return Err(ContentFault::Unavailable(format!("{} answers {} for {digest}", self.base, answer.status)));
        }
        let is = digest_of_bytes(&answer.body);
        if is == digest {
            return Ok(answer.body);
        }
        Err(ContentFault::Other(format!("asked for {digest}, {} answered with content of {is}", self.base)))
    }

    async fn get(&self, url: &str, accept: &str) -> Result<Answer, String> {
        let mut url = uri(url)?;
        for redirects in 0..=MAX_REDIRECTS {
            let mut request = Request::get(&url).header(ACCEPT, accept);
            // The login is only for the registry, not for the target of a redirect.
            if let Some(authorization) = self.authorization.as_ref().filter(|_| redirects == 0) {
                request = request.header(AUTHORIZATION, authorization);
            }
            let answer = ask(&url, request, Bytes::new()).await?;
            match &answer.location {
                Some(location) if answer.status.is_redirection() => url = uri(&joined(&url, location))?,
                _ => return Ok(answer),
            }
        }
        Err(format!("{} redirects too many times", self.base))
    }

    /// The header that the registry accepts as a login, from its challenge (RFC 9110, section 11).
    async fn log_in(&self, challenge: &str) -> Result<HeaderValue, String> {
        let credentials = self.login.credentials.clone().unwrap_or_default();
        let basic = credentials.username.as_ref().zip(credentials.password.as_ref());
        let basic = basic.map(|(name, password)| format!("Basic {}", base64(format!("{name}:{password}").as_bytes())));
        let (scheme, parameters) = challenge.split_once(' ').unwrap_or((challenge, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return secret(&basic.ok_or_else(|| format!("{} requires a login (`docker login`)", self.base))?);
        }
        let parameter = |name: &str| parameter(parameters, name);
        let realm = parameter("realm").filter(|_| scheme.eq_ignore_ascii_case("bearer"));
        let realm =
            realm.ok_or_else(|| format!("{} requires a kind of login that devenv does not support", self.base))?;
        if self.base.starts_with("https:") && !realm.starts_with("https:") {
            return Err(format!("{} sends logins to {realm}, which is not encrypted", self.base));
        }
        let scope = parameter("scope").unwrap_or_else(|| format!("repository:{}:pull", self.repository));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameter("service").map(|service| ("service", service)));
        query.append_pair("scope", &scope);
        let answer = if let Some(token) = &credentials.identitytoken {
            let grant = [("grant_type", "refresh_token"), ("client_id", "devenv"), ("refresh_token", token)];
            query.extend_pairs(grant);
            let request = Request::post(&realm).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            ask(&uri(&realm)?, request, Bytes::from(query.finish())).await?
        } else {
            let url = format!("{realm}{}{}", if realm.contains('?') { '&' } else { '?' }, query.finish());
            let mut request = Request::get(&url);
            if let Some(basic) = &basic {
                request = request.header(AUTHORIZATION, secret(basic)?);
            }
            ask(&uri(&url)?, request, Bytes::new()).await?
        };
        if answer.status != StatusCode::OK {
            return Err(format!("{realm} answers {} to the login for {}", answer.status, self.repository));
        }
        let token: Token = serde_json::from_slice(&answer.body).map_err(|_| format!("{realm} answers no token"))?;
        let token = token.token.or(token.access_token).ok_or_else(|| format!("{realm} answers no token"))?;
        secret(&format!("Bearer {token}"))
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// The parts of an answer that are used.
struct Answer {
    status: StatusCode,
    challenge: String,
    location: Option<String>,
    body: Bytes,
}

/// A header value that debug output does not show.
fn secret(text: &str) -> Result<HeaderValue, String> {
    let mut value =
        HeaderValue::from_str(text).map_err(|_| "the login has bytes that no header can have".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

fn uri(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|_| "the registry names an invalid address".to_owned())?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => Ok(uri),
        (Some("http"), Some(host)) if is_loopback(host) => Ok(uri),
        _ => Err(format!("the registry refers to {}, which is not encrypted", uri.host().unwrap_or(text))),
    }
}

/// The target of a redirect, which may be relative to the current URL.
fn joined(url: &Uri, location: &str) -> String {
    let whole = url::Url::parse(&url.to_string()).and_then(|url| url.join(location));
    whole.map_or_else(|_| location.to_owned(), String::from)
}

fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The value of a challenge's parameter: `realm="https://…",service="…"`.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = left;
    }
    None
}

/// One request and its answer, over a connection of its own.
async fn ask(url: &Uri, request: hyper::http::request::Builder, body: Bytes) -> Result<Answer, String> {
    let host = url.host().unwrap_or_default();
    match tokio::time::timeout(ANSWER_TIMEOUT, exchange(url, host, request, body)).await {
        Ok(answered) => answered.map_err(|why| format!("{host}: {why}")),
        Err(_) => Err(format!("{host} gave no answer within {} s", ANSWER_TIMEOUT.as_secs())),
    }
}

async fn exchange(
    url: &Uri,
    host: &str,
    request: hyper::http::request::Builder,
    body: Bytes,
) -> Result<Answer, String> {
    let authority = url.authority().map(ToString::to_string).unwrap_or_default();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = request
        .uri(path)
        .header(HOST, authority)
        .header(USER_AGENT, "devenv")
        .header(CONNECTION, "close")
        .body(Full::new(body))
        .map_err(|error| error.to_string())?;
    let mut direct = HttpConnector::new();
    direct.enforce_http(false);
    let proxy = Matcher::from_env().intercept(url).filter(|_| !is_loopback(host));
    let stream = match proxy {
        None => direct.call(url.clone()).await.map_err(|error| words(&error))?,
        Some(proxy) => {
            let mut tunnel = Tunnel::new(proxy.uri().clone(), direct);
            if let Some(login) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(login.clone());
            }
            let through = tunnel.call(url.clone()).await;
            through.map_err(|error| {
                format!("through the proxy {}: {}", proxy.uri().host().unwrap_or("?"), words(&error))
            })?
        }
    };
    if url.scheme_str() == Some("http") {
        return send(stream.into_inner(), request).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|_| "no certificate could be for this name".to_owned())?;
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let configuration = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    let encrypted = TlsConnector::from(Arc::new(configuration)).connect(name, stream.into_inner()).await;
    send(encrypted.map_err(|error| error.to_string())?, request).await
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let opened = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = opened.map_err(|error| words(&error))?;
    let answered = async move {
        let answer: Response<_> = sender.send_request(request).await.map_err(|error| words(&error))?;
        let header = |name| answer.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let challenge = header(hyper::header::WWW_AUTHENTICATE).unwrap_or_default().to_owned();
        let (status, location) = (answer.status(), header(LOCATION).map(str::to_owned));
        let body = Limited::new(answer.into_body(), MAX_SIZE).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        Ok(Answer { status, challenge, location, body })
    };
    let (answer, _) = tokio::join!(answered, connection);
    answer
}

/// The message of an error, with the messages of its causes.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut behind = error.source();
    while let Some(source) = behind {
        let said = source.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        behind = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_s_parameters_are_read_quoted_or_not() {
        let challenge =
            r#"realm="https://auth.example/token?x=a,b",service=registry.example, scope="repository:a/b:pull""#;
        assert_eq!(parameter(challenge, "realm").as_deref(), Some("https://auth.example/token?x=a,b"));
        assert_eq!(parameter(challenge, "service").as_deref(), Some("registry.example"));
        assert_eq!(parameter(challenge, "Scope").as_deref(), Some("repository:a/b:pull"));
        assert_eq!(parameter(challenge, "error"), None);
        assert_eq!(parameter("realm=\"cut", "realm"), None);
    }

    #[test]
    fn only_this_machine_is_asked_in_plain_text() {
        for (host, plain) in [
            ("127.0.0.1:5000", true),
            ("localhost", true),
            ("[::1]:5000", true),
            ("registry.example:5000", false),
            ("localhost.example", false),
        ] {
            assert_eq!(is_loopback(host), plain, "{host}");
        }
        assert!(uri("http://registry.example/x").is_err());
        assert!(uri("https://registry.example/x").is_ok() && uri("http://127.0.0.1:1/x").is_ok());
        assert!(uri("/relative").is_err());
        let here = uri("https://registry.example/v2/x").unwrap();
        assert_eq!(joined(&here, "/blobs/y"), "https://registry.example/blobs/y");
        assert_eq!(joined(&here, "https://cdn.example/y"), "https://cdn.example/y");
    }
}
