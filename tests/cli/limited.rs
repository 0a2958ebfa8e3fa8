//! Runs the program with at most 2 GB of address space and one minute: unbounded work fails without harm to the
//! machine.

use crate::sandbox::{Outcome, Sandbox};
use std::process::{Command, Stdio};

/// Runs the program with these limits.
pub(crate) fn run(project: &Sandbox, arguments: &[&str], stdin: Stdio) -> Outcome {
    let plain = project.command(arguments);
    let mut limited = Command::new("timeout");
    limited.args(["--kill-after=1", "60", "sh", "-c", "ulimit -v 2000000; exec \"$@\"", "sh"]);
    limited.arg(plain.get_program()).args(plain.get_args()).stdin(stdin).env_clear();
    limited.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(project.root());
    Outcome::of(&limited.output().expect("timeout of coreutils"))
}
