//! Reads commands and configuration files as settings: `postgres -c max_connections=200` is `max_connections`, `200`.
//!
//! Every word that is not read as a setting is in the result, so that no word is dropped silently.

use super::{ArgumentStyle, Kind};

/// A setting found in a command or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// The server's own name for it.
    pub name: String,
    /// Its value as text; empty for a flag.
    pub value: String,
    /// The word of the command (from 0) or the line of the file (from 1) at which it begins.
    pub at: usize,
}

/// The settings and the other words of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// Settings, in order.
    pub settings: Vec<Argument>,
    /// Words that are no settings, in order, with their index.
    pub rest: Vec<(usize, String)>,
}

/// Reads a server's arguments; the words are those after the server's own name.
pub fn read(kind: &Kind, words: &[String]) -> Arguments {
    let mut found = Arguments::default();
    let mut at = 0;
    while at < words.len() {
        let taken = match kind.arguments {
            ArgumentStyle::None => None,
            ArgumentStyle::Assign => assignment(kind, words, at),
            ArgumentStyle::Words => redis(words, at),
            ArgumentStyle::Short => short(kind, words, at),
            ArgumentStyle::Long => long(kind, words, at),
        };
        if let Some((name, value, count)) = taken {
            found.settings.push(Argument { name, value, at });
            at += count;
        } else {
            found.rest.push((at, words[at].clone()));
            at += 1;
        }
    }
    found
}

/// A setting's name, its value, and how many words it took.
type Taken = Option<(String, String, usize)>;

/// `-c name=value`, `-cname=value`, `--name=value`, and one-letter options.
fn assignment(kind: &Kind, words: &[String], at: usize) -> Taken {
    let word = &words[at];
    let split = |text: &str| {
        text.split_once('=').map(|(name, value)| (name.trim().replace('-', "_"), unquoted(value.trim()).to_owned()))
    };
    if let Some(assigned) = word.strip_prefix("--") {
        return split(assigned).map(|(name, value)| (name, value, 1));
    }
    if word == "-c" {
        return words.get(at + 1).and_then(|next| split(next)).map(|(name, value)| (name, value, 2));
    }
    if let Some((name, value)) = word.strip_prefix("-c").and_then(split) {
        return Some((name, value, 1));
    }
    short(kind, words, at)
}

/// `--name value…` up to the next `--`, as `redis-server` accepts it.
fn redis(words: &[String], at: usize) -> Taken {
    let name = words[at].strip_prefix("--").filter(|name| !name.is_empty())?;
    let values = words[at + 1..].iter().take_while(|word| !word.starts_with("--") || word.contains(' '));
    let values: Vec<&str> = values.map(String::as_str).collect();
    Some((name.to_ascii_lowercase(), values.join(" "), values.len() + 1))
}

/// `-m 256`, `-m256`, `--memory-limit=256`, and flags (`-vk`).
fn short(kind: &Kind, words: &[String], at: usize) -> Taken {
    let word = &words[at];
    if let Some(name) = word.strip_prefix("--").filter(|name| !name.is_empty()) {
        let (name, value) = name.split_once('=').unwrap_or((name, ""));
        return Some((name.to_owned(), value.to_owned(), 1));
    }
    let letters = word.strip_prefix('-')?;
    let (letter, rest) = letters.split_at(letters.chars().next()?.len_utf8());
    if let Some(name) = kind.short_settings.get(letter) {
        return match rest.strip_prefix('=').unwrap_or(rest) {
            "" => words.get(at + 1).map(|value| (name.clone(), value.clone(), 2)),
            value => Some((name.clone(), value.to_owned(), 1)),
        };
    }
    kind.short_flags.get(letters).map(|flag| {
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        (name.to_owned(), value.to_owned(), 1)
    })
}

/// `--name=value` and `--name value`, as `mysqld` accepts them; `-` and `_` mean the same.
fn long(kind: &Kind, words: &[String], at: usize) -> Taken {
    let Some(name) = words[at].strip_prefix("--").filter(|name| !name.is_empty()) else {
        return short(kind, words, at);
    };
    let (name, value, count) = match name.split_once('=') {
        Some((name, value)) => (name, value, 1),
        None => match words.get(at + 1).filter(|next| !next.starts_with('-')) {
            Some(value) => (name, value.as_str(), 2),
            None => (name, "", 1),
        },
    };
    Some((name.replace('-', "_"), value.to_owned(), count))
}

/// Splits a command's text into words as a POSIX shell does, without expanding anything. None if a quote is not closed.
pub fn split_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            '\n' => {}
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(c) => word.get_or_insert_default().push(c),
                None => word.get_or_insert_default().push('\\'),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// Reads a configuration file's settings, in the form that the kind's server reads.
pub fn read_file(kind: &Kind, text: &str) -> Vec<Argument> {
    let mut settings = Vec::new();
    let mut section = String::new();
    for (at, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim().to_ascii_lowercase();
            continue;
        }
        let pair = match kind.arguments {
            ArgumentStyle::Assign => postgres_line(line),
            ArgumentStyle::Words => line
                .split_once(char::is_whitespace)
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
                .map(|(name, value)| (name, if value == "\"\"" { String::new() } else { value.to_owned() })),
            ArgumentStyle::Long if !["mysqld", "server", "mariadb", "mariadbd"].contains(&section.as_str()) => None,
            ArgumentStyle::Long => {
                let (name, value) = line.split_once('=').unwrap_or((line, ""));
                Some((name.trim().replace('-', "_"), unquoted(value.trim()).to_owned()))
            }
            ArgumentStyle::None | ArgumentStyle::Short => line
                .split_once('=')
                .map(|(name, value)| (name.trim().to_owned(), without_comment(value).trim().to_owned())),
        };
        if let Some((name, value)) = pair {
            settings.push(Argument { name, value, at });
        }
    }
    settings
}

/// `name = value # comment`, where the `=` may be missing and the value quoted (`PostgreSQL`, "Setting Parameters").
fn postgres_line(line: &str) -> Option<(String, String)> {
    let end = line.find(|c: char| c.is_whitespace() || c == '=')?;
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let value = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    let value = match value.strip_prefix('\'') {
        Some(quoted) => {
            let mut text = String::new();
            let mut chars = quoted.chars().peekable();
            while let Some(c) = chars.next() {
                match c {
                    '\'' if chars.peek() == Some(&'\'') => text.extend(chars.next()),
                    '\'' => break,
                    c => text.push(c),
                }
            }
            text
        }
        None => value.split('#').next().unwrap_or_default().trim().to_owned(),
    };
    Some((name.to_ascii_lowercase(), value))
}

fn without_comment(value: &str) -> &str {
    value.find(" #").map_or(value, |at| &value[..at])
}

fn unquoted(value: &str) -> &str {
    ['\'', '"']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote)))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;

    fn settings(kind: &str, command: &str) -> Vec<(String, String)> {
        let kinds = Kinds::built_in().unwrap();
        let words = split_words(command).unwrap();
        let read = read(kinds.get(kind).unwrap(), &words);
        assert_eq!(read.rest, [], "{command}");
        read.settings.into_iter().map(|setting| (setting.name, setting.value)).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn postgres_takes_assignments_in_all_their_forms() {
        assert_eq!(
            settings("postgres", "-c max_connections=200 -cwork_mem=8MB --shared-buffers=1GB -N 50 -F"),
            pairs(&[
                ("max_connections", "200"),
                ("work_mem", "8MB"),
                ("shared_buffers", "1GB"),
                ("max_connections", "50"),
                ("fsync", "off"),
            ])
        );
        assert_eq!(
            settings("postgres", r#"-c 'search_path="$user", public'"#),
            pairs(&[("search_path", "\"$user\", public")])
        );
    }

    #[test]
    fn redis_takes_values_up_to_the_next_name() {
        assert_eq!(
            settings("redis", "--save 60 1 --save '' --maxmemory-policy allkeys-lru --appendonly yes"),
            pairs(&[("save", "60 1"), ("save", ""), ("maxmemory-policy", "allkeys-lru"), ("appendonly", "yes")])
        );
    }

    #[test]
    fn memcached_takes_letters_and_long_names() {
        assert_eq!(
            settings("memcached", "-m 256 -c1024 --max-item-size=4m -vv -I 2m"),
            pairs(&[
                ("memory-limit", "256"),
                ("conn-limit", "1024"),
                ("max-item-size", "4m"),
                ("verbose", ""),
                ("max-item-size", "2m"),
            ])
        );
    }

    #[test]
    fn mysql_takes_long_names_with_and_without_an_equals_sign() {
        assert_eq!(
            settings("mysql", "--character-set-server=utf8mb4 --max-connections 300 --skip-name-resolve"),
            pairs(&[("character_set_server", "utf8mb4"), ("max_connections", "300"), ("skip_name_resolve", "")])
        );
    }

    #[test]
    fn a_word_that_is_no_setting_is_named() {
        let kinds = Kinds::built_in().unwrap();
        let words = split_words("/etc/redis.conf --port 1").unwrap();
        let read = read(kinds.get("redis").unwrap(), &words);
        assert_eq!(read.rest, [(0, "/etc/redis.conf".to_owned())]);
        assert_eq!(read.settings[0].at, 1);
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        assert_eq!(
            split_words(r#"a 'b c' "d \"e\" $f" g\ h '' x"y"z"#).unwrap(),
            ["a", "b c", "d \"e\" $f", "g h", "", "xyz"]
        );
        assert_eq!(split_words("a 'open"), None);
    }

    #[test]
    fn configuration_files_are_read_in_each_servers_form() {
        let kinds = Kinds::built_in().unwrap();
        let file = |kind: &str, text: &str| -> Vec<(String, String)> {
            let settings = read_file(kinds.get(kind).unwrap(), text);
            settings.into_iter().map(|setting| (setting.name, setting.value)).collect()
        };
        assert_eq!(
            file("postgres", "# c\nmax_connections = 200 # more\nwork_mem 4MB\nlog_line_prefix = '%m ''x'' # '\n"),
            pairs(&[("max_connections", "200"), ("work_mem", "4MB"), ("log_line_prefix", "%m 'x' # ")])
        );
        assert_eq!(file("redis", "save 60 1\nAppendonly yes\n"), pairs(&[("save", "60 1"), ("appendonly", "yes")]));
        assert_eq!(
            file("rabbitmq", "## c\nheartbeat = 30\nvm_memory_high_watermark.relative = 0.6 # x\n"),
            pairs(&[("heartbeat", "30"), ("vm_memory_high_watermark.relative", "0.6")])
        );
        assert_eq!(
            file("mysql", "[client]\nport=1\n[mysqld]\nmax-connections = 5\nskip_name_resolve\n"),
            pairs(&[("max_connections", "5"), ("skip_name_resolve", "")])
        );
    }
}
