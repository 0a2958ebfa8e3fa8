//! Finding the manifests of a folder: by the names that production's files have.
//!
//! Nothing is guessed: files for development (override, dev, test, local, ci) are never taken, and of several that
//! could be meant none is.

use super::dialect::ManifestFile;
use super::environment::Environment;
use super::files::{FileError, Project, git_top_level};
use super::{local, services_yaml, yaml};
use crate::model::{Diagnostic, SourceFile, without_managed_block};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Folders where deployments are kept, searched where the root itself has no manifest.
const FOLDERS: &[&str] = &["deploy", "deployment", "docker", "infra", "ops", ".docker"];

/// Words in a Compose file's name that say that it is not production's.
const NOT_PRODUCTION: &[&str] = &[
    "override",
    "dev",
    "devel",
    "development",
    "test",
    "tests",
    "testing",
    "local",
    "ci",
    "debug",
    "example",
    "sample",
];

/// devenv.sh's files: another tool with the same command name.
const OTHER_TOOL: &[&str] = &["devenv.nix", "devenv.yaml", "devenv.lock"];

/// What discovery found in a project.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The manifests, in the order in which they are read.
    pub(crate) files: Vec<ManifestFile>,
    /// What a person should know: files left alone, files that cannot be read.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Where it looked, for the message that nothing was found.
    pub(crate) looked: Vec<String>,
}

/// The nearest folder upwards that holds a manifest; git's top level is the last one that is looked at.
pub(crate) fn root_above(folder: &Path) -> Option<PathBuf> {
    let top = git_top_level(folder);
    for folder in folder.ancestors() {
        if holds_manifest(folder) {
            return Some(folder.to_path_buf());
        }
        if top == Some(folder) {
            return None;
        }
    }
    None
}

fn holds_manifest(folder: &Path) -> bool {
    let own = services_yaml::FILE_NAMES.iter().chain(local::FILE_NAMES);
    own.into_iter().any(|name| folder.join(name).is_file())
        || dotenv_compose_file(folder).is_some()
        || compose_places(folder).next().is_some()
}

/// Finds the manifests that lie in the project's root or in the usual folders below it. `COMPOSE_FILE` of the
/// environment names files from the folder that the user works in.
pub(crate) fn discover(project: &Project, environment: &Environment, working: &Path) -> Found {
    let mut found = Found::default();
    let own = services_yaml::FILE_NAMES.iter().find(|name| project.root.join(name).is_file());
    found.looked.push("looked for services.yaml".to_owned());
    if let Some(own) = own {
        found.read(project, Path::new(own));
        if let Some(other) = compose_places(&project.root).next().and_then(|place| place.into_iter().next()) {
            found.diagnostics.push(
                Diagnostic::note(
                    "left-alone",
                    format!("{own} is read, {} is left alone", project.shown(&other).display()),
                )
                .help("to read both, list them under `from:` in services.local.yaml"),
            );
        }
        return found;
    }
    found.looked.push("COMPOSE_FILE is not set, nor is it in .env".to_owned());
    if let Some(files) = environment.get("COMPOSE_FILE").filter(|files| !files.is_empty()) {
        let separator = separator(environment.get("COMPOSE_PATH_SEPARATOR"));
        for path in files.split(separator.as_str()).filter(|path| !path.is_empty()) {
            found.take(project, project.read_asked(&working.join(path)), Some("COMPOSE_FILE of the environment"));
        }
        return found;
    }
    if let Some(files) = dotenv_compose_file(&project.root) {
        for path in &files {
            found.take(project, project.read(Path::new(path)), Some("COMPOSE_FILE of .env"));
        }
        return found;
    }
    found.looked.push(format!(
        "looked for compose.prod.yaml, docker-compose.prod.yml, docker-stack.yml, compose.yaml, docker-compose.yml and the like, \
         here and in {}",
        FOLDERS.iter().map(|folder| format!("{folder}/")).collect::<Vec<_>>().join(", ")
    ));
    if let Some(files) = compose_places(&project.root).next() {
        found.read_compose(project, &files);
        return found;
    }
    found.note_ambiguous(project);
    found
}

/// The note about devenv.sh's files, where they lie in a folder.
pub(crate) fn other_tool(root: &Path) -> Option<Diagnostic> {
    let files: Vec<&str> = OTHER_TOOL.iter().copied().filter(|name| root.join(name).is_file()).collect();
    if files.is_empty() {
        return None;
    }
    let message =
        format!("{} belong{} to devenv.sh, another tool", files.join(", "), if files.len() == 1 { "s" } else { "" });
    Some(
        Diagnostic::note("other-tool", message)
            .because("both tools install a command called `devenv`; its files are left alone"),
    )
}

/// Parses a manifest's text.
pub(crate) fn parsed(source: Arc<SourceFile>, folder: PathBuf, diagnostics: &mut Vec<Diagnostic>) -> ManifestFile {
    let read = yaml::parse(&source);
    diagnostics.extend(read.diagnostics);
    ManifestFile { source, folder, documents: read.documents }
}

impl Found {
    fn read(&mut self, project: &Project, path: &Path) {
        self.take(project, project.read(path), None);
    }

    /// Keeps a file that could be read; of one that could not, says who named it.
    pub(crate) fn take(&mut self, project: &Project, read: Result<Arc<SourceFile>, FileError>, named: Option<&str>) {
        match read {
            Ok(source) => {
                let folder = project.root.join(&source.path).parent().unwrap_or(&project.root).to_path_buf();
                self.take_from(&folder, Ok(source), named);
            }
            Err(error) => self.take_from(&project.root, Err(error), named),
        }
    }

    /// The same, where relative paths in the file start from that folder.
    pub(crate) fn take_from(&mut self, folder: &Path, read: Result<Arc<SourceFile>, FileError>, named: Option<&str>) {
        match read {
            Ok(source) => {
                let file = parsed(source, folder.to_path_buf(), &mut self.diagnostics);
                self.files.push(file);
            }
            Err(error) => self.diagnostics.push(match named {
                Some(named) => error.diagnostic.because(format!("{named} names it")),
                None => *error.diagnostic,
            }),
        }
    }

    /// A production file; below it the base file, where the production file only adds to that.
    fn read_compose(&mut self, project: &Project, files: &[PathBuf]) {
        let Some((first, others)) = files.split_first() else { return };
        self.read(project, first);
        let partial = self.files.last().is_some_and(only_overlays);
        let base = others.iter().find(|other| base_names().any(|name| other.ends_with(name)));
        if let Some(base) = base.filter(|_| partial) {
            self.read(project, base);
            self.files.rotate_right(1);
        }
    }

    fn note_ambiguous(&mut self, project: &Project) {
        for folder in folders(&project.root) {
            let names = other_compose_files(&folder);
            if names.len() < 2 {
                continue;
            }
            let shown: Vec<String> = names.iter().map(|path| project.shown(path).display().to_string()).collect();
            self.looked.push(format!("found {}: name the ones that production deploys from with -f", shown.join(", ")));
        }
    }
}

/// Whether some service of a Compose file says neither what it runs nor how that is built.
fn only_overlays(file: &ManifestFile) -> bool {
    let services = file.documents.first().and_then(|document| document.get("services"));
    services
        .into_iter()
        .flat_map(|services| services.entries())
        .any(|entry| !["image", "build", "extends"].iter().any(|key| entry.value.get(key).is_some()))
}

/// The Compose files of the first place that has some, best first.
fn compose_places(root: &Path) -> impl Iterator<Item = Vec<PathBuf>> + use<> {
    folders(root).into_iter().filter_map(|folder| {
        let named = production_names().chain(base_names().map(str::to_owned)).map(|name| folder.join(name));
        let files: Vec<PathBuf> = named.filter(|path| path.is_file()).collect();
        if !files.is_empty() {
            return Some(files);
        }
        Some(other_compose_files(&folder)).filter(|files| files.len() == 1)
    })
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let below = FOLDERS.iter().map(|folder| root.join(folder)).filter(|folder| folder.is_dir());
    std::iter::once(root.to_path_buf()).chain(below).collect()
}

fn production_names() -> impl Iterator<Item = String> {
    let stems = [
        "compose.prod",
        "compose.production",
        "docker-compose.prod",
        "docker-compose.production",
        "docker-compose-prod",
        "docker-compose-production",
        "docker-stack",
    ];
    stems.into_iter().flat_map(|stem| ["yaml", "yml"].map(|ending| format!("{stem}.{ending}")))
}

fn base_names() -> impl Iterator<Item = &'static str> {
    ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"].into_iter()
}

/// Files whose name says Compose and not that they are for development, sorted.
fn other_compose_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_compose_name) && path.is_file())
        .collect();
    files.sort();
    files
}

fn is_compose_name(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")) else { return false };
    let stem = stem.to_ascii_lowercase();
    stem.contains("compose")
        && !stem.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| NOT_PRODUCTION.contains(&word))
}

/// The files that `COMPOSE_FILE` in `.env` names. Only that variable is read here; the rest is the dialect's business.
fn dotenv_compose_file(folder: &Path) -> Option<Vec<String>> {
    let text = without_managed_block(&fs::read_to_string(folder.join(".env")).ok()?);
    let value = |name: &str| {
        let lines = text.lines().filter_map(|line| line.trim().trim_start_matches("export ").split_once('='));
        let value = lines.filter(|(key, _)| key.trim() == name).last().map(|(_, value)| value.trim())?;
        let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.split_once(*quote));
        Some(unquoted.map_or_else(|| value.split(" #").next().unwrap_or(value).trim(), |(inside, _)| inside).to_owned())
    };
    let files = value("COMPOSE_FILE").filter(|files| !files.is_empty())?;
    let separator = separator(value("COMPOSE_PATH_SEPARATOR").as_deref());
    Some(files.split(separator.as_str()).filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// `:`, on Windows `;`, unless said otherwise (Compose's own rule).
fn separator(said: Option<&str>) -> String {
    said.filter(|said| !said.is_empty()).map_or_else(|| if cfg!(windows) { ";" } else { ":" }.to_owned(), str::to_owned)
}
