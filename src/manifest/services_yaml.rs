//! Our own dialect, `services.yaml`.
//!
//! Every key that it does not know is an error: what a file says is carried out or reported.

use super::dialect::{Dialect, Input, ManifestFile};
use crate::model::{Diagnostic, Stack};

/// This dialect's line in the table.
pub(crate) const DIALECT: Dialect = Dialect { name: "services.yaml", title: "services.yaml", recognises, read };

fn recognises(file: &ManifestFile) -> bool {
    let by_name = file.source.path.file_name().is_some_and(|name| name == "services.yaml" || name == "services.yml");
    by_name
        || file
            .documents
            .first()
            .and_then(|document| document.get("services"))
            .is_some_and(|services| services.entries().any(|entry| entry.value.get("kind").is_some()))
}

fn read(_input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    (Stack::default(), Vec::new())
}
