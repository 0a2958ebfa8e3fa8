//! Networks and volumes.

use super::fault::brief;
use super::{Engine, EngineError, EngineFault};
use bollard::models::{NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{ListNetworksOptions, RemoveVolumeOptions};
use std::collections::{BTreeMap, HashMap};

impl Engine {
    /// Makes a network and gives its id. Engines before API 1.44 would make a second one of the same name, which no
    /// container could then name: here that is a conflict on every engine.
    pub async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<String, EngineError> {
        let operation = format!("make the network {name}");
        let filters = HashMap::from([("name".to_owned(), vec![name.to_owned()])]);
        let listed = self.docker.list_networks(Some(ListNetworksOptions { filters: Some(filters) })).await;
        let listed = listed.map_err(|error| EngineError::read(&operation, &error))?;
        if listed.iter().any(|network| network.name.as_deref() == Some(name)) {
            return Err(EngineError::new(operation, EngineFault::Conflict, "there is a network of that name already"));
        }
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            labels: Some(labels.clone().into_iter().collect()),
            ..Default::default()
        };
        let made = self.docker.create_network(request).await.map_err(|error| EngineError::read(operation, &error))?;
        Ok(made.id)
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
