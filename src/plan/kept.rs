//! What a service was declared as when its container was made, sealed in a label of the container.
//!
//! With it, what runs is used, and started again over other data, where no manifest can be read any more. It is a fallback:
//! wherever manifests can be read, they count. It holds passwords that manifests declare, so only this machine's key opens
//! it.

use super::Identity;
use crate::kinds::{base64, from_base64};
use crate::model::{EnvInput, Located, Observed, Service, Stack, Value, Variable};
use serde::{Deserialize, Serialize};

/// More than this is not kept, in characters: every command gets the labels of every container. Services have one or two
/// thousand; those with long init files have more.
const LARGEST: usize = 64 * 1024;

/// What a label keeps of a service.
#[derive(Serialize, Deserialize)]
struct Kept {
    environment: String,
    service: Service,
    variables: Vec<Variable>,
    env_file: Option<Located<String>>,
    env_inputs: Vec<EnvInput>,
}

/// What can be told of a stack by its containers.
#[derive(Clone, Debug, Default)]
pub struct KeptStack {
    /// The services that have containers, and the variables that are bound to them.
    pub stack: Stack,
    /// The file that variables go to, where `services.local.yaml` named one.
    pub env_file: Option<Located<String>>,
}

/// The label of a service's container; none where it would be too long.
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
    let text = serde_json::to_vec(&kept).ok().filter(|text| text.len() < LARGEST)?;
    let label = base64(&identity.key.sealed(&text)?);
    (label.len() <= LARGEST).then_some(label)
}

/// The stack that an environment's containers were made for; none where one of them does not tell.
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
        // There are two while one replaces the other.
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
    fn a_container_tells_what_its_service_was_declared_as_to_its_own_machine_alone() {
        let (stack, root) = (stack(), Path::new("/shop"));
        let identity = Identity::of_checkout("shop", root, Key::from_bytes([7; 32]));
        let sealed = kept("db", &stack, None, &identity).unwrap();
        assert!(!String::from_utf8_lossy(&from_base64(&sealed).unwrap()).contains("of-production"));
        let diagnostic = kept_stack(&identity, &observed(&identity, sealed.clone())).unwrap().stack;
        assert_eq!((&diagnostic.services, &diagnostic.project), (&stack.services, &stack.project));
        assert_eq!(diagnostic.variables, stack.variables[..1], "what is bound to no service is no matter");

        let other = Identity::of_checkout("store", root, identity.key.clone());
        let foreign = Identity::of_checkout("shop", root, Key::from_bytes([8; 32]));
        for one in [&other, &foreign] {
            assert!(kept_stack(one, &observed(one, sealed.clone())).is_none(), "{}", one.name);
        }
        assert!(kept_stack(&identity, &observed(&identity, String::new())).is_none());
    }

    #[test]
    fn what_is_too_long_for_a_label_is_not_kept() {
        let mut stack = stack();
        stack.services[0].init_files[0].content = vec![b'-'; LARGEST];
        assert_eq!(
            kept("db", &stack, None, &Identity::of_checkout("shop", Path::new("/"), Key::from_bytes([7; 32]))),
            None
        );
    }
}
