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

/// The facts that one side has of one service.
struct SideService {
    kind: String,
    /// How many numbers a full release has.
    full: usize,
    facts: ServiceFacts,
    /// Where a manifest declares the service; none for a facts file.
    origin: Option<Origin>,
}

/// One of the two sides.
struct Side<'a> {
    /// The user's name for the side.
    name: &'a str,
    /// The files of the side, for the report.
    what: String,
    /// By the service's name.
    services: BTreeMap<String, SideService>,
    /// The project's name, if there is one.
    project: Option<String>,
}

/// Compares the two sides. Services with the same name are the same service.
pub(crate) fn report(global: &Global, files: &[PathBuf], names: [&str; 2]) -> Result<Report, Failure> {
    let both = [open(global, files, names[0])?, open(global, files, names[1])?];
    let mut report = Report {
        project: both.iter().find_map(|side| side.project.clone()).unwrap_or_else(|| names.join(" and ")),
        sides: both.iter().map(|side| Said::new(side.name, side.what.clone())).collect(),
        ..Report::default()
    };
    let services: BTreeSet<&String> = both.iter().flat_map(|side| side.services.keys()).collect();
    for service in services {
        let found: Vec<(&Side<'_>, Option<&SideService>)> =
            both.iter().map(|side| (side, side.services.get(service))).collect();
        let answered: Vec<(&str, &SideService)> =
            found.iter().filter_map(|(side, found)| Some((side.name, (*found)?))).collect();
        let Some((_, first)) = answered.first() else { continue };
        let facts: Vec<(&str, &ServiceFacts)> = answered.iter().map(|(side, found)| (*side, &found.facts)).collect();
        let origin = answered.iter().find_map(|(_, found)| found.origin.as_ref());
        let versions: Vec<Said> = found
            .iter()
            .map(|(side, found)| {
                Said::new(
                    side.name,
                    found.map_or("absent", |found| found.facts.version.as_deref().unwrap_or("any version")),
                )
            })
            .collect();
        let mut compared_facts = Vec::new();
        if facts.len() == both.len() {
            let manifests: Vec<&str> =
                answered.iter().filter(|(_, found)| found.origin.is_some()).map(|(side, _)| *side).collect();
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
            compared_facts = compared.facts;
        } else {
            report.differences.push(Difference {
                code: "service",
                impact: Impact::Breaks,
                gap: Gap::Tools,
                service: service.clone(),
                subject: "service".to_owned(),
                said: versions.clone(),
                why: "an app that needs the service finds it on one side only".to_owned(),
                source: String::new(),
                help: vec!["declare it on both sides, or call it by the same name".to_owned()],
                origin: origin.cloned(),
            });
            compared_facts.push(Fact {
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
            facts: compared_facts,
            not_asked: not_asked(&facts),
        });
    }
    report.sort();
    report.sections.extend(parity::ended(&report, &built_in_kinds()?, &today()));
    Ok(report)
}

/// Reads one side: a facts file, a manifest, or the manifest of a stage.
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
                    "no file of that name, no {}, and next to {} no manifest with that word in its path",
                    facts.display(),
                    looked.join(", ")
                ))
                .help("name a manifest or a facts file by its path"),
        ));
    }
    of_manifest(global, name, &staged)
}

/// The words that mean production in a path. The name of another stage may replace them.
const PRODUCTION: [&str; 3] = ["production", "prod", "prd"];

/// The manifest in the same folder whose name has the stage's word instead of production's: `compose.prod.yaml` and
/// `staging` give `compose.staging.yaml`. A word for production gives the manifest itself.
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
    let side_service = |(service, facts): (String, ServiceFacts)| {
        // Several kinds speak one protocol: prefer the kind whose name is in the server's own product name.
        let speaking = || kinds.iter().filter(|kind| kind.protocol == facts.protocol);
        let named = speaking().find(|kind| facts.product.to_lowercase().contains(&kind.name));
        let kind = named.or_else(|| speaking().next());
        let major = facts.version.as_deref().and_then(|version| version.split('.').next()?.parse().ok());
        let full = kind.map_or(3, |kind| kind.exact_parts(&major.into_iter().collect::<Vec<u64>>()));
        let kind = kind.map_or_else(|| facts.product.clone(), |kind| kind.name.clone());
        (service, SideService { kind, full, facts, origin: None })
    };
    Ok(Side { name, what, services: facts.into_iter().map(side_service).collect(), project: None })
}

fn of_manifest<'a>(global: &Global, name: &'a str, files: &[PathBuf]) -> Result<Side<'a>, Failure> {
    let Reading { stack, kinds, diagnostics, .. } = read(global, files)?;
    let errors: Vec<Diagnostic> = diagnostics.into_iter().filter(|one| one.severity == Severity::Error).collect();
    if !errors.is_empty() {
        return Err(Failure::of(Exit::Manifest, errors));
    }
    let side_services = stack.services.iter().filter_map(|service| {
        let kind = kinds.get(&service.kind)?;
        let protocol = service.protocol.unwrap_or(kind.protocol);
        // `services.local.yaml` belongs to this checkout, and to neither side.
        let service = service.in_production()?;
        let facts = parity::as_facts(&parity::declared(service, protocol)?, protocol, &kind.title);
        let full = kind.exact_parts(&service.version.parts());
        let origin = Some(service.version.origin.clone());
        Some((service.name.clone(), SideService { kind: kind.name.clone(), full, facts, origin }))
    });
    let services = side_services.collect();
    let what = stack.sources.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Ok(Side { name, what, services, project: Some(stack.project) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_names_the_manifest_next_to_productions_manifest() {
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
