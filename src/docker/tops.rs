//! The tops of overlay volumes: what is written to a volume over layers lies in another volume, in two folders.
//!
//! To put folders into a volume takes a container and an upload, and an engine takes its time for both, however much is
//! uploaded. So tops that are wanted while others are being made are made together next: ten lanes take two uploads.

use super::layers::{inner, mount};
use super::{Engine, EngineError, EngineFault, labels};
use crate::model::{Belonging, Over, Owner, VolumeRole, VolumeSpec, Way, top_of, volume_of};
use bollard::body_full;
use bollard::query_parameters::UploadToContainerOptions;
use futures_util::future::try_join_all;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where the container that fills tops sees them, numbered.
const TOPS: &str = "/devenv-tops";
/// Where it sees the layers that they are to lie over.
const LAYERS: &str = "/devenv-layers";

/// The tops that one process makes.
#[derive(Debug, Default)]
pub(super) struct Tops {
    /// Those that are wanted, until somebody makes them.
    wanted: Mutex<Vec<Wanted>>,
    /// Those that are made, each with whose its folder is, until their volumes are made.
    ready: Mutex<BTreeMap<String, Owner>>,
    /// Whoever holds it makes what is wanted.
    turn: tokio::sync::Mutex<()>,
}

/// A top that is there and still empty.
#[derive(Clone, Debug)]
struct Wanted {
    top: String,
    /// Whose it is.
    of: Belonging,
    over: Over,
}

impl Wanted {
    /// The layer that it lies over first.
    fn nearest(&self) -> &str {
        self.over.layers.first().map(String::as_str).unwrap_or_default()
    }
}

impl Tops {
    fn take(&self, top: &str) -> Option<Owner> {
        locked(&self.ready).remove(top)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A top that is ready, and the container that filled it, which the caller removes.
pub(super) struct Filled {
    pub(super) owner: Owner,
    pub(super) helper: Option<String>,
}

impl Engine {
    /// Makes the top of a volume that is to be made over layers next, while something else takes its time. The volume
    /// itself is made by [`Self::create_volume`], which then finds its top ready.
    pub async fn make_top_ahead(&self, volume: &VolumeSpec) -> Result<(), EngineError> {
        let VolumeSpec { name, of, over: Some(over), .. } = volume else { return Ok(()) };
        if over.way == Way::Copy {
            return Ok(());
        }
        let filled = self.top(name, of, over).await?;
        if let Some(helper) = filled.helper {
            self.remove_container(&helper).await?;
        }
        locked(&self.tops.ready).insert(top_of(name), filled.owner);
        Ok(())
    }

    /// The top of a volume: one that was made ahead, else a new one.
    pub(super) async fn top(&self, name: &str, of: &Belonging, over: &Over) -> Result<Filled, EngineError> {
        let top = top_of(name);
        if let Some(owner) = self.tops.take(&top) {
            return Ok(Filled { owner, helper: None });
        }
        self.empty_volume(&top, of, &VolumeRole::Upper(name.to_owned())).await?;
        let wanted = Wanted { top: top.clone(), of: of.clone(), over: over.clone() };
        locked(&self.tops.wanted).push(wanted.clone());
        let _turn = self.tops.turn.lock().await;
        if let Some(owner) = self.tops.take(&top) {
            return Ok(Filled { owner, helper: None });
        }
        let mut all = std::mem::take(&mut *locked(&self.tops.wanted));
        all.retain(|other| other.top != top);
        all.insert(0, wanted);
        let helper = match self.fill(&all).await {
            // Whose fault it was shows where each is made alone: the others find theirs neither ready nor wanted.
            Err(_) if all.len() > 1 => self.fill(&all[..1]).await?,
            filled => filled?,
        };
        match self.tops.take(&top) {
            Some(owner) => Ok(Filled { owner, helper: Some(helper) }),
            None => Err(EngineError::new(format!("make the volume {top}"), EngineFault::Other, "it was not filled")),
        }
    }

    /// Puts the two folders into each of these, which are ready then; the container that did is still there.
    async fn fill(&self, all: &[Wanted]) -> Result<String, EngineError> {
        let names = all.iter().map(|wanted| wanted.top.as_str()).collect::<Vec<_>>().join(", ");
        let operation = format!("make the volume {names}");
        let mut mounts = Vec::new();
        for (number, wanted) in all.iter().enumerate() {
            mounts.push(mount(&wanted.top, &format!("{TOPS}/{number}"), false));
            if wanted.over.owner.is_none() {
                mounts.push(mount(volume_of(wanted.nearest()), &format!("{LAYERS}/{number}"), true));
            }
        }
        let Some(first) = all.first() else { return Ok(String::new()) };
        let name = format!("{}.making", first.top);
        let helper = self.helper(&name, &first.over.image, &labels::of_belonging(&first.of), mounts).await?;
        let filled = async {
            let owners = all.iter().enumerate().map(|(number, wanted)| {
                let (helper, layer) = (&helper, format!("{LAYERS}/{number}{}", inner(wanted.nearest())));
                async move {
                    match wanted.over.owner {
                        Some(owner) => Ok(owner),
                        None => self.owner(helper, &layer).await,
                    }
                }
            });
            let owners = try_join_all(owners).await?;
            let archive = folders(&owners);
            let archive =
                archive.map_err(|error| EngineError::new(&operation, EngineFault::Other, error.to_string()))?;
            let options = UploadToContainerOptions { path: TOPS.to_owned(), ..Default::default() };
            let upload = self.docker.upload_to_container(&helper, Some(options), body_full(archive.into()));
            self.work(&operation, upload).await.map(|()| owners)
        };
        match filled.await {
            Ok(owners) => {
                let tops = all.iter().map(|wanted| wanted.top.clone());
                locked(&self.tops.ready).extend(tops.zip(owners));
                Ok(helper)
            }
            Err(error) => {
                // The first fault is the one to tell of.
                let _ = self.remove_container(&helper).await;
                Err(error)
            }
        }
    }
}

/// The two folders of each top. The upper one is what the mounted folder looks like from outside.
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
    use crate::docker::layers::first_owner;
    use crate::docker::{Surroundings, connect};
    use crate::model::ImageRef;
    use futures_util::future::{join, join_all};
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_top_s_folder_belongs_to_whoever_owns_the_layer_s() {
        let owner = Owner { uid: 999, gid: 998, mode: 0o700 };
        assert_eq!(first_owner(&folders(&[owner]).unwrap()).unwrap(), owner);
        assert!(first_owner(&[]).is_err());
    }

    /// Three tops that are wanted at the same time, of an engine whose first upload is answered so: how many were
    /// filled, and by how many containers.
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
        let client = connect(Some(&engine.host()), &Surroundings::default()).await.unwrap();
        let image = ImageRef::parse("postgres:17").unwrap();
        let owner = Some(Owner { uid: 999, gid: 999, mode: 0o700 });
        let over =
            Over { layers: vec!["base/upper".to_owned()], whole: "base".to_owned(), way: Way::Overlay, image, owner };
        let of = Belonging::default();
        // Nobody goes before all of them are there.
        let turn = client.tops.turn.lock().await;
        let tops = join_all(["a", "b", "c"].map(|name| client.top(name, &of, &over)));
        let begin = async {
            while locked(&client.tops.wanted).len() < 3 {
                tokio::task::yield_now().await;
            }
            drop(turn);
        };
        let (made, ()) = join(tops, begin).await;
        let is_made =
            |filled: &Result<Filled, EngineError>| filled.as_ref().is_ok_and(|filled| filled.owner.uid == 999);
        let asked = engine.requests();
        (
            made.iter().filter(|one| is_made(one)).count(),
            asked.iter().filter(|one| one.path.contains("/containers/create")).count(),
        )
    }

    #[tokio::test]
    async fn tops_that_are_wanted_at_once_are_made_together() {
        assert_eq!(three_at_once(200).await, (3, 1));
    }

    #[tokio::test]
    async fn what_fails_together_is_tried_alone() {
        assert_eq!(three_at_once(500).await, (3, 4));
    }
}
