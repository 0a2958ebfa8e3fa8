//! The next phase of `up`. Phases are decided one at a time: each from the state that the engine has after the phase
//! before.

use super::data::branches::on_other_branches;
use super::data::layers::{beginning_empty, unseeded};
use super::data::volumes::{holds_data, known_clone_mode};
use super::{Base, Desired, DesiredService, Identity, Plan};
use crate::model::{CloneMode, Observed, Stack};

/// A phase of `up`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Downloads images. The later phases can be decided only once the engine has the images.
    Pull(Plan),
    /// Stops the servers that use another git branch's data, after they flush the data.
    StopOtherBranch,
    /// Finds the clone mode of this engine, with a test mount of a volume that is layered on this volume.
    FindCloneMode(String),
    /// Makes the bases of these services. `again` names the services that already have a base.
    MakeBases {
        /// The names of the services.
        services: Vec<String>,
        /// The services whose base is rebuilt.
        again: Vec<String>,
    },
    /// Carries out these steps, which lead to the desired state.
    Converge(Plan),
}

/// The finished phases of a run that the state of the engine does not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    has_pulled: bool,
    has_bases: bool,
}

impl Progress {
    /// The progress after this phase.
    #[must_use]
    pub fn after(self, phase: &Phase) -> Self {
        match phase {
            Phase::Pull(_) => Self { has_pulled: true, ..self },
            Phase::MakeBases { .. } => Self { has_bases: true, ..self },
            _ => self,
        }
    }
}

/// The facts that decide the next phase.
pub struct Situation<'a> {
    /// The declared services.
    pub stack: &'a Stack,
    /// The environment.
    pub identity: &'a Identity,
    /// The state of the engine.
    pub observed: &'a Observed,
    /// The desired state.
    pub desired: &'a Desired,
    /// The steps to the desired state.
    pub plan: &'a Plan,
    /// The bases of the services.
    pub bases: &'a dyn Fn() -> Vec<Base>,
    /// The clone mode, if the user set it or an earlier phase found it.
    pub clone_mode: Option<CloneMode>,
    /// Whether fresh data is initialised again although a base exists (`--cold`).
    pub cold: bool,
    /// Whether the bases of all services are made before any service starts, because several environments will start.
    pub bases_first: bool,
    /// Whether a record has to be written and the engine has no image for its container.
    pub needs_image: bool,
}

/// Decides the next phase.
pub fn next(at: &Situation<'_>, progress: Progress) -> Phase {
    let without_base = at.without_base();
    let on_other_branch = !on_other_branches(at.identity, at.observed).is_empty();
    let pulls_first = at.needs_image
        || at.desired.services.iter().any(|service| service.volumes_unknown)
        || without_base.iter().any(|name| at.is_image_absent(name))
        // The servers of the other branch keep running until the engine has every image.
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

    /// Services whose base has to be made before they start: services with seeds; if several environments will start,
    /// all services that have a base and whose data begins empty. While an image is absent, its base is not known yet.
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

    /// A frozen data volume with which a new volume will begin.
    fn begins_with_data(&self) -> Option<String> {
        let volumes = self.desired.services.iter().flat_map(|service| &service.volumes);
        let new = volumes.filter(|volume| self.observed.volume(&volume.name).is_none());
        let parents = new.filter_map(|volume| Some(volume.parent_spec.as_ref()?.whole.clone()));
        parents.into_iter().find(|parent| holds_data(parent, self.observed))
    }
}

/// Services whose new data would begin with an existing base that has seeds.
pub fn seeded(stack: &Stack, desired: &Desired, observed: &Observed) -> Vec<String> {
    let begins = |name: &str| {
        let wanted = desired.services.iter().find(|wanted| wanted.name == name);
        let volume = wanted.and_then(|wanted| wanted.volumes.first());
        volume.is_some_and(|volume| volume.parent_spec.is_some() && observed.volume(&volume.name).is_none())
    };
    let seeded = stack.services.iter().filter(|service| !service.seeds.is_empty());
    seeded.map(|service| service.name.clone()).filter(|name| begins(name)).collect()
}
