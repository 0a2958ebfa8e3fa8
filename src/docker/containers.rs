//! Creates, starts, stops, removes and inspects one container.

use super::deadline::NO_TIMEOUT;
use super::fault::brief;
use super::networks::gone;
use super::{Engine, EngineError, EngineFault, files, labels};
use crate::model::{ContainerSpec, Publish, Scope};
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, Mount, MountType, MountVolumeOptions, NetworkingConfig,
    PortBinding,
};
use bollard::query_parameters::{
    CreateContainerOptions, ListContainersOptions, RemoveContainerOptions, StopContainerOptions,
    UploadToContainerOptions, WaitContainerOptions,
};
use bollard::{body_full, models};
use futures_util::{StreamExt as _, future, pin_mut};
use std::collections::HashMap;
use std::time::Duration;

/// How much longer than its grace period a stop may take before the engine counts as stuck.
const STOP_MARGIN: Duration = Duration::from_secs(30);
/// Longer than the grace period of any kind.
const MAX_GRACE: Duration = Duration::from_secs(300);

/// After this time, most servers that received the stop signal have stopped.
const STOP_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long a removal that has already begun may take.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(30);

/// The state of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerState {
    /// `created`, `running`, `exited`, `restarting`, `paused`, `dead`.
    pub status: String,
    /// Whether its process runs.
    pub running: bool,
    /// The exit code of its last run; 0 where it has not run yet.
    pub exit_code: i64,
    /// Whether the kernel killed it because memory ran out.
    pub out_of_memory: bool,
    /// The engine's message about a start that failed; empty otherwise.
    pub error: String,
    /// When it was started last, as RFC 3339.
    pub started_at: String,
}

impl Engine {
    /// Creates a container, copies its files into it and returns its id. The container is not started. If the files
    /// cannot be copied, the container is removed again. If devenv is killed before the copy is complete, a container
    /// in the state `created` may lack its files.
    pub async fn create_container(&self, spec: &ContainerSpec) -> Result<String, EngineError> {
        let operation = format!("create the container {}", spec.name);
        check(&operation, spec)?;
        let archive = match spec.files.as_slice() {
            [] => None,
            files => Some(
                files::archive(files)
                    .map_err(|error| EngineError::new(&operation, EngineFault::Other, error.to_string()))?,
            ),
        };
        let options = CreateContainerOptions {
            name: Some(spec.name.clone()),
            platform: spec.platform.clone().unwrap_or_default(),
        };
        let name = self.name_here(&spec.image);
        let mut made =
            self.work(&operation, self.docker.create_container(Some(options.clone()), body(spec, name))).await;
        if spec.image.digest.is_some()
            && made.as_ref().is_err_and(EngineError::is_not_found)
            && let Some(image) = self.local_image(&spec.image).await?
        {
            // The image came through a mirror, so the engine has it under another name. The digest guarantees the same
            // content.
            made = self.work(&operation, self.docker.create_container(Some(options), body(spec, image.id))).await;
        }
        let id = made?.id;
        if let Some(archive) = archive {
            let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
            let operation = format!("put files into the container {}", spec.name);
            let upload = self.docker.upload_to_container(&id, Some(options), body_full(archive.into()));
            if let Err(error) = self.work(operation, upload).await {
                // Only the first fault is reported.
                let _ = self.remove_container(&id).await;
                return Err(error);
            }
        }
        Ok(id)
    }

    /// Starts a container. A container that already runs stays as it is.
    pub async fn start(&self, id: &str) -> Result<(), EngineError> {
        self.work(format!("start the container {}", brief(id)), self.docker.start_container(id, None)).await
    }

    /// Stops a container cleanly, and kills it after the grace period. Without `grace`, the container's own grace
    /// period applies. A container that does not run or does not exist is left as it is.
    ///
    /// The first process of a container ignores a signal until it has installed a handler for it. So a container that
    /// was started only just now and still runs gets the signal again.
    pub async fn stop(&self, id: &str, grace: Option<Duration>) -> Result<(), EngineError> {
        let seconds = grace.map(|grace| i32::try_from(grace.as_secs()).unwrap_or(i32::MAX));
        let most = grace.unwrap_or(MAX_GRACE).saturating_add(STOP_MARGIN);
        let stop = || {
            let stopped = self.docker.stop_container(id, Some(StopContainerOptions { t: seconds, signal: None }));
            self.work_within(most, format!("stop the container {}", brief(id)), stopped)
        };
        let again = async {
            tokio::time::sleep(STOP_AGAIN_AFTER).await;
            if self.is_young(id).await {
                // The first request reports the result.
                let _ = stop().await;
            }
            future::pending::<()>().await;
        };
        let stopped = tokio::select! {
            stopped = stop() => stopped,
            () = again => Ok(()),
        };
        gone(stopped)
    }

    /// Whether a container was started a few seconds ago, by the engine's own clock and status text.
    async fn is_young(&self, id: &str) -> bool {
        let filters = HashMap::from([("id".to_owned(), vec![id.to_owned()])]);
        let options = ListContainersOptions { filters: Some(filters), ..Default::default() };
        let listed = self.ask("list the containers", self.docker.list_containers(Some(options))).await;
        let listed = listed.unwrap_or_default();
        listed.first().and_then(|container| container.status.as_deref()).is_some_and(is_of_seconds)
    }

    /// Removes a container with the anonymous volumes that were created for it, and kills the container if it runs.
    /// Named volumes stay. A container that does not exist counts as removed.
    pub async fn remove_container(&self, id: &str) -> Result<(), EngineError> {
        let options = RemoveContainerOptions { v: true, force: true, link: false };
        let operation = format!("remove the container {}", brief(id));
        match self.work(&operation, self.docker.remove_container(id, Some(options))).await {
            Err(error) if error.kind == EngineFault::Conflict && error.message.contains("in progress") => {
                tokio::time::timeout(REMOVAL_TIMEOUT, self.until_removed(id))
                    .await
                    .unwrap_or_else(|_| Err(EngineError::new(operation, EngineFault::TimedOut, error.message)))
            }
            removed => gone(removed),
        }
    }

    /// The current state of a container.
    pub async fn container_state(&self, id: &str) -> Result<ContainerState, EngineError> {
        let operation = format!("inspect the container {}", brief(id));
        let state = self.ask(operation, self.docker.inspect_container(id, None)).await?.state.unwrap_or_default();
        Ok(ContainerState {
            status: state.status.map(|status| status.to_string()).unwrap_or_default(),
            running: state.running.unwrap_or_default(),
            exit_code: state.exit_code.unwrap_or_default(),
            out_of_memory: state.oom_killed.unwrap_or_default(),
            error: state.error.unwrap_or_default(),
            started_at: state.started_at.unwrap_or_default(),
        })
    }

    /// Waits until a container does not run, and returns its exit code. Call this after the start: a container that has
    /// never run does not run either.
    pub async fn wait_exit(&self, id: &str) -> Result<i64, EngineError> {
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        self.wait(id, options).await
    }

    async fn until_removed(&self, id: &str) -> Result<(), EngineError> {
        gone(self.wait(id, WaitContainerOptions { condition: "removed".to_owned() }).await.map(drop))
    }

    async fn wait(&self, id: &str, options: WaitContainerOptions) -> Result<i64, EngineError> {
        let operation = format!("wait for the container {}", brief(id));
        let answers = self.docker.wait_container(id, Some(options));
        pin_mut!(answers);
        // Some engines send nothing at all before the container ends.
        match self.watched(NO_TIMEOUT, answers.next()).await {
            Ok(Some(Ok(answer))) => Ok(answer.status_code),
            Ok(Some(Err(Error::DockerContainerWaitError { code, .. }))) => Ok(code),
            Ok(Some(Err(error))) => Err(EngineError::read(operation, &error)),
            Ok(None) => Err(EngineError::new(operation, EngineFault::Gone, "the answer ended early")),
            Err(why) => Err(EngineError::unanswered(operation, why)),
        }
    }
}

/// Whether a status text means that the container has run for a few seconds: `Up Less than a second`, `Up 3 seconds`.
fn is_of_seconds(status: &str) -> bool {
    let up = status.strip_prefix("Up ").unwrap_or_default();
    let number = up.split_once(" second").and_then(|(number, _)| number.parse::<u32>().ok());
    up.starts_with("Less than a second") || number.is_some_and(|seconds| seconds <= 5)
}

/// Refuses variables that no engine accepts before they are sent, because an engine's refusal would repeat the variable
/// with its secret value.
fn check(operation: &str, spec: &ContainerSpec) -> Result<(), EngineError> {
    for (name, value) in &spec.environment {
        let fault = if name.is_empty() || name.contains(['=', '\0']) {
            format!("`{}` cannot be a variable's name", name.escape_debug())
        } else if value.reveal().contains('\0') {
            format!("the variable {name} holds a zero byte, which no variable can carry")
        } else {
            continue;
        };
        return Err(EngineError::new(operation, EngineFault::Other, fault));
    }
    Ok(())
}

fn body(spec: &ContainerSpec, image: String) -> ContainerCreateBody {
    let mounts = spec.mounts.iter().map(|mount| Mount {
        target: Some(mount.target.clone()),
        source: Some(mount.volume.clone()),
        typ: Some(MountType::VOLUME),
        ..Default::default()
    });
    let mounts = mounts.chain(pin_mounts(&spec.pinned_volumes, &spec.scope));
    let endpoint = EndpointSettings { aliases: Some(spec.aliases.clone()), ..Default::default() };
    ContainerCreateBody {
        image: Some(image),
        hostname: Some(spec.hostname.clone()).filter(|name| !name.is_empty()),
        env: Some(spec.environment.iter().map(|(name, value)| format!("{name}={}", value.reveal())).collect()),
        cmd: Some(spec.command.clone()).filter(|command| !command.is_empty()),
        entrypoint: spec.entrypoint.clone(),
        labels: Some(labels::of_container(&spec.scope, &spec.role)),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: i64::try_from(spec.grace.as_secs()).ok(),
        exposed_ports: Some(spec.publish.iter().map(port_name).collect()),
        host_config: Some(HostConfig {
            mounts: Some(mounts.collect()),
            port_bindings: Some(bindings(&spec.publish)),
            network_mode: Some(spec.network.clone()),
            ..Default::default()
        }),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(spec.network.clone(), endpoint)])),
        }),
        ..Default::default()
    }
}

/// Mounts that only pin volumes, so that no prune takes them as unused.
///
/// A volume that does not exist is created by the engine. It gets the labels of the scope, so that it goes with that.
pub(super) fn pin_mounts(volumes: &[String], scope: &Scope) -> impl Iterator<Item = Mount> {
    let labels = labels::of_scope(scope);
    volumes.iter().enumerate().map(move |(number, volume)| Mount {
        target: Some(format!("/.devenv/{number}")),
        source: Some(volume.clone()),
        typ: Some(MountType::VOLUME),
        read_only: Some(true),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            labels: Some(labels.clone()),
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn port_name(publish: &Publish) -> String {
    format!("{}/tcp", publish.container_port)
}

fn bindings(publish: &[Publish]) -> models::PortMap {
    let mut map = models::PortMap::new();
    for publish in publish {
        let binding =
            PortBinding { host_ip: Some(publish.host_ip.to_string()), host_port: Some(publish.host_port.to_string()) };
        map.entry(port_name(publish)).or_default().get_or_insert_default().push(binding);
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ContainerRole, ImageRef, Scope, Secret};

    fn spec() -> ContainerSpec {
        ContainerSpec {
            name: "x".into(),
            image: ImageRef::parse("postgres:15").unwrap(),
            platform: None,
            environment: Vec::new(),
            command: Vec::new(),
            entrypoint: None,
            hostname: "db".into(),
            mounts: Vec::new(),
            pinned_volumes: Vec::new(),
            files: Vec::new(),
            publish: Vec::new(),
            network: "net".into(),
            aliases: vec!["db".into()],
            scope: Scope::default(),
            role: ContainerRole::Helper,
            stop_signal: None,
            grace: Duration::from_secs(7),
        }
    }

    #[test]
    fn a_variable_that_no_engine_takes_is_refused_without_its_value() {
        for (name, value) in [("", "hunter2"), ("A=B", "hunter2"), ("A", "hunter2\0")] {
            let spec = ContainerSpec { environment: vec![(name.into(), Secret::new(value))], ..spec() };
            let error = check("make it", &spec).unwrap_err();
            assert!(!error.message.contains("hunter2"), "{}", error.message);
        }
    }

    #[test]
    fn ports_are_published_on_the_address_that_was_chosen() {
        let publish =
            [5432, 5433].map(|host_port| Publish { container_port: 5432, host_ip: [127, 0, 0, 1].into(), host_port });
        let body = body(&ContainerSpec { publish: publish.to_vec(), ..spec() }, "image".into());
        let map = body.host_config.unwrap().port_bindings.unwrap();
        let ports: Vec<_> = map["5432/tcp"].as_ref().unwrap().iter().map(|b| b.host_port.clone().unwrap()).collect();
        assert_eq!(ports, ["5432", "5433"]);
        assert!(map["5432/tcp"].as_ref().unwrap().iter().all(|b| b.host_ip.as_deref() == Some("127.0.0.1")));
    }

    #[test]
    fn a_container_that_has_run_for_seconds_only_is_young() {
        for (status, young) in [
            ("Up Less than a second", true),
            ("Up 1 second", true),
            ("Up 4 seconds (healthy)", true),
            ("Up 14 seconds", false),
            ("Up 5 minutes", false),
            ("Exited (0) 3 seconds ago", false),
        ] {
            assert_eq!(is_of_seconds(status), young, "{status}");
        }
    }

    #[test]
    fn an_image_s_own_entrypoint_command_and_signal_stay_where_nothing_is_said() {
        let body = body(&spec(), "image".into());
        assert_eq!((body.entrypoint, body.cmd, body.stop_signal, body.stop_timeout), (None, None, None, Some(7)));
    }
}
