//! Snapshots: the data of an environment's services under a name, and the head that restores a snapshot.
//!
//! A snapshot is one record: it exists with the data of every service, or not at all. The volumes that a snapshot names
//! are frozen, so the next start of the services uses children of these volumes.

use super::super::types::{Desired, Request};
use super::super::{Identity, names};
use super::heads::{self, NextHead};
use super::reach::{Naming, freed};
use super::volumes::{holds_data, is_there, records_of, with_layers};
use crate::model::{CloneMode, Entry, Observed, ObservedRecord, Record, RecordKind};
use std::collections::{BTreeMap, BTreeSet};

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

/// The records of all snapshots of a project's checkouts, if this machine's key knows the logins in their data.
pub fn records_of_project<'a>(identity: &Identity, observed: &'a Observed) -> Vec<&'a Record> {
    let project = |environment: &str| environment.rsplit_once('-').map(|(project, _)| project.to_owned());
    let (own, machine) = (project(&identity.name), identity.machine());
    let all = observed.records.iter().map(|one| &one.record);
    all.filter(|record| {
        record.snapshot().is_some() && record.machine == machine && project(&record.scope.environment) == own
    })
    .collect()
}

/// The snapshots of an environment, the oldest first.
pub fn snapshots(identity: &Identity, observed: &Observed) -> Vec<Snapshot> {
    let snapshot = |one: &ObservedRecord| {
        let (name, data) = (one.record.snapshot()?.to_owned(), one.record.data.clone());
        Some(Snapshot { name, record: one.record.name.clone(), created: one.created, data })
    };
    let mut found: Vec<Snapshot> = records_of(&identity.name, observed).filter_map(snapshot).collect();
    found.sort_by(|one, other| (one.created, &one.name).cmp(&(other.created, &other.name)));
    found
}

/// The existing volume with each service's data: the service's own volume, or the parent if the own volume does not
/// exist yet. Services without data, and services with data in several volumes, are not included.
pub fn data(desired: &Desired, observed: &Observed) -> BTreeMap<String, String> {
    let services = desired.services.iter().filter_map(|service| {
        let [volume] = service.volumes.as_slice() else { return None };
        let is_there = is_there(&volume.name, observed);
        let parent = || {
            volume
                .parent_spec
                .as_ref()
                .map(|parent_spec| parent_spec.whole.clone())
                .filter(|name| holds_data(name, observed))
        };
        let current = if is_there { Some(volume.name.clone()) } else { parent() };
        current.map(|volume| (service.name.clone(), volume))
    });
    services.collect()
}

/// The record of a new snapshot.
pub fn saving(
    name: &str,
    clone_mode: CloneMode,
    data: &BTreeMap<String, String>,
    identity: &Identity,
    observed: &Observed,
) -> Record {
    let pins: BTreeSet<String> = data.values().flat_map(|volume| with_layers(volume, observed)).collect();
    Record {
        name: names::record(&identity.name, "snapshot", name),
        scope: identity.scope(),
        machine: identity.machine(),
        kind: RecordKind::Snapshot(name.to_owned()),
        data: data.clone(),
        clone_mode: Some(clone_mode),
        pins: pins.into_iter().collect(),
    }
}

/// The head that gives each service of `to` a child of its volume, or fresh data if the service has no volume in `to`.
/// The current data of these services is discarded once every service has its new volume.
pub fn restoring(to: &BTreeMap<String, Option<String>>, desired: &Desired, request: &Request<'_>) -> Option<Record> {
    let target = |(service, parent): (&String, &Option<String>)| {
        let wanted = desired.services.iter().find(|one| one.name == *service)?.data()?;
        let (kind, version) = (wanted.kind.clone(), wanted.version.clone());
        let (service, parent) = (service.clone(), parent.clone());
        Some(Entry { service, kind, version, parent, requested: true, ..Entry::default() })
    };
    let targets: Vec<Entry> = to.iter().filter_map(target).collect();
    let mut next = NextHead::of(request);
    next.replace(&targets);
    Some(heads::record(next.finish()?, request.identity, request.observed))
}

/// Whether a restore, a reset or an `up --from` was interrupted. The next `up` finishes this work.
pub fn is_unfinished(identity: &Identity, observed: &Observed) -> bool {
    let Some(head) = heads::head_of(&identity.name, identity.branch.as_deref(), observed) else { return false };
    let is_pending = |entry: &Entry| entry.volumes.iter().any(|name| !is_there(name, observed));
    head.entries.iter().any(|entry| entry.requested && is_pending(entry))
}

/// The services whose data in a snapshot has another kind or another major version than the declared service.
pub fn unusable(snapshot: &Snapshot, desired: &Desired, observed: &Observed) -> Vec<String> {
    let fits = |service: &str, data: &str| {
        let known = observed.volume(data)?.data()?;
        let wanted = desired.services.iter().find(|wanted| wanted.name == service)?.data()?;
        Some((&wanted.kind, &wanted.version) == (&known.kind, &known.version))
    };
    let unusable = snapshot.data.iter().filter(|(service, data)| fits(service, data) != Some(true));
    unusable.map(|(service, _)| service.clone()).collect()
}

/// The volumes that nothing needs once a snapshot is removed.
pub fn unneeded(snapshot: &Snapshot, identity: &Identity, observed: &Observed) -> Vec<String> {
    freed(identity, &|one| matches!(one, Naming::Snapshot(record) if *record == snapshot.record), observed)
}
