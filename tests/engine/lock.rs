//! `devenv lock`, `update` and `up` with a registry on loopback, and with images of this engine.

use crate::project::{Sandbox, Tag, docker};
use crate::tiny_registry::{ELSEWHERE, PROCESSOR, TinyRegistry, Trouble};

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
    assert_eq!(project.container("cache"), container, "a container that runs as locked keeps running");

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
    assert_eq!(
        (registry.pulls(), project.read("services.lock")),
        (asked, lock),
        "nothing changed, no registry was asked"
    );
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
    // A digest that the registry had at the time of the lock; the registry answers every digest with its current image.
    let before = format!("sha256:{}", "1".repeat(64));
    project.write("services.lock", &project.read("services.lock").replace(&registry.digest, &before));
    let refused = project.fail(5, &["up", "--locked"]);
    assert!(refused.stderr.contains(&before), "{}", refused.stderr);
    assert_eq!(docker(&["ps", "-aq", "--filter", &format!("ancestor={before}")]), "");
    // `update` asks for the newest image and shows the registry's answer beside the locked image.
    let updated = project.succeed(&["update"]);
    for part in [&before[..19], " -> ", &registry.digest[..19]] {
        assert!(updated.stderr.contains(part), "{part}: {}", updated.stderr);
    }
    assert!(project.read("services.lock").contains(&registry.digest));
}

fn postgres_of(registry: &TinyRegistry) -> Sandbox {
    let compose = format!("services:\n  db: {{image: \"{}/library/postgres:16\"}}\n", registry.address);
    Sandbox::new(&[("compose.yaml", &compose)])
}

#[test]
fn the_digest_of_each_platform_and_the_exact_release_are_locked_without_a_pull() {
    let registry = TinyRegistry::with_index("of an index", None);
    let project = postgres_of(&registry);
    let told = project.succeed(&["lock"]);
    let lock = project.read("services.lock");
    for line in [
        "version: \"16.4\"".to_owned(),
        format!("digest: \"{}\"", registry.digest),
        format!("\"linux/{PROCESSOR}\": \"{}\"", registry.manifest),
        format!("\"linux/s390x\": \"{ELSEWHERE}\""),
    ] {
        assert!(lock.contains(&line), "{line}\n{lock}");
    }
    assert!(told.stderr.contains("16.4"), "{}", told.stderr);
    // A registry without an index has one platform.
    let single = TinyRegistry::start("of no index");
    let project = postgres_of(&single);
    project.succeed(&["lock"]);
    let line = format!("\"linux/{PROCESSOR}\": \"{}\"", single.digest);
    assert!(project.read("services.lock").contains(&line), "{}", project.read("services.lock"));
}

#[test]
fn a_platform_that_an_index_lacks_is_refused_with_those_it_has() {
    let registry = TinyRegistry::with_index("of an index without it", None);
    let project = postgres_of(&registry);
    project.write("compose.yaml", &project.read("compose.yaml").replace("16\"", "16\", platform: linux/riscv64"));
    let refused = project.fail(5, &["lock"]);
    for part in ["linux/riscv64", "compose.yaml:2", &registry.digest, "linux/s390x"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
}

#[test]
fn a_login_by_token_is_made_with_docker_s_own_credentials() {
    // `me:pw` of config.json.
    let registry = TinyRegistry::with_index("of a token", Some(Trouble::Token("Basic bWU6cHc=")));
    let project = postgres_of(&registry);
    let config = format!(r#"{{"auths":{{"{}":{{"auth":"bWU6cHc="}}}}}}"#, registry.address);
    project.write("docker/config.json", &config);
    let folder = project.path("docker");
    let told = project.command(&["lock"]).env("DOCKER_CONFIG", &folder).output().unwrap();
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.success() && !said.contains("bWU6cHc") && !said.contains("t0k3n"), "{said}");
    assert!(project.read("services.lock").contains(ELSEWHERE));
    // Without the login, the registry refuses, and devenv says so.
    std::fs::remove_file(project.path("services.lock")).unwrap();
    let refused = project.fail(5, &["lock"]);
    assert!(refused.stderr.contains("docker login"), "{}", refused.stderr);
}

#[test]
fn a_registry_that_shows_another_index_than_it_names_is_reported_and_not_trusted() {
    let registry = TinyRegistry::with_index("of a registry that shows another", Some(Trouble::OtherContent));
    let project = postgres_of(&registry);
    let refused = project.fail(5, &["lock"]);
    for part in
        ["does not match the digest", "asked for", &registry.digest, "answered with content of", "compose.yaml:2"]
    {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert!(!project.path("services.lock").exists());
}

#[test]
fn where_only_the_engine_reaches_a_registry_the_digest_is_locked_and_the_rest_said() {
    let registry = TinyRegistry::with_index("of engines only", Some(Trouble::EnginesOnly));
    let project = postgres_of(&registry);
    let told = project.succeed(&["lock"]);
    for part in ["by the digest of its image only", "403", "compose.yaml:2", "devenv update db"] {
        assert!(told.stderr.contains(part), "{part}: {}", told.stderr);
    }
    let lock = project.read("services.lock");
    assert!(lock.contains(&registry.digest) && !lock.contains("platforms"), "{lock}");
    // devenv cannot verify a bundle without the registry's answers.
    let refused = project.fail(5, &["bundle", "save", "images.tar"]);
    for part in ["cannot prove in a bundle", "403", "on a machine that reaches the registry"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert!(!project.path("images.tar").exists());
    docker(&["image", "rm", "--force", &format!("{}/library/postgres@{}", registry.address, registry.digest)]);
}
