//! The words of a service's `entrypoint` and `command`, with the variables that they came from.

use crate::kinds::arguments::split_words;
use crate::manifest::declare::classify::simple_commands;
use crate::manifest::read::interpolate::Interpolated;
use crate::model::Origin;

/// Marks around the value of a variable, so that shell splitting keeps the value together with the variable's name. No
/// text of a manifest holds these control characters, because YAML rejects them.
const START: char = '\u{1}';
const NAME_END: char = '\u{2}';
const END: char = '\u{3}';

/// A text that may come from a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sourced {
    /// The text.
    pub(crate) text: String,
    /// The only variable, if the whole text came from it.
    pub(crate) variable: Option<String>,
    /// Whether the text contains a variable that is not set.
    pub(crate) unset: bool,
}

/// A command's words, and their places.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    /// The words in marked form.
    pub(super) marked: Vec<String>,
    /// The place of each word, if the command is written as a list.
    pub(super) places: Vec<Origin>,
    /// The place of the whole command.
    pub(super) origin: Origin,
}

impl Words {
    /// Splits a command that is written as one text, as a shell does.
    pub(crate) fn of_text(text: &Interpolated, origin: Origin) -> Self {
        let marked = marked(text);
        let words = split_words(&marked).unwrap_or_else(|| marked.split_whitespace().map(str::to_owned).collect());
        Self { marked: words, places: Vec::new(), origin }
    }

    /// Takes the words of a command that is written as a list.
    pub(crate) fn of_list(items: impl IntoIterator<Item = (Interpolated, Origin)>, origin: Origin) -> Self {
        let (marked, places) = items.into_iter().map(|(text, origin)| (marked(&text), origin)).unzip();
        Self { marked, places, origin }
    }

    /// Whether it is empty. An empty list keeps the image's command.
    pub(super) fn is_empty(&self) -> bool {
        self.marked.iter().all(String::is_empty)
    }
}

/// A text with the only variable that it came from.
pub(crate) fn sourced(text: &Interpolated) -> Sourced {
    let variable = text.sole_variable().or_else(|| text.unset.first().map(|unset| unset.name.as_str()));
    Sourced { text: text.text.clone(), variable: variable.map(str::to_owned), unset: !text.unset.is_empty() }
}

fn marked(text: &Interpolated) -> String {
    let mut result = String::new();
    let mut at = 0;
    for span in &text.spans {
        result.push_str(&text.text[at..span.range.start]);
        let is_unset = text.unset.iter().any(|unset| unset.name == span.variable);
        result.push(START);
        result.push_str(&span.variable);
        if is_unset {
            result.push('?');
        }
        result.push(NAME_END);
        result.push_str(&text.text[span.range.clone()]);
        result.push(END);
        at = span.range.end;
    }
    result.push_str(&text.text[at..]);
    result
}

/// A word without its marks.
pub(super) fn plain(word: &str) -> Sourced {
    let mut text = String::new();
    let mut names: Vec<String> = Vec::new();
    let mut outside = false;
    let mut rest = word;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            START => {
                let (name, after) = rest.split_once(NAME_END).unwrap_or((rest, ""));
                names.push(name.to_owned());
                let (value, after) = after.split_once(END).unwrap_or((after, ""));
                text.push_str(value);
                rest = after;
            }
            // Shell splitting has cut this value in two; its start is in another word.
            NAME_END | END => {}
            c => {
                outside = true;
                text.push(c);
            }
        }
    }
    let unset = names.iter().any(|name| name.ends_with('?'));
    let variable = match names.as_slice() {
        [name] if !outside => Some(name.trim_end_matches('?').to_owned()),
        _ => None,
    };
    Sourced { text, variable, unset }
}

/// The words without their marks; `None` if they are empty.
pub(crate) fn plain_words(words: &Words) -> Option<Vec<String>> {
    (!words.is_empty()).then(|| words.marked.iter().map(|word| plain(word).text).collect())
}

/// A server's own arguments in marked form, from entrypoint and command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerArguments {
    /// The words after the server's name.
    pub(super) words: Vec<String>,
    /// Whether they are in a shell script with other commands.
    pub(super) in_script: bool,
    /// The index of the first argument among all words; `None` if the arguments come from a script.
    pub(super) first: Option<usize>,
}

/// Finds the server among the words and returns the words after it. If the first word is an option, all words are
/// arguments of the image's own entrypoint. Otherwise, without a server, the command cannot be read: `None`.
pub(super) fn server_arguments(words: &[String], servers: &[String]) -> Option<ServerArguments> {
    let is_server = |word: &String| {
        let word = plain(word).text;
        let name = word.rsplit('/').next().unwrap_or_default();
        servers.iter().any(|server| server == name)
    };
    if words.first().is_some_and(|word| word.starts_with('-')) {
        return Some(ServerArguments { words: words.to_vec(), in_script: false, first: Some(0) });
    }
    let script_at = words
        .iter()
        .position(|word| word.starts_with('-') && !word.starts_with("--") && word.contains('c'))
        .filter(|at| {
            words[..*at].iter().any(|word| matches!(word.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash")))
        });
    if let Some(at) = script_at {
        let script = words.get(at + 1)?;
        let commands = simple_commands(script);
        let mut found = None;
        for command in &commands {
            let Some(words) = split_words(command) else { continue };
            if let Some(at) = words.iter().rposition(&is_server) {
                found = Some(words[at + 1..].to_vec());
            }
        }
        return found.map(|words| ServerArguments { words, in_script: commands.len() > 1, first: None });
    }
    let at = words.iter().take_while(|word| !word.starts_with('-')).collect::<Vec<_>>();
    let at = at.iter().rposition(|word| is_server(word))?;
    Some(ServerArguments { words: words[at + 1..].to_vec(), in_script: false, first: Some(at + 1) })
}

/// The reference that a value in a script is: `$NAME`, `${NAME}`, `$(cat PATH)`, `$(cat $NAME)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// A variable of the container.
    Variable(String),
    /// A file, by its path in the container.
    File(String),
    /// A file whose path is in a variable of the container.
    FileIn(String),
}

/// Reads a value that a shell would replace; `None` for a plain value.
pub(super) fn reference(value: &str) -> Option<Reference> {
    let name = |text: &str| {
        let name =
            text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).or_else(|| text.strip_prefix('$'))?;
        let valid = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        valid.then(|| name.to_owned())
    };
    if let Some(path) = value.strip_prefix("$(cat ").and_then(|rest| rest.strip_suffix(')')) {
        let path = path.trim().trim_matches(['"', '\'']);
        return Some(name(path).map_or_else(|| Reference::File(path.to_owned()), Reference::FileIn));
    }
    name(value).map(Reference::Variable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::read::interpolate::interpolate;
    use crate::model::{Origin, SourceFile};
    use std::sync::Arc;

    fn words(text: &str) -> Vec<String> {
        let origin = Origin::start_of(&Arc::new(SourceFile { path: "x".into(), text: String::new() }));
        let text =
            interpolate(text, &|name| (name == "SET").then(|| "a b".to_owned()), &crate::project::Budget::default())
                .unwrap();
        Words::of_text(&text, origin).marked
    }

    #[test]
    fn words_remember_their_variables() {
        let words = words("redis-server --requirepass ${PW} --maxmemory ${MEM:-64mb}");
        let sourced: Vec<Sourced> = words.iter().map(|word| plain(word)).collect();
        assert_eq!(sourced[2], Sourced { text: String::new(), variable: Some("PW".into()), unset: true });
        assert_eq!(sourced[4], Sourced { text: "64mb".into(), variable: Some("MEM".into()), unset: false });
    }

    #[test]
    fn the_servers_own_arguments_are_found_in_every_form() {
        let servers = ["postgres".to_owned(), "docker-entrypoint.sh".to_owned()];
        for (command, expected, in_script) in [
            ("postgres -c a=b", "-c a=b", false),
            ("-c a=b", "-c a=b", false),
            ("docker-entrypoint.sh postgres -c a=b", "-c a=b", false),
            ("sh -c 'exec postgres -c a=b'", "-c a=b", false),
            ("sh -ec 'chown x /y; exec docker-entrypoint.sh postgres -c a=b'", "-c a=b", true),
        ] {
            let found = server_arguments(&words(command), &servers).unwrap();
            assert_eq!((found.words.join(" ").as_str(), found.in_script), (expected, in_script), "{command}");
        }
        assert_eq!(server_arguments(&words("/start.sh"), &servers), None);
    }

    #[test]
    fn references_of_a_shell_are_read() {
        assert_eq!(reference("$PW"), Some(Reference::Variable("PW".into())));
        assert_eq!(reference("${PW}"), Some(Reference::Variable("PW".into())));
        assert_eq!(reference("$(cat /run/secrets/pw)"), Some(Reference::File("/run/secrets/pw".into())));
        assert_eq!(reference("$(cat $PW_FILE)"), Some(Reference::FileIn("PW_FILE".into())));
        assert_eq!(reference("plain$"), None);
    }
}
