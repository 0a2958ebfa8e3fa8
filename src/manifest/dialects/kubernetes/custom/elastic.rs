//! Elastic's operator: `Elasticsearch`.

use super::resource::Resource;
use crate::syntax::tree::Node;

pub(super) fn read(resource: &mut Resource<'_, '_, '_>) {
    let object = resource.object;
    let own = object.name.value.clone();
    // The configuration of the first set of nodes applies to the one local node.
    let first = object.at("spec.nodeSets").and_then(Node::as_sequence).and_then(<[Node]>::first);
    if let Some(config) = first.and_then(|set| set.get("config")) {
        resource.settings_in(config, "spec.nodeSets.config");
    }
    resource.secret(format!("{own}-es-elastic-user"), None, &[("elastic", "password")]);
}
