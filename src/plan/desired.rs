//! The desired state for a stack: its services, the volumes that they have, and the data with which these begin.

use super::data::heads::NextHead;
use super::data::layers::layered;
use super::service::services;
use super::types::{Desired, DesiredService, Request, Transition};
use crate::model::{Data, Diagnostic, Scope, Service, Stack, VolumeRole, VolumeSpec};

/// Decides the desired state. The errors are mistakes in a kind's file, or versions that a kind's templates cannot use.
pub fn desired(stack: &Stack, request: &Request<'_>) -> Result<Desired, Vec<Diagnostic>> {
    let identity = request.identity;
    let scope = identity.scope();
    let mut next = NextHead::of(request);
    let (services, taken) = services(stack, request, &mut |service, version, port, parts| {
        volumes(service, version, port, parts, &scope, &mut next)
    })?;
    let declared = |name: &str| stack.services.iter().find(|service| service.name == name);
    let services = services.into_iter().filter_map(|wanted| {
        let from = next.parent_of(&wanted.name, wanted.data());
        let service = declared(&wanted.name)?;
        Some(with_marks(layered(wanted, from.as_deref(), service, request), request))
    });
    let services: Vec<DesiredService> = services.collect();
    let transition = Transition::to(next.without_requests_for_others().finish(), &services, identity, request.observed);
    Ok(Desired { environment: identity.name.clone(), scope, services, taken, transition })
}

/// The volumes that the next head names for a service.
fn volumes(
    service: &Service,
    version: &str,
    port: u16,
    parts: &[Option<u64>],
    scope: &Scope,
    next: &mut NextHead<'_>,
) -> Vec<VolumeSpec> {
    let entry = next.assign(&service.name, &service.kind, version, parts);
    let volume = |name: &String| {
        let role = VolumeRole::Data(Data {
            service: service.name.clone(),
            kind: service.kind.clone(),
            version: version.to_owned(),
            port: Some(port),
            generation: entry.sequence,
            // Data in several volumes cannot be layered, so the branches share these volumes.
            branch: if parts.len() == 1 { next.branch().to_owned() } else { String::new() },
            ..Data::default()
        });
        VolumeSpec { name: name.clone(), scope: scope.clone(), role, parent_spec: None, unproven: false }
    };
    entry.volumes.iter().map(volume).collect()
}

/// Marks the volumes that their server has to initialise: until its first login they may be incomplete.
fn with_marks(mut wanted: DesiredService, request: &Request<'_>) -> DesiredService {
    // A server without an administrator does not initialise an empty folder, so its data cannot be incomplete.
    let initialises = wanted.admin.is_some();
    for volume in &mut wanted.volumes {
        let is_new = request.observed.volume(&volume.name).is_none();
        let is_initialised = initialises && is_new && volume.parent_spec.is_none();
        volume.unproven = is_initialised || request.observed.is_unproven(&volume.name);
    }
    wanted
}
