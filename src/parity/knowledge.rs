//! The rules for differences: how much each difference matters, why, and the source of the reason. The rules are data,
//! in `templates/parity/`.

use crate::kinds::matches;
use crate::model::{Impact, Protocol};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The rules for the servers of one protocol.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Knowledge {
    /// The units of bare numbers (`8kB`), each with the settings that have it.
    #[serde(default)]
    units: BTreeMap<String, Vec<String>>,
    /// The first rule that matches counts.
    rules: Vec<Rule>,
}

/// The meaning of one kind of difference.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// The topic of the facts.
    topic: String,
    /// Patterns of names in the topic; an empty list matches every name.
    #[serde(default)]
    names: Vec<String>,
    /// The code of the difference, if it is not `setting`.
    #[serde(default)]
    pub(super) code: Option<String>,
    /// How much the difference matters; `None` only if the rule ignores the difference.
    #[serde(default)]
    impact: Option<Impact>,
    /// The meaning if one side does not have the name.
    #[serde(default)]
    absent: Absent,
    /// How two values are compared.
    #[serde(default)]
    pub(super) same: Same,
    /// Why the difference is ignored.
    #[serde(default)]
    ignore: Option<String>,
    /// Why the difference matters, in one line.
    #[serde(default)]
    pub(super) why: String,
    /// The source of the reason.
    #[serde(default)]
    pub(super) source: String,
}

/// The meaning if one side does not have a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Absent {
    /// The absence matters as much as another value.
    #[default]
    Same,
    /// The absence is not a difference: that release does not know the name.
    Unknown,
    Breaks,
    Behaves,
    Cosmetic,
    Expected,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Same {
    /// Booleans, numbers with units and time zones by their meaning, everything else as text.
    #[default]
    Value,
    /// The same words, separated by commas or blanks, in any order.
    Words,
    /// The same letters in any order.
    Letters,
    /// Only the presence counts.
    Present,
    /// The name of a locale: `en_US.utf8` equals `en_US.UTF-8`.
    Locale,
}

impl Rule {
    /// Whether the rule ignores the difference.
    pub(super) fn is_ignored(&self) -> bool {
        self.ignore.is_some()
    }

    /// How much a difference matters; `absent` is set if a side does not have the name. `None` if it is not a
    /// difference.
    pub(super) fn impact(&self, absent: bool) -> Option<Impact> {
        if self.ignore.is_some() {
            return None;
        }
        match (absent, self.absent) {
            (false, _) | (true, Absent::Same) => self.impact,
            (true, Absent::Unknown) => None,
            (true, Absent::Breaks) => Some(Impact::Breaks),
            (true, Absent::Behaves) => Some(Impact::Behaves),
            (true, Absent::Cosmetic) => Some(Impact::Cosmetic),
            (true, Absent::Expected) => Some(Impact::Expected),
        }
    }
}

impl Knowledge {
    /// The rules for the servers of a protocol; for HTTP and TCP, the rules for every server.
    pub(super) fn of(protocol: Protocol) -> &'static Self {
        let [postgres, mysql, redis, amqp, memcached, common] = Self::all();
        match protocol {
            Protocol::Postgres => postgres,
            Protocol::Mysql => mysql,
            Protocol::Redis => redis,
            Protocol::Amqp => amqp,
            Protocol::Memcached => memcached,
            Protocol::Http | Protocol::Tcp => common,
        }
    }

    /// The rules of each protocol, and then the rules for every server.
    fn all() -> &'static [Self; 6] {
        static ALL: LazyLock<[Knowledge; 6]> = LazyLock::new(|| {
            [
                include_str!("../../templates/parity/postgres.yaml"),
                include_str!("../../templates/parity/mysql.yaml"),
                include_str!("../../templates/parity/redis.yaml"),
                include_str!("../../templates/parity/amqp.yaml"),
                include_str!("../../templates/parity/memcached.yaml"),
                include_str!("../../templates/parity/common.yaml"),
            ]
            // A test parses each of them.
            .map(|text| serde_saphyr::from_str(text).unwrap_or_default())
        });
        &ALL
    }

    /// Returns the rule for a name in a topic: from the rules of this protocol, otherwise from the rules for every
    /// server.
    pub(super) fn rule(&'static self, topic: &str, name: &str) -> Option<&'static Rule> {
        let fits = |rule: &&Rule| {
            rule.topic == topic && (rule.names.is_empty() || rule.names.iter().any(|pattern| matches(pattern, name)))
        };
        let [.., common] = Self::all();
        self.rules.iter().chain(&common.rules).find(fits)
    }

    /// The unit of a bare number in a setting: `8kB`.
    pub(super) fn unit(&self, setting: &str) -> Option<&str> {
        self.units.iter().find(|(_, names)| names.iter().any(|name| name == setting)).map(|(unit, _)| unit.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Protocol; 6] =
        [Protocol::Postgres, Protocol::Mysql, Protocol::Redis, Protocol::Amqp, Protocol::Memcached, Protocol::Http];

    #[test]
    fn every_rule_says_how_much_it_matters_and_why_and_where_that_is_written() {
        for protocol in ALL {
            let knowledge = Knowledge::of(protocol);
            assert!(!knowledge.rules.is_empty(), "{protocol:?} is readable");
            for rule in &knowledge.rules {
                if rule.ignore.is_some() {
                    continue;
                }
                let impact = rule.impact.unwrap_or_else(|| panic!("{rule:?} has no impact"));
                assert!(!rule.why.is_empty() && !rule.why.contains('\n'), "{rule:?}");
                let expected = impact == Impact::Expected || impact == Impact::Cosmetic;
                assert!(rule.source.starts_with("https://") || (expected && rule.source.is_empty()), "{rule:?}");
            }
        }
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let postgres = Knowledge::of(Protocol::Postgres);
        let impact = |topic, name, absent| postgres.rule(topic, name).and_then(|rule| rule.impact(absent));
        assert_eq!(impact("settings", "rds.force_ssl", true), Some(Impact::Expected));
        assert_eq!(impact("settings", "timezone", false), Some(Impact::Behaves));
        assert_eq!(impact("settings", "recovery_init_sync_method", false), None);
        assert_eq!(impact("settings", "a_new_one", false), Some(Impact::Behaves));
        assert_eq!(impact("extensions", "pg_trgm", true), Some(Impact::Breaks));
        assert_eq!(impact("extensions", "pg_trgm", false), Some(Impact::Behaves));
        assert_eq!(postgres.unit("shared_buffers"), Some("8kB"));
    }
}
