//! Reads the output of `terraform show -json` for a state or a plan.
//!
//! The output contains secrets in clear text: a value that Terraform marks as sensitive is removed before any other
//! code reads the values. Format: <https://developer.hashicorp.com/terraform/internals/json-format>.

use super::belongings::Belongings;
use super::names::Candidate;
use super::{DIALECT, resources};
use crate::manifest::declare::cloud::{self, Resource};
use crate::manifest::dialect::{Input, ManifestFile};
use crate::model::{Diagnostic, Located, Severity};
use crate::syntax::tree::{Entry, Node, NodeKind};
use std::collections::HashMap;

/// Whether a document is a state or plan, in any version of the format, or a raw state. A raw state is refused with the
/// command that converts it.
pub(super) fn recognises(document: &Node) -> bool {
    let has = |key: &str| document.get(key).is_some();
    has("format_version")
        && (document.as_mapping().is_some_and(|entries| entries.len() == 1)
            || has("values")
            || has("planned_values")
            || has("terraform_version")
            || has("resource_changes"))
        || is_raw(document)
}

/// Whether a document is a state in the form that Terraform stores.
fn is_raw(document: &Node) -> bool {
    ["version", "lineage", "serial", "resources"].iter().all(|key| document.get(key).is_some())
}

/// One managed resource.
struct Shown {
    type_name: String,
    name: Located<String>,
    index: Option<String>,
    modules: Vec<String>,
    values: Node,
}

impl Shown {
    /// The block of which the resource is an instance.
    fn block(&self) -> (&[String], &str, &str) {
        (&self.modules, &self.type_name, &self.name.value)
    }
}

/// Reads the declarations of a file.
pub(super) fn read(file: &ManifestFile, input: &Input<'_>) -> (Vec<Candidate>, Vec<Diagnostic>) {
    let Some(document) = file.documents.first() else { return (Vec::new(), Vec::new()) };
    if let Some(refused) = refusal(document, &file.source.path.display().to_string()) {
        return (Vec::new(), vec![refused]);
    }
    let mut resources = Vec::new();
    for root in ["values", "planned_values"] {
        if let Some(module) = document.get(root).and_then(|values| values.get("root_module")) {
            walk(module, &[], &mut resources, 0);
        }
    }
    let belongings = Belongings::of_state(resources.iter().map(|shown| (shown.type_name.as_str(), &shown.values)));
    let mut instances: HashMap<(&[String], &str, &str), usize> = HashMap::new();
    for shown in &resources {
        *instances.entry(shown.block()).or_default() += 1;
    }
    let (mut found, mut diagnostics) = (Vec::new(), Vec::new());
    for shown in &resources {
        let Some(shape) = resources::shape(&shown.type_name) else { continue };
        let engine = cloud::at(&shown.values, shape.engine).and_then(Node::as_literal);
        let kind = engine
            .and_then(|word| cloud::engine_of(input.kinds, word))
            .or_else(|| input.kinds.spelled(DIALECT.name, &shown.type_name));
        let own = belongings.of_values(&shown.values, shape, kind);
        let resource = Resource {
            dialect: DIALECT.name,
            name: shown.name.value.clone(),
            origin: shown.name.origin.clone(),
            type_name: &shown.type_name,
            maker: &shown.type_name,
            shape,
            body: &shown.values,
            parameters: own.parameters,
            databases: own.databases,
            users: own.users,
        };
        let mut built = cloud::build(input.kinds, &resource);
        if let cloud::Built::Service(_, wrong) = &mut built {
            diagnostics.append(wrong);
        }
        // The only instance of a block with `count = 1` has the index 0, which its name does not need.
        let is_only = instances.get(&shown.block()) == Some(&1);
        let index = shown.index.clone().filter(|index| !is_only || index != "0");
        found.push(Candidate { name: shown.name.value.clone(), index, modules: shown.modules.clone(), built });
    }
    (found, diagnostics)
}

/// The error for a form that is not read: a raw state, or an unknown major version of the format.
fn refusal(document: &Node, path: &str) -> Option<Diagnostic> {
    if document.get("format_version").is_none() {
        let version = document.get("version").map_or(&document.origin, |node| &node.origin);
        return Some(
            Diagnostic::error("file-raw-state", format!("`{path}` is a state in the form that Terraform stores"))
                .at(version, "its form changes without notice")
                .help(format!("show it: `terraform show -json {path} | devenv -f - up`")),
        );
    }
    let version = document.get("format_version")?;
    let text = version.as_str().unwrap_or_default();
    let major = text.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if matches!(major, Some(0 | 1)) {
        return None;
    }
    let mut refused = Diagnostic::error(
        "file-format-version",
        format!("`{path}` is in a version of Terraform's format that is not known here"),
    )
    .at(&version.origin, format!("the format's version is {text}"))
    .because("only the versions 0.x and 1.x are known; another major version may have another meaning")
    .help("show it with Terraform 1, or look for a newer devenv");
    refused.severity = Severity::Error;
    Some(refused)
}

fn walk(module: &Node, path: &[String], found: &mut Vec<Shown>, depth: usize) {
    if depth > 40 {
        return;
    }
    for resource in module.get("resources").and_then(Node::as_sequence).unwrap_or_default() {
        let text = |key: &str| resource.get(key).and_then(Node::as_str);
        let (Some(type_name), Some(name)) = (text("type"), resource.get("name")) else { continue };
        if text("mode").is_some_and(|mode| mode != "managed") {
            continue;
        }
        let empty = || Node { kind: NodeKind::Mapping(Vec::new()), tag: None, origin: resource.origin.clone() };
        let mut values = resource.get("values").cloned().unwrap_or_else(empty);
        if let Some(sensitive) = resource.get("sensitive_values") {
            take_out(&mut values, sensitive);
        }
        found.push(Shown {
            type_name: type_name.to_owned(),
            name: Located::new(name.as_str().unwrap_or_default().to_owned(), name.origin.clone()),
            index: text("index")
                .map(|index| index.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()),
            modules: path.to_vec(),
            values,
        });
    }
    for child in module.get("child_modules").and_then(Node::as_sequence).unwrap_or_default() {
        let address = child.get("address").and_then(Node::as_str).unwrap_or_default();
        let mut path = path.to_vec();
        path.push(last_module(address));
        walk(child, &path, found, depth + 1);
    }
}

/// The name of the last module of an address: `module.shop.module.db["x"]` → `db-x`.
fn last_module(address: &str) -> String {
    let last = address.rsplit("module.").next().unwrap_or(address);
    let words: Vec<&str> = last.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).collect();
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Replaces every value that is marked as sensitive by an unresolved value.
fn take_out(values: &mut Node, sensitive: &Node) {
    if sensitive.as_bool() == Some(true) {
        *values = Node::unresolved("a sensitive value", values.origin.clone());
        return;
    }
    match (&mut values.kind, &sensitive.kind) {
        (NodeKind::Mapping(entries), NodeKind::Mapping(marks)) => {
            for Entry { key, value } in entries {
                if let Some(mark) = marks.iter().find(|mark| mark.key.value == key.value) {
                    take_out(value, &mark.value);
                }
            }
        }
        (NodeKind::Sequence(items), NodeKind::Sequence(marks)) => {
            for (item, mark) in items.iter_mut().zip(marks) {
                take_out(item, mark);
            }
        }
        _ => {}
    }
}
