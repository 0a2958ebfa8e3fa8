//! The volumes that are needed, and the volumes that are frozen: marked from the records, along the layers.

use super::super::Identity;
use super::heads::{heads, volumes_of, written};
use super::layers::is_incomplete;
use crate::model::{Head, Observed, ObservedRecord, Volume, upper_volume, volume_of};
use std::collections::BTreeSet;

/// The records of an environment.
pub(in crate::plan) fn records_of<'o>(
    environment: &str,
    observed: &'o Observed,
) -> impl Iterator<Item = &'o ObservedRecord> + use<'o> {
    let environment = environment.to_owned();
    observed.records.iter().filter(move |one| !environment.is_empty() && one.record.environment == environment)
}

/// The frozen volumes of all environments. Nothing may write to a volume that a snapshot names, on which another volume
/// is layered, or whose data a volume of a head will still begin with.
pub(super) fn frozen(observed: &Observed) -> BTreeSet<&str> {
    let of_snapshots = observed.records.iter().map(|one| &one.record).filter(|record| record.snapshot().is_some());
    let of_snapshots = of_snapshots.flat_map(|record| record.data.values()).map(String::as_str);
    let mut all: BTreeSet<&str> = of_snapshots.chain(pending_parents(observed)).collect();
    let layers = observed.volumes.iter().filter(|volume| volume.is_overlay()).flat_map(Volume::layers);
    let below: BTreeSet<&str> = layers.map(|layer| volume_of(layer)).collect();
    let is_below =
        |volume: &&Volume| below.contains(volume.name.as_str()) || below.contains(upper_volume(&volume.name).as_str());
    all.extend(observed.volumes.iter().filter(is_below).map(|volume| volume.name.as_str()));
    all
}

/// The parents of volumes that do not exist yet or are incomplete.
fn pending_parents(observed: &Observed) -> impl Iterator<Item = &str> {
    let heads = observed.records.iter().filter_map(|one| one.record.head());
    heads.flat_map(|head| parents_of(head, observed))
}

/// The parents of a head's volumes that do not exist yet or are incomplete.
fn parents_of<'h>(head: &'h Head, observed: &Observed) -> Vec<&'h str> {
    let is_pending = |name: &String| observed.volume(name).is_none() || is_incomplete(name, observed);
    let pending = head.entries.iter().filter(|entry| entry.volumes.iter().any(is_pending));
    pending.filter_map(|entry| entry.parent.as_deref()).collect()
}

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
    let of_records = observed.records.iter().map(|one| one.record.environment.as_str());
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
        let is_data = volume.data().is_some() || !volume.upper_of().is_empty();
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

/// A volume, with its upper volume and its layers if they are mounted.
pub(super) fn with_layers(name: &str, observed: &Observed) -> Vec<String> {
    let Some(volume) = observed.volume(name) else { return Vec::new() };
    let mut all = vec![name.to_owned()];
    if volume.is_overlay() {
        all.push(upper_volume(name));
        all.extend(volume.layers().iter().map(|layer| volume_of(layer).to_owned()));
    }
    all
}
