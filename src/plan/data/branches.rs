//! Data that follows git's branches: the switch to another branch, and what is left of branches that are gone.

use super::super::{Action, Identity, Plan};
use super::heads::{head_of, heads, last_used, written};
use super::reach::{Naming, freed};
use crate::model::{Container, Observed, ObservedRecord, RecordKind};
use std::collections::{BTreeMap, BTreeSet};

/// The running containers of an environment that use another branch's data than the one that git is on now.
pub fn on_other_branches<'o>(identity: &Identity, observed: &'o Observed) -> Vec<&'o Container> {
    let Some(branch) = identity.branch.as_deref() else { return Vec::new() };
    let all = heads(&identity.name, observed);
    let named = |is_own: bool| -> BTreeSet<&String> {
        let heads = all.iter().filter(|head| (head.branch == branch) == is_own);
        heads
            .flat_map(|head| head.entries.iter().filter(|entry| entry.volumes.len() == 1))
            .flat_map(|entry| &entry.volumes)
            .collect()
    };
    let (own, others) = (named(true), named(false));
    let uses = |one: &&Container| one.volumes.iter().any(|name| others.contains(name) && !own.contains(name));
    observed
        .containers_of(&identity.name)
        .filter(|one| one.state == "running" && one.runs().is_some())
        .filter(uses)
        .collect()
}

/// The branch whose data was used last, by service, where it is another one than git is on now.
pub fn left_branches(identity: &Identity, observed: &Observed) -> BTreeMap<String, String> {
    let Some(branch) = identity.branch.as_deref() else { return BTreeMap::new() };
    let Some(last) = last_used(&identity.name, observed).filter(|last| last.branch != branch) else {
        return BTreeMap::new();
    };
    let single = last.entries.into_iter().filter(|entry| entry.volumes.len() == 1);
    single.map(|entry| (entry.service, last.branch.clone())).collect()
}

/// Whether the branch that git is on has data of this service already.
pub fn has_own_data(service: &str, identity: &Identity, observed: &Observed) -> bool {
    let head = head_of(&identity.name, identity.branch.as_deref(), observed);
    head.is_some_and(|head| head.entries.iter().any(|entry| entry.service == service))
}

/// What is left of branches that git does not have any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// The branches.
    pub branches: BTreeSet<String>,
    /// The volumes that only they need, upper layers too. Volumes that a snapshot names, or on which others are layered, are
    /// not among them.
    pub volumes: BTreeSet<String>,
}

/// What is left of branches that are not among `branches`. The branch that git is on, and the one whose data was used last,
/// are not gone.
pub fn gone(identity: &Identity, branches: &BTreeSet<String>, observed: &Observed) -> Gone {
    let last = last_used(&identity.name, observed).map(|last| last.branch);
    let is_gone = |branch: &String| {
        let is_used = identity.branch.as_ref() == Some(branch) || last.as_ref() == Some(branch);
        !branch.is_empty() && !branches.contains(branch) && !is_used
    };
    let all = heads(&identity.name, observed).into_iter().map(|head| head.branch);
    let branches: BTreeSet<String> = all.filter(is_gone).collect();
    let is_out = |one: &Naming<'_>| matches!(one, Naming::Branch(environment, branch) if *environment == identity.name && branches.contains(*branch));
    let volumes = freed(identity, &is_out, observed).into_iter().collect();
    Gone { branches, volumes }
}

impl Gone {
    fn heads<'o>(&'o self, identity: &Identity, observed: &'o Observed) -> impl Iterator<Item = &'o ObservedRecord> {
        let all = written(&identity.name, observed).filter(|(_, head)| self.branches.contains(&head.branch));
        all.map(|(one, _)| one)
    }

    /// The engine without it, for deciding what is to be pinned.
    pub fn without(&self, identity: &Identity, observed: &Observed) -> Observed {
        let heads: BTreeSet<&str> = self.heads(identity, observed).map(|one| one.record.name.as_str()).collect();
        let mut rest = observed.clone();
        rest.volumes.retain(|volume| !self.volumes.contains(&volume.name));
        rest.records.retain(|one| !heads.contains(one.record.name.as_str()));
        // No pin is enough any more.
        rest.records
            .iter_mut()
            .filter(|one| one.record.kind == RecordKind::Pin)
            .for_each(|pin| pin.record.pins.clear());
        rest
    }

    /// The steps that remove it, once no pin mentions it. The heads go last, so that a run that is killed is finished by the
    /// next.
    pub fn removal(&self, identity: &Identity, observed: &Observed) -> Plan {
        let mut plan = Plan::default();
        for name in &self.volumes {
            let after = (0..plan.steps.len()).collect();
            plan.add("", Action::RemoveVolume { name: name.clone() }, "its branch is gone", after);
        }
        for head in self.heads(identity, observed) {
            let after = (0..plan.steps.len()).collect();
            plan.forget(head, "its branch is gone", after);
        }
        plan
    }
}
