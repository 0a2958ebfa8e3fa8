//! The canonical model: the declarations of all manifests together.

use super::{ImageRef, Located, Origin, Production, Protocol, Rights, Secret, Seed, Template, Version};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Services, apps and variables of one project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// The project's name: letters, digits and dashes.
    pub project: String,
    /// The manifests that were read, in order.
    pub sources: Vec<Source>,
    /// Backing services, in the manifests' order; names are unique.
    pub services: Vec<Service>,
    /// The app's own components and images of no known kind.
    pub apps: Vec<App>,
    /// Every variable of every app.
    pub variables: Vec<Variable>,
    /// Names of services that production has and that `leave_out` of this checkout excludes; they are among the apps.
    pub left_out: BTreeSet<String>,
    /// Files of variables that production's own tools read in this checkout.
    pub env_inputs: Vec<EnvInput>,
}

/// A file of variables that production's own tools read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvInput {
    /// Its path from the root.
    pub path: PathBuf,
    /// The variables that the file sets for the `${…}` of a manifest; empty if an app gets the whole file.
    pub names: BTreeSet<String>,
    /// The line that names the file, if a line names it.
    pub origin: Option<Origin>,
}

impl Stack {
    /// The service of that name.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }
}

/// One manifest that was read.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Source {
    /// The path as messages show it.
    pub path: PathBuf,
    /// The dialect's name: `compose`, `services.yaml`.
    pub format: &'static str,
    /// The dialect's title for users: `Compose`.
    #[serde(skip)]
    pub title: &'static str,
}

/// `compose.prod.yaml (Compose)`; if the file's name is the format's name, the path alone.
impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display().to_string();
        if path.ends_with(self.format) { f.write_str(&path) } else { write!(f, "{path} ({})", self.title) }
    }
}

/// How far a declaration is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Support {
    /// As in production.
    #[default]
    Reproduced,
    /// Similar to production; the note says how it differs.
    Approximated,
    /// Not carried out; the note says why.
    Unsupported,
}

/// The treatment of one declared key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Key {
    /// The key's path inside the service: `environment.POSTGRES_DB`, `command`.
    pub path: String,
    /// How far the key is carried out.
    pub support: Support,
    /// The reason, if it is not obvious.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A backing service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Production's own name for it.
    pub name: String,
    /// The kind's name: `postgres`.
    pub kind: String,
    /// The image family's name in the kind's file: `official`, `bitnami`.
    pub family: String,
    /// The declared version.
    pub version: Version,
    /// The image that production runs, if the manifest names an image; otherwise the kind's default image is used.
    pub image: Option<Located<ImageRef>>,
    /// `linux/amd64`, if the manifest declares a platform.
    pub platform: Option<Located<String>>,
    /// Server settings in the server's own names (`max_connections`), in the manifest's order.
    pub settings: Vec<Setting>,
    /// Databases that must exist.
    pub databases: Vec<Database>,
    /// Logins of the apps; endpoints use the first login by default.
    pub users: Vec<User>,
    /// `RabbitMQ`'s virtual hosts.
    pub vhosts: Vec<Located<String>>,
    /// Extensions (Postgres) or modules that every database must have.
    pub extensions: Vec<Located<String>>,
    /// Plugins to enable (`RabbitMQ`).
    pub plugins: Vec<Located<String>>,
    /// Container variables that the kind's family passes on as they are (`POSTGRES_INITDB_ARGS`).
    pub environment: Vec<(String, Located<String>)>,
    /// Files that the server runs at its first start, in order of their names.
    pub init_files: Vec<InitFile>,
    /// `RabbitMQ`'s definitions that production mounts (queues, policies, …), without a password's hash.
    pub definitions: Option<Located<serde_json::Value>>,
    /// Its initial data, in order.
    pub seeds: Vec<Seed>,
    /// Arguments for an included app of the generic kind; known kinds get their arguments from `settings`.
    pub command: Option<Vec<String>>,
    /// The port that the user wants on 127.0.0.1; devenv never replaces it by another port.
    pub port: Option<Located<u16>>,
    /// Whether a variable names its host and no variable names its port, so that apps will use the kind's own port.
    pub needs_own_port: bool,
    /// The port inside the container, if an included app has another port than its kind.
    pub container_port: Option<u16>,
    /// The protocol that proves an included app, if it is not the protocol of its kind.
    pub protocol: Option<Protocol>,
    /// The path of the request, if an included app with HTTP has another path than its kind.
    pub probe_path: Option<String>,
    /// Other names by which apps reach it: `container_name`, network aliases, `hostname`.
    pub aliases: Vec<String>,
    /// The treatment of each declared key.
    #[serde(skip)]
    pub keys: Vec<Key>,
    /// How far the service as a whole is carried out.
    pub support: Support,
    /// Notes for the user.
    #[serde(skip)]
    pub notes: Vec<String>,
    /// Its declaration in production's own files, if `services.local.yaml` changes it.
    #[serde(skip)]
    pub production: Production,
    /// Where it was declared.
    pub origin: Origin,
}

impl Service {
    /// A service with nothing but its name, kind, version and place.
    pub fn new(name: &str, kind: &str, family: &str, version: Version, origin: Origin) -> Self {
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            family: family.to_owned(),
            version,
            image: None,
            platform: None,
            settings: Vec::new(),
            databases: Vec::new(),
            users: Vec::new(),
            vhosts: Vec::new(),
            extensions: Vec::new(),
            plugins: Vec::new(),
            environment: Vec::new(),
            init_files: Vec::new(),
            definitions: None,
            seeds: Vec::new(),
            command: None,
            port: None,
            needs_own_port: false,
            container_port: None,
            protocol: None,
            probe_path: None,
            aliases: Vec::new(),
            keys: Vec::new(),
            support: Support::Reproduced,
            notes: Vec::new(),
            production: Production::AsItStands,
            origin,
        }
    }

    /// How many of its keys are not carried out here.
    pub fn not_carried_out(&self) -> usize {
        self.keys.iter().filter(|key| key.support == Support::Unsupported).count()
    }
}

/// One server setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The server's own name for it.
    pub name: String,
    /// Its value, as text.
    pub value: Located<String>,
}

/// One database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its name.
    pub name: Located<String>,
    /// The login that owns it; none for the service's first user.
    pub owner: Option<String>,
}

/// One login of the apps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its name; empty for servers that know only a password (Redis' default user).
    pub name: Located<String>,
    /// The source of its password in production.
    pub credential: Credential,
    /// Whether an app's variable contains this password. If no variable does, a literal password is kept unchanged.
    pub bound: bool,
    /// Its rights beyond its databases. None if no file says how production creates the login: an existing login then
    /// keeps its rights, and a new login gets no rights beyond its databases.
    pub rights: Option<Rights>,
}

/// The source of a password in production. Services that share a source share the credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Credential {
    /// No password at all.
    None,
    /// A variable that is set at deploy time: `${DB_PASSWORD}`.
    Variable(String),
    /// A secret of the platform, or a file: its name and key.
    Secret(String),
    /// Written in the manifest itself.
    #[serde(with = "super::secret::revealed")]
    Literal(Secret),
    /// No declared source: a credential of devenv, named after the service.
    Own(String),
}

/// A file that the server runs at its first start (`/docker-entrypoint-initdb.d`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitFile {
    /// Its name in the folder.
    pub name: String,
    /// Its content.
    #[serde(with = "super::bytes")]
    pub content: Vec<u8>,
    /// The place where the manifest names it.
    pub origin: Origin,
}

/// A component of the app, or an image of no known kind: listed, not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Production's own name for it.
    pub name: String,
    /// The image, if the manifest names an image.
    pub image: Option<String>,
    /// The reason why it is not a backing service, if that is not obvious: `exporter`, `a job that reuses the image of
    /// db`.
    pub note: String,
    /// Where it was declared.
    pub origin: Origin,
}

/// A variable that an app gets in production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The app that gets it; empty for `variables:` of `services.yaml`, which are for every app.
    pub app: String,
    /// Its value.
    pub value: Value,
    /// Where it was declared.
    pub origin: Origin,
}

/// The known value of a variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// Copied as it is.
    Plain(String),
    /// Made from endpoints' fields.
    Bound {
        /// The value with placeholders for the fields.
        template: Template,
        /// The parts that were removed because a local server does not support them (`sslmode=require`).
        dropped: Vec<String>,
    },
    /// Never copied: the text says where production gets it (`${STRIPE_KEY}`, `secret app/stripe`).
    Secret(String),
    /// Not defined by the files: the text names the source that would define it.
    Unresolved(String),
    /// Names production's environment to a framework (`RAILS_ENV=production`), with production's value: not set here.
    Environment(String),
    /// Passed through to the app if it is set at deploy time; it is not set here, so devenv does not write it.
    NotPassed,
}

impl Value {
    /// The class's name, as `--json` has it.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Plain(_) => "plain",
            Self::Bound { .. } => "bound",
            Self::Secret(_) => "secret",
            Self::Environment(_) => "environment",
            Self::Unresolved(_) | Self::NotPassed => "unresolved",
        }
    }
}
