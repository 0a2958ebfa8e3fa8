//! An engine's address, in the form that `DOCKER_HOST` and Docker's contexts use. Only engines on this machine are
//! accepted.

use crate::model::{Diagnostic, Exit, Failure};
use std::net::IpAddr;
use std::path::PathBuf;

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A Unix socket.
    Socket(PathBuf),
    /// A Windows named pipe: `//./pipe/docker_engine`.
    Pipe(String),
    /// A TCP port of this machine, as `host:port`.
    Tcp(String, Option<TlsFiles>),
}

/// The TLS files of the client: three PEM files, and all three are required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TlsFiles {
    pub(super) ca: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl TlsFiles {
    /// The files in a folder, under the names that Docker gives them.
    pub(super) fn in_folder(folder: &std::path::Path) -> Self {
        Self { ca: folder.join("ca.pem"), certificate: folder.join("cert.pem"), key: folder.join("key.pem") }
    }
}

/// Parses an address. `said_by` is the option, variable or context that gives the address; the message names it.
pub(super) fn parse(host: &str, tls: Option<TlsFiles>, said_by: &str) -> Result<Address, Failure> {
    let host = host.trim();
    let Some((scheme, rest)) = host.split_once("://") else {
        return Err(unreadable(host, said_by));
    };
    match scheme {
        "unix" if rest.starts_with('/') => Ok(Address::Socket(PathBuf::from(rest))),
        "npipe" if !rest.is_empty() => Ok(Address::Pipe(rest.replace('\\', "/"))),
        "tcp" | "http" | "https" => {
            let (name, port) = name_and_port(rest).ok_or_else(|| unreadable(host, said_by))?;
            if !is_here(&name) {
                return Err(remote(host, said_by));
            }
            let port = port.unwrap_or(if tls.is_some() { 2376 } else { 2375 });
            let authority = if name.contains(':') { format!("[{name}]:{port}") } else { format!("{name}:{port}") };
            Ok(Address::Tcp(authority, tls))
        }
        "ssh" => Err(remote(host, said_by)),
        _ => Err(unreadable(host, said_by)),
    }
}

/// An address without the password that it may carry.
pub(super) fn shown(host: &str) -> String {
    match host.split_once("://") {
        Some((scheme, rest)) => {
            let authority_end = rest.find('/').unwrap_or(rest.len());
            match rest[..authority_end].rfind('@') {
                Some(at) => {
                    let user = rest[..at].split(':').next().unwrap_or_default();
                    format!("{scheme}://{user}@{}", &rest[at + 1..])
                }
                None => host.to_owned(),
            }
        }
        None => host.to_owned(),
    }
}

fn name_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let authority = authority.trim_end_matches('/');
    let (name, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (name, after) = rest.split_once(']')?;
        (name, after.strip_prefix(':'))
    } else {
        match authority.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (authority, None),
        }
    };
    if name.is_empty() || name.contains(['@', '/']) {
        return None;
    }
    match port {
        Some(port) => port.parse().ok().map(|port| (name.to_owned(), Some(port))),
        None => Some((name.to_owned(), None)),
    }
}

/// Whether ports that this engine publishes on 127.0.0.1 are ports of this machine.
fn is_here(name: &str) -> bool {
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

fn unreadable(host: &str, said_by: &str) -> Failure {
    let message = format!("{said_by} holds no valid engine address: `{}`", shown(host));
    let diagnostic = Diagnostic::error("engine-address", message)
        .because("an address is `unix:///path/of/docker.sock`, `tcp://127.0.0.1:2375` or, on Windows, `npipe:////./pipe/docker_engine`")
        .help("`docker context ls` shows the addresses that Docker itself uses");
    Failure::new(Exit::Engine, diagnostic)
}

fn remote(host: &str, said_by: &str) -> Failure {
    let diagnostic = Diagnostic::error(
        "engine-remote",
        format!("{said_by} names an engine on another machine: `{}`", shown(host)),
    )
    .because(
        "services are published on 127.0.0.1 of the engine's machine, where apps on this machine cannot reach them; \
             remote engines are not supported until devenv can tunnel to them",
    )
    .help("use an engine on this machine: `devenv --host unix:///var/run/docker.sock …`")
    .help("`docker context use default` changes it for Docker and devenv alike, where no DOCKER_HOST is set");
    Failure::new(Exit::Engine, diagnostic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(host: &str) -> &'static str {
        parse(host, None, "DOCKER_HOST").unwrap_err().diagnostics[0].code
    }

    #[test]
    fn addresses_of_this_machine_are_read() {
        let tcp = |text: &str| Ok(Address::Tcp(text.to_owned(), None));
        assert_eq!(parse("unix:///run/x.sock", None, ""), Ok(Address::Socket("/run/x.sock".into())));
        assert_eq!(
            parse("npipe:////./pipe/docker_engine", None, ""),
            Ok(Address::Pipe("//./pipe/docker_engine".into()))
        );
        assert_eq!(parse("tcp://127.0.0.1:2375", None, ""), tcp("127.0.0.1:2375"));
        assert_eq!(parse("tcp://localhost", None, ""), tcp("localhost:2375"));
        assert_eq!(parse("tcp://[::1]:99/", None, ""), tcp("[::1]:99"));
    }

    #[test]
    fn an_engine_on_another_machine_is_refused_with_the_reason() {
        for host in ["tcp://docker:2375", "tcp://10.0.0.5:2376", "ssh://me@build.example"] {
            assert_eq!(code(host), "engine-remote", "{host}");
        }
    }

    #[test]
    fn text_that_is_no_address_is_refused() {
        for host in ["", "docker.sock", "unix://relative", "ftp://x", "tcp://:1", "tcp://localhost:port"] {
            assert_eq!(code(host), "engine-address", "{host}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        let message =
            parse("ssh://me:hunter2@build.example/x", None, "DOCKER_HOST").unwrap_err().diagnostics.remove(0).message;
        assert!(message.contains("ssh://me@build.example/x"), "{message}");
        assert!(!message.contains("hunter2"));
    }
}
