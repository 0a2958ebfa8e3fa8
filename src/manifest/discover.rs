//! Finds the manifests of a folder: each dialect says where its files are, and recognises them by their content.
//!
//! Nothing is guessed: of files for production and for development, production's files are taken, and the ignored files
//! are reported. `services.yaml` wins over every other format.

use crate::manifest::combine::local;
use crate::manifest::dialect::{
    Dialect, Found, ManifestFile, Places, Syntax, Wanted, folder_of, has_marks, no_format, recognised,
};
use crate::manifest::dialects::DIALECTS;
use crate::manifest::dialects::services_yaml;
use crate::manifest::read::environment::Environment;
use crate::manifest::read::files::{FileError, FileFault, Project, git_top_level};
use crate::manifest::read::parsed::{parsed, parsed_templated};
use crate::manifest::read::search::Search;
use crate::manifest::read::stage::{Stage, stage};
use crate::model::{Diagnostic, Origin, SourceFile};
use crate::project::Budget;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// devenv.sh's files: another tool with the same command name.
const OTHER_TOOL: &[&str] = &["devenv.nix", "devenv.yaml", "devenv.lock"];

/// How many files of one dialect are read.
const MAX_FILES: usize = 1000;

/// The nearest folder upwards that holds a manifest, or for which `is_root` is true. Git's top-level folder is the last
/// folder that is searched.
pub(crate) fn root_above(folder: &Path, is_root: &dyn Fn(&Path) -> bool, budget: &Budget) -> Option<PathBuf> {
    let top = git_top_level(folder);
    for above in folder.ancestors() {
        // Patterns that match any file (`*.yaml`) prove nothing about folders that the user did not choose.
        let chosen = above == folder || top == Some(above);
        if is_root(above) || holds_manifest(above, chosen, budget) {
            return Some(above.to_path_buf());
        }
        if top == Some(above) {
            return None;
        }
    }
    None
}

fn holds_manifest(folder: &Path, chosen: bool, budget: &Budget) -> bool {
    let own = services_yaml::FILE_NAMES.iter().chain(local::FILE_NAMES);
    if own.into_iter().any(|name| folder.join(name).is_file()) {
        return true;
    }
    let Ok(project) = Project::at(folder, budget) else { return false };
    let mut search = Search::below(folder);
    DIALECTS.iter().any(|dialect| match dialect.places {
        Places::Own { holds, .. } => holds(folder),
        Places::Files(patterns) => patterns
            .iter()
            .filter(|pattern| chosen || !pattern.contains('*'))
            .any(|pattern| search.matching(pattern).iter().any(|path| is_of(dialect, &project, path))),
    })
}

/// Whether a file below a folder is of a dialect, as exactly as is needed to find the root.
fn is_of(dialect: &Dialect, project: &Project, path: &Path) -> bool {
    let Ok(source) = project.read(path) else { return false };
    if !has_marks(dialect, &source.text) {
        return false;
    }
    // A large file counts without being parsed, because parsing it here and again later would take twice the time.
    source.text.len() > 1024 * 1024
        || (dialect.recognises)(&parsed_for(dialect, source, &project.root, &project.budget, &mut Vec::new()))
}

/// Finds the manifests in the project's root and in the usual folders below it.
pub(crate) fn discover(project: &Project, environment: &Environment, working: &Path) -> Found {
    let mut own = Found { looked: vec!["looked for services.yaml".to_owned()], ..Found::new(DIALECTS) };
    let mut search = Search::below(&project.root);
    let mut taken = BTreeSet::new();
    own.search(project, &services_yaml::DIALECT, services_yaml::FILE_NAMES, &mut search, &mut taken);
    let mut others = Found::new(DIALECTS);
    let wanted = Wanted { project, environment, working };
    let has_own = !own.files.is_empty() || !own.diagnostics.is_empty();
    for dialect in DIALECTS.iter().filter(|dialect| dialect.name != services_yaml::DIALECT.name) {
        match dialect.places {
            Places::Own { find, .. } => find(&wanted, &mut others),
            Places::Files(patterns) => others.search(project, dialect, patterns, &mut search, &mut taken),
        }
    }
    if search.is_cut() {
        others.diagnostics.push(
            Diagnostic::warning("search-cut", "the project has more files than are searched for manifests")
                .help("name the manifests under `from:` in services.local.yaml, or with -f"),
        );
    }
    if has_own {
        own.report_ignored(&others);
        return own;
    }
    own.looked.append(&mut others.looked);
    own.looked.push(
        "no file of another format is in its usual place either (docs/manifests.md of devenv lists the places)"
            .to_owned(),
    );
    own.files = others.files;
    own.diagnostics.append(&mut others.diagnostics);
    own
}

/// The note about devenv.sh's files, if a folder has any.
pub(crate) fn other_tool(root: &Path) -> Option<Diagnostic> {
    let files: Vec<&str> = OTHER_TOOL.iter().copied().filter(|name| root.join(name).is_file()).collect();
    if files.is_empty() {
        return None;
    }
    let message =
        format!("{} belong{} to devenv.sh, another tool", files.join(", "), if files.len() == 1 { "s" } else { "" });
    Some(
        Diagnostic::note("other-tool", message)
            .because("both tools install a command called `devenv`; this tool ignores its files"),
    )
}

/// Parses a text in the syntax of a dialect.
fn parsed_for(
    dialect: &Dialect,
    source: Arc<SourceFile>,
    folder: &Path,
    budget: &Budget,
    diagnostics: &mut Vec<Diagnostic>,
) -> ManifestFile {
    match dialect.syntax {
        Syntax::Yaml => parsed(source, folder.to_path_buf(), budget, diagnostics),
        Syntax::Templated => parsed_templated(source, folder.to_path_buf(), budget, diagnostics),
        Syntax::Text => ManifestFile { source, folder: folder.to_path_buf(), documents: Vec::new() },
    }
}

/// A file that was recognised, with the stage that its path names and the mistakes in the file.
type Known = (Stage, ManifestFile, Vec<Diagnostic>);

impl Found {
    /// Takes every file of a named folder that some dialect recognises; the search goes a few folders deep. `read`
    /// reads one file.
    pub(crate) fn take_folder(
        &mut self,
        project: &Project,
        folder: &Path,
        named: Option<&Origin>,
        read: impl Fn(&Path) -> Result<Arc<SourceFile>, FileError>,
    ) {
        let mut known: BTreeMap<usize, Vec<Known>> = BTreeMap::new();
        let mut broken_files = Vec::new();
        let mut search = Search::below(folder);
        for path in search.matching("**/*").into_iter().take(MAX_FILES) {
            let Ok(source) = read(&folder.join(&path)) else { continue };
            let within = folder_of(project, &source.path);
            match recognised(self.dialects, Arc::clone(&source), &within, &project.budget) {
                (Some((dialect, file)), broken) => {
                    let line = self.dialects.iter().position(|one| one.name == dialect.name).unwrap_or_default();
                    known.entry(line).or_default().push((stage(&path), file, broken));
                }
                (None, broken) if !broken.is_empty() && source.text.contains("{{") => {
                    self.diagnostics.push(template(&source));
                }
                (None, broken) => broken_files.extend(broken),
            }
        }
        if known.is_empty() {
            let message = format!("`{}` holds no file of a format that devenv reads", project.shown(folder).display());
            self.diagnostics.append(&mut broken_files);
            let none = no_format(message).help("name another folder or file, or write a services.yaml (`devenv init`)");
            self.diagnostics.push(match named {
                Some(origin) => none.at(origin, "named here"),
                None => none,
            });
        }
        for (line, files) in known {
            if let Some(dialect) = self.dialects.get(line) {
                self.keep_production(dialect, files);
            }
        }
    }

    /// Takes the files in a dialect's places that the dialect recognises; look-alikes are skipped.
    fn search(
        &mut self,
        project: &Project,
        dialect: &'static Dialect,
        patterns: &[&str],
        search: &mut Search,
        taken: &mut BTreeSet<PathBuf>,
    ) {
        let mut paths: Vec<(Stage, PathBuf)> = Vec::new();
        for path in patterns.iter().flat_map(|pattern| search.matching(pattern)) {
            if !taken.contains(&path) && !paths.iter().any(|(_, known)| *known == path) {
                paths.push((stage(&path), path));
            }
        }
        if paths.len() > MAX_FILES {
            paths.truncate(MAX_FILES);
            self.diagnostics.push(
                Diagnostic::warning("search-cut", format!("only {MAX_FILES} files of {} are read", dialect.title))
                    .help("name the manifests under `from:` in services.local.yaml, or with -f"),
            );
        }
        let mut known: Vec<Known> = Vec::new();
        for (stage, path) in paths {
            let source = match project.read(&path) {
                Ok(source) => source,
                // A file that is no text is no manifest, unless it is named `services.yaml`.
                Err(error) if error.fault != FileFault::NotText || dialect.name == services_yaml::DIALECT.name => {
                    // Another dialect that searches for the same name would report the same error.
                    taken.insert(path);
                    self.diagnostics.push(*error.diagnostic);
                    continue;
                }
                Err(_) => continue,
            };
            if !has_marks(dialect, &source.text) {
                continue;
            }
            let mut broken = Vec::new();
            let folder = folder_of(project, &source.path);
            let file = parsed_for(dialect, source, &folder, &project.budget, &mut broken);
            if (dialect.recognises)(&file) {
                taken.insert(path);
                known.push((stage, file, broken));
            } else if broken.is_empty() {
            } else if file.source.text.contains("{{") {
                self.diagnostics.push(template(&file.source));
            } else {
                taken.insert(path);
                self.diagnostics.extend(broken);
            }
        }
        self.keep_production(dialect, known);
    }

    /// Keeps the files whose path names no stage, then the files of the stage nearest to production. Other files are
    /// reported as ignored.
    fn keep_production(&mut self, dialect: &'static Dialect, mut known: Vec<(Stage, ManifestFile, Vec<Diagnostic>)>) {
        let kept = match known.iter().map(|(stage, ..)| *stage).min() {
            None => return,
            Some(Stage::Unnamed) => Stage::Production,
            Some(least) => least,
        };
        known.sort_by_key(|(stage, ..)| *stage);
        let mut others = Vec::new();
        for (stage, file, broken) in known {
            if stage <= kept {
                self.diagnostics.extend(broken);
                self.files.push((dialect, file));
            } else {
                others.push(file.source.path.display().to_string());
            }
        }
        if let Some(names) = shortened(&others) {
            let are = are(&others);
            self.diagnostics.push(
                Diagnostic::note("left-alone", format!("{names} {are} ignored: {are} not for production, by name"))
                    .help("to read others, list them under `from:` in services.local.yaml, or name them with -f"),
            );
        }
    }

    /// Reports the manifests of other formats that are ignored because `services.yaml` is read.
    fn report_ignored(&mut self, others: &Found) {
        let own = self
            .files
            .first()
            .map_or(services_yaml::FILE_NAMES[0].to_owned(), |(_, file)| file.source.path.display().to_string());
        let paths: Vec<String> = others.files.iter().map(|(_, file)| file.source.path.display().to_string()).collect();
        if let Some(names) = shortened(&paths) {
            self.diagnostics.push(
                Diagnostic::note("left-alone", format!("{own} is read; {names} {} ignored", are(&paths)))
                    .help("to read both, list them under `from:` in services.local.yaml"),
            );
        }
    }
}

fn template(source: &Arc<SourceFile>) -> Diagnostic {
    let message = format!("`{}` is a template, and is ignored", source.path.display());
    Diagnostic::note("template", message).help("render it: `helm template … | devenv up -f -`")
}

/// At most three names, and the number of further names; `None` for an empty list.
fn shortened(names: &[String]) -> Option<String> {
    let words: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    match names.len() {
        0 => None,
        1..=3 => Some(local::names(&words)),
        more => Some(format!("{} and {} more", words.join(", "), more - 3)),
    }
}

fn are(names: &[String]) -> &'static str {
    if names.len() == 1 { "is" } else { "are" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const SERVICE: &str = "services: { db: { image: postgres } }\n";

    /// The paths that discovery finds in a project with those files.
    fn found(files: &[(&str, &str)], process: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let project = Project::at(folder.path(), &Budget::default()).unwrap();
        let process: BTreeMap<String, String> =
            process.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment = Environment::new(&process, &[]);
        let found = discover(&project, &environment, &project.root);
        found.files.iter().map(|(_, file)| file.source.path.display().to_string()).collect()
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
    fn a_production_file_that_only_adds_is_applied_over_the_base_file() {
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
    fn if_several_files_could_be_meant_none_is_taken() {
        assert_eq!(found(&[("a-compose.yml", SERVICE), ("b-compose.yml", SERVICE)], &[]), Vec::<String>::new());
    }

    #[test]
    fn usual_folders_are_searched_if_the_root_has_no_manifest() {
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
    fn above_the_users_folder_and_outside_a_checkout_only_exact_names_count() {
        let folder = tempfile::tempdir().unwrap();
        let object = "apiVersion: v1\nkind: Pod\nmetadata: { name: db }\n";
        fs::create_dir_all(folder.path().join("project/app")).unwrap();
        fs::create_dir(folder.path().join("k8s")).unwrap();
        fs::write(folder.path().join("k8s/db.yaml"), object).unwrap();
        assert_eq!(root_above(&folder.path().join("project/app"), &|_| false, &Budget::default()), None);
        assert_eq!(root_above(folder.path(), &|_| false, &Budget::default()), Some(folder.path().to_path_buf()));
        fs::write(folder.path().join("render.yaml"), "databases: [{ name: db, postgresMajorVersion: \"16\" }]\n")
            .unwrap();
        assert_eq!(
            root_above(&folder.path().join("project/app"), &|_| false, &Budget::default()),
            Some(folder.path().to_path_buf())
        );
    }

    #[test]
    fn the_root_is_the_nearest_folder_with_a_manifest_inside_the_checkout() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("checkout/app/src/deep");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir(folder.path().join("checkout/.git")).unwrap();
        fs::write(folder.path().join("compose.yaml"), SERVICE).unwrap();
        assert_eq!(root_above(&deep, &|_| false, &Budget::default()), None);
        fs::write(folder.path().join("checkout/compose.yaml"), SERVICE).unwrap();
        assert_eq!(root_above(&deep, &|_| false, &Budget::default()), Some(folder.path().join("checkout")));
        let known = folder.path().join("checkout/app/src");
        assert_eq!(
            root_above(&deep, &|folder| folder == known, &Budget::default()),
            Some(known.clone()),
            "an environment's root counts"
        );
        fs::write(folder.path().join("checkout/app/services.yaml"), "").unwrap();
        assert_eq!(root_above(&deep, &|_| false, &Budget::default()), Some(folder.path().join("checkout/app")));
    }
}
