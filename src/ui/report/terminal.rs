//! The report on a terminal.

use super::{groups, place, sides, totals, verdict};
use crate::model::{Difference, Impact, Report, ReportedService};
use crate::ui::paint::Style;
use crate::ui::printer::Printer;
use crate::ui::table::columns;
use crate::ui::visible::one_line;

/// Renders the page. Expected differences are named in one line; cosmetic differences are shown without their reasons.
pub fn terminal(report: &Report, printer: &Printer) -> String {
    let paint = |style: Style, text: &str| printer.paint_data(style, &one_line(text));
    let mut lines = vec![paint(Style::Bold, &format!("parity of {}", report.project))];
    let rows: Vec<Vec<String>> =
        report.sides.iter().map(|said| vec![one_line(&said.side), one_line(&said.value)]).collect();
    lines.extend(columns(&rows).iter().map(|line| format!("  {}", paint(Style::Dim, line))));
    for (name, _) in groups(report) {
        let service = report.services.iter().find(|service| service.name == name);
        lines.push(String::new());
        lines.push(heading(service, printer));
        if let Some(service) = service {
            let (good, words) = verdict(service);
            lines.push(format!("  {}", paint(if good { Style::Good } else { Style::Plain }, &words)));
        }
        let (expected, found): (Vec<&Difference>, Vec<&Difference>) =
            report.of(name).partition(|difference| difference.impact == Impact::Expected);
        lines.extend(found.iter().flat_map(|difference| entry(difference, printer)));
        if !expected.is_empty() {
            let names: Vec<&str> = expected.iter().map(|difference| difference.subject.as_str()).collect();
            lines.push(format!("  {}", paint(Style::Dim, &format!("expected  {}", names.join(", ")))));
        }
        for missing in service.iter().flat_map(|service| &service.not_asked) {
            let text = format!("not asked of {}: {} ({})", missing.side, missing.topics.join(", "), missing.why);
            lines.push(format!("  {}", paint(Style::Dim, &text)));
        }
    }
    for section in &report.sections {
        lines.extend([String::new(), paint(Style::Bold, &section.title)]);
        let rows: Vec<Vec<String>> =
            section.rows.iter().map(|(what, figure)| vec![one_line(what), one_line(figure)]).collect();
        lines.extend(columns(&rows).iter().map(|line| format!("  {line}")));
        if !section.note.is_empty() {
            lines.push(format!("  {}", paint(Style::Dim, &section.note)));
        }
    }
    lines.extend([String::new(), paint(Style::Bold, &totals(report)), String::new()]);
    lines.join("\n")
}

fn heading(service: Option<&ReportedService>, printer: &Printer) -> String {
    let Some(service) = service else { return printer.paint_data(Style::Bold, "project") };
    let title = one_line(&format!("{} · {}", service.name, service.kind));
    format!("{}   {}", printer.paint_data(Style::Bold, &title), one_line(&sides(&service.versions)))
}

/// The difference with its impact, then the reasons, and the advice.
fn entry(difference: &Difference, printer: &Printer) -> Vec<String> {
    let style = match difference.impact {
        Impact::Breaks => Style::Bad,
        Impact::Behaves => Style::Warn,
        Impact::Cosmetic | Impact::Expected => Style::Dim,
    };
    let impact = printer.paint_data(style, &format!("{:<8}", difference.impact.name()));
    let place = place(difference).map(|place| printer.paint_data(Style::Dim, &format!("   {}", one_line(&place))));
    let said = one_line(&sides(&difference.said));
    let mut lines =
        vec![format!("  {impact}  {}   {said}{}", one_line(&difference.subject), place.unwrap_or_default())];
    if difference.impact != Impact::Cosmetic {
        let reasons = [(Style::Plain, &difference.why), (Style::Dim, &difference.source)];
        let help = difference.help.iter().map(|help| (Style::Plain, help));
        let details = reasons.into_iter().chain(help).filter(|(_, text)| !text.is_empty());
        lines
            .extend(details.map(|(style, text)| format!("            {}", printer.paint_data(style, &one_line(text)))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::example::report;
    use super::*;
    use crate::ui::ColorChoice;

    #[test]
    fn the_page_shows_each_difference_with_its_place_and_advice() {
        let page = terminal(&report(), &Printer::new(false, ColorChoice::Never));
        insta::assert_snapshot!(page, @r"
        parity of shop
          manifest     deploy/compose.yaml (Compose)
          overlay      services.local.yaml
          production   production.facts.yaml

        db · postgres   production 16.4 · local 16.6 · overlay 16.6
          4 facts compared, 2 differ, 1 not asked
          breaks    extension pg_trgm   production 1.6 · local absent   deploy/compose.yaml:3
                    types & functions are there on <one> side only
                    https://www.postgresql.org/docs/current/sql-createextension.html
                    here: declare `extensions: [pg_trgm]` for db
                    or in production: drop it
          behaves   a|b␛[31m   production 1.6 · local <x>   deploy/compose.yaml:3
                    types & functions are there on <one> side only
                    https://www.postgresql.org/docs/current/sql-createextension.html
                    here: declare `extensions: [pg_trgm]` for db
                    or in production: drop it
          expected  ssl
          not asked of production: settings/shared_preload_libraries (only members of pg_read_all_settings see it)

        cache · redis   production 7.0.15 · local 7.0.15
          no difference that matters in 1 fact

        project
          cosmetic  python   production 1.6 · local 3.12.1

        Time
          commits not deployed   3
          since v1.2.0

        1 breaks · 1 behaves differently · 1 cosmetic · 1 expected · 5 facts compared · 1 not asked
        ");
    }
}
