//! `.env`: the block belongs to devenv, everything else to the user.

use crate::client::{Url, one, redis, redis_as_nobody, sql};
use crate::project::{Outcome, Sandbox};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const REDIS: &str =
    "services:\n  cache: {kind: redis, version: \"7.0.15\"}\nvariables: {REDIS_URL: \"${cache.url}\", LEVEL: info}\n";

#[test]
fn the_user_s_own_lines_line_ends_and_byte_order_mark_survive() {
    let project = Sandbox::new(&[("services.yaml", REDIS)]);
    let before = "\u{feff}# mine\r\nOWN='a b'\r\n\r\n";
    project.write(".env", before);
    std::fs::set_permissions(project.path(".env"), PermissionsExt::from_mode(0o644)).unwrap();
    let corrected = project.succeed(&["up"]);
    assert!(corrected.stderr.contains("others could read `.env` (mode 0644)"), "{corrected:?}");
    let first = project.read(".env");
    assert!(first.starts_with(before), "{first:?}");
    assert_eq!(std::fs::metadata(project.path(".env")).unwrap().permissions().mode() & 0o777, 0o600);

    // Lines after the block stay the same, also when a new manifest changes the block.
    let after = "\r\nLATER=1 # with a comment\r\nNO_NEWLINE=at the end";
    project.write(".env", &format!("{first}{after}"));
    project.write("services.yaml", &REDIS.replace("LEVEL: info", "LEVEL: debug, MORE: \"1\""));
    project.succeed(&["up"]);
    let second = project.read(".env");
    assert!(second.starts_with(before) && second.ends_with(after), "{second:?}");
    assert!(second.contains("LEVEL=debug") && second.contains("MORE=1"), "{second:?}");
    assert_eq!(second.matches(">>> devenv").count(), 1, "{second:?}");

    // A variable that the user sets takes precedence, is reported, and is not written twice.
    project.write(".env", &format!("LEVEL=trace\n{}", second.replace('\u{feff}', "")));
    let outcome = project.succeed(&["up"]);
    let third = project.read(".env");
    assert_eq!(third.matches("LEVEL=").count(), 1, "{third:?}");
    assert!(third.starts_with("LEVEL=trace\n"), "{third:?}");
    assert_eq!(project.succeed(&["run", "--", "sh", "-c", "echo $LEVEL"]).stdout, "trace\n", "{outcome:?}");
}

#[test]
fn a_credential_that_the_user_wrote_is_the_server_s_and_another_place_is_said_to_be_unproven() {
    let project = Sandbox::new(&[(
        "services.yaml",
        "services:\n  cache: {kind: redis, version: \"7.0.15\"}\n  db: {kind: postgres, version: \"15.18\"}\n\
         variables: {REDIS_URL: \"${cache.url}\", DATABASE_URL: \"${db.url}\"}\n",
    )]);
    project.succeed(&["up"]);
    let ours = project.env();
    redis(&ours["REDIS_URL"], &["SET", "kept", "7"]);
    sql(&ours["DATABASE_URL"], "CREATE TABLE kept (x int)").unwrap();
    let container = project.container("db");

    let mine = |name: &str| ours[name].replace(&Url::read(&ours[name]).password, "of-my-own");
    let lines = format!("REDIS_URL={}\nDATABASE_URL='{}'\n", mine("REDIS_URL"), mine("DATABASE_URL"));
    project.write(".env", &format!("{lines}{}", project.read(".env")));
    project.succeed(&["up"]);

    let text = project.read(".env");
    assert!(text.starts_with(&lines), "{text}");
    assert_eq!(text.matches("_URL=").count(), 2, "{text}");
    assert_eq!(redis(&mine("REDIS_URL"), &["GET", "kept"]), ["7"]);
    assert_eq!(
        redis_as_nobody(&ours["REDIS_URL"], &["AUTH", &Url::read(&ours["REDIS_URL"]).password])[0].get(..10),
        Some("-WRONGPASS")
    );
    assert_eq!(one(&mine("DATABASE_URL"), "SELECT count(*) FROM kept"), "0");
    assert!(sql(&ours["DATABASE_URL"], "SELECT 1").is_err());
    assert_eq!(project.container("db"), container, "a statement changes Postgres' password");

    // devenv cannot prove another server from here.
    project.write(".env", "REDIS_URL=redis://:x@127.0.0.1:1/0\n");
    let outcome = project.succeed(&["up"]);
    assert!(outcome.stderr.contains("was not proven") && outcome.stderr.contains(".env:1:1"), "{outcome:?}");
    assert!(project.read(".env").starts_with("REDIS_URL=redis://:x@127.0.0.1:1/0\n"));
    // Without these lines, devenv's values apply again.
    std::fs::remove_file(project.path(".env")).unwrap();
    project.succeed(&["up"]);
    assert_eq!(project.env(), ours);
    assert_eq!(redis(&ours["REDIS_URL"], &["GET", "kept"]), ["7"]);
}

#[test]
fn a_file_that_cannot_be_written_is_said_and_left_as_it_is() {
    let project = Sandbox::new(&[("services.yaml", REDIS)]);
    project.write(".env", "OWN=1\n");
    std::fs::set_permissions(project.path(".env"), PermissionsExt::from_mode(0o444)).unwrap();
    let outcome = project.fail(1, &["up"]);
    assert!(outcome.stderr.contains("is read-only") && outcome.stderr.contains("chmod u+w"), "{outcome:?}");
    assert_eq!(project.read(".env"), "OWN=1\n");

    std::fs::remove_file(project.path(".env")).unwrap();
    std::fs::create_dir(project.path(".env")).unwrap();
    let outcome = project.fail(1, &["up"]);
    assert!(outcome.stderr.contains("is a folder") && outcome.stderr.contains("--env-file"), "{outcome:?}");
    std::fs::remove_dir(project.path(".env")).unwrap();

    std::fs::write(project.path(".env"), b"A=1\nB=\xff\n").unwrap();
    let outcome = project.fail(1, &["up"]);
    assert!(outcome.stderr.contains("line 2") && outcome.stderr.contains("UTF-8"), "{outcome:?}");
    assert_eq!(std::fs::read(project.path(".env")).unwrap(), b"A=1\nB=\xff\n");
}

#[test]
fn on_a_full_disk_the_file_stays_as_it_was() {
    let project = Sandbox::new(&[("services.yaml", REDIS)]);
    std::fs::create_dir(project.path("full")).unwrap();
    // A small file system of the test, which only this process sees and which ends with it.
    let script = "mount -t tmpfs -o size=16k tmpfs full && echo OWN=1 >full/.env \
                  && { head -c 100000 /dev/zero >full/rest 2>/dev/null || true; } && \"$0\" up --env-file full/.env; code=$?; \
                  cat full/.env; ls -A full; exit $code";
    let devenv = project.command(&[""; 0]);
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "sh", "-c", script]).arg(devenv.get_program()).current_dir(project.root());
    command.env_clear().envs(devenv.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert_eq!(outcome.stdout, "OWN=1\n.env\nrest\n", "{outcome:?}");
    assert!(outcome.stderr.contains("No space left on device"), "{outcome:?}");
    assert!(outcome.stderr.contains("make room"), "{outcome:?}");
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

#[test]
fn a_file_that_git_tracks_is_left_alone_and_one_it_does_not_ignore_is_warned_about() {
    let project = Sandbox::new(&[("services.yaml", REDIS), (".env", "OWN=1\n")]);
    let git = |arguments: &[&str]| {
        let done = Command::new("git").args(arguments).current_dir(project.root()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "--quiet"]);
    let outcome = project.succeed(&["up"]);
    assert!(outcome.stderr.contains("git does not ignore `.env`"), "{outcome:?}");
    assert!(project.read(".env").contains("REDIS_URL="));

    project.write(".env", "OWN=1\n");
    git(&["add", ".env"]);
    let outcome = project.succeed(&["up"]);
    assert!(outcome.stderr.contains(".env.local"), "{outcome:?}");
    assert_eq!(project.read(".env"), "OWN=1\n");
    assert!(project.read(".env.local").contains("REDIS_URL="));
    project.succeed(&["env", "--check"]);
    for command in ["doctor", "status"] {
        let told = project.run(&[command]);
        assert!(told.stdout.contains("`.env.local` is written, because git tracks `.env`"), "{told:?}");
    }

    git(&["add", ".env.local"]);
    let outcome = project.fail(1, &["up"]);
    assert!(outcome.stderr.contains("neither `.env` nor `.env.local`"), "{outcome:?}");

    git(&["rm", "--quiet", "--cached", ".env", ".env.local"]);
    project.write(".gitignore", ".env\n");
    let outcome = project.succeed(&["up"]);
    assert!(!outcome.stderr.contains("git"), "{outcome:?}");
}

#[test]
fn apps_that_disagree_stop_nobody_and_each_gets_its_own_values() {
    let project = Sandbox::new(&[
        (
            "compose.yaml",
            "services:\n  web: {build: web, environment: {URL: \"redis://cache:6379/0\", ROLE: web, LEVEL: info}}\n  \
             worker: {build: web, environment: {URL: \"redis://cache:6379/1\", ROLE: worker, LEVEL: info}}\n  \
             cache: {image: \"redis:7.0.15\"}\n",
        ),
        ("web/Dockerfile", "FROM scratch\n"),
    ]);
    let outcome = project.succeed(&["up"]);
    assert!(outcome.stderr.contains(".env.web") && outcome.stderr.contains("of worker: URL, ROLE"), "{outcome:?}");
    let (shared, web, worker) = (project.read(".env"), project.read(".env.web"), project.read(".env.worker"));
    assert!(shared.contains("LEVEL=info") && !shared.contains("ROLE") && !shared.contains("URL"), "{shared}");
    assert!(web.contains("ROLE=web") && web.contains("/0\n") && !web.contains("LEVEL"), "{web}");
    assert!(worker.contains("ROLE=worker") && worker.contains("/1\n"), "{worker}");
    project.succeed(&["env", "--check"]);
    let said = "echo $ROLE $LEVEL ${URL##*/}";
    assert_eq!(project.succeed(&["run", "--app", "worker", "--", "sh", "-c", said]).stdout, "worker info 1\n");
    assert_eq!(project.succeed(&["run", "--app", "web", "--", "sh", "-c", said]).stdout, "web info 0\n");
    let neither = project.succeed(&["run", "--", "sh", "-c", said]);
    assert_eq!(neither.stdout, "info\n");
    assert!(
        neither.stderr.contains("apps have different values of ROLE, URL") && neither.stderr.contains("--app web"),
        "{neither:?}"
    );
    let one = project.succeed(&["env", "--app", "web", "--format", "json"]).json();
    assert_eq!((one["ROLE"].as_str(), one["LEVEL"].as_str()), (Some("web"), Some("info")));
    let unknown = project.fail(2, &["env", "--app", "wrb"]);
    assert!(unknown.stderr.contains("did you mean `web`?"), "{unknown:?}");

    // A file that services.local.yaml names has all variables of its app.
    project.write("services.local.yaml", "apps: {worker: {env_file: worker.env}}\n");
    project.succeed(&["up"]);
    let (web, worker) = (project.read(".env"), project.read("worker.env"));
    assert!(web.contains("ROLE=web") && !web.contains("ROLE=worker"), "{web}");
    assert!(worker.contains("ROLE=worker") && worker.contains("/1") && worker.contains("LEVEL=info"), "{worker}");
}

#[test]
fn where_the_env_file_is_production_s_the_block_goes_beside_it_and_nothing_of_it_is_lost() {
    let theirs = "REDIS_URL=redis://cache:6379/0\nSTRIPE_KEY=sk_mine\nLEVEL=info\n";
    let compose = "services:\n  web: {image: \"acme/web:1\", env_file: .env}\n  cache: {image: \"redis:7.0.15\"}\n";
    let project = Sandbox::new(&[("compose.yaml", compose), (".env", theirs)]);
    let outcome = project.succeed(&["up"]);
    let told = "`.env.local` is written, because compose.yaml:2:40 gives `.env` to production's app";
    assert!(outcome.stderr.contains(told), "{outcome:?}");
    assert_eq!(project.read(".env"), theirs);
    let local = project.read(".env.local");
    assert!(local.contains("REDIS_URL=redis://") && local.contains("127.0.0.1:"), "{local}");
    assert!(!local.contains("STRIPE_KEY"), "an empty line here would hide the value there: {local}");
    // Follow the message: both alternatives give all variables.
    let read_both = project.succeed(&["run", "--", "sh", "-c", "echo $STRIPE_KEY $LEVEL; echo $REDIS_URL"]).stdout;
    assert!(read_both.starts_with("sk_mine info\nredis://") && read_both.contains("127.0.0.1:"), "{read_both}");
    let shell = Command::new("sh")
        .args(["-c", "set -a; . ./.env; . ./.env.local; echo $STRIPE_KEY $LEVEL; echo $REDIS_URL"])
        .current_dir(project.root())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&shell.stdout), read_both);
    project.succeed(&["env", "--check"]);
    for command in ["doctor", "status"] {
        let told = project.run(&[command]);
        assert!(told.stdout.contains("`.env.local` is written, because compose.yaml:2:40 gives"), "{told:?}");
    }
    assert!(!project.succeed(&["up"]).stderr.contains("not proven"));

    // devenv removes a block that an earlier run wrote into that file, and writes the block into the file that
    // services.local.yaml names.
    let block = &local[local.find("# >>>").unwrap()..];
    project.write(".env", &format!("{theirs}\n{block}"));
    project.write("services.local.yaml", "env_file: .env.shop\n");
    project.succeed(&["up"]);
    assert!(project.read(".env.shop").contains("REDIS_URL=redis://127.0.0.1:"), "{}", project.read(".env.shop"));
    std::fs::remove_file(project.path("services.local.yaml")).unwrap();
    let moved = project.succeed(&["up"]);
    assert!(moved.stderr.contains("devenv's block was removed from `.env`"), "{moved:?}");
    assert_eq!(project.read(".env").trim_end(), theirs.trim_end());
}

#[test]
fn one_value_that_no_quotes_carry_costs_no_other() {
    let compose = "services:\n  web:\n    image: acme/web:1\n    environment:\n      MOTD: 'it''s \"$$5\"'\n      TICK: 'it''s `x`'\n      \
                   REDIS_URL: redis://cache:6379/0\n  cache: {image: \"redis:7.0.15\"}\n";
    let project = Sandbox::new(&[("compose.yaml", compose)]);
    let outcome = project.succeed(&["up"]);
    assert!(
        outcome.stderr.contains("`MOTD` is not read the same") && outcome.stderr.contains("`TICK` is not written"),
        "{outcome:?}"
    );
    let env = project.env();
    assert_eq!((env["MOTD"].as_str(), env["TICK"].as_str()), ("it's \"$5\"", ""));
    assert!(env["REDIS_URL"].contains("127.0.0.1:"), "{env:?}");
    project.succeed(&["env", "--check"]);
    assert_eq!(project.succeed(&["run", "--", "sh", "-c", "echo \"$TICK\""]).stdout, "it's `x`\n");
    let docker = project.succeed(&["env", "--format", "docker"]).stdout;
    assert!(docker.contains("TICK=it's `x`\n"), "{docker}");
}
