//! What an environment is made of on the engine: plain data that `plan/` decides and `docker/` carries out.

use super::{ImageRef, Secret};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// Label keys on everything of ours. No label ever holds a secret that anybody but this machine's key can read.
pub mod label {
    /// The environment's identity (`shop-3f9a12bc`).
    pub const ENVIRONMENT: &str = "dev.devenv.environment";
    /// The project's root folder on this machine.
    pub const ROOT: &str = "dev.devenv.root";
    /// The service's name.
    pub const SERVICE: &str = "dev.devenv.service";
    /// The service's kind.
    pub const KIND: &str = "dev.devenv.kind";
    /// The declared version's number.
    pub const VERSION: &str = "dev.devenv.version";
    /// A keyed hash of everything that decides a container's configuration.
    pub const CONFIG: &str = "dev.devenv.config";
    /// What the container's service was declared as, sealed with the machine's key.
    pub const DECLARED: &str = "dev.devenv.declared";
    /// The published port on loopback, on volumes too, so that it survives `down`.
    pub const PORT: &str = "dev.devenv.port";
    /// On a volume that was begun fresh beside an older one of the same version: how many there were with it.
    pub const GENERATION: &str = "dev.devenv.generation";
    /// On everything of `devenv run --ephemeral`.
    pub const EPHEMERAL: &str = "dev.devenv.ephemeral";
    /// On the same: who it belongs to, as a CI system tells, else the user.
    pub const OWNER: &str = "dev.devenv.owner";
    /// On the same: the CI job, else the process.
    pub const JOB: &str = "dev.devenv.job";
    /// On the same: when anybody may remove it, seconds since 1970.
    pub const EXPIRES: &str = "dev.devenv.expires";
    /// On a base layer, its record and the container that makes it: the base's key. They belong to no environment.
    pub const BASE: &str = "dev.devenv.base";
    /// On a base layer and on a snapshot's record: what others may see of the key of the machine's user who made it.
    pub const MACHINE: &str = "dev.devenv.machine";
    /// On a volume that began as a copy: the layers that it lies over, the nearest first (`volume`, `volume/upper`).
    pub const LAYERS: &str = "dev.devenv.layers";
    /// Whether layers are mounted (`overlay`) or copied (`copy`): on volumes over layers, and on records.
    pub const WAY: &str = "dev.devenv.way";
    /// On a volume and on a base: owner, group and permission bits of the nearest layer's folder.
    pub const FOLDER: &str = "dev.devenv.folder";
    /// On a volume that began with another environment's data: that environment, whose login it has at first.
    pub const FROM: &str = "dev.devenv.from";
    /// On a service's volume, and on the record of a going back: the git branch whose data it is, where data follows them.
    pub const BRANCH: &str = "dev.devenv.branch";
    /// On a service's volume: a hash of the seeds of which its data was made.
    pub const SEEDS: &str = "dev.devenv.seeds";
    /// On the volume that holds what an overlay volume's environment has written: the overlay volume's name.
    pub const TOP: &str = "dev.devenv.top";
    /// On a container that is never started and keeps data of an environment from being lost: the environment.
    pub const KEEPS: &str = "dev.devenv.keeps";
    /// On the one that `down` leaves.
    pub const KEEPER: &str = "dev.devenv.keeper";
    /// On the record of a snapshot: its name.
    pub const SNAPSHOT: &str = "dev.devenv.snapshot";
    /// On the record of a going back, and on the volumes made for it: which one.
    pub const RESTORED: &str = "dev.devenv.restored";
    /// On the record of a going back: the volumes whose data it discards.
    pub const DISCARDS: &str = "dev.devenv.discards";
    /// On the record of what the user chose for a checkout on the command line: manifests and env file, with a keyed
    /// hash of them before it.
    pub const CHOICE: &str = "dev.devenv.choice";
    /// On a container that copies: the volume that is not complete as long as the container is there.
    pub const FILLING: &str = "dev.devenv.filling";
}

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
    /// Labels.
    pub labels: BTreeMap<String, String>,
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

/// What the engine has, asked once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Containers of every environment of ours, running or not.
    pub containers: Vec<ObservedContainer>,
    /// Volumes of every environment of ours.
    pub volumes: Vec<ObservedVolume>,
    /// Networks of every environment of ours.
    pub networks: Vec<ObservedNetwork>,
    /// The images that were asked for and are here, by the reference asked for (its full form).
    pub images: BTreeMap<String, LocalImage>,
    /// The engine's own platform: `linux/amd64`.
    pub platform: String,
}

impl Observed {
    /// The container of a service in an environment, running or not.
    pub fn container(&self, environment: &str, service: &str) -> Option<&ObservedContainer> {
        let of_it = |one: &&ObservedContainer| {
            one.label(label::ENVIRONMENT) == environment && one.label(label::SERVICE) == service
        };
        // There are two while one replaces the other: the one that runs counts.
        let mut all = self.containers.iter().filter(of_it);
        all.clone().find(|container| container.state == "running").or_else(|| all.next())
    }
}

/// One container of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedContainer {
    /// The engine's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `created`, `running`, `exited`, `restarting`, `paused`, `dead`.
    pub state: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The image's id.
    pub image_id: String,
    /// The image as it was named at creation.
    pub image: String,
    /// When it was created, seconds since 1970.
    pub created: i64,
    /// As the engine tells people: `Up 3 minutes`.
    pub status: String,
    /// Published ports.
    pub publish: Vec<Publish>,
    /// Names of mounted volumes.
    pub volumes: Vec<String>,
    /// Names of the networks that it is on; none where the engine does not tell.
    pub networks: Option<BTreeSet<String>>,
}

impl ObservedContainer {
    /// A label's value, empty where there is none.
    pub fn label(&self, key: &str) -> &str {
        self.labels.get(key).map_or("", String::as_str)
    }
}

/// One volume of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedVolume {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

impl ObservedVolume {
    /// A label's value, empty where there is none.
    pub fn label(&self, key: &str) -> &str {
        self.labels.get(key).map_or("", String::as_str)
    }
}

/// One network of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedNetwork {
    /// The engine's id; names are not unique on old engines.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
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
