//! What `up` was told on the command line holds from then on, and what runs is known without any manifest.

use crate::client::{Url, redis};
use crate::project::{Outcome, Sandbox, docker};
use std::io::Write as _;
use std::process::{Command, Stdio};

const CACHE: &str = "services:\n  cache: {image: \"redis:7.0.15\"}\n  web:\n    image: acme/web:1\n    environment: {REDIS_URL: \"redis://cache:6379/0\"}\n";

fn piped(command: &mut Command, input: &str) -> Outcome {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it reads");
    let outcome = Outcome::of(&child.wait_with_output().expect("its end"));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome
}

#[test]
fn after_a_named_file_every_command_knows_what_runs_and_a_broken_one_stops_neither_logs_nor_down() {
    let project = Sandbox::new(&[("elsewhere/backing.yml", CACHE), ("src/main.txt", "")]);
    project.succeed(&["up", "-f", "elsewhere/backing.yml"]);
    let container = project.container("cache");
    redis(&project.env()["REDIS_URL"], &["SET", "kept", "7"]);

    // Without the file's name: the same environment, and nothing is made again.
    let again = project.succeed(&["up"]);
    assert!(again.stderr.contains("reading elsewhere/backing.yml again"), "{}", again.stderr);
    assert_eq!(project.container("cache"), container);
    let below = project.path("src");
    let status = Outcome::of(&project.command(&["status", "--json"]).current_dir(&below).output().unwrap());
    assert_eq!(status.json()["services"][0]["name"], "cache", "{status:?}");
    assert_eq!(project.succeed(&["shell", "cache", "--", "echo", "inside"]).stdout, "inside\n");
    project.succeed(&["snapshot", "save", "one"]);
    assert_eq!(project.succeed(&["snapshot", "list", "--json"]).json()["snapshots"][0]["name"], "one");
    assert_eq!(redis(&project.env()["REDIS_URL"], &["GET", "kept"]), ["7"]);

    project.write("elsewhere/backing.yml", "services: {");
    let status = project.succeed(&["status"]);
    assert!(
        status.stdout.contains("redis 7.0.15") && status.stderr.contains("the manifests were not read"),
        "{status:?}"
    );
    assert!(project.succeed(&["logs"]).stdout.contains("Ready to accept connections"));
    let root = project.root().canonicalize().unwrap().display().to_string();
    let listed = project.succeed(&["ls", "--json"]).json();
    let ours = listed["environments"].as_array().unwrap().iter().find(|one| one["folder"] == *root).cloned().unwrap();
    assert_eq!((&ours["running"][0], &ours["ours"]), (&"cache".into(), &true.into()), "{ours}");
    project.succeed(&["down"]);
    assert!(project.containers().is_empty());

    // `down` keeps the choice.
    project.write("elsewhere/backing.yml", CACHE);
    project.succeed(&["up"]);
    assert_eq!(redis(&project.env()["REDIS_URL"], &["GET", "kept"]), ["7"]);
    project.succeed(&["down", "--volumes", "--yes"]);
    assert_eq!(project.on_the_engine(), Vec::<String>::new());
    assert!(project.fail(3, &["up"]).stderr.contains("no manifest was found"));
}

#[test]
fn what_came_through_standard_input_is_known_to_every_command_and_kept_sealed() {
    let project = Sandbox::new(&[]);
    piped(&mut project.command(&["-f", "-", "up"]), CACHE);
    let container = project.container("cache");
    redis(&project.env()["REDIS_URL"], &["SET", "kept", "7"]);
    let root = project.root().canonicalize().unwrap().display().to_string();
    let filter = format!("label=dev.devenv.root={root}");
    let records = docker(&["ps", "-aq", "--filter", &filter, "--filter", "label=dev.devenv.choice"]);
    let kept = Command::new("docker").args(["cp", &format!("{}:/devenv-kept", records.trim()), "-"]).output().unwrap();
    assert!(kept.status.success(), "{kept:?}");
    assert!(!String::from_utf8_lossy(&kept.stdout).contains("redis"), "the text is not to be read");

    for command in [&["status"][..], &["logs"], &["env"], &["run", "--", "true"], &["shell", "cache", "--", "true"]] {
        project.succeed(command);
    }
    let again = project.succeed(&["up"]);
    assert!(again.stderr.contains("reading what standard input said again"), "{}", again.stderr);
    assert_eq!(project.container("cache"), container);
    project.succeed(&["snapshot", "save", "one"]);
    redis(&project.env()["REDIS_URL"], &["SET", "kept", "8"]);
    project.succeed(&["snapshot", "restore", "one", "--yes"]);
    assert_eq!(redis(&project.env()["REDIS_URL"], &["GET", "kept"]), ["7"]);

    // Where what was kept is gone, that is said, and what runs goes on.
    docker(&["rm", docker(&["ps", "-aq", "--filter", &filter, "--filter", "label=dev.devenv.choice"]).trim()]);
    assert!(project.fail(3, &["up"]).stderr.contains("no manifest was found"));
    assert!(project.succeed(&["status"]).stdout.contains("Up "));
    project.succeed(&["down"]);
}

#[test]
fn an_env_file_that_was_named_holds_for_every_command_and_the_server_keeps_its_password() {
    let project = Sandbox::new(&[(
        "services.yaml",
        "services:\n  cache: {kind: redis, version: \"7.0.15\"}\nvariables: {REDIS_URL: \"${cache.url}\"}\n",
    )]);
    project.succeed(&["up", "--env-file", "deploy.env"]);
    let ours = project.read("deploy.env").lines().find_map(|line| line.strip_prefix("REDIS_URL=")).unwrap().to_owned();
    let mine = ours.replace(&Url::read(&ours).password, "of-my-own");
    project.write("deploy.env", &format!("REDIS_URL={mine}\n"));
    project.succeed(&["up"]);
    assert_eq!(redis(&mine, &["PING"]), ["PONG"]);
    assert!(!project.path(".env").exists(), "only the named file is written");

    let container = project.container("cache");
    for command in [&["run", "--", "sh", "-c", "echo $REDIS_URL"][..], &["env", "--format", "json"]] {
        assert!(project.succeed(command).stdout.contains("of-my-own"), "{command:?}");
    }
    assert_eq!(redis(&mine, &["PING"]), ["PONG"]);
    assert_eq!(project.container("cache"), container, "nothing was made again");
    assert!(project.succeed(&["status"]).stdout.contains("variables in deploy.env"));
    project.succeed(&["env", "--check"]);
    project.succeed(&["down"]);
    project.succeed(&["run", "--", "true"]);
    assert_eq!(redis(&mine, &["PING"]), ["PONG"]);
    assert!(!project.path(".env").exists());
}

#[test]
fn some_services_are_brought_up_or_restarted_alone_and_the_others_left_as_they_are() {
    let project = Sandbox::new(&[(
        "services.yaml",
        "services:\n  cache: {kind: redis, version: \"7.0.15\"}\n  queue: {kind: redis, version: \"7.0.15\"}\n\
         variables: {CACHE_URL: \"${cache.url}\", QUEUE_URL: \"${queue.url}\"}\n",
    )]);
    let outcome = project.succeed(&["up", "-d", "cache"]);
    assert!(outcome.stderr.contains("left as they are: queue"), "{}", outcome.stderr);
    assert_eq!(project.containers().into_keys().collect::<Vec<_>>(), ["cache"]);
    let env = project.env();
    project.succeed(&["up"]);
    assert_eq!(project.env(), env, "the variables of both were written by the first");
    let started = |service: &str| docker(&["inspect", "--format", "{{.State.StartedAt}}", &project.container(service)]);
    let before = (started("cache"), started("queue"));
    project.succeed(&["restart", "queue"]);
    assert_eq!(started("cache"), before.0);
    assert_ne!(started("queue"), before.1);
    assert!(project.fail(2, &["up", "chache"]).stderr.contains("did you mean `cache`"));
    assert_eq!(project.succeed(&["exec", "cache", "echo", "-n", "x"]).stdout, "x");
    project.succeed(&["stop"]);
    assert!(project.containers().is_empty());
    project.succeed(&["down", "-v", "--yes"]);
    assert_eq!(project.on_the_engine(), Vec::<String>::new());
}

/// A terminal of Python's, since a question is asked on nothing else: types the answer, and prints what came.
const TERMINAL: &str = "
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
said, asked = b'', False
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    said += piece
    if b'[y/N]' in said and not asked:
        asked = True
        os.write(terminal, bytes([int(sys.argv[1])]))
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
";

#[test]
fn a_question_that_is_cancelled_says_so_and_nothing_is_changed() {
    let project = Sandbox::new(&[("services.yaml", "services:\n  cache: {kind: redis, version: \"7.0.15\"}\n")]);
    project.succeed(&["up"]);
    let container = project.container("cache");
    for (key, exit) in [("3", 130), ("4", 2)] {
        let asked = Outcome::of(
            &project_python(&project, &["-c", TERMINAL, key, env!("CARGO_BIN_EXE_devenv"), "down", "--volumes"])
                .output()
                .unwrap(),
        );
        assert_eq!(asked.code, exit, "{asked:?}");
        assert!(asked.stdout.contains("cancelled; nothing was changed"), "{asked:?}");
        assert!(asked.stdout.contains("this deletes the data of: cache"), "{asked:?}");
        assert_eq!(project.container("cache"), container);
    }
}

/// Python in the project's folder, with the sandbox's home.
fn project_python(project: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.args(arguments).current_dir(project.root()).env("HOME", project.home()).env_remove("XDG_DATA_HOME");
    command
}
