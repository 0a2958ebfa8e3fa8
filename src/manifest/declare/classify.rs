//! Decides whether a container is a backing service, and of which kind: by its image's name, its entrypoint and its
//! command.
//!
//! A container whose image is no known server, or that runs another program than the image's server, is an app, with a
//! note that says why.

use crate::kinds::{Family, Kind, Kinds};
use crate::model::ImageRef;
use serde::Deserialize;
use std::sync::LazyLock;

/// The class of a container: a backing service or an app.
#[derive(Clone, Debug)]
pub(crate) enum Class<'a> {
    /// A server that apps talk to.
    Backing {
        /// Its kind.
        kind: &'a Kind,
        /// Its image's family.
        family: &'a Family,
        /// Whether only the image's name suggests the kind, so that the family's contract is a guess.
        derived: bool,
    },
    /// No backing service. The note says why, unless that is obvious.
    App {
        /// The text of `App::note`.
        note: String,
    },
}

/// The entrypoint and command with which a container overrides those of its image.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Runs<'a> {
    /// The entrypoint's words; `None` or empty keeps the image's entrypoint.
    pub(crate) entrypoint: Option<&'a [String]>,
    /// The command's words; `None` or empty keeps the image's command.
    pub(crate) command: Option<&'a [String]>,
    /// Whether the container looks like a server, because it declares ports or a health check. This distinguishes a
    /// start script from a job.
    pub(crate) looks_served: bool,
}

/// Words in an image's name that say that the image is not the server after which it is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LookAlikes {
    note: String,
    words: Vec<String>,
}

static LOOK_ALIKES: LazyLock<Vec<LookAlikes>> = LazyLock::new(|| {
    // The file is compiled into the program, and a test parses it. A file that does not parse would exclude nothing.
    serde_saphyr::from_str(include_str!("../../../templates/look-alikes.yaml")).unwrap_or_default()
});

/// Classifies a container of that image.
pub(crate) fn classify<'a>(kinds: &'a Kinds, image: &ImageRef, runs: &Runs<'_>) -> Class<'a> {
    let (kind, family, derived) = match kinds.of_image(image) {
        Some((kind, family)) => (kind, family, false),
        None => match derived_kind(kinds, image) {
            Derived::Kind(kind) => match kind.families.first() {
                Some(family) => (kind, family, true),
                None => return Class::App { note: String::new() },
            },
            Derived::LookAlike(note) => return Class::App { note },
            Derived::Nothing => return Class::App { note: String::new() },
        },
    };
    if runs_server(kind, runs) {
        Class::Backing { kind, family, derived }
    } else {
        Class::App { note: format!("a job that reuses the image of {}", kind.title) }
    }
}

/// Whether a name contains a word that says that it is not the server that another word of the name means.
pub(crate) fn is_look_alike(name: &str) -> bool {
    look_alike(name).is_some()
}

fn look_alike(name: &str) -> Option<&'static LookAlikes> {
    let is = |word: &str| {
        name.split(['-', '_', '.']).any(|part| part == word) || (word.contains('-') && name.contains(word))
    };
    LOOK_ALIKES.iter().find(|entry| entry.words.iter().any(|word| is(word)))
}

enum Derived<'a> {
    Kind(&'a Kind),
    LookAlike(String),
    Nothing,
}

/// The kind whose word is in the last part of the image's name, unless another word says that the image is no server.
fn derived_kind<'a>(kinds: &'a Kinds, image: &ImageRef) -> Derived<'a> {
    let last = image.repository.rsplit('/').next().unwrap_or_default();
    let parts = || last.split(['-', '_', '.']);
    let Some(kind) = kinds.iter().find(|kind| parts().any(|part| kind.derived.iter().any(|word| word == part))) else {
        return Derived::Nothing;
    };
    match look_alike(last) {
        Some(entry) => Derived::LookAlike(entry.note.clone()),
        None => Derived::Kind(kind),
    }
}

/// Whether entrypoint and command still start one of the kind's servers.
fn runs_server(kind: &Kind, runs: &Runs<'_>) -> bool {
    let entrypoint = runs.entrypoint.filter(|words| words.iter().any(|word| !word.is_empty()));
    let command = runs.command.filter(|words| words.iter().any(|word| !word.is_empty()));
    let words: Vec<&str> = [entrypoint, command].into_iter().flatten().flatten().map(String::as_str).collect();
    let Some(first) = words.first() else {
        return true;
    };
    if entrypoint.is_none() && first.starts_with('-') {
        return true;
    }
    let starts = |words: &[&str]| programs(words).iter().any(|program| is_server(kind, program));
    if starts(&words) {
        return true;
    }
    // A script of the project: its content is not known here.
    let is_script = is_script_name(first) || words.get(1).is_some_and(|word| is_shell(first) && is_script_name(word));
    is_script && runs.looks_served
}

fn is_server(kind: &Kind, program: &str) -> bool {
    kind.servers.iter().any(|server| server == program)
}

fn is_shell(word: &str) -> bool {
    matches!(base_name(word), "sh" | "bash" | "ash" | "dash")
}

fn is_script_name(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, end)| end == "sh")
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Programs and shell words that run the program after them.
const WRAPPERS: &[&str] = &[
    "exec",
    "env",
    "command",
    "nohup",
    "nice",
    "time",
    "gosu",
    "su-exec",
    "setpriv",
    "chroot",
    "tini",
    "dumb-init",
    "catatonit",
    "s6-setuidgid",
    "stdbuf",
    "then",
    "else",
    "do",
    "{",
    "(",
    "!",
    "if",
    "while",
    "until",
];

/// Names of the programs that a command line starts: the first word, the word after wrappers and entrypoint scripts,
/// and the programs in command position of a shell's `-c` script.
fn programs(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut words = words.iter().copied().peekable();
    let mut wrapped_by: Option<&str> = None;
    while let Some(word) = words.next() {
        if word.starts_with('-') || (word.contains('=') && !word.contains(' ')) {
            continue;
        }
        let name = base_name(word);
        if is_shell(word) {
            let mut script = None;
            for word in words.by_ref() {
                if word.starts_with('-') && !word.starts_with("--") && word.contains('c') {
                    script = Some(());
                } else if !word.starts_with('-') {
                    if script.is_some() {
                        found.extend(script_programs(word));
                    } else {
                        found.push(base_name(word).to_owned());
                    }
                    break;
                }
            }
            break;
        }
        let takes_user = matches!(wrapped_by, Some("gosu" | "su-exec" | "s6-setuidgid"));
        if takes_user {
            wrapped_by = Some("exec");
            continue;
        }
        if WRAPPERS.contains(&name) {
            wrapped_by = Some(name);
            continue;
        }
        // An image's entrypoint script runs the program after it. The words after any other program are its arguments.
        if is_script_name(name) && words.peek().is_some_and(|next| !next.starts_with('-')) {
            continue;
        }
        found.push(name.to_owned());
        break;
    }
    found
}

/// Programs in command position of a shell script.
fn script_programs(script: &str) -> Vec<String> {
    simple_commands(script)
        .iter()
        .flat_map(|command| {
            let words: Vec<String> =
                crate::kinds::arguments::split_words(command).unwrap_or_else(|| words_of_broken(command));
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            // The words of a shell inside a shell are taken as names, without parsing: scripts do not nest in practice.
            match words.first() {
                Some(word) if is_shell(word) => words.iter().map(|word| base_name(word).to_owned()).collect(),
                _ => programs(&words),
            }
        })
        .collect()
}

fn words_of_broken(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}

/// Splits a script at `;`, `&`, `|`, parentheses and line ends that are not in quotes; comments are removed.
pub(crate) fn simple_commands(script: &str) -> Vec<String> {
    let mut commands = vec![String::new()];
    let mut quote: Option<char> = None;
    let mut chars = script.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let Some(last) = commands.last_mut() else { break };
        match (quote, c) {
            (Some(open), c) => {
                last.push(c);
                if c == open {
                    quote = None;
                } else if c == '\\' && open == '"' {
                    last.extend(chars.next());
                }
            }
            (None, '\\') => {
                if chars.peek() == Some(&'\n') {
                    chars.next();
                    last.push(' ');
                } else {
                    last.push('\\');
                    last.extend(chars.next());
                }
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                last.push(c);
            }
            (None, '#') if before.is_whitespace() => while chars.next_if(|c| *c != '\n').is_some() {},
            // The output of `$(…)` is one word of the command around it.
            (None, '$') if chars.peek() == Some(&'(') => last.push_str(&substitution(&mut chars)),
            // `2>&1` and `>|` are redirections.
            (None, '&' | '|') if before == '>' => last.push(c),
            (None, ';' | '&' | '|' | '\n' | '(' | ')') => commands.push(String::new()),
            (None, c) => last.push(c),
        }
        before = c;
    }
    commands.retain(|command| !command.trim().is_empty());
    commands
}

/// `(…)` up to its closing parenthesis, as a quoted word.
fn substitution(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::from("$");
    let mut open = 0_usize;
    for c in chars.by_ref() {
        text.push(c);
        match c {
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
        if open == 0 {
            break;
        }
    }
    format!("\"{}\"", text.replace('"', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::arguments::split_words;

    fn class(image: &str, entrypoint: &str, command: &str) -> String {
        class_of(image, entrypoint, command, false)
    }

    fn class_of(image: &str, entrypoint: &str, command: &str, looks_served: bool) -> String {
        let kinds = Kinds::built_in().unwrap();
        let image = ImageRef::parse(image).unwrap();
        let (entrypoint, command) = (split_words(entrypoint).unwrap(), split_words(command).unwrap());
        let runs = Runs { entrypoint: Some(&entrypoint), command: Some(&command), looks_served };
        match classify(&kinds, &image, &runs) {
            Class::Backing { kind, derived: false, .. } => kind.name.clone(),
            Class::Backing { kind, derived: true, .. } => format!("{} by name", kind.name),
            Class::App { note } => format!("app: {note}"),
        }
    }

    #[test]
    fn the_file_of_look_alikes_reads() {
        let entries: Vec<LookAlikes> =
            serde_saphyr::from_str(include_str!("../../../templates/look-alikes.yaml")).unwrap();
        assert!(entries.iter().all(|entry| !entry.note.is_empty() && !entry.words.is_empty()));
    }

    #[test]
    fn official_images_and_their_mirrors_are_servers() {
        for (image, kind) in [
            ("postgres:16", "postgres"),
            ("public.ecr.aws/docker/library/redis:7", "redis"),
            ("bitnamilegacy/postgresql:16", "postgres"),
            ("valkey/valkey:8", "valkey"),
            ("ghcr.io/immich-app/postgres:14", "postgres"),
        ] {
            assert_eq!(class(image, "", ""), kind, "{image}");
        }
    }

    #[test]
    fn an_unknown_derived_image_is_its_kind_by_name() {
        assert_eq!(class("acme/postgres-with-stuff:16", "", ""), "postgres by name");
        assert_eq!(class("registry.example.com:5000/team/my_redis:7", "", ""), "redis by name");
    }

    #[test]
    fn an_image_that_only_contains_a_servers_name_is_an_app() {
        for image in [
            "prodrigestivill/postgres-backup-local",
            "quay.io/prometheuscommunity/postgres-exporter",
            "rediscommander/redis-commander",
            "bitnami/redis-sentinel",
            "acme/redis-exporter",
            "acme/postgres-migrations",
            "acme/mysql-router",
            "acme/postgres-operator",
        ] {
            assert!(class(image, "", "").starts_with("app: a"), "{image}: {}", class(image, "", ""));
        }
        for image in ["nginx", "acme/shop", "edoburu/pgbouncer", "dpage/pgadmin4", "postgrest/postgrest"] {
            assert!(class(image, "", "").starts_with("app:"), "{image}");
        }
    }

    #[test]
    fn a_container_whose_command_runs_no_server_is_a_job() {
        for (entrypoint, command) in [
            ("", "pg_dump -U postgres -h db postgres"),
            ("", "sh -c 'until pg_isready -U postgres; do sleep 1; done; psql -f /x.sql postgres'"),
            ("/backup.sh", ""),
            ("sh -c", "'chown -R postgres /data'"),
            ("", "psql"),
            ("", "bash -c 'exec su-exec postgres psql'"),
            ("", "bash /scripts/backup.sh"),
        ] {
            assert_eq!(
                class("postgres:16", entrypoint, command),
                "app: a job that reuses the image of Postgres",
                "{entrypoint} {command}"
            );
        }
    }

    #[test]
    fn a_container_whose_command_runs_the_server_in_any_way_is_a_service() {
        for (entrypoint, command) in [
            ("", "-c max_connections=5"),
            ("", "postgres -c x=y"),
            ("", "docker-entrypoint.sh postgres"),
            ("docker-entrypoint.sh", "postgres"),
            ("", "sh -c 'chown x /y && exec docker-entrypoint.sh postgres -c a=b'"),
            ("sh -ec", "'if true; then\n exec gosu postgres postgres\nfi'"),
            ("/bin/bash -c", "'exec /usr/lib/postgresql/16/bin/postgres'"),
        ] {
            assert_eq!(class("postgres:16", entrypoint, command), "postgres", "{entrypoint} {command}");
        }
    }

    #[test]
    fn a_start_script_counts_as_the_server_if_the_container_looks_like_one() {
        assert_eq!(class_of("postgres:16", "/custom/start.sh", "", true), "postgres");
        assert!(class_of("postgres:16", "/custom/start.sh", "", false).starts_with("app"));
    }

    #[test]
    fn scripts_are_split_into_commands_only_outside_of_quotes() {
        let script = "a 'x;y' && b # c; d\ne \"f|g\" | h 2>&1; (i); j $(k \"l\"; m)";
        let commands: Vec<_> = simple_commands(script).iter().map(|command| command.trim().to_owned()).collect();
        assert_eq!(commands, ["a 'x;y'", "b", "e \"f|g\"", "h 2>&1", "i", "j \"$(k l; m)\""]);
    }
}
