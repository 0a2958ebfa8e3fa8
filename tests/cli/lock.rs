//! A missing `services.lock`, where it is required: refused before devenv asks an engine.

use crate::sandbox::Sandbox;
use std::os::unix::fs::symlink;

const COMPOSE: &str = "services:\n  db: {image: \"postgres:16\"}\n";
const LOCK: &str = "version: 1\nservices:\n  db:\n    declared: \"15\"\n    from: \"compose.yaml:2\"\n    image: \"docker.io/library/postgres:15\"\n    digest: \"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n    manifest: \"000000000000\"\n";

#[test]
fn a_lock_that_is_missing_or_stale_fails_where_it_has_to_be_current() {
    let sandbox = Sandbox::new(&[("compose.yaml", COMPOSE)]);
    for arguments in [&["up", "--locked"][..], &["plan", "--locked"], &["lock", "--check"]] {
        let missing = sandbox.fail(3, arguments);
        assert!(missing.stderr.contains("there is no services.lock"), "{}", missing.stderr);
        assert!(missing.stderr.contains("compose.yaml:2") && missing.stderr.contains("devenv lock"));
        // Only a command with this option mentions it.
        assert_eq!(missing.stderr.contains("`--no-locked`"), arguments[0] != "lock", "{}", missing.stderr);
    }
    sandbox.write("services.lock", LOCK);
    for arguments in [&["up", "--locked"][..], &["lock", "--check"]] {
        let stale = sandbox.fail(3, arguments);
        for part in ["compose.yaml:2", "now `16`", "the lock was made for `15`"] {
            assert!(stale.stderr.contains(part), "{part}: {}", stale.stderr);
        }
    }
}

#[test]
fn ci_requires_the_lock_unless_an_option_disables_this() {
    let sandbox = Sandbox::new(&[("compose.yaml", COMPOSE)]);
    let code = |arguments: &[&str]| sandbox.command(arguments).env("CI", "true").output().unwrap().status.code();
    assert_eq!(code(&["plan", "--host", "unix:///nowhere/docker.sock"]), Some(3));
    // The lock is no longer a problem; now the engine is missing.
    assert_eq!(code(&["plan", "--no-locked", "--host", "unix:///nowhere/docker.sock"]), Some(4));
}

#[test]
fn an_unreadable_lock_is_reported_at_its_line() {
    let sandbox = Sandbox::new(&[("compose.yaml", COMPOSE), ("services.lock", "version: 1\n<<<<<<< HEAD\n")]);
    let told = sandbox.fail(3, &["plan"]);
    assert!(told.stderr.contains("services.lock:2") && told.stderr.contains("devenv lock"), "{}", told.stderr);
}

#[test]
fn a_lock_that_a_link_leads_elsewhere_is_neither_read_nor_written() {
    for (stack, text) in
        [(COMPOSE, Some(LOCK)), ("services: {}\n", Some("version: 1\nservices: {}\n")), ("services: {}\n", None)]
    {
        let sandbox = Sandbox::new(&[("compose.yaml", stack)]);
        if let Some(text) = text {
            sandbox.write("../other.lock", text);
        }
        symlink("../other.lock", sandbox.path("services.lock")).unwrap();
        for arguments in [&["lock", "--check"][..], &["lock"], &["plan"]] {
            let refused = sandbox.fail(3, arguments);
            for part in ["cannot read services.lock", "outside of the checkout", "remove the link"] {
                assert!(refused.stderr.contains(part), "{arguments:?} {part}: {}", refused.stderr);
            }
        }
        let after = std::fs::read_to_string(sandbox.path("../other.lock")).ok();
        assert_eq!(after.as_deref(), text, "the file outside the checkout is unchanged");
    }
    // Inside the checkout, this is a file of another purpose.
    let sandbox = Sandbox::new(&[("services.yaml", "services: {}\n")]);
    symlink("Makefile", sandbox.path("services.lock")).unwrap();
    let refused = sandbox.fail(1, &["lock"]);
    assert!(
        refused.stderr.contains("cannot write") && refused.stderr.contains("another purpose"),
        "{}",
        refused.stderr
    );
    assert!(!sandbox.path("Makefile").exists());
}
