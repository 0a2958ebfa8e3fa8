//! One Compose service: a backing service with everything that it declares, or an app.

use super::backing;
use super::load::Loader;
use super::value::Value;
use crate::kinds::{Family, Kind};
use crate::manifest::bind::Sources;
use crate::manifest::declare::classify::{Class, Runs, classify};
use crate::manifest::declare::container::plain_words;
use crate::manifest::read::dockerfile;
use crate::model::{
    App, Diagnostic, ImageRef, Located, Origin, Service, SourceFile, Version, VersionClass, did_you_mean,
};
use std::collections::HashMap;
use std::sync::Arc;

/// The result of a Compose service.
pub(super) enum Read {
    /// A server, with the facts that its model does not hold.
    Backing(Box<Service>, Sources),
    /// An app, and whether devenv needs its variables.
    App(App, bool),
}

/// The image that a service runs, and its source.
struct Image {
    name: Located<ImageRef>,
    /// The tag as written, if a variable in it is not set.
    unresolved: Option<String>,
    /// The Dockerfile that builds on it.
    dockerfile: Option<String>,
    /// The entrypoint and the command of that Dockerfile.
    entrypoint: Option<Vec<String>>,
    command: Option<Vec<String>>,
}

/// The error for a service without an image. Compose rejects such a file too.
fn without_image(name: &Located<String>, value: &Value) -> Diagnostic {
    let told =
        Diagnostic::error("compose-no-image", format!("the service `{}` has neither image nor build", name.value));
    let near = value.entries().iter().find_map(|(key, _)| Some((key, did_you_mean(&key.value, ["image", "build"])?)));
    match near {
        Some((key, meant)) => told.at(&key.origin, "no such key").help(format!("did you mean `{meant}`?")),
        None => told.at(&name.origin, "declared here").help("name its image, or say how it is built"),
    }
}

/// Reads one service.
pub(super) fn read(loader: &mut Loader<'_>, whole: &Value, name: &Located<String>, value: &Value) -> Read {
    let written = value.get("image").and_then(Value::as_str).filter(|image| !image.is_empty()).map(str::to_owned);
    let app = |note: String, image: Option<String>| App {
        name: name.value.clone(),
        image,
        note,
        origin: name.origin.clone(),
    };
    if ["image", "build"].iter().all(|key| value.get(key).is_none_or(Value::is_null)) {
        loader.diagnostics.push(without_image(name, value));
    }
    let image = image_of(loader, value);
    let active = is_active(loader, value);
    let asleep = if active { String::new() } else { inactive(value) };
    let Some(image) = image else { return Read::App(app(asleep, written), active) };

    let shown = image.name.value.to_string();
    let entrypoint = value
        .get("entrypoint")
        .and_then(backing::words)
        .and_then(|words| plain_words(&words))
        .or(image.entrypoint.clone());
    let command =
        value.get("command").and_then(backing::words).and_then(|words| plain_words(&words)).or(image.command.clone());
    let looks_served = ["ports", "expose", "healthcheck"].iter().any(|key| value.get(key).is_some());
    let runs = Runs { entrypoint: entrypoint.as_deref(), command: command.as_deref(), looks_served };
    let by_user = included(loader, &name.value, &image.name.value).map(|(kind, family)| (kind, family, false));
    let (kind, family, derived) = match (by_user, classify(loader.input.kinds, &image.name.value, &runs)) {
        (Some(found), _) => found,
        (None, Class::Backing { kind, family, derived }) => (kind, family, derived),
        (None, Class::App { note }) => {
            let with_variables = note.is_empty() && active;
            let note = if note.is_empty() { asleep } else { note };
            return Read::App(app(note, Some(shown)), with_variables);
        }
    };
    if !active {
        return Read::App(app(asleep, Some(shown)), false);
    }
    let version = version(&image, kind);
    let mut service = Service::new(&name.value, &kind.name, &family.name, version, name.origin.clone());
    loader.input.describe(&mut service);
    service.image = Some(image.name.clone());
    let found = (kind, family, derived);
    let (service, sources) = backing::read(loader, whole, value, found, image.dockerfile.as_deref(), service);
    Read::Backing(Box::new(service), sources)
}

/// The reason why a service is not started.
fn inactive(value: &Value) -> String {
    let profiles: Vec<String> = profiles_of(value).map(|profile| format!("`{profile}`")).collect();
    match profiles.as_slice() {
        [one] => format!("behind the profile {one}, which is not active"),
        several => format!("behind the profiles {}, none of them active", several.join(", ")),
    }
}

/// The profiles that a service belongs to.
fn profiles_of(value: &Value) -> impl Iterator<Item = &str> {
    value.get("profiles").map(Value::items).unwrap_or_default().iter().filter_map(Value::as_str)
}

/// Whether a service is started: it has no profile, or one of its profiles is active.
pub(super) fn is_active(loader: &Loader<'_>, value: &Value) -> bool {
    let mut profiles = profiles_of(value).peekable();
    if profiles.peek().is_none() {
        return true;
    }
    let from_variable = loader.project_variable("COMPOSE_PROFILES").unwrap_or_default();
    let active: Vec<&str> = from_variable
        .split(',')
        .map(str::trim)
        .filter(|profile| !profile.is_empty())
        .chain(loader.input.profiles.iter().map(String::as_str))
        .collect();
    profiles.any(|profile| active.contains(&profile) || active.contains(&"*"))
}

/// The kind that the user declares for a service that would otherwise be an app.
fn included<'a>(loader: &Loader<'a>, name: &str, image: &ImageRef) -> Option<(&'a Kind, &'a Family)> {
    loader.input.included.get(name)?;
    loader.input.kind_of(name, Some(image))
}

fn version(image: &Image, kind: &Kind) -> Version {
    let origin = image.name.origin.clone();
    if let Some(text) = &image.unresolved {
        return Version { text: text.clone(), number: None, class: VersionClass::Unresolved, origin };
    }
    let tag = image.name.value.tag.as_deref().unwrap_or_default();
    kind.version(tag, image.name.value.digest.is_some(), origin)
}

/// The image in `image:`. If its name is no known kind's, the base image of the Dockerfile in `build:`.
fn image_of(loader: &mut Loader<'_>, value: &Value) -> Option<Image> {
    let named = value.get("image").filter(|image| !image.is_null()).and_then(|image| named_image(loader, image));
    let is_known = named.as_ref().is_some_and(|image| loader.input.kinds.of_image(&image.name.value).is_some());
    match value.get("build").filter(|_| !is_known) {
        Some(build) => built_image(loader, build).or(named),
        None => named,
    }
}

fn named_image(loader: &mut Loader<'_>, value: &Value) -> Option<Image> {
    let text = value.text()?;
    let unset: Vec<&str> = text.unset.iter().map(|unset| unset.name.as_str()).collect();
    let name = text.text.trim();
    // The rest of a name in which a variable is not set: `postgres:`, `/postgres:16`, `postgres@`.
    let left = if unset.is_empty() { name } else { name.trim_start_matches('/').trim_end_matches([':', '@', '-']) };
    if left.is_empty() {
        if !unset.is_empty() {
            loader.diagnostics.push(
                Diagnostic::warning(
                    "image-unresolved",
                    format!("`{}` is not set, so the image of this service is not known", unset.join("`, `")),
                )
                .at(&value.origin, "the image's name")
                .help(format!(
                    "if it is a database or the like, set it as production does: `{}=… devenv manifest`, or in .env",
                    unset[0]
                )),
            );
        }
        return None;
    }
    let without_tag = || left.rfind(':').filter(|at| !left[*at..].contains('/')).map(|at| &left[..at]);
    let parsed = match (ImageRef::parse(left), without_tag()) {
        (Err(_), Some(name)) if !unset.is_empty() => ImageRef::parse(name),
        (parsed, _) => parsed,
    };
    match parsed {
        Ok(image) => Some(Image {
            name: Located::new(image, value.origin.clone()),
            unresolved: (!unset.is_empty()).then(|| written_tag(value.raw())),
            dockerfile: None,
            entrypoint: None,
            command: None,
        }),
        Err(error) => {
            loader.diagnostics.push(
                Diagnostic::error("image-name", error.to_string())
                    .at(&value.origin, "no image's name")
                    .help("write it as `name:tag`, as the registry has it"),
            );
            None
        }
    }
}

/// The text after the name: `${PG_VERSION:?}-alpine` in `postgres:${PG_VERSION:?}-alpine`. The whole text if the name
/// itself has a variable.
fn written_tag(raw: &str) -> String {
    let before_variable = raw.split('$').next().unwrap_or_default();
    match before_variable.rfind(':') {
        Some(at) if !before_variable[at..].contains('/') => raw[at + 1..].to_owned(),
        _ => raw.to_owned(),
    }
}

fn built_image(loader: &mut Loader<'_>, build: &Value) -> Option<Image> {
    let at = |key: &str| build.get(key).filter(|value| !value.is_null());
    let context = at("context").unwrap_or(build);
    let context_text = context.as_str().unwrap_or(".");
    let source = if let Some(inline) = at("dockerfile_inline") {
        let file = &inline.origin.file;
        Arc::new(SourceFile { path: file.path.clone(), text: inline.as_str()?.to_owned() })
    } else {
        let folder = loader.path_in(&context.origin, context_text);
        let path = folder.join(at("dockerfile").and_then(Value::as_str).unwrap_or("Dockerfile"));
        // An app's Dockerfile is often outside the project. Then no base image is known.
        loader.input.project.read(&path).ok()?
    };
    let mut arguments = HashMap::new();
    if let Some(given) = build.get("args") {
        for (name, value) in given.clone().into_map().entries() {
            let text = match value.text() {
                Some(text) => Some(text.text.clone()),
                None => loader.lookup(&name.origin, &name.value),
            };
            if let Some(text) = text {
                arguments.insert(name.value.clone(), text);
            }
        }
    }
    let budget = &loader.input.project.budget;
    let base = dockerfile::base(&source.text, &arguments, at("target").and_then(Value::as_str), budget);
    budget.blame(&context.origin);
    let base = base?;
    let origin = match at("dockerfile_inline") {
        Some(inline) => inline.origin.clone(),
        None => Origin {
            file: Arc::clone(&source),
            line: base.line,
            column: 1,
            length: source
                .text
                .lines()
                .nth(base.line as usize - 1)
                .map_or(1, |line| u32::try_from(line.chars().count()).unwrap_or(1))
                .max(1),
        },
    };
    let left = base.image.trim_end_matches([':', '@', '-']);
    let without_tag = if base.unset.is_empty() { left } else { left.split(':').next().unwrap_or(left) };
    let image = ImageRef::parse(left).or_else(|_| ImageRef::parse(without_tag)).ok()?;
    let unresolved = base.unset.first().map(|name| format!("${{{name}}}"));
    Some(Image {
        name: Located::new(image, origin),
        unresolved,
        dockerfile: Some(match at("dockerfile_inline") {
            Some(_) => format!("the Dockerfile in {}", source.path.display()),
            None => source.path.display().to_string(),
        }),
        entrypoint: base.entrypoint,
        command: base.command,
    })
}
