//! The decisions of a team: the exact version and image of each declared version.

use std::collections::BTreeMap;

/// The decisions of `services.lock`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// By the service's name.
    pub services: BTreeMap<String, LockedService>,
}

/// The image that a registry has under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryImage {
    /// The digest of its index, or of its one manifest.
    pub digest: String,
    /// The platforms of the image: `linux/amd64`.
    pub platforms: Vec<String>,
}

/// The content behind a digest in a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryContent {
    /// The digest of the manifest for each platform, by the platform's name.
    pub platforms: BTreeMap<String, String>,
    /// The labels of the wanted platform's image.
    pub labels: BTreeMap<String, String>,
    /// Its variables that name a release.
    pub releases: BTreeMap<String, String>,
    /// The documents with this information, by their digests: an index, a manifest, a configuration.
    pub documents: BTreeMap<String, Vec<u8>>,
}

/// The locked version and image of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedService {
    /// The version as the manifest declares it: `16`, `16-alpine`.
    pub declared: String,
    /// The place in the manifest that declares the version: `compose.prod.yaml:14`.
    pub origin: String,
    /// The exact release, if it is known: `16.4`.
    pub version: Option<String>,
    /// The image by its name and tag, without a digest: `docker.io/library/postgres:16`.
    pub image: String,
    /// The digest of the image's index (or of its one manifest): `sha256:…`. None if the image was built on this engine
    /// and no registry has it; `platforms` then has the image's id.
    pub digest: Option<String>,
    /// The digest for each platform, by the platform's name (`linux/amd64`).
    pub platforms: BTreeMap<String, String>,
    /// A hash of the part of the manifest that declares the version, to notice changes.
    pub manifest: String,
}
