//! Turns the variables that a manifest declares for its apps into [`Variable`]s: bound to services, plain, secret or
//! unresolved.
//!
//! This module knows no dialect. A value that names a service's host is bound to that service. Variables with the same
//! prefix that hold other parts of the connection are bound with it. A value that has the same source as a service's
//! login is bound too. A value that could be a secret, or that could lead to production, is never copied. Comparisons
//! with logins and services are paid from the budget.

mod binder;
mod change;
mod conflict;
mod connection;
mod hosts;
mod login;
mod names;
mod secrets;
mod sibling;
mod unbound;

pub use conflict::disagreements;
pub(crate) use names::{is_address as is_address_name, is_secret as is_secret_name};
pub(crate) use unbound::{is_host_elsewhere, leads_out};

use crate::kinds::Kinds;
use crate::manifest::read::interpolate::Interpolated;
use crate::model::{Origin, Service, Template, Value, Variable};
use crate::project::Budget;
use binder::Binder;
use hosts::Hosts;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A variable as a manifest declares it.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    /// Whether the manifest passes it through only if it is set, and it is not set here. Production may not have it.
    pub(crate) not_passed: bool,
    /// Its name.
    pub(crate) name: String,
    /// The app that gets it.
    pub(crate) app: String,
    /// Its value, with the variables that the value came from.
    pub(crate) text: Interpolated,
    /// The platform's secret that the value comes from, if the manifest says so.
    pub(crate) secret: Option<String>,
    /// Where it was declared.
    pub(crate) origin: Origin,
}

impl Declared {
    /// The one variable or secret that the whole value comes from.
    fn source(&self) -> Option<&str> {
        self.text.sole_variable().or(self.secret.as_deref())
    }
}

/// Facts about a service that a reader knows and the model does not hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// The variable that the first user's name came from.
    pub(crate) user: Option<String>,
    /// The variable that the first database's name came from.
    pub(crate) database: Option<String>,
    /// The variable that the first virtual host's name came from.
    pub(crate) vhost: Option<String>,
    /// Ports that production's server listens on, if they are not those of its kind.
    pub(crate) ports: Vec<u16>,
    /// Further forms of its host, as patterns: `db.shop.svc.cluster.local`, `db-*.db`.
    pub(crate) hosts: Vec<String>,
    /// Hosts of poolers in front of it, as patterns. Each of their ports leads to the service.
    pub(crate) poolers: Vec<String>,
}

/// Binds every variable. Users and databases that only apps name are added to the services. Each service also records
/// whether an app's variable contains a user's password, or names a host without its port.
pub(crate) fn bind(
    kinds: &Kinds,
    services: &mut [Service],
    sources: &BTreeMap<String, Sources>,
    declared: &[Declared],
    budget: &Budget,
) -> Vec<Variable> {
    bind_with(kinds, services, sources, declared, BTreeMap::new(), budget)
}

/// Binds every variable as [`bind`] does. For some variables, by their index, the manifest itself says which field of
/// which service they are.
pub(crate) fn bind_with(
    kinds: &Kinds,
    services: &mut [Service],
    sources: &BTreeMap<String, Sources>,
    declared: &[Declared],
    said: BTreeMap<usize, Template>,
    budget: &Budget,
) -> Vec<Variable> {
    let hosts = Hosts::of(services, sources);
    let mut binder = Binder { kinds, services, sources, hosts, with_owner: BTreeSet::new(), budget };
    let mut values: Vec<Option<Value>> = vec![None; declared.len()];
    for (index, template) in said {
        binder.note_bound(&template);
        if let Some(value) = values.get_mut(index) {
            *value = Some(Value::Bound { template, dropped: Vec::new() });
        }
    }
    // Each app's variables, in the order of the apps.
    let mut apps: Vec<Vec<usize>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (index, variable) in declared.iter().enumerate() {
        let place = *places.entry(&variable.app).or_insert_with(|| {
            apps.push(Vec::new());
            apps.len() - 1
        });
        apps[place].push(index);
    }
    for own in apps {
        binder.bind_app(declared, &own, &mut values);
    }
    declared
        .iter()
        .zip(values)
        .map(|(variable, value)| Variable {
            name: variable.name.clone(),
            app: variable.app.clone(),
            value: value.unwrap_or_else(|| binder.unbound(variable)),
            origin: variable.origin.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
