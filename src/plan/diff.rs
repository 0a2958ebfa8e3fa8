//! Plans the steps from the state of the engine to the desired state. Each step has a cause.

use super::data::heads::empty_heads;
use super::data::reach::pending_layers_of_others;
use super::data::volumes::{is_there, records_of};
use super::service::joined;
use super::{Desired, DesiredService, Identity};
use crate::model::{
    CloneMode, Container, ContainerSpec, Diagnostic, Entry, ImageRef, Observed, ObservedRecord, Record, Scope, Volume,
    VolumeRole, VolumeSpec, shell_words,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Steps, and the earlier steps that each step waits for. Steps that do not wait for each other run in parallel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps; `after` of a step names only earlier steps.
    pub steps: Vec<Step>,
}

/// One operation on the engine, or one proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The operation.
    pub action: Action,
    /// The service; empty for a resource of the whole environment.
    pub service: String,
    /// The reason for the step, for people.
    pub cause: String,
    /// The indices of the steps that have to finish before this step.
    pub after: Vec<usize>,
}

/// The operation of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Downloads an image.
    Pull {
        /// The image.
        image: ImageRef,
        /// The platform, if production declares a platform.
        platform: Option<String>,
    },
    /// Creates the environment's network.
    CreateNetwork {
        /// Its name.
        name: String,
        /// The owner.
        scope: Scope,
    },
    /// Writes a record: a head, or a pin.
    Write {
        /// The record.
        record: Box<Record>,
        /// The id of an image that the engine has, for the container of a pin.
        image: String,
    },
    /// Creates a volume.
    CreateVolume(Box<VolumeSpec>),
    /// Stops a container cleanly and removes it; its named volumes stay.
    Remove {
        /// The engine's id.
        id: String,
        /// Its name.
        name: String,
        /// How long the clean stop may take; none for the time that the container was created with.
        grace: Option<Duration>,
    },
    /// Creates a container, and copies its files into it.
    Create(Box<ContainerSpec>),
    /// Starts a container: the container with the id, or the container that the step before created.
    Start {
        /// The engine's id, if the container existed before the plan.
        id: Option<String>,
    },
    /// Proves a service: provisions logins and databases, logs in, and does one round trip.
    Prove {
        /// The container's id, if the container existed before the plan.
        id: Option<String>,
    },
    /// Removes a volume and its data: at the user's request, or because the data is unneeded or incomplete.
    RemoveVolume {
        /// Its name.
        name: String,
    },
    /// Removes the environment's network.
    RemoveNetwork {
        /// The engine's id.
        id: String,
        /// Its name.
        name: String,
    },
}

impl Plan {
    pub(super) fn add(&mut self, service: &str, action: Action, cause: impl Into<String>, after: Vec<usize>) -> usize {
        self.steps.push(Step { action, service: service.to_owned(), cause: cause.into(), after });
        self.steps.len() - 1
    }

    /// Adds the steps that remove a record: first its container, then its volume. Returns the index of the last step.
    pub(super) fn forget(&mut self, one: &ObservedRecord, cause: &str, mut after: Vec<usize>) -> usize {
        if !one.id.is_empty() {
            let action = Action::Remove { id: one.id.clone(), name: one.record.name.clone(), grace: None };
            after.push(self.add("", action, cause, after.clone()));
        }
        self.add("", Action::RemoveVolume { name: one.record.volume() }, cause, after)
    }

    /// Adds another plan's steps, all with the same cause. They do not wait for steps of this plan.
    pub fn append(&mut self, other: Self, cause: &str) {
        let first = self.steps.len();
        self.steps.extend(other.steps.into_iter().map(|step| Step {
            cause: cause.to_owned(),
            after: step.after.iter().map(|index| index + first).collect(),
            ..step
        }));
    }

    /// The same plan, but volumes are removed only after all containers: a container may reference volumes of several
    /// environments.
    #[must_use]
    pub fn with_volumes_last(mut self) -> Self {
        let is = |step: &Step| matches!(step.action, Action::Remove { .. });
        let containers: Vec<usize> = (0..self.steps.len()).filter(|index| is(&self.steps[*index])).collect();
        for step in self.steps.iter_mut().filter(|step| matches!(step.action, Action::RemoveVolume { .. })) {
            let missing = containers.iter().filter(|index| !step.after.contains(index)).copied();
            let missing: Vec<usize> = missing.collect();
            step.after.extend(missing);
        }
        self
    }

    /// The names of the containers and volumes that the plan removes.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Remove { name, .. } | Action::RemoveVolume { name } => Some(name.as_str()),
            _ => None,
        })
    }

    /// Only the downloads, if the other steps can be decided only once the engine has the images.
    #[must_use]
    pub fn pulls(&self) -> Self {
        let pulls = self.steps.iter().filter(|step| matches!(step.action, Action::Pull { .. }));
        Self { steps: pulls.map(|step| Step { after: Vec::new(), ..step.clone() }).collect() }
    }

    /// Only the steps of these services, with the steps that they wait for (the network, an image that services share).
    /// The last steps of a transition are not included, because they wait for all services.
    #[must_use]
    pub fn of_services(&self, services: &[String]) -> Self {
        // The head is written in any case: it says which branch's data is in use.
        let is_head = |action: &Action| matches!(action, Action::Write { record, .. } if record.head().is_some());
        let is_kept = |step: &Step| services.contains(&step.service) || is_head(&step.action);
        let mut is_kept: Vec<bool> = self.steps.iter().map(is_kept).collect();
        // A step waits only for earlier steps.
        for index in (0..self.steps.len()).rev().filter(|index| is_kept[*index]).collect::<Vec<_>>() {
            self.keep_with_earlier(index, &mut is_kept);
        }
        let kept: Vec<usize> = (0..self.steps.len()).filter(|index| is_kept[*index]).collect();
        let place = |index: &usize| kept.iter().position(|kept| kept == index);
        let steps = kept.iter().map(|index| {
            let step = &self.steps[*index];
            Step { after: step.after.iter().filter_map(place).collect(), ..step.clone() }
        });
        Self { steps: steps.collect() }
    }

    fn keep_with_earlier(&self, index: usize, is_kept: &mut [bool]) {
        is_kept[index] = true;
        for earlier in &self.steps[index].after {
            if !is_kept[*earlier] {
                self.keep_with_earlier(*earlier, is_kept);
            }
        }
    }

    /// Whether the plan changes nothing on the engine: every service runs as declared, and only has to be proven.
    pub fn changes_nothing(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.action, Action::Prove { .. }))
    }
}

/// Decides every step of `up`. `fresh` names services that start with fresh data and keep their old data. Refuses if
/// the declared version of a service cannot read the service's data; the error has the refusals of all services.
pub fn diff(desired: &Desired, observed: &Observed, fresh: &BTreeSet<String>) -> Result<Plan, Vec<Diagnostic>> {
    let refusals: Vec<_> =
        desired.services.iter().filter_map(|service| old_data(service, desired, observed, fresh)).collect();
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut plan = Plan::default();
    let mut ours: Vec<&Container> = observed.containers_of(&desired.environment).collect();
    ours.sort_by(|one, other| one.name.cmp(&other.name));
    let networks = observed.networks.iter().filter(|network| network.name == desired.environment).count();
    let no_network = networks == 0;
    let existing = |service: &DesiredService| -> Vec<&Container> {
        ours.iter().copied().filter(|container| container.service() == service.name).collect()
    };
    // The images are pulled first: if a pull fails, running services keep running, and nothing is created.
    let changing =
        desired.services.iter().filter(|service| stays(service, &existing(service), observed, no_network).is_none());
    let pulls = pulls(&mut plan, changing, observed);
    let here = observed.any_image().or_else(|| Some(observed.images.values().next()?.id.as_str()));
    let image = here.unwrap_or_default().to_owned();
    let write = |record: &Record| Action::Write { record: Box::new(record.clone()), image: image.clone() };
    let head = desired.transition.head.as_ref().map(|head| {
        plan.add("", write(head), "it names the volumes of all services", pulls.values().copied().collect())
    });
    let pin = desired.transition.pin.as_ref().filter(|_| here.is_some());
    let pin = pin
        .map(|pin| plan.add("", write(pin), "it protects data that no service uses now", head.into_iter().collect()));
    let records = Records { head, pin };
    // Containers of services that are no longer wanted are removed first, so that their ports and names are free.
    for container in &ours {
        if !desired.services.iter().any(|wanted| wanted.name == container.service()) {
            let cause = "the service is no longer part of this environment; its data is kept";
            remove(&mut plan, container, cause, pin.into_iter().collect());
        }
    }
    let network = (networks != 1).then(|| {
        let action = Action::CreateNetwork { name: desired.environment.clone(), scope: desired.scope.clone() };
        let cause = match networks {
            0 => "the environment has no network yet",
            _ => "several networks have its name, so that no container can join it by name",
        };
        plan.add("", action, cause, Vec::new())
    });
    for service in &desired.services {
        plan_service(&mut plan, service, &existing(service), observed, (network, no_network), &records, &pulls);
    }
    desired.transition.finish(&mut plan, observed);
    Ok(plan)
}

/// Stops and removes all resources of an environment; with `volumes` also its data.
pub fn teardown(identity: &Identity, observed: &Observed, volumes: bool) -> Plan {
    let mut plan = Plan::default();
    let is_ours = |scope: &Scope| scope.environment == identity.name;
    let is_our_volume = |name: &str| observed.volume(name).is_some_and(|volume| is_ours(&volume.scope));
    let root = identity.root.display().to_string();
    // The container that marks a volume as incomplete exists before the volume. Until then, its reference to the parent
    // shows that it belongs to this environment.
    let fills_ours = |container: &Container| {
        if let Some(filled) = observed.volume(container.fills()) {
            return is_ours(&filled.scope);
        }
        let mentions_ours = container.volumes.iter().any(|name| is_our_volume(name));
        !container.fills().is_empty() && container.scope.root == root && mentions_ours
    };
    let ours = observed.containers.iter().filter(|one| is_ours(&one.scope) || volumes && fills_ours(one));
    let mut containers: Vec<usize> = ours
        .map(|container| {
            // A server whose data is deleted does not need a clean stop.
            let grace = volumes.then_some(Duration::ZERO);
            let action = Action::Remove { id: container.id.clone(), name: container.name.clone(), grace };
            plan.add(container.service(), action, "the environment goes down", Vec::new())
        })
        .collect();
    // A pin references the volumes of heads, so the containers of all records are removed before the first volume.
    let records: Vec<&ObservedRecord> = records_of(&identity.name, observed).filter(|_| volumes).collect();
    for one in records.iter().filter(|one| !one.id.is_empty()) {
        let action = Action::Remove { id: one.id.clone(), name: one.record.name.clone(), grace: None };
        containers.push(plan.add("", action, "the environment goes down", Vec::new()));
    }
    let shared = shared(identity, observed);
    for head in if volumes { empty_heads(&shared, identity, observed) } else { Vec::new() } {
        let action = Action::Write { record: Box::new(head), image: String::new() };
        let cause = "data of another environment is layered on its data";
        containers.push(plan.add("", action, cause, Vec::new()));
    }
    for one in records {
        let action = Action::RemoveVolume { name: one.record.volume() };
        plan.add("", action, "the environment goes down", containers.clone());
    }
    for network in observed.networks.iter().filter(|network| is_ours(&network.scope)) {
        let action = Action::RemoveNetwork { id: network.id.clone(), name: network.name.clone() };
        plan.add("", action, "the environment goes down", containers.clone());
    }
    let goes = |volume: &&Volume| volumes && is_ours(&volume.scope) && !shared.contains(&volume.name);
    for volume in observed.volumes.iter().filter(goes) {
        let action = Action::RemoveVolume { name: volume.name.clone() };
        plan.add(volume.service(), action, "its data is to be deleted", containers.clone());
    }
    plan
}

/// Volumes of an environment on which volumes of other environments are layered. The others cannot exist without them.
pub fn shared(identity: &Identity, observed: &Observed) -> BTreeSet<String> {
    let is_ours = |volume: &&Volume| volume.scope.environment == identity.name;
    // A copy does not need its parent any more.
    let others = observed.volumes.iter().filter(|volume| !is_ours(volume) && volume.is_overlay());
    let mut below: BTreeSet<String> =
        others.flat_map(Volume::layers).map(|layer| crate::model::volume_of(layer).to_owned()).collect();
    below.extend(pending_layers_of_others(identity, observed));
    let ours = observed.volumes.iter().filter(is_ours).map(|volume| volume.name.clone());
    ours.filter(|name| below.contains(name)).collect()
}

fn remove(plan: &mut Plan, container: &Container, cause: &str, after: Vec<usize>) -> usize {
    let action = Action::Remove { id: container.id.clone(), name: container.name.clone(), grace: None };
    plan.add(container.service(), action, cause, after)
}

/// Adds one download for each image that a service needs and the engine does not have. Returns the step's index by
/// image.
fn pulls<'s>(
    plan: &mut Plan,
    services: impl Iterator<Item = &'s DesiredService>,
    observed: &Observed,
) -> BTreeMap<String, usize> {
    let mut pulls = BTreeMap::new();
    for service in services {
        let (image, platform) = (service.container.image.clone(), service.container.platform.clone());
        let name = image.to_string();
        if !observed.images.contains_key(&name) && !pulls.contains_key(&name) {
            let action = Action::Pull { image, platform };
            pulls.insert(name, plan.add(&service.name, action, "the engine does not have the image", Vec::new()));
        }
    }
    pulls
}

/// The indices of the steps that write records.
struct Records {
    head: Option<usize>,
    pin: Option<usize>,
}

fn plan_service(
    plan: &mut Plan,
    service: &DesiredService,
    existing: &[&Container],
    observed: &Observed,
    (network, no_network): (Option<usize>, bool),
    records: &Records,
    pulls: &BTreeMap<String, usize>,
) {
    let name = service.name.as_str();
    if let Some(container) = stays(service, existing, observed, no_network) {
        let id = Some(container.id.clone());
        if container.state == "running" {
            plan.add(name, Action::Prove { id }, "it runs as declared", Vec::new());
        } else {
            let after = network.into_iter().collect();
            let started = plan.add(name, Action::Start { id: id.clone() }, "it is stopped", after);
            plan.add(name, Action::Prove { id }, "its container was started", vec![started]);
        }
        return;
    }
    let failed = failed(service, existing, observed);
    let pull = pulls.get(&service.container.image.to_string()).copied();
    let after_pull: Vec<usize> = pull.into_iter().collect();
    let mut before_create = after_pull.clone();
    let mut cause = "it does not run yet".to_owned();
    for container in existing {
        let why = if existing.len() > 1 {
            "the service has several containers".to_owned()
        } else {
            let why = "an earlier start did not finish".to_owned();
            change(service, container, observed, network.is_some()).unwrap_or(why)
        };
        let after = after_pull.iter().copied().chain(records.pin).collect();
        before_create.push(remove(plan, container, &why, after));
        cause = why;
    }
    let removals: Vec<usize> = before_create.iter().copied().filter(|index| !after_pull.contains(index)).collect();
    for volume in &service.volumes {
        // A volume that the engine created by itself is replaced when the volume is created.
        let there = observed.volume(&volume.name).is_some_and(|known| known.role != VolumeRole::Helper);
        // The head is written first: a volume that no head names would be unneeded.
        let mut before: Vec<usize> = after_pull.iter().copied().chain(records.head).collect();
        let fillers: Vec<&Container> = observed.containers.iter().filter(|one| one.fills() == volume.name).collect();
        if !fillers.is_empty() {
            // Before a new copy, the container that only marks the volume as incomplete stays until the copy is
            // complete. Reason: the engine may still be creating the copying container of a killed run, which creates
            // the empty volume. Without the mark, this empty volume would look complete.
            let is_copied =
                volume.parent_spec.as_ref().is_some_and(|parent_spec| parent_spec.clone_mode == CloneMode::Copy);
            let goes = fillers.iter().filter(|one| !is_copied || one.volumes.contains(&volume.name));
            let removed: Vec<usize> =
                goes.map(|one| remove(plan, one, "the copy was interrupted", before.clone())).collect();
            before.extend(removed);
            if there {
                let action = Action::RemoveVolume { name: volume.name.clone() };
                before = vec![plan.add(name, action, "a copy into it was interrupted", before)];
            }
        } else if failed.contains(volume.name.as_str()) {
            let action = Action::RemoveVolume { name: volume.name.clone() };
            before.extend(before_create.iter().copied().filter(|index| !after_pull.contains(index)));
            before = vec![plan.add(name, action, "its server ended before the data was complete", before)];
        } else if there {
            continue;
        }
        // A copy waits until no server writes to the data that is copied.
        if volume.parent_spec.as_ref().is_some_and(|parent_spec| parent_spec.clone_mode == CloneMode::Copy) {
            before.extend(&removals);
        }
        let cause = match &volume.parent_spec {
            Some(parent_spec) if parent_spec.layers.len() > 1 && parent_spec.clone_mode == CloneMode::Copy => {
                "its data has many layers, and is copied into one layer"
            }
            Some(parent_spec) => match parent_spec.clone_mode {
                CloneMode::Overlay => "its data is layered on frozen data",
                CloneMode::Copy => "its data begins with a copy of frozen data",
            },
            None => "its data has no volume yet",
        };
        before_create.push(plan.add(name, Action::CreateVolume(Box::new(volume.clone())), cause, before));
    }
    let created = plan.add(name, Action::Create(Box::new(service.container.clone())), cause, before_create);
    let before_start = std::iter::once(created).chain(network).collect();
    let started = plan.add(name, Action::Start { id: None }, "its container was created", before_start);
    plan.add(name, Action::Prove { id: None }, "its container was started", vec![started]);
}

/// The container that stays: the only container of its service, which is as declared, and runs or can be started.
fn stays<'o>(
    service: &DesiredService,
    existing: &[&'o Container],
    observed: &Observed,
    no_network: bool,
) -> Option<&'o Container> {
    let [container] = existing else { return None };
    let can_start = || container.state == "exited" && failed(service, existing, observed).is_empty();
    let is_usable = container.state == "running" || can_start();
    (is_usable && change(service, container, observed, no_network).is_none()).then_some(container)
}

/// The volumes of a service whose server ended before the first login. Their data may be incomplete.
fn failed<'s>(service: &'s DesiredService, existing: &[&Container], observed: &Observed) -> BTreeSet<&'s str> {
    let has_ended = |one: &Container| !matches!(one.state.as_str(), "running" | "created" | "restarting" | "paused");
    let ended = |volume: &VolumeSpec| existing.iter().any(|one| one.volumes.contains(&volume.name) && has_ended(one));
    let failed = service.volumes.iter().filter(|volume| observed.is_unproven(&volume.name) && ended(volume));
    failed.map(|volume| volume.name.as_str()).collect()
}

/// The difference between a container and the declaration, as a cause; none if the container can stay.
fn change(service: &DesiredService, container: &Container, observed: &Observed, new_network: bool) -> Option<String> {
    let (version, config) = container.runs().map_or(("", ""), |runs| (runs.version.as_str(), runs.config.as_str()));
    if new_network {
        return Some("its network is gone".to_owned());
    }
    if container.networks.as_ref().is_some_and(|networks| !networks.contains(&service.container.network)) {
        return Some("it was disconnected from its network".to_owned());
    }
    if let Some(local) = observed.images.get(&service.container.image.to_string())
        && local.id != container.image_id
    {
        return Some(if version == service.version_text() {
            format!("{} is another image now", service.container.image)
        } else {
            version_change(version, service)
        });
    }
    if service.container.image.digest.is_some() && !observed.images.contains_key(&service.container.image.to_string()) {
        return Some(format!("it runs another image than {}", service.container.image));
    }
    if config == joined(&service.config) {
        return None;
    }
    if version != service.version_text() {
        return Some(version_change(version, service));
    }
    let changed: Vec<&str> = service
        .config
        .iter()
        .filter(|(part, hash)| !config.split(',').any(|known| known == format!("{part}={hash}")))
        .map(|(part, _)| part.as_str())
        .collect();
    Some(if changed.is_empty() {
        "its configuration has fewer parts than before".to_owned()
    } else {
        format!("changed: {}", changed.join(", "))
    })
}

fn version_change(before: &str, service: &DesiredService) -> String {
    format!("version {before} → {}", service.version_text())
}

/// The refusal for a service whose data was written by another major version.
fn old_data(
    service: &DesiredService,
    desired: &Desired,
    observed: &Observed,
    fresh: &BTreeSet<String>,
) -> Option<Diagnostic> {
    let major = service.data_major?;
    if fresh.contains(&service.name) {
        return None;
    }
    // Other branches may have data of this major version: only the head of the current branch counts.
    let head = desired.transition.head.as_ref()?.head()?;
    let (own, others): (Vec<&Entry>, Vec<&Entry>) = head
        .entries
        .iter()
        .filter(|entry| (&entry.service, &entry.kind) == (&service.name, &service.kind))
        .partition(|entry| entry.version == major.to_string());
    let begins_empty = own.iter().any(|entry| entry.sequence == head.sequence && entry.parent.is_none());
    let has_data =
        |entry: &&&Entry| entry.parent.is_some() || entry.volumes.iter().any(|name| is_there(name, observed));
    let old: u64 = others.iter().filter(has_data).filter_map(|entry| entry.version.parse().ok()).max()?;
    if !begins_empty {
        return None;
    }
    let (name, title) = (&service.name, &service.title);
    let (dump, load) = dump_and_load(service);
    Some(
        Diagnostic::error("data-of-another-major", format!("the data of {name} was written by {title} {old}, and {title} {major} cannot read it"))
            .at(&service.image_origin, format!("{title} {major} here"))
            .because(format!("a new major version of {title} stores data in another format; the old data is untouched"))
            .help(format!("start with fresh data (the old data is kept): `devenv up --fresh {name}`"))
            .help(format!(
                "or migrate the data: set version {old} again, `devenv up`, `{dump}`, then version {major} again, `devenv up --fresh {name}`, `{load}`, `devenv up`"
            )),
    )
}

/// The commands that write all data of a service to a file, and load the file. The loaded data replaces existing data,
/// because fresh data may already contain seeds or the results of an init script.
fn dump_and_load(service: &DesiredService) -> (String, String) {
    let name = &service.name;
    let shell = format!("devenv shell --admin {name}");
    if service.kind == "postgres" {
        let dump = format!("{shell} -- pg_dumpall --clean --if-exists > {name}.sql");
        return (dump, format!("{shell} -- psql postgres < {name}.sql"));
    }
    let admin = service.admin.as_ref().and_then(|admin| admin.user.as_deref()).unwrap_or("root");
    let program = if service.kind == "mariadb" { "mariadb-dump" } else { "mysqldump" };
    let databases: BTreeSet<&str> = service.endpoints.iter().filter_map(|one| one.database.as_deref()).collect();
    let databases = shell_words(&databases.into_iter().collect::<Vec<_>>());
    let dump = format!("{shell} -- {program} --user={admin} --databases {databases} > {name}.sql");
    (dump, format!("{shell} < {name}.sql"))
}
