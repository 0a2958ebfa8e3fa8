//! Pending stops: containers that the engine was asked to stop and that still run.
//!
//! An engine carries out a request even if the client no longer waits for the answer. The engine lists a container that
//! it was asked to stop as running until the container's program has ended. Only the engine's events show the pending
//! stop.

use super::{Engine, EngineError, label};
use bollard::query_parameters::EventsOptions;
use futures_util::{TryStreamExt as _, future::try_join_all};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far the engine's clock may differ from this machine's clock.
const CLOCKS_DIFFER: Duration = Duration::from_mins(1);
/// Longer than the engine needs to list past events.
const EVENTS_TIMEOUT: Duration = Duration::from_secs(10);
/// Signals that do not ask a program to end: `HUP`, `USR1`, `USR2`.
const NOT_TO_END: [&str; 3] = ["1", "10", "12"];

impl Engine {
    /// Ids of an environment's containers that were asked to stop after `since` and still run.
    pub async fn pending_stops(&self, environment: &str, since: SystemTime) -> Result<BTreeSet<String>, EngineError> {
        let operation = "list its events";
        let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64().to_string();
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("event".to_owned(), vec!["kill".to_owned(), "die".to_owned(), "destroy".to_owned()]),
            ("label".to_owned(), vec![format!("{}={environment}", label::ENVIRONMENT)]),
        ]);
        let options = EventsOptions {
            since: Some(seconds(since - CLOCKS_DIFFER)),
            until: Some(seconds(SystemTime::now())),
            filters: Some(filters),
        };
        let mut pending = BTreeSet::new();
        let listed = self.docker.events(Some(options)).try_for_each(|event| {
            let actor = event.actor.unwrap_or_default();
            let signal = actor.attributes.unwrap_or_default().remove("signal").unwrap_or_default();
            match (event.action.as_deref(), actor.id) {
                (Some("kill"), Some(id)) if !NOT_TO_END.contains(&signal.as_str()) => {
                    pending.insert(id);
                }
                (Some("die" | "destroy"), Some(id)) => {
                    pending.remove(&id);
                }
                _ => {}
            }
            std::future::ready(Ok(()))
        });
        match tokio::time::timeout(EVENTS_TIMEOUT, listed).await {
            Ok(Err(error)) => Err(EngineError::read(operation, &error)),
            // A timeout means that the engine's clock is behind. The engine has already listed all events up to now.
            Ok(Ok(())) | Err(_) => Ok(pending),
        }
    }

    /// Waits until the containers have ended, at most for `most`.
    pub async fn wait_for_ends(&self, containers: &BTreeSet<String>, most: Duration) -> Result<(), EngineError> {
        let ends = try_join_all(containers.iter().map(|id| async move {
            match self.wait_exit(id).await {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(()),
            }
        }));
        tokio::time::timeout(most, ends).await.map_or(Ok(()), |ended| ended.map(drop))
    }
}
