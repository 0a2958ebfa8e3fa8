//! Reads the files that production deploys from into one [`Stack`].
//!
//! Only this module knows the syntax of a dialect. Reading changes nothing: the input is text, and the output is a
//! stack and diagnostics.

mod bind;
mod check;
mod codebase;
mod combine;
mod declare;
mod dialect;
mod dialects;
mod discover;
mod read;
mod reading;

pub use bind::disagreements;
pub use check::end_of_life::ended;
pub use check::pinned::pinned;
pub use check::refusals::{Strictness, gathered, refusals};
pub use check::report::{json, lines};
pub use check::up_messages::{in_one_line, is_shown_by_up};
pub use codebase::adapters::adapters;
pub use codebase::tools::{ProjectTools, tools};
pub use combine::contradictions::{CONTRADICTS, contradictions};
pub use combine::local::{branching_of, file as local_file};
pub use declare::unsafe_variables::unsafe_variable;
pub use reading::{Reading, Request};

use crate::kinds::Kinds;
use crate::model::{Diagnostic, Exit, Failure, Severity, Stack};
use crate::project::{Budget, LIMIT, read_at_most, within_deadline};
use crate::syntax::expect::Expect;
use combine::local::Local;
use dialect::Found;
use dialect::{Dialect, Input, ManifestFile};
use dialects::DIALECTS;
use read::environment::Environment;
use read::files::Project;
use reading::is_unreadable;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Finds and reads the manifests. Fails if there is no manifest; every other mistake is in the diagnostics of the
/// reading. Reading ends for a project of any size: one [`Budget`] and a deadline bound its cost.
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
    let local = combine::local::open(&project, &mut kinds, &mut diagnostics);
    let before_manifests = diagnostics.len();
    let found = manifests(request, &project, &local, &environment);
    diagnostics.extend(found.diagnostics);
    if found.files.is_empty() && !diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(no_manifest(&project, &found.looked));
    }

    let mut stack = Stack::default();
    for (dialect, files) in by_dialect(found.files) {
        if dialect.name == dialects::services_yaml::DIALECT.name {
            diagnostics.extend(dialects::services_yaml::declare_kinds(&files, &project, &mut kinds));
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
        combine::merge::merge(&mut stack, part, &kinds, &local, &mut diagnostics);
    }
    let mut expect = Expect::default();
    let env_files = combine::overlay::apply(&local, &mut stack, &kinds, &mut expect);
    declare::rights::note_masters(&mut stack, &kinds);
    let central = combine::central::bind(&mut stack, &kinds, &local);
    let production = combine::production::ignore_environment_names(&mut stack, &local);
    // The declarations of a broken file are not known. A message that a service of that file is missing would mislead.
    let unreadable = diagnostics[before_manifests..].iter().any(is_unreadable);
    let missing = |found: &Diagnostic| matches!(found.code, "unknown-service" | "unknown-app" | "include-unknown");
    expect.diagnostics.retain(|found| !(unreadable && missing(found)));
    diagnostics.append(&mut expect.diagnostics);
    diagnostics.extend(central.into_iter().chain(production));
    dialects::platforms::cloudfoundry::raise_unknown(&stack, &mut diagnostics);
    diagnostics.extend(combine::host_without_port::notes(&stack, &kinds));
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
const MAX_MESSAGES: usize = 500;

/// At most as many messages as a person can read. If the budget is spent, the message about it comes first and once,
/// because many other messages follow from it.
fn bounded(mut diagnostics: Vec<Diagnostic>, budget: &Budget) -> Vec<Diagnostic> {
    if let Some(limit) = budget.overspent() {
        diagnostics.retain(|one| one.code != LIMIT);
        diagnostics.insert(0, limit);
        diagnostics.truncate(20);
    }
    let omitted = diagnostics.len().saturating_sub(MAX_MESSAGES);
    if omitted > 0 {
        // The sort is stable: errors come first, and messages of one severity keep the order of reading.
        diagnostics.sort_by_key(|one| std::cmp::Reverse(one.severity));
        diagnostics.truncate(MAX_MESSAGES);
        let more = Diagnostic::note("more-messages", format!("{omitted} further messages are not shown"))
            .help("fix the mistakes that are shown first");
        diagnostics.push(more);
    }
    diagnostics
}

/// The bytes of standard input, with the same limit as for a file.
pub fn standard_input(from: impl Read) -> Result<Vec<u8>, Failure> {
    read_at_most(from, read::files::LARGEST).map_err(|error| {
        let diagnostic =
            Diagnostic::error("file-unreadable", "standard input cannot be read").because(error.to_string());
        Failure::new(Exit::Manifest, diagnostic.help("pipe in only the manifest: `helm template … | devenv -f - up`"))
    })
}

/// The root of the checkout that the user works in: the folder that the user names, else the nearest folder upwards
/// that holds a manifest or for which `is_root` is true. Manifests are only recognised for this, not read.
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
        // If no folder upwards has a manifest, files that the user names belong to the checkout.
        let checkout =
            || read::files::git_top_level(&folder).map(Path::to_path_buf).filter(|_| !request.files.is_empty());
        discover::root_above(&folder, is_root, budget).or_else(checkout).unwrap_or_else(|| folder.clone())
    };
    Project::at(&root, budget).map_err(|error| refuse(&root, &error))
}

/// The kinds of a checkout whose manifests are not read: the built-in kinds and the kinds in its `.devenv/kinds/`.
pub fn kinds_of(root: &Path) -> Result<Kinds, Failure> {
    let request = Request { root: Some(root.to_path_buf()), ..Request::default() };
    kinds(&project(&request, &|_| false, &Budget::default())?, &mut Vec::new())
}

/// The built-in kinds and the kinds in `.devenv/kinds/`.
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
            dialects::services_yaml::add_kind(&path, None, project, &mut kinds, diagnostics);
        }
    }
    Ok(kinds)
}

/// The manifests that the user names, else the manifests of `from:`, else the manifests that discovery finds.
fn manifests(request: &Request, project: &Project, local: &Local, environment: &Environment) -> Found {
    let mut found = Found::new(DIALECTS);
    for path in &request.files {
        if path.as_os_str() == "-" {
            let bytes = request.stdin.clone().unwrap_or_default();
            let source = read::files::source_of(Path::new("<stdin>"), bytes);
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

/// Groups consecutive files of one dialect, which are read together.
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

/// A project's name, made of its folder's name: letters, digits and dashes, at most 40.
fn name_of(root: &Path) -> String {
    let folder = root.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let words: Vec<&str> = folder.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let name: String = words.join("-").chars().take(40).collect();
    let name = name.trim_end_matches('-');
    if name.is_empty() { "project".to_owned() } else { name.to_owned() }
}
