//! Django's settings, and Celery's settings in the same files or in modules of its own.

use super::python::{Line, Token, Value, When, lines, statements, when};
use super::{Role, Settings, StandIn};
use crate::manifest::read::place::place;
use crate::model::{Located, SourceFile};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a project's settings are, relative to the root.
const SETTINGS: &[&str] = &[
    "{settings,settings_*,*_settings}.py",
    "*/{settings,settings_*,*_settings}.py",
    "*/*/{settings,settings_*,*_settings}.py",
    "settings/*.py",
    "*/settings/*.py",
    "*/*/settings/*.py",
];

const CELERY: &[&str] = &[
    "{celery,celeryconfig,celery_app,tasks}.py",
    "*/{celery,celeryconfig,celery_app,tasks}.py",
    "*/*/{celery,celeryconfig,celery_app,tasks}.py",
];

const BROKERS: &[&str] = &["CELERY_BROKER_URL", "BROKER_URL", "broker_url"];

const EAGER: &[&str] = &["CELERY_TASK_ALWAYS_EAGER", "CELERY_ALWAYS_EAGER", "task_always_eager"];

const BROKER_SOURCE: &str = "https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/index.html";

/// The stage that a settings file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Development,
    Base,
    Production,
}

/// One settings file.
struct File {
    stage: Stage,
    source: Arc<SourceFile>,
}

/// A setting, and how to recognise its stand-ins.
struct Setting {
    names: &'static [&'static str],
    path: &'static [&'static str],
    is_stand_in: fn(&str) -> bool,
    /// Whether production must be seen to have a service, because production often uses the stand-in too.
    needs_proof: bool,
    role: Role,
    framework: &'static str,
    instead: &'static str,
    source: &'static str,
}

const KNOWN: &[Setting] = &[
    Setting {
        names: &["DATABASES"],
        path: &["default", "ENGINE"],
        is_stand_in: |engine| engine.ends_with(".sqlite3") || engine.ends_with(".spatialite"),
        needs_proof: false,
        role: Role::Database,
        framework: "Django",
        instead: "use production's engine here too, at `{variable}` of the environment",
        source: "https://docs.djangoproject.com/en/stable/ref/databases/#sqlite-notes",
    },
    Setting {
        names: &["CACHES"],
        path: &["default", "BACKEND"],
        is_stand_in: |backend| {
            let ends = [".LocMemCache", ".FileBasedCache", ".DummyCache"];
            ends.iter().any(|end| backend.ends_with(end))
        },
        needs_proof: true,
        role: Role::Cache,
        framework: "Django",
        instead: "use production's backend here too, at `{variable}` of the environment",
        source: "https://docs.djangoproject.com/en/stable/topics/cache/#local-memory-caching",
    },
    Setting {
        names: BROKERS,
        path: &[],
        is_stand_in: is_local_broker,
        needs_proof: false,
        role: Role::Queue,
        framework: "Celery",
        instead: "use production's broker here too, at `{variable}` of the environment",
        source: BROKER_SOURCE,
    },
];

pub(super) fn stand_ins(settings: &mut Settings<'_>) -> Vec<StandIn> {
    let mut found = Vec::new();
    if !settings.files(&["manage.py", "*/manage.py", "*/*/manage.py"]).is_empty() {
        let mut projects: BTreeMap<PathBuf, Vec<File>> = BTreeMap::new();
        for path in settings.files(SETTINGS) {
            let Some(stage) = stage(&path) else { continue };
            let Some(source) = settings.read(&path) else { continue };
            projects
                .entry(path.parent().map(Path::to_path_buf).unwrap_or_default())
                .or_default()
                .push(File { stage, source });
        }
        for files in projects.values() {
            found.extend(KNOWN.iter().flat_map(|setting| of_project(setting, files)));
            found.extend(eager(files));
        }
    }
    for path in settings.files(CELERY) {
        let Some(source) = settings.read(&path).filter(|source| source.text.contains("roker")) else { continue };
        found.extend(in_module(&source));
    }
    found
}

/// The stage that a file is for, by the words of its name; `None` for tests.
fn stage(path: &Path) -> Option<Stage> {
    let stem = path.file_stem()?.to_str()?.to_ascii_lowercase();
    let is = |names: &[&str]| stem.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| names.contains(&word));
    if is(&["test", "tests", "testing", "ci", "e2e", "docs"]) {
        return None;
    }
    Some(if is(&["dev", "develop", "development", "local"]) {
        Stage::Development
    } else if is(&["prod", "production", "live", "staging", "stage", "deploy", "heroku"]) {
        Stage::Production
    } else {
        Stage::Base
    })
}

/// The values that one file gives to a setting.
#[derive(Clone, Copy, Default)]
struct Decision<'t> {
    /// The value in development, if it is a literal.
    here: Option<&'t str>,
    /// The value in production, if it is a literal.
    there: Option<&'t str>,
    /// Whether a value or condition that cannot be evaluated here has a part in development's value.
    is_unsure: bool,
}

impl Decision<'_> {
    fn says_something(&self) -> bool {
        self.here.is_some() || self.is_unsure
    }
}

fn decision<'t>(file: &'t File, setting: &Setting) -> Decision<'t> {
    let lines = lines(&file.source.text);
    let mut decision = Decision::default();
    for name in setting.names {
        for statement in statements(&lines, name) {
            let literal = match statement.at(setting.path) {
                None => continue,
                Some(Value::Text(text)) => Some(*text),
                Some(_) => None,
            };
            match (when_of(statement.when), literal) {
                (Some(Stage::Development), Some(text)) => decision.here = Some(text),
                (Some(Stage::Base), Some(text)) => {
                    decision.here = Some(text);
                    decision.there = Some(text);
                }
                (Some(Stage::Production), Some(text)) => decision.there = Some(text),
                (Some(Stage::Production), None) => {}
                _ => decision.is_unsure = true,
            }
        }
    }
    decision
}

/// The stage that a statement is for; `None` if the condition cannot be evaluated here.
fn when_of(when: When<'_>) -> Option<Stage> {
    match when {
        When::Always => Some(Stage::Base),
        When::Debug => Some(Stage::Development),
        When::NotDebug => Some(Stage::Production),
        When::Class(name) => stage(Path::new(&split_words(name))),
        When::Unsure => None,
    }
}

/// `DevSettings` as `dev_settings`.
fn split_words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push('_');
        }
        words.extend(c.to_lowercase());
    }
    words
}

fn of_project<'f>(setting: &Setting, files: &'f [File]) -> Vec<StandIn> {
    let of = |stage: Stage| {
        let files = files.iter().filter(move |file| file.stage == stage);
        files.map(|file| (file, decision(file, setting))).filter(|(_, it)| it.says_something() || it.there.is_some())
    };
    let own: Vec<_> = of(Stage::Development).filter(|(_, decision)| decision.says_something()).collect();
    let base: Vec<_> = of(Stage::Base).collect();
    let production: Vec<_> = of(Stage::Production).collect();
    let of_branch = |decision: &Decision<'f>| decision.there.filter(|there| decision.here != Some(*there));
    let only_production = production.iter().rev().find_map(|(_, it)| it.there.or(it.here));
    let only_production = only_production.or_else(|| base.iter().find_map(|(_, it)| of_branch(it)));
    if setting.needs_proof {
        // If development has its own file, the base file is production's.
        let of_base = base.iter().find_map(|(_, it)| it.there).filter(|_| !own.is_empty());
        if !only_production.or(of_base).is_some_and(|there| is_service(there) && !(setting.is_stand_in)(there)) {
            return Vec::new();
        }
    } else if only_production.is_some_and(setting.is_stand_in) {
        return Vec::new();
    }
    let decides = if own.is_empty() { base } else { own };
    let evaluated = decides.iter().filter(|(_, decision)| !decision.is_unsure);
    let stands_in = |(file, decision): &(&File, Decision<'_>)| {
        let literal = decision.here.filter(|literal| (setting.is_stand_in)(literal))?;
        Some(StandIn {
            framework: setting.framework,
            role: setting.role,
            value: Located::new(literal.to_owned(), place(&file.source, literal)),
            instead: setting.instead,
            source: setting.source,
        })
    };
    evaluated.filter_map(stands_in).collect()
}

/// Whether a cache's backend is the client of a server, by its name.
fn is_service(backend: &str) -> bool {
    let backend = backend.to_ascii_lowercase();
    ["redis", "valkey", "memcache", "pylibmc"].iter().any(|name| backend.contains(name))
}

fn is_local_broker(url: &str) -> bool {
    url == "memory" || url.starts_with("memory://") || url.starts_with("filesystem://")
}

/// Tasks that run in the caller's process, in development's files or branches.
fn eager(files: &[File]) -> Option<StandIn> {
    for file in files.iter().filter(|file| file.stage != Stage::Production) {
        let lines = lines(&file.source.text);
        for statement in EAGER.iter().flat_map(|name| statements(&lines, name)) {
            let when = when_of(statement.when);
            let is_own =
                when == Some(Stage::Development) || (file.stage == Stage::Development && when == Some(Stage::Base));
            if let Value::Word(word) = statement.value
                && word == "True"
                && is_own
            {
                return Some(StandIn {
                    framework: "Celery",
                    role: Role::Queue,
                    value: Located::new("tasks run eagerly".to_owned(), place(&file.source, word)),
                    instead: "remove the line, and run a worker; the broker is at `{variable}` of the environment",
                    source: "https://docs.celeryq.dev/en/stable/userguide/testing.html",
                });
            }
        }
    }
    None
}

/// A broker in a Celery module: `Celery('x', broker='memory://')`, `app.conf.broker_url = …`, `broker_url = …`.
fn in_module(source: &Arc<SourceFile>) -> Option<StandIn> {
    let lines = lines(&source.text);
    let url = (0..lines.len()).filter(|at| !matches!(when(&lines, *at), When::Unsure | When::NotDebug));
    let url = url.filter_map(|at| broker(&lines[at])).find(|url| is_local_broker(url))?;
    Some(StandIn {
        framework: "Celery",
        role: Role::Queue,
        value: Located::new(url.to_owned(), place(source, url)),
        instead: "use production's broker here too, at `{variable}` of the environment",
        source: BROKER_SOURCE,
    })
}

fn broker<'t>(line: &Line<'t>) -> Option<&'t str> {
    let makes_app = line.tokens.contains(&Token::Name("Celery"));
    line.tokens.windows(3).enumerate().find_map(|(at, window)| {
        let [Token::Name(name), Token::Other("="), Token::Text(url)] = window else { return None };
        let is_broker = BROKERS.contains(name) || (*name == "broker" && makes_app);
        // Any other token after the string makes the string a part of an expression.
        let ends = matches!(line.tokens.get(at + 3), None | Some(Token::Other("," | ")")));
        (is_broker && ends).then_some(*url)
    })
}
