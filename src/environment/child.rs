//! Child processes: the commands that `devenv run` runs. Sets their variables, forwards signals, and returns their exit
//! codes.

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

/// One process of the command.
pub(crate) struct Child {
    /// The variables to set, in addition to the variables that `devenv` itself has.
    pub(crate) variables: Vec<(String, String)>,
    /// The lane's number, if there are several lanes. Each output line starts with this number. The process then has no
    /// standard input, because only one process could read it.
    pub(crate) lane: Option<usize>,
}

/// Runs the command once for each child, all at the same time, and forwards signals. The exit code is that of the first
/// child, in order, that failed; 0 if no child failed.
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
        ends.push(async move { (index, wait_for_end(spawned, child.lane, printer).await) });
    }
    loop {
        tokio::select! {
            end = ends.next() => {
                let Some((index, status)) = end else { break };
                running[index] = None;
                codes[index] = code_of(status?);
            }
            signal = signals.next() => {
                // On Ctrl-C the terminal has sent the signal to the commands already.
                if signal == Signal::INT && std::io::IsTerminal::is_terminal(&std::io::stdin()) {
                    continue;
                }
                let pids = running.iter().flatten().filter_map(|id| i32::try_from(*id).ok()).filter_map(Pid::from_raw);
                for pid in pids {
                    // A command that just ended cannot receive a signal, and needs none.
                    let _ = kill_process(pid, signal);
                }
            }
        }
    }
    Ok(codes.into_iter().find(|code| *code != 0).unwrap_or(0))
}

/// A command whose program is looked up on the PATH that `devenv` itself has, relative to that folder. The look-up
/// comes before any variable is set, so that no variable decides which program runs.
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
    // An error of one lane ends the other lanes too.
    command.envs(child.variables.iter().cloned()).kill_on_drop(child.lane.is_some());
    if child.lane.is_some() {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    command.spawn().map_err(|error| no_command(&program, &error.to_string()))
}

async fn wait_for_end(
    mut child: tokio::process::Child,
    lane: Option<usize>,
    printer: &Printer,
) -> Result<ExitStatus, Failure> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let mark = lane.map(|lane| format!("[{lane}] ")).unwrap_or_default();
    let data = |line: &str| printer.program_line(&format!("{mark}{line}"));
    let error_line = |line: &str| {
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
    Ok(try_join3(each_line(out, data), each_line(err, error_line), status).await?.2)
}

/// Passes each line on; invalid UTF-8 is replaced. A read error counts as the end of the stream.
async fn each_line(
    stream: Option<impl AsyncRead + Unpin>,
    mut pass_on: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(stream) = stream else { return Ok(()) };
    let mut lines = BufReader::new(stream);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        pass_on(String::from_utf8_lossy(&line).trim_end_matches('\n'))?;
        line.clear();
    }
    Ok(())
}

/// The failure for a command that cannot be run. The exit code is the same as a shell's: 127 if there is no such
/// command, 126 if it cannot be executed.
pub(crate) fn no_command(program: &str, why: &str) -> Failure {
    let exit = if is_there(program) { Exit::NotExecutable } else { Exit::NoCommand };
    Failure::new(
        exit,
        Diagnostic::error("command", format!("cannot run `{program}`"))
            .because(why)
            .help("the command after `--` is looked for on PATH; a shell line needs `sh -c '…'`"),
    )
}

/// Whether a file of that name exists where commands are looked up.
fn is_there(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).exists();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The exit code as a shell reports it: 128 plus the signal's number if a signal ended the process.
fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}
