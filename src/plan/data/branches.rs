//! Data that follows git branches: the switch to another branch, and the data of branches that no longer exist.

use super::super::{Action, Identity, Plan};
use super::heads::{head_of, heads, last_used, written};
use super::pins::without;
use super::reach::{Naming, freed};
use crate::model::{Container, Observed, ObservedRecord};
use std::collections::{BTreeMap, BTreeSet};

/// The running containers of an environment that use data of a branch other than the current git branch.
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

/// The branch whose data was used last, by service; empty if this branch is the current git branch.
pub fn left_branches(identity: &Identity, observed: &Observed) -> BTreeMap<String, String> {
    let Some(branch) = identity.branch.as_deref() else { return BTreeMap::new() };
    let Some(last) = last_used(&identity.name, observed).filter(|last| last.branch != branch) else {
        return BTreeMap::new();
    };
    let single = last.entries.into_iter().filter(|entry| entry.volumes.len() == 1);
    single.map(|entry| (entry.service, last.branch.clone())).collect()
}

/// Whether the current git branch already has data of this service.
pub fn has_own_data(service: &str, identity: &Identity, observed: &Observed) -> bool {
    let head = head_of(&identity.name, identity.branch.as_deref(), observed);
    head.is_some_and(|head| head.entries.iter().any(|entry| entry.service == service))
}

/// The data of branches that no longer exist in git.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// The branches.
    pub branches: BTreeSet<String>,
    /// The volumes that only these branches need, including upper volumes; without volumes that a snapshot names or on
    /// which other volumes are layered.
    pub volumes: BTreeSet<String>,
}

/// The data of branches that are not in `branches`. The current git branch and the branch whose data was used last
/// never count as gone.
pub fn gone(identity: &Identity, branches: &BTreeSet<String>, observed: &Observed) -> Gone {
    let last = last_used(&identity.name, observed).map(|last| last.branch);
    let is_gone = |branch: &String| {
        let is_used = identity.branch.as_ref() == Some(branch) || last.as_ref() == Some(branch);
        !branch.is_empty() && !branches.contains(branch) && !is_used
    };
    let all = heads(&identity.name, observed).into_iter().map(|head| head.branch);
    let branches: BTreeSet<String> = all.filter(is_gone).collect();
    let is_excluded = |one: &Naming<'_>| matches!(one, Naming::Branch(environment, branch) if *environment == identity.name && branches.contains(*branch));
    let volumes = freed(identity, &is_excluded, observed).into_iter().collect();
    Gone { branches, volumes }
}

impl Gone {
    fn heads<'o>(&'o self, identity: &Identity, observed: &'o Observed) -> impl Iterator<Item = &'o ObservedRecord> {
        let all = written(&identity.name, observed).filter(|(_, head)| self.branches.contains(&head.branch));
        all.map(|(one, _)| one)
    }

    /// The state of the engine without this data.
    pub fn without(&self, identity: &Identity, observed: &Observed) -> Observed {
        let heads = self.heads(identity, observed).map(|one| one.record.name.as_str()).collect();
        without(&heads, &self.volumes, observed)
    }

    /// The steps that remove the data, once no pin references it. The heads are removed last, so that the next run can
    /// finish the work of a killed run.
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
