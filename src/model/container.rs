//! The containers, volumes and images of an environment: plain data that `plan/` decides and `docker/` carries out.

use super::{ContainerRole, Data, ImageRef, ParentSpec, Scope, Secret, Volume, VolumeRole};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// A container to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Its name on the engine.
    pub name: String,
    /// The image to run.
    pub image: ImageRef,
    /// `linux/amd64`, if production declares a platform.
    pub platform: Option<String>,
    /// Variables; values may be secret.
    pub environment: Vec<(String, Secret)>,
    /// Arguments for the image's entrypoint; empty for the image's own arguments.
    pub command: Vec<String>,
    /// Replaces the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// The host name inside the container; always the same, because some servers store data under this name.
    pub hostname: String,
    /// Volumes and their mount points.
    pub mounts: Vec<Mount>,
    /// Volumes that the container only references, so that no prune of the engine removes them: mounted read-only,
    /// outside of the server's folders.
    pub pinned_volumes: Vec<String>,
    /// Files that are copied into the container before its first start.
    pub files: Vec<File>,
    /// Ports published on loopback.
    pub publish: Vec<Publish>,
    /// The environment's network.
    pub network: String,
    /// Names by which other containers of the network reach this container.
    pub aliases: Vec<String>,
    /// The owner.
    pub scope: Scope,
    /// The purpose.
    pub role: ContainerRole,
    /// The signal that stops the server cleanly; none for the image's own signal.
    pub stop_signal: Option<String>,
    /// How long a clean stop may take before the engine kills the container.
    pub grace: Duration,
}

/// A named volume in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The volume's name on the engine.
    pub volume: String,
    /// The mount point in the container.
    pub target: String,
}

/// A file that is copied into a container before its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Absolute path in the container; missing folders are created (mode 0755).
    pub path: String,
    /// Permission bits; the owner is root.
    pub mode: u32,
    /// Its content, which may be secret.
    pub content: FileContent,
}

/// The bytes of a file; a debug print never shows them.
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

/// A volume that must exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeSpec {
    /// Its name on the engine.
    pub name: String,
    /// The owner.
    pub scope: Scope,
    /// The purpose.
    pub role: VolumeRole,
    /// The data that the volume begins with; none for an empty volume.
    pub parent_spec: Option<ParentSpec>,
    /// Whether the volume counts as complete only after the first login to its server.
    pub unproven: bool,
}

impl VolumeSpec {
    /// The name of the volume that marks this volume as not proven.
    pub fn mark(&self) -> String {
        format!("{}.unproven", self.name)
    }

    /// The data of a service in the volume; none if the volume holds no data of a service.
    pub fn data(&self) -> Option<&Data> {
        match &self.role {
            VolumeRole::Data(data) => Some(data),
            _ => None,
        }
    }

    /// The same data, to be changed.
    pub fn data_mut(&mut self) -> Option<&mut Data> {
        match &mut self.role {
            VolumeRole::Data(data) => Some(data),
            _ => None,
        }
    }

    /// The volume as the engine will list it.
    pub fn as_made(&self) -> Volume {
        Volume { name: self.name.clone(), scope: self.scope.clone(), role: self.role.clone() }
    }
}

/// An image that the engine has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalImage {
    /// The image's id (`sha256:…` of its configuration).
    pub id: String,
    /// Its digests in registries: `docker.io/library/postgres@sha256:…` as the engine lists them.
    pub repo_digests: Vec<String>,
    /// `linux/amd64`, `linux/arm64/v8`.
    pub platform: String,
    /// Paths that the image declares as volumes.
    pub volumes: Vec<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its variables that name a release (`PG_VERSION`), without the other variables, which could be secret.
    pub releases: BTreeMap<String, String>,
}

impl LocalImage {
    /// The image's digests in registries; an image that was built on this engine has none.
    pub fn digests(&self) -> impl Iterator<Item = &str> {
        self.repo_digests.iter().filter_map(|name| Some(name.rsplit_once('@')?.1))
    }

    /// Whether the image is for that platform; `linux/arm64` and `linux/arm64/v8` are the same.
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
