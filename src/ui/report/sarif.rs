//! The report as SARIF 2.1.0, which code hosts show beside the changed lines
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use super::{missing, sentence};
use crate::model::{Difference, Impact, Report};
use crate::ui::visible::visible;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Returns the report as one log; expected differences are not results.
pub fn sarif(report: &Report) -> Value {
    let reported: Vec<&Difference> =
        report.differences.iter().filter(|difference| difference.impact != Impact::Expected).collect();
    let rules: BTreeMap<&str, &Difference> =
        reported.iter().rev().map(|difference| (difference.code, *difference)).collect();
    let rules: Vec<Value> = rules
        .values()
        .map(|difference| {
            let mut rule = json!({
                "id": difference.code,
                "shortDescription": {"text": format!("development and production differ: {}", difference.code)},
            });
            if !difference.source.is_empty() {
                rule["helpUri"] = json!(difference.source);
            }
            rule
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "devenv",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            }},
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": not_asked(report)}],
            "results": reported.iter().map(|difference| result(difference)).collect::<Vec<_>>(),
            "columnKind": "unicodeCodePoints",
        }],
    })
}

/// Lists the topics that could not be asked, so that an absent result is not taken for an absent difference.
fn not_asked(report: &Report) -> Vec<Value> {
    let all = report.services.iter().flat_map(|service| service.not_asked.iter().map(move |one| (service, one)));
    all.map(|(service, one)| json!({"level": "note", "message": {"text": missing(&service.name, one)}})).collect()
}

fn result(difference: &Difference) -> Value {
    let level = match difference.impact {
        Impact::Breaks => "error",
        Impact::Behaves => "warning",
        Impact::Cosmetic | Impact::Expected => "note",
    };
    let text = [&[sentence(difference), difference.why.clone()], difference.help.as_slice()].concat();
    let locations: Vec<Value> = difference
        .origin
        .iter()
        .map(|origin| {
            let uri = origin.path().components().map(|part| encoded(&part.as_os_str().to_string_lossy()));
            json!({"physicalLocation": {
                "artifactLocation": {"uri": uri.collect::<Vec<_>>().join("/")},
                "region": {
                    "startLine": origin.line, "startColumn": origin.column,
                    "endColumn": origin.column + origin.length.max(1),
                },
            }})
        })
        .collect();
    // By this text, a host recognises the same finding in two runs.
    let same = format!("{}/{}/{}", difference.code, difference.service, difference.subject);
    json!({
        "ruleId": difference.code,
        "level": level,
        "message": {"text": plain(&text.join("\n"))},
        "locations": locations,
        "partialFingerprints": {"devenv/v1": same},
    })
}

/// Escapes a message's text: in SARIF, `[words](target)` is a link (section 3.11.6), and a viewer may be a terminal.
fn plain(text: &str) -> String {
    visible(text).replace('\\', r"\\").replace('[', r"\[").replace(']', r"\]")
}

/// A part of a path, encoded for a URI.
fn encoded(part: &str) -> String {
    const TAKEN: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'+').remove(b'@');
    utf8_percent_encode(part, TAKEN).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::example::report;
    use super::*;

    #[test]
    fn no_message_has_a_link_or_an_escape_sequence() {
        assert_eq!(plain("a [x](1) \u{1b}[31m\\"), r"a \[x\](1) ␛\[31m\\");
        let text = sarif(&report()).to_string();
        assert!(text.contains(r"a|b␛\\[31m"), "{text}");
    }

    #[test]
    fn results_name_their_rule_level_and_line() {
        let log = sarif(&report());
        let run = &log["runs"][0];
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), 3, "expected differences are not results");
        assert_eq!(results[0]["level"], "error");
        assert_eq!(results[1]["level"], "warning");
        let place = &results[0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "deploy/compose.yaml");
        assert_eq!(place["region"]["startLine"], 3);
        assert_eq!(place["region"]["endColumn"], 23);
        assert_eq!(results[2]["locations"], json!([]));
        let rules: Vec<&str> =
            run["tool"]["driver"]["rules"].as_array().unwrap().iter().filter_map(|rule| rule["id"].as_str()).collect();
        assert_eq!(rules, ["extension", "setting", "tool-version"]);
        let told = &run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"];
        assert!(told.as_str().unwrap().starts_with("db: not asked of production: settings/shared_preload"), "{told}");
        for result in results {
            assert!(rules.contains(&result["ruleId"].as_str().unwrap()));
        }
    }
}
