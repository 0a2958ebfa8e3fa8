//! Finds the environment of a command, its manifests and its env file: those of the command line, otherwise those that
//! an earlier command chose. Both are in the engine's labels, so that running services are found even if no manifest
//! can be read.

use super::consent;
use super::env_files;
use super::session::{self, Machine, Project, Purpose, connect, read, stdin};
use crate::cli::{Global, Start};
use crate::docker::{Engine, EngineError};
use crate::machine::CheckoutLock;
use crate::manifest::{self, Reading, Strictness};
use crate::model::{Diagnostic, Exit, Failure, Observed, digest_of_bytes};
use crate::plan::{self, Choice, Identity};
use crate::project::{Budget, tidy};
use crate::ui::{Printer, visible};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An environment, read from the engine's labels.
pub(crate) struct Found {
    pub(crate) machine: Machine,
    pub(crate) engine: Engine,
    pub(crate) identity: Identity,
    /// The engine's state, without images.
    pub(crate) observed: Observed,
    /// The user's choice for this environment.
    pub(crate) choice: Choice,
}

/// Finds the environment of the current folder. Its root is the nearest folder upwards that is the root of an
/// environment, or holds a manifest. Manifests are read only if there is no environment yet, to get its name.
pub(crate) async fn find(global: &Global, files: &[PathBuf]) -> Result<Found, Failure> {
    let machine = Machine::load()?;
    let engine = connect(global).await?;
    let observed = engine.observe(&[]).await.map_err(EngineError::into_failure)?;
    let root = root(global, files, &machine, &observed)?;
    let identity = if let Some(identity) = environment_of(&root, &machine, &observed) {
        identity
    } else {
        let reading = read(global, files)?;
        Identity::of_checkout(&reading.stack.project, &reading.root, machine.key.clone())
    };
    let choice = plan::chosen(&identity, &observed);
    Ok(Found { machine, engine, identity, observed, choice })
}

impl Found {
    /// Takes the environment's lock, and asks the engine again: the state may have changed meanwhile.
    pub(crate) async fn locked(mut self, printer: &Printer) -> Result<(Self, CheckoutLock), Failure> {
        let lock = CheckoutLock::acquire(&self.machine.folder, &self.identity.name, || {
            printer.line("another devenv is changing this environment; waiting for it to end");
        })?;
        self.observed = self.engine.observe(&[]).await.map_err(EngineError::into_failure)?;
        Ok((self, lock))
    }

    /// Reads the environment's manifests.
    pub(crate) async fn read(&self, global: &Global, files: &[PathBuf]) -> Result<Reading, Failure> {
        if files.is_empty() && !self.choice.files.is_empty() {
            let root = self.identity.root.clone();
            let chosen = Chosen::of(root, self.choice.clone(), &self.machine, &self.engine, &self.observed).await?;
            return manifest::read(&chosen.request(global)?);
        }
        read(global, files)
    }
}

fn root(global: &Global, files: &[PathBuf], machine: &Machine, observed: &Observed) -> Result<PathBuf, Failure> {
    manifest::root(&session::request(global, files)?, &|folder| environment_of(folder, machine, observed).is_some())
}

fn environment_of(root: &Path, machine: &Machine, observed: &Observed) -> Option<Identity> {
    plan::environments_of(root, &machine.key, observed).into_iter().next()
}

/// The choice of an earlier command for a checkout.
struct Chosen {
    root: PathBuf,
    choice: Choice,
    /// The text of standard input at that time, if it was among the files.
    stdin: Option<Vec<u8>>,
}

impl Chosen {
    async fn of(
        root: PathBuf,
        choice: Choice,
        machine: &Machine,
        engine: &Engine,
        observed: &Observed,
    ) -> Result<Self, Failure> {
        let mut chosen = Self { root, choice, stdin: None };
        if let Some(hash) = &chosen.choice.stdin {
            let identity = environment_of(&chosen.root, machine, observed);
            let input = identity.as_ref().and_then(|identity| plan::input_of_choice(identity, observed));
            let sealed = match (input, observed.any_image()) {
                // A clean-up of the engine removed the record's container; its volume still has the text.
                (Some(input), Some(image)) if input.id.is_empty() => {
                    let container =
                        engine.write_record(&input.record, image).await.map_err(EngineError::into_failure)?;
                    engine.kept_file(&container).await.ok()
                }
                (Some(input), _) => engine.kept_file(&input.id).await.ok(),
                (None, _) => None,
            };
            let text = sealed.and_then(|sealed| machine.key.unsealed(&sealed));
            let text = text.filter(|text| digest_of_bytes(text) == *hash);
            chosen.stdin = Some(text.ok_or_else(no_stdin)?);
        }
        Ok(chosen)
    }

    /// The request that reads the chosen manifests.
    fn request(&self, global: &Global) -> Result<manifest::Request, Failure> {
        let named = |file: &PathBuf| if is_stdin(file) { file.clone() } else { self.root.join(file) };
        let files: Vec<PathBuf> = self.choice.files.iter().map(named).collect();
        let folder = self.choice.folder.as_ref().map_or_else(|| self.root.clone(), |folder| self.root.join(folder));
        let (root, stdin) = (Some(self.root.clone()), self.stdin.clone());
        Ok(manifest::Request { folder, root, stdin, ..session::request(global, &files)? })
    }
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// The failure if the stored text of standard input is gone.
fn no_stdin() -> Failure {
    let diagnostic =
        Diagnostic::error("manifest-of-stdin", "the manifests of this environment came through standard input")
            .because("their text is no longer stored; nothing was changed, and running services keep running")
            .help("pipe it in again: `… | devenv -f - up`")
            .help("or name a file: `devenv -f FILE up`");
    Failure::new(Exit::Manifest, diagnostic)
}

/// The requirements of a command when it opens a project.
pub(crate) struct Wish<'a> {
    /// The manifests that the command line names.
    pub(crate) files: &'a [PathBuf],
    /// The env file that the command line names.
    pub(crate) env_file: Option<&'a Path>,
    pub(crate) strictness: Strictness,
    /// The token of a new ephemeral environment; none for the checkout's own environment.
    pub(crate) token: Option<&'a str>,
    pub(crate) purpose: Purpose,
    /// The rules for checking `services.lock`; none if the file is not checked.
    pub(crate) start: Option<&'a Start>,
    /// Whether to take the environment's lock, so that other commands wait: the command will change the environment.
    pub(crate) locks: bool,
    /// Whether the declarations in the containers' labels are enough if the manifests cannot be read.
    pub(crate) or_by_labels: bool,
}

impl<'a> Wish<'a> {
    /// For a command that uses the running services, even if the manifests leave versions open.
    pub(crate) fn to_use(files: &'a [PathBuf]) -> Self {
        let strictness = Strictness::AllowFloating;
        let (purpose, or_by_labels) = (Purpose::Use, true);
        Self { files, env_file: None, strictness, token: None, purpose, start: None, locks: false, or_by_labels }
    }
}

/// A project and the engine's state of it.
pub(crate) struct Opened {
    pub(crate) project: Project,
    pub(crate) engine: Engine,
    /// Held as long as this value lives, if the command wanted the lock.
    pub(crate) lock: Option<CheckoutLock>,
    /// Read after the lock was taken.
    pub(crate) observed: Observed,
}

/// The request that reads the manifests, and the earlier choice.
pub(crate) struct Source {
    pub(crate) request: manifest::Request,
    pub(crate) choice: Choice,
}

/// The manifests of a command that starts nothing and can work without an engine: those that the command line names,
/// otherwise those that were named before (with a message), otherwise those that are found. The earlier choice is
/// unknown if the engine does not answer.
pub(crate) async fn source(global: &Global, files: &[PathBuf], printer: &Printer) -> Result<Source, Failure> {
    let request = manifest::Request { stdin: stdin(files)?, ..session::request(global, files)? };
    let mut found = Source { request, choice: Choice::default() };
    // Without a key there is no record that the key signed.
    let has_key = session::data_folder().is_some_and(|folder| folder.join("key").exists());
    if !files.is_empty() || !has_key {
        return Ok(found);
    }
    let (Ok(machine), Ok(engine)) = (Machine::load(), connect(global).await) else { return Ok(found) };
    let Ok(mut observed) = engine.observe_volumes().await else { return Ok(found) };
    let root = root(global, files, &machine, &observed)?;
    let Some(identity) = environment_of(&root, &machine, &observed) else { return Ok(found) };
    found.choice = without_gone(plan::chosen(&identity, &observed), &root, printer);
    if found.choice.stdin.is_some() {
        // The text of standard input is in the container of a record.
        observed = engine.observe(&[]).await.map_err(EngineError::into_failure)?;
    }
    if !found.choice.files.is_empty() {
        printer.line(&read_again(&found.choice));
        let chosen = Chosen::of(root, found.choice.clone(), &machine, &engine, &observed).await?;
        found.request = chosen.request(global)?;
    }
    Ok(found)
}

/// The project of a command that starts nothing, even if its manifests leave versions open.
pub(crate) async fn project(global: &Global, files: &[PathBuf], printer: &Printer) -> Result<Project, Failure> {
    let source = source(global, files, printer).await?;
    let reading = manifest::read(&source.request)?;
    let agreed = global.trust || consent::by_environment();
    let mut notes = Vec::new();
    let loaded = Project::of(reading, agreed, Strictness::AllowFloating, None, Purpose::Use, &mut notes);
    printer.diagnostics(&notes);
    Ok(Project { choice: source.choice, ..loaded? })
}

/// Reads a project: the manifests that the command line names, otherwise those that were named before, otherwise those
/// that are found.
///
/// The earlier choice is known only after the engine was asked, and the engine is asked only once in any case. So the
/// manifests that are found are read first, and their messages are held back. If an earlier command chose other
/// manifests, those are read instead.
pub(crate) async fn open(global: &Global, wish: &Wish<'_>, printer: &Printer) -> Result<Opened, Failure> {
    let stdin = stdin(wish.files)?;
    let agreed = global.trust || consent::by_environment();
    let mut chosen: Option<Chosen> = None;
    loop {
        let mut notes = Vec::new();
        let reading = match &chosen {
            None => session::request(global, wish.files)
                .and_then(|request| manifest::read(&manifest::Request { stdin: stdin.clone(), ..request })),
            Some(chosen) => chosen.request(global).and_then(|request| manifest::read(&request)),
        };
        let loaded = reading
            .and_then(|reading| Project::of(reading, agreed, wish.strictness, wish.token, wish.purpose, &mut notes))
            .and_then(|project| {
                wish.start.map_or(Ok(()), |start| project.check_lock(start, &mut notes))?;
                Ok(project)
            });
        let is_final = chosen.is_some() || !wish.files.is_empty();
        if let Err(failure) = loaded.as_ref().map(|_| ())
            && is_final
        {
            return or_by_labels(global, wish, failure.clone(), &notes, printer).await;
        }
        let lock = match &loaded {
            Ok(project) if wish.locks => Some(project.wait_for_others(printer)?),
            _ => None,
        };
        let seen = match connect(global).await {
            Ok(engine) => observe(global, engine, loaded.as_ref().ok()).await,
            Err(failure) => Err(failure),
        };
        let Seen { machine, engine, observed, root, last } = match seen {
            Ok(seen) => seen,
            Err(failure) => {
                printer.diagnostics(&notes);
                // Mistakes in the manifests and the env files are reported even if no engine answers.
                let project = loaded?;
                if wish.locks && wish.start.is_some() {
                    let env_file = wish.env_file.map(|file| env_file_below(&project.reading.root, file));
                    let env = env_files::Main::of(&project.reading, &Choice { env_file, ..Choice::default() })?;
                    printer.diagnostics(&env_files::check(&project, &env)?);
                }
                return Err(failure);
            }
        };
        // A command that uses the running services can use the declarations in their labels.
        let keeps_gone = wish.or_by_labels || !wish.files.is_empty();
        let last = if keeps_gone { last } else { without_gone(last, &root, printer) };
        let manifests = |choice: &Choice| Choice { env_file: None, ..choice.clone() };
        let is_read = chosen.as_ref().map(|chosen| manifests(&chosen.choice)).unwrap_or_default() == manifests(&last);
        if wish.files.is_empty() && !is_read {
            chosen = match Chosen::of(root, last, &machine, &engine, &observed).await {
                Ok(chosen) => Some(chosen),
                Err(failure) => return or_by_labels(global, wish, failure, &notes, printer).await,
            };
            continue;
        }
        let mut project = match loaded {
            Ok(project) => project,
            Err(failure) => return or_by_labels(global, wish, failure, &notes, printer).await,
        };
        printer.diagnostics(&notes);
        if chosen.is_some() && wish.purpose == Purpose::Start {
            printer.line(&read_again(&last));
        }
        let env_file = wish.env_file.map(|file| env_file_below(&root, file)).or(last.env_file);
        project.choice = if wish.files.is_empty() {
            Choice { env_file, ..last }
        } else {
            let files = wish.files.iter().map(|file| below(&root, file)).collect();
            let folder = stdin.as_ref().map(|_| below(&root, Path::new("."))).filter(|folder| *folder != *"");
            Choice { files, stdin: stdin.as_deref().map(digest_of_bytes), folder, env_file }
        };
        project.stdin = stdin.or_else(|| chosen.and_then(|chosen| chosen.stdin));
        return Ok(Opened { project, engine, lock, observed });
    }
}

/// The project as declared in its containers' labels, if that is enough for the command; otherwise the failure of
/// reading the manifests.
async fn or_by_labels(
    global: &Global,
    wish: &Wish<'_>,
    failure: Failure,
    notes: &[Diagnostic],
    printer: &Printer,
) -> Result<Opened, Failure> {
    if wish.or_by_labels && wish.files.is_empty() && failure.exit == Exit::Manifest {
        let why = failure.diagnostics.first().map(|one| visible(&one.message).into_owned()).unwrap_or_default();
        if let Some(opened) = by_labels(global, wish, printer).await? {
            printer.line(&format!(
                "the manifests were not read ({why}); using the declarations in the containers' labels"
            ));
            return Ok(opened);
        }
    }
    printer.diagnostics(notes);
    Err(failure)
}

async fn by_labels(global: &Global, wish: &Wish<'_>, printer: &Printer) -> Result<Option<Opened>, Failure> {
    let fault = EngineError::into_failure;
    let machine = Machine::load()?;
    let engine = connect(global).await?;
    let observed = engine.observe(&[]).await.map_err(fault)?;
    let root = root(global, &[], &machine, &observed)?;
    let Some(identity) = environment_of(&root, &machine, &observed) else { return Ok(None) };
    let found = Found { choice: plan::chosen(&identity, &observed), machine, engine, identity, observed };
    let (found, lock) = if wish.locks {
        let (found, lock) = found.locked(printer).await?;
        (found, Some(lock))
    } else {
        (found, None)
    };
    let Some(kept) = plan::kept_stack(&found.identity, &found.observed) else { return Ok(None) };
    let reading = Reading {
        kinds: manifest::kinds_of(&root)?,
        root,
        stack: kept.stack,
        env_file: kept.env_file,
        env_files: BTreeMap::new(),
        branching: None,
        diagnostics: Vec::new(),
        budget: Budget::default(),
    };
    let mut project = Project::of(reading, false, wish.strictness, None, wish.purpose, &mut Vec::new())?;
    (project.identity, project.choice) = (found.identity, found.choice);
    let observed = project.observe(&found.engine).await?;
    Ok(Some(Opened { project, engine: found.engine, lock, observed }))
}

/// An earlier choice without its manifests, if none of the files exists any more; prints a message. A user who deleted
/// or renamed these files must not be stopped by an option that was typed long ago.
fn without_gone(last: Choice, root: &Path, printer: &Printer) -> Choice {
    let is_gone = |file: &PathBuf| !is_stdin(file) && !root.join(file).exists();
    if last.files.is_empty() || !last.files.iter().all(is_gone) {
        return last;
    }
    let (names, verb) = (names(&last), if last.files.len() == 1 { "is" } else { "are" });
    printer.line(&format!("{names} {verb} gone, which the last `-f` named: looking for production's files"));
    Choice { env_file: last.env_file, ..Choice::default() }
}

/// The message that the manifests of the last `-f` are read again.
fn read_again(last: &Choice) -> String {
    format!("reading {} again, since the last `-f` named it; `-f` names another", names(last))
}

/// The manifests of a choice, for a message.
fn names(choice: &Choice) -> String {
    let name = |file: &PathBuf| {
        if is_stdin(file) { "standard input".to_owned() } else { file.display().to_string() }
    };
    visible(&choice.files.iter().map(name).collect::<Vec<_>>().join(", ")).into_owned()
}

/// The engine's state, and the earlier choice.
struct Seen {
    machine: Machine,
    engine: Engine,
    observed: Observed,
    /// The checkout's root.
    root: PathBuf,
    last: Choice,
}

async fn observe(global: &Global, engine: Engine, project: Option<&Project>) -> Result<Seen, Failure> {
    let (machine, observed, root) = if let Some(project) = project {
        (project.machine.clone(), project.observe(&engine).await?, project.reading.root.clone())
    } else {
        let machine = Machine::load()?;
        let observed = engine.observe(&[]).await.map_err(EngineError::into_failure)?;
        let root = root(global, &[], &machine, &observed)?;
        (machine, observed, root)
    };
    let last = environment_of(&root, &machine, &observed).map(|identity| plan::chosen(&identity, &observed));
    Ok(Seen { machine, engine, observed, root, last: last.unwrap_or_default() })
}

/// An env file's path, relative to the root. This follows no symbolic link in the checkout: the code that writes the
/// file checks where a link leads.
fn env_file_below(root: &Path, path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| tidy(&path));
    whole.strip_prefix(root).map_or_else(|_| below(root, path), Path::to_owned)
}

/// A path of the command line as it is stored: relative to the root if it is below the root, otherwise absolute.
fn below(root: &Path, path: &Path) -> PathBuf {
    if is_stdin(path) {
        return path.to_owned();
    }
    // The file may not exist yet, but its folder does.
    let real = path.canonicalize().ok().or_else(|| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(folder.canonicalize().ok()?.join(path.file_name()?))
    });
    let real = real.or_else(|| std::path::absolute(path).ok()).unwrap_or_else(|| path.to_owned());
    real.strip_prefix(root).map(Path::to_owned).unwrap_or(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_below_the_root_is_stored_relative_to_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap().join("shop");
        std::fs::create_dir_all(root.join("deploy")).unwrap();
        std::fs::write(root.join("deploy/stack.yml"), "").unwrap();
        assert_eq!(below(&root, &root.join("deploy/../deploy/stack.yml")), Path::new("deploy/stack.yml"));
        assert_eq!(below(&root, &root.join("deploy/.env.new")), Path::new("deploy/.env.new"));
        assert_eq!(below(&root, &root.join("../.env.new")), root.parent().unwrap().join(".env.new"));
        assert_eq!(below(&root, Path::new("-")), Path::new("-"));
    }
}
