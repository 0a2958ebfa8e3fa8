//! Kustomizations: the files that they list, the objects that they generate, and the images, names and namespaces that
//! they change.
//!
//! Patches are not applied; a warning names the command that renders them.

use super::image::{Changes, ImageChange};
use crate::manifest::dialect::{Input, ManifestFile};
use crate::manifest::read::env_file::{self, Format};
use crate::manifest::read::files::{FileError, tidy};
use crate::manifest::read::parsed::parsed_templated;
use crate::model::{Diagnostic, Located, Origin, Severity};
use crate::syntax::tree::{Entry, Node, NodeKind};
use std::path::{Path, PathBuf};

/// The file names of a kustomization.
pub(super) const FILE_NAMES: &[&str] = &["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// How deep kustomizations may list each other.
const MAX_DEPTH: usize = 16;

/// Keys that change objects in ways that are not applied here.
const NOT_APPLIED: &[&str] = &[
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "replacements",
    "vars",
    "transformers",
    "generators",
    "helmCharts",
    "helmChartInflationGenerator",
];

/// A file of objects, with the changes of kustomizations.
#[derive(Debug)]
pub(super) struct Loaded<'a> {
    file: File<'a>,
    /// The innermost kustomization first.
    pub(super) changes: Vec<Changes>,
}

#[derive(Debug)]
enum File<'a> {
    ContainerVariable(&'a ManifestFile),
    Listed(Box<ManifestFile>),
}

impl Loaded<'_> {
    /// The file.
    pub(super) fn file(&self) -> &ManifestFile {
        match &self.file {
            File::ContainerVariable(file) => file,
            File::Listed(file) => file,
        }
    }
}

/// Whether a file is a kustomization, by its name or by its `kind` and `apiVersion`.
pub(super) fn is_kustomization(file: &ManifestFile) -> bool {
    let named = file.source.path.file_name().is_some_and(|name| FILE_NAMES.iter().any(|known| name == *known));
    let is_kind = |document: &Node| {
        document.get("kind").and_then(Node::as_str).is_some_and(|kind| matches!(kind, "Kustomization" | "Component"))
            && document
                .get("apiVersion")
                .and_then(Node::as_str)
                .is_some_and(|api| api.starts_with("kustomize.config.k8s.io/"))
    };
    named || file.documents.first().is_some_and(is_kind)
}

/// The input's files, and the files that kustomizations among them list. A listed file is not read a second time by
/// itself. A file in or below the folder of a kustomization that no kustomization lists is ignored.
pub(super) fn load<'a>(input: &Input<'a>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Loaded<'a>> {
    let mut roots = Vec::new();
    for file in input.files.iter().filter(|file| is_kustomization(file)) {
        let mut loader =
            Loader { input, diagnostics: Vec::new(), loaded: Vec::new(), open: Vec::new(), read: Vec::new() };
        loader.kustomization(file, &[]);
        roots.push((file, loader.loaded, loader.diagnostics, loader.read));
    }
    let listed_by_other = |file: &ManifestFile| {
        roots.iter().any(|(root, _, _, read)| root.source.path != file.source.path && read.contains(&file.source.path))
    };
    let mut is_root: Vec<bool> = roots.iter().map(|(file, ..)| !listed_by_other(file)).collect();
    // If all kustomizations list each other, the first counts as the root, and reports the cycle.
    if let Some(first) = is_root.first_mut().filter(|_| !roots.iter().any(|(file, ..)| !listed_by_other(file))) {
        *first = true;
    }
    let mut ignored = Vec::new();
    let mut loaded = Vec::new();
    let plain: Vec<&ManifestFile> = input.files.iter().filter(|file| !is_kustomization(file)).collect();
    for file in plain {
        let listed = roots.iter().any(|(_, _, _, read)| read.contains(&file.source.path));
        let folder = tidy(&file.folder);
        if !listed && roots.iter().any(|(root, ..)| folder.starts_with(tidy(&root.folder))) {
            ignored.push(file.source.path.display().to_string());
        } else if !listed {
            loaded.push(Loaded { file: File::ContainerVariable(file), changes: Vec::new() });
        }
    }
    if !ignored.is_empty() {
        let message = format!("no kustomization lists {}, so it is ignored", ignored.join(", "));
        diagnostics.push(
            Diagnostic::note("left-alone", message).help("to read it, name it with -f, without the kustomization"),
        );
    }
    for ((file, parts, found, _), is_root) in roots.into_iter().zip(is_root) {
        if is_root {
            diagnostics.extend(found);
            loaded.push(Loaded { file: File::ContainerVariable(file), changes: Vec::new() });
            loaded.extend(parts);
        }
    }
    loaded
}

struct Loader<'l, 'a> {
    input: &'l Input<'a>,
    diagnostics: Vec<Diagnostic>,
    loaded: Vec<Loaded<'a>>,
    /// Folders of the kustomizations that are being read.
    open: Vec<PathBuf>,
    /// Every file that was read, as shown.
    read: Vec<PathBuf>,
}

impl Loader<'_, '_> {
    fn kustomization(&mut self, file: &ManifestFile, outer: &[Changes]) {
        let Some(document) = file.documents.first() else { return };
        let folder = tidy(&file.folder);
        if self.open.contains(&folder) || self.open.len() >= MAX_DEPTH {
            self.diagnostics.push(
                Diagnostic::error("kustomize-cycle", "kustomizations list each other without end")
                    .at(&document.origin, "this one is being read already")
                    .help("remove the entry that leads back here"),
            );
            return;
        }
        self.open.push(folder);
        self.not_applied(file, document);
        let mut changes = vec![changes_of(document)];
        changes.extend_from_slice(outer);
        self.generated(file, document, &changes);
        for key in ["resources", "bases", "components"] {
            for entry in document.get(key).and_then(Node::as_sequence).unwrap_or_default() {
                if let Some(path) = entry.as_str() {
                    self.resource(file, path, entry, &changes);
                }
            }
        }
        self.open.pop();
    }

    fn resource(&mut self, file: &ManifestFile, path: &str, entry: &Node, changes: &[Changes]) {
        if is_remote(path) {
            self.diagnostics.push(
                Diagnostic::warning("kustomize-remote", format!("`{path}` is on another machine, and is not read"))
                    .at(&entry.origin, "not part of the project")
                    .help(render_help(self.input, file)),
            );
            return;
        }
        let project = self.input.project;
        let path = tidy(&file.folder.join(path));
        let read = if project.is_folder(&path) {
            let kustomization =
                FILE_NAMES.iter().map(|name| path.join(name)).find(|path| project.read_bytes(path).is_ok());
            match kustomization {
                Some(path) => project.read(&path),
                None => project.read(&path.join("kustomization.yaml")),
            }
        } else {
            project.read(&path)
        };
        let source = match read {
            Ok(source) => source,
            Err(error) => return self.unreadable(error, &entry.origin),
        };
        let folder = project.root.join(&source.path).parent().map_or_else(|| file.folder.clone(), Path::to_path_buf);
        self.read.push(source.path.clone());
        let read = parsed_templated(source, folder, &project.budget, &mut self.diagnostics);
        if is_kustomization(&read) {
            self.kustomization(&read, changes);
        }
        self.loaded.push(Loaded { file: File::Listed(Box::new(read)), changes: changes.to_vec() });
    }

    fn unreadable(&mut self, error: FileError, origin: &Origin) {
        self.diagnostics.push(error.named_at(origin));
    }

    fn not_applied(&mut self, file: &ManifestFile, document: &Node) {
        let entries = document.entries().filter(|entry| {
            let says = entry.value.as_sequence().is_none_or(|items| !items.is_empty()) && !entry.value.is_null();
            says && NOT_APPLIED.contains(&entry.key.value.as_str())
        });
        let entries: Vec<&Entry> = entries.collect();
        let Some(first) = entries.first() else { return };
        let names: Vec<String> = entries.iter().map(|entry| format!("`{}`", entry.key.value)).collect();
        self.diagnostics.push(
            Diagnostic::warning(
                "kustomize-not-applied",
                format!("{} of this kustomization are not applied", names.join(", ")),
            )
            .at(&first.key.origin, "not carried out here")
            .because("they may change an image, a variable or a setting")
            .help(render_help(self.input, file)),
        );
    }

    /// Adds the objects of `configMapGenerator` and `secretGenerator`.
    fn generated(&mut self, file: &ManifestFile, document: &Node, changes: &[Changes]) {
        let mut objects = Vec::new();
        for (key, kind) in [("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")] {
            for entry in document.get(key).and_then(Node::as_sequence).unwrap_or_default() {
                let Some(name) = entry.get("name") else { continue };
                let values = self.generated_values(file, entry);
                let data = if kind == "Secret" { "stringData" } else { "data" };
                let text = |key: &str, text: &str| (key.to_owned(), Node::scalar(text, true, entry.origin.clone()));
                let mut metadata = vec![("name".to_owned(), name.clone())];
                metadata.extend(entry.get("namespace").map(|namespace| ("namespace".to_owned(), namespace.clone())));
                objects.push(map(
                    vec![
                        text("apiVersion", "v1"),
                        text("kind", kind),
                        ("metadata".to_owned(), map(metadata, &entry.origin)),
                        (data.to_owned(), map(values, &entry.origin)),
                    ],
                    &entry.origin,
                ));
            }
        }
        if !objects.is_empty() {
            let made = ManifestFile { source: file.source.clone(), folder: file.folder.clone(), documents: objects };
            self.loaded.push(Loaded { file: File::Listed(Box::new(made)), changes: changes.to_vec() });
        }
    }

    fn generated_values(&mut self, file: &ManifestFile, entry: &Node) -> Vec<(String, Node)> {
        let mut values: Vec<(String, Node)> = Vec::new();
        let texts = |key: &str| entry.get(key).and_then(Node::as_sequence).unwrap_or_default().iter();
        for item in texts("literals") {
            if let Some((key, value)) = item.as_str().and_then(|text| text.split_once('=')) {
                let value = value.trim_matches(['\'', '"']);
                values.push((key.to_owned(), Node::scalar(value, true, item.origin.clone())));
            }
        }
        for item in texts("files") {
            let Some(text) = item.as_str() else { continue };
            let (key, path) = text.split_once('=').unwrap_or_else(|| (text.rsplit('/').next().unwrap_or(text), text));
            match self.input.project.read(&file.folder.join(path)) {
                Ok(source) => {
                    let node = Node::scalar(source.text.clone(), true, Origin::start_of(&source));
                    values.push((key.to_owned(), node));
                }
                Err(error) => self.missing(error, &item.origin),
            }
        }
        for item in texts("envs").chain(entry.get("env")) {
            let Some(path) = item.as_str() else { continue };
            match self.input.project.read(&file.folder.join(path)) {
                Ok(source) => {
                    let (entries, diagnostics) =
                        env_file::read(&source, Format::Raw, &|_| None, &self.input.project.budget);
                    self.diagnostics.extend(diagnostics);
                    values.extend(entries.into_iter().filter_map(|entry| {
                        let text = entry.value?.text;
                        Some((entry.name, Node::scalar(text, true, entry.origin)))
                    }));
                }
                Err(error) => self.missing(error, &item.origin),
            }
        }
        let mut seen = std::collections::HashSet::new();
        values.retain(|(key, _)| seen.insert(key.clone()));
        values
    }

    /// Reports a generator's file that is not in the project as a warning, because files of secrets seldom are.
    fn missing(&mut self, error: FileError, origin: &Origin) {
        let mut diagnostic = error.named_at(origin);
        diagnostic.severity = Severity::Warning;
        if diagnostic.code == "file-missing" {
            diagnostic.code = "env-file-missing";
            diagnostic.notes.push("the values in production's file are not known here".to_owned());
        }
        self.diagnostics.push(diagnostic);
    }
}

fn changes_of(document: &Node) -> Changes {
    let text = |key: &str| document.get(key).and_then(Node::as_str).map(str::to_owned);
    let images = document.get("images").and_then(Node::as_sequence).unwrap_or_default().iter();
    Changes {
        namespace: text("namespace"),
        prefix: text("namePrefix").unwrap_or_default(),
        suffix: text("nameSuffix").unwrap_or_default(),
        images: images
            .filter_map(|entry| {
                let part = |key: &str| {
                    let node = entry.get(key)?;
                    Some(Located::new(node.as_str()?.to_owned(), node.origin.clone()))
                };
                Some(ImageChange {
                    name: part("name")?.value,
                    new_name: part("newName"),
                    new_tag: part("newTag"),
                    digest: part("digest"),
                })
            })
            .collect(),
    }
}

fn is_remote(path: &str) -> bool {
    path.contains("://") || path.contains("?ref=") || path.starts_with("git@") || path.starts_with("github.com/")
}

fn render_help(input: &Input<'_>, file: &ManifestFile) -> String {
    let folder = input.project.shown(&file.folder).display().to_string();
    let folder = if folder.is_empty() { "." } else { &folder };
    format!("render it: `kubectl kustomize {folder} | devenv up -f -`")
}

fn map(entries: Vec<(String, Node)>, origin: &Origin) -> Node {
    let entry = |(key, value): (String, Node)| Entry { key: Located::new(key, origin.clone()), value };
    Node { origin: origin.clone(), tag: None, kind: NodeKind::Mapping(entries.into_iter().map(entry).collect()) }
}
