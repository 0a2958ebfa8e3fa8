//! Interrupted runs and parallel runs: the next `up` always succeeds.

use crate::client::{one, redis, sql};
use crate::engine_proxy::{EngineProxy, Moment, Then};
use crate::project::{Sandbox, docker, wait_until};

/// The resources of an environment of one service: a container, a network, a volume and the head that names the volume.
const ONE_SERVICE: usize = 4;

const REDIS: &str =
    "services:\n  cache: {kind: redis, version: \"7.0.15\"}\nvariables: {REDIS_URL: \"${cache.url}\"}\n";
const POSTGRES: &str =
    "services:\n  db: {kind: postgres, version: \"15.18\"}\nvariables: {DATABASE_URL: \"${db.url}\"}\n";

/// The requests of `up` to the engine, for one service.
const REQUESTS: [&str; 5] = ["/networks/create", "/volumes/create", "/containers/create", "/archive", "/start"];

/// Runs `up` and kills it at a request.
fn kill_at(project: &Sandbox, request: &'static str, moment: Moment) {
    let proxy = EngineProxy::stop_at(request, moment, Then::Hold);
    let up = project.spawn(&["up", "--host", &proxy.host()]);
    wait_until("the run comes to that request", || proxy.has_stopped());
    up.signal("KILL");
    up.end();
}

#[test]
fn killed_before_or_after_any_request_up_converges() {
    for moment in [Moment::Before, Moment::After] {
        for request in REQUESTS {
            let at = format!("{moment:?} {request}");
            let project = Sandbox::new(&[("services.yaml", REDIS)]);
            kill_at(&project, request, moment);
            assert!(!project.path(".env").exists(), "written before the proof: {at}");

            let again = project.run(&["up"]);
            assert_eq!(again.code, 0, "{at}: {again:?}");
            assert_eq!(redis(&project.env()["REDIS_URL"], &["PING"]), ["PONG"], "{at}");
            assert_eq!(project.on_the_engine().len(), ONE_SERVICE, "{at}: {:?}", project.on_the_engine());
            let container = project.container("cache");
            project.succeed(&["up"]);
            assert_eq!(project.container("cache"), container, "{at}");
        }
    }
}

#[test]
fn killed_while_a_container_is_replaced_up_converges_and_keeps_the_data() {
    let project = Sandbox::new(&[("services.yaml", REDIS)]);
    project.succeed(&["up"]);
    let url = project.env()["REDIS_URL"].clone();
    redis(&url, &["SET", "kept", "7"]);
    let requests = ["/stop", "DELETE", "/containers/create", "/archive", "/start"];
    for (number, request) in requests.into_iter().enumerate() {
        let bytes = (number + 16) * 1024 * 1024;
        let changed = REDIS.replace("\"7.0.15\"", &format!("\"7.0.15\", settings: {{maxmemory: {bytes}}}"));
        project.write("services.yaml", &changed);
        kill_at(&project, request, Moment::After);
        project.succeed(&["up"]);
        assert_eq!(project.env()["REDIS_URL"], url, "{request}");
        assert_eq!(redis(&url, &["GET", "kept"]), ["7"], "{request}");
        assert_eq!(redis(&url, &["CONFIG", "GET", "maxmemory"]), ["maxmemory", &bytes.to_string()], "{request}");
    }
}

#[test]
fn after_a_kill_while_postgres_initialises_up_continues() {
    let project = Sandbox::new(&[("services.yaml", POSTGRES)]);
    let up = project.spawn(&["up"]);
    wait_until("the container runs", || {
        let containers = project.containers();
        containers.values().any(|id| docker(&["inspect", "--format", "{{.State.Running}}", id]).trim() == "true")
    });
    let container = project.container("db");
    up.signal("KILL");
    up.end();
    assert!(!project.path(".env").exists());
    project.succeed(&["up"]);
    assert_eq!(project.container("db"), container, "a container that runs as declared is not recreated");
    assert_eq!(one(&project.env()["DATABASE_URL"], "SELECT current_user"), "app");
}

#[test]
fn a_server_killed_while_it_initialises_does_not_leave_half_a_database_behind() {
    let project = Sandbox::new(&[("services.yaml", POSTGRES)]);
    let up = project.spawn(&["up"]);
    wait_until("the container writes its data", || {
        let listed = |id: &String| docker(&["exec", id, "ls", "/var/lib/postgresql/data"]).contains("base");
        project.containers().values().any(listed)
    });
    docker(&["kill", &project.container("db")]);
    let ended = up.end();
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("exit code 137"), "{}", ended.stderr);
    assert!(!project.path(".env").exists());
    // The data folder does not show whether a database is complete: devenv reports the server's behaviour.
    let again = project.run(&["up"]);
    if again.code != 0 {
        assert!(again.stderr.contains("db stopped") || again.stderr.contains("db is up but refuses"), "{again:?}");
        assert!(again.stderr.contains("the last lines of its log"), "{again:?}");
        let volumes = project.volumes();
        project.succeed(&["up", "--fresh", "db"]);
        assert!(volumes.iter().all(|volume| project.volumes().contains(volume)), "{volumes:?}");
        project.succeed(&["up"]);
    }
    assert_eq!(one(&project.env()["DATABASE_URL"], "SELECT current_user"), "app");
}

#[test]
fn an_engine_that_disappears_during_up_is_reported_and_the_next_up_continues() {
    let moments =
        [("/networks/create", Moment::Before), ("/containers/create", Moment::After), ("/start", Moment::After)];
    for (request, moment) in moments {
        let project = Sandbox::new(&[("services.yaml", REDIS)]);
        let proxy = EngineProxy::stop_at(request, moment, Then::Vanish);
        let outcome = project.fail(4, &["up", "--host", &proxy.host()]);
        assert!(proxy.has_stopped());
        assert!(outcome.stderr.contains("the engine went away"), "{outcome:?}");
        assert!(outcome.stderr.contains("goes on where this one stopped"), "{outcome:?}");
        assert!(!project.path(".env").exists());
        project.succeed(&["up"]);
        assert_eq!(redis(&project.env()["REDIS_URL"], &["PING"]), ["PONG"]);
        assert_eq!(project.on_the_engine().len(), ONE_SERVICE);
    }
}

#[test]
fn two_runs_at_once_in_one_checkout_make_one_environment() {
    let project = Sandbox::new(&[("services.yaml", POSTGRES)]);
    let both = [project.spawn(&["up"]), project.spawn(&["up"])];
    let ended = both.map(crate::project::Running::end);
    for outcome in &ended {
        assert_eq!(outcome.code, 0, "{ended:?}");
    }
    let waited = |outcome: &&crate::project::Outcome| outcome.stderr.contains("waiting for it to end");
    assert_eq!(ended.iter().filter(waited).count(), 1, "{ended:?}");
    assert_eq!(project.containers().len(), 1);
    assert_eq!(project.on_the_engine().len(), ONE_SERVICE);
    assert_eq!(one(&project.env()["DATABASE_URL"], "SELECT 1"), "1");
}

#[test]
fn copies_and_worktrees_of_one_repository_run_side_by_side() {
    let project = Sandbox::new(&[("services.yaml", POSTGRES), (".gitignore", ".env\n")]);
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git")
            .args(["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(project.root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "A project"]);
    git(&["clone", "--quiet", ".", "../copy"]);
    git(&["worktree", "add", "--quiet", "../tree", "-b", "other"]);

    let folders = ["../copy", "../tree", "."].map(|folder| project.path(folder).canonicalize().unwrap());
    let all = folders.clone().map(|folder| project.spawn(&["up", "-C", &folder.display().to_string()]));
    for (running, folder) in all.into_iter().zip(&folders) {
        let outcome = running.end();
        assert_eq!(outcome.code, 0, "{}: {outcome:?}", folder.display());
    }
    let urls = folders.clone().map(|folder| {
        let env = std::fs::read_to_string(folder.join(".env")).unwrap();
        env.lines().find_map(|line| line.strip_prefix("DATABASE_URL=")).unwrap().trim_matches('\'').to_owned()
    });
    for (number, url) in urls.iter().enumerate() {
        sql(url, &format!("CREATE TABLE here (x int); INSERT INTO here VALUES ({number})")).unwrap();
    }
    for (number, url) in urls.iter().enumerate() {
        assert_eq!(one(url, "SELECT x FROM here"), number.to_string());
    }
    // The environments do not share passwords, and the removal of one does not affect the others.
    let password = |url: &str| crate::client::Url::read(url).password;
    let stolen = urls[1].replace(&password(&urls[1]), &password(&urls[0]));
    assert!(sql(&stolen, "SELECT 1").is_err());
    project.succeed(&["down", "--volumes", "--yes", "-C", &folders[0].display().to_string()]);
    assert_eq!(one(&urls[1], "SELECT x FROM here"), "1");
    assert_eq!(one(&urls[2], "SELECT x FROM here"), "2");
}

#[test]
fn a_container_that_stops_after_it_was_observed_running_is_started_again() {
    let project = Sandbox::new(&[("services.yaml", REDIS)]);
    project.succeed(&["up"]);
    let container = project.container("cache");
    // The same situation as after a killed run that requested the stop, when the engine stops the container only now.
    let proxy = EngineProxy::stop_at("/containers/json", Moment::After, Then::Hold);
    let up = project.spawn(&["up", "--host", &proxy.host()]);
    wait_until("the run has seen it run", || proxy.has_stopped());
    docker(&["stop", &container]);
    proxy.release();
    let ended = up.end();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(project.container("cache"), container);
    assert_eq!(redis(&project.env()["REDIS_URL"], &["PING"]), ["PONG"]);
}

#[test]
fn a_container_that_a_killed_run_requested_to_stop_is_not_treated_as_running() {
    // The server takes some time to stop, and answers meanwhile.
    let slow = "services:\n  slow:\n    kind: generic\n    image: redis:7.0\n    port: 7777\n    command:\n      - sh\n      - -c\n      \
                - \"trap 'echo told; sleep 4; exit' TERM; redis-server --port 7777 --protected-mode no & while :; do wait; done\"\n\
                variables: {SLOW_URL: \"${slow.host}:${slow.port}\"}\n";
    let project = Sandbox::new(&[("services.yaml", slow)]);
    project.succeed(&["up"]);
    let container = project.container("slow");
    let started = || docker(&["inspect", "--format", "{{.State.Running}} {{.State.StartedAt}}", &container]);
    let before = started();
    let proxy = EngineProxy::stop_at("/stop", Moment::After, Then::Hold);
    let down = project.spawn(&["down", "--host", &proxy.host()]);
    wait_until("the server hears of it", || docker(&["logs", &container]).contains("told"));
    down.signal("KILL");
    down.end();
    assert_eq!(started(), before, "it still runs");
    let up = project.succeed(&["up"]);
    assert!(up.stderr.contains("a previous run was interrupted; waiting for its containers to stop"), "{}", up.stderr);
    let after = started();
    assert!(after.starts_with("true") && after != before, "{before} {after}");
    let again = project.succeed(&["up"]);
    assert!(!again.stderr.contains("a previous run was interrupted"), "{}", again.stderr);
}
