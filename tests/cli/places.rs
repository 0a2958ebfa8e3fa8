//! Special files in place of a file that a command opens: a FIFO, a device or a socket is refused, and devenv never
//! waits for it.

use crate::limited::run;
use crate::sandbox::Sandbox;
use devenv::manifest;
use devenv::project::Budget;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

const COMPOSE: &str = "services:\n  db:\n    image: postgres:16.4\n    env_file: db.env\n    volumes: \
                       [\"./init:/docker-entrypoint-initdb.d\", \"./p.conf:/etc/postgresql/postgresql.conf\"]\n  web:\n    build: .\n";
const LOCAL: &str = "seeds: {db: [seed.sql, {command: [sh, seed.sh], reads: [more]}]}\nbranch: git\n";

/// Commands that stop when they look for an engine.
const PLAN: &[&str] = &["--host", "unix:///nowhere/engine.sock", "plan"];
const UP: &[&str] = &["--host", "unix:///nowhere/engine.sock", "up", "--trust"];
const FACTS: &str = "production.facts.yaml";

/// Files and folders that commands open, and the commands that open them, in addition to `manifest`.
const PLACES: &[(&str, &[&[&str]])] = &[
    ("compose.yaml", &[&["-f", "compose.yaml", "manifest"]]),
    (".env", &[UP, &["env", "--check"]]),
    (".env.local", &[UP]),
    ("db.env", &[]),
    ("Dockerfile", &[]),
    ("init", &[]),
    ("init/1.sql", &[]),
    ("p.conf", &[]),
    ("services.local.yaml", &[&["pin", "db", "16.4"], UP]),
    ("services.lock", &[&["lock", "--check"], PLAN]),
    ("services.yaml", &[&["init"], &["-f", "services.yaml", "manifest"]]),
    (".devenv", &[]),
    (".devenv/kinds", &[]),
    (".devenv/kinds/own.yaml", &[&["kinds"]]),
    ("Chart.yaml", &[&["-f", "Chart.yaml", "manifest"]]),
    ("chart/values.yaml", &[&["-f", "chart/values.yaml", "manifest"]]),
    ("k8s/db.yaml", &[&["-f", "k8s", "manifest"]]),
    ("k8s/kustomization.yaml", &[&["-f", "k8s", "manifest"]]),
    ("main.tf", &[&["-f", "main.tf", "manifest"]]),
    ("prod.tfvars", &[&["-f", "prod.tfvars", "manifest"]]),
    ("app.json", &[&["-f", "app.json", "manifest"]]),
    ("config/deploy.yml", &[&["-f", "config/deploy.yml", "manifest"]]),
    (".kamal/secrets", &[]),
    (".gitignore", &[UP]),
    (".git", &[PLAN, UP, &["doctor"]]),
    (".git/HEAD", &[PLAN, UP]),
    (".git/config", &[PLAN, UP]),
    ("seed.sql", &[PLAN]),
    ("seed.sh", &[PLAN, &["trust", "--yes"]]),
    ("more", &[PLAN, &["trust", "--yes"]]),
    (FACTS, &[&["pin", "--from-facts", FACTS], &["parity", "--between", FACTS, FACTS]]),
];

/// Files with versions of tools and settings for development, which `parity` reads.
const BESIDE: &[&str] = &[
    ".tool-versions",
    ".nvmrc",
    ".yarnrc.yml",
    "Dockerfile",
    "Gemfile",
    "Gemfile.lock",
    "config/database.yml",
    "config/environments/development.rb",
    "go.mod",
    "manage.py",
    "mise.toml",
    "package.json",
    "pyproject.toml",
    "rust-toolchain.toml",
    "shop/settings.py",
];

/// Puts each kind of file that is not a regular file at the place, and runs `look`.
fn with_each(project: &Sandbox, place: &str, look: impl Fn(&str)) {
    let path = project.path(place);
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
    let removed = || std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir_all(&path));
    let _ = removed();
    assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    look("a FIFO");
    removed().expect("the FIFO");
    symlink("/dev/zero", &path).expect("a link");
    look("a device");
    removed().expect("the link");
    let _listener = UnixListener::bind(&path).expect("a socket");
    look("a socket");
}

#[test]
fn a_fifo_a_device_or_a_socket_in_place_of_any_file_is_refused_and_never_waited_for() {
    for (place, commands) in PLACES {
        let project = Sandbox::new(&[("compose.yaml", COMPOSE), ("services.local.yaml", LOCAL)]);
        for (path, text) in [("seed.sql", "SELECT 1;\n"), ("seed.sh", "exit 0\n"), (".git/HEAD", "ref: refs/heads/a\n")]
        {
            project.write(path, text);
        }
        with_each(&project, place, |what| {
            for arguments in commands.iter().chain([&["manifest"][..]].iter()) {
                let outcome = run(&project, arguments, Stdio::null());
                assert!((0..=7).contains(&outcome.code), "{what} as {place}, {arguments:?}: {outcome:?}");
                let mut told: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
                told.sort_unstable();
                assert!(told.windows(2).all(|two| two[0] != two[1]), "reported twice: {}", outcome.stderr);
            }
        });
    }
}

#[test]
fn a_fifo_a_device_or_a_socket_in_place_of_a_file_beside_the_manifests_is_reported() {
    let compose = "services:\n  db: {image: \"postgres:16.4\"}\n  cache: {image: \"redis:7.2.5\"}\n";
    for place in BESIDE {
        let project = Sandbox::new(&[
            ("compose.yaml", compose),
            ("manage.py", ""),
            ("config/database.yml", "development: {adapter: sqlite3}\n"),
        ]);
        with_each(&project, place, |what| {
            let request = manifest::Request { folder: project.root(), folder_is_root: true, ..Default::default() };
            let (sender, receiver) = channel();
            std::thread::spawn(move || {
                let reading = manifest::read(&request).expect("a manifest");
                let tools = manifest::tools(&reading.root, &Budget::default()).expect("a folder").diagnostics;
                let (_, settings) = manifest::adapters(&reading.root, &reading.stack, &reading.kinds, &reading.budget)
                    .expect("a folder");
                let _ = sender.send([tools, settings].concat());
            });
            let waited = receiver.recv_timeout(Duration::from_secs(120));
            let told = waited.unwrap_or_else(|_| panic!("{what} as {place} is waited for"));
            // devenv looks only at the name of some files and does not open them.
            let named = told.iter().any(|one| one.message.contains(place));
            assert!(
                named || *place == "manage.py" || what == "a device" || *place == "shop/settings.py",
                "{what} as {place}: {told:?}"
            );
        });
    }
}
