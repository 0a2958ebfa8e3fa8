//! Seeds: initial data on real servers, in bases from which later environments start.

use crate::client::{one, redis, sql};
use crate::project::{Outcome, Running, Sandbox, docker};
use std::io::Write as _;
use std::process::{Command, Stdio};

const STACK: &str = r#"
name: shop
services:
  db: { kind: postgres, version: "15.18", databases: [shop, other] }
  cache: { kind: redis, version: "7.0.15" }
variables:
  DATABASE_URL: ${db.url}
  REDIS_URL: ${cache.url}
"#;

const SCHEMA: &str = "-- the shop\nCREATE TABLE items (id int PRIMARY KEY, name text);\nCOPY items FROM stdin;\n1\tsoap\n2\ttowel\n\\.\nCREATE VIEW names AS SELECT name FROM items;\n";

fn run(project: &Sandbox, way: &str, arguments: &[&str]) -> Outcome {
    let outcome = Outcome::of(&project.command(arguments).env("DEVENV_LAYERS", way).output().unwrap());
    assert_eq!(outcome.code, 0, "devenv {arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
    outcome
}

fn stack_with(seeds: &str, files: &[(&str, &str)]) -> Sandbox {
    let local = format!("seeds:\n{seeds}");
    let mut all = vec![("services.yaml", STACK), ("services.local.yaml", local.as_str())];
    all.extend_from_slice(files);
    Sandbox::new(&all)
}

fn items(url: &str) -> String {
    sql(url, "SELECT name FROM items ORDER BY id").unwrap_or_default().join(",")
}

/// The bases on the engine that this project made.
fn bases(project: &Sandbox) -> Vec<String> {
    let mut all = project.everything_on_the_engine();
    all.retain(|name| name.starts_with("volume") && name.contains("devenv-base-") && !name.ends_with(".record"));
    all
}

fn gzip(path: &std::path::Path) {
    assert!(Command::new("gzip").arg("-kf").arg(path).status().unwrap().success());
}

#[test]
fn a_seed_is_taken_once_and_every_later_environment_starts_over_it() {
    for way in ["overlay", "copy"] {
        let project = stack_with("  db: [schema.sql]\n", &[("schema.sql", SCHEMA)]);
        let shown = run(&project, way, &["up"]);
        assert!(shown.stderr.contains("seeding") && shown.stderr.contains("schema.sql"), "{}", shown.stderr);
        let url = project.env()["DATABASE_URL"].clone();
        assert_eq!(items(&url), "soap,towel");
        // The app owns the table, and can change it.
        sql(&url, "INSERT INTO items VALUES (3, 'comb'); ALTER TABLE items ADD x int").unwrap();
        let of_db = bases(&project);
        // Written data stays; nothing is seeded again.
        let again = run(&project, way, &["up"]);
        assert!(!again.stderr.contains("seeding"), "{}", again.stderr);
        assert_eq!(items(&url), "soap,towel,comb");
        // A fresh start uses the base, whatever the time of the file.
        run(&project, way, &["down", "--volumes", "--yes"]);
        project.write("schema.sql", SCHEMA);
        let fresh = run(&project, way, &["up"]);
        assert!(!fresh.stderr.contains("seeding"), "{}", fresh.stderr);
        assert_eq!(items(&project.env()["DATABASE_URL"]), "soap,towel");
        assert_eq!(bases(&project), of_db);
        // Reset restores the base too.
        sql(&project.env()["DATABASE_URL"], "DROP TABLE items CASCADE").unwrap();
        run(&project, way, &["reset", "--yes"]);
        assert_eq!(items(&project.env()["DATABASE_URL"]), "soap,towel");
    }
}

#[test]
fn two_environments_that_make_the_same_base_at_once_end_with_one() {
    let local = "seeds: {db: [schema.sql]}\n";
    for (seeds, waits) in [(local, true), ("", false)] {
        let files = [
            ("services.yaml", STACK),
            ("services.local.yaml", seeds),
            ("schema.sql", SCHEMA),
            ("../copy/services.yaml", STACK),
            ("../copy/services.local.yaml", seeds),
            ("../copy/schema.sql", SCHEMA),
        ];
        let project = Sandbox::new(&files);
        let copy = project.path("../copy").canonicalize().unwrap().display().to_string();
        let both = [project.spawn(&["up"]), project.spawn(&["up", "-C", &copy])].map(Running::end);
        assert!(both.iter().all(|ended| ended.code == 0), "{both:?}");
        let waited = both.iter().filter(|ended| ended.stderr.contains("another devenv is seeding db")).count();
        assert_eq!(waited, usize::from(waits), "{both:?}");
        // One base for each service with seeds.
        let of_db = bases(&project);
        assert_eq!(of_db.len(), 1, "{of_db:?}");
        // The next environment starts from the base.
        project.succeed(&["down", "--volumes", "--yes"]);
        project.succeed(&["up"]);
        assert_eq!(bases(&project), of_db);
        project.succeed(&["down", "-C", &copy, "--volumes", "--yes"]);
    }
}

#[test]
fn content_decides_and_data_that_is_there_is_kept_until_one_asks() {
    let project = stack_with("  db: schema.sql\n", &[("schema.sql", SCHEMA)]);
    project.succeed(&["up"]);
    let url = project.env()["DATABASE_URL"].clone();
    sql(&url, "INSERT INTO items VALUES (3, 'mine')").unwrap();
    project.write("schema.sql", &SCHEMA.replace("towel", "brush"));
    let told = project.succeed(&["up"]);
    for part in ["seeds of db changed after its data was created", "services.local.yaml:2", "--reseed"] {
        assert!(told.stderr.contains(part), "{part}: {}", told.stderr);
    }
    assert_eq!(items(&url), "soap,towel,mine");
    let refused = project.fail(2, &["up", "--reseed"]);
    assert!(refused.stderr.contains("discards") && refused.stderr.contains("of: db"), "{}", refused.stderr);
    assert_eq!(items(&url), "soap,towel,mine");
    project.succeed(&["up", "--reseed", "--yes"]);
    assert_eq!(items(&url), "soap,brush");
    assert!(!project.succeed(&["up"]).stderr.contains("seeds of db changed after its data was created"));
    // `--reseed` with the same content loads the seed again and discards written data.
    sql(&url, "INSERT INTO items VALUES (3, 'mine')").unwrap();
    let again = project.succeed(&["up", "--reseed", "--yes"]);
    assert!(again.stderr.contains("seeding"), "{}", again.stderr);
    assert_eq!(items(&url), "soap,brush");
    // The same without a base.
    project.succeed(&["down", "--volumes", "--yes"]);
    let cold = project.succeed(&["up", "--cold"]);
    assert!(cold.stderr.contains("seeding"), "{}", cold.stderr);
    assert_eq!(items(&project.env()["DATABASE_URL"]), "soap,brush");
}

#[test]
fn a_failed_statement_is_reported_with_its_line_and_nothing_of_its_seed_is_kept() {
    let wrong = format!("{SCHEMA}INSERT INTO nowhere VALUES (1);\n");
    let project = stack_with("  db: [schema.sql]\n", &[("schema.sql", &wrong)]);
    gzip(&project.path("schema.sql"));
    for (file, line) in [("schema.sql", 8), ("schema.sql.gz", 8)] {
        project.write("services.local.yaml", &format!("seeds: {{db: [{file}]}}\n"));
        let refused = project.fail(1, &["up"]);
        let place = format!("{file}:{line}: INSERT INTO nowhere VALUES (1);");
        for part in ["db does not take", &place, "relation \"nowhere\" does not exist", "services.local.yaml:1"] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
        assert!(!refused.stderr.contains("PGPASSWORD"));
        assert_eq!(bases(&project), Vec::<String>::new());
        assert!(!project.path(".env").exists());
    }
    project.write("schema.sql", SCHEMA);
    project.write("services.local.yaml", "seeds: {db: [schema.sql]}\n");
    project.succeed(&["up"]);
    assert_eq!(items(&project.env()["DATABASE_URL"]), "soap,towel");
}

#[test]
fn dumps_in_the_custom_format_and_packed_files_go_into_the_database_that_is_named() {
    let project = stack_with("  db: [schema.sql.gz]\n", &[("schema.sql", SCHEMA)]);
    gzip(&project.path("schema.sql"));
    project.succeed(&["up"]);
    let url = project.env()["DATABASE_URL"].clone();
    assert_eq!(items(&url), "soap,towel");
    let dump = Command::new("docker")
        .args(["exec", &project.container("db"), "sh", "-c"])
        .arg("PGPASSWORD=$POSTGRES_PASSWORD pg_dump -Fc -h 127.0.0.1 -U \"$POSTGRES_USER\" shop")
        .output()
        .unwrap();
    assert!(dump.stdout.starts_with(b"PGDMP"), "{}", String::from_utf8_lossy(&dump.stderr));
    std::fs::write(project.path("shop.dump"), dump.stdout).unwrap();
    gzip(&project.path("shop.dump"));
    for file in ["shop.dump", "shop.dump.gz"] {
        project.write("services.local.yaml", &format!("seeds:\n  db: [{{file: {file}, database: other}}]\n"));
        project.succeed(&["up", "--reseed", "--yes"]);
        assert_eq!(items(&url), "", "{file}");
        let other = url.replace("/shop", "/other");
        assert_eq!(items(&other), "soap,towel", "{file}");
        assert_eq!(one(&other, "SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'items'"), "t");
    }
    // A truncated dump is refused.
    let whole = std::fs::read(project.path("shop.dump.gz")).unwrap();
    std::fs::write(project.path("cut.dump.gz"), &whole[..whole.len() / 2]).unwrap();
    project.write("services.local.yaml", "seeds: {db: [cut.dump.gz]}\n");
    let refused = project.fail(1, &["up", "--reseed", "--yes"]);
    assert!(refused.stderr.contains("cut.dump.gz"), "{}", refused.stderr);
}

#[test]
fn redis_takes_commands_and_dumps_also_where_it_appends_to_a_log() {
    let commands = "# a comment\nSET phrase \"hello world\"\nRPUSH list a b c\n\nSET n 1\n";
    let project = stack_with("  cache: [cache.redis]\n", &[("cache.redis", commands)]);
    project.succeed(&["up"]);
    let url = project.env()["REDIS_URL"].clone();
    assert_eq!(redis(&url, &["GET", "phrase"]), ["hello world"]);
    assert_eq!(redis(&url, &["LRANGE", "list", "0", "-1"]), ["a", "b", "c"]);
    redis(&url, &["SAVE"]);
    let copied = Command::new("docker")
        .args(["cp", &format!("{}:/data/dump.rdb", project.container("cache"))])
        .arg(project.path("dump.rdb"))
        .status();
    assert!(copied.unwrap().success());

    let stack = STACK.replace("version: \"7.0.15\"", "version: \"7.0.15\", settings: {appendonly: \"yes\"}");
    for stack in [STACK, &stack] {
        project.succeed(&["down", "--volumes", "--yes"]);
        project.write("services.yaml", stack);
        project.write("services.local.yaml", "seeds: {cache: [dump.rdb]}\n");
        project.succeed(&["up"]);
        let url = project.env()["REDIS_URL"].clone();
        assert_eq!(redis(&url, &["GET", "phrase"]), ["hello world"], "{stack}");
        // The servers of an environment permit the same commands as production's servers.
        assert!(redis(&url, &["DEBUG", "SLEEP", "0"]).concat().contains("not allowed"), "{stack}");
    }

    project.write("wrong.redis", "SET a 1\nLPUSH a 2\n");
    project.write("services.local.yaml", "seeds: {cache: [wrong.redis]}\n");
    let refused = project.fail(1, &["up", "--reseed", "--yes"]);
    for part in ["wrong.redis:2: LPUSH a 2", "WRONGTYPE"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    project.write("wrong.redis", "SET a \"1\n");
    let refused = project.fail(1, &["up", "--reseed", "--yes"]);
    assert!(refused.stderr.contains("wrong.redis:1") && refused.stderr.contains("quote"), "{}", refused.stderr);
}

#[test]
fn mysql_and_mariadb_take_statements() {
    let stack = "services:\n  db: {kind: mariadb, version: \"10.11\", databases: [shop]}\nvariables: {DATABASE_URL: \"${db.url}\"}\n";
    let schema = "CREATE TABLE items (id int, name text);\nINSERT INTO items VALUES (1, 'soap');\n";
    let project = Sandbox::new(&[
        ("services.yaml", stack),
        ("services.local.yaml", "seeds: {db: [schema.sql]}\n"),
        ("schema.sql", &format!("{schema}INSERT INTO nowhere VALUES (1);\n")),
    ]);
    let refused = project.fail(1, &["up"]);
    for part in ["schema.sql:3: INSERT INTO nowhere", "doesn't exist"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    project.write("schema.sql", schema);
    project.succeed(&["up"]);
    let asked = ["--quiet", "shell", "db", "--", "sh", "-c"];
    let asks = "mariadb --user=\"$DEVENV_USER\" --database=\"$DEVENV_DATABASE\" -N -e 'SELECT name FROM items'";
    let shown = project.succeed(&[&asked[..], &[asks]].concat());
    assert_eq!(shown.stdout.trim(), "soap");
}

#[test]
fn rabbitmq_takes_definitions() {
    let stack = "services:\n  queue: {kind: rabbitmq, version: \"3.10.8\", vhosts: [shop]}\nvariables: {AMQP_URL: \"${queue.url}\"}\n";
    let definitions =
        r#"{"queues":[{"name":"work","vhost":"shop","durable":true,"auto_delete":false,"arguments":{}}]}"#;
    let project = Sandbox::new(&[
        ("services.yaml", stack),
        ("services.local.yaml", "seeds: {queue: [definitions.json]}\n"),
        ("definitions.json", definitions),
    ]);
    project.succeed(&["up", "--timeout", "180s"]);
    let queues = ["--quiet", "shell", "queue", "--", "rabbitmqctl", "-q", "list_queues", "-p", "shop"];
    let listed = project.succeed(&[&queues[..], &["--no-table-headers", "name", "durable"]].concat());
    assert_eq!(listed.stdout.trim(), "work\ttrue");
    project.write("services.local.yaml", "seeds: {queue: [wrong.json]}\n");
    project.write("wrong.json", "{\"queues\": 7}");
    let refused = project.fail(1, &["up", "--reseed", "--yes", "--timeout", "180s"]);
    assert!(refused.stderr.contains("queue does not take wrong.json"), "{}", refused.stderr);
}

#[test]
fn a_seed_of_the_wrong_type_is_refused_by_its_content() {
    let project = stack_with("  cache: [shop.dump]\n", &[("shop.dump", "PGDMP what follows")]);
    let refused = project.fail(1, &["up"]);
    assert!(refused.stderr.contains("a dump in Postgres' custom format"), "{}", refused.stderr);
    let mut packed = Command::new("sh")
        .args(["-c", "bzip2 -c || printf BZh9"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    packed.stdin.take().unwrap().write_all(b"SET a 1").unwrap();
    std::fs::write(project.path("a.bz2"), packed.wait_with_output().unwrap().stdout).unwrap();
    project.write("services.local.yaml", "seeds: {cache: [a.bz2]}\n");
    let refused = project.fail(1, &["up"]);
    assert!(refused.stderr.contains("bzip2") && refused.stderr.contains("gzip and zstd"), "{}", refused.stderr);
}

#[test]
fn a_run_that_is_killed_while_it_seeds_leaves_nothing_that_counts_as_seeded() {
    let slow = format!("{SCHEMA}SELECT pg_sleep(30);\n");
    let project = stack_with("  db: [schema.sql]\n", &[("schema.sql", &slow)]);
    let up = project.spawn(&["up"]);
    crate::project::wait_until("the table is there", || {
        let making = project.everything_on_the_engine().into_iter().find(|name| name.ends_with(".making"));
        let Some(making) = making.and_then(|name| name.split(' ').next_back().map(str::to_owned)) else { return false };
        let asks = "PGPASSWORD=$POSTGRES_PASSWORD psql -h 127.0.0.1 -U \"$POSTGRES_USER\" -Atc \"SELECT to_regclass('names')\" shop";
        docker(&["exec", &making, "sh", "-c", asks]).trim() == "names"
    });
    up.signal("KILL");
    up.end();
    project.write("schema.sql", SCHEMA);
    project.succeed(&["up"]);
    assert_eq!(items(&project.env()["DATABASE_URL"]), "soap,towel");
    project.write("schema.sql", &slow.replace("30", "0"));
    project.succeed(&["up", "--reseed", "--yes"]);
    assert_eq!(items(&project.env()["DATABASE_URL"]), "soap,towel");
}

#[test]
fn a_command_of_the_app_seeds_with_the_variables_of_all_services_and_runs_again_when_what_it_reads_changes() {
    let script = "set -eu\ncat migrate/*.sql | docker run --rm -i --network host --entrypoint psql \"$PSQL_IMAGE\" -qX -v ON_ERROR_STOP=1 \"$DATABASE_URL\"\necho ran >> \"$PWD/ran\"\ncase \"$REDIS_URL\" in redis://*) ;; *) exit 3;; esac\n";
    let project = stack_with(
        "  db:\n    - {command: sh seed.sh, reads: [migrate, seed.sh]}\n",
        &[
            ("seed.sh", script),
            ("migrate/1.sql", "CREATE TABLE items (id int, name text); INSERT INTO items VALUES (1, 'soap');"),
        ],
    );
    let up = |arguments: &[&str]| {
        let outcome = Outcome::of(&project.command(arguments).env("PSQL_IMAGE", "postgres:15.18").output().unwrap());
        assert_eq!(outcome.code, 0, "{outcome:?}");
        outcome
    };
    // Nothing runs or starts before the user agrees.
    let refused = project.fail(2, &["up"]).stderr;
    assert!(refused.contains("services.local.yaml:3") && refused.contains("devenv trust"), "{refused}");
    assert!(!project.path("ran").exists() && project.everything_on_the_engine().is_empty());
    project.succeed(&["trust", "--yes"]);
    up(&["up"]);
    let url = project.env()["DATABASE_URL"].clone();
    assert_eq!(items(&url), "soap");
    assert!(!project.on_the_engine().iter().any(|name| name.contains(".beside.")), "{:?}", project.on_the_engine());
    up(&["down", "--volumes", "--yes"]);
    up(&["up"]);
    assert_eq!(items(&project.env()["DATABASE_URL"]), "soap");
    assert_eq!(project.read("ran"), "ran\n", "the base has the command's data");
    project.write("migrate/2.sql", "INSERT INTO items VALUES (2, 'comb');");
    // Existing data continues without a question; another command does not run.
    up(&["run", "--", "true"]);
    let refused = project.fail(2, &["up", "--reseed", "--yes"]).stderr;
    assert!(refused.contains("devenv trust"), "{refused}");
    assert_eq!(project.read("ran"), "ran\n");
    up(&["up", "--reseed", "--yes", "--trust"]);
    assert_eq!(items(&project.env()["DATABASE_URL"]), "soap,comb");

    project.write("seed.sh", "echo \"no: $DATABASE_URL\" >&2\nexit 7\n");
    let failed = project.fail(1, &["up", "--reseed", "--yes", "--trust"]);
    for part in [
        "the seed command of db failed",
        "`sh seed.sh` ended with exit status: 7",
        "no: postgres",
        "***",
        "services.local.yaml:3",
    ] {
        assert!(failed.stderr.contains(part), "{part}: {}", failed.stderr);
    }
    assert_eq!(items(&project.env()["DATABASE_URL"]), "soap,comb", "running services keep running");
    project.write("services.local.yaml", "seeds: {db: [{command: [no-such-program]}]}\n");
    let failed = project.fail(1, &["up", "--reseed", "--yes", "--trust"]);
    assert!(failed.stderr.contains("cannot be started"), "{}", failed.stderr);
    assert!(!project.everything_on_the_engine().iter().any(|name| name.contains(".beside.")));
}

#[test]
fn a_command_of_another_project_is_another_seed_though_it_is_called_the_same() {
    let project = Sandbox::new(&[]);
    let script = |name: &str| {
        format!(
            "set -eu\necho \"CREATE TABLE items (id int, name text); INSERT INTO items VALUES (1, '{name}');\" | \
             docker run --rm -i --network host --entrypoint psql postgres:15.18 -qX -v ON_ERROR_STOP=1 \"$DATABASE_URL\"\n"
        )
    };
    for name in ["one", "two"] {
        project.write(&format!("{name}/services.yaml"), STACK);
        project.write(&format!("{name}/services.local.yaml"), "seeds: {db: [{command: [./seed.sh]}]}\n");
        // The second script has the same text, and reads a file that it does not declare.
        let script = format!("#!/bin/sh\n{}", script("$(cat \"$(dirname \"$0\")/name\")"));
        project.write(&format!("{name}/seed.sh"), &script);
        project.write(&format!("{name}/name"), name);
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(project.path(format!("{name}/seed.sh")), executable).unwrap();
        project.succeed(&["-C", name, "up", "--trust"]);
        let env = std::fs::read_to_string(project.path(format!("{name}/.env"))).unwrap();
        let url = env.lines().find_map(|line| line.strip_prefix("DATABASE_URL=")).unwrap();
        assert_eq!(items(url), name);
    }

    // Another script is another seed, in the same project too.
    project.write("one/seed.sh", &format!("#!/bin/sh\n{}", script("three")));
    project.succeed(&["-C", "one", "down", "--volumes", "--yes"]);
    project.succeed(&["-C", "one", "up", "--trust"]);
    let env = std::fs::read_to_string(project.path("one/.env")).unwrap();
    assert_eq!(items(env.lines().find_map(|line| line.strip_prefix("DATABASE_URL=")).unwrap()), "three");
    for name in ["one", "two"] {
        project.succeed(&["-C", name, "down", "--volumes", "--yes"]);
    }
}

#[test]
fn manifest_and_plan_show_the_commands_for_this_machine_before_the_user_agreed() {
    let project = stack_with(
        "  db:\n    - {command: [sh, seed.sh], reads: [data]}\n",
        &[("seed.sh", "touch ran\n"), ("data/1.sql", "SELECT 1;\n")],
    );
    for arguments in [&["manifest"][..], &["plan"]] {
        let shown = project.succeed(arguments).stdout;
        for part in [
            "db  services.local.yaml:3  sh seed.sh",
            "with data, seed.sh",
            "devenv does none of this before you agree: `devenv trust`",
        ] {
            assert!(shown.contains(part), "{arguments:?} {part}: {shown}");
        }
        let json = project.succeed(&[arguments, &["--json"]].concat()).json();
        let asked = &json["consent"][0];
        assert_eq!((&asked["text"], &asked["agreed"]), (&"sh seed.sh".into(), &false.into()), "{json:#}");
        let seeded = if arguments[0] == "plan" { serde_json::json!(["db"]) } else { serde_json::Value::Null };
        assert_eq!(json["seeded_first"], seeded, "{json:#}");
    }
    assert!(project.succeed(&["plan"]).stdout.contains("seeded first  db\n"));
    let refused = project.fail(2, &["up"]);
    assert!(refused.stderr.contains("sh seed.sh") && refused.stderr.contains("devenv trust"), "{}", refused.stderr);
    assert!(!project.path("ran").exists());
    project.succeed(&["trust", "--yes"]);
    assert!(project.succeed(&["plan"]).stdout.contains("you agreed to it"));
}

#[test]
fn a_seed_s_command_has_the_lines_of_the_env_file_that_was_named_for_the_checkout() {
    let project = stack_with("  cache:\n    - {command: 'echo \"$MINE\" >>seen'}\n", &[("deploy.env", "MINE=here\n")]);
    project.succeed(&["up", "--env-file", "deploy.env", "--trust"]);
    assert_eq!(project.read("seen"), "here\n");
    assert!(project.read("deploy.env").starts_with("MINE=here\n"), "{}", project.read("deploy.env"));
    // The env file was not named again.
    project.succeed(&["up", "--reseed", "--yes", "--trust"]);
    assert_eq!(project.read("seen"), "here\nhere\n");
    assert!(!project.path(".env").exists());
}
