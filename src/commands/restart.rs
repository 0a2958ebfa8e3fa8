//! `devenv restart [SERVICE…]`: stops running services cleanly, so that `up` starts them again. `devenv stop SERVICE…`:
//! only stops them.

use crate::cli::{Global, Restart, Up};
use crate::docker::EngineError;
use crate::environment::checkout::{self, Found};
use crate::environment::session::unknown_service;
use crate::model::{Container, Failure};
use crate::ui::Printer;
use futures_util::future::try_join_all;
use std::path::PathBuf;

/// Stops the services, so that the following `up` starts them again.
pub(crate) async fn run(
    global: &Global,
    files: &[PathBuf],
    restart: &Restart,
    printer: &Printer,
) -> Result<(), Failure> {
    let (found, _lock) = checkout::find(global, files).await?.locked(printer).await?;
    if files.is_empty() {
        // If the manifests cannot be read, the services could not be started again, so do not stop them.
        found.read(global, files).await?;
    }
    stop_each(&found, &restart.services).await
}

/// The `up` that starts them again.
pub(crate) fn up_again(restart: &Restart) -> Up {
    let (start, services) = (restart.start.clone(), restart.services.clone());
    Up { start, services, env_file: None, detach: false, from: None, reseed: false, yes: false, json: false }
}

/// Runs `devenv stop` with services.
pub(crate) async fn stop(
    global: &Global,
    files: &[PathBuf],
    services: &[String],
    printer: &Printer,
) -> Result<(), Failure> {
    let (found, _lock) = checkout::find(global, files).await?.locked(printer).await?;
    stop_each(&found, services).await?;
    printer.line(&format!("stopped: {}; `devenv up` starts stopped services", services.join(", ")));
    Ok(())
}

/// Stops the running services among `services`; all running services if no names are given.
async fn stop_each(found: &Found, services: &[String]) -> Result<(), Failure> {
    let environment = &found.identity.name;
    let ours: Vec<&Container> = found.observed.containers_of(environment).collect();
    if let Some(unknown) = services.iter().find(|name| !ours.iter().any(|one| one.service() == **name)) {
        return Err(unknown_service(unknown, ours.iter().map(|one| one.service())));
    }
    let is_wanted = |one: &&&Container| services.is_empty() || services.iter().any(|name| one.service() == name);
    let wanted = ours.iter().filter(is_wanted);
    let stopped = wanted.filter(|one| one.state == "running").map(|one| found.engine.stop(&one.id, None));
    try_join_all(stopped).await.map_err(EngineError::into_failure)?;
    Ok(())
}
