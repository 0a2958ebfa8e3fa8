//! No password in a place that others can read, and no port that others can reach.

use crate::client::Url;
use crate::project::{Sandbox, docker};
use std::os::unix::fs::PermissionsExt;

#[test]
fn passwords_are_in_no_label_argument_log_or_message_and_ports_are_loopback_s() {
    let project = Sandbox::new(&[(
        "services.yaml",
        r#"
services:
  db: {kind: postgres, version: "17.12", databases: [shop, audit], users: {app: {}, auditor: {databases: [audit]}}}
  cache: {kind: redis, version: "8.0.2"}
  queue: {kind: rabbitmq, version: "4.0.5"}
variables:
  A: ${db.url}
  B: ${db.users.auditor.url}
  C: ${cache.url}
  D: ${queue.url}
"#,
    )]);
    let up = project.succeed(&["up"]);
    let mut secrets: Vec<String> = project.env().values().map(|url| Url::read(url).password).collect();
    let key = std::fs::read_dir(project.home().join(".local/share/devenv")).unwrap();
    for file in key.flatten().filter(|entry| entry.path().is_file()) {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
        secrets.push(String::from_utf8_lossy(&std::fs::read(file.path()).unwrap()).trim().to_owned());
    }
    for (_, container) in project.containers() {
        let variables = docker(&["inspect", "--format", "{{range .Config.Env}}{{println .}}{{end}}", &container]);
        let of_ours =
            variables.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| name.contains("PASSWORD"));
        secrets.extend(of_ours.map(|(_, value)| value.to_owned()));
    }
    assert!(secrets.len() >= 6 && secrets.iter().all(|secret| secret.len() >= 16), "{}", secrets.len());

    let mut places = vec![("the output of up".to_owned(), format!("{}{}", up.stdout, up.stderr))];
    for command in [
        &["status", "--json"][..],
        &["status"],
        &["plan", "--json"],
        &["doctor"],
        &["manifest", "--json"],
        &["up", "--json"],
        &["logs"],
    ] {
        let outcome = project.run(command);
        places.push((format!("{command:?}"), format!("{}{}", outcome.stdout, outcome.stderr)));
    }
    for (service, container) in project.containers() {
        // Everything except the variables, which only the container's own processes can see.
        for format in [
            "{{json .Config.Labels}}",
            "{{json .Args}} {{.Path}} {{json .Config.Cmd}} {{json .Config.Entrypoint}}",
            "{{json .HostConfig}}",
            "{{json .State}}",
        ] {
            places.push((format!("{format} of {service}"), docker(&["inspect", "--format", format, &container])));
        }
        let arguments = docker(&["top", &container, "-eo", "pid,args"]);
        assert!(arguments.lines().count() > 1, "{arguments}");
        places.push((format!("processes of {service}"), arguments));
        places.push((format!("logs of {service}"), docker(&["logs", &container])));

        let published = docker(&["inspect", "--format", "{{json .NetworkSettings.Ports}}", &container]);
        let ports: serde_json::Value = serde_json::from_str(&published).unwrap();
        let bindings: Vec<_> =
            ports.as_object().unwrap().values().filter_map(|port| port.as_array()).flatten().collect();
        assert_eq!(bindings.len(), 1, "{service}: {ports:#}");
        assert!(bindings[0]["HostIp"].as_str().unwrap().starts_with("127."), "{service}: {ports:#}");
    }
    for volume in project.volumes() {
        places.push((volume.clone(), docker(&["volume", "inspect", &volume])));
    }
    for (place, text) in places {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "a secret is in {place}");
        }
    }
}

#[test]
fn two_machines_have_passwords_of_their_own_and_one_has_the_same_again() {
    let manifest =
        "name: shop\nservices: {cache: {kind: redis, version: \"7.0.15\"}}\nvariables: {REDIS_URL: \"${cache.url}\"}\n";
    let project = Sandbox::new(&[("services.yaml", manifest)]);
    project.succeed(&["up"]);
    let first = project.env();
    project.succeed(&["down", "--volumes", "--yes"]);
    std::fs::remove_file(project.path(".env")).unwrap();
    project.succeed(&["up"]);
    assert_eq!(project.env(), first, "no file is needed to know them again");

    // The key of another machine in the same folder: a second environment beside this one.
    let other = Sandbox::new(&[]);
    let mut elsewhere = project.command(&["env", "--format", "json"]);
    let told = crate::project::Outcome::of(&elsewhere.env("HOME", other.home()).output().unwrap());
    assert_ne!(told.json()["REDIS_URL"], first["REDIS_URL"].as_str());
}

#[test]
fn nothing_in_a_manifest_gives_a_container_rights_over_this_machine() {
    let compose = "services:
  cache:
    image: redis:7.0.15
    privileged: true
    network_mode: host
    pid: host
    ipc: host
    userns_mode: host
    cap_add: [SYS_ADMIN]
    devices: [\"/dev/null:/dev/secret\"]
    security_opt: [\"seccomp:unconfined\"]
    volumes: [\"/etc:/host-etc\", \"/var/run/docker.sock:/var/run/docker.sock\", \"../outside:/out\"]
    env_file: ../outside.env
";
    let project = Sandbox::new(&[("compose.yaml", compose)]);
    std::fs::write(project.path("../outside.env"), "STOLEN=yes\n").unwrap();
    let read = project.succeed(&["manifest", "--json"]);
    assert!(read.stderr.is_empty() && !read.stdout.contains("STOLEN"), "{read:?}");
    let read: serde_json::Value = serde_json::from_str(&read.stdout).unwrap();
    let keys = read["services"][0]["keys"].as_array().unwrap();
    let refused = ["privileged", "network_mode", "pid", "ipc", "userns_mode", "cap_add", "devices", "security_opt"];
    let mounts = ["volumes./host-etc", "volumes./var/run/docker.sock", "volumes./out"];
    for path in refused.into_iter().chain(mounts) {
        assert!(keys.iter().any(|key| key["path"] == path && key["support"] == "unsupported"), "{path}: {keys:?}");
    }

    let up = project.succeed(&["up"]);
    assert!(up.stderr.contains("outside.env` lies outside the project"), "{up:?}");
    let inspected = std::process::Command::new("docker")
        .args(["inspect", "--format", "{{json .HostConfig}}|{{json .Mounts}}", &project.container("cache")])
        .output()
        .unwrap();
    let inspected = String::from_utf8(inspected.stdout).unwrap();
    let (host, mounts) = inspected.split_once('|').unwrap();
    let host: serde_json::Value = serde_json::from_str(host).unwrap();
    assert_eq!(host["Privileged"], false);
    assert_eq!(host["CapAdd"], serde_json::Value::Null);
    assert!(host["Devices"].as_array().is_none_or(Vec::is_empty), "{host}");
    for (name, wrong) in [("NetworkMode", "host"), ("PidMode", "host"), ("IpcMode", "host"), ("UsernsMode", "host")] {
        assert_ne!(host[name], wrong, "{host}");
    }
    let mounts: serde_json::Value = serde_json::from_str(mounts).unwrap();
    assert!(mounts.as_array().unwrap().iter().all(|mount| mount["Type"] == "volume"), "{mounts}");
}
