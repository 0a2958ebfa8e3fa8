//! No data is lost when a clean-up or the making of a base is killed, and devenv reports what it removes.

use crate::client::one;
use crate::engine_proxy::{EngineProxy, Moment, Then};
use crate::layers::{both, read, write};
use crate::project::{Sandbox, docker, wait_until};

const PROJECT: &str = r#"
name: shop
services:
  db: { kind: postgres, version: "15.18" }
  cache: { kind: redis, version: "7.0.15" }
variables:
  DATABASE_URL: ${db.url}
  REDIS_URL: ${cache.url}
"#;

/// Runs a command and kills it at the first request of this type. Returns whether the request came.
fn kill_at(project: &Sandbox, way: &str, arguments: &[&str], request: &'static str, moment: Moment) -> bool {
    let proxy = EngineProxy::stop_at(request, moment, Then::Hold);
    let host = proxy.host();
    let mut command = project.command(&[arguments, &["--host", &host]].concat());
    command.env("DEVENV_LAYERS", way).stdin(std::process::Stdio::piped());
    let mut running = crate::project::Running::start(&mut command);
    wait_until("the run comes to that request, or to its end", || proxy.has_stopped() || running.has_ended());
    if proxy.has_stopped() {
        running.signal("KILL");
    }
    running.end();
    proxy.has_stopped()
}

#[test]
fn a_gc_that_is_killed_takes_nothing_that_is_used_and_the_next_one_finishes() {
    for moment in [Moment::Before, Moment::After] {
        let project = Sandbox::new(&[("services.yaml", PROJECT)]);
        project.succeed(&["up"]);
        write(&project, "kept");
        project.succeed(&["snapshot", "save", "one"]);
        project.succeed(&["down"]);
        // The base was made for the next environment; this environment is not layered on it.
        let before = project.on_the_engine();
        assert!(kill_at(&project, "overlay", &["gc"], "DELETE", moment), "there is something to remove");
        project.succeed(&["gc"]);
        assert_eq!(project.everything_on_the_engine(), before, "only the base is removed");
        project.succeed(&["up"]);
        assert_eq!(read(&project), both("kept"));
    }
}

#[test]
fn an_incomplete_base_of_a_killed_run_is_never_used_and_gc_removes_its_leftovers() {
    let project = Sandbox::new(&[("services.yaml", PROJECT)]);
    let making = || project.everything_on_the_engine().iter().any(|name| name.ends_with(".making"));
    let up = project.spawn(&["up"]);
    wait_until("the base is being made", making);
    up.signal("KILL");
    up.end();
    let left = project.succeed(&["gc", "--dry-run"]);
    assert!(left.stdout.contains(".making") && left.stdout.contains("no environment is layered on it"), "{left:?}");
    project.succeed(&["gc"]);
    assert_eq!(project.everything_on_the_engine(), project.on_the_engine(), "nothing of a base is left");
    project.succeed(&["down", "--volumes", "--yes"]);
    project.succeed(&["up"]);
    assert_eq!(one(&project.env()["DATABASE_URL"], "SELECT 1"), "1");
}

#[test]
fn gc_and_status_report_sizes_in_bytes() {
    let project = Sandbox::new(&[("services.yaml", PROJECT)]);
    project.succeed(&["up"]);
    project.succeed(&["down", "--volumes", "--yes"]);
    let shown = project.succeed(&["gc", "--dry-run"]);
    assert!(shown.stdout.contains(" MB ") && shown.stdout.starts_with("to remove"), "{shown:?}");
    let with_size = |line: &&str| line.starts_with("container") && line.contains(" MB ");
    assert_eq!(shown.stdout.lines().find(with_size), None, "one size is reported once");
    assert!(shown.stderr.contains("and frees") && shown.stderr.contains(" MB"), "{shown:?}");
    project.succeed(&["up"]);
    let sizes = project.succeed(&["status", "--sizes", "--json"]).json();
    let db = sizes["services"].as_array().unwrap().iter().find(|one| one["name"] == "db").unwrap();
    let room = |key: &str| db["volumes"][0][key].as_u64().unwrap();
    assert!(room("shared_bytes") > room("own_bytes") && room("own_bytes") > 0, "{sizes}");
    let table = project.succeed(&["status", "--sizes"]).stdout;
    assert!(table.contains("shared with others"), "{table}");
    assert_eq!(project.containers().len(), 2, "measuring leaves no container");
}

#[test]
fn an_ephemeral_run_is_labelled_with_its_owner_and_other_checkouts_keep_it_until_it_expires() {
    let project = Sandbox::new(&[("services.yaml", PROJECT), ("../other/services.yaml", PROJECT)]);
    let arguments = ["run", "--ephemeral", "--ttl", "6h", "--", "cat"];
    let mut command = project.command(&arguments);
    command.env("GITHUB_REPOSITORY", "shop/web").env("GITHUB_RUN_ID", "77").stdin(std::process::Stdio::piped());
    let run = crate::project::Running::start(&mut command);
    wait_until("the run is ready", || run.stderr().contains("logged in") && project.containers().len() == 2);
    let container = project.container("cache");
    let label = |key: &str| {
        let format = format!("{{{{index .Config.Labels \"dev.devenv.{key}\"}}}}");
        docker(&["inspect", "--format", &format, &container]).trim().to_owned()
    };
    assert_eq!((label("owner"), label("job")), ("shop/web".to_owned(), "77".to_owned()));
    assert!(label("expires").parse::<i64>().is_ok(), "{}", label("expires"));
    run.signal("KILL");
    run.end();
    // Its time to live is not over: another checkout does not remove it.
    let other = project.path("../other").canonicalize().unwrap();
    let shown = project.succeed(&["gc", "--dry-run", "-C", other.to_str().unwrap()]);
    assert!(!shown.stdout.contains("past its time"), "{shown:?}");
    project.succeed(&["gc"]);
    assert_eq!(project.containers().len(), 0);
}
