//! The data that the parts of the plan exchange: the facts that decide the desired state, and the desired state.

use super::ports::{FixedPorts, PortTaken};
use super::{Field, Fields, Identity, render_fields};
use crate::kinds::{Kind, Kinds};
use crate::model::{
    CloneMode, Container, ContainerRole, ContainerSpec, Data, Diagnostic, Endpoint, Located, Observed, ObservedRecord,
    Origin, Protocol, Record, Scope, Secret, Setting, VolumeSpec, Wanted,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The facts that decide the desired state, in addition to the stack.
pub struct Request<'a> {
    /// The known kinds.
    pub kinds: &'a Kinds,
    /// The environment.
    pub identity: &'a Identity,
    /// The state of the engine.
    pub observed: &'a Observed,
    /// Passwords that the user's own lines in `.env` set, by service.
    pub passwords: &'a BTreeMap<String, Secret>,
    /// Services that start with fresh data and keep their old data.
    pub fresh: &'a BTreeSet<String>,
    /// Asks the machine whether a server could listen on a port.
    pub is_free: &'a dyn Fn(IpAddr, u16) -> bool,
    /// How to treat ports that the user set.
    pub fixed_ports: FixedPorts,
    /// Whether fresh data is initialised again although a base exists (`--cold`).
    pub cold: bool,
    /// The clone mode, if the user set it or an earlier phase found it.
    pub clone_mode: Option<CloneMode>,
    /// The data with which an environment without data begins, instead of a base.
    pub source: Option<&'a Source>,
}

/// Frozen data of another environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The environment, whose logins the data has at first.
    pub environment: String,
    /// The volume with each service's data.
    pub data: BTreeMap<String, String>,
}

/// The desired state of an environment.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// The environment's name, which is also the name of its network.
    pub environment: String,
    /// The owner of all resources of the environment.
    pub scope: Scope,
    /// The services, in the stack's order.
    pub services: Vec<DesiredService>,
    /// Ports that the user set and that are in use.
    pub taken: Vec<PortTaken>,
    /// The transition from the current head to the head that names these services' volumes.
    pub transition: Transition,
}

/// A service that should run.
#[derive(Clone, Debug)]
pub struct DesiredService {
    /// Its name in the stack.
    pub name: String,
    /// The kind's name for people.
    pub title: String,
    /// The kind's name.
    pub kind: String,
    /// The number of the declared version; its text if the version has no number.
    pub version: String,
    /// The major version, if other major versions cannot use its data.
    pub data_major: Option<u64>,
    /// The protocol of its server.
    pub protocol: Protocol,
    /// The place of its declaration.
    pub origin: Origin,
    /// The place of the image's declaration.
    pub image_origin: Origin,
    /// Its container.
    pub container: ContainerSpec,
    /// Its volumes.
    pub volumes: Vec<VolumeSpec>,
    /// Whether its image, which the engine does not have yet, may declare volumes that are not known otherwise.
    pub volumes_unknown: bool,
    /// All logins for apps, as the host reaches them. The default login comes first.
    pub endpoints: Vec<Endpoint>,
    /// devenv's administrator login, if the server has administrators.
    pub admin: Option<Endpoint>,
    /// The administrator's login to the management API (HTTP), if production has this API too.
    pub management: Option<Endpoint>,
    /// The administrator's login that inherited data (from a base or another volume) has until its password is changed.
    pub inherited: Option<Endpoint>,
    /// Whether to try the inherited login first: the data is new and comes from another environment or a base.
    pub begins_inherited: bool,
    /// The users, databases and extensions that must exist before an app can log in.
    pub wanted: Wanted,
    /// The command that `devenv shell` runs.
    pub shell: Vec<String>,
    /// The variables for this command: with the app's login, and with the administrator's login.
    pub shell_environments: [Vec<(String, Secret)>; 2],
    /// Its extensions, with the places of their declarations.
    pub extensions: Vec<Located<String>>,
    /// Its settings, with the places of their declarations.
    pub settings: Vec<Setting>,
    /// A keyed hash of each part of the configuration, so that a changed part can be named without showing its content.
    pub config: BTreeMap<String, String>,
}

/// The changes to an environment's records, and to the volumes that only older heads need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transition {
    /// The head that is written first.
    pub head: Option<Record>,
    /// The pin that is written before containers that reference volumes are removed.
    pub pin: Option<Record>,
    /// The pins that are removed, because the new pin replaces them, or because they reference volumes that are
    /// removed.
    pub(super) old_pins: Vec<ObservedRecord>,
    /// Containers of a run that was killed while it copied data into a volume of an older head.
    pub(super) unfinished: Vec<Container>,
    /// The discarded volumes: only older heads of the branch need them.
    pub discarded: Vec<String>,
    /// The older heads of the branch.
    pub(super) older: Vec<ObservedRecord>,
}

impl Desired {
    /// The fields of all endpoints: as containers of the environment's network reach them (`network`), or as the host
    /// does.
    pub fn fields(&self, kinds: &Kinds, network: bool) -> Result<Fields, Vec<Diagnostic>> {
        let mut all = Fields::new();
        let mut faults = Vec::new();
        for service in &self.services {
            let Some(kind) = kinds.get(&service.kind) else { continue };
            let fields = all.entry(service.name.clone()).or_default();
            for (index, endpoint) in service.endpoints.iter().enumerate() {
                let endpoint = if network { service.on_network(endpoint, kind) } else { endpoint.clone() };
                match render_fields(kind, &endpoint) {
                    Ok(rendered) => add_fields(fields, &rendered, &endpoint, index == 0),
                    Err(fault) => faults.push(Diagnostic::error("kind-field", fault).at(&service.origin, "used here")),
                }
            }
        }
        if faults.is_empty() { Ok(all) } else { Err(faults) }
    }
}

/// Adds the fields of an endpoint under its database, user and vhost; those of the default endpoint also by their own
/// names.
fn add_fields(
    all: &mut BTreeMap<String, Field>,
    rendered: &BTreeMap<String, Field>,
    endpoint: &Endpoint,
    default: bool,
) {
    if default {
        all.extend(rendered.clone());
    }
    let groups = [("databases", &endpoint.database), ("users", &endpoint.user), ("vhosts", &endpoint.vhost)];
    for (group, name) in groups {
        let Some(name) = name else { continue };
        for (field, value) in rendered {
            all.entry(format!("{group}.{name}.{field}")).or_insert_with(|| value.clone());
        }
    }
}

impl DesiredService {
    /// The data of its first volume; none if the service keeps no data.
    pub fn data(&self) -> Option<&Data> {
        self.volumes.first()?.data()
    }

    /// The declared version, as the label of the container has it.
    pub(super) fn version_text(&self) -> &str {
        match &self.container.role {
            ContainerRole::Service(service) => &service.version,
            _ => "",
        }
    }

    /// The same login as containers of the environment's network reach it.
    fn on_network(&self, endpoint: &Endpoint, kind: &Kind) -> Endpoint {
        Endpoint { host: self.name.clone(), port: kind.port, ..endpoint.clone() }
    }
}
