//! An engine for tests. It speaks just enough HTTP over a Unix socket to show faults that a real engine cannot show.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::{fs, thread};

/// The answer of an engine 20.10 to `/version`.
pub(crate) const VERSION: &str = r#"{"Components":[{"Name":"Engine","Version":"20.10.24"}],"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}"#;

/// One received request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Path and query.
    pub(crate) path: String,
    /// Header lines, lower case.
    pub(crate) headers: Vec<String>,
}

/// The engine's reaction to a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Sends a complete answer.
    Whole(u16, String),
    /// Sends the head and this part of the body, then closes the connection.
    CutShort(String),
    /// Answers a ping, with the newest API version that it supports.
    Ping(&'static str),
    /// Closes the connection without an answer.
    Hangup,
    /// Keeps the connection open and sends nothing.
    Silence,
    /// Sends the head and this part of the body, keeps the connection open, and sends nothing more.
    Unfinished(String),
}

impl Answer {
    pub(crate) fn json(body: &str) -> Self {
        Self::Whole(200, body.to_owned())
    }

    pub(crate) fn status(status: u16, body: &str) -> Self {
        Self::Whole(status, body.to_owned())
    }
}

/// A fake engine. It serves until it is dropped.
pub(crate) struct FakeEngine {
    socket: PathBuf,
    requests: Arc<Mutex<Vec<Request>>>,
    folder: Option<tempfile::TempDir>,
}

impl FakeEngine {
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut engine = Self::start_at(&folder.path().join("engine.sock"), answer);
        engine.folder = Some(folder);
        engine
    }

    pub(crate) fn start_at(socket: &Path, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        fs::create_dir_all(socket.parent().unwrap()).unwrap();
        let listener = UnixListener::bind(socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                thread::spawn(move || {
                    let Some(request) = read_request(&stream) else { return };
                    seen.lock().unwrap().push(request.clone());
                    let answer = answer(&request);
                    send(&stream, &answer);
                    if matches!(answer, Answer::Silence | Answer::Unfinished(_)) {
                        // Waits until the client closes the connection.
                        let _ = (&stream).read(&mut [0]);
                    }
                });
            }
        });
        Self { socket: socket.to_owned(), requests, folder: None }
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        // The thread keeps the listener as long as the tests run. Without the socket's path, no client finds it.
        if self.folder.is_none() {
            let _ = fs::remove_file(&self.socket);
        }
    }
}

fn read_request(stream: &UnixStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut headers, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_owned();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        let name = name.to_ascii_lowercase();
        if name == "content-length" {
            length = value.trim().parse().ok()?;
        }
        headers.push(format!("{name}:{value}"));
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, headers })
}

fn send(mut stream: &UnixStream, answer: &Answer) {
    let text = match answer {
        Answer::Whole(status, body) => {
            format!(
                "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
        }
        Answer::CutShort(body) | Answer::Unfinished(body) => {
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n",
                body.len()
            )
        }
        Answer::Ping(api) => format!(
            "HTTP/1.1 200 OK\r\nApi-Version: {api}\r\nServer: Docker/26.1.0 (linux)\r\nOstype: linux\r\nConnection: close\r\nContent-Length: 2\r\n\r\nOK"
        ),
        Answer::Hangup | Answer::Silence => return,
    };
    let _ = stream.write_all(text.as_bytes());
}
