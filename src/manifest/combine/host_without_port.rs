//! Notes about variables that give an app a server's host while no variable gives it the port.

use crate::kinds::Kinds;
use crate::model::{Diagnostic, Stack, Value};

/// A note for each service of which apps get the host and not the port.
pub(crate) fn notes(stack: &Stack, kinds: &Kinds) -> Vec<Diagnostic> {
    let without_port = stack.services.iter().filter(|service| service.needs_own_port && service.port.is_none());
    let notes = without_port.filter_map(|service| {
        let port = kinds.get(&service.kind)?.port;
        let gives_host = |value: &Value| match value {
            Value::Bound { template, .. } => template.fields().any(|field| field == (service.name.as_str(), "host")),
            _ => false,
        };
        let variable = stack.variables.iter().find(|variable| gives_host(&variable.value))?;
        let message = format!(
            "`{}` leads to {} without a port; so {} listens on its usual one, {port}, at an address of its own",
            variable.name, service.name, service.name
        );
        Some(Diagnostic::note("host-without-port", message).at(&variable.origin, "no variable carries its port"))
    });
    notes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, Service, SourceFile, Template, Variable, Version};
    use std::sync::Arc;

    #[test]
    fn a_host_without_a_port_is_reported_and_a_host_with_a_port_is_not() {
        let origin = Origin::start_of(&Arc::new(SourceFile { path: "compose.yaml".into(), text: "x\n".into() }));
        let version = Version::parse("17.12", false, |_| 2, origin.clone());
        let service = Service::new("db", "postgres", "official", version, origin.clone());
        let value = Value::Bound { template: Template::field("db", "host"), dropped: Vec::new() };
        let variable = Variable { name: "PGHOST".to_owned(), app: "web".to_owned(), value, origin };
        let mut stack = Stack { services: vec![service], variables: vec![variable], ..Stack::default() };
        let kinds = Kinds::built_in().unwrap();
        assert_eq!(notes(&stack, &kinds), []);
        stack.services[0].needs_own_port = true;
        let found = notes(&stack, &kinds);
        let message = &found[0].message;
        assert!(message.starts_with("`PGHOST` leads to db without a port") && message.contains("5432"), "{message}");
    }
}
