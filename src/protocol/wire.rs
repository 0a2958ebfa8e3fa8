//! A connection whose peer is not trusted: the peer may be silent, send without end, or speak another protocol.
//!
//! No connection reads more than its limit, so a peer that sends without end costs a bounded amount of memory.

use super::tls::{Tls, TlsMode, encrypt, server_end_point, withheld};
use super::{Fault, ProbeError};
use crate::model::Endpoint;
use std::io;
use std::net::IpAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Join, Take, join};
use tokio::net::TcpStream;

/// Both directions of a connection; the reading direction has a limit.
pub(super) type Stream = Join<Take<Reader>, Writer>;
type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// A connection, and whether others can read it.
pub(super) struct Line {
    pub(super) stream: Stream,
    /// The address of the peer, whatever name the URL has for it.
    pub(super) peer: IpAddr,
    /// Whether a password itself may be sent over the connection.
    pub(super) gives_password: bool,
    /// The bytes that bind a login to its TLS, if there is TLS and its certificate has a hash for the binding.
    pub(super) binding: Option<Vec<u8>>,
}

impl Line {
    /// Returns an error if the endpoint has a password that others could read on the way.
    pub(super) fn permits(&self, endpoint: &Endpoint) -> Result<(), ProbeError> {
        if endpoint.password.is_none() || self.gives_password { Ok(()) } else { Err(withheld(self.peer)) }
    }
}

/// Connects, without waiting for a server to come up. The connection reads at most `limit` bytes.
pub(super) async fn connect(endpoint: &Endpoint, limit: u64) -> Result<Line, ProbeError> {
    connect_over(endpoint, &Tls::default(), limit).await
}

/// The same, encrypted from the first byte if `tls` asks for it.
pub(super) async fn connect_over(endpoint: &Endpoint, tls: &Tls, limit: u64) -> Result<Line, ProbeError> {
    let stream = connect_plain(endpoint).await?;
    if tls.mode == TlsMode::Off { plain(stream, tls, limit) } else { encrypted(stream, endpoint, tls, limit).await }
}

/// Connects as Postgres' clients do: a request in plain text, whose answer says whether TLS follows
/// (<https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL>).
pub(super) async fn connect_postgres(endpoint: &Endpoint, tls: &Tls, limit: u64) -> Result<Line, ProbeError> {
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
    let mut stream = connect_plain(endpoint).await?;
    if tls.mode == TlsMode::Off {
        return plain(stream, tls, limit);
    }
    if tls.direct {
        return encrypted(stream, endpoint, tls, limit).await;
    }
    stream.write_all(&SSL_REQUEST).await?;
    let mut answer = [0];
    // Not a byte more: the bytes after the answer belong to TLS.
    stream.read_exact(&mut answer).await?;
    match answer[0] {
        b'S' => encrypted(stream, endpoint, tls, limit).await,
        b'N' if tls.mode == TlsMode::Preferred => plain(stream, tls, limit),
        b'N' => Err(ProbeError::new(Fault::Other, "the server offers no TLS, and the URL asks for it")),
        _ => Err(ProbeError::foreign("Postgres' protocol")),
    }
}

fn plain(stream: TcpStream, tls: &Tls, limit: u64) -> Result<Line, ProbeError> {
    let peer = stream.peer_addr()?.ip();
    let (reader, writer) = stream.into_split();
    let (reader, writer): (Reader, Writer) = (Box::new(reader), Box::new(writer));
    let stream = join(reader.take(limit), writer);
    Ok(Line { stream, peer, gives_password: tls.gives_in_clear(peer), binding: None })
}

async fn encrypted(stream: TcpStream, endpoint: &Endpoint, tls: &Tls, limit: u64) -> Result<Line, ProbeError> {
    let peer = stream.peer_addr()?.ip();
    let stream = encrypt(stream, bare(&endpoint.host), tls).await?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let binding = certificate.and_then(|certificate| server_end_point(certificate));
    let (reader, writer) = tokio::io::split(stream);
    let (reader, writer): (Reader, Writer) = (Box::new(reader), Box::new(writer));
    Ok(Line { stream: join(reader.take(limit), writer), peer, gives_password: true, binding })
}

/// A host without the brackets of an IPv6 address.
pub(super) fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

async fn connect_plain(endpoint: &Endpoint) -> Result<TcpStream, ProbeError> {
    let stream =
        TcpStream::connect((bare(&endpoint.host), endpoint.port)).await.map_err(|error| match error.kind() {
            // Before a container runs, its name is unknown and its address cannot be reached.
            io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput => ProbeError::from(error),
            _ => ProbeError::not_yet(error.to_string()),
        })?;
    // If no server listens on a port that is also used for outgoing connections, a connection can connect to itself.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(ProbeError::not_yet("no server listens there"));
    }
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// An answer and its length, `None` while more bytes are needed, or the reason why these bytes are no answer.
pub(super) type Parsed<T> = Result<Option<(T, usize)>, ProbeError>;

/// Requests and answers over one connection.
pub(super) struct Conversation {
    stream: Stream,
    peer: IpAddr,
    received: Vec<u8>,
}

impl Conversation {
    pub(super) async fn open(endpoint: &Endpoint, limit: u64) -> Result<Self, ProbeError> {
        Ok(Self::over(connect(endpoint, limit).await?))
    }

    pub(super) async fn open_over(endpoint: &Endpoint, tls: &Tls, limit: u64) -> Result<Self, ProbeError> {
        Ok(Self::over(connect_over(endpoint, tls, limit).await?))
    }

    /// For protocols whose logins send the password itself: no connection is opened where others could read the
    /// password.
    pub(super) async fn open_for_password(endpoint: &Endpoint, tls: &Tls, limit: u64) -> Result<Self, ProbeError> {
        let line = connect_over(endpoint, tls, limit).await?;
        line.permits(endpoint)?;
        Ok(Self::over(line))
    }

    fn over(line: Line) -> Self {
        Self { stream: line.stream, peer: line.peer, received: Vec::new() }
    }

    /// Whether the connection stays on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.peer.to_canonical().is_loopback()
    }

    /// The address that was connected to.
    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), ProbeError> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Reads until `parse` finds a whole answer at the beginning of the received bytes, and removes the answer from
    /// them.
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
