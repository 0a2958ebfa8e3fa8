//! Binds values that name a service's host, and the variables of the same app that belong to them.

use super::change::Change;
use super::connection::{self, Connection};
use super::hosts::{Hosts, Target};
use super::sibling::ByName;
use super::{Declared, Sources, names};
use crate::kinds::{Kind, Kinds};
use crate::model::{Origin, Piece, Protocol, Service, Template, Value};
use crate::project::{Budget, Resource};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Binds the variables of one app after the other.
pub(super) struct Binder<'a> {
    pub(super) kinds: &'a Kinds,
    pub(super) services: &'a mut [Service],
    pub(super) sources: &'a BTreeMap<String, Sources>,
    /// The service of each host.
    pub(super) hosts: Hosts,
    /// Databases, by service, to which an app's login has been assigned as owner.
    pub(super) with_owner: BTreeSet<(usize, String)>,
    /// The budget for comparisons with services and logins.
    pub(super) budget: &'a Budget,
}

/// A bound variable that names a host, for finding its siblings.
pub(super) struct Host {
    pub(super) service: usize,
    pub(super) prefix: String,
    pub(super) has_port: bool,
    /// Whether the host is a pooler, whose ports all lead to the service.
    pub(super) is_pooler: bool,
}

impl<'a> Binder<'a> {
    /// Spends comparisons for the value at that place; false if the budget has too few left.
    pub(super) fn spend_steps(&self, steps: usize, origin: &Origin) -> bool {
        self.budget.spend_at(Resource::Steps, steps, origin)
    }

    pub(super) fn kind(&self, service: usize) -> Option<&'a Kind> {
        self.kinds.get(&self.services[service].kind)
    }

    pub(super) fn bind_app(&mut self, declared: &[Declared], own: &[usize], values: &mut [Option<Value>]) {
        let named = ByName::of(declared, own);
        let mut hosts: Vec<Host> = Vec::new();
        for &index in own {
            if let Some(Value::Bound { template, .. }) = &values[index] {
                hosts.extend(self.template_host(&declared[index].name, template));
                continue;
            }
            if let Some((value, target, has_port)) = self.bind_connection(&declared[index]) {
                values[index] = Some(value);
                if let Some(Target { service, is_pooler }) = target {
                    let prefix = names::address_prefix(&declared[index].name).unwrap_or_default();
                    hosts.push(Host { service, prefix, has_port, is_pooler });
                }
            }
        }
        for &index in own {
            if values[index].is_none()
                && let Some((value, host)) = self.bind_host_by_port(declared, &named, index)
            {
                values[index] = Some(value);
                hosts.push(host);
            }
        }
        // A sibling belongs to the host with the longest prefix that fits.
        hosts.sort_by_key(|host| std::cmp::Reverse(host.prefix.len()));
        for at in 0..hosts.len() {
            self.bind_siblings(declared, &named, values, &mut hosts, at);
        }
        for host in hosts.iter().filter(|host| !host.has_port) {
            self.services[host.service].needs_own_port = true;
        }
        for &index in own {
            if values[index].is_none() {
                values[index] = self.bind_by_source(&declared[index]);
            }
        }
    }

    /// Marks the users whose passwords a template contains.
    pub(super) fn note_bound(&mut self, template: &Template) {
        let fields: Vec<(String, String)> =
            template.fields().map(|(service, field)| (service.to_owned(), field.to_owned())).collect();
        for (service, field) in fields {
            let Some(service) = self.services.iter_mut().find(|known| known.name == service) else { continue };
            if !(field.ends_with("password") || field.ends_with("url")) {
                continue;
            }
            let named = field.strip_prefix("users.").and_then(|rest| rest.rsplit_once('.')).map(|(name, _)| name);
            let at = named.and_then(|name| service.users.iter().position(|user| user.name.value == name));
            if let Some(user) = service.users.get_mut(at.unwrap_or_default()) {
                user.bound = true;
            }
        }
    }

    /// The host that a variable contains because the manifest binds the variable to it.
    fn template_host(&self, name: &str, template: &Template) -> Option<Host> {
        let [Piece::Field { service, field, .. }] = template.0.as_slice() else { return None };
        let service = self.services.iter().position(|known| known.name == *service)?;
        let prefix = names::address_prefix(name).unwrap_or_default();
        (field == "host").then_some(Host { service, prefix, has_port: false, is_pooler: false })
    }

    /// Binds a value that names hosts of services. Returns the value, its target, and whether it contains a port.
    fn bind_connection(&mut self, variable: &Declared) -> Option<(Value, Option<Target>, bool)> {
        let text = variable.text.text.as_str();
        let connection = connection::parse(text)?;
        let targets: Vec<Target> =
            connection.hosts.iter().map(|(host, _)| self.hosts.target(&text[host.clone()])).collect::<Option<_>>()?;
        let &first = targets.first()?;
        let service = first.service;
        if connection.bare && !self.may_be_host(&variable.name, text, service) {
            return None;
        }
        let kind = self.kind(service)?;
        let mut change = Change::new(&variable.text, connection.encoded);
        let tls = bind_scheme(&connection, kind, &mut change);
        for ((host, port), &Target { service, is_pooler }) in connection.hosts.iter().zip(&targets) {
            let kind = self.kind(service)?;
            let name = self.services[service].name.clone();
            change.field(host.clone(), &name, "host");
            match port {
                Some(port) => {
                    let number = text[port.clone()].parse().unwrap_or(0_u16);
                    if !tls && !is_pooler && !self.listens_on(service, kind, number) {
                        let which = format!("port {number} of {name}, of which only port {} is published", kind.port);
                        return Some((Value::Unresolved(which), None, true));
                    }
                    change.field(port.clone(), &name, "port");
                }
                None if connection.bare => {}
                None => {
                    let (at, before) = connection.port_key.unwrap_or((host.end, ":"));
                    change.insert(at, before, &name, "port");
                }
            }
        }
        self.bind_login(&connection, variable, service, kind, &mut change);
        let has_port = !connection.bare;
        Some((change.into_value(), Some(first), has_port))
    }

    /// Replaces user, password, database and virtual host of a connection.
    fn bind_login(
        &mut self,
        connection: &Connection,
        variable: &Declared,
        service: usize,
        kind: &Kind,
        change: &mut Change<'_>,
    ) {
        let text = &variable.text;
        let parameter = |names: &[&str]| {
            connection
                .parameters
                .iter()
                .find(|parameter| names.contains(&&text.text[parameter.name.clone()]))
                .map(|parameter| parameter.value.clone())
        };
        let user = connection.user.clone().or_else(|| parameter(&["user", "username"]));
        let password = connection.password.clone().or_else(|| parameter(&["password"]));
        let part = |range: &Range<usize>| {
            let variable = text.variable_of(range).map(str::to_owned);
            let text = &text.text[range.clone()];
            (if connection.encoded { percent_decoded(text) } else { text.to_owned() }, variable)
        };
        let mut login = None;
        if user.is_some() || password.is_some() {
            let user_part = user.as_ref().map(&part);
            let password_part = password.as_ref().map(&part);
            login = self.login(service, kind, user_part.as_ref(), password_part.as_ref(), &variable.origin);
        }
        let name = self.services[service].name.clone();
        if let Some(at) = login {
            let path = self.user_path(service, at);
            if let Some(range) = user {
                let nameless = self.services[service].users[at].name.value.is_empty();
                let written = &text.text[range.clone()];
                if !nameless {
                    change.field(range, &name, &format!("{path}user"));
                } else if kind.protocol == Protocol::Redis && !written.is_empty() && written != "default" {
                    change.dropped.push(format!("the user {written}"));
                    change.text(range, "default".to_owned());
                }
            }
            if let Some(range) = password {
                self.services[service].users[at].bound = true;
                change.field(range, &name, &format!("{path}password"));
            }
        }
        let whole_path = connection.path.clone();
        if kind.default_vhost.is_some() {
            if let Some(range) = whole_path.filter(|range| !text.text[range.clone()].is_empty()) {
                let (vhost, source) = part(&range);
                // Celery writes the vhost `/` as a second slash, which is kept unchanged.
                if vhost != "/" || &text.text[range.clone()] != "/" {
                    let field = self.vhost_field(service, &vhost, source.as_deref(), &variable.origin);
                    change.field(range, &name, &field);
                }
            }
        } else if kind.default_database.is_some() {
            let range = connection.database.clone().or_else(|| {
                whole_path.map(|range| {
                    let end = text.text[range.clone()].find('/').map_or(range.end, |at| range.start + at);
                    range.start..end
                })
            });
            if let Some(range) = range {
                let (database, source) = part(&range);
                if !database.is_empty() || source.is_some() {
                    let field = self.database_field(service, &database, source.as_deref(), login, &variable.origin);
                    change.field(range, &name, &field);
                }
            }
        }
    }

    /// Whether a service's name, as the whole value, means its host: `DB_HOST=db`, but not `CACHE_DRIVER=redis`.
    fn may_be_host(&self, name: &str, value: &str, service: usize) -> bool {
        if names::is_address(name) {
            return true;
        }
        if names::is_no_address(name) {
            return false;
        }
        let is_product = self.kinds.iter().any(|kind| {
            kind.names
                .iter()
                .chain(&kind.schemes)
                .chain(&kind.variable_words)
                .any(|word| word.eq_ignore_ascii_case(value))
        });
        let words = names::words(name);
        let says_product = words.len() == 1 && self.kind(service).is_some_and(|kind| names::is_about_kind(name, kind));
        !is_product || says_product
    }

    pub(super) fn listens_on(&self, service: usize, kind: &Kind, port: u16) -> bool {
        let service = &self.services[service];
        let known = self.sources.get(&service.name);
        // For an image of no known kind, the user declares the port. That port is known only later.
        kind.port == 0
            || port == service.container_port.unwrap_or(kind.port)
            || known.is_some_and(|known| known.ports.contains(&port))
    }
}

fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Cow::into_owned)
}

/// Replaces a scheme that means TLS and removes TLS parameters. Returns whether the scheme meant TLS.
fn bind_scheme(connection: &Connection, kind: &Kind, change: &mut Change<'_>) -> bool {
    let text = change.text.text.as_str();
    let mut tls = false;
    if let Some(range) = &connection.scheme {
        let scheme = &text[range.clone()];
        let (base, driver) = match kind.tls_schemes.get(scheme) {
            Some(_) => (scheme, ""),
            None => scheme.split_at(scheme.find('+').unwrap_or(scheme.len())),
        };
        if let Some(plain) = kind.tls_schemes.get(base) {
            tls = true;
            change.text(range.clone(), format!("{plain}{driver}"));
            change.dropped.push(format!("{scheme}://"));
        }
    }
    let mut gone = Vec::with_capacity(connection.parameters.len());
    for parameter in &connection.parameters {
        let (name, value) = (&text[parameter.name.clone()], &text[parameter.value.clone()]);
        let asks = kind.tls_parameters.iter().any(|known| known.eq_ignore_ascii_case(name.trim()));
        let harmless = ["disable", "disabled", "false", "0", "no", "off", "none", "allow", "prefer", "preferred"];
        gone.push(asks && !harmless.contains(&value.to_ascii_lowercase().as_str()));
        if gone.last() == Some(&true) {
            change.dropped.push(if value.is_empty() { name.to_owned() } else { format!("{name}={value}") });
        }
    }
    change.remove_parameters(&connection.parameters, &gone);
    tls
}
