//! Reads workloads: each container of their pods is a backing service or an app.

use super::image::Image;
use super::object::{Object, at};
use super::pod::Pod;
use super::{Reader, pooler, server};
use crate::kinds::{Family, Kind};
use crate::manifest::declare::classify::{Class, Runs, classify};
use crate::model::ImageRef;
use crate::syntax::tree::Node;

/// Reads an object that runs pods; any other object is ignored.
pub(super) fn read<'n>(reader: &mut Reader<'_, 'n>, object: &Object<'n>) {
    let Some(pod) = pod(object) else { return };
    let containers = pod.spec.get("containers").and_then(Node::as_sequence).unwrap_or_default();
    let prepare = pod.spec.get("initContainers").and_then(Node::as_sequence).unwrap_or_default();
    // An init container with `restartPolicy: Always` is a sidecar: it keeps running with the other containers.
    let stays = |container: &&Node| container.get("restartPolicy").and_then(Node::as_str) == Some("Always");
    let running: Vec<&Node> = containers.iter().chain(prepare.iter().filter(stays)).collect();
    for container in &running {
        let alone = running.len() == 1;
        read_container(reader, object, pod, container, alone);
    }
    for container in prepare.iter().filter(|container| !stays(container)) {
        let name = format!("{}-{}", object.name.value, text(container, "name").unwrap_or("init"));
        let name = reader.name_for(&name, object);
        let image = container.get("image").and_then(|node| Image::read(node, object.changes));
        let image = image.map(|image| image.name.value.to_string());
        reader.add_app(&name, image, "an init container", &container.origin);
    }
}

/// The pod that an object runs: the object itself, its template, or the template of its jobs.
fn pod<'n>(object: &Object<'n>) -> Option<Pod<'n>> {
    let of = |labels: &str, spec: &str| {
        let spec = object.at(spec)?;
        spec.get("containers")?.as_sequence()?;
        Some(Pod { labels: object.at(labels), spec })
    };
    of("spec.template.metadata.labels", "spec.template.spec")
        .or_else(|| of("spec.jobTemplate.spec.template.metadata.labels", "spec.jobTemplate.spec.template.spec"))
        .or_else(|| of("metadata.labels", "spec").filter(|_| object.kind == "Pod"))
}

fn read_container<'n>(
    reader: &mut Reader<'_, 'n>,
    object: &Object<'n>,
    pod: Pod<'n>,
    container: &'n Node,
    alone: bool,
) {
    let own = text(container, "name").unwrap_or_default();
    let workload = object.name.value.as_str();
    let wanted =
        if alone || own.is_empty() || own == workload { workload.to_owned() } else { format!("{workload}-{own}") };
    let input = reader.input;
    let image = container.get("image").and_then(|node| Image::read_filled(node, object.changes, input));
    let words = |key: &str| {
        let node = container.get(key)?;
        let items = node.as_sequence()?.iter().filter_map(|item| item.as_str().map(str::to_owned));
        Some(items.collect::<Vec<String>>())
    };
    let (entrypoint, command) = (words("command"), words("args"));
    let looks_served = ["ports", "readinessProbe", "livenessProbe"].iter().any(|key| container.get(key).is_some());
    let runs = Runs { entrypoint: entrypoint.as_deref(), command: command.as_deref(), looks_served };
    let by_user = image.as_ref().and_then(|image| included(reader, &wanted, &image.name.value));
    let class = image.as_ref().map(|image| classify(reader.input.kinds, &image.name.value, &runs));
    let is_job = matches!(object.kind, "Job" | "CronJob");
    let (kind, family, derived) = match (by_user, class) {
        (Some((kind, family)), _) => (kind, family, false),
        (None, Some(Class::Backing { kind, family, derived })) if !is_job => (kind, family, derived),
        (None, class) => {
            let note = match class {
                Some(Class::Backing { kind, .. }) => format!("a job that reuses the image of {}", kind.title),
                Some(Class::App { note }) => note,
                None => String::new(),
            };
            let name = reader.name_for(&wanted, object);
            let shown = image.as_ref().map(|image| image.name.value.to_string());
            let is_pooler = pooler::note(reader, &name, shown.as_deref(), object, pod, container);
            if note.is_empty() && !is_pooler {
                reader.apps.push((name.clone(), container, object.namespace.clone()));
            }
            let image = image.map(|image| image.name.value.to_string());
            let image = image.or_else(|| text(container, "image").map(str::to_owned));
            let origin = if alone { &object.name.origin } else { &container.origin };
            reader.add_app(&name, image, &note, origin);
            return;
        }
    };
    let Some(image) = image else { return };
    // If the pod has no other server, the other containers serve this server, which gets the workload's name.
    let is_only_server = !alone && is_only_server(reader, pod, object, container);
    let wanted = if is_only_server { workload.to_owned() } else { wanted };
    let name = reader.name_for(&wanted, object);
    server::read(reader, object, pod, container, &name, &image, (kind, family, derived));
}

/// Whether no other container of the pod is a server.
fn is_only_server(reader: &Reader<'_, '_>, pod: Pod<'_>, object: &Object<'_>, container: &Node) -> bool {
    let containers = pod.spec.get("containers").and_then(Node::as_sequence).unwrap_or_default();
    containers.iter().filter(|other| other.origin != container.origin).all(|other| {
        let image = other.get("image").and_then(|node| Image::read(node, object.changes));
        let class = image.map(|image| classify(reader.input.kinds, &image.name.value, &Runs::default()));
        !matches!(class, Some(Class::Backing { .. }))
    })
}

/// The kind of a container that would be an app and that the user includes.
fn included<'a>(reader: &Reader<'a, '_>, name: &str, image: &ImageRef) -> Option<(&'a Kind, &'a Family)> {
    reader.input.included.get(name)?;
    reader.input.kind_of(name, Some(image))
}

pub(super) fn text<'n>(node: &'n Node, path: &str) -> Option<&'n str> {
    at(node, path)?.as_str()
}
