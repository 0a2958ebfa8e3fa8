//! Which service a host name means: by its name, an alias, or a further form that its dialect knows.

use super::Sources;
use crate::kinds::matches;
use crate::model::Service;
use std::collections::{BTreeMap, HashMap};

/// Every host of every service, in lower case.
pub(super) struct Hosts {
    names: HashMap<String, usize>,
    patterns: Vec<(String, usize)>,
}

impl Hosts {
    /// The hosts of services; where two have the same, the first one's name or alias comes before further forms.
    pub(super) fn of(services: &[Service], sources: &BTreeMap<String, Sources>) -> Self {
        let mut hosts = Self { names: HashMap::new(), patterns: Vec::new() };
        for (index, service) in services.iter().enumerate() {
            for name in std::iter::once(&service.name).chain(&service.aliases) {
                hosts.names.entry(name.to_ascii_lowercase()).or_insert(index);
            }
        }
        for (index, service) in services.iter().enumerate() {
            for host in sources.get(&service.name).map(|known| known.hosts.as_slice()).unwrap_or_default() {
                let host = host.to_ascii_lowercase();
                if host.contains('*') {
                    hosts.patterns.push((host, index));
                } else {
                    hosts.names.entry(host).or_insert(index);
                }
            }
        }
        hosts
    }

    /// The service of a host.
    pub(super) fn service(&self, host: &str) -> Option<usize> {
        let host = host.to_ascii_lowercase();
        let by_pattern = || self.patterns.iter().find(|(pattern, _)| matches(pattern, &host)).map(|(_, index)| *index);
        // Patterns are for names inside of networks, which have dots.
        self.names.get(&host).copied().or_else(|| if host.contains('.') { by_pattern() } else { None })
    }
}
