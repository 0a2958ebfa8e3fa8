//! What `up` does next. One phase at a time: what comes after it is decided from what the engine has then.

use super::data::branches::on_other_branches;
use super::data::layers::{beginning_empty, unseeded};
use super::data::snapshots::{holds_data, known_clone_mode};
use super::{Base, Desired, DesiredService, Identity, Plan};
use crate::model::{CloneMode, Observed, Stack};

/// A phase of `up`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// These downloads: the rest can be decided only once the images are here.
    Pull(Plan),
    /// The servers that use another git branch's data flush it and stop.
    StopOtherBranch,
    /// Finds out how this engine begins volumes with frozen data, by mounting one over this volume.
    FindCloneMode(String),
    /// Makes the bases of these services. `again` has those of which there is one already.
    MakeBases {
        /// The names of the services.
        services: Vec<String>,
        /// The services whose base is made again.
        again: Vec<String>,
    },
    /// These steps, which lead to what is desired.
    Converge(Plan),
}

/// The phases that a run has behind it, as far as the engine does not show them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    has_pulled: bool,
    has_bases: bool,
}

impl Progress {
    /// The same after this phase.
    #[must_use]
    pub fn after(self, phase: &Phase) -> Self {
        match phase {
            Phase::Pull(_) => Self { has_pulled: true, ..self },
            Phase::MakeBases { .. } => Self { has_bases: true, ..self },
            _ => self,
        }
    }
}

/// What decides the next phase.
pub struct Situation<'a> {
    /// What is declared.
    pub stack: &'a Stack,
    /// Which environment.
    pub identity: &'a Identity,
    /// What the engine has.
    pub observed: &'a Observed,
    /// What should run.
    pub desired: &'a Desired,
    /// The steps to it.
    pub plan: &'a Plan,
    /// The bases of the services.
    pub bases: &'a dyn Fn() -> Vec<Base>,
    /// How volumes begin with frozen data, where the user says it or an earlier phase found it out.
    pub clone_mode: Option<CloneMode>,
    /// Whether fresh data is made again, though there is a base.
    pub cold: bool,
    /// Whether the bases of all services are made before anything starts: several environments are to.
    pub bases_first: bool,
    /// Whether a record is to be written for which no image is here.
    pub needs_image: bool,
}

/// Decides the next phase.
pub fn next(at: &Situation<'_>, progress: &Progress) -> Phase {
    let without_base = at.without_base();
    let on_other_branch = !on_other_branches(at.identity, at.observed).is_empty();
    let pulls_first = at.needs_image
        || at.desired.services.iter().any(|service| service.volumes_unknown)
        || without_base.iter().any(|name| at.is_image_absent(name))
        // The servers of the other branch run until every image is here.
        || on_other_branch && at.desired.services.iter().any(|service| at.is_absent(service));
    if pulls_first && !progress.has_pulled {
        return Phase::Pull(at.plan.pulls());
    }
    if on_other_branch {
        return Phase::StopOtherBranch;
    }
    if at.clone_mode.is_none()
        && known_clone_mode(at.identity, at.observed).is_none()
        && let Some(volume) = at.begins_with_data()
    {
        return Phase::FindCloneMode(volume);
    }
    if !progress.has_bases {
        let again: Vec<String> = if at.cold { seeded(at.stack, at.desired, at.observed) } else { Vec::new() };
        let services: Vec<String> = without_base.into_iter().map(str::to_owned).chain(again.iter().cloned()).collect();
        if !services.is_empty() {
            return Phase::MakeBases { services, again };
        }
    }
    Phase::Converge(at.plan.clone())
}

impl Situation<'_> {
    fn is_absent(&self, service: &DesiredService) -> bool {
        !self.observed.images.contains_key(&service.container.image.to_string())
    }

    fn is_image_absent(&self, name: &str) -> bool {
        self.desired.services.iter().any(|service| service.name == name && self.is_absent(service))
    }

    /// Services whose base is to be made before they start: those with seeds, and where several environments are to start,
    /// all that have one and begin with nothing. The base of an image that is not here is not known yet.
    fn without_base(&self) -> Vec<&str> {
        if !self.bases_first || self.cold {
            return unseeded(self.stack, self.desired, self.observed)
                .into_iter()
                .map(|one| one.name.as_str())
                .collect();
        }
        let empty = beginning_empty(self.stack, self.desired, self.observed).into_iter();
        let mut empty: Vec<&str> = empty.map(|one| one.name.as_str()).collect();
        if !empty.is_empty() {
            let bases = (self.bases)();
            let is_missing =
                |name: &str| bases.iter().any(|base| base.service() == name && base.record(self.observed).is_none());
            empty.retain(|name| self.is_image_absent(name) || is_missing(name));
        }
        empty
    }

    /// The frozen volume with which a new volume is to begin.
    fn begins_with_data(&self) -> Option<String> {
        let volumes = self.desired.services.iter().flat_map(|service| &service.volumes);
        let new = volumes.filter(|volume| self.observed.volume(&volume.name).is_none());
        let parents = new.filter_map(|volume| Some(volume.parent_spec.as_ref()?.whole.clone()));
        parents.into_iter().find(|parent| holds_data(parent, self.observed))
    }
}

/// Services whose new data would begin with a seeded base that is there already.
pub fn seeded(stack: &Stack, desired: &Desired, observed: &Observed) -> Vec<String> {
    let begins = |name: &str| {
        let wanted = desired.services.iter().find(|wanted| wanted.name == name);
        let volume = wanted.and_then(|wanted| wanted.volumes.first());
        volume.is_some_and(|volume| volume.parent_spec.is_some() && observed.volume(&volume.name).is_none())
    };
    let seeded = stack.services.iter().filter(|service| !service.seeds.is_empty());
    seeded.map(|service| service.name.clone()).filter(|name| begins(name)).collect()
}
