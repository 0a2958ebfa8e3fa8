//! Proves one service: what it needs is carried out, then each of its logins is used for one round trip.

use super::{Run, faults};
use crate::model::{Event, Failure, ServiceState};
use crate::plan::DesiredService;
use crate::protocol::{self, Fault, ProbeError, ReconcileError};
use futures_util::future::try_join_all;
use std::time::{Duration, Instant};

/// How long a server may refuse a login before that is taken for its answer: it may still be loading its users.
const LOGIN_PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries while a server comes up; a try on loopback costs next to nothing.
const PAUSE: Duration = Duration::from_millis(20);

/// How a service was proven.
pub(super) struct Proven {
    /// In what way: `logged in`.
    pub(super) words: &'static str,
    /// The version that the server says it is.
    pub(super) version: Option<String>,
    /// What had to be made or changed for its logins, each as a sentence's end.
    pub(super) done: Vec<String>,
}

/// Tries until the service is proven, its container ends, or the time is over.
pub(super) async fn prove(service: &DesiredService, id: &str, run: &Run<'_>) -> Result<Proven, Failure> {
    let began = Instant::now();
    let until = tokio::time::Instant::from(began + run.timeout);
    // What runs already answers at once; only what does not is watched for its end.
    let mut last = match tokio::time::timeout_at(until, try_once(service)).await {
        Ok(Ok(proof)) => return Ok(proof),
        Ok(Err(error)) => error,
        Err(_) => ReconcileError::from(ProbeError {
            fault: Fault::NotYet,
            message: "it accepted the connection and said nothing".to_owned(),
        }),
    };
    let mut refused_since = None;
    let mut said = String::new();
    let mut exit = std::pin::pin!(run.engine.wait_exit(id));
    loop {
        match last.error.fault {
            Fault::NotYet => refused_since = None,
            Fault::Login => {
                let since: &mut Instant = refused_since.get_or_insert_with(Instant::now);
                if since.elapsed() > LOGIN_PATIENCE {
                    return Err(faults::refused(service, &last, &log_tail(run, id).await));
                }
            }
            Fault::Other => return Err(faults::refused(service, &last, &log_tail(run, id).await)),
        }
        if said != last.error.message {
            said.clone_from(&last.error.message);
            (run.emit)(Event::Service { name: service.name.clone(), state: ServiceState::LoggingIn(said.clone()) });
        }
        let next = async {
            tokio::time::sleep(PAUSE).await;
            try_once(service).await
        };
        tokio::select! {
            biased;
            outcome = next => match outcome {
                Ok(proof) => return Ok(proof),
                Err(error) => last = error,
            },
            code = &mut exit => {
                let log = log_tail(run, id).await;
                return Err(match code {
                    Ok(code) => faults::exited(service, code, &log),
                    Err(error) => faults::of_engine(&error, Some(service)),
                });
            }
            () = tokio::time::sleep_until(until) => {
                return Err(faults::not_ready(service, run.timeout, &last, &log_tail(run, id).await));
            }
        }
    }
}

async fn try_once(service: &DesiredService) -> Result<Proven, ReconcileError> {
    let mut done = Vec::new();
    if let Some(admin) = &service.admin {
        done = match (protocol::reconcile(service.protocol, admin, &service.wanted).await, &service.inherited) {
            (Err(error), Some(inherited)) if error.subject.is_none() && error.error.fault == Fault::Login => {
                protocol::take_over(service.protocol, inherited, admin).await?;
                protocol::reconcile(service.protocol, admin, &service.wanted).await?
            }
            (reconciled, _) => reconciled?,
        };
    }
    let proofs = try_join_all(service.endpoints.iter().map(|endpoint| protocol::prove(service.protocol, endpoint)));
    let proofs = proofs.await?;
    let first = proofs.into_iter().next();
    Ok(Proven {
        words: first.as_ref().map_or("runs", |proof| proof.words),
        version: first.and_then(|proof| proof.server_version),
        done: done.iter().map(ToString::to_string).collect(),
    })
}

/// The last lines of the container's log; an engine that does not give them must not hide the fault itself.
async fn log_tail(run: &Run<'_>, id: &str) -> Vec<String> {
    run.engine.log_tail(id, 20).await.unwrap_or_default()
}
