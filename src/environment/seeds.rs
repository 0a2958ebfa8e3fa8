//! Seeds: the initial data of a service. Seeds are put into a base, and the environment is layered on the base.

use super::bring_up::Starting;
use super::child::command;
use super::consent;
use super::process::values;
use super::session::Project;
use crate::apply::seed::{Seeding, command_failed, take_file};
use crate::machine::{self, Digests};
use crate::model::{
    Diagnostic, Event, Exit, Failure, Observed, Seed, SeedSource, ServiceState, Stack, Wanted, digest_of_bytes,
};
use crate::plan::{self, Base, Desired};
use crate::project::{Checkout, Fault};
use crate::protocol;
use std::path::Path;
use std::process::Stdio;

/// How many of the last output lines of a failed command are shown.
const LAST_LINES: usize = 15;

/// Computes the digest of each seed. The digest, and not the time of any file, decides which base the seed is in. The
/// digest of a command covers all inputs that can be known: its words, the files of the checkout that the words name
/// (including the program), and the files that the command reads. Other inputs depend on the project, so only the
/// worktrees of one project share a base that a command made.
pub(crate) fn hash_seeds(stack: &mut Stack, root: &Path, folder: &Path) -> Result<(), Failure> {
    if stack.services.iter().all(|service| service.seeds.is_empty()) {
        return Ok(());
    }
    let checkout = Checkout::at(root).map_err(|error| unreadable_root(root, &error))?;
    let mut digests = Digests::open(folder);
    let project = machine::git::in_main_worktree(root).unwrap_or_else(|| root.to_owned());
    for seed in stack.services.iter_mut().flat_map(|service| &mut service.seeds) {
        let mut of = |path: &Path| {
            digests.of(&checkout, path).map_err(|fault| {
                let diagnostic = Diagnostic::error("seed-read", format!("cannot read the seed {}", path.display()));
                let diagnostic = diagnostic.at(&seed.origin, "this seed").because(fault.to_string());
                Failure::new(
                    Exit::Failed,
                    diagnostic.help(match fault {
                        Fault::Outside(_) => "copy it into the checkout: devenv does not follow a link out of a clone",
                        _ => "check the file and its permissions",
                    }),
                )
            })
        };
        let parts = match &seed.source {
            SeedSource::File { path, database } => {
                vec!["file".to_owned(), of(path)?, database.clone().unwrap_or_default()]
            }
            SeedSource::Command { command, reads } => {
                let mut parts = vec!["command 2".to_owned(), project.display().to_string(), command.len().to_string()];
                parts.extend(command.iter().cloned());
                let mut files = consent::named_files(root, command);
                files.extend(reads.iter().cloned());
                for path in &files {
                    parts.extend([path.display().to_string(), of(path)?]);
                }
                parts
            }
        };
        seed.digest = digest_of_bytes(parts.join("\0").as_bytes());
    }
    digests.keep();
    Ok(())
}

/// The services whose seeds `up` would apply now.
pub(crate) fn to_be_taken<'a>(project: &'a Project, desired: &Desired, observed: &Observed) -> Vec<&'a str> {
    let stack = &project.reading.stack;
    let is_unknown = |name: &str| desired.services.iter().any(|wanted| wanted.name == name && wanted.volumes_unknown);
    let unknown = stack.services.iter().filter(|service| !service.seeds.is_empty() && is_unknown(&service.name));
    let services = plan::unseeded(stack, desired, observed).into_iter().chain(unknown);
    let again = if project.cold { plan::seeded(stack, desired, observed) } else { Vec::new() };
    let mut names: Vec<&str> = services.map(|service| service.name.as_str()).collect();
    names.extend(
        stack.services.iter().map(|service| service.name.as_str()).filter(|name| again.iter().any(|one| one == name)),
    );
    names.retain(|name| project.is_about(name));
    names
}

fn unreadable_root(root: &Path, error: &std::io::Error) -> Failure {
    let diagnostic = Diagnostic::error("folder", format!("cannot read {}", root.display())).because(error.to_string());
    Failure::new(Exit::Failed, diagnostic.help("check the folder and its permissions"))
}

/// Puts a base's seeds into the server that makes it.
pub(crate) async fn take(
    project: &Project,
    base: &Base,
    made: &Desired,
    start: &Starting<'_>,
    emit: &(dyn Fn(Event) + Sync),
) -> Result<(), Failure> {
    let service = base.made_by();
    let root = &project.reading.root;
    let checkout = Checkout::at(root).map_err(|error| unreadable_root(root, &error))?;
    let seeding = Seeding { engine: start.engine, container: base.container(), service, checkout: &checkout };
    for seed in &base.seeds {
        let show = |done, total| {
            let state = ServiceState::Seeding { what: seed.source.name(), done, total };
            emit(Event::Service { name: service.name.clone(), state });
        };
        show(0, 0);
        match &seed.source {
            SeedSource::File { path, database } => {
                take_file(&seeding, seed, path, database.as_deref(), &show).await?;
            }
            SeedSource::Command { command, .. } => run(project, base, seed, command, made).await?,
        }
    }
    // The seeds were loaded with the administrator's login; make the app's login the owner of their data.
    if let Some(admin) = &service.admin {
        let wanted = Wanted { adopt: true, ..service.wanted.clone() };
        protocol::reconcile(service.protocol, admin, &wanted).await.map_err(|error| {
            let diagnostic =
                Diagnostic::error("seed", format!("cannot give the seeded data of {} to its app", service.name));
            let diagnostic =
                base.seeds.iter().fold(diagnostic, |diagnostic, seed| diagnostic.at(&seed.origin, "its seeds"));
            Failure::new(
                Exit::Failed,
                diagnostic
                    .because(error.error.message)
                    .help("fix the cause, and `devenv up` again: nothing of the seeds was kept"),
            )
        })?;
    }
    Ok(())
}

/// Runs a seed's command on the host with every variable of the project. The variables of the seeded service lead to
/// the server that makes the base; the variables of other services lead to empty sidecars.
async fn run(project: &Project, base: &Base, seed: &Seed, words: &[String], made: &Desired) -> Result<(), Failure> {
    let service = base.service();
    consent::has_agreed(project, service, seed)?;
    let fields = made.fields(project.kinds(), false);
    let fields = fields.map_err(|diagnostics| Failure { exit: Exit::Manifest, diagnostics })?;
    let user_lines = super::env_files::Main::of(&project.reading, &project.choice)?.lines;
    let not_started = |error: &dyn std::fmt::Display| {
        command_failed(service, seed, &seed.origin, &format!("cannot be started: {error}"), &[])
    };
    let root = &project.reading.root;
    let mut command = command(words, root).map_err(|error| not_started(&error))?;
    command.envs(values(project, &fields, &user_lines, false, None)?).current_dir(root);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let ended = command.output().await.map_err(|error| not_started(&error))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = [ended.stdout, ended.stderr].concat();
    let mut said = String::from_utf8_lossy(&said).into_owned();
    let endpoints = made.services.iter().flat_map(|service| service.endpoints.iter().chain(&service.admin));
    for password in endpoints.filter_map(|endpoint| endpoint.password.as_ref()) {
        said = said.replace(password.reveal(), "***");
    }
    let lines: Vec<String> = said.lines().map(str::to_owned).collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    Err(command_failed(service, seed, &seed.origin, &format!("ended with {}", ended.status), last))
}
