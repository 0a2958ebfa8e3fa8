//! Images that registries no longer serve, and their replacements: `templates/withdrawn-images.yaml`.

use crate::model::ImageRef;
use serde::Deserialize;
use std::sync::LazyLock;

/// An entry of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    images: Vec<String>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    except_tags: Vec<String>,
    #[serde(default)]
    unless_variable: Option<String>,
    since: String,
    what: String,
    instead: String,
    source: String,
    checked: String,
}

/// A withdrawn image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// The day of the withdrawal, as `2025-08-28`.
    pub since: String,
    /// A sentence about the withdrawal, without its full stop.
    pub what: String,
    /// The image to run instead, by its full name.
    pub instead: String,
    /// The page that says so, and the day of the last look-up.
    pub source: String,
}

static TABLE: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    // The file is part of the program, and a test reads it. If it did not parse, the table would be empty.
    serde_saphyr::from_str(include_str!("../../templates/withdrawn-images.yaml")).unwrap_or_default()
});

/// The entry for an image, if its registry no longer serves it. `has` tells which variables its container gets.
pub fn withdrawn(image: &ImageRef, has: impl Fn(&str) -> bool) -> Option<Withdrawn> {
    let (name, tag) = (image.canonical_name(), image.tag.as_deref().unwrap_or_default());
    let is = |patterns: &[String], text: &str| patterns.iter().any(|pattern| matches(pattern, text));
    let entry = TABLE.iter().find(|entry| {
        is(&entry.images, &name)
            && entry.tags.as_ref().is_none_or(|tags| is(tags, tag))
            && !is(&entry.except_tags, tag)
            && !entry.unless_variable.as_deref().is_some_and(&has)
    })?;
    let last = name.rsplit('/').next().unwrap_or_default();
    let instead = entry.instead.replace("{name}", last).replace("{tag}", tag);
    Some(Withdrawn {
        since: entry.since.clone(),
        what: entry.what.clone(),
        instead: instead.trim_end_matches(':').to_owned(),
        source: format!("{}, looked up on {}", entry.source, entry.checked),
    })
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        Some((before, after)) => {
            text.len() >= before.len() + after.len() && text.starts_with(before) && text.ends_with(after)
        }
        None => pattern == text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instead(image: &str, variables: &[&str]) -> Option<String> {
        let image = ImageRef::parse(image).unwrap();
        withdrawn(&image, |name| variables.contains(&name)).map(|found| found.instead)
    }

    #[test]
    fn a_withdrawn_image_is_reported_with_its_replacement() {
        for (image, went) in [
            ("bitnami/postgresql:16.4.0", Some("docker.io/bitnamilegacy/postgresql:16.4.0")),
            ("docker.io/bitnami/redis:7.2.5-debian-12-r0", Some("docker.io/bitnamilegacy/redis:7.2.5-debian-12-r0")),
            ("bitnami/postgresql:latest", None),
            ("bitnami/postgresql", None),
            ("bitnamilegacy/postgresql:16.4.0", None),
            ("public.ecr.aws/bitnami/redis:7.2.5", Some("docker.io/bitnamilegacy/redis:7.2.5")),
            ("public.ecr.aws/bitnami/redis", Some("docker.io/bitnamilegacy/redis")),
            ("minio/minio", Some("quay.io/minio/minio")),
            ("minio/minio:RELEASE.2025-09-07T16-13-09Z", Some("quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z")),
            ("quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z", None),
            ("localstack/localstack", Some("docker.io/localstack/localstack:4.14.0")),
            ("localstack/localstack:4.4.0", None),
            ("postgres:16.4", None),
        ] {
            assert_eq!(instead(image, &[]).as_deref(), went, "{image}");
        }
        assert_eq!(instead("localstack/localstack:latest", &["LOCALSTACK_AUTH_TOKEN"]), None);
    }

    #[test]
    fn every_entry_names_its_day_its_source_and_an_image_that_is_not_withdrawn_itself() {
        let entries: Vec<Entry> =
            serde_saphyr::from_str(include_str!("../../templates/withdrawn-images.yaml")).unwrap();
        assert!(entries.len() >= 3);
        for entry in entries {
            assert!(crate::kinds::is_day(&entry.since) && crate::kinds::is_day(&entry.checked), "{entry:?}");
            assert!(entry.source.starts_with("https://"), "{entry:?}");
            let image = ImageRef::parse(&entry.instead.replace("{name}", "x").replace("{tag}", "1")).unwrap();
            assert_eq!(withdrawn(&image, |_| false), None, "{image}");
        }
    }
}
