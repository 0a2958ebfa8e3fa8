//! The variables that a service's container gets, from `env_file` and `environment`.

use super::load::Loader;
use super::value::{Content, Value};
use crate::manifest::bind::Declared;
use crate::manifest::declare::container::{ContainerVariable, sourced};
use crate::manifest::read::env_file::{self, Format};
use crate::manifest::read::files::FileFault;
use crate::manifest::read::interpolate::{Interpolated, Span, Unset};
use crate::model::{Diagnostic, Origin, Severity, SourceFile, without_managed_block};
use crate::project::{Resource, VARIABLE, of_text};
use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::sync::Arc;

/// Every variable of a service. `environment` has precedence over `env_file`, and a later file over an earlier file.
pub(super) fn environment(loader: &mut Loader<'_>, service: &Value) -> Vec<ContainerVariable> {
    let mut found: Vec<ContainerVariable> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let budget = loader.input.project.budget.clone();
    let mut put = |given: ContainerVariable| {
        if !budget.spend_at(Resource::Values, VARIABLE + of_text(given.whole.text.len()), &given.origin) {
            return;
        }
        match places.entry(given.name.clone()) {
            Occupied(place) => found[*place.get()] = given,
            Vacant(place) => {
                place.insert(found.len());
                found.push(given);
            }
        }
    };
    for entry in service.get("env_file").map(Value::one_or_more).unwrap_or_default() {
        for given in file_of(loader, entry) {
            put(given);
        }
    }
    let Some(declared) = service.get("environment") else { return found };
    for (name, value) in declared.clone().into_map().entries() {
        let (text, origin) = match &value.content {
            Content::Text { text, .. } => (text.clone(), value.origin.clone()),
            // A name alone gets its value from the environment in which Compose runs.
            Content::Null => (passed_through(loader, &name.value, &name.origin), name.origin.clone()),
            _ => {
                loader.diagnostics.push(
                    Diagnostic::error("wrong-type", format!("the variable `{}` has to be text", name.value))
                        .at(&value.origin, "found a list or a map"),
                );
                continue;
            }
        };
        let not_passed = matches!(value.content, Content::Null) && !text.unset.is_empty();
        put(ContainerVariable {
            name: name.value.clone(),
            text: sourced(&text),
            whole: text,
            not_passed,
            from_file: false,
            origin,
        });
    }
    found
}

/// The variables of a service as an app's declared variables.
pub(super) fn declared(loader: &mut Loader<'_>, app: &str, service: &Value) -> Vec<Declared> {
    environment(loader, service)
        .into_iter()
        .map(|given| Declared {
            name: given.name,
            app: app.to_owned(),
            text: given.whole,
            not_passed: given.not_passed,
            secret: None,
            origin: given.origin,
        })
        .collect()
}

fn passed_through(loader: &Loader<'_>, name: &str, origin: &Origin) -> Interpolated {
    let value = loader.lookup(origin, name);
    let unset = if value.is_none() { vec![Unset { name: name.to_owned(), required: None }] } else { Vec::new() };
    let text = value.unwrap_or_default();
    Interpolated { spans: vec![Span { range: 0..text.len(), variable: name.to_owned() }], text, unset }
}

/// Reads a file of variables. A missing file is reported once, unless it is optional.
fn file_of(loader: &mut Loader<'_>, entry: &Value) -> Vec<ContainerVariable> {
    let named = entry.get("path").unwrap_or(entry);
    let Some(path) = named.as_str() else { return Vec::new() };
    let required = entry.get("required").is_none_or(Value::is_true);
    let format = match entry.get("format").and_then(Value::as_str) {
        Some("raw") => Format::Raw,
        _ => Format::Compose,
    };
    let path = loader.path_in(&named.origin, path);
    loader.note_env_file(&path, &named.origin);
    let file = match loader.input.project.read(&path) {
        Ok(file) => file,
        Err(error) if error.fault == FileFault::Missing && !required => return Vec::new(),
        Err(error) => {
            let mut diagnostic = error.named_at(&named.origin);
            if diagnostic.code == "file-missing" {
                diagnostic.code = "env-file-missing";
                diagnostic.notes.push("variables that only production's file holds are not known here".to_owned());
                let help =
                    "bind those that lead to a service in services.local.yaml: `variables: {DATABASE_URL: ${db.url}}`";
                diagnostic.help.push(help.to_owned());
            }
            diagnostic.severity = Severity::Warning;
            if !loader.diagnostics.iter().any(|known| known.message == diagnostic.message) {
                loader.diagnostics.push(diagnostic);
            }
            return Vec::new();
        }
    };
    let file = Arc::new(SourceFile { path: file.path.clone(), text: without_managed_block(&file.text) });
    let origin = named.origin.clone();
    let (entries, diagnostics) =
        env_file::read(&file, format, &|name| loader.lookup(&origin, name), &loader.input.project.budget);
    for diagnostic in diagnostics {
        if !loader.diagnostics.contains(&diagnostic) {
            loader.diagnostics.push(diagnostic);
        }
    }
    entries
        .into_iter()
        .filter_map(|entry| {
            let mut whole = entry.value?;
            // Compose also interpolates from this file, so other values may come from this variable.
            if loader.interpolates_from(&origin, &entry.name) == Some(whole.text.as_str()) {
                whole.spans = vec![Span { range: 0..whole.text.len(), variable: entry.name.clone() }];
            }
            let text = sourced(&whole);
            Some(ContainerVariable {
                name: entry.name,
                text,
                whole,
                not_passed: false,
                from_file: true,
                origin: entry.origin,
            })
        })
        .collect()
}
