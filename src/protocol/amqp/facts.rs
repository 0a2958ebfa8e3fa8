//! The facts of a `RabbitMQ` broker: AMQP reports the version, the management API reports everything else.
//!
//! The API is only read, and never enabled. A topic that the login may not read is listed with the reason.

use super::introduction;
use crate::model::{Protocol, ServiceFacts};
use crate::protocol::facts::{note, nothing_yet};
use crate::protocol::{Fault, ProbeError, Target, http};
use futures_util::future::join_all;
use serde_json::Value;
use std::collections::BTreeMap;

/// The requests to the management API: the topic, the path, and the function that turns the answer into entries.
const ASKED: [(&str, &str, Read); 7] = [
    ("plugins", "/api/nodes?columns=name,enabled_plugins", plugins),
    ("vhosts", "/api/vhosts?columns=name,default_queue_type", vhosts),
    ("users", "/api/users?columns=name,tags", users),
    ("policies", "/api/policies", policies),
    (
        "queues",
        "/api/queues?columns=name,vhost,durable,auto_delete,exclusive,arguments&disable_stats=true&enable_queue_totals=true",
        queues,
    ),
    ("exchanges", "/api/exchanges?columns=name,vhost,type,durable,auto_delete,internal,arguments", exchanges),
    ("feature-flags", "/api/feature-flags?columns=name,state", feature_flags),
];

/// The advice if a broker's management API does not answer.
const HOW_TO_ENABLE: &str =
    "enable it there (`rabbitmq-plugins enable rabbitmq_management`) and name its port: `?management=PORT`";

pub(super) type Entries = BTreeMap<String, String>;
type Read = fn(&Value) -> Entries;

/// Asks the broker, and its management API if there is one.
pub(in crate::protocol) async fn facts(target: &Target) -> Result<ServiceFacts, ProbeError> {
    let said = introduction(&target.endpoint, &target.tls).await?;
    let mut facts = nothing_yet(Protocol::Amqp, "RabbitMQ", said);
    let Some(management) = &target.management else {
        for (topic, _, _) in ASKED {
            facts.not_asked.insert(topic.to_owned(), format!("its management API is off; {HOW_TO_ENABLE}"));
        }
        return Ok(facts);
    };
    let answers = join_all(ASKED.iter().map(async |(topic, path, entries)| {
        let body = http::get(management, &target.tls, path).await.map_err(|error| ProbeError {
            message: match error.fault {
                Fault::NotYet => {
                    format!("the management API on port {}: {}; {HOW_TO_ENABLE}", management.port, error.message)
                }
                _ => format!("the management API on port {}: {}", management.port, error.message),
            },
            ..error
        })?;
        let value =
            serde_json::from_slice::<Value>(&body).map_err(|_| ProbeError::foreign("RabbitMQ's management API"))?;
        match entries(&value) {
            // The API is itself a plugin: an empty list means that the node has not published its first statistics yet.
            none if none.is_empty() && *topic == "plugins" => Err(ProbeError::not_yet(
                "the node has not listed its plugins yet: it does so some seconds after its start",
            )),
            entries => Ok(entries),
        }
    }))
    .await;
    for ((topic, _, _), answer) in ASKED.iter().zip(answers) {
        note(&mut facts, topic, answer);
    }
    Ok(facts)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text<'a>(item: &'a Value, field: &str) -> &'a str {
    item[field].as_str().unwrap_or_default()
}

/// Plugins of any node: all nodes of a cluster should have the same plugins.
fn plugins(value: &Value) -> Entries {
    items(value)
        .flat_map(|node| items(&node["enabled_plugins"]))
        .filter_map(|name| Some((name.as_str()?.to_owned(), "enabled".to_owned())))
        .collect()
}

pub(super) fn vhosts(value: &Value) -> Entries {
    let entry = |item: &Value| {
        let of_queues = match text(item, "default_queue_type") {
            "" | "undefined" => "classic",
            named => named,
        };
        (text(item, "name").to_owned(), format!("default queue type {of_queues}"))
    };
    items(value).map(entry).collect()
}

/// Names and tags; the request does not ask for the password hashes.
pub(super) fn users(value: &Value) -> Entries {
    let entry = |item: &Value| {
        // A list since 3.9, before that a text with commas.
        let mut tags: Vec<&str> = match &item["tags"] {
            Value::Array(tags) => tags.iter().filter_map(Value::as_str).collect(),
            Value::String(tags) => tags.split(',').filter(|tag| !tag.is_empty()).collect(),
            _ => Vec::new(),
        };
        tags.sort_unstable();
        (text(item, "name").to_owned(), if tags.is_empty() { "no tags".to_owned() } else { tags.join(", ") })
    };
    items(value).map(entry).collect()
}

pub(super) fn policies(value: &Value) -> Entries {
    let entry = |item: &Value| {
        let words = format!(
            "{} on {}, priority {}: {}",
            text(item, "pattern"),
            text(item, "apply-to"),
            item["priority"],
            item["definition"]
        );
        (within(item), words)
    };
    items(value).map(entry).collect()
}

/// Queues that outlive their connection; other queues are temporary queues of the apps.
pub(super) fn queues(value: &Value) -> Entries {
    let stays = |item: &&Value| {
        item["exclusive"] != true && item["auto_delete"] != true && !text(item, "name").starts_with("amq.gen-")
    };
    let entry = |item: &Value| {
        let durable = if item["durable"] == true { "durable" } else { "transient" };
        (within(item), format!("{durable}{}", arguments(item)))
    };
    items(value).filter(stays).map(entry).collect()
}

/// Exchanges that an app or operator made: the broker's own exchanges are called `amq.*`, and the default exchange has
/// no name.
pub(super) fn exchanges(value: &Value) -> Entries {
    let made = |item: &&Value| {
        let name = text(item, "name");
        !name.is_empty() && !name.starts_with("amq.") && item["auto_delete"] != true
    };
    let entry = |item: &Value| {
        let durable = if item["durable"] == true { "durable" } else { "transient" };
        (within(item), format!("{}, {durable}{}", text(item, "type"), arguments(item)))
    };
    items(value).filter(made).map(entry).collect()
}

pub(super) fn feature_flags(value: &Value) -> Entries {
    items(value).map(|item| (text(item, "name").to_owned(), text(item, "state").to_owned())).collect()
}

/// `name in vhost`, for people; the name of a vhost may contain a slash.
fn within(item: &Value) -> String {
    format!("{} in {}", text(item, "name"), text(item, "vhost"))
}

fn arguments(item: &Value) -> String {
    match &item["arguments"] {
        Value::Object(arguments) if !arguments.is_empty() => format!(", {}", item["arguments"]),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entries(pairs: &[(&str, &str)]) -> Entries {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn tags_are_read_as_a_list_and_as_a_text() {
        let answer = json!([{"name": "a", "tags": ["monitoring", "administrator"]}, {"name": "b", "tags": "x,y"}, {"name": "c", "tags": []}]);
        assert_eq!(users(&answer), entries(&[("a", "administrator, monitoring"), ("b", "x, y"), ("c", "no tags")]));
    }

    #[test]
    fn temporary_queues_and_the_brokers_own_exchanges_are_excluded() {
        let answer = json!([
            {"name": "jobs", "vhost": "/", "durable": true, "auto_delete": false, "exclusive": false, "arguments": {"x-queue-type": "quorum"}},
            {"name": "reply", "vhost": "/", "durable": false, "auto_delete": true, "exclusive": false, "arguments": {}},
            {"name": "amq.gen-x", "vhost": "/", "durable": false, "auto_delete": false, "exclusive": false, "arguments": {}},
        ]);
        assert_eq!(queues(&answer), entries(&[("jobs in /", "durable, {\"x-queue-type\":\"quorum\"}")]));
        let answer = json!([
            {"name": "", "vhost": "/", "type": "direct", "durable": true},
            {"name": "amq.topic", "vhost": "/", "type": "topic", "durable": true},
            {"name": "events", "vhost": "shop", "type": "topic", "durable": true, "arguments": {}},
        ]);
        assert_eq!(exchanges(&answer), entries(&[("events in shop", "topic, durable")]));
    }

    #[test]
    fn an_answer_of_another_shape_gives_no_entries() {
        for answer in [json!(null), json!({"error": "x"}), json!([1, "a", null])] {
            assert!(plugins(&answer).is_empty());
            assert!(queues(&json!({"reason": answer.clone()})).is_empty());
        }
    }
}
