//! Properties of volumes and of records, as the engine shows them.

use super::super::Identity;
use crate::model::{CloneMode, Head, Observed, ObservedRecord, Owner, RecordKind, Volume, upper_volume, volume_of};
use std::collections::BTreeSet;

/// The records of an environment.
pub(in crate::plan) fn records_of<'o>(
    environment: &str,
    observed: &'o Observed,
) -> impl Iterator<Item = &'o ObservedRecord> + use<'o> {
    let environment = environment.to_owned();
    observed.records.iter().filter(move |one| !environment.is_empty() && one.record.scope.environment == environment)
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
pub(super) fn parents_of<'h>(head: &'h Head, observed: &Observed) -> Vec<&'h str> {
    let is_pending = |name: &String| !is_there(name, observed);
    let pending = head.entries.iter().filter(|entry| entry.volumes.iter().any(is_pending));
    pending.filter_map(|entry| entry.parent.as_deref()).collect()
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

/// Whether another volume is layered on this volume, or was copied from it.
pub(in crate::plan) fn is_layer(volume: &str, observed: &Observed) -> bool {
    observed.volumes.iter().any(|other| other.layers().iter().any(|layer| volume_of(layer) == volume))
}

/// The owner of a layer's folder, if a record or a volume knows the owner. A layer is never written again, so the owner
/// stays the same.
pub(super) fn owner_of(layer: &str, observed: &Observed) -> Option<Owner> {
    let of_bases = observed.records.iter().filter_map(|one| match &one.record.kind {
        RecordKind::Base { parent, .. } => Some(parent),
        _ => None,
    });
    let mut all = observed.volumes.iter().filter_map(Volume::parent).chain(of_bases);
    all.find_map(|parent| parent.folder.filter(|_| parent.layers.first().is_some_and(|first| first == layer)))
}

/// Whether a volume is still being filled, or the run that filled it was killed.
pub(in crate::plan) fn is_incomplete(volume: &str, observed: &Observed) -> bool {
    observed.containers.iter().any(|container| container.fills() == volume)
}

/// The clone mode of this engine, if any record has it.
pub fn known_clone_mode(identity: &Identity, observed: &Observed) -> Option<CloneMode> {
    records_of(&identity.name, observed).chain(&observed.records).find_map(|one| one.record.clone_mode)
}

/// Whether a volume exists and holds data of a service.
pub(in crate::plan) fn holds_data(volume: &str, observed: &Observed) -> bool {
    observed.volume(volume).is_some_and(|volume| volume.data().is_some())
}

/// Whether a volume is marked as unproven and its server no longer exists.
pub(super) fn is_abandoned(volume: &Volume, observed: &Observed) -> bool {
    observed.is_unproven(&volume.name) && !observed.containers.iter().any(|one| one.volumes.contains(&volume.name))
}

/// Whether a volume with data of a service exists and is complete. A volume that the engine created by itself, because
/// a container's request mentions its name, holds no data of a service.
pub(in crate::plan) fn is_there(volume: &str, observed: &Observed) -> bool {
    holds_data(volume, observed) && !is_incomplete(volume, observed)
}
