//! Plain variables that would make an app here behave as production, or reach production's data.
//!
//! A framework's environment (`RAILS_ENV=production`) is set neither in `.env` nor for `run`: with it an app migrates,
//! caches, mails and hides errors as there. Buckets and addresses are copied, since nothing here stands in for them, and
//! said. `variables:` of `services.local.yaml` sets any of them.

use super::bind::{is_host_elsewhere, leads_out};
use super::local::Local;
use crate::model::{Diagnostic, Stack, Value};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// What is known of such names.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    /// Words of values that mean production.
    production: Vec<String>,
    /// Words of names whose values are places of data.
    places: Vec<String>,
    /// Last words of names whose values are hosts.
    hosts: Vec<String>,
    /// Names of environments, with what development is usually called.
    names: BTreeMap<String, String>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    // The file is part of the program and read by a test; one that does not parse would know no name.
    serde_saphyr::from_str(include_str!("../../templates/environments.yaml")).unwrap_or_default()
});

/// Takes out names of production's environment, and says what else is production's own, in a line each.
pub(crate) fn set_aside(stack: &mut Stack, local: &Local) -> Vec<Diagnostic> {
    let mut environments: BTreeMap<String, String> = BTreeMap::new();
    let mut places: BTreeSet<String> = BTreeSet::new();
    for variable in &mut stack.variables {
        let Value::Plain(text) = &variable.value else { continue };
        if local.settles(&["variables", &variable.name]) {
            continue;
        }
        if let Some(development) = in_development(&variable.name, text) {
            environments.insert(variable.name.clone(), development);
            variable.value = Value::Environment(text.clone());
        } else if is_place(&variable.name, text) {
            places.insert(variable.name.clone());
        }
    }
    let quoted = |names: Vec<&String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut told = Vec::new();
    if !environments.is_empty() {
        let lines: Vec<String> = environments.iter().map(|(name, value)| format!("{name}: \"{value}\"")).collect();
        let (name, is) = if environments.len() == 1 { ("names", "is") } else { ("name", "are") };
        told.push(Diagnostic::note(
            "production-environment",
            format!(
                "{} {name} production's environment, and {is} not set here; `variables: {{{}}}` in services.local.yaml sets it",
                quoted(environments.keys().collect()),
                lines.join(", ")
            ),
        ));
    }
    if !places.is_empty() {
        let lines: Vec<String> = places.iter().map(|name| format!("{name}: …")).collect();
        let lead = if places.len() == 1 { "leads" } else { "lead" };
        told.push(Diagnostic::note(
            "production-place",
            format!(
                "{} {lead} to what is production's; `variables: {{{}}}` in services.local.yaml sets another",
                quoted(places.iter().collect()),
                lines.join(", ")
            ),
        ));
    }
    told
}

/// What a name of an environment is in development, where its value means production.
fn in_development(name: &str, value: &str) -> Option<String> {
    let development = KNOWN.names.get(name)?;
    let mut found = false;
    let mut here = String::new();
    for part in value.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if KNOWN.production.iter().any(|known| known.eq_ignore_ascii_case(word)) {
            found = true;
            here.push_str(development);
            here.push_str(&part[word.len()..]);
        } else {
            here.push_str(part);
        }
    }
    // Gin and Rocket call it `release`.
    let is_release = value == "release" && matches!(name, "GIN_MODE" | "ROCKET_PROFILE");
    if is_release { Some(development.clone()) } else { found.then_some(here) }
}

fn is_place(name: &str, value: &str) -> bool {
    let has_word = || name.split('_').any(|word| KNOWN.places.iter().any(|known| known == word));
    let is_host = || name.rsplit('_').next().is_some_and(|last| KNOWN.hosts.iter().any(|known| known == last));
    !value.trim().is_empty() && (has_word() || leads_out(name, value) || is_host() && is_host_elsewhere(value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, SourceFile, Variable};
    use std::sync::Arc;

    fn stack(variables: &[(&str, &str)]) -> Stack {
        let origin = Origin::start_of(&Arc::new(SourceFile { path: "compose.yaml".into(), text: "x\n".into() }));
        let variable = |(name, value): &(&str, &str)| Variable {
            name: (*name).to_owned(),
            app: "web".to_owned(),
            value: Value::Plain((*value).to_owned()),
            origin: origin.clone(),
        };
        Stack { variables: variables.iter().map(variable).collect(), ..Stack::default() }
    }

    #[test]
    fn a_name_of_production_s_environment_is_set_aside_and_said_in_one_line() {
        let mut stack = stack(&[
            ("RAILS_ENV", "production"),
            ("DJANGO_SETTINGS_MODULE", "shop.settings.production"),
            ("SPRING_PROFILES_ACTIVE", "prod,cloud"),
            ("NODE_ENV", "test"),
            ("THEME", "production"),
        ]);
        let told = set_aside(&mut stack, &Local::default());
        let aside = |variable: &Variable| matches!(variable.value, Value::Environment(_));
        assert_eq!(stack.variables.iter().map(aside).collect::<Vec<_>>(), [true, true, true, false, false]);
        let [told] = told.as_slice() else { panic!("{told:?}") };
        let line = "`variables: {DJANGO_SETTINGS_MODULE: \"shop.settings.development\", RAILS_ENV: \"development\", \
                    SPRING_PROFILES_ACTIVE: \"dev,cloud\"}` in services.local.yaml sets it";
        assert!(told.message.ends_with(line), "{}", told.message);
        assert!(told.help.is_empty() && told.origin.is_none());
    }

    #[test]
    fn buckets_and_addresses_of_production_are_copied_and_said_in_one_line() {
        let mut stack = stack(&[
            ("S3_BUCKET", "shop-uploads"),
            ("PAYMENTS_URL", "https://payments.example.com"),
            ("LOG_LEVEL", "info"),
            ("ALLOWED_HOSTS", "shop.example.com"),
            ("SEARCH_URL", "http://localhost:9200"),
            ("SMTP_HOST", "smtp.example.com"),
            ("BIND_HOST", "0.0.0.0"),
            ("DB_HOST", "db"),
        ]);
        let told = set_aside(&mut stack, &Local::default());
        assert!(stack.variables.iter().all(|variable| matches!(variable.value, Value::Plain(_))));
        let [told] = told.as_slice() else { panic!("{told:?}") };
        assert!(
            told.message.starts_with("`PAYMENTS_URL`, `S3_BUCKET`, `SMTP_HOST` lead to what is production's"),
            "{}",
            told.message
        );
    }

    #[test]
    fn the_names_are_read_and_each_has_a_word_that_is_not_production_s() {
        assert!(KNOWN.names.len() > 20, "templates/environments.yaml does not read");
        for (name, development) in &KNOWN.names {
            assert_eq!(in_development(name, development), None, "{name}");
            assert!(in_development(name, "production").is_some(), "{name}");
        }
    }
}
