//! Languages, tools and lock files of a real project on this machine.

use devenv::model::{Difference, FoundTool};
use devenv::project::Budget;
use devenv::{machine, manifest, parity};
use std::path::{Path, PathBuf};
use std::process::Command;

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the file's folder");
        std::fs::write(path, text).expect("a file");
    }
    folder
}

fn differences(root: &Path) -> Vec<Difference> {
    let tools = manifest::tools(root, &Budget::default()).expect("a project");
    let found = machine::tools::found(root, &tools.pins);
    let locks: Vec<PathBuf> = tools.packages.iter().filter_map(|file| file.lock.clone()).collect();
    let mut all = parity::tools::differences(&tools.pins, &found);
    all.extend(parity::tools::lock_files(&tools.packages, machine::git::tracked(root, &locks).as_ref()));
    all
}

/// The version of the compiler that builds these tests.
fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output().expect("rustc on PATH");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.split_whitespace().nth(1).expect("a version").to_owned()
}

#[test]
fn another_release_on_this_machine_is_reported_with_the_line_that_pins_it() {
    let root = project(&[
        ("Dockerfile", "FROM rust:1.42 AS build\nFROM scratch\nCOPY --from=build /app /app\n"),
        ("Cargo.toml", "[package]\nname = \"shop\"\nrust-version = \"1.41\"\n"),
    ]);
    let found = differences(root.path());
    let [difference] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((difference.code, difference.subject.as_str()), ("tool-version", "rust"));
    assert_eq!(difference.said[0].value, "1.42");
    assert_eq!(difference.said[1].value, rustc());
    assert_eq!(difference.origin.as_ref().expect("a place").to_string(), "Dockerfile:1:6");
}

#[test]
fn the_same_release_is_no_difference_and_nothing_else_is_asked() {
    let dockerfile = format!("FROM rust:{}-slim\n", rustc());
    let root = project(&[("Dockerfile", &dockerfile)]);
    let tools = manifest::tools(root.path(), &Budget::default()).expect("a project");
    let found = machine::tools::found(root.path(), &tools.pins);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [((PathBuf::new(), "rust"), FoundTool::Version(rustc()))]);
    assert_eq!(differences(root.path()), []);
}

#[test]
fn a_lock_file_counts_once_git_has_it() {
    let root = project(&[("package.json", "{\"dependencies\": {\"left-pad\": \"^1\"}}")]);
    let git = |arguments: &[&str]| {
        let status = Command::new("git").args(arguments).current_dir(root.path()).status().expect("git on PATH");
        assert!(status.success(), "git {arguments:?}");
    };
    let codes = || differences(root.path()).iter().map(|difference| difference.code).collect::<Vec<_>>();
    git(&["init", "-q"]);
    assert_eq!(codes(), ["package-lock-missing"]);
    std::fs::write(root.path().join("package-lock.json"), "{}").expect("a lock file");
    assert_eq!(codes(), ["package-lock-uncommitted"]);
    git(&["add", "package-lock.json"]);
    assert_eq!(codes(), [""; 0]);
}

#[test]
fn a_stand_in_is_reported_for_the_service_that_the_manifest_declares() {
    let root = project(&[
        (
            "compose.yaml",
            "services:\n  db: {image: \"postgres:16.4\", environment: {POSTGRES_PASSWORD: \"${DB_PASSWORD}\"}}\n  \
             web: {image: acme/shop, environment: {DATABASE_URL: \"postgres://postgres:${DB_PASSWORD}@db/postgres\"}}\n",
        ),
        ("config/database.yml", "development:\n  adapter: sqlite3\nproduction:\n  url: <%= ENV[\"DATABASE_URL\"] %>\n"),
    ]);
    let request = manifest::Request { folder: root.path().to_owned(), folder_is_root: true, ..Default::default() };
    let reading = manifest::read(&request).expect("a manifest");
    let found = manifest::adapters(&reading.root, &reading.stack, &reading.kinds, &reading.budget);
    let (found, told) = found.expect("a project");
    assert_eq!(told, [], "all of it is read");
    let [difference] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((difference.service.as_str(), difference.said[0].value.as_str()), ("db", "Postgres 16.4"));
    assert_eq!(difference.origin.as_ref().expect("a place").to_string(), "config/database.yml:2:12");
    assert!(difference.help[0].contains("ENV[\"DATABASE_URL\"]"), "{:?}", difference.help);
}
