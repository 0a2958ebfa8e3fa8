//! The resources of devenv on the engine (containers, volumes, networks, records) as plain data.
//!
//! The engine keeps the owner and the purpose of each resource as labels. One module writes and reads these labels
//! (`docker/labels.rs`); all other code uses the types of this file.

use super::{CloneMode, Owner, Publish};
use std::collections::{BTreeMap, BTreeSet};

/// The state of the engine at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Containers of all environments of devenv, running or not, and of bases; without the containers of records.
    pub containers: Vec<Container>,
    /// Volumes of all environments of devenv, and of bases; without the volumes of records.
    pub volumes: Vec<Volume>,
    /// Records about environments and bases.
    pub records: Vec<ObservedRecord>,
    /// Networks of all environments of devenv.
    pub networks: Vec<Network>,
    /// The images that were asked for and are on the engine, by the full form of the reference.
    pub images: BTreeMap<String, super::LocalImage>,
    /// The platform of the engine: `linux/amd64`.
    pub platform: String,
}

/// The owner of a resource on the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The project's root folder on this machine.
    pub root: String,
    /// The environment's name; empty for a resource of no environment.
    pub environment: String,
    /// Whether the environment is deleted at the end of its run.
    pub ephemeral: bool,
    /// The owner and the expiry of an ephemeral environment.
    pub lease: Option<Lease>,
}

/// The owner and the expiry of an ephemeral environment, which other users of the engine can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The project in the CI system, else the user.
    pub owner: String,
    /// The job in the CI system, else the process.
    pub job: String,
    /// Seconds since 1970; after this time the `gc` of any user removes the environment.
    pub expires: i64,
}

/// One container of devenv that is not part of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// The engine's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The engine's word for its state: `created`, `running`, `exited`, `restarting`, `paused`, `dead`.
    pub state: String,
    /// The owner.
    pub scope: Scope,
    /// The purpose.
    pub role: ContainerRole,
    /// The image's id.
    pub image_id: String,
    /// The image as it was named at creation.
    pub image: String,
    /// When it was created, seconds since 1970.
    pub created: i64,
    /// The status in the engine's words for people: `Up 3 minutes`.
    pub status: String,
    /// Published ports.
    pub publish: Vec<Publish>,
    /// Names of mounted volumes.
    pub volumes: Vec<String>,
    /// Names of its networks; none if the engine does not list them.
    pub networks: Option<BTreeSet<String>>,
}

/// The purpose of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ContainerRole {
    /// Runs a service of an environment.
    Service(ServiceContainer),
    /// Helps to make this base.
    Making(BaseKey),
    /// Marks this volume as incomplete, or copies data into the volume.
    Filling(String),
    /// Serves one operation, and is useless after the operation.
    #[default]
    Helper,
}

/// The properties of a service's container, as its labels have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceContainer {
    /// The service's name.
    pub service: String,
    /// The service's kind.
    pub kind: String,
    /// The number of the declared version.
    pub version: String,
    /// A keyed hash of each part of its configuration: `files=…,image=…`.
    pub config: String,
    /// The loopback port on which the service is published.
    pub port: Option<u16>,
    /// The declaration of the service, encrypted with the machine's key; none if the declaration is too long.
    pub declared: Option<String>,
}

/// The base to which a resource belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseKey {
    /// The base's name.
    pub base: String,
    /// The public part of the key of the user who made the base.
    pub machine: String,
}

/// One volume of devenv.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// The owner.
    pub scope: Scope,
    /// The purpose.
    pub role: VolumeRole,
}

/// The purpose of a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VolumeRole {
    /// Holds a service's data.
    Data(Data),
    /// Is the upper layer of this overlay volume: holds everything that is written to the overlay volume.
    Upper(String),
    /// Is a base, or helps to make a base.
    Base(BaseKey),
    /// Is empty, and marks this volume as unproven while the mark exists: the server has to initialise the volume, and
    /// no login to the server has succeeded yet, so the data may be incomplete.
    Unproven(String),
    /// Serves one operation, and is useless after the operation.
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
    /// The major version that wrote the data, if other major versions cannot read the data; else empty.
    pub version: String,
    /// The last port on which the service was published.
    pub port: Option<u16>,
    /// The sequence number of the head for which the volume was created, from 1. (Earlier builds counted the volumes of the
    /// service.)
    pub generation: u64,
    /// The git branch of the data; empty if data does not follow branches.
    pub branch: String,
    /// A hash of the seeds from which the data was created; empty if there were none.
    pub seeds: String,
    /// The environment whose logins the data had at first, if that is another environment.
    pub from: Option<String>,
    /// The data with which the volume began; none for an empty folder.
    pub parent: Option<Parent>,
}

/// The data with which a volume began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The layers, the nearest first: a volume's name, or `volume/upper` for the content of an upper volume.
    pub layers: Vec<String>,
    /// Whether the layers are mounted below the volume, or were copied.
    pub clone_mode: CloneMode,
    /// The owner of the nearest layer's folder, if the engine was asked for the owner.
    pub folder: Option<Owner>,
}

/// One network of devenv.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// The engine's id; names are not unique on old engines.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The owner.
    pub scope: Scope,
}

/// Information that is stored on the engine atomically: a record exists completely, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Its name on the engine.
    pub name: String,
    /// The environment that the record is about, and its owner. A base belongs to no environment.
    pub scope: Scope,
    /// The public part of the key of the user who wrote the record; empty if the user does not matter.
    pub machine: String,
    /// The kind of the record, with its content.
    pub kind: RecordKind,
    /// The volume with each service's data.
    pub data: BTreeMap<String, String>,
    /// Whether this engine mounts layers or copies them, if that is known.
    pub clone_mode: Option<CloneMode>,
    /// The volumes that the record protects from a prune of the engine.
    pub pins: Vec<String>,
}

/// The kinds of records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RecordKind {
    /// The volumes of an environment's services.
    Head(Head),
    /// Keeps the data unchanged under this name.
    Snapshot(String),
    /// Protects volumes that are needed although no service's container references them.
    #[default]
    Pin,
    /// The user's choice on the command line, signed; empty for the record that keeps the content of standard input.
    Choice(String),
    /// A complete base.
    Base {
        /// The base's name.
        base: String,
        /// The volume that holds the base, and the owner of its folder if this engine mounts layers.
        parent: Parent,
    },
}

/// The volumes of an environment's services on one git branch. A head is like a ref of git, but a head never changes: a
/// newer head replaces an older head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The git branch; empty if data does not follow branches.
    pub branch: String,
    /// Counts the heads of the environment over all its branches. The current head of a branch has the branch's highest
    /// number, and the head that was used last has the highest number of all. 0 for a head without a record.
    pub sequence: u64,
    /// The data of each service, for each major version that the service had.
    pub entries: Vec<Entry>,
    /// Volumes that stay although no service uses them: the old data of a service that started with fresh data.
    pub kept: Vec<String>,
}

/// The data of one service for one major version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The service's name.
    pub service: String,
    /// The service's kind.
    pub kind: String,
    /// The major version that writes the data, if other major versions cannot read the data; else empty.
    pub version: String,
    /// The sequence number of the first head that named these volumes.
    pub sequence: u64,
    /// The volumes: one, or one for each folder that the image declares. They may not exist yet.
    pub volumes: Vec<String>,
    /// The parent: the volume whose data the new volumes begin with. Used until the volumes exist. None for a base or
    /// an empty folder.
    pub parent: Option<String>,
    /// Whether the user asked for this data: a restore, a reset or `up --from`. As long as its volumes do not exist, this
    /// request is unfinished.
    pub requested: bool,
}

/// A record as the engine has it. A record, except a head, exists twice: as an empty volume, which a prune of containers does not
/// remove, and as a container that never starts and references volumes, so that a prune of volumes does not remove
/// these volumes. Either is enough to read the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedRecord {
    /// The id of its container; empty if there is none (any more).
    pub id: String,
    /// Whether its volume exists.
    pub has_volume: bool,
    /// When it was written, seconds since 1970.
    pub created: i64,
    /// The id of an image that the engine has.
    pub image_id: String,
    /// The record itself.
    pub record: Record,
}

impl Observed {
    /// A service's container in an environment, running or not.
    pub fn container(&self, environment: &str, service: &str) -> Option<&Container> {
        let of_it = |one: &&Container| one.scope.environment == environment && one.service() == service;
        // While a new container replaces an old container, both exist: the running container counts.
        let mut all = self.containers.iter().filter(of_it);
        all.clone().find(|container| container.state == "running").or_else(|| all.next())
    }

    /// The volume with this name.
    pub fn volume(&self, name: &str) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.name == name)
    }

    /// Whether this volume is marked as unproven: no login to its server has succeeded yet.
    pub fn is_unproven(&self, volume: &str) -> bool {
        self.volumes.iter().any(|one| one.unproven() == volume)
    }

    /// The containers of an environment: of its services, and helpers.
    pub fn containers_of<'o>(&'o self, environment: &str) -> impl Iterator<Item = &'o Container> + Clone + use<'o> {
        let environment = environment.to_owned();
        self.containers.iter().filter(move |one| one.scope.environment == environment)
    }

    /// The volumes with data of an environment's services.
    pub fn data_of<'o>(&'o self, environment: &str) -> impl Iterator<Item = (&'o Volume, &'o Data)> + Clone + use<'o> {
        let environment = environment.to_owned();
        let ours = self.volumes.iter().filter(move |one| one.scope.environment == environment);
        ours.filter_map(|volume| Some((volume, volume.data()?)))
    }

    /// The id of any image that the engine has, for containers that never run.
    pub fn any_image(&self) -> Option<&str> {
        let of_containers = self.containers.iter().map(|one| one.image_id.as_str());
        let of_records = self.records.iter().map(|one| one.image_id.as_str());
        of_containers.chain(of_records).find(|id| !id.is_empty())
    }
}

impl Container {
    /// The service that the container runs; none for other containers.
    pub fn runs(&self) -> Option<&ServiceContainer> {
        match &self.role {
            ContainerRole::Service(service) => Some(service),
            _ => None,
        }
    }

    /// The name of the service that the container runs; empty for other containers.
    pub fn service(&self) -> &str {
        self.runs().map_or("", |service| &service.service)
    }

    /// The base that the container helps to make; empty for other containers.
    pub fn base(&self) -> &str {
        match &self.role {
            ContainerRole::Making(key) => &key.base,
            _ => "",
        }
    }

    /// The volume that is incomplete while this container exists; empty for other containers.
    pub fn fills(&self) -> &str {
        match &self.role {
            ContainerRole::Filling(volume) => volume,
            _ => "",
        }
    }
}

impl Volume {
    /// The service's data in the volume; none for other volumes.
    pub fn data(&self) -> Option<&Data> {
        match &self.role {
            VolumeRole::Data(data) => Some(data),
            _ => None,
        }
    }

    /// The service whose data the volume holds; empty for other volumes.
    pub fn service(&self) -> &str {
        self.data().map_or("", |data| &data.service)
    }

    /// The git branch whose data the volume holds; empty if data does not follow branches.
    pub fn branch(&self) -> &str {
        self.data().map_or("", |data| &data.branch)
    }

    /// The data with which the volume began.
    pub fn parent(&self) -> Option<&Parent> {
        self.data()?.parent.as_ref()
    }

    /// The layers with which the volume began, the nearest first.
    pub fn layers(&self) -> &[String] {
        self.parent().map(|parent| parent.layers.as_slice()).unwrap_or_default()
    }

    /// Whether the layers are mounted below the volume, so that the volume cannot exist without them.
    pub fn is_overlay(&self) -> bool {
        self.parent().is_some_and(|parent| parent.clone_mode == CloneMode::Overlay)
    }

    /// The overlay volume whose upper layer this volume is; empty for other volumes.
    pub fn upper_of(&self) -> &str {
        match &self.role {
            VolumeRole::Upper(scope) => scope,
            _ => "",
        }
    }

    /// The volume that this volume marks as unproven; empty for other volumes.
    pub fn unproven(&self) -> &str {
        match &self.role {
            VolumeRole::Unproven(scope) => scope,
            _ => "",
        }
    }

    /// The base to which the volume belongs; empty for other volumes.
    pub fn base(&self) -> &str {
        match &self.role {
            VolumeRole::Base(key) => &key.base,
            _ => "",
        }
    }
}

impl Record {
    /// The record as the engine will list it.
    pub fn as_made(&self) -> ObservedRecord {
        ObservedRecord { has_volume: true, record: self.clone(), ..ObservedRecord::default() }
    }

    /// The name of its volume.
    pub fn volume(&self) -> String {
        format!("{}.record", self.name)
    }

    /// The name of the snapshot; none for other records.
    pub fn snapshot(&self) -> Option<&str> {
        match &self.kind {
            RecordKind::Snapshot(name) => Some(name),
            _ => None,
        }
    }

    /// The head; none for other records.
    pub fn head(&self) -> Option<&Head> {
        match &self.kind {
            RecordKind::Head(head) => Some(head),
            _ => None,
        }
    }

    /// The name of the base; empty for other records.
    pub fn base(&self) -> &str {
        match &self.kind {
            RecordKind::Base { base, .. } => base,
            _ => "",
        }
    }
}
