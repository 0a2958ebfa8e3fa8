//! The versions of languages and tools that production pins, from the project's files, each with its place.
//!
//! Nothing is run, and nothing is guessed. A file that names no version (`node:lts`, `stable`) adds no pin.

mod files;
mod image;
mod lines;
mod locks;

use crate::manifest::codebase::beside::{Beside, within};
use crate::manifest::read::dockerfile;
use crate::manifest::read::place::place;
use crate::manifest::read::search::Search;
use crate::manifest::read::stage::{Stage, stage};
use crate::model::{Diagnostic, Failure, Origin, PackageFile, PinnedTool, SourceFile, Strength, TOOLS};
use crate::project::Budget;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The maximum number of components of one project that are read.
const MAX_COMPONENTS: usize = 50;

/// The maximum number of pins of one file.
const MAX_PINS: usize = 200;

/// The maximum length of a version, in bytes.
const MAX_VERSION: usize = 200;

/// For each language, the files that show that a component is written in it.
const WRITTEN_IN: &[(&str, &[&str])] = &[
    ("python", &["requirements.txt", "pyproject.toml", "Pipfile", "setup.py"]),
    ("uv", &["uv.lock", "pyproject.toml"]),
    ("poetry", &["poetry.lock", "pyproject.toml"]),
    ("ruby", &["Gemfile"]),
    ("bundler", &["Gemfile"]),
    ("node", &["package.json"]),
    ("bun", &["bun.lock", "bun.lockb"]),
    ("deno", &["deno.json", "deno.jsonc"]),
    ("go", &["go.mod"]),
    ("rust", &["Cargo.toml"]),
    ("php", &["composer.json"]),
    ("composer", &["composer.json"]),
    ("java", &["pom.xml", "build.gradle", "build.gradle.kts"]),
    ("elixir", &["mix.exs"]),
    ("erlang", &["mix.exs", "rebar.config"]),
    ("dotnet", &["global.json", "*.csproj", "*.fsproj", "*.sln"]),
];

/// The tools that a project's files name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectTools {
    /// The pins of every file, by component and tool, production's first.
    pub pins: Vec<PinnedTool>,
    /// The files that name packages.
    pub packages: Vec<PackageFile>,
    /// Files that could not be read, and pins that were skipped because there are too many.
    pub diagnostics: Vec<Diagnostic>,
}

/// A folder that contains an app.
struct Component {
    /// Relative to the root; empty for the root.
    folder: PathBuf,
    /// Its Dockerfiles, relative to the root, production's first.
    dockerfiles: Vec<PathBuf>,
}

/// Reads the pins of the files below a project's root: files in the root, and in each folder that holds a Dockerfile
/// and files of a language.
pub fn tools(root: &Path, budget: &Budget) -> Result<ProjectTools, Failure> {
    within(root, budget, read)
}

fn read(beside: Beside) -> ProjectTools {
    let mut found = ProjectTools::default();
    let mut search = Search::below(&beside.project.root);
    for component in components(&mut search, &beside) {
        let mut pins = pins(&beside, &mut search, &component);
        // Yarn runs the release in the project itself, no matter which release the machine has.
        let yarn = beside.read(&component.folder.join(".yarnrc.yml"));
        if yarn.is_some_and(|source| source.text.lines().any(|line| line.starts_with("yarnPath:"))) {
            pins.retain(|pin| pin.tool.name != "yarn");
        }
        let order = |pin: &PinnedTool| TOOLS.iter().position(|tool| tool.name == pin.tool.name);
        // The sort is stable: pins of the same strength stay in the order of reading.
        pins.sort_by_key(|pin| (order(pin), std::cmp::Reverse(pin.strength)));
        found.pins.append(&mut pins);
        found.packages.append(&mut locks::packages(&beside, &component));
    }
    found.diagnostics = beside.diagnostics(&search);
    found
}

fn components(search: &mut Search, beside: &Beside) -> Vec<Component> {
    let own = ["Dockerfile", "Containerfile", "Dockerfile.*", "*.Dockerfile"];
    let below = [
        "{docker,deploy,build}/{Dockerfile,Containerfile}",
        "{docker,deploy,build}/Dockerfile.*",
        "docker/*/Dockerfile",
    ];
    let mut root = Vec::new();
    for pattern in own.iter().chain(&below) {
        root.extend(search.matching(pattern));
    }
    let folders: BTreeSet<PathBuf> = ["*/Dockerfile", "*/*/Dockerfile"]
        .iter()
        .flat_map(|pattern| search.matching(pattern))
        .filter(|path| stage(path) <= Stage::Production)
        .filter_map(|path| path.parent().map(Path::to_path_buf))
        .collect();
    let mut components = Vec::new();
    for folder in folders {
        let has_language = WRITTEN_IN.iter().flat_map(|(_, names)| *names).any(|name| is_in(search, &folder, name));
        if has_language && components.len() == MAX_COMPONENTS {
            let message = format!("more than {MAX_COMPONENTS} folders contain an app");
            let told = Diagnostic::warning("tools-cut", message)
                .because(format!("the pins of `{}` and of the folders after it are not compared", folder.display()));
            beside.tell(told.help("look at one of them: `devenv -C FOLDER parity`"));
            break;
        }
        if has_language {
            let found = own.iter().flat_map(|name| search.matching(&format!("{}/{name}", folder.display()))).collect();
            components.push(Component { folder, dockerfiles: for_production(found) });
        }
    }
    root.retain(|path| !components.iter().any(|component| path.starts_with(&component.folder)));
    components.insert(0, Component { folder: PathBuf::new(), dockerfiles: for_production(root) });
    components
}

/// The Dockerfiles that production is built from: those whose name says production, otherwise those whose name says no
/// stage.
fn for_production(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.retain(|path| path.extension().is_none_or(|ending| ending != "dockerignore"));
    let least =
        if paths.iter().any(|path| stage(path) == Stage::Production) { Stage::Production } else { Stage::Unnamed };
    paths.retain(|path| stage(path) == least);
    let mut seen = BTreeSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    paths
}

/// Whether a folder holds a file of that name, or of that pattern.
fn is_in(search: &mut Search, folder: &Path, name: &str) -> bool {
    !search.matching(&folder.join(name).display().to_string()).is_empty()
}

fn pins(beside: &Beside, search: &mut Search, component: &Component) -> Vec<PinnedTool> {
    let mut pins: Vec<PinnedTool> = Vec::new();
    // A Dockerfile may name the same images many times, so the answer for each tool is kept.
    let mut written: BTreeMap<&str, bool> = BTreeMap::new();
    for path in &component.dockerfiles {
        let Some(source) = beside.read(path) else { continue };
        for (at, (image, line)) in dockerfile::images(&source.text, &beside.project.budget).into_iter().enumerate() {
            for (tool, wanted) in image::tools_of(&image) {
                // A language that only a build stage uses (a migration tool in Go) is no language of the app.
                let files = WRITTEN_IN.iter().find(|(name, _)| *name == tool.name).map(|(_, files)| *files);
                let is_written = || files.unwrap_or_default().iter().any(|name| is_in(search, &component.folder, name));
                let counts = at == 0 || *written.entry(tool.name).or_insert_with(is_written);
                // Several Dockerfiles are several apps in production. The first is taken as the app that is developed
                // here.
                if counts && !pins.iter().any(|pin| pin.tool.name == tool.name) {
                    let origin = place_of_image(&source, line, &image);
                    let folder = component.folder.clone();
                    pins.push(PinnedTool { tool, folder, wanted, strength: Strength::Deployed, origin });
                }
            }
        }
    }
    for (name, read) in files::FILES {
        let Some(source) = beside.read(&component.folder.join(name)) else { continue };
        for (at, word) in read(&source).into_iter().enumerate() {
            let skipped = |why: String| {
                let told = Diagnostic::warning("tools-cut", format!("`{}` {why}", source.path.display()));
                told.at(&word.wanted.origin, "not compared").help("keep to the tools that the app needs")
            };
            if at == MAX_PINS {
                beside.tell(skipped(format!("pins more than {MAX_PINS} tools; the others are not read")));
                break;
            }
            if word.wanted.value.text.len() > MAX_VERSION {
                beside.tell(skipped(format!("pins {} to a text longer than {MAX_VERSION} bytes", word.tool.name)));
                continue;
            }
            pins.push(PinnedTool {
                tool: word.tool,
                folder: component.folder.clone(),
                wanted: word.wanted.value,
                strength: word.strength,
                origin: word.wanted.origin,
            });
        }
    }
    pins
}

/// The place of the image's name on its line. The whole line if arguments replace parts of the name.
fn place_of_image(source: &Arc<SourceFile>, line: u32, image: &str) -> Origin {
    let text = usize::try_from(line).ok().and_then(|line| source.text.lines().nth(line.saturating_sub(1)));
    let text = text.unwrap_or_default().trim();
    let part = text.find(image).map_or(text, |at| &text[at..at + image.len()]);
    place(source, part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(files: &[(&str, &str)]) -> (tempfile::TempDir, ProjectTools) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let tools = tools(folder.path(), &Budget::default()).unwrap();
        (folder, tools)
    }

    fn pins(files: &[(&str, &str)]) -> Vec<String> {
        let show = |pin: &PinnedTool| format!("{} {} {}", pin.tool.name, pin.wanted.text, pin.origin);
        read(files).1.pins.iter().map(show).collect()
    }

    #[test]
    fn the_dockerfile_comes_first_then_exact_versions_then_ranges() {
        let found = pins(&[
            ("Dockerfile", "FROM node:20 AS build\nFROM ruby:3.3-slim\nCOPY --from=build /x /x\n"),
            ("Gemfile", "ruby '~> 3.2'\n"),
            (".ruby-version", "3.2.2\n"),
            ("package.json", "{\"engines\": {\"node\": \">=18\"}}"),
        ]);
        assert_eq!(
            found,
            [
                "ruby 3.3 Dockerfile:2:6",
                "ruby 3.2.2 .ruby-version:1:1",
                "ruby ~> 3.2 Gemfile:1:7",
                "node 20 Dockerfile:1:6",
                "node >=18 package.json:1:22"
            ]
        );
    }

    #[test]
    fn a_language_of_a_build_stage_is_no_language_of_the_app() {
        let files = [("Dockerfile", "FROM golang:1.22 AS migrate\nFROM python:3.12\nCOPY --from=migrate /m /m\n")];
        assert_eq!(pins(&files), ["python 3.12 Dockerfile:2:6"]);
        let files = [
            ("Dockerfile", "FROM golang:1.22 AS build\nFROM scratch\nCOPY --from=build /m /m\n"),
            ("go.mod", "module x\ngo 1.22\n"),
        ];
        assert_eq!(pins(&files), ["go 1.22 Dockerfile:1:6", "go >=1.22 go.mod:2:4"]);
    }

    #[test]
    fn productions_dockerfile_is_taken_and_developments_is_not() {
        let files = [
            ("Dockerfile", "FROM node:18\n"),
            ("Dockerfile.prod", "FROM node:20\n"),
            ("Dockerfile.dev", "FROM node:22\n"),
        ];
        assert_eq!(pins(&files), ["node 20 Dockerfile.prod:1:6"]);
        let files = [("Dockerfile", "ARG V=18\nFROM node:$V\n"), (".devcontainer/Dockerfile", "FROM node:22\n")];
        assert_eq!(pins(&files), ["node 18 Dockerfile:2:1"]);
        assert_eq!(pins(&[("docker/php/Dockerfile", "FROM php:8.3-fpm\n")]), ["php 8.3 docker/php/Dockerfile:1:6"]);
    }

    #[test]
    fn each_folder_with_an_app_is_a_component() {
        let (_folder, found) = read(&[
            ("web/Dockerfile", "FROM node:20\n"),
            ("web/package.json", "{\"dependencies\": {\"a\": \"1\"}}"),
            ("api/Dockerfile", "FROM python:3.12\n"),
            ("api/requirements.txt", ""),
            ("proxy/Dockerfile", "FROM nginx:1.27\n"),
            ("node_modules/x/Dockerfile", "FROM node:12\n"),
            ("node_modules/x/package.json", "{}"),
            ("package-lock.json", "{}"),
        ]);
        let pins: Vec<_> = found.pins.iter().map(|pin| (pin.folder.to_str().unwrap(), pin.tool.name)).collect();
        assert_eq!(pins, [("api", "python"), ("web", "node")]);
        let packages: Vec<_> = found.packages.iter().map(|it| (it.origin.to_string(), it.lock.clone())).collect();
        assert_eq!(packages, [("web/package.json:1:1".to_owned(), Some(PathBuf::from("package-lock.json")))]);
    }

    #[test]
    fn pins_over_the_maximum_and_unreadable_files_are_reported_with_their_place() {
        let many = "nodejs 20.1.0\n".repeat(MAX_PINS + 10);
        let long = format!("3.{}\n", "1".repeat(MAX_VERSION));
        let (_folder, found) = read(&[(".tool-versions", &many), (".ruby-version", &long), (".nvmrc", "20\0\n")]);
        assert_eq!(found.pins.len(), MAX_PINS);
        let told: Vec<&str> = found.diagnostics.iter().map(|one| one.message.as_str()).collect();
        for part in ["`.ruby-version` pins ruby to a text", "`.nvmrc` is no UTF-8", "`.tool-versions` pins more than"] {
            assert!(told.iter().any(|one| one.contains(part)), "{part}: {told:?}");
        }
        let mut places = found.diagnostics.iter().filter_map(|one| one.origin.as_ref()).map(ToString::to_string);
        assert!(places.any(|place| place == format!(".tool-versions:{}:8", MAX_PINS + 1)), "{told:?}");

        let budget = Budget::default();
        while budget.spend_file(Path::new("compose.yaml")) {}
        let (folder, _) = read(&[(".tool-versions", "nodejs 20.1.0\n")]);
        let found = tools(folder.path(), &budget).unwrap();
        assert_eq!((found.pins.len(), found.diagnostics.len()), (0, 1), "the budget of the manifests was spent");
        assert_eq!(found.diagnostics[0].code, crate::project::LIMIT);
    }

    #[test]
    fn yarn_that_the_project_carries_is_not_asked_for() {
        let package = ("package.json", "{\"packageManager\": \"yarn@4.1.0\"}");
        assert_eq!(pins(&[package]).len(), 1);
        assert_eq!(pins(&[package, (".yarnrc.yml", "yarnPath: .yarn/releases/yarn-4.1.0.cjs\n")]).len(), 0);
    }

    #[test]
    fn the_package_manager_that_is_asked_for_writes_the_lock_file() {
        let (_folder, found) =
            read(&[("package.json", "{\"packageManager\": \"pnpm@9.1.0\", \"dependencies\": {\"a\": \"1\"}}")]);
        assert_eq!((found.packages[0].command, found.packages[0].lock_names[0]), ("pnpm install", "pnpm-lock.yaml"));
    }

    #[test]
    fn files_that_name_packages_want_a_lock_file() {
        let packages = |files: &[(&str, &str)]| -> Vec<(String, bool)> {
            let found = read(files).1.packages;
            found.iter().map(|it| (it.origin.path().display().to_string(), it.lock.is_some())).collect()
        };
        let dependencies = "{\"dependencies\": {\"a\": \"1\"}}";
        assert_eq!(packages(&[("package.json", dependencies)]), [("package.json".to_owned(), false)]);
        assert_eq!(packages(&[("package.json", dependencies), ("yarn.lock", "")]), [("package.json".to_owned(), true)]);
        for (name, text) in [
            ("package.json", "{\"scripts\": {\"dependencies\": \"x\"}, \"dependencies\": {}}"),
            ("composer.json", "{\"require\": {\"php\": \"^8\", \"ext-intl\": \"*\"}}"),
            ("pyproject.toml", "[project]\nname = \"x\"\n[tool.ruff]\nx = 1\n"),
            ("go.mod", "module x\ngo 1.22\n"),
            ("Gemfile", "# gem \"rails\"\n"),
            ("mix.exs", "defp deps do\n  []\nend\n"),
            ("Cargo.toml", "[package]\nname = \"x\"\n"),
        ] {
            assert_eq!(packages(&[(name, text)]), [], "{name} names no packages");
        }
        for (name, text) in [
            ("composer.json", "{\"require\": {\"laravel/framework\": \"^11\"}}"),
            ("pyproject.toml", "[tool.poetry.dependencies]\npython = \"^3.11\"\n"),
            ("pyproject.toml", "[tool.uv]\ndev-dependencies = []\n"),
            ("go.mod", "module x\ngo 1.22\nrequire golang.org/x/net v0.1.0\n"),
            ("Gemfile", "gem \"rails\"\n"),
            ("mix.exs", "defp deps do\n  [\n    {:phoenix, \"~> 1.7\"}\n  ]\nend\n"),
            ("Cargo.toml", "[package]\nname = \"x\"\n[dependencies]\nserde = \"1\"\n"),
            ("Pipfile", "[packages]\n"),
        ] {
            assert_eq!(packages(&[(name, text)]), [(name.to_owned(), false)], "{text}");
        }
    }
}
