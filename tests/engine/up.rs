//! `devenv up` from a manifest to a proven server: the declared resources exist, according to the server itself.

use crate::client::{amqp, memcached, one, redis, redis_as_nobody, sql};
use crate::project::{Sandbox, Tag};

#[test]
fn services_yaml_gives_servers_as_declared_and_an_env_that_logs_in() {
    let project = Sandbox::new(&[(
        "services.yaml",
        r#"
name: shop
services:
  db:
    kind: postgres
    version: "17.12"
    databases: [shop, audit]
    extensions: [pg_trgm, citext]
    settings: { max_connections: 41, timezone: Europe/Rome, statement_timeout: 30s }
  cache:
    kind: redis
    version: "7.0.15"
    settings: { maxmemory: 32mb, maxmemory-policy: allkeys-lru }
variables:
  DATABASE_URL: ${db.url}
  AUDIT_URL: ${db.databases.audit.url}
  REDIS_URL: ${cache.url}
  LOG_LEVEL: info
"#,
    )]);
    let outcome = project.succeed(&["up"]);
    let env = project.env();
    let url = &env["DATABASE_URL"];

    // Settings, as the server reports them.
    assert_eq!(one(url, "SHOW max_connections"), "41");
    assert_eq!(one(url, "SHOW timezone"), "Europe/Rome");
    assert_eq!(one(url, "SHOW statement_timeout"), "30s");
    assert!(one(url, "SHOW server_version").starts_with("17."));
    assert_eq!(redis(&env["REDIS_URL"], &["CONFIG", "GET", "maxmemory-policy"]), ["maxmemory-policy", "allkeys-lru"]);
    assert_eq!(redis(&env["REDIS_URL"], &["CONFIG", "GET", "maxmemory"]), ["maxmemory", "33554432"]);

    // Databases, extensions, and a login that owns them and may create databases, and has no other rights.
    for (url, database) in [(url, "shop"), (&env["AUDIT_URL"], "audit")] {
        assert_eq!(one(url, "SELECT current_database()"), database);
        let extensions = sql(url, "SELECT extname FROM pg_extension ORDER BY 1").unwrap();
        assert_eq!(extensions, ["citext", "pg_trgm", "plpgsql"], "{database}");
        let owner = "SELECT pg_get_userbyid(datdba) = current_user FROM pg_database WHERE datname = current_database()";
        assert_eq!(one(url, owner), "t", "{database}");
    }
    let role = "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user";
    assert_eq!(sql(url, role).unwrap(), ["f", "f", "t"]);
    let refused = sql(url, "CREATE EXTENSION adminpack; COPY (SELECT 1) TO PROGRAM 'true'");
    assert!(refused.is_err(), "a superuser's statement ran: {refused:?}");

    // A login without the password is refused, and the plain value is copied.
    assert!(redis_as_nobody(&env["REDIS_URL"], &["PING"])[0].starts_with("-NOAUTH"));
    assert!(sql(&url.replace("@127", "x@127"), "SELECT 1").is_err());
    assert_eq!(env["LOG_LEVEL"], "info");

    // The output: one line for each service with its address, then the written variables.
    let words = &outcome.stderr;
    for part in ["services.yaml · 2 services", "logged in", "127.0.0.1:", "4 variables written", "ready in"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert_eq!(outcome.stdout, "");
}

#[test]
fn up_twice_changes_nothing() {
    let project = Sandbox::new(&[(
        "services.yaml",
        "services:\n  db: {kind: postgres, version: \"15.18\"}\n  cache: {kind: redis, version: \"8.0.2\"}\n\
         variables: {DATABASE_URL: \"${db.url}\", REDIS_URL: \"${cache.url}\"}\n",
    )]);
    project.succeed(&["up"]);
    let before = (project.containers(), project.volumes(), project.read(".env"));
    sql(&project.env()["DATABASE_URL"], "CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)").unwrap();
    let modified = std::fs::metadata(project.path(".env")).unwrap().modified().unwrap();

    let again = project.succeed(&["up"]);

    assert_eq!((project.containers(), project.volumes(), project.read(".env")), before);
    assert_eq!(std::fs::metadata(project.path(".env")).unwrap().modified().unwrap(), modified);
    assert!(again.stderr.contains("unchanged"), "{}", again.stderr);
    assert_eq!(project.succeed(&["plan"]).stdout, "nothing to change: every service runs as declared\n");
    assert_eq!(one(&project.env()["DATABASE_URL"], "SELECT x FROM kept"), "7");
}

#[test]
fn compose_gives_production_s_own_variables_bound_to_servers_with_production_s_settings() {
    let project = Sandbox::new(&[
        (
            "compose.prod.yaml",
            r#"
name: shop
services:
  web:
    image: registry.example.com/shop/web:1
    environment:
      DATABASE_URL: postgresql://shop:${DB_PASSWORD}@db:5432/shop
      AMQP_URL: amqp://shop:${QUEUE_PASSWORD}@queue:5672/orders
      REDIS_URL: redis://:${CACHE_PASSWORD}@cache:6379/3
      REDIS_HOST: cache
      SENTRY_DSN: ${SENTRY_DSN:?set by the deploy}
      CURRENCY: EUR
  db:
    image: postgres:15.18
    command: postgres -c max_connections=44 -c shared_buffers=32MB
    environment:
      POSTGRES_USER: shop
      POSTGRES_PASSWORD: ${DB_PASSWORD}
      POSTGRES_DB: shop
    volumes: ["./init:/docker-entrypoint-initdb.d:ro", "db:/var/lib/postgresql/data"]
  cache:
    image: redis:8.0.2
    command: redis-server --maxmemory 16mb --requirepass ${CACHE_PASSWORD}
  queue:
    image: rabbitmq:3.10.8
    environment: {RABBITMQ_DEFAULT_USER: shop, RABBITMQ_DEFAULT_PASS: "${QUEUE_PASSWORD}", RABBITMQ_DEFAULT_VHOST: orders}
volumes: {db: {}}
"#,
        ),
        ("init/10-tables.sql", "CREATE TABLE products (name text); INSERT INTO products VALUES ('tea');\n"),
        (
            "init/20-more.sh",
            "#!/bin/bash\npsql --username \"$POSTGRES_USER\" --dbname \"$POSTGRES_DB\" -c 'CREATE TABLE by_script (x int)'\n",
        ),
    ]);
    let outcome = project.succeed(&["up"]);
    let env = project.env();

    // Production's names, paths and logins; a local password.
    let url = &env["DATABASE_URL"];
    assert!(url.starts_with("postgresql://shop:") && url.ends_with("/shop"), "{url}");
    assert!(env["REDIS_URL"].ends_with("/3"), "{env:?}");
    assert_eq!(one(url, "SELECT current_user"), "shop");
    assert_eq!(one(url, "SHOW max_connections"), "44");
    assert_eq!(one(url, "SHOW shared_buffers"), "32MB");
    assert_eq!(redis(&env["REDIS_URL"], &["CONFIG", "GET", "maxmemory"]), ["maxmemory", "16777216"]);
    assert_eq!(amqp(&env["AMQP_URL"]), Ok(()));
    assert!(amqp(&env["AMQP_URL"].replace("/orders", "/other")).is_err());

    // The init files ran, and their objects belong to the app.
    assert_eq!(one(url, "SELECT name FROM products"), "tea");
    let owners = sql(url, "SELECT tableowner FROM pg_tables WHERE schemaname = 'public'").unwrap();
    assert_eq!(owners, ["shop", "shop"]);
    sql(url, "ALTER TABLE by_script ADD y int; DROP TABLE by_script").unwrap();

    // A host without a port means the kind's own port, on an address of this environment.
    let host = &env["REDIS_HOST"];
    assert!(host.starts_with("127.88."), "{host}");
    let published = crate::project::docker(&["port", &project.container("cache"), "6379"]);
    assert_eq!(published.trim(), format!("{host}:6379"));

    // A value that devenv cannot know is empty and reported, and the app's own components are not started.
    assert_eq!(env["SENTRY_DSN"], "");
    assert_eq!(env["CURRENCY"], "EUR");
    assert!(outcome.stderr.contains("SENTRY_DSN"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("1 app not started"), "{}", outcome.stderr);
    assert!(!project.containers().contains_key("web"));
}

#[test]
fn rabbitmq_has_the_declared_vhosts_users_settings_and_plugins() {
    let project = Sandbox::new(&[(
        "services.yaml",
        r#"
services:
  queue:
    kind: rabbitmq
    version: "4.0.5"
    vhosts: [shop, audit]
    settings: { vm_memory_high_watermark.absolute: 300MiB, heartbeat: 23 }
    plugins: [rabbitmq_shovel]
variables:
  AMQP_URL: ${queue.vhosts.shop.url}
  AUDIT_URL: ${queue.vhosts.audit.url}
"#,
    )]);
    project.succeed(&["up"]);
    let env = project.env();
    assert_eq!(amqp(&env["AMQP_URL"]), Ok(()));
    assert_eq!(amqp(&env["AUDIT_URL"]), Ok(()));
    let ask = |command: &[&str]| project.succeed(&[&["shell", "queue", "--"], command].concat()).stdout;
    let vhosts = ask(&["rabbitmqctl", "--quiet", "list_vhosts", "--no-table-headers"]);
    assert!(vhosts.contains("shop") && vhosts.contains("audit"), "{vhosts}");
    let set = ask(&["rabbitmqctl", "eval", "application:get_env(rabbit, heartbeat)."]);
    assert_eq!(set.trim(), "{ok,23}");
    assert!(ask(&["rabbitmq-plugins", "--quiet", "list", "--enabled", "--minimal"]).contains("rabbitmq_shovel"));

    // The same queue after a second start: a fixed host name keeps RabbitMQ's data.
    ask(&["rabbitmqctl", "--quiet", "add_vhost", "by-hand"]);
    project.succeed(&["down"]);
    project.succeed(&["up"]);
    assert!(ask(&["rabbitmqctl", "--quiet", "list_vhosts", "--no-table-headers"]).contains("by-hand"));
}

#[test]
fn valkey_and_memcached_run_with_their_settings() {
    let project = Sandbox::new(&[(
        "services.yaml",
        r#"
services:
  kv: {kind: valkey, version: "8.1.1", settings: {maxmemory-policy: noeviction, save: "900 1"}}
  memo: {kind: memcached, version: "1.6.18", settings: {memory-limit: 24, conn-limit: 77}}
variables: {KV_URL: "${kv.url}", MEMO: "${memo.host}:${memo.port}", MEMO_URL: "${memo.url}"}
"#,
    )]);
    project.succeed(&["up"]);
    let env = project.env();
    assert!(redis(&env["KV_URL"], &["INFO", "server"])[0].contains("valkey_version:8.1.1"));
    assert_eq!(redis(&env["KV_URL"], &["CONFIG", "GET", "maxmemory-policy"]), ["maxmemory-policy", "noeviction"]);
    assert_eq!(redis(&env["KV_URL"], &["CONFIG", "GET", "save"]), ["save", "900 1"]);
    let settings = memcached(&env["MEMO_URL"], "stats settings\r\n");
    for line in ["STAT maxbytes 25165824", "STAT maxconns 77"] {
        assert!(settings.contains(&line.to_owned()), "{line}: {settings:?}");
    }
    assert!(env["MEMO_URL"].ends_with(&env["MEMO"]), "{env:?}");
}

#[test]
fn pgvector_and_postgres_18_keep_what_their_images_promise() {
    let project = Sandbox::new(&[(
        "compose.yaml",
        r#"
services:
  app: {build: ., environment: {VECTORS: "postgres://app:${A}@vectors/app", DATABASE_URL: "postgres://app:${B}@db/app"}}
  vectors:
    image: pgvector/pgvector:pg17
    environment: {POSTGRES_USER: app, POSTGRES_PASSWORD: "${A}"}
  db:
    image: postgres:18.6
    environment: {POSTGRES_USER: app, POSTGRES_PASSWORD: "${B}"}
"#,
    )]);
    project.succeed(&["up"]);
    let env = project.env();
    let vectors = &env["VECTORS"];
    sql(vectors, "CREATE TABLE v (e vector(3)); INSERT INTO v VALUES ('[1,2,3]')").unwrap();
    assert_eq!(one(vectors, "SELECT e <-> '[1,2,4]' FROM v"), "1");
    let url = &env["DATABASE_URL"];
    assert!(one(url, "SHOW server_version").starts_with("18."));
    sql(url, "CREATE TABLE kept (x int); INSERT INTO kept VALUES (18)").unwrap();

    project.succeed(&["down"]);
    assert_eq!(project.containers().len(), 0);
    project.succeed(&["up"]);

    assert_eq!(one(&project.env()["DATABASE_URL"], "SELECT x FROM kept"), "18");
    assert_eq!(one(&project.env()["VECTORS"], "SELECT count(*) FROM v"), "1");
}

#[test]
fn included_apps_of_no_known_kind_run_and_are_said_to_be_approximated() {
    let image = Tag::of("redis:7.0.15", "store", "1.0");
    let listen = "my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 9, ReuseAddr => 1); \
                  while (my $$c = $$s->accept) { my $$l = <$$c>; \
                  print $$c $$l =~ m(GET /readyz ) ? \"HTTP/1.0 200 OK\\r\\n\\r\\nhere\" : \"HTTP/1.0 500 No\\r\\n\\r\\n\" }"
        .replace("my $s", "my $$s");
    let compose = format!(
        "services:\n  web: {{image: \"shop/web:1\", environment: {{STORE: \"store:6379\"}}}}\n  \
         store: {{image: \"{0}\", command: [redis-server, --port, \"7777\"]}}\n  \
         page:\n    image: \"{0}\"\n    command:\n      - perl\n      - -MIO::Socket::INET\n      - -e\n      - '{listen}'\n",
        image.0
    );
    let project = Sandbox::new(&[
        ("compose.yaml", &compose),
        (
            "services.local.yaml",
            "include:\n  store: {port: 7777}\n  page: {port: 8080, protocol: http, path: /readyz}\n\
             variables: {STORE_URL: \"redis://:@${store.host}:${store.port}/0\", PAGE: \"${page.url}\"}\n",
        ),
    ]);
    let outcome = project.succeed(&["up"]);
    assert!(outcome.stderr.contains("accepts connections"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("answers HTTP"), "{}", outcome.stderr);
    let env = project.env();
    assert_eq!(redis_as_nobody(&env["STORE_URL"], &["PING"]), ["PONG"]);
    assert!(env["PAGE"].starts_with("http://127.0.0.1:"), "{env:?}");
    let manifest = project.succeed(&["manifest", "--json"]).json();
    for name in ["store", "page"] {
        let services = manifest["services"].as_array().unwrap();
        let service = services.iter().find(|service| service["name"] == name).unwrap();
        assert_eq!(service["support"], "approximated", "{manifest:#}");
    }
    assert!(!project.containers().contains_key("web"));
}
