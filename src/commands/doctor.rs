//! `devenv doctor`: checks everything that `up` needs.

use crate::cli::Global;
use crate::docker::{Engine, EngineFacts};
use crate::dotenv::git::{self, GitStatus};
use crate::environment::checkout;
use crate::environment::env_files::Main;
use crate::environment::session::{Machine, clone_mode_setting, config_folder, connect};
use crate::manifest::{self, Reading};
use crate::model::{CloneMode, Failure, Severity};
use crate::plan::Choice;
use crate::ui::{Check, CheckState, Printer};
use std::path::PathBuf;

/// Runs the command. The exit code is 1 if a check fails.
pub(crate) async fn run(global: &Global, files: &[PathBuf], as_json: bool, printer: &Printer) -> Result<u8, Failure> {
    let mut checks = engine(global).await;
    checks.push(machine());
    checks.extend(project(global, files, printer).await);
    if as_json {
        printer.json(&serde_json::json!({ "checks": checks }))?;
    } else {
        printer.data(&Check::render(&checks, printer))?;
    }
    Ok(u8::from(checks.iter().any(|check| check.state == CheckState::Fail)))
}

async fn engine(global: &Global) -> Vec<Check> {
    let engine = match connect(global).await {
        Ok(engine) => engine,
        Err(failure) => return vec![failed("engine", CheckState::Fail, &failure)],
    };
    let facts = match engine.facts().await {
        Ok(facts) => facts,
        Err(error) => return vec![failed("engine", CheckState::Fail, &error.into_failure())],
    };
    let rootless = if facts.rootless { ", rootless" } else { "" };
    let words = format!(
        "{} {} (API {}{rootless}) on {}, {}",
        facts.product, facts.version, facts.agreed_api, facts.operating_system, facts.platform
    );
    let mut found =
        Check::new("found by", CheckState::Ok, format!("{}: {}", engine.source().rule, engine.source().host));
    if !engine.passed_over().is_empty() {
        found = found.help(format!("passed over: {}", engine.passed_over().join("; ")));
    }
    let layers = layers(&engine).await;
    let disk = disk(&facts.root_folder, &facts.storage_driver);
    vec![Check::new("engine", CheckState::Ok, words), found, disk, layers, clean_ups(&facts)]
}

/// The data that the engine's own clean-ups would remove.
fn clean_ups(facts: &EngineFacts) -> Check {
    if facts.prunes_named_volumes() {
        let words = "`docker system prune --volumes` deletes the data of environments that are down, and snapshots";
        let check = Check::new("clean-ups", CheckState::Warn, words);
        return check.help("to free space, use `devenv gc`; no other clean-up of the engine deletes data");
    }
    Check::new(
        "clean-ups",
        CheckState::Ok,
        "no `docker … prune` deletes devenv's data, except `docker volume prune --all` after `docker container prune`",
    )
}

/// How volumes are layered on frozen volumes. A test mount determined this when a volume was frozen for the first time.
async fn layers(engine: &Engine) -> Check {
    let check = |state, words: &str| Check::new("layers", state, words);
    let said = match clone_mode_setting() {
        Ok(said) => said,
        Err(failure) => return failed("layers", CheckState::Fail, &failure),
    };
    if let Some(clone_mode) = said {
        return check(CheckState::Ok, &format!("DEVENV_LAYERS says: {clone_mode}"));
    }
    let observed = match engine.observe(&[]).await {
        Ok(observed) => observed,
        Err(error) => return failed("layers", CheckState::Fail, &error.into_failure()),
    };
    match observed.records.iter().find_map(|one| one.record.clone_mode) {
        Some(CloneMode::Overlay) => check(CheckState::Ok, "frozen data is shared by overlay mounts"),
        Some(CloneMode::Copy) => {
            check(CheckState::Warn, "frozen data is copied: this engine mounts no overlay volumes")
                .help("snapshots and fresh starts take as long as copying their data does")
        }
        None => check(CheckState::Ok, "not known yet: the first `devenv up` tries to mount overlay volumes"),
    }
}

/// A failure as a check, with its messages, causes and help.
fn failed(name: &str, state: CheckState, failure: &Failure) -> Check {
    let words = failure.diagnostics.iter().flat_map(|one| std::iter::once(&one.message).chain(&one.notes));
    let help = failure.diagnostics.iter().flat_map(|one| &one.help);
    let joined = |texts: Vec<&String>| texts.into_iter().map(String::as_str).collect::<Vec<_>>().join("; ");
    Check::new(name, state, joined(words.collect())).help(joined(help.collect()))
}

/// How much disk space the engine has, if its folder is on this machine.
fn disk(root: &str, storage: &str) -> Check {
    const LITTLE: u64 = 2_000_000_000;
    match rustix::fs::statvfs(root) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let words = format!("{} free in {root} ({storage})", crate::ui::bytes(free));
            if free < LITTLE {
                Check::new("disk", CheckState::Warn, words).help("`docker system df` shows what takes the space")
            } else {
                Check::new("disk", CheckState::Ok, words)
            }
        }
        Err(_) => Check::new(
            "disk",
            CheckState::Ok,
            format!("the engine keeps its data in {root} ({storage}), which is not visible from here"),
        ),
    }
}

fn machine() -> Check {
    match Machine::load() {
        Ok(machine) => {
            let config =
                config_folder().map(|folder| folder.join("config.yaml").display().to_string()).unwrap_or_default();
            let words = match machine.mirror {
                Some(mirror) => format!("{mirror} is used for docker.io"),
                None => format!("none (DEVENV_REGISTRY_MIRROR, or registry_mirror in {config})"),
            };
            Check::new("mirror", CheckState::Ok, words)
        }
        Err(failure) => failed("machine", CheckState::Fail, &failure),
    }
}

async fn project(global: &Global, files: &[PathBuf], printer: &Printer) -> Vec<Check> {
    let read = checkout::source(global, files, printer).await.and_then(|source| {
        let reading = manifest::read(&source.request)?;
        Ok((reading, source.choice))
    });
    let (reading, choice) = match read {
        Ok(read) => read,
        Err(failure) => return vec![failed("manifest", CheckState::Warn, &failure)],
    };
    let sources: Vec<String> = reading.stack.sources.iter().map(ToString::to_string).collect();
    let mut checks = vec![Check::new("manifest", CheckState::Ok, sources.join(", "))];
    for diagnostic in reading.diagnostics.iter().filter(|one| one.code == "other-tool") {
        checks.push(Check::new("other tool", CheckState::Ok, diagnostic.message.clone()));
    }
    checks.extend(env_file(&reading, &choice));
    checks
}

/// The file that variables go to, the reason for this file, and its state in git.
fn env_file(reading: &Reading, choice: &Choice) -> Vec<Check> {
    let main = match Main::of(reading, choice) {
        Ok(main) => main,
        Err(failure) => return vec![failed("env file", CheckState::Fail, &failure)],
    };
    let name = main.file.shown().display().to_string();
    let noted = main.notes.iter().map(|note| {
        let state = if note.severity == Severity::Note { CheckState::Ok } else { CheckState::Warn };
        Check::new(&name, state, note.message.clone()).help(note.help.join("; "))
    });
    let noted: Vec<Check> = noted.collect();
    let is_warned = noted.iter().any(|check| check.state == CheckState::Warn);
    let in_git = match git::status(main.file.path()) {
        _ if is_warned => None,
        GitStatus::Unknown => Some("no git repository here"),
        GitStatus::Ignored => Some("git ignores it"),
        GitStatus::Tracked | GitStatus::NotIgnored => None,
    };
    noted.into_iter().chain(in_git.map(|words| Check::new(&name, CheckState::Ok, words))).collect()
}
