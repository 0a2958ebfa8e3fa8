//! The `devenv` program: parse, run, exit code.

use devenv::cli::{self, Color};
use devenv::model::{Diagnostic, Exit, Failure};
use devenv::ui::{ColorChoice, Printer};
use devenv::{commands, docker};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
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

/// A command line that cannot be read, and help that was asked for.
fn usage(error: &cli::Error) -> ExitCode {
    // Where the terminal is gone there is nobody left to tell.
    let _ = error.print();
    if error.use_stderr() && std::env::args().take_while(|word| word != "--").any(|word| word == "--json") {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let failure = Failure::new(Exit::Usage, Diagnostic::error("usage", message));
        let _ = Printer::new(false, ColorChoice::Never).json(&devenv::ui::failure_json(&failure));
    }
    ExitCode::from(if error.use_stderr() { Exit::Usage as u8 } else { 0 })
}
