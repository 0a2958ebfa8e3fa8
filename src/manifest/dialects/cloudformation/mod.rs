//! `CloudFormation`, SAM, and the add-ons of AWS Copilot, in YAML and JSON.
//!
//! A parameter has its default value. A value that only the deployment decides stays unresolved. Outputs of Copilot's
//! add-ons are the variables of the app that they belong to.

mod intrinsics;
mod outputs;
mod resources;

use crate::manifest::declare::cloud::{self, Built, Parameter, Resource, Settings};
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::count::Counted as _;
use crate::model::{App, Diagnostic, Located, Source, Stack, VersionClass};
use crate::project::Budget;
use crate::syntax::tree::{Node, NodeKind};
use intrinsics::{Template, resource_of};

/// This dialect's entry in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "cloudformation",
    title: "CloudFormation",
    places: Places::Files(&[
        "*.{yaml,yml,json}",
        "{cloudformation,cfn,aws,infra,infrastructure,iac,sam,deploy,stacks,templates,state}/**/*.{yaml,yml,json,template}",
        "copilot/**/addons/*.{yml,yaml}",
        "*.template",
    ]),
    syntax: Syntax::Yaml,
    marks: &["Resources", "AWS::"],
    recognises,
    read,
};

/// Recognises a map `Resources` with at least one AWS type.
fn recognises(file: &ManifestFile) -> bool {
    file.documents.first().and_then(|document| document.get("Resources")).is_some_and(|resources| {
        resources
            .entries()
            .any(|entry| entry.value.get("Type").and_then(Node::as_str).is_some_and(|kind| kind.contains("::")))
    })
}

fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let (mut stack, mut diagnostics) = (Stack::default(), Vec::new());
    for file in input.files {
        if let Some(document) = file.documents.first() {
            read_file(file, document, input, &mut stack, &mut diagnostics);
        }
    }
    (stack, diagnostics)
}

fn read_file(
    file: &ManifestFile,
    document: &Node,
    input: &Input<'_>,
    stack: &mut Stack,
    diagnostics: &mut Vec<Diagnostic>,
) {
    stack.sources.push(Source { path: file.source.path.clone(), format: DIALECT.name, title: DIALECT.title });
    let template = Template::new(document);
    let budget = &input.project.budget;
    let first = stack.services.len();
    let resources = document.get("Resources").map(Node::entries).into_iter().flatten();
    for entry in resources {
        let type_name = entry.value.get("Type").and_then(Node::as_str).unwrap_or_default();
        let Some(shape) = resources::shape(type_name) else { continue };
        let condition = entry.value.get("Condition").and_then(Node::as_str);
        if let Some(name) = condition.filter(|name| template.condition(name) == Some(false)) {
            let note = format!("production makes none of it: the condition {name} does not hold");
            let origin = entry.key.origin.clone();
            add_app(stack, App { name: entry.key.value.clone(), image: None, note, origin }, budget);
            continue;
        }
        let nothing = Node { origin: entry.key.origin.clone(), tag: None, kind: NodeKind::Mapping(Vec::new()) };
        let properties = entry.value.get("Properties").unwrap_or(&nothing);
        let body = template.evaluate(properties);
        let resource = Resource {
            dialect: DIALECT.name,
            name: entry.key.value.clone(),
            origin: entry.key.origin.clone(),
            type_name,
            maker: type_name,
            shape,
            body: &body,
            parameters: parameters(shape.settings, properties, document, &template),
            databases: Vec::new(),
            users: Vec::new(),
        };
        match cloud::build(input.kinds, &resource) {
            Built::Service(service, wrong) => {
                diagnostics.extend(wrong);
                add_service(stack, *service, &file.source.path.display().to_string(), budget);
            }
            Built::App(app) => add_app(stack, app, budget),
        }
    }
    let services = &mut stack.services[first..];
    if let Some(app) = outputs::copilot_app(&file.source.path) {
        stack.variables.extend(outputs::variables(document, &template, &app, services));
    }
    let unresolved = services.iter().find(|service| service.version.class == VersionClass::Unresolved);
    if let Some(service) = unresolved {
        diagnostics.push(
            Diagnostic::note(
                "cloudformation-unresolved",
                format!("the template alone does not determine `{}`", service.version.text),
            )
            .at(&service.version.origin, format!("the version of `{}`", service.name))
            .help("ask AWS what the stack was deployed with: `aws cloudformation describe-stacks --stack-name NAME`"),
        );
    }
}

/// Adds a service. If another template has the same service name, the new name begins with this template's path.
fn add_service(stack: &mut Stack, mut service: crate::model::Service, path: &str, budget: &Budget) {
    if stack.service(&service.name).is_some() {
        let words: Vec<&str> =
            path.split(['/', '.']).filter(|word| !matches!(*word, "" | "addons" | "yml" | "yaml" | "json")).collect();
        service.name = format!("{}-{}", words.join("-"), service.name);
    }
    if stack.service(&service.name).is_none() {
        service.add_to(&mut stack.services, budget);
    }
}

fn add_app(stack: &mut Stack, app: App, budget: &Budget) {
    if !stack.apps.iter().any(|known| known.name == app.name) {
        app.add_to(&mut stack.apps, budget);
    }
}

/// The parameters of the groups that properties refer to.
fn parameters(settings: &[Settings], properties: &Node, document: &Node, template: &Template<'_>) -> Vec<Parameter> {
    let mut found = Vec::new();
    for settings in settings {
        let Settings::Group(property) = settings else { continue };
        let Some((name, _)) = properties.get(property).and_then(resource_of) else { continue };
        let Some(group) = document.get("Resources").and_then(|resources| resources.get(&name)) else { continue };
        let type_name = group.get("Type").and_then(Node::as_str).unwrap_or_default();
        let Some((_, property)) = resources::GROUPS.iter().find(|(known, _)| *known == type_name) else { continue };
        let Some(properties) = group.get("Properties") else { continue };
        let family = ["Family", "CacheParameterGroupFamily"].iter().find_map(|key| properties.get(key));
        let family = family.map(|family| template.evaluate(family));
        let family = family.as_ref().and_then(Node::as_literal).unwrap_or_default().to_owned();
        let Some(map) = properties.get(property).map(|map| template.evaluate(map)) else { continue };
        found.extend(map.entries().map(|entry| Parameter {
            holder: "parameter_group".to_owned(),
            name: Located::new(entry.key.value.clone(), entry.key.origin.clone()),
            value: entry.value.clone(),
            family: family.clone(),
        }));
    }
    found
}
