//! Images as an archive, out of an engine and into one.

use super::{Engine, EngineError};
use crate::model::ImageRef;
use bollard::query_parameters::ImportImageOptions;
use futures_util::stream::{self, Stream};
use hyper::body::Bytes;
use std::io::{self, Read};
use std::time::Duration;
use tokio::task::spawn_blocking;

/// An archive of many gigabytes is taken in, or put together, before the engine says a word.
const ARCHIVE_WITHIN: Duration = Duration::from_hours(6);

/// How much of a file is sent at once.
const CHUNK: usize = 256 * 1024;

/// The name under which an image that came in a bundle is kept: no engine keeps the digest of its registry then, so its
/// tag says it.
const BUNDLE_NAME: &str = "docker.io/library/devenv-bundle";

/// The digest that such a name says.
pub(super) fn digest_in_name(name: &str) -> Option<String> {
    let image = ImageRef::parse(name).ok()?;
    let hex = image.tag.as_ref().filter(|_| image.name() == BUNDLE_NAME)?;
    let named = format!("{BUNDLE_NAME}@sha256:{hex}");
    ImageRef::parse(&named).ok().map(|_| named)
}

/// The name that says a digest.
pub(super) fn name_of_digest(digest: &str) -> Option<ImageRef> {
    ImageRef::parse(&format!("{BUNDLE_NAME}:{}", digest.strip_prefix("sha256:")?)).ok()
}

impl Engine {
    /// What the engine saves of these images, named by their ids.
    pub fn save_images(&self, ids: &[&str]) -> impl Stream<Item = Result<Bytes, EngineError>> {
        stream::unfold(Box::pin(self.docker.export_images(ids)), move |mut saved| async move {
            let part = self.next_piece(ARCHIVE_WITHIN, "save the images", &mut saved).await?;
            Some((part, saved))
        })
    }

    /// Loads an archive of images; the ids, or names, that the engine says it has loaded. An archive that breaks off loads
    /// nothing.
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
        while let Some(answer) = self.next_piece(ARCHIVE_WITHIN, "load the images", &mut answers).await {
            let lines = answer?.stream.unwrap_or_default();
            let named = lines.lines().filter_map(|line| line.strip_prefix("Loaded image"));
            loaded.extend(named.filter_map(|line| Some(line.split_once(": ")?.1.trim().to_owned())));
        }
        Ok(loaded)
    }

    /// Keeps an image under the digest by which it was locked, and under its own name where no image has that.
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

    /// Whether the image of that id, or name, has exactly these layers; its id then.
    pub async fn with_layers(&self, name: &str, diff_ids: &[String]) -> Result<Option<String>, EngineError> {
        match self.ask(format!("look at the image {name}"), self.docker.inspect_image(name)).await {
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
    fn a_bundle_s_name_says_its_digest_and_no_other_name_does() {
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
