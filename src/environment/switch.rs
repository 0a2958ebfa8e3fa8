//! The switch to another git branch.

use super::flush::flush;
use crate::docker::{Engine, EngineError};
use crate::model::{Failure, Observed};
use crate::plan::{self, Desired, Identity};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;

/// Runs before another git branch's data is started: the servers of the previous branch flush their data and stop, so
/// that the data with which the next branch begins is of one moment.
pub(crate) async fn stop_other(
    engine: &Engine,
    identity: &Identity,
    desired: &Desired,
    observed: &Observed,
) -> Result<(), Failure> {
    let fault = EngineError::into_failure;
    let running = plan::on_other_branches(identity, observed);
    let flushed = running.iter().filter_map(|container| {
        let service = desired.services.iter().find(|service| service.name == container.service())?;
        let mut service = service.clone();
        // Use the port that is published now: the container may have been started by another run, with another port.
        let port = container.runs().and_then(|runs| runs.port);
        if let (Some(endpoint), Some(port)) = (service.endpoints.first_mut(), port) {
            endpoint.port = port;
        }
        Some(async move {
            tokio::select! {
                biased;
                written = flush(std::iter::once(&service)) => written,
                // An earlier run may have flushed and stopped this server, and the server may exit only now.
                ended = engine.wait_exit(&container.id) => ended.map(drop).map_err(fault),
            }
        })
    });
    try_join_all(flushed).await?;
    try_join_all(running.iter().map(|container| engine.stop(&container.id, None))).await.map(drop).map_err(fault)
}

/// The lines that `up` prints about a switch to another branch.
pub(crate) fn switched(identity: &Identity, observed: &Observed) -> Vec<String> {
    let Some(branch) = &identity.branch else { return Vec::new() };
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (service, left) in plan::left_branches(identity, observed) {
        let has_own = plan::has_own_data(&service, identity, observed);
        let line = match (has_own, left.as_str()) {
            (true, "") => format!("the data of branch {branch}"),
            (true, left) => format!("the data of branch {branch}, no longer of {left}"),
            (false, "") => format!("branch {branch} begins with the current data"),
            (false, left) => format!("branch {branch} begins with the data of {left}"),
        };
        lines.entry(line).or_default().push(service);
    }
    lines.into_iter().map(|(line, services)| format!("{line}: {}", services.join(", "))).collect()
}
