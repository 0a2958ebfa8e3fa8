//! The data of an environment: saves and restores snapshots, resets, and reads the content of a snapshot.

use super::agreement::agreed;
use super::bring_up::{Prepared, bring_up, prepare};
use super::checkout::{self, Opened, Wish};
use super::clone_mode::find_clone_mode;
use super::env_files;
use super::flush::flush;
use super::session::{Project, Purpose, strictness, unknown_service};
use super::signals::{Signals, name_of};
use super::starting::Starting;
use super::tear_down::tear_down;
use crate::apply::Stop;
use crate::apply::contents::contents;
use crate::cli::{Global, Start};
use crate::docker::{Engine, EngineError};
use crate::dotenv::UserLine;
use crate::machine::CheckoutLock;
use crate::model::{Container, Diagnostic, Exit, Failure, ImageRef, Observed, Record, did_you_mean};
use crate::plan::{self, Desired, DesiredService};
use crate::ui::Printer;
use futures_util::future::{join, try_join_all};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time after which any run may remove a server that was started only to read a snapshot, if its own run was
/// killed.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// A project and the engine's state of it.
pub(crate) struct EnvironmentState {
    pub(crate) project: Project,
    pub(crate) engine: Engine,
    pub(crate) observed: Observed,
    pub(crate) desired: Desired,
    user_lines: Vec<UserLine>,
    began: Instant,
    /// Held as long as this value lives.
    lock: Option<CheckoutLock>,
}

impl EnvironmentState {
    /// Opens the project, takes its lock, and decides which services should run. Fails if an earlier restore, reset or
    /// `up --from` is unfinished.
    pub(crate) async fn open(
        global: &Global,
        files: &[PathBuf],
        start: &Start,
        printer: &Printer,
    ) -> Result<Self, Failure> {
        let began = Instant::now();
        let wish = Wish {
            files,
            env_file: None,
            strictness: strictness(start),
            token: None,
            purpose: Purpose::Use,
            start: None,
            locks: true,
            or_by_labels: true,
        };
        let Opened { project, engine, lock, observed } = checkout::open(global, &wish, printer).await?;
        let project = project.cold(start.cold);
        let user_lines = env_files::Main::of(&project.reading, &project.choice)?.lines;
        if plan::is_unfinished(&project.identity, &observed) {
            let diagnostic = Diagnostic::error(
                "unfinished",
                "an earlier restore, reset, `up --from`, `--reseed` or `--fresh` did not finish",
            )
            .because("it was interrupted, or its services did not start")
            .help("run `devenv up`, which finishes it");
            return Err(Failure::new(Exit::Failed, diagnostic));
        }
        let Prepared { desired, observed, .. } = prepare(&project, &engine, start, &user_lines, Some(observed)).await?;
        Ok(Self { project, engine, observed, desired, user_lines, began, lock })
    }

    pub(crate) fn named(&self, name: &str) -> Result<plan::Snapshot, Failure> {
        let all = plan::snapshots(&self.project.identity, &self.observed);
        if let Some(found) = all.iter().find(|snapshot| snapshot.name == name) {
            return Ok(found.clone());
        }
        let mut diagnostic = Diagnostic::error("unknown-snapshot", format!("no snapshot is called `{name}`"))
            .help("`devenv snapshot list` shows the existing snapshots");
        if let Some(near) = did_you_mean(name, all.iter().map(|snapshot| snapshot.name.as_str())) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
        }
        Err(Failure::new(Exit::Usage, diagnostic))
    }

    /// The data of these services, or all data if no service is named. Fails if a named service has no data in `holder`.
    pub(crate) fn only(
        &self,
        data: BTreeMap<String, String>,
        services: &[String],
        holder: &str,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let Some(missing) = services.iter().find(|service| !data.contains_key(*service)) else {
            let is_wanted = |service: &String| services.is_empty() || services.contains(service);
            return Ok(data.into_iter().filter(|(service, _)| is_wanted(service)).collect());
        };
        let declared = self.desired.services.iter().map(|service| service.name.as_str());
        if !declared.clone().any(|service| service == missing) {
            return Err(unknown_service(missing, declared));
        }
        let there = data.into_keys().collect::<Vec<_>>().join(", ");
        let diagnostic = Diagnostic::error("no-data", format!("{holder} has no data of {missing}"))
            .because("the service did not run yet, or its data is not in one volume")
            .help(format!("there is data of: {there}"));
        Err(Failure::new(Exit::Usage, diagnostic))
    }

    /// Fails if a service that is declared now cannot read its data of the snapshot.
    pub(crate) fn is_usable(&self, snapshot: &plan::Snapshot) -> Result<(), Failure> {
        let unusable = plan::unusable(snapshot, &self.desired, &self.observed);
        if unusable.is_empty() {
            return Ok(());
        }
        let diagnostic = Diagnostic::error(
            "snapshot-version",
            format!("the services that are declared now cannot read all data of {}", snapshot.name),
        )
        .because(format!(
            "of another kind or major version, no longer declared, or excluded by `leave_out` in services.local.yaml: {}",
            unusable.join(", ")
        ))
        .help("put the declaration back, and try again; the snapshot is untouched");
        Err(Failure::new(Exit::Failed, diagnostic))
    }

    /// Names the services whose data is discarded, and asks on a terminal. Without a terminal, `--yes` is required.
    pub(crate) fn agree(
        &self,
        to: &BTreeMap<String, Option<String>>,
        yes: bool,
        printer: &Printer,
    ) -> Result<(), Failure> {
        let data = plan::data(&self.desired, &self.observed);
        let going = data.iter().filter(|(service, _)| to.contains_key(*service));
        agree_to_discard(&going.map(|(service, volume)| (service.as_str(), volume)).collect(), yes, printer)
    }

    /// Gives every service of `to` that data, or its initial data for `None`, and starts the services with it. As soon
    /// as the head is written, every `up` leads to this data.
    pub(crate) async fn restore(
        &self,
        to: &BTreeMap<String, Option<String>>,
        start: &Start,
        printer: &Printer,
    ) -> Result<(), Failure> {
        let head = self.project.restoring(to, &self.desired, &self.observed);
        if let Some(head) = head {
            self.write(&head).await?;
        }
        Box::pin(self.start_all(start, printer)).await
    }

    async fn write(&self, record: &Record) -> Result<(), Failure> {
        // A head has no container, so it needs no image.
        let image = if record.head().is_some() { String::new() } else { self.an_image()?.to_string() };
        let image = self.observed.images.get(&image).map_or("", |image| image.id.as_str());
        self.engine.write_record(record, image).await.map(drop).map_err(EngineError::into_failure)
    }

    /// Any image of this environment. Any image will do, because the containers of records are never started.
    fn an_image(&self) -> Result<ImageRef, Failure> {
        let here = |image: &&ImageRef| self.observed.images.contains_key(&image.to_string());
        let image = self.desired.services.iter().map(|service| &service.container.image).find(here);
        image.cloned().ok_or_else(nothing_there)
    }

    /// Stops these containers cleanly, all at the same time.
    async fn stop(&self, containers: &[&Container]) -> Result<(), Failure> {
        let stopped = containers.iter().map(|container| self.engine.stop(&container.id, None));
        try_join_all(stopped).await.map(drop).map_err(EngineError::into_failure)
    }

    /// Creates the upper volumes of the volumes that the services will have once this record exists.
    async fn make_upper_layers_ahead(&self, record: &Record) -> Result<(), Failure> {
        let mut then = self.observed.clone();
        then.records.push(record.as_made());
        let desired = self.project.desired(&then, &[], &[])?;
        let new = desired.services.iter().flat_map(|service| &service.volumes);
        try_join_all(new.map(|volume| self.engine.create_upper_layer_ahead(volume)))
            .await
            .map(drop)
            .map_err(EngineError::into_failure)
    }

    async fn start_all(&self, start: &Start, printer: &Printer) -> Result<(), Failure> {
        let starting = Starting {
            engine: &self.engine,
            start,
            printer,
            silent: false,
            began: self.began,
            stop: Stop::default(),
            interrupted: self.lock.as_ref().and_then(|lock| lock.interrupted),
        };
        bring_up(&self.project, &starting, &self.user_lines, None).await.map(drop)
    }
}

/// A token that distinguishes one environment of a comparison from every other.
pub(crate) fn token() -> String {
    format!("{:x}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos())
}

/// Names the services whose data is discarded, and asks on a terminal. Without a terminal, `yes` is required.
pub(crate) fn agree_to_discard(going: &BTreeMap<&str, &String>, yes: bool, printer: &Printer) -> Result<(), Failure> {
    let say = |text: &str| if yes { printer.line(text) } else { printer.always(text) };
    let services: Vec<&str> = going.keys().copied().collect();
    say(&format!("this discards the current data of: {}; snapshots are kept", services.join(", ")));
    if yes { Ok(()) } else { agreed(printer, "discard it?") }
}

/// Writes a head with which these services start from their bases again. From then on, every `up` leads there.
pub(crate) async fn write_reset_head(
    project: &Project,
    engine: &Engine,
    desired: &Desired,
    going: &BTreeMap<&str, &String>,
) -> Result<(), Failure> {
    let observed = project.observe(engine).await?;
    let to = going.keys().map(|service| ((*service).to_owned(), None)).collect();
    let Some(head) = project.restoring(&to, desired, &observed) else { return Ok(()) };
    engine.write_record(&head, "").await.map(drop).map_err(EngineError::into_failure)
}

/// Saves a snapshot of these services, or of all services if none is named. Their servers flush their data and stop
/// meanwhile, and are started again afterwards. The other servers run on.
pub(crate) async fn save(
    state: &EnvironmentState,
    name: &str,
    only: &[String],
    start: &Start,
    printer: &Printer,
) -> Result<(), Failure> {
    check_name(name)?;
    let identity = &state.project.identity;
    if plan::snapshots(identity, &state.observed).iter().any(|snapshot| snapshot.name == name) {
        let diagnostic = Diagnostic::error("snapshot-exists", format!("there is a snapshot `{name}` already"))
            .help(format!("take another name, or `devenv snapshot rm {name}` first"));
        return Err(Failure::new(Exit::Usage, diagnostic));
    }
    let data = plan::data(&state.desired, &state.observed);
    let Some(volume) = data.values().next().cloned() else { return Err(nothing_there()) };
    let data = state.only(data, only, "this environment")?;
    let clone_mode = match state.project.clone_mode.or_else(|| plan::known_clone_mode(identity, &state.observed)) {
        Some(clone_mode) => clone_mode,
        None => find_clone_mode(&state.engine, identity, &state.an_image()?, &volume).await?,
    };
    let ours = state.observed.containers_of(&identity.name);
    let running: Vec<&Container> =
        ours.filter(|one| one.state == "running" && data.contains_key(one.service())).collect();
    let is_running = |service: &&DesiredService| running.iter().any(|one| one.service() == service.name);
    let services = state.desired.services.iter().filter(is_running);
    flush(services).await?;
    let record = plan::saving(name, clone_mode, &data, identity, &state.observed);
    // Create the new upper volumes while the servers stop. If this fails, they are created later, and that step reports
    // the fault.
    let ahead = async { if running.is_empty() { Ok(()) } else { state.make_upper_layers_ahead(&record).await } };
    let (stopped, _) = join(state.stop(&running), ahead).await;
    stopped?;
    let written = state.write(&record).await;
    // Start the services again even if the snapshot could not be written: they ran before.
    if !running.is_empty() {
        Box::pin(state.start_all(start, printer)).await?;
    }
    written?;
    let services: Vec<&str> = data.keys().map(String::as_str).collect();
    printer.line(&format!("saved as {name}: {}", services.join(", ")));
    let names = state.desired.services.iter().map(|service| service.name.as_str());
    let others: Vec<&str> = names.filter(|service| !data.contains_key(*service)).collect();
    if only.is_empty() && !others.is_empty() {
        printer.line(&format!(
            "not saved, because they have no data or keep it in several volumes: {}",
            others.join(", ")
        ));
    }
    Ok(())
}

/// The content of each service's data, by the service's name: counts by the names of objects.
pub(crate) type Holdings = BTreeMap<String, BTreeMap<String, u64>>;

async fn holdings(engine: &Engine, services: &[&DesiredService]) -> Result<Holdings, Failure> {
    let each = services
        .iter()
        .map(|service| async move { Ok::<_, Failure>((service.name.clone(), contents(engine, service).await?)) });
    Ok(try_join_all(each).await?.into_iter().collect())
}

impl EnvironmentState {
    /// The current content of the services that a snapshot contains.
    pub(crate) async fn holdings_now(&self, snapshot: &plan::Snapshot) -> Result<Holdings, Failure> {
        let in_it = |service: &&DesiredService| snapshot.data.contains_key(&service.name);
        let services: Vec<&DesiredService> = self.desired.services.iter().filter(in_it).collect();
        let runs = |service: &&&DesiredService| {
            let container = self.observed.container(&self.project.identity.name, &service.name);
            container.is_some_and(|container| container.state == "running")
        };
        if let Some(stopped) = services.iter().find(|service| !runs(service)) {
            let diagnostic =
                Diagnostic::error("not-running", format!("{} does not run, so it cannot be asked", stopped.name));
            return Err(Failure::new(
                Exit::Failed,
                diagnostic.help("`devenv up` starts it, or name a second snapshot"),
            ));
        }
        holdings(&self.engine, &services).await
    }

    /// The content of a snapshot. Servers of a separate environment, which is layered on the snapshot, are started,
    /// asked, and removed. No server writes to the frozen volumes.
    pub(crate) async fn holdings_of(
        &self,
        snapshot: &plan::Snapshot,
        start: &Start,
        printer: &Printer,
    ) -> Result<Holdings, Failure> {
        let mut project = self.project.with_token(&token());
        let environment = self.project.identity.name.clone();
        project.source = Some(plan::Source { environment, data: snapshot.data.clone() });
        project.reading.stack.services.retain(|service| snapshot.data.contains_key(&service.name));
        let expires = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + FORGOTTEN_AFTER;
        let expires = i64::try_from(expires.as_secs()).unwrap_or(i64::MAX);
        let lease = plan::lease_of(&|name| std::env::var(name).ok(), std::process::id(), expires);
        project.identity.lease = Some(lease);
        let _lock = project.wait_for_others(printer)?;
        let mut signals = Signals::new()?;
        let starting = Starting {
            engine: &self.engine,
            start,
            printer,
            silent: true,
            began: self.began,
            stop: Stop::default(),
            interrupted: None,
        };
        let asked = async {
            let ready = Box::pin(bring_up(&project, &starting, &[], None)).await?;
            holdings(&self.engine, &ready.desired.services.iter().collect::<Vec<_>>()).await
        };
        let outcome = tokio::select! {
            outcome = asked => outcome,
            signal = signals.next() => {
                let diagnostic = Diagnostic::error("stopped", format!("received {}: nothing was compared", name_of(signal)));
                Err(Failure::new(Exit::Failed, diagnostic.help("the snapshots are untouched")))
            }
        };
        let observed = self.engine.observe(&[]).await.map_err(EngineError::into_failure)?;
        tear_down(&self.engine, &project.identity, &observed, true).await?;
        outcome
    }
}

fn check_name(name: &str) -> Result<(), Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !name.is_empty() && name.len() <= 60 && name.chars().all(fits) {
        return Ok(());
    }
    let diagnostic = Diagnostic::error("snapshot-name", format!("`{name}` cannot be a snapshot's name"))
        .because("the engine takes letters, digits, `.`, `_` and `-` only, here up to 60 of them");
    Err(Failure::new(Exit::Usage, diagnostic))
}

fn nothing_there() -> Failure {
    let diagnostic = Diagnostic::error("no-data", "this environment has no data yet").help("`devenv up` makes it");
    Failure::new(Exit::Failed, diagnostic)
}
