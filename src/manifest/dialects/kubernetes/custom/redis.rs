//! Redis by its operators: Spotahome's `RedisFailover`, OT's `Redis*`, and `Dragonfly`.

use super::resource::Resource;
use crate::kinds::arguments;
use crate::manifest::dialects::kubernetes::config;
use crate::manifest::dialects::kubernetes::object::Object;
use crate::model::{Credential, Support};
use crate::syntax::tree::Node;

pub(super) fn read_failover(resource: &mut Resource<'_, '_, '_>) {
    let object = resource.object;
    for line in object.at("spec.redis.customConfig").and_then(Node::as_sequence).unwrap_or_default() {
        resource.reproduced("spec.redis.customConfig");
        resource.settings_text(line.as_str().unwrap_or_default(), &line.origin, "spec.redis.customConfig");
    }
    if object.at("spec.sentinel").is_some() {
        resource.differs(
            "spec.sentinel",
            Support::Unsupported,
            "one local server stands for the replicas; no sentinel watches it",
        );
    }
    if let Some(secret) = object.at("spec.auth.secretPath") {
        password(resource, secret, "password", "spec.auth.secretPath");
    }
}

pub(super) fn read_ot(resource: &mut Resource<'_, '_, '_>) {
    let object: &Object<'_> = resource.object;
    if object.kind != "Redis" {
        let note = "one local server stands for the replicas and shards";
        resource.backing.keys.add("kind", Support::Approximated, note);
    }
    for part in ["spec", "spec.redisLeader", "spec.redisFollower"] {
        let path = format!("{part}.redisConfig.additionalRedisConfig");
        let Some(name) = object.at(&path) else { continue };
        let map = name.as_str().unwrap_or_default();
        let value = config::value(resource.objects, map, "redis-additional.conf", &object.namespace);
        match value {
            Some(value) => {
                resource.reproduced(&path);
                resource.settings_text(value.text, value.origin, &path);
            }
            None => resource.differs(
                &path,
                Support::Unsupported,
                format!("the config map {map} is not among the manifests"),
            ),
        }
    }
    if let Some(secret) = object.at("spec.kubernetesConfig.redisSecret") {
        let key = secret.get("key").and_then(Node::as_str).unwrap_or("password");
        if let Some(name) = secret.get("name") {
            password(resource, name, key, "spec.kubernetesConfig.redisSecret");
        }
    }
}

pub(super) fn read_dragonfly(resource: &mut Resource<'_, '_, '_>) {
    let object = resource.object;
    if let Some(words) = object.at("spec.args").and_then(Node::as_sequence) {
        let texts: Vec<String> = words.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect();
        let read = arguments::read(resource.kind, &texts);
        resource.reproduced("spec.args");
        for argument in read.settings {
            let origin = words.get(argument.at).map_or(&object.name.origin, |word| &word.origin);
            resource.backing.setting(&argument, origin, "spec.args");
        }
    }
    if let Some(secret) = object.at("spec.authentication.passwordFromSecret") {
        let key = secret.get("key").and_then(Node::as_str).unwrap_or("password");
        if let Some(name) = secret.get("name") {
            password(resource, name, key, "spec.authentication.passwordFromSecret");
        }
    }
}

/// Adds the server's one password, which comes from a secret of the project.
fn password(resource: &mut Resource<'_, '_, '_>, secret: &Node, key: &str, path: &str) {
    let Some(name) = secret.as_str() else { return };
    resource.user("", Credential::Secret(format!("{name} key {key}")), &secret.origin);
    resource.reproduced(path);
}
