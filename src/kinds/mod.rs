//! The kinds of backing services: facts from `templates/kinds/`, one file each, and the user's own kinds in the same
//! format.
//!
//! A kind describes its names in each dialect, the contract of its images, and the fields of an endpoint. `manifest/`
//! uses kinds to read manifests, and `plan/` uses them to start services.

pub mod arguments;
mod base64;
mod end_of_life;
mod rabbitmq;
mod template;
#[cfg(test)]
mod tests;
mod withdrawn;

pub use crate::model::Protocol;
use crate::model::{ImageRef, Origin, Rights, Support, Version, VersionClass};
pub(crate) use base64::{base64, from_base64};
pub use rabbitmq::{rabbitmq_definitions, rabbitmq_merged, rabbitmq_permits};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
pub use template::{FIELD_FUEL, FILE_FUEL, templates};
pub use withdrawn::{Withdrawn, withdrawn};

/// File name and content, as JSON, of every built-in kind, listed by the build script.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/kinds.rs"));

/// A kind of backing service. Strings with `{{ }}` are minijinja templates; `plan/` documents their variables.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// The canonical product: `postgres`.
    pub name: String,
    /// The name for people: `Postgres`.
    pub title: String,
    /// The protocol of its clients.
    pub protocol: Protocol,
    /// The image that is used if a manifest names only kind and version, without a tag.
    pub image: String,
    /// The tag for a version. The default is `{{ version }}`.
    #[serde(default = "version_as_it_is")]
    pub tag: String,
    /// The port it listens on inside its container.
    pub port: u16,
    /// How many numbers a full release has, as `[from major, parts]` pairs. The highest pair that matches counts.
    pub exact_parts: Vec<(u64, usize)>,
    /// Tags that name one release although they are no dotted number: `RELEASE.*`. The text that `*` matches is the
    /// number.
    #[serde(default)]
    pub exact_tags: Vec<String>,
    /// Whether a new major version cannot run with the data of the old one.
    #[serde(default)]
    pub data_follows_major: bool,
    /// The signal for a clean stop, where the image's own is not right.
    #[serde(default)]
    pub stop_signal: Option<String>,
    /// Seconds that a clean stop may take.
    #[serde(default = "ten")]
    pub grace: u64,
    /// Whether services of this kind are login-checked (`reproduced`), or only reachability-checked over HTTP or TCP.
    #[serde(default)]
    pub support: Support,
    /// A note for people about every service of this kind.
    #[serde(default)]
    pub note: String,
    /// Words that mean it in `kind:` and in other dialects, the name itself included.
    pub names: Vec<String>,
    /// Names of this kind in single dialects, if they are not among its names, by the dialect's name: `platformsh` →
    /// `mysql` is `MariaDB`; `*` stands for any run of characters.
    #[serde(default)]
    pub spellings: BTreeMap<String, Vec<String>>,
    /// Words in the last part of an unknown image's name that make it a derived image of this kind.
    #[serde(default)]
    pub derived: Vec<String>,
    /// Programs that are the server: an entrypoint or command that runs none of them is a job, not a service.
    #[serde(default)]
    pub servers: Vec<String>,
    /// Image families by name; the first is the official one, whose contract unknown derived images get.
    pub families: Vec<Family>,
    /// How a manifest's `command` writes settings.
    #[serde(default)]
    pub arguments: ArgumentStyle,
    /// Short names of settings in arguments: `m` is `memory-limit`.
    #[serde(default)]
    pub short_settings: BTreeMap<String, String>,
    /// Letters that are whole settings in arguments: `F` is `fsync=off`.
    #[serde(default)]
    pub short_flags: BTreeMap<String, String>,
    /// Names of mounted configuration files that hold settings: `postgresql.conf`.
    #[serde(default)]
    pub setting_files: Vec<String>,
    /// Settings that are a login: `requirepass` is `password`.
    #[serde(default)]
    pub setting_logins: BTreeMap<String, Login>,
    /// Settings that `devenv` decides itself, each with the reason: never passed on, reported as unsupported.
    #[serde(default)]
    pub own_settings: BTreeMap<String, String>,
    /// The rights of a login that no image creates, by its creator: a dialect (`services.yaml`, `render`), `cloud`, or
    /// the type of a cloud's or an operator's resource (`*` stands for any run of characters; the longest pattern
    /// counts). A type followed by ` user` is a login that is a separate resource.
    #[serde(default)]
    pub rights: BTreeMap<String, Rights>,
    /// The grants of a login with the rights `master`: Postgres' predefined roles, which a login with the rights
    /// `monitor` gets too, or `MySQL`'s privileges.
    #[serde(default)]
    pub master: Vec<String>,
    /// A note about the rights that such a login has in production and not here.
    #[serde(default)]
    pub master_note: String,
    /// The default login of apps. `guest` is never the default, because it is refused over a network.
    #[serde(default)]
    pub default_user: Option<String>,
    /// The default database, as a template over `user`.
    #[serde(default)]
    pub default_database: Option<String>,
    /// The default virtual host.
    #[serde(default)]
    pub default_vhost: Option<String>,
    /// The path of the request, for the protocol `http`.
    #[serde(default)]
    pub probe_path: Option<String>,
    /// Fields of an endpoint, as templates over `host`, `port`, `user`, `password`, `database`, `vhost`.
    pub fields: BTreeMap<String, String>,
    /// URL schemes by which apps name it, the usual one first.
    #[serde(default)]
    pub schemes: Vec<String>,
    /// Schemes that mean TLS, each with the plain scheme that replaces it: `rediss: redis`.
    #[serde(default)]
    pub tls_schemes: BTreeMap<String, String>,
    /// Query parameters of its URLs that ask for TLS and are removed.
    #[serde(default)]
    pub tls_parameters: Vec<String>,
    /// Words in the names of variables about such a service, in addition to the kind's names: `DB`, `DATABASE`.
    #[serde(default)]
    pub variable_words: Vec<String>,
    /// By field of an endpoint: the names of variables that usually hold the field, for files that do not say what
    /// their variables hold. The first name of `url` is used if no file names any variable.
    #[serde(default)]
    pub central: BTreeMap<String, Vec<String>>,
    /// The command that `devenv shell` runs in the container, as templates over the administrator's login.
    #[serde(default)]
    pub shell: Vec<String>,
    /// Variables for `devenv shell`, as templates.
    #[serde(default)]
    pub shell_environment: BTreeMap<String, String>,
    /// The HTTP API that identifies the server, if the server's own protocol does not.
    #[serde(default)]
    pub management: Option<Management>,
    /// An example of a release, to show the form of a pin.
    #[serde(default)]
    pub example: Option<String>,
    /// The last day on which a series got fixes from its project, by the first numbers of the series: `"13":
    /// "2025-11-13"`. Nothing is known about a series that is not listed.
    #[serde(default)]
    pub end_of_life: BTreeMap<String, String>,
    /// The project's page with these days.
    #[serde(default)]
    pub end_of_life_source: String,
    /// The day on which that page was last looked up.
    #[serde(default)]
    pub end_of_life_checked: String,
}

/// An HTTP API in addition to the server's own port. It exists only if production has it too.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Management {
    /// The port it listens on inside the container.
    pub port: u16,
    /// The plugin that provides it.
    pub plugin: String,
    /// Tags of images that enable it; `*` stands for any run of characters.
    pub tags: String,
}

impl Management {
    /// Whether a service with these plugins and this tag has this API.
    pub fn is_on<'a>(&self, mut plugins: impl Iterator<Item = &'a str>, tag: Option<&str>) -> bool {
        plugins.any(|plugin| plugin == self.plugin) || tag.is_some_and(|tag| matches(&self.tags, tag))
    }
}

/// Whether a text has the form of a day: `2025-11-13`.
#[cfg(test)]
fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    parts.iter().map(|part| part.len()).eq([4, 2, 2]) && parts.iter().all(is_number)
}

fn version_as_it_is() -> String {
    "{{ version }}".to_owned()
}

fn ten() -> u64 {
    10
}

/// The meaning of a container variable or a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// The app's login.
    User,
    /// Its password.
    Password,
    /// A database to create (several, separated by commas, if the image allows this).
    Database,
    /// A virtual host to create.
    Vhost,
    /// The administrator's password or name. devenv replaces it by its own.
    Admin,
    /// Plugins to enable, separated by commas or spaces.
    Plugins,
    /// Accepts logins without a password, if its value is `trust`, `yes`, `true` or `1`.
    Open,
}

/// The login that an image creates by itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultLogin {
    /// Its name.
    pub user: String,
    /// Its password, if the image has one of its own.
    #[serde(default)]
    pub password: Option<String>,
}

/// Images that share a contract: variables, data folder, user.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// `official`, `bitnami`.
    pub name: String,
    /// Canonical names of its images (`docker.io/library/postgres`); `*` stands for any run of characters.
    pub images: Vec<String>,
    /// Extensions that come with images of these names, by image pattern. They are created in every database.
    #[serde(default)]
    pub extensions: BTreeMap<String, Vec<String>>,
    /// The data folder, as `[from major, path]` pairs. The highest pair that matches counts. Empty if the images keep
    /// no data.
    #[serde(default)]
    pub data: Vec<(u64, String)>,
    /// The administrator's login, if the image decides its name. Otherwise devenv chooses the name.
    #[serde(default)]
    pub admin: Option<String>,
    /// The meanings of its variables in a manifest. `X_FILE` means the same as `X`.
    #[serde(default)]
    pub variables: BTreeMap<String, Login>,
    /// The rights of the login that its images create from their variables. The login `admin` has all rights.
    #[serde(default)]
    pub rights: Option<Rights>,
    /// The login that its images create if no variable names one.
    #[serde(default)]
    pub default_login: Option<DefaultLogin>,
    /// Variables that are passed on as they are in the manifest; `*` stands for any run of characters.
    #[serde(default)]
    pub passed: Vec<String>,
    /// Variables of its images that are not passed on, each with the reason; `*` stands for any run of characters.
    #[serde(default)]
    pub left_out: BTreeMap<String, String>,
    /// Variables that devenv itself sets in the container, with templates of their values.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The container's arguments before those of the settings.
    #[serde(default)]
    pub command: Vec<String>,
    /// Arguments for each setting, as templates over `name` and `value`.
    #[serde(default)]
    pub setting_arguments: Vec<String>,
    /// Files put into the container, as templates.
    #[serde(default)]
    pub files: Vec<FileTemplate>,
    /// The folder whose files the server runs at its first start.
    #[serde(default)]
    pub init_folder: Option<String>,
    /// The variables that make its images load definitions, if there are such variables.
    #[serde(default)]
    pub definitions: Option<DefinitionsFile>,
}

/// Variables that make an image load a broker's definitions from a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefinitionsFile {
    /// The variable that switches this on: `yes`, `true` or `1`.
    pub switch: String,
    /// The variable that holds the path of the file.
    pub variable: String,
    /// The default path.
    pub path: String,
}

/// A file for the container.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileTemplate {
    /// Its path in the container.
    pub path: String,
    /// Its text; a file whose text renders empty is not written.
    pub content: String,
}

/// How a manifest's `command` writes settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArgumentStyle {
    /// Arguments contain no settings.
    #[default]
    None,
    /// `-c name=value`, `-cname=value`, `--name=value`, with `-` read as `_`.
    Assign,
    /// `--name value…` up to the next `--`, as `redis-server` accepts it.
    Words,
    /// `-m 256`, `-m256`, `--memory-limit=256`, as memcached accepts them.
    Short,
    /// `--name=value` and `--name value`, as mysqld accepts them.
    Long,
}

impl Kind {
    /// How many numbers a full release of that major version has.
    pub fn exact_parts(&self, parts: &[u64]) -> usize {
        let major = parts.first().copied().unwrap_or_default();
        highest(&self.exact_parts, major).copied().unwrap_or(3)
    }

    /// The version that a tag of one of its images declares.
    pub fn version(&self, tag: &str, has_digest: bool, origin: Origin) -> Version {
        let release = self.exact_tags.iter().find_map(|pattern| {
            let number = tag.strip_prefix(pattern.split('*').next().unwrap_or_default())?;
            matches(pattern, tag).then(|| number.to_owned())
        });
        let mut version = Version::parse(tag, has_digest, |parts| self.exact_parts(parts), origin);
        if let Some(release) = release {
            version.number = Some(release);
            if !has_digest {
                version.class = VersionClass::Exact;
            }
        }
        version
    }

    /// The rights of a login that one of these creates: the first creator that is known counts. None if no creator is
    /// known.
    pub fn rights_by(&self, makers: &[&str]) -> Option<Rights> {
        makers.iter().find_map(|maker| {
            let known = self.rights.iter().filter(|(pattern, _)| matches(pattern, maker));
            known.max_by_key(|(pattern, _)| pattern.len()).map(|(_, rights)| *rights)
        })
    }

    /// The family of that name, else the official one.
    pub fn family(&self, name: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.name == name).or_else(|| self.families.first())
    }
}

impl Family {
    /// The rights that its images give the login of that name.
    pub fn rights_of(&self, name: &str) -> Option<Rights> {
        if self.admin.as_deref() == Some(name) { Some(Rights::Superuser) } else { self.rights }
    }

    /// Whether its files load devenv's `RabbitMQ` definitions, so that the definitions of a manifest can be loaded with
    /// them.
    pub fn loads_definitions(&self) -> bool {
        self.files.iter().any(|file| file.content.contains("rabbitmq_definitions"))
    }

    /// The data folder of that major version.
    pub fn data_folder(&self, major: Option<u64>) -> Option<&str> {
        highest(&self.data, major.unwrap_or(u64::MAX)).map(String::as_str)
    }
}

fn highest<T>(pairs: &[(u64, T)], major: u64) -> Option<&T> {
    pairs.iter().filter(|(from, _)| *from <= major).max_by_key(|(from, _)| *from).map(|(_, value)| value)
}

/// The largest file of a kind, in bytes.
const MAX_SIZE: usize = 64 * 1024;

/// How many templates one kind may have.
const MAX_TEMPLATES: usize = 100;

/// How many kinds there may be.
const MAX_KINDS: usize = 200;

/// All kinds that are known in a project.
#[derive(Clone, Debug)]
pub struct Kinds(Vec<Arc<Kind>>);

/// A kind's file that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindError {
    /// The file.
    pub path: String,
    /// The error, with line and column.
    pub message: String,
}

impl Kinds {
    /// The built-in kinds. Tests check them, so an error here is a fault of the build.
    pub fn built_in() -> Result<Self, KindError> {
        static KINDS: LazyLock<Result<Kinds, KindError>> = LazyLock::new(|| {
            let kinds = BUILT_IN.iter().map(|(path, content)| read_built_in(path, content).map(Arc::new));
            kinds.collect::<Result<_, _>>().map(Kinds)
        });
        KINDS.clone()
    }

    /// Adds a kind of the user. It replaces a built-in kind of the same name.
    pub fn add(&mut self, path: &str, text: &str) -> Result<(), KindError> {
        let refuse = |message: String| KindError { path: path.to_owned(), message };
        if text.len() > MAX_SIZE {
            return Err(refuse(format!("it is larger than {} KB; the largest built-in one takes 6", MAX_SIZE >> 10)));
        }
        if self.0.len() > MAX_KINDS {
            return Err(refuse(format!("there are more than {MAX_KINDS} kinds already")));
        }
        if template::multiplies(text) {
            return Err(refuse("a template in it multiplies (`*`), which could make a list of any size".to_owned()));
        }
        let kind = read(path, text)?;
        let templates = |family: &Family| family.files.len() + family.environment.len() + family.command.len();
        if kind.fields.len() + kind.families.iter().map(templates).sum::<usize>() > MAX_TEMPLATES {
            return Err(refuse(format!("it has more than {MAX_TEMPLATES} templates")));
        }
        self.0.retain(|known| known.name != kind.name);
        self.0.insert(0, Arc::new(kind));
        Ok(())
    }

    /// Every kind, in the order of its file's name.
    pub fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// The kind of exactly that name.
    pub fn get(&self, name: &str) -> Option<&Kind> {
        self.iter().find(|kind| kind.name == name)
    }

    /// The kind that a word means (`postgresql` is `postgres`).
    pub fn named(&self, word: &str) -> Option<&Kind> {
        self.iter().find(|kind| kind.names.iter().any(|name| name == word))
    }

    /// The kind that a dialect means by a word: its own spelling, else a kind's name.
    pub fn spelled(&self, dialect: &str, word: &str) -> Option<&Kind> {
        let spells = |kind: &&Kind| {
            kind.spellings.get(dialect).is_some_and(|words| words.iter().any(|pattern| matches(pattern, word)))
        };
        self.iter().find(spells).or_else(|| self.named(word))
    }

    /// The kind and family whose pattern matches the image's name.
    pub fn of_image(&self, image: &ImageRef) -> Option<(&Kind, &Family)> {
        let name = image.canonical_name();
        self.iter().find_map(|kind| {
            let family =
                kind.families.iter().find(|family| family.images.iter().any(|pattern| matches(pattern, &name)))?;
            Some((kind, family))
        })
    }
}

fn read_built_in(path: &str, content: &str) -> Result<Kind, KindError> {
    serde_json::from_str(content).map_err(|error| KindError { path: path.to_owned(), message: error.to_string() })
}

fn read(path: &str, text: &str) -> Result<Kind, KindError> {
    serde_saphyr::from_str(text).map_err(|error| KindError { path: path.to_owned(), message: error.to_string() })
}

/// Whether a name matches a pattern in which `*` stands for any run of characters.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    true
}
