//! A proxy between the program and the real engine that stops a run at a certain request: it holds the request, or the
//! engine disappears. This makes a kill "at any moment" a kill at a known moment.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// The moment at which a request is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before the engine receives the request.
    Before,
    /// After the engine has carried out the request; its answer never arrives.
    After,
}

/// The effect at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The request continues only when the test releases it, as if the engine were slow; other connections continue.
    Hold,
    /// The engine disappears: all connections end, and new connections are refused.
    Vanish,
}

/// A socket that leads to the engine.
pub(crate) struct EngineProxy {
    folder: tempfile::TempDir,
    shared: Arc<Shared>,
}

/// The request to stop at.
#[derive(Clone, Copy, Debug)]
enum Which {
    /// The first request whose first line contains this text: `/containers/create`.
    Containing(&'static str),
    /// The request with this number among those that change something, from 1.
    Change(usize),
}

struct Shared {
    engine: PathBuf,
    stop_at: Which,
    changes: AtomicUsize,
    moment: Moment,
    then: Then,
    came: AtomicBool,
    stopped: AtomicBool,
    released: AtomicBool,
    hung_up: AtomicBool,
    streams: Mutex<Vec<UnixStream>>,
    held: Mutex<()>,
    changed: Condvar,
}

impl EngineProxy {
    /// Stops at the first request whose first line contains this text: `/containers/create`.
    pub(crate) fn stop_at(request: &'static str, moment: Moment, then: Then) -> Self {
        Self::new(engine_socket(), Which::Containing(request), moment, then)
    }

    /// Holds the request with this number among those that change something, from 1.
    pub(crate) fn hold_at_change(number: usize, moment: Moment) -> Self {
        Self::new(engine_socket(), Which::Change(number), moment, Then::Hold)
    }

    /// The same, in front of another engine than this machine's.
    pub(crate) fn in_front_of(engine: PathBuf, number: usize, moment: Moment) -> Self {
        Self::new(engine, Which::Change(number), moment, Then::Hold)
    }

    fn new(engine: PathBuf, stop_at: Which, moment: Moment, then: Then) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shared = Arc::new(Shared {
            engine,
            stop_at,
            changes: AtomicUsize::new(0),
            moment,
            then,
            came: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            released: AtomicBool::new(false),
            hung_up: AtomicBool::new(false),
            streams: Mutex::default(),
            held: Mutex::default(),
            changed: Condvar::new(),
        });
        let listener = UnixListener::bind(folder.path().join("engine.sock")).unwrap();
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepting.is_gone() {
                    return;
                }
                accepting.serve(client);
            }
        });
        Self { folder, shared }
    }

    /// The value for `--host`.
    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("engine.sock").display())
    }

    /// Whether the request has arrived.
    pub(crate) fn has_stopped(&self) -> bool {
        self.shared.stopped.load(Ordering::SeqCst)
    }

    /// Ends all connections, as the system does for a killed program.
    pub(crate) fn hang_up(&self) {
        self.shared.hung_up.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
        for stream in self.shared.streams.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets the held request continue.
    pub(crate) fn release(&self) {
        self.shared.released.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn is_gone(&self) -> bool {
        self.then == Then::Vanish && self.stopped.load(Ordering::SeqCst)
    }

    fn serve(self: &Arc<Self>, client: UnixStream) {
        let engine = UnixStream::connect(&self.engine).unwrap();
        let held = Arc::new(AtomicBool::new(false));
        {
            let mut streams = self.streams.lock().unwrap();
            streams.extend([client.try_clone().unwrap(), engine.try_clone().unwrap()]);
        }
        let (shared, holds_answer) = (Arc::clone(self), Arc::clone(&held));
        let (mut from, mut to) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let bytes = &buffer[..count];
                if shared.is_the_one(bytes) {
                    if shared.moment == Moment::After {
                        holds_answer.store(true, Ordering::SeqCst);
                    } else if !shared.stop() {
                        return;
                    }
                }
                if to.write_all(bytes).is_err() {
                    return;
                }
            }
            let _ = to.shutdown(Shutdown::Write);
        });
        let shared = Arc::clone(self);
        let (mut from, mut to) = (engine, client);
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if held.swap(false, Ordering::SeqCst) && !shared.stop() {
                    break;
                }
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            // A killed client reads no more, and an engine waits for a client that does not read: close both directions
            // so that the engine notices.
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }

    /// Whether these bytes begin the request to stop at. A client writes each request at once, from its first line on.
    fn is_the_one(&self, bytes: &[u8]) -> bool {
        let line = first_line(bytes);
        let is_it = match self.stop_at {
            Which::Containing(part) => line.contains(part),
            Which::Change(number) => {
                let changes = ["POST /", "PUT /", "DELETE /"].iter().any(|method| line.starts_with(method));
                changes && self.changes.fetch_add(1, Ordering::SeqCst) + 1 == number
            }
        };
        is_it && !self.came.swap(true, Ordering::SeqCst)
    }

    /// Stops here; returns whether to continue afterwards.
    fn stop(&self) -> bool {
        self.stopped.store(true, Ordering::SeqCst);
        if self.then == Then::Vanish {
            for stream in self.streams.lock().unwrap().iter() {
                let _ = stream.shutdown(Shutdown::Both);
            }
            return false;
        }
        let held = self.held.lock().unwrap();
        let waits = |(): &mut ()| !self.released.load(Ordering::SeqCst) && !self.hung_up.load(Ordering::SeqCst);
        drop(self.changed.wait_timeout_while(held, Duration::from_secs(60), waits).unwrap());
        self.released.load(Ordering::SeqCst)
    }
}

fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned()
}

/// The engine's own socket: `DOCKER_HOST`, otherwise the default socket.
pub(crate) fn engine_socket() -> PathBuf {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    PathBuf::from(host.strip_prefix("unix://").unwrap_or("/var/run/docker.sock"))
}
