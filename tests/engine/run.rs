//! `devenv run`: starts the services, sets the variables, and ends with the command.

use crate::client::{one, redis, sql};
use crate::engine_proxy::{EngineProxy, Moment, Then};
use crate::killed_data::killed;
use crate::project::{Sandbox, docker, wait_until};
use std::time::Duration;

const REDIS: &str =
    "services:\n  cache: {kind: redis, version: \"7.0.15\"}\nvariables: {REDIS_URL: \"${cache.url}\", LEVEL: info}\n";

#[test]
fn a_command_gets_the_variables_and_its_exit_code_and_signals_are_its_own() {
    let project = Sandbox::new(&[("services.yaml", REDIS), (".env", "LEVEL=mine\n")]);
    let seen = project.succeed(&["run", "--", "sh", "-c", "echo \"$REDIS_URL\"; echo \"$LEVEL\""]);
    let env = project.env();
    assert_eq!(seen.stdout, format!("{}\nmine\n", env["REDIS_URL"]));
    assert_eq!(redis(&env["REDIS_URL"], &["PING"]), ["PONG"]);

    assert_eq!(project.run(&["run", "--", "sh", "-c", "exit 17"]).code, 17);
    // The same exit code as a shell's.
    let lacking = project.fail(127, &["run", "--", "no-such-program"]);
    assert!(lacking.stderr.contains("cannot run `no-such-program`"), "{lacking:?}");
    project.write("no-program", "text");
    project.fail(126, &["run", "--", "./no-program"]);

    for signal in ["TERM", "INT", "HUP"] {
        let script = format!("trap 'echo caught; kill $!; exit 9' {signal}; exec 3<&0; cat <&3 & echo ready; wait");
        let running = project.spawn(&["run", "--", "sh", "-c", &script]);
        wait_until("the command runs", || running.stdout().contains("ready"));
        running.signal(signal);
        let ended = running.end();
        assert_eq!((ended.code, ended.stdout.as_str()), (9, "ready\ncaught\n"), "{signal}: {ended:?}");
    }
    // For a command that a signal ends, the exit code is the same as a shell's.
    assert_eq!(project.run(&["run", "--", "sh", "-c", "kill -9 $$"]).code, 137);
    // The services keep running.
    assert_eq!(redis(&env["REDIS_URL"], &["PING"]), ["PONG"]);
}

#[test]
fn an_ephemeral_run_has_fresh_data_ports_of_its_own_and_leaves_nothing() {
    let project = Sandbox::new(&[(
        "services.yaml",
        "services:\n  db: {kind: postgres, version: \"15.18\"}\nvariables: {DATABASE_URL: \"${db.url}\"}\n",
    )]);
    project.succeed(&["up"]);
    let (before, env) = (project.on_the_engine(), project.read(".env"));
    let url = project.env()["DATABASE_URL"].clone();
    sql(&url, "CREATE TABLE kept (x int)").unwrap();

    let ended = project.run(&["run", "--ephemeral", "--", "sh", "-c", "echo \"$DATABASE_URL\"; exit 3"]);
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.stdout.starts_with("postgresql://") && ended.stdout.trim() != url, "{ended:?}");
    assert_eq!(project.on_the_engine(), before);
    assert_eq!(project.read(".env"), env);
    assert_eq!(one(&url, "SELECT count(*) FROM kept"), "0");

    // A failed start leaves nothing behind either.
    project.write("services.local.yaml", "services: {db: {settings: {no_such_setting: 1}}}\n");
    let failed = project.fail(1, &["run", "--ephemeral", "--", "true"]);
    assert!(failed.stderr.contains("no_such_setting"), "{failed:?}");
    assert_eq!(project.on_the_engine(), before);
}

#[test]
fn an_ephemeral_run_that_is_interrupted_removes_everything() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let project = Sandbox::new(&[("services.yaml", REDIS)]);
        // While its command runs: the data exists and belongs to this run.
        let running = project.spawn(&["run", "--ephemeral", "--", "sh", "-c", "echo \"$REDIS_URL\"; exec cat"]);
        wait_until("the command runs", || running.stdout().ends_with('\n'));
        assert_eq!(redis(running.stdout().trim(), &["PING"]), ["PONG"]);
        running.signal(signal);
        let ended = running.end();
        assert_eq!(ended.code, code, "{ended:?}");
        assert_eq!(project.on_the_engine(), Vec::<String>::new(), "{signal} while the command runs");

        // While it starts: at each request, which the engine carries out after the signal has arrived.
        for request in ["/networks/create", "/volumes/create", "/containers/create", "/start"] {
            let proxy = EngineProxy::stop_at(request, Moment::Before, Then::Hold);
            let running = project.spawn(&["run", "--ephemeral", "--host", &proxy.host(), "--", "true"]);
            wait_until("the run asks for it", || proxy.has_stopped());
            running.signal(signal);
            wait_until("the signal has come", || running.stderr().contains("removing everything"));
            proxy.release();
            let ended = running.end();
            let at = format!("{signal} at {request}: {ended:?}");
            assert_eq!(ended.code, code, "{at}");
            assert_eq!(project.on_the_engine(), Vec::<String>::new(), "{at}");
            assert!(!project.path(".env").exists());
        }
    }
}

#[test]
fn an_up_that_is_interrupted_ends_with_the_engine_s_step_and_says_how_to_go_on() {
    let project = Sandbox::new(&[("services.yaml", REDIS)]);
    for command in [&["up"][..], &["run", "--", "true"]] {
        let proxy = EngineProxy::stop_at("/start", Moment::Before, Then::Hold);
        let running = project.spawn(&[&["--host", &proxy.host()], command].concat());
        wait_until("it asks for the start", || proxy.has_stopped());
        running.signal("INT");
        wait_until("the signal has come", || running.stderr().contains("received SIGINT"));
        proxy.release();
        let ended = running.end();
        assert_eq!(ended.code, 130, "{ended:?}");
        for help in ["`devenv up` goes on where this run stopped", "`devenv down` stops what already runs"] {
            assert!(ended.stderr.contains(help), "{ended:?}");
        }
        let begun = project.container("cache");
        assert_eq!(docker(&["inspect", "--format", "{{.State.Running}}", &begun]).trim(), "true");
        project.succeed(&["up"]);
        assert_eq!(project.container("cache"), begun, "the next run continues with it");
        project.succeed(&["down"]);
    }

    // A user who does not want to wait for the engine sends the signal twice, and the next command waits.
    let proxy = EngineProxy::stop_at("/start", Moment::Before, Then::Hold);
    let running = project.spawn(&["--host", &proxy.host(), "up"]);
    wait_until("it asks for the start", || proxy.has_stopped());
    running.signal("INT");
    wait_until("the signal has come", || running.stderr().contains("received SIGINT"));
    running.signal("INT");
    assert_eq!(running.end().code, 128 + 9);
    proxy.release();
    project.succeed(&["up"]);
    assert_eq!(redis(&project.env()["REDIS_URL"], &["PING"]), ["PONG"]);
}

#[test]
fn the_next_ephemeral_run_removes_the_leftovers_of_a_killed_one_and_nothing_else() {
    let project = Sandbox::new(&[("services.yaml", REDIS)]);
    project.succeed(&["up"]);
    let before = project.on_the_engine();
    let script = ["run", "--ephemeral", "--", "sh", "-c", "echo \"$REDIS_URL\"; exec cat"];
    let killed = project.spawn(&script);
    wait_until("the command runs", || killed.stdout().ends_with('\n'));
    killed.signal("KILL");
    killed.end();
    let left = project.on_the_engine();
    assert_ne!(left, before);

    // An environment that is still in use is not a leftover.
    let alive = project.spawn(&script);
    wait_until("the command runs", || alive.stdout().ends_with('\n'));
    let url = alive.stdout().trim().to_owned();
    assert!(alive.stderr().contains("left behind by a run that was killed"), "{}", alive.stderr());
    let next = project.succeed(&["run", "--ephemeral", "--", "true"]);
    assert!(!next.stderr.contains("left behind"), "{next:?}");
    assert_eq!(redis(&url, &["PING"]), ["PONG"]);
    alive.signal("TERM");
    alive.end();
    assert_eq!(project.on_the_engine(), before);
}

#[test]
fn lanes_are_environments_of_their_own_and_leave_nothing() {
    let project = Sandbox::new(&[(
        "services.yaml",
        "services:\n  db: {kind: postgres, version: \"15.18\"}\n  cache: {kind: redis, version: \"7.0.15\"}\n\
         variables: {DATABASE_URL: \"${db.url}\", REDIS_URL: \"${cache.url}\"}\n",
    )]);
    let script = "echo $DEVENV_LANE/$DEVENV_LANES $DATABASE_URL $REDIS_URL; exit $((DEVENV_LANE - 1))";
    let ended = project.run(&["run", "--lanes", "3", "--", "sh", "-c", script]);
    // The exit code of the first lane that fails counts.
    assert_eq!(ended.code, 1, "{ended:?}");
    assert_eq!(ended.stderr.matches("db is initialised once, for all lanes").count(), 1, "{ended:?}");
    let mut lines: Vec<&str> = ended.stdout.lines().collect();
    lines.sort_unstable();
    for (index, line) in lines.iter().enumerate() {
        let lane = index + 1;
        assert!(line.starts_with(&format!("[{lane}] {lane}/3 postgresql://")), "{ended:?}");
    }
    let mut urls: Vec<&str> = lines.iter().flat_map(|line| line.split(' ').skip(2)).collect();
    urls.sort_unstable();
    urls.dedup();
    assert_eq!(urls.len(), 6, "{ended:?}");
    assert_eq!(project.on_the_engine(), Vec::<String>::new());

    // The URLs of each lane lead to its own data, and a signal ends all lanes.
    let running = project.spawn(&["run", "--lanes", "2", "--", "sh", "-c", "echo $REDIS_URL; exec sleep 600"]);
    wait_until("both commands run", || running.stdout().lines().count() == 2);
    let seen = running.stdout();
    let urls: Vec<&str> = seen.lines().map(|line| &line[4..]).collect();
    redis(urls[0], &["SET", "who", "one"]);
    assert_eq!(redis(urls[1], &["EXISTS", "who"]), ["0"]);
    running.signal("TERM");
    assert_eq!(running.end().code, 143);
    assert_eq!(project.on_the_engine(), Vec::<String>::new());

    // A lane that cannot start ends the other lanes too, and devenv reports its error.
    project.write("services.local.yaml", "services: {db: {settings: {no_such_setting: 1}}}\n");
    let failed = project.fail(1, &["run", "--lanes", "2", "--", "true"]);
    assert!(failed.stderr.contains("no_such_setting"), "{failed:?}");
    assert_eq!(project.on_the_engine(), Vec::<String>::new());
}

#[test]
fn lanes_begin_with_seeds_that_are_taken_once_for_all_of_them() {
    let project = Sandbox::new(&[
        (
            "services.yaml",
            "services:\n  db: {kind: postgres, version: \"15.18\"}\nvariables: {DATABASE_URL: \"${db.url}\"}\n",
        ),
        ("services.local.yaml", "seeds: {db: [seed.sql]}\n"),
        ("seed.sql", "CREATE TABLE t (x int); INSERT INTO t VALUES (7);\n"),
    ]);
    let look = ["run", "--lanes", "3", "--", "sh", "-c", "echo $DATABASE_URL; exec sleep 600"];
    let running = project.spawn(&look);
    wait_until("all commands run", || running.stdout().lines().count() == 3);
    for line in running.stdout().lines() {
        sql(&line[4..], "INSERT INTO t SELECT x + 1 FROM t").unwrap();
        assert_eq!(one(&line[4..], "SELECT string_agg(x::text, ',' ORDER BY x) FROM t"), "7,8");
    }
    running.signal("TERM");
    let ended = running.end();
    assert_eq!(ended.stderr.matches("db is seeded once, for all lanes").count(), 1, "{ended:?}");
    assert_eq!(project.on_the_engine(), Vec::<String>::new());
}

#[test]
fn lanes_of_a_run_that_was_killed_are_removed_by_the_next() {
    let project = Sandbox::new(&[(
        "services.yaml",
        "services:\n  db: {kind: postgres, version: \"15.18\"}\nvariables: {DATABASE_URL: \"${db.url}\"}\n",
    )]);
    project.succeed(&["up"]);
    project.succeed(&["down"]);
    let before = project.on_the_engine();
    let run = ["run", "--lanes", "3", "--", "true"];
    let mut left = 0;
    // While networks, volumes and their content are created for all lanes.
    for number in (4..16).step_by(3) {
        let moment = if number % 2 == 0 { Moment::Before } else { Moment::After };
        assert!(
            killed(&project, "overlay", &run, number, moment),
            "a run of three lanes changes more than {number} things"
        );
        // The engine continues with its requests.
        let mut seen = project.on_the_engine();
        wait_until("the engine has finished its requests", || {
            std::thread::sleep(Duration::from_millis(700));
            let earlier = std::mem::replace(&mut seen, project.on_the_engine());
            earlier == seen
        });
        left += usize::from(seen != before);
        let next = project.run(&run);
        assert_eq!(next.code, 0, "killed at change {number}: {next:?}");
        assert_eq!(project.on_the_engine(), before, "killed at change {number}");
    }
    assert!(left > 1, "killed runs left resources behind {left} times");
}
