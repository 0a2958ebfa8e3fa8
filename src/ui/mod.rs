//! Everything that a person sees: messages, progress, tables and questions. Only this module prints.
//!
//! Data goes to standard output, everything else to standard error. No text of a manifest or a server reaches the
//! terminal as an escape sequence.

mod checks;
mod confirm;
mod diagnostic;
mod failure;
mod layout;
mod lines;
mod paint;
mod printer;
mod progress;
mod report;
mod reporter;
mod summary;
mod table;
mod visible;

pub use checks::{Check, CheckState};
pub use confirm::{Answer, ask};
pub use failure::failure_json;
pub use layout::{Layout, ServiceRow};
pub use paint::{ColorChoice, Style};
pub use printer::Printer;
pub use report::{github_annotations, html, json as report_json, markdown, sarif, terminal};
pub use reporter::Reporter;
pub use summary::{age, bytes, env_line, not_carried_out, not_carried_out_json, production_line, ready_line, seconds};
pub use table::{Table, columns, padded};
pub use visible::visible;
