//! `devenv parity`: compares the manifest, the lock, the local services and production's servers.

use crate::cli::{FailOn, Global, Parity, ReportFormat};
use crate::environment::checkout;
use crate::environment::comparison;
use crate::environment::env_files;
use crate::environment::facts_files::{by_service, not_asked, read_facts};
use crate::environment::gaps::gaps;
use crate::environment::servers::{ask, ask_local, named};
use crate::environment::session::{Project, connect};
use crate::machine::today;
use crate::manifest;
use crate::model::{
    Diagnostic, Exit, Failure, Impact, LocalImage, NotAsked, Observed, Report, ReportedService, Said, Service,
    ServiceFacts, side,
};
use crate::parity::{self, Advice, Declared, FactsFile, Sides};
use crate::plan::Desired;
use crate::resolve::lock_file;
use crate::ui::{self, Printer};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;

/// Runs the command.
pub(crate) async fn run(
    global: &Global,
    files: &[PathBuf],
    command: &Parity,
    printer: &Printer,
) -> Result<(), Failure> {
    if let [one, other] = command.between.as_slice() {
        let report = comparison::report(global, files, [one, other])?;
        show(&report, command.format, printer)?;
        return check(&report, command);
    }
    let mut project = checkout::project(global, files, printer).await?;
    // Ask programs and git while the servers answer.
    let reading = project.reading.clone();
    let gaps = tokio::task::spawn_blocking(move || gaps(&reading));
    let production = production(&project, command).await?;
    let local = local(&mut project, global, production.as_ref(), printer).await?;
    let mut report = report(&project, production.as_ref(), &local);
    let gaps = gaps.await.map_err(|error| {
        let diagnostic = Diagnostic::error("tools", "the tools on this machine cannot be asked");
        Failure::new(Exit::Failed, diagnostic.because(error.to_string()))
    })??;
    printer.diagnostics(&gaps.notes);
    report.differences.extend(gaps.differences);
    report.sections.extend(parity::ended(&report, project.kinds(), &today()));
    report.sections.extend(gaps.sections);
    report.sort();
    show(&report, command.format, printer)?;
    if production.is_none() {
        printer.line("production's own servers were not asked: `devenv parity --against SERVICE=URL` asks them too");
    }
    check(&report, command)
}

/// The answers of production's servers, by the stack's services.
struct Production {
    /// The source of the answers, for the report: a file's name, never a URL.
    what: String,
    /// The facts by the service's name.
    facts: FactsFile,
}

async fn production(project: &Project, command: &Parity) -> Result<Option<Production>, Failure> {
    let (mut facts, mut what) = (FactsFile::new(), Vec::new());
    for path in &command.against_facts {
        facts.extend(read_facts(path)?);
        what.push(path.display().to_string());
    }
    if !command.against.is_empty() {
        let servers = named(&command.against, project.kinds(), command.insecure)?;
        facts.extend(ask(&servers).await?);
        what.push(match servers.len() {
            1 => "its server, asked now".to_owned(),
            count => format!("its {count} servers, asked now"),
        });
    }
    if what.is_empty() {
        return Ok(None);
    }
    Ok(Some(Production { what: what.join(", "), facts: by_service(&project.reading.stack, project.kinds(), facts)? }))
}

/// The running local services.
struct Local {
    /// By the service's name: its facts, or the reason why there are none.
    answers: BTreeMap<String, Result<ServiceFacts, String>>,
    /// By the service's name: every digest and id of the running image.
    images: BTreeMap<String, BTreeSet<String>>,
}

/// Asks the running local services. If the engine cannot be reached, the local side is excluded, with a warning.
async fn local(
    project: &mut Project,
    global: &Global,
    production: Option<&Production>,
    printer: &Printer,
) -> Result<Local, Failure> {
    let observed = async {
        let engine = connect(global).await?;
        let observed = project.observe(&engine).await?;
        Ok::<_, Failure>((engine, observed))
    };
    let (engine, observed) = match observed.await {
        Ok(found) => found,
        Err(failure) => {
            printer.diagnostics(&failure.into_warnings("the local services are excluded from the comparison"));
            return Ok(Local { answers: BTreeMap::new(), images: BTreeMap::new() });
        }
    };
    let desired = env_files::as_it_runs(project, &observed)?;
    let project = &*project;
    let asked = desired.services.iter().map(async |service| {
        let database = production.and_then(|production| production.facts.get(&service.name)?.get("database", "name"));
        let facts = ask_local(service, &project.identity.name, &observed, database, &engine, printer).await;
        let container = observed.container(&project.identity.name, &service.name);
        let image = container.map(|container| container.image.clone()).unwrap_or_default();
        (service.name.clone(), facts.map(|facts| parity::with_image(facts, &image)))
    });
    let answers = join_all(asked).await.into_iter().collect();
    Ok(Local { answers, images: images(project, &desired, &observed) })
}

fn images(project: &Project, desired: &Desired, observed: &Observed) -> BTreeMap<String, BTreeSet<String>> {
    let of = |name: &str| {
        let container = observed.container(&project.identity.name, name)?;
        let image = observed.images.values().find(|image| image.id == container.image_id);
        let digests = image.into_iter().flat_map(LocalImage::digests).map(str::to_owned);
        Some(std::iter::once(container.image_id.clone()).chain(digests).collect())
    };
    desired.services.iter().filter_map(|service| Some((service.name.clone(), of(&service.name)?))).collect()
}

fn report(project: &Project, production: Option<&Production>, local: &Local) -> Report {
    let stack = &project.reading.stack;
    let mut report =
        Report { project: stack.project.clone(), sides: sides(project, production, local), ..Report::default() };
    let excluded = stack.apps.iter().filter(|app| stack.left_out.contains(&app.name));
    report.differences.extend(excluded.map(|app| parity::excluded(&app.name, &app.origin)));
    for service in &stack.services {
        // The service as declared, without the lock's image.
        let as_declared = project.declared.iter().find(|one| one.service.name == service.name);
        let service = as_declared.map_or(service, |one| &one.service);
        let Some(kind) = project.kinds().get(&service.kind) else { continue };
        let protocol = service.protocol.unwrap_or(kind.protocol);
        let declared = parity::declared(service, protocol);
        let overlay = parity::overlay(service, protocol);
        let asked = production.and_then(|production| production.facts.get(&service.name));
        let answer = local.answers.get(&service.name);
        let answered: Vec<(&str, &ServiceFacts)> = asked
            .map(|facts| (side::PRODUCTION, facts))
            .into_iter()
            .chain(answer.and_then(|answer| answer.as_ref().ok()).map(|facts| (side::LOCAL, facts)))
            .collect();
        let in_production = service.in_production();
        let version = &in_production.unwrap_or(service).version;
        let compared = parity::compare(&Sides {
            service: &service.name,
            protocol,
            full: kind.exact_parts(&version.parts()),
            origin: Some(&service.origin),
            version_origin: in_production.map(|service| &service.version.origin),
            declared: declared.as_ref(),
            overlay: overlay.as_ref().map(|(overlay, place)| (overlay, *place)),
            locked: project.lock.as_ref().and_then(|lock| lock.services.get(&service.name)),
            running: local.images.get(&service.name),
            answered: answered.clone(),
            advice: Advice::Here,
        });
        report.differences.extend(compared.differences);
        if in_production.is_none() {
            report.differences.push(parity::local_only(&service.name, &service.origin));
        }
        let mut missing = not_asked(&answered);
        if production.is_some() && asked.is_none() && in_production.is_some() {
            missing.push(all_of(side::PRODUCTION, "no server and no facts were given for it"));
        }
        match answer {
            Some(Err(why)) => missing.push(all_of(side::LOCAL, why)),
            None => missing.push(all_of(side::LOCAL, "the engine cannot be reached")),
            Some(Ok(_)) => {}
        }
        let overlay = overlay.as_ref().map(|(overlay, _)| overlay);
        report.services.push(ReportedService {
            name: service.name.clone(),
            kind: service.kind.clone(),
            origin: in_production.map(|service| service.version.origin.clone()),
            versions: versions(declared.as_ref(), overlay, production.map(|_| asked.ok_or("was not asked")), answer),
            facts: compared.facts,
            not_asked: missing,
        });
    }
    report
}

/// The compared sides, each with a description.
fn sides(project: &Project, production: Option<&Production>, local: &Local) -> Vec<Said> {
    let stack = &project.reading.stack;
    let sources: Vec<String> = stack.sources.iter().map(ToString::to_string).collect();
    let mut sides = vec![Said::new(side::MANIFEST, sources.join(", "))];
    let is_changed = |service: &Service| {
        let kind = project.kinds().get(&service.kind);
        kind.is_some_and(|kind| parity::overlay(service, service.protocol.unwrap_or(kind.protocol)).is_some())
    };
    if stack.services.iter().any(is_changed) {
        let file = manifest::local_file(&project.reading.root);
        sides.push(Said::new(side::OVERLAY, file.file_name().unwrap_or_default().to_string_lossy()));
    }
    if project.lock.is_some() {
        sides.push(Said::new(side::LOCK, lock_file::NAME.to_owned()));
    }
    let running = local.answers.values().filter(|answer| answer.is_ok()).count();
    sides.push(Said::new(side::LOCAL, format!("{running} of {} services asked", stack.services.len())));
    if let Some(production) = production {
        sides.push(Said::new(side::PRODUCTION, production.what.clone()));
    }
    sides
}

/// A side that could not be asked at all.
fn all_of(side: &str, why: &str) -> NotAsked {
    NotAsked { side: side.to_owned(), why: why.to_owned(), topics: vec!["everything".to_owned()] }
}

/// The version on each side, or the reason why a side gives none.
fn versions(
    declared: Option<&Declared>,
    overlay: Option<&Declared>,
    production: Option<Result<&ServiceFacts, &str>>,
    local: Option<&Result<ServiceFacts, String>>,
) -> Vec<Said> {
    let of = |facts: &ServiceFacts| facts.version.clone().unwrap_or_else(|| "unknown version".to_owned());
    let mut versions = Vec::new();
    if let Some(production) = production {
        versions.push(Said::new(side::PRODUCTION, production.map_or_else(str::to_owned, of)));
    }
    match local {
        Some(Ok(facts)) => versions.push(Said::new(side::LOCAL, of(facts))),
        Some(Err(why)) => versions.push(Said::new(side::LOCAL, why.clone())),
        None => {}
    }
    for (side, declared) in [(side::MANIFEST, declared), (side::OVERLAY, overlay)] {
        versions.extend(declared.and_then(|declared| Some(Said::new(side, declared.version.clone()?))));
    }
    versions
}

fn show(report: &Report, format: ReportFormat, printer: &Printer) -> Result<(), Failure> {
    match format {
        ReportFormat::Terminal => printer.data(&ui::terminal(report, printer)),
        ReportFormat::Json => printer.json(&ui::report_json(report)),
        ReportFormat::Markdown => printer.exact(&ui::markdown(report)),
        ReportFormat::Sarif => printer.json(&ui::sarif(report)),
        ReportFormat::Html => {
            let page = ui::html(report).map_err(|error| {
                let diagnostic = Diagnostic::error("report", "the report cannot be written as HTML");
                Failure::new(Exit::Failed, diagnostic.because(error.to_string()).help("take another `--format`"))
            })?;
            printer.exact(&page)
        }
        ReportFormat::Github => {
            printer.exact(&ui::github_annotations(report))?;
            summary(&ui::markdown(report))
        }
    }
}

/// Adds the report to the job's summary, if the runner has one.
fn summary(text: &str) -> Result<(), Failure> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return Ok(()) };
    let added = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    added.map_err(|error| {
        let diagnostic = Diagnostic::error("report", "cannot add the report to the job's summary");
        let why = format!("{}: {error}", path.display());
        Failure::new(Exit::Failed, diagnostic.because(why).help("check GITHUB_STEP_SUMMARY, which the runner sets"))
    })
}

/// Fails with exit code 7 if there are differences that matter, and with `--require-all` also if some facts could not
/// be asked.
fn check(report: &Report, command: &Parity) -> Result<(), Failure> {
    let least = match command.fail_on {
        FailOn::Breaks => Impact::Breaks,
        FailOn::Behaves => Impact::Behaves,
        FailOn::Cosmetic => Impact::Cosmetic,
    };
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let mut diagnostics = Vec::new();
    let count = report.differences.iter().filter(|difference| difference.impact >= least).count();
    if command.check && count > 0 {
        let message = format!("development differs from production in {count} way{}", s(count));
        diagnostics
            .push(Diagnostic::error("parity", message).help("the report says what to change, here or in production"));
    }
    let missing = report.missing();
    if command.require_all && missing > 0 {
        let mut diagnostic =
            Diagnostic::error("parity-not-asked", format!("{missing} fact{} could not be asked", s(missing)));
        for service in &report.services {
            for one in &service.not_asked {
                diagnostic = diagnostic.because(format!(
                    "{}: {} of {} ({})",
                    service.name,
                    one.topics.join(", "),
                    one.side,
                    one.why
                ));
            }
        }
        diagnostics.push(diagnostic.help("make them answer, or check without `--require-all`"));
    }
    if diagnostics.is_empty() { Ok(()) } else { Err(Failure::of(Exit::Differs, diagnostics)) }
}
