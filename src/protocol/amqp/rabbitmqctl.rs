//! The output of `RabbitMQ`'s own command-line tools as facts, for a broker whose management API is off.
//!
//! In the definitions, password hashes and parameters are not read: the parameters of shovels contain logins.

use super::facts::{Entries, exchanges, feature_flags, policies, queues, users, vhosts};
use crate::model::ServiceFacts;
use crate::protocol::ProbeError;
use crate::protocol::facts::note;
use serde_json::Value;

type Read = fn(&Value) -> Entries;

/// The topics in the definitions, each with the function that reads it.
const IN_DEFINITIONS: [(&str, Read); 5] =
    [("vhosts", vhosts), ("users", users), ("policies", policies), ("queues", queues), ("exchanges", exchanges)];

/// Notes the results of `rabbitmqctl export_definitions -`, `rabbitmq-plugins list --minimal` and `rabbitmqctl
/// list_feature_flags`: the facts, or the reason why there are none.
pub fn note_rabbitmqctl(
    facts: &mut ServiceFacts,
    definitions: Result<String, String>,
    plugins: Result<String, String>,
    flags: Result<String, String>,
) {
    let json = |text: String| {
        serde_json::from_str::<Value>(&text).map_err(|error| format!("rabbitmqctl printed no JSON: {error}"))
    };
    let definitions = definitions.and_then(json);
    for (topic, entries) in IN_DEFINITIONS {
        let answer = definitions.as_ref().map(|all| entries(&all[topic])).map_err(Clone::clone);
        take(facts, topic, answer);
    }
    let names = |text: String| {
        let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
        names.map(|name| (name.to_owned(), "enabled".to_owned())).collect()
    };
    take(facts, "plugins", plugins.map(names));
    take(facts, "feature-flags", flags.and_then(json).map(|all| feature_flags(&all)));
}

fn take(facts: &mut ServiceFacts, topic: &str, answer: Result<Entries, String>) {
    facts.not_asked.remove(topic);
    note(facts, topic, answer.map_err(ProbeError::not_yet));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;
    use crate::protocol::facts::nothing_yet;

    #[test]
    fn definitions_give_the_facts_of_the_management_api_without_password_hashes() {
        // As RabbitMQ 4.0.5 prints them.
        let definitions = r#"{"bindings":[],"permissions":[],"queues":[{"arguments":{"x-queue-type":"quorum"},
            "auto_delete":false,"durable":true,"name":"jobs","type":"quorum","vhost":"/"}],
            "parameters":[{"component":"shovel","name":"s","value":{"src-uri":"amqp://u:s3cret@h"},"vhost":"/"}],
            "policies":[{"apply-to":"queues","definition":{"max-length":5},"name":"p","pattern":".*","priority":0,"vhost":"/"}],
            "rabbitmq_version":"4.0.5","exchanges":[{"arguments":{},"auto_delete":false,"durable":true,"name":"events",
            "type":"topic","vhost":"/"}],"vhosts":[{"default_queue_type":"classic","limits":[],"metadata":{},"name":"/"}],
            "users":[{"hashing_algorithm":"x","limits":{},"name":"app","password_hash":"sTv4c0","tags":["administrator"]}]}"#;
        let mut facts = nothing_yet(Protocol::Amqp, "RabbitMQ", Some("4.0.5".to_owned()));
        for topic in ["vhosts", "users", "policies", "queues", "exchanges", "plugins", "feature-flags"] {
            facts.not_asked.insert(topic.to_owned(), "its management API is off".to_owned());
        }
        let flags = r#"[{"name":"khepri_db","state":"disabled"}]"#.to_owned();
        let plugins = Ok("rabbitmq_prometheus\nrabbitmq_web_dispatch\n".to_owned());
        note_rabbitmqctl(&mut facts, Ok(definitions.to_owned()), plugins, Ok(flags));
        assert_eq!(facts.not_asked.len(), 0, "{facts:?}");
        for (topic, name, value) in [
            ("vhosts", "/", "default queue type classic"),
            ("users", "app", "administrator"),
            ("policies", "p in /", ".* on queues, priority 0: {\"max-length\":5}"),
            ("queues", "jobs in /", "durable, {\"x-queue-type\":\"quorum\"}"),
            ("exchanges", "events in /", "topic, durable"),
            ("plugins", "rabbitmq_prometheus", "enabled"),
            ("feature-flags", "khepri_db", "disabled"),
        ] {
            assert_eq!(facts.get(topic, name), Some(value), "{facts:?}");
        }
        let all = format!("{facts:?}");
        assert!(!all.contains("sTv4c0") && !all.contains("s3cret"), "{all}");
    }

    #[test]
    fn topics_that_the_tool_could_not_report_stay_not_asked_with_the_reason() {
        let mut facts = nothing_yet(Protocol::Amqp, "RabbitMQ", None);
        let refused = || Err("rabbitmqctl ended with 64: no such command".to_owned());
        note_rabbitmqctl(&mut facts, Ok("Exporting …".to_owned()), Ok(String::new()), refused());
        assert!(facts.not_asked["queues"].starts_with("rabbitmqctl printed no JSON"), "{facts:?}");
        assert_eq!(facts.not_asked["feature-flags"], "rabbitmqctl ended with 64: no such command");
        assert!(facts.topics.contains_key("plugins"), "{facts:?}");
    }
}
