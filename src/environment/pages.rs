//! Management pages of the running servers, and the logins that may use them.

use crate::manifest::Reading;
use crate::model::{Container, Rights};
use serde_json::{Value, json};

/// A server's management page.
pub(crate) struct Page {
    /// The service.
    pub(crate) service: String,
    /// The address of the page.
    pub(crate) url: String,
    /// The apps' logins that may use the page.
    pub(crate) logins: Vec<String>,
}

impl Page {
    /// A line for `devenv status`.
    pub(crate) fn line(&self) -> String {
        let (service, url) = (&self.service, &self.url);
        match self.logins.as_slice() {
            [] => format!("management page of {service}: {url} (no login of an app may use it)"),
            logins => {
                let logins = logins.join(", ");
                format!(
                    "management page of {service}: {url} (login: {logins}; `devenv url {service}` shows the password)"
                )
            }
        }
    }

    /// The JSON for `--json`.
    pub(crate) fn json(&self) -> Value {
        json!({"url": self.url, "logins": self.logins})
    }
}

/// The management pages of these containers, if the service's kind has such a page and its port is published.
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
