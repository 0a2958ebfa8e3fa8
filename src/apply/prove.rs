//! Proves one service: sets up its logins and databases, then uses each of its logins for one round trip.

use super::{Run, faults};
use crate::model::{Endpoint, Event, Failure, ServiceState};
use crate::plan::DesiredService;
use crate::protocol::{self, Done, Fault, ProbeError, Proof, ReconcileError};
use futures_util::future::{join, try_join_all};
use std::time::{Duration, Instant};

/// How long a server may refuse a login before the refusal counts as final. The server may still be loading its users.
const LOGIN_PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two attempts while a server starts. An attempt on loopback costs very little.
const PAUSE: Duration = Duration::from_millis(10);

/// How a service was proven.
pub(super) struct Proven {
    /// The kind of proof: `logged in`.
    pub(super) words: &'static str,
    /// The version that the server reports.
    pub(super) version: Option<String>,
    /// The objects that had to be created or changed for its logins, each as the end of a sentence.
    pub(super) done: Vec<String>,
}

/// Tries until the service is proven, its container ends, or the time is over.
pub(super) async fn prove(service: &DesiredService, id: &str, run: &Run<'_>) -> Result<Proven, Failure> {
    let began = Instant::now();
    let until = tokio::time::Instant::from(began + run.timeout);
    // A server that already runs answers at once. The container of any other server is watched for its end.
    let mut last = match tokio::time::timeout_at(until, try_at_one_go(service)).await {
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

/// Logs in while it sets up the server, because there is usually nothing to set up. If something was set up, or a login
/// did not succeed, the logins are repeated, and only these count.
async fn try_at_one_go(service: &DesiredService) -> Result<Proven, ReconcileError> {
    let Some(admin) = &service.admin else { return try_once(service).await };
    let (done, proofs) = join(reconciled(service, admin), logins(service)).await;
    match (done?, proofs) {
        (done, Ok(proofs)) if done.is_empty() => Ok(Proven::by(proofs, &[])),
        (done, _) => Ok(Proven::by(logins(service).await?, &done)),
    }
}

async fn try_once(service: &DesiredService) -> Result<Proven, ReconcileError> {
    let mut done = Vec::new();
    if let Some(admin) = &service.admin {
        done = reconciled(service, admin).await?;
    }
    Ok(Proven::by(logins(service).await?, &done))
}

/// Each of the service's logins, used for one round trip.
async fn logins(service: &DesiredService) -> Result<Vec<Proof>, ProbeError> {
    try_join_all(service.endpoints.iter().map(|endpoint| protocol::prove(service.protocol, endpoint))).await
}

impl Proven {
    fn by(proofs: Vec<Proof>, done: &[Done]) -> Self {
        let first = proofs.into_iter().next();
        Self {
            words: first.as_ref().map_or("runs", |proof| proof.words),
            version: first.and_then(|proof| proof.server_version),
            done: done.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Sets up the server with the administrator's own login, or with the login that the data began with, which is then
/// replaced by the administrator's own. The more likely login comes first. The other one follows if the first is
/// refused.
async fn reconciled(service: &DesiredService, admin: &Endpoint) -> Result<Vec<Done>, ReconcileError> {
    let (protocol, wanted) = (service.protocol, &service.wanted);
    let Some(inherited) = &service.inherited else { return protocol::reconcile(protocol, admin, wanted).await };
    let is_refused = |error: &ReconcileError| error.subject.is_none() && error.error.fault == Fault::Login;
    if service.begins_inherited {
        match protocol::take_over(protocol, inherited, admin, wanted).await {
            Err(error) if is_refused(&error) => protocol::reconcile(protocol, admin, wanted).await,
            taken => taken,
        }
    } else {
        match protocol::reconcile(protocol, admin, wanted).await {
            Err(error) if is_refused(&error) => protocol::take_over(protocol, inherited, admin, wanted).await,
            reconciled => reconciled,
        }
    }
}

/// The last lines of the container's log. If the engine does not return them, the fault itself is still reported.
async fn log_tail(run: &Run<'_>, id: &str) -> Vec<String> {
    run.engine.log_tail(id, 20).await.unwrap_or_default()
}
