//! Applies `services.local.yaml` over the stack that the manifests declare.
//!
//! Every change has its place in that file as origin, so that messages cite that file and not production's line.

use crate::kinds::{Kind, Kinds};
use crate::manifest::combine::local::no_such_service;
use crate::manifest::combine::local::{Local, names};
use crate::manifest::combine::seeds;
use crate::manifest::declare::rights;
use crate::manifest::declare::service_facts;
use crate::manifest::declare::variables::Names;
use crate::manifest::dialects::services_yaml;
use crate::model::{
    App, Credential, Diagnostic, ImageRef, Located, Origin, Production, Service, Stack, User, Value, Variable, Version,
    VersionClass, did_you_mean,
};
use crate::syntax::expect::Expect;
use crate::syntax::tree::{Entry, Node};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const SERVICE_KEYS: &[&str] =
    &["version", "image", "port", "rights", "users", "settings", "environment", "extensions", "plugins", "platform"];

/// Applies the file's services, inclusions, exclusions, variables and seeds over a stack. Returns each app's own
/// variable file.
pub(crate) fn apply(
    local: &Local,
    stack: &mut Stack,
    kinds: &Kinds,
    expect: &mut Expect,
) -> BTreeMap<String, Located<String>> {
    let Some(document) = &local.document else { return BTreeMap::new() };
    include(local, stack, kinds, expect);
    if let Some(node) = document.get("services") {
        for entry in expect.map(node, "`services`") {
            service(entry, stack, kinds, expect);
        }
    }
    if let Some(node) = document.get("leave_out") {
        let names = expect.texts(node, "`leave_out`");
        exclude(&names, stack, expect);
    }
    if let Some(node) = document.get("variables") {
        let entries = expect.map(node, "`variables`");
        let names = Names { services: &stack.services, broken: &[], kinds };
        let (variables, wrong) = services_yaml::variables(entries, &names);
        expect.diagnostics.extend(wrong);
        bind(variables, stack);
    }
    if let Some(node) = document.get("seeds") {
        seeds::apply(node, &local.root, stack, kinds, expect);
    }
    document.get("apps").map(|node| env_files(node, stack, expect)).unwrap_or_default()
}

/// Replaces the value of a variable in every app that declares it. A variable that no app declares is added for all
/// apps.
fn bind(variables: Vec<Variable>, stack: &mut Stack) {
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, variable) in stack.variables.iter().enumerate() {
        places.entry(variable.name.clone()).or_default().push(at);
    }
    for variable in variables {
        let Some(declared) = places.get(&variable.name) else {
            places.insert(variable.name.clone(), vec![stack.variables.len()]);
            stack.variables.push(variable);
            continue;
        };
        for at in declared {
            let other = &mut stack.variables[*at];
            other.value = variable.value.clone();
            other.origin = variable.origin.clone();
        }
    }
}

/// Adds the services that are to be started although they would be apps, or that no manifest declares.
fn include(local: &Local, stack: &mut Stack, kinds: &Kinds, expect: &mut Expect) {
    for (name, included) in &local.included {
        if stack.service(name).is_some() {
            continue;
        }
        let app = stack.apps.iter().position(|app| app.name == *name);
        let of_app = app.and_then(|at| {
            let app = &stack.apps[at];
            Some(Located::new(ImageRef::parse(app.image.as_ref()?).ok()?, app.origin.clone()))
        });
        let image = included.image.clone().or_else(|| of_app.clone());
        let found = match &included.generic {
            Some(generic) => kinds.get(generic.kind),
            None => image.as_ref().and_then(|image| kinds.of_image(&image.value)).map(|(kind, _)| kind),
        };
        let (Some(image), Some(kind)) = (image, found) else {
            expect.diagnostics.push(cannot_include(name, &included.origin, app.map(|at| &stack.apps[at]), stack));
            continue;
        };
        let origin = app.map_or_else(|| included.origin.clone(), |at| stack.apps.remove(at).origin);
        let mut service = Service::new(name, &kind.name, "official", version_of(&image, kind), origin);
        service.support = kind.support;
        if !kind.note.is_empty() {
            service.notes.push(kind.note.clone());
        }
        if let Some(generic) = &included.generic {
            generic.describe(&mut service);
        }
        service.production = match (app, &included.image, of_app) {
            (None, ..) => Production::Nothing,
            (Some(_), Some(_), Some(declared)) => {
                let version = version_of(&declared, kind);
                Production::Declared(Box::new(Service { version, image: Some(declared), ..service.clone() }))
            }
            _ => Production::AsItStands,
        };
        service.image = Some(image);
        stack.services.push(service);
    }
}

fn cannot_include(name: &str, origin: &Origin, app: Option<&App>, stack: &Stack) -> Diagnostic {
    match app {
        Some(App { image: Some(image), .. }) => {
            Diagnostic::error("include-port", format!("nothing says which port `{name}` listens on"))
                .at(origin, format!("`{image}` is of no known kind"))
                .help(format!("say it: `include: {{{name}: {{port: 8080, protocol: http}}}}`"))
        }
        Some(app) => Diagnostic::error("include-image", format!("`{name}` has no image that could be started"))
            .at(origin, "included here")
            .and_at(&app.origin, "declared here")
            .help(format!("name one: `include: {{{name}: {{image: NAME:TAG, port: 8080}}}}`")),
        None => {
            let known: Vec<&str> = stack.apps.iter().map(|app| app.name.as_str()).collect();
            let unknown = Diagnostic::error("include-unknown", format!("no manifest declares `{name}`"))
                .at(origin, "included here");
            match did_you_mean(name, known.iter().copied()) {
                Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
                None => unknown
                    .help(format!("the apps that can be included are {}", names(&known)))
                    .help("for a service of your own, name its image: `{image: NAME:TAG, port: 8080}`"),
            }
        }
    }
}

fn version_of(image: &Located<ImageRef>, kind: &Kind) -> Version {
    let tag = image.value.tag.as_deref().unwrap_or_default();
    Version::parse(tag, image.value.digest.is_some(), |parts| kind.exact_parts(parts), image.origin.clone())
}

fn service(entry: &Entry, stack: &mut Stack, kinds: &Kinds, expect: &mut Expect) {
    let name = &entry.key;
    let Some(at) = stack.services.iter().position(|service| service.name == name.value) else {
        expect.diagnostics.push(no_such_service(name, stack));
        return;
    };
    let service = &mut stack.services[at];
    let Some(kind) = kinds.get(&service.kind) else { return };
    let declared = service.clone();
    let what = format!("`{}`", name.value);
    if let Some(rights) = rights::of_service(&entry.value, kind, expect) {
        let origin = entry.value.get("rights").map_or(&name.origin, |node| &node.origin);
        rights::give(service, rights, origin, kind, expect);
    }
    for entry in expect.known(&entry.value, &what, SERVICE_KEYS) {
        let (key, node) = (entry.key.value.as_str(), &entry.value);
        let of = format!("`{key}` of {what}");
        match key {
            "version" => {
                if let Some(text) = expect.text(node, &of) {
                    pin(service, text, kind, expect);
                }
            }
            "image" => {
                if let Some(text) = expect.text(node, &of) {
                    match ImageRef::parse(&text.value) {
                        Ok(image) => {
                            let image = Located::new(image, text.origin);
                            service.version = version_of(&image, kind);
                            if let Some((known, family)) = kinds.of_image(&image.value)
                                && known.name == kind.name
                            {
                                service.family.clone_from(&family.name);
                            }
                            service.notes.push(format!("another image than production's: {}", image.value));
                            service.image = Some(image);
                        }
                        Err(error) => expect.diagnostics.push(
                            Diagnostic::error("image-name", error.to_string()).at(&text.origin, "no image's name"),
                        ),
                    }
                }
            }
            "port" => service.port = expect.port(node, &of),
            "users" => users(service, kind, node, expect),
            "settings" => service_facts::settings(service, node, kind, expect),
            "environment" => service_facts::environment(service, node, kind, expect),
            "extensions" => service_facts::add(&mut service.extensions, expect.texts(node, &of)),
            "plugins" => service_facts::add(&mut service.plugins, expect.texts(node, &of)),
            "platform" => {
                if let Some(platform) = service_facts::platform(node, &of, expect) {
                    service.platform = Some(platform);
                }
            }
            _ => {}
        }
    }
    if service.production == Production::AsItStands && *service != declared {
        service.production = Production::Declared(Box::new(declared));
    }
}

/// Adds further logins, and sets the rights of named logins.
fn users(service: &mut Service, kind: &Kind, node: &Node, expect: &mut Expect) {
    for entry in expect.map(node, &format!("`users` of `{}`", service.name)) {
        let name = &entry.key;
        let what = format!("user `{}`", name.value);
        expect.known(&entry.value, &what, &["superuser", "rights"]);
        let said = rights::of_user(&entry.value, &what, kind, expect);
        let at = service.users.iter().position(|user| user.name.value == name.value).unwrap_or_else(|| {
            let credential = Credential::Own(format!("{}/{}", service.name, name.value));
            let rights = kind.rights_by(&["services.yaml"]);
            service.users.push(User { name: name.clone(), credential, bound: true, rights });
            service.users.len() - 1
        });
        if let Some(rights) = said {
            rights::give_one(service, at, rights, &name.origin, kind, expect);
        }
    }
}

/// Applies a version that the user pins: a tag, or a tag and a digest.
fn pin(service: &mut Service, text: Located<String>, kind: &Kind, expect: &mut Expect) {
    let name = service.image.as_ref().map_or_else(|| kind.image.clone(), |image| image.value.name());
    // A pinned number sets the release and keeps the variant: `17.11` for `17-alpine` is `17.11-alpine`.
    let text = text.map(|asked| service.version.pinned_to(&asked, service.image.is_some()));
    let Ok(image) = ImageRef::parse(&format!("{name}:{}", text.value)) else {
        expect.diagnostics.push(
            Diagnostic::error("version-text", format!("`{}` is no version", text.value))
                .at(&text.origin, "becomes the image's tag")
                .help("write it as the image's tags are: `\"16.4\"`, `16.4-alpine`, `16.4@sha256:…`"),
        );
        return;
    };
    let pinned = version_of(&Located::new(image.clone(), text.origin.clone()), kind);
    let said = match (&service.version.class, service.version.text.as_str()) {
        (VersionClass::Absent, _) | (_, "") => "says none".to_owned(),
        (_, said) => format!("says {said}"),
    };
    if service.version.text != text.value {
        service.notes.push(format!("pinned to {} by services.local.yaml; the manifest {said}", text.value));
    }
    service.version = pinned;
    if service.image.is_some() || image.digest.is_some() {
        service.image = Some(Located::new(image, text.origin));
    }
}

/// Excludes services: they become apps, which are not started, and variables that are bound to them have no value here.
fn exclude(names: &[Located<String>], stack: &mut Stack, expect: &mut Expect) {
    let known: BTreeSet<&str> = stack.services.iter().map(|service| service.name.as_str()).collect();
    let mut asked: BTreeSet<String> = BTreeSet::new();
    for name in names {
        if known.contains(name.value.as_str()) {
            asked.insert(name.value.clone());
        } else if !stack.apps.iter().any(|app| app.name == name.value) {
            expect.diagnostics.push(no_such_service(name, stack));
        }
    }
    let services = std::mem::take(&mut stack.services);
    let (excluded, kept): (Vec<_>, Vec<_>) = services.into_iter().partition(|service| asked.contains(&service.name));
    stack.services = kept;
    stack.apps.extend(excluded.into_iter().map(|service| App {
        name: service.name,
        image: service.image.map(|image| image.value.to_string()),
        note: "excluded by services.local.yaml".to_owned(),
        origin: service.origin,
    }));
    for variable in &mut stack.variables {
        let Value::Bound { template, .. } = &variable.value else { continue };
        let gone = template.fields().map(|(service, _)| service).find(|service| asked.contains(*service));
        if let Some(service) = gone {
            variable.value =
                Value::Unresolved(format!("{service} is not started here (`leave_out` in services.local.yaml)"));
        }
    }
    stack.left_out.append(&mut asked);
}

/// `apps: {web: {env_file: web/.env}}`.
fn env_files(node: &Node, stack: &Stack, expect: &mut Expect) -> BTreeMap<String, Located<String>> {
    let mut files = BTreeMap::new();
    let mut known: Vec<&str> = stack.apps.iter().map(|app| app.name.as_str()).collect();
    known.extend(stack.variables.iter().map(|variable| variable.app.as_str()).filter(|app| !app.is_empty()));
    known.sort_unstable();
    known.dedup();
    for entry in expect.map(node, "`apps`") {
        let name = &entry.key;
        if known.binary_search(&name.value.as_str()).is_err() {
            let unknown = Diagnostic::error("unknown-app", format!("no manifest declares an app `{}`", name.value))
                .at(&name.origin, "not declared");
            expect.diagnostics.push(match did_you_mean(&name.value, known.iter().copied()) {
                Some(meant) => unknown.help(format!("did you mean `{meant}`?")),
                None => unknown.help(format!("the apps are {}", names(&known))),
            });
            continue;
        }
        let what = format!("app `{}`", name.value);
        for fact in expect.known(&entry.value, &what, &["env_file"]) {
            if let Some(path) = expect.text(&fact.value, &format!("`env_file` of {what}")) {
                files.insert(name.value.clone(), path);
            }
        }
    }
    files
}
