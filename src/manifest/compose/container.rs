//! A container of another format, read the way a service of Compose is.

use super::load::Loader;
use super::service::{self, Read};
use super::value::{Content, Value};
use super::variables;
use crate::manifest::bind::{Declared, Sources};
use crate::manifest::dialect::Input;
use crate::model::{App, Diagnostic, Located, Service};
use crate::syntax::tree::Node;

/// What a container is.
pub(crate) enum Container {
    /// A server, with what its model cannot hold.
    Backing(Box<Service>, Sources),
    /// An app, with its variables where they are of interest.
    App(App, Vec<Declared>),
}

/// Reads a container that a reader has put into Compose's words (`image`, `command`, `environment`, `volumes`, …): in
/// its texts `${X}` is a variable and `$$` a dollar. Relative paths start from the project's root.
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
