//! Bases: frozen data that a server initialised from its image, its settings, its init files and its seeds.
//!
//! A base belongs to no environment. It is made under its own identity (`devenv-base`), so that every environment of
//! this machine's key can derive the passwords of the base. The key of a base contains everything that decides its
//! content.

use super::super::service::{rehash, services};
use super::super::types::{DesiredService, Request};
use super::super::{Action, Desired, FixedPorts, Identity, Plan, names};
use super::volumes::{is_layer, owner_of};
use crate::model::{
    BaseKey, CloneMode, ContainerRole, ImageRef, Observed, ObservedRecord, Owner, Parent, ParentSpec, Protocol, Record,
    RecordKind, Rights, Scope, Seed, SeedSource, Service, Stack, VolumeRole, VolumeSpec,
};
use std::collections::{BTreeMap, BTreeSet};

/// The identity under which bases are made.
const BASE: &str = "devenv-base";

/// The base that a service should have.
#[derive(Clone, Debug)]
pub struct Base {
    /// Its name, which contains its key. The names of its containers and volumes begin with it.
    pub name: String,
    /// The base key that labels its containers and volumes.
    pub key: BaseKey,
    /// The owner of its containers and volumes, which belong to no environment.
    pub scope: Scope,
    /// The image of the server that makes the base.
    pub image: ImageRef,
    /// The id of this image.
    pub image_id: String,
    /// The volume that holds the base.
    pub volume: String,
    /// The seeds that are loaded into the base, in this order.
    pub seeds: Vec<Seed>,
    /// The service that makes the base.
    maker: DesiredService,
    /// The project's other services, with empty data, for seeds that are commands. They are removed once the base is
    /// made.
    sidecars: Vec<DesiredService>,
}

/// The base for a service. None if the server does not initialise an empty folder and the service has no seeds, or if
/// the engine does not have the image yet: without the image, the content of the base is unknown.
pub fn base(service: &Service, request: &Request<'_>) -> Option<Base> {
    let kind = request.kinds.get(&service.kind)?;
    if !kind.protocol.has_administrator() && service.seeds.is_empty() {
        return None;
    }
    let identity = base_identity(request);
    let mut maker = services_of_base(std::slice::from_ref(service), &identity, request)?.pop()?;
    allow_dump_loading(&mut maker, service, &identity);
    let image = request.observed.images.get(&maker.container.image.to_string())?;
    let [mount] = maker.container.mounts.as_slice() else { return None };
    let seeds = seed_of(service);
    let key = key(&maker, &seeds, &image.id, &identity, &mount.target);
    let name = newest_name(&format!("{BASE}-{key}"), request.observed);
    let scope = Scope { root: identity.root.display().to_string(), ..Scope::default() };
    let key = BaseKey { base: name.clone(), machine: identity.machine() };
    let image_id = image.id.clone();
    rename_for_base(&mut maker, &maker_container(&name), &name, (&scope, &key), &request.identity.name);
    Some(Base {
        volume: name.clone(),
        name,
        key,
        scope,
        image: maker.container.image.clone(),
        image_id,
        maker,
        seeds: service.seeds.clone(),
        sidecars: Vec::new(),
    })
}

/// The identity under which bases are made, with this machine's key.
pub(in crate::plan) fn base_identity(request: &Request<'_>) -> Identity {
    Identity { name: BASE.to_owned(), ephemeral: false, branch: None, ..request.identity.clone() }
}

/// Services as they run while a base is made: without seeds, because the seeds are loaded into them later.
pub(in crate::plan) fn services_of_base(
    declared: &[Service],
    identity: &Identity,
    request: &Request<'_>,
) -> Option<Vec<DesiredService>> {
    let bare = declared.iter().map(|service| Service { seeds: Vec::new(), ..service.clone() });
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
    let scope = identity.scope();
    let mut volumes = |service: &Service, version: &str, _: u16, parts: &[Option<u64>]| {
        let name = |part: &Option<u64>| names::volume(&identity.name, &service.name, version.parse().ok(), *part, 1);
        let volume = |part: &Option<u64>| VolumeSpec {
            name: name(part),
            scope: scope.clone(),
            role: VolumeRole::default(),
            parent_spec: None,
            unproven: false,
        };
        parts.iter().map(volume).collect()
    };
    Some(services(&stack, &request, &mut volumes).ok()?.0)
}

/// Gives the container and the volumes of a base's service their names. The second volume and later volumes are
/// numbered.
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

/// A hash of all seeds of a service, for labels; empty without seeds.
pub(in crate::plan) fn seed_of(service: &Service) -> String {
    if service.seeds.is_empty() {
        return String::new();
    }
    let all: Vec<&str> = service.seeds.iter().map(|seed| seed.digest.as_str()).collect();
    crate::model::digest_of_bytes(all.join("\n").as_bytes())[7..23].to_owned()
}

/// The name with the highest number. A rebuilt base gets a new number, because environments may be layered on the
/// existing base.
fn newest_name(name: &str, observed: &Observed) -> String {
    let number = |other: &str| other.strip_prefix(name)?.strip_prefix("-r")?.parse::<u32>().ok();
    let highest = observed.records.iter().filter_map(|one| number(&one.record.name)).max();
    highest.map_or_else(|| name.to_owned(), |number| format!("{name}-r{number}"))
}

/// Lets a Redis server load a dump while it runs, by its debug command. Without this option, Redis loads a dump only at
/// its start, and only if it has no append-only file.
fn allow_dump_loading(maker: &mut DesiredService, service: &Service, identity: &Identity) {
    let major = maker.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if maker.protocol == Protocol::Redis && !service.seeds.is_empty() && major.is_none_or(|major| major >= 7) {
        maker.container.command.extend(["--enable-debug-command".to_owned(), "yes".to_owned()]);
        rehash(maker, identity);
    }
}

impl Base {
    /// The record of the base; none if the base is not complete.
    pub fn record<'a>(&self, observed: &'a Observed) -> Option<&'a ObservedRecord> {
        observed.records.iter().find(|one| one.record.name == self.name)
    }

    /// The parent for a volume that begins with the base.
    pub fn parent_spec(&self, clone_mode: CloneMode, observed: &Observed) -> ParentSpec {
        let layers = vec![self.volume.clone()];
        let owner = owner_of(&self.volume, observed);
        ParentSpec { layers, whole: self.volume.clone(), clone_mode, image: self.image.clone(), owner }
    }

    /// The record that the base is complete. `mounted` is the owner of the base's folder, which only an engine that
    /// mounts layers reports.
    pub fn complete_record(&self, mounted: Option<Owner>) -> Record {
        let clone_mode = if mounted.is_some() { CloneMode::Overlay } else { CloneMode::Copy };
        let parent = Parent { layers: vec![self.volume.clone()], clone_mode, folder: mounted };
        Record {
            name: self.name.clone(),
            scope: self.scope.clone(),
            machine: self.key.machine.clone(),
            kind: RecordKind::Base { base: self.name.clone(), parent },
            clone_mode: Some(clone_mode),
            pins: vec![self.volume.clone()],
            ..Record::default()
        }
    }

    /// The services that run while the base is made, and the steps: the server starts on an empty volume and is proven.
    /// The leftovers of an interrupted run are removed first. There are no steps if an environment is layered on the
    /// volume: then the base is complete, and the volume must not change.
    pub fn making(&self, of_network: &Scope, observed: &Observed) -> (Desired, Plan) {
        let mut services = vec![self.maker.clone()];
        services.extend(self.sidecars.iter().cloned());
        let mut plan = Plan::default();
        if !is_layer(&self.volume, observed) {
            let mut network = Vec::new();
            let name = &self.maker.container.network;
            if !observed.networks.iter().any(|known| known.name == *name) {
                let action = Action::CreateNetwork { name: name.clone(), scope: of_network.clone() };
                network.push(plan.add("", action, "services reach each other through the network", Vec::new()));
            }
            for service in &services {
                plan_service(service, &network, observed, &mut plan);
            }
        }
        let desired =
            Desired { environment: BASE.to_owned(), scope: self.scope.clone(), services, ..Desired::default() };
        (desired, plan)
    }

    /// Adds the sidecars that seeds need: a command gets the variables of all services, and may use these services.
    #[must_use]
    pub fn with_sidecars(mut self, stack: &Stack, request: &Request<'_>) -> Self {
        if !self.seeds.iter().any(|seed| matches!(seed.source, SeedSource::Command { .. })) {
            return self;
        }
        let identity = base_identity(request);
        // All services are planned together, so that no two services get the same port.
        let Some(all) = services_of_base(&stack.services, &identity, request) else { return self };
        for mut one in all {
            if one.name == self.maker.name {
                let (container, command) = (self.maker.container.name.clone(), self.maker.container.command.clone());
                rename_for_base(&mut one, &container, &self.volume, (&self.scope, &self.key), &request.identity.name);
                one.container.command = command;
                self.maker = one;
            } else {
                let name = sidecar_name(&self.name, &one.name);
                rename_for_base(&mut one, &name, &name, (&self.scope, &self.key), &request.identity.name);
                self.sidecars.push(one);
            }
        }
        self
    }

    /// The same base under the next name, to be made although this base exists.
    #[must_use]
    pub fn rebuilt(&self) -> Self {
        let (name, number) = match self.name.rsplit_once("-r") {
            Some((name, number)) => (name, number.parse::<u32>().unwrap_or_default()),
            None => (self.name.as_str(), 0),
        };
        let name = format!("{name}-r{}", number + 1);
        let mut base = self.clone();
        base.key.base.clone_from(&name);
        base.maker.container.role = ContainerRole::Making(base.key.clone());
        base.maker.volumes[0].role = VolumeRole::Base(base.key.clone());
        base.maker.container.mounts[0].volume.clone_from(&name);
        base.maker.volumes[0].name.clone_from(&name);
        base.maker.container.name = maker_container(&name);
        base.volume.clone_from(&name);
        Self { name, ..base }
    }

    /// The service that makes the base.
    pub fn made_by(&self) -> &DesiredService {
        &self.maker
    }

    /// The name of the service that begins with the base.
    pub fn service(&self) -> &str {
        &self.maker.name
    }

    /// The containers and the volumes of the sidecars.
    pub fn sidecars(&self) -> (Vec<&str>, Vec<&str>) {
        let containers = self.sidecars.iter().map(|one| one.container.name.as_str()).collect();
        let volumes = self.sidecars.iter().flat_map(|one| &one.volumes).map(|volume| volume.name.as_str()).collect();
        (containers, volumes)
    }

    /// The container of the server that makes the base.
    pub fn container(&self) -> &str {
        &self.maker.container.name
    }
}

/// The steps for one service that runs while a base is made. The leftovers of an interrupted run are removed first.
fn plan_service(service: &DesiredService, after: &[usize], observed: &Observed, plan: &mut Plan) {
    let name = &service.name;
    let mut before = after.to_vec();
    let cause = "an earlier run was interrupted";
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
        made.push(plan.add(name, action, "new environments begin with this base", before));
    }
    let create = Action::Create(Box::new(service.container.clone()));
    let made = plan.add(name, create, "its server initialises the base", made);
    let made = plan.add(name, Action::Start { id: None }, "its container was created", vec![made]);
    plan.add(name, Action::Prove { id: None }, "its container was started", vec![made]);
}

/// The name of the container of the server that makes a base.
fn maker_container(name: &str) -> String {
    format!("{name}.making")
}

/// The name of a sidecar's container and of its first volume.
fn sidecar_name(name: &str, service: &str) -> String {
    format!("{name}.beside.{}", names::encoded(service))
}

/// Whether a container or a volume of a base only helps to make the base.
pub(in crate::plan) fn serves_making(base: &str, name: &str) -> bool {
    name == maker_container(base) || name.starts_with(&sidecar_name(base, ""))
}

/// A keyed hash of everything that decides the content of a base. Only the same machine key gives the same hash.
fn key(maker: &DesiredService, seeds: &str, image: &str, identity: &Identity, target: &str) -> String {
    let mut parts: Vec<Vec<u8>> = ["base 1", maker.name.as_str(), maker.kind.as_str(), image, target]
        .map(|part| part.as_bytes().to_vec())
        .to_vec();
    let mut add = |what: &str, bytes: &[u8]| {
        parts.push(what.as_bytes().to_vec());
        parts.push(bytes.to_vec());
    };
    add("seeds", seeds.as_bytes());
    add("host name", maker.container.hostname.as_bytes());
    for (name, value) in &maker.container.environment {
        add("variable", name.as_bytes());
        add("value", value.reveal().as_bytes());
    }
    for argument in maker.container.command.iter().chain(maker.container.entrypoint.iter().flatten()) {
        add("argument", argument.as_bytes());
    }
    for file in &maker.container.files {
        add(&file.path, &file.content.0);
    }
    for user in &maker.wanted.users {
        add("user", user.name.as_bytes());
        add("password", user.password.as_ref().map(|password| password.reveal().as_bytes()).unwrap_or_default());
        add("rights", user.rights.map_or("", Rights::name).as_bytes());
    }
    for database in &maker.wanted.databases {
        add("database", database.name.as_bytes());
        add("owner", database.owner.as_bytes());
    }
    for extension in &maker.wanted.extensions {
        add("extension", extension.as_bytes());
    }
    for granted in &maker.wanted.master {
        add("master", granted.as_bytes());
    }
    add("adopt", &[u8::from(maker.wanted.adopt)]);
    let all: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    identity.key.mac(&all)[..8].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
