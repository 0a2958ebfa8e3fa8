//! The time limit of a reading. It ends work that no counter has limited.

use super::budget::{Budget, limit_passed};
use crate::model::{Exit, Failure};
use rustix::time::{ClockId, clock_gettime};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How much processor time a reading may use. A build without optimisation gets ten times as much.
const COMPUTING: Duration = Duration::from_secs(if cfg!(debug_assertions) { 40 } else { 4 });

/// How long a reading may take on a machine that is busy with other work.
const WAITING: Duration = Duration::from_secs(60);

/// The time between two checks of the clock.
const LOOK: Duration = Duration::from_millis(100);

/// A main thread's usual stack, in bytes.
const STACK: usize = 8 * 1024 * 1024;

/// Does the work in a thread and waits for it. If the work takes longer than any project needs, the thread is
/// abandoned. This is safe, because the work only reads, and the program ends with the message.
pub fn within_deadline<T: Send + 'static>(
    budget: &Budget,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    let (started, computed) = (Instant::now(), computed());
    let (sender, receiver) = channel();
    let worker = thread::Builder::new().name("reading".to_owned()).stack_size(STACK).spawn(move || {
        let _ = sender.send(work());
    });
    let failed = |what: &str| Failure::new(Exit::Manifest, limit_passed(what));
    let worker = worker.map_err(|error| failed(&format!("no thread could be started ({error})")))?;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(done) => return Ok(done),
            Err(RecvTimeoutError::Disconnected) => {
                // The thread panicked. This is a fault of devenv and must be visible as one.
                return match worker.join() {
                    Err(panic) => std::panic::resume_unwind(panic),
                    Ok(()) => Err(failed("the thread that reads ended early")),
                };
            }
            Err(RecvTimeoutError::Timeout) => {
                let computing = self::computed().saturating_sub(computed);
                if started.elapsed() > COMPUTING && (computing > COMPUTING || started.elapsed() > WAITING) {
                    let mut failure = failed(&format!("it takes more than {} s", COMPUTING.as_secs()));
                    let file = budget.last_file();
                    if !file.is_empty() {
                        failure.diagnostics[0].notes.push(format!("the last file that was opened is `{file}`"));
                    }
                    return Err(failure);
                }
            }
        }
    }
}

/// The processor time that this process has used so far.
fn computed() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
