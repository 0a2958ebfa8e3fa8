//! Carries out a plan, with as many steps at the same time as their order allows, and proves each service as it comes
//! up.
//!
//! This module makes no decisions: `plan/` chooses the steps and their order.

pub mod contents;
mod faults;
mod prove;
pub mod seed;
mod stop;

use crate::docker::{Engine, EngineError, Mirror, PullRequest};
use crate::model::{Diagnostic, Event, Failure, PullProgress, Reason, ServiceState};
use crate::plan::{Action, Desired, DesiredService, Plan, Step, platform_mismatch};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
pub use stop::Stop;

/// The inputs of a run in addition to its plan.
pub struct Run<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The state that the plan leads to; empty for a teardown.
    pub desired: &'a Desired,
    /// The mirror of `docker.io`, if there is one.
    pub mirror: Option<&'a Mirror>,
    /// When the command began. Durations in messages count from here.
    pub began: Instant,
    /// How long a service may take to become ready. Also how long a pull may make no progress.
    pub timeout: Duration,
    /// Receives events.
    pub emit: &'a (dyn Fn(Event) + Sync),
    /// Ends the run early.
    pub stop: &'a Stop,
}

/// Carries out every step. Ends early if a step fails, or if it is asked to stop. When it ends, no operation that it
/// began is still running in the engine.
pub async fn apply(plan: &Plan, run: &Run<'_>) -> Result<(), Failure> {
    let failed = Stop::default();
    let walk = Walk { run, failed: &failed, containers: RefCell::default() };
    let mut waiting: Vec<Option<usize>> = plan.steps.iter().map(|step| Some(step.after.len())).collect();
    let mut under_way = FuturesUnordered::new();
    let mut outcome = Ok(());
    loop {
        for (index, step) in plan.steps.iter().enumerate() {
            if waiting[index] == Some(0) && !walk.is_ending() {
                waiting[index] = None;
                let walk = &walk;
                under_way.push(async move { (index, walk.carry_out(plan, step).await) });
            }
        }
        let Some((done, carried_out)) = under_way.next().await else { break };
        match carried_out {
            Ok(true) => {
                for (index, step) in plan.steps.iter().enumerate() {
                    if step.after.contains(&done) {
                        waiting[index] = waiting[index].map(|left| left - 1);
                    }
                }
            }
            Ok(false) => {}
            Err(failure) => {
                if let Some(service) = service_of(run, &plan.steps[done]) {
                    (run.emit)(Event::Service { name: service.name.clone(), state: ServiceState::Failed });
                }
                failed.ask();
                outcome = outcome.and(Err(failure));
            }
        }
    }
    if run.stop.is_asked() { outcome.and_then(|()| Err(faults::stopped())) } else { outcome }
}

fn service_of<'a>(run: &Run<'a>, step: &Step) -> Option<&'a DesiredService> {
    run.desired.services.iter().find(|service| service.name == step.service)
}

/// Whether the run ended because the engine changed meanwhile: another program took a port that the plan had chosen, or
/// the engine only now carried out a request of an earlier run. Another plan takes the change into account.
pub fn is_overtaken(failure: &Failure) -> bool {
    failure.reason == Reason::Overtaken
}

/// Whether the run ended only because it was asked to stop.
pub fn is_stopped(failure: &Failure) -> bool {
    failure.reason == Reason::Stopped
}

struct Walk<'a> {
    run: &'a Run<'a>,
    /// Is asked to stop when a step fails.
    failed: &'a Stop,
    /// The ids of the containers that this run created, by service.
    containers: RefCell<BTreeMap<String, String>>,
}

impl Walk<'_> {
    fn is_ending(&self) -> bool {
        self.failed.is_asked() || self.run.stop.is_asked()
    }

    /// Whether the step was done. A step that only waits is abandoned when the run ends.
    async fn carry_out(&self, plan: &Plan, step: &Step) -> Result<bool, Failure> {
        let done = self.do_it(plan, step);
        if !matches!(step.action, Action::Pull { .. } | Action::Prove { .. }) {
            return done.await.map(|()| true);
        }
        tokio::select! {
            biased;
            done = done => done.map(|()| true),
            () = self.failed.wait() => Ok(false),
            () = self.run.stop.wait() => Ok(false),
        }
    }

    async fn do_it(&self, plan: &Plan, step: &Step) -> Result<(), Failure> {
        let engine = self.run.engine;
        let service = service_of(self.run, step);
        let state = |state| {
            if service.is_some() {
                (self.run.emit)(Event::Service { name: step.service.clone(), state });
            }
        };
        let made = || self.containers.borrow().get(&step.service).cloned().unwrap_or_default();
        let fault = |error: EngineError| faults::of_engine(&error, service);
        match &step.action {
            Action::Pull { image, platform } => self.pull(plan, image, platform.as_deref()).await,
            Action::CreateNetwork { name, scope } => engine.create_network(name, scope).await.map(drop).map_err(fault),
            Action::Write { record, image } => engine.write_record(record, image).await.map(drop).map_err(fault),
            Action::CreateVolume(volume) => engine.create_volume(volume).await.map_err(fault),
            Action::Remove { id, grace, .. } => {
                state(ServiceState::Replacing(step.cause.clone()));
                if service.is_none() && !step.service.is_empty() && !self.run.desired.services.is_empty() {
                    let message = format!("{} is removed: {}", step.service, step.cause);
                    (self.run.emit)(Event::Message(Diagnostic::note("removed", message)));
                }
                engine.stop(id, *grace).await.map_err(fault)?;
                engine.remove_container(id).await.map_err(fault)
            }
            Action::Create(spec) => {
                state(ServiceState::Starting);
                let id = engine.create_container(spec).await.map_err(fault)?;
                self.containers.borrow_mut().insert(step.service.clone(), id);
                Ok(())
            }
            Action::Start { id } => {
                state(ServiceState::Starting);
                engine.start(&id.clone().unwrap_or_else(made)).await.map_err(fault)
            }
            Action::Prove { id } => {
                let Some(service) = service else { return Ok(()) };
                let unchanged = step.after.is_empty();
                let proof = prove::prove(service, &id.clone().unwrap_or_else(made), self.run).await;
                let proof =
                    proof.map_err(|failure| if unchanged { faults::ended_meanwhile(failure) } else { failure })?;
                // On new data, all changes are expected, so they are not reported.
                if unchanged && !proof.done.is_empty() {
                    let message = format!("{}: {}", service.name, proof.done.join(", "));
                    (self.run.emit)(Event::Message(Diagnostic::note("carried-out", message)));
                }
                // From here on, the data that the server has created may be the user's data.
                for volume in service.volumes.iter().filter(|volume| volume.unproven) {
                    engine.remove_volume(&volume.mark()).await.map_err(fault)?;
                }
                state(ServiceState::Ready {
                    took: self.run.began.elapsed(),
                    address: address(service, proof.version.as_deref()),
                    proof: proof.words.to_owned(),
                    unchanged,
                });
                Ok(())
            }
            Action::RemoveVolume { name } => engine.remove_volume(name).await.map_err(fault),
            Action::RemoveNetwork { id, .. } => engine.remove_network(id).await.map_err(fault),
        }
    }

    /// A pull fails if it makes no progress for as long as the timeout. The duration of a download has no limit.
    async fn pull(&self, plan: &Plan, image: &crate::model::ImageRef, platform: Option<&str>) -> Result<(), Failure> {
        let waiting: Vec<&DesiredService> = self
            .run
            .desired
            .services
            .iter()
            .filter(|service| service.container.image == *image && starts(plan, service))
            .collect();
        let names: Vec<String> = waiting.iter().map(|service| service.name.clone()).collect();
        let moved = Mutex::new(Instant::now());
        let last_moved = || *moved.lock().unwrap_or_else(PoisonError::into_inner);
        let mut show = |progress: PullProgress| {
            *moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            (self.run.emit)(Event::Pull { image: image.to_string(), services: names.clone(), progress });
        };
        let request = PullRequest { image, platform, mirror: self.run.mirror };
        let service = waiting.first().copied();
        let mut pull = std::pin::pin!(self.run.engine.pull(request, &mut show));
        loop {
            tokio::select! {
                pulled = &mut pull => {
                    let pulled = pulled.map_err(|fault| faults::of_pull(image, &fault, service))?;
                    let mismatch = |service: &&DesiredService| platform_mismatch(service, &pulled.image, self.run.engine.platform());
                    for warning in waiting.iter().filter_map(mismatch) {
                        (self.run.emit)(Event::Message(warning));
                    }
                    return Ok(());
                }
                () = tokio::time::sleep_until((last_moved() + self.run.timeout).into()) => {
                    if last_moved().elapsed() >= self.run.timeout {
                        return Err(faults::pull_stalled(image, self.run.timeout, service));
                    }
                }
            }
        }
    }
}

/// Whether a service waits for its image. A service that runs as declared does not.
fn starts(plan: &Plan, service: &DesiredService) -> bool {
    !plan.steps.iter().any(|step| step.service == service.name && matches!(step.action, Action::Prove { id: Some(_) }))
}

/// The address of a service: `127.0.0.1:24310`. If the declared version does not decide the release, the release that
/// answered follows.
fn address(service: &DesiredService, answered: Option<&str>) -> String {
    let release = answered.and_then(|version| version.split_whitespace().next());
    let open = release.filter(|release| !service.version.starts_with(release));
    let release = open.map(|release| format!(" · runs {release}")).unwrap_or_default();
    let address = service.endpoints.first().map(|endpoint| format!("{}:{}", endpoint.host, endpoint.port));
    format!("{}{release}", address.unwrap_or_default())
}
