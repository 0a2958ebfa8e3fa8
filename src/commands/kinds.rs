//! `devenv kinds`: the kinds of services, and how exactly devenv proves each kind.

use crate::cli::Global;
use crate::environment::session::{built_in_kinds, read};
use crate::model::{Failure, Support};
use crate::ui::{Printer, Table};
use serde_json::json;
use std::path::PathBuf;

/// Runs the command.
pub(crate) fn run(global: &Global, files: &[PathBuf], as_json: bool, printer: &Printer) -> Result<(), Failure> {
    // Without a manifest, list the built-in kinds.
    let kinds = match read(global, files) {
        Ok(reading) => reading.kinds,
        Err(_) => built_in_kinds()?,
    };
    if as_json {
        let all: Vec<_> = kinds
            .iter()
            .map(|kind| {
                json!({
                    "name": kind.name, "title": kind.title, "protocol": kind.protocol, "image": kind.image,
                    "port": kind.port, "support": kind.support, "note": kind.note, "names": kind.names,
                    "fields": kind.fields.keys().collect::<Vec<_>>(),
                })
            })
            .collect();
        return printer.json(&json!({ "kinds": all }));
    }
    let mut table = Table::new(["kind", "proven", "image", "fields"]);
    for kind in kinds.iter() {
        let support = match kind.support {
            Support::Reproduced => "in full",
            Support::Approximated => "approximated",
            Support::Unsupported => "unsupported",
        };
        let fields = kind.fields.keys().cloned().collect::<Vec<_>>().join(" ");
        table.row([kind.name.as_str(), support, &kind.image, &fields]);
    }
    printer.data(&table.render(printer))
}
