//! From the files that production deploys from to one [`Stack`].
//!
//! Only this module knows a dialect's syntax, and reading changes nothing: text in, stack and diagnostics out.

mod adapters;
mod beside;
mod bind;
mod central;
mod classify;
mod cloud;
mod cloudformation;
mod compose;
mod container;
mod contradictions;
mod count;
mod dialect;
mod discover;
mod dockerfile;
mod end_of_life;
mod env_file;
mod environment;
mod files;
mod generic;
mod hcl;
mod host_without_port;
mod interpolate;
mod kubernetes;
mod local;
mod merge;
mod overlay;
mod pinned;
mod place;
mod platforms;
mod poolers;
mod production;
mod refusals;
mod report;
mod rights;
mod said;
mod same;
mod same_port;
mod search;
mod seeds;
mod service_entry;
mod service_facts;
mod services_yaml;
mod stage;
mod templates;
mod terraform;
mod tools;
mod unsafe_variables;
mod variables;

pub use adapters::adapters;
pub use bind::disagreements;
pub use contradictions::{CONTRADICTS, contradictions};
pub use end_of_life::ended;
pub use local::{branching_of, file as local_file};
pub use pinned::pinned;
pub use refusals::{Strictness, gathered, refusals};
pub use report::{json, lines};
pub use said::{in_one_line, is_said_by_up};
pub use tools::{ProjectTools, tools};
pub use unsafe_variables::unsafe_variable;

use crate::kinds::Kinds;
use crate::model::{Branching, Diagnostic, Exit, Failure, Located, Severity, Stack};
use crate::project::{Budget, LIMIT, read_at_most, within_deadline};
use crate::syntax::expect::Expect;
use crate::syntax::{expect, tree, yaml};
use dialect::{Dialect, Input, ManifestFile};
use discover::Found;
use environment::Environment;
use files::Project;
use local::Local;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What is to be read. Nothing is taken from the process itself, so that tests can say all of it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The folder that the user works in (`-C`, else the process' own): absolute.
    pub folder: PathBuf,
    /// The project's root, where it is known.
    pub root: Option<PathBuf>,
    /// Whether that folder is the root whatever lies above it (`-C`).
    pub folder_is_root: bool,
    /// Manifests that the user names, relative to the folder; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// Standard input's bytes, where `-` is among the files.
    pub stdin: Option<Vec<u8>>,
    /// The process' variables.
    pub environment: BTreeMap<String, String>,
    /// Profiles given on the command line.
    pub profiles: Vec<String>,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The project's root: the folder that its environment belongs to.
    pub root: PathBuf,
    /// What all manifests declare together, with `services.local.yaml` laid over it.
    pub stack: Stack,
    /// Every kind, the user's own included.
    pub kinds: Kinds,
    /// The file that variables go to instead of `.env`, relative to the root, where `services.local.yaml` names one.
    pub env_file: Option<Located<String>>,
    /// By app, the file that its variables go to instead of that one, relative to the root.
    pub env_files: BTreeMap<String, Located<String>>,
    /// How data follows git, where `services.local.yaml` says so.
    pub branching: Option<Branching>,
    /// What is wrong or worth knowing, in the order of reading.
    pub diagnostics: Vec<Diagnostic>,
    /// What reading cost, and what reading further files of the project may still cost.
    pub budget: Budget,
}

impl Reading {
    /// Whether some file could not be read at all or in part, so that what it declares is not known.
    pub fn has_unreadable(&self) -> bool {
        self.diagnostics.iter().any(is_unreadable)
    }

    /// What is wrong in the files themselves (an unknown key or kind, a wrong type): then even showing the stack ends
    /// with [`Exit::Manifest`]. What only this machine's environment leaves open is none.
    pub fn mistakes(&self) -> impl Iterator<Item = &Diagnostic> {
        let is_mistake = |one: &&Diagnostic| one.severity == Severity::Error && one.code != "variable-unset";
        self.diagnostics.iter().filter(is_mistake)
    }

    /// Whether something is wrong that keeps a plan from being made.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

fn is_unreadable(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Error
        && (["yaml-", "hcl-", "file-"].iter().any(|start| diagnostic.code.starts_with(start))
            || [LIMIT, platforms::cloudfoundry::INSTANCES_UNKNOWN].contains(&diagnostic.code))
}

/// Finds and reads the manifests. Fails where there is none; whatever else is wrong is in the reading's diagnostics.
/// However much the project holds, it ends: what it may cost is bounded by one [`Budget`], and by a deadline.
pub fn read(request: &Request) -> Result<Reading, Failure> {
    let budget = Budget::default();
    let (request, spending) = (request.clone(), budget.clone());
    within_deadline(&budget, move || read_within(&request, &spending))?
}

fn read_within(request: &Request, budget: &Budget) -> Result<Reading, Failure> {
    let mut diagnostics = Vec::new();
    let project = project(request, &|_| false, budget)?;
    let mut kinds = kinds(&project, &mut diagnostics)?;
    let written = [".env", ".env.local"].map(|name| project.read(Path::new(name)).ok());
    let written: Vec<&str> = written.iter().flatten().map(|file| file.text.as_str()).collect();
    let environment = Environment::new(&request.environment, &written);
    diagnostics.extend(discover::other_tool(&project.root));
    let local = local::open(&project, &mut kinds, &mut diagnostics);
    let before_manifests = diagnostics.len();
    let found = manifests(request, &project, &local, &environment);
    diagnostics.extend(found.diagnostics);
    if found.files.is_empty() && !diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(no_manifest(&project, &found.looked));
    }

    let mut stack = Stack::default();
    for (dialect, files) in by_dialect(found.files) {
        if dialect.name == services_yaml::DIALECT.name {
            diagnostics.extend(services_yaml::declare_kinds(&files, &project, &mut kinds));
        }
        let (part, found) = (dialect.read)(&Input {
            files: &files,
            project: &project,
            environment: &environment,
            kinds: &kinds,
            profiles: &request.profiles,
            included: &local.included,
        });
        diagnostics.extend(found);
        merge::merge(&mut stack, part, &kinds, &local, &mut diagnostics);
    }
    let mut expect = Expect::default();
    let env_files = overlay::lay_over(&local, &mut stack, &kinds, &mut expect);
    rights::note_masters(&mut stack, &kinds);
    let central = central::bind(&mut stack, &kinds, &local);
    let production = production::set_aside(&mut stack, &local);
    // What a broken file would have declared is not known: that it is missing would be a false trail.
    let unreadable = diagnostics[before_manifests..].iter().any(is_unreadable);
    let missing = |found: &Diagnostic| matches!(found.code, "unknown-service" | "unknown-app" | "include-unknown");
    expect.diagnostics.retain(|found| !(unreadable && missing(found)));
    diagnostics.append(&mut expect.diagnostics);
    diagnostics.extend(central.into_iter().chain(production));
    platforms::cloudfoundry::raise_unknown(&stack, &mut diagnostics);
    diagnostics.extend(host_without_port::notes(&stack, &kinds));
    diagnostics.extend(contradictions(&stack));
    if stack.project.is_empty() {
        stack.project = name_of(&project.root);
    }
    let diagnostics = bounded(diagnostics, budget);
    let Local { env_file, branching, .. } = local;
    let (root, budget) = (project.root, budget.clone());
    Ok(Reading { root, stack, kinds, env_file, env_files, branching, diagnostics, budget })
}

/// How many messages of one reading are kept.
const MESSAGES: usize = 500;

/// The messages that somebody can read. Where the budget is spent, that comes first and once: much of what else is told
/// follows from it.
fn bounded(mut diagnostics: Vec<Diagnostic>, budget: &Budget) -> Vec<Diagnostic> {
    if let Some(limit) = budget.overspent() {
        diagnostics.retain(|one| one.code != LIMIT);
        diagnostics.insert(0, limit);
        diagnostics.truncate(20);
    }
    let left_out = diagnostics.len().saturating_sub(MESSAGES);
    if left_out > 0 {
        // Sorting is stable: errors first, else in the order of reading.
        diagnostics.sort_by_key(|one| std::cmp::Reverse(one.severity));
        diagnostics.truncate(MESSAGES);
        let more = Diagnostic::note("more-messages", format!("{left_out} further messages are not shown"))
            .help("settle some of those that are shown first");
        diagnostics.push(more);
    }
    diagnostics
}

/// The bytes of standard input, as much as of any file.
pub fn standard_input(from: impl Read) -> Result<Vec<u8>, Failure> {
    read_at_most(from, files::LARGEST).map_err(|error| {
        let told = Diagnostic::error("file-unreadable", "standard input cannot be read").because(error.to_string());
        Failure::new(Exit::Manifest, told.help("pipe in the manifest alone: `helm template … | devenv -f - up`"))
    })
}

/// The root of the checkout that the user works in: the nearest folder upwards that holds a manifest, or that `is_root`
/// knows, or the folder that the user says. No manifest is read for it.
pub fn root(request: &Request, is_root: &dyn Fn(&Path) -> bool) -> Result<PathBuf, Failure> {
    Ok(project(request, is_root, &Budget::default())?.root)
}

fn project(request: &Request, is_root: &dyn Fn(&Path) -> bool, budget: &Budget) -> Result<Project, Failure> {
    let refuse = |folder: &Path, error: &std::io::Error| {
        let message = format!("the folder {} cannot be read: {error}", folder.display());
        Failure::new(
            Exit::Manifest,
            Diagnostic::error("file-unreadable", message).help("check the path and its permissions"),
        )
    };
    let folder = request.root.as_ref().unwrap_or(&request.folder);
    let folder = fs::canonicalize(folder).map_err(|error| refuse(folder, &error))?;
    let root = if request.folder_is_root || request.root.is_some() {
        folder
    } else {
        // Files that are named where no manifest lies belong to the checkout.
        let checkout = || files::git_top_level(&folder).map(Path::to_path_buf).filter(|_| !request.files.is_empty());
        discover::root_above(&folder, is_root, budget).or_else(checkout).unwrap_or_else(|| folder.clone())
    };
    Project::at(&root, budget).map_err(|error| refuse(&root, &error))
}

/// The kinds of a checkout whose manifests are not read: the built-in ones, and those of its `.devenv/kinds/`.
pub fn kinds_of(root: &Path) -> Result<Kinds, Failure> {
    let request = Request { root: Some(root.to_path_buf()), ..Request::default() };
    kinds(&project(&request, &|_| false, &Budget::default())?, &mut Vec::new())
}

/// The built-in kinds, and those of `.devenv/kinds/`.
fn kinds(project: &Project, diagnostics: &mut Vec<Diagnostic>) -> Result<Kinds, Failure> {
    let mut kinds = Kinds::built_in().map_err(|error| {
        let message = format!("the built-in kind {} does not read: {}", error.path, error.message);
        Failure::new(Exit::Failed, Diagnostic::error("kind-file", message).help("this is a mistake of this build"))
    })?;
    let folder = Path::new(".devenv/kinds");
    if !project.is_folder(folder) {
        return Ok(kinds);
    }
    let names = project.list(folder).unwrap_or_default();
    for path in names.iter().map(|name| folder.join(name)) {
        if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            services_yaml::add_kind(&path, None, project, &mut kinds, diagnostics);
        }
    }
    Ok(kinds)
}

/// The manifests that the user names, else those of `from:`, else those that are found.
fn manifests(request: &Request, project: &Project, local: &Local, environment: &Environment) -> Found {
    let mut found = Found::default();
    for path in &request.files {
        if path.as_os_str() == "-" {
            let bytes = request.stdin.clone().unwrap_or_default();
            let source = files::source_of(Path::new("<stdin>"), bytes);
            found.take_from(&project.root.join(&request.folder), source, &project.budget, Some("standard input"));
        } else {
            let path = request.folder.join(path);
            if path.is_dir() {
                found.take_folder(project, &path, None, |file| project.read_in_asked(file));
            } else {
                found.take(project, project.read_asked(&path), Some("-f"));
            }
        }
    }
    if !request.files.is_empty() {
        return found;
    }
    for path in &local.from {
        let named = Path::new(&path.value);
        if project.is_folder(named) {
            found.take_folder(project, &project.root.join(named), Some(&path.origin), |file| project.read(file));
            continue;
        }
        match project.read(named) {
            Ok(source) => found.take(project, Ok(source), None),
            Err(error) => found.diagnostics.push(error.named_at(&path.origin)),
        }
    }
    if local.from.is_empty() { discover::discover(project, environment, &request.folder) } else { found }
}

/// Files of one dialect that follow each other are read together.
fn by_dialect(files: Vec<(&'static Dialect, ManifestFile)>) -> Vec<(&'static Dialect, Vec<ManifestFile>)> {
    let mut groups: Vec<(&'static Dialect, Vec<ManifestFile>)> = Vec::new();
    for (dialect, file) in files {
        match groups.last_mut() {
            Some((last, files)) if last.name == dialect.name => files.push(file),
            _ => groups.push((dialect, vec![file])),
        }
    }
    groups
}

fn no_manifest(project: &Project, looked: &[String]) -> Failure {
    let message = format!("no manifest was found in {} or above it", project.root.display());
    let mut diagnostic = Diagnostic::error("no-manifest", message);
    for place in looked {
        diagnostic = diagnostic.because(place.clone());
    }
    Failure::new(
        Exit::Manifest,
        diagnostic
            .help("name the file that production deploys from: `devenv -f FILE up`")
            .help("or write a starter services.yaml: `devenv init`"),
    )
}

/// A project's name from its folder's: letters, digits and dashes.
fn name_of(root: &Path) -> String {
    let folder = root.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let words: Vec<&str> = folder.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let name: String = words.join("-").chars().take(40).collect();
    let name = name.trim_end_matches('-');
    if name.is_empty() { "project".to_owned() } else { name.to_owned() }
}
