//! Which data a volume begins with: a base layer, or what is frozen.

use super::bases::{base, made_alone, making_identity, seed_of};
use super::branches::data_in_use;
use super::desired::{Desired, DesiredService, Request, rehash};
use super::snapshots::{known_way, layers_over, snapshots, turn};
use super::{Action, Identity, Plan, VolumeSpec};
use crate::model::{
    Diagnostic, Endpoint, ImageRef, Observed, ObservedVolume, Over, Owner, Protocol, Service, Stack, Way, label, top_of,
};

/// Most layers below a top: mount options, with the path of each, fit in one page of 4 KiB.
const MOST_LAYERS: usize = 24;

/// Tells users of one engine apart.
pub(super) fn machine_of(identity: &Identity) -> String {
    identity.key.public_id()[..8].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
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
pub(super) fn owner_of(layer: &str, observed: &Observed) -> Option<Owner> {
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
    /// What needs it: that it is in use, the snapshots that name it, the git branch that it belongs to.
    pub needed_by: Vec<String>,
}

/// The volumes of an environment's services, and where their data lies.
pub fn extents(identity: &Identity, observed: &Observed) -> Vec<Extent> {
    let of_services = |volume: &&ObservedVolume| {
        volume.label(label::ENVIRONMENT) == identity.name && volume.labels.contains_key(label::SERVICE)
    };
    let used = data_in_use(identity, observed);
    let saved = snapshots(identity, observed);
    let needed_by = |volume: &ObservedVolume| -> Vec<String> {
        let is_used = used.values().any(|used| used.name == volume.name);
        let naming = saved.iter().filter(|snapshot| snapshot.data.values().any(|data| *data == volume.name));
        let branch = Some(volume.label(label::BRANCH)).filter(|branch| !branch.is_empty());
        let needs = is_used.then(|| "in use".to_owned()).into_iter();
        let needs = needs.chain(naming.map(|snapshot| format!("snapshot {}", snapshot.name)));
        needs.chain(branch.map(|branch| format!("branch {branch}"))).collect()
    };
    let extent = |volume: &ObservedVolume| {
        let is_mounted = Way::parse(volume.label(label::WAY)) == Some(Way::Overlay);
        let layers = if is_mounted { layers_of(volume) } else { Vec::new() };
        Extent {
            service: volume.label(label::SERVICE).to_owned(),
            volume: volume.name.clone(),
            own: if is_mounted { top_of(&volume.name) } else { volume.name.clone() },
            layers: layers.iter().map(|layer| crate::model::volume_of(layer).to_owned()).collect(),
            needed_by: needed_by(volume),
        }
    };
    observed.volumes.iter().filter(of_services).map(extent).collect()
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
    let mut services = beginning_empty(stack, desired, observed);
    services.retain(|service| !service.seeds.is_empty());
    services
}

/// Services whose data is to begin with an empty folder.
pub fn beginning_empty<'a>(stack: &'a Stack, desired: &Desired, observed: &Observed) -> Vec<&'a Service> {
    let begins = |service: &&Service| {
        let wanted = desired.services.iter().find(|wanted| wanted.name == service.name);
        wanted.and_then(|wanted| wanted.volumes.first()).is_some_and(|volume| {
            volume.over.is_none() && !observed.volumes.iter().any(|known| known.name == volume.name)
        })
    };
    stack.services.iter().filter(begins).collect()
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
        None => base(service, request)?.made_by().clone(),
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
