//! Files that name the packages that an app needs, and whether a lock file pins the releases of those packages.

use super::Component;
use super::lines::toml;
use crate::manifest::codebase::beside::Beside;
use crate::manifest::read::files::Project;
use crate::model::{Origin, PackageFile, SourceFile};
use crate::syntax::tree::Node;
use crate::syntax::yaml;
use std::path::Path;
use std::sync::Arc;

/// Node's package managers, as `packageManager` names them: the install command, and lock files, the own file first.
const NODE: &[(&str, &str, &[&str])] = &[
    (
        "npm",
        "npm install",
        &["package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"],
    ),
    ("pnpm", "pnpm install", &["pnpm-lock.yaml", "package-lock.json", "yarn.lock"]),
    ("yarn", "yarn install", &["yarn.lock", "package-lock.json", "pnpm-lock.yaml"]),
    ("bun", "bun install", &["bun.lock", "bun.lockb", "package-lock.json", "yarn.lock"]),
];

/// One kind of file that names packages.
struct Packages {
    /// The file's name.
    file: &'static str,
    /// The command that writes the lock file.
    command: &'static str,
    /// The lock file's names, the usual one first.
    locks: &'static [&'static str],
    /// Whether the file names packages that a lock file of this kind should pin.
    needs_lock: fn(&Arc<SourceFile>) -> bool,
}

const PACKAGES: &[Packages] = &[
    Packages {
        file: "package.json",
        command: NODE[0].1,
        locks: NODE[0].2,
        needs_lock: |source| {
            let document = document(source);
            let has =
                |key| document.as_ref().and_then(|node| node.get(key)).is_some_and(|it| it.entries().next().is_some());
            has("dependencies") || has("devDependencies")
        },
    },
    Packages {
        file: "Gemfile",
        command: "bundle lock",
        locks: &["Gemfile.lock"],
        needs_lock: |source| source.text.lines().any(|line| line.trim_start().starts_with("gem ")),
    },
    Packages {
        file: "composer.json",
        command: "composer update",
        locks: &["composer.lock"],
        needs_lock: |source| {
            // A name without a slash is PHP itself or an extension of PHP.
            let has = |node: &Node| node.entries().any(|entry| entry.key.value.contains('/'));
            document(source).and_then(|node| node.get("require").map(has)).unwrap_or_default()
        },
    },
    Packages { file: "Pipfile", command: "pipenv lock", locks: &["Pipfile.lock"], needs_lock: |_| true },
    Packages {
        file: "pyproject.toml",
        command: "poetry lock",
        locks: &["poetry.lock"],
        needs_lock: |source| has_table(source, "tool.poetry"),
    },
    Packages {
        file: "pyproject.toml",
        command: "uv lock",
        locks: &["uv.lock"],
        needs_lock: |source| has_table(source, "tool.uv"),
    },
    Packages {
        file: "Cargo.toml",
        command: "cargo generate-lockfile",
        locks: &["Cargo.lock"],
        needs_lock: |source| has_table(source, "dependencies"),
    },
    Packages {
        file: "go.mod",
        command: "go mod tidy",
        locks: &["go.sum"],
        needs_lock: |source| source.text.lines().any(|line| line.starts_with("require ")),
    },
    Packages {
        file: "mix.exs",
        command: "mix deps.get",
        locks: &["mix.lock"],
        needs_lock: |source| source.text.lines().any(|line| line.trim_start().starts_with("{:")),
    },
];

/// Every file of a component that names packages, with its lock file. A workspace has one lock file for all its parts,
/// in a folder above.
pub(super) fn packages(beside: &Beside, component: &Component) -> Vec<PackageFile> {
    let mut found = Vec::new();
    for packages in PACKAGES {
        let Some(source) = beside.read(&component.folder.join(packages.file)) else { continue };
        if !(packages.needs_lock)(&source) {
            continue;
        }
        let own = || NODE.iter().find(|(name, ..)| manager(&source).as_deref() == Some(name));
        let own = (packages.file == "package.json").then(own).flatten();
        let (command, lock_names) =
            own.map_or((packages.command, packages.locks), |(_, command, locks)| (*command, *locks));
        let above = component.folder.ancestors();
        let paths = above.flat_map(|folder| lock_names.iter().map(move |lock| folder.join(lock)));
        let lock = paths.into_iter().find(|path| is_there(&beside.project, path));
        found.push(PackageFile { origin: Origin::start_of(&source), command, lock_names, lock });
    }
    found
}

/// The package manager that a package.json asks for: `pnpm@9.1.0` is pnpm.
fn manager(source: &Arc<SourceFile>) -> Option<String> {
    let document = document(source)?;
    let text = document.get("packageManager")?.as_literal()?;
    Some(text.split('@').next().unwrap_or(text).to_owned())
}

fn is_there(project: &Project, path: &Path) -> bool {
    project.root.join(path).is_file()
}

fn document(source: &Arc<SourceFile>) -> Option<Node> {
    yaml::parse(source).documents.into_iter().next()
}

/// Whether a TOML file has an assignment in a table or below it.
fn has_table(source: &Arc<SourceFile>, table: &str) -> bool {
    let below = |name: &str| name == table || name.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'));
    toml(&source.text).iter().any(|one| below(one.table))
}
