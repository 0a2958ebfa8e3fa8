//! The base of a service's image: its C library, its distribution, and whether it is a slim variant. The table is data,
//! in `templates/parity/images.yaml`. The base of an image that is not in the table is unknown.

use super::sides::IMAGE;
use crate::kinds::matches;
use crate::model::{ImageRef, ServiceFacts};
use serde::Deserialize;
use std::sync::LazyLock;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Entries that match the tag.
    tags: Vec<Entry>,
    /// Entries that match the image's name, for tags that do not name the base.
    images: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    pattern: String,
    #[serde(default)]
    base: Option<String>,
    libc: String,
}

/// The base of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    distribution: Option<String>,
    libc: String,
    slim: bool,
}

impl Base {
    /// Every name that a base can have a value for.
    pub(super) const NAMES: [&'static str; 3] = ["base", "libc", "packages"];

    /// Returns the value of a name.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        match name {
            "base" => self.distribution.clone(),
            "libc" => Some(self.libc.clone()),
            "packages" => Some(if self.slim { "slim" } else { "full" }.to_owned()),
            _ => None,
        }
    }
}

/// Returns the base of an image, as far as its name and tag show it.
pub(super) fn of(image: &str) -> Option<Base> {
    static TABLE: LazyLock<Table> = LazyLock::new(|| {
        // A test parses this file.
        serde_saphyr::from_str(include_str!("../../templates/parity/images.yaml")).unwrap_or_default()
    });
    let image = ImageRef::parse(image).ok()?;
    let tag = image.tag.as_deref().unwrap_or_default();
    let name = image.canonical_name();
    let by_tag = TABLE.tags.iter().find(|entry| matches(&entry.pattern, tag));
    let entry = by_tag.or_else(|| TABLE.images.iter().find(|entry| matches(&entry.pattern, &name)))?;
    let release = tag.split_once("alpine").map(|(_, rest)| numbers(rest)).filter(|release| !release.is_empty());
    let distribution = entry.base.as_ref().map(|base| match release {
        Some(release) if base == "Alpine" => format!("{base} {release}"),
        _ => base.clone(),
    });
    Some(Base { distribution, libc: entry.libc.clone(), slim: tag.split('-').any(|word| word == "slim") })
}

/// The number at the start of a text: `3.20`.
fn numbers(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

/// Whether two values agree, as far as both are exact: `Debian` agrees with `Debian 12`.
pub(super) fn agree(one: &str, other: &str) -> bool {
    one.split(' ').zip(other.split(' ')).all(|(one, other)| one == other)
}

/// Adds the base that the image's name shows to the facts of a server, for names that the server did not report.
pub fn with_image(mut facts: ServiceFacts, image: &str) -> ServiceFacts {
    let Some(base) = of(image) else { return facts };
    let topic = facts.topics.entry(IMAGE.to_owned()).or_default();
    for name in Base::NAMES {
        if let Some(value) = base.get(name) {
            topic.entry(name.to_owned()).or_insert(value);
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_of_an_image_is_read_from_its_tag_or_else_its_name() {
        for (image, base, libc, packages) in [
            ("postgres:16.4", "Debian", "glibc", "full"),
            ("postgres:16.4-alpine3.20", "Alpine 3.20", "musl", "full"),
            ("redis:7-alpine", "Alpine", "musl", "full"),
            ("postgres:16-bookworm", "Debian 12", "glibc", "full"),
            ("acme/tool:1-trixie-slim", "Debian 13", "glibc", "slim"),
            ("public.ecr.aws/docker/library/mysql:8.4", "Oracle Linux", "glibc", "full"),
            ("bitnami/postgresql:16.4.0-debian-12-r0", "Debian 12", "glibc", "full"),
        ] {
            let found = of(image).unwrap_or_else(|| panic!("{image}"));
            let values = Base::NAMES.map(|name| found.get(name).unwrap_or_default());
            assert_eq!(values, [base, libc, packages], "{image}");
        }
        assert_eq!(of("acme/postgres:16"), None, "nothing says it");
        assert!(agree("Debian", "Debian 12") && !agree("Debian 12", "Debian 13") && !agree("musl", "glibc"));
    }
}
