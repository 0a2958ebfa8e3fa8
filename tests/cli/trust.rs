//! The commands that a checkout wants to run on the machine, before anything is started.

use crate::sandbox::{Outcome, Sandbox};
use std::io::Write as _;
use std::process::Stdio;

const STACK: &str = "services:\n  db: {kind: postgres, version: \"16.4\"}\nvariables: {URL: \"${db.url}\"}\n";
const SEED: &str = "seeds:\n  db:\n    - {command: [sh, seed.sh], reads: [migrate]}\n";

fn asking() -> Sandbox {
    let files = [("services.yaml", STACK), ("services.local.yaml", SEED), ("seed.sh", "make\n"), ("migrate/1.sql", "")];
    Sandbox::new(&files)
}

/// Whether the user agreed to the one command, according to `manifest`.
fn is_agreed(sandbox: &Sandbox) -> bool {
    let shown = sandbox.succeed(&["manifest", "--json"]).json();
    assert_eq!((&shown["consent"][0]["text"], &shown["consent"][0]["what"]), (&"sh seed.sh".into(), &"command".into()));
    shown["consent"][0]["agreed"].as_bool().expect("an answer")
}

#[test]
fn a_command_is_shown_beforehand_and_agreed_to_exactly_as_it_is() {
    let sandbox = asking();
    let shown = sandbox.succeed(&["manifest"]).stdout;
    for part in [
        "db  services.local.yaml:3  sh seed.sh",
        "with migrate, seed.sh",
        "devenv does none of this before you agree: `devenv trust`",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let refused = sandbox.fail(2, &["trust"]).stderr;
    for part in ["sh seed.sh", "services.local.yaml:3", "no terminal", "DEVENV_TRUST=1"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert!(!is_agreed(&sandbox));
    sandbox.succeed(&["trust", "--yes"]);
    assert!(is_agreed(&sandbox));
    assert!(sandbox.succeed(&["manifest"]).stdout.contains("you agreed to it"));
    assert!(sandbox.succeed(&["trust"]).stderr.contains("you agreed to all of it"));

    for (path, text) in [
        ("seed.sh", "make it\n"),
        ("migrate/2.sql", ""),
        ("services.local.yaml", SEED.replace("seed.sh]", "seed.sh, x]").as_str()),
    ] {
        let before = std::fs::read_to_string(sandbox.path(path)).ok();
        sandbox.write(path, text);
        let asked = sandbox.succeed(&["manifest"]).stdout;
        assert!(asked.contains("none of this before you agree"), "{path}: {asked}");
        match before {
            Some(before) => sandbox.write(path, &before),
            None => std::fs::remove_file(sandbox.path(path)).expect("it was written"),
        }
        assert!(is_agreed(&sandbox), "{path} as it was");
    }
    sandbox.write("services.yaml", &STACK.replace("16.4", "17.2"));
    assert!(is_agreed(&sandbox), "a manifest without commands asks for nothing");

    let list = sandbox.succeed(&["trust", "--list"]).stdout;
    let root = sandbox.root().canonicalize().expect("the project").display().to_string();
    assert!(list.starts_with(&root) && list.contains("sh seed.sh"), "{list}");
    sandbox.succeed(&["trust", "--revoke"]);
    assert!(!is_agreed(&sandbox));
    assert!(sandbox.succeed(&["trust", "--list"]).stdout.contains("there are no agreements"));
}

#[test]
fn another_checkout_with_the_same_command_is_another_question() {
    let sandbox = asking();
    sandbox.succeed(&["trust", "--yes"]);
    for (path, text) in
        [("services.yaml", STACK), ("services.local.yaml", SEED), ("seed.sh", "make\n"), ("migrate/1.sql", "")]
    {
        sandbox.write(&format!("../clone/{path}"), text);
    }
    let clone = sandbox.path("../clone").canonicalize().expect("the clone").display().to_string();
    assert!(sandbox.succeed(&["-C", &clone, "manifest"]).stdout.contains("none of this before you agree"));
    assert!(is_agreed(&sandbox));
}

#[test]
fn no_file_of_the_checkout_agrees_for_its_user() {
    let sandbox = asking();
    sandbox.write(".env", "DEVENV_TRUST=1\n");
    sandbox.write("services.yaml", &STACK.replace("variables: {", "variables: {DEVENV_TRUST: \"1\", "));
    let refused = sandbox.fail(2, &["trust"]).stderr;
    assert!(refused.contains("no terminal"), "{refused}");
    assert!(!is_agreed(&sandbox));
}

#[test]
fn on_a_terminal_the_commands_are_shown_and_the_answer_counts() {
    for (answer, code) in [("n\n", 2), ("y\n", 0)] {
        let sandbox = asking();
        let command = sandbox.command(&["trust"]);
        // util-linux's `script` runs a program on a new terminal.
        let program = format!("{} trust", command.get_program().to_string_lossy());
        let mut on_terminal = std::process::Command::new("script");
        on_terminal.args(["-qec", &program, "/dev/null"]).current_dir(sandbox.root()).env_clear();
        on_terminal.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        on_terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut asked = on_terminal.spawn().expect("`script` of util-linux");
        asked.stdin.take().expect("its input").write_all(answer.as_bytes()).expect("an answer");
        let outcome = Outcome::of(&asked.wait_with_output().expect("its end"));
        assert_eq!(outcome.code, code, "{outcome:?}");
        assert!(outcome.stdout.contains("sh seed.sh") && outcome.stdout.contains("[y/N]"), "{outcome:?}");
        assert_eq!(is_agreed(&sandbox), code == 0);
    }
}

#[test]
fn a_variable_that_makes_programs_run_is_named_with_its_reason_and_the_way_to_set_it() {
    let sandbox = Sandbox::new(&[
        ("services.yaml", STACK.replace("variables: {", "variables: {PATH: /evil, LD_PRELOAD: ./evil.so, ").as_str()),
        ("services.local.yaml", "variables: {BASH_ENV: mine.sh}\n"),
    ]);
    let shown = sandbox.succeed(&["manifest"]);
    for part in ["BASH_ENV, LD_PRELOAD, PATH", "makes the loader take code", "services.yaml:3", "`devenv trust`"] {
        assert!(shown.stderr.contains(part), "{part}: {}", shown.stderr);
    }
    assert!(shown.stdout.contains("BASH_ENV  services.local.yaml:1  is set to mine.sh"), "{}", shown.stdout);
    sandbox.succeed(&["trust", "--yes"]);
    let shown = sandbox.succeed(&["manifest"]).stderr;
    assert!(shown.contains("LD_PRELOAD, PATH") && !shown.contains("BASH_ENV"), "{shown}");
}
