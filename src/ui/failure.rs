//! The reason why a command failed, as data: `--json` prints this on standard output in place of an outcome.

use crate::model::{Diagnostic, Failure, Origin};
use serde_json::{Value, json};

/// `{"exit": 3, "errors": [{"code": …, "message": …, "places": […], "because": […], "help": […]}]}`.
pub fn failure_json(failure: &Failure) -> Value {
    let errors: Vec<Value> = failure.diagnostics.iter().map(error).collect();
    json!({"exit": failure.exit as u8, "errors": errors})
}

fn error(diagnostic: &Diagnostic) -> Value {
    let first = diagnostic.origin.iter().map(|origin| place(origin, &diagnostic.label));
    let others = diagnostic.related.iter().map(|other| place(&other.origin, &other.label));
    json!({
        "severity": diagnostic.severity, "code": diagnostic.code, "message": diagnostic.message,
        "places": first.chain(others).collect::<Vec<_>>(), "because": diagnostic.notes, "help": diagnostic.help,
    })
}

fn place(origin: &Origin, label: &str) -> Value {
    json!({"file": origin.path(), "line": origin.line, "column": origin.column, "what": label})
}
