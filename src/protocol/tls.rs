//! TLS over a connection, for servers that are not on this machine.
//!
//! As the servers' own clients have it: what is encrypted only is not checked, what is to be checked is checked
//! against the system's certificates.

use super::ProbeError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// In plain text: on this machine.
    #[default]
    Off,
    /// Encrypted where the server offers it, unchecked: what Postgres' clients do where nothing is said.
    Preferred,
    /// Encrypted, and whoever answers is believed to be the server.
    Unchecked,
    /// Encrypted, and the server's certificate must be for its name and signed by an authority that the system knows.
    Checked,
}

/// Speaks TLS from here on.
pub(super) async fn encrypt(stream: TcpStream, host: &str, tls: Tls) -> Result<TlsStream<TcpStream>, ProbeError> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| ProbeError::other("its host's name is none that a certificate could be for"))?;
    let connector = TlsConnector::from(Arc::new(configuration(tls)?));
    connector.connect(name, stream).await.map_err(|error| ProbeError::other(format!("TLS: {error}")))
}

/// What a client of that sort takes for a server's certificate.
pub(super) fn configuration(tls: Tls) -> Result<ClientConfig, ProbeError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ProbeError::other(format!("TLS: {error}")))?;
    if tls != Tls::Checked {
        let verifier = Arc::new(Anybody(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let mut authorities = RootCertStore::empty();
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if authorities.is_empty() {
        return Err(ProbeError::other("TLS: this system knows no authorities: install its CA certificates"));
    }
    Ok(builder.with_root_certificates(authorities).with_no_client_auth())
}

/// Takes every certificate; signatures are checked all the same, so that who answered also goes on.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
