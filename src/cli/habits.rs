//! Command names of other tools, and the devenv command for each.

use super::Cli;
use clap::Parser as _;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

/// Words that are not commands of devenv, and the advice for each.
const WORDS: &[(&str, &str)] = &[
    ("attach", "`devenv logs --follow` shows the log of a service, `devenv shell SERVICE` opens its client"),
    ("backup", "`devenv snapshot save NAME` saves the data of all services"),
    ("build", "devenv builds nothing: `devenv up` runs the images that production names"),
    ("clean", "`devenv gc` removes unused resources; `devenv down` stops the services and keeps the data"),
    ("config", "`devenv manifest` shows the declared services"),
    ("connect", "`devenv shell SERVICE` opens the service's own client"),
    ("console", "`devenv shell SERVICE` opens the service's own client"),
    ("create", "`devenv up` creates and starts everything"),
    ("destroy", "`devenv down` keeps the data; `devenv down --volumes` deletes it, after asking"),
    ("diff", "`devenv plan` shows what `up` would change, `devenv parity` what differs from production"),
    ("images", "`devenv lock` writes the image of each service into services.lock"),
    ("kill", "`devenv down` stops and removes the containers; the data is kept"),
    ("port", "`devenv status` shows the address of each service"),
    ("prune", "`devenv gc` removes unused resources"),
    ("psql", "`devenv shell SERVICE` opens the service's own client"),
    ("pull", "`devenv up` pulls missing images"),
    ("remove", "`devenv down` keeps the data; `devenv down --volumes` deletes it, after asking"),
    ("rm", "`devenv down` keeps the data; `devenv down --volumes` deletes it, after asking"),
    ("rollback", "`devenv snapshot restore NAME` restores a snapshot"),
    ("stats", "`devenv status --sizes` shows how much disk space the data takes"),
    ("top", "`devenv status` shows the running services"),
    ("upgrade", "`devenv update` locks the newest image of the declared versions"),
    ("validate", "`devenv manifest` shows the declared services and every mistake"),
    ("version", "`devenv --version`"),
];

/// Commands that discard data. devenv does not suggest them for a mistyped command.
const DISCARDING: &[&str] = &["reset", "restore", "rm", "gc"];

/// Reads the command line. The error for an unknown command names the right command, if that is known.
pub fn parse(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Cli, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    Cli::try_parse_from(&arguments).map_err(|error| corrected(error, &arguments))
}

/// Commands that take a command of the user after `--`.
const TAKE_A_COMMAND: &[&str] = &["run", "shell"];

fn corrected(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg)
        && !word.starts_with('-')
        && arguments.iter().any(|one| TAKE_A_COMMAND.iter().any(|name| one == name))
    {
        let instead = format!("a command comes after `--`: `-- {word} …`");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(instead)]));
        return error;
    }
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let near = match error.remove(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(near)) => near,
        Some(ContextValue::String(near)) => vec![near],
        _ => Vec::new(),
    };
    let near: Vec<String> = near.into_iter().filter(|near| !DISCARDING.contains(&near.as_str())).collect();
    let word = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => word.clone(),
        _ => String::new(),
    };
    if let Some((_, instead)) = WORDS.iter().find(|(known, _)| *known == word) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(*instead)]));
    } else if !near.is_empty() {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(near));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn told(words: &[&str]) -> String {
        parse([&["devenv"], words].concat()).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_mistyped_command_leads_to_none_that_discards_data() {
        for words in [&["rest"][..], &["resett"], &["rese"], &["snapshot", "restor"], &["gcc"], &["reset-"]] {
            let told = told(words);
            assert!(told.contains("unrecognized subcommand"), "{told}");
            assert!(!DISCARDING.iter().any(|word| told.contains(&format!("'{word}'"))), "{told}");
        }
        assert!(told(&["statsu"]).contains("'status'"));
    }

    #[test]
    fn words_of_other_tools_lead_to_the_right_command_and_are_none_themselves() {
        let command = Cli::command();
        for (word, instead) in WORDS {
            let told = told(&[word]);
            assert!(told.contains(instead), "{told}");
            assert!(command.find_subcommand(word).is_none(), "{word}");
        }
    }

    #[test]
    fn a_command_without_the_dashes_before_it_is_told_where_they_go() {
        for words in [&["run", "python3", "app.py", "--port", "3"][..], &["shell", "db", "psql", "-c", "SELECT 1"]] {
            let told = told(words);
            assert!(told.contains("a command comes after `--`: `-- p"), "{told}");
        }
    }

    #[test]
    fn habits_of_compose_are_understood() {
        for words in [&["help"][..], &["help", "up"]] {
            assert!(told(words).contains("Usage: devenv"), "{words:?}");
        }
        for words in [
            &["ps"][..],
            &["stop"],
            &["stop", "db"],
            &["start", "db"],
            &["exec", "-it", "db", "psql"],
            &["exec", "-T", "db", "psql"],
            &["start"],
            &["restart", "db"],
            &["exec", "db", "psql", "-c", "SELECT 1"],
            &["up", "-d", "db"],
            &["down", "-v"],
            &["logs", "-f", "db"],
        ] {
            assert_eq!(told(words), "", "{words:?}");
        }
    }
}
