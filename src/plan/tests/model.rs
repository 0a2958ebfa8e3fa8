//! A model of the engine, and the invariants of data under any commands that may be killed at any time.
//!
//! The model carries out the plans of `plan/`, request by request. For each volume, the model remembers the moment of
//! the data in the volume. A history is a list of commands. Each command may be killed before, at or after one of its
//! requests, and the engine may carry out this request late, during the next command. A test run creates five thousand
//! histories, or the number in `DEVENV_TEST_HISTORIES`.

use super::*;
use crate::plan;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::BTreeMap;

const IMAGE: &str = "docker.io/library/redis:7.0.15";
const NAMES: [&str; 2] = ["a", "b"];
const BRANCHES: [&str; 3] = ["main", "feature", "fix"];

/// One command of a history.
#[derive(Clone, Debug)]
enum Command {
    Up,
    /// `up SERVICE`.
    UpOne(usize),
    Down,
    Write,
    Save(usize, Services),
    Restore(usize, Services),
    Remove(usize),
    Reset(Services),
    Switch(usize),
    Gc,
    /// Another checkout begins with a snapshot of this checkout.
    Copy(usize),
    /// The other checkout's environment is deleted.
    CopyGone,
    /// `down --volumes`.
    Delete,
}

/// Which of the two services a command names.
type Services = [bool; 2];

const SERVICES: [&str; 2] = ["one", "two"];
const ALL: Services = [true, true];

/// The moment of each service's data. A `write` gives both services the same moment.
type Moments = [u32; 2];

/// The moment at which a command is killed.
#[derive(Clone, Copy, Debug)]
struct Kill {
    /// The number of the request at which the command is killed, from 1.
    at: usize,
    /// When the engine carries out this request; none for never.
    carried_out: Option<When>,
}

#[derive(Clone, Copy, Debug)]
enum When {
    AtOnce,
    /// Before the request with this number of the next command.
    Later(usize),
}

/// One request to the engine. The engine carries out a request completely, or not at all.
#[derive(Clone, Debug)]
enum Call {
    Network(String, Scope),
    Volume(Box<VolumeSpec>),
    Upper(Box<VolumeSpec>),
    Mark(Box<VolumeSpec>),
    Filling(Box<VolumeSpec>),
    Copying(Box<VolumeSpec>),
    Container(Box<ContainerSpec>),
    Start(String),
    Stop(String),
    Remove(String),
    RemoveVolume(String),
    RemoveNetwork(String),
    Record(Box<Record>),
}

impl Call {
    /// The name of the container that the request creates.
    fn container(&self) -> Option<String> {
        match self {
            Self::Container(spec) => Some(spec.name.clone()),
            Self::Filling(volume) => Some(format!("{}.filling", volume.name)),
            Self::Copying(volume) => Some(format!("{}.copying", volume.name)),
            _ => None,
        }
    }
}

/// The reason why a command ended early.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Killed,
    /// The engine refused a request: the state of the engine has changed since it was observed.
    Refused,
}

struct Model {
    kinds: Kinds,
    clone_mode: CloneMode,
    observed: Observed,
    /// The moment of the data that each volume holds.
    held: BTreeMap<String, u32>,
    moment: u32,
    /// The upper volumes to which a server wrote.
    written: BTreeSet<String>,
    ids: u32,
    kill: Option<Kill>,
    asked: usize,
    late: Option<(usize, Call)>,
    branch: Option<usize>,
    /// The requests that the engine refused, to find the cause of a failed test.
    refused: Vec<String>,
}

impl Model {
    fn new(clone_mode: CloneMode, branches: bool) -> Self {
        let mut observed = Observed { platform: "linux/amd64".into(), ..Observed::default() };
        observed.images.insert(IMAGE.into(), LocalImage { id: "image".into(), ..LocalImage::default() });
        let (kinds, branch) = (Kinds::built_in().unwrap(), branches.then_some(0));
        let (held, late, kill) = (BTreeMap::new(), None, None);
        let written = BTreeSet::new();
        Self {
            kinds,
            clone_mode,
            observed,
            held,
            moment: 0,
            written,
            ids: 0,
            kill,
            asked: 0,
            late,
            branch,
            refused: Vec::new(),
        }
    }

    fn shop(&self) -> Identity {
        Identity { branch: self.branch.map(|branch| BRANCHES[branch].to_owned()), ..identity() }
    }

    fn copy() -> Identity {
        Identity::of_checkout("shop", Path::new("/copy"), Key::from_bytes([7; 32]))
    }

    fn ask(&mut self, ask: Call) -> Result<(), End> {
        self.asked += 1;
        if self.late.as_ref().is_some_and(|(at, _)| *at <= self.asked)
            && let Some((_, late)) = self.late.take()
        {
            let _ = self.carry_out(late);
        }
        if let Some(kill) = self.kill.filter(|kill| kill.at == self.asked) {
            // Only the creation of a container takes long enough to be late. The volume of a record exists before its
            // container. A removal, a start or a stop is finished before another command asks, or `up` waits for it
            // (`docker/pending_stops.rs`).
            let takes_time = matches!(ask, Call::Container(_) | Call::Filling(_) | Call::Copying(_));
            match kill.carried_out {
                Some(When::Later(_)) if !takes_time => drop(self.carry_out(ask)),
                Some(When::AtOnce) => drop(self.carry_out(ask)),
                Some(When::Later(at)) => self.late = Some((at, ask)),
                None => {}
            }
            return Err(End::Killed);
        }
        let context = format!("{ask:?}");
        let done = self.carry_out(ask);
        if done.is_err() {
            self.refused.push(context);
        }
        done
    }

    fn named(&self, id: &str) -> Option<usize> {
        self.observed.containers.iter().position(|one| one.id == id || one.name == id)
    }

    fn is_mentioned(&self, volume: &str) -> bool {
        let by_container = self.observed.containers.iter().any(|one| one.volumes.iter().any(|name| name == volume));
        let by_record = |one: &ObservedRecord| {
            !one.id.is_empty() && (one.record.volume() == volume || one.record.pins.iter().any(|name| name == volume))
        };
        by_container || self.observed.records.iter().any(by_record)
    }

    fn container(&mut self, name: String, scope: Scope, role: ContainerRole, volumes: Vec<String>) -> Result<(), End> {
        let is_taken = self.observed.records.iter().any(|one| one.record.name == name);
        // A container that the engine is still creating already has its name.
        let is_made = self.late.as_ref().and_then(|(_, late)| late.container()).is_some_and(|made| made == name);
        if is_taken || is_made || self.named(&name).is_some() {
            return Err(End::Refused);
        }
        self.ids += 1;
        let (id, image_id) = (format!("id{}", self.ids), "image".to_owned());
        let networks = Some(BTreeSet::from([scope.environment.clone()]));
        let state = "created".to_owned();
        let one = Container { id, name, state, scope, role, image_id, volumes, networks, ..Container::default() };
        self.observed.containers.push(one);
        self.observed.containers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(())
    }

    fn volume(&mut self, volume: Volume, moment: u32) {
        if self.observed.volume(&volume.name).is_none() {
            self.held.insert(volume.name.clone(), moment);
            self.observed.volumes.push(volume);
            self.observed.volumes.sort_by(|one, other| one.name.cmp(&other.name));
        }
    }

    /// Carries out one request, atomically.
    fn carry_out(&mut self, ask: Call) -> Result<(), End> {
        match ask {
            Call::Network(name, scope) => {
                if !self.observed.networks.iter().any(|one| one.name == name) {
                    self.observed.networks.push(Network { id: name.clone(), name, scope });
                }
            }
            Call::Upper(volume) => {
                let upper = upper_volume(&volume.name);
                assert!(!self.written.contains(&upper), "{upper} has data of an earlier volume");
                let role = VolumeRole::Upper(volume.name.clone());
                self.volume(Volume { name: upper_volume(&volume.name), scope: volume.scope.clone(), role }, 0);
            }
            Call::Mark(volume) => {
                let role = VolumeRole::Unproven(volume.name.clone());
                self.volume(Volume { name: volume.mark(), scope: volume.scope.clone(), role }, 0);
            }
            Call::Volume(volume) => {
                let begins =
                    volume.parent_spec.as_ref().map_or(Some(&0), |parent_spec| self.held.get(&parent_spec.whole));
                let begins = *begins.expect("the parent of a volume exists");
                for layer in volume.parent_spec.iter().flat_map(ParentSpec::volumes) {
                    assert!(self.observed.volume(layer).is_some(), "the layer {layer} of {} exists", volume.name);
                }
                self.volume(volume.as_made(), begins);
            }
            Call::Filling(volume) => {
                let scope = Scope { root: volume.scope.root.clone(), ..Scope::default() };
                let role = ContainerRole::Filling(volume.name.clone());
                let whole = volume.parent_spec.iter().map(|parent_spec| parent_spec.whole.clone()).collect();
                self.container(format!("{}.filling", volume.name), scope, role, whole)?;
            }
            Call::Copying(volume) => {
                let scope = Scope { root: volume.scope.root.clone(), ..Scope::default() };
                let role = ContainerRole::Filling(volume.name.clone());
                let mounts = volume
                    .parent_spec
                    .iter()
                    .map(|parent_spec| parent_spec.whole.clone())
                    .chain([volume.name.clone()])
                    .collect();
                self.container(format!("{}.copying", volume.name), scope, role, mounts)?;
                // The data is incomplete until the copy is finished.
                self.volume(volume.as_made(), u32::MAX);
            }
            Call::Container(spec) => {
                let mounts = spec.mounts.iter().map(|mount| mount.volume.clone()).chain(spec.pinned_volumes.clone());
                self.container(spec.name.clone(), spec.scope.clone(), spec.role.clone(), mounts.collect())?;
            }
            Call::Start(name) => {
                let at = self.named(&name).ok_or(End::Refused)?;
                if let ContainerRole::Filling(volume) = self.observed.containers[at].role.clone() {
                    let whole = self.observed.containers[at].volumes[0].clone();
                    let held = self.held[&whole];
                    self.held.insert(volume, held);
                    self.observed.containers[at].state = "exited".to_owned();
                } else {
                    self.observed.containers[at].state = "running".to_owned();
                }
            }
            Call::Stop(id) => {
                let at = self.named(&id).ok_or(End::Refused)?;
                if self.observed.containers[at].state == "running" {
                    self.observed.containers[at].state = "exited".to_owned();
                }
            }
            Call::Remove(id) => {
                self.observed.containers.retain(|one| one.id != id && one.name != id);
                for one in &mut self.observed.records {
                    if one.id == id {
                        one.id.clear();
                    }
                }
                self.observed.records.retain(|one| one.has_volume || !one.id.is_empty());
            }
            Call::RemoveVolume(name) => {
                if self.is_mentioned(&name) {
                    return Err(End::Refused);
                }
                self.observed.volumes.retain(|one| one.name != name);
                self.written.remove(&name);
                self.held.remove(&name);
                self.observed.records.retain(|one| one.record.volume() != name || !one.id.is_empty());
            }
            Call::RemoveNetwork(id) => self.observed.networks.retain(|one| one.id != id),
            Call::Record(record) => {
                let known = self.observed.records.iter_mut().find(|one| one.record.name == record.name);
                self.ids += 1;
                let id = format!("id{}", self.ids);
                match known {
                    // The name of a head's record is a hash of its content, so both records are the same.
                    Some(known) if known.record.head().is_some() => {}
                    Some(known) if known.id.is_empty() => known.id = id,
                    Some(_) => return Err(End::Refused),
                    None => {
                        let id = if record.head().is_some() { String::new() } else { id };
                        let created = i64::from(self.ids);
                        let image_id = "image".to_owned();
                        let one = ObservedRecord { id, has_volume: true, created, image_id, record: *record };
                        self.observed.records.push(one);
                    }
                }
            }
        }
        Ok(())
    }

    fn desired(&self, identity: &Identity, source: Option<&plan::Source>) -> Desired {
        self.asked(identity, source, |stack, request| desired(stack, request).unwrap())
    }

    fn asked<T>(
        &self,
        identity: &Identity,
        source: Option<&plan::Source>,
        ask: impl FnOnce(&Stack, &Request<'_>) -> T,
    ) -> T {
        let stack = stack(vec![service("one", "redis", "7.0.15"), service("two", "redis", "7.0.15")]);
        let (passwords, fresh) = (BTreeMap::new(), BTreeSet::new());
        let request = Request {
            kinds: &self.kinds,
            identity,
            observed: &self.observed,
            passwords: &passwords,
            fresh: &fresh,
            is_free: &|_, _| true,
            fixed_ports: FixedPorts::Claimed,
            source,
            cold: false,
            clone_mode: Some(self.clone_mode),
        };
        ask(&stack, &request)
    }

    fn step(&mut self, action: &Action, made: &str) -> Result<(), End> {
        match action {
            Action::Pull { .. } | Action::Prove { .. } => Ok(()),
            Action::CreateNetwork { name, scope } => self.ask(Call::Network(name.clone(), scope.clone())),
            Action::Write { record, .. } => self.record(*record.clone()),
            Action::CreateVolume(volume) => match volume.parent_spec.as_ref().map(|parent_spec| parent_spec.clone_mode)
            {
                Some(CloneMode::Overlay) => {
                    self.ask(Call::Upper(volume.clone()))?;
                    self.ask(Call::Volume(volume.clone()))
                }
                Some(CloneMode::Copy) => {
                    // A mark that a killed run left is still valid. A mark that the engine is still creating is waited
                    // for.
                    match self.ask(Call::Filling(volume.clone())) {
                        Err(End::Killed) => return Err(End::Killed),
                        Err(End::Refused) => {
                            if let Some((_, late)) = self.late.take_if(|(_, late)| matches!(late, Call::Filling(_))) {
                                let _ = self.carry_out(late);
                            }
                        }
                        Ok(()) => {}
                    }
                    self.ask(Call::Copying(volume.clone()))?;
                    self.ask(Call::Start(format!("{}.copying", volume.name)))?;
                    self.ask(Call::Remove(format!("{}.copying", volume.name)))?;
                    self.ask(Call::Remove(format!("{}.filling", volume.name)))
                }
                None => {
                    if volume.unproven {
                        self.ask(Call::Mark(volume.clone()))?;
                    }
                    self.ask(Call::Volume(volume.clone()))
                }
            },
            Action::Remove { id, .. } => {
                // If the container no longer exists, it counts as removed.
                if self.named(id).is_some() {
                    self.ask(Call::Stop(id.clone()))?;
                }
                self.ask(Call::Remove(id.clone()))
            }
            Action::Create(spec) => self.ask(Call::Container(spec.clone())),
            Action::Start { id } => self.ask(Call::Start(id.clone().unwrap_or_else(|| made.to_owned()))),
            Action::RemoveVolume { name } => self.ask(Call::RemoveVolume(name.clone())),
            Action::RemoveNetwork { id, .. } => self.ask(Call::RemoveNetwork(id.clone())),
        }
    }

    fn carry_out_plan(&mut self, plan: &Plan, desired: Option<&Desired>) -> Result<(), End> {
        for step in &plan.steps {
            let service = desired.and_then(|desired| desired.services.iter().find(|one| one.name == step.service));
            let made = service.map(|service| service.container.name.clone()).unwrap_or_default();
            self.step(&step.action, &made)?;
            if let (Action::Prove { .. }, Some(service)) = (&step.action, service) {
                for volume in service.volumes.iter().filter(|volume| volume.unproven) {
                    self.ask(Call::RemoveVolume(volume.mark()))?;
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, record: Record) -> Result<(), End> {
        self.ask(Call::Record(Box::new(record)))
    }

    fn forget(&mut self, one: &ObservedRecord) -> Result<(), End> {
        if !one.id.is_empty() {
            self.ask(Call::Remove(one.id.clone()))?;
        }
        self.ask(Call::RemoveVolume(one.record.volume()))?;
        self.observed.records.retain(|known| known.record.name != one.record.name || !known.id.is_empty());
        Ok(())
    }

    fn pin(&mut self, identity: &Identity, observed: &Observed) -> Result<(), End> {
        if let Some(made) = pin(identity, observed) {
            self.record(made)?;
            for old in pins(identity, observed).cloned().collect::<Vec<_>>() {
                self.forget(&old)?;
            }
        }
        Ok(())
    }

    fn stop(&mut self, identity: &Identity, is_wanted: impl Fn(&Container) -> bool) -> Result<(), End> {
        let ours = self.observed.containers_of(&identity.name).filter(|one| one.state == "running" && is_wanted(one));
        let ids: Vec<String> = ours.map(|one| one.id.clone()).collect();
        ids.into_iter().try_for_each(|id| self.ask(Call::Stop(id)))
    }

    fn up(&mut self, identity: &Identity) -> Result<(), End> {
        self.up_of(identity, None)
    }

    /// `up` of one service, or of all.
    fn up_of(&mut self, identity: &Identity, only: Option<&str>) -> Result<(), End> {
        let mut outcome = Err(End::Refused);
        for _ in 0..6 {
            outcome = self.try_up(identity, only);
            if outcome != Err(End::Refused) {
                break;
            }
        }
        outcome
    }

    fn try_up(&mut self, identity: &Identity, only: Option<&str>) -> Result<(), End> {
        let observed = self.observed.clone();
        for one in unprotected(identity, &observed) {
            self.record(one.record)?;
        }
        let others: BTreeSet<String> =
            on_other_branches(identity, &observed).iter().map(|one| one.id.clone()).collect();
        self.stop(identity, |one| others.contains(&one.id))?;
        let desired = self.desired(identity, None);
        let plan = diff(&desired, &self.observed, &BTreeSet::new()).unwrap();
        let plan = only.map_or_else(|| plan.clone(), |only| plan.of_services(&[only.to_owned()]));
        self.carry_out_plan(&plan, Some(&desired))
    }

    fn restore(&mut self, to: &BTreeMap<String, Option<String>>) -> Result<(), End> {
        let identity = self.shop();
        let desired = self.desired(&identity, None);
        let head = self.asked(&identity, None, |_, request| restoring(to, &desired, request)).unwrap();
        self.record(head)?;
        self.up(&identity)
    }

    /// The moment of the data in the volume of each running service.
    fn moments(&self, identity: &Identity) -> Moments {
        SERVICES.map(|name| {
            let container = self.observed.container(&identity.name, name).expect("every service has a container");
            assert_eq!(container.state, "running", "{name}");
            self.held[&container.volumes[0]]
        })
    }

    /// The moment of each service's data in a snapshot; none for a service that the snapshot does not contain.
    fn moments_in(&self, snapshot: &Snapshot) -> [Option<u32>; 2] {
        SERVICES.map(|name| snapshot.data.get(name).map(|volume| self.held[volume]))
    }

    fn write(&mut self, identity: &Identity) {
        self.moment += 1;
        let running = self.observed.containers_of(&identity.name).filter(|one| one.state == "running");
        let volumes: Vec<String> = running.map(|one| one.volumes[0].clone()).collect();
        for volume in volumes {
            let named = self.observed.records.iter().filter(|one| one.record.snapshot().is_some());
            assert!(!named.flat_map(|one| one.record.data.values()).any(|data| *data == volume), "{volume} is frozen");
            let mut layers = self.observed.volumes.iter().filter(|one| one.is_overlay()).flat_map(Volume::layers);
            assert!(
                !layers.any(|layer| *layer == volume || *layer == format!("{}/upper", upper_volume(&volume))),
                "{volume}"
            );
            if self.observed.volume(&volume).is_some_and(Volume::is_overlay) {
                self.written.insert(upper_volume(&volume));
            }
            self.held.insert(volume, self.moment);
        }
    }
}

/// The data that a user may expect, after all commands and kills so far.
#[derive(Default)]
struct Expected {
    /// The moments that the data of each branch may have.
    of_branch: BTreeMap<usize, BTreeSet<Moments>>,
    /// The branches whose first `up` was interrupted: their data may have begun with another moment.
    begun: BTreeSet<usize>,
    /// The branches whose data may be in use: the branch of the last successful command, and the branches of all
    /// commands that were killed since then.
    used: BTreeSet<usize>,
    /// The moments that the snapshot with this name may have, its services, and whether the snapshot has to exist.
    snapshots: BTreeMap<usize, (BTreeSet<Moments>, Services, bool)>,
    is_up: bool,
}

fn run(history: &[(Command, Option<Kill>)], clone_mode: CloneMode, branches: bool) {
    let mut model = Model::new(clone_mode, branches);
    let mut expected = Expected::default();
    for (at, (command, kill)) in history.iter().enumerate() {
        (model.kill, model.asked) = (*kill, 0);
        let context = format!("command {at}, {command:?} killed {kill:?}, {clone_mode}");
        one(&mut model, &mut expected, command, &context);
        model.kill = None;
        // A late request is carried out before the next command observes the engine.
        if let Some((_, late)) = model.late.take_if(|(at, _)| *at == 0) {
            let _ = model.carry_out(late);
        }
    }
    if let Some((_, late)) = model.late.take() {
        let _ = model.carry_out(late);
    }
    one(&mut model, &mut expected, &Command::Up, "in the end");
    for name in 0..NAMES.len() {
        one(&mut model, &mut expected, &Command::Remove(name), "in the end");
    }
    one(&mut model, &mut expected, &Command::CopyGone, "in the end");
    let shop = model.shop();
    for _ in 0..2 {
        let plan = teardown(&shop, &model.observed, true);
        let plan = plan.with_volumes_last();
        assert_eq!(model.carry_out_plan(&plan, None), Ok(()), "{plan:?}");
        let plan = garbage(&shop, &model.observed, &|_| false, 1_000_000);
        assert_eq!(model.carry_out_plan(&plan, None), Ok(()), "{plan:?}");
    }
    let left = &model.observed;
    assert!(left.containers.is_empty() && left.volumes.is_empty() && left.records.is_empty(), "leaked: {left:#?}");
}

fn one(model: &mut Model, expected: &mut Expected, command: &Command, context: &str) {
    let branch = model.branch.unwrap_or_default();
    let shop = model.shop();
    let snapshot_of = |model: &Model, name: &usize| {
        let all = snapshots(&model.shop(), &model.observed);
        all.into_iter().find(|one| one.name == NAMES[*name])
    };
    let may_be = |expected: &mut Expected| {
        let used = expected.used.iter().filter_map(|used| expected.of_branch.get(used));
        let mut begins: BTreeSet<Moments> = used.flatten().copied().collect();
        if begins.is_empty() {
            begins.insert([0, 0]);
        }
        if expected.begun.contains(&branch) || !expected.of_branch.contains_key(&branch) {
            expected.of_branch.entry(branch).or_default().extend(begins);
            expected.begun.insert(branch);
        }
    };
    match command {
        Command::Up => {
            may_be(expected);
            let ended = model.up(&shop);
            after(model, expected, branch, &ended, context);
        }
        Command::Write => {
            if expected.is_up {
                model.write(&shop);
                expected.of_branch.insert(branch, BTreeSet::from([[model.moment; 2]]));
            }
        }
        Command::Down => {
            let observed = model.observed.clone();
            let ended = model.pin(&shop, &observed).and_then(|()| {
                let plan = teardown(&shop, &model.observed, false);
                model.carry_out_plan(&plan, None)
            });
            assert_ne!(ended, Err(End::Refused), "{context}");
            expected.is_up = false;
        }
        Command::Save(name, services) => {
            if !expected.is_up || snapshot_of(model, name).is_some() || is_unfinished(&shop, &model.observed) {
                return;
            }
            let is_saved = |service: &str| names_of(services).any(|name| name == service);
            let ended = model.stop(&shop, |one| is_saved(one.service())).and_then(|()| {
                let mut data = data(&model.desired(&shop, None), &model.observed);
                data.retain(|service, _| is_saved(service));
                let record = saving(NAMES[*name], model.clone_mode, &data, &shop, &model.observed);
                model.record(record)
            });
            let moments = expected.of_branch[&branch].clone();
            expected.snapshots.insert(*name, (moments, *services, ended.is_ok()));
            let ended = ended.and_then(|()| model.up(&shop));
            after(model, expected, branch, &ended, context);
        }
        Command::Restore(name, services) => {
            let Some(mut found) = snapshot_of(model, name) else { return };
            found.data.retain(|service, _| names_of(services).any(|name| name == service));
            if found.data.is_empty() || is_unfinished(&shop, &model.observed) {
                return;
            }
            may_be(expected);
            let restored = SERVICES.map(|service| found.data.contains_key(service));
            let to = found.data.into_iter().map(|(service, volume)| (service, Some(volume))).collect();
            let ended = model.restore(&to);
            let moments = expected.snapshots[name].0.clone();
            replaced(expected, branch, restored, &moments, ended.is_ok());
            after(model, expected, branch, &ended, context);
        }
        Command::Reset(services) => {
            if is_unfinished(&shop, &model.observed) || !expected.is_up {
                return;
            }
            let to = names_of(services).map(|name| (name.to_owned(), None)).collect();
            let ended = model.restore(&to);
            replaced(expected, branch, *services, &BTreeSet::from([[0, 0]]), ended.is_ok());
            after(model, expected, branch, &ended, context);
        }
        Command::Remove(name) => {
            let Some(found) = snapshot_of(model, name) else { return };
            if is_unfinished(&shop, &model.observed) {
                return;
            }
            let volumes: BTreeSet<String> = unneeded(&found, &shop, &model.observed).into_iter().collect();
            let record = model.observed.records.iter().find(|one| one.record.name == found.record).cloned().unwrap();
            let observed = model.observed.clone();
            let is_pinned = pins(&shop, &observed).any(|pin| pin.record.pins.iter().any(|name| volumes.contains(name)));
            let ended = model.forget(&record).and_then(|()| {
                if is_pinned {
                    model.pin(&shop, &plan::without(&BTreeSet::from([found.record.as_str()]), &volumes, &observed))?;
                }
                for volume in volumes {
                    if model.ask(Call::RemoveVolume(volume)) == Err(End::Killed) {
                        return Err(End::Killed);
                    }
                }
                Ok(())
            });
            match ended {
                Ok(()) => drop(expected.snapshots.remove(name)),
                Err(_) => drop(expected.snapshots.get_mut(name).map(|(_, _, has_to)| *has_to = false)),
            }
        }
        Command::Switch(to) => {
            if model.branch.is_some() {
                model.branch = Some(*to);
                // The running services use the other branch's data until the next `up`.
                expected.is_up = false;
            }
        }
        Command::Gc => {
            let is_killed = model.kill.is_some() || model.late.is_some();
            let observed = model.observed.clone();
            let pinned = if plan::pins_too_much(&shop, &observed) { model.pin(&shop, &observed) } else { Ok(()) };
            let ended = pinned.and_then(|()| {
                let plan = garbage(&shop, &model.observed, &|_| false, 1_000_000);
                model.carry_out_plan(&plan, None)
            });
            if !is_killed {
                assert_eq!(ended, Ok(()), "{context}: {:?}", model.refused);
                let needed = crate::plan::data::reach::needed(&model.observed);
                let of_containers: BTreeSet<&String> =
                    model.observed.containers.iter().flat_map(|one| &one.volumes).collect();
                let is_left = |one: &&Volume| !needed.contains(&one.name) && !of_containers.contains(&one.name);
                let ours = model.observed.volumes.iter().filter(|one| one.scope.environment == shop.name);
                let left: Vec<&String> = ours.filter(is_left).map(|one| &one.name).collect();
                assert!(left.is_empty(), "volumes that nothing needs, {context}: {left:?}");
            }
        }
        Command::UpOne(at) => {
            may_be(expected);
            let ended = model.up_of(&shop, Some(SERVICES[*at]));
            assert_ne!(ended, Err(End::Refused), "{context}: {:?}", model.refused);
            expected.is_up = false;
            if ended.is_ok() {
                let container = model.observed.container(&shop.name, SERVICES[*at]).expect("its container");
                let moment = model.held[&container.volumes[0]];
                let may_be = expected.of_branch.entry(branch).or_default();
                may_be.retain(|one| one[*at] == moment);
                assert!(!may_be.is_empty(), "data of another moment, {context}: {moment}");
                expected.begun.remove(&branch);
                expected.used = BTreeSet::from([branch]);
            } else {
                expected.used.insert(branch);
            }
        }
        Command::Delete => {
            // A late request of the killed command can make the engine refuse a removal: the user repeats the command.
            for _ in 0..4 {
                let plan = teardown(&shop, &model.observed, true).with_volumes_last();
                if model.carry_out_plan(&plan, None) == Ok(()) {
                    break;
                }
                (model.kill, model.asked) = (None, 0);
            }
            *expected = Expected::default();
        }
        Command::Copy(name) => {
            let copy = Model::copy();
            let Some(found) = snapshot_of(model, name) else { return };
            if model.observed.data_of(&copy.name).next().is_some() || is_unfinished(&copy, &model.observed) {
                return;
            }
            let source = plan::Source { environment: shop.name.clone(), data: found.data };
            let head = model.desired(&copy, Some(&source)).transition.head.unwrap();
            let _ = model.record(head).and_then(|()| model.up(&copy));
            // Even if this command was killed, the next `up` finishes the copy.
            (model.kill, model.asked) = (None, 0);
            if is_unfinished(&copy, &model.observed) || model.observed.data_of(&copy.name).next().is_some() {
                assert_eq!(model.up(&copy), Ok(()), "{context}");
                let moments = model.moments(&copy);
                let (may_be, services, _) = &expected.snapshots[name];
                // A service that the snapshot does not contain has its initial data.
                let may_be: BTreeSet<Moments> = may_be.iter().map(|one| mixed(*services, *one, [0, 0])).collect();
                assert!(may_be.contains(&moments), "not the named snapshot, {context}: {moments:?}, not of {may_be:?}");
                model.write(&copy);
            }
        }
        Command::CopyGone => {
            let copy = Model::copy();
            for _ in 0..2 {
                let plan = teardown(&copy, &model.observed, true).with_volumes_last();
                if model.carry_out_plan(&plan, None) == Err(End::Killed) {
                    (model.kill, model.asked) = (None, 0);
                }
            }
        }
    }
    // An older head is removed together with its volumes, in any order.
    let mut current = model.observed.clone();
    let place =
        |one: &ObservedRecord| (one.record.scope.environment.clone(), one.record.head().map(|one| one.branch.clone()));
    current.records.retain(|one| {
        let newer = |other: &&ObservedRecord| {
            place(other) == place(one)
                && other.record.head().map(|one| one.sequence) > one.record.head().map(|one| one.sequence)
        };
        one.record.head().is_none() || !model.observed.records.iter().any(|other| newer(&other))
    });
    let needed = crate::plan::data::reach::needed(&current);
    for volume in current.volumes.iter().filter(|volume| volume.is_overlay() && needed.contains(&volume.name)) {
        let is_there = |layer: &String| model.observed.volume(volume_of(layer)).is_some();
        assert!(volume.layers().iter().all(is_there), "a layer of {} is lost, {context}", volume.name);
    }
    // Every saved snapshot exists and is unchanged, in spite of all kills.
    for (name, (may_be, services, has_to)) in &expected.snapshots {
        match snapshot_of(model, name) {
            Some(found) => {
                let held = model.moments_in(&found);
                let is_it = |one: &Moments| [0, 1].map(|at| services[at].then_some(one[at])) == held;
                assert!(may_be.iter().any(is_it), "other data in a snapshot, {context}: {held:?} of {may_be:?}");
            }
            None => assert!(!has_to, "a snapshot is lost, {context}"),
        }
    }
}

fn names_of(services: &Services) -> impl Iterator<Item = &'static str> {
    let named = *services;
    SERVICES.into_iter().zip(named).filter_map(|(name, is_named)| is_named.then_some(name))
}

/// The moments after these services got other data.
fn mixed(services: Services, other: Moments, current: Moments) -> Moments {
    [0, 1].map(|at| if services[at] { other[at] } else { current[at] })
}

/// Expects that these services have data of other moments. After a kill, all of them have it, or none.
fn replaced(expected: &mut Expected, branch: usize, services: Services, others: &BTreeSet<Moments>, is_done: bool) {
    let current = expected.of_branch.remove(&branch).unwrap_or_default();
    let with = |one: &Moments| others.iter().map(|other| mixed(services, *other, *one)).collect::<Vec<_>>();
    let then: BTreeSet<Moments> = current.iter().flat_map(with).collect();
    expected.of_branch.insert(branch, if is_done { then } else { &current | &then });
}

fn after(model: &Model, expected: &mut Expected, branch: usize, ended: &Result<(), End>, context: &str) {
    expected.is_up = ended.is_ok();
    assert_ne!(*ended, Err(End::Refused), "it does not converge, {context}: {:#?}", model.refused);
    if ended.is_ok() {
        let moments = model.moments(&model.shop());
        let may_be = &expected.of_branch[&branch];
        assert!(may_be.contains(&moments), "data of another moment, {context}: {moments:?}, not of {may_be:?}");
        expected.of_branch.insert(branch, BTreeSet::from([moments]));
        expected.begun.remove(&branch);
        expected.used = BTreeSet::from([branch]);
        assert!(!is_unfinished(&model.shop(), &model.observed), "a finished `up` leaves nothing to finish, {context}");
    } else {
        expected.used.insert(branch);
    }
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => Just(Command::Up),
        4 => Just(Command::Write),
        2 => Just(Command::Down),
        3 => (0..NAMES.len(), services()).prop_map(|(name, services)| Command::Save(name, services)),
        3 => (0..NAMES.len(), services()).prop_map(|(name, services)| Command::Restore(name, services)),
        1 => (0..NAMES.len()).prop_map(Command::Remove),
        1 => services().prop_map(Command::Reset),
        3 => (0..BRANCHES.len()).prop_map(Command::Switch),
        1 => Just(Command::Gc),
        2 => (0..SERVICES.len()).prop_map(Command::UpOne),
        1 => Just(Command::Delete),
        2 => (0..NAMES.len()).prop_map(Command::Copy),
        1 => Just(Command::CopyGone),
    ]
}

/// Mostly all services, as most users do.
fn services() -> impl Strategy<Value = Services> {
    prop_oneof![3 => Just(ALL), 1 => Just([true, false]), 1 => Just([false, true])]
}

fn kill() -> impl Strategy<Value = Option<Kill>> {
    let when = prop_oneof![
        2 => Just(None),
        2 => Just(Some(When::AtOnce)),
        1 => (0..6_usize).prop_map(|at| Some(When::Later(at))),
    ];
    prop_oneof![
        1 => Just(None),
        1 => (1..14_usize, when).prop_map(|(at, carried_out)| Some(Kill { at, carried_out })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: u32::try_from(number("DEVENV_TEST_HISTORIES", 5000)).unwrap_or(u32::MAX),
        max_shrink_iters: 4000,
        failure_persistence: None,
        // Every run tests the same histories. Set another seed to test other histories.
        rng_seed: RngSeed::Fixed(number("DEVENV_TEST_SEED", 20_261_130)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_history_of_commands_loses_mixes_or_leaks_data(
        history in prop::collection::vec((command(), kill()), 1..12),
        overlay in any::<bool>(),
        branches in any::<bool>(),
    ) {
        run(&history, if overlay { CloneMode::Overlay } else { CloneMode::Copy }, branches);
    }
}

/// A number from an environment variable.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Kills at each of the first requests. The engine carries out this request.
fn killed_anywhere() -> impl Iterator<Item = Option<Kill>> {
    (1..16).map(|at| Some(Kill { at, carried_out: Some(When::AtOnce) }))
}

#[test]
fn a_new_branch_begins_with_data_of_one_moment_after_a_killed_switch() {
    for (kill, clone_mode) in killed_anywhere().flat_map(|kill| [(kill, CloneMode::Copy), (kill, CloneMode::Overlay)]) {
        let ended_well =
            [Command::Up, Command::Write, Command::Switch(1), Command::Up, Command::Write, Command::Switch(0)];
        let mut history: Vec<_> = ended_well.into_iter().map(|command| (command, None)).collect();
        history.extend([(Command::Up, kill), (Command::Switch(2), None)]);
        run(&history, clone_mode, true);
    }
}

#[test]
fn a_new_branch_begins_with_the_data_that_was_used_last_although_a_pin_has_an_earlier_moment() {
    for kill in killed_anywhere() {
        let ended_well = [Command::Up, Command::Down, Command::Up, Command::Save(1, ALL), Command::Write];
        let mut history: Vec<_> = ended_well.into_iter().map(|command| (command, None)).collect();
        history.extend([(Command::Save(0, ALL), kill), (Command::Switch(1), None)]);
        run(&history, CloneMode::Copy, true);
    }
}

#[test]
fn a_pin_is_written_although_a_killed_run_left_two_pins() {
    for kill in killed_anywhere() {
        let history = [
            (Command::Up, None),
            (Command::Down, None),
            (Command::Up, None),
            (Command::Save(0, ALL), None),
            (Command::Down, kill),
            (Command::Up, None),
            (Command::Save(1, ALL), None),
            (Command::Down, None),
        ];
        run(&history, CloneMode::Overlay, false);
    }
}
