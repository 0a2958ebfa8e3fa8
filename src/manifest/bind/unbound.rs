//! Values that contain no part of a service. They are copied only if they are no secret and do not lead to production.

use super::binder::Binder;
use super::{Declared, connection, names, secrets};
use crate::kinds::Kind;
use crate::model::Value;

impl Binder<'_> {
    /// The class of a value that contains no part of a service.
    pub(super) fn unbound(&self, variable: &Declared) -> Value {
        let text = variable.text.text.as_str();
        let from = || {
            let variables = variable.text.variables();
            if let Some(secret) = &variable.secret {
                format!("the secret {secret}")
            } else if variables.is_empty() {
                format!("it is written in {}", variable.origin.path().display())
            } else {
                // References to other objects of a manifest have several words: `config map app key URL`.
                let shown =
                    |name: &&str| if name.contains(' ') { format!("the {name}") } else { format!("${{{name}}}") };
                variables.iter().map(shown).collect::<Vec<_>>().join(" ")
            }
        };
        if variable.secret.is_some() {
            return Value::Secret(from());
        }
        if let Some(name) = text.strip_prefix("/run/secrets/") {
            return Value::Secret(format!("a file with the secret {name}, at {text}"));
        }
        if variable.not_passed {
            return Value::NotPassed;
        }
        let by_name = names::is_secret(&variable.name);
        if !variable.text.unset.is_empty() {
            return if by_name { Value::Secret(from()) } else { Value::Unresolved(from()) };
        }
        if secrets::looks_secret(text) || (by_name && !secrets::is_harmless(text)) {
            return Value::Secret(from());
        }
        if let Some(reason) = self.reason_not_to_copy(variable) {
            return Value::Secret(format!("{}; {reason}", from()));
        }
        Value::Plain(text.to_owned())
    }

    /// The reason why a value must not be copied: it could lead to production's own servers.
    pub(super) fn reason_not_to_copy(&self, variable: &Declared) -> Option<String> {
        let text = variable.text.text.as_str();
        let connection = connection::parse(text)?;
        let hosts = || connection.hosts.iter().map(|(host, _)| &text[host.clone()]);
        if let Some(scheme) = &connection.scheme {
            let scheme = &text[scheme.clone()];
            let base = scheme.split('+').next().unwrap_or(scheme);
            let speaks = |kind: &Kind| {
                let known = |name: &String| name.as_str() == scheme || name.as_str() == base;
                !matches!(base, "http" | "https" | "tcp" | "tls" | "ssl")
                    && (kind.schemes.iter().any(known) || kind.tls_schemes.keys().any(known))
            };
            if let Some(kind) = self.kinds.iter().find(|kind| speaks(kind)) {
                return Some(format!("a {} that no manifest declares", kind.title));
            }
        }
        let connects = names::is_connection(&variable.name)
            && (connection.scheme.is_none()
                || self.kinds.iter().any(|kind| names::is_about_kind(&variable.name, kind)));
        if connects && hosts().any(|host| is_host(host) && !secrets::is_local_host(host)) {
            return Some("a host of production".to_owned());
        }
        None
    }
}

/// Whether a variable's value is the address, outside this machine, of a server that the app connects to.
pub(crate) fn leads_out(name: &str, text: &str) -> bool {
    let Some(connection) = connection::parse(text).filter(|_| names::is_connection(name)) else { return false };
    let mut hosts = connection.hosts.iter().map(|(host, _)| &text[host.clone()]);
    hosts.any(|host| is_host(host) && !secrets::is_local_host(host))
}

/// Whether a text is the full name of a host outside this machine and its network: `smtp.example.com`.
pub(crate) fn is_host_elsewhere(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    text.contains('.')
        && last.chars().all(|c| c.is_ascii_alphabetic())
        && is_host(text)
        && !secrets::is_local_host(text)
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
        && text.rsplit('.').next().is_some_and(|last| last.len() > 1 || last.chars().all(|c| c.is_ascii_digit()))
}
