//! The formats of `devenv env`.
//!
//! A format that a program evaluates never sets a variable that the user has to fill in: the shell or the CI system
//! would lose the value that it already has.

use super::block::{push_comment, render_lines};
use super::entry::check_name;
use super::{Entry, EntryValue, Refusal};
use serde::ser::{SerializeMap, Serializer};
use std::fmt::Write as _;

/// Docker's `--env-file` refuses longer lines (the buffer of Go's `bufio.Scanner`).
const DOCKER_LINE: usize = 64 * 1024;

/// The format in which the variables are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As in `.env`.
    #[default]
    Dotenv,
    /// `export NAME='value'`, for a POSIX shell's `eval`.
    Shell,
    /// One object; `null` for a value that the user has to fill in.
    Json,
    /// Lines for the file that `$GITHUB_ENV` names.
    Github,
    /// Lines for `docker run --env-file`, which knows no quotes.
    Docker,
}

/// Returns the variables in a format, and a refusal for each variable that the format does not carry for all readers. A
/// refused value never affects the other values.
pub fn render(entries: &[Entry], format: Format) -> (String, Vec<Refusal>) {
    if format == Format::Dotenv {
        return render_lines(entries);
    }
    let mut refusals = Vec::new();
    let mut carried: Vec<Entry> = Vec::new();
    for entry in entries {
        let Some(refusal) = refusal(entry, format) else {
            carried.push(entry.clone());
            continue;
        };
        if check_name(&entry.name).is_ok() {
            let comment = Some(format!("not written: {}", refusal.reason));
            carried.push(Entry { name: entry.name.clone(), value: EntryValue::Empty, comment });
        }
        refusals.push(refusal);
    }
    let text = match format {
        Format::Json => json(&carried),
        Format::Github => carried.iter().filter_map(github).collect(),
        Format::Shell => lines(&carried, |name, value| format!("export {name}='{}'", value.replace('\'', "'\\''"))),
        Format::Docker | Format::Dotenv => lines(&carried, |name, value| format!("{name}={value}")),
    };
    (text, refusals)
}

/// Returns the commands that hide the secrets in the log of a GitHub step: for the step's own output, not for
/// `$GITHUB_ENV`.
pub fn masks(entries: &[Entry]) -> Vec<String> {
    let mut masks = Vec::new();
    for entry in entries {
        let EntryValue::Secret(secret) = &entry.value else { continue };
        for line in secret.reveal().lines().filter(|line| !line.trim().is_empty()) {
            let mask = format!("::add-mask::{}", line.replace('%', "%25").replace('\r', "%0D"));
            if !masks.contains(&mask) {
                masks.push(mask);
            }
        }
    }
    masks
}

fn refusal(entry: &Entry, format: Format) -> Option<Refusal> {
    if let Err(refusal) = check_name(&entry.name) {
        return Some(refusal);
    }
    let value = entry.value.text()?;
    let docker = format == Format::Docker;
    let reason = if value.contains('\0') {
        "it holds a NUL character, which no variable can"
    } else if docker && value.contains('\n') {
        "it has several lines, and Docker's `--env-file` takes one line a variable"
    } else if docker && value.ends_with('\r') {
        "it ends with a carriage return, which Docker's `--env-file` drops"
    } else if docker && entry.name.len() + 1 + value.len() >= DOCKER_LINE {
        "it is longer than the 64 KiB that Docker's `--env-file` takes"
    } else {
        return None;
    };
    Some(Refusal::new(&entry.name, reason))
}

fn lines(entries: &[Entry], line: impl Fn(&str, &str) -> String) -> String {
    let mut text = String::new();
    for entry in entries {
        push_comment(&mut text, entry.comment.as_deref());
        let _ = match entry.value.text() {
            Some(value) => writeln!(text, "{}", line(&entry.name, value)),
            None => writeln!(text, "# {}=", entry.name),
        };
    }
    text
}

fn json(entries: &[Entry]) -> String {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::pretty(&mut text);
    // The map of `serde_json` would lose the order.
    let written = serializer.serialize_map(Some(entries.len())).and_then(|mut map| {
        entries.iter().try_for_each(|entry| map.serialize_entry(&entry.name, &entry.value.text()))?;
        map.end()
    });
    debug_assert!(written.is_ok(), "text as a key and text or nothing as a value can always be written");
    text.push(b'\n');
    String::from_utf8_lossy(&text).into_owned()
}

fn github(entry: &Entry) -> Option<String> {
    let (name, value) = (&entry.name, entry.value.text()?);
    if !value.contains(['\n', '\r']) {
        return Some(format!("{name}={value}\n"));
    }
    let mut delimiter = "END_OF_VALUE".to_owned();
    while value.split(['\n', '\r']).any(|line| line == delimiter) {
        delimiter.push('_');
    }
    Some(format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn entries() -> Vec<Entry> {
        vec![
            Entry { name: "B".into(), value: EntryValue::Plain("it's $5 \\\\".into()), comment: None },
            Entry {
                name: "A".into(),
                value: EntryValue::Secret(Secret::new("two\n100%")),
                comment: Some("why".into()),
            },
            Entry { name: "KEY".into(), value: EntryValue::Empty, comment: Some("a secret".into()) },
        ]
    }

    #[test]
    fn a_shell_gets_exports_and_nothing_for_values_to_fill_in() {
        let text = render(&entries(), Format::Shell).0;
        assert_eq!(text, "export B='it'\\''s $5 \\\\'\n# why\nexport A='two\n100%'\n# a secret\n# KEY=\n");
    }

    #[test]
    fn json_keeps_the_order() {
        let text = render(&entries(), Format::Json).0;
        assert_eq!(text, "{\n  \"B\": \"it's $5 \\\\\\\\\",\n  \"A\": \"two\\n100%\",\n  \"KEY\": null\n}\n");
    }

    #[test]
    fn github_gets_a_delimiter_that_is_no_line_of_the_value() {
        let mut entries = entries();
        entries[1].value = EntryValue::Plain("a\nEND_OF_VALUE\nb".into());
        let text = render(&entries, Format::Github).0;
        assert_eq!(text, "B=it's $5 \\\\\nA<<END_OF_VALUE_\na\nEND_OF_VALUE\nb\nEND_OF_VALUE_\n");
    }

    #[test]
    fn masks_are_for_secrets_line_by_line() {
        assert_eq!(masks(&entries()), ["::add-mask::two", "::add-mask::100%25"]);
    }

    #[test]
    fn docker_gets_every_value_that_fits_on_a_line_without_quotes() {
        let (text, refusals) = render(&entries(), Format::Docker);
        assert_eq!(refusals.iter().map(|refusal| refusal.name.as_str()).collect::<Vec<_>>(), ["A"]);
        assert!(text.starts_with("B=it's $5 \\\\\n# not written: it has several lines"), "{text}");
        let long = Entry { name: "L".into(), value: EntryValue::Plain("x".repeat(DOCKER_LINE)), comment: None };
        assert_eq!(render(&[long], Format::Docker).1.len(), 1);
        assert_eq!(render(&entries()[..1], Format::Docker).0, "B=it's $5 \\\\\n");
    }
}
