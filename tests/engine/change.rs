//! The effect of a changed manifest on running services: containers are replaced, data stays, and another major version
//! is refused.

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
    assert!(ran.stderr.contains("it was disconnected from its network"), "{ran:?}");
    assert_eq!(redis(&url, &["GET", "kept"]), ["7"]);

    docker(&["network", "disconnect", "--force", &network, &project.container("cache")]);
    docker(&["network", "rm", &network]);
    project.succeed(&["up"]);
    assert_eq!(redis(&url, &["GET", "kept"]), ["7"]);
    // A container, a network, a volume and the head that names the volume.
    assert_eq!(project.on_the_engine().len(), 4, "{:?}", project.on_the_engine());
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
    assert_eq!(project.container("db"), container, "a change by statements needs no new container");
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

    // The same tag refers to another image, and there is no lock: another user pulled the tag.
    std::fs::remove_file(project.path("services.lock")).unwrap();
    newer.give("redis:7.0.15");
    let plan = project.succeed(&["plan"]).stdout;
    assert!(plan.contains("is another image now"), "{plan}");
}

#[test]
fn another_major_version_is_refused_on_old_data_and_started_fresh_beside_it() {
    let db = |version: &str| format!("{{kind: postgres, version: \"{version}\", databases: [shop]}}");
    let project = Sandbox::new(&[
        ("services.yaml", &manifest(&db("15.18"), CACHE)),
        ("services.local.yaml", "seeds: {db: [kept.sql]}\n"),
        ("kept.sql", "CREATE TABLE kept (x int); INSERT INTO kept VALUES (0);\n"),
    ]);
    project.succeed(&["up"]);
    let (containers, volumes, env) = (project.containers(), project.volumes(), project.read(".env"));
    let url = project.env()["DATABASE_URL"].clone();
    sql(&url, "UPDATE kept SET x = 15").unwrap();

    // The refusal names both versions and the commands to continue; nothing has changed.
    project.write("services.yaml", &manifest(&db("17.12"), CACHE));
    let mut help = String::new();
    for command in ["plan", "up"] {
        let refused = project.fail(1, &[command]);
        for part in ["Postgres 15", "Postgres 17", "services.yaml:3", "`devenv up --fresh db`"] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
        help = refused.stderr;
    }
    assert_eq!((project.containers(), project.volumes(), project.read(".env")), (containers, volumes.clone(), env));
    assert_eq!(one(&url, "SELECT x FROM kept"), "15");

    take_along(&project, &help, [&manifest(&db("15.18"), CACHE), &manifest(&db("17.12"), CACHE)]);
    let url = project.env()["DATABASE_URL"].clone();
    assert!(one(&url, "SHOW server_version").starts_with("17."));
    assert_eq!(one(&url, "SELECT x FROM kept"), "15", "not the seeds of fresh data");

    // The old volume still exists: a return to the old version uses it.
    for volume in &volumes {
        assert!(project.volumes().contains(volume), "{volume} is gone");
    }
    sql(&url, "UPDATE kept SET x = 17").unwrap();
    project.write("services.yaml", &manifest(&db("15.18"), CACHE));
    project.succeed(&["up"]);
    let url = project.env()["DATABASE_URL"].clone();
    assert!(one(&url, "SHOW server_version").starts_with("15."));
    assert_eq!(one(&url, "SELECT x FROM kept"), "15");
}

#[test]
fn the_data_of_mariadb_is_taken_along_to_another_major_version_as_the_message_says() {
    let db = |version: &str| format!("{{kind: mariadb, version: \"{version}\", databases: [shop, audit]}}");
    let project = Sandbox::new(&[("services.yaml", &manifest(&db("10.11.18"), CACHE))]);
    project.succeed(&["up"]);
    let ask = |query: &str| {
        let output =
            project.command(&["shell", "--admin", "db", "--", "mariadb", "--user=root", "-Ne", query]).output();
        String::from_utf8(output.expect("the built program").stdout).expect("text").trim().to_owned()
    };
    ask("CREATE TABLE shop.kept (x int); INSERT INTO shop.kept VALUES (10); CREATE TABLE audit.kept (x int)");

    project.write("services.yaml", &manifest(&db("11.8.9"), CACHE));
    let help = project.fail(1, &["up"]).stderr;
    take_along(&project, &help, [&manifest(&db("10.11.18"), CACHE), &manifest(&db("11.8.9"), CACHE)]);
    assert!(ask("SELECT VERSION()").starts_with("11.8"));
    assert_eq!(ask("SELECT x FROM shop.kept"), "10");
    assert_eq!(ask("SELECT count(*) FROM audit.kept"), "0");
}

#[test]
fn an_init_script_that_fails_stops_every_up_until_it_is_right() {
    let project = Sandbox::new(&[
        (
            "compose.yaml",
            "services:\n  db:\n    image: postgres:15.18\n    environment: {POSTGRES_PASSWORD: x}\n    \
             volumes: [\"./init:/docker-entrypoint-initdb.d:ro\"]\n",
        ),
        ("services.local.yaml", "variables: {DATABASE_URL: \"${db.url}\"}\n"),
        ("init/1.sql", "CREATE TABLE first (x int);\n"),
        ("init/2.sql", "CREATE TABLE second (x nonsense);\n"),
    ]);
    for _ in 0..2 {
        let failed = project.fail(1, &["up", "--cold"]);
        assert!(failed.stderr.contains("nonsense"), "{failed:?}");
        assert!(!project.path(".env").exists());
    }
    // No incomplete data remains, whichever command runs in between.
    project.succeed(&["down"]);
    project.fail(1, &["up", "--cold"]);
    project.write("init/2.sql", "CREATE TABLE second (x int);\n");
    project.succeed(&["up", "--cold"]);
    let url = project.env()["DATABASE_URL"].clone();
    assert_eq!(one(&url, "SELECT count(*) FROM first, second"), "0");
    sql(&url, "INSERT INTO first VALUES (7)").unwrap();
    project.succeed(&["down"]);
    project.succeed(&["up"]);
    assert_eq!(one(&project.env()["DATABASE_URL"], "SELECT x FROM first"), "7");
    // `down` left one of these volumes, because its state was unknown then; `gc` removes it.
    project.succeed(&["gc"]);
    assert_eq!(project.volumes().len(), 1, "{:?}", project.volumes());
}

#[test]
fn the_data_of_0_1_0_is_used_under_its_old_name() {
    let db = "{kind: postgres, version: \"15.18\", databases: [shop]}";
    let project = Sandbox::new(&[("services.yaml", &manifest(db, CACHE))]);
    project.succeed(&["up", "--cold"]);
    sql(&project.env()["DATABASE_URL"], "CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)").unwrap();
    project.succeed(&["down"]);

    // The same volume as that release created it: another name, no schema in its labels, no head and no record volume.
    let new = project.volumes().into_iter().find(|name| name.ends_with("-db.v15")).expect("the volume of db");
    let old = new.replace("-db.v15", "-db-15");
    let labels = docker(&["volume", "inspect", "--format", "{{json .Labels}}", &new]);
    let labels: std::collections::BTreeMap<String, String> = serde_json::from_str(&labels).expect("labels");
    assert_eq!(labels["dev.devenv.schema"], "2");
    let mut create = vec!["volume".to_owned(), "create".to_owned()];
    for (name, value) in labels.iter().filter(|(name, _)| *name != "dev.devenv.schema") {
        create.extend(["--label".to_owned(), format!("{name}={value}")]);
    }
    create.push(old.clone());
    docker(&create.iter().map(String::as_str).collect::<Vec<_>>());
    let (from, to) = (format!("{new}:/from"), format!("{old}:/to"));
    docker(&["run", "--rm", "--entrypoint", "cp", "-v", &from, "-v", &to, "postgres:15.18", "-a", "/from/.", "/to"]);
    project.prune_containers();
    docker(&["volume", "rm", &new]);
    for head in project.heads() {
        docker(&["volume", "rm", &head]);
    }

    project.succeed(&["up"]);
    assert_eq!(one(&project.env()["DATABASE_URL"], "SELECT x FROM kept"), "7");
    let volumes = project.volumes();
    assert!(volumes.contains(&old) && !volumes.contains(&new), "{volumes:?}");
}

/// Runs the commands of the message, word for word, to move data from the first manifest's version to the second's.
fn take_along(project: &Sandbox, message: &str, [old, new]: [&String; 2]) {
    let line = message.lines().find(|line| line.contains("or migrate the data")).expect("the advice");
    let (before, after) = line.split_once("then version").expect("two versions");
    for (manifest, words) in [(old, before), (new, after)] {
        project.write("services.yaml", manifest);
        let commands: Vec<&str> = words.split('`').skip(1).step_by(2).collect();
        assert!(commands.len() >= 2, "{line}");
        for command in commands {
            let done = project.shell(command).output().expect("a shell");
            assert!(done.status.success(), "{command}: {done:?}");
        }
    }
}
