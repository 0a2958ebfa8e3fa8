//! The desired state for a stack: decides every name, port, password, file and argument of the containers.

use super::data::heads::NextHead;
use super::data::layers::layered;
use super::data::transition::Transition;
use super::logins::{Login, Logins};
use super::ports::{FixedPorts, PortTaken, Ports, own_address};
use super::{Field, Fields, Identity, names, render_fields};
use crate::kinds::{FIELD_FUEL, FILE_FUEL, Family, Kind, Kinds, templates};
use crate::model::{
    CloneMode, ContainerRole, ContainerSpec, Data, Diagnostic, Endpoint, File, FileContent, ImageRef, Located, Mount,
    Observed, Origin, Protocol, Publish, Scope, Secret, Service, ServiceContainer, Setting, Stack, VolumeRole,
    VolumeSpec, Wanted,
};
use minijinja::{Environment, context};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

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

/// Decides the desired state. The errors are mistakes in a kind's file, or versions that a kind's templates cannot use.
pub fn desired(stack: &Stack, request: &Request<'_>) -> Result<Desired, Vec<Diagnostic>> {
    let (mut desired, next) = desired_services(stack, request)?;
    desired.transition = Transition::to(next.finish(), &desired.services, request.identity, request.observed);
    Ok(desired)
}

/// The desired state without a transition, and the next head, which names the services' volumes.
pub(super) fn desired_services<'a>(
    stack: &Stack,
    request: &'a Request<'a>,
) -> Result<(Desired, NextHead<'a>), Vec<Diagnostic>> {
    let identity = request.identity;
    let scope = identity.scope();
    let mut next = NextHead::of(request);
    let mut ports = Ports::new(identity, request.observed, request.is_free, request.fixed_ports);
    ports.reserve(stack.services.iter().filter_map(|service| service.port.as_ref()).map(|port| port.value));
    let (mut services, mut taken, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for service in &stack.services {
        let address = match choose_address(service, request, &mut ports) {
            Ok(address) => address,
            Err(fault) => {
                taken.push(fault);
                continue;
            }
        };
        let management = management(service, request.kinds);
        let management = management.map(|port| (port, ports.choose_further(&service.name, port)));
        match desired_service(service, address, management, &scope, &mut next, request) {
            Ok(wanted) => {
                let from = next.parent_of(&service.name, wanted.data());
                let mut wanted = layered(wanted, from.as_deref(), service, request);
                // A server without an administrator does not initialise an empty folder, so its data cannot be
                // incomplete.
                let initialises = wanted.admin.is_some();
                for volume in &mut wanted.volumes {
                    let is_new = request.observed.volume(&volume.name).is_none();
                    let is_initialised = initialises && is_new && volume.parent_spec.is_none();
                    volume.unproven = is_initialised || request.observed.is_unproven(&volume.name);
                }
                services.push(wanted);
            }
            Err(fault) => faults.push(fault),
        }
    }
    let environment = identity.name.clone();
    let desired = Desired { environment, scope, services, taken, transition: Transition::default() };
    if faults.is_empty() { Ok((desired, next)) } else { Err(faults) }
}

fn choose_address(service: &Service, request: &Request<'_>, ports: &mut Ports<'_>) -> Result<(IpAddr, u16), PortTaken> {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let kind_port = request.kinds.get(&service.kind).map(|kind| kind.port);
    match kind_port {
        // Production's variables name only the host, so the app will use the kind's own port.
        Some(port) if service.needs_own_port && service.port.is_none() && port != 0 => {
            let address = if cfg!(target_os = "linux") { own_address(request.identity) } else { loopback };
            Ok((address, port))
        }
        _ => ports.choose(&service.name, service.port.as_ref()).map(|port| (loopback, port)),
    }
}

/// The management API's port in the container, if the service has this API switched on.
fn management(service: &Service, kinds: &Kinds) -> Option<u16> {
    let management = kinds.get(&service.kind)?.management.as_ref()?;
    let tag = service.image.as_ref().and_then(|image| image.value.tag.as_deref());
    let plugins = service.plugins.iter().map(|plugin| plugin.value.as_str());
    management.is_on(plugins, tag).then_some(management.port)
}

fn desired_service(
    service: &Service,
    (host, port): (IpAddr, u16),
    management: Option<(u16, u16)>,
    scope: &Scope,
    next: &mut NextHead<'_>,
    request: &Request<'_>,
) -> Result<DesiredService, Diagnostic> {
    let kind_fault = |message: String| {
        Diagnostic::error("kind", message)
            .at(&service.origin, "declared here")
            .help("`devenv kinds` lists the kinds; your own kinds are files in `.devenv/kinds/`")
    };
    let kind =
        request.kinds.get(&service.kind).ok_or_else(|| kind_fault(format!("no kind is called `{}`", service.kind)))?;
    let family = kind
        .family(&service.family)
        .ok_or_else(|| kind_fault(format!("the kind `{}` names no image family", kind.name)))?;
    let major = service.version.major();
    let logins = Logins::of(service, kind, family, request).map_err(&kind_fault)?;
    let jinja = templates(FILE_FUEL);
    let values = logins.values(service, kind, management.is_some());
    let render = |template: &str| {
        jinja
            .render_str(template, &values)
            .map_err(|error| kind_fault(format!("the kind `{}` does not render `{template}`: {error}", kind.name)))
    };

    let image = image_of(service, kind)?;
    let environment = environment(service, family, &render)?;
    let command = command(service, family, &jinja, &kind_fault)?;
    let mut files = Vec::new();
    for file in &family.files {
        let content = render(&file.content)?;
        if !content.trim().is_empty() {
            files.push(File { path: file.path.clone(), mode: 0o644, content: FileContent(content.into_bytes()) });
        }
    }
    if let Some(folder) = &family.init_folder {
        files.extend(service.init_files.iter().map(|file| File {
            path: format!("{folder}/{}", file.name),
            mode: 0o755,
            content: FileContent(file.content.clone()),
        }));
    }

    let data_major = if kind.data_follows_major { major } else { None };
    let volumes = volumes(service, family, data_major, port, scope, next, request);
    let mut publish = vec![Publish { container_port: kind_port(kind, service), host_ip: host, host_port: port }];
    publish.extend(management.map(|(container_port, host_port)| Publish {
        container_port,
        host_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        host_port,
    }));
    let mut container = ContainerSpec {
        name: names::container(&request.identity.name, &service.name),
        image,
        platform: service.platform.as_ref().map(|platform| platform.value.clone()),
        environment,
        command,
        entrypoint: None,
        hostname: super::identity::slug(&service.name),
        mounts: volumes
            .iter()
            .map(|(volume, target)| Mount { volume: volume.name.clone(), target: target.clone() })
            .collect(),
        pinned_volumes: Vec::new(),
        files,
        publish,
        network: request.identity.name.clone(),
        aliases: std::iter::once(&service.name).chain(&service.aliases).filter(|name| is_host(name)).cloned().collect(),
        scope: scope.clone(),
        role: ContainerRole::Helper,
        stop_signal: kind.stop_signal.clone(),
        grace: Duration::from_secs(kind.grace),
    };
    let volumes_unknown = family.data_folder(major).is_none()
        && service.image.is_some()
        && !request.observed.images.contains_key(&container.image.to_string());
    let config = config_hashes(&container, request.identity);
    container.role = ContainerRole::Service(ServiceContainer {
        service: service.name.clone(),
        kind: kind.name.clone(),
        version: service.version.text.clone(),
        config: joined(&config),
        port: Some(port),
        declared: None,
    });

    let endpoint = |login: &Login, database: Option<&String>, vhost: Option<&String>| Endpoint {
        host: host.to_string(),
        port,
        user: login.name.clone(),
        password: login.password.clone(),
        database: database.cloned(),
        vhost: vhost.cloned(),
        path: service.probe_path.clone().or_else(|| kind.probe_path.clone()),
    };
    let shell_environment = |login: &Login| {
        let values = context! { login => login.values(), ..values.clone() };
        let rendered = kind.shell_environment.iter().map(|(name, template)| {
            let value = jinja.render_str(template, &values).map_err(|error| {
                kind_fault(format!("the kind `{}` does not render `{template}`: {error}", kind.name))
            })?;
            Ok((name.clone(), Secret::new(value)))
        });
        let rendered: Vec<(String, Secret)> = rendered.collect::<Result<_, Diagnostic>>()?;
        Ok(rendered.into_iter().filter(|(_, value)| !value.reveal().is_empty()).collect::<Vec<_>>())
    };
    let shell_environments = [shell_environment(&logins.users[0])?, shell_environment(&logins.admin)?];
    Ok(DesiredService {
        name: service.name.clone(),
        title: kind.title.clone(),
        kind: kind.name.clone(),
        version: service.version.number.clone().unwrap_or_else(|| service.version.text.clone()),
        data_major,
        protocol: service.protocol.unwrap_or(kind.protocol),
        origin: service.origin.clone(),
        image_origin: service.image.as_ref().map_or(&service.version.origin, |image| &image.origin).clone(),
        container,
        volumes: volumes.into_iter().map(|(volume, _)| volume).collect(),
        volumes_unknown,
        endpoints: logins.endpoints(service, endpoint),
        admin: kind.protocol.has_administrator().then(|| Endpoint {
            user: logins.admin.name.clone(),
            password: logins.admin.password.clone(),
            ..endpoint(&logins.users[0], logins.databases.first().map(|database| &database.name), None)
        }),
        management: management.map(|(_, port)| Endpoint {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port,
            ..endpoint(&logins.admin, None, None)
        }),
        inherited: None,
        begins_inherited: false,
        wanted: logins.wanted(service, kind),
        shell: kind.shell.clone(),
        shell_environments,
        extensions: service.extensions.clone(),
        settings: service.settings.clone(),
        config,
    })
}

/// The image that a service runs: production's, or its kind's at the declared version.
pub fn image_of(service: &Service, kind: &Kind) -> Result<ImageRef, Diagnostic> {
    if let Some(image) = &service.image {
        return Ok(image.value.clone());
    }
    let version = service.version.number.as_deref().unwrap_or("latest");
    let tag =
        templates(FIELD_FUEL).render_str(&kind.tag, context! { version => version, major => service.version.major() });
    let variant = service.version.variant(false);
    let name = tag.map_err(|error| error.to_string()).map(|tag| format!("{}:{tag}{variant}", kind.image));
    name.and_then(|name| ImageRef::parse(&name).map_err(|error| error.0)).map_err(|fault| {
        Diagnostic::error("image-name", fault).at(&service.version.origin, "this version gives no image tag")
    })
}

/// Whether the engine accepts the name as a host name.
fn is_host(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// The server's port in the container: declared by an included app, else the kind's port.
fn kind_port(kind: &Kind, service: &Service) -> u16 {
    service.container_port.unwrap_or(kind.port)
}

fn environment(
    service: &Service,
    family: &Family,
    render: &dyn Fn(&str) -> Result<String, Diagnostic>,
) -> Result<Vec<(String, Secret)>, Diagnostic> {
    let mut environment = Vec::new();
    for (name, value) in &service.environment {
        environment.push((name.clone(), Secret::new(value.value.clone())));
    }
    for (name, template) in &family.environment {
        let value = render(template)?;
        if !value.is_empty() {
            environment.retain(|(known, _)| known != name);
            environment.push((name.clone(), Secret::new(value)));
        }
    }
    environment.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(environment)
}

fn command(
    service: &Service,
    family: &Family,
    jinja: &Environment<'_>,
    fault: &dyn Fn(String) -> Diagnostic,
) -> Result<Vec<String>, Diagnostic> {
    if let Some(command) = &service.command {
        return Ok(command.clone());
    }
    let mut command = family.command.clone();
    for setting in &service.settings {
        for template in &family.setting_arguments {
            let argument = jinja
                .render_str(template, context! { name => setting.name.as_str(), value => setting.value.value.as_str() })
                .map_err(|error| fault(format!("the setting `{}` does not render: {error}", setting.name)))?;
            command.push(argument);
        }
    }
    Ok(command)
}

fn volumes(
    service: &Service,
    family: &Family,
    data_major: Option<u64>,
    port: u16,
    scope: &Scope,
    next: &mut NextHead<'_>,
    request: &Request<'_>,
) -> Vec<(VolumeSpec, String)> {
    let version = data_major.map_or_else(String::new, |major| major.to_string());
    let of_image = service.image.as_ref().and_then(|image| request.observed.images.get(&image.value.to_string()));
    // An included app keeps its data in the folders that its image declares.
    let of_image = of_image.map(|image| image.volumes.as_slice()).unwrap_or_default();
    let folders: Vec<(Option<u64>, &str)> = match family.data_folder(service.version.major()) {
        Some(folder) => vec![(None, folder)],
        None => (0..).map(Some).zip(of_image.iter().map(String::as_str)).collect(),
    };
    if folders.is_empty() {
        return Vec::new();
    }
    let parts: Vec<Option<u64>> = folders.iter().map(|(part, _)| *part).collect();
    let entry = next.assign(&service.name, &service.kind, &version, &parts);
    let volume = |name: &String| {
        let role = VolumeRole::Data(Data {
            service: service.name.clone(),
            kind: service.kind.clone(),
            version: version.clone(),
            port: Some(port),
            generation: entry.sequence,
            // Data in several volumes cannot be layered, so the branches share these volumes.
            branch: if parts.len() == 1 { next.branch().to_owned() } else { String::new() },
            ..Data::default()
        });
        VolumeSpec { name: name.clone(), scope: scope.clone(), role, parent_spec: None, unproven: false }
    };
    let volumes = entry.volumes.iter().map(volume);
    volumes.zip(folders).map(|(volume, (_, folder))| (volume, folder.to_owned())).collect()
}

/// Hashes a container's configuration again, after the container was changed.
pub(super) fn rehash(service: &mut DesiredService, identity: &Identity) {
    service.config = config_hashes(&service.container, identity);
    if let ContainerRole::Service(container) = &mut service.container.role {
        container.config = joined(&service.config);
    }
}

/// A keyed hash of each part of a container's configuration.
fn config_hashes(container: &ContainerSpec, identity: &Identity) -> BTreeMap<String, String> {
    let mut parts: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    let mut add = |part: &'static str, bytes: &[u8]| parts.entry(part).or_default().push(bytes.to_vec());
    // The hash leaves the digest out, because the image itself is compared: a container stays if the lock names exactly
    // the image that the container runs.
    let named = ImageRef { digest: None, ..container.image.clone() };
    add("image", named.to_string().as_bytes());
    add("image", container.platform.as_deref().unwrap_or_default().as_bytes());
    for (name, value) in &container.environment {
        add("variables", format!("{name}={}", value.reveal()).as_bytes());
    }
    for argument in &container.command {
        add("settings", argument.as_bytes());
    }
    for file in &container.files {
        add("configuration files", format!("{} {:o}", file.path, file.mode).as_bytes());
        add("configuration files", &file.content.0);
    }
    for mount in &container.mounts {
        add("volumes", format!("{}:{}", mount.volume, mount.target).as_bytes());
    }
    for publish in &container.publish {
        add("port", format!("{}:{}:{}", publish.host_ip, publish.host_port, publish.container_port).as_bytes());
    }
    add("names", container.hostname.as_bytes());
    add("names", container.network.as_bytes());
    for alias in &container.aliases {
        add("names", alias.as_bytes());
    }
    add("stop", container.stop_signal.as_deref().unwrap_or_default().as_bytes());
    let hash = |(part, bytes): (&str, Vec<Vec<u8>>)| {
        let mut all: Vec<&[u8]> = vec![b"config", part.as_bytes()];
        all.extend(bytes.iter().map(Vec::as_slice));
        let mac = identity.key.mac(&all);
        let hex = mac[..6].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        (part.to_owned(), hex)
    };
    parts.into_iter().map(hash).collect()
}

/// The hashes in the form of the label: `files=…,image=…`.
pub(super) fn joined(config: &BTreeMap<String, String>) -> String {
    config.iter().map(|(part, hash)| format!("{part}={hash}")).collect::<Vec<_>>().join(",")
}
