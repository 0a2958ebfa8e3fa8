//! Networks and volumes.

use super::fault::brief;
use super::{Engine, EngineError, EngineFault, labels};
use crate::model::{Scope, VolumeRole};
use bollard::models::{Network, NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{ListNetworksOptions, RemoveVolumeOptions};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

/// How many projects a fault lists with their networks.
const MAX_PROJECTS: usize = 10;

impl Engine {
    /// Creates a network and returns its id. Engines before API 1.44 would create a second network of the same name,
    /// and then no container could use a network by this name. Here a taken name is a conflict on every engine.
    ///
    /// If several networks have the name already (because a run was killed while the engine was creating one), all but
    /// one are removed.
    pub async fn create_network(&self, name: &str, scope: &Scope) -> Result<String, EngineError> {
        let operation = format!("create the network {name}");
        let before = self.networks_named(name, &operation).await?;
        if before.len() == 1 {
            return Err(EngineError::new(operation, EngineFault::Conflict, "there is a network of that name already"));
        }
        if before.is_empty() {
            let request = NetworkCreateRequest {
                name: name.to_owned(),
                driver: Some("bridge".to_owned()),
                labels: Some(labels::of_scope(scope)),
                ..Default::default()
            };
            match self.work(&operation, self.docker.create_network(request)).await {
                Err(error) if error.kind == EngineFault::NoAddresses => return Err(self.with_networks(error).await),
                made => drop(made?),
            }
        }
        let mut all = self.networks_named(name, &operation).await?;
        // Newest first. If the engine reports that a network is in use, an older one is removed instead.
        all.sort_by(|one, other| (&other.created, &other.id).cmp(&(&one.created, &one.id)));
        let mut ids: Vec<String> = all.into_iter().filter_map(|network| network.id).collect();
        let mut index = 0;
        while ids.len() > 1 && index < ids.len() {
            if self.remove_network(&ids[index]).await.is_ok() {
                ids.remove(index);
            } else {
                index += 1;
            }
        }
        ids.pop().ok_or_else(|| EngineError::new(operation, EngineFault::NotFound, "it was removed at once"))
    }

    /// Adds a note to a fault: the projects to which the engine's networks belong.
    async fn with_networks(&self, mut error: EngineError) -> EngineError {
        let all = self.ask("list the networks", self.docker.list_networks(None)).await;
        let (Ok(all), Ok(ours)) = (all, self.own_networks().await) else { return error };
        let mut projects: BTreeMap<&str, usize> = BTreeMap::new();
        for network in &ours {
            *projects.entry(network.scope.root.as_str()).or_default() += 1;
        }
        let mut note = format!("it has {} networks, of which {} are devenv's", all.len(), ours.len());
        for (root, count) in projects.iter().take(MAX_PROJECTS) {
            let _ = write!(note, "\n{count} of {root}");
        }
        if projects.len() > MAX_PROJECTS {
            let _ = write!(note, "\nand those of {} more projects", projects.len() - MAX_PROJECTS);
        }
        error.notes.push(note);
        error
    }

    async fn networks_named(&self, name: &str, operation: &str) -> Result<Vec<Network>, EngineError> {
        // The filter also finds names that contain this one.
        let filters = HashMap::from([("name".to_owned(), vec![name.to_owned()])]);
        let options = ListNetworksOptions { filters: Some(filters) };
        let mut listed = self.ask(operation, self.docker.list_networks(Some(options))).await?;
        listed.retain(|network| network.name.as_deref() == Some(name));
        Ok(listed)
    }

    /// Removes a network by id or name. A network that does not exist counts as removed.
    pub async fn remove_network(&self, network: &str) -> Result<(), EngineError> {
        gone(self.work(format!("remove the network {}", brief(network)), self.docker.remove_network(network)).await)
    }

    /// Creates an empty named volume. A volume that exists already is left as it is, with its labels.
    pub(super) async fn empty_volume(&self, name: &str, scope: &Scope, role: &VolumeRole) -> Result<(), EngineError> {
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels::of_volume(scope, role)),
            ..Default::default()
        };
        self.own_volume(request).await
    }

    /// Creates a volume with labels. If a container's request mentioned the name of a volume that did not exist, the
    /// engine created that volume by itself: it is empty and says nothing of its role. Such a volume is replaced.
    pub(super) async fn own_volume(&self, request: VolumeCreateRequest) -> Result<(), EngineError> {
        let name = request.name.clone().unwrap_or_default();
        let create = || self.work(format!("create the volume {name}"), self.docker.create_volume(request.clone()));
        let made = create().await?;
        let has_role = |labels: Option<labels::Labels>| labels::Read::new(labels).has_role();
        if has_role(request.labels.clone()) && !has_role(Some(made.labels)) {
            self.remove_volume(&name).await?;
            create().await?;
        }
        Ok(())
    }

    /// Removes a named volume and its data. A volume that does not exist counts as removed.
    pub async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        let options = RemoveVolumeOptions { force: false };
        gone(self.work(format!("remove the volume {name}"), self.docker.remove_volume(name, Some(options))).await)
    }
}

/// A resource that does not exist counts as removed.
pub(super) fn gone(removed: Result<(), EngineError>) -> Result<(), EngineError> {
    match removed {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}
