//! Heads: which volumes the services of an environment have, on each git branch.
//!
//! A head is written before the volumes that it names are made. Where a run is killed, the next one makes the rest: the data
//! of all services is always of the head that counts, never of two.

use super::super::desired::Request;
use super::super::{Identity, names};
use super::layers::is_incomplete;
use super::reach::{frozen, records_of};
use crate::model::{Data, Entry, Head, Observed, ObservedRecord, Record, RecordKind, Volume, digest_of_bytes};
use std::collections::{BTreeMap, BTreeSet};

/// The heads of an environment that records say, with their records.
pub(super) fn written<'o>(
    environment: &str,
    observed: &'o Observed,
) -> impl Iterator<Item = (&'o ObservedRecord, &'o Head)> + use<'o> {
    records_of(environment, observed).filter_map(|one| Some((one, one.record.head()?)))
}

/// The head that counts for each branch of an environment. A branch without a record has the head that labels imply.
pub(super) fn heads(environment: &str, observed: &Observed) -> Vec<Head> {
    let mut all: BTreeMap<&str, (&str, &Head)> = BTreeMap::new();
    for (one, head) in written(environment, observed) {
        // Two heads of one number: a killed run's request that the engine carried out late. Which one counts does not
        // matter, as nobody wrote to the volumes of either; it has to be the same one each time.
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

/// The heads of branches that no record tells of: of environments that 0.1.0 made, or whose records were deleted by hand.
/// The newest complete data of each service counts, or the data that its container has.
fn implied(environment: &str, observed: &Observed, written: &[Head]) -> Vec<Head> {
    let named: BTreeSet<&String> = written.iter().flat_map(volumes_of).collect();
    let mounted = |volume: &Volume| observed.containers_of(environment).any(|one| one.volumes.contains(&volume.name));
    let pinned: BTreeSet<&String> = records_of(environment, observed)
        .filter(|one| one.record.kind == RecordKind::Pin)
        .flat_map(|one| one.record.data.values())
        .collect();
    // By branch, service, kind and version: the volumes of the best generation so far.
    type Best<'a> = ((bool, bool, u64), Vec<&'a Volume>);
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
            // Another part of the same data: the image declares several folders.
            _ if best.1.iter().any(|one| one.data().is_some_and(|one| one.generation == data.generation)) => {
                best.1.push(volume)
            }
            std::cmp::Ordering::Greater => *best = (rank, vec![volume]),
            _ => {}
        }
    }
    let mut heads: BTreeMap<&str, Vec<Entry>> = BTreeMap::new();
    for ([branch, service, kind, version], ((_, _, sequence), volumes)) in best {
        let volumes = volumes.iter().map(|volume| volume.name.clone()).collect();
        let (service, kind, version) = (service.to_owned(), kind.to_owned(), version.to_owned());
        heads.entry(branch).or_default().push(Entry { service, kind, version, sequence, volumes, parent: None });
    }
    heads.into_iter().map(|(branch, entries)| Head { branch: branch.to_owned(), entries, ..Head::default() }).collect()
}

/// The head that was used last, of whatever branch. Of those without a record: the one whose data most containers have,
/// else the one with the newest data.
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

/// The head of a branch; without a branch, the one that was used last.
pub(super) fn head_of(environment: &str, branch: Option<&str>, observed: &Observed) -> Option<Head> {
    match branch {
        Some(branch) => heads(environment, observed).into_iter().find(|head| head.branch == branch),
        None => last_used(environment, observed),
    }
}

/// The volumes that a head names, whether they are there or not.
pub(super) fn volumes_of(head: &Head) -> impl Iterator<Item = &String> {
    head.entries.iter().flat_map(|entry| &entry.volumes).chain(&head.kept)
}

/// The volume with each service's data on the branch, as far as the data lies in one volume that is there.
pub fn data_in_use<'o>(identity: &Identity, observed: &'o Observed) -> BTreeMap<String, &'o Volume> {
    let head = last_used(&identity.name, observed).unwrap_or_default();
    let entries = head.entries.into_iter().filter_map(|entry| match entry.volumes.as_slice() {
        [volume] => Some((observed.volume(volume)?, entry.service)),
        _ => None,
    });
    // Of several major versions, the newest data.
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

/// Whether nobody has logged in to the server over this volume, and there is no server any more.
pub(super) fn is_abandoned(volume: &Volume, observed: &Observed) -> bool {
    observed.is_unproven(&volume.name) && !observed.containers.iter().any(|one| one.volumes.contains(&volume.name))
}

/// The record of a head. Its name follows from its content, so that no two contents share a name.
pub(super) fn record(head: Head, identity: &Identity, observed: &Observed) -> Record {
    let text = format!("{head:?}");
    let hash = &digest_of_bytes(text.as_bytes())[7..23];
    Record {
        name: names::record(&identity.name, "head", hash),
        root: identity.root.display().to_string(),
        environment: identity.name.clone(),
        machine: identity.machine(),
        kind: RecordKind::Head(head),
        clone_mode: super::snapshots::known_clone_mode(identity, observed),
        ..Record::default()
    }
}

/// The head that comes next: which volumes the services are to have.
pub(in crate::plan) struct NextHead<'a> {
    request: &'a Request<'a>,
    frozen: BTreeSet<&'a str>,
    head: Head,
    /// Whether it differs from the head that counts now.
    is_new: bool,
}

impl<'a> NextHead<'a> {
    /// Begins with the head that counts for the branch. A branch without one begins with children of the data that was used
    /// last, and an environment without any with the data that the request names.
    pub(in crate::plan) fn of(request: &'a Request<'a>) -> Self {
        let (identity, observed) = (request.identity, request.observed);
        let environment = &identity.name;
        let last = last_used(environment, observed);
        let own = head_of(environment, identity.branch.as_deref(), observed);
        let of_written = written(environment, observed).map(|(_, head)| head.sequence);
        let of_volumes = observed.data_of(environment).map(|(_, data)| data.generation);
        let sequence = of_written.chain(of_volumes).max().unwrap_or_default() + 1;
        let mut next = Self { request, frozen: frozen(observed), head: Head::default(), is_new: false };
        match (own, last) {
            (Some(own), last) => {
                // Written again, so that it is the one that was used last.
                next.is_new = last.is_some_and(|last| last.branch != own.branch);
                let kept = if own.sequence == 0 { next.not_in(&own) } else { own.kept.clone() };
                next.head = Head { sequence, kept, ..own };
            }
            (None, Some(last)) => {
                next.head.sequence = sequence;
                next.head.branch = identity.branch.clone().unwrap_or_default();
                next.head.entries = last.entries.iter().map(|entry| next.child_of(entry)).collect();
                next.is_new = true;
            }
            (None, None) => {
                next.head.sequence = sequence;
                next.head.branch = identity.branch.clone().unwrap_or_default();
                next.begin_with_source();
            }
        }
        next
    }

    /// Data of a branch that no head names: volumes beside which a service started fresh, by an earlier release.
    fn not_in(&self, head: &Head) -> Vec<String> {
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

    fn begin_with_source(&mut self) {
        let Some(source) = self.request.source else { return };
        for (service, parent) in &source.data {
            let Some(data) = self.request.observed.volume(parent).and_then(Volume::data) else { continue };
            let entry = Entry {
                service: service.clone(),
                kind: data.kind.clone(),
                version: data.version.clone(),
                ..Entry::default()
            };
            let entry = self.begun(&entry, &[None], Some(parent.clone()));
            self.head.entries.push(entry);
            self.is_new = true;
        }
    }

    /// The same service's data in volumes that are to be made.
    fn begun(&self, entry: &Entry, parts: &[Option<u64>], parent: Option<String>) -> Entry {
        let name = |part: &Option<u64>| {
            let environment = &self.request.identity.name;
            names::volume(environment, &entry.service, entry.version.parse().ok(), *part, self.head.sequence)
        };
        let sequence = self.head.sequence;
        Entry { sequence, volumes: parts.iter().map(name).collect(), parent, ..entry.clone() }
    }

    /// The same data for another branch. Data in several volumes is layered on nothing, so the branches share it.
    fn child_of(&self, entry: &Entry) -> Entry {
        let [volume] = entry.volumes.as_slice() else { return entry.clone() };
        let is_there = self.request.observed.volume(volume).is_some() && !is_incomplete(volume, self.request.observed);
        let parent = if is_there { Some(volume.clone()) } else { entry.parent.clone() };
        self.begun(entry, &[None], parent)
    }

    /// Decides the volumes of a service; `parts` numbers them where the image declares several folders. Gives the entry as
    /// it will be in the head.
    pub(in crate::plan) fn settle(&mut self, service: &str, kind: &str, version: &str, parts: &[Option<u64>]) -> Entry {
        let is_it =
            |one: &Entry| (one.service.as_str(), one.kind.as_str(), one.version.as_str()) == (service, kind, version);
        let blank = || Entry {
            service: service.to_owned(),
            kind: kind.to_owned(),
            version: version.to_owned(),
            ..Entry::default()
        };
        let at = self.head.entries.iter().position(is_it);
        let known = at.map(|at| self.head.entries[at].clone());
        let observed = self.request.observed;
        let next = match &known {
            None => self.begun(&blank(), parts, None),
            Some(entry) if self.request.fresh.contains(service) => self.begun(entry, parts, None),
            Some(entry) => match entry.volumes.as_slice() {
                _ if entry.volumes.len() != parts.len() => {
                    let more = self.begun(entry, parts, None).volumes.into_iter().skip(entry.volumes.len());
                    let volumes = entry.volumes.iter().take(parts.len()).cloned().chain(more).collect();
                    Entry { volumes, ..entry.clone() }
                }
                [volume] => match observed.volume(volume).filter(|_| !is_incomplete(volume, observed)) {
                    // Nobody knows what it holds: `gc` removes it, not `up`.
                    Some(there) if is_abandoned(there, observed) => self.begun(entry, parts, None),
                    Some(_) if self.frozen.contains(volume.as_str()) => self.begun(entry, parts, Some(volume.clone())),
                    Some(_) => entry.clone(),
                    // The parent of what is still to be made may have been deleted by hand.
                    None if entry.parent.as_ref().is_some_and(|parent| observed.volume(parent).is_none()) => {
                        Entry { parent: None, ..entry.clone() }
                    }
                    None => entry.clone(),
                },
                _ => entry.clone(),
            },
        };
        if known.as_ref() != Some(&next) {
            self.is_new = true;
            let was = known.iter().flat_map(|known| &known.volumes);
            let stays = |name: &&String| observed.volume(name).is_some() && !next.volumes.contains(name);
            // A frozen volume is needed by whoever froze it.
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

    /// The volume with whose data a service's volume begins, while that is not there.
    pub(in crate::plan) fn parent_of(&self, service: &str, data: Option<&Data>) -> Option<String> {
        let data = data?;
        let is_it = |one: &&Entry| one.service == service && (&one.kind, &one.version) == (&data.kind, &data.version);
        self.head.entries.iter().find(is_it)?.parent.clone()
    }

    /// Its branch; empty where data follows no branches.
    pub(in crate::plan) fn branch(&self) -> &str {
        &self.head.branch
    }

    /// Sends services elsewhere: each to a child of that volume, or, without one, to a new beginning. The data that they have
    /// now is not kept.
    pub(in crate::plan) fn send(&mut self, to: &[Entry]) {
        for target in to {
            let is_it = |one: &Entry| {
                (&one.service, &one.kind, &one.version) == (&target.service, &target.kind, &target.version)
            };
            let next = self.begun(target, &[None], target.parent.clone());
            self.head.entries.retain(|one| !is_it(one));
            self.head.entries.push(next);
            self.is_new = true;
        }
    }

    /// The head, where it is to be written.
    pub(in crate::plan) fn finish(mut self) -> Option<Head> {
        self.head.entries.sort_by(|one, other| (&one.service, &one.version).cmp(&(&other.service, &other.version)));
        self.head.kept.sort();
        self.head.kept.dedup();
        self.is_new.then_some(self.head)
    }
}
