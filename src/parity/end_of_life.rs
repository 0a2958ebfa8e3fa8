//! Release series that no longer get fixes from their projects, on any side.

use crate::kinds::Kinds;
use crate::model::{Report, ReportedService, Section, Version, side};
use std::collections::BTreeMap;

/// Returns a row for each series of a service whose last fixes came before `today`, with the sides that have it; `None`
/// if every side's series still gets fixes or is unknown.
pub fn ended(report: &Report, kinds: &Kinds, today: &str) -> Option<Section> {
    let (mut rows, mut sources) = (Vec::new(), Vec::new());
    for service in &report.services {
        let Some(kind) = kinds.get(&service.kind) else { continue };
        let mut sides_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for said in &service.versions {
            let Some(ended) = kind.ended(&Version::parts_in(&said.value), today) else { continue };
            sides_of.entry(ended.sentence()).or_default().push(shown(service, &said.side));
            if !sources.contains(&ended.source()) {
                sources.push(ended.source());
            }
        }
        rows.extend(
            sides_of
                .into_iter()
                .map(|(sentence, sides)| (service.name.clone(), format!("{sentence}: {}", sides.join(", ")))),
        );
    }
    (!rows.is_empty()).then(|| Section {
        code: "end-of-life",
        title: "series without fixes".to_owned(),
        rows,
        note: format!("plan an upgrade in production; {}", sources.join(", ")),
    })
}

/// The name of a side; for the manifest also its line.
fn shown(service: &ReportedService, name: &str) -> String {
    let origin = service.origin.as_ref().filter(|_| name == side::MANIFEST);
    origin.map_or_else(|| name.to_owned(), |origin| format!("{name} ({}:{})", origin.path().display(), origin.line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, Said, SourceFile};
    use std::sync::Arc;

    #[test]
    fn every_side_is_listed_under_its_series_unless_it_has_no_version() {
        let file = Arc::new(SourceFile { path: "compose.yaml".into(), text: String::new() });
        let service = |name: &str, kind: &str, versions: &[(&str, &str)]| ReportedService {
            name: name.to_owned(),
            kind: kind.to_owned(),
            origin: Some(Origin { line: 3, ..Origin::start_of(&file) }),
            versions: versions.iter().map(|(side, value)| Said::new(*side, *value)).collect(),
            facts: Vec::new(),
            not_asked: Vec::new(),
        };
        let report = Report {
            services: vec![
                service(
                    "db",
                    "postgres",
                    &[("production", "13.4"), ("local", "13.23"), ("manifest", "13"), ("overlay", "17")],
                ),
                service("old", "mysql", &[("staging", "absent"), ("manifest", "5.7.44")]),
                service("cache", "redis", &[("manifest", "8.2")]),
                service("own", "of-my-own", &[("manifest", "1")]),
            ],
            ..Report::default()
        };
        let kinds = Kinds::built_in().unwrap();
        let section = ended(&report, &kinds, "2025-11-14").unwrap();
        let row = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(
            section.rows,
            [
                row(
                    "db",
                    "Postgres 13 has had no fixes since 2025-11-13: production, local, manifest (compose.yaml:3)"
                ),
                row("old", "MySQL 5.7 has had no fixes since 2023-10-31: manifest (compose.yaml:3)"),
            ]
        );
        assert!(
            section.note.contains("https://www.postgresql.org/support/versioning/ (looked up on "),
            "{}",
            section.note
        );
        assert_eq!(ended(&report, &kinds, "2023-10-31"), None);
    }
}
