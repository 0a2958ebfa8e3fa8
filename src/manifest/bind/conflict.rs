//! Apps that get different values under one name, for which one `.env` cannot stand.

use crate::model::{Value, Variable};
use std::collections::{BTreeMap, BTreeSet};

/// The names that several apps get with different values.
pub fn disagreements<'a>(variables: impl IntoIterator<Item = &'a Variable>) -> BTreeSet<&'a str> {
    let mut first: BTreeMap<&str, &Value> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for variable in variables.into_iter().filter(|variable| variable.value != Value::NotPassed) {
        let earlier = first.entry(&variable.name).or_insert(&variable.value);
        if !same(earlier, &variable.value) {
            found.insert(variable.name.as_str());
        }
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
        | (Value::Environment(one), Value::Environment(other))
        | (Value::Secret(one) | Value::Unresolved(one), Value::Secret(other) | Value::Unresolved(other)) => {
            one == other
        }
        _ => false,
    }
}
