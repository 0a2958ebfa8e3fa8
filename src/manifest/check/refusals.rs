//! The declared versions that `plan` and `up` refuse, with the text to write instead.
//!
//! Nothing is guessed silently: a version that the files do not determine is refused, with the line that would set it.

use crate::kinds::{Kind, Kinds};
use crate::model::{Diagnostic, Service, Severity, Stack, VersionClass};

const SERIES: &str = "version-series";

/// How exact the versions in a manifest have to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// Any version is accepted; today's image is used.
    AllowFloating,
    /// At least a series.
    #[default]
    Usual,
    /// A release, or an image's digest.
    Strict,
}

/// An error for each service whose version is floating, absent or unresolved, and a warning for each series.
/// [`Strictness`] makes the errors warnings, or the warnings errors.
pub fn refusals(stack: &Stack, kinds: &Kinds, strictness: Strictness) -> Vec<Diagnostic> {
    let refuse = |service: &Service| {
        let kind = kinds.get(&service.kind)?;
        let title = if kind.port == 0 { service.name.as_str() } else { kind.title.as_str() };
        let mut refused = match service.version.class {
            VersionClass::Digest | VersionClass::Exact => return None,
            VersionClass::Series => return series(service, title, strictness),
            VersionClass::Floating => {
                Diagnostic::error("version-floating", format!("production does not say which {title} it runs"))
                    .at(&service.version.origin, floating(service))
            }
            VersionClass::Absent => {
                Diagnostic::error("version-absent", format!("production does not say which {title} it runs"))
                    .at(&service.version.origin, "no version: whatever the platform fills in")
            }
            VersionClass::Unresolved => {
                Diagnostic::error("version-unresolved", format!("the files do not say which {title} production runs"))
                    .at(&service.version.origin, format!("`{}` is filled in elsewhere", service.version.text))
            }
        };
        if let Some(variable) = variable_of(&service.version.text) {
            refused = refused.help(format!("set it as production does: `{variable}=… devenv up`, or in .env"));
        }
        let example = example(service, kind);
        let there = there(service, stack, &example);
        let or = if there.is_some() || !refused.help.is_empty() { "or here," } else { "pin it" };
        if let Some(there) = there {
            refused = refused.help(format!("pin it there: {there}"));
        }
        refused = refused
            .help(format!("{or} in services.local.yaml: `services: {{{}: {{version: \"{example}\"}}}}`", service.name));
        if strictness == Strictness::AllowFloating {
            refused.severity = Severity::Warning;
            refused.notes.push("accepted because of --allow-floating".to_owned());
        } else if strictness == Strictness::Usual {
            refused.help.push("or use today's image: `--allow-floating`".to_owned());
        }
        Some(refused)
    };
    stack.services.iter().filter_map(refuse).chain(crate::manifest::combine::same_port::refusals(stack)).collect()
}

/// For people: combines the warnings about series into one warning with a place for each. Other messages do not change.
pub fn gathered(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let (series, mut others): (Vec<_>, Vec<_>) =
        diagnostics.into_iter().partition(|diagnostic| diagnostic.code == SERIES && diagnostic.origin.is_some());
    let mut series = series.into_iter();
    let Some(mut first) = series.next() else { return others };
    let rest: Vec<Diagnostic> = series.collect();
    if !rest.is_empty() {
        first.message = format!("production pins no release of {} services", rest.len() + 1);
        first.help = vec![
            "pin the releases that production runs in services.local.yaml: `services: {NAME: {version: …}}`".to_owned(),
        ];
        for diagnostic in &rest {
            if let Some(origin) = &diagnostic.origin {
                first = first.and_at(origin, diagnostic.label.clone());
            }
        }
    }
    others.insert(0, first);
    others
}

fn series(service: &Service, title: &str, strictness: Strictness) -> Option<Diagnostic> {
    let number = service.version.number.as_deref()?.trim_end_matches(".x");
    let mut series = Diagnostic::warning(SERIES, format!("production may run any {title} {number}.x"))
        .at(&service.version.origin, format!("any {number}.x"))
        .help(format!(
            "pin the release that production runs in services.local.yaml: `services: {{{}: {{version: …}}}}`",
            service.name
        ));
    if strictness == Strictness::Strict {
        series.severity = Severity::Error;
        series.notes.push("--strict asks for a release of every service".to_owned());
    }
    Some(series)
}

fn floating(service: &Service) -> String {
    match service.version.text.as_str() {
        "" => "no tag: the registry's newest on the day of each deploy".to_owned(),
        text => format!("`{text}`: the registry's newest on the day of each deploy"),
    }
}

/// An example of a pin: a version in the form of the kind's versions, with the suffix of the declared tag.
fn example(service: &Service, kind: &Kind) -> String {
    let number = kind.example.clone().unwrap_or_else(|| "VERSION".to_owned());
    match service.version.text.as_str() {
        "" | "latest" | "stable" | "edge" | "main" => number,
        suffix if service.version.class == VersionClass::Floating => format!("{number}-{suffix}"),
        _ => number,
    }
}

/// The text of the version in the manifest itself; `None` if its format is not known here.
fn there(service: &Service, stack: &Stack, example: &str) -> Option<String> {
    let path = service.version.origin.path();
    let is_services_yaml = stack.sources.iter().any(|source| source.path == path && source.format == "services.yaml");
    match (&service.image, service.version.class) {
        (_, VersionClass::Unresolved) => None,
        (Some(image), _) => {
            let name = image.value.name();
            let name =
                name.strip_prefix("docker.io/library/").or_else(|| name.strip_prefix("docker.io/")).unwrap_or(&name);
            Some(format!("`image: {name}:{example}`"))
        }
        // How other formats write a version is not known here.
        (None, _) => is_services_yaml.then(|| format!("`version: \"{example}\"`")),
    }
}

/// The variable that would resolve a version: `PG_VERSION` of `${PG_VERSION}`.
fn variable_of(text: &str) -> Option<String> {
    // Terraform also takes its variables from the environment.
    let is_name = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if let Some(name) = text.strip_prefix("var.").filter(is_name) {
        return Some(format!("TF_VAR_{name}"));
    }
    let name = text.split_once("${")?.1;
    let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(name.len());
    Some(name[..end].to_owned()).filter(|name| !name.is_empty())
}
