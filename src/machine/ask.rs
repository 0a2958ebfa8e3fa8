//! Runs a program for its output, under a deadline.
//!
//! No program can block the caller: it gets no input and its output is bounded. When its time is up, it is killed
//! together with the processes that it started.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// The most bytes that are read of one output of a program.
const MAX_OUTPUT: u64 = 64 * 1024 * 1024;

/// The answer of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// Whether its exit status reports success.
    pub(super) success: bool,
    /// Its standard output.
    pub(super) out: String,
    /// Its standard error.
    pub(super) err: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// It cannot be run.
    NotRun(io::Error),
    /// It was still running when its time was up.
    Late(Duration),
}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotRun(error) => write!(f, "it cannot be run: {error}"),
            Self::Late(limit) => write!(f, "it had not answered after {} s", limit.as_secs()),
        }
    }
}

/// Runs a program until it ends or its time is up.
pub(super) fn ask(command: &mut Command, limit: Duration) -> Result<Answer, NoAnswer> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(NoAnswer::NotRun)?;
    let began = Instant::now();
    let (out, err) = (read(child.stdout.take()), read(child.stderr.take()));
    let left = || limit.saturating_sub(began.elapsed());
    // A child of the program may still hold the pipes, so the same deadline applies to the end of the pipes.
    let said = out.recv_timeout(left()).and_then(|out| Ok((out, err.recv_timeout(left())?)));
    let status = said.is_ok().then(|| end(&mut child, began + limit)).flatten();
    if let (Ok((out, err)), Some(status)) = (said, status) {
        return Ok(Answer { success: status.success(), out, err });
    }
    kill(&mut child);
    Err(NoAnswer::Late(limit))
}

/// Reads a pipe in a separate thread.
fn read(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // A pipe that cannot be read any more counts as ended.
            let _ = pipe.take(MAX_OUTPUT).read_to_end(&mut bytes);
        }
        // The receiver is gone when the time is up.
        let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receive
}

/// The exit status of the program, which follows at once after the end of its output.
fn end(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(1)),
            Ok(None) | Err(_) => return None,
        }
    }
}

fn kill(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // A process group that has ended meanwhile cannot be killed, and need not be.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_and_the_exit_status_are_returned() {
        let answer = ask(&mut shell("cat; echo one; echo two >&2; exit 3"), LONG).unwrap();
        assert_eq!(answer, Answer { success: false, out: "one\n".to_owned(), err: "two\n".to_owned() });
    }

    #[test]
    fn much_on_both_outputs_does_not_block() {
        let answer = ask(&mut shell("head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero"), LONG).unwrap();
        assert_eq!((answer.out.len(), answer.err.len()), (300_000, 300_000));
    }

    #[test]
    fn a_program_that_does_not_end_is_ended_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        // The inner shell has the pipe too, so the pipe ends only when the inner shell ends.
        let script = format!("sh -c 'echo $$ > {0}.new; mv {0}.new {0}; sleep 600' & wait", file.display());
        let answer = ask(&mut shell(&script), Duration::from_secs(3));
        assert!(matches!(answer, Err(NoAnswer::Late(_))), "{answer:?}");
        let pid: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        let gone = || rustix::process::test_kill_process(Pid::from_raw(pid).unwrap()).is_err() || is_zombie(pid);
        while !gone() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// There may be no process that reaps it.
    fn is_zombie(pid: i32) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z"))
    }

    #[test]
    fn a_missing_program_cannot_be_run() {
        assert!(matches!(ask(&mut Command::new("/nowhere/tool"), LONG), Err(NoAnswer::NotRun(_))));
    }
}
