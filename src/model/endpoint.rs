//! The address and the login of a running service.

use super::Secret;

/// Host, port and login of one running service, as one consumer (an app or devenv) uses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// An address or a host name.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The login; none if the server has no logins.
    pub user: Option<String>,
    /// The password; none if production sets no password.
    pub password: Option<Secret>,
    /// The database, if the protocol has databases.
    pub database: Option<String>,
    /// The virtual host (AMQP).
    pub vhost: Option<String>,
    /// The path of the request (HTTP).
    pub path: Option<String>,
}
