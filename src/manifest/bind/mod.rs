//! From what a manifest gives its apps to [`Variable`]s: bound to services, plain, secret or unresolved.
//!
//! It knows no dialect. A value is bound where it names a service's host; parts of the connection that stand in further
//! variables of the same prefix go with it, and so do values that come from the very source of a service's login.
//! No value that could be a secret, or that could reach production, is ever copied.

mod connection;
mod names;
mod secrets;

use super::interpolate::Interpolated;
use crate::kinds::{Kind, Kinds};
use crate::model::{
    Credential, Database, Diagnostic, Located, Origin, Piece, Secret, Service, Template, User, Value, Variable,
};
use connection::{Connection, Parameter};
use names::Part;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A variable as a manifest declares it.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    /// Its name.
    pub(crate) name: String,
    /// The app that gets it.
    pub(crate) app: String,
    /// Its value, with the variables that it came from.
    pub(crate) text: Interpolated,
    /// The platform's secret that it is taken from, where the manifest says so.
    pub(crate) secret: Option<String>,
    /// Where it was declared.
    pub(crate) origin: Origin,
}

/// What a reader knows of a service beside the model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    /// The variable that the first user's name came from.
    pub(crate) user: Option<String>,
    /// The variable that the first database's name came from.
    pub(crate) database: Option<String>,
    /// The variable that the first virtual host's name came from.
    pub(crate) vhost: Option<String>,
    /// Ports that production's server listens on, where they are not its kind's.
    pub(crate) ports: Vec<u16>,
}

/// Binds every variable. Services gain the users and databases that only apps name, and know whether an app's variable
/// carries a user's password, or names a host without its port.
pub(crate) fn bind(
    kinds: &Kinds,
    services: &mut [Service],
    sources: &BTreeMap<String, Sources>,
    declared: &[Declared],
) -> Vec<Variable> {
    let mut binder = Binder { kinds, services, sources, with_owner: BTreeSet::new() };
    let mut values: Vec<Option<Value>> = vec![None; declared.len()];
    let mut apps: Vec<&str> = Vec::new();
    for variable in declared {
        if !apps.contains(&variable.app.as_str()) {
            apps.push(&variable.app);
        }
    }
    for app in apps {
        let own: Vec<usize> = (0..declared.len()).filter(|index| declared[*index].app == app).collect();
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
        (Value::Bound { template: one, .. }, Value::Bound { template: other, .. }) => one == other,
        (Value::Plain(one), Value::Plain(other))
        | (Value::Secret(one) | Value::Unresolved(one), Value::Secret(other) | Value::Unresolved(other)) => {
            one == other
        }
        _ => false,
    }
}

struct Binder<'a> {
    kinds: &'a Kinds,
    services: &'a mut [Service],
    sources: &'a BTreeMap<String, Sources>,
    /// Databases, by service, whose owner an app has settled.
    with_owner: BTreeSet<(usize, String)>,
}

/// A bound variable that names a host, for finding its siblings.
struct Host {
    service: usize,
    prefix: String,
    has_port: bool,
}

impl Binder<'_> {
    fn kind(&self, service: usize) -> Option<&Kind> {
        self.kinds.get(&self.services[service].kind)
    }

    fn bind_app(&mut self, declared: &[Declared], own: &[usize], values: &mut [Option<Value>]) {
        let mut hosts: Vec<Host> = Vec::new();
        for &index in own {
            if let Some((value, service, has_port)) = self.bind_connection(&declared[index]) {
                values[index] = Some(value);
                if let Some(service) = service {
                    let prefix = names::address_prefix(&declared[index].name).unwrap_or_default();
                    hosts.push(Host { service, prefix, has_port });
                }
            }
        }
        // The longest prefix that fits is the nearest relation.
        hosts.sort_by_key(|host| std::cmp::Reverse(host.prefix.len()));
        for at in 0..hosts.len() {
            self.bind_siblings(declared, own, values, &mut hosts, at);
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

    /// A value that names services' hosts: the value, the service, and whether a port goes with it.
    fn bind_connection(&mut self, variable: &Declared) -> Option<(Value, Option<usize>, bool)> {
        let text = variable.text.text.as_str();
        let connection = connection::parse(text)?;
        let services: Vec<usize> =
            connection.hosts.iter().map(|(host, _)| self.service_of(&text[host.clone()])).collect::<Option<_>>()?;
        let &service = services.first()?;
        if connection.bare && !self.may_be_host(&variable.name, text, service) {
            return None;
        }
        let kind = self.kind(service)?.clone();
        let mut change = Change::new(&variable.text, connection.encoded);
        let tls = self.bind_scheme(&connection, &kind, &mut change);
        for ((host, port), &service) in connection.hosts.iter().zip(&services) {
            let kind = self.kind(service)?.clone();
            let name = self.services[service].name.clone();
            change.field(host.clone(), &name, "host");
            match port {
                Some(port) => {
                    let number = text[port.clone()].parse().unwrap_or(0_u16);
                    if !tls && !self.listens_on(service, &kind, number) {
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
        self.bind_login(&connection, variable, service, &kind, &mut change);
        let has_port = !connection.bare;
        Some((change.into_value(), Some(service), has_port))
    }

    /// Replaces a scheme that means TLS and takes TLS parameters out. Whether the scheme meant TLS.
    fn bind_scheme(&self, connection: &Connection, kind: &Kind, change: &mut Change<'_>) -> bool {
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
                } else if !written.is_empty() && written != "default" {
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
                // Celery writes the vhost `/` as a second slash; it is kept as it is.
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

    /// The index of the login that a connection names; one that the service does not declare is added.
    fn login(
        &mut self,
        service: usize,
        kind: &Kind,
        user: Option<&(String, Option<String>)>,
        password: Option<&(String, Option<String>)>,
        origin: &Origin,
    ) -> Option<usize> {
        let known = self.sources.get(&self.services[service].name);
        let target = &mut self.services[service];
        let knows_names = kind.default_user.is_some()
            || target.users.iter().any(|user| !user.name.value.is_empty())
            || kind
                .families
                .iter()
                .any(|family| family.variables.values().any(|login| *login == crate::kinds::Login::User));
        let said = password.filter(|(text, source)| !text.is_empty() || source.is_some());
        let credential = |otherwise: String| match said {
            Some((_, Some(variable))) => Credential::Variable(variable.clone()),
            Some((text, None)) => Credential::Literal(Secret::new(text.clone())),
            None => Credential::Own(otherwise),
        };
        let at = if !knows_names {
            if target.users.is_empty() {
                said?;
                target.users.push(added_user("", credential(target.name.clone()), origin));
            }
            0
        } else {
            let found = user.and_then(|(name, source)| {
                let same_source = source.is_some() && known.and_then(|known| known.user.as_ref()) == source.as_ref();
                if same_source || (name.is_empty() && source.is_some()) {
                    return (!target.users.is_empty()).then_some(0);
                }
                target.users.iter().position(|known| known.name.value == *name)
            });
            match (found, user) {
                (Some(at), _) => at,
                (None, Some((name, _))) if !name.is_empty() => {
                    let otherwise = format!("{} user {name}", target.name);
                    target.users.push(added_user(name, credential(otherwise), origin));
                    target.users.len() - 1
                }
                _ if target.users.is_empty() => return None,
                _ => 0,
            }
        };
        // A server that lets everybody in takes any password; the app gets one all the same.
        if said.is_some() && target.users[at].credential == Credential::None {
            target.users[at].credential = credential(String::new());
        }
        Some(at)
    }

    fn user_path(&self, service: usize, at: usize) -> String {
        if at == 0 { String::new() } else { format!("users.{}.", self.services[service].users[at].name.value) }
    }

    /// The field of a database that an app names; one that the service does not declare is added.
    fn database_field(
        &mut self,
        service: usize,
        name: &str,
        source: Option<&str>,
        login: Option<usize>,
        origin: &Origin,
    ) -> String {
        let known = self.sources.get(&self.services[service].name).and_then(|known| known.database.as_deref());
        let target = &mut self.services[service];
        let same_source = source.is_some() && known == source;
        if same_source || name.is_empty() {
            return "database".to_owned();
        }
        let at = target.databases.iter().position(|known| known.name.value == name).unwrap_or_else(|| {
            let name = Located::new(name.to_owned(), origin.clone());
            target.databases.push(Database { name, owner: None });
            target.databases.len() - 1
        });
        // Whoever logs in first owns it, as an app's login owns its database in production.
        if let Some(user) = login
            && self.with_owner.insert((service, name.to_owned()))
            && target.databases[at].owner.is_none()
            && user != 0
        {
            target.databases[at].owner = Some(target.users[user].name.value.clone());
        }
        if at == 0 { "database".to_owned() } else { format!("databases.{name}.database") }
    }

    fn vhost_field(&mut self, service: usize, name: &str, source: Option<&str>, origin: &Origin) -> String {
        let known = self.sources.get(&self.services[service].name).and_then(|known| known.vhost.as_deref());
        let target = &mut self.services[service];
        if name.is_empty() || (source.is_some() && known == source) {
            return "vhost".to_owned();
        }
        let at = target.vhosts.iter().position(|vhost| vhost.value == name).unwrap_or_else(|| {
            target.vhosts.push(Located::new(name.to_owned(), origin.clone()));
            target.vhosts.len() - 1
        });
        if at == 0 { "vhost".to_owned() } else { format!("vhosts.{name}.vhost") }
    }

    /// Variables with the prefix of a bound host that carry another part of the same connection.
    fn bind_siblings(
        &mut self,
        declared: &[Declared],
        own: &[usize],
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
            own.iter().copied().find(|index| {
                values[*index].is_none()
                    && declared[*index].secret.is_none()
                    && names::part_after(&declared[*index].name, &prefix) == Some(part)
            })
        };
        let part = |index: usize| {
            let text = &declared[index].text;
            (text.text.clone(), text.sole_variable().map(str::to_owned))
        };
        let name = self.services[service].name.clone();
        let bound = |field: &str| Some(Value::Bound { template: Template::field(&name, field), dropped: Vec::new() });
        if let Some(index) = sibling(Part::Port, values) {
            let (text, _) = part(index);
            match text.trim().parse() {
                Ok(number) if self.listens_on(service, &kind, number) => {
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
                    &self.place(declared, user_at, password_at),
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

    fn place(&self, declared: &[Declared], user: Option<usize>, password: Option<usize>) -> Origin {
        let index = user.or(password).unwrap_or_default();
        declared[index].origin.clone()
    }

    /// A value from the variable or secret, or with the literal, that a service's own login has.
    fn bind_by_source(&mut self, variable: &Declared) -> Option<Value> {
        let source = variable.text.sole_variable();
        let part = names::part_at_end(&variable.name);
        let mut candidates: Vec<(usize, usize, &'static str, u8)> = Vec::new();
        for (index, service) in self.services.iter().enumerate() {
            let about = names::is_about_service(&variable.name, &service.name)
                || self.kinds.get(&service.kind).is_some_and(|kind| names::is_about_kind(&variable.name, kind));
            for (at, user) in service.users.iter().enumerate() {
                let same = match &user.credential {
                    Credential::Variable(name) => source == Some(name.as_str()),
                    Credential::Secret(name) => variable.secret.as_ref() == Some(name),
                    Credential::Literal(literal) => {
                        about
                            && names::is_secret(&variable.name)
                            && source.is_none()
                            && !literal.reveal().is_empty()
                            && literal.reveal() == variable.text.text
                    }
                    Credential::None | Credential::Own(_) => false,
                };
                if same && part != Some(Part::User) {
                    candidates.push((index, at, "password", u8::from(about)));
                }
                let known = self.sources.get(&service.name);
                let same_user =
                    (source.is_some() && known.and_then(|known| known.user.as_deref()) == source && at == 0)
                        || (about && variable.text.text == user.name.value);
                if same_user && part == Some(Part::User) && !user.name.value.is_empty() {
                    candidates.push((index, at, "user", u8::from(about)));
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

    fn service_of(&self, host: &str) -> Option<usize> {
        let is = |name: &String| name.eq_ignore_ascii_case(host);
        self.services.iter().position(|service| is(&service.name) || service.aliases.iter().any(is))
    }

    /// Whether a service's name as the whole value means its host: `DB_HOST=db`, and not `CACHE_DRIVER=redis`.
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

    fn listens_on(&self, service: usize, kind: &Kind, port: u16) -> bool {
        let service = &self.services[service];
        let known = self.sources.get(&service.name);
        port == service.container_port.unwrap_or(kind.port) || known.is_some_and(|known| known.ports.contains(&port))
    }

    /// The class of a value that no service takes part in.
    fn unbound(&self, variable: &Declared) -> Value {
        let text = variable.text.text.as_str();
        let from = || {
            let variables = variable.text.variables();
            if let Some(secret) = &variable.secret {
                format!("the secret {secret}")
            } else if variables.is_empty() {
                format!("it is written in {}", variable.origin.path().display())
            } else {
                variables.iter().map(|name| format!("${{{name}}}")).collect::<Vec<_>>().join(" ")
            }
        };
        if variable.secret.is_some() {
            return Value::Secret(from());
        }
        if let Some(name) = text.strip_prefix("/run/secrets/") {
            return Value::Secret(format!("a file with the secret {name}, at {text}"));
        }
        let by_name = names::is_secret(&variable.name);
        if !variable.text.unset.is_empty() {
            return if by_name { Value::Secret(from()) } else { Value::Unresolved(from()) };
        }
        if secrets::looks_secret(text) || (by_name && !secrets::is_harmless(text)) {
            return Value::Secret(from());
        }
        if let Some(reason) = self.reaches_out(variable) {
            return Value::Secret(format!("{}; {reason}", from()));
        }
        Value::Plain(text.to_owned())
    }

    /// Why a value must not be copied because it could reach production's own servers.
    fn reaches_out(&self, variable: &Declared) -> Option<String> {
        let text = variable.text.text.as_str();
        let connection = connection::parse(text)?;
        let hosts = || connection.hosts.iter().map(|(host, _)| &text[host.clone()]);
        if let Some(scheme) = &connection.scheme {
            let scheme = &text[scheme.clone()];
            let base = scheme.split('+').next().unwrap_or(scheme);
            let speaks = |kind: &Kind| {
                let known = |name: &String| name.as_str() == scheme || name.as_str() == base;
                !matches!(base, "http" | "https" | "tcp" | "tls" | "ssl")
                    && (kind.schemes.iter().any(known) || kind.tls_schemes.keys().any(known))
            };
            if let Some(kind) = self.kinds.iter().find(|kind| speaks(kind)) {
                return Some(format!("a {} that no manifest declares", kind.title));
            }
        }
        let connects = names::is_connection(&variable.name)
            && (connection.scheme.is_none()
                || self.kinds.iter().any(|kind| names::is_about_kind(&variable.name, kind)));
        if connects && hosts().any(|host| is_host(host) && !secrets::is_local_host(host)) {
            return Some("a host of production".to_owned());
        }
        None
    }
}

fn added_user(name: &str, credential: Credential, origin: &Origin) -> User {
    User { name: Located::new(name.to_owned(), origin.clone()), credential, bound: false, superuser: false }
}

fn is_switch(text: &Interpolated) -> bool {
    text.unset.is_empty() && matches!(text.text.to_ascii_lowercase().as_str(), "true" | "false" | "yes" | "no")
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
        && text.rsplit('.').next().is_some_and(|last| last.len() > 1 || last.chars().all(|c| c.is_ascii_digit()))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = after.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(code) = code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(code);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// A text with parts to be replaced.
struct Change<'t> {
    text: &'t Interpolated,
    encoded: bool,
    parts: Vec<(Range<usize>, Vec<Piece>)>,
    dropped: Vec<String>,
}

impl<'t> Change<'t> {
    fn new(text: &'t Interpolated, encoded: bool) -> Self {
        Self { text, encoded, parts: Vec::new(), dropped: Vec::new() }
    }

    fn piece(&self, service: &str, field: &str) -> Piece {
        Piece::Field { service: service.to_owned(), field: field.to_owned(), encoded: self.encoded }
    }

    fn field(&mut self, range: Range<usize>, service: &str, field: &str) {
        let piece = self.piece(service, field);
        self.parts.push((range, vec![piece]));
    }

    fn insert(&mut self, at: usize, before: &str, service: &str, field: &str) {
        let piece = self.piece(service, field);
        self.parts.push((at..at, vec![Piece::Text(before.to_owned()), piece]));
    }

    fn text(&mut self, range: Range<usize>, text: String) {
        self.parts.push((range, vec![Piece::Text(text)]));
    }

    /// Takes parameters out, each with the one separator that goes with it; of a query nothing but `?` would be left,
    /// so that goes too.
    fn remove_parameters(&mut self, all: &[Parameter], gone: &[bool]) {
        let text = self.text.text.as_bytes();
        let is_query = all.first().and_then(|first| text.get(first.name.start.checked_sub(1)?)) == Some(&b'?');
        let kept = gone.iter().filter(|gone| !**gone).count();
        for (index, parameter) in all.iter().enumerate().filter(|(index, _)| gone[*index]) {
            let (start, end) = (parameter.name.start, parameter.value.end);
            let kept_before = gone[..index].contains(&false);
            let range = match all.get(index + 1) {
                _ if !is_query || kept_before || kept == 0 => start.saturating_sub(1)..end,
                Some(next) => start..next.name.start,
                None => start..end,
            };
            self.parts.push((range, Vec::new()));
        }
    }

    fn into_value(mut self) -> Value {
        self.parts.sort_by_key(|(range, _)| (range.start, range.end));
        let mut template = Template::default();
        let mut at = 0;
        for (range, pieces) in self.parts {
            if range.start < at {
                continue;
            }
            template.push_text(&self.text.text[at..range.start]);
            for piece in pieces {
                match piece {
                    Piece::Text(text) => template.push_text(&text),
                    field @ Piece::Field { .. } => template.0.push(field),
                }
            }
            at = range.end;
        }
        template.push_text(&self.text.text[at..]);
        Value::Bound { template, dropped: self.dropped }
    }
}

#[cfg(test)]
mod tests;
