//! Variables whose names make programs run. They are not set, whether they come from a manifest or from a line of a
//! `.env`, because that file may have come with the clone too.

use super::consent;
use crate::dotenv::UserLine;
use crate::machine::Trust;
use crate::manifest::{Reading, unsafe_variable};
use crate::model::{Diagnostic, Variable};
use std::collections::BTreeSet;

/// Removes these variables from the stack and returns them. The variables of `services.local.yaml` to which the user
/// agreed stay: `trust` has the agreements, and `agreed` means that the user agreed to all.
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

/// One warning about all of these variables; `lines` are the user's own lines of the env file.
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
