//! The `devenv` program: parses the command line, runs the command, and exits with its code.

use devenv::cli::{self, Color};
use devenv::model::{Diagnostic, Exit, Failure};
use devenv::ui::{ColorChoice, Printer};
use devenv::{commands, docker};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(commands::usage(&error)),
    };
    let color = match cli.global.color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    };
    let printer = Printer::new(cli.global.quiet, color);
    let json = cli.command.is_json();
    docker::install_tls_provider();
    let outcome = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(commands::run(cli, &printer)),
        Err(error) => Err(Failure::new(
            Exit::Failed,
            Diagnostic::error("runtime", "cannot start the event loop").because(error.to_string()),
        )),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            printer.failure(&failure, json);
            ExitCode::from(failure.exit as u8)
        }
    }
}
