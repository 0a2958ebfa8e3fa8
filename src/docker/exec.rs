//! Runs a command in a running container and connects its streams.

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

/// The exit code of a command whose output has no reader any more, as shells report it.
const READER_WENT_AWAY: i64 = 128 + 13;

/// How many times the engine is asked again for an answer that it does not have yet, and the pause between these
/// requests.
const RETRIES: (u32, Duration) = (100, Duration::from_millis(10));

/// A command for a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecRequest {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Variables in addition to the container's own. Values may be secret.
    pub environment: Vec<(String, Secret)>,
    /// Whether the command gets a terminal.
    pub tty: bool,
}

/// The ends to which a command's streams are connected.
#[derive(Debug)]
pub struct Streams<I, O, E, S> {
    /// Bytes for its standard input. The end of this stream closes the standard input.
    pub input: I,
    /// Receives its standard output, or everything that its terminal shows.
    pub output: O,
    /// Receives its standard error. Receives nothing if the command has a terminal.
    pub error: E,
    /// The terminal's size in columns and rows, each time it changes.
    pub sizes: S,
}

impl Engine {
    /// Runs a command until it ends and returns its exit code.
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
            return Err(EngineError::new(operation, EngineFault::Other, "the engine did not attach its streams"));
        };
        let Streams { input: bytes, output: mut out, error: mut err, sizes } = streams;

        let feed = async {
            pin_mut!(bytes);
            while let Some(bytes) = bytes.next().await {
                // A command that stops reading is no fault. The output stream shows when the command ends.
                if input.write_all(&bytes).await.is_err() || input.flush().await.is_err() {
                    break;
                }
            }
            // Without a terminal, closing the input signals its end. With a terminal, a key signals it (Ctrl-D), and an
            // engine would treat a closed input as the end of the whole session.
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

    /// The exit code. The streams can end a moment before the engine knows the exit code.
    async fn exit_code(&self, operation: &str, id: &str) -> Result<i64, EngineError> {
        let (times, wait) = RETRIES;
        for _ in 0..times {
            let state = self.ask(operation, self.docker.inspect_exec(id)).await?;
            if let (Some(false), Some(code)) = (state.running, state.exit_code) {
                return Ok(code);
            }
            tokio::time::sleep(wait).await;
        }
        Err(EngineError::new(operation, EngineFault::TimedOut, "its streams ended, and it still runs"))
    }

    /// Resizes the terminal. This works only once the command runs, a moment after its start.
    async fn resize(&self, id: &str, width: u16, height: u16) {
        let (times, wait) = RETRIES;
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
