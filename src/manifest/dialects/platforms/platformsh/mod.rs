//! Platform.sh, Upsun and Magento Cloud: services with `type: kind:version`, which relationships bind to apps.
//!
//! Services and apps are in separate files (`.platform/services.yaml`, `.platform.app.yaml`) or in one file
//! (`.upsun/config.yaml`). The apps' files are read together with the services' file. `mysql` means `MariaDB` there.

mod relationships;
mod services;

use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::parsed::parsed;
use crate::model::{Diagnostic, Located, Source, Stack};
use crate::syntax::expect::Expect;
use crate::syntax::tree::{Entry, Node};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// This dialect's entry in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "platformsh",
    title: "Platform.sh",
    places: Places::Files(&[
        ".platform/{services,applications}.yaml",
        ".magento/services.yaml",
        ".upsun/*.{yaml,yml}",
        "{.platform,.magento}.app.yaml",
    ]),
    syntax: Syntax::Yaml,
    marks: &[],
    recognises,
    read,
};

/// The folders of the platform's files, at the project's root.
const FOLDERS: &[&str] = &[".platform", ".upsun", ".magento"];

/// An app's own file, in the app's folder.
const APP_FILES: &[&str] = &[".platform.app.yaml", ".magento.app.yaml"];

/// The maximum number of folders below the root that are searched for apps' files.
const MAX_FOLDERS: usize = 500;
fn recognises(file: &ManifestFile) -> bool {
    let folder = file.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = file.source.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if APP_FILES.contains(&name) || FOLDERS.contains(&folder) {
        return name != "local.yaml";
    }
    let Some(document) = file.documents.first() else { return false };
    document.get("applications").is_some_and(|apps| apps.as_mapping().is_some()) && typed(document.get("services"))
}

/// Whether a map's entries are services with `type: kind:version`.
fn typed(services: Option<&Node>) -> bool {
    let is = |entry: &Entry| entry.value.get("type").and_then(Node::as_str).is_some_and(|text| text.contains(':'));
    services.is_none_or(|services| services.entries().all(is))
}

fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let mut reader = Reader { input, expect: Expect::default(), stack: Stack::default(), ends: BTreeMap::new() };
    let files = reader.files();
    let mut apps: Vec<(Located<String>, Node)> = Vec::new();
    for file in &files {
        let (path, format, title) = (file.source.path.clone(), DIALECT.name, title_of(file));
        reader.stack.sources.push(Source { path, format, title });
        for document in &file.documents {
            reader.document(file, document, &mut apps);
        }
    }
    let magento = files.iter().any(|file| title_of(file) == "Magento Cloud");
    let app_variables =
        reader.apps(&apps, if magento { "MAGENTO_CLOUD_RELATIONSHIPS" } else { "PLATFORM_RELATIONSHIPS" });
    let mut stack = reader.stack;
    app_variables.bind_into(&mut stack, input.kinds, &BTreeMap::new());
    (stack, reader.expect.diagnostics)
}

fn title_of(file: &ManifestFile) -> &'static str {
    let path = file.source.path.to_string_lossy();
    if path.contains(".magento") {
        "Magento Cloud"
    } else if path.contains(".upsun") {
        "Upsun"
    } else {
        "Platform.sh"
    }
}

struct Reader<'a> {
    input: &'a Input<'a>,
    expect: Expect,
    stack: Stack,
    /// The configured endpoints, by service and name.
    ends: BTreeMap<(String, String), End>,
}

impl Reader<'_> {
    /// The files that were found or named, and the other files of the same project.
    fn files(&mut self) -> Vec<ManifestFile> {
        let mut files = self.input.files.to_vec();
        let Some(root) = files.first().map(|file| {
            let own =
                file.folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| FOLDERS.contains(&name));
            if own { file.folder.parent().unwrap_or(&file.folder).to_path_buf() } else { file.folder.clone() }
        }) else {
            return files;
        };
        if root.file_name().is_none() || files.iter().any(|file| file.source.path == Path::new("<stdin>")) {
            return files;
        }
        let project = self.input.project;
        let mut paths: Vec<PathBuf> = Vec::new();
        for folder in FOLDERS.iter().map(|folder| root.join(folder)).filter(|folder| project.is_folder(folder)) {
            let is_upsun = folder.ends_with(".upsun");
            for name in project.list(&folder).unwrap_or_default() {
                let is_known = matches!(name.as_str(), "services.yaml" | "applications.yaml");
                if is_known || (is_upsun && is_yaml(&name)) {
                    paths.push(folder.join(name));
                }
            }
        }
        let below = project.list(&root).unwrap_or_default().into_iter().map(|name| root.join(name));
        let below = below.filter(|folder| project.is_folder(folder)).take(MAX_FOLDERS);
        for folder in std::iter::once(root.clone()).chain(below) {
            paths.extend(APP_FILES.iter().map(|name| folder.join(name)));
        }
        for path in paths {
            let shown = project.shown(&path);
            if files.iter().any(|file| file.source.path == shown) {
                continue;
            }
            // A missing file is skipped; a file that cannot be read is reported.
            match project.read(&path) {
                Ok(source) => {
                    let folder = path.parent().unwrap_or(&root).to_path_buf();
                    files.push(parsed(source, folder, &project.budget, &mut self.expect.diagnostics));
                }
                Err(error) if error.fault == crate::manifest::read::files::FileFault::Missing => {}
                Err(error) => self.expect.diagnostics.push(*error.diagnostic),
            }
        }
        files
    }

    fn document(&mut self, file: &ManifestFile, document: &Node, apps: &mut Vec<(Located<String>, Node)>) {
        let name = file.source.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if APP_FILES.contains(&name) {
            apps.extend(named_app(document));
        } else if name == "applications.yaml" {
            match document.as_sequence() {
                Some(items) => apps.extend(items.iter().filter_map(named_app)),
                None => apps.extend(document.entries().map(|entry| (entry.key.clone(), entry.value.clone()))),
            }
        } else if name == "services.yaml" && file.folder.file_name().is_none_or(|folder| folder != ".upsun") {
            self.services(document);
        } else {
            if let Some(node) = document.get("services") {
                self.services(node);
            }
            let node = document.get("applications");
            apps.extend(node.into_iter().flat_map(Node::entries).map(|entry| (entry.key.clone(), entry.value.clone())));
        }
    }
}

/// The login, database and virtual host of a service's endpoint, by name.
#[derive(Clone, Debug, Default)]
struct End {
    user: Option<String>,
    database: Option<String>,
    vhost: Option<String>,
}

/// An app from its own file or from a list, with the name in it.
fn named_app(node: &Node) -> Option<(Located<String>, Node)> {
    node.as_mapping()?;
    let name = match node.get("name") {
        Some(name) => Located::new(name.as_str()?.to_owned(), name.origin.clone()),
        None => Located::new("app".to_owned(), node.origin.clone()),
    };
    Some((name, node.clone()))
}

fn is_yaml(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
}
