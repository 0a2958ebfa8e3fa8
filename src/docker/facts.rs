//! Facts about the engine, for `devenv doctor`.

use super::api_version::{platform, shown};
use super::{Engine, EngineError};

/// Facts that an engine reports about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineFacts {
    /// `Docker Engine`, `Podman`.
    pub product: String,
    /// Its release: `20.10.24+dfsg1`.
    pub version: String,
    /// The newest API version that it supports: `1.41`.
    pub newest_api: String,
    /// The API version that devenv uses with it.
    pub agreed_api: String,
    /// Where containers run: `linux/amd64`.
    pub platform: String,
    /// `Debian GNU/Linux 12 (bookworm)`, `Docker Desktop`.
    pub operating_system: String,
    /// The kernel's release.
    pub kernel: String,
    /// `overlay2`, `btrfs`, `overlayfs` (containerd).
    pub storage_driver: String,
    /// The folder with images and volumes, on the engine's own file system. With a virtual machine, this is not a
    /// folder of this machine.
    pub root_folder: String,
    /// Whether it runs without root, in a user namespace.
    pub rootless: bool,
    /// Processors that it may use.
    pub processors: u64,
    /// Memory that it may use, in bytes.
    pub memory: u64,
}

impl EngineFacts {
    /// Whether a prune of volumes also takes named volumes that no container mentions. Docker before 23 and Podman do
    /// so.
    pub fn prunes_named_volumes(&self) -> bool {
        let major = self.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        self.product == "Podman" || major.is_none_or(|major| major < 23)
    }
}

impl Engine {
    /// Whether the engine may use a mirror of Docker Hub that devenv does not know: the engine's own
    /// `registry-mirrors`, or Podman's configuration files. True if the engine gives no answer.
    pub async fn has_mirrors(&self) -> bool {
        if self.is_podman() {
            return true;
        }
        match self.ask("list its registry mirrors", self.docker.info()).await {
            Ok(info) => {
                info.registry_config.and_then(|config| config.mirrors).is_some_and(|mirrors| !mirrors.is_empty())
            }
            Err(_) => true,
        }
    }

    /// Asks the engine for its facts.
    pub async fn facts(&self) -> Result<EngineFacts, EngineError> {
        let operation = "describe itself";
        let info = self.ask(operation, self.docker.info());
        let (info, version) = futures_util::try_join!(info, self.ask(operation, self.docker.version()))?;
        let security = info.security_options.unwrap_or_default();
        Ok(EngineFacts {
            product: self.reported.product.clone(),
            version: self.reported.version.clone(),
            newest_api: shown(self.reported.newest_api),
            agreed_api: shown(self.agreed_api),
            platform: platform(&version),
            operating_system: info.operating_system.unwrap_or_default(),
            kernel: info.kernel_version.unwrap_or_default(),
            storage_driver: info.driver.unwrap_or_default(),
            root_folder: info.docker_root_dir.unwrap_or_default(),
            rootless: security.iter().any(|option| option.contains("name=rootless")),
            processors: info.ncpu.and_then(|count| count.try_into().ok()).unwrap_or_default(),
            memory: info.mem_total.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
        })
    }
}
