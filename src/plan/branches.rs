//! Data that follows git's branches: which of a service's volumes belongs to which branch, which is in use, and what is
//! left of branches that are gone.
//!
//! A volume's label says for which branch it was made. A branch that has none yet begins with what is in use, so that
//! switching back and forth adds no layers: each branch goes on with its own volume.

use super::layers::{is_incomplete, is_layer};
use super::snapshots::{generation_of, is_abandoned, is_frozen, is_going_back, keepers, kept_of, known_way, returning};
use super::{Action, Identity, Plan, Source};
use crate::model::{Observed, Record, Says, Volume, top_of};
use std::collections::{BTreeMap, BTreeSet};

/// Of these volumes of one service, the oldest first, the one that it runs on, or ran on last.
pub(super) fn in_use<'a>(
    service: &str,
    own: &[&'a Volume],
    identity: &Identity,
    observed: &Observed,
) -> Option<&'a Volume> {
    let container = observed.containers_of(&identity.name).find(|one| one.service() == service);
    let mounted = |volume: &&&Volume| container.is_some_and(|one| one.volumes.contains(&volume.name));
    let kept: Vec<&String> = keepers(identity, observed).filter_map(|keeper| keeper.record.data.get(service)).collect();
    // What it lies over is older than what it runs on.
    let found = own.iter().rfind(mounted).or_else(|| own.iter().rfind(|volume| kept.contains(&&volume.name)));
    found.or(own.last()).copied()
}

/// The volumes of an environment's services that belong together: one list a service, the oldest first.
fn by_service<'a>(identity: &Identity, observed: &'a Observed) -> BTreeMap<&'a str, Vec<&'a Volume>> {
    let mut all: BTreeMap<&str, Vec<&Volume>> = BTreeMap::new();
    // What is not whole is nobody's data yet, and is made again.
    for (volume, data) in observed.data_of(&identity.name).filter(|(one, _)| !is_incomplete(&one.name, observed)) {
        all.entry(&data.service).or_default().push(volume);
    }
    for volumes in all.values_mut() {
        volumes.sort_by_key(|volume| generation_of(volume));
    }
    // What lies in several volumes belongs to no branch.
    all.retain(|_, volumes| {
        let parts = volumes.iter().filter_map(|volume| volume.data()).map(|data| (data.generation, &data.version));
        parts.collect::<BTreeSet<_>>().len() == volumes.len()
    });
    all
}

/// The volume that each service runs on, or ran on last.
pub fn data_in_use<'a>(identity: &Identity, observed: &'a Observed) -> BTreeMap<&'a str, &'a Volume> {
    let all = by_service(identity, observed);
    all.into_iter().filter_map(|(service, own)| Some((service, in_use(service, &own, identity, observed)?))).collect()
}

/// Services that run on another branch's data than the one that git is on now, each with that branch; empty where data
/// follows no branches.
pub fn leaving(identity: &Identity, observed: &Observed) -> BTreeMap<String, String> {
    let Some(branch) = &identity.branch else { return BTreeMap::new() };
    let others = data_in_use(identity, observed).into_iter().filter(|(_, volume)| volume.branch() != branch);
    others.map(|(service, volume)| (service.to_owned(), volume.branch().to_owned())).collect()
}

/// Where a branch begins that has no data at all yet: with the data of the one branch that most services run on, all of one
/// moment, whatever happens before it is there. `token` tells it from every other going there.
pub fn beginning_of_branch(token: &str, identity: &Identity, observed: &Observed) -> Option<Record> {
    let branch = identity.branch.as_ref()?;
    let all = by_service(identity, observed);
    if all.values().flatten().any(|volume| volume.branch() == branch) || is_going_back(identity, observed) {
        return None;
    }
    let used = data_in_use(identity, observed);
    let mut services_on: BTreeMap<&str, usize> = BTreeMap::new();
    for volume in used.values() {
        *services_on.entry(volume.branch()).or_default() += 1;
    }
    let (left, _) = services_on.into_iter().max_by_key(|(_, services)| *services)?;
    // A run that was killed may have left the services on two branches, and a keeper may tell of an earlier moment than what
    // ran since. The newest data of one branch is of one moment.
    let newest = |service: &str, used: &Volume| {
        let part = |one: &Volume| one.data().map(|data| (data.version.clone(), data.kind.clone()));
        let mut own = all.get(service)?.iter().rev();
        own.find(|one| one.branch() == left && part(one) == part(used) && !is_abandoned(one, observed))
    };
    let begins_with =
        |service: &str, used: &Volume| newest(service, used).map_or(&used.name, |newest| &newest.name).clone();
    let mut begins: BTreeMap<String, String> =
        used.iter().map(|(service, volume)| ((*service).to_owned(), begins_with(service, volume))).collect();
    // Where that branch was on its way back to something, its services may be of two moments.
    for one in kept_of(&identity.name, observed) {
        if one.record.restore().is_some_and(|restore| restore.branch == left) {
            begins.extend(one.record.data.clone());
        }
    }
    Some(returning(&begins, &BTreeMap::new(), token, identity, observed))
}

/// Where a new environment begins with another one's data: each service with its part, all of one moment, whatever happens
/// before it is there. `token` tells it from every other going there.
pub fn beginning_with(source: &Source, token: &str, identity: &Identity, observed: &Observed) -> Record {
    let there = Identity { name: source.environment.clone(), ..identity.clone() };
    let record = returning(&source.data, &BTreeMap::new(), token, identity, observed);
    Record { way: known_way(&there, observed), ..record }
}

/// Whether a branch would go on with this volume.
pub(super) fn is_newest_of_a_branch(volume: &str, identity: &Identity, observed: &Observed) -> bool {
    let all = by_service(identity, observed);
    all.values().any(|own| {
        let Some(found) = own.iter().find(|one| one.name == volume) else { return false };
        let part = |one: &Volume| one.data().map(|data| (data.branch.clone(), data.version.clone(), data.kind.clone()));
        own.iter().rfind(|one| part(one) == part(found)).is_some_and(|newest| newest.name == volume)
    })
}

/// What is left of branches that git does not have any more: the branches, and the volumes that nothing else needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// The branches.
    pub branches: BTreeSet<String>,
    /// Their volumes, tops too. Not among them is what runs, what a snapshot names, and what others lie over.
    pub volumes: BTreeSet<String>,
}

/// What is left of branches that are not among `branches`.
pub fn gone(identity: &Identity, branches: &BTreeSet<String>, observed: &Observed) -> Gone {
    let used: BTreeSet<&str> =
        data_in_use(identity, observed).into_values().map(|volume| volume.name.as_str()).collect();
    let mut left: Vec<&Volume> = by_service(identity, observed).into_values().flatten().collect();
    left.retain(|volume| {
        let branch = volume.branch();
        !branch.is_empty() && !branches.contains(branch) && identity.branch.as_deref() != Some(branch)
    });
    let mut found = Gone::default();
    let mut rest = observed.clone();
    // What only another of them lies over goes too.
    loop {
        let before = found.volumes.len();
        for volume in &left {
            let top = top_of(&volume.name);
            let is_needed = used.contains(volume.name.as_str())
                || is_frozen(&volume.name, observed)
                || is_layer(&volume.name, &rest)
                || is_layer(&top, &rest);
            if is_needed || found.volumes.contains(&volume.name) {
                continue;
            }
            found.branches.insert(volume.branch().to_owned());
            found.volumes.insert(volume.name.clone());
            if observed.volume(&top).is_some() {
                found.volumes.insert(top);
            }
            rest.volumes.retain(|one| one.name != volume.name);
        }
        if found.volumes.len() == before {
            return found;
        }
    }
}

impl Gone {
    /// The engine without it, for deciding what is to be kept.
    pub fn without(&self, observed: &Observed) -> Observed {
        let mut rest = observed.clone();
        rest.volumes.retain(|volume| !self.volumes.contains(&volume.name));
        // None of them is enough any more.
        let keepers = rest.records.iter_mut().filter(|one| one.record.says == Says::Pin);
        keepers.for_each(|keeper| keeper.record.pins.clear());
        rest
    }

    /// The steps that remove it; what mentioned it has to be gone before.
    pub fn removal(&self) -> Plan {
        let mut plan = Plan::default();
        for name in &self.volumes {
            let after = (0..plan.steps.len()).collect();
            plan.add("", Action::RemoveVolume { name: name.clone() }, "its branch is gone", after);
        }
        plan
    }
}
