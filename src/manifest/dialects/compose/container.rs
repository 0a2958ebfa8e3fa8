//! A container of another format, which is read as a Compose service.

use super::load::Loader;
use super::service::{self, Read};
use super::value::{Content, Value};
use super::variables;
use crate::manifest::bind::{Declared, Sources};
use crate::manifest::dialect::Input;
use crate::model::{App, Diagnostic, Located, Service};
use crate::syntax::tree::Node;

/// The result of a container.
pub(crate) enum Container {
    /// A server, with the facts that its model does not hold.
    Backing(Box<Service>, Sources),
    /// An app, with its variables if devenv needs them.
    App(App, Vec<Declared>),
}

/// Reads a container that a reader has translated into Compose's keys (`image`, `command`, `environment`, `volumes`,
/// …). In its texts, `${X}` is a variable and `$$` is a dollar. Relative paths start at the project's root.
pub(crate) fn container(input: &Input<'_>, name: &Located<String>, node: &Node) -> (Container, Vec<Diagnostic>) {
    let mut loader = Loader::new(input);
    let environment = input.environment;
    let lookup = |name: &str| environment.get(name).map(str::to_owned);
    let value = Value::from_node(node, &lookup, &input.project.budget, &mut loader.diagnostics);
    let whole = Value { origin: node.origin.clone(), tag: None, content: Content::Map(Vec::new()) };
    let read = match service::read(&mut loader, &whole, name, &value) {
        Read::Backing(service, sources) => Container::Backing(service, sources),
        Read::App(app, with_variables) => {
            let declared =
                if with_variables { variables::declared(&mut loader, &app.name, &value) } else { Vec::new() };
            Container::App(app, declared)
        }
    };
    (read, loader.diagnostics)
}
