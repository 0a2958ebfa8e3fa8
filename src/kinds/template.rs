//! Renders the templates of kinds: strict about names, and with a limited cost.
//!
//! A project's own kind is not trusted: a loop, a repeated text or a wide column ends when its fuel is used up. Fuel
//! counts instructions, and bytes that are written or held.

use minijinja::{Environment, UndefinedBehavior};

/// The fuel for one field of an endpoint, one argument or one name.
pub const FIELD_FUEL: u64 = 50_000;

/// The fuel for one file. Some files list every database, login and setting.
pub const FILE_FUEL: u64 = 1_000_000;

/// An environment in which each template may use this fuel. A mistyped name is an error and not an empty text.
pub fn templates(fuel: u64) -> Environment<'static> {
    let mut jinja = Environment::new();
    jinja.set_undefined_behavior(UndefinedBehavior::Strict);
    jinja.set_fuel(Some(fuel));
    jinja
}

/// Whether a template of a kind's file multiplies: fuel does not count the size of a repeated list.
pub(super) fn multiplies(text: &str) -> bool {
    text.split("{{").skip(1).chain(text.split("{%").skip(1)).any(|part| {
        let end = part.find("}}").into_iter().chain(part.find("%}")).min().unwrap_or(part.len());
        part[..end].contains('*')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::{ErrorKind, context};

    #[test]
    fn a_template_that_multiplies_is_found_and_other_stars_are_none() {
        assert!(multiplies("a: \"{{ [0] * 9 }}\"") && multiplies("{% set l = l * 9 %}"));
        assert!(!multiplies("images: [\"*/own\"]\nurl: \"{{ host }}:*\" # {% if a %}*{% endif %}"));
    }

    #[test]
    fn a_template_that_loops_repeats_or_pads_without_end_runs_out_of_fuel() {
        for template in [
            "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
            "{{ 'x' * 90000000 }}",
            "{{ '%090000000d' | format(1) }}",
            "{% set ns = namespace(t='x' * 4096) %}{% for i in range(50) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}",
            "{{ name | replace('', 'x' * 4096) | replace('x', 'x' * 4096) | replace('x', 'x' * 4096) }}",
            "{{ ('x' * 4000) | indent(90000000) }}",
        ] {
            for fuel in [FIELD_FUEL, FILE_FUEL] {
                let ended = templates(fuel).render_str(template, context! { name => "shop" });
                let error = ended.map(|text| text.len()).unwrap_err();
                let bounded = [ErrorKind::OutOfFuel, ErrorKind::InvalidOperation, ErrorKind::UnknownFunction];
                assert!(bounded.contains(&error.kind()), "{template}: {error}");
            }
        }
    }
}
