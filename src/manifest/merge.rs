//! Several manifests, one stack.
//!
//! A service that two manifests declare alike is one service; where they disagree, both places are cited and nothing is
//! chosen.

use super::local::Local;
use crate::model::{Diagnostic, Origin, Service, Stack, Value, Variable};

/// Adds what a further manifest declares. What `services.local.yaml` settles is no conflict.
pub(crate) fn merge(stack: &mut Stack, other: Stack, local: &Local, diagnostics: &mut Vec<Diagnostic>) {
    if stack.project.is_empty() {
        stack.project = other.project;
    }
    stack.sources.extend(other.sources);
    for service in other.services {
        match stack.services.iter_mut().find(|known| known.name == service.name) {
            None => stack.services.push(service),
            Some(known) => unite(known, service, local, diagnostics),
        }
    }
    for app in other.apps {
        if !stack.apps.iter().any(|known| known.name == app.name) && stack.service(&app.name).is_none() {
            stack.apps.push(app);
        }
    }
    stack.apps.retain(|app| !stack.services.iter().any(|service| service.name == app.name));
    for variable in other.variables {
        let same = |known: &&Variable| known.name == variable.name && known.app == variable.app;
        match stack.variables.iter().find(same) {
            None => stack.variables.push(variable),
            Some(known) if known.value == variable.value => {}
            Some(_) if local.settles(&["variables", &variable.name]) => {}
            Some(known) => diagnostics.push(
                Diagnostic::error("variable-conflict", format!("the manifests disagree about {}", of(&variable)))
                    .at(&variable.origin, format!("a {} value", described(&variable.value)))
                    .and_at(&known.origin, format!("another one, {}", described(&known.value)))
                    .help(format!("settle it in services.local.yaml: `variables: {{{}: …}}`", variable.name)),
            ),
        }
    }
}

fn of(variable: &Variable) -> String {
    if variable.app.is_empty() { variable.name.clone() } else { format!("{} of {}", variable.name, variable.app) }
}

/// Never the value itself, which may be a secret.
fn described(value: &Value) -> &'static str {
    value.class()
}

/// Completes a service by what another manifest says of it.
fn unite(known: &mut Service, other: Service, local: &Local, diagnostics: &mut Vec<Diagnostic>) {
    let mut conflict = |what: &str, here: (&Origin, String), there: (&Origin, String), help: String| {
        let name = other.name.as_str();
        let settled = match what.split_once(' ') {
            Some((_, setting)) => local.settles(&["services", name, "settings", setting]),
            None => local.settles(&["services", name, what]) || local.settles(&["services", name, "image"]),
        };
        if settled {
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
            format!("leave one out by `from:` in services.local.yaml, or rename `{}` in one of them", known.name),
        );
        return;
    }
    let said = |service: &Service| {
        if service.version.text.is_empty() { "none".to_owned() } else { service.version.text.clone() }
    };
    if known.version.text.is_empty() && !other.version.text.is_empty() {
        known.version = other.version.clone();
        known.image.clone_from(&other.image);
        known.family.clone_from(&other.family);
    } else if known.version.text != other.version.text && !other.version.text.is_empty() {
        let help = format!(
            "settle it in services.local.yaml: `services: {{{}: {{version: \"{}\"}}}}`",
            known.name,
            known.version.number.as_deref().unwrap_or(&known.version.text)
        );
        conflict("version", (&known.version.origin, said(known)), (&other.version.origin, said(&other)), help);
    } else if let (Some(here), Some(there)) = (&known.image, &other.image)
        && here.value != there.value
    {
        let help = format!("settle it in services.local.yaml: `services: {{{}: {{image: …}}}}`", known.name);
        conflict("image", (&here.origin, here.value.to_string()), (&there.origin, there.value.to_string()), help);
    }
    for setting in other.settings {
        match known.settings.iter().find(|setting_here| setting_here.name == setting.name) {
            None => known.settings.push(setting),
            Some(here) if here.value.value == setting.value.value => {}
            Some(here) => {
                let help = format!(
                    "settle it in services.local.yaml: `services: {{{}: {{settings: {{{}: …}}}}}}`",
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
    add(&mut known.databases, other.databases, |database| &database.name.value);
    add(&mut known.users, other.users, |user| &user.name.value);
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

fn add<T>(known: &mut Vec<T>, more: Vec<T>, name: impl Fn(&T) -> &String) {
    for item in more {
        if !known.iter().any(|other| name(other) == name(&item)) {
            known.push(item);
        }
    }
}
