//! A real registry on loopback, as companies run it: its images, and the effect of wrong answers on a lock.

use crate::client::redis;
use crate::project::{Outcome, Running, Sandbox, docker, wait_until};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

/// A registry that runs until it is dropped.
pub(crate) struct RealRegistry {
    port: u16,
    folder: PathBuf,
    _running: Running,
}

impl RealRegistry {
    /// Starts the registry with its data in a folder next to the project.
    pub(crate) fn start(project: &Sandbox) -> Self {
        let (port, folder) = (crate::sandbox::free_port(), project.path("../registry"));
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images/registry");
        let mut serve = std::process::Command::new(script);
        serve.args([&port.to_string(), &folder.display().to_string()]);
        let running = Running::start(&mut serve);
        wait_until("the registry answers", || running.stdout().contains("ready"));
        Self { port, folder, _running: running }
    }

    /// `127.0.0.1:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Pushes an image of the engine as `library/NAME`; returns its full name, which the engine no longer has.
    pub(crate) fn push(&self, image: &str, name: &str) -> String {
        let pushed = format!("{}/library/{name}", self.address());
        docker(&["tag", image, &pushed]);
        let push = std::process::Command::new("docker").args(["push", "--quiet", &pushed]).output().unwrap();
        assert!(push.status.success(), "{push:?}");
        docker(&["rmi", "--no-prune", &pushed]);
        pushed
    }

    /// Sends one request; returns the head and the body of the answer.
    fn ask(&self, method: &str, path: &str, kind: &str, body: &str) -> (String, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nAccept: {MANIFEST}\r\n", self.address());
        let rest = format!("Content-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(format!("{head}{rest}").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// The digest and the manifest of a tag.
    fn manifest(&self, name: &str, tag: &str) -> (String, String) {
        let (head, body) = self.ask("GET", &format!("/v2/library/{name}/manifests/{tag}"), MANIFEST, "");
        let digest = head.lines().find_map(|line| line.strip_prefix("Docker-Content-Digest: ")).unwrap();
        (digest.to_owned(), body)
    }

    /// The file of the content with that digest.
    fn bytes_of(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        self.folder.join(format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
    }
}

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Names and digests of an image on the engine; they are removed at the end.
struct Named(Vec<String>);

impl Drop for Named {
    fn drop(&mut self) {
        for name in &self.0 {
            docker(&["rmi", "--no-prune", "--force", name]);
        }
    }
}

fn cache_of(project: &Sandbox, image: &str) {
    project.write("compose.yaml", &format!("services:\n  cache:\n    image: \"{image}\"\n"));
    project.write("services.local.yaml", "variables: {REDIS_URL: \"${cache.url}\"}\n");
}

#[test]
fn a_locked_image_is_pulled_and_runs_although_its_tag_moved() {
    let project = Sandbox::new(&[]);
    let registry = RealRegistry::start(&project);
    let image = registry.push("redis:7.0.15", "redis:7.0");
    let (digest, _) = registry.manifest("redis", "7.0");
    let pinned = format!("{}@{digest}", image.trim_end_matches(":7.0"));
    let _names = Named(vec![image.clone(), pinned.clone()]);
    cache_of(&project, &image);
    project.succeed(&["lock"]);
    let lock = project.read("services.lock");
    assert_eq!(lock.matches(&digest).count(), 2, "as the digest, and as that of its one platform: {lock}");

    registry.push("redis:8.0.2", "redis:7.0");
    let (moved, _) = registry.manifest("redis", "7.0");
    assert_ne!(moved, digest);
    let up = project.succeed(&["up", "--locked"]);
    for part in [&digest, &moved, "is another image now", "devenv update cache"] {
        assert!(up.stderr.contains(part), "{part}: {}", up.stderr);
    }
    assert_eq!(project.read("services.lock"), lock, "up never moves it");
    assert!(redis(&project.env()["REDIS_URL"], &["INFO", "server"]).concat().contains("redis_version:7.0.15"));
    let update = project.succeed(&["update"]);
    assert!(update.stderr.contains(&digest[..19]) && update.stderr.contains(&moved[..19]), "{}", update.stderr);
    project.succeed(&["down", "--volumes", "--yes"]);
}

#[test]
fn bytes_that_are_not_those_of_the_locked_digest_are_refused() {
    let project = Sandbox::new(&[]);
    let registry = RealRegistry::start(&project);
    // An engine that already has a manifest with this digest does not ask for it, so the test uses an image of its own.
    let _made = crate::bundle::Made::of("redis:7.0.15", "broken-into-redis:7.0");
    let image = registry.push("broken-into-redis:7.0", "redis:7.0");
    let (digest, manifest) = registry.manifest("redis", "7.0");
    let _names = Named(vec![image.clone(), format!("{}@{digest}", image.trim_end_matches(":7.0"))]);
    cache_of(&project, &image);
    project.succeed(&["lock"]);
    // The same structure with other bytes, as an attacker who controls the registry could serve.
    fs::write(registry.bytes_of(&digest), manifest.replace('{', " {")).unwrap();
    let refused = project.fail(5, &["up", "--locked"]);
    assert!(refused.stderr.contains(&digest) && refused.stderr.contains("compose.yaml:3"), "{}", refused.stderr);
    assert!(project.containers().is_empty());
    fs::remove_file(project.path("services.lock")).unwrap();
    let refused = project.fail(5, &["lock"]);
    assert!(refused.stderr.contains("compose.yaml:3") && refused.stderr.contains("redis:7.0"), "{}", refused.stderr);
    assert!(!project.path("services.lock").exists());
}

#[test]
fn a_changed_index_is_reported_and_one_without_the_platform_is_refused() {
    let project = Sandbox::new(&[]);
    let registry = RealRegistry::start(&project);
    let image = registry.push("redis:7.0.15", "redis:7.0");
    let (manifest, text) = registry.manifest("redis", "7.0");
    let index = |platforms: &[(&str, &str)]| {
        let all: Vec<String> = platforms
            .iter()
            .map(|(processor, digest)| {
                let size = text.len();
                format!(
                    r#"{{"mediaType":"{MANIFEST}","size":{size},"digest":"{digest}","platform":{{"architecture":"{processor}","os":"linux"}}}}"#
                )
            })
            .collect();
        let text = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, all.join(","));
        let (head, body) = registry.ask("PUT", "/v2/library/redis/manifests/7.0", INDEX, &text);
        assert!(head.starts_with("HTTP/1.1 201"), "{head} {body}");
        head.lines().find_map(|line| line.strip_prefix("Docker-Content-Digest: ")).unwrap().to_owned()
    };
    let own = crate::tiny_registry::PROCESSOR;
    cache_of(&project, &image);
    let first = index(&[(own, &manifest)]);
    project.succeed(&["lock"]);
    let lock = project.read("services.lock");
    assert!(lock.contains(&format!("digest: \"{first}\"")), "{lock}");
    assert!(lock.contains(&format!("\"linux/{own}\": \"{manifest}\"")), "{lock}");

    let second = index(&[(own, &manifest), ("riscv64", &manifest)]);
    let _names = Named(vec![image.clone(), format!("{}@{first}", image.trim_end_matches(":7.0"))]);
    let up = Outcome::of(&project.command(&["up", "--locked"]).output().unwrap());
    assert_eq!(up.code, 0, "{up:?}");
    assert!(up.stderr.contains(&first) && up.stderr.contains(&second), "{}", up.stderr);
    project.succeed(&["down", "--volumes", "--yes"]);

    let third = index(&[("riscv64", &manifest)]);
    let refused = project.fail(5, &["update"]);
    for part in ["is not made for", "linux/riscv64", &third, "compose.yaml:3"] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert_eq!(project.read("services.lock"), lock);
}
