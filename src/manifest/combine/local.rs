//! `services.local.yaml`: local settings, which are applied over the declarations of the manifests. The file is for
//! this checkout, and may be kept out of git.
//!
//! ```yaml
//! from: [deploy/compose.prod.yaml]     # the manifests to read, instead of finding them
//! services:
//!   db:
//!     version: "16.4"                  # a pin: the version to run, whatever the manifest says
//!     port: 5433                       # the port on 127.0.0.1; never replaced by another port
//!     settings: {max_connections: 50}  # applied over the declared settings
//!     rights: owner                    # the rights of its logins, if they should differ from production
//!     users: {shop: {rights: superuser}} # the rights of this login, or a further login
//!     extensions: [pg_stat_statements] # added
//! leave_out: [mailpit]                 # declared, but not started here
//! include:                             # apps, and images of no known kind, that are started too
//!   jaeger: {port: 16686, protocol: http, path: /}
//!   mail: {image: "axllent/mailpit:v1.20", port: 8025}
//! variables:                           # bound by hand
//!   CACHE_URL: ${cache.url}
//! seeds: {db: [seeds/shop.sql]}        # the first data of the service (see `seeds`)
//! branch: git                          # each git branch has its own data; `worktree`: see `--from`
//! apps:
//!   web: {env_file: web/.env}          # the variables of this app are written to this file
//! env_file: .env.devenv                # all other variables are written to this file instead of `.env`
//! kinds: [kinds/thing.yaml]            # the project's own kinds
//! ```
//!
//! Everything that the file names has to exist: a service that no manifest declares is an error.

use crate::kinds::Kinds;
use crate::manifest::declare::generic::{self, Included};
use crate::manifest::dialect::ManifestFile;
use crate::manifest::dialects::services_yaml;
use crate::manifest::read::files::Project;
use crate::model::{Branching, Diagnostic, ImageRef, Located, Stack, did_you_mean};
use crate::project::{Budget, Resource};
use crate::syntax::expect::{Expect, list};
use crate::syntax::tree::Node;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The names of the file, as they are looked for in the root.
pub(crate) const FILE_NAMES: &[&str] = &["services.local.yaml", "services.local.yml"];

/// The path of a project's file; if the file does not exist, the path that it would have.
pub fn file(root: &Path) -> PathBuf {
    let mut paths = FILE_NAMES.iter().map(|name| root.join(name));
    paths.find(|path| path.is_file()).unwrap_or_else(|| root.join(FILE_NAMES[0]))
}

const KEYS: &[&str] =
    &["from", "services", "leave_out", "include", "variables", "seeds", "branch", "env_file", "apps", "kinds"];

/// The parts of the file that are needed before the manifests are read.
#[derive(Debug, Default)]
pub(crate) struct Local {
    /// The folder that its paths are relative to.
    pub(crate) root: PathBuf,
    /// The file that variables are written to.
    pub(crate) env_file: Option<Located<String>>,
    /// The whole document, for `overlay`.
    pub(crate) document: Option<Node>,
    /// Manifests to read, relative to the root.
    pub(crate) from: Vec<Located<String>>,
    /// How data follows git, if the file sets `branch`.
    pub(crate) branching: Option<Branching>,
    /// By name, the services to start although they would be apps.
    pub(crate) included: BTreeMap<String, Included>,
}

impl Local {
    /// Whether the file sets the value at that path (`services`, `db`, `version`). The value then wins over the values
    /// of the manifests.
    pub(crate) fn sets(&self, path: &[&str]) -> bool {
        let mut node = self.document.as_ref();
        for key in path {
            node = node.and_then(|node| node.get(key));
        }
        node.is_some()
    }
}

/// Reads `services.local.yaml` of a project, if the file exists, and adds its kinds.
pub(crate) fn open(project: &Project, kinds: &mut Kinds, diagnostics: &mut Vec<Diagnostic>) -> Local {
    let Some(name) = FILE_NAMES.iter().find(|name| project.root.join(name).is_file()) else { return Local::default() };
    let file = match project.read(Path::new(name)) {
        Ok(source) => crate::manifest::read::parsed::parsed(source, project.root.clone(), &project.budget, diagnostics),
        Err(error) => {
            diagnostics.push(*error.diagnostic);
            return Local::default();
        }
    };
    let mut expect = Expect::default();
    let local = read(file, project, kinds, &mut expect);
    diagnostics.append(&mut expect.diagnostics);
    local
}

fn read(file: ManifestFile, project: &Project, kinds: &mut Kinds, expect: &mut Expect) -> Local {
    let mut local = Local { root: project.root.clone(), ..Local::default() };
    let Some(document) = file.documents.into_iter().next() else { return local };
    for entry in expect.map(&document, "`services.local.yaml`") {
        if !entry.key.value.starts_with("x-") {
            expect.is_known(entry, "`services.local.yaml`", KEYS);
        }
    }
    if let Some(node) = document.get("from") {
        local.from = expect.texts(node, "`from`");
    }
    if let Some(node) = document.get("env_file") {
        local.env_file = expect.text(node, "`env_file`");
    }
    if let Some(node) = document.get("branch") {
        local.branching = Some(branching(node, expect));
    }
    if let Some(node) = document.get("kinds") {
        for path in expect.texts(node, "`kinds`") {
            services_yaml::add_kind(
                Path::new(&path.value),
                Some(&path.origin),
                project,
                kinds,
                &mut expect.diagnostics,
            );
        }
    }
    match document.get("include") {
        Some(node) if node.as_mapping().is_some() => {
            for entry in node.entries() {
                if !project.budget.spend_at(Resource::Services, 1, &entry.key.origin) {
                    break;
                }
                if let Some(included) = included(&entry.key, &entry.value, kinds, expect) {
                    local.included.insert(entry.key.value.clone(), included);
                }
            }
        }
        Some(node) => {
            for name in expect.texts(node, "`include`") {
                local.included.insert(name.value, Included { origin: name.origin, generic: None, image: None });
            }
        }
        None => {}
    }
    local.document = Some(document);
    local
}

/// `git`, `worktree`, or a list of both.
fn branching(node: &Node, expect: &mut Expect) -> Branching {
    let mut found = Branching::default();
    for word in expect.texts(node, "`branch`") {
        match word.value.as_str() {
            "git" => found.git = true,
            "worktree" => found.worktree = true,
            other => expect.diagnostics.push(
                Diagnostic::error("branch-word", format!("data cannot follow `{other}`"))
                    .at(&word.origin, "`git` or `worktree`")
                    .help("`git`: each git branch has data of its own; `worktree`: a new worktree begins with the main one's"),
            ),
        }
    }
    found
}

/// How data follows git in another checkout; `None` if its file does not set `branch` or cannot be read.
pub fn branching_of(root: &Path) -> Option<Branching> {
    let (project, mut kinds) = (Project::at(root, &Budget::default()).ok()?, Kinds::built_in().ok()?);
    open(&project, &mut kinds, &mut Vec::new()).branching
}

/// One entry of `include`.
fn included(name: &Located<String>, node: &Node, kinds: &Kinds, expect: &mut Expect) -> Option<Included> {
    let mut included = Included { origin: name.origin.clone(), generic: None, image: None };
    if node.is_null() {
        return Some(included);
    }
    let mut known = generic::KEYS.to_vec();
    known.push("image");
    if expect.known(node, &format!("`include` of `{}`", name.value), &known).is_empty() {
        return None;
    }
    if let Some(image) = node.get("image") {
        let text = expect.text(image, &format!("the image of `{}`", name.value))?;
        match ImageRef::parse(&text.value) {
            Ok(image) => included.image = Some(Located::new(image, text.origin)),
            Err(error) => {
                let wrong = Diagnostic::error("image-name", error.to_string()).at(&text.origin, "no image's name");
                expect.diagnostics.push(wrong);
                return None;
            }
        }
    }
    let has_kind = included.image.as_ref().is_some_and(|image| kinds.of_image(&image.value).is_some());
    if node.get("port").is_some() || !has_kind {
        included.generic = Some(generic::read(node, name, expect)?);
    }
    Some(included)
}

/// `a`, `b` and `c`; the word `none` for an empty list.
pub(crate) fn names(words: &[&str]) -> String {
    if words.is_empty() { "none".to_owned() } else { list(words) }
}

pub(crate) fn no_such_service(name: &Located<String>, stack: &Stack) -> Diagnostic {
    let known: Vec<&str> = stack.services.iter().map(|service| service.name.as_str()).collect();
    let unknown = Diagnostic::error("unknown-service", format!("no manifest declares a service `{}`", name.value))
        .at(&name.origin, "not declared");
    if stack.apps.iter().any(|app| app.name == name.value) {
        return unknown
            .because("it is an app of the project, or an image of no known kind")
            .help(format!("to start it here: `include: {{{}: {{port: 8080}}}}`", name.value));
    }
    match did_you_mean(&name.value, known.iter().copied()) {
        Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
        None => unknown.help(format!("the services are {}", names(&known))),
    }
}
