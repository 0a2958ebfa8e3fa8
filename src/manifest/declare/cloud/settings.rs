//! Settings of managed services: those that the server itself knows, and those that only the provider knows.

use super::{Settings, at, key, unresolved_note};
use crate::kinds::{Kind, Kinds};
use crate::model::{Key, Located, Origin, Support};
use crate::syntax::tree::{Entry, Node, NodeKind};

/// One parameter of a service.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// The attribute or group that holds it, for its key: `parameter_group`.
    pub(crate) holder: String,
    /// Its name.
    pub(crate) name: Located<String>,
    /// Its value.
    pub(crate) value: Node,
    /// The group's family (`aurora-postgresql16`); empty without a group.
    pub(crate) family: String,
}

impl Parameter {
    /// The kind that its group is for.
    pub(super) fn kind<'k>(&self, kinds: &'k Kinds) -> Option<&'k Kind> {
        super::engine_of(kinds, &self.family)
    }
}

/// Prefixes of parameters that only a provider's servers know, and the provider.
const PROVIDERS: &[(&str, &str)] = &[
    ("rds.", "Amazon RDS"),
    ("rds_", "Amazon RDS"),
    ("aurora_", "Aurora"),
    ("apg_", "Aurora"),
    ("cloudsql.", "Cloud SQL"),
    ("cloudsql_", "Cloud SQL"),
    ("google_", "Google"),
    ("alloydb.", "AlloyDB"),
    ("azure.", "Azure"),
    ("azure_", "Azure"),
    ("pgms_", "Azure"),
    ("pgms.", "Azure"),
    ("intelligent_tuning", "Azure"),
    ("reserved-memory", "ElastiCache"),
    ("maxmemory-reserved", "Azure"),
    ("maxmemory-delta", "Azure"),
    ("maxfragmentationmemory-reserved", "Azure"),
    ("aof-backup", "Azure"),
    ("rdb-backup", "Azure"),
    ("rdb-storage", "Azure"),
    ("aof-storage", "Azure"),
    ("authentication-enabled", "Azure"),
    ("active-directory", "Azure"),
    ("data-persistence", "Azure"),
    ("storage-account", "Azure"),
    ("in-transit", "Google"),
];

/// `MySQL` variables that a session sets. The server does not accept them as options.
const OF_SESSIONS: &[&str] = &[
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "character_set_database",
    "collation_connection",
    "collation_database",
];

/// Libraries that come with Postgres itself, as the official image has it (contrib).
const LIBRARIES: &[&str] = &["pg_stat_statements", "auto_explain", "pg_prewarm", "auth_delay", "passwordcheck"];

/// Extensions that come with Postgres itself, as the official image has it (contrib).
const EXTENSIONS: &[&str] = &[
    "amcheck",
    "autoinc",
    "bloom",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dblink",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "fuzzystrmatch",
    "hstore",
    "insert_username",
    "intagg",
    "intarray",
    "isn",
    "lo",
    "ltree",
    "moddatetime",
    "pageinspect",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_trgm",
    "pg_visibility",
    "pgcrypto",
    "pgrowlocks",
    "pgstattuple",
    "plpgsql",
    "postgres_fdw",
    "refint",
    "seg",
    "sslinfo",
    "tablefunc",
    "tcn",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "xml2",
];

impl Settings {
    /// The path of the attribute.
    pub(super) fn path(&self) -> &'static str {
        match self {
            Self::Pairs(path) | Self::Map(path) | Self::Group(path) | Self::One(path, _) => path,
        }
    }
}

/// The parameters that a resource's attributes hold.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) parameters: Vec<Parameter>,
}

impl Found {
    pub(super) fn read(&mut self, settings: &Settings, body: &Node) {
        let Some(node) = at(body, settings.path()).filter(|node| !node.is_null()) else { return };
        match settings {
            Settings::Pairs(path) => self.parameters.extend(pairs(path, node, "")),
            Settings::Map(path) => {
                let maps = match &node.kind {
                    NodeKind::Sequence(items) => items.iter().collect(),
                    _ => vec![node],
                };
                for entry in maps.into_iter().flat_map(Node::entries).filter(|entry| !entry.value.is_null()) {
                    self.add(path, entry.key.clone(), entry.value.clone());
                }
            }
            Settings::One(path, name) => {
                let mut value = node.clone();
                if let NodeKind::Scalar { text, .. } = &mut value.kind {
                    *text = text.replace('_', "-");
                }
                self.add(path, Located::new((*name).to_owned(), node.origin.clone()), value);
            }
            Settings::Group(_) => {}
        }
    }

    fn add(&mut self, holder: &str, name: Located<String>, value: Node) {
        self.parameters.push(Parameter { holder: holder.to_owned(), name, value, family: String::new() });
    }
}

/// Parameters from a list of `{name, value}`, with keys as `CloudFormation` or Terraform writes them.
pub(crate) fn pairs(holder: &str, node: &Node, family: &str) -> Vec<Parameter> {
    let items = match &node.kind {
        NodeKind::Sequence(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let part = |item: &Node, names: &[&str]| {
        item.entries().find(|entry| names.contains(&entry.key.value.as_str())).map(|entry| entry.value.clone())
    };
    items
        .iter()
        .filter_map(|item| {
            let name = part(item, &["name", "Name", "ParameterName"])?;
            let value = part(item, &["value", "Value", "ParameterValue"])?;
            // An unresolved name is shown by its source text. Its value is not used.
            let value = if name.as_unresolved().is_some() { name.clone() } else { value };
            let written = name.as_literal().or_else(|| name.as_unresolved())?;
            let name = Located::new(written.to_owned(), name.origin.clone());
            Some(Parameter { holder: holder.to_owned(), name, value, family: family.to_owned() })
        })
        .collect()
}

/// Parameters, sorted by how they are supported.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    /// The settings that the server gets.
    pub(super) settings: Vec<Entry>,
    /// Extensions that have to be available.
    pub(super) extensions: Vec<Located<String>>,
    /// The support of each parameter.
    pub(super) keys: Vec<Key>,
    /// The worst support of all parameters.
    pub(super) worst: Support,
}

/// Sorts parameters by how they are supported. If two have the same name, the later parameter is used.
pub(super) fn sort(parameters: &[Parameter], kind: &Kind) -> Sorted {
    let mut sorted = Sorted::default();
    for parameter in parameters {
        sorted.take(parameter, kind);
    }
    sorted
}

impl Sorted {
    fn take(&mut self, parameter: &Parameter, kind: &Kind) {
        let written = parameter.name.value.as_str();
        let name = if matches!(kind.name.as_str(), "redis" | "valkey") {
            written.replace('_', "-")
        } else {
            written.to_owned()
        };
        let path = format!("{}.{written}", parameter.holder);
        let Some(value) = parameter.value.as_literal() else {
            if !parameter.value.is_null() {
                self.drop(&path, &unresolved_note(&parameter.value));
            }
            return;
        };
        if matches!(name.as_str(), "azure.extensions" | "extensions") {
            return self.extensions(&path, value, &parameter.value.origin);
        }
        if let Some((_, provider)) = PROVIDERS.iter().find(|(start, _)| name.starts_with(start)) {
            return self.drop(&path, &format!("a parameter of {provider}, which other servers do not know"));
        }
        if let Some(reason) = kind.own_settings.get(&name) {
            return self.keys.push(key(&path, Support::Unsupported, reason));
        }
        if value.contains('{') {
            return self.drop(&path, "computed from the size of production's machine");
        }
        let is_mysql = matches!(kind.name.as_str(), "mysql" | "mariadb");
        if is_mysql && OF_SESSIONS.contains(&name.as_str()) {
            return self.drop(&path, "a session variable, which the server does not accept as an option");
        }
        let takes_none = kind.families.first().is_none_or(|family| {
            family.setting_arguments.is_empty() && family.files.iter().all(|file| !file.content.contains("setting"))
        });
        if takes_none {
            return self.drop(&path, "settings of this image are not carried over");
        }
        let mut text = value.to_owned();
        if name == "shared_preload_libraries" {
            let (kept, gone) = libraries(value.split(','));
            if !gone.is_empty() {
                self.worst = Support::Approximated;
                let note = format!("without {}, which the image does not have", gone.join(", "));
                self.keys.push(key(&path, Support::Approximated, &note));
            }
            if kept.is_empty() {
                return;
            }
            text = kept.join(",");
        }
        let name = if is_mysql && name == "time_zone" { "default_time_zone".to_owned() } else { name };
        if !self.keys.iter().any(|key| key.path == path) {
            self.keys.push(key(&path, Support::Reproduced, ""));
        }
        self.settings.retain(|entry| entry.key.value != name);
        let value = Node::scalar(text, true, parameter.value.origin.clone());
        self.settings.push(Entry { key: Located::new(name, parameter.name.origin.clone()), value });
    }

    /// Reads the extensions that a provider allows, separated by commas.
    fn extensions(&mut self, path: &str, value: &str, origin: &Origin) {
        let names: Vec<String> =
            value.split(',').map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()).collect();
        let (known, gone): (Vec<String>, Vec<String>) =
            names.into_iter().partition(|name| EXTENSIONS.contains(&name.as_str()));
        if gone.is_empty() {
            self.keys.push(key(path, Support::Reproduced, ""));
        } else {
            self.worst = Support::Approximated;
            let note = format!(
                "without {}, which the image does not have: name an image that has them in services.local.yaml",
                gone.join(", ")
            );
            self.keys.push(key(path, Support::Approximated, &note));
        }
        self.extensions.extend(known.into_iter().map(|name| Located::new(name, origin.clone())));
    }

    fn drop(&mut self, path: &str, note: &str) {
        self.worst = Support::Approximated;
        self.keys.push(key(path, Support::Unsupported, note));
    }
}

/// Splits the libraries that Postgres loads at its start: those that the official image has, and the others.
pub(crate) fn libraries<'t>(names: impl Iterator<Item = &'t str>) -> (Vec<&'t str>, Vec<&'t str>) {
    names.map(str::trim).filter(|name| !name.is_empty()).partition(|name| LIBRARIES.contains(name))
}
