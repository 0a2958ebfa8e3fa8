//! devenv's own dialect, `services.yaml`.
//!
//! ```yaml
//! name: shop
//! services:
//!   db:
//!     kind: postgres                  # or only `image:`, if the image is of a known kind
//!     version: "16.4"
//!     databases: [shop]               # or {shop: {owner: shop}}
//!     users: {shop: {databases: [shop]}, report: {rights: minimal}}
//!     extensions: [pg_trgm]
//!     settings: {max_connections: 200}
//!   mail:
//!     kind: generic                   # any image; checked by a connection or an HTTP response
//!     image: axllent/mailpit:v1.20
//!     port: 8025
//!     protocol: http
//! variables:
//!   DATABASE_URL: ${db.url}
//!   REPORT_URL: ${db.users.report.url}
//! kinds: [deploy/kinds/thing.yaml]    # the project's own kinds, in the form of `templates/kinds/`
//! ```
//!
//! An unknown key is an error, so that every entry of a file is carried out or reported. Keys that begin with `x-` are
//! for anchors and are not read.

use crate::kinds::Kinds;
use crate::manifest::declare::variables::{Names, value};
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::dialects::service_entry;
use crate::manifest::read::count::Counted as _;
use crate::manifest::read::files::Project;
use crate::model::{Diagnostic, Origin, Source, Stack, Variable};
use crate::syntax::expect::Expect;
use crate::syntax::tree::Entry;
use std::path::Path;

/// The line of this dialect in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "services.yaml",
    title: "services.yaml",
    places: Places::Files(FILE_NAMES),
    syntax: Syntax::Yaml,
    marks: &[],
    recognises,
    read,
};

/// The names of the file, as discovery looks for them.
pub(crate) const FILE_NAMES: &[&str] = &["services.yaml", "services.yml"];

const KEYS: &[&str] = &["name", "services", "variables", "kinds"];

/// Recognises a file by a service with `kind`, or by its name. Other formats also use that name: a Kubernetes object,
/// and Platform.sh's map with `type:`. Such a file is not recognised.
fn recognises(file: &ManifestFile) -> bool {
    let document = file.documents.first();
    let services = document.and_then(|document| document.get("services"));
    if services.is_some_and(|services| services.entries().any(|entry| entry.value.get("kind").is_some())) {
        return true;
    }
    let named = file.source.path.file_name().is_some_and(|name| FILE_NAMES.iter().any(|known| name == *known));
    let others = document.is_some_and(|document| {
        document.get("apiVersion").is_some()
            || document.entries().any(|entry| {
                entry.value.get("type").is_some_and(|kind| kind.as_str().is_some()) && entry.key.value != "services"
            })
    });
    named && !others
}

/// Adds the kinds that the files declare under `kinds:`. Called before the services are read.
pub(crate) fn declare_kinds(files: &[ManifestFile], project: &Project, kinds: &mut Kinds) -> Vec<Diagnostic> {
    let mut expect = Expect::default();
    for file in files {
        let Some(document) = file.documents.first() else { continue };
        if let Some(node) = document.get("kinds") {
            for path in expect.texts(node, "`kinds`") {
                add_kind(&file.folder.join(&path.value), Some(&path.origin), project, kinds, &mut expect.diagnostics);
            }
        }
    }
    expect.diagnostics
}

/// Adds the file of a kind, which a manifest names or which is in `.devenv/kinds/`.
pub(crate) fn add_kind(
    path: &Path,
    named: Option<&Origin>,
    project: &Project,
    kinds: &mut Kinds,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let at_its_name = |diagnostic: Diagnostic| match named {
        Some(origin) => diagnostic.at(origin, "named here"),
        None => diagnostic,
    };
    match project.read(path) {
        Ok(source) => {
            if let Err(error) = kinds.add(&source.path.display().to_string(), &source.text) {
                diagnostics.push(at_its_name(
                    Diagnostic::error("kind-file", format!("`{}` describes no kind", error.path))
                        .because(
                            error.message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
                        )
                        .help("take the form from a built-in kind"),
                ));
            }
        }
        Err(error) => diagnostics.push(at_its_name(*error.diagnostic)),
    }
}

fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let mut stack = Stack::default();
    let mut expect = Expect::default();
    for file in input.files {
        stack.sources.push(Source { path: file.source.path.clone(), format: DIALECT.name, title: DIALECT.title });
        read_file(file, input, &mut stack, &mut expect);
    }
    (stack, expect.diagnostics)
}

fn read_file(file: &ManifestFile, input: &Input<'_>, stack: &mut Stack, expect: &mut Expect) {
    let Some(document) = file.documents.first() else { return };
    for second in file.documents.iter().skip(1) {
        expect.diagnostics.push(
            Diagnostic::error(
                "second-document",
                format!("`{}` holds more than one document", file.source.path.display()),
            )
            .at(&second.origin, "not read")
            .help("put everything into one, without `---` between"),
        );
    }
    let extension = |entry: &&Entry| entry.key.value.starts_with("x-");
    for entry in expect.map(document, "`services.yaml`").iter().filter(|entry| !extension(entry)) {
        expect.is_known(entry, "`services.yaml`", KEYS);
    }
    if let Some(node) = document.get("name")
        && let Some(name) = expect.text(node, "the project's name")
    {
        if is_project_name(&name.value) {
            stack.project = name.value;
        } else {
            expect.diagnostics.push(
                Diagnostic::error("project-name", format!("`{}` cannot be a project's name", name.value))
                    .at(&name.origin, "names containers and volumes")
                    .help("use lower-case letters, digits and dashes, beginning with a letter or digit, 40 at most"),
            );
        }
    }
    let mut broken = Vec::new();
    if let Some(node) = document.get("services") {
        for entry in expect.map(node, "`services`") {
            match service_entry::read(entry, input.kinds, expect) {
                Some(service) => service.add_to(&mut stack.services, &input.project.budget),
                None => broken.push(entry.key.value.clone()),
            }
        }
    }
    if let Some(node) = document.get("variables") {
        let names = Names { services: &stack.services, broken: &broken, kinds: input.kinds };
        let (read, wrong) = variables(expect.map(node, "`variables`"), &names);
        stack.variables.extend(read);
        expect.diagnostics.extend(wrong);
    }
}

/// Reads the variables of a map; each is for every app.
pub(crate) fn variables(entries: &[Entry], names: &Names<'_>) -> (Vec<Variable>, Vec<Diagnostic>) {
    let (mut read, mut wrong) = (Vec::new(), Vec::new());
    for entry in entries {
        let name = &entry.key.value;
        if !is_variable_name(name) {
            wrong.push(
                Diagnostic::error("variable-name", format!("`{name}` cannot be a variable's name"))
                    .at(&entry.key.origin, "no shell could read it")
                    .help("use letters, digits and `_`, not beginning with a digit"),
            );
            continue;
        }
        match value(&entry.value, names) {
            Ok(value) => {
                read.push(Variable { name: name.clone(), app: String::new(), value, origin: entry.key.origin.clone() });
            }
            Err(diagnostic) => wrong.push(diagnostic),
        }
    }
    (read, wrong)
}

fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_project_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.len() <= 40
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
