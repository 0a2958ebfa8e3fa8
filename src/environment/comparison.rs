//! `devenv parity --between ONE OTHER`: two manifests, two facts files, or one of each. No engine is asked.

use super::facts_files::{not_asked, read_facts};
use super::session::{built_in_kinds, read};
use crate::cli::Global;
use crate::machine::today;
use crate::manifest::Reading;
use crate::model::{
    Diagnostic, Difference, Exit, Fact, Failure, Gap, Impact, Origin, Report, ReportedService, Said, ServiceFacts,
    Severity, Verdict,
};
use crate::parity::{self, Advice, FactsFile, Sides};
use crate::project::read_text;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What one of the two says of one service.
struct Told {
    kind: String,
    /// How many numbers a full release has.
    full: usize,
    facts: ServiceFacts,
    /// Where a manifest declares it; none in a facts file.
    origin: Option<Origin>,
}

/// One of the two.
struct Side<'a> {
    /// As the user calls it.
    name: &'a str,
    /// Which file it is.
    what: String,
    /// By the service's name.
    services: BTreeMap<String, Told>,
    /// The project's name, where it has one.
    project: Option<String>,
}

/// Compares the two. Services are told apart by their names.
pub(crate) fn report(global: &Global, files: &[PathBuf], names: [&str; 2]) -> Result<Report, Failure> {
    let both = [open(global, files, names[0])?, open(global, files, names[1])?];
    let mut report = Report {
        project: both.iter().find_map(|side| side.project.clone()).unwrap_or_else(|| names.join(" and ")),
        sides: both.iter().map(|side| Said::new(side.name, side.what.clone())).collect(),
        ..Report::default()
    };
    let services: BTreeSet<&String> = both.iter().flat_map(|side| side.services.keys()).collect();
    for service in services {
        let diagnostic: Vec<(&Side<'_>, Option<&Told>)> =
            both.iter().map(|side| (side, side.services.get(service))).collect();
        let answered: Vec<(&str, &Told)> =
            diagnostic.iter().filter_map(|(side, diagnostic)| Some((side.name, (*diagnostic)?))).collect();
        let Some((_, first)) = answered.first() else { continue };
        let facts: Vec<(&str, &ServiceFacts)> =
            answered.iter().map(|(side, diagnostic)| (*side, &diagnostic.facts)).collect();
        let origin = answered.iter().find_map(|(_, diagnostic)| diagnostic.origin.as_ref());
        let versions: Vec<Said> = diagnostic
            .iter()
            .map(|(side, diagnostic)| {
                Said::new(
                    side.name,
                    diagnostic
                        .map_or("absent", |diagnostic| diagnostic.facts.version.as_deref().unwrap_or("any version")),
                )
            })
            .collect();
        let mut told_of = Vec::new();
        if facts.len() == both.len() {
            let manifests: Vec<&str> =
                answered.iter().filter(|(_, diagnostic)| diagnostic.origin.is_some()).map(|(side, _)| *side).collect();
            let compared = parity::compare(&Sides {
                service,
                protocol: first.facts.protocol,
                full: first.full,
                origin,
                version_origin: origin,
                declared: None,
                overlay: None,
                locked: None,
                running: None,
                answered: facts.clone(),
                advice: Advice::Between { manifests: &manifests },
            });
            report.differences.extend(compared.differences);
            told_of = compared.facts;
        } else {
            report.differences.push(Difference {
                code: "service",
                impact: Impact::Breaks,
                gap: Gap::Tools,
                service: service.clone(),
                subject: "service".to_owned(),
                said: versions.clone(),
                why: "an app that needs it finds it on one side only".to_owned(),
                source: String::new(),
                help: vec!["declare it on both sides, or call it by the same name".to_owned()],
                origin: origin.cloned(),
            });
            told_of.push(Fact {
                topic: "server".to_owned(),
                name: "service".to_owned(),
                said: versions.clone(),
                verdict: Verdict::Differs(Impact::Breaks),
            });
        }
        report.services.push(ReportedService {
            name: service.clone(),
            kind: first.kind.clone(),
            origin: origin.cloned(),
            versions,
            facts: told_of,
            not_asked: not_asked(&facts),
        });
    }
    report.sort();
    report.sections.extend(parity::ended(&report, &built_in_kinds()?, &today()));
    Ok(report)
}

/// A facts file, a manifest, or what a stage's name leads to.
fn open<'a>(global: &Global, files: &[PathBuf], name: &'a str) -> Result<Side<'a>, Failure> {
    let facts = PathBuf::from(format!("{name}.facts.yaml"));
    let path = [Path::new(name), &facts].into_iter().find(|path| path.is_file());
    if let Some(path) = path {
        let is_facts = read_text(path).is_ok_and(|text| parity::is_facts(&text));
        let what = path.display().to_string();
        return if is_facts {
            of_facts(name, what, read_facts(path)?)
        } else {
            of_manifest(global, name, &[path.into()])
        };
    }
    let reading = read(global, files)?;
    let sources: Vec<PathBuf> = reading.stack.sources.iter().map(|source| reading.root.join(&source.path)).collect();
    let staged: Vec<PathBuf> = sources.iter().filter_map(|source| of_stage(source, name)).collect();
    if staged.is_empty() {
        let diagnostic = Diagnostic::error("between", format!("nothing is called `{name}`"));
        let looked: Vec<String> =
            reading.stack.sources.iter().map(|source| source.path.display().to_string()).collect();
        return Err(Failure::new(
            Exit::Usage,
            diagnostic
                .because(format!(
                    "no file of that name, no {}, and beside {} no manifest whose path has that word",
                    facts.display(),
                    looked.join(", ")
                ))
                .help("name a manifest or a facts file by its path"),
        ));
    }
    of_manifest(global, name, &staged)
}

/// The words that mean production in a path, and may stand where another stage's do.
const PRODUCTION: [&str; 3] = ["production", "prod", "prd"];

/// The manifest beside another that differs in the stage's word: `compose.prod.yaml` and `staging` give
/// `compose.staging.yaml`. Production's own word leads to the manifest itself.
fn of_stage(source: &Path, stage: &str) -> Option<PathBuf> {
    let text = source.to_str()?;
    if PRODUCTION.contains(&stage) {
        return Some(source.to_path_buf());
    }
    let replaced = PRODUCTION.iter().filter(|word| text.contains(*word)).map(|word| text.replacen(word, stage, 1));
    let extension = source.extension()?.to_str()?;
    let inserted = text.strip_suffix(extension).map(|stem| format!("{stem}{stage}.{extension}"));
    replaced.chain(inserted).map(PathBuf::from).find(|path| path.is_file())
}

fn of_facts(name: &str, what: String, facts: FactsFile) -> Result<Side<'_>, Failure> {
    let kinds = built_in_kinds()?;
    let diagnostic = |(service, facts): (String, ServiceFacts)| {
        // Several kinds speak a protocol: the one that is called as the server calls itself comes first.
        let speaking = || kinds.iter().filter(|kind| kind.protocol == facts.protocol);
        let named = speaking().find(|kind| facts.product.to_lowercase().contains(&kind.name));
        let kind = named.or_else(|| speaking().next());
        let major = facts.version.as_deref().and_then(|version| version.split('.').next()?.parse().ok());
        let full = kind.map_or(3, |kind| kind.exact_parts(&major.into_iter().collect::<Vec<u64>>()));
        let kind = kind.map_or_else(|| facts.product.clone(), |kind| kind.name.clone());
        (service, Told { kind, full, facts, origin: None })
    };
    Ok(Side { name, what, services: facts.into_iter().map(diagnostic).collect(), project: None })
}

fn of_manifest<'a>(global: &Global, name: &'a str, files: &[PathBuf]) -> Result<Side<'a>, Failure> {
    let Reading { stack, kinds, diagnostics, .. } = read(global, files)?;
    let errors: Vec<Diagnostic> = diagnostics.into_iter().filter(|one| one.severity == Severity::Error).collect();
    if !errors.is_empty() {
        return Err(Failure { exit: Exit::Manifest, diagnostics: errors });
    }
    let diagnostic = stack.services.iter().filter_map(|service| {
        let kind = kinds.get(&service.kind)?;
        let protocol = service.protocol.unwrap_or(kind.protocol);
        // `services.local.yaml` is this checkout's, and of neither.
        let service = service.in_production()?;
        let facts = parity::as_facts(&parity::declared(service, protocol)?, protocol, &kind.title);
        let full = kind.exact_parts(&service.version.parts());
        let origin = Some(service.version.origin.clone());
        Some((service.name.clone(), Told { kind: kind.name.clone(), full, facts, origin }))
    });
    let services = diagnostic.collect();
    let what = stack.sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Ok(Side { name, what, services, project: Some(stack.project) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_leads_to_the_manifest_beside_productions() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["compose.prod.yaml", "compose.staging.yaml", "stack.yaml", "stack.uat.yaml"] {
            std::fs::write(at(name), "").unwrap();
        }
        assert_eq!(of_stage(&at("compose.prod.yaml"), "staging"), Some(at("compose.staging.yaml")));
        assert_eq!(of_stage(&at("compose.prod.yaml"), "production"), Some(at("compose.prod.yaml")));
        assert_eq!(of_stage(&at("stack.yaml"), "uat"), Some(at("stack.uat.yaml")));
        assert_eq!(of_stage(&at("stack.yaml"), "qa"), None);
    }
}
