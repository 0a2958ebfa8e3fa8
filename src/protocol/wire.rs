//! A connection whose peer is not trusted: it may be silent, endless, or speak another protocol.
//!
//! No connection reads more than its limit, so a peer that never ends costs a bounded amount of memory.

use super::ProbeError;
use crate::model::Endpoint;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Join, Take, join};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Both directions of a connection, the reading one with its limit.
pub(super) type Stream = Join<Take<OwnedReadHalf>, OwnedWriteHalf>;

/// Connects, without waiting for a server to come up. At most `limit` bytes can be read from it.
pub(super) async fn connect(endpoint: &Endpoint, limit: u64) -> Result<Stream, ProbeError> {
    let host = endpoint.host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, endpoint.port)).await.map_err(|error| match error.kind() {
        // A container's name is not known before it runs, and its address not reachable.
        io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput => ProbeError::from(error),
        _ => ProbeError::not_yet(error.to_string()),
    })?;
    // Where nobody listens on a port that outgoing connections also use, a connection can meet itself.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(ProbeError::not_yet("nobody listens there"));
    }
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    Ok(join(reader.take(limit), writer))
}

/// An answer and its length, none while more of it is needed, or why these bytes are no answer.
pub(super) type Parsed<T> = Result<Option<(T, usize)>, ProbeError>;

/// Requests and answers over one connection.
pub(super) struct Conversation {
    stream: Stream,
    received: Vec<u8>,
}

impl Conversation {
    pub(super) async fn open(endpoint: &Endpoint, limit: u64) -> Result<Self, ProbeError> {
        Ok(Self { stream: connect(endpoint, limit).await?, received: Vec::new() })
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), ProbeError> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Reads until `parse` finds a whole answer at the beginning of what has come, and takes it off.
    pub(super) async fn receive<T>(&mut self, mut parse: impl FnMut(&[u8]) -> Parsed<T>) -> Result<T, ProbeError> {
        loop {
            if let Some((answer, length)) = parse(&self.received)? {
                self.received.drain(..length);
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(match self.stream.reader().limit() {
                    0 => ProbeError::other("the peer sends without end where a short answer was due"),
                    _ => ProbeError::closed(),
                });
            }
        }
    }
}
