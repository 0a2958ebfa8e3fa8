//! Services of images that no kind knows, when the user includes them.
//!
//! Such a service is proven by a connection or an HTTP answer only, and is always reported as approximated.

use super::expect::Expect;
use super::tree::Node;
use crate::model::{Diagnostic, Located, Service, Support};

/// The kind of a service that is proven by a connection.
pub(crate) const TCP: &str = "generic";
/// The kind of a service that is proven by an HTTP answer.
pub(crate) const HTTP: &str = "generic-http";

/// The keys by which a generic service is described.
pub(crate) const KEYS: &[&str] = &["port", "protocol", "path"];

/// What the user says about a service of a generic kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generic {
    /// The port its server listens on, inside the container.
    pub(crate) port: u16,
    /// [`TCP`] or [`HTTP`].
    pub(crate) kind: &'static str,
    /// The path to ask.
    pub(crate) path: Option<String>,
}

impl Generic {
    /// Tells a service how it is reached and proven.
    pub(crate) fn describe(&self, service: &mut Service) {
        service.container_port = Some(self.port);
        service.probe_path.clone_from(&self.path);
        service.support = Support::Approximated;
    }
}

/// Whether a kind's name is one of the generic ones.
pub(crate) fn is_generic(kind: &str) -> bool {
    kind == TCP || kind == HTTP
}

/// Reads port, protocol and path of a service; the port has to be there.
pub(crate) fn read(node: &Node, service: &Located<String>, expect: &mut Expect) -> Option<Generic> {
    let name = &service.value;
    let Some(port) = node.get("port") else {
        expect.diagnostics.push(
            Diagnostic::error("generic-port", format!("nothing says which port `{name}` listens on"))
                .at(&service.origin, "of no known kind, so it has to be said")
                .help(format!("add it: `{name}: {{port: 8080, protocol: http}}`")),
        );
        return None;
    };
    let port = expect.port(port, &format!("the port of `{name}`"))?;
    let path = node.get("path").and_then(|path| expect.text(path, &format!("the path of `{name}`")));
    let said = node.get("protocol").and_then(|node| expect.text(node, &format!("the protocol of `{name}`")));
    let kind = match said.as_ref().map(|said| said.value.as_str()) {
        None if path.is_some() => HTTP,
        Some("http") => HTTP,
        None | Some("tcp") => TCP,
        Some(other) => {
            expect.diagnostics.extend(said.as_ref().map(|said| {
                Diagnostic::error("generic-protocol", format!("`{other}` is no protocol of an image of no known kind"))
                    .at(&said.origin, "not known here")
                    .help("use `http` (asked at `path`) or `tcp` (connected to)")
            }));
            return None;
        }
    };
    Some(Generic { port: port.value, kind, path: path.map(|path| path.value) })
}
