//! `devenv status`: the state of this environment's services.

use crate::cli::{Global, Status};
use crate::docker::{Engine, EngineError};
use crate::dotenv;
use crate::environment::checkout::{self, Found};
use crate::environment::cleanup::measure;
use crate::environment::env_files::Main;
use crate::environment::pages::pages;
use crate::environment::session::branch;
use crate::manifest::Reading;
use crate::model::{Container, Diagnostic, Exit, Failure, ImageRef, LocalImage, Observed, Service, Severity};
use crate::plan::{self, Choice, Identity};
use crate::project::Checkout;
use crate::ui::{Printer, Table, bytes, visible};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Runs the command.
pub(crate) async fn run(global: &Global, files: &[PathBuf], status: &Status, printer: &Printer) -> Result<(), Failure> {
    let found = checkout::find(global, files).await?;
    // Labels describe the running services; manifests only add the services that do not run.
    let reading = found.read(global, files).await;
    let Found { engine, identity, observed, choice, .. } = found;
    let mut images: BTreeSet<ImageRef> =
        observed.containers_of(&identity.name).filter_map(|one| ImageRef::parse(&one.image).ok()).collect();
    let declared: &[Service] = reading.as_ref().map_or(&[], |reading| &reading.stack.services);
    if let Ok(reading) = &reading {
        let image = |service: &Service| plan::image_of(service, reading.kinds.get(&service.kind)?).ok();
        images.extend(declared.iter().filter_map(image));
    }
    let observed = engine.observe(&Vec::from_iter(images)).await.map_err(EngineError::into_failure)?;
    let mut names: Vec<&str> = declared.iter().map(|service| service.name.as_str()).collect();
    let ours: Vec<&Container> = observed.containers_of(&identity.name).collect();
    for container in &ours {
        let service = container.service();
        if !names.contains(&service) {
            names.push(service);
        }
    }
    let of = |name: &str| ours.iter().copied().find(|container| container.service() == name);
    let kind_of = |name: &str| {
        let service = declared.iter().find(|service| service.name == name);
        service.map(|service| format!("{} {}", service.kind, service.version.text)).unwrap_or_default()
    };
    let used = plan::data_in_use(&identity, &observed);
    for service in used.keys() {
        if !names.contains(&service.as_str()) {
            names.push(service);
        }
    }
    let on: BTreeSet<&str> = used.values().map(|volume| volume.branch()).collect();
    let on: Vec<&str> = on.into_iter().filter(|branch| !branch.is_empty()).collect();
    let now = reading.as_ref().ok().and_then(branch);
    let env_file = EnvFile::of(status.env_file.as_deref(), &choice, &identity, reading.as_ref().ok())?;
    let sizes = if status.sizes { volume_sizes(&engine, &identity, &observed, printer).await } else { Vec::new() };
    let pages = reading.as_ref().map(|reading| pages(reading, &ours)).unwrap_or_default();
    if status.show.json {
        let full_entry = |name: &&str| {
            let mut entry = entry(name, of(name), &observed);
            if let Some(page) = pages.iter().find(|page| page.service == **name) {
                entry["management"] = page.json();
            }
            if status.sizes {
                let of_service = sizes.iter().filter(|size| size.service == **name).map(VolumeSize::json);
                entry["volumes"] = of_service.collect();
            }
            entry
        };
        let services: Vec<Value> = names.iter().map(full_entry).collect();
        return printer.json(&json!({
            "environment": identity.name, "root": identity.root, "branch": on.first(), "services": services,
            "manifests": choice.files, "env_file": env_file.path, "env_file_has_block": env_file.has_block,
        }));
    }
    let mut table = Table::new(["service", "kind", "state", "endpoint", "image", "digest"]).spare(2);
    for name in &names {
        table.row(match of(name) {
            Some(container) => vec![
                (*name).to_owned(),
                container.runs().map(|runs| format!("{} {}", runs.kind, runs.version)).unwrap_or_default(),
                container.status.clone(),
                address(container).unwrap_or_default(),
                image_name(container, &observed),
                digest(container, &observed).map(|digest| digest.chars().take(19).collect()).unwrap_or_default(),
            ],
            None if used.contains_key(*name) => {
                vec![(*name).to_owned(), kind_of(name), "down, its data is kept: `devenv up`".to_owned()]
            }
            None => vec![(*name).to_owned(), kind_of(name), "not made yet: `devenv up`".to_owned()],
        });
    }
    printer.data(&table.render(printer))?;
    for page in &pages {
        printer.data(&format!("\n{}\n", visible(&page.line())))?;
    }
    if let Some(text) = env_file.text(&identity.root) {
        printer.data(&format!("\n{text}\n"))?;
    }
    let unread = match &reading {
        Err(failure) => failure.diagnostics.first(),
        Ok(reading) => {
            reading.diagnostics.iter().find(|one| one.severity == Severity::Error && reading.has_unreadable())
        }
    };
    if let Some(first) = unread {
        let why = visible(&first.message).into_owned();
        printer.line(&format!("this is the state of the engine; the manifests were not read: {why}"));
    }
    if !on.is_empty() {
        let hint = match now.filter(|now| on != [now.as_str()]) {
            Some(now) => format!("; git is on {now}: `devenv up` switches to it"),
            None => String::new(),
        };
        printer.data(&format!("\ndata of branch {}{hint}\n", on.join(", ")))?;
    }
    if status.sizes {
        let mut table = Table::new(["service", "volume", "own", "shared with others", "needed by"]);
        for size in &sizes {
            let needed_by = size.needed_by.join(", ");
            table.row([size.service.clone(), size.volume.clone(), bytes(size.own), bytes(size.shared), needed_by]);
        }
        printer.data(&format!("\n{}", table.render(printer)))?;
    }
    Ok(())
}

/// The env file with an environment's variables.
struct EnvFile {
    path: PathBuf,
    /// Whether `up` has written its block to the file.
    has_block: bool,
    /// Whether the user named the file, so that `status` shows a line about it.
    is_named: bool,
    /// The reasons why the file is not the usual one.
    why: Vec<String>,
}

impl EnvFile {
    fn of(
        asked: Option<&Path>,
        choice: &Choice,
        identity: &Identity,
        reading: Option<&Reading>,
    ) -> Result<Self, Failure> {
        let named = asked.map(Path::to_owned).or_else(|| Some(identity.root.join(choice.env_file.as_ref()?)));
        let is_named = named.is_some();
        if let (Some(reading), false) = (reading, is_named) {
            let main = Main::of(reading, choice)?;
            let notes = main.notes.iter().filter(|note| note.severity == Severity::Note);
            return Ok(Self {
                path: main.file.path().to_owned(),
                has_block: main.has_block(),
                is_named: reading.env_file.is_some(),
                why: notes.map(|note| note.message.clone()).collect(),
            });
        }
        let checkout = Checkout::at(&identity.root).map_err(|error| {
            let diagnostic = Diagnostic::error("folder", format!("cannot read {}", identity.root.display()));
            Failure::new(
                Exit::Failed,
                diagnostic.because(error.to_string()).help("check the folder and its permissions"),
            )
        })?;
        let wanted = dotenv::Wanted { asked: named.as_deref(), ..dotenv::Wanted::of(".env") };
        let file = dotenv::choose(&checkout, &wanted)?.file;
        let has_block = dotenv::has_block(&file.read()?);
        Ok(Self { path: file.path().to_owned(), has_block, is_named, why: Vec::new() })
    }

    /// The lines about the file, if the file is not the usual one or the user named it.
    fn text(&self, root: &Path) -> Option<String> {
        let shown = self.path.strip_prefix(root).unwrap_or(&self.path).display().to_string();
        let shown = visible(&shown).into_owned();
        if !self.why.is_empty() {
            return Some(visible(&self.why.join("\n")).into_owned());
        }
        match (self.is_named, self.has_block) {
            (false, _) => None,
            (true, true) => Some(format!("variables in {shown}")),
            (true, false) => Some(format!("no variables in {shown} yet: `devenv up --env-file {shown}` writes them")),
        }
    }
}

/// The disk space of one volume of the environment.
struct VolumeSize {
    service: String,
    volume: String,
    /// The data that was written to this volume, in bytes. For a copy or a plain volume this is all of its data.
    own: u64,
    /// The data of the layers below the volume, in bytes.
    shared: u64,
    /// The uses of the volume; empty if only other volumes are layered on it.
    needed_by: Vec<String>,
}

impl VolumeSize {
    fn json(&self) -> Value {
        json!({"name": self.volume, "own_bytes": self.own, "shared_bytes": self.shared, "of": self.needed_by})
    }
}

/// The sizes of every volume of the environment, including the volumes of snapshots.
async fn volume_sizes(engine: &Engine, identity: &Identity, observed: &Observed, printer: &Printer) -> Vec<VolumeSize> {
    let all = plan::extents(identity, observed);
    let volumes: BTreeSet<String> = all.iter().flat_map(|one| one.layers.iter().chain([&one.own])).cloned().collect();
    let sizes = measure(engine, identity, observed, &volumes.into_iter().collect::<Vec<_>>(), printer).await;
    let size = |name: &String| sizes.get(name).copied().unwrap_or_default();
    let with_size = |one: plan::Extent| VolumeSize {
        own: size(&one.own),
        shared: one.layers.iter().map(size).sum(),
        service: one.service,
        volume: one.volume,
        needed_by: one.needed_by,
    };
    all.into_iter().map(with_size).collect()
}

fn entry(name: &str, container: Option<&Container>, observed: &Observed) -> Value {
    match container {
        None => json!({"name": name, "state": "absent"}),
        Some(container) => json!({
            "name": name,
            "kind": container.runs().map(|runs| &runs.kind),
            "version": container.runs().map(|runs| &runs.version),
            "state": container.state,
            "status": container.status,
            "image": container.image,
            "digest": digest(container, observed),
            "image_id": container.image_id,
            "endpoint": address(container),
            "created": container.created,
            "container": container.name,
        }),
    }
}

/// The endpoint without its login.
fn address(container: &Container) -> Option<String> {
    let publish = container.publish.first()?;
    Some(format!("{}:{}", publish.host_ip, publish.host_port))
}

/// The image's name as declared. A container that was created from an image's id has only that id on the engine, so the
/// name is looked up among the images.
fn image_name(container: &Container, observed: &Observed) -> String {
    let is_id = container.image.starts_with("sha256:")
        || container.image_id.trim_start_matches("sha256:").starts_with(&container.image);
    let named = observed.images.iter().find(|(name, image)| {
        is_id && image.id == container.image_id && !name.contains(container.image_id.trim_start_matches("sha256:"))
    });
    match named {
        Some((name, _)) => name.clone(),
        // Without a manifest the image has no name; the start of its id distinguishes it from others.
        None if is_id => container.image.chars().take(19).collect(),
        None => container.image.clone(),
    }
}

/// The registry's digest of the image. An image that was built on this engine has none.
fn digest(container: &Container, observed: &Observed) -> Option<String> {
    let same = |image: &&LocalImage| image.id == container.image_id;
    observed.images.values().find(same)?.digests().next().map(str::to_owned)
}
