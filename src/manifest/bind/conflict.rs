//! Apps that get different values under one name, for which one `.env` cannot stand.

use crate::model::{Diagnostic, Value, Variable};
use std::collections::{BTreeMap, BTreeSet};

/// Errors for names that several apps get with different values, for which one `.env` cannot stand.
pub fn conflicts<'a>(variables: impl IntoIterator<Item = &'a Variable>) -> Vec<Diagnostic> {
    let mut first: BTreeMap<&str, &Variable> = BTreeMap::new();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for variable in variables {
        let Some(earlier) = first.get(variable.name.as_str()) else {
            first.insert(&variable.name, variable);
            continue;
        };
        if same(&earlier.value, &variable.value) || !told.insert(&variable.name) {
            continue;
        }
        let app = |variable: &Variable| {
            if variable.app.is_empty() { "every app".to_owned() } else { format!("`{}`", variable.app) }
        };
        found.push(
            Diagnostic::error(
                "variable-conflict",
                format!("{} and {} disagree about the variable `{}`", app(earlier), app(variable), variable.name),
            )
            .at(&variable.origin, format!("{} gets this value", app(variable)))
            .and_at(&earlier.origin, format!("{} gets another one", app(earlier)))
            .because("one `.env` holds one value for a name")
            .help(format!(
                "give one of them a file of its own in services.local.yaml: `apps: {{{}: {{env_file: .env.{0}}}}}`",
                variable.app
            )),
        );
    }
    found
}

/// Whether two values come to the same in one `.env`. What nobody knows here differs from nothing that nobody knows.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        // Where one app may not have it at all, it can live with the other's value.
        (Value::NotPassed, _) | (_, Value::NotPassed) => true,
        (Value::Bound { template: one, .. }, Value::Bound { template: other, .. }) => one == other,
        (Value::Plain(one), Value::Plain(other))
        | (Value::Secret(one) | Value::Unresolved(one), Value::Secret(other) | Value::Unresolved(other)) => {
            one == other
        }
        _ => false,
    }
}
