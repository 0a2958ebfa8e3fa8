//! What an unreadable or incomplete manifest comes to.

use crate::sandbox::Sandbox;

#[test]
fn without_a_manifest_the_places_looked_at_are_listed() {
    let outcome = Sandbox::new(&[]).fail(3, &["manifest"]);
    for place in ["services.yaml", "compose.prod.yaml", "docker-compose.yml"] {
        assert!(outcome.stderr.contains(place), "{place}: {}", outcome.stderr);
    }
    assert!(outcome.stderr.contains("devenv init"), "{}", outcome.stderr);
}

#[test]
fn a_broken_manifest_is_pointed_at_and_nothing_is_written() {
    let sandbox = Sandbox::new(&[("services.yaml", "services:\n  db: {kind: postgres\n")]);
    for command in ["manifest", "plan", "up"] {
        let outcome = sandbox.fail(3, &[command]);
        assert!(outcome.stderr.contains("services.yaml:"), "{}", outcome.stderr);
    }
    assert!(!sandbox.path(".env").exists());
}

#[test]
fn a_version_that_production_leaves_open_is_shown_by_manifest_and_refused_by_plan_and_up() {
    for version in ["", ", version: latest"] {
        let manifest = format!("services:\n  db: {{kind: postgres{version}}}\n");
        let sandbox = Sandbox::new(&[("services.yaml", &manifest)]);
        sandbox.succeed(&["manifest"]);
        for command in ["plan", "up"] {
            let outcome = sandbox.fail(3, &[command]);
            assert!(outcome.stderr.contains("services.yaml:2"), "{}", outcome.stderr);
            assert!(outcome.stderr.contains("help:"), "{}", outcome.stderr);
        }
        assert!(!sandbox.path(".env").exists());
    }
}

#[test]
fn an_unknown_kind_and_an_unknown_key_get_the_near_word() {
    let sandbox = Sandbox::new(&[("services.yaml", "services:\n  db: {kind: postgers, verison: \"16.4\"}\n")]);
    let outcome = sandbox.fail(3, &["up"]);
    assert!(outcome.stderr.contains("postgres"), "{}", outcome.stderr);
}

#[test]
fn a_service_without_an_image_is_an_error_at_its_own_line() {
    let sandbox = Sandbox::new(&[("compose.yaml", "services:\n  db:\n    imgae: postgres:17.6\n")]);
    let outcome = sandbox.fail(3, &["up"]);
    assert!(outcome.stderr.contains("compose.yaml:3:5"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("did you mean `image`?"), "{}", outcome.stderr);
}

#[test]
fn a_pinned_number_keeps_the_image_s_variant() {
    let files = [
        ("compose.yaml", "services: {db: {image: \"postgres:17-alpine\"}}\n"),
        ("services.local.yaml", "services: {db: {version: \"17.6\"}}\n"),
    ];
    let outcome = Sandbox::new(&files).succeed(&["manifest", "--json"]);
    let db = &outcome.json()["services"][0];
    assert_eq!(db["version"]["text"], "17.6-alpine", "{db}");
    assert_eq!(db["version"]["class"], "exact");
    assert!(db["image"].as_str().is_some_and(|image| image.ends_with(":17.6-alpine")), "{db}");
}
