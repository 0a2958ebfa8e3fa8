//! The apps of Platform.sh, and the variables from their relationships: `REL_HOST` and similar, and
//! `PLATFORM_RELATIONSHIPS`.

use super::{End, Reader};
use crate::manifest::dialects::platforms::variables::{PlatformVariables, field, json};
use crate::manifest::read::count::Counted as _;
use crate::model::{App, Diagnostic, Json, Located, Origin, Piece, Service, Template, Value};
use crate::project::Resource;
use crate::syntax::tree::Node;
use std::collections::{BTreeMap, HashMap};

/// The number of values that an endpoint in a variable's JSON counts as. It has some dozens of keys and texts.
const ITEM: usize = 40;

/// One relationship of an app.
struct Relationship {
    name: String,
    service: String,
    endpoint: String,
    origin: Origin,
}
impl Reader<'_> {
    /// The apps with their variables. If the relationships of all apps agree, all apps get the same variable.
    pub(super) fn apps(&mut self, apps: &[(Located<String>, Node)], variable: &str) -> PlatformVariables {
        let mut app_variables = PlatformVariables::of(self.input);
        let mut all: Vec<(String, Vec<Relationship>)> = Vec::new();
        for (name, node) in apps {
            if self.stack.apps.iter().any(|app| app.name == name.value) {
                continue;
            }
            let app = App { name: name.value.clone(), image: None, note: String::new(), origin: name.origin.clone() };
            app.add_to(&mut self.stack.apps, &self.input.project.budget);
            let variables = node.get("variables");
            for entry in variables.and_then(|node| node.get("env")).into_iter().flat_map(Node::entries) {
                app_variables.node(&name.value, &entry.key.value, &entry.value);
            }
            for entry in variables.into_iter().flat_map(Node::entries) {
                if let Some(bare) = entry.key.value.strip_prefix("env:") {
                    app_variables.node(&name.value, bare, &entry.value);
                }
            }
            let related = self.relationships(node);
            for relationship in &related {
                self.named_variables(&mut app_variables, &name.value, relationship);
            }
            all.push((name.value.clone(), related));
        }
        let mut of_all: BTreeMap<&str, &Relationship> = BTreeMap::new();
        let mut agree = true;
        for one in all.iter().flat_map(|(_, related)| related) {
            let first = of_all.entry(&one.name).or_insert(one);
            agree &= first.service == one.service && first.endpoint == one.endpoint;
        }
        let services: HashMap<&str, &Service> =
            self.stack.services.iter().map(|service| (service.name.as_str(), service)).collect();
        for (app, related) in &all {
            let Some(first) = related.first() else { continue };
            let own: BTreeMap<&str, &Relationship>;
            let shown = if agree {
                &of_all
            } else {
                own = related.iter().map(|one| (one.name.as_str(), one)).collect();
                &own
            };
            if !self.input.project.budget.spend_at(Resource::Values, ITEM * shown.len(), &first.origin) {
                break;
            }
            let mut entries: Vec<(String, Json)> = Vec::new();
            for (name, relationship) in shown {
                if let Some(service) = services.get(relationship.service.as_str()) {
                    let item = self.item(service, relationship);
                    entries.push(((*name).to_owned(), Json::List(vec![item])));
                }
            }
            if !entries.is_empty() {
                app_variables.bound(app, variable, Template::json(Json::Map(entries), true), &first.origin);
            }
        }
        app_variables
    }

    fn relationships(&mut self, node: &Node) -> Vec<Relationship> {
        let mut found = Vec::new();
        for entry in node.get("relationships").into_iter().flat_map(Node::entries) {
            let name = entry.key.value.clone();
            let (service, endpoint) = if let Some(text) = entry.value.as_str() {
                text.split_once(':').unwrap_or((text, ""))
            } else {
                let of = |key: &str| entry.value.get(key).and_then(Node::as_str);
                (of("service").unwrap_or(&name), of("endpoint").unwrap_or_default())
            };
            let (service, endpoint) = (service.to_owned(), endpoint.to_owned());
            let origin = entry.key.origin.clone();
            let known = self.stack.service(&service).is_some() || self.stack.apps.iter().any(|app| app.name == service);
            if !known && endpoint != "http" {
                let known: Vec<&str> = self.stack.services.iter().map(|service| service.name.as_str()).collect();
                let unknown = Diagnostic::warning(
                    "unknown-service",
                    format!("the relationship `{name}` names a service that is not declared"),
                )
                .at(&entry.value.origin, format!("no service `{service}`"));
                self.expect.diagnostics.push(match crate::model::did_you_mean(&service, known) {
                    Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
                    None => unknown.help("declare the service, or remove the relationship"),
                });
            }
            found.push(Relationship { name, service, endpoint, origin });
        }
        found
    }

    fn end(&self, relationship: &Relationship) -> End {
        let key = (relationship.service.clone(), relationship.endpoint.clone());
        self.ends.get(&key).cloned().unwrap_or_default()
    }

    /// One endpoint, as in `PLATFORM_RELATIONSHIPS`.
    fn item(&self, service: &Service, relationship: &Relationship) -> Json {
        let parts = self.parts(service, relationship);
        let text = |part: &Option<Vec<Piece>>| match part {
            Some(pieces) => Json::Text(Template(pieces.clone())),
            None => Json::Null,
        };
        Json::Map(vec![
            json("cluster", Json::text("local")),
            json("fragment", Json::Null),
            json("host", Json::Text(Template::field(&service.name, "host"))),
            json("host_mapped", Json::Bool(false)),
            json("hostname", Json::Text(Template::field(&service.name, "host"))),
            json("ip", Json::Text(Template::field(&service.name, "host"))),
            json("password", text(&parts.password)),
            json("path", text(&parts.path)),
            json("port", Json::Number(Template::field(&service.name, "port"))),
            json("public", Json::Bool(false)),
            json("query", Json::Map(vec![json("is_master", Json::Bool(true))])),
            json("rel", Json::text(&relationship.endpoint)),
            json("scheme", Json::text(&parts.scheme)),
            json("service", Json::text(&service.name)),
            json("type", Json::text(&format!("{}:{}", parts.word, service.version.text))),
            json("username", text(&parts.user)),
        ])
    }

    /// Adds `REL_HOST` and similar variables.
    fn named_variables(&mut self, app_variables: &mut PlatformVariables, app: &str, relationship: &Relationship) {
        let Some(service) = self.stack.service(&relationship.service) else { return };
        let parts = self.parts(service, relationship);
        let prefix: String = relationship.name.to_uppercase().replace(['-', '.'], "_");
        let origin = &relationship.origin;
        let mut put = |end: &str, pieces: Vec<Piece>| {
            app_variables.bound(app, &format!("{prefix}_{end}"), Template(pieces), origin);
        };
        put("HOST", field(&service.name, "host"));
        put("PORT", field(&service.name, "port"));
        for (end, part) in [("USERNAME", &parts.user), ("PASSWORD", &parts.password), ("PATH", &parts.path)] {
            if let Some(pieces) = part {
                put(end, pieces.clone());
            }
        }
        put("URL", parts.url);
        let scheme = Value::Plain(parts.scheme);
        app_variables.fixed(app, &format!("{prefix}_SCHEME"), scheme, origin);
    }

    fn parts(&self, service: &Service, relationship: &Relationship) -> Parts {
        let end = self.end(relationship);
        let name = service.name.as_str();
        let kind = self.input.kinds.get(&service.kind);
        let has = |field: &str| kind.is_some_and(|kind| kind.fields.contains_key(field));
        let first_user = service.users.first().map(|user| user.name.value.as_str());
        let user = end
            .user
            .as_deref()
            .filter(|user| first_user != Some(user) && service.users.iter().any(|known| known.name.value == *user));
        let login = |part: &str| match user {
            Some(user) => field(name, &format!("users.{user}.{part}")),
            None => field(name, part),
        };
        let with_login = has("password") && !service.users.is_empty();
        let named = first_user.is_some_and(|user| !user.is_empty());
        let first_database = service.databases.first().map(|database| database.name.value.as_str());
        let path = match (&end.database, &end.vhost) {
            (Some(database), _) if first_database != Some(database) => {
                Some(field(name, &format!("databases.{database}.database")))
            }
            (_, Some(vhost)) => Some(field(name, &format!("vhosts.{vhost}.vhost"))),
            _ if !service.databases.is_empty() => Some(field(name, "database")),
            _ if service.vhosts.first().is_some_and(|vhost| vhost.value != "/") => Some(field(name, "vhost")),
            _ => None,
        };
        let other = user.is_some()
            || end.vhost.is_some()
            || end.database.as_deref().is_some_and(|name| first_database != Some(name));
        let scheme = match service.kind.as_str() {
            "postgres" => "pgsql",
            "mariadb" | "mysql" => "mysql",
            "rabbitmq" => "amqp",
            "redis" | "valkey" => "redis",
            "elasticsearch" | "opensearch" | "influxdb" | "clickhouse" => "http",
            other => other,
        };
        let url = if other && with_login {
            let scheme = kind.and_then(|kind| kind.schemes.first()).map_or(scheme, String::as_str);
            let encoded = |pieces: Vec<Piece>| {
                pieces.into_iter().map(|piece| match piece {
                    Piece::Field { service, field, .. } => Piece::Field { service, field, encoded: true },
                    piece => piece,
                })
            };
            let mut url = Template::text(&format!("{scheme}://"));
            url.0.extend(encoded(login("user")));
            url.push_text(":");
            url.0.extend(encoded(login("password")));
            url.push_text("@");
            url.0.extend(field(name, "host"));
            url.push_text(":");
            url.0.extend(field(name, "port"));
            url.push_text("/");
            url.0.extend(encoded(path.clone().unwrap_or_default()));
            url.0
        } else {
            field(name, "url")
        };
        Parts {
            user: (with_login && named).then(|| login("user")),
            password: with_login.then(|| login("password")),
            path,
            url,
            scheme: scheme.to_owned(),
            word: match service.kind.as_str() {
                "postgres" => "postgresql".to_owned(),
                kind => kind.to_owned(),
            },
        }
    }
}

/// The parts of a relationship, as pieces of values.
struct Parts {
    user: Option<Vec<Piece>>,
    password: Option<Vec<Piece>>,
    path: Option<Vec<Piece>>,
    url: Vec<Piece>,
    scheme: String,
    /// The platform's own name for the kind.
    word: String,
}
