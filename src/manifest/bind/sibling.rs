//! Parts of a connection that are in separate variables.

use super::Declared;
use super::binder::{Binder, Host};
use super::names::{self, Part};
use crate::manifest::read::interpolate::Interpolated;
use crate::model::{Credential, Template, Value};
use std::collections::HashMap;

/// The variables of one app by their normalised names, so that the parts of a connection are found without a search
/// through all variables.
pub(super) struct ByName(HashMap<String, Vec<usize>>);

impl ByName {
    /// Indexes the app's own variables, which are given by their indices.
    pub(super) fn of(declared: &[Declared], own: &[usize]) -> Self {
        let mut named: HashMap<String, Vec<usize>> = HashMap::new();
        for &index in own {
            named.entry(names::normal(&declared[index].name)).or_default().push(index);
        }
        Self(named)
    }

    /// The variables whose names are the prefix and an end for that part, in order.
    fn parts(&self, prefix: &str, part: Part) -> Vec<usize> {
        let ends = names::ends_of(part).filter_map(|end| self.0.get(&format!("{prefix}{end}")));
        let mut found: Vec<usize> = ends.flatten().copied().collect();
        found.sort_unstable();
        found
    }
}

impl Binder<'_> {
    /// Binds the variables with the prefix of a bound host that hold another part of the same connection.
    pub(super) fn bind_siblings(
        &mut self,
        declared: &[Declared],
        named: &ByName,
        values: &mut [Option<Value>],
        hosts: &mut [Host],
        at: usize,
    ) {
        let (service, prefix) = (hosts[at].service, hosts[at].prefix.clone());
        if prefix.is_empty() {
            return;
        }
        let Some(kind) = self.kind(service).cloned() else { return };
        let sibling = |part: Part, values: &[Option<Value>]| {
            named.parts(&prefix, part).into_iter().find(|index| values[*index].is_none())
        };
        let said_port = |index: &usize| matches!(&values[*index], Some(Value::Bound { template, .. }) if *template == Template::field(&self.services[service].name, "port"));
        hosts[at].has_port |= named.parts(&prefix, Part::Port).iter().any(said_port);
        let part = |index: usize| (declared[index].text.text.clone(), declared[index].source().map(str::to_owned));
        let name = self.services[service].name.clone();
        let bound = |field: &str| Some(Value::Bound { template: Template::field(&name, field), dropped: Vec::new() });
        if let Some(index) = sibling(Part::Port, values) {
            let (text, _) = part(index);
            match text.trim().parse() {
                Ok(number) if hosts[at].is_pooler || self.listens_on(service, &kind, number) => {
                    values[index] = bound("port");
                    hosts[at].has_port = true;
                }
                Ok(number) => {
                    let which = format!("port {number} of {name}, of which only port {} is published", kind.port);
                    values[index] = Some(Value::Unresolved(which));
                    hosts[at].has_port = true;
                }
                Err(_) if !declared[index].text.unset.is_empty() => {
                    values[index] = bound("port");
                    hosts[at].has_port = true;
                }
                Err(_) => {}
            }
        }
        let user_at = sibling(Part::User, values);
        let password_at = sibling(Part::Password, values).filter(|index| !is_switch(&declared[*index].text));
        let mut login = None;
        if user_at.is_some() || password_at.is_some() {
            let (user, password) = (user_at.map(part), password_at.map(part));
            let filled = |part: &Option<(String, Option<String>)>| {
                part.as_ref().is_some_and(|(text, source)| !text.is_empty() || source.is_some())
            };
            if filled(&user) || filled(&password) {
                login = self.login(
                    service,
                    &kind,
                    user.as_ref(),
                    password.as_ref(),
                    &declared[user_at.or(password_at).unwrap_or_default()].origin,
                );
            }
        }
        if let Some(login) = login {
            let path = self.user_path(service, login);
            let nameless = self.services[service].users[login].name.value.is_empty();
            if let Some(index) = user_at.filter(|_| !nameless) {
                values[index] = bound(&format!("{path}user"));
            }
            if let Some(index) = password_at {
                self.services[service].users[login].bound = true;
                values[index] = bound(&format!("{path}password"));
            }
        }
        if kind.default_database.is_some()
            && let Some(index) = sibling(Part::Database, values)
        {
            let (text, source) = part(index);
            if !text.is_empty() || source.is_some() {
                let field = self.database_field(service, &text, source.as_deref(), login, &declared[index].origin);
                values[index] = bound(&field);
            }
        }
        if kind.default_vhost.is_some()
            && let Some(index) = sibling(Part::Vhost, values)
        {
            let (text, source) = part(index);
            if !text.is_empty() || source.is_some() {
                let field = self.vhost_field(service, &text, source.as_deref(), &declared[index].origin);
                values[index] = bound(&field);
            }
        }
    }

    /// Binds a host without a value (`PGHOST`), next to a port that exactly one service has (`PGPORT=5432`). The port
    /// alone, if it were copied, would lead to any server that listens there.
    pub(super) fn bind_host_by_port(
        &self,
        declared: &[Declared],
        named: &ByName,
        index: usize,
    ) -> Option<(Value, Host)> {
        let variable = &declared[index];
        if !variable.text.text.trim().is_empty() || variable.not_passed || !names::is_host(&variable.name) {
            return None;
        }
        let prefix = names::address_prefix(&variable.name).filter(|prefix| !prefix.is_empty())?;
        let port = named.parts(&prefix, Part::Port).into_iter().next()?;
        let number = declared[port].text.text.trim().parse::<u16>().ok()?;
        if !self.spend_steps(self.services.len(), &variable.origin) {
            return None;
        }
        let mut fitting = (0..self.services.len())
            .filter(|at| self.kind(*at).is_some_and(|kind| kind.port != 0 && self.listens_on(*at, kind, number)));
        let (Some(service), None) = (fitting.next(), fitting.next()) else { return None };
        let template = Template::field(&self.services[service].name, "host");
        Some((
            Value::Bound { template, dropped: Vec::new() },
            Host { service, prefix, has_port: false, is_pooler: false },
        ))
    }

    /// Binds a value that has the same source as a service's own login: the same variable, secret or literal.
    pub(super) fn bind_by_source(&mut self, variable: &Declared) -> Option<Value> {
        let source = variable.source();
        let part = names::part_at_end(&variable.name);
        // Most values have no source and are no part of a login.
        if source.is_none() && part != Some(Part::User) && !names::is_secret(&variable.name) {
            return None;
        }
        let logins: usize = self.services.iter().map(|service| service.users.len()).sum();
        if !self.spend_steps(self.services.len() + logins, &variable.origin) {
            return None;
        }
        let mut candidates: Vec<(usize, usize, &'static str, u8)> = Vec::new();
        for (index, service) in self.services.iter().enumerate() {
            // This comparison is made last, because most variables are not about most services.
            let about = || {
                names::is_about_service(&variable.name, &service.name)
                    || self.kinds.get(&service.kind).is_some_and(|kind| names::is_about_kind(&variable.name, kind))
            };
            for (at, user) in service.users.iter().enumerate() {
                let same = match &user.credential {
                    Credential::Variable(name) => source == Some(name.as_str()),
                    Credential::Secret(name) => variable.secret.as_ref() == Some(name),
                    Credential::Literal(literal) => {
                        source.is_none()
                            && !literal.reveal().is_empty()
                            && literal.reveal() == variable.text.text
                            && names::is_secret(&variable.name)
                            && about()
                    }
                    Credential::None | Credential::Own(_) => false,
                };
                if same && part != Some(Part::User) {
                    candidates.push((index, at, "password", u8::from(about())));
                }
                let known = self.sources.get(&service.name);
                let same_user =
                    (source.is_some() && known.and_then(|known| known.user.as_deref()) == source && at == 0)
                        || (variable.text.text == user.name.value && about());
                if same_user && part == Some(Part::User) && !user.name.value.is_empty() {
                    candidates.push((index, at, "user", u8::from(about())));
                }
            }
        }
        let best = candidates.iter().map(|candidate| candidate.3).max()?;
        let &(service, at, field, _) = candidates.iter().find(|candidate| candidate.3 == best)?;
        let path = self.user_path(service, at);
        if field == "password" {
            self.services[service].users[at].bound = true;
        }
        let template = Template::field(&self.services[service].name, &format!("{path}{field}"));
        Some(Value::Bound { template, dropped: Vec::new() })
    }
}

fn is_switch(text: &Interpolated) -> bool {
    text.unset.is_empty() && matches!(text.text.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no")
}
