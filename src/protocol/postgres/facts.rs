//! The facts of a Postgres server, read in one session and one read-only transaction.
//!
//! Only catalogues are read, never a table of the user. The login sets no options, because poolers refuse them; the
//! options here are set for the transaction, which is rolled back.

use super::reconcile::rows;
use super::refusal::Refusal;
use super::{LIMIT_OF_LISTS, Session, drive, login_over};
use crate::model::{Endpoint, Protocol, ServiceFacts};
use crate::protocol::facts::{note, nothing_yet};
use crate::protocol::{ProbeError, Tls};
use tokio_postgres::Client;

/// Time limits, so that devenv does not keep a stuck server busy.
const BEGIN: &str = "BEGIN TRANSACTION READ ONLY; \
    SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '1s'; SET LOCAL search_path = pg_catalog";

/// The built-in role that reads every setting and writes nothing, if the login may become a member of it.
const READER: &str = "SELECT pg_catalog.pg_has_role('pg_read_all_settings', 'MEMBER')";

/// Settings with their value outside this session and their built-in default: those that differ from the default, that
/// a user set, or that matter most. Excluded are values that the build decides, places of files and sockets, and
/// settings that could hold a secret; placeholders (`app.jwt_secret`) are the user's own data.
const SETTINGS: &str = r"
    SELECT lower(name), CASE WHEN source = 'session' THEN reset_val || coalesce(unit, '') ELSE current_setting(name) END,
        boot_val || CASE WHEN boot_val ~ '^-' THEN '' ELSE coalesce('*' || unit, '') END
    FROM pg_settings
    WHERE (reset_val IS DISTINCT FROM boot_val OR source NOT IN ('default', 'override', 'session')
        OR lower(name) IN ('max_connections', 'timezone', 'shared_buffers', 'work_mem', 'statement_timeout',
            'default_transaction_isolation', 'datestyle', 'wal_level'))
      AND source <> 'client'
      AND category <> 'Preset Options'
      AND NOT (boot_val IS NULL AND category = 'Customized Options')
      AND name !~* '(passw|secret|token|credential|conninfo|_command$|_file$|_dir$|directory|directories|(^|[._])key($|[._]))'
      AND name !~* '^(transaction_|krb_|unix_socket_|ssl_|log_filename$|bonjour|event_source$)'
      AND lower(name) NOT IN ('port', 'listen_addresses', 'cluster_name', 'application_name', 'client_encoding',
          'is_superuser', 'session_authorization', 'role', 'in_hot_standby', 'primary_slot_name', 'server_encoding',
          'dynamic_library_path', 'search_path', 'lc_collate', 'lc_ctype')
    ORDER BY 1";

/// Settings that only `pg_read_all_settings` sees.
const HIDDEN: [&str; 2] = ["shared_preload_libraries", "session_preload_libraries"];

/// Returns a query for the database of the login. Later releases know more about locales.
fn database(major: u32) -> String {
    let provider = "CASE datlocprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' END";
    let (provider, locale, version) = match major {
        ..15 => ("'libc'", "NULL", "NULL"),
        15..17 => (provider, "daticulocale", "datcollversion"),
        _ => (provider, "datlocale", "datcollversion"),
    };
    format!(
        "SELECT datname, pg_encoding_to_char(encoding), datcollate, datctype, {provider}, {locale}, {version}
         FROM pg_database WHERE datname = current_database()"
    )
}

const FIELDS: [&str; 7] = ["name", "encoding", "collation", "ctype", "provider", "locale", "collation_version"];

const EXTENSIONS: &str = "SELECT extname, extversion FROM pg_extension ORDER BY 1";

const DATABASES: &str = "SELECT datname, pg_encoding_to_char(encoding) FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1";

const ROLES: &str = r"
    SELECT rolname, concat_ws(', ', CASE WHEN rolcanlogin THEN 'login' ELSE 'group' END,
        CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolcreatedb THEN 'createdb' END,
        CASE WHEN rolcreaterole THEN 'createrole' END, CASE WHEN rolreplication THEN 'replication' END)
    FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1";

/// Asks the endpoint's database for the facts.
pub(in crate::protocol) async fn facts(endpoint: &Endpoint, tls: &Tls) -> Result<ServiceFacts, ProbeError> {
    let Session { client, connection, version } =
        login_over(endpoint, tls, LIMIT_OF_LISTS, "").await.map_err(Refusal::into_error)?;
    drive(connection, async move { ask(&client, &version).await }).await
}

async fn ask(client: &Client, version: &str) -> Result<ServiceFacts, ProbeError> {
    let mut facts = nothing_yet(Protocol::Postgres, "PostgreSQL", Some(version.to_owned()));
    let asked = async {
        client.batch_execute(BEGIN).await?;
        let reads_all = rows(client, READER).await?.concat() == ["t"];
        if reads_all {
            client.batch_execute("SET LOCAL ROLE pg_read_all_settings").await?;
        } else {
            for name in HIDDEN {
                let why = "only members of pg_read_all_settings see it, and this login is none".to_owned();
                facts.not_asked.insert(format!("settings/{name}"), why);
            }
        }
        let major = super::reconcile::major(version);
        let settings = rows(client, SETTINGS).await?;
        let defaults = settings.iter().filter_map(|row| Some((row.first()?.clone(), default_value(row.get(2)?))));
        note(&mut facts, "defaults", Ok(defaults.collect::<Vec<_>>()));
        note(&mut facts, "settings", Ok(pairs(settings)));
        let database = rows(client, &database(major)).await?.concat();
        let fields = FIELDS.iter().zip(database).filter(|(_, value)| !value.is_empty());
        note(&mut facts, "database", Ok(fields.map(|(field, value)| ((*field).to_owned(), value))));
        note(&mut facts, "extensions", Ok(pairs(rows(client, EXTENSIONS).await?)));
        note(&mut facts, "databases", Ok(pairs(rows(client, DATABASES).await?)));
        note(&mut facts, "image", Ok(built_on(&rows(client, "SELECT version()").await?.concat().concat())));
        note(&mut facts, "roles", Ok(pairs(rows(client, ROLES).await?)));
        client.batch_execute("ROLLBACK").await?;
        Ok::<_, Refusal>(())
    };
    asked.await.map_err(Refusal::into_error)?;
    Ok(facts)
}

/// Returns the base that the server reports in its version text: the C library of its target, the distribution of its
/// package or compiler.
fn built_on(version: &str) -> Vec<(String, String)> {
    let libc = [("-musl", "musl"), ("linux-gnu", "glibc")].into_iter().find(|(word, _)| version.contains(word));
    let release = ["13", "12", "11", "10"]
        .into_iter()
        .find(|release| version.contains(&format!("+deb{release}u")) || version.contains(&format!(".pgdg{release}0+")));
    let base = match release {
        Some(release) => Some(format!("Debian {release}")),
        None => ["Alpine", "Debian", "Ubuntu", "Red Hat"]
            .into_iter()
            .find(|name| version.contains(&format!("({name} ")))
            .map(str::to_owned),
    };
    let libc = libc.map(|(_, libc)| ("libc".to_owned(), libc.to_owned()));
    base.map(|base| ("base".to_owned(), base)).into_iter().chain(libc).collect()
}

/// A default with its unit: `16384*8kB` is `131072kB`, `100*ms` is `100ms`.
fn default_value(reported: &str) -> String {
    let Some((number, unit)) = reported.split_once('*') else { return reported.to_owned() };
    let kilobytes = unit.strip_suffix("kB").and_then(|size| size.parse::<u64>().ok());
    match (kilobytes, number.parse::<u64>()) {
        (Some(size), Ok(count)) => format!("{}kB", size.saturating_mul(count)),
        _ => format!("{number}{unit}"),
    }
}

fn pairs(rows: Vec<Vec<String>>) -> impl Iterator<Item = (String, String)> {
    rows.into_iter().filter_map(|row| {
        let mut row = row.into_iter();
        Some((row.next()?, row.next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_reports_its_base() {
        let of = |version: &str| {
            let found = built_on(version);
            found.into_iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
        };
        for (version, built) in [
            (
                "PostgreSQL 16.4 (Debian 16.4-1.pgdg120+2) on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14) 12.2.0, 64-bit",
                "base Debian 12, libc glibc",
            ),
            (
                "PostgreSQL 16.4 on x86_64-pc-linux-musl, compiled by gcc (Alpine 13.2.1_git20240309) 13.2.1 20240309, 64-bit",
                "base Alpine, libc musl",
            ),
            (
                "PostgreSQL 16.3 on aarch64-unknown-linux-gnu, compiled by gcc (GCC) 7.3.1 20180712 (Red Hat 7.3.1-6), 64-bit",
                "base Red Hat, libc glibc",
            ),
            ("PostgreSQL 16.3 on aarch64-apple-darwin23, compiled by clang", ""),
        ] {
            assert_eq!(of(version), built, "{version}");
        }
    }

    #[test]
    fn a_default_is_reported_with_its_unit() {
        for (reported, default) in
            [("16384*8kB", "131072kB"), ("0*ms", "0ms"), ("4096*kB", "4096kB"), ("-1", "-1"), ("a*b", "ab")]
        {
            assert_eq!(default_value(reported), default, "{reported}");
        }
    }
}
