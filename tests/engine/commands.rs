//! The other commands on a running environment.

use crate::client::{Url, one, redis};
use crate::project::{Outcome, Running, Sandbox, docker, wait_until};

const MANIFEST: &str = r#"
name: shop
services:
  db: {kind: postgres, version: "15.18", databases: [shop]}
  cache: {kind: redis, version: "7.0.15"}
variables: {DATABASE_URL: "${db.url}", REDIS_URL: "${cache.url}", PHRASE: "hello, world"}
"#;

const ONLY_REDIS: &str =
    "services:\n  cache: {kind: redis, version: \"7.0.15\"}\nvariables: {REDIS_URL: \"${cache.url}\"}\n";

#[test]
fn plan_prints_steps_and_causes_and_changes_nothing() {
    let project = Sandbox::new(&[("services.yaml", MANIFEST)]);
    let plan = project.succeed(&["plan"]).stdout;
    for part in
        ["create network", "create volume", "create container", "start", "prove by logging in", "it does not run yet"]
    {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    let json = project.succeed(&["plan", "--json"]).json();
    let steps = json["steps"].as_array().unwrap();
    let last = steps.iter().rposition(|step| step["service"] == "db").unwrap();
    assert_eq!(steps[last]["action"], "prove by logging in");
    assert!(!steps[last]["after"].as_array().unwrap().is_empty(), "{json:#}");
    assert!(steps.iter().all(|step| step["cause"].as_str().is_some_and(|cause| !cause.is_empty())), "{json:#}");
    assert_eq!(project.on_the_engine(), Vec::<String>::new());
    assert!(!project.path(".env").exists());
}

#[test]
fn a_running_environment_answers_every_command_that_only_looks() {
    let project = Sandbox::new(&[("services.yaml", MANIFEST)]);
    let absent = project.succeed(&["status", "--json"]).json();
    assert_eq!(absent["services"][0]["state"], "absent", "{absent:#}");
    project.fail(1, &["logs"]);
    project.fail(1, &["shell", "db"]);
    project.succeed(&["up"]);
    let env = project.env();
    let password = Url::read(&env["DATABASE_URL"]).password;

    // status: state, image, endpoint without password, start time.
    let status = project.succeed(&["status", "--json"]);
    assert!(!status.stdout.contains(&password));
    let db = status.json()["services"][0].clone();
    assert_eq!((&db["name"], &db["kind"], &db["state"]), (&"db".into(), &"postgres".into(), &"running".into()));
    assert_eq!(db["image"], "docker.io/library/postgres:15.18");
    assert_eq!(db["endpoint"], format!("127.0.0.1:{}", Url::read(&env["DATABASE_URL"]).port));
    assert!(db["created"].as_i64().is_some_and(|seconds| seconds > 1_700_000_000), "{db:#}");
    let table = project.succeed(&["status"]).stdout;
    assert!(table.contains("cache") && table.contains("redis 7.0.15"), "{table}");

    // logs: all services with names, one service without names, a number of lines.
    let logs = project.succeed(&["logs"]).stdout;
    assert!(logs.lines().any(|line| line.starts_with("cache  ")), "{logs}");
    assert!(logs.contains("database system is ready to accept connections"), "{logs}");
    let logs = project.succeed(&["logs", "-n", "1", "cache"]).stdout;
    assert_eq!(logs.lines().count(), 1, "{logs}");
    let unknown = project.fail(2, &["logs", "cahce"]);
    assert!(unknown.stderr.contains("did you mean `cache`?"), "{}", unknown.stderr);

    // shell: the client with piped input and output, with its own exit code, and any other program.
    let mut psql = project.command(&["shell", "db"]);
    let answer = piped(&mut psql, "SELECT 6 * 7 AS answer;\n");
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.stdout.contains("42"), "{answer:?}");
    let user =
        |shell: &[&str]| project.succeed(&[shell, &["--", "psql", "-Atc", "SELECT current_user"]].concat()).stdout;
    assert_eq!(user(&["shell", "db"]), "app\n");
    assert_eq!(user(&["shell", "--admin", "db"]), "devenv_admin\n");
    let dump = project.succeed(&["shell", "db", "--", "pg_dump", "--schema-only"]);
    assert!(dump.stdout.contains("PostgreSQL database dump complete"), "{dump:?}");
    let failed = project.run(&["shell", "db", "--", "sh", "-c", "echo words >&2; exit 17"]);
    assert_eq!((failed.code, failed.stderr.trim()), (17, "words"), "{failed:?}");
    let pong = piped(&mut project.command(&["shell", "cache"]), "PING\n");
    assert_eq!(pong.stdout.trim(), "PONG", "{pong:?}");
    let large = "x".repeat(300_000) + "\n";
    assert_eq!(piped(&mut project.command(&["shell", "cache", "--", "cat"]), &large).stdout, large);

    // env: the same variables in each format as in the file.
    let json = project.succeed(&["env", "--format", "json"]).json();
    for (name, value) in &env {
        assert_eq!(json[name], *value);
    }
    let shell = project.succeed(&["env", "--format", "shell"]).stdout;
    let sourced = piped(
        std::process::Command::new("sh").args([
            "-c",
            "eval \"$1\"; printf '%s|%s' \"$PHRASE\" \"$DATABASE_URL\"",
            "sh",
            &shell,
        ]),
        "",
    );
    assert_eq!(sourced.stdout, format!("hello, world|{}", env["DATABASE_URL"]), "{shell}");
    assert!(project.succeed(&["env", "--format", "github"]).stderr.contains("::add-mask::"));
    assert!(project.read(".env").contains(project.succeed(&["env"]).stdout.trim()));

    // The view from a container of the environment's network works in such a container.
    let network = project.succeed(&["env", "--view", "network", "--format", "json"]).json();
    let url = network["DATABASE_URL"].as_str().unwrap();
    assert_eq!((Url::read(url).host.as_str(), Url::read(url).port), ("db", 5432));
    let on_network = docker(&[
        "inspect",
        "--format",
        "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}",
        &project.container("db"),
    ]);
    let run = [
        "run",
        "--rm",
        "--pull",
        "never",
        "--network",
        on_network.trim(),
        "--entrypoint",
        "psql",
        "postgres:15.18",
        "-Atc",
        "SELECT current_user",
        url,
    ];
    assert_eq!(docker(&run).trim(), "app");

    // env --check: up to date, then stale in each way.
    project.succeed(&["env", "--check"]);
    let written = project.read(".env");
    project.write(".env", &written.replace("hello, world", "changed by hand"));
    let stale = project.fail(7, &["env", "--check"]);
    assert!(stale.stderr.contains("has another value of PHRASE"), "{}", stale.stderr);
    assert!(!stale.stderr.contains("changed by hand"), "{}", stale.stderr);
    std::fs::remove_file(project.path(".env")).unwrap();
    project.fail(7, &["env", "--check"]);
    project.succeed(&["up"]);
    assert_eq!(project.read(".env"), written);

    // doctor: the engine, the rule that found it, the disk, the mirror, the file.
    let doctor = project.succeed(&["doctor", "--json"]).json();
    let names: Vec<&str> =
        doctor["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    for name in ["engine", "found by", "disk", "mirror", "manifest", ".env"] {
        assert!(names.contains(&name), "{name}: {doctor:#}");
    }
}

#[test]
fn logs_are_followed_until_the_reader_has_enough() {
    let project = Sandbox::new(&[("services.yaml", ONLY_REDIS)]);
    project.succeed(&["up"]);
    let follower = project.spawn(&["logs", "-f", "cache"]);
    wait_until("the lines so far come", || follower.stdout().contains("Ready to accept connections"));
    redis(&project.env()["REDIS_URL"], &["SAVE"]);
    wait_until("a new line comes", || follower.stdout().contains("DB saved on disk"));
    follower.signal("INT");
    follower.end();
}

#[test]
fn down_keeps_the_data_and_down_with_volumes_names_and_deletes_only_its_own() {
    let project = Sandbox::new(&[("services.yaml", ONLY_REDIS)]);
    let other = Sandbox::new(&[("services.yaml", ONLY_REDIS)]);
    project.succeed(&["up"]);
    other.succeed(&["up"]);
    let url = project.env()["REDIS_URL"].clone();
    redis(&url, &["SET", "kept", "7"]);
    let (volumes, others) = (project.volumes(), other.on_the_engine());

    let down = project.succeed(&["down"]);
    assert!(down.stderr.contains("the data is kept"), "{}", down.stderr);
    assert!(project.containers().is_empty());
    assert_eq!(project.volumes(), volumes);
    project.succeed(&["up"]);
    assert_eq!(project.env()["REDIS_URL"], url);
    assert_eq!(redis(&url, &["GET", "kept"]), ["7"]);

    // Without a terminal, devenv cannot ask: it deletes nothing.
    let refused = project.fail(2, &["down", "--volumes"]);
    for part in ["this deletes the data of: cache", "--yes", "nothing was changed"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert!(!refused.stderr.contains(&volumes[0]), "a volume's name says nothing to a person: {}", refused.stderr);
    assert_eq!(redis(&url, &["GET", "kept"]), ["7"]);

    let gone = project.succeed(&["down", "--volumes", "--yes"]);
    assert!(gone.stderr.contains("this deletes the data of: cache"), "{}", gone.stderr);
    assert_eq!(project.on_the_engine(), Vec::<String>::new());
    assert_eq!(other.on_the_engine(), others);
    assert_eq!(redis(&other.env()["REDIS_URL"], &["PING"]), ["PONG"]);
    project.succeed(&["down", "--volumes", "--yes"]);
}

#[test]
fn nothing_unnamed_is_left_behind() {
    let anonymous = || {
        let listed = docker(&["volume", "ls", "--quiet"]);
        listed.lines().filter(|name| name.len() == 64).map(str::to_owned).collect::<Vec<_>>()
    };
    // The images of RabbitMQ, Postgres, Redis and Valkey each declare a volume.
    let project = Sandbox::new(&[(
        "services.yaml",
        "services:\n  a: {kind: postgres, version: \"18.6\"}\n  b: {kind: redis, version: \"8.0.2\"}\n  \
         c: {kind: rabbitmq, version: \"4.0.5\"}\n  d: {kind: valkey, version: \"8.1.1\"}\n  e: {image: \"pgvector/pgvector:pg17\"}\n",
    )]);
    project.succeed(&["up"]);
    for (service, container) in project.containers() {
        let mounts = docker(&["inspect", "--format", "{{range .Mounts}}{{.Type}} {{.Name}}\n{{end}}", &container]);
        for mount in mounts.lines().filter(|line| !line.is_empty()) {
            let name = mount.strip_prefix("volume ").unwrap_or_else(|| panic!("{service} mounts {mount}"));
            assert!(project.volumes().contains(&name.to_owned()), "{service} has {name}, of no environment");
            assert!(!anonymous().contains(&name.to_owned()), "{service} has an unnamed volume");
        }
    }
    project.succeed(&["down", "--volumes", "--yes"]);
    assert_eq!(project.on_the_engine(), Vec::<String>::new());
}

#[test]
fn up_with_json_reports_its_result() {
    let project = Sandbox::new(&[("services.yaml", ONLY_REDIS)]);
    let outcome = project.succeed(&["up", "--json", "--env-file", "deep.env"]);
    let json = outcome.json();
    assert_eq!(json["services"][0]["name"], "cache");
    assert_eq!(json["services"][0]["host"], "127.0.0.1");
    assert_eq!(json["variables"], 1);
    assert!(project.read("deep.env").contains("REDIS_URL="));
    assert!(!project.path(".env").exists());
    let url = project.read("deep.env").lines().find_map(|line| line.strip_prefix("REDIS_URL=").map(str::to_owned));
    assert_eq!(redis(url.unwrap().trim_matches('\''), &["PING"]), ["PONG"]);

    // `--quiet` prints nothing, and a folder below the root has the same environment with the same env file.
    std::fs::create_dir_all(project.path("web/src")).unwrap();
    let mut below = project.command(&["--quiet", "up"]);
    let quiet = Outcome::of(&below.current_dir(project.path("web/src")).output().unwrap());
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (0, "", ""));
    assert_eq!(project.containers().len(), 1);
    assert!(!project.path(".env").exists());
}

#[test]
fn plan_and_up_count_the_keys_that_are_not_carried_out() {
    let compose = "services:\n  web: {image: acme/web:1, environment: {A: redis://cache, B: redis://jobs, C: redis://all}}\n  \
                   cache: {image: \"redis:7.0.15\", restart: always, privileged: true}\n  \
                   jobs: {image: \"redis:7.0.15\", restart: always}\n  all: {image: \"redis:7.0.15\"}\n";
    let project = Sandbox::new(&[("compose.yaml", compose)]);
    let line = "3 keys of 2 services are not carried out: devenv manifest";
    let counts = serde_json::json!({"cache": 2, "jobs": 1, "all": 0});
    let plan = project.succeed(&["plan"]).stdout;
    assert!(plan.contains("create container") && plan.trim_end().ends_with(line), "{plan}");
    assert_eq!(project.succeed(&["plan", "--json"]).json()["not_carried_out"], counts);
    assert_eq!(project.succeed(&["up", "--json"]).json()["not_carried_out"], counts);
    let again = project.succeed(&["up"]).stderr;
    assert!(again.contains(line), "{again}");
    let plan = project.succeed(&["plan"]).stdout;
    assert!(plan.starts_with("nothing to change") && plan.trim_end().ends_with(line), "{plan}");
}

#[test]
fn a_manifest_on_standard_input_is_an_environment_of_its_folder() {
    let project = Sandbox::new(&[]);
    let outcome = piped(&mut project.command(&["up", "-f", "-"]), MANIFEST);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(one(&project.env()["DATABASE_URL"], "SELECT current_database()"), "shop");
}

/// Runs a command to its end with this text on its standard input.
fn piped(command: &mut std::process::Command, input: &str) -> Outcome {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).unwrap();
    file.rewind().unwrap();
    Running::start(command.stdin(file)).end()
}

#[test]
fn a_service_that_one_checkout_leaves_out_stays_everybody_else_s() {
    let both = "services:\n  one: {kind: redis, version: \"7.0.15\"}\n  two: {kind: redis, version: \"7.0.15\"}\n\
                variables: {ONE_URL: \"${one.url}\", TWO_URL: \"${two.url}\"}\n";
    let project = Sandbox::new(&[("services.yaml", both)]);
    project.succeed(&["up"]);
    let (env, lock) = (project.env(), project.read("services.lock"));
    assert!(lock.contains("two"), "{lock}");
    project.write("services.local.yaml", "leave_out: [two]\n");
    let up = project.succeed(&["up"]);
    for wrong in ["your own lines win", "no manifest declares any more", "moved below devenv's block"] {
        assert!(!up.stderr.contains(wrong), "{}", up.stderr);
    }
    assert!(up.stderr.contains("services.yaml · 1 service, two excluded"), "{}", up.stderr);
    assert_eq!(project.env()["TWO_URL"], "", "it leads nowhere any more");
    let differs = project.fail(7, &["parity", "--check"]);
    assert!(differs.stdout.contains("two") && differs.stdout.contains("excluded"), "{differs:?}");
    project.succeed(&["lock"]);
    assert_eq!(project.read("services.lock"), lock);
    std::fs::remove_file(project.path("services.local.yaml")).unwrap();
    project.succeed(&["up"]);
    assert_eq!(project.env(), env);
}

#[test]
fn down_reports_the_data_that_it_keeps_or_deletes() {
    let project = Sandbox::new(&[(
        "services.yaml",
        "services:\n  cache: {kind: redis, version: \"7.0.15\"}\n  more: {kind: redis, version: \"7.0.15\"}\n",
    )]);
    assert!(project.run(&["status"]).stdout.contains("not made yet"));
    project.succeed(&["up"]);
    let named = project.succeed(&["status"]).stdout;
    assert!(named.contains("redis:7.0.15") && !named.contains("sha256:"), "{named}");
    project.succeed(&["snapshot", "save", "first", "--timeout", "2m"]);
    project.succeed(&["down"]);
    let down = project.succeed(&["status"]).stdout;
    assert!(down.contains("down, its data is kept: `devenv up`") && !down.contains("not made yet"), "{down}");
    let refused = project.fail(2, &["down", "--volumes"]);
    assert!(refused.stderr.contains("and with it the snapshots: first"), "{}", refused.stderr);
    project.succeed(&["up"]);
    let sizes = project.succeed(&["status", "--sizes"]).stdout;
    let of = |needed_by: &str| sizes.lines().filter(|line| line.trim_end().ends_with(needed_by)).count();
    assert_eq!((of("snapshot first"), of("in use")), (2, 2), "{sizes}");
}

#[test]
fn environments_of_deleted_folders_are_listed_and_removed_only_on_request() {
    let manifest = "services:\n  cache: {kind: redis, version: \"7.0.15\"}\n";
    let project = Sandbox::new(&[("services.yaml", manifest), ("../moved/services.yaml", manifest)]);
    let folder = project.path("../moved").canonicalize().unwrap();
    let moved = folder.to_str().unwrap();
    project.succeed(&["up"]);
    project.succeed(&["up", "-C", moved]);
    assert!(!project.succeed(&["ls"]).stderr.contains("gc --folders"));
    std::fs::remove_dir_all(&folder).unwrap();

    assert!(project.succeed(&["ls"]).stderr.contains("`devenv gc --folders` removes both"));
    let hint = project.succeed(&["gc"]);
    assert!(hint.stderr.contains(moved) && hint.stderr.contains("`devenv gc --folders`"), "{hint:?}");
    let shown = project.succeed(&["gc", "--folders", "--dry-run"]);
    assert!(shown.stdout.contains(moved) && shown.stdout.contains("cache"), "{shown:?}");
    let refused = project.fail(2, &["gc", "--folders"]);
    assert!(refused.stderr.contains("with their data"), "{refused:?}");
    let root = format!("label=dev.devenv.root={moved}");
    let left = || docker(&["volume", "ls", "--quiet", "--filter", &root]);
    assert!(!left().is_empty(), "nothing is removed without an agreement");

    let removed = project.succeed(&["gc", "--folders", "--yes"]);
    assert!(removed.stderr.contains(&format!("removed the environment of {moved}")), "{removed:?}");
    assert_eq!(left(), "");
    assert_eq!(docker(&["ps", "--all", "--quiet", "--filter", &root]), "");
    assert_eq!(project.containers().into_keys().collect::<Vec<_>>(), ["cache"], "the other environment stays");
    assert!(project.succeed(&["gc", "--folders", "--yes"]).stdout.contains("the folder of every environment exists"));
    project.succeed(&["down", "--volumes", "--yes"]);
}
