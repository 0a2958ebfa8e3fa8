//! The report as data; its schema is `templates/schemas/report.json`.

use super::sides;
use crate::model::{Difference, Impact, Origin, Report, Said};
use serde_json::{Map, Value, json};

/// The report as one object.
pub fn json(report: &Report) -> Value {
    let services: Vec<Value> = report
        .services
        .iter()
        .map(|service| {
            let not_asked: Vec<Value> = service
                .not_asked
                .iter()
                .map(|one| json!({"side": one.side, "topics": one.topics, "why": one.why}))
                .collect();
            let facts = service.facts.iter().map(|fact| {
                let sides = by_side(&fact.said);
                json!({"topic": fact.topic, "name": fact.name, "sides": sides, "verdict": fact.verdict.name()})
            });
            json!({
                "name": service.name, "kind": service.kind, "origin": service.origin.as_ref().map(place),
                "versions": by_side(&service.versions),
                "compared": service.compared(), "different": service.different(),
                "facts": facts.collect::<Vec<_>>(),
                "not_asked": not_asked,
            })
        })
        .collect();
    let sections: Vec<Value> = report
        .sections
        .iter()
        .map(|section| {
            let rows: Vec<Value> =
                section.rows.iter().map(|(what, figure)| json!({"what": what, "figure": figure})).collect();
            json!({"code": section.code, "title": section.title, "rows": rows, "note": section.note})
        })
        .collect();
    let mut summary: Map<String, Value> =
        Impact::ALL.iter().map(|impact| (impact.name().to_owned(), json!(report.count(*impact)))).collect();
    summary.insert("compared".to_owned(), json!(report.compared()));
    summary.insert("not_asked".to_owned(), json!(report.missing()));
    json!({
        "version": 1,
        "project": report.project,
        "sides": by_side(&report.sides),
        "services": services,
        "differences": report.differences.iter().map(difference).collect::<Vec<_>>(),
        "sections": sections,
        "summary": summary,
    })
}

fn by_side(said: &[Said]) -> Value {
    Value::Object(said.iter().map(|said| (said.side.clone(), json!(said.value))).collect())
}

fn difference(difference: &Difference) -> Value {
    json!({
        "code": difference.code,
        "impact": difference.impact,
        "gap": difference.gap,
        "service": difference.service,
        "subject": difference.subject,
        "sides": by_side(&difference.said),
        "message": sides(&difference.said),
        "why": difference.why,
        "source": difference.source,
        "help": difference.help,
        "origin": difference.origin.as_ref().map(place),
    })
}

fn place(origin: &Origin) -> Value {
    json!({"path": origin.path(), "line": origin.line, "column": origin.column})
}
