//! The start of most commands: the machine, the manifest, the environment's identity, the engine.

use super::unsafe_variables;
use crate::cli::{Global, Start};
use crate::docker::{self, DockerEnv, Engine, EngineError, Mirror};
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

/// This machine: folders, key, configuration.
#[derive(Clone)]
pub(crate) struct Machine {
    /// The folder of the key and the locks.
    pub(crate) folder: PathBuf,
    /// The key.
    pub(crate) key: Key,
    /// A mirror of `docker.io`.
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
                    Diagnostic::error("mirror", format!("`{text}` is not the address of a mirror of docker.io"))
                        .because("DEVENV_REGISTRY_MIRROR or the configuration file names it")
                        .help("write HOST[:PORT][/PATH]: `mirror.example.com`, `127.0.0.1:5000/hub`"),
                )
            })?),
            None => None,
        };
        Ok(Self { key: Key::load_or_create(&folder)?, folder, mirror })
    }
}

/// The folder of the key, the locks and the user's agreements.
pub(crate) fn data_folder() -> Option<PathBuf> {
    dirs::data_local_dir().map(|folder| folder.join("devenv"))
}

/// The folder of the user's configuration.
pub(crate) fn config_folder() -> Option<PathBuf> {
    dirs::config_dir().map(|folder| folder.join("devenv"))
}

/// Reads the manifests of this folder, or the named files.
pub(crate) fn read(global: &Global, files: &[PathBuf]) -> Result<Reading, Failure> {
    manifest::read(&manifest::Request { stdin: stdin(files)?, ..request(global, files)? })
}

/// The text of standard input, if `-` is among the files.
pub(crate) fn stdin(files: &[PathBuf]) -> Result<Option<Vec<u8>>, Failure> {
    if !files.iter().any(|file| file.as_os_str() == "-") {
        return Ok(None);
    }
    manifest::standard_input(std::io::stdin()).map(Some)
}

/// The request that reads the manifests, without standard input.
pub(crate) fn request(global: &Global, files: &[PathBuf]) -> Result<manifest::Request, Failure> {
    Ok(manifest::Request {
        // The option `-C` has changed the current folder already.
        folder: std::env::current_dir().map_err(|error| unreadable("the current folder", &error))?,
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

/// The purpose for which a project is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To start its services, or to show the steps of a start.
    Start,
    /// To use the running services.
    Use,
}

/// How exactly the manifests have to give the versions.
pub(crate) fn strictness(start: &Start) -> Strictness {
    match (start.allow_floating, start.strict) {
        (true, _) => Strictness::AllowFloating,
        (false, true) => Strictness::Strict,
        (false, false) => Strictness::Usual,
    }
}

/// A project that can be started: its manifests are complete enough.
#[derive(Clone)]
pub(crate) struct Project {
    /// The manifests, as they were read.
    pub(crate) reading: Reading,
    /// The machine.
    pub(crate) machine: Machine,
    /// The identity of the environment.
    pub(crate) identity: Identity,
    /// The treatment of ports that the user set.
    pub(crate) fixed_ports: FixedPorts,
    /// Whether new data is initialised by the server even if there is a base layer for it.
    pub(crate) cold: bool,
    /// Whether missing bases are made first, because several environments will be layered on them.
    pub(crate) bases_first: bool,
    /// The clone mode, if the user set it.
    pub(crate) clone_mode: Option<CloneMode>,
    /// The services as declared, each with the image that its declaration means.
    pub(crate) declared: Vec<versions::Declared>,
    /// The data of another environment, if this environment begins with it.
    pub(crate) source: Option<plan::Source>,
    /// The user's choice for this checkout on the command line, now or before.
    pub(crate) choice: Choice,
    /// The text of standard input, if it has to be stored with the choice.
    pub(crate) stdin: Option<Vec<u8>>,
    /// The services that the command is about; empty if it is about all services.
    pub(crate) only: Vec<String>,
    /// The content of `services.lock`, if there is one. Where its entries are current, the stack's services have its
    /// images.
    pub(crate) lock: Option<Lock>,
    /// The entries of `services.lock` for services that this checkout excludes.
    pub(crate) lock_of_others: Lock,
    /// Whether the user agrees to all requests of the checkout, for this run.
    pub(crate) agreed: bool,
    /// Variables that were removed from the stack because their names make programs run.
    pub(crate) unset: Vec<Variable>,
}

impl Project {
    /// Makes a project from its manifests. Refuses versions that production leaves open, depending on `strictness`.
    /// `token` makes an ephemeral environment. `agreed` says whether the user agrees to all requests of the checkout.
    /// Warnings go to `diagnostics`.
    pub(crate) fn of(
        mut reading: Reading,
        agreed: bool,
        strictness: Strictness,
        token: Option<&str>,
        purpose: Purpose,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<Self, Failure> {
        let unset =
            unsafe_variables::take_out(&mut reading, data_folder().map(|folder| Trust::open(&folder)).as_ref(), agreed);
        let mut lock = super::lock_reading::read(&reading)?;
        let mut lock_of_others = Lock::default();
        if let Some(lock) = &mut lock {
            let (excluded, ours) = std::mem::take(&mut lock.services)
                .into_iter()
                .partition(|(name, _)| reading.stack.left_out.contains(name));
            (lock_of_others.services, lock.services) = (excluded, ours);
        }
        let refusals = manifest::refusals(&reading.stack, &reading.kinds, strictness);
        let (errors, mut notes): (Vec<_>, Vec<_>) =
            reading.diagnostics.iter().cloned().chain(refusals).partition(|one| one.severity == Severity::Error);
        // Only the commands that start services show the notes about production's release names, and about values that
        // differ in an app here.
        let starts = matches!(purpose, Purpose::Start);
        notes.retain(|note| if starts { manifest::is_shown_by_up(note) } else { note.severity != Severity::Note });
        let declared = declared(&reading);
        let locked = lock.as_ref().map(|lock| versions::compare(&declared, lock).locked).unwrap_or_default();
        let is_locked = |note: &Diagnostic| {
            declared.iter().any(|one| {
                locked.contains_key(&one.service.name) && note.origin.as_ref() == Some(&one.service.version.origin)
            })
        };
        notes.retain(|note| !note.code.starts_with("version-") || starts && !is_locked(note));
        notes.retain(|note| note.code != manifest::CONTRADICTS || starts);
        let notes = notes.into_iter().map(manifest::in_one_line).collect();
        diagnostics.extend(manifest::gathered(notes));
        if !errors.is_empty() {
            return Err(Failure::of(Exit::Manifest, errors));
        }
        for service in &mut reading.stack.services {
            if let Some(image) = locked.get(&service.name) {
                let origin = service.image.as_ref().map_or(&service.version.origin, |image| &image.origin).clone();
                service.image = Some(Located::new(image.clone(), origin));
            }
        }
        let machine = Machine::load()?;
        super::seed_digests::hash_seeds(&mut reading.stack, &reading.root, &machine.folder)?;
        let key = machine.key.clone();
        let identity = match token {
            Some(token) => Identity::ephemeral(&reading.stack.project, &reading.root, key, token),
            None => Identity {
                branch: branch(&reading),
                ..Identity::of_checkout(&reading.stack.project, &reading.root, key)
            },
        };
        // An ephemeral environment runs at the same time as the checkout's own environment, which has those ports.
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

    /// Whether the command is about this service.
    pub(crate) fn is_about(&self, service: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == service)
    }

    /// The same project with another value of `cold`.
    pub(crate) fn cold(self, cold: bool) -> Self {
        Self { cold, ..self }
    }

    /// The same project in its own ephemeral environment, which `token` distinguishes from others.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        let Identity { root, key, lease, .. } = self.identity.clone();
        let identity = Identity { lease, ..Identity::ephemeral(&self.reading.stack.project, &root, key, token) };
        Self { identity, fixed_ports: FixedPorts::Ignored, ..self.clone() }
    }

    /// Compares `services.lock` with the current declarations. A difference is a failure if the lock has to be current,
    /// and otherwise a warning in `diagnostics`.
    pub(crate) fn check_lock(&self, start: &Start, diagnostics: &mut Vec<Diagnostic>) -> Result<(), Failure> {
        let in_ci = std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
        let is_required = start.locked || in_ci && !start.no_locked;
        let or_without = |mut failure: Failure| {
            if let Some(last) = failure.diagnostics.last_mut() {
                last.help.push("or continue without the lock: `--no-locked`".to_owned());
            }
            failure
        };
        let Some(lock) = &self.lock else {
            if !is_required || self.declared.is_empty() {
                return Ok(());
            }
            return Err(or_without(self.lock_failure(&versions::compare(&self.declared, &Lock::default()))));
        };
        let compared = versions::compare(&self.declared, lock);
        if compared.is_current() {
            return Ok(());
        }
        if is_required {
            return Err(or_without(self.lock_failure(&compared)));
        }
        diagnostics.extend(compared.findings());
        Ok(())
    }

    /// The failure if the lock has to match the declarations and does not.
    pub(crate) fn lock_failure(&self, compared: &versions::Comparison) -> Failure {
        let mut diagnostics = compared.findings();
        for diagnostic in &mut diagnostics {
            diagnostic.severity = crate::model::Severity::Error;
            if self.lock.is_none() {
                diagnostic.notes.push("there is no services.lock".to_owned());
            }
        }
        Failure::of(Exit::Manifest, diagnostics)
    }

    /// The locked image of a service, by name, tag and digest.
    pub(crate) fn locked_image(&self, service: &str) -> Option<&ImageRef> {
        let declared = self.declared.iter().find(|one| one.service.name == service)?;
        let image = &self.reading.stack.service(service)?.image.as_ref()?.value;
        (*image != declared.image && image.tag.is_some()).then_some(image)
    }

    /// The earlier agreements of the user; none if the user agrees to all requests for this run.
    pub(crate) fn trust(&self) -> Option<Trust> {
        (!self.agreed).then(|| Trust::open(&self.machine.folder))
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

    /// Asks the engine for its state, including the images that this project may use.
    pub(crate) async fn observe(&self, engine: &Engine) -> Result<Observed, Failure> {
        let mut images = BTreeSet::new();
        for service in &self.reading.stack.services {
            images.extend(self.locked_image(&service.name).map(super::lock_reading::by_tag));
            images.extend(self.kinds().get(&service.kind).and_then(|kind| plan::image_of(service, kind).ok()));
        }
        let images: Vec<ImageRef> = images.into_iter().collect();
        engine.observe(&images).await.map_err(EngineError::into_failure)
    }

    /// Decides which services should run, given the engine's state. `fresh` names the services that start on new data.
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
            .map_err(|diagnostics| Failure::of(Exit::Manifest, diagnostics))?;
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
        Err(Failure::of(Exit::Failed, desired.taken.iter().map(|taken| port_taken(taken, observed)).collect()))
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

    /// The head that gives services other data, or their initial data.
    pub(crate) fn restoring(
        &self,
        to: &BTreeMap<String, Option<String>>,
        desired: &Desired,
        observed: &Observed,
    ) -> Option<Record> {
        let (passwords, fresh) = (BTreeMap::new(), BTreeSet::new());
        plan::restoring(to, desired, &self.request(observed, &passwords, &fresh))
    }

    /// The base layers on which this project's services could be layered, whether they exist or not.
    pub(crate) fn bases(&self, observed: &Observed) -> Vec<plan::Base> {
        let (passwords, fresh) = (BTreeMap::new(), BTreeSet::new());
        let request = self.request(observed, &passwords, &fresh);
        let stack = &self.reading.stack;
        let services = stack.services.iter().filter(|service| self.is_about(&service.name));
        let bases = services.filter_map(|service| plan::base(service, &request));
        bases.map(|base| base.with_sidecars(stack, &request)).collect()
    }
}

/// The built-in kinds, for commands that read no manifest.
pub(crate) fn built_in_kinds() -> Result<Kinds, Failure> {
    Kinds::built_in().map_err(|error| {
        let diagnostic = Diagnostic::error("kind", format!("cannot read the kind {}", error.path));
        Failure::new(Exit::Failed, diagnostic.because(error.message))
    })
}

/// The services whose image is known.
fn declared(reading: &Reading) -> Vec<versions::Declared> {
    let services = reading.stack.services.iter();
    let all = services.filter_map(|service| {
        let image = plan::image_of(service, reading.kinds.get(&service.kind)?).ok()?;
        Some(versions::Declared { service: service.clone(), image })
    });
    all.collect()
}

/// The git branch whose data this checkout should have. None if the data follows no branches, or if no branch is
/// checked out: then the checkout keeps its current data.
pub(crate) fn branch(reading: &Reading) -> Option<String> {
    let follows = reading.branching.is_some_and(|branching| branching.git);
    follows.then(|| crate::machine::git::branch(&reading.root)).flatten()
}

/// The clone mode that `DEVENV_LAYERS` sets. Without the variable, the abilities of the engine decide.
pub(crate) fn clone_mode_setting() -> Result<Option<CloneMode>, Failure> {
    match std::env::var("DEVENV_LAYERS").ok().filter(|said| !said.is_empty()) {
        None => Ok(None),
        Some(said) => CloneMode::parse(&said).map(Some).ok_or_else(|| {
            let diagnostic =
                Diagnostic::error("layers", format!("DEVENV_LAYERS is `{said}`, but must be `overlay` or `copy`"));
            Failure::new(Exit::Usage, diagnostic.help("set it to `overlay` or `copy`, or unset it"))
        }),
    }
}

/// The steps from the engine's state to the desired state.
pub(crate) fn steps(desired: &Desired, observed: &Observed, start: &Start) -> Result<Plan, Failure> {
    for name in &start.fresh {
        if !desired.services.iter().any(|service| service.name == *name) {
            return Err(unknown_service(name, desired.services.iter().map(|service| service.name.as_str())));
        }
    }
    let fresh = start.fresh.iter().cloned().collect();
    plan::diff(desired, observed, &fresh).map_err(|diagnostics| Failure::of(Exit::Failed, diagnostics))
}

/// The diagnostic for a taken port that the user set: devenv never replaces such a port by another.
fn port_taken(taken: &plan::PortTaken, observed: &Observed) -> Diagnostic {
    let port = taken.port.value;
    let diagnostic = Diagnostic::error(
        "port-taken",
        format!("port {port} on 127.0.0.1 is in use by another program or container, and {} needs it", taken.service),
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
            .because("this user may not see which process listens on it")
            .help("set another port, or leave `port` out to have one chosen"),
    }
}

/// The failure for an unknown service name.
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
