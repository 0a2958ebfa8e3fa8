//! Rules for every kind.

use super::*;

#[test]
fn every_built_in_kind_reads() {
    let kinds = Kinds::built_in().unwrap_or_else(|error| panic!("{}: {}", error.path, error.message));
    assert!(kinds.iter().count() >= 5);
}

/// One name that a pattern matches.
fn instance(pattern: &str) -> String {
    pattern.replace('*', "x")
}

#[test]
fn no_two_kinds_are_called_alike() {
    let kinds = Kinds::built_in().unwrap();
    let mut seen = std::collections::BTreeMap::new();
    for kind in kinds.iter() {
        assert!(kind.names.contains(&kind.name), "{} is not among its own names", kind.name);
        for name in &kind.names {
            if let Some(other) = seen.insert(name.clone(), &kind.name) {
                panic!("`{name}` is {other} and {}", kind.name);
            }
        }
    }
}

#[test]
fn no_dialect_spells_two_kinds_alike() {
    let kinds = Kinds::built_in().unwrap();
    for kind in kinds.iter() {
        for (dialect, words) in &kind.spellings {
            for word in words {
                let meant: Vec<&str> = kinds
                    .iter()
                    .filter(|other| {
                        let theirs = other.spellings.get(dialect);
                        theirs.is_some_and(|theirs| theirs.iter().any(|pattern| matches(pattern, &instance(word))))
                    })
                    .map(|other| other.name.as_str())
                    .collect();
                assert_eq!(meant, [kind.name.as_str()], "{dialect}: `{word}`");
            }
        }
    }
}

#[test]
fn an_image_is_of_one_kind_and_family() {
    let kinds = Kinds::built_in().unwrap();
    let patterns = |kind: &Kind| -> Vec<(String, String)> {
        let families = kind.families.iter();
        families.flat_map(|family| family.images.iter().map(|image| (family.name.clone(), image.clone()))).collect()
    };
    for kind in kinds.iter() {
        for (family, pattern) in patterns(kind) {
            for other in kinds.iter() {
                for (theirs, image) in patterns(other) {
                    let same = other.name == kind.name && theirs == family;
                    assert!(
                        same || !matches(&image, &instance(&pattern)),
                        "`{pattern}` is {} ({family}) and {} ({theirs})",
                        kind.name,
                        other.name
                    );
                }
            }
        }
    }
}

#[test]
fn a_kinds_own_image_is_an_image_of_a_kind_with_its_server() {
    let kinds = Kinds::built_in().unwrap();
    for kind in kinds.iter().filter(|kind| !kind.image.is_empty()) {
        let image = ImageRef::parse(&kind.image).unwrap_or_else(|error| panic!("{}: {error}", kind.name));
        // S3 runs MinIO, SQS runs ElasticMQ, and a generic one runs anything.
        if kind.families.iter().all(|family| family.images.is_empty()) {
            continue;
        }
        let (known, family) = kinds.of_image(&image).unwrap_or_else(|| panic!("{} is of no kind", kind.image));
        assert_eq!((&known.name, &family.name), (&kind.name, &kind.families[0].name));
        assert!(kind.port > 0, "{} has no port", kind.name);
    }
}

#[test]
fn a_kind_that_is_not_login_checked_says_why() {
    use crate::model::{Protocol, Support};
    for kind in Kinds::built_in().unwrap().iter() {
        let is_spoken = !matches!(kind.protocol, Protocol::Tcp | Protocol::Http);
        assert_eq!(kind.support == Support::Reproduced, is_spoken, "{}", kind.name);
        assert!(is_spoken || !kind.note.is_empty(), "{} does not say how far it is proven", kind.name);
    }
}

#[test]
fn every_kind_that_production_formats_name_is_there() {
    let kinds = Kinds::built_in().unwrap();
    for name in [
        "postgres",
        "mysql",
        "mariadb",
        "redis",
        "valkey",
        "rabbitmq",
        "activemq",
        "kafka",
        "nats",
        "memcached",
        "mongodb",
        "elasticsearch",
        "opensearch",
        "s3",
        "dynamodb",
        "sqs",
        "pubsub",
        "minio",
        "dragonfly",
    ] {
        assert!(kinds.get(name).is_some(), "{name}");
    }
}

#[test]
fn a_pattern_matches_its_names_only() {
    assert!(matches("docker.io/*/postgres", "docker.io/library/postgres"));
    assert!(matches("TZ", "TZ"));
    assert!(!matches("TZ", "TZX"));
    assert!(matches("LC_*", "LC_ALL"));
    assert!(!matches("docker.io/*/postgres", "docker.io/library/postgres-exporter"));
}

#[test]
fn a_built_in_kind_is_what_its_file_says() {
    for (path, content) in BUILT_IN {
        let text = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        let (built_in, said) = (read_built_in(path, content).unwrap(), read(path, &text).unwrap());
        assert_eq!(format!("{built_in:?}"), format!("{said:?}"), "{path}");
    }
}
