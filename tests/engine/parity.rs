//! `devenv parity` and `devenv facts` on real servers: they find every planted difference, and nothing else.

use crate::client::{one, sql};
use crate::project::{Sandbox, docker, wait_until};
use std::collections::BTreeMap;

const STACK: &str = r#"
name: shop
services:
  db:
    kind: postgres
    version: "15.18"
    databases: [shop]
    extensions: [hstore]
    settings: { max_connections: 50, timezone: UTC }
  cache:
    kind: redis
    version: "7.0.15"
    settings: { maxmemory: 64mb, maxmemory-policy: allkeys-lru }
  queue:
    kind: rabbitmq
    image: rabbitmq:3.10.8-management
    vhosts: [shop]
    users: [shop, audit]
variables:
  DATABASE_URL: ${db.url}
  REDIS_URL: ${cache.url}
  AMQP_URL: ${queue.url}
"#;

/// The differences in production: a collation, `max_connections`, one missing and one additional extension, the time
/// zone, the eviction policy, persistence, a vhost and a plugin that are missing here, a user that exists only here, a
/// login with more rights.
fn production() -> String {
    let planted = [
        (
            "extensions: [hstore]",
            "extensions: [pg_trgm]\n    environment: { POSTGRES_INITDB_ARGS: --locale=C --encoding=UTF8 }",
        ),
        ("databases: [shop]", "databases: [shop]\n    rights: master"),
        ("max_connections: 50, timezone: UTC", "max_connections: 80, timezone: Europe/Berlin"),
        ("maxmemory-policy: allkeys-lru", "maxmemory-policy: noeviction, appendonly: \"yes\""),
        ("vhosts: [shop]", "vhosts: [shop, billing]\n    plugins: [rabbitmq_shovel]"),
        ("users: [shop, audit]", "users: [shop]"),
    ];
    planted.iter().fold(STACK.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

/// The facts of the running services, after the broker has reported its plugins (some seconds after its start).
fn facts(project: &Sandbox) -> String {
    let mut told = String::new();
    wait_until("the broker has reported everything", || {
        told = project.succeed(&["facts"]).stdout;
        !told.contains("not_asked")
    });
    told
}

/// Every difference that matters, as `service: subject`, with its impact and the values of the sides.
fn found(report: &serde_json::Value) -> BTreeMap<String, (String, String)> {
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let differences = report["differences"].as_array().expect("a list");
    let matters = differences.iter().filter(|difference| difference["impact"] != "expected");
    matters
        .map(|found| {
            let name = format!("{}: {}", text(&found["service"]), text(&found["subject"]));
            (name, (text(&found["impact"]), text(&found["message"])))
        })
        .collect()
}

#[test]
fn every_planted_difference_is_found_and_none_on_an_identical_stack() {
    let (local, far) = (Sandbox::new(&[("services.yaml", STACK)]), Sandbox::new(&[("services.yaml", &production())]));
    let same = Sandbox::new(&[("services.yaml", STACK)]);
    for project in [&local, &far, &same] {
        project.succeed(&["up", "--timeout", "180s"]);
    }
    local.write("same.facts.yaml", &facts(&same));
    let far_facts = facts(&far);
    let planted = far_facts.replace("version: \"15.18\"", "version: \"15.9\"");
    assert_ne!(planted, far_facts);
    local.write("production.facts.yaml", &planted);
    facts(&local);

    // devenv reports no false difference, from a file or from the servers, and `--check` does not fail.
    for against in [&["--against-facts", "same.facts.yaml"][..], &[]] {
        let arguments = [&["parity", "--check", "--fail-on", "cosmetic", "--format", "json"], against].concat();
        let report = local.succeed(&arguments).json();
        assert_eq!(report["differences"], serde_json::json!([]), "{report:#}");
    }

    // A moved tag: the lock has another image of Redis than the running container.
    let lock = local.read("services.lock");
    let (before, of_cache) = lock.split_at(lock.find("  \"cache\":").expect("the lock has the cache"));
    let (name, id) = of_cache.split_once("sha256:").expect("an image's id");
    let planted_lock = format!("{before}{name}sha256:{}{}", "0".repeat(64), &id[64..]);
    local.write("services.lock", &planted_lock);

    let parity = ["parity", "--against-facts", "production.facts.yaml"];
    let report = local.succeed(&[&parity[..], &["--format", "json"]].concat()).json();
    let moved = format!("lock sha256:{} · local sha256:{}", "0".repeat(64), &id[..64]);
    let wanted = [
        ("db: version", "cosmetic", "production 15.9 · local 15.18 · lock 15.18 · manifest 15.18"),
        ("db: collation", "behaves", "production C · local en_US.utf8"),
        ("db: ctype", "behaves", "production C · local en_US.utf8"),
        ("db: max_connections", "behaves", "production 80 · local 50 · manifest 50"),
        ("db: extension pg_trgm", "breaks", "production 1.6 · local absent"),
        ("db: extension hstore", "breaks", "production absent · local 1.8 · manifest declared"),
        ("db: timezone", "behaves", "production Europe/Berlin · local UTC · manifest UTC"),
        ("cache: maxmemory-policy", "behaves", "production noeviction · local allkeys-lru · manifest allkeys-lru"),
        ("cache: appendonly", "behaves", "production yes · local no"),
        ("cache: image", "behaves", moved.as_str()),
        ("queue: virtual host billing", "breaks", "production default queue type classic · local absent"),
        ("queue: plugin rabbitmq_shovel", "breaks", "production enabled · local absent"),
        ("queue: user audit", "behaves", "production absent · local no tags · manifest no tags"),
        (
            "db: role app",
            "behaves",
            "production login, createdb, createrole · local login, createdb · manifest login, createdb",
        ),
    ];
    let mut seen = found(&report);
    // With the C locale, initdb chooses these values itself.
    for with_locale in ["lc_messages", "lc_monetary", "lc_numeric", "lc_time", "default_text_search_config"] {
        seen.remove(&format!("db: {with_locale}"));
    }
    seen.remove("db: collation version");
    // A plugin also enables the plugins that it depends on.
    seen.retain(|name, (impact, _)| !(name.starts_with("queue: plugin ") && impact == "cosmetic"));
    let wanted: BTreeMap<String, (String, String)> = wanted
        .iter()
        .map(|(name, impact, said)| ((*name).to_owned(), ((*impact).to_owned(), (*said).to_owned())))
        .collect();
    assert_eq!(seen, wanted);

    // The runs of two users print the same bytes in every format.
    let other = Sandbox::new(&[("services.yaml", STACK), ("production.facts.yaml", &planted)]);
    other.succeed(&["up", "--timeout", "180s"]);
    facts(&other);
    other.write("services.lock", &planted_lock);
    for format in ["terminal", "json", "markdown", "html", "sarif", "github"] {
        let arguments = [&parity[..], &["--format", format]].concat();
        assert_eq!(local.succeed(&arguments).stdout, other.succeed(&arguments).stdout, "{format}");
    }
    let page = local.succeed(&parity).stdout;
    assert!(page.contains("breaks    extension pg_trgm   production 1.6 · local absent   services.yaml:4"), "{page}");

    // The impact decides the exit code.
    let check = [&parity[..], &["--check"]].concat();
    let failed = local.fail(7, &check);
    assert!(failed.stderr.contains("development differs from production"), "{}", failed.stderr);
    local.write("services.lock", &lock);
    local.write("expected.facts.yaml", &facts(&same).replace("version: \"15.18\"", "version: \"15.9\""));
    let patch = ["parity", "--against-facts", "expected.facts.yaml", "--check"];
    local.succeed(&patch);
    local.fail(7, &[&patch[..], &["--fail-on", "cosmetic"]].concat());

    // If devenv asks production itself, production reports the same facts as its file, and stays unchanged.
    let far_env = far.env();
    let (db, cache, queue) = (&far_env["DATABASE_URL"], &far_env["REDIS_URL"], &far_env["AMQP_URL"]);
    sql(db, "CREATE TABLE item (name text); INSERT INTO item VALUES ('kept')").unwrap();
    let state = || one(db, "SELECT n_tup_ins::text || n_tup_upd || n_tup_del || seq_scan FROM pg_stat_user_tables");
    let before = state();
    local.write("url", &format!("{cache}\n"));
    let mut command = local.command(&[
        "parity",
        "--against",
        &format!("db={db}"),
        "--against",
        "cache=@url",
        "--against",
        "env:QUEUE",
        "--format",
        "json",
    ]);
    let outcome =
        crate::project::Outcome::of(&command.env("QUEUE", format!("{queue}?management=off")).output().unwrap());
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let asked = found(&outcome.json());
    assert_eq!(asked["db: extension pg_trgm"], seen["db: extension pg_trgm"]);
    assert_eq!(asked["cache: appendonly"], seen["cache: appendonly"]);
    assert!(!asked.contains_key("queue: virtual host billing"), "it could not be asked, and that is said");
    let missing = &outcome.json()["services"][2]["not_asked"];
    assert!(missing[0]["topics"].as_array().unwrap().iter().any(|topic| topic == "vhosts"), "{missing}");
    assert_eq!(state(), before);
    for url in [db, cache, queue] {
        let password = crate::client::Url::read(url).password;
        for text in [&outcome.stdout, &outcome.stderr, &page, &far_facts] {
            assert!(!text.contains(&password));
        }
    }

    // Without its management API, devenv lists the facts that it could not ask.
    let log = docker(&["logs", &far.container("queue")]);
    assert!(!log.contains("unexpectedly closed"), "{log}");
}

#[test]
fn facts_that_cannot_be_asked_are_reported_without_a_password() {
    let project = Sandbox::new(&[("services.yaml", STACK)]);
    let url = "postgres://app:s3cret-pw@127.0.0.1:1/shop";
    for arguments in [vec!["facts", url], vec!["parity", "--against", url]] {
        let outcome = project.fail(1, &arguments);
        assert!(outcome.stderr.contains("cannot be asked"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("help: check that this machine reaches it"), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("s3cret"), "{}", outcome.stderr);
    }
    for (arguments, told) in [
        (&["facts", "telnet://u:s3cret-pw@h"][..], "no server that can be asked has the scheme `telnet`"),
        (&["facts", "env:NOT_SET"], "the variable NOT_SET is not set"),
        (&["facts", "@missing"], "cannot read missing"),
        (&["facts", "redis://a", "redis://b"], "two servers are called `redis`"),
        (&["parity", "--against-facts", "missing.yaml"], "cannot read missing.yaml"),
        (&["parity", "--between", "one", "other"], "nothing is called `one`"),
    ] {
        let outcome = project.fail(2, arguments);
        assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("s3cret"), "{}", outcome.stderr);
    }
    project.write("other.yaml", "facts: 1\nservices:\n  x: {protocol: memcached, product: memcached}\n");
    let outcome = project.fail(2, &["parity", "--against-facts", "other.yaml"]);
    assert!(outcome.stderr.contains("nothing says which service `x` is"), "{}", outcome.stderr);
    // A service that does not run is not a difference; the report says that it does not run.
    let outcome = project.succeed(&["parity"]);
    assert!(outcome.stdout.contains("db · postgres   local does not run: `devenv up`"), "{}", outcome.stdout);
    let outcome = project.fail(1, &["facts"]);
    assert!(outcome.stderr.contains("no service of this environment can be asked"), "{}", outcome.stderr);
    let mut away = project.command(&["parity"]);
    let outcome = crate::project::Outcome::of(&away.env("DOCKER_HOST", "unix:///nowhere.sock").output().unwrap());
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the local services are excluded from the comparison"), "{}", outcome.stderr);
}

/// Reads the arguments of a process as every user of the machine can.
fn arguments_of(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

#[test]
fn a_password_in_an_argument_does_not_stay_in_the_process_list() {
    // The server accepts the connection and sends nothing, so that the program waits.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let project = Sandbox::new(&[]);
    let url = format!("db=redis://:s3cret-pw@127.0.0.1:{port}");
    let mut child = project.command(&["facts", &url]).spawn().unwrap();
    let (connection, _) = silent.accept().unwrap();
    let arguments = arguments_of(child.id());
    assert!(arguments.contains("db=@/dev/fd/"), "{arguments}");
    assert!(!arguments.contains("s3cret"), "{arguments}");
    let environment = std::fs::read(format!("/proc/{}/environ", child.id())).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains("s3cret"));
    drop(connection);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn versions_are_pinned_from_facts() {
    let facts = "facts: 1\nservices:\n  db: {protocol: postgres, product: PostgreSQL, version: \"15.18\"}\n  \
        cache: {protocol: redis, product: Redis}\n";
    let manifest = "services:\n  db: {image: \"postgres:15-alpine\"}\n  cache: {image: \"redis:7\"}\n";
    let project = Sandbox::new(&[("compose.yaml", manifest), ("production.facts.yaml", facts)]);
    let outcome = project.succeed(&["pin", "--from-facts", "production.facts.yaml"]);
    assert!(outcome.stderr.contains("db is pinned to 15.18-alpine in services.local.yaml"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("cache is not pinned: its server did not say its version"), "{}", outcome.stderr);
    let manifest = project.succeed(&["manifest", "--json"]).json();
    assert_eq!(manifest["services"][0]["version"]["number"], "15.18", "{manifest:#}");
}

#[test]
fn two_manifests_and_two_facts_files_are_compared_without_an_engine() {
    let facts = |version: &str| {
        format!(
            "facts: 1\nservices:\n  db:\n    protocol: postgres\n    product: PostgreSQL\n    version: \"{version}\"\n"
        )
    };
    let compose = |tag: &str, more: &str| format!("services:\n  db:\n    image: postgres:{tag}\n{more}");
    let project = Sandbox::new(&[
        ("compose.prod.yaml", &compose("16.4", "  cache:\n    image: redis:7.0.15\n")),
        ("compose.staging.yaml", &compose("15.18", "")),
        ("a.facts.yaml", &facts("16.4")),
        ("b.facts.yaml", &facts("16.6")),
    ]);
    let between = |one: &str, other: &str| {
        let mut command = project.command(&["parity", "--format", "json", "--between", one, other]);
        let outcome =
            crate::project::Outcome::of(&command.env("DOCKER_HOST", "unix:///nowhere.sock").output().unwrap());
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        found(&outcome.json())
    };
    let said = |impact: &str, said: &str| (impact.to_owned(), said.to_owned());
    let staged = between("production", "staging");
    assert_eq!(staged["db: version"], said("breaks", "production 16.4 · staging 15.18"));
    assert_eq!(staged["cache: service"], said("breaks", "production 7.0.15 · staging absent"));
    assert_eq!(staged.len(), 2, "{staged:?}");
    assert_eq!(between("a", "b")["db: version"], said("cosmetic", "a 16.4 · b 16.6"));
    assert_eq!(between("compose.staging.yaml", "a")["db: version"].0, "breaks");
    project.fail(7, &["parity", "--check", "--between", "production", "staging"]);
}
