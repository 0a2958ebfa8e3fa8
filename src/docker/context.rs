//! Docker's own configuration: the current context, and where a context's engine listens.
//!
//! The format is that of `docker/cli` (`cli/context/store`): `contexts/meta/*/meta.json`, with TLS files below the
//! folder of the same name in `contexts/tls`.

use super::address::TlsFiles;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The engine that a context names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// The address; empty where the context leaves it to Docker's default.
    pub(super) host: String,
    /// The TLS files, if the context has them.
    pub(super) tls: Option<TlsFiles>,
}

/// Why a context cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ContextFault {
    /// No context has that name. Holds the names of the existing contexts.
    Unknown(Vec<String>),
    /// The context has no Docker engine, only an endpoint of another orchestrator.
    NoEngine,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default, rename = "currentContext")]
    current_context: String,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Name")]
    name: String,
    #[serde(default, rename = "Endpoints")]
    endpoints: BTreeMap<String, Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(default, rename = "Host")]
    host: String,
}

/// The name of the current context. None if it is the default context, or if Docker has no readable configuration.
pub(super) fn current(docker_config: &Path) -> Option<String> {
    let text = fs::read(docker_config.join("config.json")).ok()?;
    let config: Config = serde_json::from_slice(&text).ok()?;
    Some(config.current_context).filter(|name| !name.is_empty() && name != "default")
}

/// Finds a context by its name.
pub(super) fn find(docker_config: &Path, name: &str) -> Result<Context, ContextFault> {
    let mut names = Vec::new();
    let folders = fs::read_dir(docker_config.join("contexts/meta")).into_iter().flatten().flatten();
    for folder in folders {
        let Ok(text) = fs::read(folder.path().join("meta.json")) else { continue };
        let Ok(meta) = serde_json::from_slice::<Meta>(&text) else { continue };
        if meta.name != name {
            names.push(meta.name);
            continue;
        }
        let endpoint = meta.endpoints.get("docker").ok_or(ContextFault::NoEngine)?;
        let tls = docker_config.join("contexts/tls").join(folder.file_name()).join("docker");
        return Ok(Context { host: endpoint.host.clone(), tls: tls.is_dir().then(|| TlsFiles::in_folder(&tls)) });
    }
    names.sort();
    Err(ContextFault::Unknown(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_context_is_found_by_name_with_the_tls_files_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let meta = |name: &str, host: &str| {
            format!(
                r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":false}}}}}}"#
            )
        };
        write(folder.path(), "contexts/meta/aa/meta.json", &meta("one", "unix:///one.sock"));
        write(folder.path(), "contexts/meta/bb/meta.json", &meta("two", "tcp://127.0.0.1:2376"));
        write(folder.path(), "contexts/meta/cc/meta.json", "not JSON");
        write(folder.path(), "contexts/meta/dd/meta.json", r#"{"Name":"k8s","Endpoints":{"kubernetes":{}}}"#);
        write(folder.path(), "contexts/tls/bb/docker/ca.pem", "");

        let one = find(folder.path(), "one").unwrap();
        assert_eq!(one, Context { host: "unix:///one.sock".to_owned(), tls: None });
        let two = find(folder.path(), "two").unwrap();
        let tls = two.tls.unwrap();
        assert_eq!(tls.key, folder.path().join("contexts/tls/bb/docker/key.pem"));
        assert_eq!(find(folder.path(), "k8s"), Err(ContextFault::NoEngine));
        let unknown = ContextFault::Unknown(vec!["k8s".to_owned(), "one".to_owned(), "two".to_owned()]);
        assert_eq!(find(folder.path(), "three"), Err(unknown));
    }

    #[test]
    fn the_default_context_and_a_broken_configuration_are_no_context() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(current(folder.path()), None);
        for (text, name) in [
            (r#"{"currentContext":"colima","auths":{}}"#, Some("colima")),
            (r#"{"currentContext":"default"}"#, None),
            (r#"{"auths":{}}"#, None),
            ("{", None),
        ] {
            write(folder.path(), "config.json", text);
            assert_eq!(current(folder.path()).as_deref(), name, "{text}");
        }
    }
}
