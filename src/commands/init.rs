//! `devenv init`: writes a starter `services.yaml` if no manifest declares production's services yet.

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
    // A manifest without services does not declare production's services; its error message recommends `devenv init`.
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
    // Never replace an existing file: it may be the manifest that could not be read.
    let written = Checkout::at(&here).map_err(Fault::Io).and_then(|checkout| checkout.create(path, starter.as_bytes()));
    written.map_err(|error| {
        Failure::new(
            Exit::Failed,
            Diagnostic::error("init", format!("cannot write {}", path.display()))
                .because(error.to_string())
                .help("`devenv manifest` says what is wrong with a manifest that is there already"),
        )
    })?;
    printer.line(&format!("{} written: enter the services of production, then `devenv up`", path.display()));
    Ok(())
}
