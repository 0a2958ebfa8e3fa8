//! The report of parity in each of its formats: text from plain data.

mod github;
mod html;
mod json;
mod markdown;
mod sarif;
mod terminal;

pub use github::github_annotations;
pub use html::html;
pub use json::json;
pub use markdown::markdown;
pub use sarif::sarif;
pub use terminal::terminal;

use crate::model::{Difference, Impact, NotAsked, Report, ReportedService, Said};

/// `production 1.6 · local absent`.
fn sides(said: &[Said]) -> String {
    said.iter().map(|said| format!("{} {}", said.side, said.value)).collect::<Vec<_>>().join(" · ")
}

/// `2 break · 1 behaves differently · 3 cosmetic`; an impact without differences is not shown.
fn totals(report: &Report) -> String {
    let total = |impact: Impact| {
        let count = report.count(impact);
        let words = match (impact, count) {
            (_, 0) => return None,
            (Impact::Breaks, 1) => "breaks",
            (Impact::Breaks, _) => "break",
            (Impact::Behaves, 1) => "behaves differently",
            (Impact::Behaves, _) => "behave differently",
            (Impact::Cosmetic | Impact::Expected, _) => impact.words(),
        };
        Some(format!("{count} {words}"))
    };
    let mut totals: Vec<String> = Impact::ALL.into_iter().filter_map(total).collect();
    let compared = report.compared();
    if compared == 0 {
        totals.push("nothing was compared".to_owned());
    } else {
        if totals.is_empty() {
            totals.push("no difference".to_owned());
        }
        totals.push(format!("{} compared", facts(compared)));
    }
    if report.missing() > 0 {
        totals.push(format!("{} not asked", report.missing()));
    }
    totals.join(" · ")
}

/// `1 fact`, `41 facts`.
fn facts(count: usize) -> String {
    format!("{count} fact{}", if count == 1 { "" } else { "s" })
}

/// Returns whether all is well (everything could be asked, and nothing differs), and the numbers of the comparison in
/// words.
fn verdict(service: &ReportedService) -> (bool, String) {
    let (compared, different, missing) = (service.compared(), service.different(), service.missing());
    let not_asked = if missing == 0 { String::new() } else { format!(", {missing} not asked") };
    let words = match (compared, different) {
        (0, _) => format!("nothing was compared{not_asked}"),
        (_, 0) if missing == 0 => format!("no difference that matters in {}", facts(compared)),
        (_, 0) => format!("no difference that matters in the {} compared{not_asked}", facts(compared)),
        (_, 1) => format!("{} compared, 1 differs{not_asked}", facts(compared)),
        _ => format!("{} compared, {different} differ{not_asked}", facts(compared)),
    };
    (compared > 0 && different == 0 && missing == 0, words)
}

/// `compose.prod.yaml:14`.
fn place(difference: &Difference) -> Option<String> {
    difference.origin.as_ref().map(|origin| format!("{}:{}", origin.path().display(), origin.line))
}

/// One sentence: `db: extension pg_trgm: production 1.6 · local absent`.
fn sentence(difference: &Difference) -> String {
    let of = if difference.service.is_empty() { String::new() } else { format!("{}: ", difference.service) };
    format!("{of}{}: {}", difference.subject, sides(&difference.said))
}

/// `db: not asked of production: users, vhosts (why)`.
fn missing(service: &str, one: &NotAsked) -> String {
    format!("{service}: not asked of {}: {} ({})", one.side, one.topics.join(", "), one.why)
}

/// The groups in which differences are shown: each service, then the project itself if it has differences.
fn groups(report: &Report) -> Vec<(&str, &str)> {
    let services = report.services.iter().map(|service| (service.name.as_str(), service.kind.as_str()));
    let project = report.of("").next().map(|_| ("", ""));
    services.chain(project).collect()
}

#[cfg(test)]
pub(super) mod example {
    use crate::model::{
        Difference, Fact, Gap, Impact, NotAsked, Origin, Report, ReportedService, Said, Section, SourceFile, Verdict,
    };
    use std::sync::Arc;

    fn said(side: &str, value: &str) -> Said {
        Said { side: side.to_owned(), value: value.to_owned() }
    }

    /// One difference of each kind, with text that every format must escape.
    pub(in crate::ui) fn report() -> Report {
        let file = Arc::new(SourceFile {
            path: "deploy/compose.yaml".into(),
            text: "services:\n  db:\n    image: postgres:16\n".to_owned(),
        });
        let origin = Origin { file, line: 3, column: 5, length: 18 };
        let difference = |code, impact, service: &str, subject: &str, local: &str| Difference {
            code,
            impact,
            gap: Gap::Tools,
            service: service.to_owned(),
            subject: subject.to_owned(),
            said: vec![said("production", "1.6"), said("local", local)],
            why: "types & functions are there on <one> side only".to_owned(),
            source: "https://www.postgresql.org/docs/current/sql-createextension.html".to_owned(),
            help: vec![
                "here: declare `extensions: [pg_trgm]` for db".to_owned(),
                "or in production: drop it".to_owned(),
            ],
            origin: (service == "db").then(|| origin.clone()),
        };
        let fact = |topic: &str, name: &str, local: &str, verdict| Fact {
            topic: topic.to_owned(),
            name: name.to_owned(),
            said: vec![said("production", "1.6"), said("local", local)],
            verdict,
        };
        Report {
            project: "shop".to_owned(),
            sides: vec![
                said("manifest", "deploy/compose.yaml (Compose)"),
                said("overlay", "services.local.yaml"),
                said("production", "production.facts.yaml"),
            ],
            services: vec![
                ReportedService {
                    name: "db".to_owned(),
                    kind: "postgres".to_owned(),
                    origin: Some(origin.clone()),
                    versions: vec![said("production", "16.4"), said("local", "16.6"), said("overlay", "16.6")],
                    facts: vec![
                        fact("extensions", "pg_trgm", "absent", Verdict::Differs(Impact::Breaks)),
                        fact("settings", "a|b\u{1b}[31m", "<x>", Verdict::Differs(Impact::Behaves)),
                        fact("settings", "ssl", "off", Verdict::Differs(Impact::Expected)),
                        fact("settings", "work_mem", "1.6", Verdict::Same),
                        Fact { said: vec![said("production", "1")], ..fact("roles", "x", "", Verdict::NotCompared) },
                    ],
                    not_asked: vec![NotAsked {
                        side: "production".to_owned(),
                        why: "only members of pg_read_all_settings see it".to_owned(),
                        topics: vec!["settings/shared_preload_libraries".to_owned()],
                    }],
                },
                ReportedService {
                    name: "cache".to_owned(),
                    kind: "redis".to_owned(),
                    origin: None,
                    versions: vec![said("production", "7.0.15"), said("local", "7.0.15")],
                    facts: vec![fact("server", "mode", "1.6", Verdict::Same)],
                    not_asked: Vec::new(),
                },
            ],
            differences: vec![
                difference("extension", Impact::Breaks, "db", "extension pg_trgm", "absent"),
                difference("setting", Impact::Behaves, "db", "a|b\u{1b}[31m", "<x>"),
                difference("tool-version", Impact::Cosmetic, "", "python", "3.12.1"),
                difference("setting", Impact::Expected, "db", "ssl", "off"),
            ],
            sections: vec![Section {
                code: "time",
                title: "Time".to_owned(),
                rows: vec![("commits not deployed".to_owned(), "3".to_owned())],
                note: "since v1.2.0".to_owned(),
            }],
        }
    }
}
