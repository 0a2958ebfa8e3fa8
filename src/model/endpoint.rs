//! How a running service is reached.

use super::Secret;

/// Host, port and login of one running service, as one consumer sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// An address or a host name.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The login; none where the server knows none.
    pub user: Option<String>,
    /// The password; none where production gives none.
    pub password: Option<Secret>,
    /// The database, where the protocol has such a thing.
    pub database: Option<String>,
    /// The virtual host (AMQP).
    pub vhost: Option<String>,
    /// The path to ask (HTTP).
    pub path: Option<String>,
}
