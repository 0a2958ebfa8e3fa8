//! Traps in a checkout for git, tools and other programs that devenv asks. Each trap leaves a mark when it runs.

use crate::sandbox::Sandbox;
use devenv::project::Budget;
use devenv::{dotenv, machine, manifest};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A checkout in git; its traps touch `mark`, a file next to the checkout.
struct Trapped {
    folder: tempfile::TempDir,
}

impl Trapped {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("checkout")).expect("the checkout");
        let trapped = Self { folder };
        git(&trapped.root(), &["init", "--quiet"]);
        trapped
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("checkout")
    }

    fn mark(&self) -> PathBuf {
        self.folder.path().join("mark")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the file's folder");
        fs::write(path, text).expect("a file");
    }

    /// Writes a program of the checkout that leaves the mark. Another process writes the file: a file that this process
    /// has open for writing cannot be executed while another test forks.
    fn program(&self, path: &str) {
        self.write(path, "");
        let script = format!(
            "printf '#!/bin/sh\\ntouch %s\\necho 9.9.9\\n' '{}' > \"$1\"; chmod +x \"$1\"",
            self.mark().display()
        );
        let written = Command::new("sh").args(["-c", &script, "sh"]).arg(self.root().join(path)).status();
        assert!(written.expect("a shell").success());
    }

    /// Whether the trap has run; resets the mark.
    fn is_sprung(&self) -> bool {
        fs::remove_file(self.mark()).is_ok()
    }
}

fn git(folder: &Path, arguments: &[&str]) -> bool {
    Command::new("git").arg("-C").arg(folder).args(arguments).output().expect("git on PATH").status.success()
}

#[test]
fn git_runs_nothing_that_a_bare_repository_in_the_checkout_names() {
    let trapped = Trapped::new();
    let bare = trapped.root().join("vendor/tool.git");
    fs::create_dir_all(&bare).expect("a folder");
    git(&bare, &["init", "--quiet", "--bare", "."]);
    let mark = trapped.mark();
    let config = format!(
        "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n\tfsmonitor = \"touch {}; false\"\n",
        mark.display()
    );
    trapped.write("vendor/tool.git/config", &config);
    git(&bare, &["-c", "safe.bareRepository=all", "status"]);
    assert!(trapped.is_sprung(), "the trap works");

    dotenv::git::status(&bare.join(".env"));
    let checkout = devenv::project::Checkout::at(&bare).expect("a checkout");
    dotenv::choose(&checkout, &dotenv::Wanted::of(".env")).expect("an env file");
    machine::git::tracked(&bare, &[PathBuf::from("package-lock.json")]);
    let _ = machine::git::history(&bare, &[], 0);
    machine::git::branch(&bare);
    machine::git::branches(&bare);
    machine::git::in_main_worktree(&bare);
    assert!(!trapped.is_sprung());
}

#[test]
fn git_runs_nothing_that_an_unpacked_repository_is_configured_with() {
    let trapped = Trapped::new();
    trapped.write("a.txt", "");
    git(&trapped.root(), &["add", "a.txt"]);
    let author = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
    git(&trapped.root(), &[&author[..], &["commit", "--quiet", "-m", "one"]].concat());
    git(&trapped.root(), &[&author[..], &["tag", "-am", "v1", "v1.0.0"]].concat());
    let touch = format!("touch {}; false", trapped.mark().display());
    for key in ["core.fsmonitor", "core.pager", "diff.external", "gpg.program", "core.sshCommand", "credential.helper"]
    {
        git(&trapped.root(), &["config", key, &touch]);
    }
    for (key, value) in [("log.showSignature", "true"), ("core.hooksPath", "hooks")] {
        git(&trapped.root(), &["config", key, value]);
    }
    trapped.program("hooks/post-index-change");
    git(&trapped.root(), &["status"]);
    assert!(trapped.is_sprung(), "the trap works");

    assert_eq!(dotenv::git::status(&trapped.root().join("a.txt")), dotenv::git::GitStatus::Tracked);
    assert!(machine::git::history(&trapped.root(), &[], 0).expect("an answer").is_some());
    assert!(machine::git::branch(&trapped.root()).is_some());
    assert!(!trapped.is_sprung());
}

#[test]
fn tools_run_nothing_that_files_of_the_checkout_name() {
    let trapped = Trapped::new();
    trapped.write("Dockerfile", "FROM rust:1.42\n");
    trapped.write("rust-toolchain.toml", "[toolchain]\npath = \"evil\"\n");
    trapped.program("evil/bin/rustc");
    trapped.write("package.json", "{\"packageManager\": \"yarn@9.9.9\"}");
    trapped.write(".yarnrc.yml", "\"yarnPath\": evil.cjs\n");
    trapped.write("pom.xml", "<project/>");
    for wrapper in ["mvnw", "gradlew", "evil.cjs"] {
        trapped.program(wrapper);
    }
    let pins = manifest::tools(&trapped.root(), &Budget::default()).expect("a project").pins;
    assert!(pins.iter().any(|pin| pin.tool.name == "rust"), "{pins:?}");
    machine::tools::found(&trapped.root(), &pins);
    assert!(!trapped.is_sprung());
}

#[test]
fn a_program_of_the_checkout_that_path_leads_to_is_not_asked() {
    let trapped = Trapped::new();
    trapped.program("bin/git");
    trapped.program("git");
    trapped.write("services.yaml", "services:\n  cache: {kind: redis, version: \"7.0.15\"}\n");
    let sandbox = Sandbox::new(&[]);
    let path = std::env::var("PATH").expect("PATH");
    let root = trapped.root();
    for first in [".", "bin", "", &root.join("bin").display().to_string()] {
        let mut command = sandbox.command(&["doctor", "--host", "unix:///nowhere/docker.sock"]);
        command.current_dir(&root).env("PATH", format!("{first}:{path}"));
        let output = command.output().expect("the program");
        assert!(String::from_utf8_lossy(&output.stdout).contains(".env"), "{output:?}");
        assert!(!trapped.is_sprung(), "{first}");
    }
}
