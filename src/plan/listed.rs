//! Every environment on the engine, as labels tell of it.

use super::Identity;
use crate::machine::Key;
use crate::model::{Observed, label};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An environment on the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The root of its checkout.
    pub root: String,
    /// What the project was called when the environment got its name.
    pub project: String,
    /// Its services, running or not.
    pub services: BTreeSet<String>,
    /// Those that run.
    pub running: BTreeSet<String>,
    /// When the oldest container that it has was made, seconds since 1970; none where it has none.
    pub since: Option<i64>,
    /// Whether it goes at the end of its run.
    pub is_ephemeral: bool,
    /// Whether it is of this machine's key. Of an ephemeral one that cannot be told.
    pub is_ours: bool,
}

/// The environments of the engine: by folder, then by name.
pub fn listed(key: &Key, observed: &Observed) -> Vec<Listed> {
    let mut all: BTreeMap<String, Listed> = BTreeMap::new();
    let mut of = |labels: &BTreeMap<String, String>, state: &str, created: Option<i64>| {
        let said = |key: &str| labels.get(key).map(String::as_str).filter(|value| !value.is_empty());
        // What makes a base is of no environment that anybody works with.
        let Some(name) = said(label::ENVIRONMENT).or(said(label::KEEPS)) else { return };
        if labels.contains_key(label::BASE) {
            return;
        }
        let one = all.entry(name.to_owned()).or_default();
        name.clone_into(&mut one.name);
        said(label::ROOT).unwrap_or_default().clone_into(&mut one.root);
        one.is_ephemeral |= labels.contains_key(label::EPHEMERAL);
        if let Some(service) = said(label::SERVICE) {
            one.services.insert(service.to_owned());
            if state == "running" {
                one.running.insert(service.to_owned());
            }
        }
        one.since = match (one.since, created) {
            (Some(since), Some(created)) => Some(since.min(created)),
            (since, created) => since.or(created),
        };
    };
    for container in &observed.containers {
        of(&container.labels, &container.state, Some(container.created));
    }
    for volume in &observed.volumes {
        of(&volume.labels, "", None);
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
    use crate::model::{ObservedContainer, ObservedVolume};

    #[test]
    fn an_environment_is_listed_with_its_services_and_how_many_run() {
        let key = Key::from_bytes([7; 32]);
        let identity = Identity::of_checkout("my-shop", Path::new("/shop"), key.clone());
        let labels = |service: &str| {
            BTreeMap::from([
                (label::ENVIRONMENT.to_owned(), identity.name.clone()),
                (label::ROOT.to_owned(), "/shop".to_owned()),
                (label::SERVICE.to_owned(), service.to_owned()),
            ])
        };
        let container = |service: &str, state: &str, created| ObservedContainer {
            labels: labels(service),
            state: state.to_owned(),
            created,
            ..ObservedContainer::default()
        };
        let observed = Observed {
            containers: vec![container("db", "running", 20), container("cache", "exited", 10)],
            volumes: vec![ObservedVolume { name: "v".to_owned(), labels: labels("queue") }],
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
