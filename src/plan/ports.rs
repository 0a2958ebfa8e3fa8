//! The loopback port on which each service is published.

use super::Identity;
use crate::model::{Container, Located, Observed};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// The range of ports: below the ports that Linux and macOS use for outgoing connections, above most servers' own
/// ports.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// How to treat ports that the user set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixedPorts {
    /// They will be used now, and must be free.
    Claimed,
    /// They are only named, and need not be free now.
    Named,
    /// They belong to another environment. This environment has its own ports.
    Ignored,
}

/// A port that the user set and that is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortTaken {
    /// The port, with the place where it was set.
    pub port: Located<u16>,
    /// The service of the port.
    pub service: String,
}

/// Chooses the port of one service after the other, so that no two services get the same port.
pub(super) struct Ports<'a> {
    identity: &'a Identity,
    observed: &'a Observed,
    is_free: &'a dyn Fn(IpAddr, u16) -> bool,
    fixed: FixedPorts,
    taken: BTreeSet<u16>,
}

impl<'a> Ports<'a> {
    /// `is_free` asks the machine whether a server could listen on a port now.
    pub(super) fn new(
        identity: &'a Identity,
        observed: &'a Observed,
        is_free: &'a dyn Fn(IpAddr, u16) -> bool,
        fixed: FixedPorts,
    ) -> Self {
        let others = observed.containers.iter().filter(|container| container.scope.environment != identity.name);
        let of_containers = others.flat_map(|container| container.publish.iter().map(|publish| publish.host_port));
        let of_volumes = observed
            .volumes
            .iter()
            .filter(|volume| volume.scope.environment != identity.name)
            .filter_map(|volume| volume.data()?.port);
        let taken = of_containers.chain(of_volumes).collect();
        Self { identity, observed, is_free, fixed, taken }
    }

    /// Prevents that ports which the user set are chosen for other services.
    pub(super) fn reserve(&mut self, ports: impl Iterator<Item = u16>) {
        if self.fixed != FixedPorts::Ignored {
            self.taken.extend(ports);
        }
    }

    /// The port of a service: the user's port, else the service's earlier port, else the next free port after its
    /// stable hash.
    pub(super) fn choose(&mut self, service: &str, wanted: Option<&Located<u16>>) -> Result<u16, PortTaken> {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let held = self.held(service);
        if let Some(wanted) = wanted.filter(|_| self.fixed != FixedPorts::Ignored) {
            let ours = held == Some(wanted.value);
            if self.fixed == FixedPorts::Claimed && !ours && !(self.is_free)(loopback, wanted.value) {
                return Err(PortTaken { port: wanted.clone(), service: service.to_owned() });
            }
            self.taken.insert(wanted.value);
            return Ok(wanted.value);
        }
        // The user had set an earlier port outside of the range, and has removed this setting.
        let in_range = |port: &u16| (FIRST..FIRST + COUNT).contains(port);
        let had = held.or_else(|| self.of_volume(service)).filter(in_range);
        Ok(self.next_free(had, held, &format!("port {service}")))
    }

    /// The earlier port, else the next free port after the stable hash of `name`. A port that the service's container
    /// holds counts as free.
    fn next_free(&mut self, had: Option<u16>, held: Option<u16>, name: &str) -> u16 {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let hashed = u16::try_from(self.identity.number(name) % u64::from(COUNT)).unwrap_or_default();
        let candidates = (0..COUNT).map(|step| FIRST + (hashed + step) % COUNT);
        let usable =
            |port: &u16| !self.taken.contains(port) && (held == Some(*port) || (self.is_free)(loopback, *port));
        // If every port of the range is in use, the hashed port is tried anyway, and the engine reports the error.
        let port = had.into_iter().chain(candidates).find(usable).unwrap_or(FIRST + hashed);
        self.taken.insert(port);
        port
    }

    /// The host port for a further port of the service's container: the port that the container holds, else the next
    /// free port after the stable hash.
    pub(super) fn choose_further(&mut self, service: &str, container_port: u16) -> u16 {
        let held = self.container(service).and_then(|container| {
            let further = container.publish.iter().find(|publish| publish.container_port == container_port);
            further.map(|publish| publish.host_port)
        });
        if let Some(port) = held {
            self.taken.insert(port);
            return port;
        }
        self.next_free(None, None, &format!("port {service} {container_port}"))
    }

    /// The port on which the service's container publishes the service now. A paused container holds its port too.
    fn held(&self, service: &str) -> Option<u16> {
        self.container(service)?.runs()?.port
    }

    fn container(&self, service: &str) -> Option<&Container> {
        let holds = |one: &&Container| !matches!(one.state.as_str(), "created" | "exited" | "dead");
        self.observed.containers_of(&self.identity.name).filter(holds).find(|one| one.service() == service)
    }

    fn of_volume(&self, service: &str) -> Option<u16> {
        self.observed.data_of(&self.identity.name).find(|(_, data)| data.service == service)?.1.port
    }
}

/// The environment's own loopback address, 127.88.x.y, for servers that must keep their usual port.
pub(super) fn own_address(identity: &Identity) -> IpAddr {
    let number = identity.number("address");
    let [.., third, fourth] = number.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 88, third, fourth.clamp(1, 254)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Key;
    use crate::model::{ContainerRole, Data, Origin, Publish, ServiceContainer, SourceFile, Volume, VolumeRole};
    use std::path::Path;
    use std::sync::Arc;

    fn identity() -> Identity {
        Identity::of_checkout("shop", Path::new("/a"), Key::from_bytes([7; 32]))
    }

    /// A service's container of this environment.
    fn container(identity: &Identity, state: &str, service: &str, publish: Vec<Publish>) -> Container {
        let runs = ServiceContainer { service: service.into(), port: Some(20123), ..ServiceContainer::default() };
        let (scope, role) = (identity.scope(), ContainerRole::Service(runs));
        Container {
            id: "1".into(),
            name: "c".into(),
            state: state.into(),
            scope,
            role,
            publish,
            ..Container::default()
        }
    }

    #[test]
    fn a_port_is_the_same_each_time_and_no_two_services_share_one() {
        let (identity, observed) = (identity(), Observed::default());
        let choose = || {
            let mut ports = Ports::new(&identity, &observed, &|_, _| true, FixedPorts::Claimed);
            (ports.choose("db", None).unwrap(), ports.choose("cache", None).unwrap())
        };
        assert_eq!(choose(), choose());
        assert_ne!(choose().0, choose().1);
    }

    #[test]
    fn a_port_in_use_is_skipped_and_a_kept_volume_keeps_its_port() {
        let (identity, mut observed) = (identity(), Observed::default());
        let first = Ports::new(&identity, &observed, &|_, _| true, FixedPorts::Claimed).choose("db", None).unwrap();
        let next =
            Ports::new(&identity, &observed, &|_, port| port != first, FixedPorts::Claimed).choose("db", None).unwrap();
        assert_ne!(first, next);
        let data = Data { service: "db".into(), port: Some(20123), ..Data::default() };
        let role = VolumeRole::Data(data);
        observed.volumes.push(Volume { name: "v".into(), scope: identity.scope(), role });
        assert_eq!(
            Ports::new(&identity, &observed, &|_, _| true, FixedPorts::Claimed).choose("db", None).unwrap(),
            20123
        );
    }

    #[test]
    fn a_paused_container_keeps_its_port() {
        let (identity, mut observed) = (identity(), Observed::default());
        let paused = container(&identity, "paused", "db", Vec::new());
        observed.containers.push(paused);
        let choose = || {
            Ports::new(&identity, &observed, &|_, port| port != 20123, FixedPorts::Claimed).choose("db", None).unwrap()
        };
        assert_eq!(choose(), 20123);
    }

    #[test]
    fn a_further_port_is_kept_while_its_container_runs_and_is_never_the_port_of_the_service() {
        let (identity, mut observed) = (identity(), Observed::default());
        let mut ports = Ports::new(&identity, &observed, &|_, _| true, FixedPorts::Claimed);
        let (own, further) = (ports.choose("queue", None).unwrap(), ports.choose_further("queue", 15672));
        assert_ne!(own, further);
        let publish = Publish { container_port: 15672, host_ip: Ipv4Addr::LOCALHOST.into(), host_port: 20124 };
        observed.containers.push(container(&identity, "running", "queue", vec![publish]));
        let mut ports = Ports::new(&identity, &observed, &|_, _| false, FixedPorts::Claimed);
        assert_eq!(ports.choose_further("queue", 15672), 20124);
    }

    #[test]
    fn a_port_that_the_user_set_is_never_replaced() {
        let (identity, observed) = (identity(), Observed::default());
        let file = Arc::new(SourceFile { path: "services.local.yaml".into(), text: String::new() });
        let wanted = Located::new(5432, Origin::start_of(&file));
        let taken = Ports::new(&identity, &observed, &|_, _| false, FixedPorts::Claimed)
            .choose("db", Some(&wanted))
            .unwrap_err();
        assert_eq!(taken.port.value, 5432);
        let choose = |fixed| Ports::new(&identity, &observed, &|_, _| false, fixed).choose("db", Some(&wanted));
        assert_eq!(choose(FixedPorts::Named), Ok(5432));
        assert!(choose(FixedPorts::Ignored).is_ok_and(|port| port != 5432));
    }
}
