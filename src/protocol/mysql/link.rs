//! Packets over one connection, plain or within TLS.
//!
//! TLS is for a server on this machine alone: its certificate, made at its first start, proves nothing, so none is
//! looked at.

use super::packet::{foreign, framed, parse};
use crate::model::Endpoint;
use crate::protocol::ProbeError;
use crate::protocol::wire::Conversation;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};
use std::io::{Read, Write};
use std::sync::Arc;

/// A connection, and where it is in its exchange of packets.
pub(super) struct Link {
    conversation: Conversation,
    tls: Option<Box<ClientConnection>>,
    /// What came out of TLS and is not read yet.
    plain: Vec<u8>,
    sequence: u8,
}

impl Link {
    pub(super) async fn open(endpoint: &Endpoint, limit: u64) -> Result<Self, ProbeError> {
        let conversation = Conversation::open(endpoint, limit).await?;
        Ok(Self { conversation, tls: None, plain: Vec::new(), sequence: 0 })
    }

    /// Whether nobody else reads what is sent.
    pub(super) fn is_private(&self) -> bool {
        self.tls.is_some()
    }

    /// Sends a packet that answers.
    pub(super) async fn send(&mut self, payload: &[u8]) -> Result<(), ProbeError> {
        let bytes = framed(payload, self.sequence);
        self.sequence = self.sequence.wrapping_add(1);
        match &mut self.tls {
            None => self.conversation.send(&bytes).await,
            Some(tls) => {
                tls.writer().write_all(&bytes)?;
                self.flush().await
            }
        }
    }

    /// Sends a packet that begins something new.
    pub(super) async fn command(&mut self, payload: &[u8]) -> Result<(), ProbeError> {
        self.sequence = 0;
        self.send(payload).await
    }

    /// The next packet's payload.
    pub(super) async fn receive(&mut self) -> Result<Vec<u8>, ProbeError> {
        let sequence = self.sequence;
        let payload = loop {
            if self.tls.is_none() {
                break self.conversation.receive(|bytes| parse(bytes, sequence)).await?;
            }
            if let Some((payload, length)) = parse(&self.plain, sequence)? {
                self.plain.drain(..length);
                break payload;
            }
            self.fill().await?;
        };
        self.sequence = sequence.wrapping_add(1);
        Ok(payload)
    }

    /// Goes on within TLS. Whoever answers there is taken for the server.
    pub(super) async fn secure(&mut self) -> Result<(), ProbeError> {
        let provider = Arc::new(ring::default_provider());
        let whoever = Arc::new(Whoever(Arc::clone(&provider)));
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ProbeError::other(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(whoever)
            .with_no_client_auth();
        let name = ServerName::from(std::net::IpAddr::from([127, 0, 0, 1]));
        let tls =
            ClientConnection::new(Arc::new(config), name).map_err(|error| ProbeError::other(error.to_string()))?;
        let tls = self.tls.insert(Box::new(tls));
        while tls.is_handshaking() {
            let mut bytes = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut bytes)?;
            }
            self.conversation.send(&bytes).await?;
            if tls.wants_read() {
                take_in(tls, &self.conversation.receive(whatever).await?, &mut self.plain)?;
            }
        }
        self.flush().await
    }

    async fn flush(&mut self) -> Result<(), ProbeError> {
        let mut bytes = Vec::new();
        while let Some(tls) = self.tls.as_mut().filter(|tls| tls.wants_write()) {
            tls.write_tls(&mut bytes)?;
        }
        self.conversation.send(&bytes).await
    }

    async fn fill(&mut self) -> Result<(), ProbeError> {
        let bytes = self.conversation.receive(whatever).await?;
        if let Some(tls) = &mut self.tls {
            take_in(tls, &bytes, &mut self.plain)?;
        }
        Ok(())
    }
}

/// All that has come.
#[expect(clippy::unnecessary_wraps, reason = "the form that a conversation reads by")]
fn whatever(bytes: &[u8]) -> crate::protocol::wire::Parsed<Vec<u8>> {
    Ok((!bytes.is_empty()).then(|| (bytes.to_vec(), bytes.len())))
}

fn take_in(tls: &mut ClientConnection, mut bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), ProbeError> {
    while !bytes.is_empty() {
        tls.read_tls(&mut bytes)?;
        let state = tls.process_new_packets().map_err(|_| foreign())?;
        let begin = plain.len();
        plain.resize(begin + state.plaintext_bytes_to_read(), 0);
        tls.reader().read_exact(&mut plain[begin..])?;
    }
    Ok(())
}

/// Takes every certificate, and makes sure only that whoever answers has its key.
#[derive(Debug)]
struct Whoever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
