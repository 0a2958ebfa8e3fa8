//! Seeds: the initial data of a service. Seeds are put into a base, and the environment is layered on the base.

use super::child::command;
use super::consent;
use super::process::values;
use super::seed_digests::unreadable_root;
use super::session::Project;
use super::starting::Starting;
use crate::apply::seed::{Seeding, command_failed, take_file};
use crate::model::{Diagnostic, Event, Exit, Failure, Observed, Seed, SeedSource, ServiceState, Wanted};
use crate::plan::{self, Base, Desired};
use crate::project::Checkout;
use crate::protocol;
use std::process::Stdio;

/// How many of the last output lines of a failed command are shown.
const LAST_LINES: usize = 15;

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
    consent::has_agreed(&project.reading.root, project.trust().as_ref(), service, seed)?;
    let fields = made.fields(project.kinds(), false);
    let fields = fields.map_err(|diagnostics| Failure::of(Exit::Manifest, diagnostics))?;
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
