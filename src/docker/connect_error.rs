//! Why an engine cannot be used, as messages for a person.

use super::deadline::ANSWER_TIMEOUT;
use super::fault::RESTART;
use super::source::EngineSource;
use crate::model::{Diagnostic, Exit, Failure};
use bollard::API_DEFAULT_VERSION;

/// The oldest API version that has every function that devenv needs: the version of Docker Engine 19.03.
pub(super) const OLDEST_API: (usize, usize) = (1, 40);

/// Why an engine cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Absent,
    Denied,
    NotListening,
    Silent,
    TooOld { version: String, api: String },
    TooNew { version: String, api: String },
    Tls(String),
    Strange(String),
}

impl Fault {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Absent => "there is no such socket".to_owned(),
            Self::Denied => "this user may not open it".to_owned(),
            Self::NotListening => "no program listens there: the engine does not run".to_owned(),
            Self::Silent => format!("it gave no answer within {} s", ANSWER_TIMEOUT.as_secs()),
            Self::TooOld { version, api } => format!(
                "engine {version} is too old: it speaks API {api}, and at least {}.{} (Docker Engine 19.03) is needed",
                OLDEST_API.0, OLDEST_API.1
            ),
            Self::TooNew { version, api } => format!(
                "engine {version} is too new: it asks for API {api}, and this devenv knows up to {API_DEFAULT_VERSION}"
            ),
            Self::Tls(text) | Self::Strange(text) => text.clone(),
        }
    }

    fn help(&self) -> &'static str {
        match self {
            Self::Silent => RESTART,
            Self::Absent | Self::NotListening => {
                "start the engine: `sudo systemctl start docker`, or open Docker Desktop (or OrbStack, Colima, Rancher Desktop)"
            }
            Self::Denied => {
                "add this user to the socket's group, then log in again: `sudo usermod -aG docker \"$USER\"`; \
                 or run Docker rootless"
            }
            Self::TooOld { .. } => "upgrade the engine (`docker version` shows what runs)",
            Self::TooNew { .. } => "upgrade devenv",
            Self::Tls(_) => "DOCKER_CERT_PATH is the folder with ca.pem, cert.pem and key.pem; all three are needed",
            Self::Strange(_) => "`docker version` shows whether Docker itself can talk to it",
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Denied => "engine-denied",
            Self::TooOld { .. } => "engine-too-old",
            Self::TooNew { .. } => "engine-too-new",
            _ => "engine-unreachable",
        }
    }
}

pub(super) fn not_answered(source: &EngineSource, fault: &Fault) -> Failure {
    let message = format!("the engine at {} cannot be used", source.host);
    let diagnostic = Diagnostic::error(fault.code(), message)
        .because(fault.text())
        .because(format!("it was chosen by {}", source.rule))
        .help(fault.help());
    Failure::new(Exit::Engine, diagnostic)
}

pub(super) fn none_answered(tried: &[(EngineSource, Fault)]) -> Failure {
    let found = tried.iter().map(|(_, fault)| fault).find(|fault| **fault != Fault::Absent);
    let fault = found.unwrap_or(&Fault::Absent);
    let message = match fault {
        Fault::Absent => "no Docker engine was found on this machine",
        Fault::Denied => "this user may not talk to the Docker engine",
        Fault::TooOld { .. } => "the Docker engine is too old",
        Fault::TooNew { .. } => "the Docker engine is too new",
        _ => "no Docker engine answers on this machine",
    };
    let mut diagnostic = Diagnostic::error(fault.code(), message)
        .because(format!("tried, in this order:\n{}", lines_of(tried, true).join("\n")))
        .help(fault.help());
    if *fault == Fault::Absent {
        diagnostic =
            diagnostic.help("install one: Docker Engine, Docker Desktop, OrbStack, Colima, Rancher Desktop or Podman");
    }
    Failure::new(
        Exit::Engine,
        diagnostic.help("an engine elsewhere on this machine: `--host unix:///path/of/its.sock`"),
    )
}

pub(super) fn lines_of(tried: &[(EngineSource, Fault)], absent_too: bool) -> Vec<String> {
    tried
        .iter()
        .filter(|(_, fault)| absent_too || *fault != Fault::Absent)
        .map(|(source, fault)| format!("{} ({}): {}", source.host, source.rule, fault.text()))
        .collect()
}
