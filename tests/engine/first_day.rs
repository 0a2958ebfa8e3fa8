//! Problems of a new user: an image that is not available, logins that come later, values in the wrong place.

use crate::client::one;
use crate::client::sql;
use crate::project::Sandbox;

#[test]
fn an_unavailable_image_changes_no_running_service_and_leaves_no_empty_volume() {
    let db = |version: &str| {
        format!("services:\n  db: {{kind: postgres, version: \"{version}\"}}\nvariables: {{URL: \"${{db.url}}\"}}\n")
    };
    let project = Sandbox::new(&[("services.yaml", &db("17.999"))]);
    // A mirror address without a server, so that no registry is asked.
    let pull_fails = |project: &Sandbox| {
        let mut command = project.command(&["up"]);
        let output = command.env("DEVENV_REGISTRY_MIRROR", "127.0.0.1:1").output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    };
    pull_fails(&project);
    let left = project.on_the_engine();
    assert!(!left.iter().any(|name| name.starts_with("volume") || name.starts_with("container")), "{left:?}");

    project.write("services.yaml", &db("17.12"));
    project.succeed(&["up"]);
    let url = project.env()["URL"].clone();
    project.write("services.yaml", &db("17.999"));
    pull_fails(&project);
    assert_eq!(one(&url, "SELECT 1"), "1", "the old container still serves");
}

#[test]
fn an_image_that_went_away_is_refused_at_its_line_and_a_mirror_is_asked_all_the_same() {
    let compose = "services:\n  web: {image: acme/web:1, environment: {URL: \"postgres://app@db/app\"}}\n  \
                   db: {image: \"bitnami/postgresql:16.4.0\"}\n";
    let project = Sandbox::new(&[("compose.yaml", compose)]);
    for arguments in [&["up"][..], &["plan"], &["lock"]] {
        let refused = project.fail(5, arguments);
        let paste = "`services: {db: {image: \"docker.io/bitnamilegacy/postgresql:16.4.0\"}}`";
        for part in ["compose.yaml:3", "since 2025-09-29", paste] {
            assert!(refused.stderr.contains(part), "{part}: {refused:?}");
        }
    }
    assert_eq!(project.on_the_engine(), Vec::<String>::new());
    // A mirror without a server: the mirror might have the image, so devenv asks it, and still names the image to run
    // instead.
    let asked = project.command(&["up"]).env("DEVENV_REGISTRY_MIRROR", "127.0.0.1:1").output().unwrap();
    let said = String::from_utf8_lossy(&asked.stderr);
    assert_eq!(asked.status.code(), Some(5), "{said}");
    assert!(said.contains("127.0.0.1:1") && said.contains("docker.io/bitnamilegacy/postgresql:16.4.0"), "{said}");
}

#[test]
fn another_owner_of_a_database_keeps_what_the_earlier_one_made() {
    let manifest = |more: &str| {
        format!(
            "services:\n  db: {{kind: postgres, version: \"17.12\", databases: [shop]{more}}}\nvariables: {{URL: \"${{db.url}}\"}}\n"
        )
    };
    let project = Sandbox::new(&[("services.yaml", &manifest(""))]);
    project.succeed(&["up"]);
    sql(&project.env()["URL"], "CREATE TABLE orders (x int); INSERT INTO orders VALUES (7)").unwrap();

    project.write("services.yaml", &manifest(", users: [report]"));
    let outcome = project.succeed(&["up"]);
    assert!(outcome.stderr.contains("user \"report\" created"), "{}", outcome.stderr);
    let url = project.env()["URL"].clone();
    assert!(url.contains("//report:"), "{url}");
    assert_eq!(one(&url, "SELECT x FROM orders"), "7");
    sql(&url, "ALTER TABLE orders ADD y int").unwrap();
}

#[test]
fn a_value_filled_in_inside_the_block_is_kept_below_it() {
    let manifest = "services:\n  web: {image: acme/web:1, environment: {URL: redis://cache, API_TOKEN: \"${API_TOKEN:?}\"}}\n  \
                    cache: {image: \"redis:7.0.15\"}\n";
    let project = Sandbox::new(&[("compose.yaml", manifest)]);
    project.succeed(&["up"]);
    let filled = project.read(".env").replace("API_TOKEN=\n", "API_TOKEN=tok-1\n");
    assert!(filled.contains("API_TOKEN=tok-1"), "{filled}");
    project.write(".env", &filled);

    let outcome = project.succeed(&["up"]);
    assert!(outcome.stderr.contains("moved below devenv's block, which is rewritten: API_TOKEN"), "{}", outcome.stderr);
    assert_eq!(project.env()["API_TOKEN"], "tok-1");
    assert!(project.read(".env").ends_with("API_TOKEN=tok-1\n"), "{}", project.read(".env"));
    let again = project.succeed(&["up"]);
    assert!(again.stderr.contains("your own lines win for API_TOKEN"), "{}", again.stderr);
}

#[test]
fn an_ephemeral_run_and_env_do_not_ask_for_the_port_that_the_environment_has() {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let manifest = "services:\n  cache: {kind: redis, version: \"7.0.15\"}\nvariables: {URL: \"${cache.url}\"}\n";
    let local = format!("services: {{cache: {{port: {port}}}}}\n");
    let project = Sandbox::new(&[("services.yaml", manifest), ("services.local.yaml", &local)]);
    project.succeed(&["up"]);
    assert!(project.env()["URL"].contains(&format!(":{port}/")));
    let outcome = project.succeed(&["run", "--ephemeral", "--", "sh", "-c", "echo $URL"]);
    assert!(!outcome.stdout.contains(&format!(":{port}/")), "{}", outcome.stdout);

    // Removing the line that sets the port releases the port.
    project.write("services.local.yaml", "services: {}\n");
    project.succeed(&["up"]);
    assert!(!project.env()["URL"].contains(&format!(":{port}/")), "{:?}", project.env());
}

/// An app whose URL comes from a secret, and several Postgres servers that the URL could mean.
fn cluster(databases: &[&str]) -> String {
    let app = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n        \
                    - name: web\n          image: acme/web:1\n          env:\n            \
                    - {name: DATABASE_URL, valueFrom: {secretKeyRef: {name: web, key: url}}}\n            \
                    - {name: S3_BUCKET, value: shop-production}\n            - {name: RAILS_ENV, value: production}\n"
        .to_owned();
    let database = |name: &&str| {
        format!(
            "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: {name}}}\nspec:\n  serviceName: {name}\n  template:\n    \
             spec: {{containers: [{{name: {name}, image: \"postgres:15.18\"}}]}}\n"
        )
    };
    let databases: Vec<String> = databases.iter().map(database).collect();
    app + &databases.concat()
}

#[test]
fn an_empty_central_variable_is_the_one_service_that_fits_and_two_are_a_choice_to_paste() {
    let project = Sandbox::new(&[("k8s/app.yaml", &cluster(&["db"]))]);
    let up = project.succeed(&["up"]);
    for line in [
        "note: `DATABASE_URL` is taken to be db; `variables: {DATABASE_URL: \"${db.url}\"}` in services.local.yaml makes it certain",
        "note: `RAILS_ENV` names production's environment, and is not set here; `variables: {RAILS_ENV: \"development\"}`",
        "note: `S3_BUCKET` leads to production's own resources",
    ] {
        assert!(up.stderr.contains(line), "{line}: {up:?}");
    }
    assert_eq!(one(&project.env()["DATABASE_URL"], "SELECT 1"), "1");
    let set = project.succeed(&["run", "--", "sh", "-c", "echo ${RAILS_ENV-unset} $S3_BUCKET"]);
    assert_eq!(set.stdout, "unset shop-production\n");
    assert!(!project.read(".env").contains("RAILS_ENV"), "{}", project.read(".env"));

    // The line of the message makes the choice explicit, and with the override the variable is set.
    project.write("services.local.yaml", "variables: {DATABASE_URL: \"${db.url}\", RAILS_ENV: \"development\"}\n");
    let certain = project.succeed(&["up"]);
    assert!(!certain.stderr.contains("is taken to be") && !certain.stderr.contains("RAILS_ENV"), "{certain:?}");
    assert_eq!(project.succeed(&["run", "--", "sh", "-c", "echo $RAILS_ENV"]).stdout, "development\n");

    std::fs::remove_file(project.path("services.local.yaml")).unwrap();
    project.write("k8s/app.yaml", &cluster(&["db", "audit"]));
    let open = project.succeed(&["up"]);
    assert!(open.stderr.contains("`DATABASE_URL` stands empty: 2 services fit"), "{open:?}");
    assert_eq!(project.env()["DATABASE_URL"], "");
    let ways: Vec<&str> =
        open.stderr.lines().filter_map(|line| line.strip_prefix("help: in services.local.yaml: `")).collect();
    assert_eq!(ways.len(), 2, "{open:?}");
    for (way, service) in ways.iter().zip(["db", "audit"]) {
        project.write("services.local.yaml", &format!("{}\n", way.trim_end_matches('`')));
        assert!(!project.succeed(&["up"]).stderr.contains("stands empty"));
        assert_eq!(project.env()["DATABASE_URL"], project.succeed(&["url", service]).stdout.trim_end(), "{way}");
    }
}

#[test]
fn services_without_apps_give_standard_names_and_each_has_a_url_and_its_management_page() {
    let compose = "services:\n  db: {image: \"postgres:15.18\", environment: {POSTGRES_USER: shop, POSTGRES_PASSWORD: \"${PW}\"}}\n  \
                   cache: {image: \"redis:7.0.15\"}\n  queue: {image: \"rabbitmq:4.0.5-management\", environment: {RABBITMQ_DEFAULT_USER: shop, RABBITMQ_DEFAULT_PASS: x}}\n";
    let project = Sandbox::new(&[("compose.prod.yaml", compose)]);
    let up = project.succeed(&["up"]);
    let env = project.env();
    assert_eq!(env.keys().collect::<Vec<_>>(), ["AMQP_URL", "DATABASE_URL", "REDIS_URL"], "{up:?}");
    assert_eq!(one(&env["DATABASE_URL"], "SELECT current_user"), "shop");
    let url = |arguments: &[&str]| project.succeed(&[&["url"], arguments].concat()).stdout.trim_end().to_owned();
    for (service, name) in [("db", "DATABASE_URL"), ("cache", "REDIS_URL"), ("queue", "AMQP_URL")] {
        assert_eq!(url(&[service]), env[name]);
    }
    assert_eq!(one(&url(&["db", "--admin"]), "SELECT current_user"), "devenv_admin");
    let which = project.fail(2, &["url"]);
    assert!(
        which.stderr.contains("there are: db, cache, queue") && which.stderr.contains("`devenv url db`"),
        "{which:?}"
    );
    let none = project.fail(1, &["url", "cache", "--admin"]);
    assert!(
        none.stderr.contains("cache has no administrator's login") && none.stderr.contains("`devenv url cache`"),
        "{none:?}"
    );

    // A clipboard program of the test.
    let bin = project.home().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for program in ["wl-copy", "xclip", "xsel", "pbcopy"] {
        std::fs::write(bin.join(program), format!("#!/bin/sh\ncat >{}/copied\n", project.home().display())).unwrap();
        std::fs::set_permissions(bin.join(program), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let copied = project
        .command(&["url", "db", "--copy"])
        .env("PATH", path)
        .env("DISPLAY", ":9")
        .env("WAYLAND_DISPLAY", "w")
        .output()
        .unwrap();
    assert!(copied.status.success() && copied.stdout.is_empty(), "{copied:?}");
    assert_eq!(std::fs::read_to_string(project.home().join("copied")).unwrap(), env["DATABASE_URL"]);

    let status = project.succeed(&["status"]).stdout;
    let page = status.lines().find(|line| line.starts_with("management page of queue: http://127.0.0.1:"));
    assert!(page.is_some_and(|line| line.contains("(login: shop; `devenv url queue` shows the password)")), "{status}");
}

#[test]
fn a_url_to_a_pooler_leads_to_the_server_behind_it_and_that_is_said() {
    let compose = "services:\n  web: {image: \"acme/web:1\", environment: {DATABASE_URL: \"postgres://shop:${PW}@pgbouncer:6432/shop\"}}\n  \
                   pgbouncer: {image: \"edoburu/pgbouncer:v1.23\", environment: {DB_HOST: db, DB_USER: shop, DB_PASSWORD: \"${PW}\", POOL_MODE: transaction}}\n  \
                   db: {image: \"postgres:15.18\", environment: {POSTGRES_USER: shop, POSTGRES_PASSWORD: \"${PW}\"}}\n";
    let project = Sandbox::new(&[("compose.prod.yaml", compose)]);
    let up = project.succeed(&["up"]);
    assert!(up.stderr.contains("note: `pgbouncer` is"), "{up:?}");
    let env = project.env();
    assert_eq!(env.keys().collect::<Vec<_>>(), ["DATABASE_URL"], "a pooler's own variables are no app's");
    assert_eq!(one(&env["DATABASE_URL"], "SELECT current_user"), "shop");
    assert_eq!(project.containers().into_keys().collect::<Vec<_>>(), ["db"]);
}

#[test]
fn a_host_without_a_port_is_said_and_works_as_it_stands() {
    let compose = "services:\n  web: {image: \"acme/web:1\", environment: {PGHOST: db, PGUSER: shop, PGPASSWORD: \"${PW}\", PGDATABASE: shop}}\n  \
                   db: {image: \"postgres:15.18\", environment: {POSTGRES_USER: shop, POSTGRES_PASSWORD: \"${PW}\"}}\n";
    let project = Sandbox::new(&[("compose.prod.yaml", compose)]);
    let up = project.succeed(&["up"]);
    assert!(
        up.stderr.contains("note: `PGHOST` leads to db without a port; so db listens on its usual one, 5432"),
        "{up:?}"
    );
    let env = project.env();
    let url =
        format!("postgres://{}:{}@{}:5432/{}", env["PGUSER"], env["PGPASSWORD"], env["PGHOST"], env["PGDATABASE"]);
    assert_eq!(one(&url, "SELECT current_user"), "shop");
}
