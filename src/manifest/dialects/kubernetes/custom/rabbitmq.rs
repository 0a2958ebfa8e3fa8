//! The `RabbitMQ` operators: `RabbitmqCluster`, and the topology operator's `Vhost` and `User`.

use super::resource::Resource;
use crate::manifest::dialects::kubernetes::mounts;
use crate::manifest::dialects::kubernetes::object::Object;
use crate::model::{Credential, Located, Rights, Support};
use crate::syntax::tree::Node;

/// Keys of the secret `<cluster>-default-user`.
const USER_KEYS: &[(&str, &str)] =
    &[("username", "user"), ("password", "password"), ("host", "host"), ("port", "port"), ("connection_string", "url")];

/// Objects of the topology operator that a local server does not get.
const TOPOLOGY: &[&str] = &["Queue", "Exchange", "Binding", "Policy", "Shovel", "Federation", "SchemaReplication"];

pub(super) fn read(resource: &mut Resource<'_, '_, '_>) {
    let object = resource.object;
    let own = object.name.value.clone();
    if let Some(text) = object.at("spec.rabbitmq.additionalConfig") {
        resource.reproduced("spec.rabbitmq.additionalConfig");
        resource.settings_text(text.as_str().unwrap_or_default(), &text.origin, "spec.rabbitmq.additionalConfig");
        definitions(resource, text.as_str().unwrap_or_default());
    }
    for plugin in object.at("spec.rabbitmq.additionalPlugins").and_then(Node::as_sequence).unwrap_or_default() {
        resource.backing.plugins(plugin.as_str().unwrap_or_default(), &plugin.origin);
        resource.reproduced("spec.rabbitmq.additionalPlugins");
    }
    for key in ["advancedConfig", "envConfig", "erlangInetConfig"] {
        let path = format!("spec.rabbitmq.{key}");
        if object.at(&path).is_some() {
            resource.differs(&path, Support::Unsupported, "its content is not carried over");
        }
    }
    let secret = object.text("spec.secretBackend.externalSecret.name").map(str::to_owned);
    let secret = secret.unwrap_or_else(|| format!("{own}-default-user"));
    // The operator generates the default user's name; the local user has a readable name.
    resource.user("app", Credential::Secret(format!("{secret} key password")), &object.name.origin);
    resource.secret(secret, None, USER_KEYS);
    topology(resource);
}

/// Takes the definitions that the configuration names, from the mounts that the override adds to the server's
/// container.
fn definitions(resource: &mut Resource<'_, '_, '_>, config: &str) {
    let path = "spec.override.statefulSet.spec.template.spec";
    let Some(pod) = resource.object.at(path) else { return };
    let containers = pod.get("containers").and_then(Node::as_sequence).unwrap_or_default();
    for container in containers.iter().filter(|one| one.get("name").and_then(Node::as_str) == Some("rabbitmq")) {
        let mounts = mounts::mounts(resource.objects, pod, container, &resource.object.namespace);
        resource.backing.definitions_named_in(config, &mounts, "spec.override");
    }
}

fn topology(resource: &mut Resource<'_, '_, '_>) {
    let objects = resource.objects;
    let own = resource.object.name.value.clone();
    let is_ours = |object: &&Object<'_>| {
        object.group == "rabbitmq.com" && object.text("spec.rabbitmqClusterReference.name") == Some(&own)
    };
    for vhost in objects.of_kind("Vhost").filter(is_ours) {
        if let Some(name) =
            vhost.at("spec.name").and_then(|node| Some(Located::new(node.as_str()?.to_owned(), node.origin.clone())))
        {
            resource.backing.service.vhosts.push(name);
        }
    }
    for user in objects.of_kind("User").filter(is_ours) {
        let name = user.name.value.as_str();
        let import = user.text("spec.importCredentialsSecret.name").map(str::to_owned);
        let secret = import.unwrap_or_else(|| format!("{name}-user-credentials"));
        let tags = user.at("spec.tags").and_then(Node::as_sequence).unwrap_or_default();
        let is_administrator = tags.iter().any(|tag| tag.as_str() == Some("administrator"));
        let rights = if is_administrator { Rights::Superuser } else { Rights::Minimal };
        let credential = Credential::Secret(format!("{secret} key password"));
        resource.user_with(name, credential, Some(rights), &user.name.origin);
        resource.secret(secret, Some(name), &USER_KEYS[..2]);
    }
    for kind in TOPOLOGY {
        if objects.of_kind(kind).any(|object| is_ours(&object)) {
            resource.backing.keys.add(*kind, Support::Unsupported, "apps have to declare what they use themselves");
        }
    }
}
