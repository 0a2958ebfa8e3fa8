//! Nomad's jobs, in HCL. Each task of a container driver is a container.
//!
//! Variables have their defaults or the values of `NOMAD_VAR_…`. A value that Nomad inserts when a task runs is
//! unresolved.

use super::container::{Containers, entry, list, map};
use super::variables::PlatformVariables;
use crate::manifest::dialect::{Dialect, Input, ManifestFile, Places, Syntax};
use crate::manifest::dialects::terraform;
use crate::manifest::read::count::Counted as _;
use crate::manifest::read::hcl;
use crate::model::{App, Diagnostic, Key, Located, Origin, Service, Source, Stack, Support, Value};
use crate::syntax::tree::{Entry, Node, NodeKind};

/// This dialect's entry in the table.
pub(crate) const DIALECT: Dialect = Dialect {
    name: "nomad",
    title: "Nomad",
    places: Places::Files(&[
        "*.{nomad,nomad.hcl,job,job.hcl}",
        "{nomad,jobs,nomad_jobs,nomad-jobs,deploy,infra}/**/*.{nomad,nomad.hcl,job,job.hcl,hcl}",
    ]),
    syntax: Syntax::Text,
    marks: &["job", "task"],
    recognises,
    read,
};

/// Nomad's prefix of environment variables that set a job's variables.
const VARIABLE: &str = "NOMAD_VAR_";

/// Recognises a block `job "name" {` in a file whose name is Nomad's or HCL's.
fn recognises(file: &ManifestFile) -> bool {
    let name = file.source.path.to_string_lossy();
    let ends = [".nomad", ".hcl", ".job"].iter().any(|ending| name.ends_with(ending)) || name == "<stdin>";
    let is_job = |line: &str| {
        let rest = line.strip_prefix("job").map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with('"') && rest.contains('{'))
    };
    ends && file.source.text.lines().any(is_job)
}

fn read(input: &Input<'_>) -> (Stack, Vec<Diagnostic>) {
    let mut reader = Reader {
        input,
        stack: Stack::default(),
        app_variables: PlatformVariables::of(input),
        containers: Containers::default(),
    };
    for file in input.files {
        let path = file.source.path.clone();
        reader.stack.sources.push(Source { path, format: DIALECT.name, title: DIALECT.title });
        let parsed = hcl::parse(&file.source);
        reader.containers.diagnostics.extend(parsed.diagnostics);
        for document in &parsed.documents {
            let evaluated = terraform::evaluated(document, VARIABLE, input.environment);
            for (job, body) in blocks(evaluated.get("job")) {
                reader.job(job, body);
            }
        }
    }
    let Reader { mut stack, app_variables, containers, .. } = reader;
    app_variables.bind_into(&mut stack, input.kinds, &containers.sources);
    (stack, containers.diagnostics)
}

/// Blocks with a label: the label and the body.
fn blocks(node: Option<&Node>) -> impl Iterator<Item = (&Located<String>, &Node)> {
    let items = node.and_then(Node::as_sequence).unwrap_or_default();
    items.iter().flat_map(Node::entries).map(|entry| (&entry.key, &entry.value))
}

/// Blocks without a label.
fn bodies<'n>(node: &'n Node, name: &str) -> &'n [Node] {
    node.get(name).and_then(Node::as_sequence).unwrap_or_default()
}

struct Reader<'a> {
    input: &'a Input<'a>,
    stack: Stack,
    app_variables: PlatformVariables,
    containers: Containers,
}

impl Reader<'_> {
    fn job(&mut self, job: &Located<String>, body: &Node) {
        let groups = blocks(body.get("group")).map(|(_, group)| group);
        for group in groups.chain([body]) {
            for (name, task) in blocks(group.get("task")) {
                self.task(job, group, name, task);
            }
        }
    }

    fn task(&mut self, job: &Located<String>, group: &Node, name: &Located<String>, task: &Node) {
        let is_taken = |name: &str| {
            let stack = &self.stack;
            stack.service(name).is_some() || stack.apps.iter().any(|app| app.name == name)
        };
        let name = if is_taken(&name.value) {
            Located::new(format!("{}-{}", job.value, name.value), name.origin.clone())
        } else {
            name.clone()
        };
        if is_taken(&name.value) {
            return;
        }
        let config = bodies(task, "config").first();
        let image = config.and_then(|config| config.get("image"));
        let hook = bodies(task, "lifecycle").first().and_then(|node| node.get("hook")).and_then(Node::as_str);
        let text = image.and_then(|image| in_compose(image).as_str().map(str::to_owned)).unwrap_or_default();
        if matches!(hook, Some("prestart" | "poststop")) || image.is_none() || text.contains("$$") {
            let note = match hook {
                Some(hook) if hook != "poststart" => format!("a {hook} task of the job {}", job.value),
                _ => String::new(),
            };
            let image = image.and_then(Node::as_str).map(str::to_owned);
            App { name: name.value.clone(), image, note, origin: name.origin.clone() }
                .add_to(&mut self.stack.apps, &self.input.project.budget);
            if hook.is_none() {
                self.variables(&name, task);
            }
            return;
        }
        let origin = &task.origin;
        let mut entries: Vec<Entry> = image.map(|image| entry("image", in_compose(image))).into_iter().collect();
        if let Some(config) = config {
            entries.extend(config.get("entrypoint").map(|words| entry("entrypoint", in_compose(words))));
            entries.extend(command(config).map(|words| entry("command", words)));
        }
        let environment = bodies(task, "env").iter().flat_map(Node::entries);
        // A value that Nomad inserts when the task runs cannot be passed to a local server.
        let resolved =
            environment.filter(|known| !in_compose(&known.value).as_str().is_some_and(|text| text.contains("$${")));
        let environment = resolved.map(|known| entry(&known.key.value, in_compose(&known.value))).collect();
        entries.push(entry("environment", map(origin, environment)));
        let publishes = config.is_some_and(|config| config.get("ports").is_some()) || task.get("service").is_some();
        if publishes {
            entries.push(entry("expose", list(origin, Vec::new())));
        }
        let names = service_names(group, task);
        self.containers.read(self.input, &name, entries, &mut self.stack, &mut self.app_variables, &mut |service| {
            finish(service, task, config, &names);
        });
        if self.stack.service(&name.value).is_none() {
            self.variables(&name, task);
        }
    }

    /// Reads the variables of an app: those of its `env` that were not read with its container, and those of templates.
    fn variables(&mut self, name: &Located<String>, task: &Node) {
        for known in bodies(task, "env").iter().flat_map(Node::entries) {
            if self.app_variables.has(&name.value, &known.key.value) {
                continue;
            }
            let (app, variable, origin) = (&name.value, &known.key.value, &known.value.origin);
            if let Some(text) = known.value.as_literal() {
                self.app_variables.text(app, variable, text, origin);
            } else {
                let by = known.value.as_unresolved().unwrap_or("a value of Nomad").to_owned();
                self.app_variables.fixed(app, variable, Value::Unresolved(by), origin);
            }
        }
        for template in bodies(task, "template") {
            let sets = template.get("env").and_then(Node::as_str) == Some("true");
            if let Some(text) = template.get("data").and_then(Node::as_literal).filter(|_| sets) {
                self.template(&name.value, text, &template.origin);
            }
        }
    }

    /// Reads the `KEY={{ … }}` lines of a template.
    fn template(&mut self, app: &str, text: &str, origin: &Origin) {
        let mut in_secret = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("{{") && line.contains("secret ") {
                in_secret = true;
            }
            let Some((name, value)) = line.split_once('=') else { continue };
            let name = name.trim().trim_start_matches("export ");
            let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_name(name) {
                continue;
            }
            let value = value.trim().trim_matches('"');
            if !value.contains("{{") {
                self.app_variables.text(app, name, value, origin);
            } else if in_secret || value.contains("secret") || value.contains("nomadVar") {
                self.app_variables.fixed(
                    app,
                    name,
                    Value::Secret("a secret that Nomad's template reads".to_owned()),
                    origin,
                );
            } else {
                let by = format!("Nomad's template: {value}");
                self.app_variables.fixed(app, name, Value::Unresolved(by), origin);
            }
        }
    }
}

/// A driver's `command` with its `args`.
fn command(config: &Node) -> Option<Node> {
    let words =
        config.get("command").into_iter().chain(config.get("args").and_then(Node::as_sequence).unwrap_or_default());
    let words: Vec<Node> = words.map(in_compose).collect();
    let origin = words.first()?.origin.clone();
    Some(list(&origin, words))
}

/// Names by which other tasks find the service of a task or of its group.
fn service_names(group: &Node, task: &Node) -> Vec<String> {
    // A group's service belongs to its task if the group has only one task.
    let of_group = if blocks(group.get("task")).count() == 1 { bodies(group, "service") } else { &[] };
    let services = bodies(task, "service").iter().chain(of_group);
    services.filter_map(|service| service.get("name").and_then(Node::as_literal)).map(str::to_owned).collect()
}

fn finish(service: &mut Service, task: &Node, config: Option<&Node>, names: &[String]) {
    service.keys.retain(|key| key.path != "expose");
    for key in &mut service.keys {
        if let Some(name) = key.path.strip_prefix("environment.") {
            key.path = format!("env.{name}");
        }
    }
    for name in names {
        for alias in [name.clone(), format!("{name}.service.consul")] {
            if alias != service.name && !service.aliases.contains(&alias) {
                service.aliases.push(alias);
            }
        }
    }
    let read = ["config", "env"];
    let of_task = task.entries().map(|entry| entry.key.value.as_str()).filter(|name| !read.contains(name));
    let read = ["image", "command", "args", "entrypoint"];
    let of_config = config.into_iter().flat_map(Node::entries).map(|entry| entry.key.value.as_str());
    let others: Vec<&str> = of_task.chain(of_config.filter(|name| !read.contains(name))).collect();
    if !others.is_empty() {
        let note = format!("about the task around the server: {}", others.join(", "));
        service.keys.push(Key { path: "other attributes".to_owned(), support: Support::Unsupported, note });
    }
}

/// A value in Compose's syntax: dollars are escaped, and a variable of the job becomes a variable of the environment.
fn in_compose(node: &Node) -> Node {
    let kind = match &node.kind {
        NodeKind::Scalar { text, quoted } if node.as_unresolved().is_none() => {
            NodeKind::Scalar { text: text.replace('$', "$$"), quoted: *quoted }
        }
        NodeKind::Scalar { text, .. } => {
            let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            let text = match (inside, text.strip_prefix("var.")) {
                (Some(inside), _) => inside.replace('$', "$$").replace("$${var.", &format!("${{{VARIABLE}")),
                (None, Some(name)) => format!("${{{VARIABLE}{name}}}"),
                (None, None) => format!("$${{{text}}}"),
            };
            NodeKind::Scalar { text, quoted: true }
        }
        NodeKind::Sequence(items) => NodeKind::Sequence(items.iter().map(in_compose).collect()),
        NodeKind::Mapping(entries) => NodeKind::Mapping(
            entries.iter().map(|known| Entry { key: known.key.clone(), value: in_compose(&known.value) }).collect(),
        ),
    };
    Node { origin: node.origin.clone(), tag: None, kind }
}
