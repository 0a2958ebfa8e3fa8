//! `devenv lock`, `update` and `up` over a registry on loopback, and over images of this engine.

use crate::project::{Sandbox, Tag, docker};
use crate::tiny_registry::TinyRegistry;

#[test]
fn an_image_of_this_engine_is_locked_by_its_id_and_kept_when_its_tag_moves() {
    let image = Tag::of("redis:8.0.2", "locked-redis", "8.0");
    let compose = format!("services:\n  cache: {{image: \"{}\"}}\n", image.0);
    let project = Sandbox::new(&[("compose.yaml", &compose)]);
    let id = docker(&["image", "inspect", "--format", "{{.Id}}", &image.0]);
    project.succeed(&["up"]);
    let container = project.container("cache");

    project.succeed(&["lock"]);
    assert!(project.read("services.lock").contains(id.trim()));
    project.succeed(&["up", "--locked"]);
    assert_eq!(project.container("cache"), container, "what runs already as it is locked goes on");

    image.give("redis:7.0.15");
    let moved = docker(&["image", "inspect", "--format", "{{.Id}}", &image.0]);
    let kept = project.succeed(&["up", "--locked"]);
    assert_eq!(project.container("cache"), container);
    for part in [id.trim(), moved.trim(), "devenv update cache"] {
        assert!(kept.stderr.contains(part), "{part}: {}", kept.stderr);
    }

    let updated = project.succeed(&["update", "cache"]);
    assert!(updated.stderr.contains(" -> "), "{}", updated.stderr);
    assert!(project.read("services.lock").contains(moved.trim()));
    project.succeed(&["lock", "--check"]);
}

#[test]
fn a_digest_comes_from_the_registry_without_a_pull() {
    let registry = TinyRegistry::start("of the lock");
    let compose = format!("services:\n  db: {{image: \"{}/library/postgres:16\"}}\n", registry.address);
    let project = Sandbox::new(&[("compose.yaml", &compose)]);
    project.succeed(&["lock"]);
    let lock = project.read("services.lock");
    assert!(lock.contains(&registry.digest), "{lock}");
    let name = format!("{}/library/postgres:16", registry.address);
    assert_eq!(docker(&["image", "ls", "--quiet", &name]), "", "nothing was pulled");
    let asked = registry.pulls();
    project.succeed(&["lock"]);
    assert_eq!((registry.pulls(), project.read("services.lock")), (asked, lock), "nothing moved, nobody was asked");
}

#[test]
fn an_image_that_is_not_made_for_the_wanted_platform_is_not_locked() {
    let registry = TinyRegistry::start("of another platform");
    let compose = format!(
        "services:\n  db:\n    image: \"{}/library/postgres:16\"\n    platform: linux/s390x\n",
        registry.address
    );
    let project = Sandbox::new(&[("compose.yaml", &compose)]);
    let refused = project.fail(5, &["lock"]);
    for part in ["linux/s390x", "compose.yaml:3", &registry.digest] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert!(!project.path("services.lock").exists());
}

#[test]
fn a_registry_that_answers_a_locked_digest_with_other_content_is_refused() {
    let registry = TinyRegistry::start("of a registry that lies");
    let compose = format!("services:\n  db: {{image: \"{}/library/postgres:16\"}}\n", registry.address);
    let project = Sandbox::new(&[("compose.yaml", &compose)]);
    project.succeed(&["lock"]);
    // What the registry had when it was locked; it answers every digest with what it has now.
    let before = format!("sha256:{}", "1".repeat(64));
    project.write("services.lock", &project.read("services.lock").replace(&registry.digest, &before));
    let refused = project.fail(5, &["up", "--locked"]);
    assert!(refused.stderr.contains(&before), "{}", refused.stderr);
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("ancestor={before}")]), "");
    // Asked for what is new, the registry's own answer is shown beside the locked one.
    let updated = project.succeed(&["update"]);
    for part in [&before[..19], " -> ", &registry.digest[..19]] {
        assert!(updated.stderr.contains(part), "{part}: {}", updated.stderr);
    }
    assert!(project.read("services.lock").contains(&registry.digest));
}
