//! What someone new runs into: an image that cannot be had, logins that come later, values filled in at the wrong place.

use crate::client::one;
use crate::client::sql;
use crate::project::Sandbox;

#[test]
fn an_image_that_cannot_be_had_leaves_what_runs_alone_and_no_empty_volume() {
    let db = |version: &str| {
        format!("services:\n  db: {{kind: postgres, version: \"{version}\"}}\nvariables: {{URL: \"${{db.url}}\"}}\n")
    };
    let project = Sandbox::new(&[("services.yaml", &db("17.999"))]);
    // A mirror at which nobody listens, so that no registry is asked.
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
    // One at which nobody listens; what it may have is its own affair, and what to run instead is said all the same.
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
    assert!(outcome.stderr.contains("API_TOKEN stood inside devenv's block"), "{}", outcome.stderr);
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

    // The port is given back with the line that set it.
    project.write("services.local.yaml", "services: {}\n");
    project.succeed(&["up"]);
    assert!(!project.env()["URL"].contains(&format!(":{port}/")), "{:?}", project.env());
}
