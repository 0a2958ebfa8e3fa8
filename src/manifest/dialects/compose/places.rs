//! Finds production's Compose files by their names, without guesses.
//!
//! Files for development (override, dev, test, local, ci) are never taken. If several files could be production's, none
//! of them is taken.

use crate::manifest::dialect::Found;
use crate::manifest::dialect::{ManifestFile, Wanted};
use crate::manifest::read::files::{LARGEST, Project};
use crate::manifest::read::search::is_never;
use crate::model::without_managed_block;
use crate::project::{Checkout, read_at_most};
use crate::syntax::tree::Node;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders in which deployments are kept. They are searched if the root itself has no Compose file.
const FOLDERS: &[&str] = &["deploy", "deployment", "docker", "infra", "ops", ".docker"];

/// Words in a Compose file's name that mean that the file is not production's.
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

/// Whether a folder holds Compose files of production, or its `.env` names Compose files.
pub(super) fn holds(folder: &Path) -> bool {
    dotenv_compose_file(folder).is_some() || compose_places(folder).next().is_some()
}

/// Takes the files that `COMPOSE_FILE` names, otherwise the files of the first place. Paths in the environment's
/// `COMPOSE_FILE` start at the user's working directory.
pub(super) fn find(wanted: &Wanted<'_>, found: &mut Found) {
    let Wanted { project, environment, working } = *wanted;
    found.looked.push("COMPOSE_FILE is not set, nor is it in .env".to_owned());
    if let Some(files) = environment.get("COMPOSE_FILE").filter(|files| !files.is_empty()) {
        let separator = separator(environment.get("COMPOSE_PATH_SEPARATOR"));
        for path in files.split(separator.as_str()).filter(|path| !path.is_empty()) {
            found.take(project, project.read_asked(&working.join(path)), Some("COMPOSE_FILE of the environment"));
        }
        return;
    }
    if let Some(files) = dotenv_compose_file(&project.root) {
        for path in &files {
            found.take(project, project.read(Path::new(path)), Some("COMPOSE_FILE of .env"));
        }
        return;
    }
    found.looked.push(format!(
        "looked for compose.prod.yaml, docker-compose.prod.yml, docker-stack.yml, compose.yaml, docker-compose.yml and the like, \
         here and in {}",
        FOLDERS.iter().map(|folder| format!("{folder}/")).collect::<Vec<_>>().join(", ")
    ));
    if let Some(files) = compose_places(&project.root).next() {
        read_best(project, &files, found);
        return;
    }
    note_ambiguous(project, found);
    note_candidates(project, found);
}

/// Takes a production file. If that file only changes services of the base file, the base file is read before it.
fn read_best(project: &Project, files: &[PathBuf], found: &mut Found) {
    let Some((first, others)) = files.split_first() else { return };
    let before = found.files.len();
    found.take(project, project.read(first), None);
    let partial = found.files.get(before).is_some_and(|(_, file)| only_overlays(file));
    let base = others.iter().find(|other| base_names().any(|name| other.ends_with(name)));
    if let Some(base) = base.filter(|_| partial) {
        found.take(project, project.read(base), None);
        found.files[before..].rotate_right(1);
    }
}

/// Reports other Compose files that the user could mean. They are never taken.
fn note_candidates(project: &Project, found: &mut Found) {
    let mut deeper = Vec::new();
    compose_files_below(&project.root, 3, &mut deeper);
    deeper.retain(|path| path.parent() != Some(&project.root));
    if !deeper.is_empty() {
        let shown: Vec<String> = deeper.iter().map(|path| project.shown(path).display().to_string()).collect();
        found.looked.push(format!("found {}, but did not read it: deeper folders are not searched", shown.join(", ")));
    }
}

fn note_ambiguous(project: &Project, found: &mut Found) {
    for folder in folders(&project.root) {
        let names = other_compose_files(&folder);
        if names.len() < 2 {
            continue;
        }
        let shown: Vec<String> = names.iter().map(|path| project.shown(path).display().to_string()).collect();
        found.looked.push(format!("found {}: name the ones that production deploys from with -f", shown.join(", ")));
    }
}

/// Whether a service of a Compose file has neither an image, nor a build, nor `extends`.
fn only_overlays(file: &ManifestFile) -> bool {
    let services = file.documents.first().and_then(|document| document.get("services"));
    services
        .into_iter()
        .flat_map(Node::entries)
        .any(|entry| !["image", "build", "extends"].iter().any(|key| entry.value.get(key).is_some()))
}

/// The Compose files of each place that has some, the best file first.
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

/// Files whose name says Compose and does not say development, sorted.
fn other_compose_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_compose_name) && path.is_file())
        .collect();
    files.sort();
    files
}

/// Finds Compose files in deeper folders, five at most. Hidden folders and folders of packages are skipped.
fn compose_files_below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if found.len() == 5 || is_never(name) {
            continue;
        }
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() && depth > 0 {
            compose_files_below(&path, depth - 1, found);
        } else if is_compose_name(name) && path.is_file() {
            found.push(path);
        }
    }
}

fn is_compose_name(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")) else { return false };
    let stem = stem.to_ascii_lowercase();
    stem.contains("compose")
        && !stem.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| NOT_PRODUCTION.contains(&word))
}

/// The files that `COMPOSE_FILE` in `.env` names. Only that variable and its separator are read here; the dialect reads
/// the others.
fn dotenv_compose_file(folder: &Path) -> Option<Vec<String>> {
    let file = Checkout::at(folder).ok()?.open(Path::new(".env")).ok()?;
    let text = without_managed_block(&String::from_utf8(read_at_most(file, LARGEST).ok()?).ok()?);
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.trim().trim_start_matches("export ").split_once('='));
        let value = lines.rfind(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())?;
        let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.split_once(*quote));
        Some(unquoted.map_or_else(|| value.split(" #").next().unwrap_or(value).trim(), |(inside, _)| inside).to_owned())
    };
    let files = value("COMPOSE_FILE").filter(|files| !files.is_empty())?;
    let separator = separator(value("COMPOSE_PATH_SEPARATOR").as_deref());
    Some(files.split(separator.as_str()).filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// The separator of paths: `:`, on Windows `;`, unless a variable sets another (Compose's own rule).
fn separator(said: Option<&str>) -> String {
    said.filter(|said| !said.is_empty()).map_or_else(|| if cfg!(windows) { ";" } else { ":" }.to_owned(), str::to_owned)
}
