//! Chooses the engine: the one that the user names, else the one that Docker itself would use, else the first that
//! answers.
//!
//! An engine that the user names is never replaced by another engine that happens to answer.

use super::address::{self, Address, TlsFiles};
use super::context::{self, ContextFault};
use crate::model::{Diagnostic, Exit, Failure, did_you_mean};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The rule by which an engine was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The option `--host`.
    HostOption,
    /// The variable `DOCKER_HOST`.
    DockerHost,
    /// The variable `DOCKER_CONTEXT`, with the context's name.
    DockerContext(String),
    /// The current context of Docker's configuration, with its name.
    CurrentContext(String),
    /// The default socket of Docker Engine.
    DefaultSocket,
    /// A rootless engine of this user.
    Rootless,
    /// Docker Desktop.
    DockerDesktop,
    /// Colima.
    Colima,
    /// `OrbStack`.
    OrbStack,
    /// Rancher Desktop.
    Rancher,
    /// Podman's Docker-like service.
    Podman,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostOption => f.write_str("--host"),
            Self::DockerHost => f.write_str("DOCKER_HOST"),
            Self::DockerContext(name) => write!(f, "DOCKER_CONTEXT ({name})"),
            Self::CurrentContext(name) => write!(f, "the current Docker context ({name})"),
            Self::DefaultSocket => f.write_str("the default socket"),
            Self::Rootless => f.write_str("a rootless engine's socket"),
            Self::DockerDesktop => f.write_str("Docker Desktop's socket"),
            Self::Colima => f.write_str("Colima's socket"),
            Self::OrbStack => f.write_str("OrbStack's socket"),
            Self::Rancher => f.write_str("Rancher Desktop's socket"),
            Self::Podman => f.write_str("Podman's socket"),
        }
    }
}

/// Where the engine is and which rule found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSource {
    /// The rule that won.
    pub rule: Rule,
    /// The address: `unix:///var/run/docker.sock`. A password in it is removed.
    pub host: String,
}

/// The environment variables and folders of this machine that decide where engines are searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerEnv {
    /// Environment variables. Only those that Docker knows are read.
    pub variables: BTreeMap<String, String>,
    /// The user's home folder.
    pub home: Option<PathBuf>,
    /// The root of the paths of the system's own sockets: `/`, or a folder of a test.
    pub system_root: PathBuf,
}

/// The variables that are read.
const VARIABLES: &[&str] = &[
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "XDG_RUNTIME_DIR",
];

impl DockerEnv {
    /// The variables and folders of this process.
    pub fn of_process() -> Self {
        let variables = VARIABLES
            .iter()
            .filter_map(|name| std::env::var(name).ok().map(|value| ((*name).to_owned(), value)))
            .collect();
        Self { variables, home: dirs::home_dir(), system_root: PathBuf::from("/") }
    }

    /// Docker's configuration folder: `DOCKER_CONFIG`, else `~/.docker`.
    pub fn docker_config(&self) -> Option<PathBuf> {
        self.variable("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| self.home.as_ref().map(|home| home.join(".docker")))
    }

    /// A variable's value, if it is set and not empty: Docker treats an empty variable as unset.
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The TLS files, if the variables ask for TLS.
    fn tls(&self) -> Option<TlsFiles> {
        self.variable("DOCKER_TLS_VERIFY").or_else(|| self.variable("DOCKER_TLS"))?;
        let folder = self.variable("DOCKER_CERT_PATH").map(PathBuf::from).or_else(|| self.docker_config())?;
        Some(TlsFiles::in_folder(&folder))
    }
}

/// An engine that may exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) source: EngineSource,
    pub(super) address: Address,
}

/// The engines to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Only this engine.
    Named(Candidate),
    /// The first of these engines that answers.
    FirstOf(Vec<Candidate>),
}

/// Decides which engines to try, without any request to an engine.
pub(super) fn choose(host: Option<&str>, env: &DockerEnv) -> Result<Choice, Failure> {
    if let Some(host) = host {
        return said(Rule::HostOption, host, env.tls());
    }
    if let Some(host) = env.variable("DOCKER_HOST") {
        return said(Rule::DockerHost, host, env.tls());
    }
    let config = env.docker_config();
    let named = env.variable("DOCKER_CONTEXT").map(str::to_owned);
    let rule = match (&named, &config) {
        (Some(name), _) if name == "default" => None,
        (Some(name), _) => Some(Rule::DockerContext(name.clone())),
        (None, Some(config)) => context::current(config).map(Rule::CurrentContext),
        (None, None) => None,
    };
    if let Some(rule) = rule
        && let Some(choice) = of_context(rule, config.as_deref())?
    {
        return Ok(choice);
    }
    Ok(Choice::FirstOf(usual_sockets(env)))
}

fn said(rule: Rule, host: &str, tls: Option<TlsFiles>) -> Result<Choice, Failure> {
    let address = address::parse(host, tls, &rule.to_string())?;
    Ok(Choice::Named(Candidate { source: EngineSource { rule, host: address::shown(host) }, address }))
}

fn of_context(rule: Rule, config: Option<&Path>) -> Result<Option<Choice>, Failure> {
    let (Rule::DockerContext(name) | Rule::CurrentContext(name)) = &rule else {
        return Ok(None);
    };
    let found = match config {
        Some(config) => context::find(config, name),
        None => Err(ContextFault::Unknown(Vec::new())),
    };
    let fault = match found {
        Ok(context) if context.host.is_empty() => return Ok(None),
        Ok(context) => return said(rule, &context.host, context.tls).map(Some),
        Err(fault) => fault,
    };
    let diagnostic = match fault {
        ContextFault::Unknown(names) => {
            let message = format!("{rule} names a Docker context that does not exist");
            let diagnostic = Diagnostic::error("engine-context", message);
            let diagnostic = match did_you_mean(name, names.iter().map(String::as_str)) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic,
            };
            diagnostic.help("`docker context ls` lists them, `docker context use default` goes back to the default")
        }
        ContextFault::NoEngine => Diagnostic::error("engine-context", format!("{rule} names no Docker engine"))
            .help("`docker context ls` lists those that do"),
    };
    Err(Failure::new(Exit::Engine, diagnostic))
}

/// The default sockets of engines, in the order in which they are tried.
fn usual_sockets(env: &DockerEnv) -> Vec<Candidate> {
    let system = |path: &str| Some(env.system_root.join(path));
    let home = |path: &str| env.home.as_ref().map(|home| home.join(path));
    let runtime = |path: &str| env.variable("XDG_RUNTIME_DIR").map(|folder| Path::new(folder).join(path));
    let sockets = [
        (Rule::DefaultSocket, system("var/run/docker.sock")),
        (Rule::Rootless, runtime("docker.sock")),
        (Rule::DockerDesktop, home(".docker/run/docker.sock")),
        (Rule::DockerDesktop, home(".docker/desktop/docker.sock")),
        (Rule::Colima, home(".colima/default/docker.sock")),
        (Rule::Colima, home(".config/colima/default/docker.sock")),
        (Rule::OrbStack, home(".orbstack/run/docker.sock")),
        (Rule::Rancher, home(".rd/docker.sock")),
        (Rule::Podman, runtime("podman/podman.sock")),
        (Rule::Podman, home(".local/share/containers/podman/machine/podman.sock")),
        (Rule::Podman, system("run/podman/podman.sock")),
    ];
    let mut candidates = Vec::new();
    if cfg!(windows) {
        let pipe = "//./pipe/docker_engine".to_owned();
        let source = EngineSource { rule: Rule::DefaultSocket, host: format!("npipe://{pipe}") };
        candidates.push(Candidate { source, address: Address::Pipe(pipe) });
    }
    candidates.extend(sockets.into_iter().filter_map(|(rule, path)| {
        let path = path?;
        let source = EngineSource { rule, host: format!("unix://{}", path.display()) };
        Some(Candidate { source, address: Address::Socket(path) })
    }));
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Machine {
        folder: tempfile::TempDir,
        env: DockerEnv,
    }

    fn machine() -> Machine {
        let folder = tempfile::tempdir().unwrap();
        let env = DockerEnv {
            variables: BTreeMap::new(),
            home: Some(folder.path().join("home")),
            system_root: folder.path().join("system"),
        };
        Machine { folder, env }
    }

    impl Machine {
        fn set(mut self, name: &str, value: &str) -> Self {
            self.env.variables.insert(name.to_owned(), value.to_owned());
            self
        }

        fn file(self, path: &str, text: &str) -> Self {
            let path = self.folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            self
        }

        fn context(self, name: &str, host: &str) -> Self {
            let path = format!("home/.docker/contexts/meta/{name}/meta.json");
            self.file(&path, &format!(r#"{{"Name":"{name}","Endpoints":{{"docker":{{"Host":"{host}"}}}}}}"#))
        }

        fn said(&self, host: Option<&str>) -> EngineSource {
            match choose(host, &self.env).unwrap() {
                Choice::Named(candidate) => candidate.source,
                Choice::FirstOf(_) => panic!("no engine was named"),
            }
        }
    }

    #[test]
    fn the_most_specific_choice_wins() {
        let machine = machine()
            .context("work", "unix:///work.sock")
            .context("home", "unix:///home.sock")
            .file("home/.docker/config.json", r#"{"currentContext":"home"}"#);
        assert_eq!(machine.said(None).rule, Rule::CurrentContext("home".to_owned()));
        let machine = machine.set("DOCKER_CONTEXT", "work");
        assert_eq!(
            machine.said(None),
            EngineSource { rule: Rule::DockerContext("work".to_owned()), host: "unix:///work.sock".to_owned() }
        );
        let machine = machine.set("DOCKER_HOST", "unix:///variable.sock");
        assert_eq!(machine.said(None).rule, Rule::DockerHost);
        assert_eq!(machine.said(Some("unix:///option.sock")).rule, Rule::HostOption);
    }

    #[test]
    fn without_a_named_engine_the_usual_sockets_are_tried_in_order() {
        let machine = machine().set("XDG_RUNTIME_DIR", "/run/user/7").set("DOCKER_HOST", "");
        let Choice::FirstOf(candidates) = choose(None, &machine.env).unwrap() else {
            panic!("no engine was named");
        };
        let mut rules: Vec<Rule> = candidates.iter().map(|candidate| candidate.source.rule.clone()).collect();
        rules.dedup();
        let expected = [
            Rule::DefaultSocket,
            Rule::Rootless,
            Rule::DockerDesktop,
            Rule::Colima,
            Rule::OrbStack,
            Rule::Rancher,
            Rule::Podman,
        ];
        assert_eq!(rules, expected);
        assert_eq!(candidates[1].source.host, "unix:///run/user/7/docker.sock");
    }

    #[test]
    fn the_default_context_means_the_usual_sockets() {
        let machine = machine()
            .context("home", "unix:///home.sock")
            .file("home/.docker/config.json", r#"{"currentContext":"home"}"#)
            .set("DOCKER_CONTEXT", "default");
        assert!(matches!(choose(None, &machine.env), Ok(Choice::FirstOf(_))));
    }

    #[test]
    fn docker_config_moves_the_contexts() {
        let machine = machine()
            .file(
                "elsewhere/contexts/meta/x/meta.json",
                r#"{"Name":"x","Endpoints":{"docker":{"Host":"unix:///x.sock"}}}"#,
            )
            .file("elsewhere/config.json", r#"{"currentContext":"x"}"#);
        let folder = machine.folder.path().join("elsewhere").display().to_string();
        assert_eq!(machine.set("DOCKER_CONFIG", &folder).said(None).host, "unix:///x.sock");
    }

    #[test]
    fn an_unknown_context_is_an_error_with_the_nearest_name() {
        let machine = machine().context("colima", "unix:///c.sock").set("DOCKER_CONTEXT", "colina");
        let failure = choose(None, &machine.env).unwrap_err();
        assert_eq!(failure.exit, Exit::Engine);
        assert_eq!(failure.diagnostics[0].help[0], "did you mean `colima`?");
    }

    #[test]
    fn tls_is_on_only_where_the_variable_is_not_empty() {
        let machine = machine().set("DOCKER_HOST", "tcp://127.0.0.1:2376").set("DOCKER_CERT_PATH", "/certs");
        let tls = |machine: &Machine| match choose(None, &machine.env).unwrap() {
            Choice::Named(Candidate { address: Address::Tcp(_, tls), .. }) => tls,
            other => panic!("{other:?}"),
        };
        let machine = machine.set("DOCKER_TLS_VERIFY", "");
        assert_eq!(tls(&machine), None);
        let machine = machine.set("DOCKER_TLS_VERIFY", "1");
        assert_eq!(tls(&machine).unwrap().ca, Path::new("/certs/ca.pem"));
    }
}
