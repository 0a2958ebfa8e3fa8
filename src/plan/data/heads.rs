//! Heads: the volumes of an environment's services on each git branch.
//!
//! A head is written before the volumes that it names are created. If a run is killed, the next run creates the missing
//! volumes: all services always have data of the current head, never of two heads.

use super::super::types::Request;
use super::super::{Identity, names};
use super::volumes::{frozen, is_abandoned, is_incomplete, is_there, records_of};
use crate::model::{Data, Entry, Head, Observed, ObservedRecord, Record, RecordKind, Volume, digest_of_bytes};
use std::collections::{BTreeMap, BTreeSet};

/// The heads of an environment that have a record, with their records.
pub(super) fn written<'o>(
    environment: &str,
    observed: &'o Observed,
) -> impl Iterator<Item = (&'o ObservedRecord, &'o Head)> + use<'o> {
    records_of(environment, observed).filter_map(|one| Some((one, one.record.head()?)))
}

/// The current head of each branch of an environment. A branch without a record has the head that its labels imply.
pub(super) fn heads(environment: &str, observed: &Observed) -> Vec<Head> {
    let mut all: BTreeMap<&str, (&str, &Head)> = BTreeMap::new();
    for (one, head) in written(environment, observed) {
        // Two heads can have the same number if the engine carried out a request of a killed run late. Either of them
        // may be the current head, because nothing was written to the volumes of either. The choice must be stable.
        let rank = |(name, head): (&str, &Head)| (head.sequence, name.to_owned());
        let known = all.entry(&head.branch).or_insert((&one.record.name, head));
        if rank((&one.record.name, head)) > rank(*known) {
            *known = (&one.record.name, head);
        }
    }
    let mut all: Vec<Head> = all.into_values().map(|(_, head)| head.clone()).collect();
    all.extend(implied(environment, observed, &all));
    all
}

/// How good the data of a service is, and its volumes: whether a container has them, whether a pin names them, and their
/// generation.
type Best<'a> = ((bool, bool, u64), Vec<&'a Volume>);

/// The heads of branches without a record: in environments of an earlier build, or after a user deleted the records by
/// hand. Such a head names the volumes of each service's container, else the newest complete volumes of each service.
fn implied(environment: &str, observed: &Observed, written: &[Head]) -> Vec<Head> {
    let named: BTreeSet<&String> = written.iter().flat_map(volumes_of).collect();
    let mounted = |volume: &Volume| observed.containers_of(environment).any(|one| one.volumes.contains(&volume.name));
    let pinned: BTreeSet<&String> = records_of(environment, observed)
        .filter(|one| one.record.kind == RecordKind::Pin)
        .flat_map(|one| one.record.data.values())
        .collect();
    // The key is branch, service, kind and version. The value is the best generation so far, with its volumes.
    let mut best: BTreeMap<[&str; 4], Best<'_>> = BTreeMap::new();
    for (volume, data) in observed.data_of(environment) {
        let is_of_written = written.iter().any(|head| head.branch == data.branch);
        if is_of_written
            || named.contains(&volume.name)
            || is_incomplete(&volume.name, observed)
            || is_abandoned(volume, observed)
        {
            continue;
        }
        let rank = (mounted(volume), pinned.contains(&volume.name), data.generation);
        let best = best.entry([&data.branch, &data.service, &data.kind, &data.version]).or_default();
        match rank.cmp(&best.0) {
            _ if best.1.is_empty() => *best = (rank, vec![volume]),
            // Another volume of the same data: the image declares several folders.
            _ if best.1.iter().any(|one| one.data().is_some_and(|one| one.generation == data.generation)) => {
                best.1.push(volume);
            }
            std::cmp::Ordering::Greater => *best = (rank, vec![volume]),
            _ => {}
        }
    }
    let mut heads: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
    for ([branch, service, kind, version], ((_, _, sequence), volumes)) in best {
        let volumes = volumes.iter().map(|volume| volume.name.clone()).collect();
        let (service, kind, version) = (service.to_owned(), kind.to_owned(), version.to_owned());
        heads.entry(branch).or_default().push(Entry { service, kind, version, sequence, volumes, ..Entry::default() });
    }
    heads.into_iter().map(|(branch, entries)| Head { branch: branch.to_owned(), entries, ..Head::default() }).collect()
}

/// The head that was used last, on any branch. Among heads without a record: the head whose volumes most containers
/// mount, else the head with the newest data.
pub(super) fn last_used(environment: &str, observed: &Observed) -> Option<Head> {
    let rank = |head: &Head| {
        let volumes = || volumes_of(head).filter_map(|name| observed.volume(name));
        let is_mounted = |name: &String| observed.containers_of(environment).any(|one| one.volumes.contains(name));
        let pins = || records_of(environment, observed).filter(|one| one.record.kind == RecordKind::Pin);
        let is_pinned = |name: &String| pins().any(|one| one.record.data.values().any(|data| data == name));
        let mounted = volumes_of(head).filter(|name| is_mounted(name)).count();
        let pinned = volumes_of(head).filter(|name| is_pinned(name)).count();
        let newest = volumes().filter_map(Volume::data).map(|data| data.generation).max();
        (head.sequence, mounted, pinned, newest)
    };
    heads(environment, observed).into_iter().max_by_key(rank)
}

/// The current head of a branch; without a branch, the head that was used last.
pub(super) fn head_of(environment: &str, branch: Option<&str>, observed: &Observed) -> Option<Head> {
    match branch {
        Some(branch) => heads(environment, observed).into_iter().find(|head| head.branch == branch),
        None => last_used(environment, observed),
    }
}

/// The volumes that a head names, including volumes that do not exist yet.
pub(super) fn volumes_of(head: &Head) -> impl Iterator<Item = &String> {
    head.entries.iter().flat_map(|entry| &entry.volumes).chain(&head.kept)
}

/// The volume with each service's data in the head that was used last. Only services whose data is in one existing
/// volume.
pub fn data_in_use<'o>(identity: &Identity, observed: &'o Observed) -> BTreeMap<String, &'o Volume> {
    let head = last_used(&identity.name, observed).unwrap_or_default();
    let entries = head.entries.into_iter().filter_map(|entry| match entry.volumes.as_slice() {
        [volume] => Some((observed.volume(volume)?, entry.service)),
        _ => None,
    });
    // If a service has data of several major versions, the newest data is returned.
    let mut all: BTreeMap<String, &Volume> = BTreeMap::new();
    let newest = |volume: &Volume| volume.data().map(|data| data.generation);
    for (volume, service) in entries {
        let known = all.entry(service).or_insert(volume);
        if newest(volume) > newest(known) {
            *known = volume;
        }
    }
    all
}

/// Whether a volume of any head of an environment exists.
pub fn has_data(environment: &str, observed: &Observed) -> bool {
    heads(environment, observed).iter().flat_map(volumes_of).any(|name| is_there(name, observed))
}

/// The number of the next head of an environment: greater than the number of every head, and of every volume.
fn next_sequence(environment: &str, observed: &Observed) -> u64 {
    let of_written = written(environment, observed).map(|(_, head)| head.sequence);
    let of_volumes = observed.data_of(environment).map(|(_, data)| data.generation);
    of_written.chain(of_volumes).max().unwrap_or_default() + 1
}

/// Heads without data, for an environment whose data is deleted while these volumes stay, because data of other
/// environments is layered on them. Without such a head, the labels of the remaining volumes would imply a head, and the
/// next volumes would get the names of volumes that remain in part.
pub(in crate::plan) fn empty_heads(
    remaining: &BTreeSet<String>,
    identity: &Identity,
    observed: &Observed,
) -> Vec<Record> {
    if remaining.is_empty() {
        return Vec::new();
    }
    let sequence = next_sequence(&identity.name, observed);
    let own = identity.branch.clone().unwrap_or_default();
    let of_volumes = remaining.iter().filter_map(|name| Some(observed.volume(name)?.data()?.branch.clone()));
    let branches: BTreeSet<String> = of_volumes.chain([own]).collect();
    let head = |branch| record(Head { branch, sequence, ..Head::default() }, identity, observed);
    branches.into_iter().map(head).collect()
}

/// The record of a head. The name is a hash of the content, so that two different heads never have the same name.
pub(super) fn record(head: Head, identity: &Identity, observed: &Observed) -> Record {
    let text = format!("{head:?}");
    let hash = &digest_of_bytes(text.as_bytes())[7..23];
    Record {
        name: names::record(&identity.name, "head", hash),
        scope: identity.scope(),
        machine: identity.machine(),
        kind: RecordKind::Head(head),
        clone_mode: super::volumes::known_clone_mode(identity, observed),
        ..Record::default()
    }
}

/// The next head under construction: the volumes that the services will have.
pub(in crate::plan) struct NextHead<'a> {
    request: &'a Request<'a>,
    frozen: BTreeSet<&'a str>,
    head: Head,
    /// Whether the next head differs from the current head.
    is_new: bool,
    /// The services that got their volumes.
    assigned: BTreeSet<String>,
}

impl<'a> NextHead<'a> {
    /// Begins with the current head of the branch. A branch without a head begins with children of the volumes that
    /// were used last. An environment without any head begins with the data that the request names.
    pub(in crate::plan) fn of(request: &'a Request<'a>) -> Self {
        let (identity, observed) = (request.identity, request.observed);
        let environment = &identity.name;
        let last = last_used(environment, observed);
        let own = head_of(environment, identity.branch.as_deref(), observed);
        let sequence = next_sequence(environment, observed);
        let mut next =
            Self { request, frozen: frozen(observed), head: Head::default(), is_new: false, assigned: BTreeSet::new() };
        // A run that was killed early leaves a head without data. A source takes the place of such a head.
        let is_source_used = request.source.is_some() && !has_data(environment, observed);
        let (own, last) = if is_source_used { (None, None) } else { (own, last) };
        match (own, last) {
            (Some(own), last) => {
                // The head is written again under a new number, so that it becomes the head that was used last.
                next.is_new = last.is_some_and(|last| last.branch != own.branch);
                let kept = if own.sequence == 0 { next.unnamed_data(&own) } else { own.kept.clone() };
                next.head = Head { sequence, kept, ..own };
            }
            (None, Some(last)) => {
                next.head.sequence = sequence;
                next.head.branch = identity.branch.clone().unwrap_or_default();
                next.head.entries = last.entries.iter().map(|entry| next.child_of(entry)).collect();
                // The head of the time before `branch: git` is removed once a branch has a head.
                next.head.kept = if last.branch.is_empty() { last.kept } else { Vec::new() };
                next.is_new = true;
            }
            (None, None) => {
                next.head.sequence = sequence;
                next.head.branch = identity.branch.clone().unwrap_or_default();
                next.start_from_source();
            }
        }
        next
    }

    /// Volumes with data of the head's branch that the head does not name. In an earlier release, a service that
    /// started fresh kept such old data.
    fn unnamed_data(&self, head: &Head) -> Vec<String> {
        let observed = self.request.observed;
        let of_branch = observed.data_of(&self.request.identity.name).filter(|(_, data)| data.branch == head.branch);
        let names = of_branch.map(|(volume, _)| &volume.name);
        let is_other = |name: &&String| {
            !volumes_of(head).any(|named| named == *name)
                && !self.frozen.contains(name.as_str())
                && !is_incomplete(name, observed)
        };
        names.filter(is_other).cloned().collect()
    }

    /// Adds an entry for each service whose data the request names.
    fn start_from_source(&mut self) {
        let Some(source) = self.request.source else { return };
        for (service, parent) in &source.data {
            let Some(data) = self.request.observed.volume(parent).and_then(Volume::data) else { continue };
            let entry = Entry {
                service: service.clone(),
                kind: data.kind.clone(),
                version: data.version.clone(),
                requested: true,
                ..Entry::default()
            };
            let entry = self.with_new_volumes(&entry, &[None], Some(parent.clone()));
            self.head.entries.push(entry);
            self.is_new = true;
        }
    }

    /// An entry for the same service with volumes that do not exist yet.
    fn with_new_volumes(&self, entry: &Entry, parts: &[Option<u64>], parent: Option<String>) -> Entry {
        let name = |part: &Option<u64>| {
            let environment = &self.request.identity.name;
            names::volume(environment, &entry.service, entry.version.parse().ok(), *part, self.head.sequence)
        };
        let sequence = self.head.sequence;
        Entry { sequence, volumes: parts.iter().map(name).collect(), parent, ..entry.clone() }
    }

    /// An entry for another branch that begins with the data of this entry. Data in several volumes cannot be layered,
    /// so the branches share these volumes.
    fn child_of(&self, entry: &Entry) -> Entry {
        let [volume] = entry.volumes.as_slice() else { return entry.clone() };
        let is_there = is_there(volume, self.request.observed);
        let parent = if is_there { Some(volume.clone()) } else { entry.parent.clone() };
        Entry { requested: false, ..self.with_new_volumes(entry, &[None], parent) }
    }

    /// An entry of another branch for the same service with data in several volumes. All branches share these volumes.
    fn shared_entry(&self, is_it: impl Fn(&Entry) -> bool, parts: usize) -> Option<Entry> {
        let all = heads(&self.request.identity.name, self.request.observed);
        all.into_iter().flat_map(|head| head.entries).find(|one| parts > 1 && one.volumes.len() == parts && is_it(one))
    }

    /// Assigns volumes to a service, and returns the entry that the head gets. `parts` numbers the volumes if the image
    /// declares several folders.
    pub(in crate::plan) fn assign(&mut self, service: &str, kind: &str, version: &str, parts: &[Option<u64>]) -> Entry {
        let is_it =
            |one: &Entry| (one.service.as_str(), one.kind.as_str(), one.version.as_str()) == (service, kind, version);
        let blank = || Entry {
            service: service.to_owned(),
            kind: kind.to_owned(),
            version: version.to_owned(),
            ..Entry::default()
        };
        self.assigned.insert(service.to_owned());
        let at = self.head.entries.iter().position(is_it);
        let known = at.map(|at| self.head.entries[at].clone());
        let observed = self.request.observed;
        let next = match &known {
            None => {
                self.shared_entry(is_it, parts.len()).unwrap_or_else(|| self.with_new_volumes(&blank(), parts, None))
            }
            Some(entry) if self.request.fresh.contains(service) => self.with_new_volumes(entry, parts, None),
            Some(entry) => match entry.volumes.as_slice() {
                // Data in several volumes is not layered, and nothing may write to a frozen volume.
                _ if entry.volumes.len() != parts.len()
                    && entry.volumes.iter().any(|name| self.frozen.contains(name.as_str())) =>
                {
                    self.with_new_volumes(entry, parts, None)
                }
                _ if entry.volumes.len() != parts.len() => {
                    let more = self.with_new_volumes(entry, parts, None).volumes.into_iter().skip(entry.volumes.len());
                    let volumes = entry.volumes.iter().take(parts.len()).cloned().chain(more).collect();
                    Entry { volumes, ..entry.clone() }
                }
                [volume] => match observed.volume(volume).filter(|_| is_there(volume, observed)) {
                    // The content of an abandoned volume is unknown. `gc` removes the volume, not `up`.
                    Some(there) if is_abandoned(there, observed) => self.with_new_volumes(entry, parts, None),
                    Some(_) if self.frozen.contains(volume.as_str()) => {
                        self.with_new_volumes(entry, parts, Some(volume.clone()))
                    }
                    // The volume does not exist yet, and a user may have deleted its parent by hand.
                    None if entry.parent.as_ref().is_some_and(|parent| observed.volume(parent).is_none()) => {
                        Entry { parent: None, ..entry.clone() }
                    }
                    Some(_) | None => entry.clone(),
                },
                _ => entry.clone(),
            },
        };
        if known.as_ref() != Some(&next) {
            self.is_new = true;
            let was = known.iter().flat_map(|known| &known.volumes);
            let stays = |name: &&String| observed.volume(name).is_some() && !next.volumes.contains(name);
            // A frozen volume stays without an entry in `kept`: the snapshot or volume that froze it needs it.
            let kept: Vec<String> =
                was.filter(stays).filter(|name| !self.frozen.contains(name.as_str())).cloned().collect();
            self.head.kept.extend(kept);
            match at {
                Some(at) => self.head.entries[at] = next.clone(),
                None => self.head.entries.push(next.clone()),
            }
        }
        next
    }

    /// The parent of a service's entry: the volume whose data the new volume begins with.
    pub(in crate::plan) fn parent_of(&self, service: &str, data: Option<&Data>) -> Option<String> {
        let data = data?;
        let is_it = |one: &&Entry| one.service == service && (&one.kind, &one.version) == (&data.kind, &data.version);
        self.head.entries.iter().find(is_it)?.parent.clone()
    }

    /// The branch of the head; empty if data does not follow branches.
    pub(in crate::plan) fn branch(&self) -> &str {
        &self.head.branch
    }

    /// Replaces the data of services: each target's service gets a child of the target's parent, or fresh data if the
    /// target has no parent. The current data of these services is not kept.
    pub(in crate::plan) fn replace(&mut self, targets: &[Entry]) {
        for target in targets {
            let is_it = |one: &Entry| {
                (&one.service, &one.kind, &one.version) == (&target.service, &target.kind, &target.version)
            };
            let next = self.with_new_volumes(target, &[None], target.parent.clone());
            self.head.entries.retain(|one| !is_it(one));
            self.head.entries.push(next);
            self.is_new = true;
        }
    }

    /// Ends the requests for services that are not declared (any more): no run would create their volumes.
    pub(in crate::plan) fn without_requests_for_others(mut self) -> Self {
        let is_other = |entry: &&mut Entry| entry.requested && !self.assigned.contains(&entry.service);
        for entry in self.head.entries.iter_mut().filter(is_other) {
            entry.requested = false;
            self.is_new = true;
        }
        self
    }

    /// The finished head; none if the current head stays.
    pub(in crate::plan) fn finish(mut self) -> Option<Head> {
        self.head.entries.sort_by(|one, other| (&one.service, &one.version).cmp(&(&other.service, &other.version)));
        self.head.kept.sort();
        self.head.kept.dedup();
        self.is_new.then_some(self.head)
    }
}
