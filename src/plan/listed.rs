//! All environments on the engine, from the labels of their resources.

use super::Identity;
use crate::machine::Key;
use crate::model::{Observed, Scope};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An environment on the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The root of its checkout.
    pub root: String,
    /// The project's name at the time when the environment got its name.
    pub project: String,
    /// Its services, running or not.
    pub services: BTreeSet<String>,
    /// The services that run.
    pub running: BTreeSet<String>,
    /// When its oldest container or record was created, in seconds since 1970; none if it has neither.
    pub since: Option<i64>,
    /// Whether the environment is deleted at the end of its run.
    pub is_ephemeral: bool,
    /// Whether the environment belongs to this machine's key. Always true for an ephemeral environment, whose key
    /// cannot be checked.
    pub is_ours: bool,
}

/// The environments of the engine, sorted by folder, then by name.
pub fn listed(key: &Key, observed: &Observed) -> Vec<Listed> {
    let mut all: BTreeMap<String, Listed> = BTreeMap::new();
    let mut seen = |scope: &Scope, service: &str, runs: bool, created: Option<i64>| {
        if scope.environment.is_empty() {
            return;
        }
        let one = all.entry(scope.environment.clone()).or_default();
        one.name.clone_from(&scope.environment);
        one.root.clone_from(&scope.root);
        one.is_ephemeral |= scope.ephemeral;
        if !service.is_empty() {
            one.services.insert(service.to_owned());
        }
        if runs {
            one.running.insert(service.to_owned());
        }
        one.since = match (one.since, created) {
            (Some(since), Some(created)) => Some(since.min(created)),
            (since, created) => since.or(created),
        };
    };
    for one in &observed.containers {
        seen(&one.scope, one.service(), one.runs().is_some() && one.state == "running", Some(one.created));
    }
    for one in &observed.records {
        seen(&one.record.scope, "", false, Some(one.created));
    }
    for volume in &observed.volumes {
        seen(&volume.scope, volume.service(), false, None);
    }
    let mut all: Vec<Listed> = all.into_values().collect();
    for one in &mut all {
        let known = Identity::of_labels(&one.name, Path::new(&one.root), key);
        one.is_ours = one.is_ephemeral || known.is_some();
        one.project = one.name.rsplit_once('-').map_or(one.name.as_str(), |(project, _)| project).to_owned();
    }
    all.sort_by(|one, other| (&one.root, &one.name).cmp(&(&other.root, &other.name)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Container, ContainerRole, Data, ServiceContainer, Volume, VolumeRole};

    #[test]
    fn an_environment_is_listed_with_its_services_and_how_many_run() {
        let key = Key::from_bytes([7; 32]);
        let identity = Identity::of_checkout("my-shop", Path::new("/shop"), key.clone());
        let container = |service: &str, state: &str, created| {
            let role = ServiceContainer { service: service.to_owned(), ..ServiceContainer::default() };
            let (scope, role) = (identity.scope(), ContainerRole::Service(role));
            Container { scope, role, state: state.to_owned(), created, ..Container::default() }
        };
        let data = Data { service: "queue".to_owned(), ..Data::default() };
        let volume = Volume { name: "v".to_owned(), scope: identity.scope(), role: VolumeRole::Data(data) };
        let observed = Observed {
            containers: vec![container("db", "running", 20), container("cache", "exited", 10)],
            volumes: vec![volume],
            ..Observed::default()
        };
        let all = listed(&key, &observed);
        assert_eq!(all.len(), 1);
        let one = &all[0];
        assert_eq!((one.project.as_str(), one.root.as_str(), one.since), ("my-shop", "/shop", Some(10)));
        assert_eq!(one.services.iter().collect::<Vec<_>>(), ["cache", "db", "queue"]);
        assert_eq!(one.running.iter().collect::<Vec<_>>(), ["db"]);
        assert!(one.is_ours && !one.is_ephemeral);
        assert!(!listed(&Key::from_bytes([8; 32]), &observed)[0].is_ours);
    }
}
