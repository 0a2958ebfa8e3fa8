//! A guard between a server and the client that answers the server: the guard stops a request for a password in clear
//! text if the password must not be given away.
//!
//! The client itself answers every request, with a password in clear text or with its MD5 hash, which is as good as the
//! password.

use crate::protocol::tls::{Tls, withheld};
use crate::protocol::wire::Line;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// Codes of `Authentication…` messages
/// (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
const OK: u32 = 0;
const SASL: std::ops::RangeInclusive<u32> = 10..=12;

/// A TLS connector for a connection that is already set up.
pub(super) struct Established {
    binding: Option<Vec<u8>>,
    watch: Watch,
}

impl Established {
    /// Takes the channel binding out of the line.
    pub(super) fn new(line: &mut Line, tls: &Tls) -> Self {
        let watch = Watch {
            withheld_from: (!line.gives_password).then_some(line.peer),
            scram_only: tls.scram_only,
            header: Vec::with_capacity(HEADER),
            skip: 0,
            proven: false,
            ended: false,
        };
        Self { binding: line.binding.take(), watch }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsConnect<S> for Established {
    type Stream = Guarded<S>;
    type Error = Infallible;
    type Future = Ready<Result<Guarded<S>, Infallible>>;

    fn connect(self, stream: S) -> Self::Future {
        ready(Ok(Guarded { stream, binding: self.binding, watch: self.watch }))
    }
}

/// A connection on which the server's messages are watched until the login is complete.
pub(super) struct Guarded<S> {
    stream: S,
    binding: Option<Vec<u8>>,
    watch: Watch,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Guarded<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.binding.clone().map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = &polled {
            self.watch.see(&buffer.filled()[before..])?;
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The length of a tag, a length, and the code of an `Authentication…` message.
const HEADER: usize = 9;

/// Follows the server's messages up to the end of the login.
struct Watch {
    /// The peer that must not get a password in clear text.
    withheld_from: Option<IpAddr>,
    scram_only: bool,
    header: Vec<u8>,
    /// Bytes of a message's body that are not received yet.
    skip: usize,
    /// Whether SCRAM has begun.
    proven: bool,
    ended: bool,
}

impl Watch {
    fn see(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let (false, Some((first, rest))) = (self.ended, bytes.split_first()) {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.header.push(*first);
            bytes = rest;
            let &[tag, a, b, c, d, ref code @ ..] = self.header.as_slice() else { continue };
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            let body = length.saturating_sub(4);
            if tag == b'R' && body >= 4 {
                let Ok(code) = <[u8; 4]>::try_from(code) else { continue };
                self.skip = body - 4;
                self.authentication(u32::from_be_bytes(code))?;
            } else {
                self.skip = body;
                // Ready for a query: the login is complete.
                self.ended = tag == b'Z';
            }
            self.header.clear();
        }
        Ok(())
    }

    fn authentication(&mut self, code: u32) -> io::Result<()> {
        let denied = |words: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, words));
        self.proven |= SASL.contains(&code);
        if self.scram_only && !self.proven {
            return denied("the server logs in by something else than SCRAM, which `require_auth` asks for".to_owned());
        }
        match self.withheld_from {
            Some(peer) if code != OK && !SASL.contains(&code) => denied(withheld(peer).message),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(withheld: bool, scram_only: bool) -> Watch {
        let withheld_from = withheld.then(|| IpAddr::from([10, 0, 0, 1]));
        Watch { withheld_from, scram_only, header: Vec::new(), skip: 0, proven: false, ended: false }
    }

    const CLEAR: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
    const MD5: &[u8] = b"R\0\0\0\x0c\0\0\0\x05salt";
    const BEGIN: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
    const TRUSTED: &[u8] = b"R\0\0\0\x08\0\0\0\0";
    const NOTICE: &[u8] = b"N\0\0\0\x0aR\0\0\0\x08\0";

    #[test]
    fn a_request_for_the_password_is_seen_however_it_comes() {
        for request in [CLEAR, MD5] {
            for bytes in [request.to_vec(), [NOTICE, request].concat(), [TRUSTED, request].concat()] {
                let mut whole = watch(true, false);
                let error = whole.see(&bytes).unwrap_err();
                assert!(error.to_string().contains("10.0.0.1") && error.to_string().contains("--insecure"), "{error}");
                let mut pieces = watch(true, false);
                assert!(bytes.iter().any(|byte| pieces.see(&[*byte]).is_err()));
                assert!(watch(false, false).see(&bytes).is_ok());
            }
        }
    }

    #[test]
    fn other_messages_go_through_and_the_rows_of_a_query_are_not_checked() {
        let ready = b"Z\0\0\0\x05I".as_slice();
        for bytes in [BEGIN.to_vec(), TRUSTED.to_vec(), [NOTICE, BEGIN].concat(), [TRUSTED, ready, CLEAR].concat()] {
            assert!(watch(true, false).see(&bytes).is_ok(), "{bytes:?}");
        }
    }

    #[test]
    fn a_login_that_must_be_by_scram_is_by_nothing_else() {
        for bytes in [CLEAR, MD5, TRUSTED] {
            assert!(watch(false, true).see(bytes).is_err(), "{bytes:?}");
        }
        assert!(watch(false, true).see(&[BEGIN, TRUSTED].concat()).is_ok());
    }
}
