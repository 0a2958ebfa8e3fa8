//! Poolers and proxies between an app and its database: what leads to one leads to the server behind it.
//!
//! A pooler is not started, and its own variables are not an app's. Which images are poolers is data
//! (`templates/poolers.yaml`); the server behind one is the service whose host its variables, arguments or files name.

use super::bind::{Sources, is_address_name};
use crate::model::{App, Diagnostic, ImageRef, Origin, Service};
use crate::project::{Budget, Resource};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A sort of pooler.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sort {
    /// Parts of its images' names.
    words: Vec<String>,
    /// The kinds of servers that can stand behind it.
    kinds: Vec<String>,
    /// Whether it is one only where it names a server.
    #[serde(default)]
    named: bool,
}

static SORTS: LazyLock<Vec<Sort>> = LazyLock::new(|| {
    // The file is part of the program and read by a test; one that does not parse would know no pooler.
    serde_saphyr::from_str(include_str!("../../templates/poolers.yaml")).unwrap_or_default()
});

/// The sort of pooler that an image is.
pub(crate) fn of_image(image: &str) -> Option<&'static Sort> {
    let image = ImageRef::parse(image).ok()?;
    let last = image.repository.rsplit('/').next().unwrap_or_default();
    let is = |word: &str| {
        last.split(['-', '_', '.']).any(|part| part == word) || (word.contains('-') && last.contains(word))
    };
    SORTS.iter().find(|sort| sort.words.iter().any(|word| is(word)))
}

/// A container that may be a pooler.
pub(crate) struct Pooler {
    /// Its app's name.
    pub(crate) app: String,
    /// Its sort; none where the manifest itself says what it is.
    pub(crate) sort: Option<&'static Sort>,
    /// The hosts by which apps reach it, `*` standing for any run of characters.
    pub(crate) hosts: Vec<String>,
    /// What it is told, each with the name of its variable; empty for arguments and files.
    pub(crate) told: Vec<(String, String)>,
    /// Where it is declared.
    pub(crate) origin: Origin,
}

/// Finds the server behind each pooler and gives it the pooler's hosts; one that names none is given back.
pub(crate) fn lead_on(
    poolers: Vec<Pooler>,
    services: &[Service],
    sources: &mut BTreeMap<String, Sources>,
    apps: &mut [App],
    diagnostics: &mut Vec<Diagnostic>,
    budget: &Budget,
) -> Vec<Pooler> {
    let mut open = poolers;
    // A proxy may stand before a pooler: each round finds those whose next one is known by now.
    loop {
        let before = open.len();
        let mut left = Vec::new();
        for pooler in open {
            match behind(&pooler, services, sources, budget) {
                Some(service) => {
                    sources.entry(service.clone()).or_default().poolers.extend(pooler.hosts.iter().cloned());
                    let told = format!("a connection pooler before {service}");
                    if let Some(app) = apps.iter_mut().find(|app| app.name == pooler.app) {
                        app.note.clone_from(&told);
                    }
                    diagnostics.push(
                        Diagnostic::note(
                            "pooler",
                            format!("`{}` is {told}, which apps reach directly here", pooler.app),
                        )
                        .at(&pooler.origin, "not started; what leads to it is bound to the server"),
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

/// The one service that a pooler names: by a variable that holds an address, else anywhere, else the only one there is.
fn behind(
    pooler: &Pooler,
    services: &[Service],
    sources: &BTreeMap<String, Sources>,
    budget: &Budget,
) -> Option<String> {
    // A chain of poolers is gone through once for each of them.
    if !budget.spend_at(Resource::Steps, 1 + services.len(), &pooler.origin) {
        return None;
    }
    let fits = |service: &&Service| pooler.sort.is_none_or(|sort| sort.kinds.contains(&service.kind));
    let candidates: Vec<&Service> = services.iter().filter(fits).collect();
    let named_in = |addresses_alone: bool| {
        let told = pooler.told.iter().filter(|(name, _)| !addresses_alone || is_address_name(name));
        let with_port = pooler.sort.is_some_and(|sort| sort.named);
        let hosts: Vec<String> = told.flat_map(|(_, text)| hosts_in(text, with_port)).collect();
        let mut named = candidates.iter().filter(|service| {
            let patterns = patterns_of(service, sources.get(&service.name));
            budget.spend_at(Resource::Steps, (1 + hosts.len()) * patterns.len(), &pooler.origin)
                && hosts.iter().any(|host| patterns.iter().any(|pattern| crate::kinds::matches(pattern, host)))
        });
        named.next().filter(|_| named.next().is_none()).map(|service| service.name.clone())
    };
    let only = || match candidates.as_slice() {
        [one] if pooler.sort.is_some_and(|sort| !sort.named) => Some(one.name.clone()),
        _ => None,
    };
    named_in(true).or_else(|| named_in(false)).or_else(only)
}

/// Words of a text that could be hosts; where a port has to be with them, only those of `host:5432`.
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

/// Every form of a service's host, those of poolers before it among them.
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

    fn pooler(app: &str, image: &str, told: &[(&str, &str)]) -> Pooler {
        let told = told.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Pooler { app: app.to_owned(), sort: of_image(image), hosts: vec![app.to_owned()], told, origin: origin() }
    }

    /// Which service each pooler stands before, and which poolers stand before none.
    fn led(poolers: Vec<Pooler>, services: &[Service]) -> (Vec<(String, Vec<String>)>, Vec<String>) {
        let mut sources = BTreeMap::new();
        let open = lead_on(poolers, services, &mut sources, &mut [], &mut Vec::new(), &Budget::default());
        let led = sources.into_iter().map(|(name, known)| (name, known.poolers)).collect();
        (led, open.into_iter().map(|pooler| pooler.app).collect())
    }

    #[test]
    fn the_kinds_of_every_pooler_are_known_and_its_words_are_no_two_sorts_own() {
        let kinds = Kinds::built_in().unwrap();
        assert!(SORTS.len() > 3, "templates/poolers.yaml does not read");
        let mut words: Vec<&String> = SORTS.iter().flat_map(|sort| &sort.words).collect();
        for kind in SORTS.iter().flat_map(|sort| &sort.kinds) {
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
    fn a_pooler_stands_before_the_server_that_it_names() {
        let services = [service("db", "postgres"), service("audit", "postgres"), service("cache", "redis")];
        let poolers = vec![
            pooler("pool", "edoburu/pgbouncer", &[("DB_HOST", "audit"), ("DB_NAME", "db")]),
            pooler("pgb", "bitnami/pgbouncer", &[("", "[databases]\nshop = host=db port=5432 dbname=shop\n")]),
            pooler("front", "haproxy:3", &[("", "server one pool:6432 check")]),
            pooler("web", "haproxy:3", &[("", "server one shop:8080 check")]),
        ];
        let (led, open) = led(poolers, &services);
        let of = |name: &str, hosts: &[&str]| (name.to_owned(), hosts.iter().map(|host| (*host).to_owned()).collect());
        assert_eq!(led, [of("audit", &["pool", "front"]), of("db", &["pgb"])]);
        assert_eq!(open, ["web"]);
    }

    #[test]
    fn a_pooler_that_names_none_stands_before_the_only_server_there_is() {
        let one = [service("db", "postgres"), service("cache", "redis")];
        let (led_to, open) = led(vec![pooler("pool", "edoburu/pgbouncer", &[])], &one);
        assert_eq!((led_to.len(), open.len()), (1, 0));
        let two = [service("db", "postgres"), service("audit", "postgres")];
        let (led_to, open) = led(vec![pooler("pool", "edoburu/pgbouncer", &[])], &two);
        assert_eq!((led_to.len(), open.len()), (0, 1));
    }
}
