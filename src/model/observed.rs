//! What the engine has of ours, and what each of it is: plain data, once the engine's labels were read.
//!
//! The engine keeps as labels whose something is and what it is for. One module writes and reads those
//! (`docker/labels.rs`); everything else tells by these types.

use super::{CloneMode, Owner, Publish};
use std::collections::{BTreeMap, BTreeSet};

/// What the engine has, asked once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Containers of every environment of ours, running or not, and of bases; records are not among them.
    pub containers: Vec<Container>,
    /// Volumes of every environment of ours, and bases.
    pub volumes: Vec<Volume>,
    /// What is written down about environments and bases.
    pub records: Vec<ObservedRecord>,
    /// Networks of every environment of ours.
    pub networks: Vec<Network>,
    /// The images that were asked for and are here, by the reference asked for (its full form).
    pub images: BTreeMap<String, super::LocalImage>,
    /// The engine's own platform: `linux/amd64`.
    pub platform: String,
}

/// Whose something on the engine is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The project's root folder on this machine.
    pub root: String,
    /// The environment's name; empty for what belongs to none.
    pub environment: String,
    /// Whether the environment is thrown away at the end of its run.
    pub ephemeral: bool,
    /// Whose an ephemeral environment is, and for how long.
    pub lease: Option<Lease>,
}

/// What others on the engine can tell of an ephemeral environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The CI system's project, else the user.
    pub owner: String,
    /// The CI system's job, else the process.
    pub job: String,
    /// Seconds since 1970; from then on anybody's `gc` removes it.
    pub expires: i64,
}

/// One container of ours that is not a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// The engine's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `created`, `running`, `exited`, `restarting`, `paused`, `dead`.
    pub state: String,
    /// Whose it is.
    pub scope: Scope,
    /// What it is for.
    pub role: ContainerRole,
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

/// What a container is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ContainerRole {
    /// It runs a service of an environment.
    Service(ServiceContainer),
    /// It serves the making of this base.
    Making(BaseKey),
    /// It says that this volume is not yet whole, or copies into it.
    Filling(String),
    /// It serves one operation, and nothing once that is over.
    #[default]
    Helper,
}

/// What a service's container tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceContainer {
    /// The service's name.
    pub service: String,
    /// The service's kind.
    pub kind: String,
    /// The declared version's number.
    pub version: String,
    /// A keyed hash of each part of its configuration: `files=…,image=…`.
    pub config: String,
    /// The port on loopback that it is published on.
    pub port: Option<u16>,
    /// What its service was declared as, sealed with the machine's key; none where that is too long.
    pub declared: Option<String>,
}

/// Which base something is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseKey {
    /// The base's name.
    pub base: String,
    /// What others may see of the key of the machine's user who made it.
    pub machine: String,
}

/// One volume of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub scope: Scope,
    /// What it is for.
    pub role: VolumeRole,
}

/// What a volume is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VolumeRole {
    /// It holds a service's data.
    Data(Data),
    /// It is the upper layer of this overlay volume: it holds what is written to that.
    Upper(String),
    /// It is a base, or serves the making of one.
    Base(BaseKey),
    /// It is empty, and says as long as it is there that nobody has logged in yet to a server over this volume, which that
    /// server has to initialise: it may hold half of what it should.
    Unproven(String),
    /// It serves one operation, and nothing once that is over.
    #[default]
    Helper,
}

/// A service's data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// The service's name.
    pub service: String,
    /// The service's kind.
    pub kind: String,
    /// The major version that wrote it, where another one cannot read it; else empty.
    pub version: String,
    /// The port that the service was published on last.
    pub port: Option<u16>,
    /// The sequence number of the head that it was made for, from 1. (0.1.0 counted the volumes of the service.)
    pub generation: u64,
    /// The git branch whose data it is; empty where data follows no branches.
    pub branch: String,
    /// A hash of the seeds of which it was made; empty where there were none.
    pub seeds: String,
    /// The environment whose logins it had at first, where that is another one.
    pub from: Option<String>,
    /// What it began with; none where that was an empty folder.
    pub parent: Option<Parent>,
}

/// What a volume began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The layers, the nearest first: a volume's name, or `volume/upper` for what lies in an upper layer.
    pub layers: Vec<String>,
    /// Whether they are mounted below it, or were copied.
    pub clone_mode: CloneMode,
    /// Whose the folder of the nearest layer is, as far as somebody asked.
    pub folder: Option<Owner>,
}

/// One network of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The engine's id; names are not unique on old engines.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub scope: Scope,
}

/// Something that is written down on the engine: it is there whole, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Its name on the engine.
    pub name: String,
    /// The root of the checkout that wrote it down.
    pub root: String,
    /// The environment that it is about; empty for a base.
    pub environment: String,
    /// What others may see of the key of the machine's user who wrote it; empty where that does not matter.
    pub machine: String,
    /// What it says.
    pub kind: RecordKind,
    /// The volume with each service's data.
    pub data: BTreeMap<String, String>,
    /// Whether this engine mounts layers or copies them, where that was found out.
    pub clone_mode: Option<CloneMode>,
    /// The volumes that it protects from a clean-up.
    pub pins: Vec<String>,
}

/// What a record says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RecordKind {
    /// Which volumes the services of an environment have.
    Head(Head),
    /// Under this name the data is kept as it is.
    Snapshot(String),
    /// The volumes are in use, though no container of a service mentions them.
    #[default]
    Pin,
    /// What the user chose on the command line, signed; empty for the container that keeps standard input.
    Choice(String),
    /// The base is whole.
    Base {
        /// Which one.
        base: String,
        /// The volume that holds it, and whose its folder is where this engine mounts it.
        parent: Parent,
    },
}

/// Which volumes the services of an environment have on one git branch: a ref, as git has them. A head never changes; a
/// newer one takes its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The git branch; empty where data follows no branches.
    pub branch: String,
    /// Counts the heads of the environment over all its branches. The highest of a branch counts, and the highest of all is
    /// the one that was used last. 0 for a head that no record says.
    pub sequence: u64,
    /// The data of each service, of each major version that it had.
    pub entries: Vec<Entry>,
    /// Volumes that stay, though no service uses them: the data beside which a service started fresh.
    pub kept: Vec<String>,
}

/// The data of one service, of one major version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The service's name.
    pub service: String,
    /// The service's kind.
    pub kind: String,
    /// The major version that writes it, where another one cannot read it; else empty.
    pub version: String,
    /// The sequence number of the head that named its volumes first.
    pub sequence: u64,
    /// The volumes: one, or one for each folder that the image declares. They may not be there yet.
    pub volumes: Vec<String>,
    /// The volume with whose data they begin, as long as they are not there; none is a base, or an empty folder.
    pub parent: Option<String>,
}

/// A record as the engine has it: twice, as an empty volume, which no clean-up of containers takes, and as a container that
/// is never started and mentions volumes, so that no clean-up of volumes takes those. One of them is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedRecord {
    /// The id of its container; empty where that is gone.
    pub id: String,
    /// Whether its volume is there.
    pub has_volume: bool,
    /// When it was written, seconds since 1970.
    pub created: i64,
    /// An image that is here, by its id.
    pub image_id: String,
    /// What it says.
    pub record: Record,
}

impl Observed {
    /// The container of a service in an environment, running or not.
    pub fn container(&self, environment: &str, service: &str) -> Option<&Container> {
        let of_it = |one: &&Container| one.scope.environment == environment && one.service() == service;
        // There are two while one replaces the other: the one that runs counts.
        let mut all = self.containers.iter().filter(of_it);
        all.clone().find(|container| container.state == "running").or_else(|| all.next())
    }

    /// The volume of that name.
    pub fn volume(&self, name: &str) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.name == name)
    }

    /// Whether nobody has logged in yet to a server over this volume.
    pub fn is_unproven(&self, volume: &str) -> bool {
        self.volumes.iter().any(|one| one.unproven() == volume)
    }

    /// Containers of an environment's services, and what serves one operation in it.
    pub fn containers_of<'o>(&'o self, environment: &str) -> impl Iterator<Item = &'o Container> + Clone + use<'o> {
        let environment = environment.to_owned();
        self.containers.iter().filter(move |one| one.scope.environment == environment)
    }

    /// Volumes that hold data of an environment's services.
    pub fn data_of<'o>(&'o self, environment: &str) -> impl Iterator<Item = (&'o Volume, &'o Data)> + Clone + use<'o> {
        let environment = environment.to_owned();
        let ours = self.volumes.iter().filter(move |one| one.scope.environment == environment);
        ours.filter_map(|volume| Some((volume, volume.data()?)))
    }

    /// The id of any image that is here, for containers that never run.
    pub fn any_image(&self) -> Option<&str> {
        let of_containers = self.containers.iter().map(|one| one.image_id.as_str());
        let of_records = self.records.iter().map(|one| one.image_id.as_str());
        of_containers.chain(of_records).find(|id| !id.is_empty())
    }
}

impl Container {
    /// What it tells of the service that it runs; none where it runs none.
    pub fn runs(&self) -> Option<&ServiceContainer> {
        match &self.role {
            ContainerRole::Service(service) => Some(service),
            _ => None,
        }
    }

    /// The service that it runs; empty where it runs none.
    pub fn service(&self) -> &str {
        self.runs().map_or("", |service| &service.service)
    }

    /// The base whose making it serves; empty where it serves none.
    pub fn base(&self) -> &str {
        match &self.role {
            ContainerRole::Making(key) => &key.base,
            _ => "",
        }
    }

    /// The volume that is not whole as long as this container is there; empty where there is none.
    pub fn fills(&self) -> &str {
        match &self.role {
            ContainerRole::Filling(volume) => volume,
            _ => "",
        }
    }
}

impl Volume {
    /// The service's data that it holds; none where it holds none.
    pub fn data(&self) -> Option<&Data> {
        match &self.role {
            VolumeRole::Data(data) => Some(data),
            _ => None,
        }
    }

    /// The service whose data it holds; empty where it holds none.
    pub fn service(&self) -> &str {
        self.data().map_or("", |data| &data.service)
    }

    /// The git branch whose data it holds; empty where data follows none.
    pub fn branch(&self) -> &str {
        self.data().map_or("", |data| &data.branch)
    }

    /// What it began with.
    pub fn parent(&self) -> Option<&Parent> {
        self.data()?.parent.as_ref()
    }

    /// The layers that it began with, the nearest first.
    pub fn layers(&self) -> &[String] {
        self.parent().map(|parent| parent.layers.as_slice()).unwrap_or_default()
    }

    /// Whether its layers are mounted below it, so that it cannot be without them.
    pub fn is_overlay(&self) -> bool {
        self.parent().is_some_and(|parent| parent.clone_mode == CloneMode::Overlay)
    }

    /// The overlay volume whose upper layer it is; empty where it is none.
    pub fn upper_of(&self) -> &str {
        match &self.role {
            VolumeRole::Upper(scope) => scope,
            _ => "",
        }
    }

    /// The volume that it says is not proven; empty where it says nothing.
    pub fn unproven(&self) -> &str {
        match &self.role {
            VolumeRole::Unproven(scope) => scope,
            _ => "",
        }
    }

    /// The base that it is of; empty where it is of none.
    pub fn base(&self) -> &str {
        match &self.role {
            VolumeRole::Base(key) => &key.base,
            _ => "",
        }
    }
}

impl Record {
    /// As the engine will list it.
    pub fn as_made(&self) -> ObservedRecord {
        ObservedRecord { has_volume: true, record: self.clone(), ..ObservedRecord::default() }
    }

    /// The name of its volume.
    pub fn volume(&self) -> String {
        format!("{}.record", self.name)
    }

    /// The name of the snapshot that it is; none where it is none.
    pub fn snapshot(&self) -> Option<&str> {
        match &self.kind {
            RecordKind::Snapshot(name) => Some(name),
            _ => None,
        }
    }

    /// The head that it is; none where it is none.
    pub fn head(&self) -> Option<&Head> {
        match &self.kind {
            RecordKind::Head(head) => Some(head),
            _ => None,
        }
    }

    /// The base that it is of; empty where it is of none.
    pub fn base(&self) -> &str {
        match &self.kind {
            RecordKind::Base { base, .. } => base,
            _ => "",
        }
    }
}
