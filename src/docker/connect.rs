//! Finds the engine and agrees on an API version with it.

use super::address::{Address, TlsFiles};
use super::api_version::{self, EngineVersion, numbers};
use super::connect_error::{Fault, lines_of, none_answered, not_answered};
use super::deadline::{Deadlines, NO_TIMEOUT};
use super::source::{self, Candidate, Choice, DockerEnv, EngineSource};
use super::upper_layers::UpperLayers;
use crate::model::Failure;
use bollard::{API_DEFAULT_VERSION, BollardRequest, ClientVersion, Docker};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A connection to an engine on this machine that has answered once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(super) docker: Docker,
    pub(super) source: EngineSource,
    pub(super) reported: EngineVersion,
    pub(super) agreed_api: (usize, usize),
    pub(super) deadlines: Deadlines,
    pub(super) passed_over: Vec<String>,
    pub(super) docker_config: Option<PathBuf>,
    /// Ids of images that the engine has under another name than the requested one, by the requested name.
    pub(super) known_by_id: Arc<Mutex<BTreeMap<String, String>>>,
    /// The upper layers of volumes that are being created.
    pub(super) upper_layers: Arc<UpperLayers>,
}

impl Engine {
    /// Where the engine is and which rule found it.
    pub fn source(&self) -> &EngineSource {
        &self.source
    }

    /// Engines that were tried before this one and did not answer, each with the reason.
    pub fn passed_over(&self) -> &[String] {
        &self.passed_over
    }

    /// The platform on which the engine runs containers: `linux/amd64`. The processor is assumed to be that of this
    /// machine, unless the engine has reported its platform. [`Engine::observe`] asks the engine if an image is for
    /// another platform.
    pub fn platform(&self) -> &str {
        &self.reported.platform
    }

    /// Whether the engine is Podman, which answers as Docker does except in a few cases.
    pub fn is_podman(&self) -> bool {
        self.reported.product == "Podman"
    }
}

/// Makes ring the only TLS provider of the process. Call this first in `main`. A second call does nothing.
pub fn install_tls_provider() {
    // An error only means that there is a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Finds the engine: `host` (the option `--host`), `DOCKER_HOST`, `DOCKER_CONTEXT`, the current Docker context, else
/// the first of the usual sockets that answers. An engine that the user named and that does not answer is a failure.
pub async fn connect(host: Option<&str>, env: &DockerEnv) -> Result<Engine, Failure> {
    let docker_config = env.docker_config();
    match source::choose(host, env)? {
        Choice::Named(candidate) => match ask(&candidate, docker_config).await {
            Ok(engine) => Ok(engine),
            Err(fault) => Err(not_answered(&candidate.source, &fault)),
        },
        Choice::FirstOf(candidates) => {
            let mut tried = Vec::new();
            for candidate in candidates {
                match ask(&candidate, docker_config.clone()).await {
                    Ok(engine) => return Ok(Engine { passed_over: lines_of(&tried, false), ..engine }),
                    Err(fault) => tried.push((candidate.source, fault)),
                }
            }
            Err(none_answered(&tried))
        }
    }
}

async fn ask(candidate: &Candidate, docker_config: Option<PathBuf>) -> Result<Engine, Fault> {
    if let Address::Socket(path) = &candidate.address {
        // A path that this user may not inspect counts as existing.
        match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(Fault::Absent),
            _ => {}
        }
    }
    let docker = open(&candidate.address)?;
    let reported = ask_version(&candidate.address, &docker).await?;
    let agreed = reported.agree()?;
    Ok(Engine {
        docker: docker.with_request_modifier(move |request| adjust(request, Some(agreed))),
        source: candidate.source.clone(),
        reported,
        agreed_api: agreed,
        deadlines: Deadlines::default(),
        passed_over: Vec::new(),
        docker_config,
        known_by_id: Arc::default(),
        upper_layers: Arc::default(),
    })
}

async fn ask_version(address: &Address, docker: &Docker) -> Result<EngineVersion, Fault> {
    #[cfg(unix)]
    if let Address::Socket(path) = address
        && let Some(answer) = api_version::ping(path).await?
    {
        return Ok(answer);
    }
    // The API version is not known yet, so the path must not contain one.
    api_version::version(&docker.clone().with_request_modifier(|request| adjust(request, None))).await
}

fn open(address: &Address) -> Result<Docker, Fault> {
    // The module `deadline` sets the deadline of each call, so bollard's own timeout must never apply.
    let timeout = NO_TIMEOUT.as_secs();
    let version: &ClientVersion = API_DEFAULT_VERSION;
    let opened = match address {
        #[cfg(unix)]
        Address::Socket(path) => Docker::connect_with_unix(&path.to_string_lossy(), timeout, version),
        #[cfg(windows)]
        Address::Pipe(path) => Docker::connect_with_named_pipe(path, timeout, version),
        Address::Tcp(authority, None) => Docker::connect_with_http(authority, timeout, version),
        Address::Tcp(authority, Some(TlsFiles { ca, certificate, key })) => {
            install_tls_provider();
            if let Some(missing) = [ca, certificate, key].into_iter().find(|path| !path.is_file()) {
                return Err(Fault::Tls(format!("TLS is requested, but {} is no file", missing.display())));
            }
            Docker::connect_with_ssl(authority, key, certificate, ca, timeout, version)
        }
        #[cfg(unix)]
        Address::Pipe(_) => return Err(Fault::Strange("named pipes work on Windows only".to_owned())),
        #[cfg(windows)]
        Address::Socket(_) => return Err(Fault::Strange("Unix sockets cannot be used on Windows".to_owned())),
    };
    opened.map_err(|error| api_version::read_fault(&error))
}

/// Fixes two faults of bollard 0.21: the agreed version is missing from the path, and registry credentials are not in
/// the URL-safe alphabet that engines decode.
fn adjust(mut request: BollardRequest, api: Option<(usize, usize)>) -> BollardRequest {
    let uri = request.uri().to_string();
    let path_and_query = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let before = uri.strip_suffix(&path_and_query).unwrap_or_default();
    let unversioned = without_version(&path_and_query);
    let versioned = match api {
        Some((major, minor)) => format!("{before}/v{major}.{minor}{unversioned}"),
        None => format!("{before}{unversioned}"),
    };
    if let Ok(uri) = versioned.parse() {
        *request.uri_mut() = uri;
    }
    for name in ["X-Registry-Auth", "X-Registry-Config"] {
        if let Some(header) = request.headers_mut().get_mut(name)
            && let Ok(text) = header.to_str()
            && let Ok(safe) = text.replace('+', "-").replace('/', "_").parse()
        {
            *header = safe;
            header.set_sensitive(true);
        }
    }
    request
}

/// Removes the API version from a path: `/v1.41/info` becomes `/info`.
fn without_version(path: &str) -> &str {
    let versioned = path.strip_prefix("/v").and_then(|rest| rest.split_once('/'));
    match versioned {
        Some((version, rest)) if numbers(version).is_some() => &path[path.len() - rest.len() - 1..],
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::api_version::read_fault;
    use crate::docker::fake_engine::{Answer, FakeEngine, VERSION};
    use crate::model::Exit;
    use bollard::errors::Error;
    use std::collections::BTreeMap;

    async fn connect_to(engine: &FakeEngine) -> Result<Engine, Failure> {
        connect(Some(&engine.host()), &DockerEnv::default()).await
    }

    fn because(failure: &Failure) -> String {
        failure.diagnostics[0].notes.join("\n")
    }

    #[tokio::test]
    async fn the_agreed_version_is_the_engine_s_own_and_goes_into_every_path() {
        let engine = FakeEngine::start(|request| match request.path.as_str() {
            "/version" | "/v1.41/version" => Answer::json(VERSION),
            "/v1.41/info" => Answer::json(r#"{"Driver":"overlay2"}"#),
            other => Answer::status(404, &format!(r#"{{"message":"no {other}"}}"#)),
        });
        let connected = connect_to(&engine).await.unwrap();
        assert_eq!(connected.platform(), "linux/amd64");
        assert_eq!(connected.facts().await.unwrap().storage_driver, "overlay2");
    }

    #[tokio::test]
    async fn a_ping_is_enough_to_connect() {
        let engine = FakeEngine::start(|_| Answer::Ping("1.45"));
        assert_eq!(connect_to(&engine).await.unwrap().agreed_api, (1, 45));
        assert_eq!(engine.requests().len(), 1);
    }

    #[tokio::test]
    async fn an_engine_that_is_too_old_is_refused_with_both_versions() {
        let engine =
            FakeEngine::start(|_| Answer::json(r#"{"Version":"18.09.9","ApiVersion":"1.39","MinAPIVersion":"1.12"}"#));
        let failure = connect_to(&engine).await.unwrap_err();
        assert_eq!((failure.exit, failure.diagnostics[0].code), (Exit::Engine, "engine-too-old"));
        assert!(because(&failure).contains("engine 18.09.9 is too old: it speaks API 1.39"), "{}", because(&failure));
    }

    #[tokio::test]
    async fn an_engine_that_asks_for_more_than_we_know_is_refused() {
        let engine =
            FakeEngine::start(|_| Answer::json(r#"{"Version":"99.1","ApiVersion":"1.999","MinAPIVersion":"1.998"}"#));
        assert_eq!(connect_to(&engine).await.unwrap_err().diagnostics[0].code, "engine-too-new");
    }

    #[tokio::test]
    async fn a_server_that_is_no_engine_is_reported_as_such() {
        for answer in [Answer::json("{}"), Answer::json("<html>"), Answer::status(500, "broken"), Answer::Hangup] {
            let engine = FakeEngine::start(move |_| answer.clone());
            let failure = connect_to(&engine).await.unwrap_err();
            assert_eq!((failure.exit, failure.diagnostics[0].code), (Exit::Engine, "engine-unreachable"));
        }
    }

    #[tokio::test]
    async fn without_any_engine_everything_tried_is_listed() {
        let folder = tempfile::tempdir().unwrap();
        let env = DockerEnv {
            variables: BTreeMap::new(),
            home: Some(folder.path().join("home")),
            system_root: folder.path().to_owned(),
        };
        let failure = connect(None, &env).await.unwrap_err();
        assert_eq!(failure.diagnostics[0].message, "no Docker engine was found on this machine");
        for part in ["var/run/docker.sock (the default socket): there is no such socket", ".orbstack", ".rd", ".colima"]
        {
            assert!(because(&failure).contains(part), "{part}");
        }
    }

    #[tokio::test]
    async fn a_socket_without_a_server_is_passed_over_and_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let dead = folder.path().join("var/run/docker.sock");
        std::fs::create_dir_all(dead.parent().unwrap()).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
        let engine =
            FakeEngine::start_at(&folder.path().join("home/.orbstack/run/docker.sock"), |_| Answer::json(VERSION));
        let env = DockerEnv {
            variables: BTreeMap::new(),
            home: Some(folder.path().join("home")),
            system_root: folder.path().to_owned(),
        };
        let connected = connect(None, &env).await.unwrap();
        assert_eq!(connected.source().rule, source::Rule::OrbStack);
        assert_eq!(connected.passed_over().len(), 1);
        assert!(connected.passed_over()[0].contains("no program listens"), "{:?}", connected.passed_over());
        drop(engine);
        let failure = connect(None, &env).await.unwrap_err();
        assert_eq!(failure.diagnostics[0].message, "no Docker engine answers on this machine");
    }

    #[test]
    fn a_socket_that_may_not_be_opened_is_distinguished_from_an_absent_one() {
        let denied = Error::IOError { err: ErrorKind::PermissionDenied.into() };
        assert_eq!(read_fault(&denied), Fault::Denied);
        let source = EngineSource { rule: source::Rule::DefaultSocket, host: "unix:///var/run/docker.sock".to_owned() };
        let failure = none_answered(&[(source, read_fault(&denied))]);
        assert_eq!(failure.diagnostics[0].message, "this user may not talk to the Docker engine");
        assert!(failure.diagnostics[0].help[0].contains("usermod -aG docker"));
    }

    #[tokio::test]
    async fn tls_without_its_files_is_refused_before_anything_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let mut env = DockerEnv::default();
        env.variables.insert("DOCKER_TLS_VERIFY".to_owned(), "1".to_owned());
        env.variables.insert("DOCKER_CERT_PATH".to_owned(), folder.path().display().to_string());
        let failure = connect(Some("tcp://127.0.0.1:1"), &env).await.unwrap_err();
        assert!(because(&failure).contains("ca.pem is no file"), "{}", because(&failure));
    }

    #[test]
    fn a_path_s_version_is_replaced_and_nothing_else() {
        assert_eq!(without_version("/v1.41/info?x=/v1.2/"), "/info?x=/v1.2/");
        assert_eq!(without_version("/version"), "/version");
        assert_eq!(without_version("/volumes/create"), "/volumes/create");
    }
}
