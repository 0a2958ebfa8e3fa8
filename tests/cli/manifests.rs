//! The results of unreadable or incomplete manifests.

use crate::sandbox::Sandbox;

#[test]
fn without_a_manifest_the_places_looked_at_are_listed() {
    let outcome = Sandbox::new(&[]).fail(3, &["manifest"]);
    for place in ["services.yaml", "compose.prod.yaml", "docker-compose.yml"] {
        assert!(outcome.stderr.contains(place), "{place}: {}", outcome.stderr);
    }
    assert!(outcome.stderr.contains("devenv init"), "{}", outcome.stderr);
}

#[test]
fn a_broken_manifest_is_pointed_at_and_nothing_is_written() {
    let sandbox = Sandbox::new(&[("services.yaml", "services:\n  db: {kind: postgres\n")]);
    for command in ["manifest", "plan", "up"] {
        let outcome = sandbox.fail(3, &[command]);
        assert!(outcome.stderr.contains("services.yaml:"), "{}", outcome.stderr);
    }
    assert!(!sandbox.path(".env").exists());
}

#[test]
fn a_version_that_production_leaves_open_is_shown_by_manifest_and_refused_by_plan_and_up() {
    for version in ["", ", version: latest"] {
        let manifest =
            format!("services:\n  db: {{kind: postgres{version}}}\n  cache: {{kind: redis, version: \"8.0.2\"}}\n");
        let sandbox = Sandbox::new(&[("services.yaml", &manifest)]);
        let shown = sandbox.succeed(&["manifest"]);
        for part in ["db     postgres", "cache  redis 8.0.2"] {
            assert!(shown.stdout.contains(part), "the output is whole: {}", shown.stdout);
        }
        assert!(
            shown.stderr.contains("services.yaml:2"),
            "the version that `up` will refuse is reported: {}",
            shown.stderr
        );
        let names: Vec<serde_json::Value> = {
            let read = sandbox.succeed(&["manifest", "--json"]).json();
            read["services"].as_array().expect("a list").iter().map(|service| service["name"].clone()).collect()
        };
        assert_eq!(names, ["db", "cache"]);
        for command in ["plan", "up"] {
            let outcome = sandbox.fail(3, &[command]);
            assert!(outcome.stderr.contains("services.yaml:2"), "{}", outcome.stderr);
            assert!(outcome.stderr.contains("help:"), "{}", outcome.stderr);
        }
        assert!(!sandbox.path(".env").exists());
    }
}

#[test]
fn an_unknown_kind_and_an_unknown_key_get_the_near_word() {
    let sandbox = Sandbox::new(&[("services.yaml", "services:\n  db: {kind: postgers, verison: \"16.4\"}\n")]);
    let outcome = sandbox.fail(3, &["up"]);
    assert!(outcome.stderr.contains("postgres"), "{}", outcome.stderr);
}

#[test]
fn a_mistake_in_a_file_ends_manifest_with_3_and_its_output_is_whole_all_the_same() {
    let good = "services:\n  db: {kind: postgres, version: \"16.4\"}\n  cache: {kind: redis";
    for mistake in
        [", verison: \"7.2.5\"}", ", version: \"7.2.5\", settings: [1]}", ", version: \"7.2.5\"}\n  x: {kind: nothing}"]
    {
        let sandbox = Sandbox::new(&[("services.yaml", &format!("{good}{mistake}\n"))]);
        let outcome = sandbox.fail(3, &["manifest"]);
        assert!(outcome.stdout.contains("db     postgres 16.4"), "{}", outcome.stdout);
        let errors: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("error:")).collect();
        let told = errors.iter().collect::<std::collections::BTreeSet<_>>();
        assert!(!errors.is_empty() && told.len() == errors.len(), "each is said once: {}", outcome.stderr);
        let outcome = sandbox.fail(3, &["manifest", "--json"]);
        let told = outcome.json();
        assert_eq!(told["services"][0]["name"], "db", "{told:#}");
        let is_error = |one: &&serde_json::Value| one["severity"] == "error";
        assert!(told["diagnostics"].as_array().expect("a list").iter().any(|one| is_error(&one)), "{told:#}");
    }
    // A file that cannot be read at all does not affect the other files.
    let broken =
        [("compose.prod.yaml", "services: {db: {image: \"postgres:16.4\"}}\n"), ("b.yaml", "services: {a: {\n")];
    let outcome = Sandbox::new(&broken).fail(3, &["-f", "compose.prod.yaml", "-f", "b.yaml", "manifest", "--json"]);
    assert_eq!(outcome.json()["services"][0]["name"], "db");
}

#[test]
fn a_service_without_an_image_is_an_error_at_its_own_line() {
    let sandbox = Sandbox::new(&[("compose.yaml", "services:\n  db:\n    imgae: postgres:17.6\n")]);
    let outcome = sandbox.fail(3, &["up"]);
    assert!(outcome.stderr.contains("compose.yaml:3:5"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("did you mean `image`?"), "{}", outcome.stderr);
}

#[test]
fn a_pinned_number_keeps_the_image_s_variant() {
    let files = [
        ("compose.yaml", "services: {db: {image: \"postgres:17-alpine\"}}\n"),
        ("services.local.yaml", "services: {db: {version: \"17.6\"}}\n"),
    ];
    let outcome = Sandbox::new(&files).succeed(&["manifest", "--json"]);
    let db = &outcome.json()["services"][0];
    assert_eq!(db["version"]["text"], "17.6-alpine", "{db}");
    assert_eq!(db["version"]["class"], "exact");
    assert!(db["image"].as_str().is_some_and(|image| image.ends_with(":17.6-alpine")), "{db}");
}

#[test]
fn an_empty_folder_that_is_named_is_called_by_a_name_and_the_way_on_is_said() {
    let project = Sandbox::new(&[]);
    let outcome = project.fail(3, &["manifest", "-f", "."]);
    assert!(outcome.stderr.contains("`.` holds no file of a format that devenv reads"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("devenv init"), "{}", outcome.stderr);
}

#[test]
fn two_services_that_are_to_have_one_port_are_refused_at_both_places_before_anything_starts() {
    let service = |name: &str| format!("  {name}: {{kind: redis, version: \"8.0.2\", port: 15432}}\n");
    let project = Sandbox::new(&[("services.yaml", &format!("services:\n{}{}", service("a"), service("b")))]);
    let outcome = project.fail(3, &["plan", "--json"]);
    let told = &outcome.json()["errors"][0];
    assert_eq!(told["code"], "port-twice", "{told}");
    let lines: Vec<_> = told["places"].as_array().expect("places").iter().map(|place| place["line"].clone()).collect();
    assert_eq!(lines, [3, 2], "{told}");
}

#[test]
fn a_series_without_fixes_is_reported_by_manifest_and_lock_with_its_day() {
    let sandbox = Sandbox::new(&[("compose.yaml", "services:\n  db: {image: \"postgres:9.6.24\"}\n")]);
    let said = "Postgres 9.6 has had no fixes since 2021-11-11";
    for outcome in [sandbox.succeed(&["manifest"]), sandbox.fail(3, &["lock", "--check"])] {
        assert!(outcome.stderr.contains(said) && outcome.stderr.contains("compose.yaml:2"), "{}", outcome.stderr);
    }
    let read = sandbox.succeed(&["manifest", "--json"]).json();
    let told = read["diagnostics"].as_array().expect("diagnostics").iter().any(|one| one["message"] == said);
    assert!(told, "{read}");
}

#[test]
fn a_login_whose_rights_its_image_fixes_keeps_them_and_that_is_said_at_the_line_that_asks_for_less() {
    let sandbox = Sandbox::new(&[
        ("compose.yaml", "services: {db: {image: \"mysql:8.4.6\", environment: {MYSQL_ROOT_PASSWORD: x}}}\n"),
        ("services.local.yaml", "services:\n  db:\n    users: {root: {rights: owner}}\n"),
    ]);
    let outcome = sandbox.succeed(&["manifest", "--json"]);
    let told = outcome.json();
    assert_eq!(told["services"][0]["rights"], serde_json::json!({"root": "superuser"}), "{told:#}");
    let of_code = |one: &&serde_json::Value| one["code"] == "rights-fixed";
    let found = told["diagnostics"].as_array().expect("a list").iter().find(of_code).expect("a warning");
    assert_eq!(found["message"], "`root` of `db` stays an administrator: its image makes it one");
    assert_eq!((&found["origin"]["path"], &found["origin"]["line"]), (&"services.local.yaml".into(), &3.into()));
    assert!(sandbox.succeed(&["manifest"]).stderr.contains("have the app log in by a name of its own"), "{told:#}");
}

#[test]
fn missing_rights_of_a_cloud_s_master_login_are_reported_for_its_service() {
    let terraform = "resource \"aws_db_instance\" \"main\" {\n  engine = \"postgres\"\n  engine_version = \"16.4\"\n  \
                     db_name = \"shop\"\n  username = \"shop\"\n  password = var.password\n}\n";
    let sandbox = Sandbox::new(&[("main.tf", terraform)]);
    let shown = sandbox.succeed(&["manifest"]).stdout;
    assert!(
        shown.contains("users shop (master)") && shown.contains("others are declared: `extensions: [NAME]`"),
        "{shown}"
    );
    sandbox.write("services.local.yaml", "services: {main: {rights: superuser}}\n");
    let shown = sandbox.succeed(&["manifest"]).stdout;
    assert!(!shown.contains("extensions: [NAME]"), "{shown}");
}
