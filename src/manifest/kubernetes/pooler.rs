//! Containers that may be poolers, and the poolers of operators: what they are told, and by which hosts apps reach them.
//!
//! They are settled once every object was read, since the secrets that operators make are known only then.

use super::object::Object;
use super::workload::Pod;
use super::{Reader, environment, hosts, mounts};
use crate::manifest::bind::Sources;
use crate::manifest::poolers::{self, Pooler, of_image};
use crate::syntax::tree::Node;

/// A container that may be a pooler.
pub(super) struct Container<'n> {
    pooler: Pooler,
    /// The pod's specification and the container; none of an operator's pooler.
    runs: Option<(&'n Node, &'n Node)>,
    namespace: String,
}

/// Takes note of a container whose image is a pooler's. Whether it is.
pub(super) fn note<'n>(
    reader: &mut Reader<'_, 'n>,
    app: &str,
    image: Option<&str>,
    object: &Object<'n>,
    pod: Pod<'n>,
    container: &'n Node,
) -> bool {
    let Some(sort) = image.and_then(of_image) else { return false };
    let mut sources = Sources::default();
    let mut names = hosts::of_pods(reader.objects, object, pod.labels, 0, &mut sources, &reader.input.project.budget);
    names.append(&mut sources.hosts);
    let origin = container.origin.clone();
    let pooler = Pooler { app: app.to_owned(), sort: Some(sort), hosts: names, told: Vec::new(), origin };
    let runs = Some((pod.spec, container));
    reader.poolers.push(Container { pooler, runs, namespace: object.namespace.clone() });
    true
}

/// Takes note of an operator's pooler, which names its cluster.
pub(super) fn of_operator(reader: &mut Reader<'_, '_>, app: &str, object: &Object<'_>, cluster: &Node) {
    let hosts = hosts::forms(&object.name.value, &object.namespace);
    let told = vec![(String::new(), cluster.as_str().unwrap_or_default().to_owned())];
    let pooler = Pooler { app: app.to_owned(), sort: None, hosts, told, origin: object.name.origin.clone() };
    reader.poolers.push(Container { pooler, runs: None, namespace: object.namespace.clone() });
}

/// Gives each server the hosts of the poolers before it; what stands before none is an app like others.
pub(super) fn lead_on(reader: &mut Reader<'_, '_>) {
    let mut containers = std::mem::take(&mut reader.poolers);
    for container in &mut containers {
        let Some((pod, node)) = container.runs else { continue };
        let told = &mut container.pooler.told;
        let budget = &reader.input.project.budget;
        let read = environment::of_container(reader.objects, &reader.secrets, node, &container.namespace, budget);
        told.extend(read.variables.into_iter().map(|variable| (variable.given.name, variable.given.whole.text)));
        for key in ["command", "args"] {
            let words = node.get(key).and_then(Node::as_sequence).unwrap_or_default().iter().filter_map(Node::as_str);
            told.extend(words.map(|word| (String::new(), word.to_owned())));
        }
        for mount in mounts::mounts(reader.objects, pod, node, &container.namespace) {
            let files = mount.files(reader.input.project).unwrap_or_default();
            told.extend(files.iter().map(|file| (String::new(), String::from_utf8_lossy(&file.content).into_owned())));
        }
    }
    let mut runs = Vec::new();
    let mut found = Vec::new();
    for container in containers {
        runs.push((container.pooler.app.clone(), container.runs, container.namespace));
        found.push(container.pooler);
    }
    let open = poolers::lead_on(
        found,
        &reader.stack.services,
        &mut reader.sources,
        &mut reader.stack.apps,
        &mut reader.diagnostics,
        &reader.input.project.budget,
    );
    for (app, container, namespace) in runs {
        let is_open = open.iter().any(|pooler| pooler.app == app);
        let is_plain = reader.stack.apps.iter().any(|known| known.name == app && known.note.is_empty());
        if let Some((_, container)) = container.filter(|_| is_open && is_plain) {
            reader.apps.push((app, container, namespace));
        }
    }
}
