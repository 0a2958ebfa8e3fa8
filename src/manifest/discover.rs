//! Finding the manifests of a folder: by the names that production's files have.
//!
//! Nothing is guessed: files for development (override, dev, test, local, ci) are never taken, and of several that
//! could be meant none is.

use super::dialect::ManifestFile;
use super::environment::Environment;
use super::files::{FileError, Project, git_top_level};
use super::tree::Node;
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
    found.note_candidates(project);
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
    let ending = source.path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let read = match ending {
        "tf" | "tfvars" | "hcl" | "nomad" | "job" => yaml::Documents::default(),
        _ => yaml::parse(&source),
    };
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

    /// What lies about that could be meant: said, never taken.
    fn note_candidates(&mut self, project: &Project) {
        let mut deeper = Vec::new();
        compose_files_below(&project.root, 3, &mut deeper);
        deeper.retain(|path| path.parent() != Some(&project.root));
        if !deeper.is_empty() {
            let shown: Vec<String> = deeper.iter().map(|path| project.shown(path).display().to_string()).collect();
            self.looked.push(format!("found {} and left it alone: deeper folders are not searched", shown.join(", ")));
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
        .flat_map(Node::entries)
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

/// Compose files in deeper folders, five at most; hidden folders and those of packages are passed over.
fn compose_files_below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if found.len() == 5 || name.starts_with('.') || matches!(name, "node_modules" | "target" | "vendor") {
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

/// The files that `COMPOSE_FILE` in `.env` names. Only that variable is read here; the rest is the dialect's business.
fn dotenv_compose_file(folder: &Path) -> Option<Vec<String>> {
    let text = without_managed_block(&fs::read_to_string(folder.join(".env")).ok()?);
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

/// `:`, on Windows `;`, unless said otherwise (Compose's own rule).
fn separator(said: Option<&str>) -> String {
    said.filter(|said| !said.is_empty()).map_or_else(|| if cfg!(windows) { ";" } else { ":" }.to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const SERVICE: &str = "services: { db: { image: postgres } }\n";

    /// The paths that discovery reads in a project of those files.
    fn found(files: &[(&str, &str)], process: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let project = Project::at(folder.path()).unwrap();
        let process: BTreeMap<String, String> =
            process.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment = Environment::new(&process, None);
        let found = discover(&project, &environment, &project.root);
        found.files.iter().map(|file| file.source.path.display().to_string()).collect()
    }

    #[test]
    fn production_files_come_before_the_base_file_and_any_others() {
        let all = ["compose.yaml", "docker-compose.prod.yml", "compose.prod.yaml", "docker-stack.yml", "a-compose.yml"];
        for (upto, wanted) in [(5, "compose.prod.yaml"), (2, "docker-compose.prod.yml"), (1, "compose.yaml")] {
            let files: Vec<(&str, &str)> = all[..upto].iter().map(|name| (*name, SERVICE)).collect();
            assert_eq!(found(&files, &[]), [wanted]);
        }
    }

    #[test]
    fn a_production_file_that_only_adds_lies_over_the_base_file() {
        let partial = "services: { db: { restart: always } }\n";
        let files = [("compose.yaml", SERVICE), ("compose.prod.yaml", partial)];
        assert_eq!(found(&files, &[]), ["compose.yaml", "compose.prod.yaml"]);
    }

    #[test]
    fn files_for_development_are_never_taken() {
        for name in ["compose.dev.yaml", "docker-compose.override.yml", "docker-compose-test.yml", "compose.ci.yml"] {
            assert_eq!(found(&[(name, SERVICE)], &[]), Vec::<String>::new(), "{name}");
        }
        let files = [("compose.database.yml", SERVICE), ("compose.local.yml", SERVICE)];
        assert_eq!(found(&files, &[]), ["compose.database.yml"]);
    }

    #[test]
    fn of_several_files_that_could_be_meant_none_is_taken() {
        assert_eq!(found(&[("a-compose.yml", SERVICE), ("b-compose.yml", SERVICE)], &[]), Vec::<String>::new());
    }

    #[test]
    fn usual_folders_are_searched_where_the_root_has_nothing() {
        assert_eq!(found(&[("deploy/compose.yaml", SERVICE)], &[]), ["deploy/compose.yaml"]);
        let both = [("deploy/compose.yaml", SERVICE), ("docker-compose.yml", SERVICE)];
        assert_eq!(found(&both, &[]), ["docker-compose.yml"]);
    }

    #[test]
    fn compose_file_says_which_files_and_the_process_wins_over_dotenv() {
        let dotenv = ".env";
        let files = [
            ("a.yml", SERVICE),
            ("b.yml", SERVICE),
            ("compose.yaml", SERVICE),
            (dotenv, "COMPOSE_PATH_SEPARATOR=,\nexport COMPOSE_FILE=\"b.yml,a.yml\" # here\n"),
        ];
        assert_eq!(found(&files, &[]), ["b.yml", "a.yml"]);
        assert_eq!(found(&files, &[("COMPOSE_FILE", "a.yml:b.yml")]), ["a.yml", "b.yml"]);
    }

    #[test]
    fn the_managed_block_is_not_read() {
        use crate::model::{BLOCK_END, BLOCK_START};
        let dotenv = format!("{BLOCK_START}\nCOMPOSE_FILE=a.yml\n{BLOCK_END}\n");
        assert_eq!(found(&[("a.yml", SERVICE), (".env", &dotenv)], &[]), Vec::<String>::new());
    }

    #[test]
    fn the_root_is_the_nearest_folder_with_a_manifest_inside_the_checkout() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("checkout/app/src/deep");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir(folder.path().join("checkout/.git")).unwrap();
        fs::write(folder.path().join("compose.yaml"), SERVICE).unwrap();
        assert_eq!(root_above(&deep), None);
        fs::write(folder.path().join("checkout/compose.yaml"), SERVICE).unwrap();
        assert_eq!(root_above(&deep), Some(folder.path().join("checkout")));
        fs::write(folder.path().join("checkout/app/services.yaml"), "").unwrap();
        assert_eq!(root_above(&deep), Some(folder.path().join("checkout/app")));
    }
}
