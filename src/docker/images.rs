//! Images that the engine already has.

use super::{Engine, EngineError, archive};
use crate::model::{ImageRef, LocalImage, platform_name, releases};
use bollard::models::ImageInspect;
use bollard::query_parameters::{ListImagesOptions, RemoveImageOptions, TagImageOptions};
use std::sync::PoisonError;

impl Engine {
    /// The image that a reference names, if the engine has it. A digest identifies an image under any name, so a copy
    /// that came through a mirror counts.
    pub async fn local_image(&self, image: &ImageRef) -> Result<Option<LocalImage>, EngineError> {
        if let Some(found) = self.inspect(&self.name_here(image)).await? {
            return Ok(Some(found));
        }
        let Some(digest) = &image.digest else { return Ok(None) };
        // An image that was built on an engine or loaded from an archive has no digest except its own id.
        let found = match self.inspect(digest).await? {
            Some(found) => Some(found),
            None => match self.name_of_digest(digest).await? {
                Some(name) => self.inspect(&name).await?,
                None => None,
            },
        };
        if let Some(found) = &found {
            let mut elsewhere = self.known_by_id.lock().unwrap_or_else(PoisonError::into_inner);
            elsewhere.insert(engine_name(image), found.id.clone());
        }
        Ok(found)
    }

    /// The name under which the engine has an image. This is the image's id if an earlier look-up found the image under
    /// another name.
    pub(super) fn name_here(&self, image: &ImageRef) -> String {
        let name = engine_name(image);
        let elsewhere = self.known_by_id.lock().unwrap_or_else(PoisonError::into_inner);
        elsewhere.get(&name).cloned().unwrap_or(name)
    }

    /// Gives an image another name.
    pub async fn tag(&self, source: &str, target: &ImageRef) -> Result<(), EngineError> {
        let options = TagImageOptions { repo: Some(target.name()), tag: Some(tag_of(target).to_owned()) };
        self.work(format!("name the image {source} as {target}"), self.docker.tag_image(source, Some(options))).await
    }

    /// Removes a name of an image. The engine removes the image itself with its last name.
    pub async fn untag(&self, name: &str) -> Result<(), EngineError> {
        let options = RemoveImageOptions { force: false, noprune: true, ..Default::default() };
        let operation = format!("remove the name {name} of its image");
        self.work(operation, self.docker.remove_image(name, Some(options), None)).await.map(drop)
    }

    pub(super) async fn inspect(&self, name: &str) -> Result<Option<LocalImage>, EngineError> {
        match self.ask(format!("inspect the image {name}"), self.docker.inspect_image(name)).await {
            Ok(found) => Ok(Some(read(found))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn name_of_digest(&self, digest: &str) -> Result<Option<String>, EngineError> {
        let options = ListImagesOptions { digests: true, ..Default::default() };
        let listed = self.ask("list the images", self.docker.list_images(Some(options))).await?;
        // An image from a bundle has the digest in a name that devenv gave it.
        let mut tags = listed.iter().flat_map(|image| &image.repo_tags);
        if let Some(found) = tags.find(|tag| archive::digest_in_name(tag).is_some_and(|name| name.ends_with(digest))) {
            return Ok(Some(found.clone()));
        }
        let mut names = listed.into_iter().flat_map(|image| image.repo_digests);
        Ok(names.find(|name| name.split_once('@').is_some_and(|(_, scope)| scope == digest)))
    }
}

/// The name under which an engine looks up an image: by its digest if it has one, because no engine keeps both tag and
/// digest.
pub(super) fn engine_name(image: &ImageRef) -> String {
    match &image.digest {
        Some(digest) => format!("{}@{digest}", image.name()),
        None => format!("{}:{}", image.name(), tag_of(image)),
    }
}

/// The tag. An engine uses `latest` if there is none.
pub(super) fn tag_of(image: &ImageRef) -> &str {
    image.tag.as_deref().unwrap_or("latest")
}

fn read(found: ImageInspect) -> LocalImage {
    let config = found.config.unwrap_or_default();
    let os = found.os.filter(|os| !os.is_empty()).unwrap_or_else(|| "linux".to_owned());
    let platform = platform_name(&os, &found.architecture.unwrap_or_default(), found.variant.as_deref());
    let mut volumes = config.volumes.unwrap_or_default();
    volumes.sort();
    let variables = config.env.unwrap_or_default();
    let tags = found.repo_tags.unwrap_or_default();
    let bundled = tags.iter().filter_map(|name| archive::digest_in_name(name));
    LocalImage {
        id: found.id.unwrap_or_default(),
        repo_digests: found.repo_digests.unwrap_or_default().into_iter().chain(bundled).collect(),
        platform,
        volumes,
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        releases: releases(variables.iter().map(String::as_str)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_asked_by_digest_where_there_is_one_and_never_without_a_tag() {
        let name = |text: &str| engine_name(&ImageRef::parse(text).unwrap());
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(name("postgres:16"), "docker.io/library/postgres:16");
        assert_eq!(name("postgres"), "docker.io/library/postgres:latest");
        assert_eq!(name(&format!("postgres:16@{digest}")), format!("docker.io/library/postgres@{digest}"));
    }
}
