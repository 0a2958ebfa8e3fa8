//! Git's answers about real repositories: releases, commits that wait for a release, taggers.

use devenv::machine::git::{history, tracked};
use devenv::model::{Located, Origin, SourceFile};
use devenv::parity::{people, time};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const DAY: i64 = 24 * 60 * 60;
/// The time that the tests use as the current time.
const NOW: i64 = 20_000 * DAY;

/// A temporary repository, without any user's configuration.
struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    fn new() -> Self {
        let repository = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        repository.git(&["init", "-q", "-b", "main"], 0, "ann");
        repository
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs git with a date some days before the current time, as this author.
    fn git(&self, arguments: &[&str], days_ago: i64, who: &str) -> String {
        let date = format!("@{} +0000", NOW - days_ago * DAY);
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.path());
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), who).env(format!("GIT_{role}_EMAIL"), format!("{who}@example.com"));
            command.env(format!("GIT_{role}_DATE"), &date);
        }
        let output = command.output().expect("git on PATH");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn commit(&self, message: &str, days_ago: i64, who: &str) -> String {
        self.git(&["commit", "-q", "--allow-empty", "-m", message], days_ago, who);
        self.git(&["rev-parse", "HEAD"], 0, who)
    }

    fn release(&self, tag: &str, days_ago: i64, who: &str) {
        self.git(&["tag", "-a", tag, "-m", tag], days_ago, who);
    }
}

fn named(revisions: &[&str]) -> Vec<Located<String>> {
    let file = Arc::new(SourceFile { path: "compose.yaml".into(), text: String::new() });
    revisions.iter().map(|revision| Located::new((*revision).to_owned(), Origin::start_of(&file))).collect()
}

fn since() -> i64 {
    NOW - i64::from(people::DAYS) * DAY
}

#[test]
fn without_a_repository_or_a_release_there_is_nothing_to_tell() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert_eq!(history(folder.path(), &[], since()), Ok(None));
    let repository = Repository::new();
    assert_eq!(history(repository.path(), &[], since()), Ok(None));
    repository.commit("one", 3, "ann");
    repository.git(&["tag", "notes"], 3, "ann");
    repository.git(&["tag", "v1.0-rc.1"], 3, "ann");
    assert_eq!(history(repository.path(), &[], since()), Ok(None));
}

#[test]
fn commits_after_the_newest_release_wait() {
    let repository = Repository::new();
    repository.commit("one", 50, "ann");
    repository.release("v1.9", 45, "ann");
    repository.commit("two", 40, "ann");
    repository.release("v1.10", 35, "ann");
    repository.commit("three", 12, "ben");
    repository.commit("four", 2, "ann");
    // A later release of an older line, on a branch that is not merged into the main branch.
    repository.git(&["checkout", "-q", "-b", "old-line", "v1.9"], 0, "ann");
    repository.commit("backport", 1, "ann");
    repository.release("v1.9.1", 1, "ann");

    let history = history(repository.path(), &[], since()).expect("git answers").expect("releases");
    let gap = time::gap(&history, NOW);
    assert_eq!((gap.main.as_str(), gap.deployed.as_str(), gap.named_at), ("main", "v1.10", None));
    assert_eq!((gap.commits, gap.oldest_days), (2, Some(12)));
}

#[test]
fn a_merge_brings_its_commits_when_it_is_made() {
    let repository = Repository::new();
    repository.commit("one", 50, "ann");
    repository.git(&["tag", "1.0.0"], 45, "ann");
    repository.git(&["checkout", "-q", "-b", "feature"], 0, "ann");
    repository.commit("long in the making", 40, "ben");
    repository.commit("finished", 30, "ben");
    repository.git(&["checkout", "-q", "main"], 0, "ann");
    repository.git(&["merge", "-q", "--no-ff", "-m", "merge", "feature"], 5, "ann");

    let history = history(repository.path(), &[], since()).expect("git answers").expect("releases");
    let gap = time::gap(&history, NOW);
    assert_eq!((gap.commits, gap.oldest_days), (2, Some(5)));
}

#[test]
fn nothing_waits_where_the_newest_commit_is_released() {
    let repository = Repository::new();
    repository.commit("one", 50, "ann");
    repository.release("release-7", 1, "ann");
    let history = history(repository.path(), &[], since()).expect("git answers").expect("releases");
    let gap = time::gap(&history, NOW);
    assert_eq!((gap.deployed.as_str(), gap.commits, gap.oldest_days), ("release-7", 0, None));
}

#[test]
fn the_manifests_revision_wins_over_the_newest_tag_and_the_furthest_behind_counts() {
    let repository = Repository::new();
    let first = repository.commit("one", 50, "ann");
    repository.release("v1.0", 49, "ann");
    let second = repository.commit("two", 40, "ann");
    repository.commit("three", 8, "ann");
    repository.release("v1.1", 7, "ann");

    let deployed = |revisions: &[&str]| {
        let history = history(repository.path(), &named(revisions), since()).expect("git answers").expect("releases");
        let gap = time::gap(&history, NOW);
        (gap.deployed, gap.named_at, gap.commits)
    };
    let place = Some("compose.yaml:1:1".to_owned());
    assert_eq!(deployed(&[&second[..8]]), (second[..8].to_owned(), place.clone(), 1));
    assert_eq!(deployed(&["1.0"]), ("1.0".to_owned(), place.clone(), 2));
    assert_eq!(deployed(&[&second, &first]), (first, place, 2));
    // A release of another project, and an id that does not exist here.
    assert_eq!(deployed(&["10.4.1", "deadbeef", "--help"]), ("v1.1".to_owned(), None, 0));
}

#[test]
fn the_remotes_main_branch_counts_and_a_shallow_clone_says_that_it_cannot_tell() {
    let upstream = Repository::new();
    upstream.commit("one", 50, "ann");
    upstream.release("v1.0", 49, "ann");
    upstream.commit("two", 4, "ann");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("file://{}", upstream.path().display());
    let clone = |name: &str, options: &[&str]| {
        let arguments = [&["clone", "-q"], options, &[url.as_str(), name]].concat();
        let cloned = Command::new("git").args(arguments).current_dir(folder.path()).status().expect("git on PATH");
        assert!(cloned.success());
        folder.path().join(name)
    };
    let whole = history(&clone("whole", &[]), &[], since()).expect("git answers").expect("releases");
    let gap = time::gap(&whole, NOW);
    assert_eq!((gap.main.as_str(), gap.commits, gap.oldest_days), ("origin/main", 1, Some(4)));

    let shallow = clone("shallow", &["--depth", "1"]);
    let fetched = Command::new("git").args(["fetch", "-q", "--depth", "1", "--tags"]).current_dir(&shallow).status();
    assert!(fetched.expect("git on PATH").success());
    let refused = history(&shallow, &[], since()).expect_err("it cannot tell");
    assert_eq!(refused.code, "git-shallow");
    assert!(refused.help[0].contains("git fetch --unshallow --tags"), "{refused:?}");
}

#[test]
fn a_repository_that_git_refuses_is_reported_with_git_s_message() {
    let repository = Repository::new();
    std::fs::write(repository.path().join(".git/HEAD"), "broken").expect("a broken repository");
    let refused = history(repository.path(), &[], since()).expect_err("git refuses");
    assert_eq!(refused.code, "git");
    assert!(refused.message.contains("for-each-ref") && refused.notes[0].contains("fatal"), "{refused:?}");
}

#[test]
fn only_shares_of_people_are_reported_and_a_mailmap_joins_addresses() {
    let repository = Repository::new();
    std::fs::write(repository.path().join(".mailmap"), "Ann <ann@example.com> <ann-at-home@example.com>\n")
        .expect("a file");
    repository.commit("old", 200, "ann");
    repository.commit("one", 60, "ann");
    repository.commit("two", 50, "ben");
    repository.release("v1.0", 45, "ann-at-home");
    repository.commit("three", 40, "ben");
    repository.git(&["tag", "v1.1"], 35, "ben");
    repository.commit("four", 3, "ben");

    let history = history(repository.path(), &[], since()).expect("git answers").expect("releases");
    let gap = people::gap(&history, NOW).expect("commits");
    assert_eq!((gap.commits, gap.released_percent, gap.told_percent), (4, 75, 50));
    assert_eq!(gap.author_released_percent, Some(50));
    let json = serde_json::to_string(&gap).expect("JSON");
    assert!(!json.contains("ann") && !json.contains('@'), "{json}");
}

#[test]
fn files_in_gits_index_are_known() {
    let repository = Repository::new();
    for name in ["package-lock.json", "yarn.lock", "*.lock"] {
        std::fs::write(repository.path().join(name), "").expect("a file");
    }
    repository.git(&["add", "package-lock.json"], 0, "ann");
    let asked = |paths: &[&str]| tracked(repository.path(), &paths.iter().map(PathBuf::from).collect::<Vec<_>>());
    let found = asked(&["package-lock.json", "yarn.lock", "*.lock", "absent"]).expect("a repository");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [PathBuf::from("package-lock.json")]);
    assert_eq!(tracked(tempfile::tempdir().expect("a folder").path(), &[PathBuf::from("x")]), None);
}
