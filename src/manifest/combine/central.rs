//! Central variables (`DATABASE_URL`, `REDIS_URL`) to which no file gives a value: finds the service that each most
//! probably leads to.
//!
//! A variable that production takes from a secret does not say which service it leads to. If exactly one service fits
//! the name, the variable is bound to that service, and the choice is reported. If several services fit, each choice is
//! shown, ready to be pasted. A stack without any variable gets the standard variables of its services.

use crate::kinds::{Kind, Kinds};
use crate::manifest::combine::local::Local;
use crate::model::{Diagnostic, Origin, Service, Stack, Template, Value, Variable};
use std::collections::{BTreeMap, BTreeSet};

/// Binds the variables for which exactly one service fits, and reports each choice.
pub(crate) fn bind(stack: &mut Stack, kinds: &Kinds, local: &Local) -> Vec<Diagnostic> {
    if stack.variables.is_empty() {
        stack.variables = standard(&stack.services, kinds);
        return Vec::new();
    }
    let mut taken: BTreeMap<String, Found> = BTreeMap::new();
    let mut open: BTreeMap<String, Found> = BTreeMap::new();
    let Stack { services, variables, .. } = stack;
    // If another app's variable of the same name is bound, both are taken to be the same connection.
    let bound = variables.iter().filter(|variable| matches!(variable.value, Value::Bound { .. }));
    let elsewhere: BTreeMap<String, Value> =
        bound.map(|variable| (variable.name.clone(), variable.value.clone())).collect();
    // Computed once for each name, because many apps may have a variable of the same name.
    let mut fitting_by_name: BTreeMap<String, Vec<(usize, &str)>> = BTreeMap::new();
    for variable in variables.iter_mut().filter(|variable| is_empty(&variable.value)) {
        if local.sets(&["variables", &variable.name]) {
            continue;
        }
        let fits = fitting_by_name.entry(variable.name.clone());
        let fits = &*fits.or_insert_with(|| fitting(&variable.name, services, kinds));
        if let Some(value) = elsewhere.get(&variable.name).filter(|_| !fits.is_empty()) {
            variable.value = value.clone();
            continue;
        }
        let choice = |(at, field): &(usize, &str)| (services[*at].name.clone(), (*field).to_owned());
        let found = || Found { origin: variable.origin.clone(), choices: fits.iter().map(choice).collect() };
        match fits.as_slice() {
            [] => {}
            [(at, field)] => {
                taken.entry(variable.name.clone()).or_insert_with(found);
                let service = &mut services[*at];
                if let Some(user) = service.users.first_mut() {
                    user.bound = true;
                }
                variable.value = Value::Bound { template: Template::field(&service.name, field), dropped: Vec::new() };
            }
            _ => {
                open.entry(variable.name.clone()).or_insert_with(found);
            }
        }
    }
    let notes = taken_note(&taken);
    notes.into_iter().chain(open.iter().map(|(name, found)| open_warning(name, found))).collect()
}

/// How many choices are printed, ready to paste, if several services fit.
const MAX_CHOICES: usize = 20;

/// Where a variable is declared, and the services that fit.
struct Found {
    origin: Origin,
    /// Service and field.
    choices: Vec<(String, String)>,
}

/// The text for `services.local.yaml`. It is quoted, because its closing brace would end a map in braces.
fn written((service, field): &(String, String)) -> String {
    format!("\"${{{service}.{field}}}\"")
}

/// Whether no file gives a variable a value.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Secret(_) | Value::Unresolved(_) | Value::NotPassed => true,
        Value::Plain(text) => text.trim().is_empty(),
        Value::Bound { .. } | Value::Environment(_) => false,
    }
}

/// The indices of the services that fit a variable's name, each with the field that the name means.
fn fitting<'k>(name: &str, services: &[Service], kinds: &'k Kinds) -> Vec<(usize, &'k str)> {
    let field = |kind: &'k Kind| {
        let known = kind.central.iter().find(|(_, names)| names.iter().any(|known| known == name));
        known.map(|(field, _)| field.as_str())
    };
    let fits = services.iter().enumerate().filter_map(|(at, service)| Some((at, field(kinds.get(&service.kind)?)?)));
    fits.collect()
}

/// One message for all variables that were bound, because one line in `services.local.yaml` sets them all.
fn taken_note(taken: &BTreeMap<String, Found>) -> Option<Diagnostic> {
    let chosen = taken.iter().filter_map(|(name, found)| Some((name, found.choices.first()?)));
    let words: Vec<String> =
        chosen.clone().map(|(name, (service, _))| format!("`{name}` is taken to be {service}")).collect();
    let lines: Vec<String> = chosen.map(|(name, choice)| format!("{name}: {}", written(choice))).collect();
    let first = taken.values().next()?;
    Some(
        Diagnostic::note("central-variable", words.join(", "))
            .at(&first.origin, "no file says where it leads, and one service fits")
            .help(format!("`variables: {{{}}}` in services.local.yaml makes it certain", lines.join(", "))),
    )
}

fn open_warning(name: &str, found: &Found) -> Diagnostic {
    let message = format!("`{name}` stands empty: {} services fit", found.choices.len());
    let warning = Diagnostic::warning("central-variable", message).at(&found.origin, "no file says which it is");
    found.choices.iter().take(MAX_CHOICES).fold(warning, |warning, choice| {
        warning.help(format!("in services.local.yaml: `variables: {{{name}: {}}}`", written(choice)))
    })
}

/// The variables of a stack that declares none: the usual variable of each service. If two services would have the same
/// variable, its name begins with the service's name.
fn standard(services: &[Service], kinds: &Kinds) -> Vec<Variable> {
    let usual = |service: &Service| {
        let (field, names) = kinds.get(&service.kind)?.central.get_key_value("url")?;
        Some((field.clone(), names.first()?.clone()))
    };
    let named: Vec<_> = services.iter().filter_map(|service| Some((service, usual(service)?))).collect();
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<&String> = named.iter().map(|(_, (_, name))| name).filter(|name| !seen.insert(*name)).collect();
    let variable = |(service, (field, name)): &(&Service, (String, String))| Variable {
        name: if twice.contains(name) { format!("{}_{name}", in_a_name(&service.name)) } else { name.clone() },
        app: String::new(),
        value: Value::Bound { template: Template::field(&service.name, field), dropped: Vec::new() },
        origin: service.origin.clone(),
    };
    named.iter().map(variable).collect()
}

/// A service's name in the form that a variable's name may begin with.
fn in_a_name(service: &str) -> String {
    let name: String =
        service.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SourceFile, Version};
    use std::sync::Arc;

    fn origin() -> Origin {
        Origin::start_of(&Arc::new(SourceFile { path: "compose.yaml".into(), text: "x\n".into() }))
    }

    fn stack(services: &[(&str, &str)], variables: &[(&str, Value)]) -> Stack {
        let service = |(name, kind): &(&str, &str)| {
            Service::new(name, kind, "official", Version::parse("1.2.3", false, |_| 3, origin()), origin())
        };
        let variable = |(name, value): &(&str, Value)| Variable {
            name: (*name).to_owned(),
            app: "web".to_owned(),
            value: value.clone(),
            origin: origin(),
        };
        Stack {
            services: services.iter().map(service).collect(),
            variables: variables.iter().map(variable).collect(),
            ..Stack::default()
        }
    }

    fn bound(stack: &mut Stack) -> (Vec<Option<String>>, Vec<Diagnostic>) {
        let diagnostics = bind(stack, &Kinds::built_in().unwrap(), &Local::default());
        let template = |variable: &Variable| match &variable.value {
            Value::Bound { template, .. } => {
                let field = |(service, field)| format!("{}={service}.{field}", variable.name);
                Some(template.fields().map(field).collect::<Vec<_>>().concat())
            }
            _ => None,
        };
        (stack.variables.iter().map(template).collect(), diagnostics)
    }

    fn secret() -> Value {
        Value::Secret("the secret app".to_owned())
    }

    #[test]
    fn an_empty_central_variable_is_bound_to_the_one_service_that_fits_and_that_is_reported() {
        let variables = [
            ("DATABASE_URL", secret()),
            ("SPRING_DATASOURCE_URL", Value::Unresolved("${URL}".to_owned())),
            ("REDIS_URL", Value::NotPassed),
            ("AMQP_URL", Value::Plain(String::new())),
            ("STRIPE_URL", secret()),
            ("MYSQL_URL", secret()),
        ];
        let mut stack = stack(&[("db", "postgres"), ("cache", "valkey"), ("queue", "rabbitmq")], &variables);
        let (found, diagnostics) = bound(&mut stack);
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                is("DATABASE_URL=db.url"),
                is("SPRING_DATASOURCE_URL=db.jdbc_url"),
                is("REDIS_URL=cache.url"),
                is("AMQP_URL=queue.url"),
                None,
                None
            ]
        );
        let [note] = diagnostics.as_slice() else { panic!("{diagnostics:?}") };
        assert!(note.message.contains("`DATABASE_URL` is taken to be db"), "{}", note.message);
        assert!(note.help[0].contains("DATABASE_URL: \"${db.url}\""), "{:?}", note.help);
    }

    #[test]
    fn if_two_services_fit_none_is_taken_and_each_choice_can_be_pasted() {
        let mut stack = stack(&[("db", "postgres"), ("audit", "mysql")], &[("DATABASE_URL", secret())]);
        let (found, diagnostics) = bound(&mut stack);
        assert_eq!(found, [None]);
        let lines: Vec<&str> = diagnostics[0].help.iter().map(String::as_str).collect();
        assert_eq!(
            lines,
            [
                "in services.local.yaml: `variables: {DATABASE_URL: \"${db.url}\"}`",
                "in services.local.yaml: `variables: {DATABASE_URL: \"${audit.url}\"}`"
            ]
        );
    }

    #[test]
    fn a_value_that_a_file_gives_is_not_changed() {
        let mut stack = stack(&[("db", "postgres")], &[("DATABASE_URL", Value::Plain("sqlite:///x".to_owned()))]);
        let (found, diagnostics) = bound(&mut stack);
        assert_eq!((found, diagnostics), (vec![None], Vec::new()));
    }

    #[test]
    fn a_stack_without_variables_gets_the_usual_names() {
        let mut one = stack(&[("db", "postgres"), ("cache", "redis"), ("sessions", "memcached")], &[]);
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(bound(&mut one).0[..2], [is("DATABASE_URL=db.url"), is("REDIS_URL=cache.url")]);
        let mut two = stack(&[("db", "postgres"), ("3rd-party", "mysql"), ("cache", "redis")], &[]);
        let names =
            [is("DB_DATABASE_URL=db.url"), is("_3RD_PARTY_DATABASE_URL=3rd-party.url"), is("REDIS_URL=cache.url")];
        assert_eq!(bound(&mut two).0, names);
    }
}
