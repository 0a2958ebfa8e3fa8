//! The signals that end a run cleanly.

use crate::apply::{self, Stop};
use crate::model::{Diagnostic, Exit, Failure};
use crate::ui::Printer;
use rustix::process::{Signal, getpid, kill_process};
use std::future::{self, Future};
use tokio::signal::unix::{self, SignalKind};

/// The signals that end a run.
pub(crate) struct Signals {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: unix::Signal,
}

impl Signals {
    pub(crate) fn new() -> Result<Self, Failure> {
        let listen = |kind| {
            unix::signal(kind).map_err(|error| {
                Failure::new(
                    Exit::Failed,
                    Diagnostic::error("signals", "cannot listen for signals").because(error.to_string()),
                )
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hang_up.recv() => Signal::HUP,
        }
    }

    /// Does the work. A signal asks the work to stop. The work then ends as soon as the engine has finished its current
    /// requests, so that the next command finds no incomplete resource. A second signal kills this process; then the
    /// next command waits for the engine.
    pub(crate) async fn or_stop<T>(
        &mut self,
        stop: &Stop,
        printer: &Printer,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        // On the heap, because the callers' futures take much of the stack already.
        let mut work = Box::pin(work);
        let signal = tokio::select! {
            done = &mut work => return done,
            signal = self.next() => signal,
        };
        printer.always(&format!(
            "received {}: waiting for the engine to finish its step; a second signal ends devenv at once",
            name_of(signal)
        ));
        stop.ask();
        let done = tokio::select! {
            done = work => done,
            _ = self.next() => {
                let _ = kill_process(getpid(), Signal::KILL);
                future::pending().await
            }
        };
        done.map_err(
            |failure| {
                if apply::is_stopped(&failure) { Failure { exit: Exit::Cancelled, ..failure } } else { failure }
            },
        )
    }
}

pub(crate) fn name_of(signal: Signal) -> &'static str {
    match signal {
        Signal::INT => "SIGINT",
        Signal::HUP => "SIGHUP",
        _ => "SIGTERM",
    }
}
