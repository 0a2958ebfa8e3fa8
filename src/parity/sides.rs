//! What each side has of one service.

use crate::model::{Difference, Fact, LockedService, Origin, Protocol, ServiceFacts};
use std::collections::{BTreeMap, BTreeSet};

/// What a manifest declares of one service. It is silent about everything else.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// The version's number: `16`, `16.4`; of `services.local.yaml` also a tag that has none: `latest`.
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
    /// What production's manifest declares, without what `services.local.yaml` makes of it.
    pub declared: Option<&'a Declared>,
    /// What `services.local.yaml` changes of it, and where its version stands there.
    pub overlay: Option<(&'a Declared, Option<&'a Origin>)>,
    /// What is pinned.
    pub locked: Option<&'a LockedService>,
    /// Every digest and id by which the image that runs here is known.
    pub running: Option<&'a BTreeSet<String>>,
    /// What servers answered, production first: the side's name (`production`, `local`), and its facts.
    pub answered: Vec<(&'a str, &'a ServiceFacts)>,
    /// What can be changed, for the advice.
    pub advice: Advice<'a>,
}

/// What can be changed where two sides differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice<'a> {
    /// What runs here, the manifest, or production's server.
    Here,
    /// The two that are compared; `manifests` are those among them that are no server's facts.
    Between {
        /// Their names.
        manifests: &'a [&'a str],
    },
}

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Everything that a side said, in the order of topics and names.
    pub facts: Vec<Fact>,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// What a side that has nothing of a name is shown to have.
const ABSENT: &str = "absent";

/// What one side has of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Has {
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

    /// What nobody set: the default, where some server told it.
    pub(super) fn unset(topic: &str, name: &str, all: &[(&str, &ServiceFacts)]) -> Self {
        let default =
            (topic == "settings").then(|| all.iter().find_map(|(_, facts)| facts.get("defaults", name))).flatten();
        default.map_or(Self::Nothing, |value| Self::Default(value.to_owned()))
    }

    /// What a server's facts say of a name; none where it was not asked, or could not be.
    pub(super) fn told(facts: &ServiceFacts, topic: &str, name: &str, all: &[(&str, &ServiceFacts)]) -> Option<Self> {
        if let Some(value) = facts.get(topic, name) {
            let default = topic == "settings" && facts.get("defaults", name) == Some(value);
            return Some(if default { Self::Default(value.to_owned()) } else { Self::Value(value.to_owned()) });
        }
        let could_not = facts.not_asked.contains_key(topic) || facts.not_asked.contains_key(&format!("{topic}/{name}"));
        // A server has an image, also where it does not say which.
        if could_not || !facts.topics.contains_key(topic) || topic == super::declared::IMAGE {
            return None;
        }
        // Who lists only what differs from the default has the default; what that is, another server of it tells.
        Some(Self::unset(topic, name, all))
    }
}

fn or_empty(value: &str) -> &str {
    if value.is_empty() { "empty" } else { value }
}
