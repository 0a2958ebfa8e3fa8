//! Compares the sides of one service.

use super::base;
use super::help;
use super::knowledge::{Knowledge, Rule};
use super::releases;
use super::sides::{Compared, Has, IMAGE, Sides};
use super::values::same;
use crate::model::{Difference, Fact, Gap, Impact, Origin, Said, Verdict, side};
use std::collections::BTreeSet;

/// Returns all facts of the sides, and every difference, in the order of topics and names.
pub fn compare(sides: &Sides<'_>) -> Compared {
    let mut compared = Compared::default();
    let mut take = |fact: Option<(Fact, Option<Difference>)>| {
        let (fact, difference) = fact.unzip();
        compared.facts.extend(fact);
        compared.differences.extend(difference.flatten());
    };
    take(releases::product(sides));
    take(releases::version(sides));
    take(releases::build(sides));
    let mut names: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (_, facts) in &sides.answered {
        let topics = facts.topics.iter().filter(|(topic, _)| *topic != "defaults");
        names.extend(
            topics.flat_map(|(topic, entries)| entries.keys().map(move |name| (topic.as_str(), name.as_str()))),
        );
    }
    let declared = [sides.declared, sides.overlay.map(|(overlay, _)| overlay)];
    let declared = declared.into_iter().flatten().flat_map(|declared| declared.entries.keys());
    names.extend(declared.map(|(topic, name)| (topic.as_str(), name.as_str())));
    for (topic, name) in names {
        take(entry(sides, topic, name));
    }
    compared
}

/// Compares the sides for one name; `None` if a rule ignores the name.
fn entry(sides: &Sides<'_>, topic: &str, name: &str) -> Option<(Fact, Option<Difference>)> {
    let knowledge = Knowledge::of(sides.protocol);
    let rule = knowledge.rule(topic, name);
    if rule.is_some_and(Rule::is_ignored) {
        return None;
    }
    let said = said(sides, topic, name);
    let mut fact = Fact {
        topic: topic.to_owned(),
        name: name.to_owned(),
        said: said.iter().map(|(side, has)| Said::new(*side, has.shown(topic))).collect(),
        verdict: Verdict::NotCompared,
    };
    let Some(rule) = rule.filter(|_| said.len() > 1) else { return Some((fact, None)) };
    let unit = knowledge.unit(name);
    let agree = |one: &Has, other: &Has| match (one.value(), other.value()) {
        (Some(one), Some(other)) if topic == IMAGE => base::agree(one, other),
        (Some(one), Some(other)) => same(rule.same, unit, one, other),
        // One of the two has no value, so only the presence is compared.
        _ => (*one == Has::Nothing) == (*other == Has::Nothing),
    };
    let (_, first) = said.first()?;
    if said.iter().all(|(_, other)| agree(first, other)) {
        fact.verdict = Verdict::Same;
        return Some((fact, None));
    }
    let of = |wanted: &str| said.iter().find(|(side, _)| *side == wanted).map(|(_, has)| has);
    let overlay = of(side::OVERLAY);
    // A difference that `services.local.yaml` makes is reported at its line there.
    let by_overlay = overlay.is_some_and(|has| {
        let production = of(side::MANIFEST).or_else(|| of(side::PRODUCTION));
        production.is_some_and(|production| !agree(has, production))
    });
    let absent = said.iter().any(|(_, has)| *has == Has::Nothing);
    let Some(impact) = rule.impact(absent).or_else(|| rule.impact(false).filter(|_| by_overlay)) else {
        return Some((fact, None));
    };
    fact.verdict = Verdict::Differs(impact);
    let key = (topic.to_owned(), name.to_owned());
    let place = |declared: Option<&super::Declared>| Some(declared?.entries.get(&key)?.1.clone());
    let of_overlay = place(sides.overlay.map(|(overlay, _)| overlay)).filter(|_| by_overlay);
    let of_manifest = place(sides.declared);
    let help = match &of_overlay {
        Some(here) => help::of_overlay(here, of_manifest.as_ref()),
        None => help::of_entry(sides, topic, name, &said),
    };
    let difference = Difference {
        code: code(rule),
        impact,
        gap: Gap::Tools,
        service: sides.service.to_owned(),
        subject: subject(topic, name),
        help,
        said: fact.said.clone(),
        why: rule.why.clone(),
        source: rule.source.clone(),
        origin: of_overlay.or(of_manifest).or_else(|| sides.origin.cloned()),
    };
    Some((fact, Some(difference)))
}

/// Returns the value that each side has for a name, servers first.
fn said<'a>(sides: &Sides<'a>, topic: &str, name: &str) -> Vec<(&'a str, Has)> {
    let key = (topic.to_owned(), name.to_owned());
    let mut said: Vec<(&str, Has)> = Vec::new();
    for (side, facts) in &sides.answered {
        said.extend(Has::in_facts(facts, topic, name, &sides.answered).map(|has| (*side, has)));
    }
    if topic == IMAGE
        && let Some(value) = sides.locked.and_then(|locked| base::of(&locked.image)?.get(name))
    {
        said.push((side::LOCK, Has::Value(value)));
    }
    let value = |value: &Option<String>| value.clone().map_or(Has::There, Has::Value);
    let overlay = sides.overlay.and_then(|(overlay, _)| overlay.entries.get(&key));
    match sides.declared.and_then(|declared| declared.entries.get(&key)) {
        Some((declared, _)) => said.push((side::MANIFEST, value(declared))),
        // The answer of production's server takes precedence over the silence of production's files.
        None if overlay.is_some()
            && topic != IMAGE
            && sides.declared.is_some()
            && !said.iter().any(|(side, _)| *side == side::PRODUCTION) =>
        {
            said.push((side::MANIFEST, Has::unset(topic, name, &sides.answered)));
        }
        None => {}
    }
    said.extend(overlay.map(|(local, _)| (side::OVERLAY, value(local))));
    said
}

fn code(rule: &'static Rule) -> &'static str {
    rule.code.as_deref().unwrap_or("setting")
}

fn subject(topic: &str, name: &str) -> String {
    match topic {
        "settings" | "server" | "platform" => name.to_owned(),
        "database" => name.replace('_', " "),
        "vhosts" => format!("virtual host {name}"),
        "policies" => format!("policy {name}"),
        "feature-flags" => format!("feature flag {name}"),
        "rights" => format!("rights of {name}"),
        "environment" => format!("variable {name}"),
        IMAGE if name == "name" => "image".to_owned(),
        IMAGE if name == "libc" => "C library of the image".to_owned(),
        _ => format!("{} {name}", topic.trim_end_matches('s')),
    }
}

/// A backing service that production declares and this checkout excludes.
pub fn excluded(service: &str, origin: &Origin) -> Difference {
    let said = vec![Said::new(side::MANIFEST, "declared"), Said::new(side::LOCAL, "excluded")];
    Difference {
        code: "left-out",
        impact: Impact::Behaves,
        gap: Gap::Tools,
        // The service does not run here, so it has no section of its own.
        service: String::new(),
        subject: format!("service {service}"),
        said,
        why: "the app's use of this service is not tested here".to_owned(),
        source: String::new(),
        help: vec!["here: remove it from `leave_out` in services.local.yaml".to_owned()],
        origin: Some(origin.clone()),
    }
}

/// A service that no file of production declares: only `services.local.yaml` has it.
pub fn local_only(service: &str, origin: &Origin) -> Difference {
    Difference {
        code: "local-only",
        impact: Impact::Expected,
        service: service.to_owned(),
        subject: "service".to_owned(),
        said: vec![Said::new(side::MANIFEST, "absent"), Said::new(side::OVERLAY, "included")],
        why: "an app that needs it finds it here and not in production".to_owned(),
        help: vec!["here: remove it from `include` in services.local.yaml".to_owned()],
        ..excluded(service, origin)
    }
}
