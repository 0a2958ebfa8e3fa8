//! Observes the resources on the engine, with all requests at the same time.

use super::api_version::platform;
use super::labels::{Read, ReadContainer, SCHEMA};
use super::{Engine, EngineError, EngineFault, label};
use crate::model::{Container, ImageRef, LocalImage, Network, Observed, ObservedRecord, Publish, Record, Volume};
use bollard::models::{ContainerSummary, MountPoint, PortSummary};
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, ListVolumesOptions};
use futures_util::future::try_join_all;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

impl Engine {
    /// The containers, volumes and networks of every environment of devenv, the base layers, and those of the given
    /// images that the engine has.
    ///
    /// All requests are sent at the same time. Resources of other tools are not listed.
    pub async fn observe(&self, images: &[ImageRef]) -> Result<Observed, EngineError> {
        let ((containers, by_containers), (volumes, by_volumes), networks, images) = futures_util::try_join!(
            self.own_containers(),
            self.own_volumes(),
            self.own_networks(),
            try_join_all(images.iter().map(|image| self.with_its_name(image))),
        )?;
        let images: BTreeMap<_, _> = images.into_iter().filter_map(|(name, image)| Some((name, image?))).collect();
        let in_doubt = images.values().any(|image: &LocalImage| !image.is_for(self.platform()));
        let platform = if in_doubt { self.reported_platform().await? } else { self.platform().to_owned() };
        let records = joined(by_containers, by_volumes);
        Ok(Observed { containers, volumes, records, networks, images, platform })
    }

    /// Only the volumes and records of every environment of devenv, with one request.
    pub async fn observe_volumes(&self) -> Result<Observed, EngineError> {
        let (volumes, records) = self.own_volumes().await?;
        Ok(Observed { volumes, records, ..Observed::default() })
    }

    /// The platform that the engine reports. The engine needs some time for this answer.
    async fn reported_platform(&self) -> Result<String, EngineError> {
        if self.reported.platform_is_reported {
            return Ok(self.platform().to_owned());
        }
        let version = self.ask("report its platform", self.docker.version()).await?;
        Ok(platform(&version))
    }

    async fn with_its_name(&self, image: &ImageRef) -> Result<(String, Option<LocalImage>), EngineError> {
        Ok((image.to_string(), self.local_image(image).await?))
    }

    async fn own_containers(&self) -> Result<(Vec<Container>, Vec<ObservedRecord>), EngineError> {
        let operation = "list the containers";
        let options = ListContainersOptions { all: true, filters: Some(own_resources()), ..Default::default() };
        let listed = self.ask(operation, self.docker.list_containers(Some(options))).await?;
        let (mut containers, mut records) = (Vec::new(), Vec::new());
        for one in listed {
            match observed(operation, one)? {
                Seen::Container(container) => containers.push(*container),
                Seen::Record(record) => records.push(*record),
            }
        }
        Ok((sorted(containers.into_iter(), |container| &container.name), records))
    }

    async fn own_volumes(&self) -> Result<(Vec<Volume>, Vec<ObservedRecord>), EngineError> {
        let operation = "list the volumes";
        let options = ListVolumesOptions { filters: Some(own_resources()) };
        let listed = self.ask(operation, self.docker.list_volumes(Some(options))).await?;
        let (mut volumes, mut records) = (Vec::new(), Vec::new());
        for volume in listed.volumes.unwrap_or_default() {
            let labels = known(operation, Some(volume.labels))?;
            match labels.record() {
                Some(record) if labels.written().is_some() => {
                    let name = volume.name.strip_suffix(".record").unwrap_or(&volume.name).to_owned();
                    let record = Record { name, ..record };
                    let created = labels.written().unwrap_or_default();
                    records.push(ObservedRecord { has_volume: true, created, record, ..ObservedRecord::default() });
                }
                _ => volumes.push(Volume { name: volume.name, scope: labels.scope(), role: labels.volume() }),
            }
        }
        Ok((sorted(volumes.into_iter(), |volume| &volume.name), records))
    }

    pub(super) async fn own_networks(&self) -> Result<Vec<Network>, EngineError> {
        let options = ListNetworksOptions { filters: Some(own_resources()) };
        let listed = self.ask("list the networks", self.docker.list_networks(Some(options))).await?;
        let networks = listed.into_iter().map(|network| Network {
            id: network.id.unwrap_or_default(),
            name: network.name.unwrap_or_default(),
            scope: Read::new(network.labels).scope(),
        });
        Ok(sorted(networks, |network| &network.name))
    }
}

/// Lists each record once, although both its container and its volume hold it.
fn joined(by_containers: Vec<ObservedRecord>, by_volumes: Vec<ObservedRecord>) -> Vec<ObservedRecord> {
    let mut all: BTreeMap<String, ObservedRecord> = BTreeMap::new();
    for one in by_containers.into_iter().chain(by_volumes) {
        match all.entry(one.record.name.clone()) {
            Entry::Vacant(entry) => drop(entry.insert(one)),
            Entry::Occupied(mut entry) => entry.get_mut().has_volume = true,
        }
    }
    all.into_values().collect()
}

/// Labels with a known meaning. A later release may have written labels with other meanings, which must not be guessed.
fn known(operation: &str, labels: Option<HashMap<String, String>>) -> Result<Read, EngineError> {
    let labels = Read::new(labels);
    if labels.schema() > SCHEMA {
        let message = "a later devenv was used on this engine, and this one cannot read its resources: update devenv";
        return Err(EngineError::new(operation, EngineFault::Other, message));
    }
    Ok(labels)
}

enum Seen {
    Container(Box<Container>),
    Record(Box<ObservedRecord>),
}

fn own_resources() -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![label::ROOT.to_owned()])])
}

/// Sorts by name. Engines list by age, but lists that are sorted by name are easier to read, and equal lists compare as
/// equal.
fn sorted<T>(items: impl Iterator<Item = T>, name: impl Fn(&T) -> &str) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort_by(|a, b| name(a).cmp(name(b)));
    items
}

fn observed(operation: &str, container: ContainerSummary) -> Result<Seen, EngineError> {
    let names = container.names.unwrap_or_default();
    // Links of other containers appear as `/other/alias`; its own name has one slash.
    let own = names.iter().find(|name| name.matches('/').count() <= 1).or(names.first());
    let name = own.map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default();
    let volumes = container.mounts.unwrap_or_default().into_iter().filter_map(volume_name).collect();
    let (id, created) = (container.id.unwrap_or_default(), container.created.unwrap_or_default());
    let image_id = container.image_id.unwrap_or_default();
    let labels = known(operation, container.labels)?;
    Ok(match labels.container() {
        ReadContainer::Record(record) => {
            let mut record = Record { name, pins: volumes, ..record };
            let own = record.volume();
            record.pins.retain(|volume| *volume != own);
            let created = labels.written().unwrap_or(created);
            Seen::Record(Box::new(ObservedRecord { id, has_volume: false, created, image_id, record }))
        }
        ReadContainer::Other(scope, role) => Seen::Container(Box::new(Container {
            id,
            name,
            state: container.state.map(|state| state.to_string()).unwrap_or_default(),
            scope,
            role,
            image_id,
            image: container.image.unwrap_or_default(),
            created,
            status: container.status.unwrap_or_default(),
            publish: published(container.ports.unwrap_or_default()),
            volumes,
            networks: container
                .network_settings
                .and_then(|settings| settings.networks)
                .map(|networks| networks.into_keys().collect()),
        })),
    })
}

fn published(ports: Vec<PortSummary>) -> Vec<Publish> {
    let mut publish: Vec<Publish> = ports
        .into_iter()
        .filter_map(|port| {
            Some(Publish {
                container_port: port.private_port,
                host_ip: port.ip?.parse().ok()?,
                host_port: port.public_port?,
            })
        })
        .collect();
    publish.sort_by_key(|publish| (publish.container_port, publish.host_ip, publish.host_port));
    publish
}

fn volume_name(mount: MountPoint) -> Option<String> {
    (mount.typ.as_deref() == Some("volume")).then_some(mount.name).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::fake_engine::{Answer, FakeEngine};
    use crate::docker::{DockerEnv, EngineFault, connect};

    async fn observe(fake: &FakeEngine) -> Result<Observed, EngineError> {
        let engine = connect(Some(&fake.host()), &DockerEnv::default()).await.unwrap();
        engine.observe(&[ImageRef::parse("postgres:16").unwrap()]).await
    }

    fn engine_with_an_image_for(platform: &'static str) -> FakeEngine {
        let (system, processor) = platform.split_once('/').unwrap();
        FakeEngine::start(move |request| match request.path.trim_start_matches("/v1.45") {
            "/_ping" => Answer::Ping("1.45"),
            "/version" => Answer::json(r#"{"ApiVersion":"1.45","Os":"linux","Arch":"sparc"}"#),
            path if path.starts_with("/images/") => {
                Answer::json(&format!(r#"{{"Id":"sha256:aa","Os":"{system}","Architecture":"{processor}"}}"#))
            }
            path if path.starts_with("/volumes") => Answer::json("{}"),
            _ => Answer::json("[]"),
        })
    }

    #[tokio::test]
    async fn the_engine_s_own_word_on_its_platform_is_asked_for_only_where_it_matters() {
        let own = connect(Some(&engine_with_an_image_for("linux/sparc").host()), &DockerEnv::default()).await;
        let own: &'static str = own.unwrap().platform().to_owned().leak();
        let fake = engine_with_an_image_for(own);
        assert_eq!(observe(&fake).await.unwrap().platform, own);
        assert!(fake.requests().iter().all(|request| !request.path.contains("/version")));
        let fake = engine_with_an_image_for("linux/sparc");
        assert_eq!(observe(&fake).await.unwrap().platform, "linux/sparc");
    }

    #[tokio::test]
    async fn an_engine_that_goes_away_in_the_middle_is_reported_as_such() {
        for gone in [Answer::Hangup, Answer::CutShort("[{\"Id\":".to_owned())] {
            let fake = FakeEngine::start(move |request| match request.path.as_str() {
                "/_ping" => Answer::Ping("1.45"),
                _ => gone.clone(),
            });
            let error = observe(&fake).await.unwrap_err();
            assert_eq!(error.kind, EngineFault::Gone, "{error}");
        }
    }
}
