//! The options of `up` on the command line hold for later commands, and commands find running services without a
//! manifest.

use crate::client::{Url, one, redis, sql};
use crate::engine_proxy::{EngineProxy, Moment};
use crate::project::{Outcome, Running, Sandbox, docker, wait_until};
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
fn after_a_named_file_every_command_knows_the_services_and_a_broken_file_stops_neither_logs_nor_down() {
    let project = Sandbox::new(&[("elsewhere/backing.yml", CACHE), ("src/main.txt", "")]);
    project.succeed(&["up", "-f", "elsewhere/backing.yml"]);
    let container = project.container("cache");
    redis(&project.env()["REDIS_URL"], &["SET", "kept", "7"]);

    // Without the file's name: the same environment, and no container is recreated.
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
fn a_manifest_from_standard_input_is_known_to_every_command_and_stored_encrypted() {
    let project = Sandbox::new(&[]);
    piped(&mut project.command(&["-f", "-", "up"]), CACHE);
    let container = project.container("cache");
    redis(&project.env()["REDIS_URL"], &["SET", "kept", "7"]);
    let root = project.root().canonicalize().unwrap().display().to_string();
    let filter = format!("label=dev.devenv.root={root}");
    let input = docker(&["ps", "-aq", "--filter", &filter, "--filter", "name=.input"]);
    let kept =
        Command::new("docker").args(["cp", &format!("{}:/devenv-record/kept", input.trim()), "-"]).output().unwrap();
    assert!(kept.status.success(), "{kept:?}");
    assert!(!String::from_utf8_lossy(&kept.stdout).contains("redis"), "the text is not to be read");

    for command in [&["status"][..], &["logs"], &["env"], &["run", "--", "true"], &["shell", "cache", "--", "true"]] {
        project.succeed(command);
    }
    let again = project.succeed(&["up"]);
    assert!(again.stderr.contains("reading standard input again"), "{}", again.stderr);
    assert_eq!(project.container("cache"), container);
    project.succeed(&["snapshot", "save", "one"]);
    redis(&project.env()["REDIS_URL"], &["SET", "kept", "8"]);
    project.succeed(&["snapshot", "restore", "one", "--yes"]);
    assert_eq!(redis(&project.env()["REDIS_URL"], &["GET", "kept"]), ["7"]);

    // A clean-up of containers deletes neither the choice nor its record.
    project.prune_containers();
    let again = project.succeed(&["up"]);
    assert!(again.stderr.contains("reading standard input again"), "{}", again.stderr);

    // If the stored input is gone, devenv says so, and the services keep running.
    let forget = |what: &str| {
        let filters = ["--filter", &filter, "--filter", what];
        for (list, remove) in [(&["ps", "-aq"][..], "rm"), (&["volume", "ls", "-q"], "volume")] {
            for one in docker(&[list, &filters].concat()).lines() {
                docker(&if remove == "rm" { vec!["rm", one] } else { vec!["volume", "rm", one] });
            }
        }
    };
    forget("name=.input");
    assert!(project.fail(3, &["up"]).stderr.contains("is no longer stored"));
    assert_eq!(project.succeed(&["shell", "cache", "--", "echo", "inside"]).stdout, "inside\n");
    piped(&mut project.command(&["-f", "-", "up"]), CACHE);
    let all = docker(&["ps", "-aq", "--filter", &filter, "--filter", "label=dev.devenv.choice"]);
    assert_eq!(all.lines().count(), 2, "one record, and one for the stored input: {all}");
    forget("label=dev.devenv.choice");
    assert!(project.fail(3, &["up"]).stderr.contains("no manifest was found"));
    assert!(project.succeed(&["status"]).stdout.contains("Up "));
    project.succeed(&["down"]);
}

#[test]
fn without_a_manifest_running_services_can_be_used_saved_and_restored() {
    let manifest = "services:\n  cache: {kind: redis, version: \"7.0.15\"}\n  db: {kind: postgres, version: \"15.18\", users: [shop]}\n\
                    variables: {REDIS_URL: \"${cache.url}\", DATABASE_URL: \"${db.url}\"}\n";
    let project = Sandbox::new(&[("services.yaml", manifest)]);
    project.succeed(&["up"]);
    // A password in the user's own line is the server's password, without any manifest too.
    let mine = project.env()["DATABASE_URL"].replace(&Url::read(&project.env()["DATABASE_URL"]).password, "of-my-own");
    project.write(".env", &format!("DATABASE_URL={mine}\n{}", project.read(".env")));
    project.succeed(&["up"]);
    sql(&mine, "CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)").unwrap();
    let url = project.env()["REDIS_URL"].clone();
    redis(&url, &["SET", "kept", "7"]);
    let before = project.read(".env");
    std::fs::remove_file(project.path("services.yaml")).unwrap();

    let shown = project.succeed(&["shell", "db", "--", "psql", "-tAc", "SELECT current_user, x FROM kept"]);
    assert_eq!(shown.stdout, "shop|7\n");
    assert!(shown.stderr.contains("the manifests were not read (no manifest was found"), "{shown:?}");
    assert_eq!(project.succeed(&["shell", "--admin", "db", "--", "psql", "-tAc", "SHOW is_superuser"]).stdout, "on\n");
    assert_eq!(project.succeed(&["url", "db"]).stdout.trim_end(), mine);
    project.succeed(&["snapshot", "save", "one"]);
    sql(&mine, "INSERT INTO kept VALUES (8)").unwrap();
    redis(&url, &["SET", "kept", "8"]);
    let differs = project.succeed(&["snapshot", "diff", "one", "--json"]);
    assert!(differs.json()["differences"].as_array().is_some_and(|all| !all.is_empty()), "{differs:?}");
    assert!(
        differs.stderr.contains("reading one") && differs.stderr.contains("reading the running services"),
        "{differs:?}"
    );
    project.succeed(&["snapshot", "restore", "one", "--yes"]);
    assert_eq!(
        (one(&mine, "SELECT count(*) FROM kept"), redis(&url, &["GET", "kept"])),
        ("1".into(), vec!["7".into()])
    );
    assert_eq!(project.read(".env"), before);
    assert!(
        project.fail(3, &["up"]).stderr.contains("no manifest was found"),
        "a command that starts services reads manifests"
    );
    project.succeed(&["down"]);
    assert_eq!(project.succeed(&["snapshot", "list", "--json"]).json()["snapshots"][0]["name"], "one");

    // With the manifest back, everything is as before, and no message reports unread manifests.
    project.write("services.yaml", manifest);
    let up = project.succeed(&["up"]);
    assert!(!up.stderr.contains("were not read"), "{up:?}");
    assert_eq!(one(&mine, "SELECT count(*) FROM kept"), "1");
    let containers = project.containers();
    project.succeed(&["up"]);
    assert_eq!(project.containers(), containers);
}

#[test]
fn commands_that_only_read_use_what_was_chosen_and_say_so() {
    let project = Sandbox::new(&[("elsewhere/backing.yml", CACHE)]);
    project.succeed(&["up", "-f", "elsewhere/backing.yml"]);
    for command in [
        &["manifest"][..],
        &["lock"],
        &["lock", "--check"],
        &["update"],
        &["pin", "cache", "7.0.15"],
        &["parity"],
        &["doctor"],
        &["trust"],
        &["plan"],
    ] {
        let outcome = project.succeed(command);
        let told = "reading elsewhere/backing.yml again, since the last `-f` named it; `-f` names another";
        assert_eq!(outcome.stderr.matches(told).count(), 1, "{command:?}: {outcome:?}");
    }
    let bundle = project.fail(1, &["bundle", "load", "absent.tar"]);
    assert!(bundle.stderr.contains("reading elsewhere/backing.yml again"), "{bundle:?}");
    // `-f` names another file; the choice of a command that only reads is not stored.
    std::fs::remove_file(project.path("services.local.yaml")).unwrap();
    project.write("other.yml", &CACHE.replace("cache", "other"));
    let other = project.succeed(&["manifest", "-f", "other.yml"]);
    assert!(other.stdout.contains("other") && !other.stderr.contains("again"), "{other:?}");
    assert!(project.succeed(&["manifest"]).stdout.contains("cache"));
    // devenv does not look forever for a file that no longer exists.
    std::fs::remove_file(project.path("elsewhere/backing.yml")).unwrap();
    project.write("compose.prod.yaml", CACHE);
    for command in ["manifest", "up"] {
        let outcome = project.succeed(&[command]);
        let told = "elsewhere/backing.yml is gone, which the last `-f` named: looking for production's files";
        assert_eq!(outcome.stderr.matches(told).count(), 1, "{outcome:?}");
    }
    assert!(!project.succeed(&["up"]).stderr.contains("the last `-f`"));
    std::fs::remove_file(project.path("compose.prod.yaml")).unwrap();
    // An engine that does not answer cannot supply the stored choice.
    let alone = project.fail(3, &["--host", "unix:///nowhere.sock", "manifest"]);
    assert!(alone.stderr.contains("no manifest was found"), "{alone:?}");
}

#[test]
fn paths_of_a_remembered_standard_input_start_from_the_folder_where_it_was_read() {
    let project = Sandbox::new(&[("deploy/shop/web.env", "LEVEL=info\n"), (".git/HEAD", "")]);
    let text = CACHE.replace("    environment:", "    env_file: web.env\n    environment:");
    let folder = project.path("deploy/shop");
    piped(project.command(&["-f", "-", "up"]).current_dir(&folder), &text);
    for from in [project.root(), folder] {
        let told = Outcome::of(&project.command(&["env", "--format", "json"]).current_dir(from).output().unwrap());
        assert_eq!(told.json()["LEVEL"], "info", "{told:?}");
        assert!(!told.stderr.contains("no file"), "{told:?}");
    }
    assert!(project.succeed(&["manifest"]).stderr.contains("reading standard input again"));
}

#[test]
fn a_manifest_from_standard_input_is_stored_completely_or_not_at_all_wherever_a_run_is_killed() {
    for moment in [Moment::Before, Moment::After] {
        // Network and image come first; then the choice is stored, before anything is changed for it.
        for number in 1..8 {
            let project = Sandbox::new(&[("manifest", CACHE)]);
            let proxy = EngineProxy::hold_at_change(number, moment);
            let input = std::fs::File::open(project.path("manifest")).unwrap();
            let mut up = project.command(&["--host", &proxy.host(), "-f", "-", "up"]);
            let mut run = Running::start(up.stdin(input));
            wait_until("the run comes to that change or ends", || proxy.has_stopped() || run.has_ended());
            run.signal("KILL");
            run.end();
            proxy.hang_up();
            let next = project.run(&["up"]);
            let forgot = next.code == 3 && next.stderr.contains("no manifest was found");
            assert!(next.code == 0 || forgot, "killed {moment:?} change {number}: {next:?}");
            // Incomplete leftovers do not disturb the next command.
            piped(&mut project.command(&["-f", "-", "up"]), CACHE);
            project.succeed(&["up"]);
            assert_eq!(redis(&project.env()["REDIS_URL"], &["PING"]), ["PONG"]);
        }
    }
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
    assert!(outcome.stderr.contains("not started: queue"), "{}", outcome.stderr);
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

/// A terminal in Python, because devenv asks questions on a terminal only: types the answer, and prints the output.
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

/// Runs Python in the project's folder, with the sandbox's home.
fn project_python(project: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.args(arguments).current_dir(project.root()).env("HOME", project.home()).env_remove("XDG_DATA_HOME");
    command
}
