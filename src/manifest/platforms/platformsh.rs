//! Platform.sh, Upsun and Magento Cloud: services by `type: kind:version`, bound to apps by relationships.
//!
//! Services and apps stand in files of their own (`.platform/services.yaml`, `.platform.app.yaml`) or in one
//! (`.upsun/config.yaml`); the apps' files are read with the services' wherever those lie. `mysql` is `MariaDB` there.

use super::given::{Given, field, json};
use super::managed::{Managed, lacks};
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::discover;
use crate::manifest::expect::Expect;
use crate::manifest::tree::{Entry, Node};
use crate::model::{App, Diagnostic, Json, Located, Origin, Piece, Service, Source, Stack, Support, Template, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// This dialect's line in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "platformsh",
    title: "Platform.sh",
    places: Places::Files(&[
        ".platform/{services,applications}.yaml",
        ".magento/services.yaml",
        ".upsun/*.{yaml,yml}",
        "{.platform,.magento}.app.yaml",
    ]),
    syntax: Syntax::Yaml,
    marks: &[],
    recognises,
    read,
};

/// The folders of its files, at the project's root.
const FOLDERS: &[&str] = &[".platform", ".upsun", ".magento"];

/// An app's own file, in the app's folder.
const APP_FILES: &[&str] = &[".platform.app.yaml", ".magento.app.yaml"];

/// Folders below the root that are searched for apps' files, at most.
const MOST_FOLDERS: usize = 500;

/// Types of services that are no backing service, each with what they are.
const NO_SERVICES: &[(&str, &str)] = &[
    ("varnish", "a cache in front of the apps; no request goes through it here"),
    ("network-storage", "a file share that apps mount"),
    ("vault-kms", "a store of keys"),
    ("chrome-headless", "a browser for the apps"),
];

fn recognises(file: &ManifestFile) -> bool {
    let folder = file.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = file.source.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if APP_FILES.contains(&name) || FOLDERS.contains(&folder) {
        return name != "local.yaml";
    }
    let Some(document) = file.documents.first() else { return false };
    document.get("applications").is_some_and(|apps| apps.as_mapping().is_some()) && typed(document.get("services"))
}

/// Whether a map's entries are services by `type: kind:version`.
fn typed(services: Option<&Node>) -> bool {
    let is = |entry: &Entry| entry.value.get("type").and_then(Node::as_str).is_some_and(|text| text.contains(':'));
    services.is_none_or(|services| services.entries().all(is))
}

fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let mut reader = Reader { input, expect: Expect::default(), stack: Stack::default(), ends: BTreeMap::new() };
    let files = reader.files();
    let mut apps: Vec<(Located<String>, Node)> = Vec::new();
    for file in &files {
        let (path, format, title) = (file.source.path.clone(), DIALECT.name, title_of(file));
        reader.stack.sources.push(Source { path, format, title });
        for document in &file.documents {
            reader.document(file, document, &mut apps);
        }
    }
    let magento = files.iter().any(|file| title_of(file) == "Magento Cloud");
    let given = reader.apps(&apps, if magento { "MAGENTO_CLOUD_RELATIONSHIPS" } else { "PLATFORM_RELATIONSHIPS" });
    let mut stack = reader.stack;
    given.bind_into(&mut stack, input.kinds, &BTreeMap::new());
    (stack, reader.expect.diagnostics)
}

fn title_of(file: &ManifestFile) -> &'static str {
    let path = file.source.path.to_string_lossy();
    if path.contains(".magento") {
        "Magento Cloud"
    } else if path.contains(".upsun") {
        "Upsun"
    } else {
        "Platform.sh"
    }
}

/// What an endpoint of a service gives: its login and its database, by name.
#[derive(Clone, Debug, Default)]
struct End {
    user: Option<String>,
    database: Option<String>,
    vhost: Option<String>,
}

/// One relationship of an app.
struct Relationship {
    name: String,
    service: String,
    endpoint: String,
    origin: Origin,
}

struct Reader<'a> {
    input: &'a Input<'a>,
    expect: Expect,
    stack: Stack,
    /// Endpoints that are configured, by service and name.
    ends: BTreeMap<(String, String), End>,
}

impl<'a> Reader<'a> {
    /// The files that were found or named, and those that belong to them.
    fn files(&mut self) -> Vec<ManifestFile> {
        let mut files = self.input.files.to_vec();
        let Some(root) = files.first().map(|file| {
            let own =
                file.folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| FOLDERS.contains(&name));
            if own { file.folder.parent().unwrap_or(&file.folder).to_path_buf() } else { file.folder.clone() }
        }) else {
            return files;
        };
        if root.file_name().is_none() || files.iter().any(|file| file.source.path == Path::new("<stdin>")) {
            return files;
        }
        let project = self.input.project;
        let mut paths: Vec<PathBuf> = Vec::new();
        for folder in FOLDERS.iter().map(|folder| root.join(folder)).filter(|folder| project.is_folder(folder)) {
            let is_upsun = folder.ends_with(".upsun");
            for name in project.list(&folder).unwrap_or_default() {
                let is_known = matches!(name.as_str(), "services.yaml" | "applications.yaml");
                if is_known || (is_upsun && (name.ends_with(".yaml") || name.ends_with(".yml"))) {
                    paths.push(folder.join(name));
                }
            }
        }
        let below = project.list(&root).unwrap_or_default().into_iter().map(|name| root.join(name));
        let below = below.filter(|folder| project.is_folder(folder)).take(MOST_FOLDERS);
        for folder in std::iter::once(root.clone()).chain(below) {
            paths.extend(APP_FILES.iter().map(|name| folder.join(name)));
        }
        for path in paths {
            let shown = project.shown(&path);
            if files.iter().any(|file| file.source.path == shown) {
                continue;
            }
            // What is not there belongs to nothing; what may not be read is told.
            match project.read(&path) {
                Ok(source) => {
                    let folder = path.parent().unwrap_or(&root).to_path_buf();
                    files.push(discover::parsed(source, folder, &mut self.expect.diagnostics));
                }
                Err(error) if error.fault == crate::manifest::files::FileFault::Missing => {}
                Err(error) => self.expect.diagnostics.push(*error.diagnostic),
            }
        }
        files
    }

    fn document(&mut self, file: &ManifestFile, document: &Node, apps: &mut Vec<(Located<String>, Node)>) {
        let name = file.source.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if APP_FILES.contains(&name) {
            apps.extend(named_app(document));
        } else if name == "applications.yaml" {
            match document.as_sequence() {
                Some(items) => apps.extend(items.iter().filter_map(named_app)),
                None => apps.extend(document.entries().map(|entry| (entry.key.clone(), entry.value.clone()))),
            }
        } else if name == "services.yaml" && file.folder.file_name().is_none_or(|folder| folder != ".upsun") {
            self.services(document);
        } else {
            if let Some(node) = document.get("services") {
                self.services(node);
            }
            let node = document.get("applications");
            apps.extend(node.into_iter().flat_map(Node::entries).map(|entry| (entry.key.clone(), entry.value.clone())));
        }
    }

    fn services(&mut self, node: &Node) {
        for entry in self.expect.map(node, "the services") {
            let (name, node) = (&entry.key, &entry.value);
            let what = format!("the type of `{}`", name.value);
            let Some(said) = node.get("type") else {
                self.expect.diagnostics.push(lacks(&format!("`{}`", name.value), "type", node));
                continue;
            };
            let Some(said) = self.expect.text(said, &what) else { continue };
            let (word, version) = said.value.split_once(':').unwrap_or((&said.value, ""));
            let kind = self.input.kinds.spelled(DIALECT.name, word);
            let other = NO_SERVICES.iter().find(|(known, _)| *known == word);
            let (Some(kind), None) = (kind, other) else {
                let note = other
                    .map_or_else(|| format!("`{word}`, of which devenv knows no kind"), |(_, note)| (*note).to_owned());
                self.stack.apps.push(App { name: name.value.clone(), image: None, note, origin: name.origin.clone() });
                continue;
            };
            let version = Located::new(version.to_owned(), said.origin.clone());
            let mut service = Managed::new(name, kind, Some(&version));
            service.aside("type", Support::Reproduced, "");
            if let Some(configuration) = node.get("configuration") {
                self.configuration(&mut service, configuration);
            }
            // What Platform.sh gives where nothing is configured.
            match kind.name.as_str() {
                "mariadb" | "mysql" => service.defaults("user", "main"),
                "redis" | "valkey" => {}
                _ => service.defaults("main", "main"),
            }
            service.rest(node, "about production's machine, which a local server does not have");
            self.stack.services.push(service.finish());
        }
    }

    fn configuration(&mut self, service: &mut Managed<'_>, node: &Node) {
        service.aside("configuration", Support::Reproduced, "what becomes of each key is told by itself");
        for entry in self.expect.map(node, "`configuration`") {
            let (key, value) = (entry.key.value.as_str(), &entry.value);
            let path = format!("configuration.{key}");
            match key {
                "databases" | "schemas" if service.has_databases() => {
                    for name in self.expect.texts(value, &format!("`{key}`")) {
                        service.database(&name, None);
                    }
                    service.aside(&path, Support::Reproduced, "");
                }
                "extensions" if service.kind.name == "postgres" => {
                    for name in self.expect.texts(value, "`extensions`") {
                        service.service.extensions.push(name);
                    }
                    service.aside(&path, Support::Reproduced, "");
                }
                "vhosts" if service.kind.default_vhost.is_some() => {
                    service.service.vhosts.extend(self.expect.texts(value, "`vhosts`"));
                    service.aside(&path, Support::Reproduced, "");
                }
                "maxmemory_policy" => service.setting(&path, "maxmemory-policy", value),
                "properties" => {
                    for entry in self.expect.map(value, "`properties`") {
                        property(service, entry);
                    }
                }
                "endpoints" => self.endpoints(service, value),
                "plugins" => {
                    service.key(&path, Support::Unsupported, "plugins that the image does not bring are not installed");
                }
                "authentication" => {
                    service.key(&path, Support::Approximated, "apps reach the local server without a login")
                }
                "rotate_passwords" => service.aside(&path, Support::Unsupported, "passwords stay the same here"),
                _ => service.key(&path, Support::Unsupported, "what this means to the server is not known here"),
            }
        }
    }

    /// Endpoints by name: each has a login of its own.
    fn endpoints(&mut self, service: &mut Managed<'_>, node: &Node) {
        for entry in self.expect.map(node, "`endpoints`") {
            let (name, value) = (&entry.key, &entry.value);
            let mut end = End { user: Some(name.value.clone()), ..End::default() };
            service.user(name);
            let path = format!("configuration.endpoints.{}", name.value);
            let said = value.get("default_schema").or_else(|| value.get("default_database"));
            let mut administers = Vec::new();
            let mut others = false;
            for privilege in value.get("privileges").into_iter().flat_map(Node::entries) {
                if privilege.value.as_str() == Some("admin") {
                    administers.push(privilege.key.value.clone());
                } else {
                    others = true;
                }
                service.database(&privilege.key, None);
            }
            for database in &mut service.service.databases {
                if database.owner.is_none() && administers.contains(&database.name.value) {
                    database.owner = Some(name.value.clone());
                }
            }
            let only =
                value.get("privileges").into_iter().flat_map(Node::entries).next().map(|first| first.key.value.clone());
            end.database = said.and_then(Node::as_str).map(str::to_owned).or(only).filter(|_| service.has_databases());
            end.vhost = value.get("vhost").and_then(Node::as_str).map(str::to_owned);
            if others {
                let note = "a login owns the databases that it administers; `rw` and `ro` are not granted here";
                service.key(&path, Support::Approximated, note);
            } else {
                service.aside(&path, Support::Reproduced, "");
            }
            self.ends.insert((service.service.name.clone(), name.value.clone()), end);
        }
    }

    /// The apps with their variables; relationships of all apps are one variable where they agree.
    fn apps(&mut self, apps: &[(Located<String>, Node)], variable: &str) -> Given {
        let mut given = Given::default();
        let mut all: Vec<(String, Vec<Relationship>)> = Vec::new();
        for (name, node) in apps {
            if self.stack.apps.iter().any(|app| app.name == name.value) {
                continue;
            }
            let app = App { name: name.value.clone(), image: None, note: String::new(), origin: name.origin.clone() };
            self.stack.apps.push(app);
            let variables = node.get("variables");
            for entry in variables.and_then(|node| node.get("env")).into_iter().flat_map(Node::entries) {
                given.node(&name.value, &entry.key.value, &entry.value);
            }
            for entry in variables.into_iter().flat_map(Node::entries) {
                if let Some(bare) = entry.key.value.strip_prefix("env:") {
                    given.node(&name.value, bare, &entry.value);
                }
            }
            let related = self.relationships(node);
            for relationship in &related {
                self.named_variables(&mut given, &name.value, relationship);
            }
            all.push((name.value.clone(), related));
        }
        let agree = all.iter().flat_map(|(_, related)| related).all(|one| {
            let same = |other: &&Relationship| other.name == one.name;
            let others = all.iter().flat_map(|(_, related)| related).filter(same);
            others.into_iter().all(|other| other.service == one.service && other.endpoint == one.endpoint)
        });
        for (app, related) in &all {
            let Some(first) = related.first() else { continue };
            let mut shown: Vec<&Relationship> = related.iter().collect();
            if agree {
                shown.extend(all.iter().filter(|(other, _)| other != app).flat_map(|(_, related)| related));
            }
            let mut entries: Vec<(String, Json)> = Vec::new();
            for relationship in shown {
                if !entries.iter().any(|(name, _)| *name == relationship.name)
                    && let Some(service) = self.stack.service(&relationship.service)
                {
                    let item = self.item(service, relationship);
                    entries.push((relationship.name.clone(), Json::List(vec![item])));
                }
            }
            entries.sort_by(|one, other| one.0.cmp(&other.0));
            if !entries.is_empty() {
                given.bound(app, variable, Template::json(Json::Map(entries), true), &first.origin);
            }
        }
        given
    }

    fn relationships(&mut self, node: &Node) -> Vec<Relationship> {
        let mut found = Vec::new();
        for entry in node.get("relationships").into_iter().flat_map(Node::entries) {
            let name = entry.key.value.clone();
            let (service, endpoint) = match entry.value.as_str() {
                Some(text) => text.split_once(':').unwrap_or((text, "")),
                None => {
                    let of = |key: &str| entry.value.get(key).and_then(Node::as_str);
                    (of("service").unwrap_or(&name), of("endpoint").unwrap_or_default())
                }
            };
            let (service, endpoint) = (service.to_owned(), endpoint.to_owned());
            let origin = entry.key.origin.clone();
            let known = self.stack.service(&service).is_some() || self.stack.apps.iter().any(|app| app.name == service);
            if !known && endpoint != "http" {
                let known: Vec<&str> = self.stack.services.iter().map(|service| service.name.as_str()).collect();
                let unknown = Diagnostic::warning(
                    "unknown-service",
                    format!("the relationship `{name}` names no service that is declared"),
                )
                .at(&entry.value.origin, format!("no service `{service}`"));
                self.expect.diagnostics.push(match crate::model::did_you_mean(&service, known) {
                    Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
                    None => unknown.help("declare it among the services, or take the relationship out"),
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

    /// One endpoint as `PLATFORM_RELATIONSHIPS` has it.
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

    /// `REL_HOST` and the like.
    fn named_variables(&mut self, given: &mut Given, app: &str, relationship: &Relationship) {
        let Some(service) = self.stack.service(&relationship.service) else { return };
        let parts = self.parts(service, relationship);
        let prefix: String = relationship.name.to_uppercase().replace(['-', '.'], "_");
        let origin = &relationship.origin;
        let mut put =
            |end: &str, pieces: Vec<Piece>| given.bound(app, &format!("{prefix}_{end}"), Template(pieces), origin);
        put("HOST", field(&service.name, "host"));
        put("PORT", field(&service.name, "port"));
        for (end, part) in [("USERNAME", &parts.user), ("PASSWORD", &parts.password), ("PATH", &parts.path)] {
            if let Some(pieces) = part {
                put(end, pieces.clone());
            }
        }
        put("URL", parts.url);
        let scheme = Value::Plain(parts.scheme);
        given.settled(app, &format!("{prefix}_SCHEME"), scheme, origin);
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

/// What a relationship gives, as pieces of values.
struct Parts {
    user: Option<Vec<Piece>>,
    password: Option<Vec<Piece>>,
    path: Option<Vec<Piece>>,
    url: Vec<Piece>,
    scheme: String,
    /// The platform's own word for the kind.
    word: String,
}

/// An app's file or an item of a list: it says its own name.
fn named_app(node: &Node) -> Option<(Located<String>, Node)> {
    node.as_mapping()?;
    let name = match node.get("name") {
        Some(name) => Located::new(name.as_str()?.to_owned(), name.origin.clone()),
        None => Located::new("app".to_owned(), node.origin.clone()),
    };
    Some((name, node.clone()))
}

/// A property of `MariaDB`, of which some have names and units of the platform's own.
fn property(service: &mut Managed<'_>, entry: &Entry) {
    let path = format!("configuration.properties.{}", entry.key.value);
    let value = &entry.value;
    match entry.key.value.as_str() {
        "default_charset" => service.setting(&path, "character_set_server", value),
        "default_collation" => service.setting(&path, "collation_server", value),
        // In megabytes.
        "max_allowed_packet" => match value.as_str() {
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                let megabytes = Node::scalar(format!("{text}M"), false, value.origin.clone());
                service.setting(&path, "max_allowed_packet", &megabytes);
            }
            _ => service.setting(&path, "max_allowed_packet", value),
        },
        name => service.setting(&path, &name.to_owned(), value),
    }
}
