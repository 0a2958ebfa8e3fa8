//! Packets over one connection, in plain text or over TLS.

use super::packet::{framed, parse};
use crate::model::Endpoint;
use crate::protocol::ProbeError;
use crate::protocol::tls::{Tls, configuration, server_name};
use crate::protocol::wire::Conversation;
use rustls::ClientConnection;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::sync::Arc;

/// A connection, and its position in the exchange of packets.
pub(super) struct Link {
    conversation: Conversation,
    tls: Option<Box<ClientConnection>>,
    /// Decrypted bytes that are not read yet.
    plain: Vec<u8>,
    sequence: u8,
}

impl Link {
    pub(super) async fn open(endpoint: &Endpoint, limit: u64) -> Result<Self, ProbeError> {
        let conversation = Conversation::open(endpoint, limit).await?;
        Ok(Self { conversation, tls: None, plain: Vec::new(), sequence: 0 })
    }

    /// Whether the connection stays on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.conversation.is_local()
    }

    /// The address of the peer.
    pub(super) fn peer(&self) -> IpAddr {
        self.conversation.peer()
    }

    /// Sends a packet that continues the exchange.
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

    /// Sends a packet that begins a new exchange.
    pub(super) async fn command(&mut self, payload: &[u8]) -> Result<(), ProbeError> {
        self.sequence = 0;
        self.send(payload).await
    }

    /// Returns the payload of the next packet.
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

    /// Continues over TLS.
    pub(super) async fn secure(&mut self, host: &str, tls: &Tls) -> Result<(), ProbeError> {
        let tls = ClientConnection::new(Arc::new(configuration(tls)?), server_name(host)?)
            .map_err(|error| refused(&error))?;
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

/// Returns all received bytes.
#[expect(clippy::unnecessary_wraps, reason = "the form that a conversation reads by")]
fn whatever(bytes: &[u8]) -> crate::protocol::wire::Parsed<Vec<u8>> {
    Ok((!bytes.is_empty()).then(|| (bytes.to_vec(), bytes.len())))
}

fn refused(error: &rustls::Error) -> ProbeError {
    ProbeError::other(format!("TLS: {error}"))
}

fn take_in(tls: &mut ClientConnection, mut bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), ProbeError> {
    while !bytes.is_empty() {
        tls.read_tls(&mut bytes)?;
        let state = tls.process_new_packets().map_err(|error| refused(&error))?;
        let begin = plain.len();
        plain.resize(begin + state.plaintext_bytes_to_read(), 0);
        tls.reader().read_exact(&mut plain[begin..])?;
    }
    Ok(())
}
