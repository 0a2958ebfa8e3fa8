//! Has servers that run write to their volumes the data that they hold only in memory.

use crate::model::{Diagnostic, Endpoint, Exit, Failure, Protocol};
use crate::plan::DesiredService;
use crate::protocol::{self, Fault, ProbeError};
use futures_util::future::try_join_all;
use std::time::{Duration, Instant};

/// The deadline for the first answer of a server that was just started.
const COMING_UP: Duration = Duration::from_secs(10);

/// The pause between two attempts to reach the server.
const PAUSE: Duration = Duration::from_millis(20);

/// Makes running servers write the data to disk that they have only in memory.
pub(crate) async fn flush(services: impl Iterator<Item = &DesiredService>) -> Result<(), Failure> {
    let flushed = services.filter_map(|service| {
        let endpoint = service.endpoints.first()?;
        Some(async move {
            flush_once_up(service.protocol, endpoint).await.map_err(|error| {
                let diagnostic = Diagnostic::error("not-saved", format!("{} failed to flush its data", service.name));
                let diagnostic =
                    diagnostic.because(error.message).help("nothing was changed; `devenv logs` tells more");
                Failure::new(Exit::Failed, diagnostic)
            })
        })
    });
    try_join_all(flushed).await.map(drop)
}

/// Flushes a server. Tries again for a while, because a server that was just started may not answer yet.
async fn flush_once_up(protocol: Protocol, endpoint: &Endpoint) -> Result<(), ProbeError> {
    let began = Instant::now();
    loop {
        match protocol::save(protocol, endpoint).await {
            Err(error) if error.fault == Fault::NotYet && began.elapsed() < COMING_UP => {
                tokio::time::sleep(PAUSE).await;
            }
            saved => return saved,
        }
    }
}
