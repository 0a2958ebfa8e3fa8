//! What a team has agreed on: the exact version and image behind each declared version.

use std::collections::BTreeMap;

/// The decisions of `services.lock`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// By the service's name.
    pub services: BTreeMap<String, LockedService>,
}

/// What a registry has under an image's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryImage {
    /// The digest of its index, or of its one manifest.
    pub digest: String,
    /// The platforms that it is made for: `linux/amd64`.
    pub platforms: Vec<String>,
}

/// What lies behind a digest in a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryContent {
    /// The digest of the manifest for each platform, by the platform's name.
    pub platforms: BTreeMap<String, String>,
    /// The labels of the wanted platform's image.
    pub labels: BTreeMap<String, String>,
    /// Its variables that name a release.
    pub releases: BTreeMap<String, String>,
    /// The documents that say so, by their digests: an index, a manifest, a configuration.
    pub documents: BTreeMap<String, Vec<u8>>,
}

/// What one service is pinned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedService {
    /// The version as the manifest has it: `16`, `16-alpine`.
    pub declared: String,
    /// The manifest's place that decided it: `compose.prod.yaml:14`.
    pub origin: String,
    /// The exact release, where it is known: `16.4`.
    pub version: Option<String>,
    /// The image by its name and tag, without a digest: `docker.io/library/postgres:16`.
    pub image: String,
    /// The digest of the image's index (or of its one manifest): `sha256:…`. None where the image was made on this
    /// engine and no registry has it; then `platforms` has its id instead.
    pub digest: Option<String>,
    /// The digest for each platform, by the platform's name (`linux/amd64`).
    pub platforms: BTreeMap<String, String>,
    /// A hash of the part of the manifest that decided it, so that a change is seen.
    pub manifest: String,
}
