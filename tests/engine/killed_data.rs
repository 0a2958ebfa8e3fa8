//! Snapshots, restores and resets that are killed at each request that changes something on the engine. Afterwards, the
//! data of an environment is the old data or the requested data, in all services, and never a mixture.

use crate::client::redis;
use crate::engine_proxy::{EngineProxy, Moment};
use crate::project::{Outcome, Sandbox, wait_until};
use std::collections::BTreeMap;

// Two fast services: the behaviour of several services together does not depend on their kind.
const STACK: &str = r#"
name: shop
services:
  one: { kind: redis, version: "7.0.15" }
  two: { kind: redis, version: "7.0.15" }
variables:
  ONE_URL: ${one.url}
  TWO_URL: ${two.url}
"#;

/// More changes than any command makes: a run that is not stopped before has ended.
const MAX_CHANGES: usize = 60;

pub(crate) fn write(project: &Sandbox, word: &str) {
    let env = project.env();
    for name in ["ONE_URL", "TWO_URL"] {
        redis(&env[name], &["SET", "word", word]);
    }
}

/// The word in both services; they must agree.
pub(crate) fn read(project: &Sandbox, at: &str) -> String {
    read_by(&project.env(), at)
}

fn read_by(env: &BTreeMap<String, String>, at: &str) -> String {
    let [one, two] = ["ONE_URL", "TWO_URL"].map(|name| redis(&env[name], &["GET", "word"]).concat());
    assert_eq!(one, two, "a mixture of two moments, {at}");
    one
}

/// Runs a command and kills it at the change with this number. Returns false if the command ended before.
pub(crate) fn killed(project: &Sandbox, way: &str, arguments: &[&str], number: usize, moment: Moment) -> bool {
    let proxy = EngineProxy::hold_at_change(number, moment);
    let (command, rest) = arguments.split_at(1);
    let mut command = project.command(&[command, &["--host", &proxy.host()], rest].concat());
    command.env("DEVENV_LAYERS", way);
    let mut run = crate::project::Running::start(&mut command);
    wait_until("the run comes to that change or ends", || proxy.has_stopped() || run.has_ended());
    if !proxy.has_stopped() {
        let ended = run.end();
        assert_eq!(ended.code, 0, "devenv {arguments:?} unharmed: {ended:?}");
        return false;
    }
    run.signal("KILL");
    run.end();
    proxy.hang_up();
    true
}

fn up(project: &Sandbox, way: &str, at: &str) {
    let outcome = Outcome::of(&project.command(&["up"]).env("DEVENV_LAYERS", way).output().unwrap());
    assert_eq!(outcome.code, 0, "{at}: {outcome:?}");
}

/// A command is killed at every third of its changes. The model engine (`src/plan/tests/model.rs`) kills at every request;
/// these runs show that the real engine behaves like the model.
pub(crate) const STRIDE: usize = 3;

/// The clone modes, with the moment of the kill and the first change.
const IN_BOTH_WAYS: [(&str, Moment, usize); 2] = [("overlay", Moment::Before, 1), ("copy", Moment::After, 2)];

/// Kills a command at its changes; after each kill, runs `up` and checks that the data is one of `allowed`.
fn at_changes(
    (way, moment, numbers): (&str, Moment, impl Iterator<Item = usize>),
    arguments: impl Fn(usize) -> Vec<String>,
    allowed: &[&str],
    kept: &str,
) {
    let project = Sandbox::new(&[("services.yaml", STACK)]);
    up(&project, way, "at first");
    write(&project, "old");
    let saved = project.command(&["snapshot", "save", "old"]).env("DEVENV_LAYERS", way).output().unwrap();
    assert!(saved.status.success(), "{saved:?}");
    for number in numbers {
        assert!(number <= MAX_CHANGES, "more than {MAX_CHANGES} changes");
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
            // An earlier snapshot is complete.
            let back = ["snapshot", "restore", "old", "--yes"];
            let back = Outcome::of(&project.command(&back).env("DEVENV_LAYERS", way).output().unwrap());
            assert_eq!(back.code, 0, "{back:?}");
            assert_eq!(read(&project, "in the end"), kept);
            return;
        }
    }
}

fn words(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_snapshot_killed_at_any_change_keeps_what_runs_and_what_was_saved() {
    let save = |number| words(&["snapshot", "save", &format!("s{number}")]);
    at_changes(("overlay", Moment::After, (1..).step_by(STRIDE - 1)), save, &["new"], "old");
}

#[test]
fn a_restore_killed_at_any_change_ends_where_it_was_or_where_it_went() {
    let restore = |_| words(&["snapshot", "restore", "old", "--yes"]);
    for (way, moment, first) in IN_BOTH_WAYS {
        at_changes((way, moment, (first..).step_by(STRIDE)), restore, &["new", "old"], "old");
    }
}

#[test]
fn a_reset_killed_at_any_change_ends_where_it_was_or_with_nothing() {
    let reset = |_| words(&["reset", "--yes"]);
    for (way, moment, first) in IN_BOTH_WAYS {
        at_changes((way, moment, (first..).step_by(STRIDE)), reset, &["new", "nil"], "old");
    }
}

#[test]
fn an_environment_that_begins_with_another_s_data_has_all_of_it_wherever_it_is_killed() {
    for (way, moment, first) in IN_BOTH_WAYS {
        let project = Sandbox::new(&[("services.yaml", STACK), ("../branch/services.yaml", STACK)]);
        let branch = project.path("../branch").canonicalize().unwrap().display().to_string();
        let tried =
            |arguments: &[&str]| Outcome::of(&project.command(arguments).env("DEVENV_LAYERS", way).output().unwrap());
        let run = |arguments: &[&str], at: &str| {
            let outcome = tried(arguments);
            assert_eq!(outcome.code, 0, "{at}: {outcome:?}");
        };
        up(&project, way, "at first");
        write(&project, "old");
        run(&["snapshot", "save", "old"], "at first");
        write(&project, "new");
        let from = ["up", "-C", &branch, "--from", "old"];
        for number in (first..).step_by(STRIDE) {
            let at = format!("{way}, killed {moment:?} change {number}");
            let was_killed = killed(&project, way, &from, number, moment);
            // The user names the source again, which may be complete by now, or does not name it.
            let says_again = number / 2 % 2 == 0;
            if says_again {
                let again = tried(&from);
                let is_there = again.code == 2 && again.stderr.contains("this environment has data of its own already");
                assert!(again.code == 0 || is_there, "{at}: {again:?}");
            }
            run(&from[..3], &at);
            let text = std::fs::read_to_string(project.path("../branch/.env")).unwrap();
            let lines = text.lines().filter_map(|line| line.split_once('='));
            let env = lines.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect();
            let found = read_by(&env, &at);
            let began = found == "old" || !says_again && found == "nil" && was_killed;
            assert!(began, "{found} {at}");
            assert_eq!(read(&project, &at), "new", "the other one's own, {at}");
            run(&["down", "-C", &branch, "--volumes", "--yes"], &at);
            if !was_killed {
                assert!(number > 3, "it was not killed even once");
                return_to_nothing(&project, way);
                break;
            }
            assert!(number < MAX_CHANGES, "it comes to no end");
        }
    }
}

/// No resources may remain after the removal.
fn return_to_nothing(project: &Sandbox, way: &str) {
    let gone = Outcome::of(&project.command(&["down", "--volumes", "--yes"]).output().unwrap());
    assert_eq!(gone.code, 0, "{way}: {gone:?}");
    assert_eq!(project.on_the_engine(), Vec::<String>::new(), "{way}");
}
