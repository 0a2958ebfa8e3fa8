//! `devenv facts`: writes the facts of servers to a file, for users without access to the servers.

use crate::cli::{Facts, Global};
use crate::environment::checkout::{self, Opened, Wish};
use crate::environment::env_files;
use crate::environment::servers::{Named, ask, ask_local, named};
use crate::environment::session::built_in_kinds;
use crate::model::{Diagnostic, Exit, Failure};
use crate::parity::{self, FactsFile};
use crate::ui::Printer;
use futures_util::future::join_all;
use std::path::PathBuf;

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], facts: &Facts, printer: &Printer) -> Result<(), Failure> {
    let found = if facts.servers.is_empty() {
        local(global, files, printer).await?
    } else {
        let kinds = built_in_kinds()?;
        let servers: Vec<Named> = named(&facts.servers, &kinds, facts.insecure)?;
        ask(&servers).await?
    };
    printer.exact(&parity::render(&found))
}

/// The facts of the running local services. Prints a warning for each service that cannot be asked, and fails if no
/// service can be asked.
async fn local(global: &Global, files: &[PathBuf], printer: &Printer) -> Result<FactsFile, Failure> {
    let Opened { mut project, observed, engine, .. } = checkout::open(global, &Wish::to_use(files), printer).await?;
    let desired = env_files::as_it_runs(&mut project, &observed)?;
    let asked = desired
        .services
        .iter()
        .map(|service| ask_local(service, &project.identity.name, &observed, None, &engine, printer));
    let mut found = FactsFile::new();
    for (service, answer) in desired.services.iter().zip(join_all(asked).await) {
        match answer {
            Ok(facts) => drop(found.insert(service.name.clone(), facts)),
            Err(why) => printer.diagnostics(&[Diagnostic::warning(
                "service-silent",
                format!("{} cannot be asked: {why}", service.name),
            )
            .at(&service.origin, "declared here")]),
        }
    }
    if found.is_empty() {
        let diagnostic = Diagnostic::error("service-silent", "no service of this environment can be asked");
        return Err(Failure::new(
            Exit::Failed,
            diagnostic.help("`devenv up` starts them, or name a server: `devenv facts URL`"),
        ));
    }
    Ok(found)
}
