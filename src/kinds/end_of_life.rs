//! The last days on which projects publish fixes for the series of their servers.

use super::Kind;

/// A series that gets no fixes from its project any more.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    kind: &'a Kind,
    series: &'a str,
    day: &'a str,
}

impl Ended<'_> {
    /// `Postgres 13 has had no fixes since 2025-11-13`.
    pub fn sentence(&self) -> String {
        format!("{} {} has had no fixes since {}", self.kind.title, self.series, self.day)
    }

    /// The page with this day, and the day of the last look-up: the list is part of the release and may be older than
    /// the page.
    pub fn source(&self) -> String {
        format!("{} (looked up on {})", self.kind.end_of_life_source, self.kind.end_of_life_checked)
    }
}

impl Kind {
    /// The series of a version's numbers, if its last fixes came before `today` (`2026-01-31`). None if the day of the
    /// last fixes is not known. The longest matching series counts: `10.11` before `10`.
    pub fn ended(&self, version: &[u64], today: &str) -> Option<Ended<'_>> {
        let parts: Vec<String> = version.iter().map(u64::to_string).collect();
        let known = |count| self.end_of_life.get_key_value(&parts[..count].join("."));
        let (series, day) = (1..=parts.len()).rev().find_map(known)?;
        (day.as_str() < today).then_some(Ended { kind: self, series, day })
    }
}

#[cfg(test)]
mod tests {
    use crate::kinds::Kinds;
    use crate::model::Version;

    /// The sentence about a version on that day.
    fn sentence_about(kind: &str, text: &str, today: &str) -> Option<String> {
        let kinds = Kinds::built_in().unwrap();
        let kind = kinds.get(kind).unwrap();
        kind.ended(&Version::parts_in(text), today).map(|ended| ended.sentence())
    }

    #[test]
    fn the_series_of_a_version_has_its_day_and_an_unknown_one_has_none() {
        for (kind, text, series, day) in [
            ("postgres", "13", "Postgres 13", "2025-11-13"),
            ("postgres", "13.4-alpine", "Postgres 13", "2025-11-13"),
            ("postgres", "9.6.24", "Postgres 9.6", "2021-11-11"),
            ("mysql", "8.0.36", "MySQL 8.0", "2026-04-30"),
            ("mariadb", "10.11.8", "MariaDB 10.11", "2028-02-16"),
            ("redis", "7.2.5", "Redis 7.2", "2029-12-01"),
            ("rabbitmq", "3.13-management", "RabbitMQ 3.13", "2024-09-17"),
            ("elasticsearch", "7.17.29", "Elasticsearch 7", "2026-01-15"),
        ] {
            let sentence = format!("{series} has had no fixes since {day}");
            assert_eq!(sentence_about(kind, text, "2999-01-01"), Some(sentence), "{kind} {text}");
            assert_eq!(sentence_about(kind, text, day), None, "{kind} {text}: on its last day");
        }
        for (kind, text) in [("postgres", "99"), ("mysql", "8"), ("redis", "7"), ("postgres", "latest")] {
            assert_eq!(sentence_about(kind, text, "2999-01-01"), None, "{kind} {text}");
        }
    }

    #[test]
    fn every_list_names_its_page_and_the_day_of_its_look_up() {
        let kinds = Kinds::built_in().unwrap();
        let known: Vec<_> = kinds.iter().filter(|kind| !kind.end_of_life.is_empty()).collect();
        assert!(known.len() >= 10);
        for kind in known {
            assert!(kind.end_of_life_source.starts_with("https://"), "{}", kind.name);
            assert!(crate::kinds::is_day(&kind.end_of_life_checked), "{}", kind.name);
            for (series, day) in &kind.end_of_life {
                assert!(crate::kinds::is_day(day), "{} {series}: {day}", kind.name);
                assert!(series.split('.').all(|part| part.parse::<u64>().is_ok()), "{} {series}", kind.name);
            }
        }
    }
}
