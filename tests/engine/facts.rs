//! Every protocol's facts, from the real server, which must be unchanged afterwards.

use crate::server::Server;
use devenv::kinds::rabbitmq_definitions;
use devenv::model::{Endpoint, Protocol, Secret, ServiceFacts};
use devenv::protocol::{Fault, Target, Tls, facts};

fn target(protocol: Protocol, endpoint: &Endpoint, management: Option<&Endpoint>) -> Target {
    Target { protocol, endpoint: endpoint.clone(), tls: Tls::default(), management: management.cloned() }
}

async fn asked(protocol: Protocol, endpoint: &Endpoint, server: &Server) -> ServiceFacts {
    facts(&target(protocol, endpoint, None)).await.unwrap_or_else(|error| panic!("{error:?}\n{}", server.log()))
}

fn names<'a>(facts: &'a ServiceFacts, topic: &str) -> Vec<&'a str> {
    facts.topics.get(topic).into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn postgres_says_settings_extensions_locale_roles_and_databases_and_nothing_of_it_changes() {
    for (image, version, provider) in
        [("postgres:15", "15.18", "libc"), ("postgres:17", "17.", "libc"), ("postgres:18", "18.", "libc")]
    {
        let variables = [("POSTGRES_USER", "admin"), ("POSTGRES_PASSWORD", "admin-pw"), ("POSTGRES_DB", "shop")];
        let arguments = ["postgres", "-c", "max_connections=42", "-c", "timezone=Europe/Berlin"];
        let server = Server::start((image, Protocol::Postgres, 5432), &variables, &arguments, &[]);
        let admin = Endpoint { database: Some("shop".into()), ..server.endpoint(Some("admin"), Some("admin-pw")) };
        server.ready(&admin).await;
        let sql = |sql: &str| server.run(&["psql", "-U", "admin", "-d", "shop", "-Atc", sql]).trim().to_owned();
        sql("CREATE EXTENSION pg_trgm; CREATE TABLE item (name text); INSERT INTO item VALUES ('x');
             CREATE ROLE app LOGIN PASSWORD 'app-pw'; ALTER DATABASE shop SET work_mem = '7MB';
             ALTER DATABASE shop SET app.jwt_secret = 'hush'; ALTER ROLE app SET lock_timeout = '3s'");
        let tables = || sql("SELECT relname, n_tup_ins, n_tup_upd, n_tup_del, seq_scan FROM pg_stat_user_tables");
        let transactions = || sql("SELECT pg_snapshot_xmax(pg_current_snapshot())");
        let (before, next) = (tables(), transactions());

        let told = asked(Protocol::Postgres, &admin, &server).await;
        assert_eq!((told.product.as_str(), told.protocol), ("PostgreSQL", Protocol::Postgres));
        assert!(told.version.as_deref().is_some_and(|found| found.starts_with(version)), "{told:?}");
        assert_eq!(told.get("settings", "max_connections"), Some("42"));
        assert_eq!(told.get("settings", "timezone"), Some("Europe/Berlin"));
        assert_eq!(told.get("settings", "work_mem"), Some("7MB"), "{told:?}");
        assert_eq!(told.get("settings", "statement_timeout"), Some("0ms"), "not the one of the session: {told:?}");
        assert!(told.get("extensions", "pg_trgm").is_some(), "{told:?}");
        assert_eq!(told.get("database", "encoding"), Some("UTF8"));
        assert_eq!(told.get("database", "provider"), Some(provider));
        assert!(told.get("database", "collation").is_some(), "{told:?}");
        assert_eq!(names(&told, "databases"), ["postgres", "shop"]);
        assert_eq!(told.get("roles", "app"), Some("login"));
        assert!(told.get("roles", "admin").is_some_and(|words| words.contains("superuser")), "{told:?}");
        assert!(told.not_asked.is_empty(), "{told:?}");
        let text = format!("{told:?}");
        for secret in ["hush", "admin-pw", "app-pw", "SCRAM", "127.0.0.1"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert_eq!(asked(Protocol::Postgres, &admin, &server).await, told, "asked twice, said twice");

        // The app's login sees less, and devenv says which facts are missing.
        let app = Endpoint { database: Some("shop".into()), ..server.endpoint(Some("app"), Some("app-pw")) };
        let less = asked(Protocol::Postgres, &app, &server).await;
        assert!(less.not_asked["settings/shared_preload_libraries"].contains("pg_read_all_settings"), "{less:?}");
        assert_eq!(less.get("settings", "max_connections"), Some("42"));

        assert_eq!(tables(), before, "no table of the user's was touched");
        assert_eq!(transactions(), next, "no transaction wrote anything");
    }
}

#[tokio::test]
async fn redis_and_valkey_say_what_decides_about_keys_and_what_is_kept() {
    for (image, product, version) in
        [("redis:7.0", "Redis", "7.0."), ("redis:8.0", "Redis", "8.0."), ("valkey/valkey:8.1", "Valkey", "8.1.")]
    {
        let program = if image.starts_with("valkey") { "valkey-server" } else { "redis-server" };
        let configuration = "requirepass s3cret\nmaxmemory 64mb\nmaxmemory-policy allkeys-lru\nappendonly yes\n\
            save \"\"\ndatabases 4\nnotify-keyspace-events Ex\nrename-command DEBUG \"\"\n";
        let files = [("/etc/devenv/redis.conf", configuration)];
        let server = Server::start((image, Protocol::Redis, 6379), &[], &[program, "/etc/devenv/redis.conf"], &files);
        let endpoint = server.endpoint(None, Some("s3cret"));
        server.ready(&endpoint).await;
        let told = asked(Protocol::Redis, &endpoint, &server).await;
        assert_eq!(told.product, product);
        assert!(told.version.as_deref().is_some_and(|found| found.starts_with(version)), "{told:?}");
        for (name, value) in [
            ("maxmemory", "67108864"),
            ("maxmemory-policy", "allkeys-lru"),
            ("appendonly", "yes"),
            ("save", ""),
            ("databases", "4"),
        ] {
            assert_eq!(told.get("settings", name), Some(value), "{name}: {told:?}");
        }
        assert!(told.get("settings", "notify-keyspace-events").is_some_and(|events| events.contains('x')), "{told:?}");
        assert_eq!(told.get("server", "mode"), Some("standalone"));
        assert!(told.topics.contains_key("modules"), "{told:?}");
        assert!(!format!("{told:?}").contains("s3cret"));
        assert_eq!(
            facts(&target(Protocol::Redis, &server.endpoint(None, None), None)).await.unwrap_err().fault,
            Fault::Login
        );
    }
}

#[tokio::test]
async fn memcached_says_its_memory_and_the_largest_item() {
    let server =
        Server::start(("memcached:1.6", Protocol::Memcached, 11211), &[], &["memcached", "-m", "128", "-I", "2m"], &[]);
    let endpoint = server.endpoint(None, None);
    server.ready(&endpoint).await;
    let told = asked(Protocol::Memcached, &endpoint, &server).await;
    assert!(told.version.as_deref().is_some_and(|found| found.starts_with("1.6.")), "{told:?}");
    assert_eq!(told.get("settings", "maxbytes"), Some("134217728"));
    assert_eq!(told.get("settings", "item_size_max"), Some("2097152"));
}

#[tokio::test]
async fn rabbitmq_says_everything_over_its_management_api_and_without_it_names_what_it_could_not_say() {
    for (image, version) in [("rabbitmq:3.10-management", "3.10."), ("rabbitmq:4.0-management", "4.0.")] {
        let users = [("app", "app-pw", false), ("ops", "ops-pw", true)]
            .map(|(name, password, administrator)| (name.to_owned(), Some(Secret::new(password)), administrator));
        let files = [
            ("/etc/rabbitmq/conf.d/90-devenv.conf", "load_definitions = /etc/rabbitmq/definitions.json\n"),
            ("/etc/rabbitmq/definitions.json", &rabbitmq_definitions(&users, &["/".into(), "shop/é".into()], None)),
        ];
        let (server, management) =
            Server::start_with_second_port((image, Protocol::Amqp, 5672), 15672, &["rabbitmq-server"], &files);
        let app = Endpoint { vhost: Some("shop/é".into()), ..server.endpoint(Some("app"), Some("app-pw")) };
        server.ready(&app).await;
        let management = |user: &str, password: &str| Endpoint {
            port: management,
            user: Some(user.to_owned()),
            password: Some(Secret::new(password)),
            ..app.clone()
        };
        let ops = management("ops", "ops-pw");
        server.answers_http(&ops).await;
        let eval = |code: &str| server.run(&["rabbitmqctl", "-q", "eval", code]);
        eval(
            r#"rabbit_exchange:declare(rabbit_misc:r(<<"shop/é"/utf8>>, exchange, <<"events">>), topic, true, false, false, [], <<"t">>)."#,
        );
        server.run(&["rabbitmqctl", "-q", "set_policy", "-p", "/", "short", "^tmp", r#"{"max-length":5}"#]);

        let whole = async || {
            let told = facts(&target(Protocol::Amqp, &app, Some(&ops))).await.unwrap();
            let why = told.not_asked.get("plugins");
            assert!(why.is_none_or(|why| why.contains("some seconds after its start")), "{why:?}");
            why.is_none().then_some(told)
        };
        let told = server.eventually("the node has reported its plugins", whole).await;
        assert!(told.version.as_deref().is_some_and(|found| found.starts_with(version)), "{told:?}");
        assert_eq!(names(&told, "vhosts"), ["/", "shop/é"]);
        assert_eq!(told.get("users", "app"), Some("no tags"));
        assert_eq!(told.get("users", "ops"), Some("administrator"));
        assert_eq!(told.get("plugins", "rabbitmq_management"), Some("enabled"), "{told:?}");
        assert_eq!(told.get("exchanges", "events in shop/é"), Some("topic, durable"), "{told:?}");
        assert!(
            told.get("policies", "short in /").is_some_and(|words| words.contains(r#"{"max-length":5}"#)),
            "{told:?}"
        );
        assert!(!told.topics["feature-flags"].is_empty(), "{told:?}");
        assert!(told.topics.contains_key("queues"), "{told:?}");
        assert!(told.not_asked.is_empty(), "{told:?}");
        assert!(!format!("{told:?}").contains("-pw"));

        // A login without the tag, and a server without the API.
        let denied = facts(&target(Protocol::Amqp, &app, Some(&management("app", "app-pw")))).await.unwrap();
        assert!(denied.not_asked["users"].contains("401 Unauthorized"), "{denied:?}");
        let alone = facts(&target(Protocol::Amqp, &app, None)).await.unwrap();
        assert!(alone.version.is_some() && alone.topics.is_empty(), "{alone:?}");
        assert!(alone.not_asked["vhosts"].contains("management API is off; enable it there"), "{alone:?}");
    }
}
