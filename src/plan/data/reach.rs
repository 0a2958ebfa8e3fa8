//! The volumes that are needed: marked from the records, along the layers.

use super::super::Identity;
use super::heads::{heads, volumes_of, written};
use super::volumes::{parents_of, with_layers};
use crate::model::{Observed, VolumeRole};
use std::collections::BTreeSet;

/// An owner of references to volumes.
pub(super) enum Naming<'a> {
    /// The heads of a branch of an environment.
    Branch(&'a str, &'a str),
    /// A snapshot, by the name of its record.
    Snapshot(&'a str),
}

/// The volumes that heads, snapshots or bases need, in all environments. In an environment without the record of a
/// head, all volumes count as needed, because the record may be lost.
pub(in crate::plan) fn needed(observed: &Observed) -> BTreeSet<String> {
    needed_without(observed, &|_| false)
}

/// The volumes that are needed if the excluded heads and snapshots did not exist.
fn needed_without(observed: &Observed, is_excluded: &dyn Fn(&Naming<'_>) -> bool) -> BTreeSet<String> {
    let mut roots: BTreeSet<String> = BTreeSet::new();
    let of_volumes = observed.volumes.iter().map(|volume| volume.scope.environment.as_str());
    let of_records = observed.records.iter().map(|one| one.record.scope.environment.as_str());
    let environments: BTreeSet<&str> = of_volumes.chain(of_records).filter(|name| !name.is_empty()).collect();
    for environment in environments {
        // The older heads count too. The volumes that only an older head needs are removed together with this head.
        let older = written(environment, observed).map(|(_, head)| head.clone());
        for head in heads(environment, observed).into_iter().chain(older) {
            if !is_excluded(&Naming::Branch(environment, &head.branch)) {
                roots.extend(volumes_of(&head).cloned());
                roots.extend(parents_of(&head, observed).into_iter().map(str::to_owned));
            }
        }
    }
    for one in observed.records.iter().map(|one| &one.record) {
        if one.snapshot().is_some() && !is_excluded(&Naming::Snapshot(&one.name)) {
            roots.extend(one.data.values().cloned());
        }
        roots.insert(one.base().to_owned());
    }
    for volume in &observed.volumes {
        let environment = &volume.scope.environment;
        // A volume without a role: the engine created it by itself, or it served one operation.
        let has_no_role = volume.role == VolumeRole::Helper && !environment.is_empty();
        let is_data = volume.data().is_some() || !volume.upper_of().is_empty() || has_no_role;
        let is_unknown = || !environment.is_empty() && written(environment, observed).next().is_none();
        if !is_data || is_unknown() && !is_excluded(&Naming::Branch(environment, volume.branch())) {
            roots.insert(volume.name.clone());
        }
    }
    let mut all: BTreeSet<String> = roots.iter().flat_map(|root| with_layers(root, observed)).collect();
    // If an upper volume is needed, its overlay volume stays too, so that both are removed together.
    let shown =
        observed.volumes.iter().filter(|volume| all.contains(&volume.name)).map(|volume| volume.upper_of().to_owned());
    let shown: Vec<String> = shown.filter(|name| !name.is_empty()).collect();
    all.extend(shown);
    all
}

/// The volumes that other environments' heads will begin with, and the layers of these volumes.
pub(in crate::plan) fn pending_layers_of_others(identity: &Identity, observed: &Observed) -> Vec<String> {
    let others = observed.records.iter().filter(|one| one.record.scope.environment != identity.name);
    let heads = others.filter_map(|one| one.record.head());
    let parents = heads.flat_map(|head| parents_of(head, observed));
    parents.flat_map(|parent| with_layers(parent, observed)).collect()
}

/// The volumes of an environment that nothing needs once the excluded heads and snapshots are removed.
pub(super) fn freed(
    identity: &Identity,
    is_excluded: &dyn Fn(&Naming<'_>) -> bool,
    observed: &Observed,
) -> Vec<String> {
    let (before, after) = (needed(observed), needed_without(observed, is_excluded));
    let is_ours =
        |name: &&String| observed.volume(name).is_some_and(|volume| volume.scope.environment == identity.name);
    before.difference(&after).filter(is_ours).cloned().collect()
}
