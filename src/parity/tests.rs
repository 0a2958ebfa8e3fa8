//! Compares the sides of services, without a server.

use super::*;
use crate::model::{
    Change, Credential, Difference, ImageRef, Impact, Located, LockedService, Origin, Production, Protocol, Rights,
    Said, Service, ServiceFacts, Setting, SourceFile, User, Verdict, Version, side,
};
use std::collections::BTreeMap;
use std::sync::Arc;

const AS_DECLARED: &str = "`devenv up` applies the declaration here";

fn place(path: &str, line: u32) -> Origin {
    let file = Arc::new(SourceFile { path: path.into(), text: String::new() });
    Origin { line, ..Origin::start_of(&file) }
}

fn production(line: u32) -> Origin {
    place("compose.prod.yaml", line)
}

fn local(line: u32) -> Origin {
    place("services.local.yaml", line)
}

fn facts(version: &str, topics: &[(&str, &[(&str, &str)])]) -> ServiceFacts {
    let entries = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    ServiceFacts {
        protocol: Protocol::Postgres,
        product: "PostgreSQL".to_owned(),
        version: Some(version.to_owned()),
        topics: topics.iter().map(|(topic, pairs)| ((*topic).to_owned(), entries(pairs))).collect(),
        not_asked: BTreeMap::new(),
    }
}

fn sides<'a>(declared: &'a Declared, answered: Vec<(&'a str, &'a ServiceFacts)>) -> Sides<'a> {
    Sides {
        service: "db",
        protocol: Protocol::Postgres,
        full: 2,
        origin: None,
        version_origin: None,
        declared: Some(declared),
        overlay: None,
        locked: None,
        running: None,
        answered,
        advice: Advice::Here,
    }
}

/// A Postgres service with that image, as production's file declares it.
fn service(tag: &str, origin: Origin) -> Service {
    let image = ImageRef::parse(&format!("postgres:{tag}")).unwrap();
    let version = Version::parse(tag, false, |_| 2, origin.clone());
    let mut service = Service::new("db", "postgres", "official", version, production(2));
    service.image = Some(Located::new(image, origin));
    service
}

/// The same service with another image in `services.local.yaml`.
fn pinned(declared: Service, image: &str) -> Service {
    let reference = ImageRef::parse(image).unwrap();
    let version = Version::parse(reference.tag.as_deref().unwrap_or_default(), false, |_| 2, local(3));
    let image = Some(Located::new(reference, local(3)));
    Service { version, image, production: Production::Declared(Box::new(declared.clone())), ..declared }
}

fn compared(service: &Service, answered: Vec<(&str, &ServiceFacts)>) -> Compared {
    let declared = declared(service, Protocol::Postgres);
    let overlay = overlay(service, Protocol::Postgres);
    compare(&Sides {
        declared: declared.as_ref(),
        version_origin: service.in_production().map(|service| &service.version.origin),
        overlay: overlay.as_ref().map(|(overlay, place)| (overlay, *place)),
        ..sides(&Declared::default(), answered)
    })
}

/// `version: manifest 16.4 · overlay 17.12 (services.local.yaml:3)` with its impact.
fn summaries(found: &[Difference]) -> Vec<(String, Impact)> {
    let said = |said: &Said| format!("{} {}", said.side, said.value);
    let line = |found: &Difference| {
        let sides: Vec<String> = found.said.iter().map(said).collect();
        let place = found.origin.as_ref().map(|origin| format!(" ({}:{})", origin.path().display(), origin.line));
        (format!("{}: {}{}", found.subject, sides.join(" · "), place.unwrap_or_default()), found.impact)
    };
    found.iter().map(line).collect()
}

#[test]
fn up_fixes_a_server_that_differs_from_its_declaration() {
    let mut declared = Declared { version: Some("16".to_owned()), ..Declared::default() };
    let name = ("settings".to_owned(), "max_connections".to_owned());
    declared.entries.insert(name, (Some("50".to_owned()), production(1)));
    let here = facts("15.2", &[("settings", &[("max_connections", "100")])]);
    let found = compare(&sides(&declared, vec![(side::LOCAL, &here)])).differences;
    let advice: Vec<(&str, &[String])> = found.iter().map(|one| (one.code, one.help.as_slice())).collect();
    let help = [AS_DECLARED.to_owned()];
    assert_eq!(advice, [("version-major", &help[..]), ("setting", &help[..])]);
}

#[test]
fn a_default_is_known_from_the_side_that_tells_it() {
    let declared = Declared::default();
    let here = facts("16.4", &[("settings", &[]), ("defaults", &[])]);
    let with = |value: &str| {
        facts("16.4", &[("settings", &[("lock_timeout", value)]), ("defaults", &[("lock_timeout", "0ms")])])
    };
    let compared = |there: &ServiceFacts| {
        compare(&sides(&declared, vec![(side::PRODUCTION, there), (side::LOCAL, &here)])).differences
    };
    assert_eq!(compared(&with("0")), [], "somebody set what is the default");
    let found = compared(&with("5s"));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].said, [Said::new(side::PRODUCTION, "5s"), Said::new(side::LOCAL, "0ms (the default)")]);
    // A topic that a side was not asked about is not compared.
    let silent = facts("16.4", &[]);
    let compared = compare(&sides(&declared, vec![(side::PRODUCTION, &with("5s")), (side::LOCAL, &silent)]));
    assert_eq!(compared.differences, []);
    let of_setting = compared.facts.iter().find(|fact| fact.name == "lock_timeout").unwrap();
    assert_eq!(of_setting.verdict, Verdict::NotCompared);
}

#[test]
fn a_pin_that_contradicts_production_s_file_is_a_finding_at_its_own_line() {
    for (declared, pin, finding) in [
        ("17", "postgres:17.12", None),
        ("17.12", "postgres:17.12", None),
        ("latest", "postgres:17.12", None),
        (
            "16.4",
            "postgres:17.12",
            Some(("version: manifest 16.4 · overlay 17.12 (services.local.yaml:3)", Impact::Breaks)),
        ),
        (
            "16.4",
            "postgres:16.6",
            Some(("version: manifest 16.4 · overlay 16.6 (services.local.yaml:3)", Impact::Cosmetic)),
        ),
        (
            "16.4",
            "postgres:16",
            Some(("version: manifest 16.4 · overlay 16 (services.local.yaml:3)", Impact::Cosmetic)),
        ),
        (
            "16.4",
            "postgres:latest",
            Some(("version: manifest 16.4 · overlay latest (services.local.yaml:3)", Impact::Breaks)),
        ),
        (
            "16.4",
            "acme/postgres:16.4",
            Some((
                "image: manifest docker.io/library/postgres · overlay docker.io/acme/postgres (services.local.yaml:3)",
                Impact::Behaves,
            )),
        ),
    ] {
        let service = pinned(service(declared, production(3)), pin);
        let contradicts = service.changes().iter().any(|change| change.contradicts);
        assert_eq!(contradicts, finding.is_some(), "{pin} over {declared}: {:?}", service.changes());
        let found = compared(&service, Vec::new()).differences;
        let wanted: Vec<(String, Impact)> =
            finding.iter().map(|(text, impact)| ((*text).to_owned(), *impact)).collect();
        assert_eq!(summaries(&found), wanted, "{pin} over {declared}");
        for found in found {
            assert!(found.help[0].contains("services.local.yaml:3"), "{:?}", found.help);
        }
    }
}

#[test]
fn the_answer_of_production_s_server_counts_before_its_files() {
    let service = pinned(service("16.4", production(3)), "postgres:17.12");
    let here = facts("17.12", &[]);
    let found = compared(&service, vec![(side::PRODUCTION, &facts("16.4", &[])), (side::LOCAL, &here)]).differences;
    let line = "version: production 16.4 · local 17.12 · manifest 16.4 · overlay 17.12 (services.local.yaml:3)";
    assert_eq!(summaries(&found), [(line.to_owned(), Impact::Breaks)]);
}

#[test]
fn additions_of_services_local_yaml_are_not_declarations_of_production() {
    let declared = service("16.4", production(3));
    let mut here = declared.clone();
    here.production = Production::Declared(Box::new(declared));
    here.extensions.push(Located::new("hstore".to_owned(), local(4)));
    here.settings.push(Setting { name: "Work_Mem".to_owned(), value: Located::new("8MB".to_owned(), local(5)) });
    here.environment.push(("POSTGRES_INITDB_ARGS".to_owned(), Located::new("--secret".to_owned(), local(6))));
    let subjects = |changes: &[Change]| changes.iter().map(Change::subject).collect::<Vec<_>>();
    assert_eq!(subjects(&here.changes()), ["Work_Mem", "hstore", "variable POSTGRES_INITDB_ARGS"]);
    let found = compared(&here, Vec::new()).differences;
    assert_eq!(
        summaries(&found),
        [
            (
                "variable POSTGRES_INITDB_ARGS: manifest absent · overlay set (services.local.yaml:6)".to_owned(),
                Impact::Behaves
            ),
            ("extension hstore: manifest absent · overlay declared (services.local.yaml:4)".to_owned(), Impact::Breaks),
            ("work_mem: manifest the default · overlay 8MB (services.local.yaml:5)".to_owned(), Impact::Cosmetic),
        ]
    );
    // If production's server has the entry, the silence of production's files is no contradiction.
    let there = facts("16.4", &[("extensions", &[("hstore", "1.8")]), ("settings", &[("work_mem", "8MB")])]);
    let found = compared(&here, vec![(side::PRODUCTION, &there)]).differences;
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn a_service_that_only_this_checkout_has_is_not_a_service_of_production() {
    let mut here = service("16.4", local(2));
    here.production = Production::Nothing;
    assert!(declared(&here, Protocol::Postgres).is_none());
    let overlay = overlay(&here, Protocol::Postgres).unwrap();
    assert_eq!(overlay.0.version.as_deref(), Some("16.4"));
    assert_eq!(compared(&here, Vec::new()).differences, []);
}

#[test]
fn musl_against_glibc_behaves_and_other_bases_and_variants_are_reported() {
    let there = facts("16.4", &[("image", &[("libc", "musl"), ("base", "Alpine")])]);
    let here = with_image(facts("16.4", &[]), "postgres:16.4");
    let found = compared(&service("16.4", production(3)), vec![(side::PRODUCTION, &there), (side::LOCAL, &here)]);
    let of = |found: &Compared, code: &str| found.differences.iter().find(|one| one.code == code).cloned();
    let libc = of(&found, "libc").unwrap();
    let line = "C library of the image: production musl · local glibc · manifest glibc (compose.prod.yaml:3)";
    assert_eq!(summaries(std::slice::from_ref(&libc)), [(line.to_owned(), Impact::Behaves)]);
    assert!(libc.why.contains("collations") && libc.source.starts_with("https://wiki.musl-libc.org/"), "{libc:?}");
    // Manifest, lock and services.local.yaml are compared by their tags.
    let alpine = service("16.4-alpine", production(3));
    let locked = LockedService {
        declared: "16.4".to_owned(),
        origin: String::new(),
        version: None,
        image: "docker.io/library/postgres:16.4-bookworm".to_owned(),
        digest: None,
        platforms: BTreeMap::new(),
        manifest: String::new(),
    };
    let of_alpine = declared(&alpine, Protocol::Postgres).unwrap();
    let found = compare(&Sides { locked: Some(&locked), ..sides(&of_alpine, Vec::new()) });
    assert!(of(&found, "libc").is_some(), "{found:?}");
    let codes = |declared: &str, pin: &str| {
        let service = pinned(service(declared, production(3)), pin);
        let found = compared(&service, Vec::new()).differences;
        let contradicts = service.changes().iter().any(|change| change.contradicts);
        assert_eq!(contradicts, !found.is_empty(), "`up` and parity report the same: {pin} in place of {declared}");
        found.iter().map(|one| one.code).collect::<Vec<_>>()
    };
    assert_eq!(codes("16.4-alpine", "postgres:16.4-trixie"), ["image-base", "libc", "image-variant"]);
    assert_eq!(codes("16.4-bookworm", "postgres:16.4-trixie"), ["image-base", "image-variant"]);
    assert_eq!(codes("16.4", "postgres:16.4-alpine"), ["image-base", "libc", "image-variant"]);
    // A tag that does not name the release of its base agrees with a tag that does.
    assert_eq!(codes("16", "postgres:16.4-bookworm"), [""; 0]);
}

#[test]
fn advice_for_two_manifests_names_the_manifest_to_change_and_no_local_server() {
    let with = |tag: &str, setting: Option<&str>| {
        let mut service = service(tag, production(3));
        let setting = setting.map(|value| Located::new(value.to_owned(), production(4)));
        service.settings.extend(setting.map(|value| Setting { name: "max_connections".to_owned(), value }));
        as_facts(&declared(&service, Protocol::Postgres).unwrap(), Protocol::Postgres, "PostgreSQL")
    };
    let (one, other) = (with("16.4", Some("200")), with("15.18-alpine", None));
    let none = Declared::default();
    let answered = vec![("production", &one), ("staging", &other)];
    let help = |manifests: &[&str]| {
        let sides = Sides { declared: None, advice: Advice::Between { manifests }, ..sides(&none, answered.clone()) };
        let found = compare(&sides).differences;
        found.into_iter().map(|one| (one.code, one.help)).collect::<BTreeMap<_, _>>()
    };
    let manifests = help(&["production", "staging"]);
    assert_eq!(manifests["version-major"], ["in staging: declare 16.4 for db"]);
    assert_eq!(
        manifests["setting"],
        [
            "in staging: declare `max_connections: \"200\"` in the settings of db",
            "or in production: remove `max_connections` from the settings of db"
        ]
    );
    assert_eq!(manifests["libc"][0], "in staging: name a tag for db that is built on glibc");
    let servers = help(&[]);
    assert_eq!(servers["version-major"], ["upgrade staging to 16.4"]);
    assert_eq!(
        servers["setting"][0],
        "in staging: `ALTER SYSTEM SET max_connections = '200'`, or the provider's parameter group"
    );
    for text in manifests.values().chain(servers.values()).flatten() {
        for local in ["here:", "devenv up", "devenv pin", "--fresh"] {
            assert!(!text.contains(local), "{text}");
        }
    }
}

#[test]
fn a_login_that_may_do_more_or_less_than_production_s_is_a_finding() {
    let mut declared = service("16.4", production(3));
    let name = Located::new("shop".to_owned(), production(4));
    let credential = Credential::Own("db".to_owned());
    declared.users.push(User { name, credential, bound: true, rights: Some(Rights::Superuser) });
    let with = |attributes: &str| facts("16.4", &[("roles", &[("shop", attributes)])]);
    let all = with("login, superuser, createdb, createrole, replication");
    let found = |local: &ServiceFacts| compared(&declared, vec![(side::PRODUCTION, &all), (side::LOCAL, local)]);
    assert_eq!(found(&all).differences, []);
    let less = found(&with("login, createdb")).differences;
    let line = "role shop: production login, superuser, createdb, createrole, replication · local login, createdb · \
                manifest login, superuser, createdb, createrole, replication (compose.prod.yaml:4)";
    assert_eq!(summaries(&less), [(line.to_owned(), Impact::Behaves)]);
    assert_eq!(less[0].code, "role");
}
