//! Records: facts about environments and bases that devenv writes to the engine. A record is written completely or not
//! at all.
//!
//! A head is an empty volume. Any other record consists of an empty volume and a container that is never started. The labels of the volume hold the facts,
//! so that a prune of containers does not lose them. The container mounts that volume and pins others, so that a prune
//! of volumes takes none of them (engines before 23 and Podman take every volume that no container mentions). One
//! request creates both, the volume first.

use super::containers::pin_mounts;
use super::layers::{bare, named};
use super::mounts::mount;
use super::{Engine, EngineError, EngineFault, files, labels};
use crate::model::{File, FileContent, ObservedRecord, Record};
use bollard::body_full;
use bollard::models::{Mount, MountVolumeOptions, VolumeCreateRequest};
use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use futures_util::pin_mut;
use std::io::Read as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a record's container mounts the record's volume.
const AT: &str = "/devenv-record";
/// The file that a record keeps in its volume.
const FILE: &str = "kept";
/// Where an earlier build kept this file, in the container itself.
const OLD_PATH: &str = "/devenv-kept";
/// Larger than any kept file, in bytes.
const MAX_SIZE: usize = 64 * 1024 * 1024;

impl Engine {
    /// Writes a record and returns the id of its container. If a record of that name exists already, this is a
    /// conflict. `image_id` is an image that the engine has.
    ///
    /// A head has no container, and its id is empty: to create a container takes an engine longer than all other requests
    /// for a record. While the services run, their containers tell the same as the head; after that, pins mention the
    /// head's volume. The name of a head follows from its content, so writing the same head twice changes nothing.
    pub async fn write_record(&self, record: &Record, image_id: &str) -> Result<String, EngineError> {
        self.write(record, image_id, false).await
    }

    async fn write(&self, record: &Record, image_id: &str, is_repair: bool) -> Result<String, EngineError> {
        let labels = labels::of_record(record, now());
        if record.head().is_some() {
            return self.write_volume(&record.volume(), labels).await.map(|()| String::new());
        }
        let own = Mount {
            volume_options: Some(MountVolumeOptions {
                no_copy: Some(true),
                labels: Some(labels.clone()),
                ..Default::default()
            }),
            ..mount(&record.volume(), AT, false)
        };
        let mounts = std::iter::once(own).chain(pin_mounts(&record.pins, &record.scope)).collect();
        let made = self.docker.create_container(Some(named(&record.name)), bare(image_id, labels, mounts, None));
        match self.work(format!("create the container {}", record.name), made).await {
            Ok(made) => Ok(made.id),
            // The engine may have created the volume, whose labels would describe a record that was not written.
            // A record that is repaired keeps its volume, which may be all that is left of it.
            Err(error)
                if !is_repair
                    && !matches!(error.kind, EngineFault::Conflict | EngineFault::Gone | EngineFault::TimedOut) =>
            {
                self.remove_volume(&record.volume()).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Recreates the missing part of a record: its volume, or its container if a prune took it.
    pub async fn repair_record(&self, one: &ObservedRecord, image_id: &str) -> Result<(), EngineError> {
        if one.id.is_empty() {
            return self.write(&one.record, image_id, true).await.map(drop);
        }
        self.write_volume(&one.record.volume(), labels::of_record(&one.record, one.created)).await
    }

    async fn write_volume(&self, name: &str, labels: labels::Labels) -> Result<(), EngineError> {
        let request = VolumeCreateRequest { name: Some(name.to_owned()), labels: Some(labels), ..Default::default() };
        self.own_volume(request).await
    }

    /// Removes a record. If the removal is interrupted, the record still exists.
    pub async fn remove_record(&self, one: &ObservedRecord) -> Result<(), EngineError> {
        if !one.id.is_empty() {
            self.remove_container(&one.id).await?;
        }
        self.remove_volume(&one.record.volume()).await
    }

    /// Puts a file into the record of this container.
    pub async fn keep_file(&self, container: &str, bytes: Vec<u8>) -> Result<(), EngineError> {
        let operation = "keep a file in a record";
        let file = File { path: format!("/{FILE}"), mode: 0o600, content: FileContent(bytes) };
        let archive = files::archive(&[file])
            .map_err(|error| EngineError::new(operation, EngineFault::Other, error.to_string()))?;
        let options = UploadToContainerOptions { path: AT.to_owned(), ..Default::default() };
        let upload = self.docker.upload_to_container(container, Some(options), body_full(archive.into()));
        self.work(operation, upload).await
    }

    /// The file that the record of this container keeps.
    pub async fn kept_file(&self, container: &str) -> Result<Vec<u8>, EngineError> {
        match self.file_in(container, &format!("{AT}/{FILE}")).await {
            Err(error) if error.is_not_found() => self.file_in(container, OLD_PATH).await,
            read => read,
        }
    }

    async fn file_in(&self, container: &str, path: &str) -> Result<Vec<u8>, EngineError> {
        let operation = "read a file that a record keeps";
        let fault = |what: String| EngineError::new(operation, EngineFault::Other, what);
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let pieces = self.docker.download_from_container(container, Some(options));
        pin_mut!(pieces);
        let mut archive = Vec::new();
        while let Some(piece) = self.next_piece(self.deadlines.work, operation, &mut pieces).await {
            archive.extend_from_slice(&piece?);
            if archive.len() > MAX_SIZE {
                return Err(fault("it is too large".to_owned()));
            }
        }
        let mut archive = tar::Archive::new(archive.as_slice());
        let mut bytes = Vec::new();
        let first = archive.entries().and_then(|mut entries| entries.next().transpose());
        let mut first =
            first.map_err(|error| fault(error.to_string()))?.ok_or_else(|| fault("it is gone".to_owned()))?;
        first.read_to_end(&mut bytes).map_err(|error| fault(error.to_string()))?;
        Ok(bytes)
    }
}

fn now() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    i64::try_from(since_1970).unwrap_or(i64::MAX)
}
