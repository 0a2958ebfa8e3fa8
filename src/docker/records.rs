//! Records: what is written down on the engine about environments and bases, whole or not at all.
//!
//! A record is an empty volume whose labels say it, so that no clean-up of containers forgets it; and a container that is
//! never started, mounts that volume and mentions others, so that a clean-up of volumes takes none of them (engines before
//! 23 and Podman take every volume that no container mentions). One request makes both, the volume first.

use super::containers::kept;
use super::layers::{bare, mount, named};
use super::{Engine, EngineError, EngineFault, files, labels};
use crate::model::{File, FileContent, ObservedRecord, Record};
use bollard::body_full;
use bollard::models::{Mount, MountVolumeOptions, VolumeCreateRequest};
use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use futures_util::pin_mut;
use std::io::Read as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a record's container sees the record's volume.
const AT: &str = "/devenv-record";
/// The file that a record keeps, in its volume.
const FILE: &str = "kept";
/// Where 0.1.0 kept it, in the container itself.
const OLD_PATH: &str = "/devenv-kept";
/// More than any file that is kept, in bytes.
const MAX_SIZE: usize = 64 * 1024 * 1024;

impl Engine {
    /// Writes a record down, and gives the id of its container. One of that name that is there already is a conflict.
    /// `image_id` is an image that is here.
    ///
    /// A head has no container, for one costs an engine more than all other requests of a start: the containers of services
    /// tell the same as long as they are there, and pins mention its volume after that. Its name follows from its content, so
    /// that writing it twice changes nothing.
    pub async fn write_record(&self, record: &Record, image_id: &str) -> Result<String, EngineError> {
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
        let mounts = std::iter::once(own).chain(kept(&record.pins)).collect();
        let made = self.docker.create_container(Some(named(&record.name)), bare(image_id, labels, mounts, None));
        match self.work(format!("make the container {}", record.name), made).await {
            Ok(made) => Ok(made.id),
            // The engine may have made the volume, which would say what did not come to be.
            Err(error) if !matches!(error.kind, EngineFault::Conflict | EngineFault::Gone | EngineFault::TimedOut) => {
                self.remove_volume(&record.volume()).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes what a record lacks: its volume, or its container, which a clean-up took.
    pub async fn repair_record(&self, one: &ObservedRecord, image_id: &str) -> Result<(), EngineError> {
        if one.id.is_empty() {
            return self.write_record(&one.record, image_id).await.map(drop);
        }
        self.write_volume(&one.record.volume(), labels::of_record(&one.record, one.created)).await
    }

    async fn write_volume(&self, name: &str, labels: labels::Labels) -> Result<(), EngineError> {
        let request = VolumeCreateRequest { name: Some(name.to_owned()), labels: Some(labels), ..Default::default() };
        self.work(format!("make the volume {name}"), self.docker.create_volume(request)).await.map(drop)
    }

    /// Forgets a record. Where that is cut short, it is there still.
    pub async fn remove_record(&self, one: &ObservedRecord) -> Result<(), EngineError> {
        if !one.id.is_empty() {
            self.remove_container(&one.id).await?;
        }
        self.remove_volume(&one.record.volume()).await
    }

    /// Puts a file into a record, by its container.
    pub async fn keep_file(&self, container: &str, bytes: Vec<u8>) -> Result<(), EngineError> {
        let operation = "keep a file in a record";
        let file = File { path: format!("/{FILE}"), mode: 0o600, content: FileContent(bytes) };
        let archive = files::archive(&[file])
            .map_err(|error| EngineError::new(operation, EngineFault::Other, error.to_string()))?;
        let options = UploadToContainerOptions { path: AT.to_owned(), ..Default::default() };
        let upload = self.docker.upload_to_container(container, Some(options), body_full(archive.into()));
        self.work(operation, upload).await
    }

    /// The file that a record keeps, by its container.
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
