//! The declaration of a service at the time when its container was created, encrypted in a label of the container.
//!
//! With these declarations, devenv can use running services, and can start them again with other data, when the
//! manifests cannot be read any more. The declarations are a fallback: if the manifests can be read, the manifests
//! count. A declaration contains passwords from manifests, so only this machine's key can decrypt it.

use super::Identity;
use crate::kinds::{base64, from_base64};
use crate::model::{EnvInput, Located, Observed, Service, Stack, Value, Variable};
use serde::{Deserialize, Serialize};

/// The maximal length of a label, in characters. The limit exists because every command reads the labels of all
/// containers. Most services need one or two thousand characters; services with long init files need more.
const MAX_LENGTH: usize = 64 * 1024;

/// The content of the label.
#[derive(Serialize, Deserialize)]
struct Kept {
    environment: String,
    service: Service,
    variables: Vec<Variable>,
    env_file: Option<Located<String>>,
    env_inputs: Vec<EnvInput>,
}

/// The parts of a stack that its containers keep.
#[derive(Clone, Debug, Default)]
pub struct KeptStack {
    /// The services that have containers, and the variables that are bound to these services.
    pub stack: Stack,
    /// The file to which variables are written, if `services.local.yaml` named a file.
    pub env_file: Option<Located<String>>,
}

/// The label of a service's container; none if the label would be too long.
pub fn kept(service: &str, stack: &Stack, env_file: Option<&Located<String>>, identity: &Identity) -> Option<String> {
    let names_it = |variable: &&Variable| match &variable.value {
        Value::Bound { template, .. } => template.fields().any(|(named, _)| named == service),
        _ => false,
    };
    let kept = Kept {
        environment: identity.name.clone(),
        service: stack.service(service)?.clone(),
        variables: stack.variables.iter().filter(names_it).cloned().collect(),
        env_file: env_file.cloned(),
        env_inputs: stack.env_inputs.clone(),
    };
    let text = serde_json::to_vec(&kept).ok().filter(|text| text.len() < MAX_LENGTH)?;
    let label = base64(&identity.key.sealed(&text)?);
    (label.len() <= MAX_LENGTH).then_some(label)
}

/// The stack for which an environment's containers were created; none if any of them has no readable declaration.
pub fn kept_stack(identity: &Identity, observed: &Observed) -> Option<KeptStack> {
    let ours = observed.containers_of(&identity.name);
    let mut found = KeptStack::default();
    identity.project().clone_into(&mut found.stack.project);
    for container in ours {
        let text = identity.key.unsealed(&from_base64(container.runs()?.declared.as_deref()?)?)?;
        let kept: Kept = serde_json::from_slice(&text).ok()?;
        if kept.environment != identity.name {
            return None;
        }
        // While a new container replaces an old container, both exist.
        if found.stack.service(&kept.service.name).is_some() {
            continue;
        }
        found.stack.services.push(kept.service);
        for variable in kept.variables {
            if !found.stack.variables.contains(&variable) {
                found.stack.variables.push(variable);
            }
        }
        found.env_file = found.env_file.or(kept.env_file);
        found.stack.env_inputs = kept.env_inputs;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Key;
    use crate::model::{
        Container, ContainerRole, Credential, InitFile, Origin, Scope, Secret, ServiceContainer, SourceFile, Template,
        User, Version, VersionClass,
    };
    use std::path::Path;
    use std::sync::Arc;

    fn stack() -> Stack {
        let file = Arc::new(SourceFile { path: "compose.yaml".into(), text: String::new() });
        let origin = Origin { file, line: 3, column: 5, length: 2 };
        let version = Version {
            text: "17.12".to_owned(),
            number: Some("17.12".to_owned()),
            class: VersionClass::Exact,
            origin: origin.clone(),
        };
        let mut db = Service::new("db", "postgres", "official", version, origin.clone());
        db.users.push(User {
            name: Located::new("shop".to_owned(), origin.clone()),
            credential: Credential::Literal(Secret::new("of-production")),
            bound: true,
            rights: None,
        });
        db.init_files.push(InitFile {
            name: "a.sql".to_owned(),
            content: vec![0, 10, 200, 255],
            origin: origin.clone(),
        });
        let url = Value::Bound { template: Template::field("db", "url"), dropped: Vec::new() };
        let variable =
            |name: &str, value| Variable { name: name.to_owned(), app: String::new(), value, origin: origin.clone() };
        let variables = vec![variable("DATABASE_URL", url), variable("LEVEL", Value::Plain("info".to_owned()))];
        Stack { project: "shop".to_owned(), services: vec![db], variables, ..Stack::default() }
    }

    fn observed(identity: &Identity, declared: String) -> Observed {
        let role = ServiceContainer { declared: Some(declared), ..ServiceContainer::default() };
        let scope = Scope { environment: identity.name.clone(), ..Scope::default() };
        let container = Container { scope, role: ContainerRole::Service(role), ..Container::default() };
        Observed { containers: vec![container], ..Observed::default() }
    }

    #[test]
    fn only_the_key_of_its_own_machine_reads_the_declaration_in_a_container() {
        let (stack, root) = (stack(), Path::new("/shop"));
        let identity = Identity::of_checkout("shop", root, Key::from_bytes([7; 32]));
        let sealed = kept("db", &stack, None, &identity).unwrap();
        assert!(!String::from_utf8_lossy(&from_base64(&sealed).unwrap()).contains("of-production"));
        let found = kept_stack(&identity, &observed(&identity, sealed.clone())).unwrap().stack;
        assert_eq!((&found.services, &found.project), (&stack.services, &stack.project));
        assert_eq!(found.variables, stack.variables[..1], "only variables that are bound to a service are kept");

        let other = Identity::of_checkout("store", root, identity.key.clone());
        let foreign = Identity::of_checkout("shop", root, Key::from_bytes([8; 32]));
        for one in [&other, &foreign] {
            assert!(kept_stack(one, &observed(one, sealed.clone())).is_none(), "{}", one.name);
        }
        assert!(kept_stack(&identity, &observed(&identity, String::new())).is_none());
    }

    #[test]
    fn a_declaration_that_is_too_long_for_a_label_is_not_kept() {
        let mut stack = stack();
        stack.services[0].init_files[0].content = vec![b'-'; MAX_LENGTH];
        assert_eq!(
            kept("db", &stack, None, &Identity::of_checkout("shop", Path::new("/"), Key::from_bytes([7; 32]))),
            None
        );
    }
}
