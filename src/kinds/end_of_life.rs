//! Until when the projects give fixes for their servers' series.

use super::Kind;
use crate::model::Version;

impl Kind {
    /// The last day (`2025-11-13`) on which the version's series got fixes; none where that is not known. The longest
    /// series that fits counts: `10.11` before `10`.
    pub fn end_of_life(&self, version: &Version) -> Option<&str> {
        let parts: Vec<String> = version.parts().iter().map(u64::to_string).collect();
        (1..=parts.len()).rev().find_map(|count| self.end_of_life.get(&parts[..count].join("."))).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use crate::kinds::Kinds;
    use crate::model::{Origin, SourceFile, Version};
    use std::sync::Arc;

    fn end(kind: &str, text: &str) -> Option<String> {
        let kinds = Kinds::built_in().unwrap();
        let kind = kinds.get(kind).unwrap();
        let origin = Origin::start_of(&Arc::new(SourceFile { path: "x".into(), text: String::new() }));
        let version = Version::parse(text, false, |parts| kind.exact_parts(parts), origin);
        kind.end_of_life(&version).map(str::to_owned)
    }

    #[test]
    fn the_series_of_a_version_has_its_day_and_an_unknown_one_has_none() {
        for (kind, text, day) in [
            ("postgres", "13", Some("2025-11-13")),
            ("postgres", "13.4-alpine", Some("2025-11-13")),
            ("postgres", "9.6.24", Some("2021-11-11")),
            ("postgres", "99", None),
            ("mysql", "8.0.36", Some("2026-04-30")),
            ("mysql", "8", None),
            ("mariadb", "10.11.8", Some("2028-02-16")),
            ("redis", "7.2.5", None),
            ("rabbitmq", "3.13-management", Some("2024-09-18")),
            ("postgres", "latest", None),
        ] {
            assert_eq!(end(kind, text).as_deref(), day, "{kind} {text}");
        }
    }

    #[test]
    fn every_day_is_one_and_says_where_it_is_written() {
        let kinds = Kinds::built_in().unwrap();
        let known: Vec<_> = kinds.iter().filter(|kind| !kind.end_of_life.is_empty()).collect();
        assert!(known.len() >= 8);
        for kind in known {
            assert!(kind.end_of_life_source.starts_with("https://"), "{}", kind.name);
            for (series, day) in &kind.end_of_life {
                assert!(crate::kinds::is_day(day), "{} {series}: {day}", kind.name);
                assert!(series.split('.').all(|part| part.parse::<u64>().is_ok()), "{} {series}", kind.name);
            }
        }
    }
}
