//! One service as it should run: its container with every name, port, password, file and argument.

use super::logins::{Login, Logins};
use super::ports::{PortTaken, Ports, own_address};
use super::types::{DesiredService, Request};
use super::{Identity, names};
use crate::kinds::{FIELD_FUEL, FILE_FUEL, Family, Kind, Kinds, templates};
use crate::model::{
    ContainerRole, ContainerSpec, Diagnostic, Endpoint, File, FileContent, ImageRef, Mount, Publish, Scope, Secret,
    Service, ServiceContainer, Stack, VolumeSpec,
};
use minijinja::{Environment, context};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Decides the volumes of a service: from its declaration, the major version of its data, its port, and the numbers of
/// the folders in which it keeps data.
pub(super) type VolumesOf<'v> = &'v mut dyn FnMut(&Service, &str, u16, &[Option<u64>]) -> Vec<VolumeSpec>;

/// The services of a stack, and the ports that the user set and that are in use. The errors are mistakes in a kind's
/// file, or versions that a kind's templates cannot use.
pub(super) fn services(
    stack: &Stack,
    request: &Request<'_>,
    volumes_of: VolumesOf<'_>,
) -> Result<(Vec<DesiredService>, Vec<PortTaken>), Vec<Diagnostic>> {
    let scope = request.identity.scope();
    let mut ports = Ports::new(request.identity, request.observed, request.is_free, request.fixed_ports);
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
        match desired_service(service, address, management, &scope, volumes_of, request) {
            Ok(wanted) => services.push(wanted),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok((services, taken)) } else { Err(faults) }
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
    volumes_of: VolumesOf<'_>,
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
    let folders = folders(service, family, request);
    let version = data_major.map_or_else(String::new, |major| major.to_string());
    let parts: Vec<Option<u64>> = folders.iter().map(|(part, _)| *part).collect();
    let volumes = if parts.is_empty() { Vec::new() } else { volumes_of(service, &version, port, &parts) };
    let volumes: Vec<(VolumeSpec, String)> =
        volumes.into_iter().zip(folders).map(|(one, (_, folder))| (one, folder)).collect();
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

/// The folders in which a service keeps data, numbered if the image declares several folders.
fn folders(service: &Service, family: &Family, request: &Request<'_>) -> Vec<(Option<u64>, String)> {
    if let Some(folder) = family.data_folder(service.version.major()) {
        return vec![(None, folder.to_owned())];
    }
    // An included app keeps its data in the folders that its image declares.
    let of_image = service.image.as_ref().and_then(|image| request.observed.images.get(&image.value.to_string()));
    let of_image = of_image.map(|image| image.volumes.as_slice()).unwrap_or_default();
    (0..).map(Some).zip(of_image.iter().cloned()).collect()
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
