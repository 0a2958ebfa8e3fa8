//! The values of one chart: its own values with the given values applied over them, as Helm does.

use super::chart::Chart;
use super::{is_chart, is_values};
use crate::manifest::dialect::{Input, ManifestFile};
use crate::manifest::read::files::FileFault;
use crate::manifest::read::parsed::parsed;
use crate::model::{Diagnostic, Origin};
use crate::syntax::tree::{Node, NodeKind};

/// The chart of a folder, if the folder has one, and its values.
pub(super) fn load(
    input: &Input<'_>,
    files: &[&ManifestFile],
    diagnostics: &mut Vec<Diagnostic>,
) -> (Option<Chart>, Node) {
    let Some(first) = files.first() else { return (None, empty(None)) };
    let mut read_here = |name: &str| {
        let path = first.folder.join(name);
        match input.project.read(&path) {
            Ok(source) => Some(parsed(source, first.folder.clone(), &input.project.budget, diagnostics)),
            Err(error) => {
                if error.fault != FileFault::Missing {
                    diagnostics.push(*error.diagnostic);
                }
                None
            }
        }
    };
    let given_chart = files.iter().find(|file| is_chart(file));
    let chart = match given_chart {
        Some(file) => file.documents.first().and_then(Chart::read),
        None => read_here("Chart.yaml").filter(is_chart).and_then(|file| file.documents.first().and_then(Chart::read)),
    };
    let has_own = files.iter().any(|file| file.source.path.file_name().is_some_and(|name| name == "values.yaml"));
    let own = if chart.is_some() && !has_own { read_here("values.yaml") } else { None };
    let given = files.iter().copied().filter(|file| is_values(file));
    let mut whole: Option<Node> = None;
    for file in own.iter().chain(given) {
        let Some(values) = file.documents.first() else { continue };
        whole = Some(match whole {
            Some(below) => merged(below, values),
            None => values.clone(),
        });
    }
    (chart, whole.unwrap_or_else(|| empty(Some(first))))
}

/// Merges values: maps are merged, any other value is replaced, and `null` removes a key.
fn merged(below: Node, above: &Node) -> Node {
    let (NodeKind::Mapping(mut entries), NodeKind::Mapping(over)) = (below.kind, &above.kind) else {
        return above.clone();
    };
    for entry in over {
        let at = entries.iter().position(|known| known.key.value == entry.key.value);
        match at {
            Some(at) if entry.value.is_null() => {
                entries.remove(at);
            }
            Some(at) => {
                let value =
                    std::mem::replace(&mut entries[at].value, Node::scalar("", false, entry.value.origin.clone()));
                entries[at].value = merged(value, &entry.value);
            }
            None => entries.push(entry.clone()),
        }
    }
    Node { origin: below.origin, tag: None, kind: NodeKind::Mapping(entries) }
}

fn empty(file: Option<&&ManifestFile>) -> Node {
    let origin = file.map_or_else(
        || {
            Origin::start_of(&std::sync::Arc::new(crate::model::SourceFile {
                path: "values.yaml".into(),
                text: String::new(),
            }))
        },
        |file| Origin::start_of(&file.source),
    );
    Node { origin, tag: None, kind: NodeKind::Mapping(Vec::new()) }
}
