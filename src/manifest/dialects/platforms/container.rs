//! A container that a platform runs from an image. It is translated into Compose's keys, and read like a service of
//! Compose.

use super::variables::PlatformVariables;
use crate::manifest::bind::Sources;
use crate::manifest::dialect::Input;
use crate::manifest::dialects::compose::{Container, container};
use crate::manifest::read::count::Counted as _;
use crate::model::{Diagnostic, Located, Origin, Service, Stack};
use crate::syntax::tree::{Entry, Node, NodeKind};
use std::collections::BTreeMap;

/// Results of reading containers that are not in the stack.
#[derive(Default)]
pub(super) struct Containers {
    pub(super) sources: BTreeMap<String, Sources>,
    pub(super) diagnostics: Vec<Diagnostic>,
}

impl Containers {
    /// Reads a container into the stack and its app's variables. `finish` may change a service before it is added.
    pub(super) fn read(
        &mut self,
        input: &Input<'_>,
        name: &Located<String>,
        entries: Vec<Entry>,
        stack: &mut Stack,
        app_variables: &mut PlatformVariables,
        finish: &mut dyn FnMut(&mut Service),
    ) {
        let node = Node { origin: name.origin.clone(), tag: None, kind: NodeKind::Mapping(entries) };
        let (read, found) = container(input, name, &node);
        self.diagnostics.extend(found);
        match read {
            Container::Backing(mut service, sources) => {
                finish(&mut service);
                self.sources.insert(service.name.clone(), sources);
                (*service).add_to(&mut stack.services, &input.project.budget);
            }
            Container::App(app, declared) => {
                for declared in declared {
                    app_variables.declared(declared);
                }
                app.add_to(&mut stack.apps, &input.project.budget);
            }
        }
    }
}

/// One key of the container, by its Compose name.
pub(super) fn entry(key: &str, value: Node) -> Entry {
    Entry { key: Located::new(key.to_owned(), value.origin.clone()), value }
}

/// A map of the container.
pub(super) fn map(origin: &Origin, entries: Vec<Entry>) -> Node {
    Node { origin: origin.clone(), tag: None, kind: NodeKind::Mapping(entries) }
}

/// A list of the container.
pub(super) fn list(origin: &Origin, items: Vec<Node>) -> Node {
    Node { origin: origin.clone(), tag: None, kind: NodeKind::Sequence(items) }
}

/// A tree in which dollars are escaped, so that they begin no variable.
pub(super) fn literal(node: &Node) -> Node {
    let kind = match &node.kind {
        NodeKind::Scalar { text, quoted } => NodeKind::Scalar { text: text.replace('$', "$$"), quoted: *quoted },
        NodeKind::Sequence(items) => NodeKind::Sequence(items.iter().map(literal).collect()),
        NodeKind::Mapping(entries) => NodeKind::Mapping(
            entries.iter().map(|entry| Entry { key: entry.key.clone(), value: literal(&entry.value) }).collect(),
        ),
    };
    Node { origin: node.origin.clone(), tag: None, kind }
}
