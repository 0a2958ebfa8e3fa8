//! Variables that are not set for anybody, since their names make programs run: of manifests, and of lines in a `.env`,
//! which may have come with the clone too.

use super::consent;
use crate::dotenv::UserLine;
use crate::machine::Trust;
use crate::manifest::{Reading, unsafe_variable};
use crate::model::{Diagnostic, Variable};
use std::collections::BTreeSet;

/// Takes such variables out of the stack and gives them back, but for those of `services.local.yaml` that the user agreed
/// to: `trust` knows, or `agreed` says so of all.
pub(crate) fn take_out(reading: &mut Reading, trust: Option<&Trust>, agreed: bool) -> Vec<Variable> {
    let root = &reading.root;
    let may = |variable: &Variable| {
        let request = consent::of_variable(root, variable);
        request.is_some_and(|request| agreed || trust.is_some_and(|trust| trust.has(&request.digest)))
    };
    let all = std::mem::take(&mut reading.stack.variables);
    let is_set = |variable: &Variable| unsafe_variable(&variable.name).is_none() || may(variable);
    let (set, unset) = all.into_iter().partition(is_set);
    reading.stack.variables = set;
    unset
}

/// What is said of them, in one message; `lines` are those of the env file.
pub(crate) fn diagnostic(variables: &[Variable], lines: &[UserLine]) -> Option<Diagnostic> {
    let lines = lines.iter().map(|line| line.name.as_str()).filter(|name| unsafe_variable(name).is_some());
    let names: BTreeSet<&str> = variables.iter().map(|variable| variable.name.as_str()).chain(lines).collect();
    if names.is_empty() {
        return None;
    }
    let of_reason = |name: &str| unsafe_variable(name).map(|reason| format!("{name} {reason}"));
    let reasons: Vec<String> = names.iter().filter_map(|name| of_reason(name)).collect();
    let list = names.into_iter().collect::<Vec<_>>().join(", ");
    let mut diagnostic =
        Diagnostic::warning("variable-unsafe", format!("not set, since they make programs run: {list}"));
    if let Some(first) = variables.first() {
        diagnostic = diagnostic.at(&first.origin, format!("{} is declared here", first.name));
    }
    Some(
        diagnostic
            .because(reasons.join("; "))
            .help("`variables: {NAME: VALUE}` in services.local.yaml sets one, after `devenv trust`"),
    )
}
