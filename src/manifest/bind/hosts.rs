//! The service that a host name means: by the service's name, an alias, or a further form that the dialect knows.

use super::Sources;
use crate::kinds::matches;
use crate::model::Service;
use std::collections::{BTreeMap, HashMap};

/// The target of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The index of the service.
    pub(super) service: usize,
    /// Whether the host is a pooler, whose ports all lead to the service.
    pub(super) is_pooler: bool,
}

/// Every host of every service, in lower case.
pub(super) struct Hosts {
    names: HashMap<String, Target>,
    patterns: Vec<(String, Target)>,
}

impl Hosts {
    /// The hosts of services. If several services have the same host, names and aliases have precedence over further
    /// forms, and further forms over the hosts of poolers. Otherwise the first service has precedence.
    pub(super) fn of(services: &[Service], sources: &BTreeMap<String, Sources>) -> Self {
        let mut hosts = Self { names: HashMap::new(), patterns: Vec::new() };
        for (index, service) in services.iter().enumerate() {
            for name in std::iter::once(&service.name).chain(&service.aliases) {
                hosts.add(name, Target { service: index, is_pooler: false });
            }
        }
        for is_pooler in [false, true] {
            for (index, service) in services.iter().enumerate() {
                let known = sources.get(&service.name);
                let known = known.map(|known| if is_pooler { &known.poolers } else { &known.hosts });
                for host in known.into_iter().flatten() {
                    hosts.add(host, Target { service: index, is_pooler });
                }
            }
        }
        hosts
    }

    fn add(&mut self, host: &str, target: Target) {
        let host = host.to_ascii_lowercase();
        if host.contains('*') {
            self.patterns.push((host, target));
        } else {
            self.names.entry(host).or_insert(target);
        }
    }

    /// The target of a host.
    pub(super) fn target(&self, host: &str) -> Option<Target> {
        let host = host.to_ascii_lowercase();
        let by_pattern =
            || self.patterns.iter().find(|(pattern, _)| matches(pattern, &host)).map(|(_, target)| *target);
        // Patterns are for names inside networks, which have dots.
        self.names.get(&host).copied().or_else(|| if host.contains('.') { by_pattern() } else { None })
    }
}
