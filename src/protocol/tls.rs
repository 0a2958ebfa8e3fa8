//! TLS over a connection, for servers that are not on this machine, and where a password may go without it.
//!
//! Nothing here weakens what was asked for: a file that cannot be read, a key that others can read or a certificate
//! that does not fit is an error, and never a connection that is checked less.

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

/// Whether a connection is encrypted, and how much of the server's certificate is checked; from the weakest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    /// In plain text: on this machine.
    #[default]
    Off,
    /// Encrypted where the server offers it, unchecked: what Postgres' clients do where nothing is said.
    Preferred,
    /// Encrypted, and whoever answers is believed to be the server.
    Unchecked,
    /// Encrypted, and the server's certificate must be signed by a known authority, for whatever name.
    Authority,
    /// Encrypted, and the server's certificate must be for its name and signed by a known authority.
    Checked,
}

/// Where a password may be answered to a server that can read it, or that anybody on the way can, without TLS.
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

/// Whether Postgres' login is bound to the TLS connection, so that nobody between can pass it on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// Where the server offers it.
    #[default]
    Prefer,
    /// Always, or there is no login.
    Require,
}

/// Versions of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// 1.2 and 1.3.
    #[default]
    All,
    /// 1.2 alone.
    Only12,
    /// 1.3 alone.
    Only13,
}

/// How a server is spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whether it is encrypted and checked.
    pub mode: TlsMode,
    /// The file (PEM) of the authorities that are believed; where there is none, those that the system knows.
    pub authorities: Option<PathBuf>,
    /// The client's certificate and its key, two files (PEM).
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Which versions.
    pub versions: Versions,
    /// Whether the server's name is kept out of the handshake (`sslsni=0`).
    pub without_sni: bool,
    /// Whether TLS begins at once, without asking a Postgres server first (`sslnegotiation=direct`).
    pub direct: bool,
    /// Whether a Postgres login is bound to the connection.
    pub channel_binding: ChannelBinding,
    /// Whether a Postgres login is by SCRAM or not at all (`require_auth=scram-sha-256`).
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
    /// Whether a password may be answered over a connection to that address that is not encrypted.
    pub(super) fn gives_in_clear(&self, peer: IpAddr) -> bool {
        match self.clear_text {
            ClearText::Never => false,
            ClearText::OnLoopback => peer.to_canonical().is_loopback(),
            ClearText::Anywhere => true,
        }
    }
}

/// Why a password was not sent.
pub(super) fn withheld(peer: IpAddr) -> ProbeError {
    ProbeError::login(format!(
        "the password was not sent: {peer} is not this machine and the connection is not encrypted, so anybody on the \
         way could read it. Ask for TLS in the URL (`sslmode=verify-full`, `rediss:`, `amqps:`), or accept it with \
         `--insecure`"
    ))
}

/// Speaks TLS from here on.
pub(super) async fn encrypt(stream: TcpStream, host: &str, tls: &Tls) -> Result<TlsStream<TcpStream>, ProbeError> {
    let mut configuration = configuration(tls)?;
    if tls.direct {
        configuration.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    let connector = TlsConnector::from(Arc::new(configuration));
    connector.connect(server_name(host)?, stream).await.map_err(|error| ProbeError::other(format!("TLS: {error}")))
}

/// The host's name as a certificate has it.
pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, ProbeError> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| ProbeError::other("its host's name is none that a certificate could be for"))
}

/// What a client of that sort takes for a server's certificate, and who it says it is.
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
    // Of the system's authorities, each has signed for anybody who asked: there the name counts in any case.
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
        Ok(found) if found.is_empty() => Err(unread("it holds none in PEM".to_owned())),
        Ok(found) => Ok(found),
        Err(error) => Err(unread(error.to_string())),
    }
}

/// The key, which nobody else may be able to read: the rule of Postgres' own client (root's may have a group).
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
        .map_err(|error| unread(format!("it holds none in PEM without a passphrase ({error})")))
}

fn refused(error: &rustls::Error) -> ProbeError {
    ProbeError::other(format!("TLS: {error}"))
}

#[cfg(test)]
mod tests;
