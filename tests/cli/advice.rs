//! A user who follows the advice of a message no longer gets the message. Cases are data, in `tests/advice/`: a project
//! that shows the message, and the steps that follow the advice. For every other help text of the sources, the same
//! data says why there is no case.

use crate::sandbox::{Outcome, Sandbox};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// One message, and the steps that follow its advice.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Parts of the help text as in the sources; several if one help has several texts.
    help: Vec<String>,
    /// The files of the project.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// A shell script that prepares the project.
    #[serde(default)]
    setup: String,
    /// The command that shows the message; no engine answers it.
    #[serde(default = "manifest")]
    run: Vec<String>,
    /// The text of the message, if it differs from the help text in the sources.
    says: Option<String>,
    /// The file that gets the text between backticks in the help.
    paste: Option<String>,
    /// Files to write, as the help says.
    #[serde(default)]
    write: BTreeMap<String, String>,
    /// A shell script that does what the help says; `$ADVICE` is the text between backticks in the help.
    #[serde(default)]
    follow: String,
}

/// Help texts without a case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Elsewhere {
    why: String,
    helps: Vec<String>,
}

fn manifest() -> Vec<String> {
    vec!["manifest".to_owned()]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/advice")
}

fn data<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    let text = fs::read_to_string(path).expect("a file of cases");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn cases() -> Vec<Case> {
    let files = fs::read_dir(folder().join("cases")).expect("the cases").map(|entry| entry.expect("an entry").path());
    files.flat_map(|path| data::<Vec<Case>>(&path)).collect()
}

fn elsewhere() -> Vec<Elsewhere> {
    data(&folder().join("elsewhere.yaml"))
}

/// Runs a shell script in the project, with the built program on PATH.
pub(crate) fn shell(project: &Sandbox, script: &str, advice: &str) -> Outcome {
    let mut shell = project.shell(script);
    shell.env("KINDS", Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/kinds"));
    Outcome::of(&shell.env("ADVICE", advice).output().expect("a shell"))
}

impl Case {
    /// The text to look for in the message: the case's own text, otherwise the help text.
    fn said(&self) -> &str {
        self.says.as_deref().unwrap_or(&self.help[0])
    }

    fn show(&self, project: &Sandbox) -> Outcome {
        let mut words = vec!["--host".to_owned(), "unix:///nowhere.sock".to_owned()];
        words.extend(self.run.iter().cloned());
        project.run(&words)
    }

    fn follow(project: &Sandbox, script: &str, advice: &str) -> Result<(), String> {
        let outcome = shell(project, script, advice);
        if outcome.code == 0 { Ok(()) } else { Err(format!("{script}: {outcome:?}")) }
    }

    /// The text between backticks in the line, otherwise in the first help below the line.
    fn advice(line: &str, shown: &Outcome) -> String {
        let below = shown.stderr.lines().skip_while(|below| *below != line).filter(|below| below.starts_with("help: "));
        let mut quoted = std::iter::once(line).chain(below).filter_map(|line| line.split('`').nth(1));
        quoted.next().unwrap_or_default().to_owned()
    }

    /// Follows the advice; an error says what is wrong with it.
    fn tried(&self) -> Result<(), String> {
        let files: Vec<(&str, &str)> = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let project = Sandbox::new(&files);
        Self::follow(&project, &self.setup, "")?;
        let shown = self.show(&project);
        let line = shown.stderr.lines().chain(shown.stdout.lines()).find(|line| line.contains(self.said()));
        let Some(line) = line else { return Err(format!("is not shown: {shown:?}")) };
        let advice = Self::advice(line, &shown);
        if let Some(path) = &self.paste {
            let before = fs::read_to_string(project.path(path)).unwrap_or_default();
            project.write(path, &format!("{before}{advice}\n"));
        }
        for (path, text) in &self.write {
            project.write(path, text);
        }
        Self::follow(&project, &self.follow, &advice)?;
        let after = self.show(&project);
        match [&after.stderr, &after.stdout].into_iter().find(|text| text.contains(self.said())) {
            Some(still) => Err(format!("is still there ({advice}): {still}")),
            None => Ok(()),
        }
    }
}

#[test]
fn following_the_advice_of_a_message_removes_the_message() {
    let cases = cases();
    assert!(cases.len() > 20, "the cases were found");
    let faults: Vec<String> =
        cases.iter().filter_map(|case| case.tried().err().map(|what| format!("{:?} {what}", case.help))).collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n\n"));
}

/// The code of the sources, without tests, by path.
pub(crate) fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let is_test =
        |path: &PathBuf| path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
    let of = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        (path.strip_prefix(&root).expect("below src").display().to_string(), lines.join("\n"))
    };
    paths.retain(|path| !is_test(path));
    paths.into_iter().map(of).collect()
}

/// The string literals in a piece of code, and the position where the enclosing bracket closes.
pub(crate) fn texts(code: &str) -> (Vec<String>, usize) {
    let (mut texts, mut text, mut depth) = (Vec::new(), None::<String>, 1);
    let mut letters = code.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match (&mut text, letter) {
            (Some(open), '\\') => match letters.next() {
                // A line of the literal that continues in the next line of the source.
                Some((_, '\n')) => while letters.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                Some((_, escaped)) => open.push(escaped),
                None => {}
            },
            (Some(_), '"') => texts.extend(text.take()),
            (Some(open), letter) => open.push(letter),
            (None, '"') => text = Some(String::new()),
            // A character literal with a quote or a bracket.
            (None, '\'') if code[at + 1..].chars().nth(1) == Some('\'') => drop((letters.next(), letters.next())),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth -= 1;
                if depth == 0 {
                    return (texts, at);
                }
            }
            (None, _) => {}
        }
    }
    (texts, code.len())
}

/// Every help of the sources: its string literals, or, if it has none, its file and expression.
fn helps() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, code) in sources() {
        for (at, call) in code.match_indices(".help(") {
            let argument = &code[at + call.len()..];
            let (texts, end) = texts(argument);
            if texts.is_empty() {
                found.insert(format!("{path}: {}", argument[..end].trim()));
            }
            // Short literals are separators, not help texts.
            found.extend(texts.into_iter().filter(|text| text.len() > 4));
        }
    }
    assert!(found.len() > 200, "the helps were found");
    found
}

#[test]
fn every_help_is_followed_by_a_test_or_says_why_not() {
    let (helps, cases, elsewhere) = (helps(), cases(), elsewhere());
    assert!(elsewhere.iter().all(|one| !one.why.is_empty()));
    let followed: Vec<&String> = cases.iter().flat_map(|case| &case.help).collect();
    let named: Vec<&String> = elsewhere.iter().flat_map(|one| &one.helps).chain(followed).collect();
    let new: Vec<&String> = helps.iter().filter(|help| !named.iter().any(|one| help.contains(one.as_str()))).collect();
    assert!(new.is_empty(), "a case in tests/advice/, or a line in its elsewhere.yaml, is missing for:\n{new:#?}");
    let gone: Vec<&&String> =
        named.iter().filter(|one| !helps.iter().any(|help| help.contains(one.as_str()))).collect();
    assert!(gone.is_empty(), "no help of the sources says:\n{gone:#?}");
}

/// Users need not know the engine's names of an environment's volumes and containers, nor remove these by hand.
#[test]
fn no_message_sends_anybody_to_the_engine_s_own_names() {
    let words =
        ["docker volume rm", "docker volume inspect", "docker rm ", "docker stop", "docker network rm", "devenv-base-"];
    for help in helps() {
        assert!(!words.iter().any(|word| help.contains(word)) && !help.contains("{volume"), "{help}");
    }
    for (path, code) in sources()
        .iter()
        .filter(|(path, _)| ["commands/", "environment/", "ui/"].iter().any(|folder| path.starts_with(folder)))
    {
        let (texts, _) = texts(&code.replace(['(', ')'], " "));
        let named = texts.iter().find(|text| words[..5].iter().any(|word| text.contains(word)));
        assert_eq!(named, None, "{path}");
    }
}

/// Whether a user can type a command line that a text names.
pub(crate) fn can_be_typed(words: &str) -> Result<(), String> {
    // The last command of a pipe, without redirections.
    let words = words.rsplit("| ").find(|part| part.starts_with("devenv")).unwrap_or(words);
    let words = words.split([';', '>', '|']).next().unwrap_or_default();
    // Without variables that are set before the command.
    let words = words.find("devenv ").map_or(words, |at| &words[at..]);
    let mut typed: Vec<&str> = words.split_whitespace().filter(|word| *word != "…").collect();
    if typed.iter().skip(1).all(|word| word.starts_with('-') || word.contains(['/', '{']) || *word == "FILE") {
        typed.push("up");
    }
    match devenv::cli::parse(&typed) {
        Ok(_) => Ok(()),
        // Help and version are errors of the parser; the program prints them.
        Err(error) if !error.use_stderr() => Ok(()),
        Err(error) => Err(format!("`{words}`: {error}")),
    }
}

#[test]
fn every_command_that_a_message_names_can_be_typed() {
    let mut faults = Vec::new();
    let mut count = 0;
    for (path, code) in sources() {
        let (texts, _) = texts(&code.replace(['(', ')'], " "));
        for text in &texts {
            for quoted in text.split('`').skip(1).step_by(2).filter(|quoted| quoted.contains("devenv ")) {
                count += 1;
                faults.extend(can_be_typed(quoted).err().map(|fault| format!("{path}: {fault}")));
            }
        }
    }
    assert!(count > 80, "{count} commands were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
