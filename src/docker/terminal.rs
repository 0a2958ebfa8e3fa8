//! Connects a command in a container to the terminal, or to the pipes, of this process.
//!
//! The terminal's own mode is restored, however the command ends.

use super::{Engine, EngineError, ExecRequest, Streams};
use futures_util::stream::{self, Stream};
use std::io::Read as _;
use tokio::sync::mpsc;

impl Engine {
    /// Runs a command with standard input, output and error of this process, and returns its exit code. With `tty`, the
    /// terminal is in raw mode meanwhile, so that every key, also Ctrl-C, goes to the command.
    pub async fn exec_interactive(&self, container: &str, request: &ExecRequest) -> Result<i64, EngineError> {
        let streams = Streams {
            input: standard_input(),
            output: std::io::stdout(),
            error: std::io::stderr(),
            sizes: sizes(request.tty),
        };
        #[cfg(unix)]
        let _raw = request.tty.then(RawMode::enter).flatten();
        tokio::select! {
            code = self.exec(container, request, streams) => code,
            code = ended_from_outside() => Ok(code),
        }
    }
}

/// Standard input in pieces. A separate thread reads it, because a read cannot be cancelled, and the process must be
/// able to end during a read.
fn standard_input() -> impl Stream<Item = Vec<u8>> {
    let (sender, receiver) = mpsc::channel(8);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count) = std::io::stdin().read(&mut buffer) {
            if count == 0 || sender.blocking_send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) })
}

#[cfg(unix)]
struct RawMode(rustix::termios::Termios);

#[cfg(unix)]
impl RawMode {
    /// None if standard input is no terminal.
    fn enter() -> Option<Self> {
        use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(std::io::stdin(), OptionalActions::Drain, &raw).ok()?;
        Some(Self(before))
    }
}

#[cfg(unix)]
impl Drop for RawMode {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        // If this fails, the terminal no longer exists.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Drain, &self.0);
    }
}

/// The terminal's size now, and again each time its window changes.
#[cfg(unix)]
fn sizes(tty: bool) -> impl Stream<Item = (u16, u16)> {
    use tokio::signal::unix::{SignalKind, signal};
    let changes = tty.then(|| signal(SignalKind::window_change()).ok()).flatten();
    stream::unfold((true, changes), |(first, mut changes)| async move {
        let listening = changes.as_mut()?;
        if !first {
            listening.recv().await?;
        }
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
        Some(((size.ws_col, size.ws_row), (false, changes)))
    })
}

#[cfg(not(unix))]
fn sizes(_tty: bool) -> impl Stream<Item = (u16, u16)> {
    stream::empty()
}

/// Waits for a signal that would end this process with the terminal still in raw mode. Returns the exit code for that
/// signal.
#[cfg(unix)]
async fn ended_from_outside() -> i64 {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        return futures_util::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => 128 + 15,
        _ = hangup.recv() => 128 + 1,
    }
}

#[cfg(not(unix))]
async fn ended_from_outside() -> i64 {
    futures_util::future::pending().await
}
