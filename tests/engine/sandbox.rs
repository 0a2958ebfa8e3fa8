//! A folder and a name for one scenario. Dropping it removes the folder and every resource on the engine whose labels
//! contain the name or the folder.

use devenv::docker::{DockerEnv, Engine, connect, label};
use devenv::model::{Scope, VolumeRole, VolumeSpec};
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

static NEXT: AtomicUsize = AtomicUsize::new(0);

pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
    name: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let name = format!("devenv-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self { folder: tempfile::tempdir().unwrap(), name }
    }

    /// A unique name: for an environment, and as the prefix of other names.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `name-part`.
    pub(crate) fn named(&self, part: &str) -> String {
        format!("{}-{part}", self.name)
    }

    /// The scenario's folder, as in the engine's labels.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// Writes a file of the scenario's folder.
    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Runs the program in the scenario's folder.
    pub(crate) fn devenv(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_devenv")).args(arguments).current_dir(self.root()).output().unwrap()
    }

    /// The labels that mark a resource of this scenario.
    pub(crate) fn scope(&self) -> Scope {
        let (root, environment) = (self.root().display().to_string(), self.name.clone());
        Scope { root, environment, ..Scope::default() }
    }

    /// An empty volume of this scenario.
    pub(crate) fn volume(&self, name: &str) -> VolumeSpec {
        VolumeSpec {
            name: name.to_owned(),
            scope: self.scope(),
            role: VolumeRole::Helper,
            parent_spec: None,
            unproven: false,
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for (key, value) in [(label::ENVIRONMENT, &self.name), (label::ROOT, &self.root().display().to_string())] {
            let filter = format!("label={key}={value}");
            remove(
                &["container", "ls", "--all", "--quiet", "--filter", &filter],
                &["container", "rm", "--force", "--volumes"],
            );
            remove(&["network", "ls", "--quiet", "--filter", &filter], &["network", "rm"]);
            remove(&["volume", "ls", "--quiet", "--filter", &filter], &["volume", "rm", "--force"]);
        }
    }
}

fn remove(list: &[&str], remove: &[&str]) {
    let listed = docker(list);
    let ids: Vec<&str> = listed.split_whitespace().collect();
    if !ids.is_empty() {
        docker(remove.iter().copied().chain(ids));
    }
}

/// Runs Docker's command line, as an independent check; returns its output.
pub(crate) fn docker(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
    let output = Command::new("docker").args(arguments).output().expect("these tests need the `docker` program");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The engine of this machine.
pub(crate) async fn engine() -> Engine {
    match connect(None, &DockerEnv::of_process()).await {
        Ok(engine) => engine,
        Err(failure) => panic!("these tests need a Docker engine: {:#?}", failure.diagnostics),
    }
}

/// A port of 127.0.0.1 that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn the_program_runs_in_the_sandbox_s_folder() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("deep/note.txt", "here");
    assert_eq!(file.parent().and_then(Path::parent), Some(sandbox.root().as_path()));
    assert!(sandbox.devenv(&["--version"]).status.success());
}

#[tokio::test]
async fn a_sandbox_takes_everything_of_its_own_with_it() {
    let sandbox = Sandbox::new();
    let (volume, network) = (sandbox.named("data"), sandbox.named("net"));
    let engine = engine().await;
    engine.create_volume(&sandbox.volume(&volume)).await.unwrap();
    engine.create_network(&network, &sandbox.scope()).await.unwrap();
    drop(sandbox);
    let observed = engine.observe(&[]).await.unwrap();
    assert!(observed.volumes.iter().all(|seen| seen.name != volume));
    assert!(observed.networks.iter().all(|seen| seen.name != network));
}
