//! The protocols of services.

/// A protocol. Each has one file in `src/protocol/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Postgres' frontend/backend protocol, version 3.
    Postgres,
    /// `MySQL`'s client/server protocol, version 10, which `MariaDB` speaks too.
    Mysql,
    /// RESP.
    Redis,
    /// AMQP 0-9-1.
    Amqp,
    /// Memcached's text protocol.
    Memcached,
    /// An HTTP request that is answered with a status below 500.
    Http,
    /// A connection that is accepted and stays open.
    Tcp,
}

impl Protocol {
    /// Whether devenv creates logins and databases by statements, with its own administrator's login.
    pub fn has_administrator(self) -> bool {
        matches!(self, Self::Postgres | Self::Mysql)
    }

    /// Whether a login can have more rights than those on its own databases or virtual hosts.
    pub fn has_rights(self) -> bool {
        matches!(self, Self::Postgres | Self::Mysql | Self::Amqp)
    }
}
