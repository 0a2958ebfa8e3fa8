//! One service's sides against each other.

use super::knowledge::{Knowledge, Rule};
use super::values::same;
use crate::model::{Difference, Gap, Impact, LockedService, Origin, Protocol, Said, ServiceFacts, side};
use std::collections::{BTreeMap, BTreeSet};

/// What a manifest declares of one service. It is silent about everything else.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// The version's number: `16`, `16.4`.
    pub version: Option<String>,
    /// By topic and name: the value (none where being there is all there is to it), and where it is declared.
    pub entries: BTreeMap<(String, String), (Option<String>, Origin)>,
}

/// What is known of one service, from each side as far as it is there.
#[derive(Clone, Debug)]
pub struct Sides<'a> {
    /// The service's name.
    pub service: &'a str,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// How many numbers a full release of it has: 2 for Postgres.
    pub full: usize,
    /// Where the manifest declares it.
    pub origin: Option<&'a Origin>,
    /// Where the manifest declares its version.
    pub version_origin: Option<&'a Origin>,
    /// What the manifest declares.
    pub declared: Option<&'a Declared>,
    /// What is pinned.
    pub locked: Option<&'a LockedService>,
    /// Every digest and id by which the image that runs here is known.
    pub running: Option<&'a BTreeSet<String>>,
    /// What servers answered, production first: the side's name (`production`, `local`), and its facts.
    pub answered: Vec<(&'a str, &'a ServiceFacts)>,
}

/// What a side that has nothing of a name is shown to have.
const ABSENT: &str = "absent";

/// Every difference between the sides, in the order of topics and names.
pub fn compare(sides: &Sides<'_>) -> Vec<Difference> {
    let mut found = Vec::new();
    found.extend(product(sides));
    found.extend(version(sides));
    found.extend(image(sides));
    let mut names: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (_, facts) in &sides.answered {
        let topics = facts.topics.iter().filter(|(topic, _)| *topic != "defaults");
        names.extend(
            topics.flat_map(|(topic, entries)| entries.keys().map(move |name| (topic.as_str(), name.as_str()))),
        );
    }
    let declared = sides.declared.iter().flat_map(|declared| declared.entries.keys());
    names.extend(declared.map(|(topic, name)| (topic.as_str(), name.as_str())));
    found.extend(names.into_iter().filter_map(|(topic, name)| entry(sides, topic, name)));
    found
}

/// What one side has of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Has {
    /// This value.
    Value(String),
    /// The server's own default, which the other side's server told: nobody set it here.
    Default(String),
    /// It is there; there is no value to it.
    There,
    /// Nothing, and it would say so if it had.
    Nothing,
}

impl Has {
    fn value(&self) -> Option<&str> {
        match self {
            Self::Value(value) | Self::Default(value) => Some(value),
            Self::There | Self::Nothing => None,
        }
    }

    fn shown(&self, topic: &str) -> String {
        match self {
            Self::Value(value) => or_empty(value).to_owned(),
            Self::Default(value) => format!("{} (the default)", or_empty(value)),
            Self::There => "declared".to_owned(),
            Self::Nothing if topic == "settings" => "the default".to_owned(),
            Self::Nothing => ABSENT.to_owned(),
        }
    }
}

fn or_empty(value: &str) -> &str {
    if value.is_empty() { "empty" } else { value }
}

fn entry(sides: &Sides<'_>, topic: &str, name: &str) -> Option<Difference> {
    let knowledge = Knowledge::of(sides.protocol);
    let rule = knowledge.rule(topic, name)?;
    let mut said: Vec<(&str, Has)> = Vec::new();
    let declared = sides.declared.and_then(|declared| declared.entries.get(&(topic.to_owned(), name.to_owned())));
    for (side, facts) in &sides.answered {
        said.extend(has(facts, topic, name, &sides.answered).map(|has| (*side, has)));
    }
    if let Some((value, _)) = declared {
        said.push((side::MANIFEST, value.clone().map_or(Has::There, Has::Value)));
    }
    let unit = knowledge.unit(name);
    let agree = |one: &Has, other: &Has| match (one.value(), other.value()) {
        (Some(one), Some(other)) => same(rule.same, unit, one, other),
        // Being there is all that one of them says.
        _ => (*one == Has::Nothing) == (*other == Has::Nothing),
    };
    let (_, first) = said.first()?;
    if said.iter().all(|(_, other)| agree(first, other)) {
        return None;
    }
    let impact = rule.impact(said.iter().any(|(_, has)| *has == Has::Nothing))?;
    let origin = declared.map(|(_, origin)| origin).or(sides.origin).cloned();
    Some(Difference {
        code: code(rule),
        impact,
        gap: Gap::Tools,
        service: sides.service.to_owned(),
        subject: subject(topic, name),
        help: help(sides, topic, name, &said),
        said: said.into_iter().map(|(side, has)| Said::new(side, has.shown(topic))).collect(),
        why: rule.why.clone(),
        source: rule.source.clone(),
        origin,
    })
}

/// What a server's facts say of a name; none where it was not asked, or could not be.
fn has(facts: &ServiceFacts, topic: &str, name: &str, all: &[(&str, &ServiceFacts)]) -> Option<Has> {
    if let Some(value) = facts.get(topic, name) {
        let default = topic == "settings" && facts.get("defaults", name) == Some(value);
        return Some(if default { Has::Default(value.to_owned()) } else { Has::Value(value.to_owned()) });
    }
    if facts.not_asked.contains_key(topic)
        || facts.not_asked.contains_key(&format!("{topic}/{name}"))
        || !facts.topics.contains_key(topic)
    {
        return None;
    }
    // Who lists only what differs from the default has the default; what that is, another server of it tells.
    let default =
        (topic == "settings").then(|| all.iter().find_map(|(_, facts)| facts.get("defaults", name))).flatten();
    Some(default.map_or(Has::Nothing, |value| Has::Default(value.to_owned())))
}

fn code(rule: &'static Rule) -> &'static str {
    rule.code.as_deref().unwrap_or("setting")
}

fn subject(topic: &str, name: &str) -> String {
    match topic {
        "settings" | "server" => name.to_owned(),
        "database" => name.replace('_', " "),
        "vhosts" => format!("virtual host {name}"),
        "policies" => format!("policy {name}"),
        "feature-flags" => format!("feature flag {name}"),
        _ => format!("{} {name}", topic.trim_end_matches('s')),
    }
}

/// What to do where nothing but what runs here differs from what is declared.
const AS_DECLARED: &str = "`devenv up` brings here what is declared";

/// Both ways to make the sides agree. What a file declares is changed there; what none does is declared.
fn help(sides: &Sides<'_>, topic: &str, name: &str, said: &[(&str, Has)]) -> Vec<String> {
    let of = |side: &str| said.iter().find(|(name, _)| *name == side).map(|(_, has)| has);
    let service = sides.service;
    let quoted = |value: &str| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    let Some((first, wanted)) = said.first() else { return Vec::new() };
    if *first == side::LOCAL {
        return vec![AS_DECLARED.to_owned()];
    }
    let mut help = Vec::new();
    let there = match (topic, wanted) {
        ("settings", Has::Value(value) | Has::Default(value)) => {
            Some(format!("declare `{name}: {}` in the settings of {service}", quoted(value)))
        }
        ("extensions" | "plugins" | "vhosts" | "databases", Has::Nothing) => of(side::MANIFEST).map_or_else(
            || Some(format!("nothing declares it: drop it here, or bring it to {first}")),
            |_| Some(format!("take it out of the manifest, or bring it to {first}")),
        ),
        ("extensions" | "plugins" | "vhosts" | "databases", _) => {
            Some(format!("declare `{topic}: [{name}]` for {service}"))
        }
        ("database", _) if name != "name" => Some(format!(
            "declare `POSTGRES_INITDB_ARGS` for {service} as {first} was made, and begin its data anew (`devenv up --fresh {service}`)"
        )),
        _ => None,
    };
    if let Some(there) = there {
        help.push(format!("here: {there}"));
    }
    let other = said.iter().skip(1).map(|(_, has)| has).find(|has| *has != wanted);
    match (sides.protocol, topic, other) {
        (Protocol::Postgres, "settings", Some(Has::Value(value) | Has::Default(value))) => {
            help.push(format!(
                "or in {first}: `ALTER SYSTEM SET {name} = '{value}'`, or the provider's parameter group"
            ));
        }
        (Protocol::Redis, "settings", Some(Has::Value(value))) => {
            help.push(format!(
                "or in {first}: `CONFIG SET {name} {}`, or the provider's parameter group",
                quoted(value)
            ));
        }
        (Protocol::Postgres, "extensions", Some(has)) if *has != Has::Nothing => {
            help.push(format!("or in {first}: `CREATE EXTENSION \"{name}\"`"));
        }
        (Protocol::Amqp, "vhosts", Some(has)) if *has != Has::Nothing => {
            help.push(format!("or in {first}: `rabbitmqctl add_vhost '{name}'`"));
        }
        (Protocol::Amqp, "plugins", Some(has)) if *has != Has::Nothing => {
            help.push(format!("or in {first}: `rabbitmq-plugins enable {name}`"));
        }
        _ => {}
    }
    help
}

fn difference(sides: &Sides<'_>, code: &'static str, impact: Impact, subject: &str, said: Vec<Said>) -> Difference {
    Difference {
        code,
        impact,
        gap: Gap::Tools,
        service: sides.service.to_owned(),
        subject: subject.to_owned(),
        said,
        why: String::new(),
        source: String::new(),
        help: Vec::new(),
        origin: sides.origin.cloned(),
    }
}

fn product(sides: &Sides<'_>) -> Option<Difference> {
    let said: Vec<Said> = sides.answered.iter().map(|(side, facts)| Said::new(*side, facts.product.clone())).collect();
    if said.windows(2).all(|two| two[0].value == two[1].value) {
        return None;
    }
    Some(Difference {
        why: "another product answers, whose commands, defaults and versions are its own".to_owned(),
        help: vec![format!("here: declare the image or kind that {} runs", said[0].side)],
        ..difference(sides, "product", Impact::Breaks, "product", said)
    })
}

/// A backing service that production declares and this checkout leaves out.
pub fn left_out(service: &str, origin: &Origin) -> Difference {
    let said = vec![Said::new(side::MANIFEST, "declared"), Said::new(side::LOCAL, "left out")];
    Difference {
        code: "left-out",
        impact: Impact::Behaves,
        gap: Gap::Tools,
        // Nothing of it runs here that would have a section of its own.
        service: String::new(),
        subject: format!("service {service}"),
        said,
        why: "what the app does with it is not tried here".to_owned(),
        source: String::new(),
        help: vec!["here: take it out of `leave_out` in services.local.yaml".to_owned()],
        origin: Some(origin.clone()),
    }
}

/// Numbers of a version: `16.4` and `16.4-alpine` are 16 and 4.
fn numbers(version: &str) -> Vec<&str> {
    let end = version.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(version.len());
    version[..end].split('.').filter(|number| !number.is_empty()).collect()
}

fn version(sides: &Sides<'_>) -> Option<Difference> {
    let mut said: Vec<Said> = Vec::new();
    let mut say = |side: &str, version: Option<&str>| {
        if let Some(version) = version.filter(|version| !numbers(version).is_empty()) {
            said.push(Said::new(side, version));
        }
    };
    for (side, facts) in &sides.answered {
        say(side, facts.version.as_deref());
    }
    say(side::LOCK, sides.locked.and_then(|locked| locked.version.as_deref()));
    say(side::MANIFEST, sides.declared.and_then(|declared| declared.version.as_deref()));
    // As far as both say it: `16` is no other version than `16.4`.
    let differ_at = |one: &str, other: &str| {
        numbers(one).into_iter().zip(numbers(other)).take(sides.full).position(|(one, other)| one != other)
    };
    let at = said.iter().flat_map(|one| said.iter().filter_map(|other| differ_at(&one.value, &other.value))).min()?;
    let (code, impact, why) = if at == 0 {
        ("version-major", Impact::Breaks, "a major version changes statements, defaults and the form of data")
    } else if at + 1 < sides.full {
        ("version-minor", Impact::Behaves, "a minor version brings commands and defaults that the other lacks")
    } else {
        ("version-patch", Impact::Cosmetic, "one has mistakes, and holes, that the other has mended")
    };
    let source = match sides.protocol {
        Protocol::Postgres => "https://www.postgresql.org/support/versioning/",
        Protocol::Mysql => "https://dev.mysql.com/doc/refman/8.4/en/mysql-releases.html",
        Protocol::Redis => "https://redis.io/docs/latest/operate/oss_and_stack/install/version-mgmt/",
        Protocol::Amqp => "https://www.rabbitmq.com/release-information",
        Protocol::Memcached => "https://github.com/memcached/memcached/wiki/ReleaseNotes",
        Protocol::Http | Protocol::Tcp => "",
    };
    let Said { side: first, value: wanted } = &said[0];
    let help = match first.as_str() {
        side::LOCAL | side::LOCK => vec![AS_DECLARED.to_owned()],
        first => {
            vec![format!("here: pin it (`devenv pin {} {wanted}`)", sides.service), format!("or upgrade {first}")]
        }
    };
    Some(Difference {
        why: why.to_owned(),
        source: source.to_owned(),
        help,
        origin: sides.version_origin.or(sides.origin).cloned(),
        ..difference(sides, code, impact, "version", said)
    })
}

/// Whether the image that runs is the one that is locked. Servers do not know which image they are of.
fn image(sides: &Sides<'_>) -> Option<Difference> {
    let (locked, running) = (sides.locked?, sides.running?);
    let pinned: Vec<&String> = locked.digest.iter().chain(locked.platforms.values()).collect();
    if pinned.is_empty() || running.is_empty() || pinned.iter().any(|digest| running.contains(*digest)) {
        return None;
    }
    let shown = running.iter().next().cloned().unwrap_or_default();
    let said = vec![Said::new(side::LOCK, pinned[0].clone()), Said::new(side::LOCAL, shown)];
    Some(Difference {
        why: format!("{} was moved to another build: same version on paper, other bytes", locked.image),
        source: "https://docs.docker.com/build/building/best-practices/#pin-base-image-versions".to_owned(),
        help: vec![
            "here: `devenv up` starts what is locked".to_owned(),
            format!("or take the new build for everybody: `devenv update {}`", sides.service),
        ],
        ..difference(sides, "image-digest", Impact::Behaves, "image", said)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceFile;
    use std::sync::Arc;

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
            locked: None,
            running: None,
            answered,
        }
    }

    #[test]
    fn what_runs_otherwise_than_declared_is_mended_by_up() {
        let file = Arc::new(SourceFile { path: "x".into(), text: String::new() });
        let mut declared = Declared { version: Some("16".to_owned()), ..Declared::default() };
        let name = ("settings".to_owned(), "max_connections".to_owned());
        declared.entries.insert(name, (Some("50".to_owned()), Origin::start_of(&file)));
        let local = facts("15.2", &[("settings", &[("max_connections", "100")])]);
        let found = compare(&sides(&declared, vec![(side::LOCAL, &local)]));
        let told: Vec<(&str, &[String])> = found.iter().map(|one| (one.code, one.help.as_slice())).collect();
        let help = [AS_DECLARED.to_owned()];
        assert_eq!(told, [("version-major", &help[..]), ("setting", &help[..])]);
    }

    #[test]
    fn a_default_is_known_from_the_side_that_tells_it() {
        let declared = Declared::default();
        let here = facts("16.4", &[("settings", &[]), ("defaults", &[])]);
        let with = |value: &str| {
            facts("16.4", &[("settings", &[("lock_timeout", value)]), ("defaults", &[("lock_timeout", "0ms")])])
        };
        let compared =
            |there: &ServiceFacts| compare(&sides(&declared, vec![(side::PRODUCTION, there), (side::LOCAL, &here)]));
        assert_eq!(compared(&with("0")), [], "somebody set what is the default");
        let found = compared(&with("5s"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].said, [Said::new(side::PRODUCTION, "5s"), Said::new(side::LOCAL, "0ms (the default)")]);
        // What a side was not asked, it has no opinion of.
        assert_eq!(
            compare(&sides(&declared, vec![(side::PRODUCTION, &with("5s")), (side::LOCAL, &facts("16.4", &[]))])),
            []
        );
    }
}
