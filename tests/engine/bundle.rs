//! `devenv bundle`: locked images as one archive, proven on both ends.

use crate::project::{Sandbox, docker};
use crate::tiny_registry::{PROCESSOR, TinyRegistry};
use std::fs;

/// An image of this engine alone, made from another by a label.
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

    // The other machine: the image is not there, and nobody has it.
    docker(&["image", "rm", &image.0]);
    let refused = project.fail(5, &["up", "--locked"]);
    for part in ["services.lock", "made on another engine", "devenv bundle load", "compose.yaml:2"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    let loaded = project.succeed(&["bundle", "load", "images.tar"]);
    assert!(loaded.stderr.contains("devenv up"), "{}", loaded.stderr);
    project.succeed(&["up", "--locked"]);
    let runs = docker(&["inspect", "--format", "{{.Image}}", &project.container("cache")]);
    assert!(project.read("services.lock").contains(runs.trim()));
}

#[test]
fn what_a_registry_has_is_proven_from_its_index_down_and_needs_no_registry_any_more() {
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
    // One bit of a program in a layer.
    let mut other = whole.clone();
    let program = whole.windows(4).position(|bytes| bytes == b"\x7fELF").unwrap();
    other[program + 100] ^= 1;
    fs::write(project.path("other.tar"), &other).unwrap();
    refused(&["bundle", "load", "other.tar"], 5, &["cache", "layer", "should be", "sha256:"]);
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
