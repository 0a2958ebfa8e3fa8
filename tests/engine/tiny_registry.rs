//! A registry on loopback that serves one tiny image, and makes the troubles that a real one makes on bad days.

use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What goes wrong.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// The manifest is answered with this status.
    ManifestStatus(u16),
    /// Every request is answered with 401 unless it carries this login (`Basic …`).
    Login(&'static str),
    /// The layer ends in its middle.
    LayerCutShort,
    /// The layer is of the right length and other bytes.
    LayerOfOtherBytes,
}

/// It serves for as long as the tests run.
pub(crate) struct TinyRegistry {
    /// `127.0.0.1:port`.
    pub(crate) address: String,
    /// The digest of its manifest.
    pub(crate) digest: String,
    pulls: Arc<AtomicUsize>,
}

struct Served {
    trouble: Option<(Trouble, usize)>,
    config: Vec<u8>,
    layer: Vec<u8>,
    manifest: Vec<u8>,
    pulls: Arc<AtomicUsize>,
    layers_sent: AtomicUsize,
}

impl TinyRegistry {
    /// Serves an image of its own content; every repository and tag is that image.
    pub(crate) fn start(content: &str) -> Self {
        Self::with(content, None)
    }

    /// The same, with trouble at the first so many pulls (a layer: the first so many downloads).
    pub(crate) fn with_trouble(content: &str, trouble: Trouble, times: usize) -> Self {
        Self::with(content, Some((trouble, times)))
    }

    /// How many pulls have begun.
    pub(crate) fn pulls(&self) -> usize {
        self.pulls.load(Ordering::SeqCst)
    }

    fn with(content: &str, trouble: Option<(Trouble, usize)>) -> Self {
        let layer = layer(content);
        let config = format!(
            r#"{{"architecture":"{}","os":"linux","config":{{"Labels":{{"content":"{content}"}}}},"rootfs":{{"type":"layers","diff_ids":["{}"]}},"history":[]}}"#,
            if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
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
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let pulls = Arc::new(AtomicUsize::new(0));
        let registry = Self { address, digest: digest(&manifest), pulls: Arc::clone(&pulls) };
        let served = Served { trouble, config, layer, manifest, pulls, layers_sent: AtomicUsize::new(0) };
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

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// An uncompressed layer of one file, large enough for its download to show.
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
    // An engine tries TLS first; what it says then is no request line.
    while let Some((method, path, login)) = read_request(&mut reader) {
        let reply = answer(served, &path, login.as_deref());
        let head = format!(
            "HTTP/1.1 {} X\r\nContent-Length: {}\r\nDocker-Distribution-API-Version: registry/2.0\r\n{}\r\n",
            reply.status,
            reply.body.len(),
            reply.headers,
        );
        let body = if method == "HEAD" { &[] } else { &reply.body[..reply.sent] };
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).is_err()
            || reply.sent < reply.body.len()
        {
            return;
        }
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<(String, String, Option<String>)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut login = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => login = Some(value.to_owned()),
            Some(_) => {}
            None => return Some((method, path, login)),
        }
    }
}

fn answer(served: &Served, path: &str, login: Option<&str>) -> Reply {
    let whole = |status, kind: &str, body: &[u8]| Reply {
        status,
        headers: format!("Content-Type: {kind}\r\nDocker-Content-Digest: {}\r\n", digest(body)),
        body: body.to_vec(),
        sent: body.len(),
    };
    let error = |status, code: &str| {
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{}"}}]}}"#, code.to_lowercase());
        let challenge = if status == 401 { "WWW-Authenticate: Basic realm=\"tests\"\r\n" } else { "" };
        let reply = whole(status, "application/json", body.as_bytes());
        Reply { headers: format!("{}{challenge}", reply.headers), ..reply }
    };
    if let Some((Trouble::Login(wanted), _)) = &served.trouble
        && login != Some(wanted)
    {
        return error(401, "UNAUTHORIZED");
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
            _ => whole(200, MANIFEST, &served.manifest),
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
