//! The rights of logins on real servers: as production creates the logins, raised and lowered over existing data.

use crate::client::{Url, one, sql};
use crate::project::{Sandbox, docker};

const MANIFEST: &str = r#"
name: shop
services:
  web:
    image: registry.example.com/shop/web:1
    environment:
      DATABASE_URL: postgresql://shop:${DB_PASSWORD}@db:5432/shop
      AMQP_URL: amqp://shop:${QUEUE_PASSWORD}@queue:5672/
  db:
    image: postgres:17.12
    environment: {POSTGRES_USER: shop, POSTGRES_PASSWORD: "${DB_PASSWORD:?}"}
  queue:
    image: rabbitmq:4.0.5-management
    environment: {RABBITMQ_DEFAULT_USER: shop, RABBITMQ_DEFAULT_PASS: "${QUEUE_PASSWORD:?}"}
"#;

/// The facts that the broker's management API reports to the app's own login; it reports users only to an
/// administrator.
fn told_by(project: &Sandbox, url: &str) -> String {
    let port = docker(&["port", &project.container("queue"), "15672"]);
    let port = port.trim().rsplit(':').next().unwrap().to_owned();
    let separator = if url.ends_with('/') { "" } else { "/" };
    project.succeed(&["facts", &format!("queue={url}{separator}?management={port}")]).stdout
}

#[test]
fn a_login_does_what_production_lets_it_do_until_less_is_asked_for() {
    let project = Sandbox::new(&[("compose.prod.yaml", MANIFEST)]);
    project.succeed(&["up"]);
    let env = project.env();
    let (url, queue) = (&env["DATABASE_URL"], &env["AMQP_URL"]);
    // An extension that needs a superuser, and a database for tests.
    sql(url, "CREATE EXTENSION pg_buffercache").unwrap();
    sql(url, "CREATE DATABASE test_shop").unwrap();
    sql(url, "CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)").unwrap();
    let told = told_by(&project, queue);
    assert!(told.contains("shop: \"administrator\""), "{told}");

    project.write("services.local.yaml", "services: {db: {rights: owner}, queue: {rights: owner}}\n");
    project.succeed(&["up"]);
    let env = project.env();
    let (url, queue) = (&env["DATABASE_URL"], &env["AMQP_URL"]);
    let refused = sql(url, "CREATE EXTENSION pg_prewarm").unwrap_err();
    assert!(refused.contains("permission denied"), "{refused}");
    sql(url, "CREATE DATABASE test_more").unwrap();
    let told = told_by(&project, queue);
    assert!(!told.contains("shop: \"administrator\""), "{told}");

    project.write("services.local.yaml", "services: {db: {rights: minimal}}\n");
    project.succeed(&["up"]);
    let url = &project.env()["DATABASE_URL"];
    let refused = sql(url, "CREATE DATABASE test_again").unwrap_err();
    assert!(refused.contains("permission denied"), "{refused}");
    assert_eq!(one(url, "SELECT x FROM kept"), "7");
    assert_eq!(Url::read(url).user, "shop");

    std::fs::remove_file(project.path("services.local.yaml")).unwrap();
    project.succeed(&["up"]);
    sql(&project.env()["DATABASE_URL"], "CREATE EXTENSION pg_prewarm").unwrap();
}
