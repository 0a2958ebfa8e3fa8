//! Apps that get different values under one name, which one `.env` cannot hold.

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

/// Whether two values are the same in one `.env`. Two unknown values (secret or unresolved) are the same if they have
/// the same source.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        // An app that may run without the variable can also run with the other app's value.
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
