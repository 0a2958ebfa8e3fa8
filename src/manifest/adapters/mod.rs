//! A stand-in (`SQLite`, memory, the file system) in an app's development settings where production has a real service.
//!
//! Only what a file says in so many words counts: what a variable decides, another section, a comment or a text is no
//! finding, and neither is a stand-in that production uses itself.

mod django;
mod laravel;
mod python;
mod rails;
mod ruby;
mod spring;

use super::beside::{Beside, within};
use super::search::Search;
use crate::kinds::Kinds;
use crate::model::{
    Diagnostic, Difference, Failure, Gap, Impact, Located, Protocol, Said, Service, SourceFile, Stack, Value,
};
use crate::project::Budget;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a service is to an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Tables.
    Database,
    /// What may be forgotten.
    Cache,
    /// Work for later.
    Queue,
    /// Messages between the app's processes.
    Messages,
}

/// A stand-in that development uses.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StandIn {
    /// Whose setting it is: `Rails`.
    framework: &'static str,
    /// What it stands in for.
    role: Role,
    /// As it is written, with its place.
    value: Located<String>,
    /// What to write instead; `{variable}` is the variable that leads to the service.
    instead: &'static str,
    /// Where the framework says what its stand-ins lack.
    source: &'static str,
}

/// What the readers of settings look at.
struct Settings<'a> {
    beside: Beside,
    search: Search,
    stack: &'a Stack,
}

/// Every stand-in in the development settings below a project's root, where the stack has a service for it; and what
/// could not be read, or was left out because there is too much.
pub fn adapters(
    root: &Path,
    stack: &Stack,
    kinds: &Kinds,
    budget: &Budget,
) -> Result<(Vec<Difference>, Vec<Diagnostic>), Failure> {
    let (stack, kinds) = (stack.clone(), kinds.clone());
    within(root, budget, move |beside| {
        let search = Search::below(&beside.project.root);
        let mut settings = Settings { beside, search, stack: &stack };
        let mut found = rails::stand_ins(&mut settings);
        found.extend(django::stand_ins(&mut settings));
        found.extend(laravel::stand_ins(&mut settings));
        found.extend(spring::stand_ins(&mut settings));
        let differences = found.into_iter().filter_map(|stand_in| difference(stand_in, &stack, &kinds)).collect();
        (differences, settings.beside.diagnostics(&settings.search))
    })
}

fn difference(stand_in: StandIn, stack: &Stack, kinds: &Kinds) -> Option<Difference> {
    let StandIn { framework, role, value, instead, source } = stand_in;
    let service = stack.services.iter().find(|service| serves(service, role, kinds))?;
    let title = kinds.get(&service.kind).map_or(service.kind.as_str(), |kind| kind.title.as_str());
    let (what, impact, why) = match role {
        Role::Database => (
            "database",
            Impact::Breaks,
            format!("SQL, types, constraints and locking differ from {title}: what works here may fail there"),
        ),
        Role::Cache => (
            "cache",
            Impact::Behaves,
            format!("what is cached is not shared, ages and is dropped otherwise than in {title}"),
        ),
        Role::Queue => (
            "queue",
            Impact::Behaves,
            format!("work does not leave the process: it is not serialised, retried or lost as it is with {title}"),
        ),
        Role::Messages => (
            "messages",
            Impact::Behaves,
            format!("messages do not leave the process, so other processes get none, as they do by {title}"),
        ),
    };
    let variable = variable_to(stack, &service.name).unwrap_or("the variable that production sets");
    let version = service.version.number.as_deref().unwrap_or(&service.version.text);
    let production = Said { side: "manifest".to_owned(), value: format!("{title} {version}").trim_end().to_owned() };
    let here = Said { side: format!("{}:{}", value.origin.path().display(), value.origin.line), value: value.value };
    Some(Difference {
        code: "adapter",
        impact,
        gap: Gap::Tools,
        service: service.name.clone(),
        subject: format!("{framework} {what} in development"),
        said: vec![production, here],
        why,
        source: source.to_owned(),
        help: vec![instead.replace("{variable}", variable)],
        origin: Some(value.origin),
    })
}

/// Whether a service is one for that role.
fn serves(service: &Service, role: Role, kinds: &Kinds) -> bool {
    let protocol = kinds.get(&service.kind).map(|kind| kind.protocol);
    let is = |names: &[&str]| names.contains(&service.kind.as_str());
    match role {
        Role::Database => protocol == Some(Protocol::Postgres) || is(&["mysql", "mariadb"]),
        Role::Cache => matches!(protocol, Some(Protocol::Redis | Protocol::Memcached)),
        Role::Queue => {
            matches!(protocol, Some(Protocol::Redis | Protocol::Amqp))
                || is(&["activemq", "elasticmq", "kafka", "nats", "sqs"])
        }
        Role::Messages => protocol == Some(Protocol::Redis),
    }
}

/// The first variable whose value leads to the service, one with its URL before others.
fn variable_to<'s>(stack: &'s Stack, service: &str) -> Option<&'s str> {
    let field = |variable: &'s crate::model::Variable| match &variable.value {
        Value::Bound { template, .. } => {
            let field = template.fields().find(|(name, _)| *name == service).map(|(_, field)| field)?;
            Some((!field.contains("url"), variable.name.as_str()))
        }
        _ => None,
    };
    let found = stack.variables.iter().filter_map(field);
    // Of equal ones the first.
    found.min_by_key(|(is_no_url, _)| *is_no_url).map(|(_, name)| name)
}

/// What the stack says of a variable, where it is a plain value.
fn plain<'s>(stack: &'s Stack, name: &str) -> Option<&'s str> {
    stack.variables.iter().filter(|variable| variable.name == name).find_map(|variable| match &variable.value {
        Value::Plain(text) => Some(text.as_str()),
        _ => None,
    })
}

/// Whether a path leads through a folder of tests or examples, whose settings are nobody's development.
fn is_aside(path: &Path) -> bool {
    const ASIDE: &[&str] =
        &["test", "tests", "testing", "spec", "dummy", "example", "examples", "sample", "samples", "e2e"];
    let mut folders = path.parent().into_iter().flat_map(Path::components);
    folders.any(|folder| folder.as_os_str().to_str().is_some_and(|name| ASIDE.contains(&name)))
}

impl Settings<'_> {
    /// The files of some patterns, tests and examples aside, in order and each once.
    fn files(&mut self, patterns: &[&str]) -> Vec<PathBuf> {
        let mut paths: Vec<_> = patterns.iter().flat_map(|pattern| self.search.matching(pattern)).collect();
        paths.retain(|path| !is_aside(path));
        paths.sort();
        paths.dedup();
        paths
    }

    /// A file's text, where it can be read.
    fn read(&self, path: impl AsRef<Path>) -> Option<Arc<SourceFile>> {
        self.beside.read(path.as_ref())
    }
}

#[cfg(test)]
mod tests;
