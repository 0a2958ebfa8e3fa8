//! Plain variables with which a local app would behave as in production, or reach production's data.
//!
//! A framework's environment (`RAILS_ENV=production`) is set neither in `.env` nor for `run`: with it, an app would
//! migrate, cache, send mail and hide errors as in production. Buckets and addresses are copied, because no local
//! service replaces them, and are reported. `variables:` in `services.local.yaml` sets any of these variables.

use crate::manifest::bind::{is_host_elsewhere, leads_out};
use crate::manifest::combine::local::Local;
use crate::model::{Diagnostic, Stack, Value};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The words by which these variables are recognised.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    /// Words in values that mean production.
    production: Vec<String>,
    /// Words in the names of variables whose values are places of data.
    places: Vec<String>,
    /// Last words in the names of variables whose values are hosts.
    hosts: Vec<String>,
    /// Variables that name an environment, each with the usual value for development.
    names: BTreeMap<String, String>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    // The file is compiled into the program, and a test parses it. With a file that does not parse, no name would be
    // known.
    serde_saphyr::from_str(include_str!("../../../templates/environments.yaml")).unwrap_or_default()
});

/// Does not set the variables that name production's environment, and reports these variables and the variables that
/// lead to production's own resources, in one line each.
pub(crate) fn ignore_environment_names(stack: &mut Stack, local: &Local) -> Vec<Diagnostic> {
    let mut environments: BTreeMap<String, String> = BTreeMap::new();
    let mut places: BTreeSet<String> = BTreeSet::new();
    for variable in &mut stack.variables {
        let Value::Plain(text) = &variable.value else { continue };
        if local.sets(&["variables", &variable.name]) {
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
    let mut notes = Vec::new();
    if !environments.is_empty() {
        let lines: Vec<String> = environments.iter().map(|(name, value)| format!("{name}: \"{value}\"")).collect();
        let (name, is) = if environments.len() == 1 { ("names", "is") } else { ("name", "are") };
        notes.push(Diagnostic::note(
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
        notes.push(Diagnostic::note(
            "production-place",
            format!(
                "{} {lead} to production's own resources; `variables: {{{}}}` in services.local.yaml sets other values",
                quoted(places.iter().collect()),
                lines.join(", ")
            ),
        ));
    }
    notes
}

/// The development value of a variable that names an environment; `None` if its value does not mean production.
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
    fn a_name_of_production_s_environment_is_not_set_and_reported_in_one_line() {
        let mut stack = stack(&[
            ("RAILS_ENV", "production"),
            ("DJANGO_SETTINGS_MODULE", "shop.settings.production"),
            ("SPRING_PROFILES_ACTIVE", "prod,cloud"),
            ("NODE_ENV", "test"),
            ("THEME", "production"),
        ]);
        let notes = ignore_environment_names(&mut stack, &Local::default());
        let ignored = |variable: &Variable| matches!(variable.value, Value::Environment(_));
        assert_eq!(stack.variables.iter().map(ignored).collect::<Vec<_>>(), [true, true, true, false, false]);
        let [note] = notes.as_slice() else { panic!("{notes:?}") };
        let line = "`variables: {DJANGO_SETTINGS_MODULE: \"shop.settings.development\", RAILS_ENV: \"development\", \
                    SPRING_PROFILES_ACTIVE: \"dev,cloud\"}` in services.local.yaml sets it";
        assert!(note.message.ends_with(line), "{}", note.message);
        assert!(note.help.is_empty() && note.origin.is_none());
    }

    #[test]
    fn buckets_and_addresses_of_production_are_copied_and_reported_in_one_line() {
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
        let notes = ignore_environment_names(&mut stack, &Local::default());
        assert!(stack.variables.iter().all(|variable| matches!(variable.value, Value::Plain(_))));
        let [note] = notes.as_slice() else { panic!("{notes:?}") };
        assert!(
            note.message.starts_with("`PAYMENTS_URL`, `S3_BUCKET`, `SMTP_HOST` lead to production's own resources"),
            "{}",
            note.message
        );
    }

    #[test]
    fn the_names_are_read_and_each_has_a_word_that_is_not_production_s() {
        assert!(KNOWN.names.len() > 20, "templates/environments.yaml cannot be parsed");
        for (name, development) in &KNOWN.names {
            assert_eq!(in_development(name, development), None, "{name}");
            assert!(in_development(name, "production").is_some(), "{name}");
        }
    }
}
