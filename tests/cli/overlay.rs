//! Changes of `services.local.yaml`, compared with production's own files.

use crate::sandbox::{Outcome, Sandbox};

const PRODUCTION: &str = "services:\n  db:\n    image: postgres:16.4\n    environment: {POSTGRES_PASSWORD: \"${DB_PASSWORD}\"}\n    command: postgres -c max_connections=200\n";

/// Runs the program without an engine.
fn without_engine(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    let mut command = sandbox.command(arguments);
    Outcome::of(&command.env("DOCKER_HOST", "unix:///nowhere.sock").output().expect("the program"))
}

fn report(sandbox: &Sandbox) -> serde_json::Value {
    let outcome = without_engine(sandbox, &["parity", "--format", "json"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    outcome.json()
}

#[test]
fn a_pin_that_contradicts_production_is_said_in_one_line_and_fails_parity_at_its_own_place() {
    let sandbox = Sandbox::new(&[("compose.prod.yaml", PRODUCTION)]);
    let outcome = sandbox.succeed(&["pin", "db", "17.12"]);
    let line = "warning: db: services.local.yaml:3 says version 17.12, compose.prod.yaml:3 says 16.4\n";
    assert!(outcome.stderr.contains(line), "{}", outcome.stderr);
    for command in ["up", "plan"] {
        let outcome = without_engine(&sandbox, &[command]);
        assert!(outcome.stderr.contains(line), "{command}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("services.local.yaml:3:"), "one line: {}", outcome.stderr);
    }
    let outcome = without_engine(&sandbox, &["env"]);
    assert!(!outcome.stderr.contains("says version"), "only who starts services says it: {}", outcome.stderr);

    let told = report(&sandbox);
    assert_eq!(told["sides"]["overlay"], "services.local.yaml", "{told:#}");
    assert_eq!(told["services"][0]["versions"]["manifest"], "16.4");
    assert_eq!(told["services"][0]["versions"]["overlay"], "17.12");
    let found = &told["differences"][0];
    assert_eq!(found["code"], "version-major", "{told:#}");
    assert_eq!(found["message"], "manifest 16.4 · overlay 17.12");
    assert_eq!(found["origin"], serde_json::json!({"path": "services.local.yaml", "line": 3, "column": 14}));
    let checked = without_engine(&sandbox, &["parity", "--check"]);
    assert_eq!(checked.code, 7, "{}", checked.stdout);
    for (format, text) in [
        ("terminal", "version   manifest 16.4 · overlay 17.12   services.local.yaml:3"),
        ("markdown", "manifest: `16.4`<br>overlay: `17.12`"),
        ("html", "<dt>overlay</dt><dd><code>17.12</code></dd>"),
        ("sarif", "\"uri\": \"services.local.yaml\""),
        ("github", "::error file=services.local.yaml,line=3,"),
    ] {
        let outcome = without_engine(&sandbox, &["parity", "--format", format]);
        assert!(outcome.stdout.contains(text), "{format}: {}", outcome.stdout);
    }
    // A more precise version is the purpose of the file, and is not reported.
    sandbox.write("compose.prod.yaml", &PRODUCTION.replace("16.4", "17"));
    let outcome = without_engine(&sandbox, &["up"]);
    assert!(!outcome.stderr.contains("says version"), "{}", outcome.stderr);
    assert_eq!(report(&sandbox)["differences"], serde_json::json!([]));
}

#[test]
fn settings_extensions_rights_and_images_that_contradict_are_said_each_in_a_line() {
    let overlay = "services:\n  db:\n    image: acme/postgres:16.4\n    settings: {max_connections: 50, work_mem: 8MB}\n    \
                   extensions: [hstore]\n    users: {postgres: {superuser: true}, audit: {}}\n";
    let manifest = PRODUCTION.replace("POSTGRES_PASSWORD", "POSTGRES_USER: app, POSTGRES_PASSWORD");
    let sandbox = Sandbox::new(&[("compose.prod.yaml", &manifest), ("services.local.yaml", overlay)]);
    let outcome = without_engine(&sandbox, &["up"]);
    for line in [
        "db: services.local.yaml:3 says image docker.io/acme/postgres, compose.prod.yaml:3 says docker.io/library/postgres",
        "db: services.local.yaml:4 says max_connections 50, compose.prod.yaml:5 says 200",
        "db: services.local.yaml:4 sets work_mem, production's files do not",
        "db: services.local.yaml:5 adds the extension hstore, production's files do not",
        "db: services.local.yaml:6 adds the login audit, production's files do not",
    ] {
        assert!(outcome.stderr.contains(&format!("warning: {line}\n")), "{line} in {}", outcome.stderr);
    }
    let told = report(&sandbox);
    let subjects: Vec<&str> =
        told["differences"].as_array().unwrap().iter().filter_map(|found| found["subject"].as_str()).collect();
    for subject in ["image", "max_connections", "work_mem", "extension hstore", "role audit"] {
        assert!(subjects.contains(&subject), "{subject} in {subjects:?}");
    }
}

#[test]
fn facts_that_could_not_be_asked_fail_a_check_that_requires_all() {
    let facts = |more: &str| {
        format!(
            "facts: 1\nservices:\n  db:\n    protocol: postgres\n    product: PostgreSQL\n    version: \"16.4\"\n{more}"
        )
    };
    let sandbox = Sandbox::new(&[
        ("a.facts.yaml", &facts("")),
        ("b.facts.yaml", &facts("")),
        ("c.facts.yaml", &facts("    not_asked: {roles: \"may not\", settings/x: \"may not\"}\n")),
    ]);
    sandbox.succeed(&["parity", "--between", "a", "b", "--check", "--require-all"]);
    let outcome = sandbox.succeed(&["parity", "--between", "a", "c", "--check"]);
    assert!(
        outcome.stdout.contains("no difference that matters in the 2 facts compared, 2 not asked"),
        "{}",
        outcome.stdout
    );
    let outcome = sandbox.fail(7, &["parity", "--between", "a", "c", "--check", "--require-all"]);
    assert!(outcome.stderr.contains("2 facts could not be asked"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("db: roles, settings/x of c (may not)"), "{}", outcome.stderr);
    sandbox.fail(2, &["parity", "--require-all"]);
    let page = sandbox.succeed(&["parity", "--between", "a", "c", "--format", "html"]).stdout;
    assert!(!page.contains("class=\"good\""), "{page}");
}
