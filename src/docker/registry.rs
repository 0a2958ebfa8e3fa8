//! Asks a registry about an image, without pulling the image. The engine asks for the digest of a tag, with the login
//! and the mirror of a pull. No engine passes on the documents behind a digest, so devenv asks the registry for them
//! itself.

use super::credentials::login_for;
use super::deadline::NoAnswer;
use super::images::engine_name;
use super::pull::{Mirror, read, with_notes};
use super::registry_api::{ContentFault, DocumentKind, RegistryApi};
use super::{Engine, PullFault, PullFaultKind};
use crate::model::{ImageRef, LocalImage, OciDocument, RegistryContent, RegistryImage, platform_name};
use std::time::Duration;

/// How long the engine may wait for an answer of the registry.
const REGISTRY_TIMEOUT: Duration = Duration::from_mins(2);

impl Engine {
    /// The digest and the platforms that the registry has for an image now.
    pub async fn registry_image(&self, image: &ImageRef, mirror: Option<&Mirror>) -> Result<RegistryImage, PullFault> {
        let stand_in = mirror.and_then(|mirror| mirror.name_of(image));
        let source = stand_in.as_ref().unwrap_or(image);
        let asked = engine_name(source);
        let login = login_for(self.docker_config.as_deref(), &source.registry).await;
        let answer = self.docker.inspect_registry_image(&asked, login.credentials.clone());
        let answer = match self.watched(REGISTRY_TIMEOUT, answer).await {
            Ok(answer) => answer.map_err(|error| with_notes(read(&asked, &error), &login, 0))?,
            Err(NoAnswer::Slow(_)) => {
                return Err(PullFault::new(PullFaultKind::Network, &asked, "timed out: the registry gave no answer"));
            }
            Err(silent) => return Err(PullFault::new(PullFaultKind::Engine, &asked, silent.text())),
        };
        let digest = answer.descriptor.digest.unwrap_or_default();
        if ImageRef::parse(&format!("x@{digest}")).is_err() {
            let text = format!("the registry says `{digest}`, which is no digest");
            return Err(PullFault::new(PullFaultKind::Other, &asked, text));
        }
        if let Some(wanted) = source.digest.as_ref().filter(|wanted| **wanted != digest) {
            let text = format!("asked for {wanted}, the registry answered with {digest}");
            return Err(PullFault::new(PullFaultKind::Other, &asked, text));
        }
        let platforms = answer.platforms.into_iter().map(|platform| {
            let (os, processor) = (platform.os.unwrap_or_default(), platform.architecture.unwrap_or_default());
            platform_name(&os, &processor, platform.variant.as_deref())
        });
        Ok(RegistryImage { digest, platforms: platforms.collect() })
    }

    /// The documents behind an image's digest: the manifest of each platform, and the configuration for the requested
    /// platform; or why the registry does not give them. Each document is checked against the digest that names it.
    pub async fn registry_content(
        &self,
        image: &ImageRef,
        mirror: Option<&Mirror>,
        platform: &str,
    ) -> Result<RegistryContent, ContentFault> {
        let stand_in = mirror.and_then(|mirror| mirror.name_of(image));
        let source = stand_in.as_ref().unwrap_or(image);
        let digest = source.digest.clone().ok_or_else(|| format!("{source} has no digest to ask for"))?;
        let login = login_for(self.docker_config.as_deref(), &source.registry).await;
        let mut api = RegistryApi::of(source, &login);
        let mut content = RegistryContent::default();
        let mut next = (DocumentKind::Manifests, digest.clone());
        let mut manifest = digest;
        // At most an index, a manifest and a configuration. This bound ends a chain of documents that name each other
        // in a circle.
        for _ in 0..3 {
            let (kind, digest) = next;
            let bytes = api.document(kind, &digest).await?;
            let read = OciDocument::parse(&bytes)
                .ok_or_else(|| ContentFault::Other(format!("{digest} is no index and no manifest")))?;
            content.documents.insert(digest.clone(), bytes.to_vec());
            match read {
                OciDocument::Index(platforms) => {
                    let of = |name: &str| LocalImage { platform: name.to_owned(), ..LocalImage::default() };
                    let found = platforms.iter().find(|(name, _)| of(name).is_for(platform));
                    let found = found.map(|(_, digest)| digest.clone());
                    content.platforms = platforms;
                    let Some(found) = found else { return Ok(content) };
                    next = (DocumentKind::Manifests, found);
                }
                OciDocument::Manifest { config, .. } => {
                    manifest = digest;
                    next = (DocumentKind::Blobs, config);
                }
                OciDocument::Config { platform, labels, releases, .. } => {
                    if content.platforms.is_empty() {
                        content.platforms.insert(platform, manifest);
                    }
                    content.labels = labels;
                    content.releases = releases;
                    return Ok(content);
                }
            }
        }
        Err(ContentFault::Other(format!("{source} leads to no configuration")))
    }
}
