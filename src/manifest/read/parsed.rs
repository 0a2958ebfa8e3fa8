//! A manifest's text as trees.

use super::files::parse_yaml;
use super::templates;
use crate::model::{Diagnostic, SourceFile};
use crate::project::Budget;
use crate::syntax::tree::Node;
use std::path::PathBuf;
use std::sync::Arc;

/// A manifest that was found or named, parsed.
#[derive(Clone, Debug)]
pub(crate) struct ManifestFile {
    /// Its text, and its path as shown.
    pub(crate) source: Arc<SourceFile>,
    /// The absolute folder that relative paths in it start from.
    pub(crate) folder: PathBuf,
    /// The documents that could be parsed. Mistakes in the other documents have been reported.
    pub(crate) documents: Vec<Node>,
}

/// Parses a manifest's text as YAML.
pub(crate) fn parsed(
    source: Arc<SourceFile>,
    folder: PathBuf,
    budget: &Budget,
    diagnostics: &mut Vec<Diagnostic>,
) -> ManifestFile {
    let read = parse_yaml(&source, budget);
    diagnostics.extend(read.diagnostics);
    ManifestFile { source, folder, documents: read.documents }
}

/// Parses a manifest's text as YAML in which templates may be in the place of values.
pub(crate) fn parsed_templated(
    source: Arc<SourceFile>,
    folder: PathBuf,
    budget: &Budget,
    diagnostics: &mut Vec<Diagnostic>,
) -> ManifestFile {
    let mut broken = Vec::new();
    let file = parsed(source, folder, budget, &mut broken);
    if !broken.is_empty()
        && let Some(read) = templates::parse(&file.source, budget)
    {
        return ManifestFile { documents: read.documents, ..file };
    }
    diagnostics.append(&mut broken);
    file
}
