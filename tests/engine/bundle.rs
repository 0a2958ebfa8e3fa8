//! `devenv bundle`: locked images in one archive, verified when it is saved and when it is loaded.

use crate::project::{Sandbox, docker};
use crate::tiny_registry::{PROCESSOR, TinyRegistry};
use std::fs;

/// An image that only this engine has, built from another image by adding a label.
pub(crate) struct Made(String);

impl Made {
    pub(crate) fn of(base: &str, name: &str) -> Self {
        let container = docker(&["create", base]);
        let change = format!("LABEL made.for={name}");
        docker(&["commit", "--change", &change, container.trim(), name]);
        docker(&["rm", container.trim()]);
        Self(name.to_owned())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        std::process::Command::new("docker").args(["image", "rm", "--force", &self.0]).output().unwrap();
    }
}

#[test]
fn an_image_of_another_engine_comes_in_a_bundle_and_runs_as_locked() {
    let image = Made::of("redis:7.0.15", "bundled-redis:7.0");
    let compose = format!("services:\n  cache: {{image: \"{}\"}}\n", image.0);
    let project = Sandbox::new(&[("compose.yaml", &compose)]);
    let unlocked = project.fail(3, &["bundle", "save", "images.tar"]);
    assert!(unlocked.stderr.contains("there is no services.lock"), "{}", unlocked.stderr);
    assert!(!project.path("images.tar").exists());
    project.succeed(&["lock"]);
    let saved = project.succeed(&["bundle", "save", "images.tar"]);
    assert!(saved.stderr.contains("cache") && saved.stderr.contains("bundle load images.tar"), "{}", saved.stderr);

    // The other machine: neither the engine nor a registry has the image.
    docker(&["image", "rm", &image.0]);
    let refused = project.fail(5, &["up", "--locked"]);
    for part in ["services.lock", "built on another engine", "devenv bundle load", "compose.yaml:2"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    let loaded = project.succeed(&["bundle", "load", "images.tar"]);
    assert!(loaded.stderr.contains("devenv up"), "{}", loaded.stderr);
    project.succeed(&["up", "--locked"]);
    let runs = docker(&["inspect", "--format", "{{.Image}}", &project.container("cache")]);
    assert!(project.read("services.lock").contains(runs.trim()));
}

#[test]
fn an_image_of_a_registry_is_verified_from_its_index_down_and_then_needs_no_registry() {
    let registry = TinyRegistry::with_index("of a bundle", None);
    let name = format!("{}/library/postgres:16", registry.address);
    let compose = format!("services:\n  db: {{image: \"{name}\"}}\n");
    let project = Sandbox::new(&[("compose.yaml", &compose)]);
    project.succeed(&["lock"]);
    project.succeed(&["bundle", "save", "images.tar"]);
    let (pinned, hex) = (format!("{}@{}", name.trim_end_matches(":16"), registry.digest), &registry.digest[7..]);
    docker(&["image", "rm", "--force", &pinned]);
    let bundled = format!("devenv-bundle:{hex}");
    assert!(!docker(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).contains(&bundled));

    project.succeed(&["bundle", "load", "images.tar"]);
    let asked = registry.pulls();
    let plan = project.succeed(&["plan", "--json"]);
    assert!(!plan.stdout.contains("\"pull\""), "{}", plan.stdout);
    assert_eq!(registry.pulls(), asked);
    let architecture = docker(&["image", "inspect", "--format", "{{.Architecture}}", &bundled]);
    assert_eq!(architecture.trim(), PROCESSOR);
    docker(&["image", "rm", "--force", &bundled, &name]);
}

#[test]
fn a_bundle_of_other_bytes_or_for_another_lock_is_refused_and_nothing_of_it_loaded() {
    let image = Made::of("redis:7.0.15", "bundled-broken-redis:7.0");
    let compose = format!("services:\n  cache: {{image: \"{}\"}}\n", image.0);
    let project = Sandbox::new(&[("compose.yaml", &compose)]);
    project.succeed(&["lock"]);
    project.succeed(&["bundle", "save", "images.tar"]);
    docker(&["image", "rm", &image.0]);
    let whole = fs::read(project.path("images.tar")).unwrap();

    let is_here = || !docker(&["image", "ls", "--quiet", &image.0]).is_empty();
    let refused = |arguments: &[&str], code: i32, parts: &[&str]| {
        let told = project.fail(code, arguments);
        for part in parts {
            assert!(told.stderr.contains(part), "{part}: {}", told.stderr);
        }
        assert!(!is_here());
    };
    // Change one bit of a program in a layer.
    let mut other = whole.clone();
    let program = whole.windows(4).position(|bytes| bytes == b"\x7fELF").unwrap();
    other[program + 100] ^= 1;
    fs::write(project.path("other.tar"), &other).unwrap();
    refused(&["bundle", "load", "other.tar"], 5, &["cache", "layer", "is expected", "sha256:"]);
    fs::write(project.path("short.tar"), &whole[..whole.len() / 2]).unwrap();
    refused(&["bundle", "load", "short.tar"], 1, &["short.tar", "copied whole"]);
    fs::write(project.path("text.tar"), "no archive").unwrap();
    refused(&["bundle", "load", "text.tar"], 1, &["text.tar"]);
    refused(&["bundle", "load", "absent.tar"], 1, &["absent.tar"]);

    let before = project.read("services.lock");
    let id = before.split('"').find(|part| part.starts_with("sha256:")).unwrap().to_owned();
    let wanted = format!("sha256:{}", "1".repeat(64));
    project.write("services.lock", &before.replace(&id, &wanted));
    refused(&["bundle", "load", "images.tar"], 5, &[&id, &wanted, "compose.yaml:2"]);
    project.write("services.lock", &before);
    project.succeed(&["bundle", "load", "images.tar"]);
    assert!(is_here());
}

#[test]
fn a_lock_without_images_makes_no_bundle() {
    let project = Sandbox::new(&[
        ("services.yaml", "name: shop\nservices: {}\n"),
        ("services.lock", "version: 1\nservices: {}\n"),
    ]);
    let refused = project.fail(3, &["bundle", "save", "images.tar"]);
    assert!(refused.stderr.contains("no image to carry"), "{}", refused.stderr);
}

/// One entry of an archive, of any type.
fn entry(path: &str, kind: tar::EntryType, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_path(path).unwrap();
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = [header.as_bytes(), content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn an_image_that_was_put_into_a_bundle_beside_the_locked_ones_does_not_reach_the_engine() {
    let image = Made::of("redis:7.0.15", "bundled-smuggled-redis:7.0");
    let compose = format!("services:\n  cache: {{image: \"{}\"}}\n", image.0);
    let project = Sandbox::new(&[("compose.yaml", &compose)]);
    project.succeed(&["lock"]);
    project.succeed(&["bundle", "save", "images.tar"]);
    docker(&["image", "rm", &image.0]);
    let whole = fs::read(project.path("images.tar")).unwrap();
    let end = tar::Archive::new(whole.as_slice()).entries().unwrap().fold(0, |_, entry| {
        let entry = entry.unwrap();
        entry.raw_file_position() + entry.size().next_multiple_of(512)
    });
    let with = |more: &[Vec<u8>]| [&whole[..usize::try_from(end).unwrap()], &more.concat(), &[0; 1024]].concat();

    // Another image with a name of its own: its configuration, and the list that names it in the format of older
    // engines.
    let name = "devenv-test/smuggled";
    let config = br#"{"os":"linux","architecture":"amd64","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#;
    let list = format!(r#"[{{"Config":"smuggled.json","RepoTags":["{name}:latest"],"Layers":[]}}]"#);
    let regular = tar::EntryType::Regular;
    let sparse = [" GNU.sparse.major=1\n", " GNU.sparse.minor=0\n", " GNU.sparse.name=manifest.json\n"];
    let sparse = sparse.map(|record| format!("{}{record}", record.len() + 2)).concat();
    let hidden = with(&[
        entry("smuggled.json", regular, config),
        entry("PaxHeaders/x", tar::EntryType::XHeader, sparse.as_bytes()),
        entry("GNUSparseFile.0/harmless", regular, &[b"0\n".as_slice(), &[0; 510], list.as_bytes()].concat()),
    ]);
    fs::write(project.path("hidden.tar"), hidden).unwrap();
    let refused = project.fail(1, &["bundle", "load", "hidden.tar"]);
    assert!(refused.stderr.contains("hidden.tar") && refused.stderr.contains("GNU.sparse"), "{}", refused.stderr);
    let named = |name: &str| docker(&["image", "ls", "--quiet", name]);
    assert_eq!((named(name), named(&image.0)), (String::new(), String::new()));

    // An archive may contain entries that no list names; devenv does not load them.
    let repositories = format!(r#"{{"{name}":{{"latest":"smuggled"}}}}"#);
    let beside = with(&[
        entry("smuggled.json", regular, config),
        entry("smuggled/json", regular, config),
        entry("repositories", regular, repositories.as_bytes()),
    ]);
    fs::write(project.path("beside.tar"), beside).unwrap();
    project.succeed(&["bundle", "load", "beside.tar"]);
    assert_eq!(named(name), "");
    assert_ne!(named(&image.0), "", "the locked one is there");

    // devenv does not wait for a pipe in place of the file.
    assert!(std::process::Command::new("mkfifo").arg(project.path("pipe.tar")).status().unwrap().success());
    let pipe = project.fail(1, &["bundle", "load", "pipe.tar"]);
    assert!(pipe.stderr.contains("pipe.tar") && pipe.stderr.contains("a FIFO"), "{}", pipe.stderr);
}
