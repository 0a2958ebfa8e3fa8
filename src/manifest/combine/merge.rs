//! Merges several manifests into one stack.
//!
//! A service that two manifests declare alike is one service. If the manifests disagree, both places are cited and
//! neither value is chosen.

use crate::kinds::Kinds;
use crate::manifest::combine::local::Local;
use crate::manifest::combine::same;
use crate::model::{Diagnostic, Origin, Service, Stack, Value, Variable, Version, VersionClass};
use std::collections::{HashMap, HashSet};

/// Adds the declarations of a further manifest. A value that `services.local.yaml` sets is no conflict.
pub(crate) fn merge(
    stack: &mut Stack,
    mut other: Stack,
    kinds: &Kinds,
    local: &Local,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for (name, known) in same::pairs(stack, &other, kinds) {
        rename(&mut other, &name, &known);
    }
    if stack.project.is_empty() {
        stack.project = other.project;
    }
    stack.sources.extend(other.sources);
    stack.env_inputs.extend(other.env_inputs);
    let mut places: HashMap<String, usize> =
        stack.services.iter().enumerate().map(|(at, service)| (service.name.clone(), at)).collect();
    for service in other.services {
        match places.get(&service.name).and_then(|at| stack.services.get_mut(*at)) {
            None => {
                places.insert(service.name.clone(), stack.services.len());
                stack.services.push(service);
            }
            Some(known) => unite(known, service, local, diagnostics),
        }
    }
    let mut known: HashSet<String> = stack.apps.iter().map(|app| app.name.clone()).collect();
    stack.apps.extend(other.apps.into_iter().filter(|app| known.insert(app.name.clone())));
    stack.apps.retain(|app| !places.contains_key(&app.name));
    let key = |variable: &Variable| (variable.app.clone(), variable.name.clone());
    let mut places: HashMap<(String, String), usize> =
        stack.variables.iter().enumerate().map(|(at, variable)| (key(variable), at)).collect();
    for variable in other.variables {
        let known = places.get(&key(&variable)).and_then(|at| stack.variables.get(*at));
        match known {
            None => {
                places.insert(key(&variable), stack.variables.len());
                stack.variables.push(variable);
            }
            Some(known) if known.value == variable.value => {}
            Some(_) if local.sets(&["variables", &variable.name]) => {}
            Some(known) => diagnostics.push(
                Diagnostic::error("variable-conflict", format!("the manifests disagree about {}", of(&variable)))
                    .at(&variable.origin, format!("a {} value", described(&variable.value)))
                    .and_at(&known.origin, format!("another value: {}", described(&known.value)))
                    .help(format!("set one in services.local.yaml: `variables: {{{}: …}}`", variable.name)),
            ),
        }
    }
}

/// Gives a service the name that another manifest uses. The hosts by which apps reach the service stay.
fn rename(stack: &mut Stack, from: &str, to: &str) {
    for service in stack.services.iter_mut().filter(|service| service.name == from) {
        to.clone_into(&mut service.name);
        // A name that only has a meaning in its file (`rds-((env))`) is no host name.
        if from.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
            service.aliases.push(from.to_owned());
        }
        service.notes.push(format!("`{from}` of {} is taken for the same service", service.origin.path().display()));
    }
    for variable in &mut stack.variables {
        if let Value::Bound { template, .. } = &mut variable.value {
            template.rename(from, to);
        }
    }
}

fn of(variable: &Variable) -> String {
    if variable.app.is_empty() { variable.name.clone() } else { format!("{} of {}", variable.name, variable.app) }
}

/// The class of a value; never the value itself, which may be a secret.
fn described(value: &Value) -> &'static str {
    value.class()
}

/// Completes a service with the values from another manifest.
fn unite(known: &mut Service, mut other: Service, local: &Local, diagnostics: &mut Vec<Diagnostic>) {
    let mut conflict = |what: &str, here: (&Origin, String), there: (&Origin, String), help: String| {
        let name = other.name.as_str();
        let is_set = match what.split_once(' ') {
            Some((_, setting)) => local.sets(&["services", name, "settings", setting]),
            None => local.sets(&["services", name, what]) || local.sets(&["services", name, "image"]),
        };
        if is_set {
            return;
        }
        diagnostics.push(
            Diagnostic::error(
                "service-conflict",
                format!("the manifests disagree about the {what} of `{}`", other.name),
            )
            .at(there.0, there.1)
            .and_at(here.0, here.1)
            .help(help),
        );
    };
    if known.kind != other.kind {
        conflict(
            "kind",
            (&known.origin, known.kind.clone()),
            (&other.origin, other.kind.clone()),
            format!("read one of them only, by `from:` in services.local.yaml, or rename `{}` in one", known.name),
        );
        return;
    }
    let said = |service: &Service| {
        if service.version.text.is_empty() { "none".to_owned() } else { service.version.text.clone() }
    };
    match more_exact(&known.version, &other.version) {
        Some(Which::Known) => {}
        Some(Which::Other) => take_version(known, &other),
        None => {
            let help = format!(
                "set one in services.local.yaml: `services: {{{}: {{version: \"{}\"}}}}`",
                known.name,
                known.version.number.as_deref().unwrap_or(&known.version.text)
            );
            conflict("version", (&known.version.origin, said(known)), (&other.version.origin, said(&other)), help);
        }
    }
    if known.version.text == other.version.text
        && let (Some(here), Some(there)) = (&known.image, &other.image)
        && here.value != there.value
    {
        let help = format!("set one in services.local.yaml: `services: {{{}: {{image: …}}}}`", known.name);
        conflict("image", (&here.origin, here.value.to_string()), (&there.origin, there.value.to_string()), help);
    }
    for setting in other.settings {
        match known.settings.iter().find(|setting_here| setting_here.name == setting.name) {
            None => known.settings.push(setting),
            Some(here) if here.value.value == setting.value.value => {}
            Some(here) => {
                let help = format!(
                    "set one in services.local.yaml: `services: {{{}: {{settings: {{{}: …}}}}}}`",
                    known.name, setting.name
                );
                let what = format!("setting {}", setting.name);
                conflict(
                    &what,
                    (&here.value.origin, here.value.value.clone()),
                    (&setting.value.origin, setting.value.value.clone()),
                    help,
                );
            }
        }
    }
    let (here, there) = (known.origin.clone(), other.origin.clone());
    // If a cloud and an image give the same login different rights, the lesser rights are production's.
    let both = known.users.first().zip(other.users.first());
    let least = both.and_then(|(here, there)| Some(here.rights?.min(there.rights?)));
    replace_filled_in((&mut known.users, &here), (&mut other.users, &there), |user| &user.name.origin);
    replace_filled_in((&mut known.databases, &here), (&mut other.databases, &there), |database| &database.name.origin);
    replace_filled_in((&mut known.vhosts, &here), (&mut other.vhosts, &there), |vhost| &vhost.origin);
    add(&mut known.databases, other.databases, |database| &database.name.value);
    add(&mut known.users, other.users, |user| &user.name.value);
    if let (Some(least), Some(user)) = (least, known.users.first_mut()) {
        user.rights = user.rights.map(|rights| rights.min(least));
    }
    add(&mut known.vhosts, other.vhosts, |vhost| &vhost.value);
    add(&mut known.extensions, other.extensions, |extension| &extension.value);
    add(&mut known.plugins, other.plugins, |plugin| &plugin.value);
    add(&mut known.environment, other.environment, |(name, _)| name);
    add(&mut known.init_files, other.init_files, |file| &file.name);
    add(&mut known.aliases, other.aliases, |alias| alias);
    add(&mut known.keys, other.keys, |key| &key.path);
    add(&mut known.notes, other.notes, |note| note);
    known.platform = known.platform.take().or(other.platform);
    known.support = known.support.max(other.support);
}

/// Which of two versions is more exact, if they do not contradict each other.
enum Which {
    Known,
    Other,
}

fn more_exact(known: &Version, other: &Version) -> Option<Which> {
    let is_known = |version: &Version| {
        !matches!(version.class, VersionClass::Absent | VersionClass::Unresolved | VersionClass::Floating)
    };
    match (is_known(known), is_known(other)) {
        (_, false) => return Some(Which::Known),
        (false, true) => return Some(Which::Other),
        (true, true) if known.text == other.text => return Some(Which::Known),
        (true, true) => {}
    }
    let parts = |version: &Version| Some(version.parts()).filter(|parts| !parts.is_empty());
    match (parts(known), parts(other)) {
        (Some(here), Some(there)) if here == there && other.class == VersionClass::Digest => Some(Which::Other),
        (Some(here), Some(there)) if here.starts_with(&there) => Some(Which::Known),
        (Some(here), Some(there)) if there.starts_with(&here) && known.class != VersionClass::Digest => {
            Some(Which::Other)
        }
        // Neither number refines the other, or a digest has no number.
        _ => None,
    }
}

/// Takes the version of the other service, and the image with that version.
fn take_version(known: &mut Service, other: &Service) {
    if other.image.is_some() {
        known.image.clone_from(&other.image);
        known.family.clone_from(&other.family);
    } else if let Some(image) = &mut known.image {
        // The image's name gives the family, and its tag gives the variant (`-alpine`). The number comes from the other
        // service.
        let number = other.version.number.as_deref().unwrap_or(&other.version.text);
        let tag = image.value.tag.as_deref().unwrap_or_default();
        let variant = known.version.number.as_deref().and_then(|old| tag.strip_prefix(old)).unwrap_or_default();
        image.value.tag = Some(format!("{number}{variant}"));
        image.value.digest = None;
    }
    known.version = other.version.clone();
}

/// Removes the items that a reader filled in because its manifest declares none, if the other manifest declares some.
/// An item that was filled in has the origin of the service.
fn replace_filled_in<T>(
    (known, here): (&mut Vec<T>, &Origin),
    (other, there): (&mut Vec<T>, &Origin),
    origin: impl Fn(&T) -> &Origin,
) {
    if other.iter().any(|item| origin(item) != there) {
        known.retain(|item| origin(item) != here);
    }
    if known.iter().any(|item| origin(item) != here) {
        other.retain(|item| origin(item) != there);
    }
}

fn add<T>(known: &mut Vec<T>, more: Vec<T>, name: impl Fn(&T) -> &String) {
    for item in more {
        if !known.iter().any(|other| name(other) == name(&item)) {
            known.push(item);
        }
    }
}
