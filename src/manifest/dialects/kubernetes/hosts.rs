//! The host names of a service: the names of the `Service` objects that select its pods.

use super::object::{Object, Objects};
use crate::manifest::bind::Sources;
use crate::project::{Budget, Resource, VARIABLE};
use crate::syntax::tree::Node;

/// The names of the `Service` objects that select pods with these labels. Adds the other forms of the names and the
/// ports to `sources`.
pub(super) fn of_pods(
    objects: &Objects<'_>,
    workload: &Object<'_>,
    labels: Option<&Node>,
    port: u16,
    sources: &mut Sources,
    budget: &Budget,
) -> Vec<String> {
    let mut names = Vec::new();
    for service in objects.that_may_select(labels) {
        if !service.shares(&workload.namespace) || !selects(service, labels) {
            continue;
        }
        // Each `Service` adds ten hosts to the server.
        if !budget.spend_at(Resource::Values, 2 * VARIABLE, &service.name.origin) {
            break;
        }
        let name = service.name.value.as_str();
        let namespace = if service.namespace.is_empty() { &workload.namespace } else { &service.namespace };
        sources.hosts.extend(forms(name, namespace));
        // The host of one pod: the pod's name before the name of the headless service.
        sources.hosts.extend(forms(&format!("{}-*.{name}", workload.name.value), namespace));
        sources.ports.extend(ports(service, port));
        names.push(name.to_owned());
    }
    if let Some(name) = workload.text("spec.serviceName").filter(|name| !names.iter().any(|known| known == name)) {
        sources.hosts.extend(forms(name, &workload.namespace));
        sources.hosts.extend(forms(&format!("{}-*.{name}", workload.name.value), &workload.namespace));
        names.push(name.to_owned());
    }
    names
}

/// Every form of a host name inside a cluster. An empty namespace may be any namespace.
pub(super) fn forms(name: &str, namespace: &str) -> Vec<String> {
    // A name of two words may be any host on the internet, so an unknown namespace is not `*` in the short form.
    let (namespace, short) = if namespace.is_empty() { ("*", "default") } else { (namespace, namespace) };
    let mut forms = vec![name.to_owned(), format!("{name}.{short}")];
    for end in ["svc", "svc.cluster.local", "svc.cluster.local."] {
        forms.push(format!("{name}.{namespace}.{end}"));
    }
    forms
}

fn selects(service: &Object<'_>, labels: Option<&Node>) -> bool {
    let mut selector = service.at("spec.selector").into_iter().flat_map(Node::entries).peekable();
    selector.peek().is_some()
        && selector.all(|entry| {
            labels.and_then(|labels| labels.get(&entry.key.value)).and_then(Node::as_str) == entry.value.as_str()
        })
}

/// The ports of the service that lead to the server's port.
fn ports(service: &Object<'_>, port: u16) -> Vec<u16> {
    let entries = service.at("spec.ports").and_then(Node::as_sequence).unwrap_or_default();
    let number = |entry: &Node, key: &str| entry.get(key).and_then(Node::as_str)?.parse::<u16>().ok();
    entries
        .iter()
        .filter_map(|entry| {
            let outer = number(entry, "port")?;
            let named = entry
                .get("targetPort")
                .is_some_and(|target| target.as_str().is_some_and(|t| t.parse::<u16>().is_err()));
            let inner = number(entry, "targetPort").unwrap_or(outer);
            (inner == port || (named && entries.len() == 1)).then_some(outer)
        })
        .collect()
}
