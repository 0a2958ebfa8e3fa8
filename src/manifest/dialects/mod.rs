//! The table of dialects: a new dialect is a file with a reader and a line here.
//!
//! A reader never fails as a whole: a part that it cannot read becomes a diagnostic, and the rest of the stack stays.

pub(crate) mod cloudformation;
pub(crate) mod compose;
pub(crate) mod kubernetes;
pub(crate) mod platforms;
pub(crate) mod service_entry;
pub(crate) mod services_yaml;
pub(crate) mod terraform;

use crate::manifest::dialect::Dialect;

/// Every dialect. A file is read by the first dialect whose `recognises` is true. The files that discovery finds are
/// read in this order.
pub(crate) const DIALECTS: &[Dialect] = &[
    platforms::platformsh::DIALECT,
    platforms::render::DIALECT,
    platforms::digitalocean::DIALECT,
    platforms::heroku::DIALECT,
    platforms::heroku::SCALINGO,
    platforms::kamal::DIALECT,
    platforms::cloudfoundry::DIALECT,
    platforms::nais::DIALECT,
    platforms::score::DIALECT,
    platforms::without_services::FLY,
    platforms::without_services::RAILWAY,
    platforms::ecs::DIALECT,
    platforms::nomad::DIALECT,
    cloudformation::DIALECT,
    terraform::DIALECT,
    terraform::SHOWN,
    services_yaml::DIALECT,
    kubernetes::DIALECT,
    kubernetes::KUSTOMIZE,
    kubernetes::helm::DIALECT,
    compose::DIALECT,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;
    use crate::manifest::dialect::Places;
    use std::collections::BTreeSet;

    #[test]
    fn dialects_of_one_name_are_consecutive() {
        let mut names: Vec<&str> = DIALECTS.iter().map(|dialect| dialect.name).collect();
        names.dedup();
        let all: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), all.len(), "consecutive dialects of one name are read together: {names:?}");
    }

    #[test]
    fn kinds_are_spelled_for_dialects_that_exist() {
        let names: BTreeSet<&str> = DIALECTS.iter().map(|dialect| dialect.name).collect();
        for kind in Kinds::built_in().unwrap().iter() {
            for dialect in kind.spellings.keys() {
                // The names of the clouds' engines (`aurora-postgresql`) are the same in every dialect.
                assert!(dialect == "cloud" || names.contains(dialect.as_str()), "{}: {dialect}", kind.name);
            }
        }
    }

    #[test]
    fn every_dialect_says_where_its_files_are() {
        for dialect in DIALECTS {
            if let Places::Files(patterns) = dialect.places {
                assert!(!patterns.is_empty(), "{}", dialect.name);
                for pattern in patterns {
                    let tidy = pattern.split('/').all(|part| !part.is_empty() && part != "..");
                    assert!(tidy && pattern.matches('{').count() == pattern.matches('}').count(), "{pattern}");
                }
            }
        }
    }
}
