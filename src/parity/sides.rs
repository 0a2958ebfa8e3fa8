//! The data that each side has about one service.

use crate::model::{Difference, Fact, Gap, Impact, LockedService, Origin, Protocol, Said, ServiceFacts};
use std::collections::{BTreeMap, BTreeSet};

/// The topic of the facts about an image.
pub(super) const IMAGE: &str = "image";

/// The entries that a manifest declares for one service. A manifest states nothing about other entries.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// The number of the version: `16`, `16.4`; for `services.local.yaml` also a tag without a number: `latest`.
    pub version: Option<String>,
    /// By topic and name: the value (`None` if the entry has no value), and the place of the declaration.
    pub entries: BTreeMap<(String, String), (Option<String>, Origin)>,
}

/// The known data about one service, from each side that exists.
#[derive(Clone, Debug)]
pub struct Sides<'a> {
    /// The service's name.
    pub service: &'a str,
    /// The protocol of the service.
    pub protocol: Protocol,
    /// The count of numbers in a full release: 2 for Postgres.
    pub full: usize,
    /// The place where the manifest declares the service.
    pub origin: Option<&'a Origin>,
    /// The place where the manifest declares the version.
    pub version_origin: Option<&'a Origin>,
    /// The declaration in production's manifest, without the changes of `services.local.yaml`.
    pub declared: Option<&'a Declared>,
    /// The changes that `services.local.yaml` makes, and the place of its version there.
    pub overlay: Option<(&'a Declared, Option<&'a Origin>)>,
    /// The locked service.
    pub locked: Option<&'a LockedService>,
    /// Every digest and id of the image that runs here.
    pub running: Option<&'a BTreeSet<String>>,
    /// The facts that servers reported, production first: the side's name (`production`, `local`), and its facts.
    pub answered: Vec<(&'a str, &'a ServiceFacts)>,
    /// The places that a user can change, for the advice.
    pub advice: Advice<'a>,
}

/// The places that a user can change where two sides differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice<'a> {
    /// The running service, the manifest, or production's server.
    Here,
    /// The two compared sides; `manifests` are those that are manifests and not the facts of a server.
    Between {
        /// The names of the manifests.
        manifests: &'a [&'a str],
    },
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// All facts of the sides, in the order of topics and names.
    pub facts: Vec<Fact>,
    /// The differences.
    pub differences: Vec<Difference>,
}

/// The displayed value of a side that does not have a name.
const ABSENT: &str = "absent";

/// The value that one side has for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Has {
    /// This value.
    Value(String),
    /// The server's own default, which another server reported: the value is not set here.
    Default(String),
    /// The entry exists; it has no value.
    There,
    /// The entry does not exist; the side would report the entry if it existed.
    Nothing,
}

impl Has {
    pub(super) fn value(&self) -> Option<&str> {
        match self {
            Self::Value(value) | Self::Default(value) => Some(value),
            Self::There | Self::Nothing => None,
        }
    }

    pub(super) fn shown(&self, topic: &str) -> String {
        match self {
            Self::Value(value) => or_empty(value).to_owned(),
            Self::Default(value) => format!("{} (the default)", or_empty(value)),
            Self::There => "declared".to_owned(),
            Self::Nothing if topic == "settings" => "the default".to_owned(),
            Self::Nothing => ABSENT.to_owned(),
        }
    }

    /// Returns the value of an entry that is not set: the default, if some server reported the default.
    pub(super) fn unset(topic: &str, name: &str, all: &[(&str, &ServiceFacts)]) -> Self {
        let default =
            (topic == "settings").then(|| all.iter().find_map(|(_, facts)| facts.get("defaults", name))).flatten();
        default.map_or(Self::Nothing, |value| Self::Default(value.to_owned()))
    }

    /// Returns the value that a server's facts have for a name; `None` if the server was not asked, or could not be.
    pub(super) fn in_facts(
        facts: &ServiceFacts,
        topic: &str,
        name: &str,
        all: &[(&str, &ServiceFacts)],
    ) -> Option<Self> {
        if let Some(value) = facts.get(topic, name) {
            let default = topic == "settings" && facts.get("defaults", name) == Some(value);
            return Some(if default { Self::Default(value.to_owned()) } else { Self::Value(value.to_owned()) });
        }
        let could_not = facts.not_asked.contains_key(topic) || facts.not_asked.contains_key(&format!("{topic}/{name}"));
        // Every server has an image, even if the server does not report it.
        if could_not || !facts.topics.contains_key(topic) || topic == IMAGE {
            return None;
        }
        // A server that lists only changed settings has the default; another server of the service may report the
        // default.
        Some(Self::unset(topic, name, all))
    }
}

fn or_empty(value: &str) -> &str {
    if value.is_empty() { "empty" } else { value }
}

/// A difference with only the values of the sides; the caller adds the other fields.
pub(super) fn difference(
    sides: &Sides<'_>,
    code: &'static str,
    impact: Impact,
    subject: &str,
    said: Vec<Said>,
) -> Difference {
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
