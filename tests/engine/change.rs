//! What a changed manifest does to what runs: containers are replaced, data stays, and another major version is refused.

use crate::client::{one, redis, sql};
use crate::project::{Sandbox, Tag, docker};

fn manifest(db: &str, cache: &str) -> String {
    format!(
        "name: shop\nservices:\n  db: {db}\n  cache: {cache}\n\
         variables: {{DATABASE_URL: \"${{db.url}}\", REDIS_URL: \"${{cache.url}}\"}}\n"
    )
}

const CACHE: &str = "{kind: redis, version: \"7.0.15\"}";

#[test]
fn a_changed_setting_replaces_that_container_alone_and_keeps_its_data_and_port() {
    let db = |settings: &str| format!("{{kind: postgres, version: \"15.18\", settings: {{{settings}}}}}");
    let project = Sandbox::new(&[("services.yaml", &manifest(&db("max_connections: 30"), CACHE))]);
    project.succeed(&["up"]);
    let (before, env) = (project.containers(), project.env());
    sql(&env["DATABASE_URL"], "CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)").unwrap();

    project.write("services.yaml", &manifest(&db("max_connections: 31, work_mem: 5MB"), CACHE));
    let plan = project.succeed(&["plan"]).stdout;
    assert!(plan.contains("changed:"), "{plan}");
    assert!(!plan.contains("redis") && !plan.contains("pull"), "{plan}");
    project.succeed(&["up"]);

    let after = project.containers();
    assert_eq!(after["cache"], before["cache"]);
    assert_ne!(after["db"], before["db"]);
    assert_eq!(project.env(), env);
    assert_eq!(one(&env["DATABASE_URL"], "SHOW max_connections"), "31");
    assert_eq!(one(&env["DATABASE_URL"], "SHOW work_mem"), "5MB");
    assert_eq!(one(&env["DATABASE_URL"], "SELECT x FROM kept"), "7");
}

#[test]
fn a_network_that_was_taken_away_by_hand_is_repaired_by_run_and_by_up() {
    let project = Sandbox::new(&[(
        "services.yaml",
        &format!("services:\n  cache: {CACHE}\nvariables: {{REDIS_URL: \"${{cache.url}}\"}}\n"),
    )]);
    project.succeed(&["up"]);
    let (url, container) = (project.env()["REDIS_URL"].clone(), project.container("cache"));
    redis(&url, &["SET", "kept", "7"]);
    let networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}";
    let network = docker(&["inspect", "--format", networks, &container]).trim().to_owned();

    docker(&["network", "disconnect", &network, &container]);
    let ran = project.succeed(&["run", "--", "true"]);
    assert!(ran.stderr.contains("it was taken off its network"), "{ran:?}");
    assert_eq!(redis(&url, &["GET", "kept"]), ["7"]);

    docker(&["network", "disconnect", "--force", &network, &project.container("cache")]);
    docker(&["network", "rm", &network]);
    project.succeed(&["up"]);
    assert_eq!(redis(&url, &["GET", "kept"]), ["7"]);
    assert_eq!(project.on_the_engine().len(), 3, "{:?}", project.on_the_engine());
}

#[test]
fn databases_extensions_and_users_that_are_added_later_are_made_on_kept_data() {
    let project =
        Sandbox::new(&[("services.yaml", &manifest("{kind: postgres, version: \"17.12\", databases: [shop]}", CACHE))]);
    project.succeed(&["up"]);
    let (container, url) = (project.container("db"), project.env()["DATABASE_URL"].clone());
    sql(&url, "CREATE TABLE kept (x int)").unwrap();

    let db =
        "{kind: postgres, version: \"17.12\", databases: [shop, reports], extensions: [hstore], users: [app, reader]}";
    project.write(
        "services.yaml",
        &(manifest(db, CACHE).replace(
            "variables: {",
            "variables: {REPORTS_URL: \"${db.databases.reports.url}\", READER_URL: \"${db.users.reader.url}\", ",
        )),
    );
    project.succeed(&["up"]);

    let env = project.env();
    assert_eq!(env["DATABASE_URL"], url);
    assert_eq!(project.container("db"), container, "what statements can do needs no new container");
    assert_eq!(one(&url, "SELECT count(*) FROM kept"), "0");
    assert_eq!(one(&env["REPORTS_URL"], "SELECT current_database()"), "reports");
    assert_eq!(one(&env["READER_URL"], "SELECT current_user"), "reader");
    for url in [&url, &env["REPORTS_URL"]] {
        assert_eq!(one(url, "SELECT 'a=>1'::hstore -> 'a'"), "1");
    }
}

#[test]
fn another_version_of_the_same_data_replaces_the_container_and_keeps_the_data() {
    let image = Tag::of("redis:7.0.15", "redis", "7.0.14");
    let cache = |version: &str| {
        format!("{{image: \"{}\"}}", image.0.replace("7.0.14", version)).replace("{image", "{kind: redis, image")
    };
    let db = "{kind: memcached, version: \"1.6.18\"}";
    let project = Sandbox::new(&[("services.yaml", &manifest(db, &cache("7.0.14")))]);
    project.succeed(&["up"]);
    let (before, url) = (project.containers(), project.env()["REDIS_URL"].clone());
    redis(&url, &["SET", "kept", "7"]);

    let newer = Tag::of("redis:8.0.2", "redis", "8.0.2");
    project.write("services.yaml", &manifest(db, &cache("8.0.2")));
    let plan = project.succeed(&["plan"]).stdout;
    assert!(plan.contains("version 7.0.14 → 8.0.2"), "{plan}");
    project.succeed(&["up"]);
    assert_eq!(project.containers()["db"], before["db"]);
    assert_eq!(redis(&url, &["GET", "kept"]), ["7"]);
    assert!(redis(&url, &["INFO", "server"])[0].contains("redis_version:8.0.2"));

    // The same tag, another image behind it, and no lock: somebody pulled.
    std::fs::remove_file(project.path("services.lock")).unwrap();
    newer.give("redis:7.0.15");
    let plan = project.succeed(&["plan"]).stdout;
    assert!(plan.contains("is another image now"), "{plan}");
}

#[test]
fn another_major_version_is_refused_on_old_data_and_started_fresh_beside_it() {
    let db = |version: &str| format!("{{kind: postgres, version: \"{version}\", databases: [shop]}}");
    let project = Sandbox::new(&[("services.yaml", &manifest(&db("15.18"), CACHE))]);
    project.succeed(&["up"]);
    let (containers, volumes, env) = (project.containers(), project.volumes(), project.read(".env"));
    let url = project.env()["DATABASE_URL"].clone();
    sql(&url, "CREATE TABLE kept (x int); INSERT INTO kept VALUES (15)").unwrap();

    // Refused, with both versions and the commands that lead on; nothing has changed.
    project.write("services.yaml", &manifest(&db("17.12"), CACHE));
    for command in ["plan", "up"] {
        let refused = project.fail(1, &[command]);
        for part in [
            "Postgres 15",
            "Postgres 17",
            "services.yaml:3",
            "`devenv up --fresh db`",
            "`devenv shell --admin db -- pg_dumpall > db.sql`",
            "`devenv shell --admin db -- psql postgres < db.sql`",
        ] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
    }
    assert_eq!((project.containers(), project.volumes(), project.read(".env")), (containers, volumes.clone(), env));
    assert_eq!(one(&url, "SELECT x FROM kept"), "15");

    // The commands as they were given: dump while the old version runs, load into the new one.
    project.write("services.yaml", &manifest(&db("15.18"), CACHE));
    let dump = project.succeed(&["shell", "--admin", "db", "--", "pg_dumpall"]).stdout;
    assert!(dump.contains("CREATE TABLE public.kept"), "{dump}");
    project.write("services.yaml", &manifest(&db("17.12"), CACHE));
    project.succeed(&["up", "--fresh", "db"]);
    let url = project.env()["DATABASE_URL"].clone();
    assert!(one(&url, "SHOW server_version").starts_with("17."));
    assert_eq!(one(&url, "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'"), "0");
    let mut load = project.command(&["shell", "--admin", "db", "--", "psql", "postgres"]);
    let file = project.path("db.sql");
    std::fs::write(&file, dump).unwrap();
    let loaded = load.stdin(std::fs::File::open(&file).unwrap()).output().unwrap();
    assert!(loaded.status.success(), "{loaded:?}");
    // The dump carries the old logins; the next `up` gives them this environment's own passwords again.
    project.succeed(&["up"]);
    assert_eq!(one(&project.env()["DATABASE_URL"], "SELECT x FROM kept"), "15");

    // The old volume is there as it was: going back finds it.
    for volume in &volumes {
        assert!(project.volumes().contains(volume), "{volume} is gone");
    }
    sql(&project.env()["DATABASE_URL"], "UPDATE kept SET x = 17").unwrap();
    project.write("services.yaml", &manifest(&db("15.18"), CACHE));
    project.succeed(&["up"]);
    let url = project.env()["DATABASE_URL"].clone();
    assert!(one(&url, "SHOW server_version").starts_with("15."));
    assert_eq!(one(&url, "SELECT x FROM kept"), "15");
}

#[test]
fn a_service_starts_fresh_beside_its_old_data_and_stays_there() {
    let project = Sandbox::new(&[("services.yaml", &manifest("{kind: memcached, version: \"1.6.18\"}", CACHE))]);
    project.succeed(&["up"]);
    let url = project.env()["REDIS_URL"].clone();
    redis(&url, &["SET", "kept", "7"]);
    let old = project.volumes();
    project.succeed(&["up", "--fresh", "cache"]);
    assert_eq!(project.env()["REDIS_URL"], url);
    assert_eq!(redis(&url, &["GET", "kept"]), ["nil"]);
    assert_eq!(project.volumes().len(), 2, "{:?}", project.volumes());
    assert!(project.volumes().contains(&old[0]), "{:?}", project.volumes());
    redis(&url, &["SET", "newer", "8"]);
    let container = project.container("cache");
    project.succeed(&["up"]);
    assert_eq!(project.container("cache"), container);
    project.succeed(&["down"]);
    project.succeed(&["up"]);
    assert_eq!(redis(&url, &["GET", "newer"]), ["8"]);
    project.succeed(&["env", "--check"]);
}

#[test]
fn a_service_that_is_declared_no_more_goes_and_its_data_stays() {
    let project = Sandbox::new(&[("services.yaml", &manifest("{kind: valkey, version: \"8.1.1\"}", CACHE))]);
    project.succeed(&["up"]);
    let volumes = project.volumes();
    redis(&project.env()["DATABASE_URL"], &["SET", "kept", "7"]);
    redis(&project.env()["DATABASE_URL"], &["SAVE"]);

    let whole = project.read("services.yaml");
    project.write(
        "services.yaml",
        &format!("name: shop\nservices:\n  cache: {CACHE}\nvariables: {{REDIS_URL: \"${{cache.url}}\"}}\n"),
    );
    let plan = project.succeed(&["plan"]).stdout;
    assert!(plan.contains("it is no longer wanted here"), "{plan}");
    project.succeed(&["up"]);
    assert_eq!(project.containers().into_keys().collect::<Vec<_>>(), ["cache"]);
    assert!(!project.env().contains_key("DATABASE_URL"));
    assert_eq!(project.volumes(), volumes);

    project.write("services.yaml", &whole);
    project.succeed(&["up"]);
    assert_eq!(redis(&project.env()["DATABASE_URL"], &["GET", "kept"]), ["7"]);
}

#[test]
fn what_was_stopped_or_removed_by_hand_is_brought_back() {
    let project = Sandbox::new(&[("services.yaml", &manifest("{kind: valkey, version: \"8.1.1\"}", CACHE))]);
    project.succeed(&["up"]);
    let (before, env) = (project.containers(), project.env());
    docker(&["stop", &before["cache"]]);
    docker(&["rm", "-f", &before["db"]]);
    project.succeed(&["up"]);
    assert_eq!(project.container("cache"), before["cache"], "a stopped one is started, not made again");
    assert_ne!(project.container("db"), before["db"]);
    assert_eq!(project.env(), env);
    assert_eq!(redis(&env["DATABASE_URL"], &["PING"]), ["PONG"]);

    // Paused, or cut off its network: whatever `up` finds, it ends with servers that answer.
    docker(&["pause", &before["cache"]]);
    project.succeed(&["up"]);
    assert_eq!(redis(&env["REDIS_URL"], &["PING"]), ["PONG"]);
}
