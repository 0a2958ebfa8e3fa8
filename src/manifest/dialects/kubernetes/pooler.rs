//! Containers that may be poolers, and the poolers of operators: their configuration, and the hosts by which apps reach
//! them.
//!
//! They are attached to their servers after every object is read, because the secrets that operators create are only
//! known then.

use super::pod::Pod;
use crate::manifest::bind::Sources;
use crate::manifest::combine::poolers::{self, Pooler, of_image};
use crate::manifest::dialects::kubernetes::object::Object;
use crate::manifest::dialects::kubernetes::{Reader, environment, hosts, mounts};
use crate::syntax::tree::Node;

/// A container that may be a pooler.
pub(super) struct Container<'n> {
    pooler: Pooler,
    /// The pod's specification and the container; `None` for an operator's pooler.
    runs: Option<(&'n Node, &'n Node)>,
    namespace: String,
}

/// Records a container if its image is a pooler. Returns whether it is.
pub(super) fn note<'n>(
    reader: &mut Reader<'_, 'n>,
    app: &str,
    image: Option<&str>,
    object: &Object<'n>,
    pod: Pod<'n>,
    container: &'n Node,
) -> bool {
    let Some(family) = image.and_then(of_image) else { return false };
    let mut sources = Sources::default();
    let mut names = hosts::of_pods(reader.objects, object, pod.labels, 0, &mut sources, &reader.input.project.budget);
    names.append(&mut sources.hosts);
    let pooler = Pooler {
        app: app.to_owned(),
        family: Some(family),
        hosts: names,
        configuration: Vec::new(),
        origin: container.origin.clone(),
    };
    let runs = Some((pod.spec, container));
    reader.poolers.push(Container { pooler, runs, namespace: object.namespace.clone() });
    true
}

/// Records an operator's pooler, which names its cluster.
pub(super) fn of_operator(reader: &mut Reader<'_, '_>, app: &str, object: &Object<'_>, cluster: &Node) {
    let pooler = Pooler {
        app: app.to_owned(),
        family: None,
        hosts: hosts::forms(&object.name.value, &object.namespace),
        configuration: vec![(String::new(), cluster.as_str().unwrap_or_default().to_owned())],
        origin: object.name.origin.clone(),
    };
    reader.poolers.push(Container { pooler, runs: None, namespace: object.namespace.clone() });
}

/// Attaches each pooler to the server behind it. A container without a server behind it is an app like any other.
pub(super) fn attach(reader: &mut Reader<'_, '_>) {
    let mut containers = std::mem::take(&mut reader.poolers);
    for container in &mut containers {
        let Some((pod, node)) = container.runs else { continue };
        let configuration = &mut container.pooler.configuration;
        let budget = &reader.input.project.budget;
        let read = environment::of_container(reader.objects, &reader.secrets, node, &container.namespace, budget);
        configuration
            .extend(read.variables.into_iter().map(|variable| (variable.given.name, variable.given.whole.text)));
        for key in ["command", "args"] {
            let words = node.get(key).and_then(Node::as_sequence).unwrap_or_default().iter().filter_map(Node::as_str);
            configuration.extend(words.map(|word| (String::new(), word.to_owned())));
        }
        for mount in mounts::mounts(reader.objects, pod, node, &container.namespace) {
            let files = mount.files(reader.input.project).unwrap_or_default();
            let texts = files.iter().map(|file| String::from_utf8_lossy(&file.content).into_owned());
            configuration.extend(texts.map(|text| (String::new(), text)));
        }
    }
    let mut runs = Vec::new();
    let mut found = Vec::new();
    for container in containers {
        runs.push((container.pooler.app.clone(), container.runs, container.namespace));
        found.push(container.pooler);
    }
    let open = poolers::attach(
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
