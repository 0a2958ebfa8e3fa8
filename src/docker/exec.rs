//! Runs a command in a running container, with its streams joined to ours.

use super::fault::brief;
use super::{Engine, EngineError, EngineFault};
use crate::model::Secret;
use bollard::container::LogOutput;
use bollard::exec::{ResizeExecOptions, StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use futures_util::stream::{Stream, StreamExt as _};
use futures_util::{future, pin_mut};
use std::io::{ErrorKind, Write};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// The exit code of a command whose reader went away, as shells have it.
const READER_WENT_AWAY: i64 = 128 + 13;

/// How often, and after how long a wait, the engine is asked again for what it does not know yet.
const ASK_AGAIN: (u32, Duration) = (100, Duration::from_millis(10));

/// A command for a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecRequest {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables besides the container's own; values may be secret.
    pub environment: Vec<(String, Secret)>,
    /// Whether it gets a terminal.
    pub tty: bool,
}

/// What a command's streams are joined to.
#[derive(Debug)]
pub struct Streams<I, O, E, S> {
    /// Bytes for its standard input; the end closes it.
    pub input: I,
    /// Takes its standard output, or all that its terminal shows.
    pub output: O,
    /// Takes its standard error; nothing where it has a terminal.
    pub error: E,
    /// The terminal's size in columns and rows, each time it changes.
    pub sizes: S,
}

impl Engine {
    /// Runs a command to its end and gives its exit code.
    pub async fn exec<I, O, E, S>(
        &self,
        container: &str,
        request: &ExecRequest,
        streams: Streams<I, O, E, S>,
    ) -> Result<i64, EngineError>
    where
        I: Stream<Item = Vec<u8>>,
        O: Write,
        E: Write,
        S: Stream<Item = (u16, u16)>,
    {
        let program = request.command.first().map_or("", String::as_str);
        let operation = format!("run {program} in the container {}", brief(container));
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(request.tty),
            env: Some(request.environment.iter().map(|(name, value)| format!("{name}={}", value.reveal())).collect()),
            cmd: Some(request.command.clone()),
            ..Default::default()
        };
        let id = self.ask(&operation, self.docker.create_exec(container, config)).await?.id;
        let start = StartExecOptions { detach: false, tty: request.tty, output_capacity: None };
        let started = self.work(&operation, self.docker.start_exec(&id, Some(start))).await?;
        let StartExecResults::Attached { output, mut input } = started else {
            return Err(EngineError::new(operation, EngineFault::Other, "it was not attached"));
        };
        let Streams { input: bytes, output: mut out, error: mut err, sizes } = streams;

        let feed = async {
            pin_mut!(bytes);
            while let Some(bytes) = bytes.next().await {
                // A command that reads no more is no fault; its end comes on the other side.
                if input.write_all(&bytes).await.is_err() || input.flush().await.is_err() {
                    break;
                }
            }
            // Without a terminal the end of the input is told by closing it. With one a key tells it (Ctrl-D), and an
            // engine takes the closing for the end of the whole session.
            if !request.tty {
                let _ = input.shutdown().await;
            }
            future::pending::<()>().await;
        };
        let resize = async {
            pin_mut!(sizes);
            while let Some((width, height)) = sizes.next().await {
                self.resize(&id, width, height).await;
            }
            future::pending::<()>().await;
        };
        let show = async {
            pin_mut!(output);
            while let Some(piece) = output.next().await {
                let written = match piece.map_err(|error| EngineError::read(&operation, &error))? {
                    LogOutput::StdErr { message } => write(&mut err, &message),
                    other => write(&mut out, &other.into_bytes()),
                };
                match written {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Some(READER_WENT_AWAY)),
                    Err(error) => {
                        let text = format!("its output cannot be written: {error}");
                        return Err(EngineError::new(&operation, EngineFault::Other, text));
                    }
                }
            }
            Ok(None)
        };
        let shown: Result<Option<i64>, EngineError> = tokio::select! {
            shown = show => shown,
            () = feed => Ok(None),
            () = resize => Ok(None),
        };
        match shown? {
            Some(code) => Ok(code),
            None => self.exit_code(&operation, &id).await,
        }
    }

    /// The streams can end a moment before the engine knows the exit code.
    async fn exit_code(&self, operation: &str, id: &str) -> Result<i64, EngineError> {
        let (times, wait) = ASK_AGAIN;
        for _ in 0..times {
            let state = self.ask(operation, self.docker.inspect_exec(id)).await?;
            if let (Some(false), Some(code)) = (state.running, state.exit_code) {
                return Ok(code);
            }
            tokio::time::sleep(wait).await;
        }
        Err(EngineError::new(operation, EngineFault::TimedOut, "its streams ended, and it still runs"))
    }

    /// A terminal can be resized only once its command runs, a moment after it was started.
    async fn resize(&self, id: &str, width: u16, height: u16) {
        let (times, wait) = ASK_AGAIN;
        for _ in 0..times.min(10) {
            let resized = self.docker.resize_exec(id, ResizeExecOptions { width, height });
            if self.ask("resize a terminal", resized).await.is_ok() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }
}

fn write(to: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}
