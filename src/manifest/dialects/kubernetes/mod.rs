//! The Kubernetes dialect: objects in files, folders and streams, rendered or composed by a kustomization.
//!
//! Only `apiVersion` and `kind` say what an object is, never a file's name. A secret's text is never copied.

mod config;
mod custom;
mod environment;
pub(crate) mod helm;
mod hosts;
mod image;
mod kustomize;
mod mounts;
mod object;
mod pod;
mod pooler;
mod secrets;
mod server;
mod workload;

use crate::manifest::bind::{Declared, Sources, bind_with};
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::read::count::Counted as _;
use crate::model::{App, Diagnostic, Origin, Service, Source, Stack, Template};
use crate::syntax::tree::Node;
use environment::Variable;
use object::{Object, Objects};
use secrets::Secrets;
use std::collections::{BTreeMap, BTreeSet};

/// The line of this dialect in the table.
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

/// Kustomizations that are recognised only by their file's name. They are read together with the objects.
pub(crate) const KUSTOMIZE: Dialect = Dialect {
    title: "Kustomize",
    places: Places::Files(&["**/kustomization.{yaml,yml}"]),
    marks: &[],
    recognises: kustomize::is_kustomization,
    ..DIALECT
};

/// API groups of files that look like objects and are not applied to a cluster: configuration of tools, and NAIS, which
/// has its own dialect.
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

/// Whether a document is an object of a cluster, or the file is a kustomization.
fn recognises(file: &ManifestFile) -> bool {
    kustomize::is_kustomization(file) || file.documents.iter().any(is_object)
}

fn is_object(document: &Node) -> bool {
    let text = |key: &str| document.get(key).and_then(Node::as_str);
    let (Some(api), Some(kind)) = (text("apiVersion"), text("kind")) else { return false };
    let group = api.split('/').next().unwrap_or(api);
    // `kind: Config` of `v1` is the configuration of a client.
    let is_client = api == "v1" && kind == "Config";
    !is_client && !NO_OBJECTS.contains(&group)
}

/// The state of reading.
struct Reader<'a, 'n> {
    input: &'a Input<'a>,
    objects: &'a Objects<'n>,
    stack: Stack,
    sources: BTreeMap<String, Sources>,
    /// Secrets that operators create, by name.
    secrets: Secrets,
    /// Apps whose variables are read, each with its container and namespace.
    apps: Vec<(String, &'n Node, String)>,
    /// Containers that may be poolers, with the nodes from which their configuration is read.
    poolers: Vec<pooler::Container<'n>>,
    /// Names of services and apps.
    names: BTreeSet<String>,
    diagnostics: Vec<Diagnostic>,
}

/// Reads the declarations of all files together.
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
    pooler::attach(&mut reader);
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
    /// Adds a service, whose name is unique.
    fn add_service(&mut self, service: Service, sources: Sources) {
        self.sources.insert(service.name.clone(), sources);
        service.add_to(&mut self.stack.services, &self.input.project.budget);
    }

    fn add_app(&mut self, name: &str, image: Option<String>, note: &str, origin: &Origin) {
        let app = App { name: name.to_owned(), image, note: note.to_owned(), origin: origin.clone() };
        app.add_to(&mut self.stack.apps, &self.input.project.budget);
    }

    /// A name that no service and no app has yet: the wanted name, else the name with the namespace, else the name with
    /// the kind.
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

    /// Binds the variables of every app to the services.
    fn bind_variables(&mut self) {
        let mut declared = Vec::new();
        let mut known = BTreeMap::new();
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
                let Variable { given, secret, field } = variable;
                if let Some((service, field)) = field {
                    known.insert(declared.len(), Template::field(&service, &field));
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
            known,
            &self.input.project.budget,
        );
    }
}
