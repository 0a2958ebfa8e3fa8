//! The servers that a chart deploys: its dependencies, the images in its own values, or the chart itself.

mod definitions;

use super::chart::{Chart, Dependency};
use super::text;
use crate::kinds::{Family, Kind, Kinds};
use crate::manifest::declare::classify::{Class, Runs, classify, is_look_alike};
use crate::manifest::declare::container::Keys;
use crate::manifest::dialect::Input;
use crate::manifest::dialects::kubernetes::image::Image;
use crate::manifest::read::count::Counted as _;
use crate::model::{
    Credential, Database, Diagnostic, Located, Origin, Rights, Secret, Service, Support, User, Version, VersionClass,
};
use crate::syntax::tree::{Entry, Node};

/// How deep in the values an image is searched.
const MAX_DEPTH: usize = 5;

/// Keys that switch a part on or off.
const SWITCHES: &[&str] = &["enabled", "create", "deploy", "install"];

/// Words of keys whose images are tools around a server or an app.
const TOOLS: &[&str] =
    &["wait", "helper", "sidecar", "cron", "cronjob", "jobs", "hooks", "box", "reloader", "permissions"];

/// Reads every server that is deployed.
pub(super) fn read(
    input: &Input<'_>,
    chart: Option<&Chart>,
    values: &Node,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Service> {
    let mut services = Vec::new();
    let mut taken: Vec<&str> = Vec::new();
    for dependency in chart.map(|chart| chart.dependencies.as_slice()).unwrap_or_default() {
        taken.push(&dependency.key);
        if let Some(service) = of_dependency(input, dependency, values) {
            service.add_to(&mut services, &input.project.budget);
        }
    }
    if let Some(chart) = chart
        && let Some(kind) = kind_of_word(input.kinds, &chart.name.value)
    {
        // The chart is the chart of a server. Other images in it are tools for that server.
        let image = ["image", "container.image", "statefulset.image", "server.image", "master.image"]
            .into_iter()
            .find_map(|path| ImageValue::read(values_at(values, path)?, None));
        let tag = chart_tag(values);
        let version = tag.as_ref().or(chart.app_version.as_ref());
        service(&chart.name.value, kind, image.as_ref(), version, &chart.name.origin, values)
            .add_to(&mut services, &input.project.budget);
        return services;
    }
    let name = chart.map(|chart| chart.name.value.as_str());
    let mut search = Search { input, has_chart: chart.is_some(), services };
    search.walk(values, name.unwrap_or_default(), &[], &taken);
    if search.services.is_empty() && chart.is_none() && values.entries().next().is_none() {
        diagnostics
            .push(Diagnostic::warning("helm-empty", "the values say nothing").at(&values.origin, "an empty file"));
    }
    search.services
}

fn of_dependency(input: &Input<'_>, dependency: &Dependency, values: &Node) -> Option<Service> {
    let kind = kind_of_word(input.kinds, &dependency.chart)?;
    if !dependency.is_deployed(values) {
        return None;
    }
    let nothing = Node::scalar("", false, dependency.origin.clone());
    let own = values.get(&dependency.key).unwrap_or(&nothing);
    if dependency.conditions.is_empty() && is_off(own) {
        return None;
    }
    let image = own.get("image").and_then(|node| ImageValue::read(node, Some(own)));
    Some(service(&dependency.key, kind, image.as_ref(), chart_tag(own).as_ref(), &dependency.origin, own))
}

/// `image.tag`, which is the server's version if the values do not name the image.
fn chart_tag(values: &Node) -> Option<Located<String>> {
    let tag = values_at(values, "image.tag").filter(|node| text(Some(node)).is_some())?;
    Some(Located::new(tag.as_str()?.trim().to_owned(), tag.origin.clone()))
}

/// The kind that the name of a chart or a key means, by the whole name or by one word of it, unless another word says
/// that it is a tool.
fn kind_of_word<'k>(kinds: &'k Kinds, name: &str) -> Option<&'k Kind> {
    let name = words_of(name);
    if let Some(kind) = kinds.spelled("helm", &name) {
        return Some(kind);
    }
    if is_tool(&name) {
        return None;
    }
    let is = |word: &str| {
        kinds.iter().find(|kind| kind.port != 0 && kind.names.iter().chain(&kind.derived).any(|known| known == word))
    };
    name.split('-').filter(|word| word.len() > 2).find_map(is)
}

/// Whether a name, in words, is the name of a tool for a server.
fn is_tool(name: &str) -> bool {
    is_look_alike(name) || name.split('-').any(|word| TOOLS.contains(&word))
}

/// The words of a name: `waitForDatabase` and `wait_for_database` become `wait-for-database`.
fn words_of(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut lower_before = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && lower_before {
            words.push('-');
        }
        lower_before = c.is_ascii_lowercase() || c.is_ascii_digit();
        words.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
    }
    words
}

fn is_off(node: &Node) -> bool {
    SWITCHES.iter().any(|key| node.get(key).and_then(Node::as_bool) == Some(false))
}

pub(super) fn values_at<'n>(node: &'n Node, path: &str) -> Option<&'n Node> {
    path.split('.').try_fold(node, |node, key| node.get(key)).filter(|node| !node.is_null())
}

/// Searches the values of the project's own chart for images of servers.
struct Search<'s, 'a> {
    input: &'s Input<'a>,
    has_chart: bool,
    services: Vec<Service>,
}

impl Search<'_, '_> {
    fn walk(&mut self, node: &Node, name: &str, path: &[&str], taken: &[&str]) {
        if is_off(node) && !path.is_empty() {
            return;
        }
        if let Some(image) = node.get("image").and_then(|image| ImageValue::read(image, Some(node)))
            && self.take(node, name, &image)
        {
            return;
        }
        for entry in node.entries() {
            let key = entry.key.value.as_str();
            if (path.is_empty() && (taken.contains(&key) || key == "global")) || path.len() >= MAX_DEPTH {
                continue;
            }
            if entry.value.as_mapping().is_none() || is_tool(&words_of(key)) {
                continue;
            }
            if path.is_empty() && !self.has_chart && self.subchart(entry) {
                continue;
            }
            let mut deeper = path.to_vec();
            deeper.push(key);
            self.walk(&entry.value, key, &deeper, taken);
        }
    }

    /// Adds a server if the image is a server. Returns whether it is.
    fn take(&mut self, node: &Node, name: &str, image: &ImageValue) -> bool {
        match classify(self.input.kinds, &image.image.name.value, &Runs::default()) {
            Class::Backing { kind, .. } => {
                let origin = image.origin.clone();
                self.push(service(name, kind, Some(image), None, &origin, node));
                true
            }
            Class::App { .. } => false,
        }
    }

    /// Adds a server for values of a chart that is not in the project, if the key is named after a server and switched
    /// on. Returns whether it is.
    fn subchart(&mut self, entry: &Entry) -> bool {
        let node = &entry.value;
        let is_on = SWITCHES.iter().any(|key| node.get(key).and_then(Node::as_bool) == Some(true));
        let Some(kind) =
            kind_of_word(self.input.kinds, &entry.key.value).filter(|_| is_on && node.get("image").is_none())
        else {
            return false;
        };
        self.push(service(&entry.key.value, kind, None, None, &entry.key.origin, node));
        true
    }

    fn push(&mut self, service: Service) {
        if !self.services.iter().any(|known| known.name == service.name) {
            service.add_to(&mut self.services, &self.input.project.budget);
        }
    }
}

/// `image` in values: a text, or a map of `registry`, `repository`, `tag` and `digest`.
struct ImageValue {
    image: Image,
    /// Whether a tag or digest is written; otherwise the chart fills in the tag.
    tagged: bool,
    origin: Origin,
}

impl ImageValue {
    /// Reads an image; `parent` is the map that contains the image, and may contain the tag.
    fn read(node: &Node, parent: Option<&Node>) -> Option<Self> {
        let of = |map: Option<&Node>, keys: &[&str]| -> Option<Located<String>> {
            let node = keys.iter().find_map(|key| map?.get(key).filter(|node| text(Some(node)).is_some()))?;
            Some(Located::new(node.as_str()?.trim().to_owned(), node.origin.clone()))
        };
        let (name, holder) = match node.as_str() {
            Some(name) if !name.trim().is_empty() => {
                (Located::new(name.trim().to_owned(), node.origin.clone()), parent)
            }
            Some(_) => return None,
            None => (of(Some(node), &["repository", "name", "image"])?, Some(node)),
        };
        let written_tag = name.value.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
        let tag = if written_tag { None } else { of(holder, &["tag", "imageTag", "version"]) };
        let digest = of(holder, &["digest", "sha"]);
        let mut full = name.value.clone();
        let registry = if node.as_str().is_none() { of(Some(node), &["registry"]) } else { None };
        if let Some(registry) = registry {
            full = format!("{}/{full}", registry.value.trim_end_matches('/'));
        }
        if let Some(tag) = &tag {
            full = format!("{full}:{}", tag.value);
        }
        if let Some(digest) = digest.as_ref().filter(|_| !full.contains('@')) {
            let sha =
                if digest.value.contains(':') { digest.value.clone() } else { format!("sha256:{}", digest.value) };
            full = format!("{full}@{sha}");
        }
        let decides = tag.as_ref().or(digest.as_ref()).map_or(&name.origin, |found| &found.origin).clone();
        let image = Image::read(&Node::scalar(full, true, decides.clone()), &[])?;
        Some(Self { image, tagged: tag.is_some() || digest.is_some() || written_tag, origin: decides })
    }
}

fn service(
    name: &str,
    kind: &Kind,
    image: Option<&ImageValue>,
    app_version: Option<&Located<String>>,
    origin: &Origin,
    values: &Node,
) -> Service {
    let version = match (image, app_version) {
        (Some(image), _) if image.tagged => image.image.version(kind),
        (_, Some(version)) => kind.version(&version.value, false, version.origin.clone()),
        _ => Version { text: String::new(), number: None, class: VersionClass::Absent, origin: origin.clone() },
    };
    let known = image.and_then(|image| {
        let name = image.image.name.value.canonical_name();
        kind.families.iter().find(|family| family.images.iter().any(|pattern| crate::kinds::matches(pattern, &name)))
    });
    let family_name = known.or_else(|| kind.families.first()).map_or("official", |family: &Family| &family.name);
    let mut service = Service::new(name, &kind.name, family_name, version, origin.clone());
    let mut keys = Keys::default();
    match (image, known) {
        (Some(image), Some(_)) => {
            service.image = Some(image.image.name.clone());
            keys.add_neutral("image", Support::Reproduced, "");
        }
        (Some(image), None) => {
            let note = format!("the official image stands in for {}", image.image.name.value.canonical_name());
            keys.add("image", Support::Approximated, note.clone());
            service.notes.push(note);
        }
        (None, _) if values.get("image").is_some() => {
            let support = if app_version.is_some() { Support::Reproduced } else { Support::Unsupported };
            keys.add_neutral(
                "image",
                support,
                if app_version.is_some() { "" } else { "the chart's own image is not known" },
            );
        }
        (None, _) => {}
    }
    login(&mut service, kind, values, &mut keys);
    let mut recorded = vec!["image", "auth", "enabled", "create", "deploy", "install"];
    // Production's definitions are loaded together with devenv's, so the image has to load devenv's definitions.
    if kind.family(&service.family).is_some_and(Family::loads_definitions) {
        definitions::read(&mut service, values, &mut keys);
        recorded.extend(definitions::KEYS);
    }
    let others: Vec<&str> =
        values.entries().map(|entry| entry.key.value.as_str()).filter(|key| !recorded.contains(key)).take(40).collect();
    if !others.is_empty() {
        let note = "the chart's templates use it, and are not rendered here";
        keys.add_neutral(others.join(", "), Support::Unsupported, note);
    }
    service.support = kind.support.max(keys.worst);
    if !kind.note.is_empty() {
        service.notes.push(kind.note.clone());
    }
    service.keys = keys.all;
    service
}

/// Reads `auth` in the form of the usual charts: `database`, `username`, `password` or `existingSecret`.
fn login(service: &mut Service, kind: &Kind, values: &Node, keys: &mut Keys) {
    let Some(auth) = values.get("auth") else { return };
    if auth.get("enabled").and_then(Node::as_bool) == Some(false) {
        return keys.add_neutral("auth", Support::Reproduced, "no password is asked for");
    }
    let part = |keys: &[&str]| {
        let node = keys.iter().find_map(|key| auth.get(key).filter(|node| text(Some(node)).is_some()))?;
        Some(Located::new(node.as_str()?.to_owned(), node.origin.clone()))
    };
    let credential = match (part(&["existingSecret"]), part(&["password"])) {
        (Some(secret), _) => Credential::Secret(secret.value),
        (None, Some(password)) => Credential::Literal(Secret::new(password.value)),
        (None, None) => Credential::Own(service.name.clone()),
    };
    let names_users = kind.default_user.is_some();
    let name =
        if names_users { part(&["username", "user"]) } else { Some(Located::new(String::new(), auth.origin.clone())) };
    if let Some(name) = name {
        let family = kind.family(&service.family);
        let is_admin = family.is_some_and(|family| family.admin.as_deref() == Some(name.value.as_str()));
        let rights = if is_admin { Some(Rights::Superuser) } else { kind.rights_by(&["helm"]) };
        service.users.push(User { name, credential, bound: false, rights });
    }
    if let Some(name) = part(&["database"]).filter(|_| kind.default_database.is_some()) {
        service.databases.push(Database { name, owner: None });
    }
    keys.add_neutral("auth", Support::Reproduced, "");
}
