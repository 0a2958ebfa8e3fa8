//! Reads the values that all custom resources have: version, image, hosts, and the support of every key.

use super::Layout;
use crate::kinds::{Kind, arguments};
use crate::manifest::declare::container::{Backing, Container, FieldNames, Unset};
use crate::manifest::dialects::kubernetes::image::Image;
use crate::manifest::dialects::kubernetes::object::{Object, Objects};
use crate::manifest::dialects::kubernetes::secrets::{Made, Secrets};
use crate::manifest::dialects::kubernetes::server::CLUSTER;
use crate::manifest::dialects::kubernetes::{Reader, hosts};
use crate::model::{
    Credential, Database, Diagnostic, Located, Origin, Rights, Service, Support, User, Version, VersionClass,
};
use crate::syntax::tree::Node;

/// A custom resource describes no container, so these names of a container's parts are not used.
static FIELD_NAMES: FieldNames = FieldNames {
    environment: "spec",
    environment_file: "spec",
    entrypoint: "spec",
    command: "spec",
    mounts: "spec",
    secrets: "spec",
    unset,
    unset_file: unset,
};

static NO_CONTAINER: Container = Container {
    environment: Vec::new(),
    entrypoint: None,
    command: None,
    used: Vec::new(),
    mounts: Vec::new(),
    field_names: &FIELD_NAMES,
};

/// A custom resource while it is read.
pub(super) struct Resource<'r, 'n, 'o> {
    /// The resource.
    pub(super) object: &'r Object<'n>,
    /// Every object; some belong to the resource.
    pub(super) objects: &'r Objects<'n>,
    /// Its kind.
    pub(super) kind: &'r Kind,
    /// The service.
    pub(super) backing: Backing<'o>,
    /// Secrets that operators create.
    pub(super) secrets: Secrets,
    /// Further ports that lead to the server.
    pub(super) ports: Vec<u16>,
    /// Keys below `spec` that are recorded.
    recorded: Vec<String>,
}

/// Reads a resource into a service.
pub(super) fn read<'n>(reader: &mut Reader<'_, 'n>, object: &Object<'n>, kind: &Kind, layout: &Layout) {
    let Some(family) = kind.families.first() else { return };
    let name = reader.name_for(&object.name.value, object);
    let image_node = layout.image.and_then(|path| object.at(path));
    let image = image_node.and_then(|node| Image::read_filled(node, object.changes, reader.input));
    let version_node = layout.version.and_then(|path| object.at(path));
    let version = match (&image, version_node) {
        // The image sets the version, unless its tag has no version of the server.
        (Some(image), None) => image.version(kind),
        (Some(image), Some(_)) if image.version(kind).number.is_some() => image.version(kind),
        (_, Some(node)) => kind.version(node.as_str().unwrap_or_default(), false, node.origin.clone()),
        (None, None) => absent(object),
    };
    let service = Service::new(&name, &kind.name, &family.name, version, object.name.origin.clone());
    let backing = Backing::new(reader.input.project, &NO_CONTAINER, kind, family, service);
    let mut resource = Resource {
        object,
        objects: reader.objects,
        kind,
        backing,
        secrets: std::mem::take(&mut reader.secrets),
        ports: Vec::new(),
        recorded: Vec::new(),
    };
    if let Some(path) = layout.version.filter(|_| version_node.is_some()) {
        resource.reproduced(path);
    }
    if let (Some(path), Some(image)) = (layout.image, image) {
        resource.image(path, image);
    }
    (layout.more)(&mut resource);
    resource.cluster_keys();
    let Resource { backing, secrets, ports, .. } = resource;
    reader.secrets = secrets;
    let mut read = backing.finish();
    read.sources.ports.extend(ports);
    for pattern in layout.hosts {
        let host = pattern.replace("{}", &object.name.value);
        read.sources.hosts.extend(hosts::forms(&host, &object.namespace));
        if !host.contains('*') && host != read.service.name {
            read.service.aliases.push(host);
        }
    }
    // `Service` objects of the project that select the operator's pods.
    for service in reader.objects.of_kind("Service").filter(|service| service.shares(&object.namespace)) {
        let selector = service.at("spec.selector").into_iter().flat_map(Node::entries);
        let names_it = |key: &str| OPERATOR_LABELS.contains(&key);
        let mut selector = selector.filter(|entry| names_it(&entry.key.value));
        if selector.any(|entry| entry.value.as_str() == Some(&object.name.value)) {
            read.sources.hosts.extend(hosts::forms(&service.name.value, &service.namespace));
            read.service.aliases.push(service.name.value.clone());
        }
    }
    reader.diagnostics.extend(read.diagnostics);
    reader.add_service(read.service, read.sources);
}

/// Labels by which operators mark the pods of a resource with its name.
const OPERATOR_LABELS: &[&str] = &[
    "cnpg.io/cluster",
    "postgresql",
    "cluster-name",
    "postgres-operator.crunchydata.com/cluster",
    "strimzi.io/cluster",
    "redisfailovers.databases.spotahome.com/name",
    "elasticsearch.k8s.elastic.co/cluster-name",
];

fn absent(object: &Object<'_>) -> Version {
    Version { text: String::new(), number: None, class: VersionClass::Absent, origin: object.name.origin.clone() }
}

fn unset(unset: &Unset<'_>) -> Diagnostic {
    Diagnostic::warning("value-unknown", format!("{} of `{}` is not here", unset.what, unset.service))
        .at(unset.origin, "named here")
}

impl Resource<'_, '_, '_> {
    /// Records a key that is carried out as in production.
    pub(super) fn reproduced(&mut self, path: &str) {
        self.record(path);
        self.backing.keys.add_neutral(path, Support::Reproduced, "");
    }

    /// Records a key that is carried out in another way, or not at all.
    pub(super) fn differs(&mut self, path: &str, support: Support, note: impl Into<String>) {
        self.record(path);
        self.backing.keys.add(path, support, note);
    }

    fn record(&mut self, path: &str) {
        if let Some(key) = path.strip_prefix("spec.") {
            self.recorded.push(key.split(['.', '[']).next().unwrap_or(key).to_owned());
        }
    }

    /// Takes an image of a family of the kind as it is; any other image is replaced by the official image.
    pub(super) fn image(&mut self, path: &str, image: Image) {
        let family = self.kind.families.iter().find(|family| {
            let name = image.name.value.canonical_name();
            family.images.iter().any(|pattern| crate::kinds::matches(pattern, &name))
        });
        if let Some(family) = family {
            self.backing.service.family.clone_from(&family.name);
            self.backing.service.image = Some(image.name);
            return self.reproduced(path);
        }
        let note =
            format!("the official image of the same version stands in for {}", image.name.value.canonical_name());
        self.backing.service.notes.push(note.clone());
        self.differs(path, Support::Approximated, note);
    }

    /// Reads settings in a map: `max_connections: 200`.
    pub(super) fn settings(&mut self, path: &str) {
        if let Some(node) = self.object.at(path) {
            self.settings_in(node, path);
        }
    }

    /// The same, with the map itself.
    pub(super) fn settings_in(&mut self, node: &Node, path: &str) {
        self.reproduced(path);
        self.settings_of(node, path, "");
    }

    fn settings_of(&mut self, node: &Node, path: &str, prefix: &str) {
        for entry in node.entries() {
            let name = format!("{prefix}{}", entry.key.value);
            let value = match (&entry.value.as_str(), entry.value.as_sequence()) {
                (Some(text), _) => (*text).to_owned(),
                (None, Some(items)) => items.iter().filter_map(Node::as_str).collect::<Vec<_>>().join(","),
                (None, None) if entry.value.as_mapping().is_some() => {
                    self.settings_of(&entry.value, path, &format!("{name}."));
                    continue;
                }
                (None, None) => continue,
            };
            let argument = arguments::Argument { name, value, at: 0 };
            self.backing.setting(&argument, &entry.value.origin, path);
        }
    }

    /// Reads settings in the text of a configuration file. Messages about them cite the place of the text.
    pub(super) fn settings_text(&mut self, text: &str, origin: &Origin, path: &str) {
        for argument in arguments::read_file(self.kind, text) {
            self.backing.setting(&argument, origin, path);
        }
    }

    /// Adds a login of the apps, with the rights that its operator gives a login by default.
    pub(super) fn user(&mut self, name: &str, credential: Credential, origin: &Origin) {
        let maker = format!("{}/{}", self.object.group, self.object.kind);
        let rights = self.kind.rights_by(&[&maker]);
        self.user_with(name, credential, rights, origin);
    }

    /// Adds a login of the apps, with the rights that the resource declares.
    pub(super) fn user_with(&mut self, name: &str, credential: Credential, rights: Option<Rights>, origin: &Origin) {
        let users = &mut self.backing.service.users;
        if !users.iter().any(|user| user.name.value == name) {
            let name = Located::new(name.to_owned(), origin.clone());
            users.push(User { name, credential, bound: false, rights });
        }
    }

    /// Adds a database, with its owner.
    pub(super) fn database(&mut self, name: &str, owner: Option<&str>, origin: &Origin) {
        let databases = &mut self.backing.service.databases;
        if !databases.iter().any(|database| database.name.value == name) {
            let name = Located::new(name.to_owned(), origin.clone());
            databases.push(Database { name, owner: owner.map(str::to_owned) });
        }
    }

    /// Adds an extension, which is for every database.
    pub(super) fn extension(&mut self, name: &str, origin: &Origin) {
        let extensions = &mut self.backing.service.extensions;
        if !extensions.iter().any(|extension| extension.value == name) {
            extensions.push(Located::new(name.to_owned(), origin.clone()));
        }
    }

    /// Adds a secret that the operator creates, with the fields that its keys hold. Fields that the kind does not have
    /// are skipped. `user` is the login that the secret is for, if it is not the first login.
    pub(super) fn secret(&mut self, name: String, user: Option<&str>, fields: &[(&'static str, &str)]) {
        let known = fields.iter().filter(|(_, field)| self.kind.fields.contains_key(*field));
        let path = user.map(|user| format!("users.{user}.")).unwrap_or_default();
        let fields = known.map(|(key, field)| (*key, format!("{path}{field}"))).collect();
        let service = self.backing.service.name.clone();
        self.secrets.add(name, Made { service, namespace: self.object.namespace.clone(), fields });
    }

    /// Whether an object may be in the same namespace.
    pub(super) fn shares(&self, other: &Object<'_>) -> bool {
        other.shares(&self.object.namespace)
    }

    /// Records the other keys below `spec`, which are about the cluster, in one line.
    fn cluster_keys(&mut self) {
        let entries = self.object.at("spec").into_iter().flat_map(Node::entries);
        let names: Vec<&str> = entries
            .map(|entry| entry.key.value.as_str())
            .filter(|key| !self.recorded.iter().any(|recorded| recorded == key))
            .collect();
        if !names.is_empty() {
            self.backing.keys.add_neutral(names.join(", "), Support::Unsupported, CLUSTER);
        }
    }
}

/// The rights of a role, by its Postgres attributes: `superuser`, `createrole`, `createdb`.
pub(super) fn rights_of(has: impl Fn(&str) -> bool) -> Rights {
    match (has("superuser"), has("createrole"), has("createdb")) {
        (true, ..) => Rights::Superuser,
        (_, true, true) => Rights::Master,
        (.., true) => Rights::Owner,
        _ => Rights::Minimal,
    }
}
