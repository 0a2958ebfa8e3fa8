//! A stand-in (`SQLite`, memory, the file system) in an app's development settings where production has a real service.
//!
//! Only a literal in a file counts. A value that a variable decides is no finding, nor is a value in another section,
//! in a comment or in a string. A stand-in that production uses itself is no finding either.

mod django;
mod laravel;
mod python;
mod rails;
mod ruby;
mod spring;

use crate::kinds::Kinds;
use crate::manifest::codebase::beside::{Beside, within};
use crate::manifest::read::search::Search;
use crate::model::{
    Diagnostic, Difference, Failure, Gap, Impact, Located, Protocol, Said, Service, SourceFile, Stack, Value,
};
use crate::project::Budget;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The role that a service has for an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Stores tables.
    Database,
    /// Stores data that may be lost.
    Cache,
    /// Holds jobs that run later.
    Queue,
    /// Carries messages between the app's processes.
    Messages,
}

/// A stand-in that development uses.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StandIn {
    /// The framework that the setting belongs to: `Rails`.
    framework: &'static str,
    /// The role of the service that it replaces.
    role: Role,
    /// The value as written, with its place.
    value: Located<String>,
    /// Advice on the setting to write instead; `{variable}` is the variable that leads to the service.
    instead: &'static str,
    /// The page on which the framework says what its stand-ins lack.
    source: &'static str,
}

/// The input of the readers of settings.
struct Settings<'a> {
    beside: Beside,
    search: Search,
    stack: &'a Stack,
}

/// Every stand-in in the development settings below a project's root for which the stack has a service. The
/// diagnostics name the files that could not be read, or that were skipped because there are too many.
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
            format!("SQL, types, constraints and locking differ from {title}: a query that works here may fail there"),
        ),
        Role::Cache => (
            "cache",
            Impact::Behaves,
            format!(
                "entries are not shared between processes, and they expire and are evicted in another way than in {title}"
            ),
        ),
        Role::Queue => (
            "queue",
            Impact::Behaves,
            format!("jobs do not leave the process: they are not serialised, retried or lost as they are with {title}"),
        ),
        Role::Messages => (
            "messages",
            Impact::Behaves,
            format!(
                "messages do not leave the process, so other processes do not receive them, as they do with {title}"
            ),
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

/// Whether a service can have that role.
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

/// The first variable whose value leads to the service; a variable with the service's URL comes before others.
fn variable_to<'s>(stack: &'s Stack, service: &str) -> Option<&'s str> {
    let field = |variable: &'s crate::model::Variable| match &variable.value {
        Value::Bound { template, .. } => {
            let field = template.fields().find(|(name, _)| *name == service).map(|(_, field)| field)?;
            Some((!field.contains("url"), variable.name.as_str()))
        }
        _ => None,
    };
    let found = stack.variables.iter().filter_map(field);
    // `min_by_key` returns the first of several equal elements.
    found.min_by_key(|(is_no_url, _)| *is_no_url).map(|(_, name)| name)
}

/// The value that the stack has for a variable, if it is a plain value.
fn plain<'s>(stack: &'s Stack, name: &str) -> Option<&'s str> {
    stack.variables.iter().filter(|variable| variable.name == name).find_map(|variable| match &variable.value {
        Value::Plain(text) => Some(text.as_str()),
        _ => None,
    })
}

/// Whether a path leads through a folder of tests or examples. Their settings are not used in development.
fn is_test_or_example(path: &Path) -> bool {
    const FOLDERS: &[&str] =
        &["test", "tests", "testing", "spec", "dummy", "example", "examples", "sample", "samples", "e2e"];
    let mut folders = path.parent().into_iter().flat_map(Path::components);
    folders.any(|folder| folder.as_os_str().to_str().is_some_and(|name| FOLDERS.contains(&name)))
}

impl Settings<'_> {
    /// The files that match some patterns, sorted and each once, without tests and examples.
    fn files(&mut self, patterns: &[&str]) -> Vec<PathBuf> {
        let mut paths: Vec<_> = patterns.iter().flat_map(|pattern| self.search.matching(pattern)).collect();
        paths.retain(|path| !is_test_or_example(path));
        paths.sort();
        paths.dedup();
        paths
    }

    /// A file's text, if it can be read.
    fn read(&self, path: impl AsRef<Path>) -> Option<Arc<SourceFile>> {
        self.beside.read(path.as_ref())
    }
}

#[cfg(test)]
mod tests;
