//! The Kubernetes dialect: objects in files, folders and streams, rendered or put together by a kustomization.
//!
//! What an object is, is said by its `apiVersion` and `kind` alone, never by a file's name. A secret's text is never
//! copied.

mod config;
mod custom;
mod environment;
pub(crate) mod helm;
mod hosts;
mod image;
mod kustomize;
mod mounts;
mod object;
mod pooler;
mod secrets;
mod server;
mod workload;

use super::bind::{Declared, Sources, bind_with};
use super::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use super::tree::Node;
use crate::manifest::count::Counted as _;
use crate::model::{App, Diagnostic, Origin, Service, Source, Stack, Template};
use environment::Variable;
use object::{Object, Objects};
use secrets::Secrets;
use std::collections::{BTreeMap, BTreeSet};

/// This dialect's line in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "kubernetes",
    title: "Kubernetes",
    places: Places::Files(&[
        "*.{yaml,yml}",
        "{k8s,.k8s,kubernetes,.kubernetes,kube,.kube,manifests,manifest,deploy,.deploy,deployment,deployments}/**/*.{yaml,yml}",
        "{infra,infrastructure,ops,platform,config,devops,kustomize,k8s-specifications,release,base,overlays,cluster,gitops}/**/*.{yaml,yml}",
    ]),
    syntax: Syntax::Templated,
    marks: &["apiVersion", "kind"],
    recognises,
    read,
};

/// Kustomizations that only their file's name tells: they are read together with the objects.
pub(crate) const KUSTOMIZE: Dialect = Dialect {
    title: "Kustomize",
    places: Places::Files(&["**/kustomization.{yaml,yml}"]),
    marks: &[],
    recognises: kustomize::is_kustomization,
    ..DIALECT
};

/// Groups of files that look like objects and are not applied to a cluster: each tool's own configuration, and NAIS,
/// which has a dialect of its own.
const NO_OBJECTS: &[&str] = &[
    "nais.io",
    "backstage.io",
    "skaffold",
    "kind.x-k8s.io",
    "k3d.io",
    "ctlptl.dev",
    "eksctl.io",
    "kubeadm.k8s.io",
    "kubelet.config.k8s.io",
    "client.authentication.k8s.io",
    "devspace.sh",
    "garden.io",
    "score.dev",
    "krew.googlecontainertools.github.com",
    "runme.dev",
];

/// Some document is an object of a cluster, or the file is a kustomization.
fn recognises(file: &ManifestFile) -> bool {
    kustomize::is_kustomization(file) || file.documents.iter().any(is_object)
}

fn is_object(document: &Node) -> bool {
    let text = |key: &str| document.get(key).and_then(Node::as_str);
    let (Some(api), Some(kind)) = (text("apiVersion"), text("kind")) else { return false };
    let group = api.split('/').next().unwrap_or(api);
    // `kind: Config` of `v1` is a client's own configuration.
    let is_client = api == "v1" && kind == "Config";
    !is_client && !NO_OBJECTS.contains(&group)
}

/// What a reader gathers.
struct Reader<'a, 'n> {
    input: &'a Input<'a>,
    objects: &'a Objects<'n>,
    stack: Stack,
    sources: BTreeMap<String, Sources>,
    /// Secrets that operators make, by name.
    secrets: Secrets,
    /// Apps whose variables are of interest, each with its container and namespace.
    apps: Vec<(String, &'n Node, String)>,
    /// Containers that may be poolers, with how their variables are found.
    poolers: Vec<pooler::Container<'n>>,
    /// Names of services and apps.
    names: BTreeSet<String>,
    diagnostics: Vec<Diagnostic>,
}

/// What the files declare together.
pub(crate) fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let loaded = kustomize::load(input, &mut diagnostics);
    let objects = Objects::of(&loaded, &input.project.budget);
    let mut reader = Reader {
        input,
        objects: &objects,
        stack: Stack::default(),
        sources: BTreeMap::new(),
        secrets: Secrets::default(),
        apps: Vec::new(),
        poolers: Vec::new(),
        names: BTreeSet::new(),
        diagnostics,
    };
    for object in objects.iter() {
        if !custom::read(&mut reader, object) {
            workload::read(&mut reader, object);
        }
    }
    pooler::lead_on(&mut reader);
    reader.bind_variables();
    for part in &loaded {
        let path = part.file().source.path.clone();
        if !reader.stack.sources.iter().any(|source| source.path == path) {
            reader.stack.sources.push(Source { path, format: DIALECT.name, title: DIALECT.title });
        }
    }
    (reader.stack, reader.diagnostics)
}

impl Reader<'_, '_> {
    /// Takes a service in, under a name that no other has.
    fn add_service(&mut self, service: Service, sources: Sources) {
        self.sources.insert(service.name.clone(), sources);
        service.add_to(&mut self.stack.services, &self.input.project.budget);
    }

    fn add_app(&mut self, name: &str, image: Option<String>, note: &str, origin: &Origin) {
        let app = App { name: name.to_owned(), image, note: note.to_owned(), origin: origin.clone() };
        app.add_to(&mut self.stack.apps, &self.input.project.budget);
    }

    /// A name that nothing has yet: the wanted one, else with the namespace, else with the kind.
    fn name_for(&mut self, wanted: &str, object: &Object<'_>) -> String {
        let kind = object.kind.to_ascii_lowercase();
        let candidates = [
            wanted.to_owned(),
            format!("{wanted}-{}", object.namespace),
            format!("{wanted}-{kind}"),
            format!("{wanted}-{kind}-{}", object.namespace),
        ];
        let free = candidates.into_iter().find(|name| !name.ends_with('-') && !self.names.contains(name));
        let name = free.unwrap_or_else(|| format!("{wanted}-{}", self.names.len()));
        self.names.insert(name.clone());
        name
    }

    /// Every app's variables, bound to the services.
    fn bind_variables(&mut self) {
        let mut declared = Vec::new();
        let mut said = BTreeMap::new();
        for (app, container, namespace) in &self.apps {
            let read = environment::of_container(
                self.objects,
                &self.secrets,
                container,
                namespace,
                &self.input.project.budget,
            );
            for unknown in read.unknown {
                if !self.diagnostics.contains(&unknown) {
                    self.diagnostics.push(unknown);
                }
            }
            for variable in read.variables {
                let Variable { given, secret, said: field } = variable;
                if let Some((service, field)) = field {
                    said.insert(declared.len(), Template::field(&service, &field));
                }
                declared.push(Declared {
                    name: given.name,
                    app: app.clone(),
                    text: given.whole,
                    not_passed: given.not_passed,
                    secret,
                    origin: given.origin,
                });
            }
        }
        self.stack.variables = bind_with(
            self.input.kinds,
            &mut self.stack.services,
            &self.sources,
            &declared,
            said,
            &self.input.project.budget,
        );
    }
}
