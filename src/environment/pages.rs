//! Management pages of what runs, and who may log in there.

use crate::manifest::Reading;
use crate::model::{Container, Rights};
use serde_json::{Value, json};

/// A server's management page.
pub(crate) struct Page {
    /// The service.
    pub(crate) service: String,
    /// Where it is.
    pub(crate) url: String,
    /// The apps' logins that may use it.
    pub(crate) logins: Vec<String>,
}

impl Page {
    /// As a line of `devenv status`.
    pub(crate) fn line(&self) -> String {
        let (service, url) = (&self.service, &self.url);
        match self.logins.as_slice() {
            [] => format!("management page of {service}: {url} (no login of an app may use it)"),
            logins => {
                format!("management page of {service}: {url} as {}, by `devenv url {service}`", logins.join(", "))
            }
        }
    }

    /// As `--json` has it.
    pub(crate) fn json(&self) -> Value {
        json!({"url": self.url, "logins": self.logins})
    }
}

/// The pages of the containers whose services' kinds have one, where it is published.
pub(crate) fn pages(reading: &Reading, containers: &[&Container]) -> Vec<Page> {
    let page = |container: &&Container| {
        let service = reading.stack.service(container.service())?;
        let port = reading.kinds.get(&service.kind)?.management.as_ref()?.port;
        let publish = container.publish.iter().find(|publish| publish.container_port == port)?;
        let users = service.users.iter().filter(|user| user.rights >= Some(Rights::Master));
        Some(Page {
            service: service.name.clone(),
            url: format!("http://{}:{}/", publish.host_ip, publish.host_port),
            logins: users.map(|user| user.name.value.clone()).collect(),
        })
    };
    containers.iter().filter_map(page).collect()
}
