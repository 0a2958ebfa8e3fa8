//! Merges Compose files into one tree: `.env`, `extends`, `include`, and several files of one project.
//!
//! Every relative path in a file starts at that file's own project folder, no matter which file includes it.

use super::merge::{merge, without_tags};
use super::value::{Content, Value};
use crate::manifest::dialect::{Input, ManifestFile};
use crate::manifest::read::env_file::{self, Format};
use crate::manifest::read::files::{FileFault, parse_yaml, tidy};
use crate::model::{Diagnostic, EnvInput, Located, Origin, Severity, Source, SourceFile, without_managed_block};
use crate::project::Resource;
use crate::syntax::tree::Node;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The maximum depth of `include` and `extends`.
const MAX_DEPTH: usize = 50;

/// Variables of `.env`, for interpolation. The process' variables have precedence. Many files share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables(Arc<BTreeMap<String, String>>);

/// Reads and merges files.
pub(super) struct Loader<'a> {
    pub(super) input: &'a Input<'a>,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// Every file that was read, in order.
    pub(super) sources: Vec<Source>,
    /// Files of variables that apps get, or whose variables are interpolated.
    env_inputs: Vec<EnvInput>,
    /// Names of variables from those files that were interpolated.
    interpolated: RefCell<BTreeSet<String>>,
    /// The project folder of each file, by its displayed path.
    folders: HashMap<PathBuf, PathBuf>,
    /// The variables of each file, by its displayed path.
    variables: HashMap<PathBuf, Variables>,
    /// Files that were parsed: many services may extend those of one file, which is then parsed once.
    documents: HashMap<PathBuf, Parsed>,
}

/// A parsed file.
#[derive(Clone)]
struct Parsed {
    source: Arc<SourceFile>,
    /// Its first document, where it has one.
    document: Option<Arc<Node>>,
    /// How many values it holds: each use of the file copies them.
    values: usize,
}

/// One file of a group of files that are merged.
struct Part {
    source: Arc<SourceFile>,
    document: Arc<Node>,
    /// The file's own absolute path, for finding cycles.
    path: PathBuf,
}

/// The files that include each other, from the outermost file, each with the place of its `include`.
type Chain = Vec<(PathBuf, Option<Origin>)>;

impl<'a> Loader<'a> {
    pub(super) fn new(input: &'a Input<'a>) -> Self {
        Self {
            input,
            diagnostics: Vec::new(),
            sources: Vec::new(),
            env_inputs: Vec::new(),
            interpolated: RefCell::default(),
            folders: HashMap::new(),
            variables: HashMap::new(),
            documents: HashMap::new(),
        }
    }

    /// The value of a variable as Compose sees it in a file's project.
    pub(super) fn lookup(&self, origin: &Origin, name: &str) -> Option<String> {
        let own = self.variables.get(origin.path());
        self.note_interpolated(own, name);
        self.input.environment.get(name).map(str::to_owned).or_else(|| own?.0.get(name).cloned())
    }

    /// The value of a variable in the file (`.env`) that a manifest is interpolated from.
    pub(super) fn interpolates_from(&self, origin: &Origin, name: &str) -> Option<&str> {
        self.variables.get(origin.path())?.0.get(name).map(String::as_str)
    }

    fn note_interpolated(&self, variables: Option<&Variables>, name: &str) {
        if variables.is_some_and(|variables| variables.0.contains_key(name)) {
            self.interpolated.borrow_mut().insert(name.to_owned());
        }
    }

    /// Records a file of variables that an app gets, whether the file exists or not.
    pub(super) fn note_env_file(&mut self, path: &Path, origin: &Origin) {
        let path = self.input.project.shown(path);
        self.env_inputs.push(EnvInput { path, names: BTreeSet::new(), origin: Some(origin.clone()) });
    }

    /// The files of variables that production's Compose reads for an app or for interpolation.
    pub(super) fn env_inputs(&mut self) -> Vec<EnvInput> {
        let asked = self.interpolated.take();
        let mut inputs = std::mem::take(&mut self.env_inputs);
        for input in inputs.iter_mut().filter(|input| input.origin.is_none()) {
            input.names.retain(|name| asked.contains(name));
        }
        inputs.retain(|input| input.origin.is_some() || !input.names.is_empty());
        inputs
    }

    /// A variable of the outermost project.
    pub(super) fn project_variable(&self, name: &str) -> Option<String> {
        let file = self.input.files.first()?;
        self.lookup(&Origin::start_of(&file.source), name)
    }

    /// The absolute path of a path that is written in a file.
    pub(super) fn path_in(&self, origin: &Origin, path: &str) -> PathBuf {
        let folder = self.folders.get(origin.path()).cloned().unwrap_or_else(|| self.input.project.root.clone());
        tidy(&folder.join(path))
    }

    /// Loads everything that the input's files declare.
    pub(super) fn load(&mut self) -> Option<Value> {
        let files: &[ManifestFile] = self.input.files;
        let first = files.first()?;
        let folder = first.folder.clone();
        let variables = self.dotenv(&folder.join(".env"), None, &Variables::default());
        let parts = files
            .iter()
            .filter_map(|file| {
                let document = Arc::new(file.documents.first()?.clone());
                let path = file.folder.join(file.source.path.file_name().unwrap_or_default());
                Some(Part { source: Arc::clone(&file.source), document, path })
            })
            .collect();
        self.group(parts, &folder, &variables, &Chain::new())
    }

    /// The given variables, with those of a `.env` file added or replaced. A missing file adds nothing, and is an error
    /// only if the user or a manifest named it.
    fn dotenv(&mut self, path: &Path, named: Option<&Origin>, outer: &Variables) -> Variables {
        let mut variables = BTreeMap::clone(&outer.0);
        self.input.project.budget.spend(Resource::Values, variables.len());
        match self.input.project.read(path) {
            Ok(file) => {
                let text = without_managed_block(&file.text);
                let file = Arc::new(SourceFile { path: file.path.clone(), text });
                let environment = self.input.environment;
                let lookup = |name: &str| environment.get(name).map(str::to_owned);
                let (entries, diagnostics) =
                    env_file::read(&file, Format::Compose, &lookup, &self.input.project.budget);
                self.diagnostics.extend(diagnostics);
                let names = entries.iter().map(|entry| entry.name.clone()).collect();
                self.env_inputs.push(EnvInput { path: file.path.clone(), names, origin: None });
                for entry in entries {
                    if let Some(value) = entry.value {
                        variables.insert(entry.name, value.text);
                    }
                }
            }
            Err(error) => {
                if let Some(origin) = named {
                    self.diagnostics.push(error.named_at(origin));
                } else if error.fault == FileFault::Outside {
                    // No manifest names this file, and the manifests may be complete without it.
                    let mut told = *error.diagnostic;
                    told.severity = Severity::Warning;
                    told.help = vec!["it is not read; replace the link by a file of the project".to_owned()];
                    self.diagnostics.push(told);
                } else if error.fault != FileFault::Missing {
                    self.diagnostics.push(*error.diagnostic);
                }
            }
        }
        Variables(Arc::new(variables))
    }

    /// Merges files in order, with the files that they include.
    fn group(&mut self, parts: Vec<Part>, folder: &Path, variables: &Variables, chain: &Chain) -> Option<Value> {
        let mut whole: Option<Value> = None;
        let mut chain = chain.clone();
        for part in parts {
            if let Some(first) = chain.iter().position(|(path, _)| *path == part.path) {
                self.include_cycle(&chain[first..], &part.path);
                return whole;
            }
            chain.push((part.path.clone(), None));
            let value = self.file(&part, folder, variables);
            whole = Some(match whole {
                Some(base) => merge(base, value, &[]),
                None => without_tags(value),
            });
        }
        let whole = whole?;
        Some(self.with_included(whole, folder, variables, &chain))
    }

    /// Reads one file, replaces its variables and follows its `extends`.
    fn file(&mut self, part: &Part, folder: &Path, variables: &Variables) -> Value {
        let shown = part.source.path.clone();
        if !self.sources.iter().any(|source| source.path == shown) {
            self.sources.push(Source { path: shown.clone(), format: super::DIALECT.name, title: super::DIALECT.title });
        }
        let value = self.interpolated(&part.source, &part.document, folder, variables);
        let mut entries = Vec::new();
        for (key, value) in value.entries() {
            if key.value.starts_with("x-") {
                continue;
            }
            let value_of =
                if key.value == "services" { self.extended_services(value, &part.path) } else { value.clone() };
            entries.push((key.clone(), value_of));
        }
        Value { origin: value.origin, tag: None, content: Content::Map(entries) }
    }

    fn interpolated(&mut self, source: &Arc<SourceFile>, node: &Node, folder: &Path, variables: &Variables) -> Value {
        self.folders.insert(source.path.clone(), folder.to_path_buf());
        self.variables.insert(source.path.clone(), variables.clone());
        let environment = self.input.environment;
        let asked = RefCell::new(BTreeSet::new());
        let lookup = |name: &str| {
            if variables.0.contains_key(name) {
                asked.borrow_mut().insert(name.to_owned());
            }
            environment.get(name).map(str::to_owned).or_else(|| variables.0.get(name).cloned())
        };
        let mut entries = Vec::new();
        for entry in node.entries() {
            // An `x-` key only holds anchors, whose values were read where aliases use them.
            if !entry.key.value.starts_with("x-") {
                let value = Value::from_node(&entry.value, &lookup, &self.input.project.budget, &mut self.diagnostics);
                entries.push((entry.key.clone(), value));
            }
        }
        self.interpolated.borrow_mut().append(&mut asked.into_inner());
        Value { origin: node.origin.clone(), tag: None, content: Content::Map(entries) }
    }

    fn extended_services(&mut self, services: &Value, file: &Path) -> Value {
        let entries = services
            .entries()
            .iter()
            .map(|(name, service)| {
                let mut chain = vec![(file.to_path_buf(), name.value.clone(), name.origin.clone())];
                (name.clone(), self.extended(service.clone(), services, file, &mut chain))
            })
            .collect();
        Value { origin: services.origin.clone(), tag: services.tag.clone(), content: Content::Map(entries) }
    }

    /// Merges a service into the service that it extends.
    fn extended(
        &mut self,
        service: Value,
        siblings: &Value,
        file: &Path,
        chain: &mut Vec<(PathBuf, String, Origin)>,
    ) -> Value {
        let Some(extends) = service.get("extends").cloned() else { return service };
        let named = extends.get("service").unwrap_or(&extends);
        let Some(name) = named.as_str().map(str::to_owned) else {
            self.diagnostics.push(
                Diagnostic::error("wrong-type", "`extends` does not say which service")
                    .at(&extends.origin, "expected a service's name, or a map with `service` and `file`"),
            );
            return service;
        };
        let (path, other) = match extends.get("file").and_then(Value::text).filter(|text| !text.text.is_empty()) {
            Some(text) => {
                let path = self.path_in(&extends.origin, &text.text);
                let at = extends.get("file").map_or(&extends.origin, |file| &file.origin).clone();
                let Some(other) = self.other_file(&path, &at, &extends.origin) else { return service };
                (path, Some(other))
            }
            None => (file.to_path_buf(), None),
        };
        let siblings = other.as_ref().and_then(|other| other.get("services")).unwrap_or(siblings);
        if let Some(first) = chain.iter().position(|(known, known_name, _)| *known == path && *known_name == name) {
            let mut cycle = Diagnostic::error("extends-cycle", "services extend each other in a circle")
                .at(&extends.origin, format!("leads back to `{name}`"));
            for (_, name, origin) in &chain[first..] {
                cycle = cycle.and_at(origin, format!("`{name}` is part of the circle"));
            }
            let cycle = cycle.help("remove one of the `extends`");
            if !self.diagnostics.iter().any(|known| known.code == "extends-cycle") {
                self.diagnostics.push(cycle);
            }
            return without(service, "extends");
        }
        let Some(base) = siblings.get(&name).cloned() else {
            self.diagnostics.push(
                Diagnostic::error("extends-missing", format!("there is no service `{name}` to extend"))
                    .at(&named.origin, "named here")
                    .help("check the name, or the `file:` beside it"),
            );
            return without(service, "extends");
        };
        if chain.len() >= MAX_DEPTH {
            return without(service, "extends");
        }
        // Each service of a chain is merged into the result for the services that it extends, so the cost of a long
        // chain grows with the square of its length.
        let cost = base.size() + service.size();
        if !self.input.project.budget.spend_at(Resource::Values, cost, &extends.origin) {
            return without(service, "extends");
        }
        chain.push((path.clone(), name, extends.origin.clone()));
        let base = self.extended(base, siblings, &path, chain);
        chain.pop();
        merge(without_tags(base), without(service, "extends"), &["services", "*"])
    }

    /// Reads a file that `extends` names, and replaces its variables.
    fn other_file(&mut self, path: &Path, at: &Origin, by: &Origin) -> Option<Value> {
        let document = self.parsed(path, at)?;
        let variables = self.variables.get(by.path()).cloned().unwrap_or_default();
        let folder = path.parent().unwrap_or(path).to_path_buf();
        Some(self.interpolated(&document.0, &document.1, &folder, &variables))
    }

    fn parsed(&mut self, path: &Path, at: &Origin) -> Option<(Arc<SourceFile>, Arc<Node>)> {
        if let Some(known) = self.documents.get(path) {
            let known = known.clone();
            let may = self.input.project.budget.spend_at(Resource::Values, known.values, at);
            return known.document.filter(|_| may).map(|document| (known.source, document));
        }
        let source = match self.input.project.read(path) {
            Ok(source) => source,
            Err(error) => {
                self.diagnostics.push(error.named_at(at));
                return None;
            }
        };
        let read = parse_yaml(&source, &self.input.project.budget);
        self.diagnostics.extend(read.diagnostics);
        let document = read.documents.into_iter().next().map(Arc::new);
        let parsed = Parsed { source: Arc::clone(&source), document: document.clone(), values: read.values };
        self.documents.insert(path.to_path_buf(), parsed);
        document.map(|document| (source, document))
    }

    /// Reads the files that `include` names, each entry as a separate project, and joins them with the file's own
    /// services.
    fn with_included(&mut self, whole: Value, folder: &Path, variables: &Variables, chain: &Chain) -> Value {
        let Some(include) = whole.get("include").cloned() else { return whole };
        let mut whole = without(whole, "include");
        if chain.len() > MAX_DEPTH {
            return whole;
        }
        for entry in include.one_or_more() {
            let paths: Vec<Value> = match entry.get("path") {
                Some(paths) => paths.one_or_more().to_vec(),
                None => entry.one_or_more().to_vec(),
            };
            let Some(first) = paths.first().and_then(|path| path.as_str()) else {
                self.diagnostics.push(
                    Diagnostic::error("wrong-type", "an entry of `include` does not say which file")
                        .at(&entry.origin, "expected a path, or a map with `path`"),
                );
                continue;
            };
            let first = tidy(&folder.join(first));
            let own_folder = match entry.get("project_directory").and_then(|folder| folder.as_str()) {
                Some(path) => tidy(&folder.join(path)),
                None => first.parent().unwrap_or(folder).to_path_buf(),
            };
            let mut parts = Vec::new();
            for path in &paths {
                let Some(text) = path.as_str() else { continue };
                let file = tidy(&folder.join(text));
                if let Some(at) = chain.iter().position(|(known, _)| *known == file) {
                    self.cycle_at(&chain[at..], &path.origin);
                    continue;
                }
                if let Some((source, document)) = self.parsed(&file, &path.origin) {
                    parts.push(Part { source, document, path: file });
                }
            }
            if parts.is_empty() {
                continue;
            }
            // The including project's variables have precedence over those in the included project's `.env`.
            let mut own = Variables::default();
            match entry.get("env_file") {
                Some(files) => {
                    for file in files.one_or_more() {
                        if let Some(path) = file.as_str().filter(|path| *path != "/dev/null") {
                            own = self.dotenv(&tidy(&folder.join(path)), Some(&file.origin), &own);
                        }
                    }
                }
                None => own = self.dotenv(&own_folder.join(".env"), None, &own),
            }
            let own = self.under(variables, own);
            let mut inner: Chain = chain.clone();
            if let Some(last) = inner.last_mut() {
                last.1 = Some(entry.origin.clone());
            }
            if let Some(included) = self.group(parts, &own_folder, &own, &inner) {
                whole = self.joined(whole, included);
            }
        }
        whole
    }

    /// The variables of an included project, with those of the including project added or replaced.
    fn under(&self, outer: &Variables, own: Variables) -> Variables {
        if own.0.is_empty() || !self.input.project.budget.spend(Resource::Values, outer.0.len()) {
            return outer.clone();
        }
        let mut variables = Arc::unwrap_or_clone(own.0);
        variables.extend(outer.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        Variables(Arc::new(variables))
    }

    /// Joins two projects. A name that both declare is an error.
    fn joined(&mut self, whole: Value, included: Value) -> Value {
        let Content::Map(mut entries) = whole.content else { return whole };
        let Content::Map(more) = included.content else { return Value { content: Content::Map(entries), ..whole } };
        // Names are compared with the names in all files so far.
        let known: usize = entries.iter().map(|(_, value)| 1 + value.entries().len()).sum();
        if !self.input.project.budget.spend(Resource::Steps, known) {
            return Value { content: Content::Map(entries), ..whole };
        }
        for (key, value) in more {
            let Some(at) = entries.iter().position(|(known, _)| known.value == key.value) else {
                entries.push((key, value));
                continue;
            };
            let Content::Map(added) = value.content else { continue };
            let Content::Map(known) = &mut entries[at].1.content else { continue };
            let mut places: HashMap<String, usize> =
                known.iter().enumerate().map(|(place, (name, _))| (name.value.clone(), place)).collect();
            for (name, value) in added {
                match places.get(&name.value).and_then(|place| known.get(*place)) {
                    None => {
                        places.insert(name.value.clone(), known.len());
                        known.push((name, value));
                    }
                    Some((first, _)) if key.value == "services" && first.origin != name.origin => {
                        self.diagnostics.push(
                            Diagnostic::error(
                                "service-twice",
                                format!("the service `{}` is declared by two files that are not merged", name.value),
                            )
                            .at(&name.origin, "declared here")
                            .and_at(&first.origin, "and here")
                            .help("rename one, or name both files in one `include` entry, which merges them"),
                        );
                    }
                    Some(_) => {}
                }
            }
        }
        Value { content: Content::Map(entries), ..whole }
    }

    fn include_cycle(&mut self, chain: &[(PathBuf, Option<Origin>)], path: &Path) {
        if let Some(origin) = chain.last().and_then(|(_, origin)| origin.clone()) {
            self.cycle_at(chain, &origin);
        } else {
            let shown = self.input.project.shown(path);
            self.diagnostics.push(
                Diagnostic::error("include-cycle", format!("`{}` is named twice", shown.display()))
                    .help("name each file once"),
            );
        }
    }

    fn cycle_at(&mut self, chain: &[(PathBuf, Option<Origin>)], origin: &Origin) {
        let mut cycle = Diagnostic::error("include-cycle", "files include each other in a circle")
            .at(origin, "leads back to a file that includes this file");
        for place in chain.iter().filter_map(|(_, origin)| origin.as_ref()) {
            cycle = cycle.and_at(place, "part of the circle");
        }
        self.diagnostics.push(cycle.help("remove one of the `include` entries"));
    }
}

/// A map without one of its keys.
pub(super) fn without(value: Value, key: &str) -> Value {
    let content = match value.content {
        Content::Map(entries) => {
            Content::Map(entries.into_iter().filter(|(name, _): &(Located<String>, Value)| name.value != key).collect())
        }
        content => content,
    };
    Value { content, ..value }
}
