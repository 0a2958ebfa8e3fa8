//! What is frozen by a name, what is to be gone back to, and which volumes keep it from being lost.
//!
//! A snapshot is one container that is never started: it is there, with every service's data, or it is not. A volume
//! that it names is never written again: the next start of its service goes on over it. Going back is a container of
//! the same sort, which says what is wanted from then on; the next `up` carries it out and removes it last, whoever was
//! killed meanwhile.

use super::branches::{data_in_use, in_use, is_newest_of_a_branch};
use super::desired::{Desired, Request};
use super::layers::{is_incomplete, is_layer, machine_of};
use super::{Action, Identity, Plan, names};
use crate::model::{Observed, ObservedRecord, PendingRestore, Record, Says, Service, Volume, Way, top_of, volume_of};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What the volume of a service is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// Which of the service's volumes it runs on, from 1.
    pub(super) generation: u64,
    /// The frozen volume that a new one begins with.
    pub(super) from: Option<String>,
    /// The going back that asked for it.
    pub(super) restored: Option<String>,
    /// The branch that it belongs to; empty where data follows none.
    pub(super) branch: String,
}

/// Decides on which of its data a service runs: the newest, or one more where that is frozen, where another is to be
/// gone back to, or where it is to start fresh.
pub(super) fn turn(service: &Service, version: &str, said: Option<&str>, request: &Request<'_>) -> Turn {
    let observed = request.observed;
    let of_service = observed.data_of(&request.identity.name).filter(|(volume, data)| {
        data.service == service.name
            && data.kind == service.kind
            && data.version == version
            && !is_incomplete(&volume.name, observed)
    });
    let mut own: Vec<&Volume> = of_service.map(|(volume, _)| volume).collect();
    own.sort_by_key(|volume| generation_of(volume));
    let back = going_back(&request.identity.name, said, observed)
        .and_then(|(back, restore)| Some((restore.token.as_str(), back.record.data.get(&service.name)?)));
    let next = own.last().map_or(1, |last| generation_of(last) + 1);
    // What its server has not finished, and no server is over any more, is left for `gc`: nobody knows what it holds.
    own.retain(|volume| !is_abandoned(volume, observed));
    let Some(last) = own.last() else {
        // Where it begins with another environment's data.
        let begun = back.filter(|(_, data)| observed.volume(data).is_some());
        let (restored, from) = begun.map(|(token, data)| (token.to_owned(), data.clone())).unzip();
        return Turn { generation: next, from, restored, branch: said.unwrap_or_default().to_owned() };
    };
    let used = in_use(&service.name, &own, request.identity, observed).unwrap_or(last);
    let branch = said.unwrap_or(used.branch()).to_owned();
    let newest = own.iter().rfind(|volume| volume.branch() == branch);
    let further = Turn { generation: next, branch: branch.clone(), ..Turn::default() };
    if let Some((token, data)) = back
        && newest.is_none_or(|newest| newest.data().and_then(|data| data.restored.as_deref()) != Some(token))
    {
        let from = own.iter().find(|own| own.name == *data).map(|own| own.name.clone());
        if from.is_some() || data.is_empty() {
            return Turn { from, restored: Some(token.to_owned()), ..further };
        }
    }
    if request.fresh.contains(&service.name) {
        return further;
    }
    // A branch that has no data yet begins with what is in use, which is left to its own branch. Where it has some, what is
    // in use is of another moment than that.
    let Some(newest) = newest else {
        let mut of_branch = observed.data_of(&request.identity.name).filter(|(_, data)| data.branch == branch);
        let is_begun = of_branch.any(|(volume, _)| !is_incomplete(&volume.name, observed));
        return Turn { from: (!is_begun).then(|| used.name.clone()), ..further };
    };
    if is_read_only(&newest.name, observed) {
        return Turn { from: Some(newest.name.clone()), ..further };
    }
    Turn { generation: generation_of(newest), branch, ..Turn::default() }
}

/// Whether nobody has logged in to the server over this volume, and there is no server any more.
pub(super) fn is_abandoned(volume: &Volume, observed: &Observed) -> bool {
    observed.is_unproven(&volume.name) && !observed.containers.iter().any(|one| one.volumes.contains(&volume.name))
}

pub(super) fn generation_of(volume: &Volume) -> u64 {
    volume.data().map_or(1, |data| data.generation)
}

/// The layers of a new volume over this one.
pub(super) fn layers_over(volume: &Volume) -> Vec<String> {
    if volume.is_overlay() {
        std::iter::once(format!("{}/upper", top_of(&volume.name))).chain(volume.layers().iter().cloned()).collect()
    } else {
        vec![volume.name.clone()]
    }
}

/// Whether a snapshot names this volume, or something is to go there.
pub(super) fn is_frozen(volume: &str, observed: &Observed) -> bool {
    let all = observed.records.iter().map(|one| &one.record);
    let mut naming = all.filter(|record| record.snapshot().is_some() || record.restore().is_some());
    naming.any(|record| record.data.values().any(|data| data == volume))
}

/// Whether nobody may write to this volume any more: a snapshot names it, or a volume, of whatever environment, is mounted
/// over it, though the snapshot may have been forgotten.
fn is_read_only(volume: &str, observed: &Observed) -> bool {
    let mut below = observed.volumes.iter().filter(|over| over.is_overlay()).flat_map(Volume::layers);
    is_frozen(volume, observed) || below.any(|layer| volume_of(layer) == volume || volume_of(layer) == top_of(volume))
}

/// The record that says what an environment is to go back to, on the branch that it was asked for on.
fn going_back<'o>(
    environment: &str,
    branch: Option<&str>,
    observed: &'o Observed,
) -> Option<(&'o ObservedRecord, &'o PendingRestore)> {
    let is_on = |asked: &str| asked.is_empty() || branch.is_none_or(|branch| branch == asked);
    kept_of(environment, observed)
        .filter_map(|one| Some((one, one.record.restore()?)))
        .find(|(_, restore)| is_on(&restore.branch))
}

/// Whether an environment is on its way back to a snapshot: the next `up` finishes it.
pub fn is_going_back(identity: &Identity, observed: &Observed) -> bool {
    going_back(&identity.name, identity.branch.as_deref(), observed).is_some()
}

/// What is written down about an environment.
pub(super) fn kept_of<'o>(
    environment: &str,
    observed: &'o Observed,
) -> impl Iterator<Item = &'o ObservedRecord> + use<'o> {
    let environment = environment.to_owned();
    observed.records.iter().filter(move |one| !environment.is_empty() && one.record.environment == environment)
}

/// A snapshot of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// The name of its record on the engine.
    pub record: String,
    /// When it was saved, seconds since 1970.
    pub created: i64,
    /// The volume with each service's data.
    pub data: BTreeMap<String, String>,
}

/// The records of all snapshots of a project's checkouts, as far as this machine's key knows the logins in them.
pub fn records_of_project<'a>(identity: &Identity, observed: &'a Observed) -> Vec<&'a Record> {
    let project = |environment: &str| environment.rsplit_once('-').map(|(project, _)| project.to_owned());
    let (own, machine) = (project(&identity.name), machine_of(identity));
    let all = observed.records.iter().map(|one| &one.record);
    all.filter(|record| record.snapshot().is_some() && record.machine == machine && project(&record.environment) == own)
        .collect()
}

/// The snapshots of an environment, the oldest first.
pub fn snapshots(identity: &Identity, observed: &Observed) -> Vec<Snapshot> {
    let snapshot = |one: &ObservedRecord| {
        let (name, data) = (one.record.snapshot()?.to_owned(), one.record.data.clone());
        Some(Snapshot { name, record: one.record.name.clone(), created: one.created, data })
    };
    let mut found: Vec<Snapshot> = kept_of(&identity.name, observed).filter_map(snapshot).collect();
    found.sort_by(|one, other| (one.created, &one.name).cmp(&(other.created, &other.name)));
    found
}

/// The data that the services run on now, by service; those that have none yet are left out.
pub fn data(desired: &Desired, observed: &Observed) -> BTreeMap<String, String> {
    let there = |name: &str| observed.volume(name).is_some();
    let services = desired.services.iter().filter_map(|service| {
        let [volume] = service.volumes.as_slice() else { return None };
        // Saved and not started since: the new top is not there yet.
        let frozen = volume.over.as_ref().map(|over| over.whole.clone()).filter(|whole| is_read_only(whole, observed));
        let current = if there(&volume.name) { Some(volume.name.clone()) } else { frozen };
        current.map(|volume| (service.name.clone(), volume))
    });
    services.collect()
}

/// The record of a snapshot.
pub fn saving(
    name: &str,
    way: Way,
    data: &BTreeMap<String, String>,
    identity: &Identity,
    observed: &Observed,
) -> Record {
    let says = Says::Snapshot(name.to_owned());
    Record { way: Some(way), ..record(identity, names::record(&identity.name, "snapshot", name), says, data, observed) }
}

/// The record that sends an environment back: each service of `to` to a frozen volume, or to an empty beginning. What
/// runs `now` is discarded by it. `token` tells it from every other.
pub fn returning(
    to: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
    token: &str,
    identity: &Identity,
    observed: &Observed,
) -> Record {
    // Each branch has its own.
    let name = names::record(&identity.name, "restore", identity.branch.as_deref().unwrap_or_default());
    // On a branch that has no data yet, what runs is another branch's, which goes on with it.
    let branch = identity.branch.as_deref().unwrap_or_default();
    let is_of_branch = |volume: &&String| {
        identity.branch.is_none() || observed.volume(volume).is_some_and(|volume| volume.branch() == branch)
    };
    let discarded = now.iter().filter(|(service, _)| to.contains_key(*service)).map(|(_, volume)| volume);
    let says = Says::Restore(PendingRestore {
        token: token.to_owned(),
        discards: discarded.filter(is_of_branch).cloned().collect(),
        branch: branch.to_owned(),
    });
    record(identity, name, says, to, observed)
}

fn record(
    identity: &Identity,
    name: String,
    says: Says,
    data: &BTreeMap<String, String>,
    observed: &Observed,
) -> Record {
    let pins: BTreeSet<String> = data.values().flat_map(|volume| with_layers(volume, observed)).collect();
    Record {
        name,
        root: identity.root.display().to_string(),
        environment: identity.name.clone(),
        machine: machine_of(identity),
        says,
        data: data.clone(),
        way: None,
        pins: pins.into_iter().collect(),
    }
}

/// A volume and everything that it cannot be without.
fn with_layers(name: &str, observed: &Observed) -> Vec<String> {
    let Some(volume) = observed.volume(name) else { return Vec::new() };
    let mut all = vec![name.to_owned()];
    if volume.is_overlay() {
        all.push(top_of(name));
        all.extend(volume.layers().iter().map(|layer| volume_of(layer).to_owned()));
    }
    all
}

/// How this engine lays volumes, as it was found out when something was frozen.
pub fn known_way(identity: &Identity, observed: &Observed) -> Option<Way> {
    let of_bases = observed.records.iter().filter(|one| !one.record.base().is_empty());
    kept_of(&identity.name, observed).chain(of_bases).find_map(|one| one.record.way)
}

/// The keeper of an environment whose containers go, or which goes over to another branch's data: it mentions every volume
/// of it, and says which are in use, and which way this engine lays volumes. None where one does already, or where there
/// is nothing to keep.
pub fn keeper(identity: &Identity, way: Option<Way>, observed: &Observed) -> Option<Record> {
    let volumes = to_keep(identity, observed);
    let used = data_in_use(identity, observed).into_iter();
    let used = used.map(|(service, volume)| (service.to_owned(), volume.name.clone())).collect();
    let keepers: Vec<_> = keepers(identity, observed).collect();
    let way = way.or_else(|| known_way(identity, observed));
    let is_enough = |keeper: &&ObservedRecord| {
        let keeper = &keeper.record;
        volumes.iter().all(|name| keeper.pins.contains(name)) && keeper.data == used && keeper.way == way
    };
    if volumes.is_empty() || keepers.iter().any(is_enough) {
        return None;
    }
    let mut record = record(identity, names::record(&identity.name, "pin", ""), Says::Pin, &used, observed);
    (record.pins, record.way) = (volumes.into_iter().collect(), way);
    // The new one is made before the old ones go, so it needs a name of its own; a run that was killed leaves two of them.
    while keepers.iter().any(|keeper| keeper.record.name == record.name) {
        record.name.push_str(".other");
    }
    Some(record)
}

/// Every volume of an environment that a keeper is to mention, with what each lies over.
fn to_keep(identity: &Identity, observed: &Observed) -> BTreeSet<String> {
    let ours = observed.volumes.iter().filter(|volume| volume.of.environment == identity.name);
    // What is not whole is made again, and a mark goes soon: whoever mentions them would keep them from going.
    let ours = ours.filter(|volume| {
        !is_incomplete(&volume.name, observed) && !observed.is_unproven(&volume.name) && volume.unproven().is_empty()
    });
    let mut volumes: BTreeSet<String> = BTreeSet::new();
    for volume in ours {
        volumes.insert(volume.name.clone());
        volumes.extend(with_layers(&volume.name, observed));
    }
    volumes
}

/// The keepers that an environment has.
pub fn keepers<'o>(identity: &Identity, observed: &'o Observed) -> impl Iterator<Item = &'o ObservedRecord> + use<'o> {
    kept_of(&identity.name, observed).filter(|one| one.record.says == Says::Pin)
}

/// The steps that end a going back, once every service has the data that it asked for: what it discards is removed, and
/// then its record.
pub(super) fn finish(plan: &mut Plan, desired: &Desired, observed: &Observed) {
    let Some((back, restore)) = going_back(&desired.environment, desired.branch.as_deref(), observed) else { return };
    let before: Vec<usize> = plan
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| matches!(step.action, Action::CreateVolume(_) | Action::Remove { .. } | Action::Create(_)))
        .map(|(index, _)| index)
        .collect();
    let used = |name: &str| desired.services.iter().flat_map(|service| &service.volumes).any(|one| one.name == name);
    let needed = |name: &str| is_frozen(name, observed) || is_layer(name, observed) || used(name);
    let discarded: Vec<String> = restore
        .discards
        .iter()
        .filter(|volume| !needed(volume) && !needed(&top_of(volume)))
        .flat_map(|volume| [volume.clone(), top_of(volume)])
        .filter(|volume| observed.volume(volume).is_some())
        .collect();
    // What is deleted anyway need not be stopped cleanly.
    for step in &mut plan.steps {
        if let Action::Remove { id, grace, .. } = &mut step.action
            && let Some(container) = observed.containers.iter().find(|container| container.id == *id)
            && container.volumes.iter().any(|volume| discarded.contains(volume))
        {
            *grace = Some(Duration::ZERO);
        }
    }
    // A keeper mentions what is discarded; what is running mentions the rest, and `down` leaves a new one.
    let mut last = before;
    for keeper in kept_of(&desired.environment, observed).filter(|one| one.record.says == Says::Pin) {
        last.push(plan.forget(keeper, "what it keeps is discarded", last.clone()));
    }
    for name in discarded {
        last.push(plan.add("", Action::RemoveVolume { name }, "it was discarded by going back", last.clone()));
    }
    // Last, so that a run that is killed before is finished by the next.
    plan.forget(back, "every service is where it was to go back to", last);
}

/// The services whose data in a snapshot is another kind's or another major version's than what is declared now.
pub fn unusable(snapshot: &Snapshot, desired: &Desired, observed: &Observed) -> Vec<String> {
    let fits = |service: &str, data: &str| {
        let known = observed.volume(data)?.data()?;
        let wanted = desired.services.iter().find(|wanted| wanted.name == service)?.data()?;
        Some((&wanted.kind, &wanted.version) == (&known.kind, &known.version))
    };
    let unusable = snapshot.data.iter().filter(|(service, data)| fits(service, data) != Some(true));
    unusable.map(|(service, _)| service.clone()).collect()
}

/// What becomes unused when a snapshot goes: its volumes, as far as nothing else needs them.
pub fn unneeded(snapshot: &Snapshot, desired: &Desired, identity: &Identity, observed: &Observed) -> Vec<String> {
    let mut without = observed.clone();
    without.records.retain(|one| one.record.name != snapshot.record);
    let mut now: BTreeSet<String> = data(desired, observed).into_values().collect();
    // Of a service that is not declared, or stands still, labels alone tell what it goes on with.
    now.extend(data_in_use(identity, observed).into_values().map(|volume| volume.name.clone()));
    let needed = |name: &str| {
        now.contains(name)
            || is_newest_of_a_branch(name, identity, &without)
            || is_frozen(name, &without)
            || is_layer(name, &without)
    };
    let there = |name: &String| observed.volume(name).is_some_and(|volume| volume.of.environment == identity.name);
    let volumes = snapshot.data.values().filter(|volume| !needed(volume) && !needed(&top_of(volume)));
    volumes.flat_map(|volume| [volume.clone(), top_of(volume)]).filter(there).collect()
}

/// Everything that an environment keeps beside its services: keepers, snapshots, a going back. It goes with the data.
pub(super) fn everything_kept<'a>(
    environment: &str,
    observed: &'a Observed,
) -> impl Iterator<Item = &'a ObservedRecord> + use<'a> {
    kept_of(environment, observed)
}

/// Records of an environment, and of this user's bases, that a clean-up left half of: each with what it protects, to be made
/// whole again.
pub fn unprotected(identity: &Identity, observed: &Observed) -> Vec<ObservedRecord> {
    let machine = machine_of(identity);
    let is_ours =
        |record: &Record| record.environment == identity.name || !record.base().is_empty() && record.machine == machine;
    let half = observed.records.iter().filter(|one| is_ours(&one.record) && (one.id.is_empty() || !one.has_volume));
    half.map(|one| {
        let mut one = one.clone();
        one.record.pins = match &one.record.says {
            Says::Pin => to_keep(identity, observed).into_iter().collect(),
            Says::Base { parent, .. } => parent.layers.clone(),
            _ => one.record.data.values().flat_map(|volume| with_layers(volume, observed)).collect(),
        };
        one
    })
    .collect()
}
