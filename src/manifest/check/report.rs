//! The output of `devenv manifest`: a JSON value for machines and lines for people.
//!
//! Neither contains a secret: a variable shows its class, never its value.

use crate::manifest::reading::Reading;
use crate::model::{App, Diagnostic, Origin, Piece, Rights, Service, Support, User, Value, Variable, VersionClass};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// Everything that was read, as `--json` prints it. `more` are further diagnostics, after those of the reading.
pub fn json(reading: &Reading, more: &[Diagnostic]) -> Json {
    let stack = &reading.stack;
    let app =
        |app: &App| json!({"name": app.name, "image": app.image, "note": app.note, "origin": origin(&app.origin)});
    let variable = |variable: &Variable| {
        let first = match &variable.value {
            Value::Bound { template, .. } => template.fields().next().map(|(service, field)| {
                // A URL that is composed of user, password and other fields counts as a URL.
                let in_url = |piece: &Piece| matches!(piece, Piece::Text(text) if text.contains("://"));
                (service, if template.0.iter().any(in_url) { "url" } else { field })
            }),
            _ => None,
        };
        json!({
            "name": variable.name,
            "app": variable.app,
            "service": first.map(|(service, _)| service),
            "field": first.map(|(_, field)| field),
            "value_class": variable.value.class(),
            "origin": origin(&variable.origin),
        })
    };
    json!({
        "project": stack.project,
        "sources": stack.sources,
        "services": stack.services.iter().map(service).collect::<Vec<_>>(),
        "apps": stack.apps.iter().map(app).collect::<Vec<_>>(),
        "variables": stack.variables.iter().map(variable).collect::<Vec<_>>(),
        "diagnostics": reading.diagnostics.iter().chain(more).map(diagnostic).collect::<Vec<_>>(),
    })
}

fn service(service: &Service) -> Json {
    let settings: Map<String, Json> = service
        .settings
        .iter()
        .map(|setting| (setting.name.clone(), Json::String(setting.value.value.clone())))
        .collect();
    json!({
        "name": service.name,
        "kind": service.kind,
        "version": {
            "text": service.version.text,
            "number": service.version.number,
            "class": service.version.class,
        },
        "image": service.image.as_ref().map(|image| image.value.to_string()),
        "settings": settings,
        "databases": service.databases.iter().map(|database| &database.name.value).collect::<Vec<_>>(),
        "users": service.users.iter().map(|user| &user.name.value).filter(|name| !name.is_empty()).collect::<Vec<_>>(),
        "rights": service.users.iter().filter_map(|user| Some((user.name.value.clone(), user.rights?.name()))).collect::<BTreeMap<_, _>>(),
        "vhosts": service.vhosts.iter().map(|vhost| &vhost.value).collect::<Vec<_>>(),
        "extensions": service.extensions.iter().map(|extension| &extension.value).collect::<Vec<_>>(),
        "keys": service.keys.iter().map(|key| json!({"path": key.path, "support": key.support, "note": key.note})).collect::<Vec<_>>(),
        "origin": origin(&service.origin),
        "support": service.support,
        "notes": service.notes,
    })
}

fn origin(origin: &Origin) -> Json {
    json!({"path": origin.path(), "line": origin.line, "column": origin.column})
}

fn diagnostic(diagnostic: &Diagnostic) -> Json {
    json!({
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "origin": diagnostic.origin.as_ref().map(origin),
        "help": diagnostic.help,
    })
}

/// The reading for people, as lines: the files, the services, the keys, the apps that are not started, the variables by
/// class.
pub fn lines(reading: &Reading) -> Vec<String> {
    let stack = &reading.stack;
    let mut rows = Vec::new();
    for service in &stack.services {
        rows.push(service_row(service));
        rows.extend(service.notes.iter().map(|note| vec![String::new(), note.clone()]));
    }
    let mut lines = Vec::new();
    let sources = stack.sources.iter().map(ToString::to_string);
    let sources = sources.collect::<Vec<_>>().join(", ");
    lines.push(format!("production  {}", if sources.is_empty() { "nothing could be read" } else { &sources }));
    lines.push(String::new());
    if rows.is_empty() {
        lines.push("no backing services".to_owned());
    }
    lines.extend(aligned(&rows));
    for support in [Support::Approximated, Support::Unsupported] {
        let keys = keys(reading, support);
        if !keys.is_empty() {
            lines.push(String::new());
            lines.push(carried_out(support).to_owned());
            lines.extend(aligned(&keys));
        }
    }
    let mut foot = Vec::new();
    if stack.services.iter().any(|service| !service.keys.is_empty()) {
        foot.push(vec!["in all".to_owned(), total(reading)]);
    }
    if !stack.apps.is_empty() {
        let named = |app: &App| match app.note.as_str() {
            "" => app.name.clone(),
            note => format!("{} ({note})", app.name),
        };
        foot.push(vec!["not started".to_owned(), stack.apps.iter().map(named).collect::<Vec<_>>().join(", ")]);
    }
    if !stack.variables.is_empty() {
        foot.push(vec!["variables".to_owned(), by_class(reading)]);
    }
    if !foot.is_empty() {
        lines.push(String::new());
        lines.extend(aligned(&foot));
    }
    lines
}

fn service_row(service: &Service) -> Vec<String> {
    let version = match service.version.class {
        VersionClass::Exact | VersionClass::Series => {
            service.version.number.as_deref().unwrap_or(&service.version.text)
        }
        _ => &service.version.text,
    };
    let mut holds = Vec::new();
    let mut hold = |word: &str, names: Vec<&str>| {
        if !names.is_empty() {
            holds.push(format!("{word} {}", names.join(", ")));
        }
    };
    hold("databases", service.databases.iter().map(|database| database.name.value.as_str()).collect());
    let users = service.users.iter().filter(|user| !user.name.value.is_empty()).map(user);
    let users: Vec<String> = users.collect();
    hold("users", users.iter().map(String::as_str).collect());
    hold("vhosts", service.vhosts.iter().map(|vhost| vhost.value.as_str()).collect());
    hold("extensions", service.extensions.iter().map(|extension| extension.value.as_str()).collect());
    hold("settings", service.settings.iter().map(|setting| setting.name.as_str()).collect());
    vec![
        service.name.clone(),
        format!("{} {version}", service.kind).trim_end().to_owned(),
        service.version.class.name().to_owned(),
        format!("{}:{}", service.origin.path().display(), service.origin.line),
        holds.join(" · "),
    ]
}

/// A login, with its rights if it is an administrator.
fn user(user: &User) -> String {
    match user.rights {
        Some(rights) if rights >= Rights::Master => format!("{} ({})", user.name.value, rights.name()),
        _ => user.name.value.clone(),
    }
}

fn carried_out(support: Support) -> &'static str {
    match support {
        Support::Reproduced => "as in production",
        Support::Approximated => "approximated",
        Support::Unsupported => "not carried out",
    }
}

/// The keys with that support: a key that is the same for several services is one row.
fn keys(reading: &Reading, support: Support) -> Vec<Vec<String>> {
    let mut found: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for service in &reading.stack.services {
        for key in service.keys.iter().filter(|key| key.support == support) {
            match found.iter_mut().find(|(path, note, _)| *path == key.path && *note == key.note) {
                Some((_, _, services)) => services.push(&service.name),
                None => found.push((&key.path, &key.note, vec![&service.name])),
            }
        }
    }
    let row = |(path, note, services): (&str, &str, Vec<&str>)| {
        vec![format!("  {path}"), services.join(", "), note.to_owned()]
    };
    found.into_iter().map(row).collect()
}

/// The counts of all declared keys by their support; the counts add up to the total.
fn total(reading: &Reading) -> String {
    let services = reading.stack.services.len();
    let keys = || reading.stack.services.iter().flat_map(|service| &service.keys);
    let count = |support: Support| match keys().filter(|key| key.support == support).count() {
        0 => None,
        count => Some(format!("{count} {}", carried_out(support))),
    };
    let parts = [Support::Reproduced, Support::Approximated, Support::Unsupported].into_iter().filter_map(count);
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let (declared, parts) = (keys().count(), parts.collect::<Vec<_>>().join(", "));
    format!("{declared} key{} of {services} service{}: {parts}", s(declared), s(services))
}

fn by_class(reading: &Reading) -> String {
    // A name that several apps have counts as one variable.
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for variable in &reading.stack.variables {
        names.entry(&variable.name).or_insert_with(|| variable.value.class());
    }
    let count = |class: &str| names.values().filter(|known| **known == class).count();
    let classes = ["plain", "bound", "secret", "environment", "unresolved"].map(|class| (class, count(class)));
    let said = classes.iter().filter(|(_, count)| *count > 0).map(|(class, count)| format!("{count} {class}"));
    said.collect::<Vec<_>>().join(", ")
}

/// The widest cell that sets the width of a column. A wider cell only moves the rest of its own row, so that one long
/// text does not make every line long.
const WIDEST: usize = 200;

/// The text, filled with blanks up to a width. `format!` would limit the width to 65,535.
fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.chars().count())))
}

/// Rows as lines. Columns are two spaces apart and as wide as their widest cell; the last cell of a row does not count.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| column + 1 < row.len()).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).filter(|width| *width <= WIDEST).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| padded(cell, *width));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
