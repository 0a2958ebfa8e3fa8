//! Files that devenv writes for a checkout stay in it. No test here reaches an engine: a run that comes to the search
//! for an engine ends with exit code 4, so exit code 1 means that devenv refused before it started anything.

use crate::sandbox::{Outcome, Sandbox};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

const COMPOSE: &str = "services:\n  web: {image: \"acme/web:1\", environment: {URL: \"redis://cache:6379/0\"}}\n  \
                       cache: {image: \"redis:7.0.15\"}\n";
const REFUSED: i32 = 1;
const NO_ENGINE: i32 = 4;

fn up(project: &Sandbox, arguments: &[&str]) -> Outcome {
    project.run(&[&["--host", "unix:///nowhere.sock", "up"], arguments].concat())
}

/// The files next to the project, in the folder that attacks try to write to.
fn beside(project: &Sandbox) -> Vec<String> {
    let listed = fs::read_dir(project.root().parent().expect("a folder")).expect("the folder above");
    let mut names: Vec<String> =
        listed.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

fn local(app_file: &str) -> String {
    format!("apps: {{web: {{env_file: {app_file}}}}}\n")
}

#[test]
fn no_env_file_that_a_checkout_names_is_outside_of_it_or_a_file_of_another_purpose() {
    for (path, why) in [
        ("../../.bashrc", "outside the checkout"),
        ("../.env", "outside the checkout"),
        ("/tmp/.env", "outside the checkout"),
        ("link/.env", "outside the checkout"),
        ("link/home/.env", "outside the checkout"),
        (".env.out", "outside the checkout"),
        (".env.dangling", "outside the checkout"),
        (".git/.env", "lies in `.git`"),
        ("hooks/post.env", "lies in `.git`"),
        ("Makefile", "not the name of an env file"),
        ("conftest.py", "not the name of an env file"),
        (".envrc", "not the name of an env file"),
        (".env.makefile", "not the name of an env file"),
        ("production.env", "it has no devenv block"),
        (".env.pipe", "not a regular file"),
    ] {
        let project = Sandbox::new(&[
            ("compose.yaml", COMPOSE),
            ("services.local.yaml", &local(path)),
            ("Makefile", "all:\n"),
            ("production.env", "URL=redis://production.example.com\n"),
            (".git/hooks/sample", ""),
        ]);
        symlink("..", project.path("link")).unwrap();
        symlink("../stolen", project.path(".env.out")).unwrap();
        symlink("../.bash_login", project.path(".env.dangling")).unwrap();
        symlink(".git/hooks", project.path("hooks")).unwrap();
        symlink("Makefile", project.path(".env.makefile")).unwrap();
        assert!(Command::new("mkfifo").arg(project.path(".env.pipe")).status().unwrap().success());
        fs::write(project.root().parent().unwrap().join("stolen"), "theirs\n").unwrap();
        let before = beside(&project);
        let refused = up(&project, &[]);
        assert_eq!(refused.code, REFUSED, "{path}: {refused:?}");
        assert!(refused.stderr.contains(why), "{path}: {refused:?}");
        for part in ["--> services.local.yaml:1:24", "because", "help"] {
            assert!(refused.stderr.contains(part), "{path}: {part}: {refused:?}");
        }
        assert_eq!(beside(&project), before, "{path}");
        // Follow the help: use a permitted name.
        project.write("services.local.yaml", &local(".env.web"));
        assert_eq!(up(&project, &[]).code, NO_ENGINE, "{path}");
    }
}

#[test]
fn an_env_file_that_is_a_link_out_of_the_checkout_is_refused_and_the_help_leads_on() {
    for target in ["../.bash_login", "../home/.profile", "/tmp/devenv-nothing/.env"] {
        let project = Sandbox::new(&[("compose.yaml", COMPOSE)]);
        symlink(target, project.path(".env")).unwrap();
        for arguments in [&[][..], &["--env-file", ".env"]] {
            let refused = up(&project, arguments);
            assert_eq!(refused.code, REFUSED, "{target}: {refused:?}");
            assert!(refused.stderr.contains("`.env` is not written: it lies outside the checkout"), "{refused:?}");
        }
        let elsewhere = project.home().join("shop.env");
        assert_eq!(up(&project, &["--env-file", elsewhere.to_str().unwrap()]).code, NO_ENGINE, "the user's own word");
        fs::remove_file(project.path(".env")).unwrap();
        assert_eq!(up(&project, &[]).code, NO_ENGINE);
        assert_eq!(beside(&project), ["home", "project"]);
    }
}

#[test]
fn a_pin_and_a_starter_are_written_through_no_link_out_of_the_checkout() {
    let project = Sandbox::new(&[("compose.yaml", COMPOSE)]);
    fs::write(project.home().join("theirs"), "services: {}\n").unwrap();
    symlink("../home/theirs", project.path("services.local.yaml")).unwrap();
    let refused = project.run(&["pin", "cache", "7.0.15"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert_eq!(fs::read_to_string(project.home().join("theirs")).unwrap(), "services: {}\n");
    fs::remove_file(project.path("services.local.yaml")).unwrap();
    symlink("../new.yaml", project.path("services.local.yaml")).unwrap();
    let refused = project.fail(1, &["pin", "cache", "7.0.15"]);
    assert!(
        refused.stderr.contains("outside of the checkout") && refused.stderr.contains("remove the link"),
        "{refused:?}"
    );
    fs::remove_file(project.path("services.local.yaml")).unwrap();
    project.succeed(&["pin", "cache", "7.0.15"]);

    let empty = Sandbox::new(&[]);
    symlink("../services.yaml", empty.path("services.yaml")).unwrap();
    empty.fail(1, &["init"]);
    assert_eq!(beside(&empty), ["home", "project"]);
    fs::remove_file(empty.path("services.yaml")).unwrap();
    empty.succeed(&["init"]);
    assert_eq!(beside(&project), ["home", "project"]);
}

#[test]
fn a_seed_is_read_from_inside_the_checkout_only_and_no_pipe_is_waited_for() {
    for (seed, code) in [
        ("passwd", "leads to /etc/passwd, outside of the checkout"),
        ("../outside.sql", "outside of the checkout"),
        ("up/outside.sql", "outside of the checkout"),
        ("pipe.sql", "no regular file"),
    ] {
        let project = Sandbox::new(&[
            ("services.yaml", "services:\n  db: {kind: postgres, version: \"17.12\"}\n"),
            ("services.local.yaml", &format!("seeds: {{db: [{seed}]}}\n")),
        ]);
        symlink("/etc/passwd", project.path("passwd")).unwrap();
        symlink("..", project.path("up")).unwrap();
        fs::write(project.root().parent().unwrap().join("outside.sql"), "SELECT 1;\n").unwrap();
        assert!(Command::new("mkfifo").arg(project.path("pipe.sql")).status().unwrap().success());
        let refused = up(&project, &[]);
        assert_eq!(refused.code, 3, "{seed}: {refused:?}");
        assert!(refused.stderr.contains(code) && refused.stderr.contains("services.local.yaml:1:14"), "{refused:?}");
    }
}

#[test]
fn a_key_that_others_can_read_is_refused_until_its_mode_is_fixed() {
    let project = Sandbox::new(&[("compose.yaml", COMPOSE)]);
    assert_eq!(up(&project, &[]).code, NO_ENGINE);
    let key = project.home().join(".local/share/devenv/key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = up(&project, &[]);
    assert_eq!(refused.code, REFUSED, "{refused:?}");
    let help = format!("chmod 600 {}", key.display());
    assert!(refused.stderr.contains("its mode is 0644") && refused.stderr.contains(&help), "{refused:?}");
    assert!(Command::new("sh").args(["-c", &help]).status().unwrap().success());
    assert_eq!(up(&project, &[]).code, NO_ENGINE);
}

#[test]
fn a_value_that_not_every_reader_reads_stops_nothing_and_is_said_first() {
    let compose = "services:\n  web:\n    image: acme/web:1\n    environment:\n      MOTD: 'it''s \"$$5\"'\n      TICK: 'it''s `x`'\n      \
                   URL: redis://cache:6379/0\n  cache: {image: \"redis:7.0.15\"}\n";
    let project = Sandbox::new(&[("compose.yaml", compose)]);
    let told = up(&project, &[]);
    assert_eq!(told.code, NO_ENGINE, "{told:?}");
    for part in [
        "the value of `MOTD` is not read the same by every program",
        "--> compose.yaml:5:",
        "the value of `TICK` is not written",
        "`'` together with a backtick",
        "devenv run",
    ] {
        assert!(told.stderr.contains(part), "{part}: {told:?}");
    }
}
