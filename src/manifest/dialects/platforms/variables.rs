//! The variables that a platform gives its apps: values that the platform binds itself, and plain values.
//!
//! A value that the manifest binds by name is bound as the manifest says. Any other value goes through `bind`, which
//! copies no secret.

use crate::kinds::Kinds;
use crate::manifest::bind::{Declared, Sources, bind};
use crate::manifest::dialect::Input;
use crate::manifest::read::interpolate::{Interpolated, Span, Unset};
use crate::model::{Json, Origin, Piece, Service, Stack, Template, Value, Variable};
use crate::project::{Budget, Resource, VARIABLE, of_text};
use crate::syntax::tree::Node;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The variables of every app, in the manifest's order.
pub(super) struct PlatformVariables {
    all: Vec<AppVariable>,
    /// The index of each variable, by app and name.
    places: HashMap<(String, String), usize>,
    budget: Budget,
}

/// One variable of an app.
enum AppVariable {
    /// A variable whose value the manifest decides.
    Fixed(Variable),
    /// A variable whose value `bind` decides.
    Declared(Declared),
    /// A secret of the platform, with its source.
    Secret(Declared, String),
}

impl PlatformVariables {
    /// Without variables yet. Each variable is paid from the budget of the reading.
    pub(super) fn of(input: &Input<'_>) -> Self {
        Self { all: Vec::new(), places: HashMap::new(), budget: input.project.budget.clone() }
    }

    /// Adds a value that the manifest decides.
    pub(super) fn fixed(&mut self, app: &str, name: &str, value: Value, origin: &Origin) {
        let (name, app) = (name.to_owned(), app.to_owned());
        self.put(AppVariable::Fixed(Variable { name, app, value, origin: origin.clone() }));
    }

    /// Adds a value that is made from services' fields.
    pub(super) fn bound(&mut self, app: &str, name: &str, template: Template, origin: &Origin) {
        self.fixed(app, name, Value::Bound { template, dropped: Vec::new() }, origin);
    }

    /// Adds a text as written.
    pub(super) fn text(&mut self, app: &str, name: &str, text: &str, origin: &Origin) {
        self.interpolated(app, name, Interpolated::literal(text), origin);
    }

    /// Adds a text with the variables that it came from.
    pub(super) fn interpolated(&mut self, app: &str, name: &str, text: Interpolated, origin: &Origin) {
        self.declared(declared(app, name, text, origin));
    }

    /// Adds a value of the manifest: the text of a scalar. A list or map stays unresolved, because the platform encodes
    /// it.
    pub(super) fn node(&mut self, app: &str, name: &str, node: &Node) {
        match node.as_str() {
            Some(text) => self.text(app, name, text, &node.origin),
            None if node.is_null() => self.text(app, name, "", &node.origin),
            None => {
                let value = Value::Unresolved("a list or a map, in the platform's own encoding".to_owned());
                self.fixed(app, name, value, &node.origin);
            }
        }
    }

    /// Adds a value that `bind` decides.
    pub(super) fn declared(&mut self, declared: Declared) {
        self.put(AppVariable::Declared(declared));
    }

    /// Adds a secret of the platform. It is bound if a service's own login has the same source, and never copied.
    pub(super) fn secret(&mut self, app: &str, name: &str, variable: &str, from: &str, origin: &Origin) {
        let text = Interpolated {
            text: String::new(),
            spans: vec![Span { range: 0..0, variable: variable.to_owned() }],
            unset: vec![Unset { name: variable.to_owned(), required: None }],
        };
        self.secret_text(app, name, text, from, origin);
    }

    /// Adds a secret whose text is known. It is bound if the text leads to a service, and never copied.
    pub(super) fn secret_text(&mut self, app: &str, name: &str, text: Interpolated, from: &str, origin: &Origin) {
        self.put(AppVariable::Secret(declared(app, name, text, origin), from.to_owned()));
    }

    /// Whether an app has a variable of that name already.
    pub(super) fn has(&self, app: &str, name: &str) -> bool {
        self.places.contains_key(&(app.to_owned(), name.to_owned()))
    }

    /// Adds a variable. A later value replaces an earlier value of the same name and app.
    fn put(&mut self, one: AppVariable) {
        if !self.budget.spend_at(Resource::Values, VARIABLE + of_text(one.size()), one.origin()) {
            return;
        }
        let (app, name) = one.key();
        match self.places.entry((app.to_owned(), name.to_owned())) {
            Occupied(place) => self.all[*place.get()] = one,
            Vacant(place) => {
                place.insert(self.all.len());
                self.all.push(one);
            }
        }
    }

    /// Binds the variables that are not bound yet, and marks the services that the variables use.
    pub(super) fn bind_into(self, stack: &mut Stack, kinds: &Kinds, sources: &BTreeMap<String, Sources>) {
        let declared: Vec<Declared> = self.all.iter().filter_map(AppVariable::as_declared).cloned().collect();
        let mut bound = bind(kinds, &mut stack.services, sources, &declared, &self.budget).into_iter();
        let mut variables = Vec::with_capacity(self.all.len());
        for one in self.all {
            match one {
                AppVariable::Fixed(variable) => variables.push(variable),
                AppVariable::Declared(_) => variables.extend(bound.next()),
                AppVariable::Secret(_, from) => variables.extend(bound.next().map(|mut variable| {
                    if !matches!(variable.value, Value::Bound { .. }) {
                        variable.value = Value::Secret(from);
                    }
                    variable
                })),
            }
        }
        mark_services(&mut stack.services, &variables);
        stack.variables.extend(variables);
    }
}

impl AppVariable {
    fn key(&self) -> (&str, &str) {
        match self {
            Self::Fixed(variable) => (&variable.app, &variable.name),
            Self::Declared(declared) | Self::Secret(declared, _) => (&declared.app, &declared.name),
        }
    }

    fn origin(&self) -> &Origin {
        match self {
            Self::Fixed(variable) => &variable.origin,
            Self::Declared(declared) | Self::Secret(declared, _) => &declared.origin,
        }
    }

    /// The number of bytes that it holds. A short reference may expand to a long name.
    fn size(&self) -> usize {
        match self {
            Self::Declared(declared) | Self::Secret(declared, _) => declared.text.text.len(),
            Self::Fixed(Variable { value: Value::Bound { template, .. }, .. }) => {
                let piece = |piece: &Piece| match piece {
                    Piece::Text(text) => text.len(),
                    Piece::Field { service, field, .. } => service.len() + field.len(),
                    Piece::Json { .. } => 0,
                };
                template.0.iter().map(piece).sum()
            }
            Self::Fixed(_) => 0,
        }
    }

    fn as_declared(&self) -> Option<&Declared> {
        match self {
            Self::Declared(declared) | Self::Secret(declared, _) => Some(declared),
            Self::Fixed(_) => None,
        }
    }
}

fn declared(app: &str, name: &str, text: Interpolated, origin: &Origin) -> Declared {
    let (name, app, origin) = (name.to_owned(), app.to_owned(), origin.clone());
    Declared { not_passed: false, name, app, text, secret: None, origin }
}

/// Marks the users whose password is in a variable, and the services whose host is in a variable without its port.
fn mark_services(services: &mut [Service], variables: &[Variable]) {
    let mut hosts: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut ports: BTreeSet<(&str, &str)> = BTreeSet::new();
    for variable in variables {
        let Value::Bound { template, .. } = &variable.value else { continue };
        for (service, field) in template.fields() {
            match field.rsplit('.').next().unwrap_or(field) {
                "host" => drop(hosts.insert((&variable.app, service))),
                "port" => drop(ports.insert((&variable.app, service))),
                last => {
                    let carries = last == "password" || last.ends_with("url");
                    if let Some(service) = services.iter_mut().find(|known| carries && known.name == service) {
                        match field.strip_prefix("users.").and_then(|rest| rest.rsplit_once('.')) {
                            Some((name, _)) => {
                                service
                                    .users
                                    .iter_mut()
                                    .filter(|user| user.name.value == name)
                                    .for_each(|user| user.bound = true);
                            }
                            None => service.users.iter_mut().take(1).for_each(|user| user.bound = true),
                        }
                    }
                }
            }
        }
    }
    for (_, name) in hosts.difference(&ports) {
        services.iter_mut().filter(|service| service.name == *name).for_each(|service| service.needs_own_port = true);
    }
}

/// Makes a template from the text of one value. `place` returns the pieces for each name between `open` and `close`.
pub(super) fn template(
    text: &str,
    (open, close): (&str, &str),
    place: &mut dyn FnMut(&str) -> Option<Vec<Piece>>,
) -> Result<Template, String> {
    let mut template = Template::default();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        template.push_text(before);
        let Some((name, after)) = after.split_once(close) else { return Err(format!("{open}{after}")) };
        match place(name.trim()) {
            Some(pieces) => {
                let in_url = template.0.iter().any(|piece| matches!(piece, Piece::Text(text) if text.contains("://")));
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => template.push_text(&text),
                        Piece::Field { service, field, .. } => {
                            let last = field.rsplit('.').next().unwrap_or(&field);
                            let encoded = in_url && matches!(last, "user" | "password" | "database" | "vhost");
                            template.0.push(Piece::Field { service, field, encoded });
                        }
                        json @ Piece::Json { .. } => template.0.push(json),
                    }
                }
            }
            None => return Err(format!("{open}{name}{close}")),
        }
        rest = after;
    }
    template.push_text(rest);
    Ok(template)
}

/// One field of a service, as pieces.
pub(super) fn field(service: &str, field: &str) -> Vec<Piece> {
    Template::field(service, field).0
}

/// `host:port` of a service.
pub(super) fn address(service: &str) -> Template {
    let mut template = Template::field(service, "host");
    template.push_text(":");
    template.0.extend(field(service, "port"));
    template
}

/// One entry of a JSON map.
pub(super) fn json(key: &str, value: Json) -> (String, Json) {
    (key.to_owned(), value)
}
