//! The names that the clouds have for engines and their versions.

use crate::kinds::{Kind, Kinds};

/// The kind that an engine's name means: `postgres`, `aurora-postgresql`, `POSTGRES_16`, `OpenSearch_3.1`,
/// `mariadb10.11`.
pub(crate) fn engine_of<'k>(kinds: &'k Kinds, word: &str) -> Option<&'k Kind> {
    let word = word.trim().to_ascii_lowercase();
    let name = word.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default().trim_end_matches(['_', '-', ' ']);
    [word.as_str(), name].into_iter().filter(|word| !word.is_empty()).find_map(|word| kinds.spelled("cloud", word))
}

/// The number in a version's text: `POSTGRES_9_6` is `9.6`, `REDIS_6_X` is `6.x`, `OpenSearch_3.1` is `3.1`.
pub(crate) fn number_of(text: &str) -> String {
    let text = text.trim();
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic());
    match text.split_once('_') {
        Some((name, number)) if begins && name.chars().all(|c| c.is_ascii_alphabetic()) => {
            number.replace('_', ".").replace('X', "x")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_engine_is_its_kind() {
        let kinds = Kinds::built_in().unwrap();
        for (word, kind) in [
            ("postgres", "postgres"),
            ("aurora-postgresql", "postgres"),
            ("aurora-mysql", "mysql"),
            ("aurora", "mysql"),
            ("POSTGRES_16", "postgres"),
            ("MYSQL_8_0_37", "mysql"),
            ("REDIS_6_X", "redis"),
            ("OpenSearch_3.1", "opensearch"),
            ("Elasticsearch_7.10", "elasticsearch"),
            ("mariadb10.11", "mariadb"),
            ("redis6.x", "redis"),
            ("RabbitMQ", "rabbitmq"),
            ("ActiveMQ", "activemq"),
            ("pg", "postgres"),
            ("docdb", "mongodb"),
        ] {
            assert_eq!(engine_of(&kinds, word).map(|kind| kind.name.as_str()), Some(kind), "{word}");
        }
        for word in ["sqlserver-ex", "oracle-ee", "neptune", "", "16"] {
            assert!(engine_of(&kinds, word).is_none(), "{word}");
        }
    }

    #[test]
    fn the_number_follows_the_engine() {
        for (text, number) in [
            ("POSTGRES_9_6", "9.6"),
            ("POSTGRES_16", "16"),
            ("MYSQL_8_0_37", "8.0.37"),
            ("REDIS_6_X", "6.x"),
            ("OpenSearch_3.1", "3.1"),
            ("8.0.mysql_aurora.3.04.0", "8.0.mysql_aurora.3.04.0"),
            ("16.11", "16.11"),
        ] {
            assert_eq!(number_of(text), number);
        }
    }
}
