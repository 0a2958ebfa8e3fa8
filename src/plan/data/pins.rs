//! Pins: records whose container references volumes, so that a prune of the engine does not remove them as unused.
//!
//! The containers of services reference their own volumes. A pin protects the other volumes: the data of branches that
//! are not checked out, and all data while the environment is down.

use super::super::types::DesiredService;
use super::super::{Identity, names};
use super::heads::{head_of, written};
use super::reach::needed;
use super::volumes::{known_clone_mode, records_of, with_layers};
use crate::model::{Observed, ObservedRecord, Record, RecordKind};
use std::collections::BTreeSet;

/// The pins of an environment.
pub fn pins<'o>(identity: &Identity, observed: &'o Observed) -> impl Iterator<Item = &'o ObservedRecord> + use<'o> {
    records_of(&identity.name, observed).filter(|one| one.record.kind == RecordKind::Pin)
}

/// The pin that an environment needs before its containers are removed. None if an existing pin protects all volumes,
/// or if there is no volume to protect.
pub fn pin(identity: &Identity, observed: &Observed) -> Option<Record> {
    let volumes = to_pin(identity, observed);
    // A pin that names more keeps volumes that nothing needs.
    let names_more = |one: &ObservedRecord| {
        one.record.pins.iter().any(|name| !volumes.contains(name) && observed.volume(name).is_some())
    };
    let covers = |one: &ObservedRecord| {
        !one.id.is_empty() && volumes.iter().all(|name| one.record.pins.contains(name)) && !names_more(one)
    };
    let is_needed = !volumes.is_empty() && !pins(identity, observed).any(covers);
    is_needed.then(|| record(volumes, identity, observed))
}

/// The volumes that a pin of the environment references: needed and complete volumes, and the volumes of heads'
/// records.
fn to_pin(identity: &Identity, observed: &Observed) -> BTreeSet<String> {
    let needed = needed(observed);
    let ours =
        observed.volumes.iter().filter(|one| one.scope.environment == identity.name && needed.contains(&one.name));
    // An incomplete volume is created again, and a mark is removed soon. A pin would prevent their removal.
    let ours = ours.filter(|volume| {
        !super::volumes::is_incomplete(&volume.name, observed)
            && !observed.is_unproven(&volume.name)
            && volume.unproven().is_empty()
    });
    let mut volumes: BTreeSet<String> = ours.flat_map(|volume| with_layers(&volume.name, observed)).collect();
    if !volumes.is_empty() {
        volumes.extend(written(&identity.name, observed).map(|(one, _)| one.record.volume()));
    }
    volumes
}

/// The state of the engine without these records (by name) and volumes. The next pin is chosen from this state.
pub fn without(records: &BTreeSet<&str>, volumes: &BTreeSet<String>, observed: &Observed) -> Observed {
    let mut rest = observed.clone();
    rest.volumes.retain(|volume| !volumes.contains(&volume.name));
    rest.records.retain(|one| !records.contains(one.record.name.as_str()));
    // The existing pins reference the removed volumes, so a new pin is needed in any case.
    rest.records.iter_mut().filter(|one| one.record.kind == RecordKind::Pin).for_each(|pin| pin.record.pins.clear());
    rest
}

/// Whether a pin of the environment keeps volumes that nothing needs.
pub fn pins_too_much(identity: &Identity, observed: &Observed) -> bool {
    let needed = needed(observed);
    let named = pins(identity, observed).flat_map(|one| &one.record.pins);
    named
        .filter(|name| observed.volume(name).is_some_and(|one| one.scope.environment == identity.name))
        .any(|name| !needed.contains(name))
}

fn record(volumes: BTreeSet<String>, identity: &Identity, observed: &Observed) -> Record {
    // A new pin is written before the old pins are removed, so each pin has its own number.
    let number = |one: &ObservedRecord| one.record.name.rsplit_once(".x")?.1.parse::<u64>().ok();
    let last = pins(identity, observed).filter_map(number).max().unwrap_or_default();
    Record {
        name: names::record(&identity.name, "pin", &(last + 1).to_string()),
        scope: identity.scope(),
        machine: identity.machine(),
        kind: RecordKind::Pin,
        clone_mode: known_clone_mode(identity, observed),
        pins: volumes.into_iter().collect(),
        ..Record::default()
    }
}

/// The pin for the volumes that neither these services nor the remaining pins reference (`going`: the pins that are
/// removed). None if all volumes are referenced. The head of the branch needs no pin while its services run, because
/// their containers imply the same head.
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

/// Records of an environment and of this user's bases that lost their container or their volume in a prune. Each has
/// the volumes that it protects, so that the record can be completed again. A head has no container: pins reference its
/// volume.
pub fn unprotected(identity: &Identity, observed: &Observed) -> Vec<ObservedRecord> {
    let machine = identity.machine();
    let is_ours = |record: &Record| {
        record.scope.environment == identity.name || !record.base().is_empty() && record.machine == machine
    };
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
