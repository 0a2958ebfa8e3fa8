//! `devenv schema`: prints the JSON schemas of the files that users and editors read and write.

use crate::cli::SchemaOf;
use crate::model::Failure;
use crate::ui::Printer;

/// Runs the command.
pub(crate) fn run(file: SchemaOf, printer: &Printer) -> Result<(), Failure> {
    printer.exact(match file {
        SchemaOf::Services => include_str!("../../templates/schemas/services.json"),
        SchemaOf::Local => include_str!("../../templates/schemas/local.json"),
        SchemaOf::Lock => include_str!("../../templates/schemas/lock.json"),
        SchemaOf::Report => include_str!("../../templates/schemas/report.json"),
    })
}
