//! What most commands begin with: the machine, the manifest, the environment's identity, the engine.

use super::unset;
use crate::cli::{Global, Start};
use crate::docker::{self, DockerEnv, Engine, EngineError, Mirror};
use crate::dotenv::UserLine;
use crate::kinds::Kinds;
use crate::machine::{CheckoutLock, Key, Settings, Trust};
use crate::manifest::{self, Reading, Strictness};
use crate::model::{
    CloneMode, ContainerRole, Diagnostic, Exit, Failure, ImageRef, Located, Lock, Observed, Record, Secret, Severity,
    Variable,
};
use crate::plan::{self, Choice, Desired, FixedPorts, Identity, Plan};
use crate::resolve::versions;
use crate::ui::Printer;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The machine's side: folders, key, configuration.
#[derive(Clone)]
pub(crate) struct Machine {
    /// Where key and locks lie.
    pub(crate) folder: PathBuf,
    /// The key.
    pub(crate) key: Key,
    /// A registry that stands in for `docker.io`.
    pub(crate) mirror: Option<Mirror>,
}

impl Machine {
    /// Reads the machine's key and the user's configuration.
    pub(crate) fn load() -> Result<Self, Failure> {
        let no_home = || {
            Failure::new(
                Exit::Failed,
                Diagnostic::error("home", "this user has no home folder, so there is no place for the machine's key")
                    .help("set HOME"),
            )
        };
        let folder = data_folder().ok_or_else(no_home)?;
        let settings = match config_folder() {
            Some(folder) => Settings::load(&folder)?,
            None => Settings::default(),
        };
        let mirror = std::env::var("DEVENV_REGISTRY_MIRROR")
            .ok()
            .filter(|mirror| !mirror.is_empty())
            .or(settings.registry_mirror);
        let mirror = match mirror {
            Some(text) => Some(Mirror::parse(&text).ok_or_else(|| {
                Failure::new(
                    Exit::Failed,
                    Diagnostic::error("mirror", format!("`{text}` is no registry that could stand in for docker.io"))
                        .because("DEVENV_REGISTRY_MIRROR or the configuration file names it")
                        .help("write HOST[:PORT][/PATH]: `mirror.example.com`, `127.0.0.1:5000/hub`"),
                )
            })?),
            None => None,
        };
        Ok(Self { key: Key::load_or_create(&folder)?, folder, mirror })
    }
}

/// Where key, locks and what was agreed to lie.
pub(crate) fn data_folder() -> Option<PathBuf> {
    dirs::data_local_dir().map(|folder| folder.join("devenv"))
}

/// Where the user's configuration lies.
pub(crate) fn config_folder() -> Option<PathBuf> {
    dirs::config_dir().map(|folder| folder.join("devenv"))
}

/// Reads the manifests of this folder, or those that were named. What is to be said beside is printed.
pub(crate) fn read(global: &Global, files: &[PathBuf]) -> Result<Reading, Failure> {
    manifest::read(&manifest::Request { stdin: stdin(files)?, ..request(global, files)? })
}

/// What standard input says, where it is among the files.
pub(crate) fn stdin(files: &[PathBuf]) -> Result<Option<Vec<u8>>, Failure> {
    if !files.iter().any(|file| file.as_os_str() == "-") {
        return Ok(None);
    }
    manifest::standard_input(std::io::stdin()).map(Some)
}

/// What is to be read, without standard input.
pub(crate) fn request(global: &Global, files: &[PathBuf]) -> Result<manifest::Request, Failure> {
    Ok(manifest::Request {
        // `-C` has been followed by now.
        folder: std::env::current_dir().map_err(|error| unreadable("the folder we are in", &error))?,
        root: None,
        folder_is_root: global.directory.is_some(),
        files: files.to_vec(),
        stdin: None,
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        profiles: Vec::new(),
    })
}

fn unreadable(what: &str, error: &dyn std::fmt::Display) -> Failure {
    let diagnostic = Diagnostic::error("folder", format!("cannot read {what}"));
    Failure::new(Exit::Failed, diagnostic.because(error.to_string()))
}

/// What a project is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Its services are started, or it is shown how.
    Start,
    /// What runs is used.
    Use,
}

/// How much the manifests have to settle.
pub(crate) fn strictness(start: &Start) -> Strictness {
    match (start.allow_floating, start.strict) {
        (true, _) => Strictness::AllowFloating,
        (false, true) => Strictness::Strict,
        (false, false) => Strictness::Usual,
    }
}

/// A project that can be started: its manifest says enough.
#[derive(Clone)]
pub(crate) struct Project {
    /// What was read.
    pub(crate) reading: Reading,
    /// The machine.
    pub(crate) machine: Machine,
    /// Which environment.
    pub(crate) identity: Identity,
    /// What becomes of ports that the user set.
    pub(crate) fixed_ports: FixedPorts,
    /// Whether fresh data is made anew, though there is a base layer to start over.
    pub(crate) cold: bool,
    /// Whether a base that is not there yet is made before anything starts over it: several are to.
    pub(crate) bases_first: bool,
    /// How volumes get what their layers hold, where the user says it.
    pub(crate) clone_mode: Option<CloneMode>,
    /// The services as declared, each with the image that this means.
    pub(crate) declared: Vec<versions::Declared>,
    /// Another environment's data, which this one begins with.
    pub(crate) source: Option<plan::Source>,
    /// What the user chose for this checkout on the command line, now or before.
    pub(crate) choice: Choice,
    /// What standard input said, where it is to be kept with the choice.
    pub(crate) stdin: Option<Vec<u8>>,
    /// The services that a command is about; empty where it is about all.
    pub(crate) only: Vec<String>,
    /// What `services.lock` says, where there is one. The stack's services have its images where it is current.
    pub(crate) lock: Option<Lock>,
    /// What it says of services that only this checkout leaves out.
    pub(crate) lock_of_others: Lock,
    /// Whether the user agrees to whatever the checkout asks for, for this run.
    pub(crate) agreed: bool,
    /// Variables that are not in the stack, since their names make programs run.
    pub(crate) unset: Vec<Variable>,
}

impl Project {
    /// The project of what was read; refuses what production leaves open. `token` makes an ephemeral environment, and
    /// `agreed` is whether the user agrees to whatever it asks for. What is to be said beside goes to `told`.
    pub(crate) fn of(
        mut reading: Reading,
        agreed: bool,
        strictness: Strictness,
        token: Option<&str>,
        purpose: Purpose,
        diagnostic: &mut Vec<Diagnostic>,
    ) -> Result<Self, Failure> {
        let unset = unset::take_out(&mut reading, data_folder().map(|folder| Trust::open(&folder)).as_ref(), agreed);
        let mut lock = super::lock::read(&reading)?;
        let mut lock_of_others = Lock::default();
        if let Some(lock) = &mut lock {
            let (left_out, ours) = std::mem::take(&mut lock.services)
                .into_iter()
                .partition(|(name, _)| reading.stack.left_out.contains(name));
            (lock_of_others.services, lock.services) = (left_out, ours);
        }
        let refusals = manifest::refusals(&reading.stack, &reading.kinds, strictness);
        let (errors, mut notes): (Vec<_>, Vec<_>) =
            reading.diagnostics.iter().cloned().chain(refusals).partition(|one| one.severity == Severity::Error);
        // How production names its releases, and what an app here gets otherwise, is told by the commands that start them,
        // not by each one.
        let starts = matches!(purpose, Purpose::Start);
        notes.retain(|note| if starts { manifest::is_shown_by_up(note) } else { note.severity != Severity::Note });
        let declared = declared(&reading);
        let locked = lock.as_ref().map(|lock| versions::compare(&declared, lock).locked).unwrap_or_default();
        let settled = |note: &Diagnostic| {
            declared.iter().any(|one| {
                locked.contains_key(&one.service.name) && note.origin.as_ref() == Some(&one.service.version.origin)
            })
        };
        notes.retain(|note| !note.code.starts_with("version-") || starts && !settled(note));
        notes.retain(|note| note.code != manifest::CONTRADICTS || starts);
        let notes = notes.into_iter().map(manifest::in_one_line).collect();
        diagnostic.extend(manifest::gathered(notes));
        if !errors.is_empty() {
            return Err(Failure { exit: Exit::Manifest, diagnostics: errors });
        }
        for service in &mut reading.stack.services {
            if let Some(image) = locked.get(&service.name) {
                let origin = service.image.as_ref().map_or(&service.version.origin, |image| &image.origin).clone();
                service.image = Some(Located::new(image.clone(), origin));
            }
        }
        let machine = Machine::load()?;
        super::seeds::settle(&mut reading.stack, &reading.root, &machine.folder)?;
        let key = machine.key.clone();
        let identity = match token {
            Some(token) => Identity::ephemeral(&reading.stack.project, &reading.root, key, token),
            None => Identity {
                branch: branch(&reading),
                ..Identity::of_checkout(&reading.stack.project, &reading.root, key)
            },
        };
        // An ephemeral environment runs beside the checkout's own, which has those ports.
        let fixed_ports = if identity.ephemeral { FixedPorts::Ignored } else { FixedPorts::Claimed };
        Ok(Self {
            reading,
            machine,
            identity,
            fixed_ports,
            cold: false,
            bases_first: false,
            clone_mode: clone_mode_setting()?,
            declared,
            source: None,
            choice: Choice::default(),
            stdin: None,
            only: Vec::new(),
            lock,
            lock_of_others,
            agreed,
            unset,
        })
    }

    /// Whether what is done is done with this service too.
    pub(crate) fn is_about(&self, service: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == service)
    }

    /// The same project, its fresh data made anew.
    pub(crate) fn cold(self, cold: bool) -> Self {
        Self { cold, ..self }
    }

    /// The same project in an ephemeral environment of its own, told apart by `token`.
    pub(crate) fn beside(&self, token: &str) -> Self {
        let Identity { root, key, lease, .. } = self.identity.clone();
        let identity = Identity { lease, ..Identity::ephemeral(&self.reading.stack.project, &root, key, token) };
        Self { identity, fixed_ports: FixedPorts::Ignored, ..self.clone() }
    }

    /// Tells where `services.lock` is not what is declared now; fails over it where it has to be. What is to be said goes to
    /// `told`.
    pub(crate) fn check_lock(&self, start: &Start, diagnostic: &mut Vec<Diagnostic>) -> Result<(), Failure> {
        let in_ci = std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
        let has_to = start.locked || in_ci && !start.no_locked;
        let or_without = |mut failure: Failure| {
            if let Some(last) = failure.diagnostics.last_mut() {
                last.help.push("or go on with what is declared: `--no-locked`".to_owned());
            }
            failure
        };
        let Some(lock) = &self.lock else {
            if !has_to || self.declared.is_empty() {
                return Ok(());
            }
            return Err(or_without(self.lock_failure(&versions::compare(&self.declared, &Lock::default()))));
        };
        let compared = versions::compare(&self.declared, lock);
        if compared.is_current() {
            return Ok(());
        }
        if has_to {
            return Err(or_without(self.lock_failure(&compared)));
        }
        diagnostic.extend(compared.findings());
        Ok(())
    }

    /// The lock is not what is declared, where it has to be.
    pub(crate) fn lock_failure(&self, compared: &versions::Comparison) -> Failure {
        let mut diagnostics = compared.findings();
        for diagnostic in &mut diagnostics {
            diagnostic.severity = crate::model::Severity::Error;
            if self.lock.is_none() {
                diagnostic.notes.push("there is no services.lock".to_owned());
            }
        }
        Failure { exit: Exit::Manifest, diagnostics }
    }

    /// The locked image of a service, by name, tag and digest.
    pub(crate) fn locked_image(&self, service: &str) -> Option<&ImageRef> {
        let declared = self.declared.iter().find(|one| one.service.name == service)?;
        let image = &self.reading.stack.service(service)?.image.as_ref()?.value;
        (*image != declared.image && image.tag.is_some()).then_some(image)
    }

    /// The known kinds.
    pub(crate) fn kinds(&self) -> &Kinds {
        &self.reading.kinds
    }

    /// Waits for another `devenv` that is changing this environment.
    pub(crate) fn wait_for_others(&self, printer: &Printer) -> Result<CheckoutLock, Failure> {
        CheckoutLock::acquire(&self.machine.folder, &self.identity.name, || {
            printer.line("another devenv is changing this environment; waiting for it to end");
        })
    }

    /// Asks the engine what there is, and decides what should be.
    pub(crate) async fn observe(&self, engine: &Engine) -> Result<Observed, Failure> {
        let mut images = BTreeSet::new();
        for service in &self.reading.stack.services {
            images.extend(self.locked_image(&service.name).map(super::lock::by_tag));
            images.extend(self.kinds().get(&service.kind).and_then(|kind| plan::image_of(service, kind).ok()));
        }
        let images: Vec<ImageRef> = images.into_iter().collect();
        engine.observe(&images).await.map_err(EngineError::into_failure)
    }

    /// What should run, given what there is. `fresh` names services that are to start on new data.
    pub(crate) fn desired(
        &self,
        observed: &Observed,
        overrides: &[plan::Override],
        fresh: &[String],
    ) -> Result<Desired, Failure> {
        let mut passwords = BTreeMap::new();
        for found in overrides {
            passwords.extend(found.passwords.clone());
        }
        let fresh = fresh.iter().cloned().collect();
        let request = self.request(observed, &passwords, &fresh);
        let mut desired = plan::desired(&self.reading.stack, &request)
            .map_err(|diagnostics| Failure { exit: Exit::Manifest, diagnostics })?;
        for service in &mut desired.services {
            let env_file = self.reading.env_file.as_ref();
            let kept = plan::kept(&service.name, &self.reading.stack, env_file, &self.identity);
            if let ContainerRole::Service(container) = &mut service.container.role {
                container.declared = kept;
            }
        }
        if desired.taken.is_empty() {
            return Ok(desired);
        }
        Err(Failure {
            exit: Exit::Failed,
            diagnostics: desired.taken.iter().map(|taken| port_taken(taken, observed)).collect(),
        })
    }

    /// What runs, with the passwords that the user's own lines set; nothing is started, so nothing need be free.
    pub(crate) fn as_it_runs(&mut self, observed: &Observed) -> Result<Desired, Failure> {
        self.fixed_ports = FixedPorts::Named;
        // An env file that cannot be written is no matter to what runs.
        let lines = super::env_files::Main::of(&self.reading, &self.choice).map(|main| main.lines).unwrap_or_default();
        let value = |line: &UserLine| Some((line.name.clone(), line.value.as_ref()?.reveal().to_owned()));
        let values = lines.iter().filter_map(value).collect();
        self.desired(observed, &plan::overrides(&self.reading.stack.variables, &values), &[])
    }

    fn request<'a>(
        &'a self,
        observed: &'a Observed,
        passwords: &'a BTreeMap<String, Secret>,
        fresh: &'a BTreeSet<String>,
    ) -> plan::Request<'a> {
        plan::Request {
            kinds: self.kinds(),
            identity: &self.identity,
            observed,
            passwords,
            fresh,
            is_free: &crate::machine::is_free,
            fixed_ports: self.fixed_ports,
            cold: self.cold,
            clone_mode: self.clone_mode,
            source: self.source.as_ref(),
        }
    }

    /// The head that sends services to other data, or to a new beginning.
    pub(crate) fn restoring(
        &self,
        to: &BTreeMap<String, Option<String>>,
        desired: &Desired,
        observed: &Observed,
    ) -> Option<Record> {
        let (passwords, fresh) = (BTreeMap::new(), BTreeSet::new());
        plan::restoring(to, desired, &self.request(observed, &passwords, &fresh))
    }

    /// The base layers that this project's services could start over, made or not.
    pub(crate) fn bases(&self, observed: &Observed) -> Vec<plan::Base> {
        let (passwords, fresh) = (BTreeMap::new(), BTreeSet::new());
        let request = self.request(observed, &passwords, &fresh);
        let stack = &self.reading.stack;
        let services = stack.services.iter().filter(|service| self.is_about(&service.name));
        let bases = services.filter_map(|service| plan::base(service, &request));
        bases.map(|base| base.with_sidecars(stack, &request)).collect()
    }
}

/// The built-in kinds, where no manifest is read.
pub(crate) fn built_in_kinds() -> Result<Kinds, Failure> {
    Kinds::built_in().map_err(|error| {
        let diagnostic = Diagnostic::error("kind", format!("cannot read the kind {}", error.path));
        Failure::new(Exit::Failed, diagnostic.because(error.message))
    })
}

/// The services of which an image can be told.
fn declared(reading: &Reading) -> Vec<versions::Declared> {
    let services = reading.stack.services.iter();
    let all = services.filter_map(|service| {
        let image = plan::image_of(service, reading.kinds.get(&service.kind)?).ok()?;
        Some(versions::Declared { service: service.clone(), image })
    });
    all.collect()
}

/// The branch whose data this checkout is to have. None where data follows no branches, or none is checked out: then it
/// stays with what it has.
pub(crate) fn branch(reading: &Reading) -> Option<String> {
    let follows = reading.branching.is_some_and(|branching| branching.git);
    follows.then(|| crate::machine::git::branch(&reading.root)).flatten()
}

/// What `DEVENV_LAYERS` says; without it, what the engine can do decides.
pub(crate) fn clone_mode_setting() -> Result<Option<CloneMode>, Failure> {
    match std::env::var("DEVENV_LAYERS").ok().filter(|said| !said.is_empty()) {
        None => Ok(None),
        Some(said) => CloneMode::parse(&said).map(Some).ok_or_else(|| {
            let diagnostic =
                Diagnostic::error("layers", format!("DEVENV_LAYERS is `{said}`, which is no way to lay data"));
            Failure::new(Exit::Usage, diagnostic.help("set it to `overlay` or `copy`, or leave it out"))
        }),
    }
}

/// The steps from what there is to what should be.
pub(crate) fn steps(desired: &Desired, observed: &Observed, start: &Start) -> Result<Plan, Failure> {
    for name in &start.fresh {
        if !desired.services.iter().any(|service| service.name == *name) {
            return Err(unknown_service(name, desired.services.iter().map(|service| service.name.as_str())));
        }
    }
    let fresh = start.fresh.iter().cloned().collect();
    plan::diff(desired, observed, &fresh).map_err(|diagnostics| Failure { exit: Exit::Failed, diagnostics })
}

/// A port that the user set is never swapped for another.
fn port_taken(taken: &plan::PortTaken, observed: &Observed) -> Diagnostic {
    let port = taken.port.value;
    let diagnostic = Diagnostic::error(
        "port-taken",
        format!("port {port} on 127.0.0.1 is taken, and {} is to have it", taken.service),
    )
    .at(&taken.port.origin, "set here");
    let container =
        observed.containers.iter().find(|container| container.publish.iter().any(|publish| publish.host_port == port));
    match (container, crate::machine::holder_of(port)) {
        (Some(container), _) => diagnostic
            .because(format!("the container {} has it", container.name))
            .help(format!("`devenv down` in {}, or set another port", container.scope.root)),
        (None, Some(holder)) => diagnostic
            .because(format!("{holder} listens on it"))
            .help("stop it, set another port, or leave `port` out to have one chosen"),
        (None, None) => diagnostic
            .because("the system does not tell this user which process listens on it")
            .help("set another port, or leave `port` out to have one chosen"),
    }
}

/// No service of that name.
pub(crate) fn unknown_service<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Failure {
    let list = known.clone().collect::<Vec<_>>().join(", ");
    let mut diagnostic = Diagnostic::error("unknown-service", format!("no service is called `{name}`"))
        .because(if list.is_empty() { "there are none".to_owned() } else { format!("there are: {list}") });
    if let Some(near) = crate::model::did_you_mean(name, known) {
        diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
    }
    Failure::new(Exit::Usage, diagnostic)
}

/// Connects to the engine by the first rule that holds.
pub(crate) async fn connect(global: &Global) -> Result<Engine, Failure> {
    docker::connect(global.host.as_deref(), &DockerEnv::of_process()).await
}
