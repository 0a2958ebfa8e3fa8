//! Refuses two services with the same port, because they cannot be published on one port of this machine.

use crate::model::{Diagnostic, Located, Service, Stack};

/// An error for each service whose port is already the port of an earlier service, with both places.
pub(crate) fn refusals(stack: &Stack) -> Vec<Diagnostic> {
    let mut set: Vec<(&Service, &Located<u16>)> = Vec::new();
    let mut refused = Vec::new();
    for service in &stack.services {
        let Some(port) = &service.port else { continue };
        match set.iter().find(|(_, earlier)| earlier.value == port.value) {
            Some((other, earlier)) => refused.push(
                Diagnostic::error(
                    "port-twice",
                    format!("{} and {} have the same port {}", other.name, service.name, port.value),
                )
                .at(&port.origin, format!("of {}", service.name))
                .and_at(&earlier.origin, format!("of {}", other.name))
                .help("set another port for one of them, or leave `port` out to have one chosen"),
            ),
            None => set.push((service, port)),
        }
    }
    refused
}
