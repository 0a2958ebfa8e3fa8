//! One real server in a container, for as long as a test needs it.

use devenv::model::{Endpoint, Protocol, Secret};
use devenv::protocol::{Fault, Proof, prove};
use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The time that a server may take to start on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// A running container with its port published on loopback; dropping it removes the container with its volumes.
pub(crate) struct Server {
    name: String,
    protocol: Protocol,
    port: u16,
}

impl Server {
    /// Starts an image: variables, arguments, and files as `(path in the container, content)`.
    pub(crate) fn start(
        (image, protocol, port): (&str, Protocol, u16),
        variables: &[(&str, &str)],
        arguments: &[&str],
        files: &[(&str, &str)],
    ) -> Self {
        Self::create((image, protocol, port), None, variables, arguments, files)
    }

    /// The same, with a second port of the container, which is published on the given port.
    pub(crate) fn start_with_second_port(
        server: (&str, Protocol, u16),
        second: u16,
        arguments: &[&str],
        files: &[(&str, &str)],
    ) -> (Self, u16) {
        let published = crate::sandbox::free_port();
        (Self::create(server, Some((published, second)), &[], arguments, files), published)
    }

    fn create(
        (image, protocol, port): (&str, Protocol, u16),
        second: Option<(u16, u16)>,
        variables: &[(&str, &str)],
        arguments: &[&str],
        files: &[(&str, &str)],
    ) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("devenv-test-protocol-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let published = listener.local_addr().expect("its address").port();
        let server = Self { name: name.clone(), protocol, port: published };
        let mut create = vec!["create".to_owned(), "--name".to_owned(), name.clone()];
        create.extend(["--hostname".to_owned(), "server".to_owned()]);
        create.extend(["--publish".to_owned(), format!("127.0.0.1:{published}:{port}")]);
        if let Some((published, port)) = second {
            create.extend(["--publish".to_owned(), format!("127.0.0.1:{published}:{port}")]);
        }
        create.extend(variables.iter().flat_map(|(name, value)| ["--env".to_owned(), format!("{name}={value}")]));
        create.push(image.to_owned());
        create.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        docker(&create.iter().map(String::as_str).collect::<Vec<_>>());
        for (path, content) in files {
            server.put(path, content);
        }
        drop(listener);
        docker(&["start", &name]);
        server
    }

    /// Puts a file into the container that every user there can read.
    pub(crate) fn put(&self, path: &str, content: &str) {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path.trim_start_matches('/'), content.as_bytes()).expect("an archive");
        let bytes = archive.into_inner().expect("its bytes");
        let mut copy = Command::new("docker")
            .args(["cp", "-", &format!("{}:/", self.name)])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("docker's command line");
        std::io::Write::write_all(copy.stdin.as_mut().expect("its input"), &bytes).expect("docker reads");
        assert!(copy.wait().expect("docker ends").success(), "docker cp of {path} fails");
    }

    /// Stops and starts the server; its data stays.
    pub(crate) fn restart(&self) {
        docker(&["restart", "--time", "30", &self.name]);
    }

    /// Runs a command in the container and returns its output.
    pub(crate) fn run(&self, command: &[&str]) -> String {
        docker(&[&["exec", &self.name], command].concat())
    }

    /// The container's own address.
    pub(crate) fn address(&self) -> String {
        docker(&["inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", &self.name])
            .trim()
            .to_owned()
    }

    /// The log of the server.
    pub(crate) fn log(&self) -> String {
        let output = Command::new("docker").args(["logs", &self.name]).output().expect("docker's command line");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// The endpoint for a login.
    pub(crate) fn endpoint(&self, user: Option<&str>, password: Option<&str>) -> Endpoint {
        Endpoint {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            user: user.map(str::to_owned),
            password: password.map(Secret::new),
            database: None,
            vhost: None,
            path: None,
        }
    }

    /// Tries again until there is a result, for as long as a server may take.
    pub(crate) async fn eventually<T>(&self, what: &str, mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = attempt().await {
                return found;
            }
            assert!(started.elapsed() < DEADLINE, "not after {DEADLINE:?}: {what}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the endpoint answers HTTP.
    pub(crate) async fn answers_http(&self, endpoint: &Endpoint) {
        self.eventually("it answers HTTP", async || prove(Protocol::Http, endpoint).await.ok()).await;
    }

    /// Proves the server for the first time; tries again while the server is not ready.
    pub(crate) async fn ready(&self, endpoint: &Endpoint) -> Proof {
        let proof = async || match prove(self.protocol, endpoint).await {
            Ok(proof) => Some(proof),
            Err(error) if error.fault == Fault::NotYet => None,
            Err(error) => panic!("{error:?}\n{}", self.log()),
        };
        self.eventually("it can be logged in to", proof).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.name]).output();
    }
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("docker's command line");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?} fails: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
