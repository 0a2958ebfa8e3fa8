//! The text of `services.lock`: small, sorted, one value on each line, so that two branches merge well.
//!
//! A rendered lock reads back as the same lock, and the same lock always renders as the same bytes.

use crate::model::{Diagnostic, Exit, Failure, ImageRef, Lock, LockedService, Origin, SourceFile};
use crate::project::{Budget, Resource};
use crate::syntax::expect::Expect;
use crate::syntax::tree::{Entry, Node};
use crate::syntax::{quoted, yaml};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// The file's name, in the project's root.
pub const NAME: &str = "services.lock";

const HEAD: &str = "# The image behind each declared version. `devenv lock` and `devenv update` write it; commit it.\n";
const FORM: &str = "1";
const KEYS: &[&str] = &["declared", "from", "version", "image", "digest", "platforms", "manifest"];

/// Reads a lock within the rest of the budget. The path is for messages, which name all faults at once, each with its
/// place and its help.
pub fn parse(path: &Path, text: &str, budget: &Budget) -> Result<Lock, Failure> {
    let source = Arc::new(SourceFile { path: path.to_path_buf(), text: text.to_owned() });
    if let Some(conflict) = merge_conflict(&source) {
        return Err(Failure::new(Exit::Manifest, conflict));
    }
    let read = yaml::parse_within(&source, budget.left(Resource::Values));
    budget.spend_at(Resource::Values, read.values, &Origin::start_of(&source));
    if let Some(limit) = budget.overspent() {
        return Err(Failure::new(Exit::Manifest, limit));
    }
    let mut expect = Expect { diagnostics: read.diagnostics };
    let mut lock = Lock::default();
    match read.documents.as_slice() {
        [document] => read_document(document, &mut lock, &mut expect),
        [] => {}
        [_, second, ..] => expect.diagnostics.push(
            Diagnostic::error("lock-documents", "a lock is one document, and this is a second one")
                .at(&second.origin, "begins here")
                .help("remove it, then `devenv lock`"),
        ),
    }
    if expect.diagnostics.is_empty() {
        return Ok(lock);
    }
    for diagnostic in expect.diagnostics.iter_mut().filter(|diagnostic| diagnostic.help.is_empty()) {
        diagnostic.help.push("fix the line, or remove the service's block and run `devenv lock`".to_owned());
    }
    Err(Failure::of(Exit::Manifest, expect.diagnostics))
}

/// The text of a lock.
pub fn render(lock: &Lock) -> String {
    let mut text = format!("{HEAD}version: {FORM}\n");
    if lock.services.is_empty() {
        return text + "services: {}\n";
    }
    text += "services:\n";
    for (name, service) in &lock.services {
        let values = [
            ("declared", Some(&service.declared)),
            ("from", Some(&service.origin)),
            ("version", service.version.as_ref()),
            ("image", Some(&service.image)),
            ("digest", service.digest.as_ref()),
        ];
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}:", quoted(name));
        for (key, value) in values.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            let _ = writeln!(text, "    {key}: {}", quoted(value));
        }
        if !service.platforms.is_empty() {
            text += "    platforms:\n";
            for (platform, digest) in &service.platforms {
                let _ = writeln!(text, "      {}: {}", quoted(platform), quoted(digest));
            }
        }
        let _ = writeln!(text, "    manifest: {}", quoted(&service.manifest));
    }
    text
}

fn merge_conflict(source: &Arc<SourceFile>) -> Option<Diagnostic> {
    let at = source.text.lines().position(|line| line.starts_with("<<<<<<<") || line.starts_with(">>>>>>>"))?;
    let line = u32::try_from(at + 1).unwrap_or(u32::MAX);
    let place = Origin { file: Arc::clone(source), line, column: 1, length: 7 };
    let name = source.path.display();
    Some(
        Diagnostic::error("lock-conflict", format!("a merge left a conflict in {name}"))
            .at(&place, "git's marker")
            .because("two branches locked different images for one service")
            .help(format!("keep one side (`git checkout --theirs -- {name}`), then `devenv lock` adds what it lacks")),
    )
}

fn read_document(document: &Node, lock: &mut Lock, expect: &mut Expect) {
    let entries = expect.known(document, "a lock", &["version", "services"]);
    let find = |key: &str| entries.iter().find(|entry| entry.key.value == key);
    match find("version").map(|entry| &entry.value) {
        Some(form) if form.as_str() == Some(FORM) => {}
        Some(form) => expect.diagnostics.push(
            Diagnostic::error("lock-version", "this lock was written by another version of devenv")
                .at(&form.origin, format!("this devenv reads version {FORM}"))
                .help("use the team's devenv, or remove the file and run `devenv lock`"),
        ),
        None => expect.diagnostics.push(
            Diagnostic::error("lock-version", "a lock states its version, and this lock does not")
                .at(&document.origin, format!("`version: {FORM}` is missing"))
                .help("restore the file from git, or remove it and run `devenv lock`"),
        ),
    }
    let Some(services) = find("services") else { return };
    for entry in expect.map(&services.value, "`services`").to_vec() {
        if let Some(service) = read_service(&entry, expect) {
            lock.services.insert(entry.key.value, service);
        }
    }
}

fn read_service(entry: &Entry, expect: &mut Expect) -> Option<LockedService> {
    let name = &entry.key.value;
    let entries: BTreeMap<String, Node> = expect
        .known(&entry.value, &format!("`{name}` in a lock"), KEYS)
        .into_iter()
        .map(|entry| (entry.key.value.clone(), entry.value.clone()))
        .collect();
    let mut text = |key: &str| {
        let node = entries.get(key)?;
        // An empty text is a valid text: the version of a service that declares none.
        let empty =
            matches!(&node.kind, crate::syntax::tree::NodeKind::Scalar { text, quoted: true } if text.is_empty());
        if empty { Some(String::new()) } else { expect.text(node, &format!("`{key}`")).map(|text| text.value) }
    };
    let (declared, origin, version) = (text("declared"), text("from"), text("version"));
    let (image, digest, manifest) = (text("image"), text("digest"), text("manifest"));
    let mut platforms = BTreeMap::new();
    if let Some(node) = entries.get("platforms") {
        for platform in expect.map(node, "`platforms`").to_vec() {
            if let Some(digest) = expect.text(&platform.value, "a platform's digest") {
                check_digest(&digest.value, &platform.value.origin, expect);
                platforms.insert(platform.key.value, digest.value);
            }
        }
    }
    if let (Some(digest), Some(node)) = (&digest, entries.get("digest")) {
        check_digest(digest, &node.origin, expect);
    }
    if let (Some(image), Some(node)) = (&image, entries.get("image"))
        && let Err(fault) = ImageRef::parse(image)
    {
        expect.diagnostics.push(Diagnostic::error("lock-image", fault.0).at(&node.origin, "no image's name"));
    }
    let absent = |what: &str| {
        Diagnostic::error("lock-incomplete", format!("`{name}` in a lock has no {what}"))
            .at(&entry.key.origin, "locked here")
    };
    for (key, value) in [("declared", &declared), ("image", &image), ("manifest", &manifest)] {
        if value.is_none() && !entries.contains_key(key) {
            expect.diagnostics.push(absent(&format!("`{key}`")));
        }
    }
    if digest.is_none() && platforms.is_empty() {
        expect.diagnostics.push(absent("`digest`, and no `platforms` either"));
    }
    Some(LockedService {
        declared: declared?,
        origin: origin.unwrap_or_default(),
        version,
        image: image?,
        digest,
        platforms,
        manifest: manifest?,
    })
}

fn check_digest(digest: &str, place: &Origin, expect: &mut Expect) {
    if ImageRef::parse(&format!("x@{digest}")).is_err() {
        let diagnostic = Diagnostic::error("lock-digest", format!("`{digest}` is not a digest"));
        expect.diagnostics.push(diagnostic.at(place, "it is `sha256:` and 64 hexadecimal digits"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(letter: &str) -> String {
        format!("sha256:{}", letter.repeat(64))
    }

    fn lock() -> Lock {
        let of = |image: &str, digest: Option<String>, id: Option<String>| LockedService {
            declared: "16".into(),
            origin: "compose.yaml:3".into(),
            version: digest.as_ref().map(|_| "16.4".into()),
            image: image.into(),
            digest,
            platforms: id.map(|id| ("linux/amd64".to_owned(), id)).into_iter().collect(),
            manifest: "0123456789ab".into(),
        };
        let services = [
            ("db", of("docker.io/library/postgres:16", Some(digest("a")), None)),
            ("my queue: 1", of("docker.io/library/x:1", None, Some(digest("b")))),
        ];
        Lock { services: services.map(|(name, service)| (name.to_owned(), service)).into() }
    }

    fn faults(text: &str) -> Vec<Diagnostic> {
        let failure = parse(Path::new(NAME), text, &Budget::default()).unwrap_err();
        assert_eq!(failure.exit, Exit::Manifest);
        for diagnostic in &failure.diagnostics {
            assert!(diagnostic.origin.is_some() && !diagnostic.help.is_empty(), "{diagnostic:?}");
        }
        failure.diagnostics
    }

    #[test]
    fn a_rendered_lock_reads_back_and_renders_the_same() {
        for lock in [lock(), Lock::default()] {
            let text = render(&lock);
            assert_eq!(parse(Path::new(NAME), &text, &Budget::default()).unwrap(), lock, "{text}");
        }
        insta::assert_snapshot!(render(&lock()).replace(&"a".repeat(64), "aa").replace(&"b".repeat(64), "bb"), @r#"
        # The image behind each declared version. `devenv lock` and `devenv update` write it; commit it.
        version: 1
        services:
          "db":
            declared: "16"
            from: "compose.yaml:3"
            version: "16.4"
            image: "docker.io/library/postgres:16"
            digest: "sha256:aa"
            manifest: "0123456789ab"
          "my queue: 1":
            declared: "16"
            from: "compose.yaml:3"
            image: "docker.io/library/x:1"
            platforms:
              "linux/amd64": "sha256:bb"
            manifest: "0123456789ab"
        "#);
    }

    #[test]
    fn a_merge_conflict_is_reported_with_its_line_and_advice() {
        let diagnostics = faults("version: 1\nservices:\n<<<<<<< HEAD\n  db: {}\n=======\n>>>>>>> other\n");
        assert_eq!(diagnostics[0].code, "lock-conflict");
        assert_eq!(diagnostics[0].origin.as_ref().unwrap().line, 3);
        assert!(diagnostics[0].help[0].contains("devenv lock"));
    }

    #[test]
    fn every_fault_of_a_lock_is_reported_at_its_line() {
        let text = render(&lock());
        let bad = |from: &str, to: &str| faults(&text.replacen(from, to, 1));
        for (from, to, code, line) in [
            ("version: 1", "version: 2", "lock-version", 2),
            ("version: 1\n", "", "lock-version", 2),
            ("    from:", "    form:", "unknown-key", 6),
            ("    declared:", "    image: x\n    declared:", "yaml-duplicate-key", 9),
            (&digest("a"), "sha256:12", "lock-digest", 9),
            (&digest("b"), "latest", "lock-digest", 16),
            ("docker.io/library/postgres:16", "Postgres!", "lock-image", 8),
            ("    manifest: \"0123456789ab\"\n", "", "lock-incomplete", 4),
            (&format!("    digest: \"{}\"\n", digest("a")), "", "lock-incomplete", 4),
            ("services:\n", "services:\n---\n", "lock-documents", 5),
        ] {
            let diagnostics = bad(from, to);
            let found = diagnostics.iter().any(|one| one.code == code && one.origin.as_ref().unwrap().line == line);
            assert!(found, "{from} -> {to}: {diagnostics:?}");
        }
    }

    #[test]
    fn a_lock_without_services_is_valid() {
        let read = parse(Path::new(NAME), "version: 1\nservices: {}\n", &Budget::default());
        assert_eq!(read.unwrap(), Lock::default());
    }
}
