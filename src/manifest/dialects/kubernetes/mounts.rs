//! The mounts of a container: volumes, and files from `ConfigMap`s and `Secret`s.

use super::config;
use super::object::Objects;
use crate::manifest::declare::container::{Mount, MountSource, SecretText};
use crate::model::Origin;
use crate::syntax::tree::Node;

/// All mounts of a container of a pod.
pub(super) fn mounts(objects: &Objects<'_>, pod: &Node, container: &Node, namespace: &str) -> Vec<Mount> {
    let mut found = Vec::new();
    let volumes = pod.get("volumes").and_then(Node::as_sequence).unwrap_or_default();
    for mount in container.get("volumeMounts").and_then(Node::as_sequence).unwrap_or_default() {
        let text = |key: &str| mount.get(key).and_then(Node::as_str);
        let Some(target) = text("mountPath").map(|path| path.trim_end_matches('/')).filter(|path| !path.is_empty())
        else {
            continue;
        };
        let name = text("name").unwrap_or_default();
        let volume = volumes.iter().find(|volume| volume.get("name").and_then(Node::as_str) == Some(name));
        let place = Place { target, file: text("subPath"), origin: &mount.origin };
        let before = found.len();
        if let Some(volume) = volume {
            let projected = volume.get("projected").and_then(|projected| projected.get("sources"));
            for source in projected.and_then(Node::as_sequence).unwrap_or_default().iter().chain([volume]) {
                place.config_map(objects, source, namespace, &mut found);
                place.secret(objects, source, namespace, &mut found);
            }
        }
        if found.len() == before {
            let in_memory = volume.and_then(|volume| volume.get("emptyDir")).and_then(|empty| empty.get("medium"));
            let source = match in_memory.and_then(Node::as_str) {
                Some("Memory") => MountSource::Temporary,
                _ => MountSource::Volume,
            };
            found.push(place.whole(source));
        }
    }
    found
}

/// The place at which a volume is mounted.
struct Place<'n> {
    target: &'n str,
    /// The file of the volume that is mounted (`subPath`); `None` for the whole volume.
    file: Option<&'n str>,
    origin: &'n Origin,
}

impl Place<'_> {
    fn whole(&self, source: MountSource) -> Mount {
        Mount { target: self.target.to_owned(), source, origin: self.origin.clone() }
    }

    /// The path at which a file of the volume is mounted; `None` if only another file is mounted.
    fn target_of(&self, path: &str) -> Option<String> {
        match self.file {
            None => Some(format!("{}/{path}", self.target)),
            Some(file) => (file == path).then(|| self.target.to_owned()),
        }
    }

    fn config_map(&self, objects: &Objects<'_>, source: &Node, namespace: &str, found: &mut Vec<Mount>) {
        let Some(map) = source.get("configMap") else { return };
        let Some(name) = map.get("name").and_then(Node::as_str) else { return };
        let Some(entries) = config::entries(objects, name, namespace) else {
            return found.push(self.whole(MountSource::External(name.to_owned())));
        };
        for (key, path) in items(map, entries.iter().map(|(key, _)| *key)) {
            let value = entries.iter().find(|(known, _)| *known == key);
            if let (Some((_, value)), Some(target)) = (value, self.target_of(path)) {
                let source = MountSource::Text(value.text.to_owned());
                found.push(Mount { target, source, origin: value.origin.clone() });
            }
        }
    }

    fn secret(&self, objects: &Objects<'_>, source: &Node, namespace: &str, found: &mut Vec<Mount>) {
        let Some(secret) = source.get("secret") else { return };
        let Some(name) = ["secretName", "name"].iter().find_map(|key| secret.get(key)?.as_str()) else { return };
        let keys = config::secret_keys(objects, name, namespace).unwrap_or_default();
        let before = found.len();
        for (key, path) in items(secret, keys.iter().map(|(key, _)| *key)) {
            let text = config::secret(objects, name, key, namespace).map_or(SecretText::NotHere, SecretText::Known);
            if let Some(target) = self.target_of(path) {
                let source = MountSource::Secret(format!("{name} key {key}"), text);
                found.push(Mount { target, source, origin: self.origin.clone() });
            }
        }
        if found.len() == before {
            let name = self.file.map_or_else(|| name.to_owned(), |file| format!("{name} key {file}"));
            found.push(self.whole(MountSource::Secret(name, SecretText::NotHere)));
        }
    }
}

/// Keys with the paths at which they are mounted: the keys in `items`, else all keys under their own names.
fn items<'n>(source: &'n Node, all: impl Iterator<Item = &'n str>) -> Vec<(&'n str, &'n str)> {
    match source.get("items").and_then(Node::as_sequence) {
        Some(items) => {
            items.iter().filter_map(|item| Some((item.get("key")?.as_str()?, item.get("path")?.as_str()?))).collect()
        }
        None => all.map(|key| (key, key)).collect(),
    }
}
