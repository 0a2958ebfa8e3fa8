//! Reads one service of `services.yaml`: its name, kind, image and version.
//!
//! A service whose kind or image is not known is reported and skipped; the other services are read.

use crate::kinds::{Kind, Kinds, matches};
use crate::manifest::declare::generic;
use crate::manifest::declare::service_facts;
use crate::model::{Diagnostic, ImageRef, Located, Origin, Service, Version, VersionClass, did_you_mean};
use crate::syntax::expect::Expect;
use crate::syntax::tree::{Entry, Node};

const KEYS: &[&str] = &[
    "kind",
    "version",
    "image",
    "databases",
    "users",
    "rights",
    "vhosts",
    "extensions",
    "plugins",
    "settings",
    "environment",
    "platform",
    "port",
    "command",
    "protocol",
    "path",
];

/// Reads a service; `None` if its kind or image is not known.
pub(crate) fn read(entry: &Entry, kinds: &Kinds, expect: &mut Expect) -> Option<Service> {
    let (name, node) = (&entry.key, &entry.value);
    if !is_name(&name.value) {
        expect.diagnostics.push(
            Diagnostic::error("service-name", format!("`{}` cannot be a service's name", name.value))
                .at(&name.origin, "apps reach it by this name")
                .help("use letters, digits, `-` and `_`, beginning with a letter or digit"),
        );
        return None;
    }
    let what = format!("`{}`", name.value);
    if node.as_mapping().is_none() {
        expect.wrong(node, &what, "a map with `kind` and `version`");
        return None;
    }
    for entry in node.entries() {
        expect.is_known(entry, &what, KEYS);
    }
    let image = match node.get("image") {
        Some(named) => Some(image(named, &what, expect)?),
        None => None,
    };
    let kind = kind(name, node, image.as_ref(), kinds, expect)?;
    let mut service = Service::new(
        &name.value,
        &kind.name,
        kind.families.first().map_or("official", |family| &family.name),
        version(node, kind, image.as_ref(), expect),
        name.origin.clone(),
    );
    service.support = kind.support;
    if !kind.note.is_empty() {
        service.notes.push(kind.note.clone());
    }
    if let Some(mut image) = image {
        match kinds.of_image(&image.value).filter(|(known, _)| known.name == kind.name) {
            Some((_, family)) => {
                service.family.clone_from(&family.name);
                let name = image.value.canonical_name();
                let of_image = family.extensions.iter().filter(|(pattern, _)| matches(pattern, &name));
                for extension in of_image.flat_map(|(_, extensions)| extensions) {
                    service.extensions.push(Located::new(extension.clone(), image.origin.clone()));
                }
            }
            None if kind.families.iter().any(|family| !family.images.is_empty()) => {
                service.notes.push(format!("an image of its own, run as {} is: `{}`", kind.image, image.value.name()));
            }
            None => {}
        }
        if image.value.tag.is_none() && image.value.digest.is_none() && !service.version.text.is_empty() {
            image.value.tag = Some(service.version.text.clone());
        }
        service.image = Some(image);
    }
    service_facts::read(&mut service, node, kind, expect);
    Some(service)
}

fn image(node: &Node, what: &str, expect: &mut Expect) -> Option<Located<ImageRef>> {
    let text = expect.text(node, &format!("the image of {what}"))?;
    let wrong = match ImageRef::parse(&text.value) {
        Ok(image) => return Some(Located::new(image, text.origin)),
        Err(error) => Diagnostic::error("image-name", error.to_string()).at(&text.origin, "no image's name"),
    };
    expect.diagnostics.push(wrong);
    None
}

fn kind<'k>(
    name: &Located<String>,
    node: &Node,
    image: Option<&Located<ImageRef>>,
    kinds: &'k Kinds,
    expect: &mut Expect,
) -> Option<&'k Kind> {
    let Some(said) = node.get("kind") else {
        if let Some((kind, _)) = image.and_then(|image| kinds.of_image(&image.value)) {
            return Some(kind);
        }
        let place = image.map_or(&name.origin, |image| &image.origin);
        expect.diagnostics.push(
            Diagnostic::error("kind-missing", format!("nothing says what kind of service `{}` is", name.value))
                .at(place, if image.is_some() { "an image of no known kind" } else { "has no `kind`" })
                .help("add `kind: postgres`, say, or `kind: generic` with the `port` that it listens on"),
        );
        return None;
    };
    let word = expect.text(said, &format!("the kind of `{}`", name.value))?;
    if word.value == generic::TCP {
        if image.is_none() {
            expect.diagnostics.push(
                Diagnostic::error("image-missing", format!("nothing says which image `{}` runs", name.value))
                    .at(&word.origin, "a generic service is its image")
                    .help("add `image:` with name and tag"),
            );
            return None;
        }
        return kinds.get(generic::read(node, name, expect)?.kind);
    }
    let found = kinds.named(&word.value);
    if found.is_none() {
        let known: Vec<&str> = kinds.iter().flat_map(|kind| &kind.names).map(String::as_str).collect();
        let unknown = Diagnostic::error("unknown-kind", format!("there is no kind `{}`", word.value))
            .at(&word.origin, "not known");
        expect.diagnostics.push(match did_you_mean(&word.value, known) {
            Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
            None => {
                unknown.help("`devenv kinds` lists them; for any other image, `kind: generic` with `image` and `port`")
            }
        });
    }
    found
}

fn version(node: &Node, kind: &Kind, image: Option<&Located<ImageRef>>, expect: &mut Expect) -> Version {
    let parts = |parts: &[u64]| kind.exact_parts(parts);
    let of_image = image.filter(|image| image.value.tag.is_some() || image.value.digest.is_some()).map(|image| {
        let tag = image.value.tag.as_deref().unwrap_or_default();
        Version::parse(tag, image.value.digest.is_some(), parts, image.origin.clone())
    });
    let said = node.get("version").filter(|node| !node.is_null());
    let Some(text) = said.and_then(|node| expect.text(node, "a version")) else {
        let absent = |origin: &Origin| Version {
            text: String::new(),
            number: None,
            class: if image.is_some() { VersionClass::Floating } else { VersionClass::Absent },
            origin: origin.clone(),
        };
        let place = image.map(|image| &image.origin).or_else(|| node.get("kind").map(|kind| &kind.origin));
        return of_image.unwrap_or_else(|| absent(place.unwrap_or(&node.origin)));
    };
    let version = Version::parse(&text.value, false, parts, text.origin);
    let Some(of_image) = of_image else { return version };
    if version.number != of_image.number {
        expect.diagnostics.push(
            Diagnostic::error("version-conflict", "the image's tag and the version do not agree")
                .at(&version.origin, format!("says {}", version.text))
                .and_at(&of_image.origin, format!("says {}", of_image.text))
                .help("remove one of them"),
        );
    }
    of_image
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 63
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}
