//! A bare connection, for services whose protocol devenv does not speak.
//!
//! Docker's port proxy accepts a connection before the server in the container listens, and then closes it at once. So
//! a connection counts only if it stays open for a moment.

use super::wire::connect;
use super::{ProbeError, Proof};
use crate::model::Endpoint;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// The time that a connection must stay open: the proxy closes within a millisecond or two.
const MOMENT: Duration = Duration::from_millis(100);

/// Connects, and waits until the first byte arrives, the connection ends, or a moment passes without either.
pub(super) async fn prove(endpoint: &Endpoint) -> Result<Proof, ProbeError> {
    let mut stream = connect(endpoint, 1).await?.stream;
    match timeout(MOMENT, stream.read_u8()).await {
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(ProbeError::closed()),
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(_)) | Err(_) => Ok(Proof { words: "accepts connections", server_version: None }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Fault;
    use crate::protocol::peer::{Peer, endpoint_of, nobody};

    #[tokio::test]
    async fn a_connection_that_stays_open_is_a_proof() {
        let proof = prove(&endpoint_of(&Peer::silent().await)).await.unwrap();
        assert_eq!(proof.words, "accepts connections");
    }

    #[tokio::test]
    async fn a_server_that_speaks_first_is_a_proof() {
        assert!(prove(&endpoint_of(&Peer::answers(b"220 mail\r\n").await)).await.is_ok());
    }

    #[tokio::test]
    async fn a_connection_that_is_closed_at_once_is_not_yet_one() {
        let error = prove(&endpoint_of(&Peer::closes().await)).await.unwrap_err();
        assert_eq!(error.fault, Fault::NotYet);
    }

    #[tokio::test]
    async fn a_refused_connection_is_not_yet_one() {
        let error = prove(&nobody().await).await.unwrap_err();
        assert_eq!(error.fault, Fault::NotYet);
    }
}
