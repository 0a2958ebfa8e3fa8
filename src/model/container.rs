//! What an environment is made of on the engine: plain data that `plan/` decides and `docker/` carries out.

use super::{Belonging, ContainerRole, Data, ImageRef, Over, Secret, Volume, VolumeRole};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// A container to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Its name on the engine.
    pub name: String,
    /// The image to run.
    pub image: ImageRef,
    /// `linux/amd64`, where production says it.
    pub platform: Option<String>,
    /// Variables; values may be secret.
    pub environment: Vec<(String, Secret)>,
    /// Arguments for the image's entrypoint; none leaves the image's own.
    pub command: Vec<String>,
    /// Replaces the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// The host name inside; fixed, because some servers keep data under it.
    pub hostname: String,
    /// Volumes and where they go.
    pub mounts: Vec<Mount>,
    /// Volumes that are only kept from being unmentioned: mounted read-only, out of the server's way.
    pub beside: Vec<String>,
    /// Files put in before the first start.
    pub files: Vec<File>,
    /// Ports published on loopback.
    pub publish: Vec<Publish>,
    /// The environment's network.
    pub network: String,
    /// Names by which containers of the network reach it.
    pub aliases: Vec<String>,
    /// Whose it is.
    pub of: Belonging,
    /// What it is for.
    pub role: ContainerRole,
    /// The signal that stops it cleanly; none leaves the image's own.
    pub stop_signal: Option<String>,
    /// How long a clean stop may take before it is killed.
    pub grace: Duration,
}

/// A named volume in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The volume's name on the engine.
    pub volume: String,
    /// Where it goes in the container.
    pub target: String,
}

/// A file to be put into a container before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Absolute path in the container; folders that lack are made (mode 0755).
    pub path: String,
    /// Permission bits; the owner is root.
    pub mode: u32,
    /// Its content, which may be secret.
    pub content: FileContent,
}

/// A file's bytes; never shown by a debug print.
#[derive(Clone, PartialEq, Eq)]
pub struct FileContent(pub Vec<u8>);

impl std::fmt::Debug for FileContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

/// A port published on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The server's port in the container.
    pub container_port: u16,
    /// A loopback address.
    pub host_ip: IpAddr,
    /// The port on it.
    pub host_port: u16,
}

/// A volume to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Its name on the engine.
    pub name: String,
    /// Whose it is.
    pub of: Belonging,
    /// What it is for.
    pub role: VolumeRole,
    /// What it begins with; none is an empty one.
    pub over: Option<Over>,
    /// Whether it counts as whole only once somebody has logged in to the server over it.
    pub unproven: bool,
}

impl VolumeSpec {
    /// The volume that says that this one is not proven.
    pub fn mark(&self) -> String {
        format!("{}.unproven", self.name)
    }

    /// The service's data that it is to hold; none where it holds none.
    pub fn data(&self) -> Option<&Data> {
        match &self.role {
            VolumeRole::Data(data) => Some(data),
            _ => None,
        }
    }

    /// The same, to be settled.
    pub fn data_mut(&mut self) -> Option<&mut Data> {
        match &mut self.role {
            VolumeRole::Data(data) => Some(data),
            _ => None,
        }
    }

    /// As the engine will list it.
    pub fn as_made(&self) -> Volume {
        Volume { name: self.name.clone(), of: self.of.clone(), role: self.role.clone() }
    }
}

/// An image that the engine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalImage {
    /// The image's id (`sha256:…` of its configuration).
    pub id: String,
    /// Registry digests by which it is known: `docker.io/library/postgres@sha256:…` as the engine lists them.
    pub repo_digests: Vec<String>,
    /// `linux/amd64`, `linux/arm64/v8`.
    pub platform: String,
    /// Paths that it declares as volumes.
    pub volumes: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its variables that name a release (`PG_VERSION`); others are left out, as they could be secret.
    pub releases: BTreeMap<String, String>,
}

impl LocalImage {
    /// The registries' digests of it; one that was made on this engine has none.
    pub fn digests(&self) -> impl Iterator<Item = &str> {
        self.repo_digests.iter().filter_map(|name| Some(name.rsplit_once('@')?.1))
    }

    /// Whether it is for that platform; `linux/arm64` and `linux/arm64/v8` are the same.
    pub fn is_for(&self, platform: &str) -> bool {
        let normal = |platform: &str| {
            let platform = platform.to_ascii_lowercase().replace("x86_64", "amd64").replace("aarch64", "arm64");
            match platform.strip_suffix("/v8") {
                Some(rest) if rest.ends_with("/arm64") => rest.to_owned(),
                _ => platform,
            }
        };
        normal(&self.platform) == normal(platform)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_platform_are_the_same() {
        let is_for = |own: &str, asked: &str| LocalImage { platform: own.into(), ..Default::default() }.is_for(asked);
        assert!(is_for("linux/arm64/v8", "linux/arm64"));
        assert!(is_for("linux/amd64", "linux/x86_64"));
        assert!(!is_for("linux/arm/v7", "linux/arm64"));
        assert!(!is_for("linux/amd64", "linux/arm64"));
    }
}
