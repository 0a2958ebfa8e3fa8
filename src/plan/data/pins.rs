//! Pins: records whose container mentions volumes, so that no clean-up of the engine takes them for unused.
//!
//! What runs mentions its own volumes. A pin is for the rest: the data of branches that are not checked out, and all of it
//! once the environment is down.

use super::super::desired::DesiredService;
use super::super::{Identity, names};
use super::heads::{head_of, written};
use super::reach::{needed, records_of, with_layers};
use super::snapshots::known_clone_mode;
use crate::model::{Observed, ObservedRecord, Record, RecordKind};
use std::collections::BTreeSet;

/// The pins that an environment has.
pub fn pins<'o>(identity: &Identity, observed: &'o Observed) -> impl Iterator<Item = &'o ObservedRecord> + use<'o> {
    records_of(&identity.name, observed).filter(|one| one.record.kind == RecordKind::Pin)
}

/// The pin of an environment whose containers go. None where one protects everything already, or where there is nothing to
/// protect.
pub fn pin(identity: &Identity, observed: &Observed) -> Option<Record> {
    let volumes = to_pin(identity, observed);
    let covers = |one: &ObservedRecord| !one.id.is_empty() && volumes.iter().all(|name| one.record.pins.contains(name));
    let is_needed = !volumes.is_empty() && !pins(identity, observed).any(|one| covers(one));
    is_needed.then(|| record(volumes, identity, observed))
}

/// The volumes that a pin of the environment mentions: those that are needed and whole, and those of its heads.
fn to_pin(identity: &Identity, observed: &Observed) -> BTreeSet<String> {
    let needed = needed(observed);
    let ours =
        observed.volumes.iter().filter(|one| one.scope.environment == identity.name && needed.contains(&one.name));
    // What is not whole is made again, and a mark goes soon: a pin would keep them from going.
    let ours = ours.filter(|volume| {
        !super::layers::is_incomplete(&volume.name, observed)
            && !observed.is_unproven(&volume.name)
            && volume.unproven().is_empty()
    });
    let mut volumes: BTreeSet<String> = ours.flat_map(|volume| with_layers(&volume.name, observed)).collect();
    if !volumes.is_empty() {
        volumes.extend(written(&identity.name, observed).map(|(one, _)| one.record.volume()));
    }
    volumes
}

fn record(volumes: BTreeSet<String>, identity: &Identity, observed: &Observed) -> Record {
    // A new pin is made before the old ones go, so each has a number.
    let number = |one: &ObservedRecord| one.record.name.rsplit_once(".x")?.1.parse::<u64>().ok();
    let last = pins(identity, observed).filter_map(number).max().unwrap_or_default();
    Record {
        name: names::record(&identity.name, "pin", &(last + 1).to_string()),
        root: identity.root.display().to_string(),
        environment: identity.name.clone(),
        machine: identity.machine(),
        kind: RecordKind::Pin,
        clone_mode: known_clone_mode(identity, observed),
        pins: volumes.into_iter().collect(),
        ..Record::default()
    }
}

/// The pin for the volumes that these services do not mention, without the pins that go. None where everything is
/// mentioned. The head of the branch is not pinned while its services run: their containers tell the same.
pub(super) fn protecting(
    services: &[DesiredService],
    going: &[ObservedRecord],
    identity: &Identity,
    observed: &Observed,
) -> Option<Record> {
    let of_services = services.iter().flat_map(|service| {
        let volumes = service.volumes.iter().map(|volume| &volume.name);
        volumes.chain(&service.container.pinned_volumes)
    });
    let stays = |one: &&ObservedRecord| !one.id.is_empty() && !going.contains(one);
    let of_records = records_of(&identity.name, observed).filter(stays).flat_map(|one| &one.record.pins);
    let mut mentioned: BTreeSet<String> = of_services.chain(of_records).cloned().collect();
    if let Some(head) = head_of(&identity.name, identity.branch.as_deref(), observed) {
        let own = written(&identity.name, observed).filter(|(_, one)| one.branch == head.branch);
        mentioned.extend(own.map(|(one, _)| one.record.volume()));
    }
    let all = to_pin(identity, observed);
    (!all.is_subset(&mentioned)).then(|| record(all, identity, observed))
}

/// Records of an environment, and of this user's bases, that a clean-up left half of: each with what it protects, to be made
/// whole again. A head has no container: pins mention its volume.
pub fn unprotected(identity: &Identity, observed: &Observed) -> Vec<ObservedRecord> {
    let machine = identity.machine();
    let is_ours =
        |record: &Record| record.environment == identity.name || !record.base().is_empty() && record.machine == machine;
    let is_half = |one: &&ObservedRecord| one.record.head().is_none() && (one.id.is_empty() || !one.has_volume);
    let half = observed.records.iter().filter(|one| is_ours(&one.record)).filter(is_half);
    half.map(|one| {
        let mut one = one.clone();
        one.record.pins = match &one.record.kind {
            RecordKind::Pin => to_pin(identity, observed).into_iter().collect(),
            RecordKind::Base { parent, .. } => parent.layers.clone(),
            _ => one.record.data.values().flat_map(|volume| with_layers(volume, observed)).collect(),
        };
        one
    })
    .collect()
}
