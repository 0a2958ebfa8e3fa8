//! Logins for registries, from Docker's own configuration and the credential helpers that it names.

use crate::machine::{OnPath, Programs};
use bollard::auth::DockerCredentials;
use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::oneshot;

/// A helper may ask a person to unlock a key ring. devenv does not wait longer than this for a helper.
const HELPER_TIMEOUT: Duration = Duration::from_secs(20);

/// The login that Docker's configuration has for a registry.
#[derive(Clone, Debug, Default)]
pub(super) struct Login {
    /// The login, if there is one.
    pub(super) credentials: Option<DockerCredentials>,
    /// Why there is no login although one is configured. Holds no secret.
    pub(super) fault: Option<String>,
}

/// Looks up the login for a registry. A helper runs in its own thread. If the helper hangs, the thread is abandoned,
/// and the process can still end.
pub(super) async fn login_for(docker_config: Option<&Path>, registry: &str) -> Login {
    let Some(folder) = docker_config else { return Login::default() };
    let (path, server) = (folder.join("config.json"), server_name(registry).to_owned());
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        // The receiver may have stopped waiting.
        let _ = sender.send(look_up(&path, &server));
    });
    match tokio::time::timeout(HELPER_TIMEOUT, receiver).await {
        Ok(Ok(login)) => login,
        _ => Login {
            credentials: None,
            fault: Some(format!(
                "the credential helper for {registry} gave no answer within {} s",
                HELPER_TIMEOUT.as_secs()
            )),
        },
    }
}

/// The name under which Docker stores a registry's login. For Docker Hub, this is an old URL.
fn server_name(registry: &str) -> &str {
    if registry == "docker.io" { "https://index.docker.io/v1/" } else { registry }
}

fn look_up(path: &PathBuf, server: &str) -> Login {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Login::default(),
        Err(error) => return without(format!("{} cannot be read: {error}", path.display())),
    };
    let here = Programs::seen_from(Path::new("."));
    for helper in helpers(&text, server) {
        if let OnPath::Checkout(_) = here.find(&helper) {
            return without(format!("`{helper}` on PATH is in the checkout, and devenv runs no program of a checkout"));
        }
    }
    let found = match get_credential_from_reader(text.as_slice(), server) {
        Ok(found) => found,
        Err(error) => return fault(path, error),
    };
    let mut credentials = DockerCredentials { serveraddress: Some(server.to_owned()), ..Default::default() };
    match found {
        DockerCredential::IdentityToken(token) => credentials.identitytoken = Some(token),
        DockerCredential::UsernamePassword(name, password) => {
            credentials.username = Some(name);
            credentials.password = Some(password);
        }
    }
    Login { credentials: Some(credentials), fault: None }
}

/// The credential helpers that the configuration names for a registry.
fn helpers(config: &[u8], server: &str) -> Vec<String> {
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct Config {
        cred_helpers: BTreeMap<String, String>,
        creds_store: Option<String>,
    }
    let config: Config = serde_json::from_slice(config).unwrap_or_default();
    let names = config.cred_helpers.get(server).into_iter().chain(&config.creds_store);
    names.map(|name| format!("docker-credential-{name}")).collect()
}

fn without(fault: String) -> Login {
    Login { credentials: None, fault: Some(fault) }
}

/// A helper's output may contain its secrets, so the fault only names the helper.
fn fault(path: &Path, error: CredentialRetrievalError) -> Login {
    match error {
        CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound => Login::default(),
        CredentialRetrievalError::HelperFailure { stdout, .. } if stdout.contains("credentials not found") => {
            Login::default()
        }
        CredentialRetrievalError::HelperFailure { helper, .. } => {
            without(format!("the credential helper {helper} failed"))
        }
        CredentialRetrievalError::HelperCommunicationError => {
            without(format!("the credential helper that {} names could not be run", path.display()))
        }
        CredentialRetrievalError::MalformedHelperResponse => {
            without(format!("the credential helper that {} names gave no readable answer", path.display()))
        }
        _ => without(format!("the login in {} cannot be read", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn login(config: &str, registry: &str) -> Login {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        login_for(Some(folder.path()), registry).await
    }

    #[tokio::test]
    async fn a_login_of_the_configuration_is_found_by_registry() {
        // `me:pass?word` and `you:other`
        let config = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6cGFzcz93b3Jk"},"registry.example:5000":{"auth":"eW91Om90aGVy"}}}"#;
        let hub = login(config, "docker.io").await.credentials.unwrap();
        assert_eq!((hub.username.as_deref(), hub.password.as_deref()), (Some("me"), Some("pass?word")));
        let other = login(config, "registry.example:5000").await.credentials.unwrap();
        assert_eq!(other.username.as_deref(), Some("you"));
        assert!(login(config, "quay.io").await.credentials.is_none());
    }

    #[tokio::test]
    async fn no_configuration_is_no_login_and_no_fault() {
        let folder = tempfile::tempdir().unwrap();
        for found in [login_for(None, "docker.io").await, login_for(Some(folder.path()), "docker.io").await] {
            assert!(found.credentials.is_none() && found.fault.is_none());
        }
    }

    #[tokio::test]
    async fn a_missing_helper_is_reported_and_does_not_stop_the_pull() {
        let found = login(r#"{"credsStore":"scope-devenv-tests-that-is-not-there"}"#, "docker.io").await;
        assert!(found.credentials.is_none());
        assert!(found.fault.unwrap().contains("could not be run"));
    }

    #[test]
    fn the_helpers_of_a_registry_are_those_that_may_be_run_for_it() {
        let config = br#"{"credsStore":"desktop","credHelpers":{"a.example":"pass"}}"#;
        assert_eq!(helpers(config, "a.example"), ["docker-credential-pass", "docker-credential-desktop"]);
        assert_eq!(helpers(config, "b.example"), ["docker-credential-desktop"]);
        assert_eq!(helpers(b"{", "b.example"), [""; 0]);
    }

    #[tokio::test]
    async fn an_unreadable_login_is_reported_without_its_secret() {
        let found = login(r#"{"auths":{"https://index.docker.io/v1/":{"auth":"%%secret%%"}}}"#, "docker.io").await;
        let fault = found.fault.unwrap();
        assert!(fault.contains("cannot be read") && !fault.contains("secret"), "{fault}");
    }
}
