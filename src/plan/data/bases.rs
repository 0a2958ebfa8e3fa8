//! Base layers: what a server made of its image, its settings and its init files, frozen.
//!
//! A base is made beside the environments, under an identity of its own (`devenv-base`), so that its passwords can be
//! derived by every environment of this machine's key and none of its data is anybody's. Its key holds everything that
//! decides its content.

use super::super::desired::{DesiredService, Request, desired_services, rehash};
use super::super::{Action, Desired, FixedPorts, Identity, Plan, names};
use super::layers::{is_layer, owner_of};
use crate::model::{
    BaseKey, CloneMode, ContainerRole, ImageRef, Observed, ObservedRecord, Owner, Parent, ParentSpec, Protocol, Record,
    RecordKind, Rights, Scope, Seed, SeedSource, Service, Stack, VolumeRole, VolumeSpec,
};
use std::collections::{BTreeMap, BTreeSet};

/// The identity under which bases are made.
const BASE: &str = "devenv-base";

/// A base layer as it should be for a service.
#[derive(Clone, Debug)]
pub struct Base {
    /// Its key, which is also the name of everything of it.
    pub name: String,
    /// Which base everything of it says it is of.
    pub key: BaseKey,
    /// Whose everything of it is: of no environment.
    pub scope: Scope,
    /// The image that makes it.
    pub image: ImageRef,
    /// The same by its id.
    pub image_id: String,
    /// The volume that holds it.
    pub volume: String,
    /// What is put into it, in order.
    pub seeds: Vec<Seed>,
    /// The service as it runs while the base is made.
    making: DesiredService,
    /// The project's other services, empty, for the commands among its seeds; they go when it is made.
    beside: Vec<DesiredService>,
}

/// The base for a service. None where its server makes nothing of an empty folder that is worth keeping, or where the
/// image is not here yet, so that its content is not known.
pub fn base(service: &Service, request: &Request<'_>) -> Option<Base> {
    let kind = request.kinds.get(&service.kind)?;
    if !kind.protocol.has_administrator() && service.seeds.is_empty() {
        return None;
    }
    let identity = making_identity(request);
    let mut making = services_of_base(std::slice::from_ref(service), &identity, request)?.pop()?;
    reads_dumps(&mut making, service, &identity);
    let image = request.observed.images.get(&making.container.image.to_string())?;
    let [mount] = making.container.mounts.as_slice() else { return None };
    let seeds = seed_of(service);
    let key = key(&making, &seeds, &image.id, &identity, &mount.target);
    let name = newest(&format!("{BASE}-{key}"), request.observed);
    let scope = Scope { root: identity.root.display().to_string(), ..Scope::default() };
    let key = BaseKey { base: name.clone(), machine: identity.machine() };
    let image_id = image.id.clone();
    rename_for_base(&mut making, &making_of(&name), &name, (&scope, &key), &request.identity.name);
    Some(Base {
        volume: name.clone(),
        name,
        key,
        scope,
        image: making.container.image.clone(),
        image_id,
        making,
        seeds: service.seeds.clone(),
        beside: Vec::new(),
    })
}

pub(in crate::plan) fn making_identity(request: &Request<'_>) -> Identity {
    Identity { name: BASE.to_owned(), ephemeral: false, branch: None, ..request.identity.clone() }
}

/// Services as they run while a base is made: with nothing, since their seeds are what is put into them.
pub(in crate::plan) fn services_of_base(
    services: &[Service],
    identity: &Identity,
    request: &Request<'_>,
) -> Option<Vec<DesiredService>> {
    let bare = services.iter().map(|service| Service { seeds: Vec::new(), ..service.clone() });
    let stack = Stack { services: bare.collect(), ..Stack::default() };
    let request = Request {
        identity,
        passwords: &BTreeMap::new(),
        fresh: &BTreeSet::new(),
        fixed_ports: FixedPorts::Ignored,
        source: None,
        cold: true,
        ..*request
    };
    Some(desired_services(&stack, &request).ok()?.0.services)
}

/// Gives a service that is made for a base its names. Several volumes are numbered.
fn rename_for_base(
    service: &mut DesiredService,
    container: &str,
    volume: &str,
    (scope, key): (&Scope, &BaseKey),
    network: &str,
) {
    let name = |at: usize| if at == 0 { volume.to_owned() } else { format!("{volume}-{at}") };
    for (at, mount) in service.container.mounts.iter_mut().enumerate() {
        mount.volume = name(at);
    }
    let volumes = (0..service.container.mounts.len()).map(name);
    let role = VolumeRole::Base(key.clone());
    service.volumes = volumes
        .map(|name| VolumeSpec { name, scope: scope.clone(), role: role.clone(), parent_spec: None, unproven: false })
        .collect();
    container.clone_into(&mut service.container.name);
    service.container.scope.clone_from(scope);
    service.container.role = ContainerRole::Making(key.clone());
    network.clone_into(&mut service.container.network);
    service.container.aliases.clear();
}

/// A hash of all the seeds of a service, for labels; empty where it has none.
pub(in crate::plan) fn seed_of(service: &Service) -> String {
    if service.seeds.is_empty() {
        return String::new();
    }
    let all: Vec<&str> = service.seeds.iter().map(|seed| seed.digest.as_str()).collect();
    crate::model::digest_of_bytes(all.join("\n").as_bytes())[7..23].to_owned()
}

/// A base is seeded anew beside the one that is there, which environments lie over.
fn newest(name: &str, observed: &Observed) -> String {
    let number = |other: &str| other.strip_prefix(name)?.strip_prefix("-r")?.parse::<u32>().ok();
    let highest = observed.records.iter().filter_map(|one| number(&one.record.name)).max();
    highest.map_or_else(|| name.to_owned(), |number| format!("{name}-r{number}"))
}

/// A Redis server takes a dump at its start, and only where it does not append to a log; told to, it takes one later.
fn reads_dumps(making: &mut DesiredService, service: &Service, identity: &Identity) {
    let major = making.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if making.protocol == Protocol::Redis && !service.seeds.is_empty() && major.is_none_or(|major| major >= 7) {
        making.container.command.extend(["--enable-debug-command".to_owned(), "yes".to_owned()]);
        rehash(making, identity);
    }
}

impl Base {
    /// What is there of it: the record that says it is complete.
    pub fn record<'a>(&self, observed: &'a Observed) -> Option<&'a ObservedRecord> {
        observed.records.iter().find(|one| one.record.name == self.name)
    }

    /// What a volume over it begins with.
    pub fn over(&self, clone_mode: CloneMode, observed: &Observed) -> ParentSpec {
        let layers = vec![self.volume.clone()];
        let owner = owner_of(&self.volume, observed);
        ParentSpec { layers, whole: self.volume.clone(), clone_mode, image: self.image.clone(), owner }
    }

    /// Its record: it is whole. An engine that mounts told whose the folder is.
    pub fn complete_record(&self, mounted: Option<Owner>) -> Record {
        let clone_mode = if mounted.is_some() { CloneMode::Overlay } else { CloneMode::Copy };
        let parent = Parent { layers: vec![self.volume.clone()], clone_mode, folder: mounted };
        Record {
            name: self.name.clone(),
            root: self.scope.root.clone(),
            machine: self.key.machine.clone(),
            kind: RecordKind::Base { base: self.name.clone(), parent },
            clone_mode: Some(clone_mode),
            pins: vec![self.volume.clone()],
            ..Record::default()
        }
    }

    /// What runs while it is made, and the steps: the server is started on an empty volume and proven. What an earlier
    /// run left is removed first, but a volume that an environment lies over is complete, and is not touched: then there
    /// are no steps.
    pub fn making(&self, of_network: &Scope, observed: &Observed) -> (Desired, Plan) {
        let mut services = vec![self.making.clone()];
        services.extend(self.beside.iter().cloned());
        let mut plan = Plan::default();
        if !is_layer(&self.volume, observed) {
            let mut network = Vec::new();
            let name = &self.making.container.network;
            if !observed.networks.iter().any(|known| known.name == *name) {
                let action = Action::CreateNetwork { name: name.clone(), scope: of_network.clone() };
                network.push(plan.add("", action, "services reach each other over it", Vec::new()));
            }
            for service in &services {
                make(service, &network, observed, &mut plan);
            }
        }
        let desired =
            Desired { environment: BASE.to_owned(), scope: self.scope.clone(), services, ..Desired::default() };
        (desired, plan)
    }

    /// With what its seeds need beside it: a command gets variables of all services, and may well use them.
    #[must_use]
    pub fn with_sidecars(mut self, stack: &Stack, request: &Request<'_>) -> Self {
        if !self.seeds.iter().any(|seed| matches!(seed.source, SeedSource::Command { .. })) {
            return self;
        }
        let identity = making_identity(request);
        // All in one, so that no two of them get one port.
        let Some(all) = services_of_base(&stack.services, &identity, request) else { return self };
        for mut one in all {
            if one.name == self.making.name {
                let (container, command) = (self.making.container.name.clone(), self.making.container.command.clone());
                rename_for_base(&mut one, &container, &self.volume, (&self.scope, &self.key), &request.identity.name);
                one.container.command = command;
                self.making = one;
            } else {
                let name = beside(&self.name, &one.name);
                rename_for_base(&mut one, &name, &name, (&self.scope, &self.key), &request.identity.name);
                self.beside.push(one);
            }
        }
        self
    }

    /// The same base, to be made anew beside this one.
    #[must_use]
    pub fn rebuilt(&self) -> Self {
        let (name, number) = match self.name.rsplit_once("-r") {
            Some((name, number)) => (name, number.parse::<u32>().unwrap_or_default()),
            None => (self.name.as_str(), 0),
        };
        let name = format!("{name}-r{}", number + 1);
        let mut base = self.clone();
        base.key.base.clone_from(&name);
        base.making.container.role = ContainerRole::Making(base.key.clone());
        base.making.volumes[0].role = VolumeRole::Base(base.key.clone());
        base.making.container.mounts[0].volume.clone_from(&name);
        base.making.volumes[0].name.clone_from(&name);
        base.making.container.name = making_of(&name);
        base.volume.clone_from(&name);
        Self { name, ..base }
    }

    /// The service as it runs while the base is made.
    pub fn made_by(&self) -> &DesiredService {
        &self.making
    }

    /// The service that it is for.
    pub fn service(&self) -> &str {
        &self.making.name
    }

    /// The containers and the volumes of what is beside it while it is made.
    pub fn sidecars(&self) -> (Vec<&str>, Vec<&str>) {
        let containers = self.beside.iter().map(|one| one.container.name.as_str()).collect();
        let volumes = self.beside.iter().flat_map(|one| &one.volumes).map(|volume| volume.name.as_str()).collect();
        (containers, volumes)
    }

    /// The container in which it is made.
    pub fn container(&self) -> &str {
        &self.making.container.name
    }
}

/// The steps for a service of a base's making; what an earlier run left of it is removed first.
fn make(service: &DesiredService, after: &[usize], observed: &Observed, plan: &mut Plan) {
    let name = &service.name;
    let mut before = after.to_vec();
    let cause = "an earlier run did not finish it";
    for left in observed.containers.iter().filter(|container| container.name == service.container.name) {
        let action = Action::Remove { id: left.id.clone(), name: left.name.clone(), grace: None };
        before.push(plan.add(name, action, cause, Vec::new()));
    }
    let mut made = before.clone();
    for volume in &service.volumes {
        let mut before = before.clone();
        if observed.volume(&volume.name).is_some() {
            let action = Action::RemoveVolume { name: volume.name.clone() };
            before = vec![plan.add(name, action, cause, before)];
        }
        let action = Action::CreateVolume(Box::new(volume.clone()));
        made.push(plan.add(name, action, "the next environment starts over it", before));
    }
    let create = Action::Create(Box::new(service.container.clone()));
    let made = plan.add(name, create, "the server makes what it holds", made);
    let made = plan.add(name, Action::Start { id: None }, "it was made", vec![made]);
    plan.add(name, Action::Prove { id: None }, "it was started", vec![made]);
}

fn making_of(name: &str) -> String {
    format!("{name}.making")
}

fn beside(name: &str, service: &str) -> String {
    format!("{name}.beside.{}", names::encoded(service))
}

/// Whether a container or a volume of a base is there for its making alone.
pub(in crate::plan) fn serves_making(base: &str, name: &str) -> bool {
    name == making_of(base) || name.starts_with(&beside(base, ""))
}

/// Everything that decides what a base holds, keyed so that only this machine's key finds it again.
fn key(making: &DesiredService, seeds: &str, image: &str, identity: &Identity, target: &str) -> String {
    let mut parts: Vec<Vec<u8>> = ["base 1", making.name.as_str(), making.kind.as_str(), image, target]
        .map(|part| part.as_bytes().to_vec())
        .to_vec();
    let mut add = |what: &str, bytes: &[u8]| {
        parts.push(what.as_bytes().to_vec());
        parts.push(bytes.to_vec());
    };
    add("seeds", seeds.as_bytes());
    add("host name", making.container.hostname.as_bytes());
    for (name, value) in &making.container.environment {
        add("variable", name.as_bytes());
        add("value", value.reveal().as_bytes());
    }
    for argument in making.container.command.iter().chain(making.container.entrypoint.iter().flatten()) {
        add("argument", argument.as_bytes());
    }
    for file in &making.container.files {
        add(&file.path, &file.content.0);
    }
    for user in &making.wanted.users {
        add("user", user.name.as_bytes());
        add("password", user.password.as_ref().map(|password| password.reveal().as_bytes()).unwrap_or_default());
        add("rights", user.rights.map_or("", Rights::name).as_bytes());
    }
    for database in &making.wanted.databases {
        add("database", database.name.as_bytes());
        add("owner", database.owner.as_bytes());
    }
    for extension in &making.wanted.extensions {
        add("extension", extension.as_bytes());
    }
    for granted in &making.wanted.master {
        add("master", granted.as_bytes());
    }
    add("adopt", &[u8::from(making.wanted.adopt)]);
    let all: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    identity.key.mac(&all)[..8].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
