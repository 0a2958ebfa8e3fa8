//! Data in layers: bases for fresh environments, and snapshots. Both clone modes give the same results.

use crate::client::{Url, one, redis, sql};
use crate::project::{Outcome, Sandbox, docker, wait_until};

const POSTGRES: &str = r#"
name: shop
services:
  db: { kind: postgres, version: "15.18", databases: [shop], extensions: [pg_trgm] }
  cache: { kind: redis, version: "7.0.15" }
variables:
  DATABASE_URL: ${db.url}
  REDIS_URL: ${cache.url}
"#;

/// Runs the program with this clone mode.
fn run(project: &Sandbox, way: &str, arguments: &[&str]) -> Outcome {
    let outcome = Outcome::of(&project.command(arguments).env("DEVENV_LAYERS", way).output().unwrap());
    assert_eq!(outcome.code, 0, "devenv {arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
    outcome
}

/// A label of a volume.
fn label(volume: &str, key: &str) -> String {
    let format = format!("{{{{index .Labels \"dev.devenv.{key}\"}}}}");
    docker(&["volume", "inspect", "--format", &format, volume]).trim().to_owned()
}

fn data_volume(project: &Sandbox, service: &str) -> String {
    let of_service = |volume: &String| label(volume, "service") == service;
    project.volumes().into_iter().filter(of_service).max().unwrap()
}

#[test]
fn a_fresh_environment_starts_from_the_base_that_the_first_one_initialised() {
    for way in ["overlay", "copy"] {
        let project = Sandbox::new(&[("services.yaml", POSTGRES), ("../copy/services.yaml", POSTGRES)]);
        let copy = project.path("../copy").canonicalize().unwrap();
        let copy = copy.to_str().unwrap();
        run(&project, way, &["up"]);
        let first = project.env()["DATABASE_URL"].clone();
        sql(&first, "CREATE TABLE mine (x int)").unwrap();
        assert_eq!(label(&data_volume(&project, "db"), "layers"), "");

        run(&project, way, &["up", "-C", copy]);
        let env = std::fs::read_to_string(project.path("../copy/.env")).unwrap();
        let second = env.lines().find_map(|line| line.strip_prefix("DATABASE_URL=")).unwrap().trim_matches('\'');
        assert_eq!(one(second, "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'"), "0");
        assert_eq!(one(second, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"), "1");
        // The environment has its own passwords: the password of another environment, or of the base, is refused.
        let stolen = second.replace(&Url::read(second).password, &Url::read(&first).password);
        assert!(sql(&stolen, "SELECT 1").is_err());
        let log = docker(&["logs", &container(&project, "../copy", "db")]);
        assert!(!log.contains("fixing permissions"), "it was initialised again: {log}");

        // Data that is written in one environment is only in that environment, and stays.
        sql(second, "CREATE TABLE theirs (x int); INSERT INTO theirs VALUES (7)").unwrap();
        run(&project, way, &["down", "-C", copy]);
        run(&project, way, &["up", "-C", copy]);
        assert_eq!(one(second, "SELECT x FROM theirs"), "7");
        assert!(sql(&first, "SELECT * FROM theirs").is_err());

        // The removal of the first environment does not affect the other, and a third environment starts from the same
        // base.
        run(&project, way, &["down", "--volumes", "--yes"]);
        assert_eq!(one(second, "SELECT x FROM theirs"), "7");
        run(&project, way, &["up"]);
        let third = data_volume(&project, "db");
        assert!(label(&third, "layers").starts_with("devenv-base-"), "{third}");
        assert_eq!(label(&third, "way"), way);
        assert_eq!(one(&first, "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'"), "0");
        run(&project, way, &["down", "--volumes", "--yes"]);
        run(&project, way, &["up", "--cold"]);
        assert_eq!(label(&data_volume(&project, "db"), "layers"), "");
    }
}

fn container(project: &Sandbox, folder: &str, service: &str) -> String {
    let root = format!("label=dev.devenv.root={}", project.path(folder).canonicalize().unwrap().display());
    let of_service = format!("label=dev.devenv.service={service}");
    docker(&["ps", "--quiet", "--filter", &root, "--filter", &of_service]).trim().to_owned()
}

/// One row and one key, written at the same moment.
pub(crate) fn write(project: &Sandbox, value: &str) {
    let env = project.env();
    sql(&env["DATABASE_URL"], "CREATE TABLE IF NOT EXISTS t (x text)").unwrap();
    sql(&env["DATABASE_URL"], &format!("DELETE FROM t; INSERT INTO t VALUES ('{value}')")).unwrap();
    assert_eq!(redis(&env["REDIS_URL"], &["SET", "k", value]), ["OK"]);
}

pub(crate) fn read(project: &Sandbox) -> (String, String) {
    let env = project.env();
    let row = sql(&env["DATABASE_URL"], "SELECT x FROM t").unwrap_or_default().join(",");
    (row, redis(&env["REDIS_URL"], &["GET", "k"]).join(","))
}

pub(crate) fn both(value: &str) -> (String, String) {
    (value.to_owned(), value.to_owned())
}

#[test]
fn a_snapshot_holds_every_service_and_restoring_it_brings_back_all_of_them() {
    for way in ["overlay", "copy"] {
        let project = Sandbox::new(&[("services.yaml", POSTGRES)]);
        run(&project, way, &["up"]);
        write(&project, "one");
        run(&project, way, &["snapshot", "save", "first"]);
        assert_eq!(read(&project), both("one"), "saving changes nothing");
        write(&project, "two");
        run(&project, way, &["snapshot", "save", "second"]);
        write(&project, "three");

        // devenv says what it discards.
        let refused = project.fail(2, &["snapshot", "restore", "first"]);
        assert!(refused.stderr.contains("discards") && refused.stderr.contains("of: cache, db"), "{}", refused.stderr);
        assert_eq!(read(&project), both("three"));

        run(&project, way, &["snapshot", "restore", "first", "--yes"]);
        assert_eq!(read(&project), both("one"));
        write(&project, "four");
        run(&project, way, &["snapshot", "restore", "second", "--yes"]);
        assert_eq!(read(&project), both("two"));
        let volumes = project.volumes();
        run(&project, way, &["snapshot", "restore", "second", "--yes"]);
        assert_eq!(
            project.volumes().len(),
            volumes.len(),
            "the discarded volumes are removed: {:?}",
            project.volumes()
        );
        run(&project, way, &["snapshot", "restore", "first", "--yes"]);
        assert_eq!(read(&project), both("one"));
        let listed = project.succeed(&["snapshot", "list", "--json"]).json();
        let names: Vec<_> = listed["snapshots"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        assert_eq!(names, ["first", "second"]);

        run(&project, way, &["reset", "--yes"]);
        assert_eq!(read(&project), (String::new(), "nil".to_owned()));
        assert!(label(&data_volume(&project, "db"), "layers").starts_with("devenv-base-"));
        run(&project, way, &["snapshot", "rm", "first", "--yes"]);
        run(&project, way, &["snapshot", "restore", "second", "--yes"]);
        assert_eq!(read(&project), both("two"));
        let unknown = project.fail(2, &["snapshot", "restore", "secnd", "--yes"]);
        assert!(unknown.stderr.contains("did you mean `second`?"), "{}", unknown.stderr);
        run(&project, way, &["down", "--volumes", "--yes"]);
        assert_eq!(project.on_the_engine(), Vec::<String>::new());
    }
}

#[test]
fn a_command_that_names_services_saves_restores_and_resets_only_these() {
    let project = Sandbox::new(&[("services.yaml", POSTGRES)]);
    project.succeed(&["up"]);
    write(&project, "one");
    let started = |service: &str| {
        let container = container(&project, ".", service);
        docker(&["inspect", "--format", "{{.State.StartedAt}}", &container])
    };
    let cache = started("cache");
    let saved = project.succeed(&["snapshot", "save", "first", "db"]);
    assert!(saved.stderr.contains("saved as first: db\n"), "{}", saved.stderr);
    assert_eq!(started("cache"), cache, "the other service runs on");
    let listed = project.succeed(&["snapshot", "list", "--json"]).json();
    assert_eq!(listed["snapshots"][0]["services"], serde_json::json!(["db"]));

    write(&project, "two");
    project.succeed(&["snapshot", "save", "second"]);
    write(&project, "three");
    // The snapshot contains one service, so only this service is restored, and only its data is named.
    let refused = project.fail(2, &["snapshot", "restore", "first"]);
    assert!(refused.stderr.contains("db") && !refused.stderr.contains("cache"), "{}", refused.stderr);
    let cache = started("cache");
    project.succeed(&["snapshot", "restore", "first", "--yes"]);
    assert_eq!(read(&project), ("one".to_owned(), "three".to_owned()));
    assert_eq!(started("cache"), cache);
    project.succeed(&["snapshot", "restore", "second", "cache", "--yes"]);
    assert_eq!(read(&project), ("one".to_owned(), "two".to_owned()));
    project.succeed(&["reset", "cache", "--yes"]);
    assert_eq!(read(&project), ("one".to_owned(), "nil".to_owned()));

    // Both mistakes are named, with the names that would work.
    let absent = project.fail(2, &["snapshot", "restore", "first", "cache", "--yes"]);
    assert!(absent.stderr.contains("the snapshot first has no data of cache"), "{}", absent.stderr);
    let unknown = project.fail(2, &["reset", "cach", "--yes"]);
    assert!(unknown.stderr.contains("did you mean `cache`?"), "{}", unknown.stderr);
    assert_eq!(read(&project), ("one".to_owned(), "nil".to_owned()));
    project.succeed(&["down", "--volumes", "--yes"]);
    assert_eq!(project.on_the_engine(), Vec::<String>::new());
}

/// Whether a run has reached a point.
type Reached<'a> = Box<dyn Fn() -> bool + 'a>;

#[test]
fn a_killed_restore_leaves_the_old_data_or_the_requested_data() {
    let project = Sandbox::new(&[("services.yaml", POSTGRES)]);
    project.succeed(&["up"]);
    write(&project, "old");
    project.succeed(&["snapshot", "save", "old"]);
    let ids = || project.containers();
    for number in 0..5 {
        write(&project, "new");
        let (before, volumes) = (ids(), project.volumes());
        let points: [(&str, bool, Reached<'_>); 5] = [
            (
                "a container is stopped",
                false,
                Box::new(|| !docker(&["ps", "-q", "--no-trunc"]).contains(&before["db"])),
            ),
            ("the head of the restore is written", true, Box::new(|| project.heads().len() > 1)),
            ("a volume is made", true, Box::new(|| project.volumes().iter().any(|one| !volumes.contains(one)))),
            ("a container is made", true, Box::new(|| ids().values().any(|id| !before.values().any(|old| old == id)))),
            ("the older head is gone", true, Box::new(|| ids() != before && project.heads().len() == 1)),
        ];
        let (at, asked, reached) = &points[number];
        let restore = project.spawn(&["snapshot", "restore", "old", "--yes"]);
        wait_until(at, reached);
        restore.signal("KILL");
        restore.end();
        project.succeed(&["up"]);
        let found = read(&project);
        let allowed = if *asked { vec![both("old")] } else { vec![both("old"), both("new")] };
        assert!(allowed.contains(&found), "{at}: {found:?}");
        assert_eq!(project.heads().len(), 1, "{at}");
    }
}

#[test]
fn pruning_takes_nothing_of_a_stopped_environment() {
    let project = Sandbox::new(&[("services.yaml", POSTGRES)]);
    project.succeed(&["up"]);
    project.succeed(&["down", "--volumes", "--yes"]);
    project.succeed(&["up"]);
    write(&project, "one");
    project.succeed(&["snapshot", "save", "first"]);
    write(&project, "two");
    let all = project.everything_on_the_engine();
    let volumes: Vec<_> = all.iter().filter(|name| name.starts_with("volume")).collect();
    assert!(volumes.len() >= 6, "a base, and a volume and its upper layers for each of two moments: {volumes:?}");
    for _ in 0..2 {
        project.succeed(&["down"]);
        // Prune only this project: other projects use the same engine.
        let filter = format!("label=dev.devenv.root={}", project.root().canonicalize().unwrap().display());
        docker(&["volume", "prune", "--force", "--filter", &filter]);
        let left = project.everything_on_the_engine();
        assert!(volumes.iter().all(|volume| left.contains(volume)), "{volumes:?} {left:?}");
        project.succeed(&["up"]);
        assert_eq!(read(&project), both("two"));
    }
    project.succeed(&["snapshot", "restore", "first", "--yes"]);
    assert_eq!(read(&project), both("one"));
    project.succeed(&["down", "--volumes", "--yes"]);
    assert_eq!(project.on_the_engine(), Vec::<String>::new());
}

#[test]
fn gc_removes_an_unused_base_and_no_other() {
    let project = Sandbox::new(&[("services.yaml", POSTGRES)]);
    project.succeed(&["up"]);
    project.succeed(&["down", "--volumes", "--yes"]);
    let bases = || project.everything_on_the_engine();
    assert_eq!(bases().len(), 3, "a volume, and its record twice: {:?}", bases());
    let shown = project.succeed(&["gc", "--dry-run"]);
    assert!(shown.stdout.contains("devenv-base-") && shown.stdout.contains("no environment is layered on it"));
    assert_eq!(bases().len(), 3);
    // A base in use stays.
    project.succeed(&["up"]);
    project.succeed(&["gc"]);
    project.succeed(&["down"]);
    project.succeed(&["gc"]);
    assert_eq!(bases().iter().filter(|name| name.contains("devenv-base-")).count(), 3, "{:?}", bases());
    project.succeed(&["down", "--volumes", "--yes"]);
    project.succeed(&["gc"]);
    assert_eq!(bases(), Vec::<String>::new());
}

#[test]
fn a_brokers_durable_queue_and_its_message_are_there_again_after_a_snapshot_is_restored() {
    let project = Sandbox::new(&[(
        "services.yaml",
        "services:\n  queue: {kind: rabbitmq, version: \"3.10.8\", vhosts: [shop]}\nvariables: {AMQP_URL: \"${queue.url}\"}\n",
    )]);
    let up = ["--timeout", "180s"];
    project.succeed(&[&["up"][..], &up].concat());
    let ctl = |arguments: &[&str]| {
        let tool = ["--quiet", "shell", "queue", "--", "rabbitmqctl", "-q"];
        project.succeed(&[&tool[..], arguments].concat()).stdout
    };
    ctl(&[
        "eval",
        r#"rabbit_amqqueue:declare(rabbit_misc:r(<<"shop">>, queue, <<"work">>), true, false, [], none, <<"test">>)."#,
    ]);
    // Delivery mode 2: the message survives a restart of the server.
    ctl(&[
        "eval",
        r#"U = undefined, rabbit_basic:publish(rabbit_misc:r(<<"shop">>, exchange, <<>>), <<"work">>,
           {'P_basic', U, U, U, 2, U, U, U, U, U, U, U, U, U, U}, <<"an order">>)."#,
    ]);
    let columns = ["name", "durable", "messages", "message_bytes_persistent"];
    let queues = || {
        let asked = ["list_queues", "-p", "shop", "--no-table-headers"];
        ctl(&[&asked[..], &columns].concat()).trim().to_owned()
    };
    // The server counts a published message a moment later.
    wait_until("the message is in the queue", || queues() == "work\ttrue\t1\t8");
    project.succeed(&["snapshot", "save", "with"]);
    project.succeed(&[&["reset", "--yes"][..], &up].concat());
    assert_eq!(queues(), "");
    let told = project.succeed(&[&["snapshot", "diff", "with", "--json"][..]].concat()).json();
    let queue = serde_json::json!([{"service": "queue", "name": "shop/work", "a": 1, "b": null}]);
    assert_eq!(told["differences"], queue, "{told:#}");
    project.succeed(&["snapshot", "restore", "with", "--yes"]);
    wait_until("the message is in the queue again", || queues() == "work\ttrue\t1\t8");
}

#[test]
fn two_moments_are_compared_by_what_their_services_hold() {
    for way in ["overlay", "copy"] {
        let project = Sandbox::new(&[("services.yaml", POSTGRES)]);
        run(&project, way, &["up"]);
        let env = project.env();
        sql(
            &env["DATABASE_URL"],
            "CREATE TABLE items (x int); INSERT INTO items VALUES (1), (2); CREATE TABLE gone ()",
        )
        .unwrap();
        redis(&env["REDIS_URL"], &["SET", "a", "1"]);
        run(&project, way, &["snapshot", "save", "first"]);
        let same = run(&project, way, &["snapshot", "diff", "first"]);
        assert!(same.stdout.contains("no difference between first and now"), "{}", same.stdout);
        sql(&env["DATABASE_URL"], "INSERT INTO items VALUES (3); DROP TABLE gone; CREATE TABLE came ()").unwrap();
        redis(&env["REDIS_URL"], &["SET", "b", "1"]);
        let expected = [
            ("cache", "keys of db0", Some(1), Some(2)),
            ("db", "shop.public.came", None, Some(0)),
            ("db", "shop.public.gone", Some(0), None),
            ("db", "shop.public.items", Some(2), Some(3)),
        ];
        let differences = |outcome: &Outcome| {
            let told = outcome.json();
            let all = told["differences"].as_array().unwrap().clone();
            all.into_iter()
                .map(|one| {
                    let text = |key: &str| one[key].as_str().unwrap().to_owned();
                    (text("service"), text("name"), one["a"].as_u64(), one["b"].as_u64())
                })
                .collect::<Vec<_>>()
        };
        let expected = expected.map(|(service, name, a, b)| (service.to_owned(), name.to_owned(), a, b)).to_vec();
        assert_eq!(differences(&run(&project, way, &["snapshot", "diff", "first", "--json"])), expected);
        let shown = run(&project, way, &["snapshot", "diff", "first"]);
        for word in ["service", "first", "now", "shop.public.came", "absent"] {
            assert!(shown.stdout.contains(word), "{word}: {}", shown.stdout);
        }
        run(&project, way, &["snapshot", "save", "second"]);
        assert_eq!(differences(&run(&project, way, &["snapshot", "diff", "first", "second", "--json"])), expected);
        // The snapshots are unchanged, and the comparison leaves no resources.
        let left = project.everything_on_the_engine();
        assert!(!left.iter().any(|name| name.contains("-run")), "{left:?}");
        run(&project, way, &["snapshot", "restore", "first", "--yes"]);
        assert_eq!(one(&env["DATABASE_URL"], "SELECT count(*) FROM items"), "2");

        let unknown = project.fail(2, &["snapshot", "diff", "frist"]);
        assert!(unknown.stderr.contains("did you mean `first`?"), "{}", unknown.stderr);
        run(&project, way, &["down"]);
        let stopped = project.fail(1, &["snapshot", "diff", "first"]);
        assert!(stopped.stderr.contains("does not run") && stopped.stderr.contains("devenv up"), "{}", stopped.stderr);
    }
}

#[test]
fn two_moments_of_mariadb_are_compared_by_the_rows_of_their_tables() {
    let stack = "services:\n  db: {kind: mariadb, version: \"10.11\", databases: [shop]}\nvariables: {DATABASE_URL: \"${db.url}\"}\n";
    let project = Sandbox::new(&[("services.yaml", stack)]);
    project.succeed(&["up"]);
    let sql = |statements: &str| {
        let asks = "mariadb --user=\"$DEVENV_USER\" --database=\"$DEVENV_DATABASE\" -e \"$1\"";
        project.succeed(&["--quiet", "shell", "db", "--", "sh", "-c", asks, "sh", statements]);
    };
    sql("CREATE TABLE items (x int); INSERT INTO items VALUES (1), (2)");
    project.succeed(&["snapshot", "save", "first"]);
    sql("DELETE FROM items WHERE x = 1");
    let told = project.succeed(&["snapshot", "diff", "first", "--json"]).json();
    let items = serde_json::json!([{"service": "db", "name": "shop.items", "a": 2, "b": 1}]);
    assert_eq!(told["differences"], items, "{told:#}");
}

#[test]
fn a_checkout_begins_with_another_s_data_and_neither_sees_what_the_other_writes() {
    for way in ["overlay", "copy"] {
        let project = Sandbox::new(&[("services.yaml", POSTGRES), ("../branch/services.yaml", POSTGRES)]);
        let branch = project.path("../branch").canonicalize().unwrap();
        let (root, branch) = (project.root().display().to_string(), branch.to_str().unwrap().to_owned());
        let none = project.fail(1, &["up", "-C", &branch, "--from", &root]);
        assert!(none.stderr.contains("no data yet"), "{}", none.stderr);
        run(&project, way, &["up"]);
        write(&project, "one");
        run(&project, way, &["snapshot", "save", "first"]);
        write(&project, "two");
        let up = run(&project, way, &["up", "-C", &branch, "--from", &root]);
        assert!(up.stderr.contains("begins with the data of"), "{}", up.stderr);
        let env = |name: &str| {
            let text = std::fs::read_to_string(project.path("../branch/.env")).unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap().to_owned();
            line.trim_matches('\'').to_owned()
        };
        let in_branch =
            || (one(&env("DATABASE_URL"), "SELECT x FROM t"), redis(&env("REDIS_URL"), &["GET", "k"]).concat());
        assert_eq!((read(&project), in_branch()), (both("two"), both("two")));
        // Each environment has its own login and refuses the other's login.
        let (ours, theirs) = (project.env()["DATABASE_URL"].clone(), env("DATABASE_URL"));
        let (own, other) = (Url::read(&ours).password, Url::read(&theirs).password);
        assert_ne!(own, other);
        assert!(sql(&theirs.replace(&other, &own), "SELECT 1").is_err());
        assert!(sql(&ours.replace(&own, &other), "SELECT 1").is_err());
        write(&project, "three");
        sql(&env("DATABASE_URL"), "UPDATE t SET x = 'four'").unwrap();
        redis(&env("REDIS_URL"), &["SET", "k", "four"]);
        assert_eq!((read(&project), in_branch()), (both("three"), both("four")));
        let again = project.fail(2, &["up", "-C", &branch, "--from", &root]);
        assert!(again.stderr.contains("has data of its own already"), "{}", again.stderr);
        let unknown = project.fail(2, &["up", "-C", &branch, "--from", "nowhere"]);
        assert!(unknown.stderr.contains("no snapshot of this project"), "{}", unknown.stderr);

        // The parent layers remain after the environment that made them was removed.
        run(&project, way, &["down", "-C", &branch]);
        let down = run(&project, way, &["down", "--volumes", "--yes"]);
        assert_eq!(
            down.stderr.contains("kept, since the data of another environment"),
            way == "overlay",
            "{}",
            down.stderr
        );
        run(&project, way, &["gc"]);
        run(&project, way, &["up", "-C", &branch]);
        assert_eq!(in_branch(), both("four"));
        run(&project, way, &["down", "-C", &branch, "--volumes", "--yes"]);
        run(&project, way, &["down", "--volumes", "--yes"]);
        assert_eq!(project.on_the_engine(), Vec::<String>::new());
    }
}

#[test]
fn up_begins_with_a_snapshot_of_any_checkout_and_refuses_an_ambiguous_name() {
    let project = Sandbox::new(&[("services.yaml", POSTGRES), ("../branch/services.yaml", POSTGRES)]);
    let branch = project.path("../branch").canonicalize().unwrap().display().to_string();
    project.succeed(&["up"]);
    write(&project, "one");
    project.succeed(&["snapshot", "save", "first"]);
    write(&project, "two");
    let unknown = project.fail(2, &["up", "-C", &branch, "--from", "frist"]);
    assert!(unknown.stderr.contains("did you mean `first`?"), "{}", unknown.stderr);
    project.write("../branch/services.yaml", &POSTGRES.replace("15.18", "17.7"));
    let other = project.run(&["up", "-C", &branch, "--from", "first"]);
    assert!(other.code != 0 && other.stderr.contains("db is declared differently"), "{other:?}");
    project.write("../branch/services.yaml", POSTGRES);
    project.succeed(&["up", "-C", &branch, "--from", "first"]);
    let asked = ["-C", &branch, "--quiet", "shell", "db", "--", "psql", "-At", "-c", "SELECT x FROM t"];
    assert_eq!(project.succeed(&asked).stdout.trim(), "one");
    // A snapshot that was saved with another machine key has unknown logins.
    let stranger = tempfile::tempdir().unwrap();
    let mut command = project.command(&["up", "-C", &branch, "--from", "first"]);
    command.env("HOME", stranger.path()).env("XDG_DATA_HOME", stranger.path().join("data"));
    project.succeed(&["down", "-C", &branch, "--volumes", "--yes"]);
    let strange = Outcome::of(&command.output().unwrap());
    assert!(strange.stderr.contains("no snapshot of this project"), "{strange:?}");
    project.succeed(&["up", "-C", &branch, "--from", "first"]);
    project.succeed(&["snapshot", "save", "-C", &branch, "first"]);
    let third = project.path("../third");
    std::fs::create_dir_all(&third).unwrap();
    std::fs::write(third.join("services.yaml"), POSTGRES).unwrap();
    let third = third.canonicalize().unwrap().display().to_string();
    let several = project.fail(2, &["up", "-C", &third, "--from", "first"]);
    assert!(several.stderr.contains("several checkouts") && several.stderr.contains(&branch), "{}", several.stderr);
    project.succeed(&["up", "-C", &third, "--from", &format!("{branch}@first")]);
    let asked = ["-C", &third, "--quiet", "shell", "db", "--", "psql", "-At", "-c", "SELECT x FROM t"];
    assert_eq!(project.succeed(&asked).stdout.trim(), "one");
    for folder in [&third, &branch] {
        project.succeed(&["down", "-C", folder, "--volumes", "--yes"]);
    }
}

#[test]
fn the_parent_layers_of_a_checkout_are_not_written_although_their_snapshot_was_removed() {
    let project = Sandbox::new(&[("services.yaml", POSTGRES), ("../branch/services.yaml", POSTGRES)]);
    let branch = project.path("../branch").canonicalize().unwrap().display().to_string();
    project.succeed(&["up"]);
    write(&project, "one");
    // The snapshot is taken while the environment is stopped: there is no new upper layer yet.
    project.succeed(&["down"]);
    project.succeed(&["up", "-C", &branch, "--from", &project.root().display().to_string()]);
    let listed = project.succeed(&["snapshot", "list", "--json"]).json();
    let name = listed["snapshots"][0]["name"].as_str().unwrap().to_owned();
    project.succeed(&["snapshot", "rm", &name, "--yes"]);
    project.succeed(&["up"]);
    let mounts = docker(&["inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", &project.container("db")]);
    let data = docker(&[
        "inspect",
        "--format",
        "{{range .Mounts}}{{if eq .Destination \"/var/lib/postgresql/data\"}}{{.Name}}{{end}}{{end}}",
        &project.container("db"),
    ]);
    assert_ne!(label(data.trim(), "layers"), "", "an upper layer of its own on the shared layers: {mounts}");
    assert_eq!(read(&project), both("one"), "and it continues with its data");
    write(&project, "two");
    let asked = ["-C", &branch, "--quiet", "shell", "db", "--", "psql", "-At", "-c", "SELECT x FROM t"];
    assert_eq!(project.succeed(&asked).stdout.trim(), "one");
    project.succeed(&["down", "-C", &branch, "--volumes", "--yes"]);
}

#[test]
fn data_with_too_many_layers_is_copied_into_one_and_this_is_reported() {
    let stack = "services:\n  cache: {kind: redis, version: \"7.0.15\"}\nvariables: {REDIS_URL: \"${cache.url}\"}\n";
    let project = Sandbox::new(&[("services.yaml", stack)]);
    run(&project, "overlay", &["up"]);
    let url = project.env()["REDIS_URL"].clone();
    let mut said = None;
    for number in 1..40 {
        assert_eq!(redis(&url, &["SET", &format!("k{number}"), "v"]), ["OK"]);
        let saved = run(&project, "overlay", &["snapshot", "save", &format!("s{number}")]);
        if saved.stderr.contains("layers, and is copied into one") {
            said = Some(number);
            break;
        }
    }
    let said = said.expect("forty layers are more than can be mounted");
    let newest = project.volumes().into_iter().max_by_key(|volume| label(volume, "generation").parse().unwrap_or(1u32));
    assert_eq!(label(&newest.unwrap(), "way"), "copy");
    assert_eq!(redis(&url, &["DBSIZE"]), [said.to_string()], "nothing is lost by it");
    // From now on, the data has one layer again.
    let saved = run(&project, "overlay", &["snapshot", "save", "after"]);
    assert!(!saved.stderr.contains("layers"), "{}", saved.stderr);
    run(&project, "overlay", &["snapshot", "restore", "s3", "--yes"]);
    assert_eq!(redis(&url, &["DBSIZE"]), ["3"]);
}
