//! The advice where two sides differ. Each entry is one way to make the sides agree.

use super::declared::rights_of_words;
use super::sides::{Advice, Has, Sides};
use super::values::is_newer;
use crate::model::{Origin, Protocol, side};

/// The advice if only the running server differs from the declaration.
pub(super) const AS_DECLARED: &str = "`devenv up` applies the declaration here";

/// Topics whose names are listed in a manifest.
const LISTED: [&str; 4] = ["extensions", "plugins", "vhosts", "databases"];

/// The advice where `services.local.yaml` contradicts production's files.
pub(super) fn of_overlay(here: &Origin, manifest: Option<&Origin>) -> Vec<String> {
    let place = |origin: &Origin| format!("{}:{}", origin.path().display(), origin.line);
    vec![
        format!("here: remove it from {}, then `devenv up`", place(here)),
        match manifest {
            Some(manifest) => format!("or in production: change it in {}, and deploy", place(manifest)),
            None => "or in production: declare it in the files that production deploys from".to_owned(),
        },
    ]
}

/// Returns both ways to make the sides agree, here and in production. A declared entry is changed where it is declared;
/// any other entry is declared.
pub(super) fn of_entry(sides: &Sides<'_>, topic: &str, name: &str, said: &[(&str, Has)]) -> Vec<String> {
    if let Advice::Between { manifests } = sides.advice {
        return between(sides, manifests, topic, name, said);
    }
    let of = |side: &str| said.iter().find(|(name, _)| *name == side).map(|(_, has)| has);
    let service = sides.service;
    let Some((first, wanted)) = said.first() else { return Vec::new() };
    if *first != side::PRODUCTION {
        return vec![AS_DECLARED.to_owned()];
    }
    let mut help = Vec::new();
    let there = match (topic, wanted) {
        ("settings", Has::Value(value) | Has::Default(value)) => {
            Some(format!("declare `{name}: {}` in the settings of {service}", quoted(value)))
        }
        (topic, Has::Nothing) if LISTED.contains(&topic) => of(side::MANIFEST).map_or_else(
            || Some(format!("no file declares it: drop it here, or create it in {first}")),
            |_| Some(format!("remove it from the manifest, or create it in {first}")),
        ),
        (topic, _) if LISTED.contains(&topic) => Some(format!("declare `{topic}: [{name}]` for {service}")),
        ("database", _) if name != "name" => Some(format!(
            "declare the `POSTGRES_INITDB_ARGS` of {first} for {service}, and start with new data (`devenv up --fresh {service}`)"
        )),
        ("roles" | "users", Has::Value(words)) if sides.protocol.has_rights() => {
            let rights = rights_of_words(words).name();
            Some(format!("write `users: {{{name}: {{rights: {rights}}}}}` for {service} in services.local.yaml"))
        }
        ("image", _) => Some("name the image that production runs, with its tag".to_owned()),
        _ => None,
    };
    help.extend(there.map(|there| format!("here: {there}")));
    let other = said.iter().skip(1).map(|(_, has)| has).find(|has| *has != wanted);
    let there = other.and_then(|other| on_server(sides.protocol, topic, name, other));
    help.extend(there.map(|there| format!("or in {first}: {there}")));
    help
}

/// Returns how each of two manifests or facts files can be changed.
fn between(sides: &Sides<'_>, manifests: &[&str], topic: &str, name: &str, said: &[(&str, Has)]) -> Vec<String> {
    let [(one, first), (other, second)] = said else { return Vec::new() };
    let change = |target: &str, wanted: &Has| {
        if manifests.contains(&target) {
            in_manifest(sides.service, topic, name, wanted)
        } else {
            on_server(sides.protocol, topic, name, wanted)
        }
    };
    let there = change(other, first).map(|change| format!("in {other}: {change}"));
    let here = change(one, second).map(|change| format!("in {one}: {change}"));
    match (there, here) {
        (Some(there), Some(here)) => vec![there, format!("or {here}")],
        (there, here) => there.into_iter().chain(here).collect(),
    }
}

fn in_manifest(service: &str, topic: &str, name: &str, wanted: &Has) -> Option<String> {
    match (topic, wanted) {
        ("settings", Has::Value(value) | Has::Default(value)) => {
            Some(format!("declare `{name}: {}` in the settings of {service}", quoted(value)))
        }
        ("settings", _) => Some(format!("remove `{name}` from the settings of {service}")),
        (topic, Has::Nothing) if LISTED.contains(&topic) => {
            Some(format!("remove {name} from the {topic} of {service}"))
        }
        (topic, _) if LISTED.contains(&topic) => Some(format!("declare `{topic}: [{name}]` for {service}")),
        ("image", Has::Value(value)) if name == "name" => Some(format!("name the image {value} for {service}")),
        ("image", Has::Value(value)) => Some(format!("name a tag for {service} that is built on {value}")),
        _ => None,
    }
}

/// Returns how to set the value on a server.
fn on_server(protocol: Protocol, topic: &str, name: &str, wanted: &Has) -> Option<String> {
    match (protocol, topic, wanted) {
        (Protocol::Postgres, "settings", Has::Value(value) | Has::Default(value)) => {
            Some(format!("`ALTER SYSTEM SET {name} = '{value}'`, or the provider's parameter group"))
        }
        (Protocol::Redis, "settings", Has::Value(value)) => {
            Some(format!("`CONFIG SET {name} {}`, or the provider's parameter group", quoted(value)))
        }
        (_, _, Has::Nothing) => None,
        (Protocol::Postgres, "extensions", _) => Some(format!("`CREATE EXTENSION \"{name}\"`")),
        (Protocol::Amqp, "vhosts", _) => Some(format!("`rabbitmqctl add_vhost '{name}'`")),
        (Protocol::Amqp, "plugins", _) => Some(format!("`rabbitmq-plugins enable {name}`")),
        _ => None,
    }
}

/// Returns how to make the sides run the same release.
pub(super) fn of_version(sides: &Sides<'_>, said: &[(&str, &str)]) -> Vec<String> {
    let Some((first, wanted)) = said.first() else { return Vec::new() };
    match sides.advice {
        Advice::Between { manifests } => said
            .iter()
            .skip(1)
            .map(|(other, version)| {
                let change = |target: &str, wanted: &str| {
                    if manifests.contains(&target) {
                        format!("in {target}: declare {wanted} for {}", sides.service)
                    } else {
                        format!("upgrade {target} to {wanted}")
                    }
                };
                // An upgrade to the newer release; nobody downgrades a server.
                if is_newer(version, wanted) { change(first, version) } else { change(other, wanted) }
            })
            .collect(),
        Advice::Here if *first != side::PRODUCTION => vec![AS_DECLARED.to_owned()],
        Advice::Here => {
            vec![format!("here: pin it (`devenv pin {} {wanted}`)", sides.service), format!("or upgrade {first}")]
        }
    }
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
