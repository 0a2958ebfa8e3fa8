//! Kinds for images that no kind knows, made for one service when the user includes it.
//!
//! Such a service is proven by a connection or an HTTP answer only, and is always reported as approximated.

use super::expect::Expect;
use super::tree::Node;
use crate::kinds::Kinds;
use crate::model::{Diagnostic, Located};
use serde_json::json;

/// What the user says about a service of the generic kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generic {
    /// The port its server listens on, inside the container.
    pub(crate) port: Located<u16>,
    /// Whether it speaks HTTP; else only a connection proves it.
    pub(crate) http: bool,
    /// The path to ask.
    pub(crate) path: String,
}

/// The keys by which a generic service is described.
pub(crate) const KEYS: &[&str] = &["port", "protocol", "path"];

/// The name of the kind that stands for a service.
pub(crate) fn kind_name(service: &str) -> String {
    format!("generic-{service}")
}

/// Reads port, protocol and path of a service; the port has to be there.
pub(crate) fn read(node: &Node, service: &Located<String>, expect: &mut Expect) -> Option<Generic> {
    let name = &service.value;
    let port = match node.get("port") {
        Some(port) => expect.port(port, &format!("the port of `{name}`"))?,
        None => {
            expect.diagnostics.push(
                Diagnostic::error("generic-port", format!("nothing says which port `{name}` listens on"))
                    .at(&service.origin, "of no known kind, so it has to be said")
                    .help(format!("add it: `{name}: {{port: 8080, protocol: http}}`")),
            );
            return None;
        }
    };
    let path = node.get("path").and_then(|path| expect.text(path, &format!("the path of `{name}`")));
    let protocol = node.get("protocol").and_then(|node| expect.text(node, &format!("the protocol of `{name}`")));
    let http = match protocol.as_ref().map(|protocol| protocol.value.as_str()) {
        None => path.is_some(),
        Some("http") => true,
        Some("tcp") => false,
        Some(other) => {
            let origin = &protocol.as_ref()?.origin;
            expect.diagnostics.push(
                Diagnostic::error("generic-protocol", format!("`{other}` is no protocol of an image of no known kind"))
                    .at(origin, "not known here")
                    .help("use `http` (asked at `path`) or `tcp` (connected to)"),
            );
            return None;
        }
    };
    let path = path.map_or_else(|| "/".to_owned(), |path| path.value);
    Some(Generic { port, http, path })
}

/// Adds the kind for a service and returns its name.
pub(crate) fn declare(kinds: &mut Kinds, service: &str, generic: &Generic) -> Result<String, Box<Diagnostic>> {
    let name = kind_name(service);
    let mut fields = json!({"host": "{{ host }}", "port": "{{ port }}"});
    if generic.http {
        fields["url"] = json!("http://{{ host }}:{{ port }}");
    }
    let proof = if generic.http { "it answers HTTP" } else { "it takes a connection" };
    let kind = json!({
        "name": name,
        "title": service,
        "protocol": if generic.http { "http" } else { "tcp" },
        "image": "docker.io/library/scratch",
        "port": generic.port.value,
        "exact_parts": [[0, 3]],
        "support": "approximated",
        "note": format!("of no known kind: {proof} is all that is proven"),
        "names": [],
        "families": [{"name": "official", "images": [], "passed": ["*"]}],
        "probe_path": generic.path,
        "fields": fields,
        "schemes": if generic.http { json!(["http"]) } else { json!([]) },
    });
    kinds.add("services.local.yaml", &kind.to_string()).map_err(|error| {
        Box::new(
            Diagnostic::error("generic-kind", format!("`{service}` cannot be included"))
                .at(&generic.port.origin, error.message),
        )
    })?;
    Ok(name)
}
