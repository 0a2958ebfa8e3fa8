//! `devenv init`: a starter `services.yaml`, where nothing says yet what production runs.

use crate::cli::Global;
use crate::environment::session::read;
use crate::manifest::Reading;
use crate::model::{Diagnostic, Exit, Failure};
use crate::project::{Checkout, Fault};
use crate::ui::Printer;
use std::path::Path;

const STARTER: &str = include_str!("../../templates/manifests/services.yaml");

/// Runs the command.
pub(crate) fn run(global: &Global, printer: &Printer) -> Result<(), Failure> {
    // What declares no service says nothing of what production runs, and is what sends people here.
    let says_something = |reading: &Reading| {
        let silent = reading.diagnostics.iter().filter(|one| one.code == "no-services").count();
        reading.stack.sources.len() > silent
    };
    if let Some(reading) = read(global, &[]).ok().filter(says_something) {
        let found: Vec<String> = reading.stack.sources.iter().map(ToString::to_string).collect();
        printer.line(&format!("there is a manifest already: {}", found.join(", ")));
        printer.line("`devenv manifest` shows what it declares, `devenv up` starts it");
        return Ok(());
    }
    let path = Path::new("services.yaml");
    let here = std::env::current_dir().unwrap_or_default();
    let folder = here.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let starter = STARTER.replacen("name: app", &format!("name: {}", crate::plan::slug(&folder)), 1);
    // Never over a file that is there: it may be the very manifest that could not be read.
    let written = Checkout::at(&here).map_err(Fault::Io).and_then(|checkout| checkout.create(path, starter.as_bytes()));
    written.map_err(|error| {
        Failure::new(
            Exit::Failed,
            Diagnostic::error("init", format!("cannot write {}", path.display()))
                .because(error.to_string())
                .help("`devenv manifest` says what is wrong with a manifest that is there already"),
        )
    })?;
    printer.line(&format!("{} written: edit it to what production runs, then `devenv up`", path.display()));
    Ok(())
}
