//! The report as one HTML file that needs no other file: no scripts, no fonts, light and dark.

use super::{facts, groups, place, totals, verdict};
use crate::model::{Difference, Impact, Report, ReportedService, Said};
use crate::ui::visible::{one_line, visible};
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, HtmlEscape, context};
use std::collections::BTreeSet;

/// Renders the page. The template is part of the program, so an error is a mistake of a build; a test renders it.
pub fn html(report: &Report) -> Result<String, minijinja::Error> {
    let mut jinja = Environment::new();
    jinja.set_auto_escape_callback(|_| AutoEscape::Html);
    jinja.add_filter("code", code);
    let groups: Vec<Value> = groups(report)
        .into_iter()
        .map(|(name, kind)| {
            let service = report.services.iter().find(|service| service.name == name);
            let of = |expected: bool| -> Vec<Value> {
                report.of(name).filter(|found| (found.impact == Impact::Expected) == expected).map(difference).collect()
            };
            let not_asked: Vec<Value> = service
                .iter()
                .flat_map(|service| &service.not_asked)
                .map(|one| context! { side => one_line(&one.side), topics => &one.topics, why => one_line(&one.why) })
                .collect();
            context! {
                name => if name.is_empty() { "Project".to_owned() } else { one_line(name) },
                kind => one_line(kind),
                versions => service.map(|service| said(&service.versions)).unwrap_or_default(),
                differences => of(false),
                expected => of(true),
                not_asked,
                verdict => service.map(|service| verdict(service).1).unwrap_or_default(),
                good => service.is_some_and(|service| verdict(service).0),
                facts => service.map(table).unwrap_or_default(),
            }
        })
        .collect();
    let sections: Vec<Value> = report
        .sections
        .iter()
        .map(|section| context! { title => one_line(&section.title), rows => &section.rows, note => &section.note })
        .collect();
    let values = context! {
        project => one_line(&report.project),
        totals => totals(report),
        sides => said(&report.sides),
        groups,
        sections,
    };
    let page = jinja.render_named_str("report.html", include_str!("../../../templates/report.html"), values)?;
    // Whatever a side reported, the page has no character that steers a terminal.
    Ok(visible(&page).into_owned())
}

/// All facts of a service: one column for each side, one row for each fact, and marks for the differences.
fn table(service: &ReportedService) -> Value {
    let mut sides: Vec<&str> = Vec::new();
    for said in service.facts.iter().flat_map(|fact| &fact.said) {
        if !sides.contains(&said.side.as_str()) {
            sides.push(&said.side);
        }
    }
    let rows: Vec<Value> = service
        .facts
        .iter()
        .map(|fact| {
            let of = |side: &&str| fact.said.iter().find(|said| said.side == **side);
            let cells = sides.iter().map(|side| of(side).map(|said| one_line(&said.value)));
            let cells: Vec<Option<String>> = cells.collect();
            context! {
                topic => one_line(&fact.topic),
                name => one_line(&fact.name),
                verdict => fact.verdict.name(),
                cells,
            }
        })
        .collect();
    if rows.is_empty() {
        return Value::from(());
    }
    let topics: BTreeSet<&str> = service.facts.iter().map(|fact| fact.topic.as_str()).collect();
    context! {
        title => facts(rows.len()),
        topics => topics.into_iter().map(one_line).collect::<Vec<_>>().join(", "),
        sides => sides.into_iter().map(one_line).collect::<Vec<_>>(),
        rows,
    }
}

/// Returns HTML in which the text between backticks is code.
#[expect(clippy::needless_pass_by_value, reason = "a filter's form")]
fn code(text: String) -> Value {
    let parts = text.split('`').enumerate().map(|(index, part)| {
        let part = HtmlEscape(part);
        if index % 2 == 1 { format!("<code>{part}</code>") } else { part.to_string() }
    });
    Value::from_safe_string(parts.collect())
}

fn difference(found: &Difference) -> Value {
    context! {
        impact => found.impact.name(),
        words => found.impact.words(),
        subject => one_line(&found.subject),
        place => place(found),
        said => said(&found.said),
        why => one_line(&found.why),
        source => &found.source,
        help => found.help.iter().map(|help| one_line(help)).collect::<Vec<_>>(),
    }
}

fn said(said: &[Said]) -> Vec<Value> {
    said.iter().map(|said| context! { side => one_line(&said.side), value => one_line(&said.value) }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::example::report;
    use super::*;

    #[test]
    fn the_page_shows_the_facts_side_by_side_and_is_not_green_if_a_topic_was_not_asked() {
        let page = html(&report()).unwrap();
        let row = "<td>work_mem</td><td data-side=\"production\"><code>1.6</code></td>\
                   <td data-side=\"local\"><code>1.6</code></td>";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("<details><summary>5 facts: extensions, roles, settings</summary>"), "folded: {page}");
        let narrow = page.split("@media (max-width: 40rem)").nth(1).unwrap();
        assert!(narrow.contains("attr(data-side)"), "below each other, with its side's name, where there is no room");
        assert!(page.contains("<tr class=\"breaks\">"), "{page}");
        let of = |name: &str| page.split("<section>").find(|part| part.contains(&format!("<h2>{name}<"))).unwrap();
        assert!(of("db").contains("<p class=\"soft\">4 facts compared, 2 differ, 1 not asked</p>"), "{page}");
        assert!(!of("db").contains("class=\"good\""), "{page}");
        assert!(of("cache").contains("<p class=\"good\">no difference that matters in 1 fact</p>"), "{page}");
    }

    #[test]
    fn the_page_needs_nothing_beside_it_and_text_of_servers_stays_text() {
        let page = html(&report()).unwrap();
        for needed in ["Parity of shop", "prefers-color-scheme: dark", "deploy&#x2f;compose.yaml:3", "1 expected"] {
            assert!(page.contains(needed), "{needed} in {page}");
        }
        assert!(page.contains("&lt;x&gt;") && !page.contains("<x>"), "{page}");
        for foreign in ["<script", "<link", "@import", "src=", "url("] {
            assert!(!page.contains(foreign), "{foreign} in {page}");
        }
    }
}
