//! The single calls of a plan's steps.

use super::Engine;
use super::fault::{EngineError, ErrorKind};
use super::observe::reference;
use crate::model::{ContainerSpec, File};
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, Mount, MountType, NetworkCreateRequest, NetworkingConfig,
    PortBinding, VolumeCreateRequest,
};
use bollard::query_parameters::{
    CreateContainerOptions, RemoveContainerOptions, StartContainerOptions, StopContainerOptions,
    UploadToContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

impl Engine {
    /// Makes a network and gives its id. Names are not unique on old engines, so whoever asks has looked before.
    pub async fn create_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<String, EngineError> {
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            labels: Some(hash_map(labels)),
            ..Default::default()
        };
        let made = self.docker.create_network(request).await;
        made.map(|made| made.id).map_err(|error| EngineError::new(format!("create the network {name}"), &error))
    }

    /// Removes a network; one that is gone is as good.
    pub async fn remove_network(&self, id: &str) -> Result<(), EngineError> {
        gone_is_good(
            self.docker.remove_network(id).await.map_err(|error| EngineError::new("remove the network", &error)),
        )
    }

    /// Makes a volume; one of that name that is there already is kept as it is.
    pub async fn create_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<(), EngineError> {
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            driver: Some("local".to_owned()),
            labels: Some(hash_map(labels)),
            ..Default::default()
        };
        let made = self.docker.create_volume(request).await;
        made.map(drop).map_err(|error| EngineError::new(format!("create the volume {name}"), &error))
    }

    /// Removes a volume and the data in it; one that is gone is as good.
    pub async fn remove_volume(&self, name: &str) -> Result<(), EngineError> {
        let removed = self.docker.remove_volume(name, None::<bollard::query_parameters::RemoveVolumeOptions>).await;
        gone_is_good(removed.map_err(|error| EngineError::new(format!("remove the volume {name}"), &error)))
    }

    /// Makes a container, puts its files in, and gives its id.
    pub async fn create_container(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        let fault = |error: Error| EngineError::new(format!("create the container {}", spec.name), &error);
        let options = CreateContainerOptions {
            name: Some(spec.name.clone()),
            platform: spec.platform.clone().unwrap_or_default(),
        };
        let made = self.docker.create_container(Some(options), body(spec)).await.map_err(fault)?;
        if !spec.files.is_empty() {
            let archive = archive(&spec.files).map_err(|error| fault(Error::IOError { err: error }))?;
            let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
            let upload = self.docker.upload_to_container(&made.id, Some(options), bollard::body_full(archive.into()));
            upload
                .await
                .map_err(|error| EngineError::new(format!("put files into the container {}", spec.name), &error))?;
        }
        Ok(made.id)
    }

    /// Starts a container; one that runs is as good.
    pub async fn start(&self, id: &str) -> Result<(), EngineError> {
        let started = self.docker.start_container(id, None::<StartContainerOptions>).await;
        started.map_err(|error| EngineError::new("start the container", &error))
    }

    /// Stops a container with its own signal and waits for it, at most for the grace; one that is gone is as good.
    pub async fn stop(&self, id: &str, grace: Duration) -> Result<(), EngineError> {
        if grace.is_zero() {
            return Ok(());
        }
        let options = StopContainerOptions { t: i32::try_from(grace.as_secs()).ok(), ..Default::default() };
        let stopped = self.docker.stop_container(id, Some(options)).await;
        gone_is_good(stopped.map_err(|error| EngineError::new("stop the container", &error)))
    }

    /// Removes a container with the anonymous volumes that were made for it; named volumes stay.
    pub async fn remove_container(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        let removed = self.docker.remove_container(id, Some(options)).await;
        gone_is_good(removed.map_err(|error| EngineError::new("remove the container", &error)))
    }

    /// Resolves when the container does not run, with its exit code.
    pub async fn wait_exit(&self, id: &str) -> Result<i64, EngineError> {
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        let mut answers = std::pin::pin!(self.docker.wait_container(id, Some(options)));
        match answers.next().await {
            Some(Ok(answer)) => Ok(answer.status_code),
            // bollard makes an error of every exit code but 0.
            Some(Err(Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(EngineError::new("wait for the container", &error)),
            None => Err(EngineError {
                operation: "wait for the container".to_owned(),
                kind: ErrorKind::Gone,
                message: "the engine closed the connection".to_owned(),
            }),
        }
    }
}

fn gone_is_good(outcome: Result<(), EngineError>) -> Result<(), EngineError> {
    match outcome {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        // Another run removes it at this moment.
        Err(error) if error.message.contains("is already in progress") => Ok(()),
        other => other,
    }
}

fn hash_map(labels: &BTreeMap<String, String>) -> HashMap<String, String> {
    labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn body(spec: &ContainerSpec) -> ContainerCreateBody {
    let port = |publish: &crate::model::Publish| format!("{}/tcp", publish.container_port);
    let bindings = spec.publish.iter().map(|publish| {
        let binding =
            PortBinding { host_ip: Some(publish.host_ip.to_string()), host_port: Some(publish.host_port.to_string()) };
        (port(publish), Some(vec![binding]))
    });
    let mounts = spec.mounts.iter().map(|mount| Mount {
        typ: Some(MountType::VOLUME),
        source: Some(mount.volume.clone()),
        target: Some(mount.target.clone()),
        ..Default::default()
    });
    let endpoint = EndpointSettings { aliases: Some(spec.aliases.clone()), ..Default::default() };
    ContainerCreateBody {
        image: Some(reference(&spec.image)),
        hostname: Some(spec.hostname.clone()),
        env: Some(spec.environment.iter().map(|(name, value)| format!("{name}={}", value.reveal())).collect()),
        cmd: (!spec.command.is_empty()).then(|| spec.command.clone()),
        entrypoint: spec.entrypoint.clone(),
        labels: Some(hash_map(&spec.labels)),
        exposed_ports: Some(spec.publish.iter().map(port).collect()),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: i64::try_from(spec.grace.as_secs()).ok(),
        host_config: Some(HostConfig {
            mounts: Some(mounts.collect()),
            port_bindings: Some(bindings.collect()),
            network_mode: Some(spec.network.clone()),
            ..Default::default()
        }),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(spec.network.clone(), endpoint)])),
        }),
        ..Default::default()
    }
}

/// One tar of all files, with the folders that hold them.
fn archive(files: &[File]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut folders = BTreeSet::new();
    for file in files {
        let path = file.path.trim_start_matches('/');
        let mut folder = String::new();
        for part in path.split('/').collect::<Vec<_>>().split_last().map(|(_, parents)| parents).unwrap_or_default() {
            folder = format!("{folder}{part}/");
            // Folders of the image keep their owner and mode: only those below the first level are named.
            if folder.matches('/').count() > 1 && folders.insert(folder.clone()) {
                let mut header = tar::Header::new_gnu();
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(0o755);
                header.set_size(0);
                archive.append_data(&mut header, &folder, std::io::empty())?;
            }
        }
        let mut header = tar::Header::new_gnu();
        header.set_mode(file.mode);
        header.set_size(file.content.0.len() as u64);
        archive.append_data(&mut header, path, file.content.0.as_slice())?;
    }
    archive.into_inner()
}
