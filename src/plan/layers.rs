//! Which data a volume begins with: base layers, and what is frozen.
//!
//! A base is what a server made of its image, its settings and its init files, frozen. It is made beside the
//! environments, under an identity of its own (`devenv-base`), so that its passwords can be derived by every environment
//! of this machine's key and none of its data is anybody's. Its key holds everything that decides its content.

use super::desired::{Desired, DesiredService, Request, desired, rehash};
use super::snapshots::{known_way, layers_over, turn};
use super::{Action, FixedPorts, Identity, Plan, VolumeSpec};
use crate::model::{
    Diagnostic, Endpoint, ImageRef, Observed, ObservedContainer, ObservedVolume, Over, Owner, Protocol, Seed,
    SeedSource, Service, Stack, Way, label, top_of,
};
use std::collections::{BTreeMap, BTreeSet};

/// The identity under which bases are made.
const BASE: &str = "devenv-base";

/// Most layers below a top: mount options, with the path of each, fit in one page of 4 KiB.
const MOST_LAYERS: usize = 24;

/// A base layer as it should be for a service.
#[derive(Clone, Debug)]
pub struct Base {
    /// Its key, which is also the name of everything of it.
    pub name: String,
    /// Labels of everything of it.
    pub labels: BTreeMap<String, String>,
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
    let mut making = made_alone(std::slice::from_ref(service), &identity, request)?.pop()?;
    reads_dumps(&mut making, service, &identity);
    let image = request.observed.images.get(&making.container.image.to_string())?;
    let [mount] = making.container.mounts.as_slice() else { return None };
    let seeds = seed_of(service);
    let key = key(&making, &seeds, &image.id, &identity, &mount.target);
    let name = newest(&format!("{BASE}-{key}"), request.observed);
    let root = identity.root.display().to_string();
    let labels = BTreeMap::from([
        (label::BASE.to_owned(), name.clone()),
        (label::MACHINE.to_owned(), machine_of(&identity)),
        (label::ROOT.to_owned(), root),
    ]);
    let image_id = image.id.clone();
    dress(&mut making, &making_of(&name), &name, &labels, &request.identity.name);
    Some(Base {
        volume: name.clone(),
        name,
        labels,
        image: making.container.image.clone(),
        image_id,
        making,
        seeds: service.seeds.clone(),
        beside: Vec::new(),
    })
}

fn making_identity(request: &Request<'_>) -> Identity {
    Identity { name: BASE.to_owned(), ephemeral: false, branch: None, ..request.identity.clone() }
}

/// Services as they run while a base is made: with nothing, since their seeds are what is put into them.
fn made_alone(services: &[Service], identity: &Identity, request: &Request<'_>) -> Option<Vec<DesiredService>> {
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
    Some(desired(&stack, &request).ok()?.services)
}

/// Gives a service that is made for a base its names. Several volumes are numbered.
fn dress(
    service: &mut DesiredService,
    container: &str,
    volume: &str,
    labels: &BTreeMap<String, String>,
    network: &str,
) {
    let name = |at: usize| if at == 0 { volume.to_owned() } else { format!("{volume}-{at}") };
    for (at, mount) in service.container.mounts.iter_mut().enumerate() {
        mount.volume = name(at);
    }
    let volumes = (0..service.container.mounts.len()).map(name);
    service.volumes = volumes.map(|name| VolumeSpec { name, labels: labels.clone(), over: None }).collect();
    container.clone_into(&mut service.container.name);
    service.container.labels.clone_from(labels);
    network.clone_into(&mut service.container.network);
    service.container.aliases.clear();
}

/// A hash of all the seeds of a service, for labels; empty where it has none.
fn seed_of(service: &Service) -> String {
    if service.seeds.is_empty() {
        return String::new();
    }
    let all: Vec<&str> = service.seeds.iter().map(|seed| seed.digest.as_str()).collect();
    crate::model::digest_of_bytes(all.join("\n").as_bytes())[7..23].to_owned()
}

/// A base is seeded anew beside the one that is there, which environments lie over.
fn newest(name: &str, observed: &Observed) -> String {
    let number = |other: &str| other.strip_prefix(name)?.strip_prefix("-r")?.parse::<u32>().ok();
    let highest = observed.containers.iter().filter_map(|container| number(&container.name)).max();
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
    pub fn record<'a>(&self, observed: &'a Observed) -> Option<&'a ObservedContainer> {
        observed.containers.iter().find(|container| container.name == self.name)
    }

    /// What a volume over it begins with.
    pub fn over(&self, way: Way, observed: &Observed) -> Over {
        let layers = vec![self.volume.clone()];
        let owner = owner_of(&self.volume, observed);
        Over { layers, whole: self.volume.clone(), way, image: self.image.clone(), owner }
    }

    /// The labels of its record. An engine that mounts told whose the folder is.
    pub fn record_labels(&self, mounted: Option<Owner>) -> BTreeMap<String, String> {
        let way = if mounted.is_some() { Way::Overlay } else { Way::Copy };
        let mut labels = self.labels.clone();
        labels.insert(label::LAYERS.to_owned(), self.volume.clone());
        labels.insert(label::WAY.to_owned(), way.to_string());
        labels.extend(mounted.map(|owner| (label::FOLDER.to_owned(), owner.to_string())));
        labels
    }

    /// What runs while it is made, and the steps: the server is started on an empty volume and proven. What an earlier
    /// run left is removed first, but a volume that an environment lies over is complete, and is not touched: then there
    /// are no steps.
    pub fn making(&self, labels_of_network: &BTreeMap<String, String>, observed: &Observed) -> (Desired, Plan) {
        let mut services = vec![self.making.clone()];
        services.extend(self.beside.iter().cloned());
        let mut plan = Plan::default();
        if !is_layer(&self.volume, observed) {
            let mut network = Vec::new();
            let name = &self.making.container.network;
            if !observed.networks.iter().any(|known| known.name == *name) {
                let action = Action::CreateNetwork { name: name.clone(), labels: labels_of_network.clone() };
                network.push(plan.add("", action, "services reach each other over it", Vec::new()));
            }
            for service in &services {
                make(service, &network, observed, &mut plan);
            }
        }
        let desired = Desired {
            environment: BASE.to_owned(),
            branch: None,
            labels: self.labels.clone(),
            services,
            taken: Vec::new(),
        };
        (desired, plan)
    }

    /// With what its seeds need beside it: a command gets variables of all services, and may well use them.
    #[must_use]
    pub fn with_company(mut self, stack: &Stack, request: &Request<'_>) -> Self {
        if !self.seeds.iter().any(|seed| matches!(seed.source, SeedSource::Command { .. })) {
            return self;
        }
        let identity = making_identity(request);
        // All in one, so that no two of them get one port.
        let Some(all) = made_alone(&stack.services, &identity, request) else { return self };
        for mut one in all {
            if one.name == self.making.name {
                let (container, command) = (self.making.container.name.clone(), self.making.container.command.clone());
                dress(&mut one, &container, &self.volume, &self.labels, &request.identity.name);
                one.container.command = command;
                self.making = one;
            } else {
                let name = format!("{}-beside-{}", self.name, one.name);
                dress(&mut one, &name, &name, &self.labels, &request.identity.name);
                self.beside.push(one);
            }
        }
        self
    }

    /// The same base, to be made anew beside this one.
    #[must_use]
    pub fn anew(&self) -> Self {
        let (name, number) = match self.name.rsplit_once("-r") {
            Some((name, number)) => (name, number.parse::<u32>().unwrap_or_default()),
            None => (self.name.as_str(), 0),
        };
        let name = format!("{name}-r{}", number + 1);
        let mut base = self.clone();
        for labels in [&mut base.labels, &mut base.making.container.labels, &mut base.making.volumes[0].labels] {
            labels.insert(label::BASE.to_owned(), name.clone());
        }
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
    pub fn company(&self) -> (Vec<&str>, Vec<&str>) {
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
        if observed.volumes.iter().any(|known| known.name == volume.name) {
            let action = Action::RemoveVolume { name: volume.name.clone() };
            before = vec![plan.add(name, action, cause, before)];
        }
        let action = Action::CreateVolume(volume.clone());
        made.push(plan.add(name, action, "the next environment starts over it", before));
    }
    let create = Action::Create(Box::new(service.container.clone()));
    let made = plan.add(name, create, "the server makes what it holds", made);
    let made = plan.add(name, Action::Start { id: None }, "it was made", vec![made]);
    plan.add(name, Action::Prove { id: None }, "it was started", vec![made]);
}

/// Tells users of one engine apart.
pub(super) fn machine_of(identity: &Identity) -> String {
    identity.key.public_id()[..8].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn making_of(name: &str) -> String {
    format!("{name}-making")
}

/// Whether some volume lies over this one.
pub(super) fn is_layer(volume: &str, observed: &Observed) -> bool {
    observed.volumes.iter().any(|over| layers_of(over).iter().any(|layer| crate::model::volume_of(layer) == volume))
}

/// The layers that a volume lies over, the nearest first.
pub(super) fn layers_of(volume: &ObservedVolume) -> Vec<String> {
    let layers = volume.label(label::LAYERS).split(',');
    layers.filter(|layer| !layer.is_empty()).map(str::to_owned).collect()
}

/// Whose the folder of a layer is, as far as somebody asked: it is never written again, so that stays true.
fn owner_of(layer: &str, observed: &Observed) -> Option<Owner> {
    let volumes = observed.volumes.iter().map(|volume| &volume.labels);
    let mut over = volumes
        .chain(observed.containers.iter().map(|container| &container.labels))
        .filter(|labels| labels.get(label::LAYERS).is_some_and(|layers| layers.split(',').next() == Some(layer)));
    over.find_map(|labels| Owner::parse(labels.get(label::FOLDER)?))
}

/// Where the data of one volume of an environment lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The service.
    pub service: String,
    /// The volume that it sees.
    pub volume: String,
    /// The volume that holds what is written to it: its top, or itself.
    pub own: String,
    /// The volumes of the layers that are mounted below.
    pub layers: Vec<String>,
}

/// The volumes of an environment's services, and where their data lies.
pub fn extents(identity: &Identity, observed: &Observed) -> Vec<Extent> {
    let of_services = |volume: &&ObservedVolume| {
        volume.label(label::ENVIRONMENT) == identity.name && volume.labels.contains_key(label::SERVICE)
    };
    let extent = |volume: &ObservedVolume| {
        let is_mounted = Way::parse(volume.label(label::WAY)) == Some(Way::Overlay);
        let layers = if is_mounted { layers_of(volume) } else { Vec::new() };
        Extent {
            service: volume.label(label::SERVICE).to_owned(),
            volume: volume.name.clone(),
            own: if is_mounted { top_of(&volume.name) } else { volume.name.clone() },
            layers: layers.iter().map(|layer| crate::model::volume_of(layer).to_owned()).collect(),
        }
    };
    observed.volumes.iter().filter(of_services).map(extent).collect()
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
        add("superuser", &[u8::from(user.superuser)]);
    }
    for database in &making.wanted.databases {
        add("database", database.name.as_bytes());
        add("owner", database.owner.as_bytes());
    }
    for extension in &making.wanted.extensions {
        add("extension", extension.as_bytes());
    }
    add("adopt", &[u8::from(making.wanted.adopt)]);
    let all: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    identity.key.mac(&all)[..8].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Settles what a service's volume begins with, and what follows from that for its container.
pub(super) fn lay(mut wanted: DesiredService, service: &Service, request: &Request<'_>) -> DesiredService {
    let [volume] = wanted.volumes.as_mut_slice() else { return wanted };
    let known = request.observed.volumes.iter().find(|known| known.name == volume.name);
    let known = known.filter(|known| !is_incomplete(&known.name, request.observed));
    let (layers, way) = if let Some(known) = known {
        (layers_of(known), Way::parse(known.label(label::WAY)))
    } else {
        let Some(over) = beginning(service, volume, &wanted.container.image, request) else { return wanted };
        volume.labels.insert(label::LAYERS.to_owned(), over.layers.join(","));
        volume.labels.insert(label::WAY.to_owned(), over.way.to_string());
        let frozen = request.observed.volumes.iter().find(|known| known.name == over.whole);
        let frozen = frozen.filter(|known| !known.label(label::ENVIRONMENT).is_empty());
        let seeds = frozen.map_or_else(|| seed_of(service), |known| known.label(label::SEEDS).to_owned());
        if !seeds.is_empty() {
            volume.labels.insert(label::SEEDS.to_owned(), seeds);
        }
        // Whose login it has: what it began with has its own, or one of where that began.
        let is_own = |known: &&ObservedVolume| known.label(label::ENVIRONMENT) == request.identity.name;
        let from = frozen.map(|known| known.label(if is_own(&known) { label::FROM } else { label::ENVIRONMENT }));
        wanted.begins_inherited = !frozen.is_some_and(|known| is_own(&known));
        if let Some(from) = from.filter(|from| !from.is_empty()) {
            volume.labels.insert(label::FROM.to_owned(), from.to_owned());
        }
        let (layers, way) = (over.layers.clone(), over.way);
        volume.over = Some(over);
        (layers, Some(way))
    };
    if layers.is_empty() {
        return wanted;
    }
    if way == Some(Way::Overlay) {
        wanted.container.beside = std::iter::once(top_of(&volume.name))
            .chain(layers.iter().map(|layer| crate::model::volume_of(layer).to_owned()))
            .collect();
    }
    wanted.inherited = inherited(&wanted, service, request);
    if way == Some(Way::Overlay) {
        sync_file_system(&mut wanted, service, request);
    }
    wanted
}

/// What a new volume begins with: frozen data of its own, else a base; none is an empty folder.
fn beginning(service: &Service, volume: &VolumeSpec, image: &ImageRef, request: &Request<'_>) -> Option<Over> {
    let version = volume.labels.get(label::VERSION).map_or("", String::as_str);
    let turn = turn(service, version, request.identity.branch.as_deref(), request);
    let given = request.source.filter(|_| turn.generation == 1);
    let given = given.and_then(|source| source.data.get(&service.name)).cloned();
    if let Some(from) = turn.from.or(given) {
        let frozen = request.observed.volumes.iter().find(|known| known.name == from)?;
        let layers = layers_over(frozen);
        let way = request.way.or_else(|| known_way(request.identity, request.observed)).unwrap_or(Way::Copy);
        // A copy of everything is one layer again.
        let way = if layers.len() > MOST_LAYERS { Way::Copy } else { way };
        let owner = owner_of(layers.first()?, request.observed);
        return Some(Over { layers, whole: from, way, image: image.clone(), owner });
    }
    // What is seeded is always seeded in a base; going without one means that it is made anew before.
    let base = (!request.cold || !service.seeds.is_empty()).then(|| base(service, request)).flatten()?;
    let record = base.record(request.observed)?;
    let way = request.way.or_else(|| Way::parse(record.label(label::WAY))).unwrap_or(Way::Copy);
    Some(base.over(way, request.observed))
}

/// Services whose data would lie over more layers than can be mounted, and is copied into one instead: each is told,
/// since that takes as long and as much room as the data is large.
pub fn flattened(desired: &Desired, plan: &Plan) -> Vec<Diagnostic> {
    let copied = plan.steps.iter().filter_map(|step| match &step.action {
        Action::CreateVolume(VolumeSpec { over: Some(over), .. }) if over.layers.len() > MOST_LAYERS => {
            Some((desired.services.iter().find(|service| service.name == step.service)?, over.layers.len()))
        }
        _ => None,
    });
    let told = |(service, layers): (&DesiredService, usize)| {
        let message = format!("the data of {} lies in {layers} layers, and is copied into one", service.name);
        Diagnostic::note("flattened", message)
            .because(format!("no more than {MOST_LAYERS} can be mounted; the copy takes as much room as the data"))
    };
    copied.map(told).collect()
}

/// Services that are to begin with seeds, and have no base that holds them yet.
pub fn unseeded<'a>(stack: &'a Stack, desired: &Desired, observed: &Observed) -> Vec<&'a Service> {
    let begins = |service: &&Service| {
        let wanted = desired.services.iter().find(|wanted| wanted.name == service.name);
        wanted.and_then(|wanted| wanted.volumes.first()).is_some_and(|volume| {
            volume.over.is_none() && !observed.volumes.iter().any(|known| known.name == volume.name)
        })
    };
    stack.services.iter().filter(|service| !service.seeds.is_empty()).filter(begins).collect()
}

/// Services whose data was made of other seeds than they have now, each told at its seed.
pub fn reseedable(stack: &Stack, desired: &Desired, observed: &Observed) -> Vec<Diagnostic> {
    let mut told = Vec::new();
    for service in stack.services.iter().filter(|service| !service.seeds.is_empty()) {
        let wanted = desired.services.iter().find(|wanted| wanted.name == service.name);
        let volume = wanted.and_then(|wanted| wanted.volumes.first());
        let known = volume.and_then(|volume| observed.volumes.iter().find(|known| known.name == volume.name));
        if let (Some(known), Some(first)) = (known, service.seeds.first())
            && known.label(label::SEEDS) != seed_of(service)
        {
            let message = format!("the data of {} was not made of the seeds that it has now", service.name);
            told.push(
                Diagnostic::warning("seeds-changed", message)
                    .at(&first.origin, "its seeds")
                    .because("it is kept as it is")
                    .help("`devenv up --reseed` begins anew with them, and discards what was written since"),
            );
        }
    }
    told
}

/// The administrator's login as it was when the base was made, which gets this environment's own password first.
fn inherited(wanted: &DesiredService, service: &Service, request: &Request<'_>) -> Option<Endpoint> {
    let admin = wanted.admin.as_ref()?;
    let volume = wanted.volumes.first()?;
    let known = request.observed.volumes.iter().find(|known| known.name == volume.name);
    let from = known.map_or_else(
        || volume.labels.get(label::FROM).map(String::as_str),
        |known| Some(known.label(label::FROM)).filter(|from| !from.is_empty()),
    );
    let maker = match from {
        Some(from) => {
            let identity = Identity { name: from.to_owned(), ..making_identity(request) };
            made_alone(std::slice::from_ref(service), &identity, request)?.pop()?
        }
        None => base(service, request)?.making,
    };
    Some(Endpoint { password: maker.admin?.password, ..admin.clone() })
}

/// After a crash Postgres opens every file to write, which would copy all of them up; from 14 on it can have the file
/// system sync instead.
fn sync_file_system(wanted: &mut DesiredService, service: &Service, request: &Request<'_>) {
    const SETTING: &str = "recovery_init_sync_method";
    let said = service.command.is_some() || service.settings.iter().any(|setting| setting.name == SETTING);
    if wanted.protocol != Protocol::Postgres || wanted.data_major.is_none_or(|major| major < 14) || said {
        return;
    }
    wanted.container.command.extend(["-c".to_owned(), format!("{SETTING}=syncfs")]);
    rehash(wanted, request.identity);
}

/// Whether a volume is still being filled, or the run that filled it was killed.
pub(super) fn is_incomplete(volume: &str, observed: &Observed) -> bool {
    observed.containers.iter().any(|container| container.label(label::FILLING) == volume)
}
