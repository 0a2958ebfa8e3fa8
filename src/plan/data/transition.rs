//! The transition from the current head to the next head: the records that are written before any volume is created,
//! and the resources that are removed last.

use super::super::types::{DesiredService, Transition};
use super::super::{Action, Identity, Plan};
use super::heads::{self, volumes_of, written};
use super::pins::{pins, protecting};
use super::reach::needed;
use crate::model::{Container, Head, Observed, ObservedRecord, Record, VolumeSpec};
use std::collections::BTreeSet;
use std::time::Duration;

impl Transition {
    /// The transition to `head` (none if the current head stays), with these services.
    pub(in crate::plan) fn to(
        head: Option<Head>,
        services: &[DesiredService],
        identity: &Identity,
        observed: &Observed,
    ) -> Self {
        let head = head.map(|head| heads::record(head, identity, observed));
        let mut then = observed.clone();
        then.records.extend(head.as_ref().map(Record::as_made));
        let Some(current) = heads::head_of(&identity.name, identity.branch.as_deref(), &then) else {
            return Self::default();
        };
        let older: Vec<ObservedRecord> = written(&identity.name, &then)
            // A head without a branch was written before data followed branches.
            .filter(|(_, one)| (one.branch == current.branch || one.branch.is_empty()) && **one != current)
            .map(|(one, _)| one.clone())
            .collect();
        let before = needed(&then);
        then.records.retain(|one| !older.contains(one));
        let wanted = services.iter().flat_map(|service| &service.volumes);
        let new: Vec<_> = wanted.filter(|one| then.volume(&one.name).is_none()).map(VolumeSpec::as_made).collect();
        then.volumes.extend(new);
        let needed = needed(&then);
        let is_ours =
            |name: &&String| observed.volume(name).is_some_and(|volume| volume.scope.environment == identity.name);
        let discarded: Vec<String> = before.difference(&needed).filter(is_ours).cloned().collect();
        let named: BTreeSet<&String> = older.iter().filter_map(|one| one.record.head()).flat_map(volumes_of).collect();
        let is_copy = |one: &&Container| {
            let is_wanted =
                || services.iter().flat_map(|service| &service.volumes).any(|volume| volume.name == one.fills());
            named.iter().any(|name| *name == one.fills()) && !is_wanted()
        };
        let unfinished: Vec<Container> = observed.containers.iter().filter(is_copy).cloned().collect();
        let of_older: Vec<String> = older.iter().map(|one| one.record.volume()).collect();
        let mentions = |one: &&ObservedRecord| {
            one.record.pins.iter().any(|name| discarded.contains(name) || of_older.contains(name))
        };
        let mut old_pins: Vec<ObservedRecord> = pins(identity, observed).filter(mentions).cloned().collect();
        then.volumes.retain(|one| observed.volume(&one.name).is_some() && !discarded.contains(&one.name));
        let pin = protecting(services, &old_pins, identity, &then);
        if pin.is_some() {
            old_pins = pins(identity, observed).cloned().collect();
        }
        Self { head, pin, old_pins, unfinished, discarded, older }
    }

    /// Adds the last steps of the transition, which wait until every service has its volumes.
    pub(in crate::plan) fn finish(&self, plan: &mut Plan, observed: &Observed) {
        // The last steps wait for every step before a start. They do not wait for starts and proofs, which may take
        // long.
        let is_before = |action: &Action| !matches!(action, Action::Start { .. } | Action::Prove { .. });
        let mut last: Vec<usize> = (0..plan.steps.len()).filter(|at| is_before(&plan.steps[*at].action)).collect();
        // A server whose data is deleted does not need a clean stop.
        for step in &mut plan.steps {
            if let Action::Remove { id, grace, .. } = &mut step.action
                && let Some(container) = observed.containers.iter().find(|container| container.id == *id)
                && container.volumes.iter().any(|volume| self.discarded.contains(volume))
            {
                *grace = Some(Duration::ZERO);
            }
        }
        for pin in &self.old_pins {
            let cause = if self.pin.is_some() {
                "a newer pin replaces it"
            } else {
                "services use all volumes that it protects"
            };
            last.push(plan.forget(pin, cause, last.clone()));
        }
        for copy in &self.unfinished {
            let action = Action::Remove { id: copy.id.clone(), name: copy.name.clone(), grace: Some(Duration::ZERO) };
            last.push(plan.add("", action, "the copy was interrupted", last.clone()));
        }
        for name in &self.discarded {
            last.push(plan.add("", Action::RemoveVolume { name: name.clone() }, "the data was replaced", last.clone()));
        }
        // The older heads are removed last, so that the next run can finish the work of a killed run.
        for head in &self.older {
            plan.forget(head, "a newer head replaces it", last.clone());
        }
    }
}
