//! Services whose image belongs to no known kind, and which the user includes.
//!
//! Such a service is checked only by a connection or an HTTP response, and is always reported as approximated.

use crate::model::{Diagnostic, ImageRef, Located, Origin, Service, Support};
use crate::syntax::expect::Expect;
use crate::syntax::tree::Node;

/// A service that is included.
#[derive(Clone, Debug)]
pub(crate) struct Included {
    /// The place of its `include` entry.
    pub(crate) origin: Origin,
    /// Its port and check; `None` if the kind of its image gives both.
    pub(crate) generic: Option<Generic>,
    /// Its image, if the entry names one.
    pub(crate) image: Option<Located<ImageRef>>,
}

/// The kind of a service that is checked by a connection.
pub(crate) const TCP: &str = "generic";
/// The kind of a service that is checked by an HTTP response.
pub(crate) const HTTP: &str = "generic-http";

/// The keys that describe a generic service.
pub(crate) const KEYS: &[&str] = &["port", "protocol", "path"];

/// The user's description of a service of a generic kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generic {
    /// The port inside the container on which its server listens.
    pub(crate) port: u16,
    /// [`TCP`] or [`HTTP`].
    pub(crate) kind: &'static str,
    /// The path of the HTTP request.
    pub(crate) path: Option<String>,
}

impl Generic {
    /// Sets the port and the check of a service.
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

/// Reads port, protocol and path of a service; the port is required.
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
