//! The upper layers of overlay volumes. All writes to an overlay volume go to its upper layer, which is a volume of its
//! own with two folders.
//!
//! Creating the folders takes a container and an upload. Both take time, however little is uploaded. So upper layers
//! that are requested while others are being created are created together next: ten lanes take two uploads.

use super::mounts::{inner, mount};
use super::{Engine, EngineError, EngineFault, labels};
use crate::model::{CloneMode, Owner, ParentSpec, Scope, VolumeRole, VolumeSpec, upper_volume, volume_of};
use bollard::body_full;
use bollard::query_parameters::UploadToContainerOptions;
use futures_util::future::try_join_all;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where the container that fills upper layers mounts them, numbered.
const UPPERS: &str = "/devenv-uppers";
/// Where the same container mounts the nearest parents of the upper layers, with the same numbers.
const LAYERS: &str = "/devenv-layers";

/// The upper layers that one process creates.
#[derive(Debug, Default)]
pub(super) struct UpperLayers {
    /// Requested upper layers that no task fills yet.
    requested: Mutex<Vec<Requested>>,
    /// Filled upper layers, each with the owner of its folder, until their overlay volumes are created.
    ready: Mutex<BTreeMap<String, Owner>>,
    /// The task that holds this lock fills all requested upper layers.
    turn: tokio::sync::Mutex<()>,
}

/// An upper layer that exists and is still empty.
#[derive(Clone, Debug)]
struct Requested {
    upper: String,
    /// The project and environment that the volume belongs to.
    scope: Scope,
    parent_spec: ParentSpec,
}

impl Requested {
    /// The nearest parent of the volume.
    fn nearest(&self) -> &str {
        self.parent_spec.layers.first().map(String::as_str).unwrap_or_default()
    }
}

impl UpperLayers {
    fn take(&self, upper: &str) -> Option<Owner> {
        locked(&self.ready).remove(upper)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A filled upper layer, and the container that filled it. The caller removes the container.
pub(super) struct Filled {
    pub(super) owner: Owner,
    pub(super) helper: Option<String>,
}

impl Engine {
    /// Creates the upper layer of an overlay volume ahead of time, while something else is running.
    /// [`Self::create_volume`] creates the overlay volume itself, and then finds its upper layer ready.
    pub async fn create_upper_layer_ahead(&self, volume: &VolumeSpec) -> Result<(), EngineError> {
        let VolumeSpec { name, scope, parent_spec: Some(parent_spec), .. } = volume else { return Ok(()) };
        if parent_spec.clone_mode == CloneMode::Copy {
            return Ok(());
        }
        let filled = self.upper_layer(name, scope, parent_spec).await?;
        if let Some(helper) = filled.helper {
            self.remove_container(&helper).await?;
        }
        locked(&self.upper_layers.ready).insert(upper_volume(name), filled.owner);
        Ok(())
    }

    /// The upper layer of a volume: one that was created ahead of time, else a new one.
    pub(super) async fn upper_layer(
        &self,
        name: &str,
        scope: &Scope,
        parent_spec: &ParentSpec,
    ) -> Result<Filled, EngineError> {
        let upper = upper_volume(name);
        if let Some(owner) = self.upper_layers.take(&upper) {
            return Ok(Filled { owner, helper: None });
        }
        self.empty_volume(&upper, scope, &VolumeRole::Upper(name.to_owned())).await?;
        let requested = Requested { upper: upper.clone(), scope: scope.clone(), parent_spec: parent_spec.clone() };
        locked(&self.upper_layers.requested).push(requested.clone());
        let _turn = self.upper_layers.turn.lock().await;
        if let Some(owner) = self.upper_layers.take(&upper) {
            return Ok(Filled { owner, helper: None });
        }
        let mut all = std::mem::take(&mut *locked(&self.upper_layers.requested));
        all.retain(|other| other.upper != upper);
        all.insert(0, requested);
        let helper = match self.fill(&all).await {
            // Filling a layer alone shows which one caused the fault. The tasks of the other layers find theirs neither
            // ready nor requested, and fill theirs themselves.
            Err(_) if all.len() > 1 => self.fill(&all[..1]).await?,
            filled => filled?,
        };
        match self.upper_layers.take(&upper) {
            Some(owner) => Ok(Filled { owner, helper: Some(helper) }),
            None => {
                Err(EngineError::new(format!("create the volume {upper}"), EngineFault::Other, "it was not filled"))
            }
        }
    }

    /// Creates the two folders in each of these upper layers, which are then ready. Returns the container that did
    /// this, which still exists.
    async fn fill(&self, all: &[Requested]) -> Result<String, EngineError> {
        let names = all.iter().map(|requested| requested.upper.as_str()).collect::<Vec<_>>().join(", ");
        let operation = format!("create the volume {names}");
        let mut mounts = Vec::new();
        for (number, requested) in all.iter().enumerate() {
            mounts.push(mount(&requested.upper, &format!("{UPPERS}/{number}"), false));
            if requested.parent_spec.owner.is_none() {
                mounts.push(mount(volume_of(requested.nearest()), &format!("{LAYERS}/{number}"), true));
            }
        }
        let Some(first) = all.first() else { return Ok(String::new()) };
        let name = format!("{}.making", first.upper);
        let helper = self.helper(&name, &first.parent_spec.image, &labels::of_scope(&first.scope), mounts).await?;
        let filled = async {
            let owners = all.iter().enumerate().map(|(number, requested)| {
                let (helper, layer) = (&helper, format!("{LAYERS}/{number}{}", inner(requested.nearest())));
                async move {
                    match requested.parent_spec.owner {
                        Some(owner) => Ok(owner),
                        None => self.owner(helper, &layer).await,
                    }
                }
            });
            let owners = try_join_all(owners).await?;
            let archive = folders(&owners);
            let archive =
                archive.map_err(|error| EngineError::new(&operation, EngineFault::Other, error.to_string()))?;
            let options = UploadToContainerOptions { path: UPPERS.to_owned(), ..Default::default() };
            let upload = self.docker.upload_to_container(&helper, Some(options), body_full(archive.into()));
            self.work(&operation, upload).await.map(|()| owners)
        };
        match filled.await {
            Ok(owners) => {
                let uppers = all.iter().map(|requested| requested.upper.clone());
                locked(&self.upper_layers.ready).extend(uppers.zip(owners));
                Ok(helper)
            }
            Err(error) => {
                // Only the first fault is reported.
                let _ = self.remove_container(&helper).await;
                Err(error)
            }
        }
    }
}

/// An archive with the two folders of each upper layer. The folder `upper` decides owner and mode of the mounted
/// folder.
fn folders(uppers: &[Owner]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (number, upper) in uppers.iter().enumerate() {
        for (name, owner) in [("upper", *upper), ("work", Owner { uid: 0, gid: 0, mode: 0o700 })] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            header.set_mode(owner.mode);
            header.set_uid(owner.uid);
            header.set_gid(owner.gid);
            header.set_mtime(0);
            archive.append_data(&mut header, format!("{number}/{name}/"), io::empty())?;
        }
    }
    archive.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::fake_engine::{Answer, FakeEngine, VERSION};
    use crate::docker::mounts::first_owner;
    use crate::docker::{DockerEnv, connect};
    use crate::model::ImageRef;
    use futures_util::future::{join, join_all};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn the_folder_of_an_upper_layer_has_the_owner_of_the_parent_s_folder() {
        let owner = Owner { uid: 999, gid: 998, mode: 0o700 };
        assert_eq!(first_owner(&folders(&[owner]).unwrap()).unwrap(), owner);
        assert!(first_owner(&[]).is_err());
    }

    /// Three upper layers that are requested at the same time, from an engine that answers the first upload with this
    /// status: how many were filled, and by how many containers.
    async fn three_at_once(first_upload: u16) -> (usize, usize) {
        let uploads = AtomicUsize::new(0);
        let engine = FakeEngine::start(move |request| match request.path.as_str() {
            "/version" => Answer::json(VERSION),
            path if path.contains("/volumes/create") => Answer::status(
                201,
                r#"{"Name":"v","Driver":"local","Mountpoint":"/v","Labels":{},"Options":{},"Scope":"local"}"#,
            ),
            path if path.contains("/containers/create") => Answer::status(201, r#"{"Id":"helper","Warnings":[]}"#),
            path if path.contains("/archive") && uploads.fetch_add(1, Ordering::SeqCst) == 0 => {
                Answer::status(first_upload, r#"{"message":"no space left on device"}"#)
            }
            path if path.contains("/archive") => Answer::json(""),
            _ => Answer::status(204, ""),
        });
        let client = connect(Some(&engine.host()), &DockerEnv::default()).await.unwrap();
        let image = ImageRef::parse("postgres:17").unwrap();
        let owner = Some(Owner { uid: 999, gid: 999, mode: 0o700 });
        let parent_spec = ParentSpec {
            layers: vec!["base/upper".to_owned()],
            whole: "base".to_owned(),
            clone_mode: CloneMode::Overlay,
            image,
            owner,
        };
        let scope = Scope::default();
        // No task continues before all requests are made.
        let turn = client.upper_layers.turn.lock().await;
        let uppers = join_all(["a", "b", "c"].map(|name| client.upper_layer(name, &scope, &parent_spec)));
        let begin = async {
            while locked(&client.upper_layers.requested).len() < 3 {
                tokio::task::yield_now().await;
            }
            drop(turn);
        };
        let (made, ()) = join(uppers, begin).await;
        let is_made =
            |filled: &Result<Filled, EngineError>| filled.as_ref().is_ok_and(|filled| filled.owner.uid == 999);
        let asked = engine.requests();
        (
            made.iter().filter(|one| is_made(one)).count(),
            asked.iter().filter(|one| one.path.contains("/containers/create")).count(),
        )
    }

    #[tokio::test]
    async fn upper_layers_that_are_requested_at_once_are_filled_together() {
        assert_eq!(three_at_once(200).await, (3, 1));
    }

    #[tokio::test]
    async fn upper_layers_that_fail_together_are_filled_alone() {
        assert_eq!(three_at_once(500).await, (3, 4));
    }
}
