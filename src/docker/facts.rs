//! What the engine is, for `devenv doctor`.

use super::greeting::{platform, shown};
use super::{Engine, EngineError};

/// An engine's facts, as it tells them itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineFacts {
    /// `Docker Engine`, `Podman`.
    pub product: String,
    /// Its release: `20.10.24+dfsg1`.
    pub version: String,
    /// The newest interface that it speaks: `1.41`.
    pub newest_api: String,
    /// The interface that is spoken with it.
    pub agreed_api: String,
    /// Where containers run: `linux/amd64`.
    pub platform: String,
    /// `Debian GNU/Linux 12 (bookworm)`, `Docker Desktop`.
    pub operating_system: String,
    /// The kernel's release.
    pub kernel: String,
    /// `overlay2`, `btrfs`, `overlayfs` (containerd).
    pub storage_driver: String,
    /// The folder with images and volumes, on the engine's own file system (in a virtual machine, not here).
    pub root_folder: String,
    /// Whether it runs without root, in a user's own name space.
    pub rootless: bool,
    /// Processors that it may use.
    pub processors: u64,
    /// Memory that it may use, in bytes.
    pub memory: u64,
}

impl EngineFacts {
    /// Whether a clean-up of volumes takes named ones too, where no container mentions them: Docker before 23, and Podman.
    pub fn prunes_named_volumes(&self) -> bool {
        let major = self.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        self.product == "Podman" || major.is_none_or(|major| major < 23)
    }
}

impl Engine {
    /// Whether something may stand in for Docker Hub that is not ours to know: the engine's own `registry-mirrors`, what
    /// Podman reads from its files, or anything where the engine does not tell.
    pub async fn has_mirrors(&self) -> bool {
        if self.is_podman() {
            return true;
        }
        match self.ask("tell its mirrors", self.docker.info()).await {
            Ok(told) => {
                told.registry_config.and_then(|config| config.mirrors).is_some_and(|mirrors| !mirrors.is_empty())
            }
            Err(_) => true,
        }
    }

    /// Asks the engine what it is.
    pub async fn facts(&self) -> Result<EngineFacts, EngineError> {
        let operation = "tell what it is";
        let info = self.ask(operation, self.docker.info());
        let (told, version) = futures_util::try_join!(info, self.ask(operation, self.docker.version()))?;
        let security = told.security_options.unwrap_or_default();
        Ok(EngineFacts {
            product: self.greeting.product.clone(),
            version: self.greeting.version.clone(),
            newest_api: shown(self.greeting.newest_api),
            agreed_api: shown(self.agreed_api),
            platform: platform(&version),
            operating_system: told.operating_system.unwrap_or_default(),
            kernel: told.kernel_version.unwrap_or_default(),
            storage_driver: told.driver.unwrap_or_default(),
            root_folder: told.docker_root_dir.unwrap_or_default(),
            rootless: security.iter().any(|option| option.contains("name=rootless")),
            processors: told.ncpu.and_then(|count| count.try_into().ok()).unwrap_or_default(),
            memory: told.mem_total.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
        })
    }
}
