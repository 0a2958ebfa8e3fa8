//! The six classes of declared versions.

use super::Origin;
use serde::{Deserialize, Serialize};

/// How precise a declared version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VersionClass {
    /// The image's content is named: `postgres:16@sha256:…`.
    Digest,
    /// A full patch release of that product: `16.4`, redis `7.2.5`.
    Exact,
    /// A prefix: `16`, `8.0`, `6.x`.
    Series,
    /// `latest`, `alpine`, no tag.
    Floating,
    /// No version is given; the format, operator or module chooses one.
    Absent,
    /// A variable or template that the files do not resolve.
    Unresolved,
}

impl VersionClass {
    /// The class's name in lower case, as `--json` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Exact => "exact",
            Self::Series => "series",
            Self::Floating => "floating",
            Self::Absent => "absent",
            Self::Unresolved => "unresolved",
        }
    }
}

/// A version as it was declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// As written: `16-alpine`, `${PG_VERSION}`, empty where absent.
    pub text: String,
    /// The product's own number without suffixes (`16`, `7.2.5`), where there is one.
    pub number: Option<String>,
    /// How precise it is.
    pub class: VersionClass,
    /// The place of the declaration; for an absent version, the place where a version was expected.
    pub origin: Origin,
}

impl Version {
    /// The numbers between the dots (`16.4` is `[16, 4]`); stops at the first part that is not a number.
    pub fn parts(&self) -> Vec<u64> {
        parts_of(self.number.as_deref().unwrap_or_default())
    }

    /// The numbers of a text that is a version or a tag: `16.4-alpine` has `[16, 4]`, `absent` none.
    pub fn parts_in(text: &str) -> Vec<u64> {
        parts_of(&number_in(text).unwrap_or_default())
    }

    /// The variant of an image, with its hyphen: `-alpine3.20`, `-management-alpine`, also for `alpine` alone; empty if
    /// there is no variant. In an image's tag, the variant is everything beside the number; in any other text
    /// (`16.4-rds.2024`), the variant begins with a known word.
    pub fn variant(&self, is_tag: bool) -> String {
        let beside = match self.number.as_deref().filter(|number| !number.is_empty()) {
            Some(number) => self.text.split_once(number).map_or_else(String::new, |(_, beside)| beside.to_owned()),
            None => format!("-{}", self.text),
        };
        if is_tag && self.number.is_some() {
            return beside;
        }
        let mut hyphens = beside.match_indices('-');
        hyphens.find_map(|(at, _)| is_variant(&beside[at + 1..]).then(|| beside[at..].to_owned())).unwrap_or_default()
    }

    /// The first number.
    pub fn major(&self) -> Option<u64> {
        self.parts().first().copied()
    }

    /// The text with another number: `16-alpine` with `16.4` is `16.4-alpine`, and so is `alpine` with `16.4`; without
    /// a variant, the number alone.
    pub fn with_number(&self, number: &str) -> String {
        match &self.number {
            Some(own) if self.text.contains(own.as_str()) => self.text.replacen(own.as_str(), number, 1),
            _ => format!("{number}{}", self.variant(false)),
        }
    }

    /// The tag for a pin: a number alone sets the release and keeps the variant. `is_tag` says whether the version is
    /// an image's tag, in which everything beside the number is the variant.
    pub fn pinned_to(&self, asked: &str, is_tag: bool) -> String {
        let is_number = asked.chars().all(|c| c.is_ascii_digit() || c == '.');
        match (is_number, is_tag) {
            (false, _) => asked.to_owned(),
            (true, true) => self.with_number(asked),
            (true, false) => format!("{asked}{}", self.variant(false)),
        }
    }

    /// The version that a tag or version text declares. `exact_parts` says how many numbers a full release of the
    /// product has (2 for Postgres 10 and later, 3 for most). A leading word of the image's family is skipped
    /// (`pg14-v0.2.0` is 14), a leading `v` too; suffixes (`-alpine`, `-management`, `-rds.2024`) are no part of it.
    pub fn parse(text: &str, has_digest: bool, exact_parts: impl Fn(&[u64]) -> usize, origin: Origin) -> Self {
        let number = number_in(text);
        let class = match &number {
            _ if has_digest => VersionClass::Digest,
            None => VersionClass::Floating,
            Some(number) => {
                let parts = parts_of(number);
                let complete = !number.ends_with('x') && parts.len() >= exact_parts(&parts);
                if complete { VersionClass::Exact } else { VersionClass::Series }
            }
        };
        Self { text: text.to_owned(), number, class, origin }
    }
}

/// Words that begin the name of an image's variant: base systems, and the editions of official images.
const VARIANTS: &[&str] = &[
    "alpine",
    "bookworm",
    "bullseye",
    "buster",
    "debian",
    "focal",
    "jammy",
    "management",
    "noble",
    "oracle",
    "oraclelinux",
    "resolute",
    "slim",
    "trixie",
    "ubi",
    "ubuntu",
];

fn is_variant(text: &str) -> bool {
    let word = text.split(['-', '.']).next().unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit());
    VARIANTS.contains(&word)
}

fn parts_of(number: &str) -> Vec<u64> {
    number.split('.').map_while(|part| part.parse().ok()).collect()
}

/// `16-alpine` → `16`, `v1.19.1` → `1.19.1`, `6.x` → `6.x`, `pg14-v0.2.0` → `14`, `alpine3.20` → none.
fn number_in(text: &str) -> Option<String> {
    let text = text.trim();
    let after_word = ["pg", "postgres", "postgresql", "PG"]
        .iter()
        .find_map(|word| text.strip_prefix(word).map(|rest| rest.trim_start_matches(['-', '_'])));
    let text = after_word.unwrap_or(text);
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let number = match (number.strip_suffix('.'), rest.strip_prefix(['x', 'X'])) {
        (Some(prefix), Some(after)) if after.is_empty() || after.starts_with('-') => {
            format!("{prefix}.x")
        }
        (Some(prefix), _) => prefix.to_owned(),
        (None, _) => number.to_owned(),
    };
    number.starts_with(|c: char| c.is_ascii_digit()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SourceFile;
    use std::sync::Arc;

    fn parse(text: &str, exact_parts: usize) -> (Option<String>, &'static str) {
        let origin = Origin::start_of(&Arc::new(SourceFile { path: "x".into(), text: String::new() }));
        let version = Version::parse(text, false, |_| exact_parts, origin);
        (version.number, version.class.name())
    }

    #[test]
    fn another_number_keeps_what_a_tag_says_beside_it() {
        let origin = Origin::start_of(&Arc::new(SourceFile { path: "x".into(), text: String::new() }));
        for (text, with) in [
            ("16-alpine", "16.4-alpine"),
            ("16-alpine3.20", "16.4-alpine3.20"),
            ("4.0-management-alpine", "16.4-management-alpine"),
            ("v16", "v16.4"),
            ("latest", "16.4"),
            ("alpine3.20", "16.4-alpine3.20"),
            ("bookworm", "16.4-bookworm"),
            ("", "16.4"),
        ] {
            assert_eq!(Version::parse(text, false, |_| 2, origin.clone()).with_number("16.4"), with);
        }
    }

    #[test]
    fn of_a_tag_all_beside_its_number_is_its_variant_and_of_a_version_a_known_word() {
        let origin = Origin::start_of(&Arc::new(SourceFile { path: "x".into(), text: String::new() }));
        for (text, of_tag, of_version) in [
            ("16.4-alpine3.20", "-alpine3.20", "-alpine3.20"),
            ("4.0-management-alpine", "-management-alpine", "-management-alpine"),
            ("16.4-own-build", "-own-build", ""),
            ("16.4-rds.2024", "-rds.2024", ""),
            ("alpine", "-alpine", "-alpine"),
            ("latest", "", ""),
            ("16.4", "", ""),
        ] {
            let version = Version::parse(text, false, |_| 2, origin.clone());
            assert_eq!([version.variant(true), version.variant(false)], [of_tag, of_version], "{text}");
        }
    }

    #[test]
    fn a_pinned_number_keeps_the_variant_and_a_pinned_tag_is_taken_as_it_is() {
        let origin = Origin::start_of(&Arc::new(SourceFile { path: "x".into(), text: String::new() }));
        for (text, is_tag, asked, pinned) in [
            ("8.0-alpine", true, "8.0.2", "8.0.2-alpine"),
            ("0.8.0-pg17", true, "0.8.1", "0.8.1-pg17"),
            ("8.0-alpine", true, "8.0.2-bookworm", "8.0.2-bookworm"),
            ("16-alpine", false, "16.4", "16.4-alpine"),
            ("16.4-rds.2024", false, "16.5", "16.5"),
        ] {
            let version = Version::parse(text, false, |_| 3, origin.clone());
            assert_eq!(version.pinned_to(asked, is_tag), pinned, "{text}");
        }
    }

    #[test]
    fn suffixes_and_prefixes_are_no_part_of_the_number() {
        for (text, parts, number, class) in [
            ("16", 2, Some("16"), "series"),
            ("16.4-alpine3.20", 2, Some("16.4"), "exact"),
            ("7.2.5", 3, Some("7.2.5"), "exact"),
            ("3.8-management-alpine", 3, Some("3.8"), "series"),
            ("v1.19.1", 3, Some("1.19.1"), "exact"),
            ("pg14-v0.2.0", 2, Some("14"), "series"),
            ("6.x", 3, Some("6.x"), "series"),
            ("latest", 3, None, "floating"),
            ("alpine3.20", 3, None, "floating"),
            ("16.4.0-debian-12-r0", 2, Some("16.4.0"), "exact"),
            ("", 3, None, "floating"),
        ] {
            assert_eq!(parse(text, parts), (number.map(str::to_owned), class), "{text}");
        }
    }
}
