//! Single operations on the engine.

use crate::sandbox::{Sandbox, docker, engine, free_port};
use devenv::docker::{Engine, EngineFault, ExecRequest, Streams};
use devenv::model::{
    ContainerRole, ContainerSpec, File, FileContent, ImageRef, Mount, Publish, Secret, ServiceContainer,
};
use futures_util::stream::{self, StreamExt as _};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A small image that every machine with the test images has.
const IMAGE: &str = "redis:7.0";

/// A container of the sandbox that does nothing yet.
pub(crate) fn spec(sandbox: &Sandbox, service: &str, image: ImageRef) -> ContainerSpec {
    let runs = ServiceContainer { service: service.to_owned(), ..ServiceContainer::default() };
    ContainerSpec {
        name: sandbox.named(service),
        image,
        platform: None,
        environment: Vec::new(),
        command: vec!["true".to_owned()],
        entrypoint: Some(Vec::new()),
        hostname: service.to_owned(),
        mounts: Vec::new(),
        pinned_volumes: Vec::new(),
        files: Vec::new(),
        publish: Vec::new(),
        network: "bridge".to_owned(),
        aliases: Vec::new(),
        scope: sandbox.scope(),
        role: ContainerRole::Service(runs),
        stop_signal: None,
        grace: Duration::from_secs(10),
    }
}

/// A container that runs a shell script.
fn script(sandbox: &Sandbox, service: &str, text: &str) -> ContainerSpec {
    let entrypoint = ["sh", "-c", text].map(str::to_owned).to_vec();
    ContainerSpec {
        entrypoint: Some(entrypoint),
        command: Vec::new(),
        ..spec(sandbox, service, ImageRef::parse(IMAGE).unwrap())
    }
}

async fn started(engine: &Engine, spec: &ContainerSpec) -> String {
    let id = engine
        .create_container(spec)
        .await
        .unwrap_or_else(|error| panic!("{error} (tests/images/build makes {IMAGE})"));
    engine.start(&id).await.unwrap();
    id
}

/// Runs a command; returns its exit code, standard output and standard error.
async fn exec(engine: &Engine, id: &str, command: &[&str], input: &[u8], tty: bool) -> (i64, Vec<u8>, Vec<u8>) {
    let request = ExecRequest {
        command: command.iter().map(|&word| word.to_owned()).collect(),
        environment: vec![("PHRASE".to_owned(), Secret::new("hello"))],
        tty,
    };
    let (mut output, mut error) = (Vec::new(), Vec::new());
    let streams = Streams {
        input: stream::iter(input.chunks(1000).map(<[u8]>::to_vec).collect::<Vec<_>>()),
        output: &mut output,
        error: &mut error,
        sizes: stream::iter([(123, 45)]),
    };
    let code = engine.exec(id, &request, streams).await.unwrap();
    (code, output, error)
}

#[tokio::test]
async fn created_resources_are_observed_with_their_labels_ports_and_volumes() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let (volume, network, port) = (sandbox.named("data"), sandbox.named("net"), free_port());
    engine.create_volume(&sandbox.volume(&volume)).await.unwrap();
    let network_id = engine.create_network(&network, &sandbox.scope()).await.unwrap();
    let publish = Publish { container_port: 6379, host_ip: [127, 0, 0, 1].into(), host_port: port };
    let spec = ContainerSpec {
        mounts: vec![Mount { volume: volume.clone(), target: "/data".to_owned() }],
        publish: vec![publish],
        network: network.clone(),
        aliases: vec!["cache".to_owned()],
        ..script(&sandbox, "cache", "exec sleep 600")
    };
    let id = started(&engine, &spec).await;

    let image = ImageRef::parse(IMAGE).unwrap();
    let absent = ImageRef::parse("devenv-test/absent:1").unwrap();
    let observed = engine.observe(&[image.clone(), absent.clone()]).await.unwrap();
    let container = observed.containers.iter().find(|container| container.id == id).unwrap();
    assert_eq!((container.name.as_str(), container.state.as_str()), (spec.name.as_str(), "running"));
    assert_eq!((container.service(), container.scope.environment.as_str()), ("cache", sandbox.name()));
    assert_eq!(
        (container.publish.as_slice(), container.volumes.as_slice()),
        ([publish].as_slice(), [volume.clone()].as_slice())
    );
    assert!(observed.volumes.iter().any(|seen| seen.name == volume && seen.scope.environment == sandbox.name()));
    assert!(observed.networks.iter().any(|seen| seen.id == network_id && seen.name == network));
    assert_eq!(observed.images[&image.to_string()].id, container.image_id);
    assert!(!observed.images.contains_key(&absent.to_string()));
    assert_eq!(observed.platform, engine.platform());

    engine.stop(&id, Some(Duration::ZERO)).await.unwrap();
    let observed = engine.observe(&[]).await.unwrap();
    assert_eq!(observed.containers.iter().find(|container| container.id == id).unwrap().state, "exited");
}

#[tokio::test]
async fn nothing_of_others_is_observed() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let mut spec = script(&sandbox, "other", "true");
    spec.scope.root.clear();
    let id = engine.create_container(&spec).await.unwrap();
    assert!(engine.observe(&[]).await.unwrap().containers.iter().all(|container| container.id != id));
}

#[tokio::test]
async fn files_are_there_before_the_first_start_and_folders_keep_their_modes() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let file = |path: &str, mode, text: &str| File {
        path: path.to_owned(),
        mode,
        content: FileContent(text.as_bytes().to_vec()),
    };
    let spec = ContainerSpec {
        files: vec![file("/etc/devenv/deep/a.conf", 0o640, "first"), file("/tmp/b", 0o755, "second")],
        ..script(
            &sandbox,
            "db",
            "cat /etc/devenv/deep/a.conf /tmp/b; echo; stat -c '%a %U %n' /etc/devenv/deep/a.conf /tmp/b /etc/devenv/deep /tmp /etc",
        )
    };
    let id = started(&engine, &spec).await;
    assert_eq!(engine.wait_exit(&id).await.unwrap(), 0);
    let expected = [
        "firstsecond",
        "640 root /etc/devenv/deep/a.conf",
        "755 root /tmp/b",
        "755 root /etc/devenv/deep",
        "1777 root /tmp",
        "755 root /etc",
    ];
    assert_eq!(engine.log_tail(&id, 20).await.unwrap(), expected);
}

#[tokio::test]
async fn files_go_into_a_mounted_volume_too() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let volume = sandbox.named("data");
    engine.create_volume(&sandbox.volume(&volume)).await.unwrap();
    let content = FileContent(b"kept".to_vec());
    let spec = ContainerSpec {
        mounts: vec![Mount { volume: volume.clone(), target: "/srv/data".to_owned() }],
        files: vec![File { path: "/srv/data/sub/file".to_owned(), mode: 0o644, content }],
        ..script(&sandbox, "one", "true")
    };
    let id = engine.create_container(&spec).await.unwrap();
    engine.remove_container(&id).await.unwrap();
    let spec = ContainerSpec { files: Vec::new(), ..spec };
    let reader = ContainerSpec { entrypoint: Some(vec!["cat".into(), "/srv/data/sub/file".into()]), ..spec };
    let id = started(&engine, &reader).await;
    assert_eq!(engine.wait_exit(&id).await.unwrap(), 0);
    assert_eq!(engine.log_tail(&id, 5).await.unwrap(), ["kept"]);
}

#[tokio::test]
async fn removing_a_container_keeps_named_volumes_and_takes_anonymous_ones() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let volume = sandbox.named("data");
    engine.create_volume(&sandbox.volume(&volume)).await.unwrap();
    let image = ImageRef::parse(IMAGE).unwrap();
    let declared = engine.local_image(&image).await.unwrap().unwrap().volumes;
    assert_eq!(declared, ["/data"], "this test needs an image that declares a volume");
    // Mount a volume at another path, so that the declared volume is anonymous.
    let spec = ContainerSpec {
        mounts: vec![Mount { volume: volume.clone(), target: "/elsewhere".to_owned() }],
        ..script(&sandbox, "db", "exec sleep 600")
    };
    let id = started(&engine, &spec).await;
    let mounted = docker(["container", "inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", &id]);
    let anonymous = mounted.split_whitespace().find(|name| *name != volume).unwrap().to_owned();

    engine.remove_container(&id).await.unwrap();
    let volumes = docker(["volume", "ls", "--quiet"]);
    assert!(volumes.lines().any(|name| name == volume));
    assert!(!volumes.lines().any(|name| name == anonymous));
    assert_eq!(engine.container_state(&id).await.unwrap_err().kind, EngineFault::NotFound);
}

#[tokio::test]
async fn missing_resources_count_as_stopped_and_removed() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let absent = sandbox.named("absent");
    engine.stop(&absent, Some(Duration::from_secs(1))).await.unwrap();
    engine.remove_container(&absent).await.unwrap();
    engine.remove_network(&absent).await.unwrap();
    engine.remove_volume(&absent).await.unwrap();
    assert!(engine.start(&absent).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_volume_in_use_is_not_removed() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let volume = sandbox.named("data");
    engine.create_volume(&sandbox.volume(&volume)).await.unwrap();
    let mounts = vec![Mount { volume: volume.clone(), target: "/srv".to_owned() }];
    let id = engine.create_container(&ContainerSpec { mounts, ..script(&sandbox, "db", "true") }).await.unwrap();
    assert_eq!(engine.remove_volume(&volume).await.unwrap_err().kind, EngineFault::Conflict);
    engine.remove_container(&id).await.unwrap();
    engine.remove_volume(&volume).await.unwrap();
}

#[tokio::test]
async fn a_second_network_or_container_of_a_name_is_a_conflict() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let network = sandbox.named("net");
    engine.create_network(&network, &sandbox.scope()).await.unwrap();
    let error = engine.create_network(&network, &sandbox.scope()).await.unwrap_err();
    assert_eq!(error.kind, EngineFault::Conflict);
    let spec = script(&sandbox, "db", "true");
    engine.create_container(&spec).await.unwrap();
    assert_eq!(engine.create_container(&spec).await.unwrap_err().kind, EngineFault::Conflict);
}

#[tokio::test]
async fn of_several_networks_of_a_name_one_is_left() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let network = sandbox.named("net");
    let named = || docker(["network", "ls", "--quiet", "--no-trunc", "--filter", &format!("name={network}")]);
    for _ in 0..2 {
        // Docker's command line asks old engines to refuse a second network with the name; the API does not.
        let body = format!(r#"{{"Name":"{network}","Labels":{{"dev.devenv.environment":"{}"}}}}"#, sandbox.name());
        raw_post("/networks/create", &body);
    }
    if named().lines().count() == 1 {
        // A current engine does not create a second network.
        let error = engine.create_network(&network, &sandbox.scope()).await.unwrap_err();
        assert_eq!(error.kind, EngineFault::Conflict);
        return;
    }
    let left = engine.create_network(&network, &sandbox.scope()).await.unwrap();
    assert_eq!(named().trim(), left);
}

/// Sends a request to the engine's socket, without devenv's client.
fn raw_post(path: &str, body: &str) {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let mut engine = UnixStream::connect(crate::engine_proxy::engine_socket()).unwrap();
    engine.write_all(head.as_bytes()).unwrap();
    engine.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    engine.read_to_string(&mut answer).unwrap();
}

#[tokio::test]
async fn a_port_that_another_program_has_is_reported() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host_port = listener.local_addr().unwrap().port();
    let publish = vec![Publish { container_port: 6379, host_ip: [127, 0, 0, 1].into(), host_port }];
    let spec = ContainerSpec { publish, ..script(&sandbox, "cache", "exec sleep 600") };
    let id = engine.create_container(&spec).await.unwrap();
    let error = engine.start(&id).await.unwrap_err();
    assert_eq!(error.kind, EngineFault::PortTaken, "{error}");
}

#[tokio::test]
async fn a_published_port_is_reached_on_a_loopback_address_of_its_own() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let (host_ip, host_port) = ([127, 88, 3, 7], free_port());
    let publish = vec![Publish { container_port: 6379, host_ip: host_ip.into(), host_port }];
    let image = ImageRef::parse(IMAGE).unwrap();
    let served = ContainerSpec { entrypoint: None, command: Vec::new(), publish, ..spec(&sandbox, "cache", image) };
    started(&engine, &served).await;
    TcpStream::connect((std::net::Ipv4Addr::from(host_ip), host_port)).unwrap();
    assert!(TcpStream::connect(("127.0.0.1", host_port)).is_err());
}

#[tokio::test]
async fn a_container_that_ends_tells_its_exit_code_and_last_lines() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let spec = script(&sandbox, "db", "for n in 1 2 3 4 5; do echo line $n; done; echo to stderr >&2; exit 3");
    let id = started(&engine, &spec).await;
    assert_eq!(engine.wait_exit(&id).await.unwrap(), 3);
    let state = engine.container_state(&id).await.unwrap();
    assert_eq!((state.status.as_str(), state.running, state.exit_code), ("exited", false, 3));
    let all = engine.log_tail(&id, 20).await.unwrap();
    assert_eq!(all.len(), 6);
    assert!(all.contains(&"to stderr".to_owned()) && all.contains(&"line 1".to_owned()), "{all:?}");
    assert_eq!(engine.log_tail(&id, 2).await.unwrap(), all[4..]);
}

#[tokio::test]
async fn a_clean_stop_gives_the_server_its_signal_and_time() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let spec = ContainerSpec {
        stop_signal: Some("SIGINT".to_owned()),
        ..script(&sandbox, "db", "trap 'echo stopping; exit 0' INT; echo up; while :; do sleep 0.05; done")
    };
    let id = started(&engine, &spec).await;
    let mut lines = engine.further_logs(&[("db".to_owned(), id.clone())], &BTreeMap::new());
    let first = lines.next().await.unwrap().unwrap();
    assert_eq!((first.service.as_str(), first.text.as_str(), first.on_stderr), ("db", "up", false));
    engine.stop(&id, None).await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap().text, "stopping");
    assert!(lines.next().await.is_none(), "the log ends with its container");
    assert_eq!(engine.wait_exit(&id).await.unwrap(), 0);
}

#[tokio::test]
async fn logs_of_several_services_come_with_their_names_in_order_of_time() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let mut containers = Vec::new();
    for service in ["one", "two"] {
        let id = started(&engine, &script(&sandbox, service, &format!("echo I am {service}"))).await;
        engine.wait_exit(&id).await.unwrap();
        containers.push((service.to_owned(), id));
    }
    let lines: Vec<_> = engine.logs(&containers, None).map(|line| line.unwrap()).collect().await;
    assert!(lines.iter().all(|line| line.time.len() > 20), "{lines:?}");
    let texts: Vec<_> = lines.into_iter().map(|line| (line.service, line.text)).collect();
    assert_eq!(texts, [("one".into(), "I am one".into()), ("two".into(), "I am two".into())]);
}

#[tokio::test]
async fn a_command_gets_its_input_and_gives_output_and_exit_code_byte_for_byte() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let id = started(&engine, &script(&sandbox, "db", "exec sleep 600")).await;
    let input: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let (code, output, error) = exec(&engine, &id, &["sh", "-c", "cat; echo $PHRASE >&2; exit 7"], &input, false).await;
    assert_eq!((code, String::from_utf8_lossy(&error).as_ref()), (7, "hello\n"));
    assert!(output == input, "{} bytes of {}", output.len(), input.len());
}

#[tokio::test]
async fn a_command_with_a_terminal_sees_its_size() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let id = started(&engine, &script(&sandbox, "db", "exec sleep 600")).await;
    let wait_for_size = "test -t 0 || exit 9; until [ \"$(stty size)\" = '45 123' ]; do sleep 0.05; done; echo sized";
    let (code, output, error) = exec(&engine, &id, &["sh", "-c", wait_for_size], b"", true).await;
    assert_eq!((code, String::from_utf8_lossy(&output).as_ref(), error.len()), (0, "sized\r\n", 0));
}

#[tokio::test]
async fn a_program_that_is_missing_in_the_container_is_reported() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let id = started(&engine, &script(&sandbox, "db", "exec sleep 600")).await;
    let (code, output, _) = exec(&engine, &id, &["not-there"], b"", false).await;
    assert_eq!(code, 126, "{}", String::from_utf8_lossy(&output));
}

#[tokio::test]
async fn no_fault_of_the_engine_holds_a_secret() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    let secret = "correct-horse-battery";
    let faulty = ContainerSpec {
        environment: vec![("POSTGRES_PASSWORD".to_owned(), Secret::new(secret))],
        files: vec![File { path: "/etc/x".into(), mode: 0o600, content: FileContent(secret.as_bytes().to_vec()) }],
        entrypoint: Some(vec!["/no/such/program".to_owned()]),
        ..script(&sandbox, "db", "")
    };
    let id = engine.create_container(&faulty).await.unwrap();
    let mut texts = vec![engine.start(&id).await.unwrap_err().to_string()];
    for broken in [
        ContainerSpec { name: sandbox.named("network"), network: sandbox.named("absent"), ..faulty.clone() },
        ContainerSpec {
            name: sandbox.named("image"),
            image: ImageRef::parse("devenv-test/absent:1").unwrap(),
            ..faulty.clone()
        },
        ContainerSpec { name: sandbox.named("signal"), stop_signal: Some("SIGNONSENSE".into()), ..faulty.clone() },
        ContainerSpec { name: sandbox.named("label"), hostname: "not a host name".into(), ..faulty.clone() },
        ContainerSpec { name: "not a name".into(), ..faulty.clone() },
    ] {
        match engine.create_container(&broken).await {
            Err(error) => texts.push(error.to_string()),
            Ok(id) => texts.push(engine.start(&id).await.unwrap_err().to_string()),
        }
    }
    assert_eq!(texts.len(), 6);
    assert!(texts.iter().all(|text| !text.contains(secret)), "{texts:#?}");
    assert!(!format!("{faulty:?}").contains(secret));
}

#[tokio::test]
async fn a_container_whose_files_cannot_be_put_in_is_not_left_behind() {
    let (sandbox, engine) = (Sandbox::new(), engine().await);
    // A file in place of a folder.
    let content = FileContent(Vec::new());
    let spec = ContainerSpec {
        files: vec![File { path: "/etc/passwd/below".into(), mode: 0o644, content }],
        ..script(&sandbox, "db", "true")
    };
    let error = engine.create_container(&spec).await.unwrap_err();
    assert!(error.operation.starts_with("put files into"), "{error}");
    let observed = engine.observe(&[]).await.unwrap();
    assert!(observed.containers.iter().all(|container| container.name != spec.name));
}

#[tokio::test]
async fn the_engine_reports_its_facts() {
    let engine = engine().await;
    let facts = engine.facts().await.unwrap();
    assert_eq!(facts.version, docker(["version", "--format", "{{.Server.Version}}"]).trim());
    assert_eq!(facts.storage_driver, docker(["info", "--format", "{{.Driver}}"]).trim());
    assert!(facts.platform.starts_with("linux/") && facts.memory > 0 && facts.processors > 0, "{facts:?}");
}
