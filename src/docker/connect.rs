//! Finds the engine: the first rule that holds wins, and says so.

use super::context;
use super::fault::words;
use crate::model::{Diagnostic, Exit, Failure};
use bollard::{API_DEFAULT_VERSION, Docker};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Seconds that one call may take; creating and starting are quick, and a clean stop has its own bound.
const CALL_SECONDS: u64 = 120;
/// The oldest API that has what is needed: engine 19.03.
const OLDEST_API: (usize, usize) = (1, 40);

/// Where the engine was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSource {
    /// The rule that won, for people: `DOCKER_HOST`, `the default socket`.
    pub rule: String,
    /// The address: `unix:///var/run/docker.sock`.
    pub host: String,
    /// The folder with client certificates, where TLS is used.
    pub tls: Option<PathBuf>,
}

/// What decides where the engine is looked for.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `--host`.
    pub host: Option<String>,
    /// The process's variables.
    pub environment: BTreeMap<String, String>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// Where `/var/run` and `/run` are looked for; `/` outside tests.
    pub system_root: PathBuf,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process(host: Option<String>) -> Self {
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { host, environment: variables.collect(), home: dirs::home_dir(), system_root: PathBuf::from("/") }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Docker's configuration folder.
    pub fn docker_config(&self) -> Option<PathBuf> {
        self.variable("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(self.home.as_ref()?.join(".docker")))
    }
}

/// A connection to the engine.
#[derive(Clone)]
pub struct Engine {
    pub(super) docker: Docker,
    /// Where it was found.
    pub source: EngineSource,
    /// Docker's configuration folder, for credentials.
    pub(super) docker_config: Option<PathBuf>,
}

/// What the engine says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct EngineFacts {
    /// Its version: `28.2.2`.
    pub version: String,
    /// Its API: `1.41`.
    pub api: String,
    /// Its operating system's name.
    pub system: String,
    /// `linux/amd64`.
    pub platform: String,
    /// How images and containers are stored.
    pub storage: String,
    /// Where it keeps its data.
    pub root: String,
    /// Whether it runs without root.
    pub rootless: bool,
}

/// Chooses the provider of TLS for the whole process; bollard's client needs one before its first use.
pub fn install_tls() {
    // A second call finds one installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Finds the engine and agrees on an API version with it.
pub async fn connect(surroundings: &Surroundings) -> Result<Engine, Failure> {
    let mut tried: Vec<String> = Vec::new();
    for source in candidates(surroundings)? {
        if let Some(socket) = source.host.strip_prefix("unix://") {
            // A rule that the user set must lead somewhere; a place where an engine might be need not.
            if source.is_place() && !Path::new(socket).exists() {
                tried.push(format!("{}: {socket} is not there", source.rule));
                continue;
            }
        }
        let docker = client(&source)?;
        match docker.version().await {
            Ok(version) => {
                let docker = negotiated(docker, version.api_version.as_deref(), &source)?;
                return Ok(Engine { docker, source, docker_config: surroundings.docker_config() });
            }
            Err(error) => {
                let failure = unreachable_engine(&source, &words(&error));
                if !source.is_place() || is_permission(&words(&error)) {
                    return Err(failure);
                }
                tried.push(format!("{}: {} does not answer: {}", source.rule, source.host, words(&error)));
            }
        }
    }
    Err(Failure::new(
        Exit::Engine,
        Diagnostic::error("no-engine", "no Docker engine answers")
            .because(format!("looked for one here, in this order:\n{}", tried.join("\n")))
            .help("start Docker (or Colima, OrbStack, Rancher Desktop, Podman), or name the engine with `--host` or DOCKER_HOST"),
    ))
}

impl EngineSource {
    fn new(rule: impl Into<String>, host: impl Into<String>) -> Self {
        Self { rule: rule.into(), host: host.into(), tls: None }
    }

    /// Whether this is a place where an engine might be, and not one that somebody named.
    fn is_place(&self) -> bool {
        self.rule.starts_with("the ")
    }
}

/// Every place to look, in order. A rule that the user set is the only one.
fn candidates(surroundings: &Surroundings) -> Result<Vec<EngineSource>, Failure> {
    if let Some(host) = &surroundings.host {
        return Ok(vec![with_tls(EngineSource::new("--host", host), surroundings)]);
    }
    if let Some(host) = surroundings.variable("DOCKER_HOST") {
        return Ok(vec![with_tls(EngineSource::new("DOCKER_HOST", host), surroundings)]);
    }
    let docker_config = surroundings.docker_config();
    let from_variable = surroundings.variable("DOCKER_CONTEXT").map(|name| ("DOCKER_CONTEXT", name.to_owned()));
    let from_config = || Some(("the current Docker context", context::current(docker_config.as_deref()?)?));
    if let Some((rule, name)) = from_variable.or_else(from_config)
        && name != "default"
    {
        let found = docker_config.as_deref().and_then(|folder| context::named(folder, &name));
        let found = found.ok_or_else(|| {
            Failure::new(
                Exit::Engine,
                Diagnostic::error("no-context", format!("there is no Docker context called `{name}`"))
                    .because(format!("{rule} names it"))
                    .help("`docker context ls` lists them; `docker context use default` goes back to the default"),
            )
        })?;
        return Ok(vec![EngineSource {
            rule: format!("{} ({name})", rule.trim_start_matches("the ")),
            host: found.host,
            tls: found.tls,
        }]);
    }
    Ok(places(surroundings))
}

fn places(surroundings: &Surroundings) -> Vec<EngineSource> {
    let unix =
        |rule: &str, path: PathBuf| EngineSource::new(format!("the {rule}"), format!("unix://{}", path.display()));
    let system = |path: &str| surroundings.system_root.join(path);
    let mut places = vec![unix("default socket", system("var/run/docker.sock"))];
    let runtime = surroundings.variable("XDG_RUNTIME_DIR").map(PathBuf::from);
    if let Some(runtime) = &runtime {
        places.push(unix("rootless engine's socket", runtime.join("docker.sock")));
    }
    if let Some(home) = &surroundings.home {
        places.push(unix("socket of Docker Desktop", home.join(".docker/run/docker.sock")));
        places.push(unix("socket of Docker Desktop", home.join(".docker/desktop/docker.sock")));
        places.push(unix("socket of Colima", home.join(".colima/default/docker.sock")));
        places.push(unix("socket of Colima", home.join(".config/colima/default/docker.sock")));
        places.push(unix("socket of OrbStack", home.join(".orbstack/run/docker.sock")));
        places.push(unix("socket of Rancher Desktop", home.join(".rd/docker.sock")));
        places.push(unix("socket of Podman", home.join(".local/share/containers/podman/machine/podman.sock")));
    }
    if let Some(runtime) = &runtime {
        places.push(unix("socket of Podman", runtime.join("podman/podman.sock")));
    }
    places.push(unix("socket of Podman", system("run/podman/podman.sock")));
    places
}

/// Client certificates as `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH` name them.
fn with_tls(mut source: EngineSource, surroundings: &Surroundings) -> EngineSource {
    let wanted = surroundings.variable("DOCKER_TLS_VERIFY").is_some() || source.host.starts_with("https://");
    if wanted && (source.host.starts_with("tcp://") || source.host.starts_with("https://")) {
        source.tls =
            surroundings.variable("DOCKER_CERT_PATH").map(PathBuf::from).or_else(|| surroundings.docker_config());
    }
    source
}

/// A client for the address; nothing is sent yet.
fn client(source: &EngineSource) -> Result<Docker, Failure> {
    let host = source.host.as_str();
    let refuse = |why: &str, help: &str| {
        Failure::new(
            Exit::Engine,
            Diagnostic::error("engine-address", format!("cannot use the engine at {host} ({})", source.rule))
                .because(why)
                .help(help),
        )
    };
    let made = match host.split_once("://") {
        Some(("unix", _)) => Docker::connect_with_unix(host, CALL_SECONDS, API_DEFAULT_VERSION),
        #[cfg(windows)]
        Some(("npipe", _)) => Docker::connect_with_named_pipe(host, CALL_SECONDS, API_DEFAULT_VERSION),
        Some(("tcp" | "http" | "https", address)) => {
            if !is_loopback(address) {
                return Err(refuse(
                    "its published ports would be on that machine and not on this one",
                    "tunnel it (`ssh -L`), or use an engine on this machine",
                ));
            }
            match &source.tls {
                Some(folder) => Docker::connect_with_ssl(
                    host,
                    &folder.join("key.pem"),
                    &folder.join("cert.pem"),
                    &folder.join("ca.pem"),
                    CALL_SECONDS,
                    API_DEFAULT_VERSION,
                ),
                None => Docker::connect_with_http(host, CALL_SECONDS, API_DEFAULT_VERSION),
            }
        }
        Some(("ssh", _)) => {
            return Err(refuse(
                "its published ports would be on that machine and not on this one",
                "forward its socket and ports with `ssh -L` and name the socket with `--host unix://…`",
            ));
        }
        _ => return Err(refuse("the address has no scheme that is known", "use unix:///path or tcp://127.0.0.1:PORT")),
    };
    made.map_err(|error| refuse(&words(&error), "check the address and the certificates"))
}

fn is_loopback(address: &str) -> bool {
    let host = address.split('/').next().unwrap_or(address);
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Speaks the engine's API where it is older than ours, and refuses one that is too old.
fn negotiated(docker: Docker, api: Option<&str>, source: &EngineSource) -> Result<Docker, Failure> {
    let Some(api) = api else { return Ok(docker) };
    let number = api.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let Some(number) = number else { return Ok(docker) };
    if number < OLDEST_API {
        return Err(Failure::new(
            Exit::Engine,
            Diagnostic::error("engine-too-old", format!("the engine at {} is too old", source.host))
                .because(format!(
                    "it speaks API {api}, and {}.{} is the oldest that has what is needed",
                    OLDEST_API.0, OLDEST_API.1
                ))
                .help("update Docker to 19.03 or later"),
        ));
    }
    let version = bollard::ClientVersion { major_version: number.0, minor_version: number.1 };
    let ours = API_DEFAULT_VERSION;
    if (ours.major_version, ours.minor_version) <= number {
        return Ok(docker);
    }
    // A client made for the engine's version from the start; the address has worked before.
    let host = source.host.as_str();
    let made = if host.starts_with("unix://") {
        Docker::connect_with_unix(host, CALL_SECONDS, &version)
    } else if let Some(folder) = &source.tls {
        Docker::connect_with_ssl(
            host,
            &folder.join("key.pem"),
            &folder.join("cert.pem"),
            &folder.join("ca.pem"),
            CALL_SECONDS,
            &version,
        )
    } else {
        Docker::connect_with_http(host, CALL_SECONDS, &version)
    };
    made.map_err(|error| unreachable_engine(source, &words(&error)))
}

fn is_permission(message: &str) -> bool {
    message.to_ascii_lowercase().contains("permission denied")
}

fn unreachable_engine(source: &EngineSource, message: &str) -> Failure {
    let diagnostic = if is_permission(message) {
        Diagnostic::error("engine-permission", format!("you may not use the Docker engine at {}", source.host)).help(
            "add yourself to its group (`sudo usermod -aG docker $USER`) and log in again, or use a rootless engine",
        )
    } else {
        Diagnostic::error("engine-unreachable", format!("the Docker engine at {} does not answer", source.host))
            .help("start it, or choose another with `--host`, DOCKER_HOST or `docker context use`")
    };
    Failure::new(Exit::Engine, diagnostic.because(message.to_owned()).because(format!("{} names it", source.rule)))
}

impl Engine {
    /// What the engine says of itself.
    pub async fn facts(&self) -> Result<EngineFacts, super::EngineError> {
        let fault = |error| super::EngineError::new("tell about itself", &error);
        let (version, info) = tokio::try_join!(self.docker.version(), self.docker.info()).map_err(fault)?;
        let system = version.os.clone().unwrap_or_default();
        let machine = version.arch.clone().unwrap_or_default();
        Ok(EngineFacts {
            version: version.version.unwrap_or_default(),
            api: version.api_version.unwrap_or_default(),
            platform: format!("{system}/{machine}"),
            system: info.operating_system.unwrap_or_default(),
            storage: info.driver.unwrap_or_default(),
            root: info.docker_root_dir.unwrap_or_default(),
            rootless: info.security_options.unwrap_or_default().iter().any(|option| option.contains("rootless")),
        })
    }
}
