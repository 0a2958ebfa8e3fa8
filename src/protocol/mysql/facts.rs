//! The facts of a `MySQL` or `MariaDB` server, read in one session with read-only transactions.
//!
//! Only the server's own tables are read, never a table of the user. A login sees the databases on which it has rights.

use super::accounts::columns;
use super::refusal::Refusal;
use super::session::Session;
use super::{LIMIT_OF_LISTS, quote::literal};
use crate::model::{Endpoint, Protocol, ServiceFacts};
use crate::protocol::facts::{note, nothing_yet};
use crate::protocol::{ProbeError, Tls};

/// Time limits, so that devenv does not keep a stuck server busy. Each of the two products knows only some of them.
const TIMEOUTS: [&str; 3] = [
    "SET SESSION max_statement_time = 5",
    "SET SESSION max_execution_time = 5000",
    "SET SESSION lock_wait_timeout = 1",
];

/// The settings that matter most; they are always reported.
const ALWAYS: [&str; 8] = [
    "sql_mode",
    "character_set_server",
    "collation_server",
    "time_zone",
    "lower_case_table_names",
    "max_connections",
    "max_allowed_packet",
    "innodb_buffer_pool_size",
];

/// The settings that a user changed; both products also set some by themselves. `MariaDB` knows the default of each
/// setting.
const SETTINGS_OF_MARIADB: &str = "SELECT LOWER(VARIABLE_NAME), GLOBAL_VALUE, DEFAULT_VALUE \
     FROM information_schema.SYSTEM_VARIABLES WHERE GLOBAL_VALUE_ORIGIN IN ('CONFIG', 'COMMAND-LINE', 'SQL') \
     AND NOT GLOBAL_VALUE <=> DEFAULT_VALUE";
const SETTINGS_OF_MYSQL: &str = "SELECT LOWER(VARIABLE_NAME), VARIABLE_VALUE \
     FROM performance_schema.variables_info JOIN performance_schema.global_variables USING (VARIABLE_NAME) \
     WHERE VARIABLE_SOURCE <> 'COMPILED' AND NOT (VARIABLE_SOURCE = 'DYNAMIC' AND SET_USER IS NULL)";

const DATABASES: &str = "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME \
     FROM information_schema.SCHEMATA \
     WHERE SCHEMA_NAME NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')";

/// Plugins by the library that they are loaded from, which is their name in `plugin_load_add` and in a manifest.
const PLUGINS: &str = "SELECT PLUGIN_LIBRARY, PLUGIN_VERSION FROM information_schema.PLUGINS \
     WHERE PLUGIN_STATUS = 'ACTIVE' AND PLUGIN_LIBRARY IS NOT NULL ORDER BY PLUGIN_NAME";

const USERS: &str = "SELECT CONCAT(User, '@', Host) FROM mysql.user WHERE Host <> ''";

const SERVER: &str =
    "SELECT IF(@@GLOBAL.time_zone = 'SYSTEM', @@system_time_zone, @@GLOBAL.time_zone), @@version_comment";

/// Reads the facts with the endpoint's login.
pub(in crate::protocol) async fn facts(endpoint: &Endpoint, tls: &Tls) -> Result<ServiceFacts, ProbeError> {
    let mut session = Session::login_over(endpoint, tls, LIMIT_OF_LISTS).await.map_err(Refusal::into_error)?;
    let facts = ask(&mut session).await;
    session.quit().await;
    facts.map_err(Refusal::into_error)
}

async fn ask(session: &mut Session) -> Result<ServiceFacts, Refusal> {
    session.query("SET SESSION TRANSACTION READ ONLY").await?;
    session.query("SET NAMES utf8mb4").await?;
    for timeout in TIMEOUTS {
        drop(answered(session.query(timeout).await)?);
    }
    let product = if session.is_mariadb() { "MariaDB" } else { "MySQL" };
    let mut facts = nothing_yet(Protocol::Mysql, product, Some(session.version().to_owned()));

    let always: Vec<String> = ALWAYS.iter().map(|name| format!("SELECT {}, @@GLOBAL.{name}", literal(name))).collect();
    let always = columns(session.query(&always.join(" UNION ALL ")).await?);
    note(&mut facts, "settings", Ok(always.map(|[name, value]| (name, value))));
    if session.is_mariadb() {
        let settings: Vec<[String; 3]> = columns(session.query(SETTINGS_OF_MARIADB).await?).collect();
        let settings = || settings.iter().filter(|[name, value, _]| is_reported(name, value));
        note(&mut facts, "settings", Ok(settings().map(|[name, value, _]| (name.clone(), value.clone()))));
        note(&mut facts, "defaults", Ok(settings().map(|[name, _, default]| (name.clone(), default.clone()))));
    } else {
        let settings = answered(session.query(SETTINGS_OF_MYSQL).await)?;
        let settings = settings.map(|rows| columns(rows).filter(|[name, value]| is_reported(name, value)));
        note(&mut facts, "settings", settings.map(|settings| settings.map(|[name, value]| (name, value))));
    }
    let databases = columns(session.query(DATABASES).await?).flat_map(|[name, charset, collation]| {
        [(format!("{name}.charset"), charset), (format!("{name}.collation"), collation)]
    });
    note(&mut facts, "databases", Ok(databases));
    let plugins = columns(session.query(PLUGINS).await?);
    let plugins = plugins.map(|[library, version]| (library.trim_end_matches(".so").to_owned(), version));
    note(&mut facts, "plugins", Ok(plugins));
    let users = answered(session.query(USERS).await)?;
    note(&mut facts, "users", users.map(|rows| columns(rows).map(|[name]| (name, "login".to_owned()))));
    for [time_zone, comment] in columns(session.query(SERVER).await?) {
        let server = [("time_zone".to_owned(), time_zone), ("version_comment".to_owned(), comment)];
        note(&mut facts, "server", Ok(server));
    }
    Ok(facts)
}

/// Keeps a refusal by the server as an answer, which is noted; a broken connection ends the questions.
fn answered<T>(answer: Result<T, Refusal>) -> Result<Result<T, ProbeError>, Refusal> {
    match answer {
        Err(refusal) if !refusal.is_the_servers() => Err(refusal),
        answer => Ok(answer.map_err(Refusal::into_error)),
    }
}

/// Whether a setting is reported. Excluded are paths, addresses of the server, values that only one server can have,
/// positions of progress, and settings that could hold a secret.
fn is_reported(name: &str, value: &str) -> bool {
    const ENDS: [&str; 23] = [
        "dir",
        "directory",
        "datadir",
        "basedir",
        "tmpdir",
        "file",
        "path",
        "basename",
        "port",
        "address",
        "addresses",
        "host",
        "hostname",
        "socket",
        "seeds",
        "networks",
        "password",
        "secret",
        "auth",
        "key",
        "filekey",
        "cert",
        "ca",
    ];
    const NAMES: [&str; 11] = [
        "gtid_executed",
        "gtid_purged",
        "log_bin_index",
        "log_error",
        "relay_log_index",
        "report_user",
        "secure_file_priv",
        "server_id",
        "server_uuid",
        "wsrep_node_name",
        "wsrep_provider_options",
    ];
    let last = name.rsplit(['_', '.']).next().unwrap_or_default();
    let is_path = ["/", "\\", "./", "../"].iter().any(|begin| value.starts_with(begin));
    let is_progress = name.starts_with("gtid_") && ["pos", "state"].contains(&last);
    !ENDS.contains(&last) && !NAMES.contains(&name) && !is_path && !is_progress
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_identities_and_secrets_are_not_reported() {
        for (name, value) in [
            ("datadir", "/var/lib/mysql/"),
            ("innodb_data_home_dir", ""),
            ("pid_file", "x.pid"),
            ("log_bin_basename", "bin"),
            ("mysqlx_port", "33060"),
            ("port", "3306"),
            ("socket", "x.sock"),
            ("report_host", "db1"),
            ("hostname", "db1"),
            ("bind_address", "*"),
            ("wsrep_cluster_address", "gcomm://10.0.0.1"),
            ("wsrep_sst_auth", "root:hush"),
            ("report_password", "hush"),
            ("ssl_key", "server-key.pem"),
            ("ssl_ca", "ca.pem"),
            ("file_key_management_filekey", "hush"),
            ("server_id", "7"),
            ("gtid_slave_pos", "0-1-2"),
            ("gtid_executed", "uuid:1-9"),
            ("something", "/etc/x"),
            ("keyring_vault_config", "./vault.conf"),
        ] {
            assert!(!is_reported(name, value), "{name}");
        }
        for name in [
            "sql_mode",
            "max_connections",
            "time_zone",
            "default_password_lifetime",
            "validate_password.policy",
            "log_bin",
            "innodb_file_per_table",
            "host_cache_size",
            "gtid_mode",
            "innodb_adaptive_hash_index",
            "gtid_strict_mode",
            "transaction_isolation",
        ] {
            assert!(is_reported(name, "1"), "{name}");
        }
    }
}
