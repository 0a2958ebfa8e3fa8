//! One module: the `.tf` files of one folder together, and the values of its variables.

use crate::manifest::dialect::ManifestFile;
use crate::manifest::read::environment::Environment;
use crate::manifest::read::files::{Project, parse_yaml};
use crate::manifest::read::hcl;
use crate::manifest::read::stage::{Stage, stage};
use crate::model::{Diagnostic, Located, Origin, SourceFile};
use crate::project::{Budget, Resource};
use crate::syntax::tree::{Entry, Node, NodeKind};
use crate::syntax::yaml::Documents;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The blocks of a folder's files. A later file adds to an earlier one.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// The folder, as the project reads it.
    pub(super) folder: PathBuf,
    /// Variables, each with its default if it has one.
    pub(super) variables: BTreeMap<String, Option<Node>>,
    /// Local values, not evaluated.
    pub(super) locals: BTreeMap<String, Node>,
    /// Resources, in order.
    pub(super) resources: Vec<Block>,
    /// Calls of other modules, in order.
    pub(super) calls: Vec<Block>,
    /// The files that were read.
    pub(super) files: Vec<Arc<SourceFile>>,
}

/// A resource or a call of a module.
#[derive(Debug)]
pub(super) struct Block {
    /// The resource's type; empty for a call.
    pub(super) type_name: String,
    /// Its name.
    pub(super) name: Located<String>,
    /// Its body, not evaluated.
    pub(super) body: Node,
}

impl Module {
    /// Loads the module of a folder. The files in `known` are not read again.
    pub(super) fn load(
        folder: &Path,
        known: &[ManifestFile],
        project: &Project,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut module = Self { folder: folder.to_path_buf(), ..Self::default() };
        for file in known {
            module.take(Arc::clone(&file.source), &project.budget, diagnostics);
        }
        let names = project.list(folder).unwrap_or_default();
        for name in names.iter().filter(|name| is_module_file(name)) {
            let path = folder.join(name);
            let shown = project.shown(&path);
            if known.iter().any(|file| file.source.path == shown) {
                continue;
            }
            match project.read(&path) {
                Ok(source) => module.take(source, &project.budget, diagnostics),
                Err(error) => diagnostics.push(*error.diagnostic),
            }
        }
        module
    }

    /// The blocks of one document.
    pub(super) fn of(document: &Node) -> Self {
        let mut module = Self::default();
        module.add(document);
        module
    }

    /// The values of its variables in the environment: `TF_VAR_x`, where `start` is `TF_VAR_`.
    pub(super) fn values_of(&self, start: &str, environment: &Environment, origin: &Origin) -> BTreeMap<String, Node> {
        let value = |name: &String| {
            let value = environment.get(&format!("{start}{name}"))?;
            Some((name.clone(), Node::scalar(value, true, origin.clone())))
        };
        self.variables.keys().filter_map(value).collect()
    }

    fn take(&mut self, source: Arc<SourceFile>, budget: &Budget, diagnostics: &mut Vec<Diagnostic>) {
        let read = parse(&source, budget);
        diagnostics.extend(read.diagnostics);
        self.files.push(source);
        read.documents.iter().for_each(|document| self.add(document));
    }

    /// A resource's body.
    pub(super) fn resource(&self, type_name: &str, name: &str) -> Option<&Node> {
        let is = |block: &&Block| block.type_name == type_name && block.name.value == name;
        self.resources.iter().find(is).map(|block| &block.body)
    }

    fn add(&mut self, document: &Node) {
        for (name, body) in labelled(document.get("variable")) {
            self.variables.insert(name.value.clone(), body.get("default").cloned());
        }
        for locals in items(document.get("locals")) {
            for entry in locals.entries() {
                self.locals.insert(entry.key.value.clone(), entry.value.clone());
            }
        }
        for types in items(document.get("resource")) {
            for entry in types.entries() {
                for (name, body) in labelled(Some(&entry.value)) {
                    self.resources.push(Block {
                        type_name: entry.key.value.clone(),
                        name: name.clone(),
                        body: body.clone(),
                    });
                }
            }
        }
        for (name, body) in labelled(document.get("module")) {
            self.calls.push(Block { type_name: String::new(), name: name.clone(), body: body.clone() });
        }
    }
}

/// The items of a list; any other node is a list with one item.
fn items(node: Option<&Node>) -> &[Node] {
    match node {
        Some(Node { kind: NodeKind::Sequence(items), .. }) => items,
        Some(node) => std::slice::from_ref(node),
        None => &[],
    }
}

/// The blocks with one label: each label with its body.
pub(super) fn labelled(node: Option<&Node>) -> impl Iterator<Item = (&Located<String>, &Node)> {
    items(node)
        .iter()
        .flat_map(Node::entries)
        .flat_map(|entry: &Entry| items(Some(&entry.value)).iter().map(move |body| (&entry.key, body)))
}

/// Parses a file: `x.tf.json` and `x.tfvars.json` as JSON, any other file as HCL.
fn parse(source: &Arc<SourceFile>, budget: &Budget) -> Documents {
    if source.path.extension().is_some_and(|ending| ending == "json") {
        return parse_yaml(source, budget);
    }
    // A value in HCL takes at least about 8 bytes. A file with more values than the budget has left is not parsed.
    if !budget.spend_at(Resource::Values, source.text.len() / 8, &Origin::start_of(source)) {
        return Documents::default();
    }
    hcl::parse(source)
}

fn is_module_file(name: &str) -> bool {
    let ends = |ending: &str| name.strip_suffix(ending).is_some_and(|stem| !stem.is_empty());
    ends(".tf") || ends(".tf.json")
}

/// The values of a root module's variables: from `*.tfvars` and `TF_VAR_…`, as in Terraform. Of the files that
/// Terraform reads only if they are given on its command line, the files named for production count; if there is none,
/// a single other file counts.
pub(super) fn variables(
    folder: &Path,
    project: &Project,
    environment: &Environment,
    module: &Module,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Node> {
    let origin = module.files.first().map(Origin::start_of);
    let mut values = origin.map(|origin| module.values_of("TF_VAR_", environment, &origin)).unwrap_or_default();
    for path in value_files(folder, project) {
        match project.read(&path) {
            Ok(source) => {
                let read = parse(&source, &project.budget);
                diagnostics.extend(read.diagnostics);
                for entry in read.documents.iter().flat_map(Node::entries) {
                    values.insert(entry.key.value.clone(), entry.value.clone());
                }
            }
            Err(error) => diagnostics.push(*error.diagnostic),
        }
    }
    values
}

/// The folders in a root module's folder that usually hold the values of its environments.
const VALUE_FOLDERS: &[&str] =
    &["", "tfvars", "vars", "env", "envs", "environments", "environment", "config", "workspace_variables"];

fn value_files(folder: &Path, project: &Project) -> Vec<PathBuf> {
    let is_values = |name: &str| name.ends_with(".tfvars") || name.ends_with(".tfvars.json");
    let names: Vec<String> = project.list(folder).unwrap_or_default();
    let mut found: Vec<PathBuf> = Vec::new();
    let own = |name: &&String| matches!(name.as_str(), "terraform.tfvars" | "terraform.tfvars.json");
    found.extend(names.iter().filter(own).map(|name| folder.join(name)));
    let automatic = |name: &str| name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json");
    found.extend(names.iter().filter(|name| automatic(name)).map(|name| folder.join(name)));
    let mut production = Vec::new();
    let mut others = Vec::new();
    for below in VALUE_FOLDERS {
        let place = folder.join(below);
        for name in project.list(&place).unwrap_or_default() {
            let path = place.join(&name);
            if !is_values(&name) || found.contains(&path) {
                continue;
            }
            match stage(Path::new(&name)) {
                Stage::Production => production.push(path),
                Stage::Unnamed if !is_sample(&name) => others.push(path),
                _ => {}
            }
        }
        // `prod/terraform.tfvars`, `environments/production/x.tfvars`
        for inner in ["prod", "production", "prd"] {
            let place = place.join(inner);
            let names = project.list(&place).unwrap_or_default();
            production.extend(names.iter().filter(|name| is_values(name)).map(|name| place.join(name)));
        }
    }
    if production.is_empty() && others.len() == 1 {
        production = others;
    }
    found.extend(production);
    found
}

/// Whether a file is only an example for other files.
fn is_sample(name: &str) -> bool {
    name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| matches!(word, "example" | "sample" | "template"))
}
