//! TLS over a connection, for servers that are not on this machine, and the rule where a password may go without TLS.
//!
//! Nothing here weakens the requested security: a file that cannot be read, a key that others can read or a certificate
//! that does not match is an error, and never leads to a connection with fewer checks.

mod channel_binding;
mod verifier;

use super::ProbeError;
pub(super) use channel_binding::server_end_point;
use rustls::client::WantsClientCert;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion, version};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whether a connection is encrypted, and how much of the server's certificate is checked; from weakest to strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    /// Plain text: on this machine.
    #[default]
    Off,
    /// Encrypted if the server offers TLS, unchecked: the default of Postgres' clients.
    Preferred,
    /// Encrypted, and any server is accepted.
    Unchecked,
    /// Encrypted, and the server's certificate must be signed by a known authority, for any name.
    Authority,
    /// Encrypted, and the server's certificate must match its name and be signed by a known authority.
    Checked,
}

/// Where devenv may answer with a password without TLS in a form that the server, or anyone on the way, can read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClearText {
    /// Nowhere.
    Never,
    /// Over a connection to this machine's loopback addresses.
    #[default]
    OnLoopback,
    /// Anywhere: `--insecure`.
    Anywhere,
}

/// Whether Postgres' login is bound to the TLS connection, so that no peer in between can pass it on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// If the server offers it.
    #[default]
    Prefer,
    /// Always; otherwise the login fails.
    Require,
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// 1.2 and 1.3.
    #[default]
    All,
    /// Only 1.2.
    Only12,
    /// Only 1.3.
    Only13,
}

/// How a connection to a server is secured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whether the connection is encrypted and checked.
    pub mode: TlsMode,
    /// The file (PEM) of the trusted authorities; if there is none, the authorities of the system.
    pub authorities: Option<PathBuf>,
    /// The client's certificate and its key, two files (PEM).
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The allowed versions.
    pub versions: Versions,
    /// Whether the server's name is kept out of the handshake (`sslsni=0`).
    pub without_sni: bool,
    /// Whether TLS begins at once, without asking a Postgres server first (`sslnegotiation=direct`).
    pub direct: bool,
    /// Whether a Postgres login is bound to the connection.
    pub channel_binding: ChannelBinding,
    /// Whether a Postgres login must use SCRAM (`require_auth=scram-sha-256`).
    pub scram_only: bool,
    /// Where a password may go without TLS.
    pub clear_text: ClearText,
}

impl From<TlsMode> for Tls {
    fn from(mode: TlsMode) -> Self {
        Self { mode, ..Self::default() }
    }
}

impl Tls {
    /// Whether devenv may answer with a password over an unencrypted connection to that address.
    pub(super) fn gives_in_clear(&self, peer: IpAddr) -> bool {
        match self.clear_text {
            ClearText::Never => false,
            ClearText::OnLoopback => peer.to_canonical().is_loopback(),
            ClearText::Anywhere => true,
        }
    }
}

/// The error for a password that was not sent.
pub(super) fn withheld(peer: IpAddr) -> ProbeError {
    ProbeError::login(format!(
        "the password was not sent: {peer} is not this machine and the connection is not encrypted, so anybody on the \
         way could read it. Ask for TLS in the URL (`sslmode=verify-full`, `rediss:`, `amqps:`), or accept it with \
         `--insecure`"
    ))
}

/// Encrypts the connection from here on.
pub(super) async fn encrypt(stream: TcpStream, host: &str, tls: &Tls) -> Result<TlsStream<TcpStream>, ProbeError> {
    let mut configuration = configuration(tls)?;
    if tls.direct {
        configuration.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    let connector = TlsConnector::from(Arc::new(configuration));
    connector.connect(server_name(host)?, stream).await.map_err(|error| ProbeError::other(format!("TLS: {error}")))
}

/// The host's name in the form of a certificate.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, ProbeError> {
    ServerName::try_from(host.to_owned()).map_err(|_| ProbeError::other("its host name is not valid in a certificate"))
}

/// The client's configuration: the server certificates that it accepts, and its own certificate.
pub(super) fn configuration(tls: &Tls) -> Result<ClientConfig, ProbeError> {
    let provider = Arc::new(ring::default_provider());
    let versions: &[&SupportedProtocolVersion] = match tls.versions {
        Versions::All => &[&version::TLS13, &version::TLS12],
        Versions::Only12 => &[&version::TLS12],
        Versions::Only13 => &[&version::TLS13],
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| refused(&error))?;
    let builder = if tls.mode < TlsMode::Authority {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier::Anybody(provider)))
    } else {
        checking(builder, provider, tls)?
    };
    let mut configuration = match &tls.identity {
        Some((certificate, key)) => {
            let (chain, key) = (certificates(certificate)?, private_key(key)?);
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                ProbeError::other(format!(
                    "the client's certificate {} does not go with its key: {error}",
                    certificate.display()
                ))
            })?
        }
        None => builder.with_no_client_auth(),
    };
    configuration.enable_sni = !tls.without_sni;
    Ok(configuration)
}

type Builder<State> = ConfigBuilder<ClientConfig, State>;

fn checking(
    builder: Builder<rustls::WantsVerifier>,
    provider: Arc<CryptoProvider>,
    tls: &Tls,
) -> Result<Builder<WantsClientCert>, ProbeError> {
    let known = match &tls.authorities {
        Some(path) => certificates(path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(known.iter().cloned());
    if authorities.is_empty() {
        return Err(ProbeError::other("TLS: this system knows no authorities: install its CA certificates"));
    }
    // The system's authorities sign certificates for anyone, so with them the name is always checked.
    let (named, given) = (tls.mode == TlsMode::Checked || tls.authorities.is_none(), tls.authorities.is_some());
    let pinned = if given { known } else { Vec::new() };
    let verifier = verifier::Authority::new(authorities, pinned, named, provider)
        .map_err(|error| ProbeError::other(format!("TLS: {error}")))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ProbeError> {
    let unread = |why: String| ProbeError::other(format!("cannot read certificates from {}: {why}", path.display()));
    let text = crate::project::read_up_to(path, 1 << 20).map_err(|error| unread(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(unread("it holds no certificate in PEM".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(unread(error.to_string())),
    }
}

/// Reads the key, which no other user may be able to read: the rule of Postgres' own client (a group may read root's
/// key).
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, ProbeError> {
    use std::os::unix::fs::MetadataExt as _;
    let unread = |why: String| ProbeError::other(format!("cannot read a private key from {}: {why}", path.display()));
    let about = std::fs::metadata(path).map_err(|error| unread(error.to_string()))?;
    let others = if about.uid() == 0 { 0o027 } else { 0o077 };
    if about.mode() & others != 0 {
        return Err(unread(format!("others can read it (mode {:04o}): `chmod 600` it", about.mode() & 0o7777)));
    }
    let text = crate::project::read_up_to(path, 1 << 20).map_err(|error| unread(error.to_string()))?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|error| unread(format!("it holds no key in PEM without a passphrase ({error})")))
}

fn refused(error: &rustls::Error) -> ProbeError {
    ProbeError::other(format!("TLS: {error}"))
}

#[cfg(test)]
mod tests;
