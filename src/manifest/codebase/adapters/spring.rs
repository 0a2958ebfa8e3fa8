//! Spring Boot: development profiles in `src/main/resources`, as properties or YAML.

use super::{Role, Settings, StandIn};
use crate::manifest::read::place::place;
use crate::model::{Located, SourceFile};
use crate::syntax::tree::{Node, NodeKind};
use crate::syntax::yaml;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The profile that a document of properties is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Profile {
    Development,
    Every,
    Production,
    Other,
}

/// Properties by their dotted names.
struct Document {
    profile: Profile,
    properties: BTreeMap<String, Located<String>>,
}

const DATABASES: &[&str] = &["spring.datasource.url", "spring.datasource.hikari.jdbc-url", "spring.r2dbc.url"];

pub(super) fn stand_ins(settings: &mut Settings<'_>) -> Vec<StandIn> {
    let mut resources: BTreeMap<PathBuf, Vec<Document>> = BTreeMap::new();
    let patterns =
        ["", "*/", "*/*/"].map(|above| format!("{above}src/main/resources/application*.{{properties,yml,yaml}}"));
    for path in settings.files(&patterns.each_ref().map(String::as_str)) {
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        if let Some(source) = settings.read(&path) {
            resources.entry(folder).or_default().extend(documents(&source));
        }
    }
    resources.into_values().flat_map(|documents| of_app(&documents)).collect()
}

fn of_app(documents: &[Document]) -> Vec<StandIn> {
    let value = |profile: Profile, name: &str| {
        documents
            .iter()
            .filter(|document| document.profile == profile)
            .find_map(|document| document.properties.get(name))
    };
    let mut found = Vec::new();
    for name in DATABASES {
        let here = value(Profile::Development, name);
        let production = value(Profile::Production, name);
        // A value for every profile is development's value if only production has its own.
        let every = || value(Profile::Every, name).filter(|_| production.is_some());
        let is_production_so = production.is_some_and(|url| is_embedded(&url.value));
        if let Some(url) = here.or_else(every).filter(|url| is_embedded(&url.value) && !is_production_so) {
            found.push(StandIn {
                framework: "Spring",
                role: Role::Database,
                value: url.clone(),
                instead: "use production's driver here too, at `{variable}` of .env",
                source: "https://docs.spring.io/spring-boot/reference/data/sql.html#data.sql.datasource.embedded",
            });
        }
    }
    let is_local = |kind: &&Located<String>| matches!(kind.value.as_str(), "simple" | "none" | "caffeine");
    let here = value(Profile::Development, "spring.cache.type").filter(is_local);
    let production = value(Profile::Production, "spring.cache.type").or(value(Profile::Every, "spring.cache.type"));
    if let Some(kind) = here.filter(|_| !production.as_ref().is_some_and(is_local)) {
        found.push(StandIn {
            framework: "Spring",
            role: Role::Cache,
            value: kind.clone(),
            instead: "remove the line, or use production's type; the service is at `{variable}` in .env",
            source: "https://docs.spring.io/spring-boot/reference/io/caching.html#io.caching.provider",
        });
    }
    found
}

/// Whether a URL names a database within the process or in a file. A URL that contains a variable does not count.
fn is_embedded(url: &str) -> bool {
    const EMBEDDED: &[&str] = &["jdbc:h2:", "jdbc:hsqldb:", "jdbc:derby:", "jdbc:sqlite:", "r2dbc:h2:"];
    EMBEDDED.iter().any(|start| url.starts_with(start)) && !url.contains("${")
}

fn documents(source: &Arc<SourceFile>) -> Vec<Document> {
    let stem = source.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let by_name = match stem.strip_prefix("application") {
        Some("") => None,
        Some(rest) => Some(profile(rest.trim_start_matches('-'))),
        None => Some(Profile::Other),
    };
    let is_yaml = source.path.extension().is_some_and(|ending| ending != "properties");
    let read: Vec<BTreeMap<String, Located<String>>> = if is_yaml {
        let flat = |node: &Node| {
            let mut properties = BTreeMap::new();
            flatten(node, "", &mut properties);
            properties
        };
        yaml::parse(source).documents.iter().map(flat).collect()
    } else {
        properties(source)
    };
    let document = |properties: BTreeMap<String, Located<String>>| {
        let within =
            ["spring.config.activate.on-profile", "spring.profiles"].iter().find_map(|key| properties.get(*key));
        let within = within.map(|name| profile(&name.value));
        Document { profile: by_name.or(within).unwrap_or(Profile::Every), properties }
    };
    read.into_iter().map(document).collect()
}

fn profile(name: &str) -> Profile {
    match name.trim() {
        "dev" | "local" | "development" => Profile::Development,
        "prod" | "production" => Profile::Production,
        _ => Profile::Other,
    }
}

/// Adds every scalar below a node, by one dotted name for its nested keys.
fn flatten(node: &Node, name: &str, properties: &mut BTreeMap<String, Located<String>>) {
    for entry in node.entries() {
        let key = &entry.key.value;
        let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        match &entry.value.kind {
            NodeKind::Mapping(_) => flatten(&entry.value, &name, properties),
            NodeKind::Scalar { text, .. } => {
                let value = Located::new(text.clone(), entry.value.origin.clone());
                properties.entry(name).or_insert(value);
            }
            NodeKind::Sequence(_) => {}
        }
    }
}

/// The documents of a properties file: `#---` begins the next document.
fn properties(source: &Arc<SourceFile>) -> Vec<BTreeMap<String, Located<String>>> {
    let mut documents = vec![BTreeMap::new()];
    for line in source.text.lines().map(str::trim) {
        if matches!(line, "#---" | "!---") {
            documents.push(BTreeMap::new());
        } else if !line.starts_with(['#', '!'])
            && let Some(at) = line.find(['=', ':'])
            && let Some(document) = documents.last_mut()
        {
            let value = line[at + 1..].trim();
            document.insert(line[..at].trim_end().to_owned(), Located::new(value.to_owned(), place(source, value)));
        }
    }
    documents
}
