//! An environment whose names, logs and error texts of servers contain terminal control sequences, on a terminal.

use crate::project::{Outcome, Sandbox, docker};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// A title, the clipboard, a cleared screen, the one-byte form of a colour, a reading direction.
const STEERING: &str = "\u{1b}]0;x\u{7}\u{1b}]52;c;eA==\u{7}\u{1b}[2J\u{9b}31m\u{202e}";

const STACK: &str =
    "name: shop\nservices:\n  cache: { kind: redis, version: \"7.0.15\" }\nvariables:\n  REDIS_URL: ${cache.url}\n";

/// Runs the program on a new terminal (util-linux's `script`); returns the bytes that the terminal gets.
fn on_terminal(project: &Sandbox, arguments: &[&str]) -> Outcome {
    let command = project.command(arguments);
    let quoted = |word: &str| format!("'{}'", word.replace('\'', "'\\''"));
    let words: Vec<String> = std::iter::once(command.get_program().to_string_lossy().into_owned())
        .chain(arguments.iter().map(|word| (*word).to_owned()))
        .map(|word| quoted(&word))
        .collect();
    let mut script = Command::new("script");
    script.args(["-qec", &words.join(" "), "/dev/null"]).current_dir(project.root()).env_clear();
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    script.env("TERM", "xterm-256color").stdin(Stdio::null());
    Outcome::of(&script.output().expect("`script` of util-linux"))
}

/// A text without the sequences of progress display and colours: carriage returns, colours, lines that are cleared
/// and rewritten.
fn without_our_own(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    let shown = parts.fold(first, |shown, part| {
        let end = part.find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, ';' | '?')));
        let known = end.filter(|end| {
            let (number, letter) = (&part[..*end], part[*end..].chars().next());
            matches!((number, letter), (_, Some('m' | 'A' | 'B' | 'K')) | ("?25", Some('l' | 'h')))
        });
        match known {
            Some(end) => shown + &part[end + 1..],
            None => shown + "\u{1b}[" + part,
        }
    });
    shown.replace('\r', "")
}

fn steering(text: &str) -> Option<char> {
    let turns = |letter: char| matches!(letter, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().find(|letter| (letter.is_control() && !matches!(letter, '\n' | '\t')) || turns(*letter))
}

/// The labels of the first resource that a filter finds, and its image.
fn labelled(filter: &str) -> (BTreeMap<String, String>, String) {
    let id = docker(&["ps", "-aq", "--no-trunc", "--filter", filter]);
    let id = id.lines().next().unwrap_or_else(|| panic!("nothing has {filter}")).to_owned();
    let labels = docker(&["inspect", "--format", "{{json .Config.Labels}}", &id]);
    let image = docker(&["inspect", "--format", "{{.Image}}", &id]);
    (serde_json::from_str(&labels).expect("labels"), image.trim().to_owned())
}

/// Another container like that container, with one changed label. It is never started.
fn copied(filter: &str, label: &str, value: &str) {
    let (mut labels, image) = labelled(filter);
    labels.insert(label.to_owned(), value.to_owned());
    let mut create = vec!["create".to_owned()];
    create.extend(labels.iter().flat_map(|(key, value)| ["--label".to_owned(), format!("{key}={value}")]));
    create.push(image);
    let made = docker(&create.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(!made.trim().is_empty(), "{label}");
}

fn git(project: &Sandbox, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main"]);
    let done = command.args(arguments).current_dir(project.root()).output().expect("git");
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn nothing_of_a_running_environment_steers_the_terminal() {
    let project = Sandbox::new(&[
        ("services.yaml", STACK),
        ("services.local.yaml", "branch: git\n"),
        (".gitignore", ".env\nservices.local.yaml\n"),
    ]);
    git(&project, &["init", "--quiet"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "--quiet", "--message", "A project"]);
    // Git accepts everything except one-byte control characters.
    git(&project, &["switch", "--quiet", "--create", "x\u{9b}31m\u{202e}y"]);
    let up = on_terminal(&project, &["up"]);
    assert_eq!(up.code, 0, "{up:?}");
    assert_eq!(steering(&without_our_own(&up.stdout)), None, "{:?}", up.stdout);
    project.succeed(&["snapshot", "save", "good"]);
    let root = format!("label=dev.devenv.root={}", project.root().canonicalize().expect("the root").display());
    copied("label=dev.devenv.snapshot=good", "dev.devenv.snapshot", &format!("bad{STEERING}"));
    copied(&root, "dev.devenv.service", &format!("bad{STEERING}"));
    let cache = project.container("cache");
    docker(&["exec", &cache, "sh", "-c", "printf \"$1\\n\" > /proc/1/fd/1", "sh", &format!("said{STEERING}")]);

    let mut visible = 0;
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["status", "--sizes"],
        &["ls"],
        &["ls", "--json"],
        &["logs"],
        &["logs", "cache"],
        &["snapshot", "list"],
        &["snapshot", "list", "--json"],
        &["env"],
        &["env", "--format", "shell"],
        &["doctor"],
        &["plan"],
        &["gc", "--dry-run"],
        &["shell", "cache", "--", "true"],
        &["url", "cache"],
        &["parity"],
        &["up"],
    ] {
        let seen = on_terminal(&project, arguments);
        let text = without_our_own(&seen.stdout);
        assert_eq!(steering(&text), None, "devenv {arguments:?}\n{:?}", seen.stdout);
        visible += text.matches(['␛', '\u{fffd}']).count() + text.matches("\\u00").count();
    }
    assert!(visible > 5, "it was there to be shown: {visible}");
}

#[test]
fn the_last_log_lines_of_a_server_do_not_control_the_terminal() {
    let stack = "name: shop\nservices:\n  db:\n    kind: postgres\n    version: \"15.18\"\n    settings: { max_connections: \"x\\e]0;x\\a\\e[2J\\u202e\" }\n";
    let project = Sandbox::new(&[("services.yaml", stack)]);
    for failed in [on_terminal(&project, &["up"]), on_terminal(&project, &["logs", "db"])] {
        assert!(failed.stdout.contains("max_connections"), "{failed:?}");
        assert_eq!(steering(&without_our_own(&failed.stdout)), None, "{:?}", failed.stdout);
    }
}
