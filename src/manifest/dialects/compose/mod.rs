//! The Compose dialect, as production uses it.
//!
//! Nothing in a Compose file is dropped in silence: each key that is not applied is reported.

mod backing;
mod container;
mod keys;
mod load;
mod merge;
mod mounts;
mod places;
mod pooler;
mod service;
mod value;
mod variables;

pub(crate) use container::{Container, container};

use crate::manifest::bind::{Sources, bind};
use crate::manifest::combine::poolers;
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::count::Counted as _;
use crate::model::{Diagnostic, Stack};
use load::Loader;
use service::Read;
use std::collections::BTreeMap;
use value::Value;

/// This dialect's entry in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "compose",
    title: "Compose",
    places: Places::Own { holds: places::holds, find: places::find },
    syntax: Syntax::Yaml,
    marks: &[],
    recognises,
    read,
};

/// Recognises a top-level map `services`, or a top-level `include`.
fn recognises(file: &ManifestFile) -> bool {
    file.documents.first().is_some_and(|document| {
        document.get("services").is_some_and(|services| services.as_mapping().is_some())
            || document.get("include").is_some()
    })
}

/// Reads everything that the files declare together.
pub(crate) fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let mut loader = Loader::new(input);
    let mut stack = Stack::default();
    if let Some(whole) = loader.load() {
        stack.project = project_name(&loader, &whole);
        let mut sources: BTreeMap<String, Sources> = BTreeMap::new();
        let mut declared = Vec::new();
        let mut poolers = Vec::new();
        for (name, value) in whole.get("services").map(Value::entries).unwrap_or_default() {
            if !value.is_map() && !value.is_null() {
                loader.diagnostics.push(
                    Diagnostic::error("wrong-type", format!("the service `{}` has to be a map", name.value))
                        .at(&value.origin, "found something else"),
                );
                continue;
            }
            match service::read(&mut loader, &whole, name, value) {
                Read::Backing(service, source) => {
                    sources.insert(service.name.clone(), source);
                    (*service).add_to(&mut stack.services, &input.project.budget);
                }
                Read::App(app, with_variables) => {
                    if let Some(pooler) = pooler::read(&mut loader, &whole, &app, value) {
                        poolers.push((pooler, value));
                    } else if with_variables {
                        declared.extend(variables::declared(&mut loader, &app.name, value));
                    }
                    add_links(&mut stack, value);
                    app.add_to(&mut stack.apps, &input.project.budget);
                }
            }
        }
        for (_, value) in whole.get("services").map(Value::entries).unwrap_or_default() {
            add_links(&mut stack, value);
        }
        let (found, values): (Vec<_>, Vec<_>) = poolers.into_iter().unzip();
        let names: Vec<String> = found.iter().map(|pooler| pooler.app.clone()).collect();
        let open = poolers::attach(
            found,
            &stack.services,
            &mut sources,
            &mut stack.apps,
            &mut loader.diagnostics,
            &input.project.budget,
        );
        // A pooler that is in front of no server is an ordinary app, unless its note says what it is.
        for (name, value) in names.iter().zip(values).filter(|(name, _)| open.iter().any(|one| one.app == **name)) {
            if stack.apps.iter().any(|app| app.name == *name && app.note.is_empty()) {
                declared.extend(variables::declared(&mut loader, name, value));
            }
        }
        stack.variables = bind(input.kinds, &mut stack.services, &sources, &declared, &input.project.budget);
    }
    stack.env_inputs = loader.env_inputs();
    stack.sources = loader.sources;
    (stack, loader.diagnostics)
}

/// Adds the alias that `links: ["db:database"]` gives a service.
fn add_links(stack: &mut Stack, value: &Value) {
    for link in value.get("links").map(Value::items).unwrap_or_default() {
        let Some((service, alias)) = link.as_str().and_then(|link| link.split_once(':')) else { continue };
        if let Some(service) = stack.services.iter_mut().find(|known| known.name == service)
            && service.name != alias
            && !service.aliases.iter().any(|known| known == alias)
        {
            service.aliases.push(alias.to_owned());
        }
    }
}

/// `COMPOSE_PROJECT_NAME`, otherwise `name:`; empty without both.
fn project_name(loader: &Loader<'_>, whole: &Value) -> String {
    let said = loader
        .project_variable("COMPOSE_PROJECT_NAME")
        .filter(|name| !name.is_empty())
        .or_else(|| whole.get("name").and_then(Value::as_str).map(str::to_owned))
        .unwrap_or_default()
        .to_lowercase();
    let words: Vec<&str> = said.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    words.join("-")
}
