//! The report of parity in each of its forms: text from plain data.

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

use crate::model::{Difference, Impact, Report, Said};

/// `production 1.6 · local absent`.
fn sides(said: &[Said]) -> String {
    said.iter().map(|said| format!("{} {}", said.side, said.value)).collect::<Vec<_>>().join(" · ")
}

/// `2 break · 1 behaves differently · 3 cosmetic`; what is expected only where there is something of it.
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
    let totals: Vec<String> = Impact::ALL.into_iter().filter_map(total).collect();
    if totals.is_empty() { "no difference".to_owned() } else { totals.join(" · ") }
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

/// The groups in which differences are shown: each service that has one, then the project itself.
fn groups(report: &Report) -> Vec<(&str, &str)> {
    let services = report.services.iter().map(|service| (service.name.as_str(), service.kind.as_str()));
    let project = report.of("").next().map(|_| ("", ""));
    services.chain(project).collect()
}

#[cfg(test)]
pub(super) mod example {
    use crate::model::{Difference, Gap, Impact, NotAsked, Origin, Report, ReportedService, Said, Section, SourceFile};
    use std::sync::Arc;

    fn said(side: &str, value: &str) -> Said {
        Said { side: side.to_owned(), value: value.to_owned() }
    }

    /// One of everything, with text that every form must escape.
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
        Report {
            project: "shop".to_owned(),
            sides: vec![said("manifest", "deploy/compose.yaml (Compose)"), said("production", "production.facts.yaml")],
            services: vec![
                ReportedService {
                    name: "db".to_owned(),
                    kind: "postgres".to_owned(),
                    versions: vec![said("production", "16.4"), said("local", "16.6")],
                    not_asked: vec![NotAsked {
                        side: "production".to_owned(),
                        why: "only members of pg_read_all_settings see it".to_owned(),
                        topics: vec!["settings/shared_preload_libraries".to_owned()],
                    }],
                },
                ReportedService {
                    name: "cache".to_owned(),
                    kind: "redis".to_owned(),
                    versions: vec![said("production", "7.0.15"), said("local", "7.0.15")],
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
