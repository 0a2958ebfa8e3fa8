//! The product, release and build of each side.

use super::help;
use super::sides::{Sides, difference};
use super::values::numbers;
use crate::model::{Difference, Fact, Impact, Protocol, Said, Verdict, side};

type Found = Option<(Fact, Option<Difference>)>;

/// Returns a fact with the values of several sides, and the difference between the sides, if there is one.
fn found(name: &str, said: Vec<Said>, difference: Option<Difference>) -> Found {
    let verdict = match &difference {
        Some(difference) => Verdict::Differs(difference.impact),
        None if said.len() > 1 => Verdict::Same,
        None => Verdict::NotCompared,
    };
    let fact = Fact { topic: "server".to_owned(), name: name.to_owned(), said, verdict };
    (!fact.said.is_empty()).then_some((fact, difference))
}

/// The product name that each server reports.
pub(super) fn product(sides: &Sides<'_>) -> Found {
    let said: Vec<Said> = sides.answered.iter().map(|(side, facts)| Said::new(*side, facts.product.clone())).collect();
    let differs = said.windows(2).any(|two| two[0].value != two[1].value);
    let difference = differs.then(|| Difference {
        why: "another product answers, with its own commands, defaults and versions".to_owned(),
        help: vec![match sides.advice {
            super::Advice::Here => format!("here: declare the image or kind that {} runs", said[0].side),
            super::Advice::Between { .. } => "declare or run the same product on both sides".to_owned(),
        }],
        ..difference(sides, "product", Impact::Breaks, "product", said.clone())
    });
    found("product", said, difference)
}

/// Returns the index of the first number in which two versions differ. Only numbers that both versions have count: `16`
/// agrees with `16.4`.
fn differ_at(one: &str, other: &str, full: usize) -> Option<usize> {
    numbers(one).into_iter().zip(numbers(other)).take(full).position(|(one, other)| one != other)
}

/// Like [`differ_at`]; in addition, the version in `services.local.yaml` must not be less exact than production's
/// version: `16` in place of `16.4` can be any release of 16.
fn contradicts_at(manifest: &str, overlay: &str, full: usize) -> Option<usize> {
    let said = numbers(overlay).len();
    differ_at(manifest, overlay, full).or_else(|| (said < numbers(manifest).len().min(full)).then_some(said))
}

/// The release of each side.
pub(super) fn version(sides: &Sides<'_>) -> Found {
    let mut said: Vec<Said> = Vec::new();
    for (side, facts) in &sides.answered {
        said.extend(facts.version.as_deref().map(|version| Said::new(*side, version)));
    }
    let locked = sides.locked.and_then(|locked| locked.version.as_deref());
    said.extend(locked.map(|version| Said::new(side::LOCK, version)));
    let declared = sides.declared.and_then(|declared| declared.version.as_deref());
    said.extend(declared.map(|version| Said::new(side::MANIFEST, version)));
    said.retain(|said| !numbers(&said.value).is_empty());
    let overlay = sides.overlay.and_then(|(overlay, place)| Some((overlay.version.as_deref()?, place)));
    said.extend(overlay.map(|(version, _)| Said::new(side::OVERLAY, version)));
    let contradicted = declared
        .zip(overlay)
        .and_then(|(declared, (overlay, place))| Some((contradicts_at(declared, overlay, sides.full)?, place)));
    let pairs = said.iter().flat_map(|one| said.iter().map(move |other| (one, other)));
    let at = pairs.filter_map(|(one, other)| differ_at(&one.value, &other.value, sides.full)).min();
    let at = at.into_iter().chain(contradicted.map(|(at, _)| at)).min();
    let difference = at.map(|at| version_difference(sides, at, &said, contradicted.and_then(|(_, place)| place)));
    found("version", said, difference)
}

fn version_difference(
    sides: &Sides<'_>,
    at: usize,
    said: &[Said],
    contradicted: Option<&crate::model::Origin>,
) -> Difference {
    let (code, impact, why) = if at == 0 {
        ("version-major", Impact::Breaks, "a major version changes statements, defaults and the format of data")
    } else if at + 1 < sides.full {
        ("version-minor", Impact::Behaves, "a minor version brings commands and defaults that the other lacks")
    } else {
        ("version-patch", Impact::Cosmetic, "one has bugs and security holes that the other has fixed")
    };
    let source = match sides.protocol {
        Protocol::Postgres => "https://www.postgresql.org/support/versioning/",
        Protocol::Mysql => "https://dev.mysql.com/doc/refman/8.4/en/mysql-releases.html",
        Protocol::Redis => "https://redis.io/docs/latest/operate/oss_and_stack/install/version-mgmt/",
        Protocol::Amqp => "https://www.rabbitmq.com/release-information",
        Protocol::Memcached => "https://github.com/memcached/memcached/wiki/ReleaseNotes",
        Protocol::Http | Protocol::Tcp => "",
    };
    let declared = sides.version_origin.or(sides.origin);
    let words: Vec<(&str, &str)> = said.iter().map(|said| (said.side.as_str(), said.value.as_str())).collect();
    Difference {
        why: why.to_owned(),
        source: source.to_owned(),
        help: match contradicted {
            Some(here) => help::of_overlay(here, declared),
            None => help::of_version(sides, &words),
        },
        origin: contradicted.or(declared).cloned(),
        ..difference(sides, code, impact, "version", said.to_vec())
    }
}

/// Compares the running image with the locked image. A server does not know its own image.
pub(super) fn build(sides: &Sides<'_>) -> Found {
    let (locked, running) = (sides.locked?, sides.running?);
    let pinned: Vec<&String> = locked.digest.iter().chain(locked.platforms.values()).collect();
    let (first, shown) = (*pinned.first()?, running.iter().next()?);
    let known = pinned.iter().find(|digest| running.contains(**digest));
    let runs = known.map_or(shown, |known| *known);
    let said =
        vec![Said::new(side::LOCK, known.map_or(first, |known| *known).clone()), Said::new(side::LOCAL, runs.clone())];
    let here = sides.answered.iter().find(|(side, _)| *side == side::LOCAL);
    let here = here.and_then(|(_, facts)| facts.version.as_deref());
    let another = here.zip(locked.version.as_deref()).filter(|(here, locked)| here != locked);
    let starts = "here: `devenv up` starts the locked image".to_owned();
    let (why, help) = match another {
        Some((here, locked)) => (format!("{here} runs, and {locked} is locked"), vec![starts]),
        None => (
            format!("{} now points to another build of the same version", locked.image),
            vec![starts, format!("or take the new build for everybody: `devenv update {}`", sides.service)],
        ),
    };
    let difference = known.is_none().then(|| Difference {
        why,
        source: "https://docs.docker.com/build/building/best-practices/#pin-base-image-versions".to_owned(),
        help,
        ..difference(sides, "image-digest", Impact::Behaves, "image", said.clone())
    });
    found("image digest", said, difference)
}
