//! Reads `RabbitMQ` definitions that a manifest mounts: queues, exchanges, bindings, policies, vhosts, users and their
//! permissions. The broker imports them at every boot.
//!
//! Users get a password of this environment; the hashes of production's passwords are not read. Parameters that would
//! connect this broker to another broker (shovels, federation) are excluded.

use super::backing::Backing;
use super::keys::Keys;
use super::mount::{Mount, MountSource, MountedFile, SecretText};
use super::words::plain;
use crate::kinds::{arguments, rabbitmq_merged};
use crate::model::{Credential, Diagnostic, Located, Origin, Service, Support, User};
use serde_json::{Map, Value};

/// Settings that name a definitions file, or a folder of them.
const SETTINGS: [&str; 3] = ["load_definitions", "management.load_definitions", "definitions.local.path"];

/// The variable for Erlang's own arguments, which may name a definitions file too.
pub(super) const ARGUMENTS: &str = "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS";

/// Lists of objects that are copied unchanged.
const COPIED: [&str; 6] = ["vhosts", "permissions", "topic_permissions", "policies", "queues", "exchanges"];

/// Components whose parameters connect to other brokers, and may contain logins.
const CONNECTING: [&str; 3] = ["shovel", "federation-upstream", "federation-upstream-set"];

impl Backing<'_> {
    /// Paths in the container at which the broker looks for definitions, by its settings and variables.
    pub(super) fn definition_paths(&self, named_files: &[String]) -> Vec<String> {
        // Only a family that loads devenv's definitions can load production's definitions too.
        if !self.family.loads_definitions() {
            return Vec::new();
        }
        let mut paths = Vec::new();
        for mount in self.container.mounts.iter().filter(|mount| self.is_setting_file(mount, named_files)) {
            for file in mount.files(self.project).unwrap_or_default() {
                paths.extend(self.definition_paths_in(&String::from_utf8_lossy(&file.content)));
            }
        }
        paths.extend(self.variable(ARGUMENTS).and_then(|given| split_arguments(&given.text.text).1));
        if let Some(named) = &self.family.definitions
            && self.variable(&named.switch).is_some_and(|given| is_yes(&given.text.text))
        {
            let said = self.variable(&named.variable).map(|given| given.text.text.clone());
            paths.push(said.unwrap_or_else(|| named.path.clone()));
        }
        paths.retain(|path| path.starts_with('/'));
        paths
    }

    /// The paths of definitions that a configuration's text names.
    fn definition_paths_in(&self, text: &str) -> Vec<String> {
        let settings = arguments::read_file(self.kind, text).into_iter();
        let named = settings.filter(|setting| SETTINGS.contains(&setting.name.as_str()));
        let path =
            |value: &str| value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned();
        named.map(|setting| path(&plain(&setting.value).text)).collect()
    }

    /// Loads the definitions that a configuration names, if a mount holds them.
    pub(crate) fn definitions_named_in(&mut self, text: &str, mounts: &[Mount], key: &str) {
        let paths = self.definition_paths_in(text);
        for mount in mounts.iter().filter(|mount| Self::is_definitions(mount, &paths)) {
            self.definitions(mount, &format!("{key}.{}", mount.target), &paths);
        }
        self.mark_definition_settings();
    }

    /// Whether a mount is a definitions file, a folder that holds one, or a path in a folder of them.
    pub(super) fn is_definitions(mount: &Mount, paths: &[String]) -> bool {
        let within = |inner: &str, outer: &str| {
            inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'))
        };
        paths.iter().any(|path| within(path, &mount.target) || within(&mount.target, path))
    }

    /// Loads the definitions of a mount.
    pub(super) fn definitions(&mut self, mount: &Mount, key: &str, paths: &[String]) {
        let files = match self.definition_files(mount) {
            Ok(files) => files,
            Err(None) if let Some(told) = not_here(&self.service.name, mount) => {
                self.diagnostics.push(told);
                return self.keys.add(key, Support::Unsupported, "only production has them");
            }
            Err(message) => return self.unreadable(message, key.to_owned()),
        };
        let mut excluded: Vec<&str> = Vec::new();
        for file in files {
            let path = format!("{}/{}", mount.target, file.name);
            if mount.target.rsplit('/').next() != Some(file.name.as_str()) && !is_one_of(&path, paths) {
                continue;
            }
            match take_definitions(&mut self.service, &file.content, &mount.origin) {
                Ok(others) => excluded.extend(others),
                Err(error) => {
                    let told = Diagnostic::warning("definitions", format!("{} is no JSON: {error}", file.name))
                        .at(&mount.origin, "the broker's definitions")
                        .help("export them again: `rabbitmqctl export_definitions FILE`");
                    return self.unreadable(Some(told), key.to_owned());
                }
            }
        }
        definitions_loaded(&mut self.keys, key, excluded);
    }

    /// The files of a mount. From a secret in the repository, only the parts that [`copied`] returns are used.
    fn definition_files(&self, mount: &Mount) -> Result<Vec<MountedFile>, Option<Diagnostic>> {
        match &mount.source {
            MountSource::Secret(_, SecretText::Known(text)) => {
                let source = MountSource::Text(text.reveal().to_owned());
                Mount { source, ..mount.clone() }.files(self.project)
            }
            MountSource::Secret(_, SecretText::File(path)) => {
                Mount { source: MountSource::Host(path.clone()), ..mount.clone() }.files(self.project)
            }
            _ => mount.files(self.project),
        }
    }

    /// Marks the settings that name a definitions file as reproduced, if definitions are loaded.
    pub(super) fn mark_definition_settings(&mut self) {
        if self.service.definitions.is_none() {
            return;
        }
        for known in &mut self.keys.all {
            if SETTINGS.iter().any(|setting| known.path.ends_with(&format!(".{setting}"))) {
                known.support = Support::Reproduced;
                known.note.clear();
            }
        }
    }
}

/// Loads the definitions of one file. Returns the names of the excluded parts.
pub(crate) fn take_definitions(
    service: &mut Service,
    json: &[u8],
    origin: &Origin,
) -> Result<Vec<&'static str>, serde_json::Error> {
    let found: Value = serde_json::from_slice(json)?;
    let (copied, excluded) = copied(&found);
    take_logins(service, &found, origin);
    let known = service.definitions.take().map(|known| known.value);
    let merged = rabbitmq_merged(known.unwrap_or_default(), &copied);
    service.definitions = Some(Located::new(merged, origin.clone()));
    Ok(excluded)
}

/// Records that the definitions that `key` names are loaded, and which of their parts are excluded.
pub(crate) fn definitions_loaded(keys: &mut Keys, key: &str, mut excluded: Vec<&str>) {
    excluded.sort_unstable();
    excluded.dedup();
    if excluded.is_empty() {
        keys.add_neutral(key, Support::Reproduced, "loaded; its users have passwords of this environment");
    } else {
        let note = format!("loaded without {}, which lead to other brokers", excluded.join(", "));
        keys.add(key, Support::Approximated, note);
    }
}

/// Adds the virtual hosts and users of the definitions; the broker creates no default ones besides them. Users with
/// permissions come first, because apps get the first user if no variable names another.
fn take_logins(service: &mut Service, found: &Value, origin: &Origin) {
    for name in names(found, "vhosts") {
        if !service.vhosts.iter().any(|known| known.value == name) {
            service.vhosts.push(Located::new(name.to_owned(), origin.clone()));
        }
    }
    let may_enter = |name: &&str| {
        found["permissions"].as_array().into_iter().flatten().any(|permission| permission["user"] == **name)
    };
    let (first, others): (Vec<&str>, Vec<&str>) = names(found, "users").partition(may_enter);
    for name in first.into_iter().chain(others) {
        if !service.users.iter().any(|known| known.name.value == name) {
            let credential = Credential::Own(format!("{}/{name}", service.name));
            let name = Located::new(name.to_owned(), origin.clone());
            service.users.push(User { name, credential, bound: false, rights: None });
        }
    }
}

/// The warning that definitions are not in the repository, with advice on how to import them.
fn not_here(service: &str, mount: &Mount) -> Option<Diagnostic> {
    let holder = match &mount.source {
        MountSource::Secret(name, _) => format!("the secret {name} holds them"),
        MountSource::External(name) => format!("the config {name} holds them"),
        _ => return None,
    };
    let told = Diagnostic::warning("definitions", format!("the definitions of `{service}` are not in this repository"))
        .at(&mount.origin, "mounted here")
        .because(format!("{holder}, which only production has: its queues, exchanges and policies are not made here"));
    Some(told.help(format!(
        "export them (`rabbitmqctl export_definitions FILE`), and name the file in services.local.yaml: \
         `seeds: {{{service}: [FILE]}}`"
    )))
}

fn is_yes(text: &str) -> bool {
    ["yes", "true", "1"].iter().any(|word| text.trim().eq_ignore_ascii_case(word))
}

/// The names of a list's objects.
fn names<'a>(found: &'a Value, list: &str) -> impl Iterator<Item = &'a str> {
    let items = found[list].as_array().into_iter().flatten();
    items.filter_map(|item| item["name"].as_str()).filter(|name| !name.is_empty())
}

fn is_one_of(path: &str, paths: &[String]) -> bool {
    paths.iter().any(|known| known == path || path.strip_prefix(known).is_some_and(|rest| rest.starts_with('/')))
}

/// The parts of definitions that are used, without hashes of passwords, and the names of the excluded parts.
fn copied(found: &Value) -> (Value, Vec<&'static str>) {
    let mut copied = Map::new();
    for list in COPIED.into_iter().chain(["bindings"]) {
        if let Some(items) = found[list].as_array() {
            copied.insert(list.to_owned(), Value::Array(items.clone()));
        }
    }
    let users = found["users"].as_array().into_iter().flatten().filter_map(Value::as_object);
    let users = users.map(|user| {
        let kept = user.iter().filter(|(key, _)| ["name", "tags", "limits"].contains(&key.as_str()));
        Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
    });
    copied.insert("users".to_owned(), users.collect());
    let (mut kept, mut excluded) = (Vec::new(), Vec::new());
    for parameter in found["parameters"].as_array().into_iter().flatten() {
        match CONNECTING.into_iter().find(|component| parameter["component"] == **component) {
            Some("shovel") => excluded.push("shovels"),
            Some(_) => excluded.push("federation"),
            None => kept.push(parameter.clone()),
        }
    }
    copied.insert("parameters".to_owned(), Value::Array(kept));
    (Value::Object(copied), excluded)
}

/// Splits Erlang's arguments into the definitions file that they name and the other arguments:
/// `-rabbitmq_management load_definitions "/etc/rabbitmq/definitions.json"`.
pub(super) fn split_arguments(text: &str) -> (String, Option<String>) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some(at) = words.iter().position(|word| *word == "load_definitions") else { return (text.to_owned(), None) };
    let path = words.get(at + 1).map(|word| word.trim_matches(['"', '\'', '\\']).to_owned());
    let first = if at > 0 && words[at - 1].starts_with('-') { at - 1 } else { at };
    let rest = words[..first].iter().chain(words.get(at + 2..).unwrap_or_default());
    (rest.copied().collect::<Vec<_>>().join(" "), path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_hash_of_a_password_and_no_connection_to_another_broker_is_copied() {
        let found = json!({
            "rabbit_version": "4.0.5",
            "users": [{"name": "app", "password_hash": "sTv4c0", "hashing_algorithm": "x", "tags": ["monitoring"], "limits": {}}],
            "vhosts": [{"name": "shop"}],
            "queues": [{"name": "jobs", "vhost": "shop", "durable": true}],
            "parameters": [
                {"component": "shovel", "name": "s", "vhost": "/", "value": {"src-uri": "amqp://u:s3cret@prod"}},
                {"component": "vhost-limits", "name": "limits", "vhost": "shop", "value": {"max-queues": 9}},
            ],
            "global_parameters": [{"name": "internal_cluster_id", "value": "x"}],
        });
        let (copied, excluded) = copied(&found);
        assert_eq!(excluded, ["shovels"]);
        assert_eq!(copied["users"], json!([{"name": "app", "tags": ["monitoring"], "limits": {}}]));
        assert_eq!(copied["parameters"][0]["component"], "vhost-limits");
        let text = copied.to_string();
        for secret in ["sTv4c0", "s3cret", "internal_cluster_id"] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    #[test]
    fn the_argument_that_names_a_file_is_found_and_the_others_stay() {
        let text = r#"-rabbit log_levels [] -rabbitmq_management load_definitions \"/etc/rabbitmq/d.json\" +S 2"#;
        let (rest, path) = split_arguments(text);
        assert_eq!(rest, "-rabbit log_levels [] +S 2");
        assert_eq!(path.as_deref(), Some("/etc/rabbitmq/d.json"));
        assert_eq!(split_arguments("-x y"), ("-x y".to_owned(), None));
    }
}
