//! Warnings about values in `services.local.yaml` that contradict production's files.
//!
//! A version pin that refines production's version (`17.12` for `17`) is the purpose of the file. A value that
//! contradicts production's files makes the local server different from production's server. Each command that starts
//! services reports such a value in one line.

use crate::model::{Change, Diagnostic, Origin, Stack};

/// The code of these warnings.
pub const CONTRADICTS: &str = "local-contradicts";

/// A warning for each value in `services.local.yaml` that contradicts production's value, at the line of the value
/// there.
pub fn contradictions(stack: &Stack) -> Vec<Diagnostic> {
    let of_service = stack.services.iter().flat_map(|service| {
        let contradicting = service.changes().into_iter().filter(|change| change.contradicts);
        contradicting.map(|change| warning(&service.name, &change))
    });
    of_service.collect()
}

fn warning(service: &str, change: &Change) -> Diagnostic {
    let here = place(&change.local.origin);
    let production = match &change.production {
        Some(said) => format!("{} says {}", place(&said.origin), said.value),
        None => "production's files do not".to_owned(),
    };
    let message = match (change.topic, &change.production) {
        ("extensions" | "plugins", _) => {
            format!("{service}: {here} adds the {} {}, {production}", change.topic.trim_end_matches('s'), change.name)
        }
        ("rights", None) => format!("{service}: {here} adds the login {}, {production}", change.name),
        (_, None) => format!("{service}: {here} sets {}, {production}", change.subject()),
        (_, Some(_)) => format!("{service}: {here} says {} {}, {production}", change.subject(), change.local.value),
    };
    Diagnostic::warning(CONTRADICTS, message).at(&change.local.origin, "production has another value")
}

/// `services.local.yaml:3`.
fn place(origin: &Origin) -> String {
    format!("{}:{}", origin.path().display(), origin.line)
}
