//! Docker's contexts, as its command line keeps them: `contexts/meta/*/meta.json` and `contexts/tls`.

use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a context leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// The engine's address.
    pub(super) host: String,
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`, where the context has them.
    pub(super) tls: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    name: String,
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Option<DockerEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEndpoint {
    #[serde(default)]
    host: String,
}

/// The context that Docker's configuration file names as the current one.
pub(super) fn current(docker_config: &Path) -> Option<String> {
    let text = fs::read_to_string(docker_config.join("config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_str(&text).ok()?;
    let name = config.get("currentContext")?.as_str()?;
    (!name.is_empty() && name != "default").then(|| name.to_owned())
}

/// The context of that name.
pub(super) fn named(docker_config: &Path, name: &str) -> Option<Context> {
    let contexts = docker_config.join("contexts");
    fs::read_dir(contexts.join("meta")).ok()?.filter_map(Result::ok).find_map(|entry| {
        let text = fs::read_to_string(entry.path().join("meta.json")).ok()?;
        let meta: Meta = serde_json::from_str(&text).ok()?;
        if meta.name != name {
            return None;
        }
        let host = meta.endpoints.docker?.host;
        let tls = contexts.join("tls").join(entry.file_name()).join("docker");
        Some(Context { host, tls: tls.join("ca.pem").is_file().then_some(tls) })
    })
}
