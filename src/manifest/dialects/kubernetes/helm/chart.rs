//! Reads `Chart.yaml`: the chart's name and dependencies.

use super::text;
use crate::model::{Located, Origin};
use crate::syntax::tree::Node;

/// A chart.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    /// Its name.
    pub(super) name: Located<String>,
    /// The version of the deployed application, as the chart declares it (`appVersion`).
    pub(super) app_version: Option<Located<String>>,
    /// The charts that it depends on.
    pub(super) dependencies: Vec<Dependency>,
}

/// A dependency. Its `version` is not read, because it is a chart's version and not the server's.
#[derive(Clone, Debug)]
pub(super) struct Dependency {
    /// The other chart's name.
    pub(super) chart: String,
    /// The key of its values: its alias, else its name.
    pub(super) key: String,
    /// Paths of the values that decide whether it is deployed; the first value that exists counts.
    pub(super) conditions: Vec<String>,
    /// Tags that switch it on or off.
    pub(super) tags: Vec<String>,
    /// Where it is declared.
    pub(super) origin: Origin,
}

impl Chart {
    /// Reads a chart's file.
    pub(super) fn read(node: &Node) -> Option<Self> {
        let name = node.get("name")?;
        let located = |node: &Node| Some(Located::new(text(Some(node))?.to_owned(), node.origin.clone()));
        let dependencies = node.get("dependencies").and_then(Node::as_sequence).unwrap_or_default();
        Some(Self {
            name: located(name)?,
            app_version: node.get("appVersion").and_then(located),
            dependencies: dependencies.iter().filter_map(Dependency::read).collect(),
        })
    }
}

impl Dependency {
    fn read(node: &Node) -> Option<Self> {
        let chart = text(node.get("name"))?.to_owned();
        let condition = text(node.get("condition")).unwrap_or_default();
        let tags = node.get("tags").and_then(Node::as_sequence).unwrap_or_default();
        Some(Self {
            key: text(node.get("alias")).unwrap_or(&chart).to_owned(),
            conditions: condition
                .split(',')
                .map(|path| path.trim().to_owned())
                .filter(|path| !path.is_empty())
                .collect(),
            tags: tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect(),
            origin: node.get("name").map_or(&node.origin, |name| &name.origin).clone(),
            chart,
        })
    }

    /// Whether the dependency is deployed with these values (Helm, "Tags and condition fields in dependencies").
    pub(super) fn is_deployed(&self, values: &Node) -> bool {
        let said = |path: &String| path.split('.').try_fold(values, |node, key| node.get(key))?.as_bool();
        if let Some(said) = self.conditions.iter().find_map(said) {
            return said;
        }
        let tags = values.get("tags");
        let tagged: Vec<bool> =
            self.tags.iter().filter_map(|tag| tags.and_then(|tags| tags.get(tag)).and_then(Node::as_bool)).collect();
        tagged.is_empty() || tagged.contains(&true)
    }
}
