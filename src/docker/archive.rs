//! Saves images from an engine as an archive, and loads such an archive into an engine.

use super::{Engine, EngineError};
use crate::model::ImageRef;
use bollard::query_parameters::ImportImageOptions;
use futures_util::stream::{self, Stream};
use hyper::body::Bytes;
use std::io::{self, Read};
use std::time::Duration;
use tokio::task::spawn_blocking;

/// The engine reads or builds an archive of many gigabytes before it sends its first answer.
const ARCHIVE_TIMEOUT: Duration = Duration::from_hours(6);

/// How many bytes of a file are sent at once.
const CHUNK: usize = 256 * 1024;

/// The name of images that were loaded from a bundle. An engine does not keep the registry's digest of such an image,
/// so the tag holds the digest.
const BUNDLE_NAME: &str = "docker.io/library/devenv-bundle";

/// The image name with a digest, from a bundled image's name that holds the digest in its tag. None for any other name.
pub(super) fn digest_in_name(name: &str) -> Option<String> {
    let image = ImageRef::parse(name).ok()?;
    let hex = image.tag.as_ref().filter(|_| image.name() == BUNDLE_NAME)?;
    let named = format!("{BUNDLE_NAME}@sha256:{hex}");
    ImageRef::parse(&named).ok().map(|_| named)
}

/// The name of a bundled image, with this digest in its tag.
pub(super) fn name_of_digest(digest: &str) -> Option<ImageRef> {
    ImageRef::parse(&format!("{BUNDLE_NAME}:{}", digest.strip_prefix("sha256:")?)).ok()
}

impl Engine {
    /// Saves the images with these ids, as a stream of bytes.
    pub fn save_images(&self, ids: &[&str]) -> impl Stream<Item = Result<Bytes, EngineError>> {
        stream::unfold(Box::pin(self.docker.export_images(ids)), move |mut saved| async move {
            let part = self.next_piece(ARCHIVE_TIMEOUT, "save the images", &mut saved).await?;
            Some((part, saved))
        })
    }

    /// Loads an archive of images. Returns the ids or names that the engine reports as loaded. A truncated archive
    /// loads nothing.
    pub async fn load_images(&self, archive: impl Read + Send + 'static) -> Result<Vec<String>, EngineError> {
        let parts = stream::unfold(Some(archive), |archive| async move {
            let mut archive = archive?;
            let read = spawn_blocking(move || {
                let mut part = vec![0; CHUNK];
                let read = archive.read(&mut part);
                read.map(|read| {
                    part.truncate(read);
                    (part, archive)
                })
            });
            match read.await.map_err(io::Error::other).flatten() {
                Ok((part, _)) if part.is_empty() => None,
                Ok((part, archive)) => Some((Ok(Bytes::from(part)), Some(archive))),
                Err(error) => Some((Err(error), None)),
            }
        });
        let options = ImportImageOptions { quiet: true, ..Default::default() };
        let mut answers = Box::pin(self.docker.import_image_stream(options, parts, None));
        let mut loaded = Vec::new();
        while let Some(answer) = self.next_piece(ARCHIVE_TIMEOUT, "load the images", &mut answers).await {
            let lines = answer?.stream.unwrap_or_default();
            let named = lines.lines().filter_map(|line| line.strip_prefix("Loaded image"));
            loaded.extend(named.filter_map(|line| Some(line.split_once(": ")?.1.trim().to_owned())));
        }
        Ok(loaded)
    }

    /// Names an image by the digest under which it was locked, and by its own name if no other image has that name.
    pub async fn name_loaded(&self, id: &str, image: &ImageRef, digest: &str) -> Result<(), EngineError> {
        if id != digest
            && let Some(name) = name_of_digest(digest)
        {
            self.tag(id, &name).await?;
        }
        match self.local_image(image).await? {
            Some(_) => Ok(()),
            None => self.tag(id, image).await,
        }
    }

    /// The id of the image with this id or name, if the image has exactly these layers.
    pub async fn with_layers(&self, name: &str, diff_ids: &[String]) -> Result<Option<String>, EngineError> {
        match self.ask(format!("inspect the image {name}"), self.docker.inspect_image(name)).await {
            Ok(found) => {
                let layers = found.root_fs.and_then(|root| root.layers).unwrap_or_default();
                Ok(found.id.filter(|_| layers == diff_ids))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_s_name_holds_its_digest_and_no_other_name_does() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let name = name_of_digest(&digest).unwrap();
        for written in [name.to_string(), name.to_string().replace("docker.io/library/", "")] {
            assert_eq!(digest_in_name(&written), Some(format!("{BUNDLE_NAME}@{digest}")), "{written}");
        }
        for other in
            ["postgres:16", "devenv-bundle:16", &format!("x/devenv-bundle:{}", "a".repeat(64)), "<none>:<none>"]
        {
            assert_eq!(digest_in_name(other), None, "{other}");
        }
    }
}
