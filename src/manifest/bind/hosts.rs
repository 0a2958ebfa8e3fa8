//! Which service a host name means: by its name, an alias, or a further form that its dialect knows.

use super::Sources;
use crate::kinds::matches;
use crate::model::Service;
use std::collections::{BTreeMap, HashMap};

/// What a host leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leads {
    /// The service, by its index.
    pub(super) to: usize,
    /// Whether a pooler stands there, whose ports all lead to it.
    pub(super) over_pooler: bool,
}

/// Every host of every service, in lower case.
pub(super) struct Hosts {
    names: HashMap<String, Leads>,
    patterns: Vec<(String, Leads)>,
}

impl Hosts {
    /// The hosts of services; where two have the same, the first one's name or alias comes before further forms, and
    /// these before those of poolers.
    pub(super) fn of(services: &[Service], sources: &BTreeMap<String, Sources>) -> Self {
        let mut hosts = Self { names: HashMap::new(), patterns: Vec::new() };
        for (to, service) in services.iter().enumerate() {
            for name in std::iter::once(&service.name).chain(&service.aliases) {
                hosts.add(name, Leads { to, over_pooler: false });
            }
        }
        for over_pooler in [false, true] {
            for (to, service) in services.iter().enumerate() {
                let known = sources.get(&service.name);
                let known = known.map(|known| if over_pooler { &known.poolers } else { &known.hosts });
                for host in known.into_iter().flatten() {
                    hosts.add(host, Leads { to, over_pooler });
                }
            }
        }
        hosts
    }

    fn add(&mut self, host: &str, leads: Leads) {
        let host = host.to_ascii_lowercase();
        if host.contains('*') {
            self.patterns.push((host, leads));
        } else {
            self.names.entry(host).or_insert(leads);
        }
    }

    /// What a host leads to.
    pub(super) fn lead(&self, host: &str) -> Option<Leads> {
        let host = host.to_ascii_lowercase();
        let by_pattern = || self.patterns.iter().find(|(pattern, _)| matches(pattern, &host)).map(|(_, leads)| *leads);
        // Patterns are for names inside of networks, which have dots.
        self.names.get(&host).copied().or_else(|| if host.contains('.') { by_pattern() } else { None })
    }
}
