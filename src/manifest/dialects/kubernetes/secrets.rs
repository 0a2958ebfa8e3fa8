//! Secrets that operators create for the apps of a service: for each key, the field of the service's endpoint.

use std::collections::BTreeMap;

/// The secrets of operators, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Secrets(BTreeMap<String, Vec<Made>>);

/// One operator's secret.
#[derive(Clone, Debug)]
pub(super) struct Made {
    /// The service that the secret is for.
    pub(super) service: String,
    /// The namespace of the service; empty if none is given.
    pub(super) namespace: String,
    /// Each key with the field of the endpoint.
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Secrets {
    /// Adds a secret.
    pub(super) fn add(&mut self, name: String, made: Made) {
        self.0.entry(name).or_default().push(made);
    }

    /// The operator's secret of that name that an app in that namespace reads.
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
