//! `devenv pin` and `--strict`.

use crate::sandbox::Sandbox;

const COMPOSE: &str = "services:\n  db: {image: \"postgres:16\"}\n  cache: {image: redis}\n";

fn version(sandbox: &Sandbox, service: &str) -> serde_json::Value {
    let read = sandbox.succeed(&["manifest", "--json"]).json();
    let services = read["services"].as_array().expect("services").clone();
    services.into_iter().find(|one| one["name"] == service).expect("the service")["version"].clone()
}

#[test]
fn a_pin_is_written_and_holds() {
    let sandbox = Sandbox::new(&[("compose.yaml", COMPOSE)]);
    let outcome = sandbox.succeed(&["pin", "db", "16.4"]);
    assert!(outcome.stderr.contains("db is pinned to 16.4 in services.local.yaml"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("compose.yaml:2"), "{}", outcome.stderr);
    assert_eq!(sandbox.read("services.local.yaml"), "services:\n  db:\n    version: \"16.4\"\n");
    assert_eq!(version(&sandbox, "db")["class"], "exact");
    assert_eq!(version(&sandbox, "db")["number"], "16.4");
}

#[test]
fn a_pin_keeps_what_the_file_says_and_its_comments() {
    let sandbox = Sandbox::new(&[
        ("compose.yaml", COMPOSE),
        ("services.local.yaml", "# mine\nservices:\n  # slow machine\n  db: {port: 5433} # not 5432\n"),
    ]);
    sandbox.succeed(&["pin", "cache", "7.2.5"]);
    sandbox.succeed(&["pin", "db", "16.4"]);
    sandbox.succeed(&["pin", "cache", "7.2.6"]);
    assert_eq!(
        sandbox.read("services.local.yaml"),
        "# mine\nservices:\n  cache:\n    version: \"7.2.6\"\n  # slow machine\n  db: {version: \"16.4\", port: 5433} # not 5432\n"
    );
}

#[test]
fn a_pin_keeps_the_variant_of_production_s_image() {
    let compose = "services:\n  cache: {image: \"redis:8.0-alpine\"}\n  db: {image: \"postgres:17-alpine3.20\"}\n  \
                   queue: {image: \"rabbitmq:4.0-management-alpine\"}\n  old: {image: \"redis:alpine\"}\n";
    let sandbox = Sandbox::new(&[("compose.yaml", compose)]);
    for (service, asked, tag) in [
        ("cache", "8.0.2", "8.0.2-alpine"),
        ("db", "17.12", "17.12-alpine3.20"),
        ("queue", "4.0.5", "4.0.5-management-alpine"),
        ("old", "7.2.5", "7.2.5-alpine"),
        // Pin a pinned version again.
        ("cache", "8.0.3", "8.0.3-alpine"),
        ("cache", "8.0.3-bookworm", "8.0.3-bookworm"),
    ] {
        let outcome = sandbox.succeed(&["pin", service, asked]);
        assert!(outcome.stderr.contains(&format!("{service} is pinned to {tag}")), "{}", outcome.stderr);
        assert!(sandbox.read("services.local.yaml").contains(&format!("version: \"{tag}\"")));
        assert_eq!(version(&sandbox, service)["text"], tag);
        assert_eq!(version(&sandbox, service)["class"], "exact");
    }
    // A number that was written by hand keeps the variant too.
    sandbox.write("services.local.yaml", "services: {cache: {version: \"8.0.2\"}}\n");
    assert_eq!(version(&sandbox, "cache")["text"], "8.0.2-alpine");
}

#[test]
fn an_unknown_service_gets_the_near_word_and_nothing_is_written() {
    let sandbox = Sandbox::new(&[("compose.yaml", COMPOSE)]);
    let outcome = sandbox.fail(2, &["pin", "cahce", "7.2.5"]);
    assert!(outcome.stderr.contains("did you mean `cache`?"), "{}", outcome.stderr);
    assert!(!sandbox.path("services.local.yaml").exists());
}

#[test]
fn an_invalid_version_is_refused_and_a_series_is_warned_about() {
    let sandbox = Sandbox::new(&[("compose.yaml", COMPOSE)]);
    sandbox.fail(2, &["pin", "db", "16 4"]);
    assert!(!sandbox.path("services.local.yaml").exists());
    let outcome = sandbox.succeed(&["pin", "db", "16"]);
    assert!(outcome.stderr.contains("warning"), "{}", outcome.stderr);
}

#[test]
fn a_pin_that_something_else_overrules_is_taken_back() {
    let local = "services:\n  db: {image: \"postgres:15.1\"}\n";
    let sandbox = Sandbox::new(&[("compose.yaml", COMPOSE), ("services.local.yaml", local)]);
    sandbox.fail(1, &["pin", "db", "16.4"]);
    assert_eq!(sandbox.read("services.local.yaml"), local);
}

#[test]
fn strict_refuses_a_series_and_a_pin_resolves_it() {
    let sandbox = Sandbox::new(&[("compose.yaml", "services:\n  db: {image: \"postgres:16\"}\n")]);
    let plan = ["plan", "--strict", "--host", "unix:///nowhere/docker.sock"];
    let outcome = sandbox.fail(3, &plan);
    assert!(outcome.stderr.contains("compose.yaml:2") && outcome.stderr.contains("--strict"), "{}", outcome.stderr);
    sandbox.succeed(&["pin", "db", "16.4"]);
    // The manifest is no longer a problem; now the engine is missing.
    sandbox.fail(4, &plan);
    sandbox.fail(2, &["plan", "--strict", "--allow-floating"]);
}
