//! The output of the command line itself.

use crate::sandbox::Sandbox;

#[test]
fn the_version_is_printed() {
    let outcome = Sandbox::new(&[]).succeed(&["--version"]);
    assert_eq!(outcome.stdout, format!("devenv {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_unknown_command_is_a_matter_of_usage() {
    let outcome = Sandbox::new(&[]).fail(2, &["upp"]);
    assert!(outcome.stderr.contains("'up'"), "{}", outcome.stderr);
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let outcome = Sandbox::new(&[]).succeed(&["completions", shell]);
        assert!(outcome.stdout.contains("devenv"), "{shell}");
    }
}

#[test]
fn the_kinds_are_listed_with_how_far_they_are_proven() {
    let outcome = Sandbox::new(&[]).succeed(&["kinds", "--json"]);
    let kinds = outcome.json()["kinds"].as_array().expect("a list").clone();
    let support = |name: &str| kinds.iter().find(|kind| kind["name"] == name).map(|kind| kind["support"].clone());
    for name in ["postgres", "redis", "valkey", "rabbitmq", "memcached"] {
        assert_eq!(support(name), Some("reproduced".into()), "{name}");
    }
    assert_eq!(support("elasticsearch"), Some("approximated".into()));
}

#[test]
fn init_writes_a_starter_that_reads_and_never_writes_over_anything() {
    let sandbox = Sandbox::new(&[]);
    sandbox.succeed(&["init"]);
    sandbox.succeed(&["manifest", "--json"]);
    sandbox.write("services.yaml", "name: mine\n");
    let outcome = sandbox.succeed(&["init"]);
    assert!(outcome.stderr.contains("there is a manifest already: services.yaml"), "{}", outcome.stderr);
    assert_eq!(sandbox.read("services.yaml"), "name: mine\n");
}

#[test]
fn without_an_engine_the_places_looked_at_are_listed() {
    let sandbox = Sandbox::new(&[("services.yaml", "services:\n  cache: {kind: redis, version: \"7.0.15\"}\n")]);
    let output = sandbox.command(&["up", "--host", "unix:///nowhere/docker.sock"]).output().expect("the program");
    let outcome = crate::sandbox::Outcome::of(&output);
    assert_eq!(outcome.code, 4, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("unix:///nowhere/docker.sock"), "{}", outcome.stderr);
    assert!(!sandbox.path(".env").exists());
}

#[test]
fn a_command_with_nothing_wrong_says_nothing_when_quiet() {
    let sandbox = Sandbox::new(&[("services.yaml", "services:\n  cache: {kind: redis, version: \"7\"}\n")]);
    let outcome = sandbox.succeed(&["--quiet", "manifest"]);
    assert_eq!(outcome.stderr, "");
}

#[test]
fn of_very_many_messages_the_first_are_shown_and_all_are_listed_as_json() {
    let services = (0..150).map(|at| format!("  db{at}: {{kind: postgres}}\n")).collect::<Vec<_>>().concat();
    let project = Sandbox::new(&[("services.yaml", &format!("services:\n{services}"))]);
    let shown = project.run(&["plan"]);
    assert_eq!(shown.code, 3);
    assert!(shown.stderr.contains("error: and 50 more messages"), "{shown:?}");
    assert_eq!(shown.stderr.matches("\nerror: ").count() + 1, 101, "{shown:?}");
    let listed = project.run(&["manifest", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(listed["diagnostics"].as_array().unwrap().len(), 150);
}

#[test]
fn the_manual_has_a_page_for_every_command_that_is_shown() {
    let project = Sandbox::new(&[]);
    project.succeed(&["man", "--to", "share/man1"]);
    assert!(project.read("share/man1/devenv.1").contains(".TH devenv 1"));
    assert!(project.read("share/man1/devenv-up.1").contains("env\\-file"));
}

#[test]
fn help_is_given_for_each_command_by_name() {
    let project = Sandbox::new(&[]);
    for words in [&["help"][..], &["help", "up"], &["help", "snapshot", "save"]] {
        assert!(project.succeed(words).stdout.contains("Usage: devenv"), "{words:?}");
    }
}

#[test]
fn a_word_of_another_tool_leads_to_the_right_command_and_a_mistyped_one_to_none_that_deletes() {
    let project = Sandbox::new(&[]);
    let outcome = project.fail(2, &["kill"]);
    assert!(outcome.stderr.contains("tip: `devenv down` stops"), "{}", outcome.stderr);
    for mistyped in ["resat", "rset"] {
        let outcome = project.fail(2, &[mistyped]);
        assert!(!outcome.stderr.contains("reset"), "{}", outcome.stderr);
    }
}

#[test]
fn with_json_an_error_is_one_object_on_standard_output_and_a_message_on_standard_error() {
    let project = Sandbox::new(&[("services.yaml", "services:\n  db: {kind: postgres}\n")]);
    let outcome = project.fail(3, &["plan", "--json"]);
    let told = outcome.json();
    assert_eq!((&told["exit"], &told["errors"][0]["code"]), (&3.into(), &"version-absent".into()), "{told}");
    let place = &told["errors"][0]["places"][0];
    assert_eq!((&place["file"], &place["line"]), (&"services.yaml".into(), &2.into()), "{told}");
    assert!(told["errors"][0]["help"].as_array().is_some_and(|help| !help.is_empty()), "{told}");
    assert!(outcome.stderr.contains("error: production does not say"), "{}", outcome.stderr);
    let usage = project.fail(2, &["up", "--no-such-option", "--json"]);
    assert_eq!((&usage.json()["exit"], &usage.json()["errors"][0]["code"]), (&2.into(), &"usage".into()));
    assert_eq!(project.fail(3, &["plan"]).stdout, "", "without --json nothing");
}

#[test]
fn a_command_that_is_missing_or_no_program_has_the_exit_code_of_a_shell() {
    let project = Sandbox::new(&[("text", "no program"), ("services.yaml", "services: {}\n")]);
    for (code, command) in [(127, "no-such-program"), (127, "./no-such-program"), (126, "./text"), (126, "/")] {
        let outcome = project.fail(code, &["run", "--", command]);
        assert!(outcome.stderr.contains(&format!("cannot run `{command}`")), "{}", outcome.stderr);
    }
}

/// Every command with `--json` or `--format json`, with valid arguments.
const WITH_JSON: &[&[&str]] = &[
    &["up", "--json"],
    &["plan", "--json"],
    &["manifest", "--json"],
    &["lock", "--json"],
    &["update", "--json"],
    &["status", "--json"],
    &["ls", "--json"],
    &["env", "--format", "json"],
    &["snapshot", "list", "--json"],
    &["snapshot", "diff", "one", "--json"],
    &["doctor", "--json"],
    &["kinds", "--json"],
    &["parity", "--format", "json"],
];

#[test]
fn every_command_with_json_prints_its_errors_as_one_object() {
    use clap::CommandFactory as _;
    let has_json = |command: &clap::Command| {
        let of = |id: &str| command.get_arguments().find(|argument| argument.get_id() == id);
        let is_a_format =
            |argument: &clap::Arg| argument.get_possible_values().iter().any(|one| one.get_name() == "json");
        of("json").is_some() || of("format").is_some_and(is_a_format)
    };
    let program = devenv::cli::Cli::command();
    for command in program.get_subcommands() {
        let below = command.get_subcommands().map(|one| (format!("{} {}", command.get_name(), one.get_name()), one));
        for (words, command) in below.chain([(command.get_name().to_owned(), command)]) {
            if command.has_subcommands() {
                continue;
            }
            let is_known = WITH_JSON.iter().any(|known| known.join(" ").starts_with(&format!("{words} ")));
            assert_eq!(has_json(command), is_known, "{words}: `WITH_JSON` lists the commands with JSON output");
        }
    }
    for words in WITH_JSON {
        // No manifest can be read, and no engine answers: each command fails because of one of these, except commands
        // that need neither.
        let project = Sandbox::new(&[("services.yaml", "services: [\n")]);
        let outcome = project.run(&[&["--host", "unix:///nowhere.sock"], *words].concat());
        let told = outcome.json();
        let (exit, errors) = (told["exit"].as_i64(), told["errors"].as_array());
        if outcome.code == 0 || exit.is_none() {
            assert!(["kinds", "doctor", "manifest"].contains(&words[0]), "{words:?}: {outcome:?}");
            continue;
        }
        assert_eq!(exit, Some(outcome.code.into()), "{words:?}: {outcome:?}");
        let first = errors.and_then(|errors| errors.first()).unwrap_or_else(|| panic!("{words:?}: {told}"));
        assert!(first["code"].is_string() && first["message"].is_string() && first["help"].is_array(), "{told}");
        assert!(outcome.stderr.contains("error: "), "{words:?}: {outcome:?}");
    }
}
