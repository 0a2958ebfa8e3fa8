//! Renders a stack's variables with the endpoints' fields to the entries of an env file.

use crate::dotenv::{Entry, EntryValue, TO_FILL_IN, UserLine};
use crate::model::{Diagnostic, Origin, Piece, SourceFile, Value, Variable};
use crate::plan::{Field, Fields, reach_the_same, render_value};
use std::sync::Arc;

/// The entries to write, the names that are left to the user, and the warnings.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    /// One entry for each name, in the manifests' order.
    pub(crate) entries: Vec<Entry>,
    /// Names whose values the user has to fill in.
    pub(crate) to_fill_in: Vec<String>,
    /// Names that the user's own lines set.
    pub(crate) own_lines: Vec<String>,
    /// Warnings.
    pub(crate) notes: Vec<Diagnostic>,
}

/// The entries of the given variables. A name that the user sets outside the block gets no entry, and is reported.
pub(crate) fn render(
    variables: &[&Variable],
    fields: &Fields,
    user_lines: &[UserLine],
    file: &Arc<SourceFile>,
) -> Rendered {
    let mut rendered = Rendered::default();
    for variable in variables {
        let known = rendered.entries.iter().any(|entry| entry.name == variable.name);
        // As in production: a variable that is only passed through is absent if it is not set, and not empty. The name
        // of production's environment is absent too, because an empty name would still be a name.
        if known || matches!(variable.value, Value::NotPassed | Value::Environment(_)) {
            continue;
        }
        let (value, comment) = value_of(variable, fields);
        if let Some(line) = user_lines.iter().find(|line| line.name == variable.name) {
            if !rendered.own_lines.contains(&line.name) {
                rendered.own_lines.push(line.name.clone());
                rendered.notes.extend(own_line(variable, &value, line, file));
            }
            continue;
        }
        if matches!(value, EntryValue::Empty) {
            rendered.to_fill_in.push(variable.name.clone());
        }
        rendered.entries.push(Entry { name: variable.name.clone(), value, comment });
    }
    rendered
}

fn value_of(variable: &Variable, fields: &Fields) -> (EntryValue, Option<String>) {
    match &variable.value {
        Value::Plain(text) => (EntryValue::Plain(text.clone()), None),
        Value::Bound { template, dropped } => match render_value(template, fields) {
            Ok(Field { text, secret }) => {
                let comment = (!dropped.is_empty())
                    .then(|| format!("production also has {}: a local server offers no TLS", dropped.join(", ")));
                let value =
                    if secret { EntryValue::Secret(crate::model::Secret::new(text)) } else { EntryValue::Plain(text) };
                (value, comment)
            }
            Err(field) => (EntryValue::Empty, Some(format!("{field} is not running here"))),
        },
        Value::Secret(source) => (EntryValue::Empty, Some(format!("{TO_FILL_IN}; production: {source}"))),
        Value::NotPassed | Value::Environment(_) => (EntryValue::Empty, None),
        Value::Unresolved(source) => {
            (EntryValue::Empty, Some(format!("{TO_FILL_IN}; no value is known here: {source}")))
        }
    }
}

/// The warning for a user's own line that decides which server the app reaches.
fn own_line(variable: &Variable, value: &EntryValue, line: &UserLine, file: &Arc<SourceFile>) -> Option<Diagnostic> {
    let origin = Origin { file: Arc::clone(file), line: line.line, column: line.column, length: line.length };
    let name = &line.name;
    let bound = matches!(variable.value, Value::Bound { .. });
    let same = match (line.value.as_ref().map(crate::model::Secret::reveal), value.text()) {
        (Some(own), Some(ours)) => own == ours || reach_the_same(own, ours),
        (own, ours) => own == ours,
    };
    // A line that replaces no proven value needs no warning: it is listed by its name.
    if !bound || same {
        return None;
    }
    let message = format!("`{name}` is set by your own line, which wins; the server that it reaches was not proven");
    Some(
        Diagnostic::warning("own-line-unproven", message)
            .at(&origin, "outside devenv's block")
            .and_at(&variable.origin, "production's value, which devenv binds to a local service")
            .help("remove the line to get the proven value"),
    )
}

/// Replaces devenv's values by the values of the user's own lines. Bound values stay unless `bound_too`: the endpoints
/// of another view, or of an ephemeral environment, are not those of `.env`.
pub(crate) fn put_own_lines(entries: &mut [Entry], variables: &[&Variable], user_lines: &[UserLine], bound_too: bool) {
    for entry in entries {
        let bound = variables.iter().any(|one| one.name == entry.name && matches!(one.value, Value::Bound { .. }));
        let line = user_lines.iter().find(|line| line.name == entry.name).filter(|_| bound_too || !bound);
        if let Some(value) = line.and_then(|line| line.value.clone()) {
            entry.value = EntryValue::Secret(value);
            entry.comment = None;
        }
    }
}

/// The entries before anything runs. Of a bound variable, only the text between the fields is known.
pub(crate) fn without_fields(variables: &[&Variable]) -> Vec<Entry> {
    let text = |variable: &Variable| match &variable.value {
        Value::Plain(text) => text.clone(),
        Value::Bound { template, .. } => {
            let piece = |piece: &Piece| if let Piece::Text(text) = piece { text.clone() } else { "x".to_owned() };
            template.0.iter().map(piece).collect()
        }
        Value::Secret(_) | Value::Unresolved(_) | Value::Environment(_) | Value::NotPassed => String::new(),
    };
    let mut entries: Vec<Entry> = Vec::new();
    for variable in variables {
        if !entries.iter().any(|entry| entry.name == variable.name) {
            let value = EntryValue::Plain(text(variable));
            entries.push(Entry { name: variable.name.clone(), value, comment: None });
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, Request};
    use crate::model::{Endpoint, Secret};
    use crate::plan;
    use std::path::Path;

    /// A variable of a case, rendered with made-up endpoints of every service.
    fn rendered(case: &str, app: &str, name: &str) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests").join(case).join("input");
        let request = Request { folder, folder_is_root: true, ..Request::default() };
        let reading = manifest::read(&request).unwrap();
        let mut fields = plan::Fields::new();
        for (at, service) in reading.stack.services.iter().enumerate() {
            let endpoint = Endpoint {
                host: "127.0.0.1".to_owned(),
                port: 24_000 + u16::try_from(at).unwrap(),
                user: service.users.first().map(|user| user.name.value.clone()),
                password: service.users.first().map(|_| Secret::new("p\"w")),
                database: service.databases.first().map(|database| database.name.value.clone()),
                vhost: service.vhosts.first().map(|vhost| vhost.value.clone()),
                path: None,
            };
            let mut of_service = plan::render_fields(reading.kinds.get(&service.kind).unwrap(), &endpoint).unwrap();
            for user in service.users.iter().map(|user| &user.name.value) {
                of_service.insert(format!("users.{user}.user"), plan::Field::plain(user));
                of_service.insert(format!("users.{user}.password"), plan::Field::plain(format!("of {user}")));
            }
            for database in service.databases.iter().map(|database| &database.name.value) {
                of_service.insert(format!("databases.{database}.database"), plan::Field::plain(database));
            }
            fields.insert(service.name.clone(), of_service);
        }
        let variable = |variable: &&Variable| variable.app == app && variable.name == name;
        let Value::Bound { template, .. } = &reading.stack.variables.iter().find(variable).unwrap().value else {
            panic!("{name} is not bound")
        };
        plan::render_value(template, &fields).unwrap().text
    }

    /// Decodes text that is known to be Base64 (RFC 4648, section 4).
    fn from_base64(text: &str) -> Vec<u8> {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let sextets =
            text.trim_end_matches('=').bytes().map(|byte| alphabet.iter().position(|known| *known == byte).unwrap());
        let (mut bytes, mut bits, mut held) = (Vec::new(), 0_usize, 0);
        for sextet in sextets {
            (bits, held) = ((bits << 6) | sextet, held + 6);
            if held >= 8 {
                held -= 8;
                bytes.push(u8::try_from((bits >> held) & 255).unwrap());
            }
        }
        bytes
    }

    #[test]
    fn platform_relationships_are_json_in_base64_as_the_platform_writes_them() {
        let text = rendered("platformsh-shop", "shop", "PLATFORM_RELATIONSHIPS");
        let read: serde_json::Value = serde_json::from_slice(&from_base64(&text)).unwrap();
        let names: Vec<&String> = read.as_object().unwrap().keys().collect();
        assert_eq!(names, ["cache", "database", "legacydb", "rabbit-mq", "reports"]);
        let database = &read["database"][0];
        assert_eq!(database["scheme"], "pgsql");
        assert_eq!(database["port"], 24_000);
        assert_eq!(database["password"], "p\"w");
        assert_eq!(database["path"], "main");
        assert_eq!(database["query"]["is_master"], true);
        assert_eq!(
            (&read["reports"][0]["username"], &read["reports"][0]["path"]),
            (&"reports".into(), &"audit".into())
        );
        assert_eq!(read["cache"][0]["password"], serde_json::Value::Null);
        assert_eq!(
            text,
            rendered("platformsh-shop", "admin", "PLATFORM_RELATIONSHIPS"),
            "apps that agree get the same value"
        );
        let url = rendered("platformsh-shop", "shop", "REPORTS_URL");
        assert_eq!(url, "postgresql://reports:of%20reports@127.0.0.1:24000/audit");
    }

    #[test]
    fn a_name_of_production_s_environment_is_absent_and_not_empty() {
        let file = Arc::new(SourceFile { path: "compose.yaml".into(), text: "x\n".into() });
        let variable = |name: &str, value: Value| Variable {
            name: name.to_owned(),
            app: String::new(),
            value,
            origin: Origin::start_of(&file),
        };
        let all = [
            variable("RAILS_ENV", Value::Environment("production".to_owned())),
            variable("LOG_LEVEL", Value::Plain("info".to_owned())),
        ];
        let rendered = render(&all.iter().collect::<Vec<_>>(), &Fields::new(), &[], &file);
        let names: Vec<&str> = rendered.entries.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!((names, rendered.to_fill_in), (vec!["LOG_LEVEL"], Vec::new()));
    }

    #[test]
    fn vcap_services_is_json_by_offering() {
        let read: serde_json::Value =
            serde_json::from_str(&rendered("cloudfoundry-included", "shop", "VCAP_SERVICES")).unwrap();
        assert_eq!(read["postgresql"][0]["instance_name"], "shop-db");
        assert_eq!(read["postgresql"][0]["credentials"]["port"], 24_000);
        assert_eq!(read["rabbitmq"][0]["name"], "broker");
        assert!(
            read["rabbitmq"][0]["credentials"]["uri"]
                .as_str()
                .unwrap()
                .starts_with("amqp://app:p%22w@127.0.0.1:24001/")
        );
    }
}
