//! Garbage: resources of this checkout that killed runs left behind, and this user's bases on which no environment is
//! layered.
//!
//! Garbage never contains a volume that a snapshot names or on which another volume is layered.

use super::super::{Action, Identity, Plan, teardown};
use super::bases::serves_making;
use super::reach::needed;
use super::volumes::{frozen, is_abandoned, is_layer};
use crate::model::{BaseKey, Container, ContainerRole, Observed, Volume, VolumeRole};
use std::collections::{BTreeMap, BTreeSet};

/// How long another checkout's ephemeral environment without a lease counts as used, in seconds. Its lock may belong to
/// another user, and such a lock is not visible here.
const EPHEMERAL_LIFETIME: i64 = 24 * 60 * 60;
/// How long `up` keeps an unused base for the next environment, in seconds. `gc` removes an unused base at once.
const UNUSED_BASE_LIFETIME: i64 = 30 * 24 * 60 * 60;
/// How long a run may take to make a base, in seconds.
const MAX_BASE_DURATION: i64 = 60 * 60;

/// The steps of `devenv gc`. `is_held` tells whether a run holds the lock of an environment or a base; `now` is in
/// seconds since 1970.
pub fn garbage(identity: &Identity, observed: &Observed, is_held: &dyn Fn(&str) -> bool, now: i64) -> Plan {
    leftovers(true, identity, observed, is_held, now)
}

/// The garbage that `up` removes on its own: without bases that the next environment may begin with, and without data
/// whose initialisation may be complete.
pub fn stale(identity: &Identity, observed: &Observed, is_held: &dyn Fn(&str) -> bool, now: i64) -> Plan {
    leftovers(false, identity, observed, is_held, now)
}

fn leftovers(asked: bool, identity: &Identity, observed: &Observed, is_held: &dyn Fn(&str) -> bool, now: i64) -> Plan {
    let mut plan = Plan::default();
    for (name, cause) in ephemeral(identity, observed, now) {
        if !is_held(&name) {
            let left = Identity { name, ..identity.clone() };
            plan.append(teardown(&left, observed, true), &cause);
        }
    }
    let gone: BTreeSet<String> = plan.names().map(str::to_owned).collect();
    let is_gone = |name: &str| gone.contains(name);
    let unused = if asked { 0 } else { UNUSED_BASE_LIFETIME };
    bases(&mut plan, identity, observed, is_held, (now, unused), &is_gone);
    let root = identity.root.display().to_string();
    let mut unfinished: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for container in observed.containers.iter().filter(|container| container.scope.root == root) {
        let filled = observed.volume(container.fills());
        let environment = filled.map_or(&container.scope.environment, |volume| &volume.scope.environment);
        let is_helper = container.role == ContainerRole::Helper && !container.scope.environment.is_empty();
        if container.fills().is_empty() && !is_helper || is_held(environment) || is_gone(&container.name) {
            continue;
        }
        let removed = remove(&mut plan, container, "the copy was interrupted");
        if let Some(filled) = filled {
            unfinished.entry(&filled.name).or_default().push(removed);
        }
    }
    for (volume, removed) in unfinished {
        delete(&mut plan, volume, "the copy was interrupted", removed);
    }
    let frozen = frozen(observed);
    for volume in
        observed.volumes.iter().filter(|volume| volume.scope.root == root && !is_held(&volume.scope.environment))
    {
        let is_left = volume.unproven() != "" && observed.volume(volume.unproven()).is_none();
        let is_frozen = frozen.contains(volume.name.as_str());
        let goes = is_left || asked && is_abandoned(volume, observed) && !is_frozen;
        if !goes || is_gone(&volume.name) {
            continue;
        }
        let cause = "its server ended before the data was complete";
        delete(&mut plan, &volume.name, cause, Vec::new());
        if let Some(mark) = observed.volumes.iter().find(|one| one.unproven() == volume.name) {
            let after = vec![plan.steps.len() - 1];
            delete(&mut plan, &mark.name, cause, after);
        }
    }
    if asked {
        unneeded(&mut plan, &root, observed, is_held);
    }
    let deleted: BTreeSet<String> = plan.names().map(str::to_owned).collect();
    let is_gone = |name: &str| deleted.contains(name);
    let is_stray = |volume: &&Volume| {
        !volume.upper_of().is_empty()
            && volume.scope.root == root
            && observed.volume(volume.upper_of()).is_none()
            && !is_layer(&volume.name, observed)
            && !is_held(&volume.scope.environment)
            && !is_gone(&volume.name)
    };
    for upper in observed.volumes.iter().filter(is_stray) {
        let after = (0..plan.steps.len()).collect();
        delete(&mut plan, &upper.name, "its overlay volume is gone", after);
    }
    empty_heads(&mut plan, &root, observed, is_held);
    plan.with_volumes_last()
}

/// Removes heads that name nothing, of environments of which nothing else is left.
fn empty_heads(plan: &mut Plan, root: &str, observed: &Observed, is_held: &dyn Fn(&str) -> bool) {
    let gone: BTreeSet<String> = plan.names().map(str::to_owned).collect();
    for one in observed.records.iter().filter(|one| one.record.scope.root == root) {
        let environment = &one.record.scope.environment;
        let is_empty = one.record.head().is_some_and(|head| head.entries.is_empty() && head.kept.is_empty());
        let is_left = |volume: &Volume| volume.scope.environment == *environment && !gone.contains(&volume.name);
        let is_in_use = observed.volumes.iter().any(is_left) || observed.containers_of(environment).next().is_some();
        if is_empty && !is_in_use && !is_held(environment) && !gone.contains(&one.record.volume()) {
            let after = (0..plan.steps.len()).collect();
            plan.forget(one, "nothing is left of its environment", after);
        }
    }
}

/// Removes data of this folder's environments that no head and no snapshot needs. A killed run can leave such data
/// behind.
fn unneeded(plan: &mut Plan, root: &str, observed: &Observed, is_held: &dyn Fn(&str) -> bool) {
    let needed = needed(observed);
    let of_containers = observed.containers.iter().flat_map(|one| &one.volumes);
    let mentioned: BTreeSet<&String> =
        of_containers.chain(observed.records.iter().flat_map(|one| &one.record.pins)).collect();
    let gone: BTreeSet<String> = plan.names().map(str::to_owned).collect();
    for volume in
        observed.volumes.iter().filter(|volume| volume.scope.root == root && !is_held(&volume.scope.environment))
    {
        let is_named = needed.contains(&volume.name) || mentioned.contains(&volume.name) || gone.contains(&volume.name);
        if !is_named {
            delete(plan, &volume.name, "no branch and no snapshot needs its data", Vec::new());
        }
    }
}

/// The ephemeral environments that are removed, each with the cause: those of this checkout, and those of other
/// checkouts that are past their time to live. An environment without a lease lives for a day.
fn ephemeral(identity: &Identity, observed: &Observed, now: i64) -> BTreeMap<String, String> {
    let root = identity.root.display().to_string();
    let containers = observed.containers.iter().map(|one| (&one.scope, Some(one.created)));
    let volumes = observed.volumes.iter().map(|one| (&one.scope, None));
    // A run that was killed early leaves only its network. Networks must be removed, because an engine has few
    // addresses for them.
    let networks = observed.networks.iter().map(|one| (&one.scope, None));
    let records = observed.records.iter().map(|one| (&one.record.scope, Some(one.created)));
    let mut found = BTreeMap::new();
    for (scope, created) in containers.chain(volumes).chain(networks).chain(records) {
        if scope.environment.is_empty() || !scope.ephemeral {
            continue;
        }
        let of_lease = scope.lease.as_ref().map(|lease| lease.expires);
        let expires = of_lease.or_else(|| Some(created? + EPHEMERAL_LIFETIME));
        if expires.is_some_and(|expires| now > expires) {
            let whose = match &scope.lease {
                Some(lease) if !lease.owner.is_empty() => format!(" (of {}, job {})", lease.owner, lease.job),
                _ => String::new(),
            };
            found.insert(scope.environment.clone(), format!("past its time to live{whose}"));
        } else if scope.root == root {
            found.entry(scope.environment.clone()).or_insert_with(|| "a killed run left it behind".to_owned());
        }
    }
    found
}

/// Removes unused bases, and the leftovers of killed runs that were making bases.
fn bases(
    plan: &mut Plan,
    identity: &Identity,
    observed: &Observed,
    is_held: &dyn Fn(&str) -> bool,
    (now, unused): (i64, i64),
    is_gone: &dyn Fn(&str) -> bool,
) {
    let root = identity.root.display().to_string();
    // Bases of another user's key are useless here, and this user cannot know whether they are needed.
    let machine = identity.machine();
    let keys = |one: &'_ BaseKey| (one.machine == machine).then(|| one.base.clone());
    let of_volumes = observed.volumes.iter().filter_map(|volume| match &volume.role {
        VolumeRole::Base(key) => keys(key),
        _ => None,
    });
    let of_containers = observed.containers.iter().filter_map(|container| match &container.role {
        ContainerRole::Making(key) => keys(key),
        _ => None,
    });
    let ours = observed.records.iter().map(|one| &one.record).filter(|record| record.machine == machine);
    let of_records = ours.map(|record| record.base().to_owned());
    let names: BTreeSet<String> = of_volumes.chain(of_containers).chain(of_records).collect();
    for name in names.iter().filter(|name| !name.is_empty() && !is_held(name)) {
        let volumes = observed.volumes.iter().filter(|volume| !is_gone(&volume.name));
        let is_used = volumes.flat_map(Volume::layers).any(|layer| layer == name);
        let making = || observed.containers.iter().filter(|container| container.base() == name);
        let record = observed.records.iter().find(|one| one.record.base() == name);
        // Another checkout may still be making the base: its user's locks may be in another place, and not visible
        // here.
        if making().any(|one| one.scope.root != root && now - one.created < MAX_BASE_DURATION) {
            continue;
        }
        // A complete base that is needed keeps its record and its data. Its other containers and volumes only helped to
        // make the base, and a killed run left them behind. Servers among them may still run.
        let is_needed = is_used || record.is_some_and(|record| now - record.created < unused);
        let goes = |name_of_it: &str| !is_needed || serves_making(name, name_of_it);
        let cause = if is_needed { "a killed run left it behind" } else { "no environment is layered on it" };
        let mut before: Vec<usize> =
            making().filter(|one| goes(&one.name)).map(|container| remove(plan, container, cause)).collect();
        if let Some(record) = record.filter(|_| !is_needed) {
            before.push(plan.forget(record, cause, Vec::new()));
        }
        let volumes = observed.volumes.iter().filter(|volume| volume.base() == name);
        for volume in volumes.filter(|volume| goes(&volume.name)) {
            delete(plan, &volume.name, cause, before.clone());
        }
    }
}

fn remove(plan: &mut Plan, container: &Container, cause: &str) -> usize {
    let action = Action::Remove { id: container.id.clone(), name: container.name.clone(), grace: None };
    plan.add("", action, cause, Vec::new())
}

fn delete(plan: &mut Plan, volume: &str, cause: &str, after: Vec<usize>) {
    plan.add("", Action::RemoveVolume { name: volume.to_owned() }, cause, after);
}
