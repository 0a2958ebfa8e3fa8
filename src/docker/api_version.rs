//! The first request to an engine asks for its product and the API versions that it supports.
//!
//! Over a socket, this request is a ping, which takes less than a millisecond. `/version` makes engines run several
//! programs to find the versions of those programs. That takes as long as all other requests of a command together.

use super::connect_error::{Fault, OLDEST_API};
use super::deadline::ANSWER_TIMEOUT;
use super::fault::{innermost, io_kind};
use bollard::errors::Error;
use bollard::models::SystemVersion;
use bollard::{API_DEFAULT_VERSION, Docker};
use std::env::consts::ARCH;
use std::io;

/// The limit for an answer to a ping, in bytes. A real answer has a few hundred.
#[cfg(unix)]
const MAX_ANSWER: u64 = 16 * 1024;

/// The product and the versions that an engine reports in its first answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EngineVersion {
    /// `Docker Engine`, `Podman`.
    pub(super) product: String,
    pub(super) version: String,
    /// The newest API version that it supports.
    pub(super) newest_api: (usize, usize),
    /// The platform on which it runs containers: `linux/amd64`.
    pub(super) platform: String,
    /// Whether the engine has reported the platform. A ping only reports the operating system, and an engine on this
    /// machine usually has the machine's own processor.
    pub(super) platform_is_reported: bool,
    /// The oldest API version that it supports. A ping does not report it.
    oldest_api: Option<(usize, usize)>,
}

impl EngineVersion {
    /// The API version to use, if there is one that both the engine and devenv support.
    pub(super) fn agree(&self) -> Result<(usize, usize), Fault> {
        let (version, newest_known) = (self.version.clone(), newest_known());
        if self.newest_api < OLDEST_API {
            return Err(Fault::TooOld { version, api: shown(self.newest_api) });
        }
        match self.oldest_api {
            Some(oldest) if oldest > newest_known => Err(Fault::TooNew { version, api: shown(oldest) }),
            _ => Ok(self.newest_api.min(newest_known)),
        }
    }
}

/// Formats an API version as `1.41`.
pub(super) fn shown(api: (usize, usize)) -> String {
    format!("{}.{}", api.0, api.1)
}

/// Parses an API version such as `1.41`.
pub(super) fn numbers(version: &str) -> Option<(usize, usize)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn newest_known() -> (usize, usize) {
    (API_DEFAULT_VERSION.major_version, API_DEFAULT_VERSION.minor_version)
}

/// Pings the engine at a socket. None if the answer does not contain enough information.
#[cfg(unix)]
pub(super) async fn ping(socket: &std::path::Path) -> Result<Option<EngineVersion>, Fault> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let asked = async {
        let mut stream = tokio::net::UnixStream::connect(socket).await?;
        stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
        io::Result::Ok(answer)
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, asked).await {
        Ok(Ok(answer)) => Ok(read_ping(&String::from_utf8_lossy(&answer))),
        Ok(Err(error)) => Err(read_io(error.kind()).unwrap_or_else(|| Fault::Strange(error.to_string()))),
        Err(_) => Err(Fault::Silent),
    }
}

/// Reads the answer's head: `Api-Version: 1.41`, `Ostype: linux`, `Server: Docker/20.10.24 (linux)`.
#[cfg(unix)]
fn read_ping(answer: &str) -> Option<EngineVersion> {
    let mut lines = answer.lines();
    if lines.next()?.split(' ').nth(1) != Some("200") {
        return None;
    }
    let headers: Vec<(&str, &str)> = lines.map_while(|line| line.split_once(": ")).collect();
    let header = |name: &str| headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    let newest_api = numbers(header("Api-Version")?)?;
    // An engine that is newer than devenv may no longer support the API versions that devenv knows. Only `/version`
    // reports that.
    if newest_api > newest_known() {
        return None;
    }
    let (product, version) = header("Server")?.split(' ').next()?.split_once('/')?;
    let system = header("Ostype").unwrap_or("linux");
    Some(EngineVersion {
        product: title(product),
        version: version.to_owned(),
        newest_api,
        platform: format!("{system}/{}", processor()),
        platform_is_reported: false,
        oldest_api: None,
    })
}

/// Asks for the engine's versions.
pub(super) async fn version(docker: &Docker) -> Result<EngineVersion, Fault> {
    let answer = match tokio::time::timeout(ANSWER_TIMEOUT, docker.version()).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(read_fault(&error)),
        Err(_) => return Err(Fault::Silent),
    };
    let api = answer.api_version.clone().unwrap_or_default();
    let strange = || Fault::Strange(format!("the server that answers is no Docker engine: its API version is `{api}`"));
    Ok(EngineVersion {
        newest_api: numbers(&api).ok_or_else(strange)?,
        oldest_api: answer.min_api_version.as_deref().and_then(numbers),
        platform: platform(&answer),
        platform_is_reported: true,
        version: answer.version.unwrap_or_default(),
        product: answer
            .components
            .and_then(|components| components.into_iter().next())
            .map_or_else(|| title(""), |component| title(&component.name)),
    })
}

/// The platform that an engine reports: `linux/amd64`.
pub(super) fn platform(answer: &SystemVersion) -> String {
    format!("{}/{}", answer.os.as_deref().unwrap_or("linux"), answer.arch.as_deref().unwrap_or_else(|| processor()))
}

pub(super) fn read_fault(error: &Error) -> Fault {
    if let Some(fault) = io_kind(error).and_then(read_io) {
        return fault;
    }
    match error {
        Error::RequestTimeoutError => Fault::Silent,
        Error::DockerResponseServerError { status_code, message } => {
            Fault::Strange(format!("it answers with status {status_code}: {}", message.trim()))
        }
        other => Fault::Strange(format!("its answer cannot be read: {}", innermost(other))),
    }
}

fn read_io(kind: io::ErrorKind) -> Option<Fault> {
    match kind {
        io::ErrorKind::NotFound => Some(Fault::Absent),
        io::ErrorKind::PermissionDenied => Some(Fault::Denied),
        io::ErrorKind::ConnectionRefused => Some(Fault::NotListening),
        _ => None,
    }
}

/// The product name that people know, from the name that an engine gives itself in a ping or in `/version`.
fn title(name: &str) -> String {
    match name {
        "" | "Docker" | "Engine" => "Docker Engine".to_owned(),
        name if name.contains("Podman") || name == "Libpod" => "Podman".to_owned(),
        other => other.to_owned(),
    }
}

/// This machine's processor, as the platforms of images name it.
fn processor() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_tells_docker_and_podman_apart() {
        let docker =
            "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\nServer: Docker/20.10.24+dfsg1 (linux)\r\n\r\nOK";
        let reported = read_ping(docker).unwrap();
        assert_eq!((reported.product.as_str(), reported.version.as_str()), ("Docker Engine", "20.10.24+dfsg1"));
        assert_eq!((reported.newest_api, reported.agree()), ((1, 41), Ok((1, 41))));
        let podman = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nLibpod-Api-Version: 4.3.1\r\nServer: Libpod/4.3.1 (linux)\r\n\r\nOK";
        assert_eq!(read_ping(podman).unwrap().product, "Podman");
    }

    #[test]
    fn a_ping_that_does_not_tell_enough_is_not_relied_on() {
        for answer in [
            "",
            "HTTP/1.1 404 Not Found\r\nApi-Version: 1.41\r\nServer: Docker/20\r\n\r\n",
            "HTTP/1.1 200 OK\r\nServer: nginx/1.22\r\n\r\n",
            "HTTP/1.1 200 OK\r\nApi-Version: 1.999\r\nServer: Docker/99 (linux)\r\n\r\n",
        ] {
            assert_eq!(read_ping(answer), None, "{answer}");
        }
    }
}
