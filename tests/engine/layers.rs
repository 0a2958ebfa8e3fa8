//! Data in layers: bases that fresh environments start over, snapshots to go back to. Mounted and copied alike.

use crate::client::{Url, one, sql};
use crate::project::{Outcome, Sandbox, docker};

const POSTGRES: &str = r#"
name: shop
services:
  db: { kind: postgres, version: "15.18", databases: [shop], extensions: [pg_trgm] }
  cache: { kind: redis, version: "7.0.15" }
variables:
  DATABASE_URL: ${db.url}
  REDIS_URL: ${cache.url}
"#;

/// Runs the program with volumes laid in that way.
fn run(project: &Sandbox, way: &str, arguments: &[&str]) -> Outcome {
    let outcome = Outcome::of(&project.command(arguments).env("DEVENV_LAYERS", way).output().unwrap());
    assert_eq!(outcome.code, 0, "devenv {arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
    outcome
}

/// A label of a volume.
fn label(volume: &str, key: &str) -> String {
    let format = format!("{{{{index .Labels \"dev.devenv.{key}\"}}}}");
    docker(&["volume", "inspect", "--format", &format, volume]).trim().to_owned()
}

fn data_volume(project: &Sandbox, service: &str) -> String {
    let of_service = |volume: &String| label(volume, "service") == service;
    project.volumes().into_iter().filter(of_service).max().unwrap()
}

#[test]
fn a_fresh_environment_starts_over_what_the_first_one_s_server_initialised() {
    for way in ["overlay", "copy"] {
        let project = Sandbox::new(&[("services.yaml", POSTGRES), ("../copy/services.yaml", POSTGRES)]);
        let copy = project.path("../copy").canonicalize().unwrap();
        let copy = copy.to_str().unwrap();
        run(&project, way, &["up"]);
        let first = project.env()["DATABASE_URL"].clone();
        sql(&first, "CREATE TABLE mine (x int)").unwrap();
        assert_eq!(label(&data_volume(&project, "db"), "layers"), "");

        run(&project, way, &["up", "-C", copy]);
        let env = std::fs::read_to_string(project.path("../copy/.env")).unwrap();
        let second = env.lines().find_map(|line| line.strip_prefix("DATABASE_URL=")).unwrap().trim_matches('\'');
        assert_eq!(one(second, "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'"), "0");
        assert_eq!(one(second, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"), "1");
        // Its passwords are its own: that of another environment, or of the base's maker, is refused.
        let stolen = second.replace(&Url::read(second).password, &Url::read(&first).password);
        assert!(sql(&stolen, "SELECT 1").is_err());
        let log = docker(&["logs", &container(&project, "../copy", "db")]);
        assert!(!log.contains("fixing permissions"), "it was initialised again: {log}");

        // What is written there is there alone, and stays.
        sql(second, "CREATE TABLE theirs (x int); INSERT INTO theirs VALUES (7)").unwrap();
        run(&project, way, &["down", "-C", copy]);
        run(&project, way, &["up", "-C", copy]);
        assert_eq!(one(second, "SELECT x FROM theirs"), "7");
        assert!(sql(&first, "SELECT * FROM theirs").is_err());

        // The first one's end is not the other's, and a third starts over the same base.
        run(&project, way, &["down", "--volumes", "--yes"]);
        assert_eq!(one(second, "SELECT x FROM theirs"), "7");
        run(&project, way, &["up"]);
        let third = data_volume(&project, "db");
        assert!(label(&third, "layers").starts_with("devenv-base-"), "{third}");
        assert_eq!(label(&third, "way"), way);
        assert_eq!(one(&first, "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'"), "0");
        run(&project, way, &["down", "--volumes", "--yes"]);
        run(&project, way, &["up", "--cold"]);
        assert_eq!(label(&data_volume(&project, "db"), "layers"), "");
    }
}

fn container(project: &Sandbox, folder: &str, service: &str) -> String {
    let root = format!("label=dev.devenv.root={}", project.path(folder).canonicalize().unwrap().display());
    let of_service = format!("label=dev.devenv.service={service}");
    docker(&["ps", "--quiet", "--filter", &root, "--filter", &of_service]).trim().to_owned()
}
