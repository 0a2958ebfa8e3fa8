//! The sessions in the documentation are the same as a user's, except for times, ports, passwords and digests.

use crate::pages::{Block, page, top};
use crate::project::{Outcome, Sandbox};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The output of a line that is typed in the project, on both streams, with the built program on PATH.
fn typed(project: &Sandbox, line: &str) -> Vec<String> {
    let devenv = project.command(&[""; 0]);
    let folder = Path::new(devenv.get_program()).parent().unwrap().display();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec 2>&1\n{line}")]).current_dir(project.root()).env_clear().stdin(Stdio::null());
    shell.envs(devenv.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("PATH", path);
    Outcome::of(&shell.output().unwrap()).stdout.lines().map(str::to_owned).collect()
}

/// A line without the parts that differ from run to run; each gap is one space.
fn masked(line: &str) -> String {
    // The server's own lines begin with the time.
    let line = line.split_once(" GMT [").map_or(line, |(_, rest)| rest);
    let words: Vec<&str> = line.split_whitespace().collect();
    let mask = |(at, word): (usize, &&str)| {
        let is_time = words.get(at + 1) == Some(&"s") && word.parse::<f64>().is_ok();
        let word = if is_time { "TIME" } else { word };
        let word = word.split_once("@sha256:").map_or(word.to_owned(), |(image, _)| format!("{image}@DIGEST"));
        let word = match word.split_once("127.0.0.1:") {
            Some((before, port)) => {
                format!("{before}127.0.0.1:PORT{}", port.trim_start_matches(|digit: char| digit.is_ascii_digit()))
            }
            None => word,
        };
        match word.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?))) {
            Some((scheme, (login, rest))) => {
                format!("{scheme}://{}:PASSWORD@{rest}", login.split(':').next().unwrap_or_default())
            }
            None => word,
        }
    };
    words.iter().enumerate().map(mask).collect::<Vec<_>>().join(" ")
}

/// Types each command of a session and compares its output. Services become ready in any order. If the session shows a
/// file that does not exist yet, the file is written.
fn followed(project: &Sandbox, session: &Block, elsewhere: &[&str]) {
    let lines = |lines: &[String]| {
        let mut masked: Vec<String> = lines.iter().map(|line| masked(line)).filter(|line| !line.is_empty()).collect();
        masked.sort();
        masked
    };
    for step in session.steps().iter().filter(|step| !elsewhere.contains(&step.command.as_str())) {
        let path = step.command.strip_prefix("cat ").filter(|path| !project.path(path).exists());
        if let Some(path) = path {
            project.write(path, &format!("{}\n", step.output.join("\n")));
        } else {
            assert_eq!(lines(&typed(project, &step.command)), lines(&step.output), "$ {}", step.command);
        }
    }
}

fn session(scope: &str) -> Block {
    page(scope).blocks.into_iter().find(|block| block.language == "console").unwrap()
}

/// The file that a page shows, by its first line.
fn shown(scope: &str, begins: &str) -> String {
    page(scope).blocks.iter().find(|block| block.lines[0] == begins).unwrap().text()
}

#[test]
fn the_session_of_the_readme_is_the_same_as_a_user_s() {
    let example = |path: &str| fs::read_to_string(top().join("tests/example").join(path)).unwrap();
    let project = Sandbox::new(&[
        ("compose.prod.yaml", &example("compose.prod.yaml")),
        ("web/Dockerfile", &example("web/Dockerfile")),
    ]);
    // tests/cli/docs.rs compares the output of `manifest`.
    followed(&project, &session("README.md"), &["devenv manifest"]);
    assert_eq!(project.containers().len(), 3);
}

#[test]
fn a_refused_setting_is_reported_as_the_page_shows() {
    let services = shown("docs/configuration.md", "name: shop");
    let project = Sandbox::new(&[("services.yaml", &services)]);
    project.succeed(&["up"]);
    let wrong = services.replace("max_connections: 200", "max_connections: many");
    assert_ne!(wrong, services);
    project.write("services.yaml", &wrong);
    followed(&project, &session("docs/configuration.md"), &[]);
}

#[test]
fn an_envrc_sets_the_variables_before_the_first_up() {
    let project = Sandbox::new(&[("services.yaml", &shown("README.md", "name: shop"))]);
    let page = page("docs/ci.md");
    let envrc = page.blocks.iter().find(|block| block.lines[0].starts_with("watch_file ")).unwrap().text();
    // A function that direnv defines.
    let said =
        typed(&project, &format!("watch_file() {{ :; }}\n{envrc}printf '%s\\n' \"$DATABASE_URL\" \"$LOG_LEVEL\""));
    assert_eq!(said.len(), 2, "{said:?}");
    assert_eq!(said[1], "info");
    project.succeed(&["up"]);
    assert_eq!(project.env()["DATABASE_URL"], said[0]);
}
