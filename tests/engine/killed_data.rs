//! Snapshots, restores and resets that are killed at each request which changes something on the engine: the data of an
//! environment is then what it was or what was asked for, in all of its services, and never a mixture.

use crate::client::redis;
use crate::engine_proxy::{EngineProxy, Moment};
use crate::project::{Outcome, Sandbox, docker, wait_until};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

// Two of the quickest: that all go together is the same with any.
const STACK: &str = r#"
name: shop
services:
  one: { kind: redis, version: "7.0.15" }
  two: { kind: redis, version: "7.0.15" }
variables:
  ONE_URL: ${one.url}
  TWO_URL: ${two.url}
"#;

/// More than any command asks for: a run that is not stopped before has come to its end.
const MOST_CHANGES: usize = 60;

pub(crate) fn write(project: &Sandbox, word: &str) {
    let env = project.env();
    for name in ["ONE_URL", "TWO_URL"] {
        redis(&env[name], &["SET", "word", word]);
    }
}

/// What both services say; they must agree.
pub(crate) fn read(project: &Sandbox, at: &str) -> String {
    let env = project.env();
    let [one, two] = ["ONE_URL", "TWO_URL"].map(|name| redis(&env[name], &["GET", "word"]).concat());
    assert_eq!(one, two, "a mixture of two moments, {at}");
    one
}

/// Runs a command that is killed at its so many-th change. False where it came to its end before.
pub(crate) fn killed(project: &Sandbox, way: &str, arguments: &[&str], number: usize, moment: Moment) -> bool {
    let began = SystemTime::now();
    let proxy = EngineProxy::hold_at_change(number, moment);
    let mut command = project.command(&[arguments, &["--host", &proxy.host()]].concat());
    command.env("DEVENV_LAYERS", way);
    let mut run = crate::project::Running::start(&mut command);
    while !proxy.has_stopped() && !run.has_ended() {
        std::thread::sleep(Duration::from_millis(5));
    }
    if !proxy.has_stopped() {
        let ended = run.end();
        assert_eq!(ended.code, 0, "devenv {arguments:?} unharmed: {ended:?}");
        return false;
    }
    run.signal("KILL");
    run.end();
    proxy.hang_up();
    wait_for_stops(project, began);
    true
}

/// An engine that was asked to stop a server goes on with it when nobody waits any more, and calls it running until it
/// has ended: whoever logs in to it meanwhile has it end under his hands.
fn wait_for_stops(project: &Sandbox, since: SystemTime) {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs_f64().to_string();
    let since = seconds(since);
    let ours = format!("label=dev.devenv.root={}", project.root().canonicalize().unwrap().display());
    let told = || {
        let until = seconds(SystemTime::now());
        let of_it = ["--since", &since, "--until", &until, "--filter", "event=kill", "--filter", &ours];
        docker(&[&["events", "--format", "{{.ID}}"][..], &of_it].concat())
    };
    // What was asked of it last it may do only now: until it tells of nothing more, many times over.
    let (mut told_last, mut alike) = (told(), 0);
    wait_until("the engine has done what it was asked", || {
        let now = told();
        alike = if now == told_last { alike + 1 } else { 0 };
        told_last = now;
        alike == 20
    });
    let told = told_last;
    let runs = |id: &str| docker(&["ps", "--quiet", "--no-trunc", "--filter", &format!("id={id}")]).contains(id);
    for id in told.lines() {
        wait_until("what was told to stop has ended", || !runs(id));
    }
}

fn up(project: &Sandbox, way: &str, at: &str) {
    let outcome = Outcome::of(&project.command(&["up"]).env("DEVENV_LAYERS", way).output().unwrap());
    assert_eq!(outcome.code, 0, "{at}: {outcome:?}");
}

/// Kills a command at each of its changes; after each, `up`, and the data must be one of `allowed`.
fn at_each_change(way: &str, moment: Moment, arguments: impl Fn(usize) -> Vec<String>, allowed: &[&str], kept: &str) {
    let project = Sandbox::new(&[("services.yaml", STACK)]);
    up(&project, way, "at first");
    write(&project, "old");
    let saved = project.command(&["snapshot", "save", "old"]).env("DEVENV_LAYERS", way).output().unwrap();
    assert!(saved.status.success(), "{saved:?}");
    for number in 1..=MOST_CHANGES {
        let of_this = arguments(number);
        let of_this: Vec<&str> = of_this.iter().map(String::as_str).collect();
        let at = format!("{way}, {of_this:?} killed {moment:?} change {number}");
        write(&project, "new");
        let was_killed = killed(&project, way, &of_this, number, moment);
        up(&project, way, &at);
        let found = read(&project, &at);
        assert!(allowed.contains(&found.as_str()), "{found} {at}");
        let containers = project.containers();
        up(&project, way, &at);
        assert_eq!(project.containers(), containers, "a second up has nothing left to do, {at}");
        if !was_killed {
            assert!(number > 3, "it was not killed even once");
            // What was kept before all of this is whole.
            let back = ["snapshot", "restore", "old", "--yes"];
            let back = Outcome::of(&project.command(&back).env("DEVENV_LAYERS", way).output().unwrap());
            assert_eq!(back.code, 0, "{back:?}");
            assert_eq!(read(&project, "in the end"), kept);
            return;
        }
    }
    panic!("more than {MOST_CHANGES} changes");
}

fn words(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_snapshot_killed_at_any_change_keeps_what_runs_and_what_was_saved() {
    let save = |number| words(&["snapshot", "save", &format!("s{number}")]);
    at_each_change("overlay", Moment::After, save, &["new"], "old");
}

#[test]
fn a_restore_killed_at_any_change_ends_where_it_was_or_where_it_went() {
    for (way, moment) in [("overlay", Moment::Before), ("copy", Moment::After)] {
        at_each_change(way, moment, |_| words(&["snapshot", "restore", "old", "--yes"]), &["new", "old"], "old");
    }
}

#[test]
fn a_reset_killed_at_any_change_ends_where_it_was_or_with_nothing() {
    at_each_change("copy", Moment::Before, |_| words(&["reset", "--yes"]), &["new", "nil"], "old");
}
