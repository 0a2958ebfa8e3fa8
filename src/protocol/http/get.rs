//! One GET request whose whole answer is read.

use super::{authority, basic, target};
use crate::model::Endpoint;
use crate::protocol::wire::connect_over;
use crate::protocol::{Fault, ProbeError, Tls};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;

/// The number of bytes that an answer may have.
const LIMIT: u64 = 16 * 1024 * 1024;

/// Returns the body of the answer to a GET request for that path. No error contains a login: errors name the status,
/// not the body.
pub(in crate::protocol) async fn get(endpoint: &Endpoint, tls: &Tls, path: &str) -> Result<Bytes, ProbeError> {
    let line = connect_over(endpoint, tls, LIMIT).await?;
    line.permits(endpoint)?;
    let stream = line.stream;
    let mut request = Request::get(target(path))
        .header(HOST, authority(endpoint))
        .header(USER_AGENT, "devenv")
        .header(CONNECTION, "close");
    if let Some(login) = basic(endpoint) {
        request = request.header(AUTHORIZATION, login);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| ProbeError::other(error.to_string()))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let exchange = async move {
        let answer = sender.send_request(request).await.map_err(|error| broken(&error))?;
        match answer.status() {
            status if status.is_success() => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                return Err(ProbeError::login(format!("the server answers {status} to this login")));
            }
            status => return Err(ProbeError::new(Fault::Other, format!("the server answers {status}"))),
        }
        Ok(answer.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes())
    };
    let (answer, ended) = tokio::join!(exchange, connection);
    match (answer, ended) {
        // The exchange only knows that it was abandoned; the connection knows the cause.
        (Err(_), Err(error)) => Err(broken(&error)),
        (answer, _) => answer,
    }
}

fn broken(error: &hyper::Error) -> ProbeError {
    // A peer that sends before it is asked, or that speaks another protocol.
    if error.is_parse() || error.to_string().contains("unexpected message") {
        ProbeError::foreign("HTTP")
    } else {
        ProbeError::not_yet(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::peer::{Peer, endpoint_of};

    #[tokio::test]
    async fn a_whole_body_is_read_in_either_form() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[1]\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n2\r\n]\n\r\n0\r\n\r\n",
        ] {
            let peer = Peer::answers_when_asked(answer.as_bytes()).await;
            assert_eq!(get(&endpoint_of(&peer), &Tls::default(), "/").await.unwrap(), "[1]\n");
        }
    }

    #[tokio::test]
    async fn other_answers_are_told_apart() {
        let denied = Peer::answers_when_asked(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!(get(&endpoint_of(&denied), &Tls::default(), "/").await.unwrap_err().fault, Fault::Login);
        let missing = Peer::answers_when_asked(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await;
        let error = get(&endpoint_of(&missing), &Tls::default(), "/").await.unwrap_err();
        assert_eq!(error.message, "the server answers 404 Not Found");
        let foreign = Peer::answers(b"-ERR unknown command\r\n").await;
        assert_eq!(get(&endpoint_of(&foreign), &Tls::default(), "/").await.unwrap_err(), ProbeError::foreign("HTTP"));
        assert!(get(&endpoint_of(&Peer::closes().await), &Tls::default(), "/").await.is_err());
    }
}
