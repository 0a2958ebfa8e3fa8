//! Data that follows git: each branch of a checkout continues with its own data, and a new worktree begins with the
//! data of the main worktree.

use crate::client::redis;
use crate::engine_proxy::Moment;
use crate::killed_data::{STRIDE, killed};
use crate::layers::{both, read, write};
use crate::project::{Outcome, Sandbox, docker};
use std::path::Path;
use std::process::Command;

const STACK: &str = r#"
name: shop
services:
  db: { kind: postgres, version: "15.18", databases: [shop] }
  cache: { kind: redis, version: "7.0.15", settings: { save: "" } }
variables:
  DATABASE_URL: ${db.url}
  REDIS_URL: ${cache.url}
"#;

/// Two fast services: the behaviour of several services together does not depend on their kind. Both servers save their
/// data when they are stopped, and a killed run may have requested the stop.
const SMALL: &str = r#"
name: shop
services:
  db: { kind: redis, version: "7.0.15" }
  cache: { kind: redis, version: "7.0.15" }
variables:
  DB_URL: ${db.url}
  REDIS_URL: ${cache.url}
"#;

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main"]);
    let done = command.args(arguments).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn repository(stack: &str, local: &str) -> Sandbox {
    let project = Sandbox::new(&[("services.yaml", stack), (".gitignore", ".env\nservices.local.yaml\n")]);
    git(&project.root(), &["init", "--quiet"]);
    git(&project.root(), &["add", "."]);
    git(&project.root(), &["commit", "--quiet", "--message", "A project"]);
    project.write("services.local.yaml", local);
    project
}

fn run(project: &Sandbox, way: &str, arguments: &[&str]) -> Outcome {
    let outcome = Outcome::of(&project.command(arguments).env("DEVENV_LAYERS", way).output().unwrap());
    assert_eq!(outcome.code, 0, "devenv {arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
    outcome
}

/// Prunes volumes without references, of this project only: other projects use the same engine.
fn prune(project: &Sandbox) {
    let filter = format!("label=dev.devenv.root={}", project.root().canonicalize().unwrap().display());
    docker(&["volume", "prune", "--force", "--filter", &filter]);
}

/// Switches to a branch and runs `up`.
fn switch(project: &Sandbox, way: &str, arguments: &[&str]) -> String {
    git(&project.root(), &[&["switch", "--quiet"], arguments].concat());
    run(project, way, &["up"]).stderr
}

#[test]
fn each_git_branch_continues_with_its_own_data() {
    for way in ["overlay", "copy"] {
        let project = repository(STACK, "branch: git\n");
        run(&project, way, &["up"]);
        write(&project, "one");
        let url = project.env()["DATABASE_URL"].clone();
        let begins = switch(&project, way, &["--create", "feature/x"]);
        assert!(begins.contains("branch feature/x begins with the data of main: cache, db"), "{begins}");
        assert_eq!(read(&project), both("one"));
        assert_eq!(project.env()["DATABASE_URL"], url, "one .env for all branches");
        write(&project, "two");
        let back = switch(&project, way, &["main"]);
        assert!(back.contains("the data of branch main, no longer of feature/x: cache, db"), "{back}");
        assert_eq!(read(&project), both("one"));
        write(&project, "three");
        git(&project.root(), &["switch", "--quiet", "feature/x"]);
        let status = run(&project, way, &["status"]).stdout;
        assert!(status.contains("data of branch main; git is on feature/x: `devenv up` switches to it"), "{status}");
        run(&project, way, &["up"]);
        assert_eq!(read(&project), both("two"));
        let status = project.succeed(&["status", "--json"]).json();
        assert_eq!(status["branch"], "feature/x", "{status}");
        assert_eq!(run(&project, way, &["up"]).stderr.matches("branch").count(), 0, "nothing to switch to");

        // Switching back and forth adds no volumes.
        let volumes = project.volumes();
        for branch in ["main", "feature/x", "main"] {
            switch(&project, way, &[branch]);
        }
        assert_eq!(project.volumes(), volumes);
        assert_eq!(read(&project), both("three"));

        // With a detached HEAD, the data stays the same; a stopped environment keeps its data too.
        switch(&project, way, &["--detach"]);
        assert_eq!(read(&project), both("three"));
        run(&project, way, &["down"]);
        prune(&project);
        switch(&project, way, &["feature/x"]);
        assert_eq!(read(&project), both("two"));
        prune(&project);
        switch(&project, way, &["main"]);
        assert_eq!(read(&project), both("three"));

        // Snapshots and resets affect the branch that is checked out.
        run(&project, way, &["snapshot", "save", "saved"]);
        switch(&project, way, &["feature/x"]);
        run(&project, way, &["reset", "--yes"]);
        assert_eq!(read(&project), (String::new(), "nil".to_owned()));
        switch(&project, way, &["main"]);
        assert_eq!(read(&project), both("three"));
        // The switch happened in git only: devenv records the data of the old branch before it begins other data.
        write(&project, "four");
        git(&project.root(), &["switch", "--quiet", "feature/x"]);
        run(&project, way, &["snapshot", "restore", "saved", "--yes"]);
        assert_eq!(read(&project), both("three"));
        switch(&project, way, &["main"]);
        assert_eq!(read(&project), both("four"));
        run(&project, way, &["snapshot", "rm", "saved", "--yes"]);
        assert_eq!(read(&project), both("four"));

        run(&project, way, &["down", "--volumes", "--yes"]);
        assert_eq!(project.on_the_engine(), Vec::<String>::new());
    }
}

#[test]
fn the_data_of_deleted_branches_is_removed_only_on_request() {
    for way in ["overlay", "copy"] {
        let project = repository(STACK, "branch: git\n");
        run(&project, way, &["up"]);
        write(&project, "one");
        switch(&project, way, &["--create", "old"]);
        write(&project, "old");
        switch(&project, way, &["--create", "new"]);
        write(&project, "new");
        switch(&project, way, &["main"]);
        git(&project.root(), &["branch", "--quiet", "-D", "old"]);
        let volumes = project.volumes();
        if way == "overlay" {
            let gc = run(&project, way, &["gc"]);
            assert!(!gc.stderr.contains("branches that are gone"), "`new` is layered on it: {gc:?}");
        }
        git(&project.root(), &["branch", "--quiet", "-D", "new"]);
        let gc = run(&project, way, &["gc"]);
        assert!(gc.stderr.contains("branches that are gone (new, old): `devenv gc --branches` removes it"), "{gc:?}");
        let shown = run(&project, way, &["gc", "--branches", "--dry-run"]);
        assert!(shown.stdout.contains("its branch is gone"), "{shown:?}");
        assert!(project.run(&["gc", "--branches"]).stderr.contains("there is no terminal to ask on"));
        assert_eq!(project.volumes(), volumes, "nothing was asked for");
        run(&project, way, &["gc", "--branches", "--yes"]);
        assert!(project.volumes().len() < volumes.len());
        prune(&project);
        assert_eq!(read(&project), both("one"));
        run(&project, way, &["down"]);
        prune(&project);
        run(&project, way, &["up"]);
        assert_eq!(read(&project), both("one"));
        run(&project, way, &["down", "--volumes", "--yes"]);
        assert_eq!(project.on_the_engine(), Vec::<String>::new());
    }
}

#[test]
fn a_switch_killed_at_any_change_leaves_every_branch_its_data() {
    const MAX_CHANGES: usize = 60;
    for (way, moment, first) in [("overlay", Moment::After, 1), ("copy", Moment::Before, 2)] {
        let project = repository(SMALL, "branch: git\n");
        run(&project, way, &["up"]);
        let (mut branch, mut left, mut changes) = ("main".to_owned(), Vec::new(), 0);
        for number in (first..).step_by(STRIDE) {
            assert!(number < MAX_CHANGES, "more than {MAX_CHANGES} changes");
            let (next, at) = (format!("b{number}"), format!("{way}, killed {moment:?} change {number}"));
            let (before, after) = (format!("before {number}"), format!("after {number}"));
            write_keys(&project, &before);
            git(&project.root(), &["switch", "--quiet", "--create", &next]);
            let was_killed = killed(&project, way, &["up"], number, moment);
            switch(&project, way, &[&branch]);
            assert_eq!(keys(&project), both(&before), "{at}");
            write_keys(&project, &after);
            switch(&project, way, &[&next]);
            let found = keys(&project);
            assert!(found == both(&before) || found == both(&after), "{found:?} {at}");
            left.push((branch, after));
            branch = next;
            if !was_killed {
                break;
            }
            changes = number;
        }
        assert!(changes > 5, "it was hardly killed");
        for (branch, word) in [left.remove(0), left.remove(left.len() / 2)] {
            switch(&project, way, &[&branch]);
            assert_eq!(keys(&project), both(&word), "{branch} in the end");
        }
    }
}

fn write_keys(project: &Sandbox, word: &str) {
    let env = project.env();
    for name in ["DB_URL", "REDIS_URL"] {
        redis(&env[name], &["SET", "k", word]);
    }
}

fn keys(project: &Sandbox) -> (String, String) {
    let env = project.env();
    let [one, two] = ["DB_URL", "REDIS_URL"].map(|name| redis(&env[name], &["GET", "k"]).concat());
    (one, two)
}

#[test]
fn a_new_worktree_begins_with_the_main_one_s_data_where_that_is_said() {
    let project = repository(STACK, "branch: worktree\n");
    let tree = |name: &str| {
        let folder = project.path(format!("../{name}"));
        git(&project.root(), &["worktree", "add", "--quiet", "-b", name, folder.to_str().unwrap()]);
        folder.canonicalize().unwrap().display().to_string()
    };
    let empty = tree("empty");
    let begun = project.succeed(&["up", "-C", &empty]);
    assert!(begun.stderr.contains("has no data to begin with"), "{}", begun.stderr);
    project.succeed(&["up"]);
    write(&project, "one");
    let second = tree("second");
    let begun = project.succeed(&["up", "-C", &second]);
    assert!(begun.stderr.contains("begins with the data of"), "{}", begun.stderr);
    let asked = ["-C", &second, "--quiet", "shell", "db", "--", "psql", "-At", "-c", "SELECT x FROM t"];
    assert_eq!(project.succeed(&asked).stdout.trim(), "one");
    write(&project, "two");
    let again = project.succeed(&["up", "-C", &second]);
    assert!(!again.stderr.contains("begins with"), "it has data of its own: {}", again.stderr);
    assert_eq!(project.succeed(&asked).stdout.trim(), "one");
    let fourth = tree("fourth");
    let ran = project.succeed(&["run", "-C", &fourth, "--", "true"]);
    assert!(ran.stderr.contains("begins with the data of"), "{}", ran.stderr);
    // The worktree's own file takes precedence over the main worktree's file.
    let third = tree("third");
    std::fs::write(Path::new(&third).join("services.local.yaml"), "branch: git\n").unwrap();
    let begun = project.succeed(&["up", "-C", &third]);
    assert!(!begun.stderr.contains("begins with the data of"), "{}", begun.stderr);
    for folder in [&fourth, &third, &second, &empty] {
        project.succeed(&["down", "-C", folder, "--volumes", "--yes"]);
    }
}

#[test]
fn a_word_that_data_cannot_follow_is_refused() {
    let project = repository(STACK, "branch: gti\n");
    let refused = project.fail(3, &["up"]);
    assert!(refused.stderr.contains("data cannot follow `gti`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("services.local.yaml:1:9"), "{}", refused.stderr);
}
