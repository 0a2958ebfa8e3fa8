//! Laravel: `.env.example`, from which every developer's `.env` is copied, and a literal in `config/database.php`.

use super::{Role, Settings, StandIn, plain};
use crate::manifest::read::env_file::{self, Entry, Format};
use crate::model::{Located, SourceFile};
use std::path::Path;
use std::sync::Arc;

/// A variable that chooses a driver.
struct Driver {
    /// Its names, the newest first.
    names: &'static [&'static str],
    role: Role,
    stand_ins: &'static [&'static str],
    source: &'static str,
}

const DRIVERS: &[Driver] = &[
    Driver {
        names: &["DB_CONNECTION"],
        role: Role::Database,
        stand_ins: &["sqlite"],
        source: "https://laravel.com/docs/database#configuration",
    },
    Driver {
        names: &["CACHE_STORE", "CACHE_DRIVER"],
        role: Role::Cache,
        stand_ins: &["array", "file", "null"],
        source: "https://laravel.com/docs/cache#configuration",
    },
    Driver {
        names: &["SESSION_DRIVER"],
        role: Role::Cache,
        stand_ins: &["array", "file"],
        source: "https://laravel.com/docs/session#configuration",
    },
    Driver {
        names: &["QUEUE_CONNECTION", "QUEUE_DRIVER"],
        role: Role::Queue,
        stand_ins: &["sync", "null"],
        source: "https://laravel.com/docs/queues#connections-vs-queues",
    },
];

/// Drivers that need a service other than the database.
const SERVICES: &[&str] = &["redis", "memcached", "rabbitmq", "sqs", "beanstalkd"];

pub(super) fn stand_ins(settings: &mut Settings<'_>) -> Vec<StandIn> {
    let mut found = Vec::new();
    for path in settings.files(&["artisan", "*/artisan", "*/*/artisan"]) {
        let folder = path.parent().unwrap_or(Path::new(""));
        if let Some(source) = settings.read(folder.join(".env.example")) {
            found.extend(in_example(&source, settings));
        }
        found.extend(settings.read(folder.join("config/database.php")).and_then(|source| in_php(&source)));
    }
    found
}

fn in_example(source: &Arc<SourceFile>, settings: &Settings<'_>) -> Vec<StandIn> {
    let (entries, _) = env_file::read(source, Format::Compose, &|_| None, &settings.beside.project.budget);
    let text = |entry: &Entry| entry.value.as_ref().map(|value| value.text.clone()).unwrap_or_default();
    let of = |driver: &Driver| driver.names.iter().find_map(|name| entries.iter().find(|entry| entry.name == *name));
    let uses_service = DRIVERS.iter().filter_map(of).any(|entry| SERVICES.contains(&text(entry).as_str()));
    let stands_in = |driver: &Driver| {
        let entry = of(driver)?;
        let value = text(entry);
        if !driver.stand_ins.contains(&value.as_str()) {
            return None;
        }
        let in_production = driver.names.iter().find_map(|name| plain(settings.stack, name));
        let differs = match (in_production, driver.role) {
            (Some(production), _) => !driver.stand_ins.contains(&production) && production != "database",
            (None, Role::Database) => true,
            // Production does not say which role its service has. If development uses no service for any role, every
            // stand-in except that for sessions counts.
            (None, _) => !uses_service && driver.names != ["SESSION_DRIVER"],
        };
        differs.then(|| StandIn {
            framework: "Laravel",
            role: driver.role,
            value: Located::new(format!("{}={value}", entry.name), entry.origin.clone()),
            instead: "set production's driver there; the service is at `{variable}` in .env",
            source: driver.source,
        })
    };
    DRIVERS.iter().filter_map(stands_in).collect()
}

/// Reads `'default' => 'sqlite'`, which no variable can change.
fn in_php(source: &Arc<SourceFile>) -> Option<StandIn> {
    let line = source.text.lines().map(str::trim).find(|line| line.starts_with("'default'"))?;
    let value = line.strip_prefix("'default'")?.trim_start().strip_prefix("=>")?.trim();
    let text = value.trim_end_matches(',').strip_prefix('\'')?.strip_suffix('\'')?;
    (text == "sqlite").then(|| StandIn {
        framework: "Laravel",
        role: Role::Database,
        value: Located::new(text.to_owned(), crate::manifest::read::place::place(source, text)),
        instead: "let the variable decide: `env('DB_CONNECTION')`, and set production's driver",
        source: DRIVERS[0].source,
    })
}
