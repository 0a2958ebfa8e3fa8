//! Every protocol with the real server: logins that work, and each refusal with its own fault.

use crate::server::Server;
use devenv::kinds::rabbitmq_definitions;
use devenv::model::{Endpoint, Protocol, Rights, Secret, Wanted, WantedDatabase, WantedUser};
use devenv::protocol::{Done, Fault, ProbeError, Subject, prove, reconcile};

const POSTGRES: [(&str, &str); 3] = [("postgres:15", "15."), ("postgres:17", "17."), ("postgres:18", "18.")];
const REDIS: [(&str, &str); 3] = [("redis:7.0", "7.0."), ("redis:8.0", "8.0."), ("valkey/valkey:8.1", "8.1.")];
const RABBITMQ: [(&str, &str); 2] = [("rabbitmq:3.10", "3.10."), ("rabbitmq:4.0", "4.0.")];

pub(crate) fn on_database(endpoint: Endpoint, database: &str) -> Endpoint {
    Endpoint { database: Some(database.to_owned()), ..endpoint }
}

async fn refused(protocol: Protocol, endpoint: &Endpoint) -> ProbeError {
    let error = prove(protocol, endpoint).await.expect_err("a refusal");
    assert_eq!(error.fault, Fault::Login, "{error:?}");
    error
}

// Postgres

fn postgres(image: &str, more: &[(&str, &str)], files: &[(&str, &str)]) -> Server {
    let login = [("POSTGRES_USER", "devenv_admin"), ("POSTGRES_PASSWORD", "admin-pw"), ("POSTGRES_DB", "shop")];
    Server::start((image, Protocol::Postgres, 5432), &[&login, more].concat(), &["postgres"], files)
}

fn administrator(server: &Server) -> Endpoint {
    on_database(server.endpoint(Some("devenv_admin"), Some("admin-pw")), "shop")
}

pub(crate) fn wanted(users: &[(&str, &str)], databases: &[(&str, &str)]) -> Wanted {
    let user = |(name, password): &(&str, &str)| WantedUser {
        name: (*name).to_owned(),
        password: Some(Secret::new(*password)),
        rights: None,
    };
    let database =
        |(name, owner): &(&str, &str)| WantedDatabase { name: (*name).to_owned(), owner: (*owner).to_owned() };
    Wanted {
        users: users.iter().map(user).collect(),
        databases: databases.iter().map(database).collect(),
        extensions: Vec::new(),
        master: Vec::new(),
        adopt: false,
    }
}

async fn reconciled(server: &Server, wanted: &Wanted) -> Vec<Done> {
    reconcile(Protocol::Postgres, &administrator(server), wanted)
        .await
        .unwrap_or_else(|error| panic!("{error:?}\n{}", server.log()))
}

fn query(server: &Server, database: &str, sql: &str) -> String {
    server.run(&["psql", "--username", "devenv_admin", "--dbname", database, "-Atc", sql]).trim().to_owned()
}

/// Runs statements as an app would, over the published port with the app's login.
async fn as_app(endpoint: &Endpoint, sql: &str) -> Result<(), tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host(&endpoint.host).port(endpoint.port).user(endpoint.user.as_deref().unwrap_or_default());
    config.password(endpoint.password.as_ref().map(Secret::reveal).unwrap_or_default());
    config.dbname(endpoint.database.as_deref().unwrap_or_default());
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    let work = async move { client.batch_execute(sql).await };
    tokio::join!(work, connection).0
}

#[tokio::test]
async fn postgres_tells_each_refusal_apart() {
    for (image, version) in POSTGRES {
        let server = postgres(image, &[], &[]);
        let proof = server.ready(&administrator(&server)).await;
        assert_eq!(proof.words, "logged in");
        assert!(proof.server_version.is_some_and(|found| found.starts_with(version)), "{image}");

        let wrong = on_database(server.endpoint(Some("devenv_admin"), Some("wrong")), "shop");
        let error = refused(Protocol::Postgres, &wrong).await;
        assert!(error.message.contains("password authentication failed"), "{error:?}");
        let error = refused(Protocol::Postgres, &on_database(administrator(&server), "nope")).await;
        assert!(error.message.contains("\"nope\" does not exist"), "{error:?}");
        let without = on_database(server.endpoint(Some("devenv_admin"), None), "shop");
        let error = refused(Protocol::Postgres, &without).await;
        assert!(error.message.contains("asks for a password"), "{error:?}");
        let stranger = on_database(server.endpoint(Some("stranger"), Some("x")), "shop");
        refused(Protocol::Postgres, &stranger).await;
    }
}

#[tokio::test]
async fn postgres_without_passwords_is_proven_without_one() {
    let server = postgres("postgres:15", &[("POSTGRES_HOST_AUTH_METHOD", "trust")], &[]);
    let endpoint = on_database(server.endpoint(Some("devenv_admin"), None), "shop");
    assert_eq!(server.ready(&endpoint).await.words, "logged in");
}

#[tokio::test]
async fn postgres_gets_what_is_wanted_and_a_second_run_does_nothing() {
    for (image, _) in POSTGRES {
        let server = postgres(image, &[], &[]);
        server.ready(&administrator(&server)).await;
        let awkward = "it's \"Größe\"";
        let mut wanted = wanted(&[("app", "app-pw"), (awkward, "p'\\w")], &[("shop", "app"), (awkward, awkward)]);
        wanted.extensions = vec!["pg_trgm".to_owned(), "earthdistance".to_owned()];

        let done = reconciled(&server, &wanted).await;
        assert!(done.contains(&Done::UserCreated("app".to_owned())), "{done:?}");
        assert!(done.contains(&Done::OwnerSet { database: "shop".to_owned(), owner: "app".to_owned() }), "{done:?}");
        assert!(done.contains(&Done::DatabaseCreated(awkward.to_owned())), "{done:?}");
        assert_eq!(done.iter().filter(|done| matches!(done, Done::ExtensionCreated { .. })).count(), 4, "{done:?}");
        assert_eq!(reconciled(&server, &wanted).await, []);

        let app = on_database(server.endpoint(Some("app"), Some("app-pw")), "shop");
        server.ready(&app).await;
        server.ready(&on_database(server.endpoint(Some(awkward), Some("p'\\w")), awkward)).await;
        as_app(&app, "CREATE TABLE items (name text); CREATE SCHEMA more").await.expect("the owner may create");
        let error = as_app(&app, "CREATE ROLE other").await.expect_err("the app is no administrator");
        assert_eq!(error.code(), Some(&tokio_postgres::error::SqlState::INSUFFICIENT_PRIVILEGE));
        assert!(!server.log().contains("app-pw"));
    }
}

#[tokio::test]
async fn a_changed_password_or_owner_is_set_and_nothing_is_dropped() {
    let server = postgres("postgres:17", &[], &[]);
    server.ready(&administrator(&server)).await;
    reconciled(&server, &wanted(&[("app", "old"), ("audit", "a")], &[("shop", "app"), ("audit", "audit")])).await;
    query(&server, "postgres", "ALTER ROLE audit NOLOGIN");

    let now = wanted(&[("app", "new"), ("audit", "a")], &[("shop", "audit")]);
    let done = reconciled(&server, &now).await;
    assert_eq!(
        done,
        [
            Done::PasswordSet("app".to_owned()),
            Done::UserChanged("audit".to_owned()),
            Done::OwnerSet { database: "shop".to_owned(), owner: "audit".to_owned() },
        ]
    );
    refused(Protocol::Postgres, &on_database(server.endpoint(Some("app"), Some("old")), "shop")).await;
    let elsewhere = on_database(administrator(&server), "not-made-yet");
    assert_eq!(reconcile(Protocol::Postgres, &elsewhere, &now).await, Ok(Vec::new()));
    server.ready(&on_database(server.endpoint(Some("app"), Some("new")), "shop")).await;
    server.ready(&on_database(server.endpoint(Some("audit"), Some("a")), "audit")).await;
    assert_eq!(reconciled(&server, &now).await, []);
}

#[tokio::test]
async fn a_wanted_administrator_becomes_one_and_stops_being_one() {
    let server = postgres("postgres:15", &[], &[]);
    server.ready(&administrator(&server)).await;
    let mut wanted = wanted(&[("postgres", "pw"), ("devenv_admin", "not-ours")], &[("shop", "postgres")]);
    wanted.users[0].rights = Some(Rights::Superuser);
    reconciled(&server, &wanted).await;
    assert_eq!(query(&server, "shop", "SELECT rolsuper FROM pg_roles WHERE rolname = 'postgres'"), "t");
    wanted.users[0].rights = None;
    assert_eq!(reconciled(&server, &wanted).await, [], "rights that no file declares stay the same");
    wanted.users[0].rights = Some(Rights::Owner);
    assert_eq!(reconciled(&server, &wanted).await, [Done::UserChanged("postgres".to_owned())]);
    assert_eq!(query(&server, "shop", "SELECT rolsuper FROM pg_roles WHERE rolname = 'postgres'"), "f");
    // The administrator's login stays unchanged, even if a manifest declares other rights.
    server.ready(&administrator(&server)).await;
}

#[tokio::test]
async fn a_cloud_s_master_login_makes_databases_and_logins_and_gives_monitoring_on_and_is_no_superuser() {
    for (image, _) in POSTGRES {
        let server = postgres(image, &[], &[]);
        server.ready(&administrator(&server)).await;
        let mut wanted = wanted(&[("master", "pw")], &[("shop", "master")]);
        wanted.users[0].rights = Some(Rights::Master);
        wanted.master = ["pg_monitor", "pg_signal_backend", "pg_of_a_later_release"].map(str::to_owned).to_vec();
        reconciled(&server, &wanted).await;
        assert_eq!(reconciled(&server, &wanted).await, []);
        let master = on_database(server.endpoint(Some("master"), Some("pw")), "shop");
        as_app(&master, "CREATE DATABASE more").await.unwrap();
        as_app(&master, "CREATE ROLE reader LOGIN; GRANT pg_monitor TO reader").await.unwrap();
        as_app(&master, "CREATE EXTENSION pg_buffercache").await.expect_err("that takes a superuser");

        wanted.users[0].rights = Some(Rights::Minimal);
        assert_eq!(reconciled(&server, &wanted).await, [Done::UserChanged("master".to_owned())]);
        as_app(&master, "CREATE DATABASE yet_more").await.expect_err("no more databases");
        let member = "SELECT pg_has_role('master', 'pg_monitor', 'MEMBER')";
        assert_eq!(query(&server, "shop", member), "f");
        assert_eq!(reconciled(&server, &wanted).await, []);
    }
}

#[tokio::test]
async fn an_extension_that_is_not_available_is_named() {
    for (image, _) in POSTGRES {
        let server = postgres(image, &[], &[]);
        server.ready(&administrator(&server)).await;
        let mut wanted = wanted(&[("app", "pw")], &[("shop", "app")]);
        wanted.extensions = vec!["pg_trgm".to_owned(), "nosuchthing".to_owned()];
        let error = reconcile(Protocol::Postgres, &administrator(&server), &wanted).await.expect_err("a refusal");
        assert_eq!(error.subject, Some(Subject::Extension("nosuchthing".to_owned())));
        assert!(error.error.message.contains("nosuchthing"), "{error:?}");
    }
}

#[tokio::test]
async fn several_can_reconcile_at_once() {
    let server = postgres("postgres:17", &[], &[]);
    server.ready(&administrator(&server)).await;
    let mut wanted = wanted(&[("app", "pw"), ("other", "pw2")], &[("shop", "app"), ("more", "other")]);
    wanted.extensions = vec!["pg_trgm".to_owned()];
    let all = futures_util::future::join_all((0..6).map(|_| reconciled(&server, &wanted))).await;
    let mut done: Vec<Done> = all.into_iter().flatten().collect();
    let count = done.len();
    done.dedup();
    assert_eq!(count, 6, "each thing is done once: {done:?}");
    assert_eq!(reconciled(&server, &wanted).await, []);
}

#[tokio::test]
async fn objects_of_init_files_are_transferred_to_the_owner() {
    const INIT: &str = r#"
        CREATE DATABASE reports;
        CREATE EXTENSION pg_trgm;
        CREATE SCHEMA "Sales";
        CREATE TABLE plain (id serial PRIMARY KEY, name text);
        CREATE TABLE "Sales"."Orders" (id int GENERATED ALWAYS AS IDENTITY, placed date) PARTITION BY RANGE (placed);
        CREATE TABLE "Sales".orders_2024 PARTITION OF "Sales"."Orders" FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        CREATE VIEW names AS SELECT name FROM plain;
        CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM plain;
        CREATE SEQUENCE free;
        CREATE TYPE mood AS ENUM ('good', 'bad');
        CREATE TYPE pair AS (a int, b "Sales"."Orders");
        CREATE TYPE span AS RANGE (subtype = float8);
        CREATE DOMAIN positive AS int CHECK (VALUE > 0);
        CREATE FUNCTION "Sales".f(x mood, y text DEFAULT 'it''s') RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1';
        CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
        CREATE FUNCTION on_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER changed BEFORE UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION on_change();
        INSERT INTO plain (name) VALUES ('kept');
        CREATE TABLE granted (a int);
        ALTER TABLE granted OWNER TO app;
        \connect reports
        CREATE TABLE monthly (month date);
    "#;
    for (image, _) in POSTGRES {
        let login = ("/docker-entrypoint-initdb.d/000000-devenv.sql", "CREATE ROLE \"app\" LOGIN;\n");
        let server = postgres(image, &[], &[("/docker-entrypoint-initdb.d/10-schema.sql", INIT), login]);
        server.ready(&administrator(&server)).await;
        let mut wanted = wanted(&[("app", "pw")], &[("shop", "app")]);
        wanted.adopt = true;
        let done = reconciled(&server, &wanted).await;
        assert!(done.contains(&Done::PasswordSet("app".to_owned())), "{done:?}");
        assert!(!server.log().contains("password authentication failed"));
        assert!(done.iter().any(|done| matches!(done, Done::Adopted { objects: 15, .. })), "{done:?}");
        assert!(done.contains(&Done::Adopted { database: "reports".to_owned(), objects: 1 }), "{done:?}");
        assert_eq!(reconciled(&server, &wanted).await, []);

        let app = on_database(server.endpoint(Some("app"), Some("pw")), "shop");
        let migration = r#"
            ALTER TABLE plain ADD COLUMN price int; UPDATE plain SET price = 1; SELECT nextval('plain_id_seq');
            ALTER TABLE "Sales"."Orders" ADD COLUMN note text; DROP TABLE "Sales".orders_2024;
            DROP VIEW names; REFRESH MATERIALIZED VIEW counted; ALTER SEQUENCE free RESTART;
            ALTER TYPE mood ADD VALUE 'fine'; ALTER TYPE pair ADD ATTRIBUTE c int; DROP TYPE span; DROP DOMAIN positive;
            DROP FUNCTION "Sales".f; DROP PROCEDURE p; DROP AGGREGATE total(int);
            ALTER SCHEMA "Sales" RENAME TO sales;
        "#;
        as_app(&app, migration).await.unwrap_or_else(|error| panic!("{image}: {error:?}"));
        assert_eq!(query(&server, "shop", "SELECT name FROM plain"), "kept");
        as_app(&on_database(app, "reports"), "ALTER TABLE monthly ADD COLUMN total int")
            .await
            .unwrap_or_else(|error| panic!("{image}: {error:?}"));
        let owner_of_extension = "SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE proname = 'similarity'";
        assert_eq!(query(&server, "shop", owner_of_extension), "devenv_admin");
    }
}

// Redis and Valkey

fn redis(image: &str, configuration: &str) -> Server {
    let program = if image.starts_with("valkey") { "valkey-server" } else { "redis-server" };
    let files = [("/etc/devenv/redis.conf", configuration)];
    Server::start((image, Protocol::Redis, 6379), &[], &[program, "/etc/devenv/redis.conf"], &files)
}

#[tokio::test]
async fn redis_takes_its_password_from_a_file_and_refuses_any_other() {
    const PASSWORD: &str = r#"s3 #"\cret"#;
    for (image, version) in REDIS {
        let server = redis(image, "maxmemory 64mb\nsave \"\"\nrequirepass \"s3 #\\\"\\\\cret\"\n");
        let proof = server.ready(&server.endpoint(None, Some(PASSWORD))).await;
        assert_eq!(proof.words, "logged in");
        assert!(proof.server_version.is_some_and(|found| found.starts_with(version)), "{image}");
        server.ready(&server.endpoint(Some("default"), Some(PASSWORD))).await;

        let error = refused(Protocol::Redis, &server.endpoint(None, Some("wrong"))).await;
        assert!(error.message.starts_with("WRONGPASS"), "{error:?}");
        let error = refused(Protocol::Redis, &server.endpoint(Some("nobody"), Some(PASSWORD))).await;
        assert!(error.message.starts_with("WRONGPASS"), "{error:?}");
        let error = refused(Protocol::Redis, &server.endpoint(None, None)).await;
        assert!(error.message.starts_with("NOAUTH"), "{error:?}");
        let sixteen = on_database(server.endpoint(None, Some(PASSWORD)), "16");
        let error = refused(Protocol::Redis, &sixteen).await;
        assert!(error.message.contains("out of range"), "{error:?}");
        server.ready(&on_database(server.endpoint(None, Some(PASSWORD)), "15")).await;
    }
}

#[tokio::test]
async fn redis_without_a_password_is_proven_without_one_and_with_one_refuses() {
    for (image, _) in REDIS {
        let server = redis(image, "appendonly yes\n");
        assert_eq!(server.ready(&server.endpoint(None, None)).await.words, "answers");
        let error = refused(Protocol::Redis, &server.endpoint(None, Some("not-asked-for"))).await;
        assert!(error.message.contains("without any password configured"), "{error:?}");
    }
}

// RabbitMQ

const CONFIGURATION: &str = "/etc/rabbitmq/conf.d/90-devenv.conf";
const DEFINITIONS: &str = "/etc/rabbitmq/devenv-definitions.json";

fn definitions(users: &[(&str, &str)], vhosts: &[&str]) -> String {
    let users: Vec<_> = users.iter().map(|(name, pw)| ((*name).to_owned(), Some(Secret::new(*pw)), false)).collect();
    rabbitmq_definitions(&users, &vhosts.iter().map(|vhost| (*vhost).to_owned()).collect::<Vec<_>>(), None)
}

fn on_vhost(server: &Server, user: &str, password: &str, vhost: &str) -> Endpoint {
    Endpoint { vhost: Some(vhost.to_owned()), ..server.endpoint(Some(user), Some(password)) }
}

#[tokio::test]
async fn rabbitmq_imports_its_definitions_on_every_boot() {
    for (image, version) in RABBITMQ {
        let files = [
            (CONFIGURATION, "load_definitions = /etc/rabbitmq/devenv-definitions.json\n"),
            (DEFINITIONS, &definitions(&[("app", "first")], &["shop", "shop/é"])),
            ("/etc/rabbitmq/enabled_plugins", "[rabbitmq_prometheus,rabbitmq_shovel].\n"),
        ];
        let server = Server::start((image, Protocol::Amqp, 5672), &[], &["rabbitmq-server"], &files);
        let proof = server.ready(&on_vhost(&server, "app", "first", "shop")).await;
        assert_eq!(proof.words, "logged in");
        assert!(proof.server_version.is_some_and(|found| found.starts_with(version)), "{image}");
        server.ready(&on_vhost(&server, "app", "first", "shop/é")).await;

        let error = refused(Protocol::Amqp, &on_vhost(&server, "app", "wrong", "shop")).await;
        assert!(error.message.contains("ACCESS_REFUSED"), "{error:?}");
        let error = refused(Protocol::Amqp, &on_vhost(&server, "app", "first", "nope")).await;
        assert!(error.message.contains("vhost nope not found"), "{error:?}");
        // The image creates neither a default login nor a default vhost in addition to the definitions.
        refused(Protocol::Amqp, &on_vhost(&server, "app", "first", "/")).await;
        refused(Protocol::Amqp, &server.endpoint(None, None)).await;
        let users = server.run(&["rabbitmqctl", "-q", "list_users", "--no-table-headers"]);
        assert_eq!(users.split_whitespace().next(), Some("app"), "{users}");
        assert_eq!(users.lines().count(), 1, "{users}");
        let plugins = server.run(&["rabbitmq-plugins", "-q", "list", "--enabled", "--minimal"]);
        assert!(plugins.lines().any(|plugin| plugin == "rabbitmq_shovel"), "{plugins}");
        assert!(!server.log().contains("unexpectedly closed"), "connections end by the rules");

        server.put(DEFINITIONS, &definitions(&[("app", "second"), ("audit", "third")], &["shop", "late"]));
        server.restart();
        server.ready(&on_vhost(&server, "app", "second", "late")).await;
        server.ready(&on_vhost(&server, "audit", "third", "shop")).await;
        // Objects that the definitions no longer name are kept.
        server.ready(&on_vhost(&server, "app", "second", "shop/é")).await;
        refused(Protocol::Amqp, &on_vhost(&server, "app", "first", "shop")).await;
    }
}

// Memcached, HTTP and bare connections

#[tokio::test]
async fn memcached_answers_with_its_version() {
    let server = Server::start(("memcached:1.6", Protocol::Memcached, 11211), &[], &["memcached", "-m", "64"], &[]);
    let proof = server.ready(&server.endpoint(None, None)).await;
    assert!(proof.server_version.is_some_and(|found| found.starts_with("1.6.")));
    assert_eq!(
        prove(Protocol::Tcp, &server.endpoint(None, None)).await.expect("it listens").words,
        "accepts connections"
    );
}

#[tokio::test]
async fn a_container_that_does_not_listen_yet_is_not_taken_for_a_server() {
    let image = ("memcached:1.6", Protocol::Tcp, 1);
    let server = Server::start(image, &[], &["memcached", "-m", "64"], &[]);
    for protocol in [Protocol::Tcp, Protocol::Http, Protocol::Amqp, Protocol::Redis, Protocol::Postgres] {
        let error = prove(protocol, &server.endpoint(None, None)).await.expect_err("nobody listens on port 1");
        assert_eq!(error.fault, Fault::NotYet, "{protocol:?}: {error:?}");
    }
}

#[tokio::test]
async fn brokers_answer_http_on_their_management_port() {
    let image = ("rabbitmq:3.10", Protocol::Http, 15692);
    let server = Server::start(image, &[], &["rabbitmq-server"], &[]);
    let endpoint = Endpoint { path: Some("/metrics".to_owned()), ..server.endpoint(None, None) };
    assert_eq!(server.ready(&endpoint).await.words, "answers HTTP");
}
