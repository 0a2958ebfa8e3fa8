use super::login::added_user;
use super::*;
use crate::manifest::read::interpolate::interpolate;
use crate::model::{Credential, Database, Located, Piece, Secret, SourceFile, Version, VersionClass};
use std::fmt::Write as _;
use std::sync::Arc;

fn origin(line: u32) -> Origin {
    let file = Arc::new(SourceFile { path: "compose.yaml".into(), text: String::new() });
    Origin { file, line, column: 1, length: 1 }
}

fn service(name: &str, kind: &str, user: Option<(&str, Credential)>, database: Option<&str>) -> Service {
    let version = Version { text: String::new(), number: None, class: VersionClass::Floating, origin: origin(1) };
    let mut service = Service::new(name, kind, "official", version, origin(1));
    if let Some((name, credential)) = user {
        service.users.push(added_user(name, credential, &origin(1)));
    }
    if let Some(name) = database {
        service.databases.push(Database { name: Located::new(name.to_owned(), origin(1)), owner: None });
    }
    service
}

fn services() -> Vec<Service> {
    let mut broker = service("queue", "rabbitmq", Some(("shop", Credential::Variable("MQ_PASSWORD".into()))), None);
    broker.vhosts.push(Located::new("shop".to_owned(), origin(1)));
    vec![
        service("db", "postgres", Some(("shop", Credential::Variable("DB_PASSWORD".into()))), Some("shop")),
        service("cache", "redis", Some(("", Credential::Literal(Secret::new("hunter2")))), None),
        service("redis", "redis", None, None),
        broker,
        service("search", "opensearch", None, None),
        service("mail", "mailpit", None, None),
    ]
}

fn shown(value: &Value) -> String {
    match value {
        Value::Plain(text) => format!("plain {text}"),
        Value::Secret(text) => format!("secret {text}"),
        Value::Unresolved(text) => format!("unresolved {text}"),
        Value::NotPassed => "not passed".to_owned(),
        Value::Environment(text) => format!("environment {text}"),
        Value::Bound { template, dropped } => {
            let mut text = String::new();
            for piece in &template.0 {
                match piece {
                    Piece::Text(piece) => text.push_str(piece),
                    Piece::Field { service, field, encoded: true } => write!(text, "<{service}.{field}%>").unwrap(),
                    Piece::Field { service, field, .. } => write!(text, "<{service}.{field}>").unwrap(),
                    Piece::Json { .. } => text.push_str("<json>"),
                }
            }
            for dropped in dropped {
                write!(text, " -{dropped}").unwrap();
            }
            text
        }
    }
}

fn bound(variables: &[(&str, &str)]) -> (Vec<String>, Vec<Service>) {
    let mut services = services();
    let lookup = |name: &str| (name == "SET").then(|| "value".to_owned());
    let declared: Vec<Declared> = variables
        .iter()
        .map(|(name, text)| Declared {
            name: (*name).to_owned(),
            app: "web".to_owned(),
            text: interpolate(text, &lookup, &crate::project::Budget::default()).unwrap(),
            not_passed: false,
            secret: None,
            origin: origin(5),
        })
        .collect();
    let sources = BTreeMap::from([(
        "db".to_owned(),
        Sources { user: Some("DB_USER".to_owned()), database: Some("DB_NAME".to_owned()), ..Sources::default() },
    )]);
    let kinds = Kinds::built_in().unwrap();
    let variables = bind(&kinds, &mut services, &sources, &declared, &Budget::default());
    (variables.iter().map(|variable| shown(&variable.value)).collect(), services)
}

fn one(name: &str, text: &str) -> String {
    bound(&[(name, text)]).0.remove(0)
}

#[test]
fn urls_keep_everything_but_the_connection() {
    for (text, expected) in [
        (
            "postgres://shop:${DB_PASSWORD}@db:5432/shop",
            "postgres://<db.user%>:<db.password%>@<db.host%>:<db.port%>/<db.database%>",
        ),
        (
            "postgresql+psycopg://shop:x@db/shop?pool=5",
            "postgresql+psycopg://<db.user%>:<db.password%>@<db.host%>:<db.port%>/<db.database%>?pool=5",
        ),
        (
            "jdbc:postgresql://db:5432/shop?user=shop&password=x",
            "jdbc:postgresql://<db.host%>:<db.port%>/<db.database%>?user=<db.user%>&password=<db.password%>",
        ),
        ("postgres://shop@db", "postgres://<db.user%>@<db.host%>:<db.port%>"),
        ("redis://:hunter2@cache:6379/1", "redis://:<cache.password%>@<cache.host%>:<cache.port%>/1"),
        ("redis://default:hunter2@cache", "redis://default:<cache.password%>@<cache.host%>:<cache.port%>"),
        ("redis://redis", "redis://<redis.host%>:<redis.port%>"),
        (
            "amqp://shop:x@queue:5672/shop",
            "amqp://<queue.user%>:<queue.password%>@<queue.host%>:<queue.port%>/<queue.vhost%>",
        ),
        ("amqp://shop:x@queue//", "amqp://<queue.user%>:<queue.password%>@<queue.host%>:<queue.port%>//"),
        ("amqp://shop:x@queue", "amqp://<queue.user%>:<queue.password%>@<queue.host%>:<queue.port%>"),
        ("http://search:9200/products", "http://<search.host%>:<search.port%>/products"),
        ("smtp://mail:1025", "smtp://<mail.host%>:<mail.port%>"),
    ] {
        assert_eq!(one("X_URL", text), expected);
    }
}

#[test]
fn parts_that_require_tls_are_removed_and_recorded() {
    for (text, expected) in [
        (
            "postgres://shop:x@db/shop?sslmode=require",
            "postgres://<db.user%>:<db.password%>@<db.host%>:<db.port%>/<db.database%> -sslmode=require",
        ),
        (
            "postgres://shop:x@db/shop?sslmode=require&sslrootcert=/ca&a=1",
            "postgres://<db.user%>:<db.password%>@<db.host%>:<db.port%>/<db.database%>?a=1 -sslmode=require -sslrootcert=/ca",
        ),
        (
            "postgres://shop:x@db/shop?a=1&sslmode=require&b=2",
            "postgres://<db.user%>:<db.password%>@<db.host%>:<db.port%>/<db.database%>?a=1&b=2 -sslmode=require",
        ),
        (
            "postgres://shop:x@db/shop?sslmode=disable",
            "postgres://<db.user%>:<db.password%>@<db.host%>:<db.port%>/<db.database%>?sslmode=disable",
        ),
        ("rediss://:hunter2@cache:6380", "redis://:<cache.password%>@<cache.host%>:<cache.port%> -rediss://"),
        (
            "amqps://shop:x@queue:5671/shop",
            "amqp://<queue.user%>:<queue.password%>@<queue.host%>:<queue.port%>/<queue.vhost%> -amqps://",
        ),
    ] {
        assert_eq!(one("X_URL", text), expected);
    }
}

#[test]
fn addresses_lists_and_key_value_strings_are_bound() {
    for (text, expected) in [
        ("cache:6379", "<cache.host>:<cache.port>"),
        ("cache:6379,redis:6379", "<cache.host>:<cache.port>,<redis.host>:<redis.port>"),
        ("cache:6379,password=hunter2,ssl=True", "<cache.host>:<cache.port>,password=<cache.password> -ssl=True"),
        (
            "host=db user=shop password=x dbname=shop sslmode=require",
            "host=<db.host> port=<db.port> user=<db.user> password=<db.password> dbname=<db.database> -sslmode=require",
        ),
        (
            "Server=db;Port=5432;Database=shop;User Id=shop;Password=x;",
            "Server=<db.host>;Port=<db.port>;Database=<db.database>;User Id=<db.user>;Password=<db.password>;",
        ),
    ] {
        assert_eq!(one("X_SERVERS", text), expected);
    }
}

#[test]
fn a_service_name_is_a_host_only_where_it_can_be_one() {
    assert_eq!(one("REDIS_HOST", "redis"), "<redis.host>");
    assert_eq!(one("CACHE_DRIVER", "redis"), "plain redis");
    assert_eq!(one("QUEUE_CONNECTION", "redis"), "plain redis");
    assert_eq!(one("FLAVOUR", "redis"), "plain redis");
    assert_eq!(one("REDIS", "redis"), "<redis.host>");
    assert_eq!(one("BROKER_HOST", "unknown"), "plain unknown");
}

#[test]
fn siblings_of_a_host_are_bound_with_it() {
    let (values, services) = bound(&[
        ("DB_HOST", "db"),
        ("DB_PORT", "5432"),
        ("DB_USER", "shop"),
        ("DB_PASS", "${DB_PASSWORD}"),
        ("DB_NAME", "shop"),
        ("DB_POOL", "5"),
        ("RABBIT_HOST", "queue"),
        ("RABBIT_VHOST", "shop"),
    ]);
    assert_eq!(
        values,
        [
            "<db.host>",
            "<db.port>",
            "<db.user>",
            "<db.password>",
            "<db.database>",
            "plain 5",
            "<queue.host>",
            "<queue.vhost>"
        ]
    );
    assert!(!services[0].needs_own_port && services[3].needs_own_port);
    assert!(services[0].users[0].bound && !services[3].users[0].bound);
}

#[test]
fn values_of_the_same_source_are_bound() {
    let (values, _) = bound(&[
        ("PGPASSWORD", "${DB_PASSWORD}"),
        ("ANYTHING", "${MQ_PASSWORD:-x}"),
        ("REDIS_PASSWORD", "hunter2"),
        ("SMTP_PASSWORD", "hunter2"),
        ("POSTGRES_USER", "${DB_USER}"),
        ("FTP_USER", "shop"),
        ("POSTGRES_NOT_USER", "shop"),
    ]);
    assert_eq!(
        values,
        [
            "<db.password>",
            "<queue.password>",
            "<cache.password>",
            "secret it is written in compose.yaml",
            "<db.user>",
            "plain shop",
            "<db.user>",
        ]
    );
}

#[test]
fn users_and_databases_that_only_an_app_names_are_added() {
    let (values, services) = bound(&[("URL_DATABASE_URL", "postgres://audit:x@db/audit_log")]);
    assert_eq!(
        values[0],
        "postgres://<db.users.audit.user%>:<db.users.audit.password%>@<db.host%>:<db.port%>/<db.databases.audit_log.database%>"
    );
    assert_eq!(services[0].users[1].name.value, "audit");
    assert_eq!(services[0].users[1].credential, Credential::Literal(Secret::new("x")));
    assert_eq!(services[0].databases[1].owner.as_deref(), Some("audit"));
}

#[test]
fn another_port_of_a_service_is_unresolved() {
    assert_eq!(
        one("MQ_ADMIN_URL", "http://queue:15672"),
        "unresolved port 15672 of queue, of which only port 5672 is published"
    );
}

#[test]
fn secrets_and_addresses_of_production_are_never_copied() {
    for (name, text, expected) in [
        ("STRIPE_KEY", "${STRIPE_KEY}", "secret ${STRIPE_KEY}"),
        ("STRIPE_KEY", "${STRIPE_KEY:?}", "secret ${STRIPE_KEY}"),
        ("SECRET_KEY", "${SET}", "secret ${SET}"),
        ("SECRET_KEY", "changeme", "secret it is written in compose.yaml"),
        ("COLOUR", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "secret it is written in compose.yaml"),
        ("REPORT_DB", "postgres://u:p@db.example.com/x", "secret it is written in compose.yaml"),
        (
            "REPORT_DB",
            "postgres://db.example.com/x",
            "secret it is written in compose.yaml; a Postgres that no manifest declares",
        ),
        ("SMTP_HOST", "smtp.example.com", "secret it is written in compose.yaml; a host of production"),
        (
            "ELASTICSEARCH_URL",
            "https://es.example.com:9200",
            "secret it is written in compose.yaml; a host of production",
        ),
        ("DB_PASSWORD_FILE", "/run/secrets/db", "secret a file with the secret db, at /run/secrets/db"),
        ("LOG_LEVEL", "${LOG_LEVEL}", "unresolved ${LOG_LEVEL}"),
        ("LOG_LEVEL", "${LOG_LEVEL:-info}", "plain info"),
        ("TOKEN_LIFETIME", "3600", "plain 3600"),
        ("AUTH_ENABLED", "true", "plain true"),
        ("ALLOWED_HOSTS", "shop.example.com,api", "plain shop.example.com,api"),
        ("PUBLIC_URL", "https://shop.example.com", "plain https://shop.example.com"),
        ("DASHBOARD_URL", "http://localhost:9000/", "plain http://localhost:9000/"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://jaeger:4317", "plain http://jaeger:4317"),
        ("MOTTO", "a b, c.d=e", "plain a b, c.d=e"),
    ] {
        assert_eq!(one(name, text), expected, "{name}={text}");
    }
}

#[test]
fn a_host_without_a_value_is_bound_by_its_port_or_not_at_all() {
    let variables = |port: &'static str| {
        bound(&[("PGHOST", "${NOWHERE}"), ("PGPORT", port), ("PGDATABASE", "shop"), ("PGPASSWORD", "${DB_PASSWORD}")]).0
    };
    assert_eq!(variables("5432"), ["<db.host>", "<db.port>", "<db.database>", "<db.password>"]);
    let (empty, _) = bound(&[("PGHOST", "${NOWHERE:-}"), ("PGPORT", "5432")]);
    assert_eq!(empty, ["<db.host>", "<db.port>"]);
    // Two services have that port, or none.
    assert_eq!(bound(&[("CACHE_HOST", "${NOWHERE}"), ("CACHE_PORT", "6379")]).0[1], "plain 6379");
    assert_eq!(variables("15432")[1], "plain 15432");
}

#[test]
fn apps_disagree_about_a_name_with_several_values_and_not_about_one_that_is_not_passed() {
    let variable =
        |app: &str, value: Value| Variable { name: "PORT".to_owned(), app: app.to_owned(), value, origin: origin(1) };
    let plain = |text: &str| Value::Plain(text.to_owned());
    let names = |values: &[Value]| {
        let apps = ["web", "worker", "cron"];
        let variables: Vec<_> = apps.iter().zip(values).map(|(app, value)| variable(app, value.clone())).collect();
        disagreements(&variables).len()
    };
    assert_eq!(names(&[plain("1"), plain("1"), Value::NotPassed]), 0);
    assert_eq!(names(&[plain("1"), plain("2"), plain("1")]), 1);
    assert_eq!(names(&[Value::NotPassed, plain("1"), plain("2")]), 1);
    assert_eq!(names(&[Value::Secret("A".to_owned()), Value::Secret("B".to_owned())]), 1);
}
