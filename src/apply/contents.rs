//! Counts the content of a running server: rows of each table, keys, messages of each queue. The server's own client in
//! its container counts, in a read-only transaction if the server has transactions.

use crate::docker::{Engine, EngineError, ExecRequest, Streams};
use crate::model::{Diagnostic, Exit, Failure, Protocol};
use crate::plan::DesiredService;
use futures_util::stream;
use std::collections::BTreeMap;

/// Counts the rows of every table exactly, in every database that allows connections.
const POSTGRES: &str = r#"
for database in $(psql -XAtc "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"); do
psql -XAtq -F '	' -v ON_ERROR_STOP=1 -d "$database" <<'SQL' || exit 1
BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT format('SELECT %L, count(*) FROM %I.%I', current_database() || '.' || n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1 \gexec
COMMIT;
SQL
done"#;

const MYSQL: &str = r#"
client="$(command -v mariadb || command -v mysql)"
"$client" --user="$DEVENV_USER" --skip-column-names --raw --execute="SELECT CONCAT('SELECT ', QUOTE(CONCAT(table_schema, '.', table_name)), ', COUNT(*) FROM \`', table_schema, '\`.\`', table_name, '\`;') FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema') ORDER BY 1" |
{ echo 'START TRANSACTION READ ONLY;'; cat; } | "$client" --user="$DEVENV_USER" --skip-column-names --raw"#;

const REDIS: &str = r#"
client="$(command -v redis-cli || command -v valkey-cli)"
"$client" INFO keyspace | sed -n 's/^\(db[0-9]*\):keys=\([0-9]*\),.*/keys of \1	\2/p'"#;

const RABBITMQ: &str = r#"
rabbitmqctl -q list_vhosts --no-table-headers name | while read -r vhost; do
rabbitmqctl -q list_queues -p "$vhost" --no-table-headers name messages | sed "s|^|$vhost/|"
done"#;

/// The counts of a service by name. Empty for a service that keeps no data or cannot report its content.
pub async fn contents(engine: &Engine, service: &DesiredService) -> Result<BTreeMap<String, u64>, Failure> {
    let script = match service.protocol {
        Protocol::Postgres => POSTGRES,
        Protocol::Mysql => MYSQL,
        Protocol::Redis => REDIS,
        Protocol::Amqp => RABBITMQ,
        Protocol::Memcached | Protocol::Http | Protocol::Tcp => return Ok(BTreeMap::new()),
    };
    let request = ExecRequest {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        environment: service.shell_environments[1].clone(),
        tty: false,
    };
    let (mut said, mut faults) = (Vec::new(), Vec::new());
    let streams = Streams { input: stream::empty(), output: &mut said, error: &mut faults, sizes: stream::pending() };
    let code = engine.exec(&service.container.name, &request, streams).await.map_err(EngineError::into_failure)?;
    let failed = |why: &str| {
        let diagnostic = Diagnostic::error("contents", format!("{} does not report its content", service.name));
        let diagnostic = why.lines().take(5).fold(diagnostic, |diagnostic, line| diagnostic.because(line.to_owned()));
        Failure::new(Exit::Failed, diagnostic.help(format!("`devenv logs {}` may tell more", service.name)))
    };
    if code != 0 {
        return Err(failed(String::from_utf8_lossy(&faults).trim()));
    }
    let said = String::from_utf8_lossy(&said);
    let lines = said.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let (name, count) = line.rsplit_once('\t').ok_or_else(|| failed(line))?;
        Ok((name.to_owned(), count.trim().parse().map_err(|_| failed(line))?))
    });
    lines.collect()
}
