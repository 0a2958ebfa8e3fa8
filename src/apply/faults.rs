//! Faults while a plan is carried out, as messages for a person: with the line of the manifest and the next step.

use crate::docker::{EngineError, EngineFault, PullFault, PullFaultKind};
use crate::kinds;
use crate::machine::holder_of;
use crate::model::{Diagnostic, Exit, Failure, ImageRef, Reason};
use crate::plan::{self, DesiredService};
use crate::protocol::{ReconcileError, Subject};
use std::time::Duration;

/// The engine refused a call.
pub(super) fn of_engine(error: &EngineError, service: Option<&DesiredService>) -> Failure {
    let mut failure = error.clone().into_failure();
    for diagnostic in &mut failure.diagnostics {
        if let Some(service) = service {
            *diagnostic = diagnostic.clone().at(&service.origin, "for this service");
        }
        if error.kind == EngineFault::PortTaken {
            failure.reason = Reason::Overtaken;
            let publish = service.and_then(|service| service.container.publish.first());
            if let Some((port, holder)) =
                publish.and_then(|publish| Some((publish.host_port, holder_of(publish.host_port)?)))
            {
                *diagnostic = diagnostic.clone().because(format!("port {port} is held by {holder}"));
            }
        }
    }
    failure
}

/// An image cannot be pulled.
pub(super) fn of_pull(image: &ImageRef, fault: &PullFault, service: Option<&DesiredService>) -> Failure {
    let (what, help) = match fault.kind {
        PullFaultKind::NotFound => (
            format!("there is no image {image}"),
            "check the name and tag where production declares it; a private registry says the same to users who are not logged in: `docker login`",
        ),
        PullFaultKind::Unauthorized => (
            format!("the registry refuses access to {image}"),
            "log in with `docker login REGISTRY`: devenv uses Docker's own credentials and helpers",
        ),
        PullFaultKind::TooManyRequests => (
            format!("the registry limits the number of requests and does not serve {image}"),
            "wait, log in with `docker login` for a higher limit, or name a mirror with DEVENV_REGISTRY_MIRROR",
        ),
        PullFaultKind::Server => (
            format!("the registry failed while serving {image}"),
            "try again later, or name a mirror with DEVENV_REGISTRY_MIRROR",
        ),
        PullFaultKind::Short => (
            format!("{image} arrived incomplete"),
            "the connection or the registry cut it short each time; `devenv up` again continues with the layers that are there",
        ),
        PullFaultKind::NoSpace => (
            format!("there is no room for {image}"),
            "make room where the engine keeps its data: `docker system df` shows what takes it",
        ),
        PullFaultKind::Network => (
            format!("the registry of {image} cannot be reached"),
            "check the network and proxy of the engine, or name a mirror with DEVENV_REGISTRY_MIRROR",
        ),
        PullFaultKind::Platform => (
            format!("{image} is not made for the platform that production names"),
            "check `platform:` in the manifest, or leave it out in services.local.yaml",
        ),
        PullFaultKind::Engine => (
            format!("the engine went away while it pulled {image}"),
            "check whether Docker still runs (`docker info`), then `devenv up` again",
        ),
        PullFaultKind::Other => {
            (format!("the engine could not pull {image}"), "`devenv doctor` checks the engine and the mirror")
        }
    };
    let mut diagnostic = Diagnostic::error("image", what).because(fault.message.clone());
    if let Some(service) = service {
        diagnostic = diagnostic.at(&service.image_origin, format!("{} wants it", service.name));
    }
    if !fault.asked.contains(&image.repository)
        || fault.asked.starts_with("docker.io") == (image.registry != "docker.io")
    {
        diagnostic = diagnostic.because(format!("asked for as {}: a mirror stands in for docker.io", fault.asked));
    }
    for note in &fault.notes {
        diagnostic = diagnostic.because(note.clone());
    }
    let has = |name: &str| {
        service.is_some_and(|service| service.container.environment.iter().any(|(known, _)| known == name))
    };
    if let Some(withdrawn) = kinds::withdrawn(image, has)
        && let Some(service) = service
    {
        diagnostic = diagnostic.because(format!("{} ({})", withdrawn.what, withdrawn.source));
        diagnostic = plan::instead(diagnostic, &service.name, &withdrawn);
    }
    let exit = if fault.kind == PullFaultKind::Engine { Exit::Engine } else { Exit::Image };
    Failure::new(exit, diagnostic.help(help))
}

/// A pull has made no progress for too long.
pub(super) fn pull_stalled(image: &ImageRef, timeout: Duration, service: Option<&DesiredService>) -> Failure {
    let mut diagnostic =
        Diagnostic::error("image", format!("the pull of {image} has stalled: no progress for {}", words(timeout)));
    if let Some(service) = service {
        diagnostic = diagnostic.at(&service.image_origin, format!("{} wants it", service.name));
    }
    Failure::new(Exit::Image, diagnostic.help("check the network, or allow more with `--timeout`"))
}

/// The run was asked to stop.
pub(super) fn stopped() -> Failure {
    Failure::new(
        Exit::Failed,
        Diagnostic::error("stopped", "stopped before everything was done")
            .help("`devenv up` goes on where this run stopped")
            .help("`devenv down` stops what already runs, and keeps the data"),
    )
    .because_of(Reason::Stopped)
}

/// A container ended instead of serving.
pub(super) fn exited(service: &DesiredService, code: i64, log: &[String]) -> Failure {
    let mut diagnostic = Diagnostic::error(
        "container-exited",
        format!("{} stopped before anyone could log in: exit code {code}", service.name),
    )
    .at(&service.origin, format!("runs {}", service.container.image));
    // A server that refuses a setting names the setting in its log: point at the line that sets it.
    for setting in &service.settings {
        if log.iter().any(|line| names(line, &setting.name)) {
            diagnostic =
                diagnostic.and_at(&setting.value.origin, format!("the log names `{}`, set here", setting.name));
        }
    }
    Failure::new(
        Exit::Failed,
        with_log(diagnostic, service, log)
            .help(format!("`devenv logs {}` shows the whole log; fix the cause and `devenv up` again", service.name)),
    )
    .because_of(Reason::ContainerEnded)
}

/// The same failure, for a container that still ran when the engine was observed: an earlier run, which was killed, had
/// asked the engine to stop the container, and the engine did so only now. Another plan starts the container again.
pub(super) fn ended_meanwhile(failure: Failure) -> Failure {
    if failure.reason == Reason::ContainerEnded { failure.because_of(Reason::Overtaken) } else { failure }
}

/// The service was not ready in time.
pub(super) fn not_ready(service: &DesiredService, timeout: Duration, last: &ReconcileError, log: &[String]) -> Failure {
    let diagnostic =
        Diagnostic::error("not-ready", format!("{} was not ready within {}", service.name, words(timeout)))
            .at(&service.origin, format!("runs {}", service.container.image))
            .because(format!("the last try to log in: {}", last.error.message));
    Failure::new(
        Exit::NotReady,
        with_log(diagnostic, service, log)
            .help(format!("allow more with `--timeout`, or see `devenv logs {}`", service.name)),
    )
}

/// The server answers, but refuses the login or an object that the app needs.
pub(super) fn refused(service: &DesiredService, last: &ReconcileError, log: &[String]) -> Failure {
    let diagnostic =
        Diagnostic::error("login-refused", format!("{} is up but refuses what the app needs", service.name))
            .at(&service.origin, format!("runs {}", service.container.image))
            .because(last.error.message.clone());
    // The object that could not be created was declared in a file: point there. The log adds nothing.
    if let Some(subject) = &last.subject {
        return Failure::new(Exit::Failed, missing(diagnostic, service, subject));
    }
    Failure::new(
        Exit::NotReady,
        with_log(diagnostic, service, log).help(format!(
            "if its first start was interrupted, or its data is older than this machine's key, start it on new data: `devenv up --fresh {}`",
            service.name
        )),
    )
}

fn missing(diagnostic: Diagnostic, service: &DesiredService, subject: &Subject) -> Diagnostic {
    match subject {
        Subject::User(name) => diagnostic.because(format!("the login `{name}` cannot be made")),
        Subject::Database(name) => diagnostic.because(format!("the database `{name}` cannot be made")),
        Subject::Extension(name) => {
            let diagnostic =
                diagnostic.because(format!("the extension `{name}` cannot be made in {}", service.container.image));
            let declared = service.extensions.iter().find(|extension| extension.value == *name);
            match declared {
                Some(extension) => diagnostic.and_at(&extension.origin, "declared here"),
                None => diagnostic,
            }
            .help("name an image that has it, as production does, or leave it out")
        }
    }
}

fn with_log(diagnostic: Diagnostic, service: &DesiredService, log: &[String]) -> Diagnostic {
    if log.is_empty() {
        return diagnostic.because(format!("{} has logged nothing", service.name));
    }
    diagnostic.because(format!("the last lines of its log:\n{}", log.join("\n")))
}

/// Whether a log line names a setting as a separate word.
fn names(line: &str, setting: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    line.match_indices(setting)
        .any(|(at, found)| !line[..at].ends_with(is_part) && !line[at + found.len()..].starts_with(is_part))
}

fn words(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{} s", time.as_secs()) } else { format!("{} ms", time.as_millis()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_found_in_a_log_only_as_a_word() {
        assert!(names("FATAL: unrecognized configuration parameter \"max_conns\"", "max_conns"));
        assert!(names("*** FATAL CONFIG FILE ERROR *** 'maxmemory-policy nonsense'", "maxmemory-policy"));
        assert!(!names("maxmemory-policy", "maxmemory"));
    }
}
