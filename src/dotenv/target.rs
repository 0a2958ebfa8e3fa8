//! Chooses the file that the variables are written to.
//!
//! The usual file is skipped if git tracks it, or if production's own tools read it. Then devenv writes a file with the
//! same name and `.local`, which apps read after the usual file.

use super::file::EnvFile;
use super::git::{GitStatus, status};
use super::reader::user_lines;
use crate::model::{BLOCK_START, Diagnostic, EnvInput, Exit, Failure, Located};
use crate::project::{Checkout, is_env_file};
use std::collections::BTreeSet;
use std::path::Path;

/// The inputs that decide which file is written.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// The usual name: `.env`, `.env.web`.
    pub name: &'a str,
    /// The file that the command line names.
    pub asked: Option<&'a Path>,
    /// The file that `services.local.yaml` names.
    pub said: Option<&'a Located<String>>,
    /// Files that production's own tools read.
    pub inputs: &'a [EnvInput],
    /// Names that are bound to a service.
    pub bound: BTreeSet<&'a str>,
}

impl<'a> Wanted<'a> {
    /// Only the usual name, without a file that the command line or `services.local.yaml` names.
    pub fn of(name: &'a str) -> Self {
        Self { name, asked: None, said: None, inputs: &[], bound: BTreeSet::new() }
    }
}

/// The env file to write, and the messages about the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The file.
    pub file: EnvFile,
    /// The usual file, if it was skipped: apps read it before the written file.
    pub passed_over: Option<EnvFile>,
    /// Warnings and notes.
    pub notes: Vec<Diagnostic>,
}

/// Returns the file to write: the file that the command line names; otherwise the file that `services.local.yaml`
/// names; otherwise the usual file, or its `.local` variant if the usual file is skipped.
pub fn choose(checkout: &Checkout, wanted: &Wanted<'_>) -> Result<Target, Failure> {
    let named = match (wanted.asked, wanted.said) {
        (Some(path), _) => Some(EnvFile::asked(checkout, path)),
        (None, Some(said)) => Some(EnvFile::inside(checkout, Path::new(&said.value)).named_at(&said.origin)),
        (None, None) => None,
    };
    if let Some(file) = named {
        let status_of_file = status(file.path());
        if wanted.asked.is_some() {
            refuse_another_purpose(&file, status_of_file)?;
        }
        let notes = match status_of_file {
            GitStatus::Tracked => vec![tracked(&file)],
            GitStatus::NotIgnored => vec![not_ignored(&file)],
            GitStatus::Ignored | GitStatus::Unknown => Vec::new(),
        };
        return Ok(Target { file, passed_over: None, notes });
    }
    let usual = EnvFile::inside(checkout, Path::new(wanted.name));
    let local_name = format!("{}.local", wanted.name);
    let (taken, status_of_file) = why_taken(&usual, wanted)?;
    let Some(why) = taken else {
        let notes = if status_of_file == GitStatus::NotIgnored { vec![not_ignored(&usual)] } else { Vec::new() };
        return Ok(Target { file: usual, passed_over: None, notes });
    };
    let local = EnvFile::inside(checkout, Path::new(&local_name));
    let (also_taken, status_of_file) = why_taken(&local, wanted)?;
    if let Some(also) = also_taken {
        let diagnostic = Diagnostic::error(
            "env-file-taken",
            format!("devenv may write neither `{}` nor `{local_name}`", wanted.name),
        );
        let diagnostic = diagnostic.because(format!("{}, and {}", why.words, also.words));
        return Err(Failure::new(
            Exit::Failed,
            diagnostic.help(match wanted.name {
                ".env" => {
                    "name another file in services.local.yaml: `env_file: .env.devenv`, or here: `--env-file PATH`"
                }
                _ => "name another file in services.local.yaml: `apps: {NAME: {env_file: .env.NAME}}`",
            }),
        ));
    }
    let message = format!(
        "`{local_name}` is written, because {}; your app reads it after `{}`, or use `devenv run -- COMMAND`",
        why.words, wanted.name
    );
    let mut notes = vec![Diagnostic::note(why.code, message)];
    if status_of_file == GitStatus::NotIgnored {
        notes.push(not_ignored(&local));
    }
    Ok(Target { file: local, passed_over: Some(usual), notes })
}

/// Compose reads the file that its `--env-file` names, but devenv writes the file. So a file that was written for
/// another purpose is refused, although the user typed its name.
fn refuse_another_purpose(file: &EnvFile, status_of_file: GitStatus) -> Result<(), Failure> {
    let text = file.read()?;
    if text.trim().is_empty() || text.contains(BLOCK_START) {
        return Ok(());
    }
    let why = match file.path().file_name() {
        _ if status_of_file == GitStatus::Tracked => {
            "git tracks it, and local passwords would be part of the next commit"
        }
        Some(name) if is_env_file(name) => return Ok(()),
        _ => "it exists, has no devenv block, and is called neither `.env`, `.env.NAME` nor `NAME.env`",
    };
    let message = format!("`{}` is not written: devenv did not create it", file.shown().display());
    let diagnostic = Diagnostic::error("env-file-of-another", message).because(why);
    let diagnostic = diagnostic.because("`--env-file` names the file that devenv writes, not a file that devenv reads");
    Err(Failure::new(Exit::Usage, diagnostic.help("name a new file: `--env-file .env.devenv`")))
}

/// Why devenv may not write a file.
struct Taken {
    code: &'static str,
    /// The reason, as a clause after "because".
    words: String,
}

fn why_taken(file: &EnvFile, wanted: &Wanted<'_>) -> Result<(Option<Taken>, GitStatus), Failure> {
    let shown = file.shown();
    let name = shown.display();
    let status_of_file = status(file.path());
    if status_of_file == GitStatus::Tracked {
        return Ok((Some(Taken { code: "env-file-tracked", words: format!("git tracks `{name}`") }), status_of_file));
    }
    let mut inputs = wanted.inputs.iter().filter(|input| input.path == shown).collect::<Vec<_>>();
    inputs.sort_by_key(|input| input.origin.is_none());
    for input in inputs {
        let words = if let Some(origin) = &input.origin {
            format!("{origin} gives `{name}` to production's app")
        } else {
            let text = file.read()?;
            let has_block = text.lines().any(|line| line.trim_start_matches('\u{feff}').trim_end() == BLOCK_START);
            // A value that the user filled in below the block is no reason to skip the file.
            let decides = |name: &String| !has_block || wanted.bound.contains(name.as_str());
            let set: BTreeSet<String> = user_lines(&text).into_iter().map(|line| line.name).collect();
            let names: Vec<&String> = input.names.iter().filter(|name| set.contains(*name) && decides(name)).collect();
            let Some(first) = names.first() else { continue };
            let more = if names.len() > 1 { " and others" } else { "" };
            format!("Compose reads `{first}`{more} from `{name}`")
        };
        return Ok((Some(Taken { code: "env-file-input", words }), status_of_file));
    }
    Ok((None, status_of_file))
}

fn tracked(file: &EnvFile) -> Diagnostic {
    let name = file.shown();
    Diagnostic::warning("env-file-tracked", format!("git tracks `{}`", name.display()))
        .because("the local passwords in it would be part of the next commit")
        .help(format!("write another file, or `git rm --cached {}`", name.display()))
}

fn not_ignored(file: &EnvFile) -> Diagnostic {
    let name = file.shown();
    let line = file.path().file_name().unwrap_or(name.as_os_str()).to_string_lossy().into_owned();
    Diagnostic::warning("env-file-not-ignored", format!("git does not ignore `{}`", name.display()))
        .because("it holds local passwords and could be committed by accident")
        .help(format!("add a line `{line}` to `.gitignore`"))
}
