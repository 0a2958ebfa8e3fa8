//! Reads a container that runs a server: its declarations, and the support of each key.

use super::pod::Pod;
use crate::kinds::{Family, Kind};
use crate::manifest::declare::container::{Backing, Container, FieldNames, Keys, Unset, Words};
use crate::manifest::dialects::kubernetes::image::Image;
use crate::manifest::dialects::kubernetes::object::{Object, at};
use crate::manifest::dialects::kubernetes::{Reader, environment, hosts, mounts};
use crate::model::{Diagnostic, Service, Support};
use crate::syntax::tree::Node;

/// Kubernetes' names for the parts of a container.
static FIELD_NAMES: FieldNames = FieldNames {
    environment: "env",
    environment_file: "envFrom",
    entrypoint: "command",
    command: "args",
    mounts: "volumeMounts",
    secrets: "volumeMounts",
    unset,
    unset_file: unset,
};

/// Keys of a container that are recorded one by one.
const READ: &[&str] = &["name", "image", "env", "envFrom", "command", "args", "volumeMounts", "securityContext"];

/// Keys of a workload or a pod that contain or select the container. They are not recorded.
const FRAME: &[&str] =
    &["selector", "template", "containers", "initContainers", "volumes", "serviceName", "jobTemplate"];

/// The note on the keys about the cluster around a server.
pub(super) const CLUSTER: &str = "one local server runs, without the cluster around it";

/// Reads one server.
pub(super) fn read<'n>(
    reader: &mut Reader<'_, 'n>,
    object: &Object<'n>,
    pod: Pod<'n>,
    container: &'n Node,
    name: &str,
    image: &Image,
    (kind, family, derived): (&Kind, &Family, bool),
) {
    let environment = environment::of_container(
        reader.objects,
        &reader.secrets,
        container,
        &object.namespace,
        &reader.input.project.budget,
    );
    reader.diagnostics.extend(environment.unknown.iter().cloned());
    let words = |key: &str| {
        let node = container.get(key).filter(|node| !node.is_null())?;
        let items = node
            .as_sequence()?
            .iter()
            .filter_map(|item| Some((environment.expanded(item.as_str()?, &item.origin).0, item.origin.clone())));
        Some(Words::of_list(items, node.origin.clone()))
    };
    let described = Container {
        entrypoint: words("command"),
        command: words("args"),
        used: used(container, &environment.variables),
        mounts: mounts::mounts(reader.objects, pod.spec, container, &object.namespace),
        environment: environment.variables.iter().map(|variable| variable.given.clone()).collect(),
        field_names: &FIELD_NAMES,
    };
    let mut service = Service::new(name, &kind.name, &family.name, image.version(kind), object.name.origin.clone());
    reader.input.describe(&mut service);
    service.image = Some(image.name.clone());
    let mut backing = Backing::new(reader.input.project, &described, kind, family, service);
    if derived {
        let note = format!("taken for {} by its name, and run the way the official image is", kind.title);
        backing.keys.add("image", Support::Approximated, note.clone());
        backing.service.notes.push(note);
    } else {
        backing.keys.add_neutral("image", Support::Reproduced, "");
    }
    backing.read();
    let mut read = {
        let mut keys = std::mem::take(&mut backing.keys);
        refused(pod, container, &mut keys);
        cluster_keys(object, pod, container, &mut keys);
        backing.keys = keys;
        backing.finish()
    };
    let port = read.service.container_port.unwrap_or(kind.port);
    let budget = &reader.input.project.budget;
    let own = hosts::of_pods(reader.objects, object, pod.labels, port, &mut read.sources, budget);
    for host in own.into_iter().filter(|host| *host != read.service.name) {
        if !read.service.aliases.contains(&host) {
            read.service.aliases.push(host);
        }
    }
    reader.diagnostics.extend(read.diagnostics);
    reader.add_service(read.service, read.sources);
}

/// The variables that are used in `command` and `args`.
fn used(container: &Node, variables: &[environment::Variable]) -> Vec<String> {
    let words = ["command", "args"].into_iter().filter_map(|key| container.get(key)?.as_sequence()).flatten();
    let text: String = words.filter_map(Node::as_str).collect();
    let names = variables.iter().map(|variable| &variable.given.name);
    names.filter(|name| text.contains(&format!("$({name})"))).cloned().collect()
}

/// Records the rights over the machine that a manifest does not get here.
fn refused(pod: Pod<'_>, container: &Node, keys: &mut Keys) {
    let is_true = |node: &Node, path: &str| at(node, path).and_then(Node::as_bool) == Some(true);
    if is_true(container, "securityContext.privileged") {
        let note = "refused: a manifest gets no rights over this machine";
        keys.add("securityContext.privileged", Support::Unsupported, note);
    }
    for key in ["hostNetwork", "hostPID", "hostIPC"] {
        if is_true(pod.spec, key) {
            keys.add(key, Support::Unsupported, "refused: a manifest may not share this machine's namespaces");
        }
    }
}

/// Records all keys about the cluster, in one line.
fn cluster_keys(object: &Object<'_>, pod: Pod<'_>, container: &Node, keys: &mut Keys) {
    let levels = [object.node.get("spec").filter(|_| object.kind != "Pod"), Some(pod.spec), Some(container)];
    let mut names: Vec<&str> = Vec::new();
    for (level, node) in levels.into_iter().enumerate() {
        for entry in node.into_iter().flat_map(Node::entries) {
            let key = entry.key.value.as_str();
            let is_read = if level == 2 { READ[..READ.len() - 1].contains(&key) } else { FRAME.contains(&key) };
            let is_recorded = keys.all.iter().any(|known| known.path == key);
            if !is_read && !is_recorded && !names.contains(&key) {
                names.push(key);
            }
        }
    }
    if !names.is_empty() {
        keys.add_neutral(names.join(", "), Support::Unsupported, CLUSTER);
    }
}

fn unset(unset: &Unset<'_>) -> Diagnostic {
    let Unset { what, service, from, origin } = unset;
    Diagnostic::warning("value-unknown", format!("{what} of `{service}` comes from the {from}, which is not here"))
        .at(origin, "named here")
        .because("devenv uses a value of its own, also for variables from the same source")
        .help(format!("to use production's value, set it under `services: {{{service}: …}}` in services.local.yaml"))
}
