//! A file in a container that is never started: what is to be kept beside labels and is too long for one.

use super::{Engine, EngineError, EngineFault, files};
use crate::model::{File, FileContent};
use bollard::body_full;
use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use futures_util::pin_mut;
use std::io::Read as _;

/// Where it lies.
const PATH: &str = "/devenv-kept";
/// More than any file that is kept, in bytes.
const MAX_SIZE: usize = 64 * 1024 * 1024;

impl Engine {
    /// Puts the file into a container.
    pub async fn keep_file(&self, container: &str, bytes: Vec<u8>) -> Result<(), EngineError> {
        let operation = "keep a file in a container";
        let file = File { path: PATH.to_owned(), mode: 0o600, content: FileContent(bytes) };
        let archive = files::archive(&[file])
            .map_err(|error| EngineError::new(operation, EngineFault::Other, error.to_string()))?;
        let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
        let upload = self.docker.upload_to_container(container, Some(options), body_full(archive.into()));
        self.work(operation, upload).await
    }

    /// The file that a container keeps.
    pub async fn kept_file(&self, container: &str) -> Result<Vec<u8>, EngineError> {
        let operation = "read a file that a container keeps";
        let fault = |what: String| EngineError::new(operation, EngineFault::Other, what);
        let options = DownloadFromContainerOptions { path: PATH.to_owned() };
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
