//! `CloudNativePG`: `Cluster`, its image catalogs and `Database` resources.

use super::resource::{Resource, rights_of};
use crate::kinds::arguments::Argument;
use crate::manifest::declare::cloud::libraries;
use crate::manifest::dialects::kubernetes::image::Image;
use crate::model::{Credential, Support};
use crate::syntax::tree::Node;

/// Keys of the secret `<cluster>-app` (`CloudNativePG`, "Connecting from an application").
const APP_KEYS: &[(&str, &str)] = &[
    ("username", "user"),
    ("user", "user"),
    ("password", "password"),
    ("host", "host"),
    ("port", "port"),
    ("dbname", "database"),
    ("uri", "url"),
    ("fqdn-uri", "url"),
    ("jdbc-uri", "jdbc_url"),
    ("fqdn-jdbc-uri", "jdbc_url"),
];

pub(super) fn read(resource: &mut Resource<'_, '_, '_>) {
    catalog(resource);
    resource.settings("spec.postgresql.parameters");
    server(resource);
    let object = resource.object;
    let own = object.name.value.clone();
    let start = ["spec.bootstrap.initdb", "spec.bootstrap.recovery", "spec.bootstrap.pg_basebackup"];
    let path = start.into_iter().find(|path| object.at(path).is_some());
    let initdb = path.and_then(|path| object.at(path));
    let text = |key: &str| initdb.and_then(|node| node.get(key)).filter(|node| node.as_str().is_some());
    let database = text("database");
    let owner = text("owner").or(database);
    // The operator's default for both names is `app`.
    let name_of = |node: Option<&Node>| node.and_then(Node::as_str).unwrap_or("app").to_owned();
    let (database_name, owner_name) = (name_of(database), name_of(owner));
    let origin = |node: Option<&Node>| node.map_or(&object.name.origin, |node| &node.origin).clone();
    let secret =
        initdb.and_then(|node| node.get("secret")).and_then(|secret| secret.get("name")).and_then(Node::as_str);
    let app_secret = secret.map_or_else(|| format!("{own}-app"), str::to_owned);
    resource.user(&owner_name, Credential::Secret(format!("{app_secret} key password")), &origin(owner));
    resource.database(&database_name, None, &origin(database));
    if let Some(path) = path {
        if path == "spec.bootstrap.initdb" {
            resource.reproduced(path);
        } else {
            resource.differs(path, Support::Unsupported, "a local server starts empty, and reads no backup");
        }
    }
    resource.secret(app_secret.clone(), None, APP_KEYS);
    if secret.is_some() {
        resource.secret(format!("{own}-app"), None, APP_KEYS);
    }
    init_statements(resource, initdb);
    roles(resource);
    databases(resource);
}

/// Takes the image from the entry of a catalog for the requested major version.
fn catalog(resource: &mut Resource<'_, '_, '_>) {
    let object = resource.object;
    let Some(reference) = object.at("spec.imageCatalogRef") else { return };
    let text = |key: &str| reference.get(key).and_then(Node::as_str);
    let (Some(name), Some(major)) = (text("name"), reference.get("major")) else { return };
    let major_text = major.as_str().unwrap_or_default();
    let kind = if text("kind") == Some("ClusterImageCatalog") { "ClusterImageCatalog" } else { "ImageCatalog" };
    let namespace = if kind == "ClusterImageCatalog" { "" } else { &object.namespace };
    let images = resource.objects.named(kind, name, namespace).and_then(|catalog| catalog.at("spec.images"));
    let entry = images
        .and_then(Node::as_sequence)
        .and_then(|entries| entries.iter().find(|entry| entry.get("major").and_then(Node::as_str) == Some(major_text)));
    let image = entry.and_then(|entry| entry.get("image"));
    if let Some(image) = image.and_then(|node| Image::read(node, object.changes)) {
        resource.backing.service.version = image.version(resource.kind);
        resource.image("spec.imageCatalogRef", image);
    } else {
        // The catalog is not among the objects, so only the requested major version is known.
        resource.backing.service.version = resource.kind.version(major_text, false, major.origin.clone());
        resource.reproduced("spec.imageCatalogRef");
    }
}

/// Reads the keys of `postgresql`, except its parameters.
fn server(resource: &mut Resource<'_, '_, '_>) {
    const PATH: &str = "spec.postgresql.shared_preload_libraries";
    let object = resource.object;
    if let Some(node) = object.at(PATH) {
        let names = node.as_sequence().unwrap_or_default().iter().filter_map(Node::as_str);
        let (kept, gone) = libraries(names);
        if gone.is_empty() {
            resource.reproduced(PATH);
        } else {
            let note = format!("without {}, which the official image does not have", gone.join(", "));
            resource.differs(PATH, Support::Approximated, note);
        }
        if !kept.is_empty() {
            let name = "shared_preload_libraries".to_owned();
            let argument = Argument { name, value: kept.join(","), at: 0 };
            resource.backing.setting(&argument, &node.origin, PATH);
        }
    }
    for entry in object.at("spec.postgresql").into_iter().flat_map(Node::entries) {
        let key = entry.key.value.as_str();
        if !matches!(key, "parameters" | "shared_preload_libraries") {
            let note = "the operator's; logins and replicas are those of the environment";
            resource.differs(&format!("spec.postgresql.{key}"), Support::Unsupported, note);
        }
    }
}

fn init_statements(resource: &mut Resource<'_, '_, '_>, initdb: Option<&Node>) {
    for key in ["postInitApplicationSQL", "postInitSQL", "postInitTemplateSQL"] {
        for item in initdb.and_then(|node| node.get(key)).and_then(Node::as_sequence).unwrap_or_default() {
            let text = item.as_str().unwrap_or_default();
            for name in crate::manifest::declare::container::extensions_in(text) {
                resource.extension(&name, &item.origin);
            }
            let rest = text.to_ascii_lowercase();
            if !rest.trim_start().starts_with("create extension") {
                let note = "statements of the first start are not run; only the extensions that they create are added";
                resource.differs(&format!("spec.bootstrap.initdb.{key}"), Support::Unsupported, note);
            }
        }
    }
}

/// Reads `managed.roles`: logins of further apps.
fn roles(resource: &mut Resource<'_, '_, '_>) {
    let Some(roles) = resource.object.at("spec.managed.roles").and_then(Node::as_sequence) else { return };
    for role in roles {
        let Some(name) = role.get("name").filter(|name| name.as_str().is_some()) else { continue };
        let name_text = name.as_str().unwrap_or_default();
        let is_absent = role.get("ensure").and_then(Node::as_str) == Some("absent");
        if is_absent || role.get("login").and_then(Node::as_bool) != Some(true) {
            continue;
        }
        let secret = role.get("passwordSecret").and_then(|secret| secret.get("name")).and_then(Node::as_str);
        let credential = match secret {
            Some(secret) => Credential::Secret(format!("{secret} key password")),
            None => Credential::Own(format!("{} user {name_text}", resource.object.name.value)),
        };
        resource.user_with(
            name_text,
            credential,
            Some(rights_of(|key| role.get(key).and_then(Node::as_bool) == Some(true))),
            &name.origin,
        );
        if let Some(secret) = secret {
            resource.secret(secret.to_owned(), Some(name_text), &[("username", "user"), ("password", "password")]);
        }
    }
    let note = "roles log in with their rights; their memberships and limits are not carried out";
    resource.differs("spec.managed", Support::Approximated, note);
}

/// Reads the `Database` resources of this cluster.
fn databases(resource: &mut Resource<'_, '_, '_>) {
    let objects = resource.objects;
    for database in objects.of_kind("Database") {
        let is_ours = database.group == "postgresql.cnpg.io"
            && resource.shares(database)
            && database.text("spec.cluster.name") == Some(&resource.object.name.value);
        let Some(name) = database.at("spec.name").filter(|name| is_ours && name.as_str().is_some()) else { continue };
        if database.text("spec.ensure") == Some("absent") {
            continue;
        }
        resource.database(name.as_str().unwrap_or_default(), database.text("spec.owner"), &name.origin);
        for extension in database.at("spec.extensions").and_then(Node::as_sequence).unwrap_or_default() {
            let is_absent = extension.get("ensure").and_then(Node::as_str) == Some("absent");
            if let Some(name) = extension.get("name").filter(|_| !is_absent) {
                resource.extension(name.as_str().unwrap_or_default(), &name.origin);
            }
        }
    }
}
