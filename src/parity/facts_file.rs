//! `production.facts.yaml`: the facts that servers reported, for users without access to the servers.
//!
//! ```yaml
//! facts: 1
//! services:
//!   db:
//!     protocol: postgres
//!     product: "PostgreSQL"
//!     version: "16.4"
//!     extensions:
//!       pg_trgm: "1.6"
//! ```

use crate::model::{Diagnostic, Exit, Failure, Protocol, ServiceFacts};
use crate::syntax::quoted;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// The number of the file format: another number comes from another release of `devenv`.
const FORM: u32 = 1;

/// The facts of several services by their names.
pub type FactsFile = BTreeMap<String, ServiceFacts>;

#[derive(Deserialize)]
struct File {
    facts: u32,
    services: BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Service {
    protocol: Protocol,
    product: String,
    version: Option<String>,
    #[serde(default)]
    not_asked: BTreeMap<String, String>,
    #[serde(flatten)]
    topics: BTreeMap<String, BTreeMap<String, String>>,
}

/// Reads a facts file. `path` is used in messages.
pub fn parse(path: &Path, text: &str) -> Result<FactsFile, Failure> {
    let refuse = |diagnostic: Diagnostic| Failure::new(Exit::Manifest, diagnostic);
    let help = "collect the facts again: `devenv facts NAME=URL > FILE`";
    let file: File = serde_saphyr::from_str(text).map_err(|error| {
        let message = format!("{} is not a facts file", path.display());
        refuse(Diagnostic::error("facts-file", message).because(error.to_string()).help(help))
    })?;
    if file.facts != FORM {
        let message =
            format!("{} has facts in format {}, and this devenv reads format {FORM}", path.display(), file.facts);
        return Err(refuse(Diagnostic::error("facts-form", message).help(help)));
    }
    Ok(file
        .services
        .into_iter()
        .map(|(name, service)| {
            let Service { protocol, product, version, not_asked, topics } = service;
            (name, ServiceFacts { protocol, product, version, topics, not_asked })
        })
        .collect())
}

/// Whether a text is meant to be a facts file.
pub fn is_facts(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("facts:"))
}

/// Returns the text of the file: sorted, one value on each line, and always the same for the same facts.
pub fn render(facts: &FactsFile) -> String {
    let mut text = format!(
        "# The facts that servers report about themselves (devenv facts). No secrets, hosts or data; safe to share.\nfacts: {FORM}\nservices:"
    );
    text.push_str(if facts.is_empty() { " {}\n" } else { "\n" });
    for (name, service) in facts {
        let protocol = serde_json::to_value(service.protocol).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}:", key(name));
        let _ = writeln!(text, "    protocol: {}", protocol.as_str().unwrap_or_default());
        let _ = writeln!(text, "    product: {}", quoted(&service.product));
        if let Some(version) = &service.version {
            let _ = writeln!(text, "    version: {}", quoted(version));
        }
        let topics = service.topics.iter().map(|(topic, entries)| (topic.as_str(), entries));
        let not_asked = Some(("not_asked", &service.not_asked)).filter(|(_, reasons)| !reasons.is_empty());
        for (topic, entries) in topics.chain(not_asked) {
            let _ = writeln!(text, "    {}:{}", key(topic), if entries.is_empty() { " {}" } else { "" });
            for (name, value) in entries {
                let _ = writeln!(text, "      {}: {}", key(name), quoted(value));
            }
        }
    }
    text
}

/// Returns a key unquoted if YAML reads the key as the same text, otherwise quoted.
fn key(name: &str) -> String {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let plain = begins && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    let word =
        ["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&name.to_ascii_lowercase().as_str());
    if plain && !word { name.to_owned() } else { quoted(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> FactsFile {
        let topic = |entries: &[(&str, &str)]| {
            entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let db = ServiceFacts {
            protocol: Protocol::Postgres,
            product: "PostgreSQL".to_owned(),
            version: Some("16.4".to_owned()),
            topics: [
                ("extensions".to_owned(), topic(&[("pg_trgm", "1.6"), ("uuid-ossp", "1.1")])),
                ("roles".to_owned(), topic(&[("it's \"Größe\"\n", "login"), ("on", "login"), ("123", "a: b # c")])),
                ("databases".to_owned(), BTreeMap::new()),
            ]
            .into(),
            not_asked: topic(&[("settings/x", "may not")]),
        };
        [("db".to_owned(), db)].into()
    }

    #[test]
    fn a_rendered_facts_file_reads_back() {
        let text = render(&facts());
        assert_eq!(parse(Path::new("f.yaml"), &text).unwrap(), facts(), "{text}");
        assert!(is_facts(&text));
        assert!(!is_facts("services:\n  db: {kind: postgres}\n"));
        assert_eq!(parse(Path::new("f.yaml"), &render(&FactsFile::new())).unwrap(), FactsFile::new());
    }

    #[test]
    fn a_file_that_is_not_a_facts_file_is_refused_with_its_line() {
        let error =
            parse(Path::new("f.yaml"), "facts: 1\nservices:\n  db: {protocol: telnet, product: x}\n").unwrap_err();
        assert_eq!(error.exit, Exit::Manifest);
        assert_eq!(error.diagnostics[0].message, "f.yaml is not a facts file");
        assert!(error.diagnostics[0].notes[0].contains("line 3"), "{error:?}");
        let error = parse(Path::new("f.yaml"), "facts: 2\nservices: {}\n").unwrap_err();
        assert!(error.diagnostics[0].message.contains("format 2"), "{error:?}");
    }
}
