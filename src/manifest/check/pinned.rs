//! Writes a version pin into the text of `services.local.yaml`.
//!
//! Only the place of the pin changes: comments and layout stay, byte for byte. The new text is parsed again; if any
//! other value has changed, the text is not returned.

use crate::manifest::read::files::parse_yaml;
use crate::model::{Diagnostic, Exit, Failure, Origin, SourceFile};
use crate::project::{Budget, within_deadline};
use crate::syntax::tree::{Node, NodeKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Returns the text with `services: {SERVICE: {version: "VERSION"}}` in it. Parsing takes from the budget and ends at
/// the deadline. The path is for messages. Fails if the text cannot be parsed, or if its layout does not allow the pin
/// to be written without another change.
pub fn pinned(path: &Path, text: &str, service: &str, version: &str, budget: &Budget) -> Result<String, Failure> {
    let [text, service, version] = [text, service, version].map(str::to_owned);
    let (path, spending) = (path.to_path_buf(), budget.clone());
    within_deadline(budget, move || edited(&path, &text, &service, &version, &spending))?
}

fn edited(path: &Path, text: &str, service: &str, version: &str, budget: &Budget) -> Result<String, Failure> {
    let before = parsed(path, text, budget)?;
    let file = Text { text, end: if text.contains("\r\n") { "\r\n" } else { "\n" } };
    let new = file.with_pin(before.first(), service, version);
    let wanted = PathBuf::from("services").join(service).join("version");
    let proven = new.filter(|new| {
        parsed(path, new, budget).is_ok_and(|after| {
            let (mut before, mut after) = (values(&before), values(&after));
            before.retain(|(place, _)| !wanted.starts_with(place));
            let at = after.iter().position(|(place, value)| *place == wanted && *value == version);
            at.is_some_and(|at| {
                after.remove(at);
                before == after
            })
        })
    });
    proven.ok_or_else(|| {
        let message = format!("cannot write the pin into {} without changing more than that", path.display());
        Failure::new(
            Exit::Failed,
            Diagnostic::error("pin", message)
                .help(format!("write it by hand: `services: {{{}: {{version: \"{version}\"}}}}`", key(service))),
        )
    })
}

fn parsed(path: &Path, text: &str, budget: &Budget) -> Result<Vec<Node>, Failure> {
    let source = Arc::new(SourceFile { path: path.to_path_buf(), text: text.to_owned() });
    let read = parse_yaml(&source, budget);
    if let Some(limit) = budget.overspent() {
        return Err(Failure::new(Exit::Manifest, limit));
    }
    if read.diagnostics.is_empty() {
        return Ok(read.documents);
    }
    Err(Failure::of(Exit::Manifest, read.diagnostics))
}

/// Every value of all documents, with the path of its keys.
fn values(documents: &[Node]) -> Vec<(PathBuf, String)> {
    fn walk(node: &Node, path: &Path, found: &mut Vec<(PathBuf, String)>) {
        match &node.kind {
            NodeKind::Scalar { text, quoted } => {
                found.push((path.to_path_buf(), if *quoted || !node.is_null() { text.clone() } else { String::new() }));
            }
            NodeKind::Sequence(items) => {
                found.push((path.to_path_buf(), format!("{} items", items.len())));
                for (at, item) in items.iter().enumerate() {
                    walk(item, &path.join(at.to_string()), found);
                }
            }
            NodeKind::Mapping(entries) if entries.is_empty() => found.push((path.to_path_buf(), "{}".to_owned())),
            NodeKind::Mapping(entries) => {
                for entry in entries {
                    walk(&entry.value, &path.join(&entry.key.value), found);
                }
            }
        }
    }
    let mut found = Vec::new();
    for (at, document) in documents.iter().enumerate() {
        // The values of a second document must stay in that document.
        let root = if at == 0 { PathBuf::new() } else { PathBuf::from(format!("document {at}")) };
        walk(document, &root, &mut found);
    }
    found.sort();
    found
}

/// A key in YAML, with quotes if it could be read as another value.
fn key(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        && !matches!(
            name.to_ascii_lowercase().as_str(),
            "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The file's text, and its line ending.
struct Text<'a> {
    text: &'a str,
    end: &'a str,
}

impl Text<'_> {
    /// The changed text; `None` if the layout is not supported.
    fn with_pin(&self, document: Option<&Node>, service: &str, version: &str) -> Option<String> {
        let version = quoted(version);
        let of_service = [(key(service), None), ("version".to_owned(), Some(version.clone()))];
        let whole = [("services".to_owned(), None), of_service[0].clone(), of_service[1].clone()];
        let Some(document) = document.filter(|document| !document.is_null()) else {
            return Some(self.appended(&whole));
        };
        let Some(services) = document.entry("services") else {
            return match self.brace(document) {
                Some(at) => Some(self.in_braces(at, document, &whole)),
                None => Some(self.appended(&whole)),
            };
        };
        let Some(entry) = services.value.entry(service) else {
            return self.below(&services.key.origin, &services.value, &of_service);
        };
        match entry.value.get("version") {
            Some(old) => self.replaced(&old.origin, &version),
            None => self.below(&entry.key.origin, &entry.value, &of_service[1..]),
        }
    }

    /// Adds the lines at the end of the file, as a block.
    fn appended(&self, lines: &[(String, Option<String>)]) -> String {
        let between = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { self.end };
        format!("{}{between}{}", self.text, self.block(lines, 0))
    }

    /// Adds the lines as the first entry of a map: inside its braces, or on the line below its key.
    fn below(&self, key: &Origin, map: &Node, lines: &[(String, Option<String>)]) -> Option<String> {
        if let Some(at) = self.brace(map) {
            return Some(self.in_braces(at, map, lines));
        }
        let indent = match map.entries().next() {
            Some(first) => first.key.origin.column.checked_sub(1)?,
            None if map.is_null() => key.column + 1,
            None => return None,
        };
        let line = self.line_start(key.line + 1);
        let (before, after) = self.text.split_at(line);
        let between = if before.ends_with('\n') { "" } else { self.end };
        Some(format!("{before}{between}{}{after}", self.block(lines, indent as usize)))
    }

    fn block(&self, lines: &[(String, Option<String>)], indent: usize) -> String {
        let mut text = String::new();
        for (depth, (key, value)) in lines.iter().enumerate() {
            let space = " ".repeat(indent + 2 * depth);
            let value = value.as_ref().map(|value| format!(" {value}")).unwrap_or_default();
            text += &[space.as_str(), key, ":", &value, self.end].concat();
        }
        text
    }

    fn in_braces(&self, at: usize, map: &Node, lines: &[(String, Option<String>)]) -> String {
        let inside = lines.iter().rev().fold(String::new(), |inside, (key, value)| match value {
            Some(value) => format!("{key}: {value}"),
            None => format!("{key}: {{{inside}}}"),
        });
        let (before, after) = self.text.split_at(at + 1);
        // `{ a: 1 }` keeps its space.
        let space = if after.starts_with(' ') { " " } else { "" };
        let comma = match map.entries().next() {
            None => "",
            Some(_) if space.is_empty() => ", ",
            Some(_) => ",",
        };
        format!("{before}{space}{inside}{comma}{after}")
    }

    /// The byte offset of a map's opening brace, if the map is written in braces.
    fn brace(&self, map: &Node) -> Option<usize> {
        let at = self.offset(&map.origin)?;
        (map.as_mapping().is_some() && self.text[at..].starts_with('{')).then_some(at)
    }

    /// Replaces a scalar that is on one line by another value.
    fn replaced(&self, old: &Origin, value: &str) -> Option<String> {
        let start = self.offset(old)?;
        let rest = &self.text[start..];
        let length: usize = rest.chars().take(old.length as usize).map(char::len_utf8).sum();
        (!rest[..length].contains('\n')).then(|| format!("{}{value}{}", &self.text[..start], &rest[length..]))
    }

    /// The byte offset at which a place begins.
    fn offset(&self, place: &Origin) -> Option<usize> {
        let start = self.line_start(place.line);
        let line = self.text.get(start..)?;
        let column = usize::try_from(place.column).ok()?.checked_sub(1)?;
        let within: usize = line.chars().take(column).map(char::len_utf8).sum();
        Some(start + within)
    }

    /// The byte offset at which a line begins; lines are counted from 1. The end of the text if it has fewer lines.
    fn line_start(&self, line: u32) -> usize {
        let before = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
        self.text.split_inclusive('\n').take(before).map(str::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &str) -> String {
        pinned(Path::new("services.local.yaml"), text, "db", "16.4", &Budget::default()).unwrap()
    }

    #[test]
    fn a_file_without_services_gets_a_block() {
        let block = "services:\n  db:\n    version: \"16.4\"\n";
        assert_eq!(pin(""), block);
        assert_eq!(pin("# ours"), format!("# ours\n{block}"));
        assert_eq!(pin("from: [a.yaml]\n"), format!("from: [a.yaml]\n{block}"));
    }

    #[test]
    fn comments_and_layout_stay() {
        let text = "# top\nservices: # all\n    # the cache\n    cache:\n        port: 6380   # ours\n\n# end\n";
        assert_eq!(
            pin(text),
            "# top\nservices: # all\n    db:\n      version: \"16.4\"\n    # the cache\n    cache:\n        port: 6380   # ours\n\n# end\n"
        );
        let text = "services:\n  # the database\n  db: # here\n    # its port\n    port: 5433\n";
        assert_eq!(
            pin(text),
            "services:\n  # the database\n  db: # here\n    version: \"16.4\"\n    # its port\n    port: 5433\n"
        );
    }

    #[test]
    fn an_existing_version_is_replaced_in_its_place() {
        for (old, new) in [
            ("services:\n  db:\n    version: 15 # old\n", "services:\n  db:\n    version: \"16.4\" # old\n"),
            ("services: {db: {version: '15', port: 1}}\n", "services: {db: {version: \"16.4\", port: 1}}\n"),
            ("services: {é: {port: 1}, db: {version: \"15\"}}", "services: {é: {port: 1}, db: {version: \"16.4\"}}"),
        ] {
            assert_eq!(pin(old), new);
        }
    }

    #[test]
    fn maps_in_braces_stay_in_braces() {
        for (old, new) in [
            ("{}\n", "{services: {db: {version: \"16.4\"}}}\n"),
            ("services: {}\n", "services: {db: {version: \"16.4\"}}\n"),
            ("services: { cache: {} }\n", "services: { db: {version: \"16.4\"}, cache: {} }\n"),
            ("services:\n  db: {port: 1}\n", "services:\n  db: {version: \"16.4\", port: 1}\n"),
            ("services:\n  db: {}\n", "services:\n  db: {version: \"16.4\"}\n"),
        ] {
            assert_eq!(pin(old), new);
        }
    }

    #[test]
    fn empty_values_and_windows_line_endings_are_supported() {
        assert_eq!(pin("services:\n"), "services:\n  db:\n    version: \"16.4\"\n");
        assert_eq!(pin("services:\r\n  db:"), "services:\r\n  db:\r\n    version: \"16.4\"\r\n");
    }

    #[test]
    fn a_text_that_cannot_be_changed_at_one_place_is_refused_with_the_line_to_write() {
        for text in [
            "services:\n  cache: &same {version: \"7.2.5\"}\n  db: *same\n",
            "services:\n  cache: {version: &v \"7.2.5\"}\n  db: {version: *v}\n",
            "from: [a]\n---\nb: 1\n",
            "services: [db]\n",
        ] {
            let path = Path::new("services.local.yaml");
            let failure = pinned(path, text, "db", "16.4", &Budget::default()).unwrap_err();
            assert!(failure.diagnostics[0].help[0].contains("db: {version"), "{text}");
        }
    }

    #[test]
    fn a_pin_takes_from_the_rest_of_the_budget() {
        let budget = Budget::default();
        while budget.spend(crate::project::Resource::Values, 1 << 20) {}
        let failure = pinned(Path::new("x"), "services: {}\n", "db", "16", &budget).unwrap_err();
        assert_eq!(failure.diagnostics[0].code, crate::project::LIMIT);
    }

    #[test]
    fn a_name_that_is_no_plain_word_is_quoted() {
        let text = pinned(Path::new("x"), "", "my db: 1", "16", &Budget::default()).unwrap();
        assert_eq!(text, "services:\n  \"my db: 1\":\n    version: \"16\"\n");
    }

    proptest::proptest! {
        #[test]
        fn a_pin_in_any_text_changes_no_other_value(text in "(services:|  db:|    version: |\"1\"|[{}\\[\\],:# \n&*ab-]){0,24}") {
            // `pinned` itself checks that no other value changes. This test checks that nothing panics, and that the
            // new text can be parsed.
            if let Ok(new) = pinned(Path::new("x"), &text, "db", "16.4", &Budget::default()) {
                proptest::prop_assert!(parsed(Path::new("x"), &new, &Budget::default()).is_ok());
            }
        }
    }
}
