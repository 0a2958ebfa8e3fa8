//! A registry on loopback that serves one tiny image and can simulate the failures of a real registry.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A failure.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// The answer for the manifest has this status.
    ManifestStatus(u16),
    /// Every request is answered with 401 unless it has this login (`Basic …`).
    Login(&'static str),
    /// The same with a token, which this login gets at `/token`.
    Token(&'static str),
    /// Requests by digest from clients other than an engine get other content.
    OtherContent,
    /// Only engines get answers, as from a proxy that accepts engines only.
    EnginesOnly,
    /// The layer is truncated.
    LayerCutShort,
    /// The layer has the right length and other bytes.
    LayerOfOtherBytes,
}

/// A registry that serves for as long as the tests run.
pub(crate) struct TinyRegistry {
    /// `127.0.0.1:port`.
    pub(crate) address: String,
    /// The digest that its tags refer to: its manifest, or an index with the manifest.
    pub(crate) digest: String,
    /// The digest of its manifest.
    pub(crate) manifest: String,
    pulls: Arc<AtomicUsize>,
}

struct Served {
    trouble: Option<(Trouble, usize)>,
    config: Vec<u8>,
    layer: Vec<u8>,
    manifest: Vec<u8>,
    index: Option<Vec<u8>>,
    pulls: Arc<AtomicUsize>,
    layers_sent: AtomicUsize,
}

impl TinyRegistry {
    /// Serves an image with its own content; every repository and tag is that image.
    pub(crate) fn start(content: &str) -> Self {
        Self::with(content, None, false)
    }

    /// The same, where tags refer to an index: of this image, and of a missing image for `linux/s390x`.
    pub(crate) fn with_index(content: &str, trouble: Option<Trouble>) -> Self {
        Self::with(content, trouble.map(|trouble| (trouble, usize::MAX)), true)
    }

    /// The same, with a failure at this many first pulls (for a layer: this many first downloads).
    pub(crate) fn with_trouble(content: &str, trouble: Trouble, times: usize) -> Self {
        Self::with(content, Some((trouble, times)), false)
    }

    /// How many pulls have begun.
    pub(crate) fn pulls(&self) -> usize {
        self.pulls.load(Ordering::SeqCst)
    }

    fn with(content: &str, trouble: Option<(Trouble, usize)>, has_index: bool) -> Self {
        let layer = layer(content);
        let config = format!(
            r#"{{"architecture":"{PROCESSOR}","os":"linux","config":{{"Labels":{{"content":"{content}"}},"Env":["PG_VERSION=16.4-1"]}},"rootfs":{{"type":"layers","diff_ids":["{}"]}},"history":[]}}"#,
            digest(&layer),
        );
        let config = config.into_bytes();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.docker.container.image.v1+json","size":{},"digest":"{}"}},"layers":[{{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":{},"digest":"{}"}}]}}"#,
            config.len(),
            digest(&config),
            layer.len(),
            digest(&layer),
        );
        let manifest = manifest.into_bytes();
        let index = has_index.then(|| {
            let of = |digest: &str, size: usize, processor: &str| {
                format!(
                    r#"{{"mediaType":"{MANIFEST}","size":{size},"digest":"{digest}","platform":{{"architecture":"{processor}","os":"linux"}}}}"#
                )
            };
            let own = of(&digest(&manifest), manifest.len(), PROCESSOR);
            let other = of(ELSEWHERE, 7, "s390x");
            format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{own},{other}]}}"#).into_bytes()
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let pulls = Arc::new(AtomicUsize::new(0));
        let registry = Self {
            address,
            digest: digest(index.as_ref().unwrap_or(&manifest)),
            manifest: digest(&manifest),
            pulls: Arc::clone(&pulls),
        };
        let served = Served { trouble, config, layer, manifest, index, pulls, layers_sent: AtomicUsize::new(0) };
        let served = Arc::new(served);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = Arc::clone(&served);
                thread::spawn(move || serve(&served, stream));
            }
        });
        registry
    }
}

/// The digest of the manifest for `linux/s390x`, which does not exist.
pub(crate) const ELSEWHERE: &str = "sha256:e111111111111111111111111111111111111111111111111111111111111111";

/// This machine's processor, as images name it.
pub(crate) const PROCESSOR: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

const INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// An uncompressed layer with one file, large enough for a visible download.
fn layer(content: &str) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let bytes = content.repeat(1_000_000 / content.len().max(1));
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "content", bytes.as_bytes()).unwrap();
    archive.into_inner().unwrap()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

struct Reply {
    status: u16,
    headers: String,
    body: Vec<u8>,
    /// How much of the body is sent.
    sent: usize,
}

fn serve(served: &Served, mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    // An engine tries TLS first; those bytes are not a request line.
    let host = stream.local_addr().unwrap().to_string();
    while let Some(asked) = read_request(&mut reader) {
        let reply = answer(served, &asked, &host);
        let head = format!(
            "HTTP/1.1 {} X\r\nContent-Length: {}\r\nDocker-Distribution-API-Version: registry/2.0\r\n{}\r\n",
            reply.status,
            reply.body.len(),
            reply.headers,
        );
        let body = if asked.method == "HEAD" { &[] } else { &reply.body[..reply.sent] };
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).is_err()
            || reply.sent < reply.body.len()
        {
            return;
        }
    }
}

struct Asked {
    method: String,
    path: String,
    login: Option<String>,
    agent: String,
}

fn read_request(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ').map(str::to_owned);
    let mut asked = Asked { method: words.next()?, path: words.next()?, login: None, agent: String::new() };
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => asked.login = Some(value.to_owned()),
            Some((name, value)) if name.eq_ignore_ascii_case("user-agent") => value.clone_into(&mut asked.agent),
            Some(_) => {}
            None => return Some(asked),
        }
    }
}

fn answer(served: &Served, asked: &Asked, host: &str) -> Reply {
    let (path, login) = (asked.path.as_str(), asked.login.as_deref());
    let whole = |status, kind: &str, body: &[u8]| Reply {
        status,
        headers: format!("Content-Type: {kind}\r\nDocker-Content-Digest: {}\r\n", digest(body)),
        body: body.to_vec(),
        sent: body.len(),
    };
    let error = |status, code: &str| {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{}"}}]}}"#, code.to_lowercase());
        let challenge = match &served.trouble {
            Some((Trouble::Token(_), _)) if status == 401 => format!(
                "WWW-Authenticate: Bearer realm=\"http://{host}/token\",service=\"tests\",scope=\"repository:x:pull\"\r\n"
            ),
            _ if status == 401 => "WWW-Authenticate: Basic realm=\"tests\"\r\n".to_owned(),
            _ => String::new(),
        };
        let reply = whole(status, "application/json", body.as_bytes());
        Reply { headers: format!("{}{challenge}", reply.headers), ..reply }
    };
    if let Some((Trouble::Login(wanted), _)) = &served.trouble
        && login != Some(wanted)
    {
        return error(401, "UNAUTHORIZED");
    }
    if let Some((Trouble::Token(wanted), _)) = &served.trouble {
        if path.starts_with("/token?") {
            let is_whole = path.contains("service=tests") && path.contains("scope=repository%3A");
            return match login {
                Some(login) if login == *wanted && is_whole => whole(200, "application/json", br#"{"token":"t0k3n"}"#),
                _ => error(403, "DENIED"),
            };
        }
        if login != Some("Bearer t0k3n") {
            return error(401, "UNAUTHORIZED");
        }
    }
    if matches!(&served.trouble, Some((Trouble::EnginesOnly, _))) && !asked.agent.contains("docker") {
        return error(403, "DENIED");
    }
    if let Some((Trouble::OtherContent, _)) = &served.trouble
        && path.contains("/manifests/sha256:")
        && !asked.agent.contains("docker")
    {
        return whole(200, MANIFEST, b"{\"config\":{\"digest\":\"sha256:0\"},\"layers\":[]}");
    }
    if path == "/v2/" {
        served.pulls.fetch_add(1, Ordering::SeqCst);
        return whole(200, "application/json", b"{}");
    }
    if path.contains("/manifests/") {
        return match &served.trouble {
            Some((Trouble::ManifestStatus(status), times)) if served.pulls.load(Ordering::SeqCst) <= *times => {
                match status {
                    404 => error(404, "MANIFEST_UNKNOWN"),
                    429 => error(429, "TOOMANYREQUESTS"),
                    other => whole(*other, "text/plain", b"broken"),
                }
            }
            _ => match &served.index {
                Some(index) if !path.ends_with(&digest(&served.manifest)) => whole(200, INDEX, index),
                _ => whole(200, MANIFEST, &served.manifest),
            },
        };
    }
    if path.ends_with(&digest(&served.config)) {
        return whole(200, "application/octet-stream", &served.config);
    }
    if path.ends_with(&digest(&served.layer)) {
        let reply = whole(200, "application/octet-stream", &served.layer);
        let sent_before = served.layers_sent.fetch_add(1, Ordering::SeqCst);
        return match &served.trouble {
            Some((Trouble::LayerCutShort, times)) if sent_before < *times => {
                Reply { sent: reply.body.len() / 2, ..reply }
            }
            Some((Trouble::LayerOfOtherBytes, times)) if sent_before < *times => {
                Reply { body: vec![0; reply.body.len()], ..reply }
            }
            _ => reply,
        };
    }
    error(404, "NAME_UNKNOWN")
}
