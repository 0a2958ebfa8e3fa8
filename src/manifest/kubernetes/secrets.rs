//! Secrets that operators make for the apps of a service: which of their keys is which field of its endpoint.

use std::collections::BTreeMap;

/// By name, what the operators' secrets hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets(BTreeMap<String, Vec<Made>>);

/// One operator's secret.
#[derive(Clone, Debug)]
pub(super) struct Made {
    /// The service that it is for.
    pub(super) service: String,
    /// The namespace of the service; empty where none is said.
    pub(super) namespace: String,
    /// Each key with the endpoint's field.
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Secrets {
    /// Adds one.
    pub(super) fn add(&mut self, name: String, made: Made) {
        self.0.entry(name).or_default().push(made);
    }

    /// The operator's secret of that name that an app of that namespace reads.
    pub(super) fn get(&self, name: &str, namespace: &str) -> Option<&Made> {
        let made = self.0.get(name)?;
        made.iter()
            .find(|made| made.namespace == namespace)
            .or_else(|| made.iter().find(|made| made.namespace.is_empty() || namespace.is_empty()))
    }
}

impl Made {
    /// The field that a key holds.
    pub(super) fn field(&self, key: &str) -> Option<(String, String)> {
        let (_, field) = self.fields.iter().find(|(known, _)| *known == key)?;
        Some((self.service.clone(), field.clone()))
    }
}
