//! The commands that `devenv run` runs: variables set, signals passed on, exit codes taken over.

use super::signals::Signals;
use crate::model::{Diagnostic, Exit, Failure};
use crate::ui::Printer;
use futures_util::future::try_join3;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

/// One running of the command.
pub(crate) struct Child {
    /// What is set beside what the caller has.
    pub(crate) variables: Vec<(String, String)>,
    /// The lane's number, where there are several: its lines are marked with it, and it reads no input, which only one
    /// could have.
    pub(crate) lane: Option<usize>,
}

/// Runs the command once for each child, side by side, and passes on signals. The exit code is that of the first child
/// that failed, in order; 0 where none did.
pub(crate) async fn run_all(
    command: &[String],
    children: Vec<Child>,
    signals: &mut Signals,
    printer: &Printer,
) -> Result<u8, Failure> {
    let mut codes = vec![0; children.len()];
    let mut running = Vec::new();
    let mut ends = FuturesUnordered::new();
    for (index, child) in children.into_iter().enumerate() {
        let spawned = spawn(command, &child)?;
        running.push(spawned.id());
        ends.push(async move { (index, to_its_end(spawned, child.lane, printer).await) });
    }
    loop {
        tokio::select! {
            end = ends.next() => {
                let Some((index, status)) = end else { break };
                running[index] = None;
                codes[index] = code_of(status?);
            }
            signal = signals.next() => {
                // On Ctrl-C the terminal has told the commands itself already.
                if signal == Signal::INT && std::io::IsTerminal::is_terminal(&std::io::stdin()) {
                    continue;
                }
                let pids = running.iter().flatten().filter_map(|id| i32::try_from(*id).ok()).filter_map(Pid::from_raw);
                for pid in pids {
                    // A command that ended just now cannot be told any more, and need not be.
                    let _ = kill_process(pid, signal);
                }
            }
        }
    }
    Ok(codes.into_iter().find(|code| *code != 0).unwrap_or(0))
}

/// A command whose program was found on the caller's own PATH, seen from that folder: before any variable is set, so that
/// none decides which program it is.
pub(crate) fn command(words: &[String], folder: &Path) -> Result<Command, which::Error> {
    let [name, arguments @ ..] = words else { return Err(which::Error::CannotFindBinaryPath) };
    let mut command = Command::new(which::which_in(name, std::env::var_os("PATH"), folder)?);
    command.arg0(name).args(arguments);
    Ok(command)
}

fn spawn(words: &[String], child: &Child) -> Result<tokio::process::Child, Failure> {
    let program = words.first().cloned().unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    let mut command = command(words, &here).map_err(|error| no_command(&program, &error.to_string()))?;
    // What goes wrong with one lane ends the others too.
    command.envs(child.variables.iter().cloned()).kill_on_drop(child.lane.is_some());
    if child.lane.is_some() {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    command.spawn().map_err(|error| no_command(&program, &error.to_string()))
}

async fn to_its_end(
    mut child: tokio::process::Child,
    lane: Option<usize>,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let mark = lane.map(|lane| format!("[{lane}] ")).unwrap_or_default();
    let data = |line: &str| printer.program_line(&format!("{mark}{line}"));
    let beside = |line: &str| {
        printer.program_error_line(&format!("{mark}{line}"));
        Ok(())
    };
    let status = async {
        child.wait().await.map_err(|error| {
            Failure::new(
                Exit::Failed,
                Diagnostic::error("command", "cannot wait for the command").because(error.to_string()),
            )
        })
    };
    Ok(try_join3(each_line(out, data), each_line(err, beside), status).await?.2)
}

/// Hands on each line, whatever its bytes are. What cannot be read any more is at its end.
async fn each_line(
    stream: Option<impl AsyncRead + Unpin>,
    mut hand_on: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(stream) = stream else { return Ok(()) };
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        hand_on(String::from_utf8_lossy(&line).trim_end_matches('\n'))?;
        line.clear();
    }
    Ok(())
}

/// A command that cannot be run. The exit code is a shell's: 127 where there is none, 126 where it cannot be executed.
pub(crate) fn no_command(program: &str, why: &str) -> Failure {
    let exit = if is_there(program) { Exit::NotExecutable } else { Exit::NoCommand };
    Failure::new(
        exit,
        Diagnostic::error("command", format!("cannot run `{program}`"))
            .because(why)
            .help("the command after `--` is looked for on PATH; a shell line needs `sh -c '…'`"),
    )
}

/// Whether there is something of that name, where a command is looked for.
fn is_there(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// As a shell has it: 128 and the signal's number for what a signal ended.
fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}
