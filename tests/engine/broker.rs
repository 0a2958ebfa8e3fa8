//! A broker with production's own definitions, which devenv asks without the management API.

use crate::project::{Sandbox, docker};

const COMPOSE: &str = "services:
  queue:
    image: rabbitmq:4.0.5
    volumes:
      - ./rabbitmq.conf:/etc/rabbitmq/rabbitmq.conf:ro
      - ./definitions.json:/etc/rabbitmq/definitions.json:ro
  web:
    build: .
    environment: {AMQP_URL: \"amqp://app:${QUEUE_PASSWORD}@queue/shop\"}
";

const DEFINITIONS: &str = r##"{
  "users": [{"name": "watch", "password_hash": "x", "tags": ["monitoring"], "limits": {}},
            {"name": "app", "password_hash": "x", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": [], "limits": {}}],
  "vhosts": [{"name": "/"}, {"name": "shop"}],
  "permissions": [{"user": "app", "vhost": "shop", "configure": "^app-", "write": ".*", "read": ".*"}],
  "policies": [{"vhost": "shop", "name": "short", "pattern": ".*", "apply-to": "queues", "definition": {"max-length": 1000}, "priority": 0}],
  "queues": [{"name": "jobs", "vhost": "shop", "durable": true, "auto_delete": false, "arguments": {"x-queue-type": "quorum"}}],
  "exchanges": [{"name": "events", "vhost": "shop", "type": "topic", "durable": true, "auto_delete": false, "internal": false, "arguments": {}}],
  "bindings": [{"source": "events", "vhost": "shop", "destination": "jobs", "destination_type": "queue", "routing_key": "#", "arguments": {}}]
}"##;

#[test]
fn mounted_definitions_are_loaded_and_parity_sees_them_without_the_management_api() {
    let project = Sandbox::new(&[
        ("compose.prod.yaml", COMPOSE),
        ("rabbitmq.conf", "load_definitions = /etc/rabbitmq/definitions.json\n"),
        ("definitions.json", DEFINITIONS),
    ]);
    // Ready means that `app` logged in to `shop` with the password in `.env`.
    project.succeed(&["up", "--timeout", "180s"]);
    assert!(project.env()["AMQP_URL"].ends_with("/shop"), "{:?}", project.env());
    let outcome = project.succeed(&["parity", "--format", "json", "--check", "--require-all"]);
    assert!(outcome.stderr.contains("queue: its management API is off, so rabbitmqctl is run"), "{}", outcome.stderr);
    let told = outcome.json();
    let queue = &told["services"][0];
    assert_eq!(queue["not_asked"], serde_json::json!([]), "{told:#}");
    let local = |topic: &str, name: &str| {
        let facts = queue["facts"].as_array().expect("a list");
        let found = facts.iter().find(|fact| fact["topic"] == topic && fact["name"] == name);
        found.and_then(|fact| fact["sides"]["local"].as_str()).unwrap_or("nothing").to_owned()
    };
    for (topic, name, value) in [
        ("queues", "jobs in shop", "durable, {\"x-queue-type\":\"quorum\"}"),
        ("exchanges", "events in shop", "topic, durable"),
        ("policies", "short in shop", ".* on queues, priority 0: {\"max-length\":1000}"),
        ("users", "watch", "monitoring"),
        ("users", "app", "no tags"),
        ("plugins", "rabbitmq_prometheus", "enabled"),
    ] {
        assert_eq!(local(topic, name), value, "{topic} {name} in {told:#}");
    }
    let container = project.container("queue");
    let permissions = docker(&["exec", &container, "rabbitmqctl", "-q", "list_permissions", "-p", "shop"]);
    assert!(permissions.contains("app\t^app-\t.*\t.*"), "as in production: {permissions}");
}

#[test]
fn definitions_of_a_config_map_are_loaded_as_the_cluster_does() {
    let indented = DEFINITIONS.replace('\n', "\n    ");
    let manifest = format!(
        "apiVersion: v1
kind: ConfigMap
metadata: {{name: queue}}
data:
  rabbitmq.conf: load_definitions = /etc/rabbitmq/definitions.json
  definitions.json: |
    {indented}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: queue}}
spec:
  template:
    spec:
      containers:
        - name: rabbitmq
          image: rabbitmq:4.0.5
          volumeMounts: [{{name: config, mountPath: /etc/rabbitmq}}]
      volumes: [{{name: config, configMap: {{name: queue}}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  template:
    spec:
      containers:
        - name: web
          image: acme/web:1
          env: [{{name: AMQP_URL, value: \"amqp://app:$(QUEUE_PASSWORD)@queue/shop\"}}]
"
    );
    let project = Sandbox::new(&[("k8s/queue.yaml", &manifest)]);
    project.succeed(&["up", "--timeout", "180s"]);
    let container = project.container("queue");
    let asked =
        |what: &[&str]| docker(&[&["exec", &container, "rabbitmqctl", "-q", "--no-table-headers"], what].concat());
    assert!(asked(&["list_queues", "-p", "shop"]).contains("jobs"));
    assert!(asked(&["list_policies", "-p", "shop"]).contains("short"));
    assert!(asked(&["list_permissions", "-p", "shop"]).contains("app\t^app-\t.*\t.*"));
}
