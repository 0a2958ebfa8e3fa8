//! What the engine was told to end, and has not ended yet.
//!
//! An engine goes on with what it was asked when nobody waits for it any more, and lists a container that it was told
//! to stop as running until its program has ended. Only its events tell that.

use super::{Engine, EngineError, label};
use bollard::query_parameters::EventsOptions;
use futures_util::{TryStreamExt as _, future::try_join_all};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How far the engine's clock may be from ours.
const CLOCKS_DIFFER: Duration = Duration::from_mins(1);
/// More than the engine takes to tell what was.
const TOLD_WITHIN: Duration = Duration::from_secs(10);
/// Signals by which a program is told something else than to end: `HUP`, `USR1`, `USR2`.
const NOT_TO_END: [&str; 3] = ["1", "10", "12"];

impl Engine {
    /// Ids of an environment's containers that were told to end since then, and have not.
    pub async fn ending(&self, environment: &str, since: SystemTime) -> Result<BTreeSet<String>, EngineError> {
        let operation = "tell its events";
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
        let mut ending = BTreeSet::new();
        let told = self.docker.events(Some(options)).try_for_each(|event| {
            let actor = event.actor.unwrap_or_default();
            let signal = actor.attributes.unwrap_or_default().remove("signal").unwrap_or_default();
            match (event.action.as_deref(), actor.id) {
                (Some("kill"), Some(id)) if !NOT_TO_END.contains(&signal.as_str()) => {
                    ending.insert(id);
                }
                (Some("die" | "destroy"), Some(id)) => {
                    ending.remove(&id);
                }
                _ => {}
            }
            std::future::ready(Ok(()))
        });
        match tokio::time::timeout(TOLD_WITHIN, told).await {
            Ok(Err(error)) => Err(EngineError::read(operation, &error)),
            // Its clock is behind: what was until now it has told.
            Ok(Ok(())) | Err(_) => Ok(ending),
        }
    }

    /// Waits until they have ended, at most that long.
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
