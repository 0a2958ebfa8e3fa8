//! Rails: `config/database.yml`, `config/cable.yml` and `config/environments/development.rb`.

use super::ruby::{Assigned, assigned};
use super::{Role, Settings, StandIn};
use crate::model::{Located, Origin, SourceFile, Value};
use crate::syntax::tree::{Entry, Node, NodeKind};
use crate::syntax::yaml;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A setting in Ruby, with its stand-ins and services.
struct Setting {
    name: &'static str,
    role: Role,
    /// Names of adapters that stay within the process or on its disk.
    stand_ins: &'static [&'static str],
    /// Names of adapters that need a service.
    services: &'static [&'static str],
    instead: &'static str,
    source: &'static str,
}

const SETTINGS: &[Setting] = &[
    Setting {
        name: "config.cache_store",
        role: Role::Cache,
        stand_ins: &["memory_store", "file_store", "null_store"],
        services: &["redis_cache_store", "mem_cache_store", "redis_store", "dalli_store"],
        instead: "use production's store here too, at `ENV[\"{variable}\"]`",
        source: "https://guides.rubyonrails.org/caching_with_rails.html#cache-stores",
    },
    Setting {
        name: "config.active_job.queue_adapter",
        role: Role::Queue,
        stand_ins: &["async", "inline"],
        services: &["sidekiq", "resque", "sneakers", "kicks", "shoryuken", "faktory", "advanced_sneakers_activejob"],
        instead: "use production's adapter here too, at `ENV[\"{variable}\"]`",
        source: "https://guides.rubyonrails.org/active_job_basics.html#job-execution",
    },
];

pub(super) fn stand_ins(settings: &mut Settings<'_>) -> Vec<StandIn> {
    let mut found = Vec::new();
    for path in settings.files(&["config/database.yml", "*/config/database.yml", "*/*/config/database.yml"]) {
        let Some(source) = settings.read(&path) else { continue };
        found.extend(database(&source, settings));
        let config = path.parent().map(Path::to_path_buf).unwrap_or_default();
        found.extend(settings.read(config.join("cable.yml")).and_then(|source| cable(&source)));
        found.extend(SETTINGS.iter().filter_map(|setting| in_ruby(setting, &config, settings)));
    }
    found
}

fn database(source: &Arc<SourceFile>, settings: &Settings<'_>) -> Vec<StandIn> {
    let Some(document) = document(source) else { return Vec::new() };
    let Some(development) = document.get("development") else { return Vec::new() };
    let in_production = |name: Option<&str>| {
        let section = document.get("production")?;
        let section = name.map_or(Some(section), |name| section.get(name))?;
        // If this variable is set, Rails uses it instead of the file's section for the first database.
        let is_overruled = name.is_none_or(|name| name == "primary") && is_bound(settings, "DATABASE_URL");
        sqlite(section).filter(|_| !is_overruled)
    };
    let is_single = development.get("adapter").is_some() || development.get("url").is_some();
    let databases: Vec<(Option<&str>, &Node)> = if is_single {
        vec![(None, development)]
    } else {
        let several = development.entries().filter(|entry| entry.value.as_mapping().is_some());
        several.map(|entry| (Some(entry.key.value.as_str()), &entry.value)).collect()
    };
    let stands_in = |(name, section): &(Option<&str>, &Node)| {
        let value = sqlite(section)?;
        in_production(*name).is_none().then_some(StandIn {
            framework: "Rails",
            role: Role::Database,
            value,
            instead: "use production's adapter here too, with `url: <%= ENV[\"{variable}\"] %>`",
            source: "https://guides.rubyonrails.org/configuring.html#configuring-a-database",
        })
    };
    databases.iter().filter_map(stands_in).collect()
}

fn is_bound(settings: &Settings<'_>, name: &str) -> bool {
    settings
        .stack
        .variables
        .iter()
        .any(|variable| variable.name == name && matches!(variable.value, Value::Bound { .. }))
}

/// The adapter or URL of a section, if it is `SQLite`'s. A URL has precedence over an adapter. ERB is no literal.
fn sqlite(section: &Node) -> Option<Located<String>> {
    let node = section.get("url").or_else(|| section.get("adapter"))?;
    let text = node.as_literal()?;
    (text.starts_with("sqlite3") || text == "jdbcsqlite3").then(|| Located::new(text.to_owned(), node.origin.clone()))
}

fn cable(source: &Arc<SourceFile>) -> Option<StandIn> {
    let document = document(source)?;
    let adapter = |section: &str| document.get(section)?.get("adapter");
    let here = adapter("development")?;
    let text = here.as_literal().filter(|text| matches!(*text, "async" | "inline"))?;
    adapter("production")?.as_literal().filter(|text| *text == "redis")?;
    Some(StandIn {
        framework: "Rails",
        role: Role::Messages,
        value: Located::new(text.to_owned(), here.origin.clone()),
        instead: "use `adapter: redis` here too, with `url: <%= ENV[\"{variable}\"] %>`",
        source: "https://guides.rubyonrails.org/action_cable_overview.html#subscription-adapter",
    })
}

/// A stand-in that development's settings name, if production's settings or those for all environments name a
/// service.
fn in_ruby(setting: &Setting, config: &Path, settings: &Settings<'_>) -> Option<StandIn> {
    let read = |path: PathBuf| settings.read(path).map(|source| assigned(&source, setting.name)).unwrap_or_default();
    let is_among = |assigned: &Assigned, names: &[&str]| {
        assigned.literals.iter().any(|literal| names.contains(&literal.value.as_str()))
    };
    let here = read(config.join("environments/development.rb"));
    let production = read(config.join("environments/production.rb"));
    let all = read(config.join("application.rb"));
    let decides = if production == Assigned::default() { &all } else { &production };
    if here.has_more || is_among(&here, setting.services) || !is_among(decides, setting.services) {
        return None;
    }
    let literal = here.literals.into_iter().find(|literal| setting.stand_ins.contains(&literal.value.as_str()))?;
    Some(StandIn {
        framework: "Rails",
        role: setting.role,
        value: literal.map(|name| format!(":{name}")),
        instead: setting.instead,
        source: setting.source,
    })
}

/// The first document. A value with ERB has the tag [`ERB`], so it is no literal. Places are those of the file.
fn document(source: &Arc<SourceFile>) -> Option<Node> {
    let masked = Arc::new(SourceFile { path: source.path.clone(), text: masked(&source.text) });
    let document = yaml::parse(&masked).documents.into_iter().next()?;
    Some(restored(document, source))
}

/// Replaces each character of an ERB expression. It is a private-use character, which has no meaning in YAML.
const MASK: char = '\u{e000}';

/// The tag of a value that contains ERB.
const ERB: &str = "!erb";

/// The text with ERB masked, character by character: expressions (`<%=`) become [`MASK`], other ERB becomes spaces.
fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<%") {
        masked.push_str(before);
        let Some((inside, after)) = after.split_once("%>") else { break };
        let mask = if inside.starts_with('=') { MASK } else { ' ' };
        let whole = ["<%", inside, "%>"].concat();
        masked.extend(whole.chars().map(|c| if c == '\n' { c } else { mask }));
        rest = after;
    }
    masked.push_str(rest);
    masked
}

fn restored(node: Node, source: &Arc<SourceFile>) -> Node {
    let origin = Origin { file: Arc::clone(source), ..node.origin };
    let is_erb = matches!(&node.kind, NodeKind::Scalar { text, .. } if text.contains(MASK));
    let kind = match node.kind {
        NodeKind::Sequence(items) => NodeKind::Sequence(items.into_iter().map(|item| restored(item, source)).collect()),
        NodeKind::Mapping(entries) => NodeKind::Mapping(
            entries.into_iter().map(|entry| Entry { key: entry.key, value: restored(entry.value, source) }).collect(),
        ),
        scalar @ NodeKind::Scalar { .. } => scalar,
    };
    let tag = if is_erb { Some(ERB.into()) } else { node.tag };
    Node { origin, tag, kind }
}
