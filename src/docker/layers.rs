//! Volumes that are layered on others: overlay mounts by the engine's own `local` driver, or copies.
//!
//! An overlay volume exists under its name only once it is complete. A volume that is being copied exists earlier, and
//! a container marks it as incomplete (`ContainerRole::Filling`).

use super::labels::{self, Labels};
use super::mounts::{first_owner, inner, mount};
use super::upper_layers::Filled;
use super::{Engine, EngineError, EngineFault};
use crate::model::{
    BaseKey, CloneMode, ContainerRole, Data, ImageRef, Owner, ParentSpec, Scope, VolumeRole, VolumeSpec, upper_volume,
    volume_of,
};
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountVolumeOptions, VolumeCreateRequest};
use bollard::query_parameters::{CreateContainerOptions, DownloadFromContainerOptions};
use futures_util::future::{join, try_join_all};
use futures_util::pin_mut;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Where a helper container mounts the volume that it fills.
const INTO: &str = "/devenv-into";
/// Where a helper container mounts the volume that it copies from.
const FROM: &str = "/devenv-from";

/// How long an engine may take to create a container, and the pause before it is asked again for a container that it is
/// still creating.
const CREATE_TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

impl Engine {
    /// Creates a volume: empty, or with the content of its layers. Writes to the volume never reach its layers. A
    /// volume that exists already is left as it is.
    pub async fn create_volume(&self, volume: &VolumeSpec) -> Result<(), EngineError> {
        match &volume.parent_spec {
            None => {
                // The mark is created before the volume, and removed after the server is proven.
                if volume.unproven {
                    let role = VolumeRole::Unproven(volume.name.clone());
                    self.empty_volume(&volume.mark(), &volume.scope, &role).await?;
                }
                self.empty_volume(&volume.name, &volume.scope, &volume.role).await
            }
            Some(parent_spec) if parent_spec.clone_mode == CloneMode::Overlay => {
                self.overlay(volume, parent_spec).await
            }
            Some(parent_spec) => self.copy(volume, parent_spec).await,
        }
    }

    /// Whether the engine can mount an overlay volume on this layer. This is tried with a volume called `name`, which
    /// is removed again. If the mount works, returns the owner of the layer's folder. If devenv is killed meanwhile,
    /// the leftovers belong to `base`, if one is given.
    pub async fn can_overlay(
        &self,
        name: &str,
        scope: &Scope,
        base: Option<&BaseKey>,
        parent_spec: &ParentSpec,
    ) -> Result<Option<Owner>, EngineError> {
        let role = base.map_or(VolumeRole::Helper, |base| VolumeRole::Base(base.clone()));
        let probe =
            VolumeSpec { name: name.to_owned(), scope: scope.clone(), role, parent_spec: None, unproven: false };
        let role = base.map_or(ContainerRole::Helper, |base| ContainerRole::Making(base.clone()));
        let labels = labels::of_container(scope, &role);
        let tried = async {
            self.overlay(&probe, parent_spec).await?;
            let helper = self.helper(&format!("{name}.probe"), &parent_spec.image, &labels, vec![into(name)]).await?;
            // To read a file of a container, the engine mounts the container's volumes.
            let read = self.owner(&helper, INTO).await;
            self.remove_container(&helper).await?;
            read
        };
        let tried = tried.await;
        self.remove_volume(name).await?;
        self.remove_volume(&upper_volume(name)).await?;
        match tried {
            Ok(owner) => Ok(Some(owner)),
            Err(error) if matches!(error.kind, EngineFault::Gone | EngineFault::TimedOut) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Creates an overlay volume. The volume itself is created last, so that it exists only once it can be mounted.
    async fn overlay(&self, volume: &VolumeSpec, parent_spec: &ParentSpec) -> Result<(), EngineError> {
        let name = &volume.name;
        let lower = self.lower_directories(parent_spec).await?;
        let Filled { owner, helper } = self.upper_layer(name, &volume.scope, parent_spec).await?;
        let upper = self.mountpoint(&upper_volume(name)).await?;
        let options = format!("lowerdir={lower},upperdir={upper}/upper,workdir={upper}/work");
        let mut role = volume.role.clone();
        if let VolumeRole::Data(Data { parent: Some(parent), .. }) = &mut role {
            parent.folder = Some(owner);
        }
        let request = VolumeCreateRequest {
            name: Some(name.to_owned()),
            driver: Some("local".to_owned()),
            driver_opts: Some(HashMap::from(
                [("type", "overlay"), ("device", "overlay"), ("o", options.as_str())]
                    .map(|(key, value)| (key.to_owned(), value.to_owned())),
            )),
            labels: Some(labels::of_volume(&volume.scope, &role)),
            ..Default::default()
        };
        let removed = async {
            match &helper {
                Some(helper) => self.remove_container(helper).await,
                None => Ok(()),
            }
        };
        let (removed, made) = join(removed, self.own_volume(request)).await;
        made.and(removed)
    }

    /// The folders of the layers on the engine's disk, in the form of the mount option `lowerdir`.
    async fn lower_directories(&self, parent_spec: &ParentSpec) -> Result<String, EngineError> {
        let folders = parent_spec.layers.iter().map(|layer| async move {
            let mountpoint = self.mountpoint(volume_of(layer)).await?;
            Ok::<_, EngineError>(format!("{mountpoint}{}", inner(layer)))
        });
        Ok(try_join_all(folders).await?.join(":"))
    }

    /// Creates a volume by copying. A separate container marks the volume as incomplete: it is created first and
    /// removed last. The container that copies cannot be this mark, because an engine creates a container's volumes
    /// before it lists the container. If devenv were killed at that moment, it would leave an empty volume that looks
    /// like a complete one.
    async fn copy(&self, volume: &VolumeSpec, parent_spec: &ParentSpec) -> Result<(), EngineError> {
        let name = &volume.name;
        let operation = format!("copy {} into the volume {name}", parent_spec.whole);
        let filling = Mount {
            volume_options: Some(MountVolumeOptions {
                no_copy: Some(true),
                labels: Some(labels::of_volume(&volume.scope, &volume.role)),
                ..Default::default()
            }),
            ..into(name)
        };
        // The labels of the volume name its environment as soon as the volume exists.
        let scope = Scope { environment: String::new(), lease: None, ..volume.scope.clone() };
        let own = labels::of_container(&scope, &ContainerRole::Filling(name.clone()));
        let command = ["cp", "-a", &format!("{FROM}/."), INTO].map(str::to_owned).to_vec();
        let from = mount(&parent_spec.whole, FROM, true);
        let mark = self.create_mark(&mark_name(name), &own, &parent_spec.image, from.clone()).await?;
        let name_of_copying = format!("{name}.copying");
        let id =
            self.create_bare(&name_of_copying, &parent_spec.image, &own, vec![filling, from], Some(command)).await?;
        self.start(&id).await?;
        let code = self.wait_exit(&id).await?;
        if code != 0 {
            let said = self.log_tail(&id, 5).await.unwrap_or_default().join("\n");
            // On a full disk, the log is lost too.
            let said = if said.is_empty() {
                format!("cp ended with {code} and its log is empty, as happens if the disk is full")
            } else {
                format!("cp ended with {code}: {said}")
            };
            return Err(EngineError::new(operation, EngineFault::Other, said));
        }
        self.remove_container(&id).await?;
        self.remove_container(&mark).await
    }

    /// Creates the container that marks a copy as incomplete. A mark that a killed run left is still correct and is
    /// used. If the engine is still creating the mark of a killed run, the name is taken but the container does not
    /// exist yet. Then this function waits for it: otherwise the mark would appear later and mark a complete copy as
    /// incomplete.
    async fn create_mark(
        &self,
        name: &str,
        labels: &Labels,
        image: &ImageRef,
        from: Mount,
    ) -> Result<String, EngineError> {
        let began = Instant::now();
        loop {
            match self.create_bare(name, image, labels, vec![from.clone()], None).await {
                Err(error) if error.kind == EngineFault::Conflict => match self.container_state(name).await {
                    Ok(_) => return Ok(name.to_owned()),
                    Err(absent) if absent.is_not_found() && began.elapsed() < CREATE_TIMEOUT => {
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(_) => return Err(error),
                },
                made => return made,
            }
        }
    }

    /// Creates a container that is never started. A container of the same name that a killed run left is replaced.
    pub(super) async fn helper(
        &self,
        name: &str,
        image: &ImageRef,
        labels: &Labels,
        mounts: Vec<Mount>,
    ) -> Result<String, EngineError> {
        match self.create_bare(name, image, labels, mounts.clone(), None).await {
            Err(error) if error.kind == EngineFault::Conflict => {
                self.remove_container(name).await?;
                self.create_bare(name, image, labels, mounts, None).await
            }
            made => made,
        }
    }

    async fn create_bare(
        &self,
        name: &str,
        image: &ImageRef,
        labels: &Labels,
        mounts: Vec<Mount>,
        command: Option<Vec<String>>,
    ) -> Result<String, EngineError> {
        let operation = format!("create the container {name}");
        let body = |image: &str| bare(image, labels.clone(), mounts.clone(), command.clone());
        let make = async |image: &str| {
            self.work(&operation, self.docker.create_container(Some(named(name)), body(image))).await
        };
        let made = match make(&self.name_here(image)).await {
            // The image came through a mirror, so the engine has it under another name.
            Err(error) if error.is_not_found() => match self.local_image(image).await? {
                Some(local) => make(&local.id).await?,
                None => return Err(error),
            },
            made => made?,
        };
        Ok(made.id)
    }

    async fn mountpoint(&self, volume: &str) -> Result<String, EngineError> {
        Ok(self.ask(format!("inspect the volume {volume}"), self.docker.inspect_volume(volume)).await?.mountpoint)
    }

    /// The owner of a folder in a container, from the first entry of the folder's archive. The rest of the archive is
    /// not read.
    pub(super) async fn owner(&self, container: &str, path: &str) -> Result<Owner, EngineError> {
        let operation = format!("read the owner of {path}");
        let options = DownloadFromContainerOptions { path: format!("{path}/") };
        let pieces = self.docker.download_from_container(container, Some(options));
        pin_mut!(pieces);
        let mut bytes = Vec::new();
        while bytes.len() < 8 * 1024 {
            match self.next_piece(self.deadlines.work, &operation, &mut pieces).await {
                Some(piece) => bytes.extend_from_slice(&piece?),
                None => break,
            }
        }
        first_owner(&bytes).map_err(|error| EngineError::new(operation, EngineFault::Other, error.to_string()))
    }
}

pub(super) fn named(name: &str) -> CreateContainerOptions {
    CreateContainerOptions { name: Some(name.to_owned()), platform: String::new() }
}

/// The body of a container without a network, for one command as root, or for a container that is never started.
pub(super) fn bare(
    image: &str,
    labels: Labels,
    mounts: Vec<Mount>,
    command: Option<Vec<String>>,
) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        user: Some("0:0".to_owned()),
        entrypoint: Some(command.unwrap_or_else(|| vec!["true".to_owned()])),
        cmd: Some(Vec::new()),
        labels: Some(labels),
        host_config: Some(HostConfig {
            mounts: Some(mounts),
            network_mode: Some("none".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The name of the container that marks a volume as incomplete.
fn mark_name(volume: &str) -> String {
    format!("{volume}.filling")
}

fn into(volume: &str) -> Mount {
    mount(volume, INTO, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::fake_engine::{Answer, FakeEngine, VERSION};
    use crate::docker::{DockerEnv, connect};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_mark_that_the_engine_is_still_creating_for_a_killed_run_is_waited_for() {
        let looks = AtomicUsize::new(0);
        let engine = FakeEngine::start(move |request| match request.path.as_str() {
            "/version" => Answer::json(VERSION),
            path if path.contains("/containers/create") => Answer::status(409, r#"{"message":"the name is in use"}"#),
            path if path.contains("/containers/db.filling/json") && looks.fetch_add(1, Ordering::SeqCst) >= 2 => {
                Answer::json(r#"{"Id":"late"}"#)
            }
            _ => Answer::status(404, r#"{"message":"No such container: db.filling"}"#),
        });
        let client = connect(Some(&engine.host()), &DockerEnv::default()).await.unwrap();
        let image = ImageRef::parse("redis:8").unwrap();
        let mark = client.create_mark("db.filling", &Labels::new(), &image, mount("from", FROM, true)).await;
        assert_eq!(mark.unwrap(), "db.filling");
        assert_eq!(engine.requests().iter().filter(|one| one.path.contains("/containers/db.filling/json")).count(), 3);
    }
}
