//! Calls of modules that are not in the project, and resources of platforms: the server that they run is recognised by
//! their arguments, and by the words of their names.
//!
//! A module's own `version` is never a server's.

use super::evaluate::Scope;
use super::module::Block;
use crate::kinds::{Kind, Kinds};
use crate::manifest::declare::cloud::{self, Built, Parameter, Resource, Shape};
use crate::model::{App, Diagnostic, Located};
use crate::syntax::tree::{Entry, Node, NodeKind};

/// Words in a module's name that say that the module is about a server and runs none.
const NOT_SERVERS: &[&str] = &[
    "alarm",
    "alarms",
    "alert",
    "alerts",
    "alerting",
    "monitor",
    "monitoring",
    "metrics",
    "dashboard",
    "dashboards",
    "backup",
    "backups",
    "snapshot",
    "subnet",
    "subnets",
    "security",
    "sg",
    "exporter",
    "proxy",
    "user",
    "users",
    "role",
    "roles",
    "iam",
    "irsa",
    "policy",
    "secret",
    "secrets",
    "logs",
    "logging",
    "cloudwatch",
    "notification",
    "notifications",
    "dns",
    "record",
    "kms",
    "key",
    "lambda",
    "replication",
    "endpoint",
    "migration",
    "client",
    "grants",
    "schema",
    "eks",
    "ecs",
    "vpc",
    "group",
    "groups",
    "object",
    "objects",
    "website",
    "state",
    "tfstate",
    "access",
];

/// Words in a module's name that say that the module runs a database; its arguments name the engine.
const DATABASES: &[&str] = &["rds", "aurora", "database", "db", "sql", "cloudsql", "mq", "cache", "broker"];

/// Reads a call of a module outside of the project; `None` if the module runs no server.
pub(super) fn read(kinds: &Kinds, call: &Block, arguments: &Node) -> Option<(Built, Vec<Diagnostic>)> {
    let source = arguments.get("source").and_then(Node::as_str).unwrap_or_default();
    let mut words = source_words(source);
    let version = version_argument(kinds, arguments);
    let is_other = |words: &[String]| words.iter().any(|word| NOT_SERVERS.contains(&word.as_str()));
    if is_other(&words) && version.is_none() {
        return None;
    }
    let by_words = |words: &[String]| words.iter().find_map(|word| kinds.spelled("cloud", word));
    let is_database = words.iter().any(|word| DATABASES.contains(&word.as_str()));
    if by_words(&words).is_none() && !is_database && version.is_none() {
        return None;
    }
    if !is_database && by_words(&words).is_none() {
        // Only the arguments suggest a server. The words of the source are not used: a cluster of machines, for
        // example, also has a version.
        words.clear();
    }
    let name_words = words_of(&call.name.value);
    let kind = by_engine(kinds, arguments)
        .or_else(|| version.and_then(|entry| entry.value.as_literal()).and_then(|text| cloud::engine_of(kinds, text)))
        .or_else(|| by_family(kinds, arguments))
        .or_else(|| by_plan(kinds, arguments))
        .or_else(|| by_words(&words))
        .or_else(|| version.and_then(|entry| by_words(&words_of(&entry.key.value))))
        .or_else(|| by_words(&name_words));
    let Some(kind) = kind else {
        if !is_database {
            return None;
        }
        let note = "a database of a module outside of the project; no argument names its engine".to_owned();
        let app = App { name: call.name.value.clone(), image: None, note, origin: call.name.origin.clone() };
        let diagnostic =
            Diagnostic::warning("terraform-module", format!("nothing says what the module `{}` runs", call.name.value))
                .at(&call.name.origin, "a database of some kind")
                .because("the module is not in the project, and none of its arguments names an engine")
                .help("let Terraform evaluate it: `terraform show -json | devenv -f - up`");
        return Some((Built::App(app), vec![diagnostic]));
    };
    Some((build(kinds, kind, call, arguments, version), Vec::new()))
}

/// Reads resources of platforms whose plan names the server: `heroku_addon`, `cloudfoundry_service_instance`.
pub(super) fn of_provider(kinds: &Kinds, scope: &Scope<'_>, block: &Block) -> Option<Built> {
    match block.type_name.as_str() {
        "heroku_addon" => {
            let body = scope.evaluate(&block.body);
            let plan = body.get("plan").and_then(Node::as_literal)?;
            let service = plan.split(':').next().unwrap_or(plan);
            let Some(kind) = kinds.spelled("heroku", service) else {
                let note = format!("the add-on {service}: no image stands for it");
                let origin = block.name.origin.clone();
                return Some(Built::App(App { name: block.name.value.clone(), image: None, note, origin }));
            };
            Some(of_shape(kinds, kind, block, &body, &["config.version"], Vec::new()))
        }
        "cloudfoundry_service_instance" => {
            let body = scope.evaluate(&block.body);
            // The plan is a reference: `data.cloudfoundry_service.rds.service_plans["micro-psql"]`.
            let plan = block.body.get("service_plan").or_else(|| block.body.get("service_plan_id"))?;
            let text = plan.as_str().unwrap_or_default();
            let kind = words_of(text)
                .iter()
                .rev()
                .chain(&words_of(&block.name.value))
                .find_map(|word| kinds.spelled("cloud", word))?;
            Some(build(kinds, kind, block, &body, version_argument(kinds, &body)))
        }
        _ => None,
    }
}

/// Builds the service of a call, with the databases, logins and settings in its arguments.
fn build(kinds: &Kinds, kind: &Kind, call: &Block, arguments: &Node, version: Option<&Entry>) -> Built {
    let mut parameters = Vec::new();
    for entry in arguments.entries().filter(|entry| !entry.value.is_null()) {
        let name = entry.key.value.as_str();
        if name.ends_with("maxmemory_policy") {
            parameters.push(parameter(name, "maxmemory-policy", entry.value.clone()));
        } else if name.ends_with("extensions") && kind.name == "postgres" {
            let names: Option<Vec<&str>> =
                entry.value.as_sequence().unwrap_or_default().iter().map(Node::as_literal).collect();
            let names = names.unwrap_or_default().join(",");
            parameters.push(parameter(name, "extensions", Node::scalar(names, true, entry.value.origin.clone())));
        } else if matches!(&entry.value.kind, NodeKind::Sequence(_)) && is_parameters(name) {
            parameters.extend(cloud::pairs(name, &entry.value, ""));
        }
    }
    let path = version.map(|entry| entry.key.value.as_str());
    let body = match version {
        // The version is inside another argument, for example in the JSON for a platform's broker.
        Some(entry) if arguments.get(&entry.key.value).is_none() => {
            let mut body = arguments.clone();
            if let NodeKind::Mapping(entries) = &mut body.kind {
                entries.push(entry.clone());
            }
            body
        }
        _ => arguments.clone(),
    };
    let path: Vec<&str> = path.into_iter().collect();
    of_shape(kinds, kind, call, &body, &path, parameters)
}

fn of_shape(
    kinds: &Kinds,
    kind: &Kind,
    block: &Block,
    body: &Node,
    version: &[&str],
    parameters: Vec<Parameter>,
) -> Built {
    let first = |names: &[&'static str]| {
        names.iter().copied().find(|name| body.get(name).is_some_and(|node| !node.is_null())).unwrap_or_default()
    };
    let database = first(&["db_name", "database_name", "rds_database_name", "initial_database"]);
    let user = first(&["db_username", "username", "master_username", "database_username", "administrator_login"]);
    let shape = Shape {
        resource: "",
        engine: "",
        version: &[],
        database,
        user,
        settings: &[],
        part_of: &["replicate_source_db", "master_instance_name", "replication_group_id"],
    };
    let resource = Resource {
        dialect: "kind",
        name: block.name.value.clone(),
        origin: block.name.origin.clone(),
        type_name: &kind.name,
        maker: &block.type_name,
        shape: &shape,
        body,
        parameters,
        databases: Vec::new(),
        users: Vec::new(),
    };
    let mut built = cloud::build(kinds, &resource);
    if let Built::Service(service, _) = &mut built {
        let found = version.iter().find_map(|path| cloud::at(body, path)).filter(|node| !node.is_null());
        service.version = cloud::read_version(found, kind, &block.name.origin);
        let engine =
            body.entries().find(|entry| is_engine(&entry.key.value)).and_then(|entry| entry.value.as_literal());
        cloud::stand_in(service, &kind.name, engine.unwrap_or_default());
        let is_read = |name: &str| {
            is_engine(name)
                || is_family(name)
                || matches!(name, "source" | "plan" | "config" | "service_plan" | "json_params")
                || words_of(name).iter().any(|word| word == "plan")
                || service.keys.iter().any(|key| key.path.split('.').next() == Some(name))
        };
        let names: Vec<&str> =
            body.entries().map(|entry| entry.key.value.as_str()).filter(|name| is_read(name)).collect();
        cloud::recognised(service, version.iter().copied().chain(names));
    }
    built
}

fn parameter(holder: &str, name: &str, value: Node) -> Parameter {
    let name = Located::new(name.to_owned(), value.origin.clone());
    Parameter { holder: holder.to_owned(), name, value, family: String::new() }
}

/// Whether an argument holds parameters: `db_parameter`, `parameters`, `database_flags`,
/// `db_cluster_parameter_group_parameters`, `user_parameters`.
fn is_parameters(name: &str) -> bool {
    name.ends_with("parameter") || name.ends_with("parameters") || name.ends_with("flags")
}

fn is_engine(name: &str) -> bool {
    matches!(name, "engine" | "db_engine" | "engine_type" | "database_engine" | "rds_engine" | "cluster_engine")
        || name.ends_with("_engine")
}

fn is_family(name: &str) -> bool {
    name.ends_with("family") || name.ends_with("parameter_group_name") || name.ends_with("parameter_group")
}

/// The argument with a server's version: `engine_version`, `db_engine_version`, `kafka_version`, `server_version`,
/// `database_version`; inside `json_params` and similar arguments, `engineVersion`.
fn version_argument<'n>(kinds: &Kinds, arguments: &'n Node) -> Option<&'n Entry> {
    let is_set = |entry: &&Entry| !entry.value.is_null() && entry.value.as_literal() != Some("");
    let rank = |entry: &Entry| {
        let words = words_of(&entry.key.value);
        if words.last().is_none_or(|last| last != "version") || words.len() < 2 {
            return None;
        }
        let has = |word: &str| words.iter().any(|known| known == word);
        if has("module") || has("provider") || has("minor") || has("chart") || has("upgrade") || has("tls") {
            return None;
        }
        if has("engine") {
            return Some(i32::from(has("major")));
        }
        let about = words.iter().any(|word| kinds.spelled("cloud", word).is_some());
        (about
            || words[..words.len() - 1] == ["server"]
            || words[..words.len() - 1] == ["database"]
            || words[..words.len() - 1] == ["db"])
        .then_some(2)
    };
    let best = |node: &'n Node| {
        node.entries().filter(is_set).filter_map(|entry| Some((rank(entry)?, entry))).min_by_key(|(rank, _)| *rank)
    };
    let inner = || arguments.entries().find_map(|entry| entry.value.as_mapping().and_then(|_| best(&entry.value)));
    best(arguments).or_else(inner).map(|(_, entry)| entry)
}

fn by_engine<'k>(kinds: &'k Kinds, arguments: &Node) -> Option<&'k Kind> {
    let engines = arguments.entries().filter(|entry| is_engine(&entry.key.value));
    engines.filter_map(|entry| entry.value.as_literal()).find_map(|word| cloud::engine_of(kinds, word))
}

/// The kind by the family of parameters: `rds_family = "postgres16"`, `parameter_group_name = "default.redis7"`.
fn by_family<'k>(kinds: &'k Kinds, arguments: &Node) -> Option<&'k Kind> {
    let families = arguments.entries().filter(|entry| is_family(&entry.key.value));
    families
        .filter_map(|entry| entry.value.as_literal())
        .map(|text| text.strip_prefix("default.").unwrap_or(text))
        .find_map(|text| cloud::engine_of(kinds, text))
}

/// The kind by a plan: `rds_plan_name = "medium-gp-psql-redundant"`.
fn by_plan<'k>(kinds: &'k Kinds, arguments: &Node) -> Option<&'k Kind> {
    let plans = arguments.entries().filter(|entry| words_of(&entry.key.value).iter().any(|word| word == "plan"));
    plans
        .filter_map(|entry| entry.value.as_literal())
        .find_map(|text| words_of(text).iter().find_map(|word| kinds.spelled("cloud", word)))
}

/// The words of the part of a source that names the module. A source is an address in a registry
/// (`terraform-aws-modules/rds-aurora/aws`), a repository, a folder in a repository (`//modules/redis`), or a path.
fn source_words(source: &str) -> Vec<String> {
    let source = source.split(['?', '#']).next().unwrap_or_default();
    let source = source.trim_end_matches('/').trim_end_matches(".git");
    let after_scheme = source.split_once("://").map_or(source, |(_, rest)| rest);
    if let Some((before, below)) = after_scheme.rsplit_once("//") {
        let last = last_part(below);
        // The name of such a folder says nothing about the module.
        let is_common = matches!(last, "module" | "modules" | "terraform" | "main");
        return words_of(if is_common { last_part(before) } else { last });
    }
    let parts: Vec<&str> = after_scheme.split('/').collect();
    let is_registry = !source.contains(':')
        && !source.starts_with('.')
        && matches!(parts.len(), 3 | 4)
        && !parts[0].contains("github.com");
    let part = match parts.as_slice() {
        [.., name, _provider] if is_registry => name,
        _ => last_part(after_scheme),
    };
    words_of(part)
}

fn last_part(path: &str) -> &str {
    path.rsplit(['/', ':']).next().unwrap_or(path)
}

/// The words of a name in any notation: `pac_elasticache_redis`, `engineVersion`, `rds-v70`.
fn words_of(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in text.chars() {
        let begins = !c.is_ascii_alphanumeric() || (c.is_ascii_uppercase() && before.is_ascii_lowercase());
        if begins && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_known_by_the_part_that_names_the_module() {
        for (source, words) in [
            ("terraform-aws-modules/rds-aurora/aws", "rds aurora"),
            ("app.terraform.io/org/redis/azurerm", "redis"),
            (
                "github.com/org/cloud-platform-terraform-elasticache-cluster?ref=8.0.0",
                "cloud platform terraform elasticache cluster",
            ),
            ("git::https://example.com/modules.git//aws/postgres?ref=v1", "postgres"),
            ("git@github.com:org/terraform-msk.git", "terraform msk"),
            ("github.com/org/terraform-cloudgov//redis?ref=v1.0.0", "redis"),
            ("./vendor/modules/aks//aks/redis", "redis"),
            ("../modules/s3-bucket", "s3 bucket"),
        ] {
            assert_eq!(source_words(source).join(" "), words, "{source}");
        }
    }
}
