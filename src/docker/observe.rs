//! Asks the engine once what it has.

use super::Engine;
use super::fault::EngineError;
use crate::model::{
    ImageRef, LocalImage, Observed, ObservedContainer, ObservedNetwork, ObservedVolume, Publish, label,
};
use bollard::errors::Error;
use bollard::models::{ContainerSummary, ImageInspect};
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, ListVolumesOptions};
use futures_util::future::try_join_all;
use std::collections::{BTreeMap, HashMap};

impl Engine {
    /// Everything of ours on the engine, and which of the given images it has. All calls go out at once.
    pub async fn observe(&self, images: &[ImageRef]) -> Result<Observed, EngineError> {
        let fault = |error: Error| EngineError::new("list what it runs", &error);
        let ours = || Some(HashMap::from([("label".to_owned(), vec![label::ENVIRONMENT.to_owned()])]));
        let containers = self.docker.list_containers(Some(ListContainersOptions {
            all: true,
            filters: ours(),
            ..Default::default()
        }));
        let volumes = self.docker.list_volumes(Some(ListVolumesOptions { filters: ours() }));
        let networks = self.docker.list_networks(Some(ListNetworksOptions { filters: ours() }));
        let images =
            try_join_all(images.iter().map(|image| async move {
                Ok(self.local_image(image).await?.map(|local| (image.to_string(), local)))
            }));
        let (containers, volumes, networks, images) =
            tokio::try_join!(containers, volumes, networks, images).map_err(fault)?;
        Ok(Observed {
            containers: containers.into_iter().map(container).collect(),
            volumes: volumes
                .volumes
                .unwrap_or_default()
                .into_iter()
                .map(|volume| ObservedVolume { name: volume.name, labels: volume.labels.into_iter().collect() })
                .collect(),
            networks: networks
                .into_iter()
                .map(|network| ObservedNetwork {
                    id: network.id.unwrap_or_default(),
                    name: network.name.unwrap_or_default(),
                    labels: network.labels.unwrap_or_default().into_iter().collect(),
                })
                .collect(),
            images: images.into_iter().flatten().collect(),
            platform: String::new(),
        })
    }

    /// The image, if the engine has it.
    pub(super) async fn local_image(&self, image: &ImageRef) -> Result<Option<LocalImage>, Error> {
        match self.docker.inspect_image(&reference(image)).await {
            Ok(found) => Ok(Some(local(found))),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// As the engine wants it: a digest names the content by itself, and an engine keeps no tag for what was pulled by one.
pub(super) fn reference(image: &ImageRef) -> String {
    match (&image.digest, &image.tag) {
        (Some(digest), _) => format!("{}@{digest}", image.name()),
        (None, Some(tag)) => format!("{}:{tag}", image.name()),
        (None, None) => format!("{}:latest", image.name()),
    }
}

fn local(found: ImageInspect) -> LocalImage {
    let system = found.os.unwrap_or_default();
    let mut platform = format!("{system}/{}", found.architecture.unwrap_or_default());
    if let Some(variant) = found.variant.filter(|variant| !variant.is_empty()) {
        platform = format!("{platform}/{variant}");
    }
    let config = found.config.unwrap_or_default();
    LocalImage {
        id: found.id.unwrap_or_default(),
        repo_digests: found.repo_digests.unwrap_or_default(),
        platform,
        volumes: config.volumes.unwrap_or_default().into_iter().collect(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
    }
}

fn container(summary: ContainerSummary) -> ObservedContainer {
    let publish = |port: &bollard::models::PortSummary| {
        Some(Publish {
            container_port: port.private_port,
            host_ip: port.ip.as_deref()?.parse().ok()?,
            host_port: port.public_port?,
        })
    };
    ObservedContainer {
        id: summary.id.unwrap_or_default(),
        name: summary
            .names
            .unwrap_or_default()
            .first()
            .map(|name| name.trim_start_matches('/').to_owned())
            .unwrap_or_default(),
        state: summary.state.map(|state| state.to_string()).unwrap_or_default(),
        labels: summary.labels.unwrap_or_default().into_iter().collect::<BTreeMap<_, _>>(),
        image_id: summary.image_id.unwrap_or_default(),
        image: summary.image.unwrap_or_default(),
        created: summary.created.unwrap_or_default(),
        status: summary.status.unwrap_or_default(),
        publish: summary.ports.unwrap_or_default().iter().filter_map(publish).collect(),
        volumes: summary.mounts.unwrap_or_default().into_iter().filter_map(|mount| mount.name).collect(),
    }
}
