//! Finds the services that are declared in two formats under different names: Terraform's database, for example, and
//! the same database in Compose or Kubernetes.
//!
//! Names and other declarations have to agree. If several services could be meant, none is chosen: two services that
//! are taken for one would hide the second service, while one service that is taken for two only starts an idle server.

use crate::kinds::Kinds;
use crate::model::{Service, Stack};
use std::collections::BTreeSet;

/// Words that formats and teams put into the name of any service.
const COMMON_WORDS: &[&str] = &[
    "db",
    "dbs",
    "database",
    "databases",
    "data",
    "sql",
    "instance",
    "instances",
    "cluster",
    "server",
    "service",
    "svc",
    "host",
    "main",
    "primary",
    "master",
    "default",
    "this",
    "prod",
    "production",
    "app",
    "aws",
    "rds",
    "aurora",
    "elasticache",
    "memorystore",
    "azure",
    "google",
    "managed",
    "flexible",
    "replication",
    "group",
    "broker",
    "pg",
    "credentials",
];

/// Pairs of names: a service of the other stack, and the same service of this stack under another name.
pub(crate) fn pairs(stack: &Stack, other: &Stack, kinds: &Kinds) -> Vec<(String, String)> {
    let project = words(&stack.project).chain(words(&other.project)).collect();
    let free = |service: &&Service, there: &Stack| there.service(&service.name).is_none();
    let of = |stack: &Stack, there: &Stack| -> Vec<(Service, BTreeSet<String>)> {
        let services = stack.services.iter().filter(|service| free(service, there));
        services.map(|service| (service.clone(), distinct(service, kinds, &project))).collect()
    };
    let (here, there) = (of(stack, other), of(other, stack));
    let mut found = Vec::new();
    for (new, its_words) in &there {
        let is_same = |(known, words): &&(Service, BTreeSet<String>)| {
            known.kind == new.kind && (known_as(known, new) || (words == its_words && agree(known, new)))
        };
        let mut known = here.iter().filter(is_same);
        let (Some((known, words)), None) = (known.next(), known.next()) else { continue };
        let rivals = there.iter().filter(|(rival, rivals)| rival.kind == new.kind && rivals == words).count();
        if rivals == 1 || known_as(known, new) {
            found.push((new.name.clone(), known.name.clone()));
        }
    }
    found
}

/// Whether apps reach one service by the name of the other service.
fn known_as(one: &Service, other: &Service) -> bool {
    one.aliases.contains(&other.name) || other.aliases.contains(&one.name)
}

/// Whether both services declare a common database, or one of them declares none.
fn agree(one: &Service, other: &Service) -> bool {
    // A name that the reader filled in has the origin of the service, and proves nothing.
    let declared = |service: &Service| -> BTreeSet<String> {
        let said = service.databases.iter().filter(|database| database.name.origin != service.origin);
        said.map(|database| database.name.value.clone()).collect()
    };
    let (here, there) = (declared(one), declared(other));
    here.is_empty() || there.is_empty() || !here.is_disjoint(&there)
}

/// The words of a service's name that distinguish the service from others of its kind.
fn distinct(service: &Service, kinds: &Kinds, project: &BTreeSet<String>) -> BTreeSet<String> {
    let kind = kinds.get(&service.kind);
    let of_kind = |word: &String| {
        kind.is_some_and(|kind| kind.names.contains(word) || kind.derived.contains(word) || kind.servers.contains(word))
    };
    words(&service.name)
        .filter(|word| !COMMON_WORDS.contains(&word.as_str()) && !of_kind(word) && !project.contains(word))
        .collect()
}

fn words(name: &str) -> impl Iterator<Item = String> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase)
}
