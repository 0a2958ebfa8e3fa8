//! A project in a folder of its own, and the built program run in it as a user would.
//!
//! Home, configuration and machine key are the sandbox's own. What it started is gone when it is dropped.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// One project folder with a home of its own.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code; 128 and its number where a signal ended it.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Sandbox {
    /// A project of these files (path and text).
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let sandbox = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        std::fs::create_dir_all(sandbox.root()).expect("the project's folder");
        std::fs::create_dir_all(sandbox.home()).expect("the home folder");
        for (path, text) in files {
            sandbox.write(path, text);
        }
        sandbox
    }

    /// The project's folder.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// The user's home.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A path of the project.
    pub(crate) fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root().join(path)
    }

    /// Writes a file of the project, with the folders it lies in.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the file's folder");
        std::fs::write(path, text).expect("a file of the project");
    }

    /// Reads a file of the project.
    pub(crate) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The variables in the project's `.env`, as dotenvy reads them.
    pub(crate) fn env(&self) -> std::collections::BTreeMap<String, String> {
        let file = dotenvy::from_path_iter(self.path(".env")).expect("a readable .env");
        file.map(|entry| entry.expect("an assignment that dotenvy reads")).collect()
    }

    /// The program with these arguments, ready to run in the project's folder with a clean environment.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_devenv"));
        command.args(arguments).current_dir(self.root()).env_clear().stdin(Stdio::null());
        command.env("HOME", self.home()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for name in ["DOCKER_HOST", "DOCKER_CONTEXT"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Outcome {
        Outcome::of(&self.command(arguments).output().expect("the built program"))
    }

    /// Runs the program and expects it to succeed.
    pub(crate) fn succeed<S: AsRef<OsStr> + std::fmt::Debug>(&self, arguments: &[S]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, 0, "devenv {arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
        outcome
    }

    /// Runs the program and expects it to end with that exit code.
    pub(crate) fn fail<S: AsRef<OsStr> + std::fmt::Debug>(&self, code: i32, arguments: &[S]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, code, "devenv {arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
        outcome
    }

    /// Names of what the engine has of the environments whose root lies in this sandbox: containers, volumes, networks.
    pub(crate) fn on_the_engine(&self) -> Vec<String> {
        let mut found = Vec::new();
        let within = format!("{}/", self.folder.path().canonicalize().expect("the sandbox's folder").display());
        for (kind, list, format) in [
            ("container", &["ps", "-a"][..], "{{.Names}}\t{{.Label \"dev.devenv.root\"}}"),
            ("volume", &["volume", "ls"], "{{.Name}}\t{{.Label \"dev.devenv.root\"}}"),
            ("network", &["network", "ls"], "{{.Name}}\t{{.Label \"dev.devenv.root\"}}"),
        ] {
            let mut arguments = list.to_vec();
            arguments.extend(["--filter", "label=dev.devenv.root", "--format", format]);
            for line in docker(&arguments).lines() {
                if let Some((name, root)) = line.split_once('\t')
                    && root.starts_with(&within)
                {
                    found.push(format!("{kind} {name}"));
                }
            }
        }
        found.sort();
        found
    }
}

impl Outcome {
    /// A finished process's outcome.
    pub(crate) fn of(output: &Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let code = output.status.code().or_else(|| output.status.signal().map(|signal| 128 + signal));
        Self {
            code: code.unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// Removes whatever the environments in this sandbox left on the engine.
impl Drop for Sandbox {
    fn drop(&mut self) {
        // Containers first: what they use cannot be removed before.
        for kind in ["container", "volume", "network"] {
            for found in self.on_the_engine() {
                if let Some(name) = found.strip_prefix(&format!("{kind} ")) {
                    let remove: &[&str] = if kind == "container" { &["rm", "-f", "-v"] } else { &[kind, "rm"] };
                    docker(&[remove, &[name]].concat());
                }
            }
        }
    }
}

/// Runs Docker's own command line and gives its output; what is gone already is no matter here.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("Docker's command line");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
