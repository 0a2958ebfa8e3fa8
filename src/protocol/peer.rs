//! Peers for tests: servers on loopback that send prepared answers, or misbehave.

use super::{Fault, ProbeError, Proof};
use crate::model::{Endpoint, Secret};
use std::future::Future;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server that runs until it is dropped.
pub(super) struct Peer {
    port: u16,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    async fn serving<F: Future<Output = ()> + Send>(serve: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream).await;
            }
        });
        Self { port, task }
    }

    /// Sends these bytes, then reads until the client has gone.
    pub(super) async fn answers(bytes: &[u8]) -> Self {
        Self::answers_in_pieces(&[bytes]).await
    }

    /// Sends the pieces one after the other, each in a packet of its own as far as the network allows.
    pub(super) async fn answers_in_pieces(pieces: &[&[u8]]) -> Self {
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
        Self::serving(move |mut stream| {
            let pieces = pieces.clone();
            async move {
                for piece in pieces {
                    let _ = stream.write_all(&piece).await;
                    tokio::task::yield_now().await;
                }
                drain(stream).await;
            }
        })
        .await
    }

    /// Sends these bytes after the client has sent something, then reads until the client has gone.
    pub(super) async fn answers_when_asked(bytes: &[u8]) -> Self {
        let bytes = bytes.to_vec();
        Self::serving(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&bytes).await;
                drain(stream).await;
            }
        })
        .await
    }

    /// Sends back all received bytes.
    pub(super) async fn echoes() -> Self {
        Self::serving(|mut stream| async move {
            let (mut reader, mut writer) = stream.split();
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
        })
        .await
    }

    /// Accepts, and sends nothing.
    pub(super) async fn silent() -> Self {
        Self::serving(drain).await
    }

    /// Accepts, and closes at once, like Docker's port proxy while no server listens in the container.
    pub(super) async fn closes() -> Self {
        Self::serving(|stream| async move { drop(stream) }).await
    }

    /// Closes its own direction only.
    pub(super) async fn half_closes() -> Self {
        Self::serving(|mut stream| async move {
            let _ = stream.shutdown().await;
            drain(stream).await;
        })
        .await
    }

    /// Sends the same bytes over and over, without end.
    pub(super) async fn endless(bytes: &'static [u8]) -> Self {
        Self::serving(move |mut stream| async move { while stream.write_all(bytes).await.is_ok() {} }).await
    }
}

async fn drain(mut stream: TcpStream) {
    let mut buffer = [0; 1024];
    while matches!(stream.read(&mut buffer).await, Ok(length) if length > 0) {}
}

/// An endpoint without login on the peer's port.
pub(super) fn endpoint_of(peer: &Peer) -> Endpoint {
    endpoint(peer.port)
}

/// An endpoint where no server listens.
pub(super) async fn nobody() -> Endpoint {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    endpoint(listener.local_addr().unwrap().port())
}

fn endpoint(port: u16) -> Endpoint {
    Endpoint { host: "127.0.0.1".to_owned(), port, user: None, password: None, database: None, vhost: None, path: None }
}

/// Every kind of hostile peer ends in an error of the right kind, and no error shows the password.
pub(super) async fn assert_hostile_peers_end<F: Future<Output = Result<Proof, ProbeError>>>(
    prove: impl Fn(Endpoint) -> F,
) {
    let with_login = |mut endpoint: Endpoint| {
        endpoint.user = Some("app".to_owned());
        endpoint.password = Some(Secret::new("correct-horse"));
        endpoint
    };
    let error = prove(with_login(nobody().await)).await.unwrap_err();
    assert_eq!(error.fault, Fault::NotYet, "nobody: {error:?}");
    for (what, peer) in [("closes at once", Peer::closes().await), ("half closes", Peer::half_closes().await)] {
        let error = prove(with_login(endpoint_of(&peer))).await.unwrap_err();
        assert_eq!(error.fault, Fault::NotYet, "{what}: {error:?}");
    }
    for (what, peer) in [
        ("another protocol", Peer::answers(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").await),
        ("garbage", Peer::answers(&[0xff; 64]).await),
        ("zeros without end", Peer::endless(&[0; 4096]).await),
        ("letters without end", Peer::endless(&[b'x'; 4096]).await),
        ("echo", Peer::echoes().await),
    ] {
        let error = prove(with_login(endpoint_of(&peer))).await.unwrap_err();
        assert_eq!(error.fault, Fault::Other, "{what}: {error:?}");
        assert!(!error.message.contains("correct-horse"), "{what}: {error:?}");
    }
}
