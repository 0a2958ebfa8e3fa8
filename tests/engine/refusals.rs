//! The response to bad input: the problem, the place, the reason and the next step; the right exit code; no partial
//! result.

use crate::client::redis;
use crate::project::{Outcome, Sandbox, Tag};
use crate::tiny_registry::{TinyRegistry, Trouble};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;

const REDIS: &str =
    "services:\n  cache: {kind: redis, version: \"7.0.15\"}\nvariables: {REDIS_URL: \"${cache.url}\"}\n";

/// Every part is in the message, no variables were written, and the engine has only the resources that the user needs
/// to investigate.
fn said(project: &Sandbox, outcome: &Outcome, parts: &[&str]) {
    for part in parts.iter().chain(&["error: ", "help: "]) {
        assert!(outcome.stderr.contains(part), "`{part}` is not said: {}", outcome.stderr);
    }
    assert_eq!(outcome.stdout, "");
    assert!(!project.path(".env").exists(), "variables were written");
}

#[test]
fn a_port_that_the_user_set_and_another_process_has_is_named_with_that_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let project = Sandbox::new(&[
        ("services.yaml", REDIS),
        ("services.local.yaml", &format!("services:\n  cache:\n    port: {port}\n")),
    ]);
    let process = format!("(process {})", std::process::id());
    for command in ["plan", "up"] {
        let outcome = project.fail(1, &[command]);
        said(&project, &outcome, &[&format!("port {port}"), &process, "services.local.yaml:3:11", "cache"]);
    }
    assert_eq!(project.on_the_engine(), Vec::<String>::new());

    // A free port is taken and kept, and a second environment that wants the port gets its name.
    drop(listener);
    project.succeed(&["up"]);
    project.succeed(&["up"]);
    assert!(project.env()["REDIS_URL"].contains(&format!("127.0.0.1:{port}/")), "{:?}", project.env());
    let other = Sandbox::new(&[
        ("services.yaml", REDIS),
        ("services.local.yaml", &format!("services:\n  cache:\n    port: {port}\n")),
    ]);
    let outcome = other.fail(1, &["up"]);
    let root = project.root().canonicalize().unwrap().display().to_string();
    said(&other, &outcome, &["-cache", &format!("`devenv down` in {root}")]);
}

#[test]
fn an_old_engine_and_a_forbidden_socket_are_distinguished_from_a_missing_engine() {
    let project = Sandbox::new(&[("services.yaml", REDIS)]);
    let socket = project.path("../old.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.read(&mut [0; 4096]);
            let body =
                r#"{"Version":"18.09.9","ApiVersion":"1.39","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}"#;
            let head = "HTTP/1.1 200 OK\r\nApi-Version: 1.39\r\nOstype: linux\r\nServer: Docker/18.09.9 (linux)\r\n";
            let rest = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = client.write_all(format!("{head}{rest}").as_bytes());
        }
    });
    let host = format!("unix://{}", socket.display());
    for command in ["up", "status"] {
        let outcome = project.fail(4, &[command, "--host", &host]);
        said(&project, &outcome, &["18.09.9", "too old", "--host", "upgrade the engine"]);
    }

    // A socket that this user may not open. Root may open any socket, so the program then runs as the user `nobody`.
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o0)).unwrap();
    let program = project.path("../devenv");
    std::fs::copy(env!("CARGO_BIN_EXE_devenv"), &program).unwrap();
    let home = project.path("../home-of-nobody");
    std::fs::create_dir(&home).unwrap();
    for open in [project.path(".."), home.clone()] {
        std::fs::set_permissions(open, PermissionsExt::from_mode(0o777)).unwrap();
    }
    let mut command = std::process::Command::new(program);
    command.args(["up", "--host", &host]).current_dir(project.root()).env_clear().env("HOME", home);
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(65_534);
    }
    let outcome = Outcome::of(&command.output().unwrap());
    assert_eq!(outcome.code, 4, "{outcome:?}");
    said(&project, &outcome, &["may not", "usermod -aG docker"]);

    let outcome = project.fail(4, &["up", "--host", "unix:///nowhere/docker.sock"]);
    said(&project, &outcome, &["/nowhere/docker.sock", "no such socket"]);
    let outcome = project.fail(4, &["up", "--host", "tcp://db.example.com:2376"]);
    said(&project, &outcome, &["another machine"]);
}

#[test]
fn an_unavailable_image_is_reported_with_the_registry_s_reason() {
    for (trouble, parts) in [
        (Trouble::ManifestStatus(404), &["there is no image", "docker login"][..]),
        (Trouble::Login("Basic nobody"), &["refuses access to", "docker login"]),
        (Trouble::ManifestStatus(429), &["limits the number of requests", "tried 4 times"]),
        (Trouble::ManifestStatus(500), &["the registry failed", "tried 4 times"]),
        (Trouble::LayerOfOtherBytes, &["arrived incomplete"]),
    ] {
        let project = Sandbox::new(&[("services.yaml", &REDIS.replace("7.0.15", "7.0.404"))]);
        let registry = TinyRegistry::with_trouble(&format!("trouble-{trouble:?}"), trouble.clone(), usize::MAX);
        let mut command = project.command(&["up"]);
        let outcome = Outcome::of(&command.env("DEVENV_REGISTRY_MIRROR", &registry.address).output().unwrap());
        assert_eq!(outcome.code, 5, "{trouble:?}: {outcome:?}");
        said(&project, &outcome, &[&["redis:7.0.404", "services.yaml:2:", &registry.address], parts].concat());
        assert!(project.containers().is_empty(), "{trouble:?}");
    }
}

#[test]
fn an_image_that_the_engine_lacks_comes_from_the_mirror_and_runs() {
    let project = Sandbox::new(&[("services.yaml", &REDIS.replace("7.0.15", "7.0.99"))]);
    let registry = crate::real_registry::RealRegistry::start(&project);
    registry.push("redis:7.0.15", "redis:7.0.99");
    let store = registry.push("redis:7.0.15", "store:1.0.0");
    project.write("services.local.yaml", &format!("include: {{store: {{image: \"{store}\", port: 6379}}}}\n"));

    let mut command = project.command(&["up"]);
    let mirror = registry.address();
    let outcome = Outcome::of(&command.env("DEVENV_REGISTRY_MIRROR", &mirror).output().unwrap());
    let _names = [Named("redis:7.0.99".to_owned()), Named(store)];
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stderr.contains("pulled"), "{outcome:?}");
    assert_eq!(redis(&project.env()["REDIS_URL"], &["PING"]), ["PONG"]);
    let status = project.succeed(&["status", "--json"]).json();
    assert!(status["services"][0]["image"].as_str().unwrap().ends_with("redis:7.0.99"), "{status:#}");
    // The volumes that an image of no known kind declares are known only after the image is on the engine.
    let mounts = crate::project::docker(&[
        "inspect",
        "--format",
        "{{range .Mounts}}{{.Name}} {{end}}",
        &project.container("store"),
    ]);
    assert!(project.volumes().contains(&mounts.trim().to_owned()), "{mounts}");
    // The image is local now: devenv asks no registry.
    drop(registry);
    let before = project.containers();
    project.succeed(&["up"]);
    assert_eq!(project.containers(), before);
    project.succeed(&["down"]);
    let again = project.succeed(&["up"]);
    assert!(again.stderr.contains("local image"), "{again:?}");
    project.succeed(&["down", "--volumes", "--yes"]);
}

/// A name of an image that is removed at the end.
struct Named(String);

impl Drop for Named {
    fn drop(&mut self) {
        crate::project::docker(&["rmi", "--no-prune", "--force", &self.0]);
    }
}

#[test]
fn a_setting_that_the_server_refuses_is_pointed_at_at_once() {
    for (service, setting, words) in [
        ("kind: postgres, version: \"17.12\"", "no_such_setting: 1", "unrecognized configuration parameter"),
        ("kind: postgres, version: \"15.18\"", "max_connections: many", "max_connections"),
        ("kind: redis, version: \"7.0.15\"", "maxmemory-policy: nonsense", "FATAL CONFIG FILE ERROR"),
    ] {
        let manifest =
            format!("services:\n  it:\n    {}\n    settings:\n      {setting}\n", service.replace(", ", "\n    "));
        let project = Sandbox::new(&[("services.yaml", &manifest)]);
        // A run that waits for the timeout would last longer than the test waits.
        let ended = project.spawn(&["up", "--timeout", "10m"]).end();
        assert_eq!(ended.code, 1, "{ended:?}");
        let name = setting.split(':').next().unwrap();
        said(
            &project,
            &ended,
            &[
                "it stopped",
                "exit code 1",
                words,
                &format!("6 |       {setting}"),
                &format!("names `{name}`"),
                "devenv logs it",
            ],
        );
        // After the fix, `up` succeeds.
        project.write("services.yaml", &manifest.replace(&format!("    settings:\n      {setting}\n"), ""));
        project.succeed(&["up"]);
    }
}

#[test]
fn a_container_that_exits_and_one_that_never_answers_get_different_messages() {
    let image = Tag::of("redis:7.0.15", "quiet", "1.0");
    let compose =
        |script: &str| format!("services:\n  job:\n    image: \"{}\"\n    command: [sh, -c, '{script}']\n", image.0);
    let project = Sandbox::new(&[
        ("compose.yaml", &compose("echo last words; exit 3")),
        ("services.local.yaml", "include: {job: {port: 4000}}\n"),
    ]);
    let ended = project.spawn(&["up", "--timeout", "10m"]).end();
    assert_eq!(ended.code, 1, "{ended:?}");
    said(&project, &ended, &["job stopped", "exit code 3", "last words", "compose.yaml:2:"]);

    project.write("compose.yaml", &compose("echo still here; trap \"exit 0\" TERM; sleep 600 & wait"));
    let outcome = project.fail(6, &["up", "--timeout", "1s"]);
    said(
        &project,
        &outcome,
        &["job was not ready within 1 s", "the last try", "still here", "--timeout", "compose.yaml:2:"],
    );

    // Twenty lines are enough; they are the last lines of the log.
    project.write("compose.yaml", &compose("for i in $$(seq 50); do echo line-$$i-; done; exit 4"));
    let outcome = project.fail(1, &["up"]);
    assert!(outcome.stderr.contains("line-50-") && outcome.stderr.contains("line-31-"), "{outcome:?}");
    assert!(!outcome.stderr.contains("line-30-"), "{outcome:?}");
}

#[test]
fn an_extension_that_the_image_lacks_is_pointed_at() {
    let project = Sandbox::new(&[(
        "services.yaml",
        "services:\n  db: {kind: postgres, version: \"17.12\", extensions: [pg_trgm, no_such_thing]}\n",
    )]);
    let outcome = project.fail(1, &["up"]);
    said(&project, &outcome, &["no_such_thing", "declared here", "postgres:17.12"]);
    project.write("services.yaml", &project.read("services.yaml").replace(", no_such_thing", ""));
    project.succeed(&["up"]);
}
