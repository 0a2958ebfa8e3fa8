//! `MySQL` and `MariaDB`: from a manifest to a proven server, the administrator's statements, data in layers, facts.

use crate::client::{MYSQL_CLIENT, Url, mysql};
use crate::project::{Outcome, Sandbox, docker};
use crate::protocol::{on_database, wanted};
use crate::server::Server;
use devenv::kinds::Kinds;
use devenv::model::{Endpoint, Protocol, Rights, Secret, Wanted, WantedDatabase};
use devenv::protocol::{Done, Fault, ProbeError, Subject, Target, Tls, TlsMode, facts, prove, reconcile, take_over};
use std::io::Write as _;
use std::process::Stdio;

const SERVERS: [(&str, &str); 3] =
    [("mariadb:10.11.18", "10.11."), ("mariadb:11.8.9", "11.8."), ("mysql:9.7.4", "9.7.")];

fn one(container: &str, url: &str, query: &str) -> String {
    let mut values = mysql(container, url, query).unwrap_or_else(|error| panic!("{query}: {error}"));
    assert_eq!(values.len(), 1, "{query}: {values:?}");
    values.remove(0)
}

#[test]
fn compose_gives_production_s_own_variables_and_a_login_that_owns_its_database_and_no_more() {
    for (image, release) in SERVERS {
        let manifest = format!(
            r#"
name: shop
services:
  web:
    image: registry.example.com/shop/web:1
    environment:
      DATABASE_URL: mysql2://shop:${{DB_PASSWORD}}@db:3306/shop_main?encoding=utf8mb4&sslmode=require
      SPRING_DATASOURCE_URL: jdbc:mysql://db:3306/shop_main?useUnicode=true
      WORDPRESS_DB_HOST: db:3306
      WORDPRESS_DB_USER: shop
      WORDPRESS_DB_PASSWORD: ${{DB_PASSWORD}}
      WORDPRESS_DB_NAME: shop_main
  db:
    image: {image}
    command: --max-connections=44 --character-set-server=latin1 --collation-server=latin1_bin --sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES
    environment:
      MYSQL_USER: shop
      MYSQL_PASSWORD: ${{DB_PASSWORD}}
      MYSQL_DATABASE: shop_main
      MYSQL_INITDB_SKIP_TZINFO: 1
      MYSQL_ROOT_PASSWORD: ${{ROOT_PASSWORD}}
    volumes: ["./init:/docker-entrypoint-initdb.d:ro", "db:/var/lib/mysql"]
volumes: {{db: {{}}}}
"#
        );
        let project = Sandbox::new(&[
            ("compose.prod.yaml", &manifest),
            (
                "init/10-tables.sql",
                "CREATE TABLE products (name text); INSERT INTO products VALUES ('tea');\nCREATE DATABASE reports;\n",
            ),
            (
                "init/20-more.sh",
                "#!/bin/bash\n$(command -v mariadb || command -v mysql) -uroot -p\"$MYSQL_ROOT_PASSWORD\" shop_main \\\n\
                 -e 'CREATE TABLE by_script (x int)'\n",
            ),
        ]);
        let outcome = project.succeed(&["up", "--cold"]);
        let (env, db) = (project.env(), project.container("db"));
        let url = &env["DATABASE_URL"];
        let login = Url::read(&url.replace("?encoding=utf8mb4", ""));
        let ask = |query: &str| mysql(&db, &url.replace("?encoding=utf8mb4", ""), query);
        let value = |query: &str| one(&db, &url.replace("?encoding=utf8mb4", ""), query);

        // Every form in which production names the service.
        assert!(url.starts_with("mysql2://shop:") && url.ends_with("/shop_main?encoding=utf8mb4"), "{url}");
        let address = format!("127.0.0.1:{}", login.port);
        assert_eq!(env["SPRING_DATASOURCE_URL"], format!("jdbc:mysql://{address}/shop_main?useUnicode=true"));
        assert_eq!(env["WORDPRESS_DB_HOST"], address);
        assert_eq!(env["WORDPRESS_DB_USER"], "shop");
        assert_eq!(env["WORDPRESS_DB_PASSWORD"], login.password);
        assert_eq!(env["WORDPRESS_DB_NAME"], "shop_main");

        // Production's settings and init files.
        assert!(value("SELECT VERSION()").starts_with(release));
        assert_eq!(value("SELECT @@global.max_connections"), "44");
        assert_eq!(value("SELECT @@global.sql_mode"), "ANSI_QUOTES,NO_BACKSLASH_ESCAPES");
        assert_eq!(value("SELECT @@character_set_database"), "latin1");
        assert_eq!(value("SELECT name FROM products"), "tea");
        ask("ALTER TABLE by_script ADD y int; DROP TABLE by_script").unwrap();

        // All privileges on its own database, none on other databases, none on the server.
        let grants = ask("SET sql_mode = ''; SHOW GRANTS").unwrap();
        assert_eq!(grants.len(), 2, "{grants:?}");
        assert!(grants[0].starts_with("GRANT USAGE ON *.* TO `shop`@`%`"), "{grants:?}");
        assert!(grants[1].starts_with(r"GRANT ALL PRIVILEGES ON `shop\\_main`.* TO `shop`@`%`"), "{grants:?}");
        for forbidden in [
            "CREATE USER other",
            "CREATE DATABASE other",
            "CREATE TABLE reports.mine (x int)",
            "SELECT * FROM mysql.user",
            "SET GLOBAL max_connections = 1",
        ] {
            let refused = ask(forbidden).unwrap_err();
            assert!(refused.contains("denied"), "{forbidden}: {refused}");
        }
        assert!(mysql(&db, &format!("mysql://shop:wrong@{address}/shop_main"), "SELECT 1").is_err());
        assert!(mysql(&db, &format!("mysql://root:@{address}/"), "SELECT 1").is_err());
        for part in [image, "logged in", "ready in"] {
            assert!(outcome.stderr.contains(&part.replace(':', " ")), "{part}: {}", outcome.stderr);
        }

        // A second run changes nothing, and the server saw no aborted connection.
        let before = (project.containers(), project.volumes(), project.read(".env"));
        let again = project.succeed(&["up"]);
        assert_eq!((project.containers(), project.volumes(), project.read(".env")), before);
        assert!(again.stderr.contains("unchanged"), "{}", again.stderr);
        assert_eq!(project.succeed(&["plan"]).stdout, "nothing to change: every service runs as declared\n");
        let log = docker(&["logs", &db]);
        assert!(!log.contains("Aborted connection") && !log.contains("Access denied"), "{log}");

        // The client in the image, with the app's login and with the administrator's login.
        let shell = |arguments: &[&str]| {
            let mut shell = project.command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            shell.stdin.take().unwrap().write_all(b"SELECT CURRENT_USER(), DATABASE();\n").unwrap();
            Outcome::of(&shell.wait_with_output().unwrap()).stdout
        };
        assert!(shell(&["shell", "db"]).ends_with("shop@%\tshop_main\n"));
        assert!(shell(&["shell", "--admin", "db"]).ends_with("root@localhost\tshop_main\n"));
    }
}

#[test]
fn services_yaml_gives_several_databases_logins_settings_and_plugins() {
    for (image, _) in SERVERS {
        let (kind, version) = image.split_once(':').unwrap();
        let (plugin, name) =
            if kind == "mysql" { ("connection_control", "CONNECTION_CONTROL") } else { ("auth_ed25519", "ed25519") };
        let manifest = |more: &str| {
            format!(
                r#"
name: shop
services:
  db:
    kind: {kind}
    version: "{version}"
    databases: {{shop: {{}}, audit: {{owner: auditor}}, "it's-Größe": {{}}}}
    users: {{app: {{}}, auditor: {{}}, boss: {{superuser: true}}}}
    settings: {{max_connections: 33, collation_server: utf8mb4_bin, default_time_zone: "Europe/Rome"{more}}}
    plugins: [{plugin}]
variables:
  DATABASE_URL: ${{db.url}}
  AUDIT_URL: ${{db.databases.audit.url}}
  BOSS_URL: ${{db.users.boss.url}}
  LOG_LEVEL: info
"#
            )
        };
        let project = Sandbox::new(&[("services.yaml", &manifest(""))]);
        project.succeed(&["up", "--cold"]);
        let (env, db) = (project.env(), project.container("db"));
        let (url, audit, boss) = (&env["DATABASE_URL"], &env["AUDIT_URL"], &env["BOSS_URL"]);
        assert_eq!(one(&db, url, "SELECT @@global.max_connections"), "33");
        assert_eq!(one(&db, url, "SELECT @@collation_database"), "utf8mb4_bin");
        assert_eq!(one(&db, url, "SELECT @@time_zone"), "Europe/Rome");
        let plugin = format!("SELECT PLUGIN_STATUS FROM information_schema.PLUGINS WHERE PLUGIN_NAME = '{name}'");
        assert_eq!(one(&db, url, &plugin), "ACTIVE");
        let databases = "SHOW DATABASES WHERE `Database` NOT LIKE '%schema'";
        assert_eq!(mysql(&db, url, databases).unwrap(), ["it's-Größe", "shop"]);
        assert_eq!(mysql(&db, audit, databases).unwrap(), ["audit"]);
        mysql(&db, audit, "CREATE TABLE seen (x int); INSERT INTO seen VALUES (7)").unwrap();
        let rights = "SELECT Super_priv, Grant_priv FROM mysql.user WHERE User IN ('boss', 'app') ORDER BY User DESC";
        assert_eq!(mysql(&db, boss, rights).unwrap(), ["Y", "Y", "N", "N"]);

        // The user's own line in .env sets another password, and the server gets this password. A setting changes, and
        // the data stays.
        let line = url.replace(&Url::read(url).password, "changed-by-hand");
        project.write(".env", &format!("DATABASE_URL={line}\n{}", project.read(".env")));
        project.write("services.yaml", &manifest(", sql_mode: ANSI"));
        let outcome = project.succeed(&["up"]);
        assert!(outcome.stderr.contains("settings"), "{}", outcome.stderr);
        let db = project.container("db");
        assert_eq!(one(&db, &line, "SELECT CURRENT_USER()"), "app@%");
        assert!(mysql(&db, url, "SELECT 1").is_err(), "the earlier password still works");
        assert!(one(&db, &line, "SELECT @@sql_mode").contains("ANSI_QUOTES"));
        assert_eq!(one(&db, &project.env()["AUDIT_URL"], "SELECT x FROM seen"), "7");
    }
}

#[test]
fn a_setting_that_the_server_refuses_is_traced_to_its_line() {
    for image in ["{kind: mariadb, version: 11.8.9", "{kind: mysql, version: 9.7.4"] {
        let manifest = format!("services:\n  db: {image}, settings: {{max_conections: 3}}}}\n");
        let project = Sandbox::new(&[("services.yaml", &manifest)]);
        let outcome = project.fail(1, &["up"]);
        assert!(outcome.stderr.contains("the log names `max_conections`, set here"), "{}", outcome.stderr);
    }
}

/// Runs the program with this clone mode.
fn run(project: &Sandbox, way: &str, arguments: &[&str]) -> Outcome {
    let outcome = Outcome::of(&project.command(arguments).env("DEVENV_LAYERS", way).output().unwrap());
    assert_eq!(outcome.code, 0, "devenv {arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
    outcome
}

#[test]
fn a_fresh_environment_starts_over_a_base_and_snapshots_are_gone_back_to() {
    for (image, way) in [("mariadb:11.8.9", "overlay"), ("mariadb:11.8.9", "copy"), ("mysql:9.7.4", "overlay")] {
        let manifest = format!(
            "name: shop\nservices:\n  db: {{image: '{image}', databases: [shop, audit], environment: {{MYSQL_INITDB_SKIP_TZINFO: '1'}}}}\n\
             variables: {{DATABASE_URL: '${{db.url}}'}}\n"
        );
        let project = Sandbox::new(&[("services.yaml", &manifest)]);
        let value = |query: &str| {
            let values = mysql(&project.container("db"), &project.env()["DATABASE_URL"], query);
            values.map(|values| values.join(","))
        };
        run(&project, way, &["up"]);
        value("CREATE TABLE mine (x int)").unwrap();
        run(&project, way, &["down", "--volumes", "--yes"]);

        // The data that the base initialised, with this environment's own passwords.
        run(&project, way, &["up"]);
        let log = docker(&["logs", &project.container("db")]);
        assert!(!log.contains("init process"), "it was initialised again: {log}");
        assert_eq!(value("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'mine'").unwrap(), "0");
        assert_eq!(value("SHOW DATABASES WHERE `Database` NOT LIKE '%schema'").unwrap(), "audit,shop");
        for login in ["app", "root"] {
            let address = Url::read(&project.env()["DATABASE_URL"]).port;
            let stranger = format!("mysql://{login}:@127.0.0.1:{address}/shop");
            assert!(mysql(&project.container("db"), &stranger, "SELECT 1").is_err(), "{login}");
        }

        value("CREATE TABLE t (x int); INSERT INTO t VALUES (1)").unwrap();
        run(&project, way, &["snapshot", "save", "first"]);
        assert_eq!(value("SELECT x FROM t").unwrap(), "1");
        value("UPDATE t SET x = 2").unwrap();
        run(&project, way, &["snapshot", "restore", "first", "--yes"]);
        assert_eq!(value("SELECT x FROM t").unwrap(), "1");
        run(&project, way, &["reset", "--yes"]);
        assert!(value("SELECT x FROM t").unwrap_err().contains("doesn't exist"));
        run(&project, way, &["down", "--volumes", "--yes"]);
        assert_eq!(project.on_the_engine(), Vec::<String>::new());
    }
}

// The protocol against the real server

fn server(image: &str, arguments: &[&str]) -> Server {
    let variables = [("MYSQL_ROOT_PASSWORD", "admin-pw"), ("MYSQL_INITDB_SKIP_TZINFO", "1")];
    Server::start((image, Protocol::Mysql, 3306), &variables, arguments, &[])
}

fn administrator(server: &Server) -> Endpoint {
    server.endpoint(Some("root"), Some("admin-pw"))
}

async fn refused(endpoint: &Endpoint) -> ProbeError {
    let error = prove(Protocol::Mysql, endpoint).await.expect_err("a refusal");
    assert_eq!(error.fault, Fault::Login, "{error:?}");
    error
}

async fn reconciled(server: &Server, wanted: &Wanted) -> Vec<Done> {
    reconcile(Protocol::Mysql, &administrator(server), wanted)
        .await
        .unwrap_or_else(|error| panic!("{error:?}\n{}", server.log()))
}

fn query(server: &Server, sql: &str) -> String {
    let arguments = ["--password=admin-pw", "--batch", "--skip-column-names", "--execute", sql];
    server.run(&[&MYSQL_CLIENT[..], &arguments].concat())
}

#[tokio::test]
async fn each_refusal_has_its_own_fault_and_wanted_objects_are_created_once() {
    for (image, release) in SERVERS {
        let server =
            server(image, &["--lower-case-table-names=1", "--sql-mode=ANSI_QUOTES", "--default-time-zone=+02:00"]);
        let proof = server.ready(&administrator(&server)).await;
        assert_eq!(proof.words, "logged in");
        assert!(proof.server_version.is_some_and(|found| found.starts_with(release)), "{image}");
        let error = refused(&server.endpoint(Some("root"), Some("wrong"))).await;
        assert!(error.message.contains("Access denied for user 'root'"), "{error:?}");
        let error = refused(&on_database(administrator(&server), "nope")).await;
        assert!(error.message.contains("Unknown database 'nope'"), "{error:?}");
        refused(&server.endpoint(Some("stranger"), None)).await;

        let awkward = "it's \"Gr`öße\\";
        let mut wanted = wanted(&[("app", "app-pw"), (awkward, "p'\\w")], &[("Shop_x", "app"), ("other", awkward)]);
        let done = reconciled(&server, &wanted).await;
        assert_eq!(
            done,
            [
                Done::UserCreated("app".to_owned()),
                Done::UserCreated(awkward.to_owned()),
                Done::DatabaseCreated("Shop_x".to_owned()),
                Done::DatabaseCreated("other".to_owned()),
            ]
        );
        assert_eq!(reconciled(&server, &wanted).await, []);
        let app = on_database(server.endpoint(Some("app"), Some("app-pw")), "Shop_x");
        server.ready(&app).await;
        server.ready(&on_database(server.endpoint(Some(awkward), Some("p'\\w")), "other")).await;
        refused(&on_database(app, "other")).await;
        query(&server, "CREATE DATABASE shopAx");
        refused(&on_database(server.endpoint(Some("app"), Some("app-pw")), "shopAx")).await;

        // Another password, another owner, more rights and then fewer rights. Nothing is dropped.
        wanted.users[0].password = Some(Secret::new("new"));
        wanted.users[1].rights = Some(Rights::Superuser);
        wanted.databases[1].owner = "app".to_owned();
        let changed = [
            Done::PasswordSet("app".to_owned()),
            Done::UserChanged(awkward.to_owned()),
            Done::OwnerSet { database: "other".to_owned(), owner: "app".to_owned() },
        ];
        assert_eq!(reconciled(&server, &wanted).await, changed);
        refused(&server.endpoint(Some("app"), Some("app-pw"))).await;
        server.ready(&on_database(server.endpoint(Some("app"), Some("new")), "other")).await;
        server.ready(&on_database(server.endpoint(Some(awkward), Some("p'\\w")), "mysql")).await;
        // A cloud's master login creates databases and logins, and does not have all privileges.
        wanted.users[1].rights = Some(Rights::Master);
        wanted.master = Kinds::built_in().unwrap().get("mysql").unwrap().master.clone();
        assert_eq!(reconciled(&server, &wanted).await, [Done::UserChanged(awkward.to_owned())]);
        assert_eq!(reconciled(&server, &wanted).await, []);
        server.ready(&on_database(server.endpoint(Some(awkward), Some("p'\\w")), "mysql")).await;
        let rights = "SELECT CONCAT(Super_priv, Create_priv, Grant_priv) FROM mysql.user WHERE Create_user_priv = 'Y' AND \
                      User LIKE 'it%'";
        assert_eq!(query(&server, rights).trim(), "NYY");
        wanted.users[1].rights = Some(Rights::Owner);
        assert_eq!(reconciled(&server, &wanted).await, [Done::UserChanged(awkward.to_owned())]);
        refused(&on_database(server.endpoint(Some(awkward), Some("p'\\w")), "mysql")).await;
        server.ready(&on_database(server.endpoint(Some(awkward), Some("p'\\w")), "other")).await;
        assert_eq!(reconciled(&server, &wanted).await, []);
        assert!(!server.log().contains("app-pw"));

        // The error names a database that cannot be created.
        wanted.databases.push(WantedDatabase { name: "n".repeat(65), owner: String::new() });
        let error = reconcile(Protocol::Mysql, &administrator(&server), &wanted).await.expect_err("too long a name");
        assert_eq!(error.subject, Some(Subject::Database("n".repeat(65))));
    }
}

#[tokio::test]
async fn several_can_reconcile_at_once_and_a_login_is_taken_over() {
    for image in ["mariadb:11.8", "mysql:9.7"] {
        let server = server(image, &[]);
        server.ready(&administrator(&server)).await;
        let wanted = wanted(&[("app", "pw"), ("other", "pw2")], &[("shop", "app"), ("more", "other")]);
        let all = futures_util::future::join_all((0..6).map(|_| reconciled(&server, &wanted))).await;
        let done: Vec<Done> = all.into_iter().flatten().collect();
        assert_eq!(done.len(), 4, "each thing is done once: {done:?}");
        assert_eq!(reconciled(&server, &wanted).await, []);

        let own = server.endpoint(Some("root"), Some("it's \\own"));
        for inherited in [administrator(&server), own.clone()] {
            take_over(Protocol::Mysql, &inherited, &own, &Wanted::default()).await.expect("the login as it was");
        }
        server.ready(&own).await;
        refused(&administrator(&server)).await;
        // From the container's own socket, this is another account with the same password.
        let client = ["--password=it's \\own", "--batch", "--skip-column-names", "--execute", "SELECT CURRENT_USER()"];
        assert_eq!(server.run(&[&MYSQL_CLIENT[..], &client].concat()), "root@localhost\n");
    }
}

fn target(endpoint: &Endpoint) -> Target {
    Target { protocol: Protocol::Mysql, endpoint: endpoint.clone(), tls: Tls::default(), management: None }
}

#[tokio::test]
async fn a_server_that_wants_the_password_itself_gets_it_over_tls_or_not_at_all() {
    let server_with_tls = server("mysql:9.7", &[]);
    let admin = administrator(&server_with_tls);
    for _ in 0..2 {
        assert_eq!(server_with_tls.ready(&admin).await.words, "logged in");
        let tls = query(&server_with_tls, "SHOW GLOBAL STATUS LIKE 'Ssl_accepts'");
        assert_eq!(tls, "Ssl_accepts\t1\n", "after the first login, a digest is enough");
    }
    // devenv asks for facts with the TLS mode of the URL: encrypted, or with a certificate that an authority has
    // signed. No authority signed this server's certificate.
    for (mode, answers) in
        [(TlsMode::Preferred, true), (TlsMode::Unchecked, true), (TlsMode::Authority, false), (TlsMode::Checked, false)]
    {
        let told = facts(&Target { tls: mode.into(), ..target(&admin) }).await;
        assert_eq!(told.is_ok(), answers, "{mode:?}: {told:?}");
        assert!(told.is_ok() || told.is_err_and(|error| error.message.starts_with("TLS: ")));
    }
    query(&server_with_tls, "FLUSH PRIVILEGES");
    refused(&server_with_tls.endpoint(Some("root"), Some("wrong"))).await;
    server_with_tls.ready(&admin).await;

    let without_tls = server("mysql:9.7", &["--auto-generate-certs=OFF"]);
    let admin = administrator(&without_tls);
    let refusal = async || {
        let error = prove(Protocol::Mysql, &admin).await.expect_err("it has seen no password yet");
        (error.fault != Fault::NotYet).then_some(error)
    };
    let error = without_tls.eventually("it is up, and refuses", refusal).await;
    assert_eq!(error.fault, Fault::Login);
    assert!(error.message.contains("no TLS") && error.message.contains("log in once"), "{error:?}");
    // The advice of the message works.
    let client = ["--protocol=tcp", "--get-server-public-key", "--password=admin-pw", "--execute", "SELECT 1"];
    without_tls.run(&[&MYSQL_CLIENT[..], &client].concat());
    without_tls.ready(&admin).await;
    let error = facts(&Target { tls: TlsMode::Unchecked.into(), ..target(&admin) }).await.unwrap_err();
    assert_eq!(error.message, "the server offers no TLS, and the URL asks for it");
    facts(&Target { tls: TlsMode::Preferred.into(), ..target(&admin) }).await.expect("plain text will do");
}

#[tokio::test]
async fn a_server_says_settings_databases_plugins_and_users_and_nothing_of_it_changes() {
    for (image, release) in SERVERS {
        let is_mysql = image.starts_with("mysql");
        let plugin = if is_mysql { "connection_control.so" } else { "server_audit" };
        let plugin = format!("--plugin-load-add={plugin}");
        let arguments = [
            "--max-connections=42",
            "--sql-mode=ANSI",
            "--default-time-zone=+02:00",
            &plugin,
            "--report-host=db1.example.com",
            "--report-password=hush",
            "--server-id=7",
            "--loose-userstat=1",
        ];
        let server = server(image, &arguments);
        server.ready(&administrator(&server)).await;
        query(
            &server,
            "SET sql_mode = ''; CREATE DATABASE shop CHARACTER SET latin1; CREATE TABLE shop.items (name text); \
             INSERT INTO shop.items VALUES ('tea'); CREATE USER app IDENTIFIED BY 'app-pw'; GRANT ALL ON shop.* TO app; \
             SET GLOBAL group_concat_max_len = 2048",
        );
        let statistics = if is_mysql {
            "SELECT * FROM performance_schema.table_io_waits_summary_by_table WHERE OBJECT_SCHEMA = 'shop'"
        } else {
            "SELECT * FROM information_schema.TABLE_STATISTICS WHERE TABLE_SCHEMA = 'shop'"
        };
        let rows = || query(&server, statistics);
        let written = || {
            let written = "Variable_name RLIKE '^Com_(insert|update|delete|create|alter|drop|grant|set_option)'";
            query(&server, &format!("SHOW GLOBAL STATUS WHERE {written} AND Variable_name <> 'Com_set_option'"))
        };
        let (before, statements) = (rows(), written());
        let ask = async |endpoint: &Endpoint| {
            let told = facts(&target(endpoint)).await;
            told.unwrap_or_else(|error| panic!("{error:?}\n{}", server.log()))
        };

        let told = ask(&administrator(&server)).await;
        let product = if is_mysql { "MySQL" } else { "MariaDB" };
        assert_eq!((told.product.as_str(), told.protocol), (product, Protocol::Mysql));
        assert!(told.version.as_deref().is_some_and(|found| found.starts_with(release)), "{told:?}");
        for (topic, name, value) in [
            ("settings", "max_connections", "42"),
            ("settings", "time_zone", "+02:00"),
            ("settings", "group_concat_max_len", "2048"),
            ("settings", "character_set_server", "utf8mb4"),
            ("settings", "lower_case_table_names", "0"),
            ("settings", "max_allowed_packet", if is_mysql { "67108864" } else { "16777216" }),
            ("settings", "innodb_buffer_pool_size", "134217728"),
            ("databases", "shop.charset", "latin1"),
            ("databases", "shop.collation", "latin1_swedish_ci"),
            ("users", "app@%", "login"),
            ("users", "root@localhost", "login"),
            ("server", "time_zone", "+02:00"),
        ] {
            assert_eq!(told.get(topic, name), Some(value), "{topic} {name}: {told:?}");
        }
        // MySQL does not report defaults.
        assert_eq!(told.get("defaults", "max_connections"), (!is_mysql).then_some("151"));
        let plugins: Vec<&str> = told.topics["plugins"].keys().map(String::as_str).collect();
        assert_eq!(plugins, [if is_mysql { "connection_control" } else { "server_audit" }]);
        assert!(told.get("settings", "sql_mode").is_some_and(|mode| mode.contains("ANSI_QUOTES")), "{told:?}");
        assert!(told.get("settings", "collation_server").is_some_and(|name| name.starts_with("utf8mb4_")), "{told:?}");
        assert!(told.get("server", "version_comment").is_some(), "{told:?}");
        for unset in ["wait_timeout", "back_log", "thread_cache_size", "server_id", "report_host", "port", "socket"] {
            assert_eq!(told.get("settings", unset), None, "{unset}: {told:?}");
        }
        assert!(told.not_asked.is_empty(), "{told:?}");
        let text = format!("{told:?}");
        for hidden in ["hush", "app-pw", "admin-pw", "*", "127.0.0.1", "example.com", "/var/lib", "tea"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
        assert_eq!(ask(&administrator(&server)).await, told, "asked twice, said twice");

        // The app's login sees only its own databases, and devenv says which facts are missing.
        let app = on_database(server.endpoint(Some("app"), Some("app-pw")), "shop");
        let less = ask(&app).await;
        assert_eq!(less.topics["settings"], told.topics["settings"]);
        assert!(less.not_asked["users"].contains("denied"), "{less:?}");
        assert!(!less.topics.contains_key("users"), "{less:?}");
        assert_eq!((rows(), written()), (before, statements), "nothing was read of the user's, and nothing changed");

        let error = facts(&target(&server.endpoint(Some("app"), Some("wrong")))).await.unwrap_err();
        assert_eq!(error.fault, Fault::Login);
    }
}
