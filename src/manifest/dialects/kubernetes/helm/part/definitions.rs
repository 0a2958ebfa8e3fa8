//! `RabbitMQ`'s definitions in the values of Bitnami's chart: `loadDefinition` names a secret, and `extraSecrets` holds
//! the text of the secrets that the chart creates itself.

use super::values_at;
use crate::manifest::declare::container::{Keys, definitions_loaded, take_definitions};
use crate::manifest::dialects::kubernetes::helm::text;
use crate::model::{Service, Support};
use crate::syntax::tree::Node;

/// The keys of the values that say where definitions come from.
pub(super) const KEYS: [&str; 2] = ["loadDefinition", "extraSecrets"];

/// The file in the secret, if `loadDefinition.file` names no other file.
const FILE: &str = "load_definition.json";

/// Reads the definitions that the chart loads.
pub(super) fn read(service: &mut Service, values: &Node, keys: &mut Keys) {
    let [switch, secrets] = KEYS;
    let Some(load) = values.get(switch) else { return };
    if load.get("enabled").and_then(Node::as_bool) != Some(true) {
        return keys.add_neutral(switch, Support::Reproduced, "no definitions are loaded");
    }
    let secret = text(load.get("existingSecret")).unwrap_or_default();
    let file = text(load.get("file")).and_then(|path| path.rsplit('/').next()).unwrap_or(FILE);
    // The secret's name may begin with the name of the release, which only Helm knows.
    let held = values_at(values, secrets).into_iter().flat_map(Node::entries);
    let held = held.filter(|entry| !entry.key.value.is_empty() && secret.ends_with(&entry.key.value));
    let json = held.filter_map(|entry| entry.value.get(file)).find(|json| text(Some(json)).is_some());
    let Some(json) = json else {
        let note = format!(
            "the secret {secret} is not among the values; `seeds: {{{}: [FILE]}}` in services.local.yaml loads an export",
            service.name
        );
        return keys.add(switch, Support::Unsupported, note);
    };
    match take_definitions(service, json.as_str().unwrap_or_default().as_bytes(), &json.origin) {
        Ok(excluded) => {
            definitions_loaded(keys, switch, excluded);
            keys.add_neutral(secrets, Support::Reproduced, "");
        }
        Err(error) => keys.add(switch, Support::Unsupported, format!("{file} is no JSON: {error}")),
    }
}
