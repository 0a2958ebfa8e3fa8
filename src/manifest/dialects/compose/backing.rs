//! A Compose service that runs a server: reads its container, and records how every other key is supported.

use super::keys::{COMMON, READ, of_container};
use super::load::Loader;
use super::mounts::mounts;
use super::value::{Content, Value};
use super::variables::environment;
use crate::kinds::{Family, Kind};
use crate::manifest::bind::Sources;
use crate::manifest::declare::container::{Backing, Container, FieldNames, Unset, Words};
use crate::model::{Diagnostic, Located, Service, Support, did_you_mean};

/// Compose's names for the fields of a container.
static FIELD_NAMES: FieldNames = FieldNames {
    environment: "environment",
    environment_file: "env_file",
    entrypoint: "entrypoint",
    command: "command",
    mounts: "volumes",
    secrets: "secrets",
    unset,
    unset_file,
};

/// Reads all keys of a service.
pub(super) fn read(
    loader: &mut Loader<'_>,
    whole: &Value,
    value: &Value,
    (kind, family, derived): (&Kind, &Family, bool),
    dockerfile: Option<&str>,
    service: Service,
) -> (Service, Sources) {
    let container = container(loader, whole, value);
    let mut backing = Backing::new(loader.input.project, &container, kind, family, service);
    image(value, kind, derived, dockerfile, &mut backing);
    if value.get("env_file").is_some() {
        backing.keys.add_neutral("env_file", Support::Reproduced, "variables that the image knows are read");
    }
    backing.read();
    names(value, &mut backing);
    other_keys(value, &mut backing);
    let read = backing.finish();
    loader.diagnostics.extend(read.diagnostics);
    (read.service, read.sources)
}

fn container(loader: &mut Loader<'_>, whole: &Value, value: &Value) -> Container {
    Container {
        environment: environment(loader, value),
        entrypoint: value.get("entrypoint").and_then(words),
        command: value.get("command").and_then(words),
        used: Vec::new(),
        mounts: mounts(loader, whole, value),
        field_names: &FIELD_NAMES,
    }
}

/// The words of `entrypoint` or `command`; `None` for an empty key.
pub(super) fn words(value: &Value) -> Option<Words> {
    match &value.content {
        Content::Text { text, .. } => Some(Words::of_text(text, value.origin.clone())),
        Content::List(items) => {
            let items = items.iter().filter_map(|item| Some((item.text()?.clone(), item.origin.clone())));
            Some(Words::of_list(items, value.origin.clone()))
        }
        Content::Null | Content::Map(_) => None,
    }
}

fn image(value: &Value, kind: &Kind, derived: bool, dockerfile: Option<&str>, backing: &mut Backing<'_>) {
    if let Some(path) = dockerfile {
        let note = format!("the changes that {path} makes to its image are not built here");
        backing.keys.add("build", Support::Approximated, note.clone());
        backing.service.notes.push(note);
        if value.get("image").is_some() {
            backing.keys.add_neutral("image", Support::Reproduced, "names the image that `build` makes");
        }
    } else {
        if derived {
            let note = format!("taken for {} by its name, and run the way the official image is", kind.title);
            backing.keys.add("image", Support::Approximated, note.clone());
            backing.service.notes.push(note);
        } else {
            backing.keys.add_neutral("image", Support::Reproduced, "");
        }
        if value.get("build").is_some() {
            backing.keys.add_neutral("build", Support::Unsupported, "the image is named, so nothing is built");
        }
    }
    if let Some(platform) = value.get("platform")
        && let Some(text) = platform.as_str()
    {
        backing.service.platform = Some(Located::new(text.to_owned(), platform.origin.clone()));
        backing.keys.add_neutral("platform", Support::Reproduced, "");
    }
}

/// Adds the names by which apps reach the service.
fn names(value: &Value, backing: &mut Backing<'_>) {
    for key in ["container_name", "hostname"] {
        if let Some(name) = value.get(key).and_then(Value::as_str) {
            backing.alias(name);
        }
    }
    for (_, network) in value.get("networks").map(Value::entries).unwrap_or_default() {
        for alias in network.get("aliases").map(Value::items).unwrap_or_default() {
            if let Some(name) = alias.as_str() {
                backing.alias(name);
            }
        }
    }
}

fn other_keys(value: &Value, backing: &mut Backing<'_>) {
    for (key, value) in value.entries() {
        let name = key.value.as_str();
        if READ.contains(&name) || name.starts_with("x-") {
            continue;
        }
        let refused = match name {
            "privileged" => value.is_true(),
            "network_mode" | "pid" | "ipc" => value.as_str().is_some_and(|mode| mode == "host"),
            _ => false,
        };
        match of_container(name) {
            Some((support, note)) if refused => backing.keys.add(name, support, note),
            Some((support, note)) => backing.keys.add_neutral(name, support, note),
            None => {
                backing.keys.add(name, Support::Unsupported, "unknown key of a Compose service");
                let unknown = Diagnostic::warning("unknown-key", format!("a Compose service has no key `{name}`"))
                    .at(&key.origin, "not known here");
                backing.diagnostics.push(match did_you_mean(name, COMMON.iter().copied()) {
                    Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
                    None => unknown.help("remove it, or begin its name with `x-` if it is a note of your own"),
                });
            }
        }
    }
}

fn unset(unset: &Unset<'_>) -> Diagnostic {
    let Unset { what, service, from, origin } = unset;
    Diagnostic::error("variable-unset", format!("{what} of `{service}` comes from `{from}`, which is not set here"))
        .at(origin, format!("`{from}` is not set"))
        .because("it is neither in the environment nor in the .env next to the file")
        .help(format!("set it as production does: `{from}=… devenv up`, or in .env"))
}

fn unset_file(unset: &Unset<'_>) -> Diagnostic {
    let Unset { what, service, from, origin } = unset;
    Diagnostic::error("variable-unset", format!("{what} of `{service}` is in a file that is not here"))
        .at(origin, format!("{from} in the container"))
        .help("add the database in services.local.yaml, or put the secret's file where the manifest names it")
}
