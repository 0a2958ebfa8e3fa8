//! Compares a lock with the current declarations in the manifests.

use crate::model::{Diagnostic, ImageRef, LocalImage, Lock, LockedService, RegistryContent, Service, VersionClass};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A service as the manifests declare it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The service.
    pub service: Service,
    /// The image that its declaration means, by name and tag.
    pub image: ImageRef,
}

/// The result of comparing a lock with the manifests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// For each service that is locked as it is declared: the image to run, by name, tag and digest.
    pub locked: BTreeMap<String, ImageRef>,
    /// Services whose declaration changed after they were locked, each reported at the manifest's line.
    pub stale: Vec<Diagnostic>,
    /// Services that the lock does not have, each reported at the manifest's line.
    pub missing: Vec<Diagnostic>,
    /// Names that only the lock has.
    pub removed: Vec<String>,
}

impl Comparison {
    /// Whether the lock has every service as it is declared, and no other service.
    pub fn is_current(&self) -> bool {
        self.stale.is_empty() && self.missing.is_empty() && self.removed.is_empty()
    }

    /// Returns every reason why the lock is not current.
    pub fn findings(&self) -> Vec<Diagnostic> {
        let removed = self.removed.iter().map(|name| {
            Diagnostic::warning(
                "lock-stale",
                format!("services.lock has `{name}`, which no manifest declares any more"),
            )
            .help("`devenv lock` removes it there")
        });
        self.stale.iter().chain(&self.missing).cloned().chain(removed).collect()
    }
}

/// Compares the declared services with a lock.
pub fn compare(declared: &[Declared], lock: &Lock) -> Comparison {
    let mut comparison = Comparison::default();
    for one in declared {
        let name = &one.service.name;
        match lock.services.get(name) {
            None => comparison.missing.push(missing(&one.service)),
            Some(entry) if entry.manifest != decided_by(one) => comparison.stale.push(stale(&one.service, entry)),
            Some(entry) => match image_of(entry, &one.service) {
                Some(image) => {
                    comparison.locked.insert(name.clone(), image);
                }
                None => comparison.missing.push(missing(&one.service)),
            },
        }
    }
    let is_declared = |name: &&String| declared.iter().any(|one| one.service.name == **name);
    comparison.removed = lock.services.keys().filter(|name| !is_declared(name)).cloned().collect();
    comparison
}

fn stale(service: &Service, entry: &LockedService) -> Diagnostic {
    let before = if entry.origin.is_empty() { String::new() } else { format!(" in {}", entry.origin) };
    Diagnostic::warning("lock-stale", format!("services.lock has another {} than is declared now", service.name))
        .at(&service.version.origin, format!("now {}", said(&service.version.text)))
        .because(format!("the lock was made for {}{before}: {}", said(&entry.declared), entry.image))
        .help(format!(
            "`devenv lock` locks what is declared now and says what moved; then commit {}",
            super::lock_file::NAME
        ))
}

fn missing(service: &Service) -> Diagnostic {
    Diagnostic::warning("lock-missing", format!("services.lock does not have {}", service.name))
        .at(&service.version.origin, "declared here")
        .help("`devenv lock` adds it; commit services.lock")
}

fn said(version: &str) -> String {
    if version.is_empty() { "no version".to_owned() } else { format!("`{version}`") }
}

/// A short hash of the part of the manifest that decides which image a service runs.
pub fn decided_by(declared: &Declared) -> String {
    let service = &declared.service;
    let platform = service.platform.as_ref().map_or("", |platform| platform.value.as_str());
    let text = format!("{}\n{}\n{}\n{platform}", service.kind, service.version.text, declared.image);
    Sha256::digest(text.as_bytes())[..6].iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Returns the image that an entry pins, by the registry's digest, or by its id if it was built on an engine. `None` if
/// it was built for other platforms only.
pub fn image_of(entry: &LockedService, service: &Service) -> Option<ImageRef> {
    let image = ImageRef::parse(&entry.image).ok()?;
    let digest = match &entry.digest {
        Some(digest) => digest,
        None => match &service.platform {
            Some(platform) => entry.platforms.get(&platform.value)?,
            None => entry.platforms.get(&own_platform()).or_else(|| entry.platforms.values().next())?,
        },
    };
    Some(ImageRef { digest: Some(digest.clone()), ..image })
}

/// The most likely platform of the engine: the processor of this machine.
fn own_platform() -> String {
    let processor = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("linux/{processor}")
}

/// Returns the digest of a local image in a registry; `None` for an image that was built on this engine.
pub fn digest_of(image: &ImageRef, local: &LocalImage) -> Option<String> {
    let of = |name: &str| {
        let parsed = ImageRef::parse(name).ok()?;
        Some((parsed.canonical_name() == image.canonical_name(), parsed.digest?))
    };
    let known: Vec<(bool, String)> = local.repo_digests.iter().filter_map(|name| of(name)).collect();
    let same = known.iter().find(|(same, _)| *same).or(known.first())?;
    Some(same.1.clone())
}

/// Returns the exact release: the declared release, otherwise the release that the image reports.
pub fn release_of(service: &Service, local: Option<&LocalImage>) -> Option<String> {
    if matches!(service.version.class, VersionClass::Exact) {
        return service.version.number.clone();
    }
    let local = local?;
    let variables = [format!("{}_VERSION", service.kind.to_uppercase().replace('-', "_")), "PG_VERSION".to_owned()];
    let said = variables.iter().find_map(|name| local.releases.get(name));
    let said = said.or_else(|| local.labels.get("org.opencontainers.image.version"))?;
    // `16.4-1.pgdg120+1`, `1:10.11.8+maria~ubu2204`: the packager's additions are not part of the release.
    let number = said.split(['-', '+', '~']).next().unwrap_or_default();
    let number = number.split_once(':').map_or(number, |(_, number)| number);
    let starts = service.version.number.as_deref().map_or("", |series| series.trim_end_matches(".x"));
    (number.starts_with(|c: char| c.is_ascii_digit()) && number.starts_with(starts)).then(|| number.to_owned())
}

/// Returns the entry for a service, from the engine's image and the registry's answer for the digest.
pub fn entry(
    declared: &Declared,
    digest: Option<String>,
    local: Option<&LocalImage>,
    content: Option<&RegistryContent>,
) -> LockedService {
    let service = &declared.service;
    let place = &service.version.origin;
    let platforms = match (&digest, local, content) {
        (None, Some(local), _) => [(local.platform.clone(), local.id.clone())].into(),
        (_, _, Some(content)) => content.platforms.clone(),
        _ => BTreeMap::new(),
    };
    let from_registry = content.map(|content| LocalImage {
        labels: content.labels.clone(),
        releases: content.releases.clone(),
        ..LocalImage::default()
    });
    let local = local.or(from_registry.as_ref());
    LockedService {
        declared: service.version.text.clone(),
        origin: format!("{}:{}", place.path().display(), place.line),
        version: release_of(service, local),
        image: ImageRef { digest: None, ..declared.image.clone() }.to_string(),
        digest,
        platforms,
        manifest: decided_by(declared),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, SourceFile, Version};
    use std::path::PathBuf;
    use std::sync::Arc;

    fn declared(name: &str, tag: &str) -> Declared {
        let file = Arc::new(SourceFile { path: PathBuf::from("compose.yaml"), text: String::new() });
        let place = Origin { line: 7, ..Origin::start_of(&file) };
        let version = Version::parse(tag, false, |_| 2, place.clone());
        let service = Service::new(name, "postgres", "official", version, place);
        Declared { service, image: ImageRef::parse(&format!("postgres:{tag}")).unwrap() }
    }

    fn digest(letter: &str) -> String {
        format!("sha256:{}", letter.repeat(64))
    }

    fn local(releases: &[(&str, &str)], repo_digests: &[String]) -> LocalImage {
        LocalImage {
            id: digest("1"),
            platform: own_platform(),
            repo_digests: repo_digests.to_vec(),
            releases: releases.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..LocalImage::default()
        }
    }

    fn lock_of(entries: &[(&str, LockedService)]) -> Lock {
        Lock { services: entries.iter().map(|(name, entry)| ((*name).to_owned(), entry.clone())).collect() }
    }

    #[test]
    fn a_service_that_is_locked_as_declared_runs_by_its_digest() {
        let db = declared("db", "16");
        let lock = lock_of(&[("db", entry(&db, Some(digest("a")), None, None))]);
        let compared = compare(std::slice::from_ref(&db), &lock);
        assert!(compared.is_current());
        assert_eq!(compared.locked["db"].to_string(), format!("docker.io/library/postgres:16@{}", digest("a")));
    }

    #[test]
    fn the_registry_s_answer_for_a_digest_is_in_the_entry() {
        let content = RegistryContent {
            platforms: [("linux/amd64".to_owned(), digest("c"))].into(),
            releases: [("PG_VERSION".to_owned(), "16.4-1".to_owned())].into(),
            ..RegistryContent::default()
        };
        let entry = entry(&declared("db", "16"), Some(digest("a")), None, Some(&content));
        assert_eq!((entry.version.as_deref(), &entry.platforms), (Some("16.4"), &content.platforms));
        assert_eq!(entry.digest, Some(digest("a")), "the index runs, on every platform");
    }

    #[test]
    fn an_image_of_this_engine_runs_by_its_id() {
        let db = declared("db", "16");
        let made = local(&[], &[]);
        let entry = entry(&db, digest_of(&db.image, &made), Some(&made), None);
        assert_eq!((&entry.digest, entry.platforms.len()), (&None, 1));
        assert_eq!(image_of(&entry, &db.service).unwrap().digest, Some(digest("1")));
    }

    #[test]
    fn a_changed_version_is_reported_at_the_manifest_s_line_with_the_former_version() {
        let lock = lock_of(&[("db", entry(&declared("db", "16"), Some(digest("a")), None, None))]);
        let compared = compare(&[declared("db", "17")], &lock);
        assert!(compared.locked.is_empty() && !compared.is_current());
        let diagnostic = &compared.findings()[0];
        assert_eq!((diagnostic.code, diagnostic.origin.as_ref().unwrap().line), ("lock-stale", 7));
        assert!(diagnostic.label.contains("17") && diagnostic.notes[0].contains("16"), "{diagnostic:?}");
        assert!(diagnostic.help[0].contains("devenv lock"));
    }

    #[test]
    fn new_and_removed_services_are_reported() {
        let lock = lock_of(&[("old", entry(&declared("old", "16"), Some(digest("a")), None, None))]);
        let compared = compare(&[declared("db", "16")], &lock);
        let codes: Vec<_> = compared.findings().iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(codes, ["lock-missing", "lock-stale"]);
        assert!(compared.findings()[1].message.contains("`old`"));
    }

    #[test]
    fn the_release_is_the_declared_one_else_the_image_s_own() {
        let image = local(&[("PG_VERSION", "16.4-1.pgdg120+1")], &[]);
        let release = |tag: &str| release_of(&declared("db", tag).service, Some(&image));
        assert_eq!(release("16").as_deref(), Some("16.4"));
        assert_eq!(release("15.2").as_deref(), Some("15.2"));
        assert_eq!(release("17"), None, "an image that says another series is not believed");
        let epoch = local(&[("PG_VERSION", "1:10.11.8+maria~ubu2204")], &[]);
        assert_eq!(release_of(&declared("db", "10").service, Some(&epoch)).as_deref(), Some("10.11.8"));
    }

    #[test]
    fn the_digest_of_the_declared_name_goes_before_a_mirror_s() {
        let local = local(&[], &[format!("m.example/library/x@{}", digest("b")), format!("postgres@{}", digest("a"))]);
        assert_eq!(digest_of(&declared("db", "16").image, &local), Some(digest("a")));
    }
}
