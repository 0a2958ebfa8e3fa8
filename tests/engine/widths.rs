//! Output on a narrow terminal: no line is wider than the terminal, so the terminal breaks no word, port or command.

use crate::project::{Outcome, Sandbox};
use std::process::Command;

const COMPOSE: &str = "services:\n  web:\n    image: acme/web:1\n    environment:\n      DATABASE_URL: postgres://shop@orders-database/shop\n      \
                       CACHE_URL: redis://session-cache:6379/0\n      RAILS_ENV: production\n      STRIPE_SECRET_KEY: \"${STRIPE_SECRET_KEY}\"\n  \
                       orders-database: {image: \"postgres:15\", command: \"postgres -c max_connections=50\"}\n  session-cache: {image: \"redis:7.0.15\"}\n";

/// Runs the command on a terminal with this many columns, without redrawn lines.
fn on_terminal(project: &Sandbox, columns: usize, words: &str) -> Outcome {
    let devenv = project.command(&[""; 0]);
    let line = format!("stty rows 24 cols {columns}; exec {} {words}", devenv.get_program().to_string_lossy());
    // util-linux's `script` runs a program on a new terminal.
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(project.root()).env_clear();
    script.envs(devenv.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "dumb");
    Outcome::of(&script.output().expect("`script` of util-linux"))
}

#[test]
fn no_command_writes_a_line_that_is_wider_than_the_terminal_unless_a_word_is() {
    let project = Sandbox::new(&[("compose.prod.yaml", COMPOSE)]);
    for columns in [80, 60] {
        for words in
            ["up", "up", "status", "status --sizes", "ls", "plan", "manifest", "parity", "doctor", "lock --check"]
        {
            let shown = on_terminal(&project, columns, words);
            assert!([0, 7].contains(&shown.code), "{words}: {shown:?}");
            for line in shown.stdout.lines() {
                let line = line.trim_end_matches('\r').trim_end();
                let width = line.chars().count();
                // Text below a line of source is not broken; a word that is wider than the terminal stays complete.
                if line.contains("^^^") {
                    continue;
                }
                let longest = line.trim_start().split(' ').map(|word| word.chars().count()).max().unwrap_or_default();
                let indent = width - line.trim_start().chars().count();
                let is_one_word = !line.trim_start().contains(' ') && longest + indent > columns;
                assert!(
                    width <= columns || is_one_word,
                    "{words} at {columns}, {width} wide: {line}\n{}",
                    shown.stdout
                );
            }
        }
        // Nothing is cut off: the information that a user needs is complete.
        let status = on_terminal(&project, columns, "status").stdout;
        let port = project.env()["CACHE_URL"]
            .rsplit_once(':')
            .and_then(|(_, rest)| rest.split_once('/'))
            .map(|(port, _)| port.to_owned());
        assert!(status.contains(&format!("127.0.0.1:{}", port.expect("a port"))), "{status}");
    }
    let refused = on_terminal(&project, 60, "-C /nowhere/at/all/that/is/there up");
    assert_eq!(refused.code, 2, "{refused:?}");
    let plain = Sandbox::new(&[("compose.yaml", "services: {orders-database: {image: postgres}}\n")]);
    let refused = on_terminal(&plain, 60, "plan");
    // The advice is complete and can be pasted.
    let is_whole = |line: &str| line.trim().starts_with("`services: {orders-database:") && line.trim().ends_with("}}`");
    assert!(refused.stdout.lines().any(is_whole), "{refused:?}");
}
