//! For each common format, the `.env` of an app lets the app connect, read by the code of the app's platform.

use crate::client::{amqp, one, redis, sql};
use crate::project::Sandbox;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Runs `up` and returns the variables that the app finds in `.env`.
fn up(files: &[(&str, &str)]) -> (Sandbox, BTreeMap<String, String>) {
    let project = Sandbox::new(files);
    project.succeed(&["up"]);
    let env = project.env().into_iter().collect();
    (project, env)
}

fn postgres_url(user: &str, password: &str, host: &str, port: &str, database: &str) -> String {
    format!("postgresql://{user}:{password}@{host}:{port}/{database}")
}

/// Writes and reads a value over this URL.
fn uses_sql(url: &str) {
    sql(url, "CREATE TABLE orders (id int); INSERT INTO orders VALUES (7)").unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(one(url, "SELECT id FROM orders"), "7");
}

fn decoded(text: &str) -> serde_json::Value {
    let mut base64 = Command::new("base64")
        .arg("--decode")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("base64 of coreutils");
    base64.stdin.take().expect("its input").write_all(text.as_bytes()).expect("written");
    let output = base64.wait_with_output().expect("its end");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn an_app_from_compose_connects() {
    let (_project, env) = up(&[(
        "compose.prod.yaml",
        "services:
  web:
    image: shop
    environment:
      DATABASE_URL: postgresql+psycopg://shop:${DB_PASSWORD:?}@db:5432/shop?connect_timeout=5
      REDIS_URL: redis://cache:6379/1
      RABBITMQ_HOST: queue
      RABBITMQ_PORT: 5672
      RABBITMQ_USER: shop
      RABBITMQ_PASSWORD: ${QUEUE_PASSWORD:?}
  db:
    image: postgres:15.18
    environment: {POSTGRES_USER: shop, POSTGRES_PASSWORD: \"${DB_PASSWORD:?}\", POSTGRES_DB: shop}
  cache: {image: \"redis:7.0.15\"}
  queue:
    image: rabbitmq:3.10.8
    environment: {RABBITMQ_DEFAULT_VHOST: shop, RABBITMQ_DEFAULT_USER: shop, RABBITMQ_DEFAULT_PASS: \"${QUEUE_PASSWORD:?}\"}
",
    )]);
    uses_sql(&env["DATABASE_URL"].replace("+psycopg", ""));
    assert_eq!(redis(&env["REDIS_URL"], &["SET", "a", "1"]), ["OK"]);
    let [host, port, user, password] =
        ["HOST", "PORT", "USER", "PASSWORD"].map(|part| &env[&format!("RABBITMQ_{part}")]);
    amqp(&format!("amqp://{user}:{password}@{host}:{port}/shop")).unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn an_app_from_kubernetes_connects() {
    let (_project, env) = up(&[(
        "k8s/shop.yaml",
        "apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data: {REDIS_HOST: cache.shop.svc.cluster.local, REDIS_PORT: \"6379\"}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: cache}
spec: {selector: {app: cache}, ports: [{port: 6379}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
        - name: postgres
          image: postgres:15.18
          env:
            - {name: POSTGRES_DB, value: shop}
            - {name: POSTGRES_USER, value: shop}
            - {name: POSTGRES_PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cache}
spec:
  selector: {matchLabels: {app: cache}}
  template:
    metadata: {labels: {app: cache}}
    spec: {containers: [{name: redis, image: \"redis:7.0.15\"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: registry.example.com/shop:1
          envFrom: [{configMapRef: {name: shop}}]
          env:
            - {name: DB_HOST, value: db}
            - {name: DB_PORT, value: \"5432\"}
            - {name: DB_NAME, value: shop}
            - {name: DB_USER, value: shop}
            - {name: DB_PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
            - {name: DATABASE_URL, value: \"postgres://$(DB_USER):$(DB_PASSWORD)@$(DB_HOST):$(DB_PORT)/shop\"}
",
    )]);
    let [user, password, host, port, name] =
        ["USER", "PASSWORD", "HOST", "PORT", "NAME"].map(|part| env[&format!("DB_{part}")].as_str());
    uses_sql(&postgres_url(user, password, host, port, name));
    assert_eq!(one(&env["DATABASE_URL"], "SELECT count(*) FROM orders"), "1");
    let cache = format!("redis://{}:{}/0", env["REDIS_HOST"], env["REDIS_PORT"]);
    assert_eq!(redis(&cache, &["SET", "a", "1"]), ["OK"]);
}

#[test]
fn an_app_from_platform_sh_connects() {
    let (_project, env) = up(&[
        (".platform/services.yaml", "db: {type: \"postgresql:17\", disk: 512}\ncache: {type: \"redis:8.0\"}\n"),
        (
            ".platform.app.yaml",
            "name: shop\ntype: 'php:8.3'\nrelationships: {database: 'db:postgresql', rediscache: 'cache:redis'}\n",
        ),
    ]);
    let relationships = decoded(&env["PLATFORM_RELATIONSHIPS"]);
    let field = |name: &str, field: &str| match &relationships[name][0][field] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    assert_eq!(field("database", "scheme"), "pgsql");
    let [user, password, host, port, path] =
        ["username", "password", "host", "port", "path"].map(|part| field("database", part));
    uses_sql(&postgres_url(&user, &password, &host, &port, &path));
    let cache = format!("redis://{}:{}/0", field("rediscache", "host"), field("rediscache", "port"));
    assert_eq!(redis(&cache, &["SET", "a", "1"]), ["OK"]);
}

#[test]
fn an_app_from_upsun_connects() {
    let (_project, env) = up(&[(
        ".upsun/config.yaml",
        "applications:
  shop:
    type: 'nodejs:22'
    relationships: {database: 'db:postgresql'}
services:
  db: {type: 'postgresql:17'}
",
    )]);
    let [user, password, host, port, path] =
        ["USERNAME", "PASSWORD", "HOST", "PORT", "PATH"].map(|part| env[&format!("DATABASE_{part}")].as_str());
    uses_sql(&postgres_url(user, password, host, port, path));
}

#[test]
fn an_app_from_render_connects() {
    let (_project, env) = up(&[
        (
            "render.yaml",
            "services:
  - type: web
    name: web
    runtime: node
    envVars:
      - {key: DATABASE_URL, fromDatabase: {name: shop-db, property: connectionString}}
      - {key: DB_HOST, fromDatabase: {name: shop-db, property: host}}
      - {key: DB_PORT, fromDatabase: {name: shop-db, property: port}}
      - {key: DB_NAME, fromDatabase: {name: shop-db, property: database}}
      - {key: DB_USER, fromDatabase: {name: shop-db, property: user}}
      - {key: DB_PASSWORD, fromDatabase: {name: shop-db, property: password}}
      - {key: REDIS_URL, fromService: {type: keyvalue, name: jobs, property: connectionString}}
  - {type: keyvalue, name: jobs, maxmemoryPolicy: noeviction, ipAllowList: []}
databases:
  - {name: shop-db, databaseName: shop, user: shop, postgresMajorVersion: \"17\"}
",
        ),
        // Render does not say which release of Valkey it runs.
        ("services.local.yaml", "services: {jobs: {version: \"8.1.1\"}}\n"),
    ]);
    uses_sql(&env["DATABASE_URL"]);
    let [user, password, host, port, name] =
        ["USER", "PASSWORD", "HOST", "PORT", "NAME"].map(|part| env[&format!("DB_{part}")].as_str());
    assert_eq!(one(&postgres_url(user, password, host, port, name), "SELECT id FROM orders"), "7");
    assert_eq!(redis(&env["REDIS_URL"], &["CONFIG", "GET", "maxmemory-policy"]), ["maxmemory-policy", "noeviction"]);
}

#[test]
fn an_app_from_heroku_connects() {
    let (_project, env) = up(&[
        (
            "app.json",
            "{\"name\": \"shop\", \"addons\": [
  {\"plan\": \"heroku-postgresql:standard-0\", \"options\": {\"version\": \"17\"}},
  {\"plan\": \"heroku-redis:mini\"},
  {\"plan\": \"cloudamqp:lemur\"}
]}\n",
        ),
        ("services.local.yaml", "services: {heroku-redis: {version: \"8.0.2\"}, cloudamqp: {version: \"4.0.5\"}}\n"),
    ]);
    uses_sql(&env["DATABASE_URL"]);
    assert_eq!(redis(&env["REDIS_URL"], &["SET", "a", "1"]), ["OK"]);
    amqp(&env["CLOUDAMQP_URL"]).unwrap_or_else(|fault| panic!("{fault}"));
}

#[test]
fn an_app_from_cloud_foundry_connects() {
    let (_project, env) = up(&[
        ("manifest.yml", "applications:\n  - name: shop\n    services: [shop-db]\n"),
        ("services.local.yaml", "include: {shop-db: {image: \"postgres:17.12\"}}\n"),
    ]);
    let services: serde_json::Value = serde_json::from_str(&env["VCAP_SERVICES"]).expect("JSON");
    let bound = services.as_object().unwrap().values().flat_map(|list| list.as_array().unwrap());
    let instance = bound.into_iter().find(|instance| instance["name"] == "shop-db").unwrap();
    uses_sql(instance["credentials"]["uri"].as_str().unwrap());
}
