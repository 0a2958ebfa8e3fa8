//! The first words with an engine: what it is and which versions of the interface it speaks.
//!
//! Over a socket that is a ping, which answers in under a millisecond; `/version` makes engines run several programs to
//! learn their versions, which costs as much as everything else that a command asks.

use super::connect::OLDEST_API;
use super::deadline::ANSWER_WITHIN;
use super::fault::{innermost, io_kind};
use super::unusable::Fault;
use bollard::errors::Error;
use bollard::models::SystemVersion;
use bollard::{API_DEFAULT_VERSION, Docker};
use std::env::consts::ARCH;
use std::io;

/// An answer to a ping is a few hundred bytes.
#[cfg(unix)]
const LONGEST_ANSWER: u64 = 16 * 1024;

/// What the engine says of itself when it is first asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// `Docker Engine`, `Podman`.
    pub(super) product: String,
    pub(super) version: String,
    /// The newest interface that it speaks.
    pub(super) newest_api: (usize, usize),
    /// The platform on which it runs containers: `linux/amd64`.
    pub(super) platform: String,
    /// Whether the engine has said so; a ping tells the system only, and an engine of this machine mostly has the
    /// machine's own processor.
    pub(super) platform_is_told: bool,
    /// The oldest interface that it speaks; a ping does not tell.
    oldest_api: Option<(usize, usize)>,
}

impl Greeting {
    /// The version of the interface to be spoken, if there is one that both know.
    pub(super) fn agree(&self) -> Result<(usize, usize), Fault> {
        let (version, ours) = (self.version.clone(), ours());
        if self.newest_api < OLDEST_API {
            return Err(Fault::TooOld { version, api: shown(self.newest_api) });
        }
        match self.oldest_api {
            Some(oldest) if oldest > ours => Err(Fault::TooNew { version, api: shown(oldest) }),
            _ => Ok(self.newest_api.min(ours)),
        }
    }
}

/// `1.41`.
pub(super) fn shown(api: (usize, usize)) -> String {
    format!("{}.{}", api.0, api.1)
}

/// Reads `1.41`.
pub(super) fn numbers(version: &str) -> Option<(usize, usize)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn ours() -> (usize, usize) {
    (API_DEFAULT_VERSION.major_version, API_DEFAULT_VERSION.minor_version)
}

/// Pings the engine at a socket. None where a ping does not tell enough.
#[cfg(unix)]
pub(super) async fn ping(socket: &std::path::Path) -> Result<Option<Greeting>, Fault> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let asked = async {
        let mut stream = tokio::net::UnixStream::connect(socket).await?;
        stream.write_all(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut answer = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
        io::Result::Ok(answer)
    };
    match tokio::time::timeout(ANSWER_WITHIN, asked).await {
        Ok(Ok(answer)) => Ok(read_ping(&String::from_utf8_lossy(&answer))),
        Ok(Err(error)) => Err(read_io(error.kind()).unwrap_or_else(|| Fault::Strange(error.to_string()))),
        Err(_) => Err(Fault::Silent),
    }
}

/// Reads the answer's head: `Api-Version: 1.41`, `Ostype: linux`, `Server: Docker/20.10.24 (linux)`.
#[cfg(unix)]
fn read_ping(answer: &str) -> Option<Greeting> {
    let mut lines = answer.lines();
    if lines.next()?.split(' ').nth(1) != Some("200") {
        return None;
    }
    let headers: Vec<(&str, &str)> = lines.map_while(|line| line.split_once(": ")).collect();
    let header = |name: &str| headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    let newest_api = numbers(header("Api-Version")?)?;
    // One that is newer than we know may have given up what we know: only `/version` tells.
    if newest_api > ours() {
        return None;
    }
    let (product, version) = header("Server")?.split(' ').next()?.split_once('/')?;
    let system = header("Ostype").unwrap_or("linux");
    Some(Greeting {
        product: title(product),
        version: version.to_owned(),
        newest_api,
        platform: format!("{system}/{}", processor()),
        platform_is_told: false,
        oldest_api: None,
    })
}

/// Asks for the engine's versions.
pub(super) async fn version(docker: &Docker) -> Result<Greeting, Fault> {
    let told = match tokio::time::timeout(ANSWER_WITHIN, docker.version()).await {
        Ok(Ok(told)) => told,
        Ok(Err(error)) => return Err(read_fault(&error)),
        Err(_) => return Err(Fault::Silent),
    };
    let api = told.api_version.clone().unwrap_or_default();
    let strange = || Fault::Strange(format!("what answers there is no Docker engine: its API version is `{api}`"));
    Ok(Greeting {
        newest_api: numbers(&api).ok_or_else(strange)?,
        oldest_api: told.min_api_version.as_deref().and_then(numbers),
        platform: platform(&told),
        platform_is_told: true,
        version: told.version.unwrap_or_default(),
        product: told
            .components
            .and_then(|components| components.into_iter().next())
            .map_or_else(|| title(""), |component| title(&component.name)),
    })
}

/// `linux/amd64`, from an engine's own words.
pub(super) fn platform(told: &SystemVersion) -> String {
    format!("{}/{}", told.os.as_deref().unwrap_or("linux"), told.arch.as_deref().unwrap_or_else(|| processor()))
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
        io::ErrorKind::ConnectionRefused => Some(Fault::NobodyListens),
        _ => None,
    }
}

/// The names that engines give themselves in a ping and in `/version`, as people know them.
fn title(name: &str) -> String {
    match name {
        "" | "Docker" | "Engine" => "Docker Engine".to_owned(),
        name if name.contains("Podman") || name == "Libpod" => "Podman".to_owned(),
        other => other.to_owned(),
    }
}

/// This machine's processor, as images' platforms call it.
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
        let greeting = read_ping(docker).unwrap();
        assert_eq!((greeting.product.as_str(), greeting.version.as_str()), ("Docker Engine", "20.10.24+dfsg1"));
        assert_eq!((greeting.newest_api, greeting.agree()), ((1, 41), Ok((1, 41))));
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
