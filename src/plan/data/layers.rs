//! The data with which a volume begins: a base, or frozen data.

use super::super::service::rehash;
use super::super::types::{Desired, DesiredService, Request};
use super::super::{Action, Identity, Plan};
use super::bases::{base, base_identity, seed_of, services_of_base};
use super::heads::{data_in_use, heads, volumes_of};
use super::snapshots::snapshots;
use super::volumes::{is_abandoned, is_incomplete, known_clone_mode, owner_of};
use crate::model::{
    CloneMode, Data, Diagnostic, Endpoint, ImageRef, Observed, Parent, ParentSpec, Protocol, Service, Stack, Volume,
    upper_volume, volume_of,
};

/// The highest number of layers below an upper layer. The mount options, with the path of each layer, have to fit in
/// one page of 4 KiB.
const MAX_LAYERS: usize = 24;

/// The volumes that hold the data of one volume of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The service.
    pub service: String,
    /// The volume that the service mounts.
    pub volume: String,
    /// The volume that takes the writes: the upper volume of an overlay volume, else the volume itself.
    pub own: String,
    /// The volumes of the layers that are mounted below the volume.
    pub layers: Vec<String>,
    /// The reasons why the volume is needed: `in use`, snapshots that name it, git branches whose head names it.
    pub needed_by: Vec<String>,
}

/// The data volumes of an environment's services, with the volumes that hold their data.
pub fn extents(identity: &Identity, observed: &Observed) -> Vec<Extent> {
    let used = data_in_use(identity, observed);
    let saved = snapshots(identity, observed);
    let heads = heads(&identity.name, observed);
    let needed_by = |volume: &Volume| -> Vec<String> {
        let is_used = used.values().any(|used| used.name == volume.name);
        let naming = saved.iter().filter(|snapshot| snapshot.data.values().any(|data| *data == volume.name));
        let naming_heads = heads.iter().filter(|head| volumes_of(head).any(|name| *name == volume.name));
        let branches = naming_heads.map(|head| &head.branch).filter(|branch| !branch.is_empty());
        let needs = is_used.then(|| "in use".to_owned()).into_iter();
        let needs = needs.chain(naming.map(|snapshot| format!("snapshot {}", snapshot.name)));
        needs.chain(branches.map(|branch| format!("branch {branch}"))).collect()
    };
    let extent = |(volume, data): (&Volume, &Data)| {
        let layers = if volume.is_overlay() { volume.layers() } else { &[] };
        Extent {
            service: data.service.clone(),
            volume: volume.name.clone(),
            own: if volume.is_overlay() { upper_volume(&volume.name) } else { volume.name.clone() },
            layers: layers.iter().map(|layer| volume_of(layer).to_owned()).collect(),
            needed_by: needed_by(volume),
        }
    };
    observed.data_of(&identity.name).map(extent).collect()
}

/// Decides the data with which a service's volume begins, and adapts the service's container.
/// The volume begins with the data of the volume `from`; without `from`, with a base or an empty folder.
pub(in crate::plan) fn layered(
    mut wanted: DesiredService,
    from: Option<&str>,
    service: &Service,
    request: &Request<'_>,
) -> DesiredService {
    let [volume] = wanted.volumes.as_mut_slice() else { return wanted };
    let known = request.observed.volume(&volume.name);
    let known = known.filter(|known| !is_incomplete(&known.name, request.observed));
    let parent = if let Some(known) = known {
        known.parent().cloned()
    } else {
        let Some(parent_spec) = parent_spec_of(service, from, &wanted.container.image, request) else { return wanted };
        let frozen = request.observed.volume(&parent_spec.whole).filter(|known| !known.scope.environment.is_empty());
        let is_own = frozen.is_some_and(|known| known.scope.environment == request.identity.name);
        wanted.begins_inherited = !is_own;
        let parent = Parent { layers: parent_spec.layers.clone(), clone_mode: parent_spec.clone_mode, folder: None };
        if let Some(data) = volume.data_mut() {
            let began = frozen.and_then(Volume::data);
            data.seeds = began.map_or_else(|| seed_of(service), |began| began.seeds.clone());
            // The environment whose logins the data has: of this environment, of the parent's environment, or of the
            // environment from which the parent has its logins.
            data.from = match frozen {
                Some(_) if is_own => began.and_then(|began| began.from.clone()),
                Some(known) => Some(known.scope.environment.clone()),
                None => None,
            };
            data.parent = Some(parent.clone());
        }
        volume.parent_spec = Some(parent_spec);
        Some(parent)
    };
    let Some(parent) = parent else { return wanted };
    let is_overlay = parent.clone_mode == CloneMode::Overlay;
    if is_overlay {
        let layers = parent.layers.iter().map(|layer| volume_of(layer).to_owned());
        wanted.container.pinned_volumes = std::iter::once(upper_volume(&volume.name)).chain(layers).collect();
    }
    wanted.inherited = inherited(&wanted, service, request);
    if is_overlay {
        sync_file_system(&mut wanted, service, request);
    }
    wanted
}

/// The data with which a new volume begins: frozen data, else a base; none for an empty folder.
fn parent_spec_of(
    service: &Service,
    from: Option<&str>,
    image: &ImageRef,
    request: &Request<'_>,
) -> Option<ParentSpec> {
    if let Some(from) = from {
        let frozen = request.observed.volume(from)?;
        let layers = layers_on(frozen);
        let clone_mode = request
            .clone_mode
            .or_else(|| known_clone_mode(request.identity, request.observed))
            .unwrap_or(CloneMode::Copy);
        // A copy of all layers is one layer again.
        let clone_mode = if layers.len() > MAX_LAYERS { CloneMode::Copy } else { clone_mode };
        let owner = owner_of(layers.first()?, request.observed);
        return Some(ParentSpec { layers, whole: from.to_owned(), clone_mode, image: image.clone(), owner });
    }
    // Seeds are always loaded into a base. So a seeded service uses its base even with `cold`, which rebuilds the base
    // first.
    let base = (!request.cold || !service.seeds.is_empty()).then(|| base(service, request)).flatten()?;
    let record = base.record(request.observed)?;
    let clone_mode = request.clone_mode.or(record.record.clone_mode).unwrap_or(CloneMode::Copy);
    Some(base.parent_spec(clone_mode, request.observed))
}

/// The layers of a new volume that is layered on this volume.
fn layers_on(volume: &Volume) -> Vec<String> {
    if volume.is_overlay() {
        std::iter::once(format!("{}/upper", upper_volume(&volume.name)))
            .chain(volume.layers().iter().cloned())
            .collect()
    } else {
        vec![volume.name.clone()]
    }
}

/// A note for each service whose data would have more layers than can be mounted, and is copied into one layer instead.
/// The note is needed because the copy takes time and space in proportion to the size of the data.
pub fn flattened(desired: &Desired, plan: &Plan) -> Vec<Diagnostic> {
    let copied = plan.steps.iter().filter_map(|step| match &step.action {
        Action::CreateVolume(volume) => {
            let layers = volume
                .parent_spec
                .as_ref()
                .map(|parent_spec| parent_spec.layers.len())
                .filter(|layers| *layers > MAX_LAYERS)?;
            Some((desired.services.iter().find(|service| service.name == step.service)?, layers))
        }
        _ => None,
    });
    let diagnostic = |(service, layers): (&DesiredService, usize)| {
        let message = format!("the data of {} has {layers} layers, and is copied into one layer", service.name);
        Diagnostic::note("flattened", message)
            .because(format!("at most {MAX_LAYERS} layers can be mounted; the copy takes as much space as the data"))
    };
    copied.map(diagnostic).collect()
}

/// Services with seeds whose data will begin empty, because no base holds the seeds yet.
pub fn unseeded<'a>(stack: &'a Stack, desired: &Desired, observed: &Observed) -> Vec<&'a Service> {
    let mut services = beginning_empty(stack, desired, observed);
    services.retain(|service| !service.seeds.is_empty());
    services
}

/// Services whose data will begin with an empty folder.
pub fn beginning_empty<'a>(stack: &'a Stack, desired: &Desired, observed: &Observed) -> Vec<&'a Service> {
    let begins = |service: &&Service| {
        let wanted = desired.services.iter().find(|wanted| wanted.name == service.name);
        wanted
            .and_then(|wanted| wanted.volumes.first())
            .is_some_and(|volume| volume.parent_spec.is_none() && observed.volume(&volume.name).is_none())
    };
    stack.services.iter().filter(begins).collect()
}

/// A warning for each service whose data was created from other seeds than the declared seeds, at the first seed.
pub fn reseedable(stack: &Stack, desired: &Desired, observed: &Observed) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for service in stack.services.iter().filter(|service| !service.seeds.is_empty()) {
        let wanted = desired.services.iter().find(|wanted| wanted.name == service.name);
        let volume = wanted.and_then(|wanted| wanted.volumes.first());
        let known = volume.and_then(|volume| observed.volume(&volume.name)?.data());
        if let (Some(known), Some(first)) = (known, service.seeds.first())
            && known.seeds != seed_of(service)
        {
            let message = format!("the seeds of {} changed after its data was created", service.name);
            diagnostics.push(
                Diagnostic::warning("seeds-changed", message)
                    .at(&first.origin, "its seeds")
                    .because("the data is kept unchanged")
                    .help("`devenv up --reseed` starts with the changed seeds, and discards all data written since"),
            );
        }
    }
    diagnostics
}

/// A warning for each service that begins with another volume, because it is unknown whether the data of its first start
/// is complete.
pub fn set_aside(stack: &Stack, desired: &Desired, observed: &Observed) -> Vec<Diagnostic> {
    let of_service = |service: &Service| {
        let wanted = desired.services.iter().find(|wanted| wanted.name == service.name)?.volumes.first()?;
        let branch = &wanted.data()?.branch;
        let is_earlier = |data: &Data| data.service == service.name && data.branch == *branch;
        let earlier = observed.data_of(&desired.environment).filter(|(_, data)| is_earlier(data));
        let earlier = earlier.filter(|(volume, _)| is_abandoned(volume, observed));
        let (old, _) = earlier.max_by_key(|(_, data)| data.generation)?;
        if observed.volume(&wanted.name).is_some() {
            return None;
        }
        let message = format!("{} begins with fresh data, because its first start did not finish", service.name);
        Some(
            Diagnostic::warning("data-unproven", message)
                .at(&service.origin, "declared here")
                .because(format!("the data of that start may be incomplete: the volume {} keeps it", old.name))
                .help("`devenv gc` removes that volume"),
        )
    };
    stack.services.iter().filter_map(of_service).collect()
}

/// The administrator's login that inherited data has. This login gets the environment's own password before anything
/// else.
fn inherited(wanted: &DesiredService, service: &Service, request: &Request<'_>) -> Option<Endpoint> {
    let admin = wanted.admin.as_ref()?;
    let volume = wanted.volumes.first()?;
    let known = request.observed.volume(&volume.name);
    let from = known.map_or_else(|| volume.data(), Volume::data).and_then(|data| data.from.as_deref());
    let maker = match from {
        Some(from) => {
            let identity = Identity { name: from.to_owned(), ..base_identity(request) };
            services_of_base(std::slice::from_ref(service), &identity, request)?.pop()?
        }
        None => base(service, request)?.made_by().clone(),
    };
    Some(Endpoint { password: maker.admin?.password, ..admin.clone() })
}

/// After a crash, Postgres opens every file for writing, which would copy all files into the upper layer. Since version
/// 14, Postgres can sync the whole file system instead.
fn sync_file_system(wanted: &mut DesiredService, service: &Service, request: &Request<'_>) {
    const SETTING: &str = "recovery_init_sync_method";
    let said = service.command.is_some() || service.settings.iter().any(|setting| setting.name == SETTING);
    if wanted.protocol != Protocol::Postgres || wanted.data_major.is_none_or(|major| major < 14) || said {
        return;
    }
    wanted.container.command.extend(["-c".to_owned(), format!("{SETTING}=syncfs")]);
    rehash(wanted, request.identity);
}
