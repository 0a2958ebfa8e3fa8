//! Strimzi's `Kafka`, with its topics and users.

use super::resource::Resource;
use crate::manifest::dialects::kubernetes::object::{Object, at};
use crate::model::Support;
use crate::syntax::tree::Node;

pub(super) fn read(resource: &mut Resource<'_, '_, '_>) {
    let object = resource.object;
    resource.settings("spec.kafka.config");
    if object.at("spec.kafka.image").is_some() {
        let note = "the official image of the same version stands in";
        resource.differs("spec.kafka.image", Support::Approximated, note);
    }
    for listener in object.at("spec.kafka.listeners").and_then(Node::as_sequence).unwrap_or_default() {
        resource.ports.extend(at(listener, "port").and_then(Node::as_str).and_then(|port| port.parse::<u16>().ok()));
        let is_secured =
            at(listener, "tls").and_then(Node::as_bool) == Some(true) || at(listener, "authentication").is_some();
        let (support, note) = if is_secured {
            (Support::Approximated, "one listener without TLS and logins stands for all")
        } else {
            (Support::Reproduced, "")
        };
        let name = at(listener, "name").and_then(Node::as_str).unwrap_or_default();
        if is_secured {
            resource.differs(&format!("spec.kafka.listeners.{name}"), support, note);
        } else {
            resource.reproduced(&format!("spec.kafka.listeners.{name}"));
        }
    }
    let objects = resource.objects;
    let own = object.name.value.clone();
    let is_ours = |found: &&Object<'_>| {
        let label = found.node.get("metadata").and_then(|metadata| metadata.get("labels"));
        found.group == "kafka.strimzi.io"
            && label.and_then(|labels| labels.get("strimzi.io/cluster")).and_then(Node::as_str) == Some(&own)
    };
    for topic in objects.of_kind("KafkaTopic").filter(is_ours) {
        let name = topic.text("spec.topicName").unwrap_or(&topic.name.value);
        let partitions = topic
            .text("spec.partitions")
            .map(|count| format!("; production's has {count} partitions"))
            .unwrap_or_default();
        let note = format!("made at its first use{partitions}");
        resource.backing.keys.add(format!("KafkaTopic.{name}"), Support::Approximated, note);
    }
    for user in objects.of_kind("KafkaUser").filter(is_ours) {
        let note = "a local broker lets everybody in without a login";
        resource.backing.keys.add(format!("KafkaUser.{}", user.name.value), Support::Approximated, note);
    }
    if objects.of_kind("KafkaNodePool").any(|pool| is_ours(&pool)) {
        resource.backing.keys.add_neutral(
            "KafkaNodePool",
            Support::Unsupported,
            crate::manifest::dialects::kubernetes::server::CLUSTER,
        );
    }
}
