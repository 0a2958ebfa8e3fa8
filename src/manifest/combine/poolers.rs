//! Poolers and proxies between an app and its database: a variable that leads to a pooler is bound to the server behind
//! the pooler.
//!
//! A pooler is not started, and its own variables are no variables of an app. `templates/poolers.yaml` says which
//! images are poolers. The server behind a pooler is the service whose host is in the pooler's variables, arguments or
//! files.

use crate::manifest::bind::{Sources, is_address_name};
use crate::model::{App, Diagnostic, ImageRef, Origin, Service};
use crate::project::{Budget, Resource};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A type of pooler.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolerType {
    /// Parts of the names of its images.
    words: Vec<String>,
    /// The kinds of servers that can be behind a pooler of this type.
    kinds: Vec<String>,
    /// Whether the image is a pooler only if its configuration names a server (`host:port`). A proxy, for example, may
    /// also be before an app.
    #[serde(default)]
    named: bool,
}

static POOLER_TYPES: LazyLock<Vec<PoolerType>> = LazyLock::new(|| {
    // The file is compiled into the program, and a test parses it. With a file that does not parse, no pooler would be
    // known.
    serde_saphyr::from_str(include_str!("../../../templates/poolers.yaml")).unwrap_or_default()
});

/// The type of pooler that an image is; `None` for any other image.
pub(crate) fn of_image(image: &str) -> Option<&'static PoolerType> {
    let image = ImageRef::parse(image).ok()?;
    let last = image.repository.rsplit('/').next().unwrap_or_default();
    let is = |word: &str| {
        last.split(['-', '_', '.']).any(|part| part == word) || (word.contains('-') && last.contains(word))
    };
    POOLER_TYPES.iter().find(|pooler| pooler.words.iter().any(|word| is(word)))
}

/// A container that may be a pooler.
pub(crate) struct Pooler {
    /// Its app's name.
    pub(crate) app: String,
    /// Its type; `None` if the manifest itself says that it is a pooler.
    pub(crate) family: Option<&'static PoolerType>,
    /// The hosts by which apps reach it; `*` matches any characters.
    pub(crate) hosts: Vec<String>,
    /// Its configuration: the value of each variable with the variable's name, and each argument and file with an empty
    /// name.
    pub(crate) configuration: Vec<(String, String)>,
    /// Where it is declared.
    pub(crate) origin: Origin,
}

/// Finds the server behind each pooler, and adds the pooler's hosts to the hosts of that server. Returns the poolers
/// without a server.
pub(crate) fn attach(
    poolers: Vec<Pooler>,
    services: &[Service],
    sources: &mut BTreeMap<String, Sources>,
    apps: &mut [App],
    diagnostics: &mut Vec<Diagnostic>,
    budget: &Budget,
) -> Vec<Pooler> {
    let mut open = poolers;
    // A proxy may be before another pooler. Each round finds the poolers whose next pooler is attached by then.
    loop {
        let before = open.len();
        let mut left = Vec::new();
        for pooler in open {
            match behind(&pooler, services, sources, budget) {
                Some(service) => {
                    sources.entry(service.clone()).or_default().poolers.extend(pooler.hosts.iter().cloned());
                    let note = format!("a connection pooler before {service}");
                    if let Some(app) = apps.iter_mut().find(|app| app.name == pooler.app) {
                        app.note.clone_from(&note);
                    }
                    diagnostics.push(
                        Diagnostic::note(
                            "pooler",
                            format!("`{}` is {note}, which apps reach directly here", pooler.app),
                        )
                        .at(&pooler.origin, "not started; variables that lead to it are bound to the server"),
                    );
                }
                None => left.push(pooler),
            }
        }
        open = left;
        if open.len() == before {
            return open;
        }
    }
}

/// The service behind a pooler: the one service that a variable with an address names, else the one service that the
/// configuration names anywhere, else the only service that fits the pooler's type.
fn behind(
    pooler: &Pooler,
    services: &[Service],
    sources: &BTreeMap<String, Sources>,
    budget: &Budget,
) -> Option<String> {
    // A chain of poolers is searched once for each pooler in it, so each search is counted.
    if !budget.spend_at(Resource::Steps, 1 + services.len(), &pooler.origin) {
        return None;
    }
    let fits = |service: &&Service| pooler.family.is_none_or(|known| known.kinds.contains(&service.kind));
    let candidates: Vec<&Service> = services.iter().filter(fits).collect();
    let named_in = |addresses_alone: bool| {
        let texts = pooler.configuration.iter().filter(|(name, _)| !addresses_alone || is_address_name(name));
        let with_port = pooler.family.is_some_and(|known| known.named);
        let hosts: Vec<String> = texts.flat_map(|(_, text)| hosts_in(text, with_port)).collect();
        let mut named = candidates.iter().filter(|service| {
            let patterns = patterns_of(service, sources.get(&service.name));
            budget.spend_at(Resource::Steps, (1 + hosts.len()) * patterns.len(), &pooler.origin)
                && hosts.iter().any(|host| patterns.iter().any(|pattern| crate::kinds::matches(pattern, host)))
        });
        named.next().filter(|_| named.next().is_none()).map(|service| service.name.clone())
    };
    let only = || match candidates.as_slice() {
        [one] if pooler.family.is_some_and(|known| !known.named) => Some(one.name.clone()),
        _ => None,
    };
    named_in(true).or_else(|| named_in(false)).or_else(only)
}

/// Words of a text that could be hosts; if a port is required, only the hosts of words such as `host:5432`.
fn hosts_in(text: &str, with_port: bool) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "-._:".contains(c)));
    let host = move |word: &str| {
        let has_port = |(_, port): (&str, &str)| port.starts_with(|c: char| c.is_ascii_digit());
        let is_one = !with_port || word.split_once(':').is_some_and(has_port);
        let parts = if with_port { 1 } else { usize::MAX };
        let hosts = word.split(':').take(if is_one { parts } else { 0 });
        hosts.filter(|host| !host.is_empty()).map(str::to_ascii_lowercase).collect::<Vec<_>>()
    };
    words.flat_map(host)
}

/// Every form of a service's host, and the hosts of the poolers before it.
fn patterns_of(service: &Service, known: Option<&Sources>) -> Vec<String> {
    let names = std::iter::once(&service.name).chain(&service.aliases);
    let further = known.into_iter().flat_map(|known| known.hosts.iter().chain(&known.poolers));
    names.chain(further).map(|name| name.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;
    use crate::model::{SourceFile, Version};
    use std::sync::Arc;

    fn origin() -> Origin {
        Origin::start_of(&Arc::new(SourceFile { path: "compose.yaml".into(), text: "x\n".into() }))
    }

    fn service(name: &str, kind: &str) -> Service {
        Service::new(name, kind, "official", Version::parse("1.2.3", false, |_| 3, origin()), origin())
    }

    fn pooler(app: &str, image: &str, configuration: &[(&str, &str)]) -> Pooler {
        Pooler {
            app: app.to_owned(),
            family: of_image(image),
            hosts: vec![app.to_owned()],
            configuration: configuration.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
            origin: origin(),
        }
    }

    /// The poolers before each service, and the poolers without a server.
    fn attached(poolers: Vec<Pooler>, services: &[Service]) -> (Vec<(String, Vec<String>)>, Vec<String>) {
        let mut sources = BTreeMap::new();
        let open = attach(poolers, services, &mut sources, &mut [], &mut Vec::new(), &Budget::default());
        let attached = sources.into_iter().map(|(name, known)| (name, known.poolers)).collect();
        (attached, open.into_iter().map(|pooler| pooler.app).collect())
    }

    #[test]
    fn the_kinds_of_every_pooler_are_known_and_no_word_is_of_two_types() {
        let kinds = Kinds::built_in().unwrap();
        assert!(POOLER_TYPES.len() > 3, "templates/poolers.yaml cannot be parsed");
        let mut words: Vec<&String> = POOLER_TYPES.iter().flat_map(|known| &known.words).collect();
        for kind in POOLER_TYPES.iter().flat_map(|known| &known.kinds) {
            assert!(kinds.get(kind).is_some(), "{kind}");
        }
        words.sort();
        assert!(words.windows(2).all(|two| two[0] != two[1]), "{words:?}");
        for image in
            ["edoburu/pgbouncer:1.23", "docker.io/bitnami/pgbouncer", "ghcr.io/postgresml/pgcat", "haproxy:3.0"]
        {
            assert!(of_image(image).is_some(), "{image}");
        }
        assert!(of_image("acme/shop-bouncers").is_none());
    }

    #[test]
    fn a_pooler_is_attached_to_the_server_that_it_names() {
        let services = [service("db", "postgres"), service("audit", "postgres"), service("cache", "redis")];
        let poolers = vec![
            pooler("pool", "edoburu/pgbouncer", &[("DB_HOST", "audit"), ("DB_NAME", "db")]),
            pooler("pgb", "bitnami/pgbouncer", &[("", "[databases]\nshop = host=db port=5432 dbname=shop\n")]),
            pooler("front", "haproxy:3", &[("", "server one pool:6432 check")]),
            pooler("web", "haproxy:3", &[("", "server one shop:8080 check")]),
        ];
        let (found, open) = attached(poolers, &services);
        let of = |name: &str, hosts: &[&str]| (name.to_owned(), hosts.iter().map(|host| (*host).to_owned()).collect());
        assert_eq!(found, [of("audit", &["pool", "front"]), of("db", &["pgb"])]);
        assert_eq!(open, ["web"]);
    }

    #[test]
    fn a_pooler_that_names_no_server_is_attached_to_the_only_server_of_its_kinds() {
        let one = [service("db", "postgres"), service("cache", "redis")];
        let (found, open) = attached(vec![pooler("pool", "edoburu/pgbouncer", &[])], &one);
        assert_eq!((found.len(), open.len()), (1, 0));
        let two = [service("db", "postgres"), service("audit", "postgres")];
        let (found, open) = attached(vec![pooler("pool", "edoburu/pgbouncer", &[])], &two);
        assert_eq!((found.len(), open.len()), (0, 1));
    }
}
