//! Resources that belong to a service: parameter groups that the service names, and databases, logins and parameters
//! that name the service.
//!
//! Each is found by an address (`aws_db_parameter_group.main`), or by a name or id that both resources have, so that
//! the time of reading grows with the number of resources and not with its square.

use super::evaluate::Scope;
use super::instances;
use super::module::{Block, Module};
use super::resources::{ADDITIONS, Adds, GROUPS, Group};
use crate::kinds::{Kind, arguments, matches};
use crate::manifest::declare::cloud::{self, Parameter, Settings, Shape};
use crate::manifest::read::hcl::EXPRESSION;
use crate::model::Located;
use crate::syntax::tree::{Node, NodeKind};
use std::collections::HashMap;

/// All resources of a module, or of a state, that belong to a service.
#[derive(Default)]
pub(super) struct Belongings {
    groups: Vec<(&'static Group, Node)>,
    groups_by: HashMap<String, Vec<usize>>,
    additions: Vec<(Adds, Vec<Node>)>,
    additions_by: HashMap<String, Vec<usize>>,
}

/// The parts of one service that come from these resources.
#[derive(Default)]
pub(super) struct Own {
    pub(super) parameters: Vec<Parameter>,
    pub(super) databases: Vec<Located<String>>,
    pub(super) users: Vec<Located<String>>,
}

impl Belongings {
    /// The belongings among a module's blocks.
    pub(super) fn of_module(scope: &Scope<'_>, module: &Module) -> Self {
        let mut found = Self::default();
        for block in &module.resources {
            if let Some(group) = GROUPS.iter().find(|group| group.resource == block.type_name) {
                let body = scope.evaluate(&block.body);
                let mut keys = vec![address(block)];
                keys.extend(body.get("name").and_then(by_value));
                found.group(group, body, keys);
            }
            for addition in ADDITIONS.iter().filter(|addition| matches(addition.resource, &block.type_name)) {
                let Some(of) = block.body.get(addition.of) else { continue };
                let mut keys = addresses(of);
                keys.extend(by_value(&scope.evaluate(of)));
                let bodies = instances(scope, block)
                    .into_iter()
                    .filter(|(.., exists)| *exists)
                    .map(|(_, scope, _)| scope.evaluate(&block.body));
                found.addition(addition.adds, bodies.collect(), keys);
            }
        }
        found
    }

    /// The belongings among the resources of a state or plan, which are given by type and values.
    pub(super) fn of_state<'n>(resources: impl Iterator<Item = (&'n str, &'n Node)>) -> Self {
        let mut found = Self::default();
        for (type_name, values) in resources {
            if let Some(group) = GROUPS.iter().find(|group| group.resource == type_name) {
                let keys = ["name", "id", "arn"].iter().filter_map(|key| by_value(values.get(key)?)).collect();
                found.group(group, values.clone(), keys);
            }
            for addition in ADDITIONS.iter().filter(|addition| matches(addition.resource, type_name)) {
                let keys = values.get(addition.of).and_then(by_value).into_iter().collect();
                found.addition(addition.adds, vec![values.clone()], keys);
            }
        }
        found
    }

    fn group(&mut self, group: &'static Group, body: Node, keys: Vec<String>) {
        for key in keys {
            self.groups_by.entry(key).or_default().push(self.groups.len());
        }
        self.groups.push((group, body));
    }

    fn addition(&mut self, adds: Adds, bodies: Vec<Node>, keys: Vec<String>) {
        for key in keys {
            self.additions_by.entry(key).or_default().push(self.additions.len());
        }
        self.additions.push((adds, bodies));
    }

    /// The parts that belong to a module's block.
    pub(super) fn of_block(&self, block: &Block, body: &Node, shape: &Shape, kind: Option<&Kind>) -> Own {
        let mut named = vec![address(block)];
        named.extend(body.get("name").and_then(by_value));
        let groups = groups(shape).flat_map(|attribute| {
            let mut keys = cloud::at(&block.body, attribute).map(addresses).unwrap_or_default();
            keys.extend(cloud::at(body, attribute).and_then(by_value));
            keys
        });
        self.own(groups, &named, kind)
    }

    /// The parts that belong to a resource of a state.
    pub(super) fn of_values(&self, values: &Node, shape: &Shape, kind: Option<&Kind>) -> Own {
        let named: Vec<String> = ["id", "name"].iter().filter_map(|key| by_value(values.get(key)?)).collect();
        let groups = groups(shape).filter_map(|attribute| by_value(cloud::at(values, attribute)?));
        self.own(groups, &named, kind)
    }

    fn own(&self, groups: impl Iterator<Item = String>, named: &[String], kind: Option<&Kind>) -> Own {
        let mut own = Own::default();
        for (group, body) in chosen(&self.groups, &self.groups_by, groups) {
            own.parameters.extend(parameters(group, body, kind));
        }
        for (adds, bodies) in chosen(&self.additions, &self.additions_by, named.iter().cloned()) {
            for body in bodies {
                own.add(*adds, body);
            }
        }
        own
    }
}

impl Own {
    /// Adds the database, login or parameter of a resource that belongs to the service.
    fn add(&mut self, adds: Adds, body: &Node) {
        let name = |attribute: &str| {
            let node = body.get(attribute)?;
            Some(Located::new(node.as_literal()?.to_owned(), node.origin.clone()))
        };
        match adds {
            Adds::Database(attribute) => self.databases.extend(name(attribute)),
            Adds::User(attribute) => self.users.extend(name(attribute)),
            Adds::Parameter(attribute, value) => {
                if let (Some(name), Some(value)) = (name(attribute), body.get(value)) {
                    let holder = "configuration".to_owned();
                    self.parameters.push(Parameter { holder, name, value: value.clone(), family: String::new() });
                }
            }
        }
    }
}

/// The items that the keys lead to, each once, in the order of declaration.
fn chosen<'i, T>(
    items: &'i [T],
    by: &'i HashMap<String, Vec<usize>>,
    keys: impl Iterator<Item = String>,
) -> impl Iterator<Item = &'i T> {
    let mut found: Vec<usize> = keys.filter_map(|key| by.get(&key)).flatten().copied().collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().filter_map(|at| items.get(at))
}

/// Attributes of a shape that name a group.
fn groups(shape: &Shape) -> impl Iterator<Item = &'static str> {
    shape.settings.iter().filter_map(|settings| match settings {
        Settings::Group(attribute) => Some(*attribute),
        _ => None,
    })
}

fn address(block: &Block) -> String {
    format!("{}.{}", block.type_name, block.name.value)
}

/// The key for a known text. The `=` distinguishes the text from an address.
fn by_value(node: &Node) -> Option<String> {
    node.as_literal().filter(|text| !text.is_empty()).map(|text| format!("={text}"))
}

/// The addresses that an expression names: `aws_db_parameter_group.main.name`, `x.y[0].id`.
fn addresses(node: &Node) -> Vec<String> {
    let NodeKind::Scalar { text, .. } = &node.kind else { return Vec::new() };
    if node.tag.as_deref() != Some(EXPRESSION) && !text.contains("${") {
        return Vec::new();
    }
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
        .filter_map(|word| {
            let (type_name, rest) = word.split_once('.')?;
            let name = rest.split('.').next()?;
            Some(format!("{type_name}.{name}"))
        })
        .collect()
}

/// The parameters of a group: a list, or a configuration file's text.
fn parameters(group: &Group, body: &Node, kind: Option<&Kind>) -> Vec<Parameter> {
    let Some(node) = body.get(group.parameters) else { return Vec::new() };
    let family = body.get("family").and_then(Node::as_literal).unwrap_or_default();
    let Some(text) = node.as_literal() else { return cloud::pairs(group.holder, node, family) };
    let read = |kind: &Kind| arguments::read_file(kind, text);
    let settings = kind.map(read).unwrap_or_default();
    settings
        .into_iter()
        .map(|setting| Parameter {
            holder: group.holder.to_owned(),
            name: Located::new(setting.name, node.origin.clone()),
            value: Node::scalar(setting.value, true, node.origin.clone()),
            family: family.to_owned(),
        })
        .collect()
}
