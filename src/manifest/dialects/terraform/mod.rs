//! The Terraform dialect (also for OpenTofu): `*.tf` with `*.tfvars`, and the output of `terraform show -json` for a
//! state or plan.
//!
//! No program is run, and nothing is fetched: only the arguments of a module outside of the project are known.

mod belongings;
mod calls;
mod evaluate;
mod module;
mod names;
mod resources;
mod shown;

use crate::kinds::Kind;
use crate::manifest::declare::cloud::{self, Built, Resource};
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::environment::Environment;
use crate::manifest::read::files::tidy;
use crate::model::{Diagnostic, Located, Source, Stack, VersionClass};
use crate::syntax::tree::{Node, NodeKind};
use belongings::Belongings;
use evaluate::{MAX_VALUES, Scope, pairs};
use module::{Block, Module};
use names::Candidate;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The line in the table for `*.tf`.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "terraform",
    title: "Terraform",
    places: Places::Files(&["*.tf", "*.tf.json", "{terraform,tf,tofu,infra,infrastructure,iac,deploy,ops}/**/*.tf"]),
    syntax: Syntax::Text,
    marks: &[],
    recognises,
    read,
};

/// The line in the table for the output of `terraform show -json`.
pub(crate) const SHOWN: Dialect = Dialect {
    name: "terraform-json",
    title: "Terraform state or plan",
    places: Places::Files(&[
        "{*.tfstate.json,*plan*.json,*state*.json}",
        "{terraform,tf,tofu,infra}/**/{*.tfstate.json,*plan*.json,*state*.json}",
    ]),
    syntax: Syntax::Yaml,
    marks: &["version\""],
    recognises: recognises_shown,
    read: read_shown,
};

/// How deep modules may call each other.
const MAX_CALL_DEPTH: usize = 8;
/// How many calls are read.
const MAX_CALLS: usize = 500;
/// How many instances of one block are read.
const MAX_INSTANCES: usize = 200;

fn recognises(file: &ManifestFile) -> bool {
    let name = file.source.path.to_string_lossy();
    name.ends_with(".tf") || name.ends_with(".tf.json")
}

fn recognises_shown(file: &ManifestFile) -> bool {
    file.documents.first().is_some_and(shown::recognises)
}

fn read_shown(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let (mut stack, mut diagnostics) = (Stack::default(), Vec::new());
    let mut found = Vec::new();
    for file in input.files {
        let path = file.source.path.clone();
        stack.sources.push(Source { path, format: SHOWN.name, title: SHOWN.title });
        let (more, wrong) = shown::read(file, input);
        found.extend(more);
        diagnostics.extend(wrong);
    }
    names::assign(found, &mut stack, &input.project.budget);
    (stack, diagnostics)
}

fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let mut reader = Reader {
        input,
        left: Cell::new(MAX_VALUES),
        calls: 0,
        inside: Vec::new(),
        found: Vec::new(),
        diagnostics: Vec::new(),
    };
    let mut folders: Vec<(PathBuf, Vec<ManifestFile>)> = Vec::new();
    for file in input.files {
        match folders.iter_mut().find(|(folder, _)| *folder == file.folder) {
            Some((_, files)) => files.push(file.clone()),
            None => folders.push((file.folder.clone(), vec![file.clone()])),
        }
    }
    let modules: Vec<Module> = folders
        .iter()
        .map(|(folder, files)| Module::load(folder, files, input.project, &mut reader.diagnostics))
        .collect();
    // A module that another module calls is read as a part of its caller. A module in a folder `modules` is not read by
    // itself either, unless there are no other modules.
    let called: Vec<PathBuf> = modules
        .iter()
        .flat_map(|module| {
            module.calls.iter().filter_map(|call| local_source(module, call)).filter(|folder| *folder != module.folder)
        })
        .collect();
    let is_library = |module: &Module| module.folder.iter().any(|part| part == "modules");
    let is_called = |module: &Module| called.contains(&module.folder);
    let only_libraries = modules.iter().all(|module| is_called(module) || is_library(module));
    let only_called = modules.iter().all(is_called);
    for module in &modules {
        if (is_called(module) && !only_called) || (is_library(module) && !only_libraries) {
            continue;
        }
        let given =
            module::variables(&module.folder, input.project, input.environment, module, &mut reader.diagnostics);
        reader.module(module, &given, &[]);
    }
    reader.finish()
}

/// Evaluates a document of another format in HCL, with its variables and local values. `variable` is the prefix of the
/// environment variables that set its variables.
pub(crate) fn evaluated(document: &Node, variable: &str, environment: &Environment) -> Node {
    let module = Module::of(document);
    let given = module.values_of(variable, environment, &document.origin);
    let left = Cell::new(MAX_VALUES);
    Scope { module: &module, given: &given, bound: Vec::new(), inside: Vec::new(), left: &left }.evaluate(document)
}

/// The folder of a called module, if the source is a relative path.
fn local_source(module: &Module, call: &Block) -> Option<PathBuf> {
    let source = call.body.get("source")?.as_literal()?;
    (source.starts_with("./") || source.starts_with("../")).then(|| tidy(&module.folder.join(source)))
}

struct Reader<'i> {
    input: &'i Input<'i>,
    left: Cell<usize>,
    calls: usize,
    /// The folders of the modules that are being read, the outermost first.
    inside: Vec<PathBuf>,
    found: Vec<Candidate>,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Reads the declarations of a module with the values of its variables. `path` names the calls that lead to the
    /// module.
    fn module(&mut self, module: &Module, given: &BTreeMap<String, Node>, path: &[String]) {
        self.inside.push(module.folder.clone());
        let left = self.left.clone();
        let scope = Scope { module, given, bound: Vec::new(), inside: Vec::new(), left: &left };
        let belongings = Belongings::of_module(&scope, module);
        for block in &module.resources {
            if let Some(shape) = resources::shape(&block.type_name) {
                for (index, scope, exists) in instances(&scope, block) {
                    let body = without_meta(scope.evaluate(&block.body));
                    let own = belongings.of_block(block, &body, shape, self.kind_of(block, &body, shape));
                    let resource = Resource {
                        dialect: DIALECT.name,
                        name: block.name.value.clone(),
                        origin: block.name.origin.clone(),
                        type_name: &block.type_name,
                        maker: &block.type_name,
                        shape,
                        body: &body,
                        parameters: own.parameters,
                        databases: own.databases,
                        users: own.users,
                    };
                    let mut built = cloud::build(self.input.kinds, &resource);
                    if !exists {
                        built = names::absent(built);
                    }
                    self.take(&block.name.value, index, path, built);
                }
            } else if let Some(built) = calls::of_provider(self.input.kinds, &scope, block) {
                self.take(&block.name.value, None, path, built);
            }
        }
        for call in &module.calls {
            for (index, scope, exists) in instances(&scope, call) {
                self.call(module, &scope, call, index, exists, path);
            }
        }
        self.left.set(left.get());
        self.inside.pop();
    }

    /// Reads a call: the declarations of a module in the project, or else the arguments of the call.
    fn call(
        &mut self,
        module: &Module,
        scope: &Scope<'_>,
        call: &Block,
        index: Option<String>,
        exists: bool,
        path: &[String],
    ) {
        self.calls += 1;
        let arguments = without_meta(scope.evaluate(&call.body));
        let name =
            index.as_ref().map_or_else(|| call.name.value.clone(), |index| format!("{}-{index}", call.name.value));
        if let Some(folder) = local_source(module, call)
            && path.len() < MAX_CALL_DEPTH
            && !self.inside.contains(&folder)
            && self.calls < MAX_CALLS
            && self.input.project.is_folder(&folder)
        {
            let inner = Module::load(&folder, &[], self.input.project, &mut self.diagnostics);
            let before = self.found.len();
            let given = arguments.entries().filter(|entry| !entry.value.is_null());
            let given = given.map(|entry| (entry.key.value.clone(), entry.value.clone())).collect();
            let mut path = path.to_vec();
            path.push(name.clone());
            let left = scope.left.get();
            self.left.set(left);
            self.module(&inner, &given, &path);
            scope.left.set(self.left.get());
            if !exists {
                let built = self.found.split_off(before);
                self.found.extend(built.into_iter().map(Candidate::absent));
            }
            if self.found.len() > before || !inner.resources.is_empty() || !inner.calls.is_empty() {
                return;
            }
        }
        if let Some((mut built, diagnostics)) = calls::read(self.input.kinds, call, &arguments) {
            self.diagnostics.extend(diagnostics);
            if !exists {
                built = names::absent(built);
            }
            self.take(&call.name.value, index, path, built);
        }
    }

    fn take(&mut self, name: &str, index: Option<String>, path: &[String], built: Built) {
        if let Built::Service(_, diagnostics) = &built {
            self.diagnostics.extend(diagnostics.iter().cloned());
        }
        self.found.push(Candidate { name: name.to_owned(), index, modules: path.to_vec(), built });
    }

    fn kind_of(&self, block: &Block, body: &Node, shape: &cloud::Shape) -> Option<&Kind> {
        let engine = cloud::at(body, shape.engine).and_then(Node::as_literal);
        engine
            .and_then(|word| cloud::engine_of(self.input.kinds, word))
            .or_else(|| self.input.kinds.spelled(DIALECT.name, &block.type_name))
    }

    fn finish(mut self) -> (Stack, Vec<Diagnostic>) {
        let mut stack = Stack::default();
        names::assign(self.found, &mut stack, &self.input.project.budget);
        let mut paths: Vec<&Path> = stack.services.iter().map(|service| service.origin.path()).collect();
        if paths.is_empty() {
            paths.extend(self.input.files.iter().map(|file| file.source.path.as_path()).take(1));
        }
        for path in paths {
            if !stack.sources.iter().any(|source| source.path == path) {
                stack.sources.push(Source { path: path.to_path_buf(), format: DIALECT.name, title: DIALECT.title });
            }
        }
        let unresolved = stack.services.iter().find(|service| service.version.class == VersionClass::Unresolved);
        if let Some(service) = unresolved {
            self.diagnostics.push(
                Diagnostic::note(
                    "terraform-unresolved",
                    format!("the files alone do not determine `{}`", service.version.text),
                )
                .at(&service.version.origin, format!("the version of `{}`", service.name))
                .help("let Terraform evaluate it: `terraform show -json | devenv -f - up`"),
            );
        }
        (stack, self.diagnostics)
    }
}

/// The arguments of a block that are for Terraform itself, and not for the service.
const META: &[&str] = &["for_each", "count", "provider", "providers", "depends_on", "lifecycle", "timeouts", "dynamic"];

fn without_meta(mut body: Node) -> Node {
    if let NodeKind::Mapping(entries) = &mut body.kind {
        entries.retain(|entry| !META.contains(&entry.key.value.as_str()));
    }
    body
}

/// Each instance of a block: its index, its scope, and whether production creates it. An unresolved `count` or
/// `for_each` counts as one instance.
fn instances<'a>(scope: &Scope<'a>, block: &Block) -> Vec<(Option<String>, Scope<'a>, bool)> {
    if let Some(node) = block.body.get("for_each") {
        let each = |key: &str, value: Node, origin| {
            let key = crate::syntax::tree::Entry {
                key: Located::new("key".to_owned(), Clone::clone(origin)),
                value: Node::scalar(key, true, Clone::clone(origin)),
            };
            let value =
                crate::syntax::tree::Entry { key: Located::new("value".to_owned(), Clone::clone(origin)), value };
            let node = Node { origin: Clone::clone(origin), tag: None, kind: NodeKind::Mapping(vec![key, value]) };
            scope.with("each", node)
        };
        let collection = scope.evaluate(node);
        return match pairs(&collection) {
            Some(pairs) if pairs.is_empty() => vec![(None, scope.clone(), false)],
            Some(pairs) => pairs
                .into_iter()
                .take(MAX_INSTANCES)
                .map(|(key, value)| {
                    let index = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
                    let exists = true;
                    let scope = each(&key, value, &collection.origin);
                    (Some(index), scope, exists)
                })
                .collect(),
            None => vec![(None, scope.clone(), true)],
        };
    }
    if let Some(node) = block.body.get("count") {
        let count = scope.evaluate(node).as_literal().and_then(|count| count.parse::<usize>().ok());
        let at = |index: usize| {
            let entry = crate::syntax::tree::Entry {
                key: Located::new("index".to_owned(), node.origin.clone()),
                value: Node::scalar(index.to_string(), false, node.origin.clone()),
            };
            scope.with("count", Node { origin: node.origin.clone(), tag: None, kind: NodeKind::Mapping(vec![entry]) })
        };
        return match count {
            Some(0) => vec![(None, scope.clone(), false)],
            Some(1) => vec![(None, at(0), true)],
            Some(count) => {
                (0..count.min(MAX_INSTANCES)).map(|index| (Some(index.to_string()), at(index), true)).collect()
            }
            None => vec![(None, scope.clone(), true)],
        };
    }
    vec![(None, scope.clone(), true)]
}
