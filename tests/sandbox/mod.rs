//! A project in a temporary folder, and the built program, which runs in this folder as for a user.
//!
//! Home, configuration and machine key belong to the sandbox. Dropping the sandbox removes everything that it started.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One project folder with a home of its own.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

/// The outcome of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The exit code; 128 plus the signal's number if a signal ended the program.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Sandbox {
    /// Creates a project with these files (path and text).
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

    /// Writes a file of the project, and creates missing folders.
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
    pub(crate) fn env(&self) -> BTreeMap<String, String> {
        let file = dotenvy::from_path_iter(self.path(".env")).expect("a readable .env");
        file.map(|entry| entry.expect("an assignment that dotenvy reads")).collect()
    }

    /// The program with these arguments, for the project's folder and with a clean environment.
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

    /// A shell that runs the lines in the project's folder and stops at the first line that fails; `devenv` is the
    /// built program.
    pub(crate) fn shell(&self, lines: &str) -> Command {
        let devenv = self.command(&[""; 0]);
        let folder = Path::new(devenv.get_program()).parent().expect("its folder");
        let mut shell = Command::new("sh");
        shell.args(["-ec", lines]).current_dir(self.root()).env_clear().stdin(Stdio::null());
        shell.envs(devenv.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.env("PATH", format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default()));
        shell
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

    /// Runs the program and expects this exit code.
    pub(crate) fn fail<S: AsRef<OsStr> + std::fmt::Debug>(&self, code: i32, arguments: &[S]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, code, "devenv {arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
        outcome
    }

    /// Starts the program without waiting for its end: for tests that send signals or run another program at the same
    /// time. Standard input stays open until the test waits for the end, so a `cat` that the program runs lasts until
    /// then.
    pub(crate) fn spawn<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Running {
        Running::start(self.command(arguments).stdin(Stdio::piped()))
    }

    /// The engine's ids of this project's containers by service, whether they run or not.
    pub(crate) fn containers(&self) -> BTreeMap<String, String> {
        let format = "{{.Label \"dev.devenv.service\"}}\t{{.ID}}";
        let listed = docker(&["ps", "-a", "--no-trunc", "--filter", &self.of_this_project(), "--format", format]);
        let pairs = listed.lines().filter_map(|line| line.split_once('\t'));
        let pairs = pairs.filter(|(service, _)| !service.is_empty());
        pairs.map(|(service, id)| (service.to_owned(), id.to_owned())).collect()
    }

    /// The id of a service's container.
    pub(crate) fn container(&self, service: &str) -> String {
        self.containers().remove(service).unwrap_or_else(|| panic!("{service} has no container"))
    }

    /// The names of this project's volumes that can hold data.
    pub(crate) fn volumes(&self) -> Vec<String> {
        let listed = docker(&["volume", "ls", "--quiet", "--filter", &self.of_this_project()]);
        let holds_data = |name: &&str| !name.starts_with("devenv-base-") && !name.ends_with(".record");
        listed.lines().filter(holds_data).map(str::to_owned).collect()
    }

    /// The volumes of the records that name the volumes of the project's services.
    pub(crate) fn heads(&self) -> Vec<String> {
        let listed = docker(&["volume", "ls", "--quiet", "--filter", &self.of_this_project()]);
        listed.lines().filter(|name| name.contains(".head.")).map(str::to_owned).collect()
    }

    /// Removes the containers that never run, as `docker container prune` would, but those of this project alone.
    pub(crate) fn prune_containers(&self) {
        let filters = ["--filter", &self.of_this_project(), "--filter", "status=created"];
        let listed = docker(&[&["ps", "-a", "--quiet"][..], &filters].concat());
        for id in listed.lines() {
            docker(&["rm", id]);
        }
    }

    fn of_this_project(&self) -> String {
        format!("label=dev.devenv.root={}", self.root().canonicalize().expect("the project's folder").display())
    }

    /// Names of the engine's resources of all environments whose root is in this sandbox: containers, volumes,
    /// networks.
    pub(crate) fn on_the_engine(&self) -> Vec<String> {
        let bases = "devenv-base-";
        let found = self.everything_on_the_engine().into_iter();
        found.filter(|name| !name.split_once(' ').is_some_and(|(_, name)| name.starts_with(bases))).collect()
    }

    /// The same, including base layers, which belong to no environment.
    pub(crate) fn everything_on_the_engine(&self) -> Vec<String> {
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

/// A program that runs in parallel with the test; it is killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Collected,
    stderr: Collected,
}

type Collected = (Arc<Mutex<Vec<u8>>>, Option<JoinHandle<()>>);

impl Running {
    /// Starts a command and collects its output.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
        let stdout = collect(child.stdout.take().expect("its output"));
        let stderr = collect(child.stderr.take().expect("its messages"));
        Self { child, stdout, stderr }
    }

    /// The standard output so far.
    pub(crate) fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// The standard error so far.
    pub(crate) fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// Sends a signal: `TERM`, `INT`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill");
        assert!(sent.success(), "SIG{name} could not be sent");
    }

    /// Whether the program has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_some()
    }

    /// Waits for the end of the program.
    pub(crate) fn end(mut self) -> Outcome {
        wait_until("the program ends", || self.has_ended());
        let status = self.child.wait().expect("its end");
        for reader in [self.stdout.1.take(), self.stderr.1.take()].into_iter().flatten() {
            reader.join().expect("its output is read");
        }
        Outcome { code: code_of(status), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A program that has already ended cannot be killed, and this is not an error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut from: impl Read + Send + 'static) -> Collected {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&bytes);
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            into.lock().expect("the bytes").extend_from_slice(&buffer[..count]);
        }
    });
    (bytes, Some(reader))
}

fn text(collected: &Collected) -> String {
    String::from_utf8_lossy(&collected.0.lock().expect("the bytes")).into_owned()
}

/// Waits for a condition; fails if the condition is not met after a time that is long enough for a busy machine.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(120), "the condition was not met in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// 128 plus the signal's number if a signal ended the process.
fn code_of(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

impl Outcome {
    /// The outcome of a finished process.
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: code_of(output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// Removes all resources that the environments in this sandbox left on the engine.
impl Drop for Sandbox {
    fn drop(&mut self) {
        // Remove containers first: the engine cannot remove volumes and networks in use.
        for kind in ["container", "volume", "network"] {
            for found in self.everything_on_the_engine() {
                if let Some(name) = found.strip_prefix(&format!("{kind} ")) {
                    let remove: &[&str] = if kind == "container" { &["rm", "-f", "-v"] } else { &[kind, "rm"] };
                    docker(&[remove, &[name]].concat());
                }
            }
        }
    }
}

/// Another name for an image of the engine, for as long as a test needs the name.
pub(crate) struct Tag(pub(crate) String);

impl Tag {
    /// Names the image `devenv-test/NAME-PROCESS:TAG`, so that parallel tests have different names.
    pub(crate) fn of(image: &str, name: &str, tag: &str) -> Self {
        let tag = Self(format!("devenv-test/{name}-{}:{tag}", std::process::id()));
        tag.give(image);
        tag
    }

    /// Gives the name to another image.
    pub(crate) fn give(&self, image: &str) {
        let tagged = Command::new("docker").args(["tag", image, &self.0]).status().expect("Docker's command line");
        assert!(tagged.success(), "the engine lacks {image}: tests/images/build makes it");
    }
}

impl Drop for Tag {
    fn drop(&mut self) {
        docker(&["rmi", "--no-prune", &self.0]);
    }
}

/// Runs Docker's command line and returns its output; ignores failures, for example for resources that no longer exist.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("Docker's command line");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
