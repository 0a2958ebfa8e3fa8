//! `devenv man --to DIR`: writes one manual page for each command, from the help of the command line.

use crate::cli::Cli;
use crate::model::{Diagnostic, Exit, Failure};
use crate::ui::Printer;
use clap::CommandFactory as _;
use std::path::Path;

/// Runs the command.
pub(crate) fn run(folder: &Path, printer: &Printer) -> Result<(), Failure> {
    let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
    written.map_err(|error| {
        let diagnostic = Diagnostic::error("man", format!("cannot write the manual into {}", folder.display()));
        Failure::new(Exit::Failed, diagnostic.because(error.to_string()).help("name a folder that you may write to"))
    })?;
    printer.line(&format!("the manual's pages are in {}", folder.display()));
    Ok(())
}
