//! Networks and volumes.

use super::fault::brief;
use super::{Engine, EngineError, EngineFault};
use bollard::models::{Network, NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{ListNetworksOptions, RemoveVolumeOptions};
use std::collections::{BTreeMap, HashMap};

impl Engine {
    /// Makes a network and gives its id. Engines before API 1.44 would make a second one of the same name, which no
    /// container could then name: here that is a conflict on every engine.
    ///
    /// Where there are several already (a run was killed while the engine was making one), all but one are removed.
    pub async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<String, EngineError> {
        let operation = format!("make the network {name}");
        let before = self.networks_named(name, &operation).await?;
        if before.len() == 1 {
            return Err(EngineError::new(operation, EngineFault::Conflict, "there is a network of that name already"));
        }
        if before.is_empty() {
            let request = NetworkCreateRequest {
                name: name.to_owned(),
                driver: Some("bridge".to_owned()),
                labels: Some(labels.clone().into_iter().collect()),
                ..Default::default()
            };
            let made = self.docker.create_network(request).await;
            made.map_err(|error| EngineError::read(&operation, &error))?;
        }
        let mut all = self.networks_named(name, &operation).await?;
        // Newest first; of one that is in use the engine says so, and an older one goes instead.
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

    async fn networks_named(&self, name: &str, operation: &str) -> Result<Vec<Network>, EngineError> {
        // The filter also finds names that contain this one.
        let filters = HashMap::from([("name".to_owned(), vec![name.to_owned()])]);
        let listed = self.docker.list_networks(Some(ListNetworksOptions { filters: Some(filters) })).await;
        let mut listed = listed.map_err(|error| EngineError::read(operation, &error))?;
        listed.retain(|network| network.name.as_deref() == Some(name));
        Ok(listed)
    }

    /// Removes a network by id or name; one that is not there is as good as removed.
    pub async fn remove_network(&self, network: &str) -> Result<(), EngineError> {
        let removed = self.docker.remove_network(network).await;
        gone(removed.map_err(|error| EngineError::read(format!("remove the network {}", brief(network)), &error)))
    }

    /// Makes a named volume. One that exists already is left as it is, with the labels it has.
    pub async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), EngineError> {
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            labels: Some(labels.clone().into_iter().collect()),
            ..Default::default()
        };
        let made = self.docker.create_volume(request).await;
        made.map(drop).map_err(|error| EngineError::read(format!("make the volume {name}"), &error))
    }

    /// Removes a named volume and the data in it; one that is not there is as good as removed.
    pub async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        let removed = self.docker.remove_volume(name, Some(RemoveVolumeOptions { force: false })).await;
        gone(removed.map_err(|error| EngineError::read(format!("remove the volume {name}"), &error)))
    }
}

/// What is not there needs no removing.
pub(super) fn gone(removed: Result<(), EngineError>) -> Result<(), EngineError> {
    match removed {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}
