//! The Helm dialect: a chart's dependencies, and the values that decide which servers are deployed.
//!
//! Templates are not rendered, so declarations that are only in templates are not known here; a note names the command
//! that renders them. A chart's version is never the version of a server.

mod chart;
mod part;
mod values;

use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::model::{Diagnostic, Source, Stack};
use crate::syntax::tree::Node;
use chart::Chart;
use std::path::PathBuf;

/// The line of this dialect in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "helm",
    title: "Helm",
    places: Places::Files(&[
        "Chart.yaml",
        "{chart,charts,helm,helm-chart,helm-charts,deploy,deployment,infra,ops,k8s,kubernetes}/**/Chart.yaml",
    ]),
    syntax: Syntax::Yaml,
    marks: &[],
    recognises,
    read,
};

/// Recognises a chart by its name and keys, and a file of values by its name, because values have no fixed keys.
fn recognises(file: &ManifestFile) -> bool {
    is_chart(file) || is_values(file)
}

fn is_chart(file: &ManifestFile) -> bool {
    let is_named = file.source.path.file_name().is_some_and(|name| name == "Chart.yaml");
    is_named
        && file.documents.first().is_some_and(|chart| {
            chart.get("name").is_some() && chart.get("version").is_some() && chart.get("kind").is_none()
        })
}

fn is_values(file: &ManifestFile) -> bool {
    let name = file.source.path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.into_iter().any(|word| word == "values")
        && file.documents.first().is_some_and(|values| {
            values.as_mapping().is_some() && values.get("apiVersion").is_none() && values.get("kind").is_none()
        })
}

/// Reads the declarations of all files together: each chart with its values, and values with the chart in the same
/// folder.
pub(crate) fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let mut stack = Stack::default();
    let mut diagnostics = Vec::new();
    for (folder, files) in by_folder(input.files) {
        // A chart in another chart's `charts/` is a dependency of that chart.
        let is_inner = |other: &ManifestFile| folder != other.folder && folder.starts_with(other.folder.join("charts"));
        if input.files.iter().any(|other| is_chart(other) && is_inner(other)) {
            continue;
        }
        let (chart, given) = values::load(input, &files, &mut diagnostics);
        let read = part::read(input, chart.as_ref(), &given, &mut diagnostics);
        for service in read {
            if stack.service(&service.name).is_none() {
                stack.services.push(service);
            }
        }
        diagnostics.push(not_rendered(input, chart.as_ref(), &folder, &files));
    }
    let source =
        |file: &ManifestFile| Source { path: file.source.path.clone(), format: DIALECT.name, title: DIALECT.title };
    stack.sources = input.files.iter().map(source).collect();
    (stack, diagnostics)
}

/// The files of each folder, in order.
fn by_folder(files: &[ManifestFile]) -> Vec<(PathBuf, Vec<&ManifestFile>)> {
    let mut groups: Vec<(PathBuf, Vec<&ManifestFile>)> = Vec::new();
    for file in files {
        match groups.iter_mut().find(|(folder, _)| *folder == file.folder) {
            Some((_, group)) => group.push(file),
            None => groups.push((file.folder.clone(), vec![file])),
        }
    }
    groups
}

fn not_rendered(
    input: &Input<'_>,
    chart: Option<&Chart>,
    folder: &std::path::Path,
    files: &[&ManifestFile],
) -> Diagnostic {
    let shown = input.project.shown(folder).display().to_string();
    let shown = if shown.is_empty() { ".".to_owned() } else { shown };
    let mut words = vec!["helm template".to_owned(), chart.map_or_else(|| "CHART".to_owned(), |_| shown)];
    for file in files.iter().filter(|file| is_values(file)) {
        words.push(format!("-f {}", file.source.path.display()));
    }
    Diagnostic::note(
        "helm-not-rendered",
        "a chart's templates are not rendered here: apps and their variables are not known",
    )
    .because("only the values and the chart's dependencies are read")
    .help(format!("render it for everything else: `{} | devenv up -f -`", words.join(" ")))
}

/// The text of a node, if it is not empty.
fn text(node: Option<&Node>) -> Option<&str> {
    node?.as_str().filter(|text| !text.trim().is_empty())
}
