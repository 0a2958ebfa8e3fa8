//! The canonical model: what all manifests together declare.

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
    /// Names of services that production has and this checkout alone leaves out; they are among the apps.
    pub left_out: BTreeSet<String>,
    /// Files of variables that production's own tools read in this checkout.
    pub env_inputs: Vec<EnvInput>,
}

/// A file of variables that production's own tools read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvInput {
    /// Its path from the root.
    pub path: PathBuf,
    /// What the file sets for the `${…}` of a manifest; nothing where an app gets the whole file.
    pub names: BTreeSet<String>,
    /// The line that names the file, where one does.
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
    /// As messages show it.
    pub path: PathBuf,
    /// The dialect's name: `compose`, `services.yaml`.
    pub format: &'static str,
    /// As people call it: `Compose`.
    #[serde(skip)]
    pub title: &'static str,
}

/// `compose.prod.yaml (Compose)`; a file that is called as its format stands alone.
impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display().to_string();
        if path.ends_with(self.format) { f.write_str(&path) } else { write!(f, "{path} ({})", self.title) }
    }
}

/// How far what was declared is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Support {
    /// As in production.
    #[default]
    Reproduced,
    /// Near it; the note says how it differs.
    Approximated,
    /// Not carried out; the note says why.
    Unsupported,
}

/// What becomes of one declared key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Key {
    /// The key's path inside the service: `environment.POSTGRES_DB`, `command`.
    pub path: String,
    /// What becomes of it.
    pub support: Support,
    /// Why, where that is not plain.
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
    /// The image that production runs, where the manifest names one; else the kind's image stands in.
    pub image: Option<Located<ImageRef>>,
    /// `linux/amd64`, where the manifest says it.
    pub platform: Option<Located<String>>,
    /// Server settings in the server's own names (`max_connections`), in the manifest's order.
    pub settings: Vec<Setting>,
    /// Databases to be there.
    pub databases: Vec<Database>,
    /// Logins of the apps, the first being the one that endpoints use by default.
    pub users: Vec<User>,
    /// `RabbitMQ`'s virtual hosts.
    pub vhosts: Vec<Located<String>>,
    /// Extensions (Postgres) or modules to be there, in every database.
    pub extensions: Vec<Located<String>>,
    /// Plugins to be enabled (`RabbitMQ`).
    pub plugins: Vec<Located<String>>,
    /// Container variables that the kind's family passes on as they are (`POSTGRES_INITDB_ARGS`).
    pub environment: Vec<(String, Located<String>)>,
    /// Files that the server runs at its first start, in order of their names.
    pub init_files: Vec<InitFile>,
    /// `RabbitMQ`'s definitions that production mounts (queues, policies, …), without a password's hash.
    pub definitions: Option<Located<serde_json::Value>>,
    /// What its data begins with, in order.
    pub seeds: Vec<Seed>,
    /// Arguments for an included app of the generic kind; known kinds get theirs from `settings`.
    pub command: Option<Vec<String>>,
    /// The port the user wants on 127.0.0.1; never swapped for another.
    pub port: Option<Located<u16>>,
    /// Whether a variable names its host and no port anywhere, so that apps will use the kind's own port.
    pub needs_own_port: bool,
    /// The port inside the container, where an included app has another than its kind.
    pub container_port: Option<u16>,
    /// How an included app is proven, where it is not its kind's way.
    pub protocol: Option<Protocol>,
    /// The path to ask, where an included app that speaks HTTP has another than its kind.
    pub probe_path: Option<String>,
    /// Other names that apps reach it by: `container_name`, network aliases, `hostname`.
    pub aliases: Vec<String>,
    /// What became of each declared key.
    #[serde(skip)]
    pub keys: Vec<Key>,
    /// The service as a whole.
    pub support: Support,
    /// What a person should know about it.
    #[serde(skip)]
    pub notes: Vec<String>,
    /// What production's own files declare of it, where `services.local.yaml` changes something.
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
    /// The login that owns it; the service's first user where none is said.
    pub owner: Option<String>,
}

/// One login of the apps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its name; empty for servers that know only a password (Redis' default user).
    pub name: Located<String>,
    /// Where production takes the password from.
    pub credential: Credential,
    /// Whether some app's variable carries this password. Where none does, a declared literal is kept as it is.
    pub bound: bool,
    /// What it may do beyond its databases. None where no file says how production makes it: a login that is there
    /// keeps what it has, and one that is made gets no more than its databases.
    pub rights: Option<Rights>,
}

/// Where production takes a password from. Services that share a source share the credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Credential {
    /// No password at all.
    None,
    /// A variable that is filled in at deploy time: `${DB_PASSWORD}`.
    Variable(String),
    /// A secret of the platform, or a file: its name and key.
    Secret(String),
    /// Written in the manifest itself.
    #[serde(with = "super::secret::revealed")]
    Literal(Secret),
    /// Nothing is said: one of our own, named after the service.
    Own(String),
}

/// A file the server runs at its first start (`/docker-entrypoint-initdb.d`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitFile {
    /// Its name in the folder.
    pub name: String,
    /// Its content.
    #[serde(with = "super::bytes")]
    pub content: Vec<u8>,
    /// Where the manifest names it.
    pub origin: Origin,
}

/// A component of the app, or an image of no known kind: listed, not started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Production's own name for it.
    pub name: String,
    /// The image, where one is named.
    pub image: Option<String>,
    /// Why it is not a backing service, where that is not plain: `exporter`, `a job that reuses the image of db`.
    pub note: String,
    /// Where it was declared.
    pub origin: Origin,
}

/// A variable that an app gets in production.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// The app that gets it; empty for `variables:` of our own dialect, which are for every app.
    pub app: String,
    /// Its value.
    pub value: Value,
    /// Where it was declared.
    pub origin: Origin,
}

/// What is known of a variable's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// Copied as it is.
    Plain(String),
    /// Made from endpoints' fields.
    Bound {
        /// The value with the fields' places.
        template: Template,
        /// What was taken out because a local server does not offer it (`sslmode=require`).
        dropped: Vec<String>,
    },
    /// Never copied: the text says where production gets it (`${STRIPE_KEY}`, `secret app/stripe`).
    Secret(String),
    /// Not settled by the files: the text says by what it would be.
    Unresolved(String),
    /// Names production's environment to a framework (`RAILS_ENV=production`), with production's value: not set here.
    Environment(String),
    /// Passed through to the app where it is set at deploy time; not set here, so it is not written at all.
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
