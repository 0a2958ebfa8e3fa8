//! `devenv bundle`: saves every locked image in one archive, and loads the archive on machines without a registry.

use crate::apply::{self, Stop};
use crate::cli::{Bundle, BundleAction, Global, Start};
use crate::docker::{Engine, EngineError};
use crate::environment::bring_up::{prepare, rows_of};
use crate::environment::checkout;
use crate::environment::session::{Project, connect};
use crate::model::{Diagnostic, Event, Exit, Failure, ImageRef, Lock};
use crate::project::{Checkout, Fault, FileName, Mode, open_regular};
use crate::resolve::bundle::{self, Bundled, CleanArchive, Contents, Head};
use crate::resolve::versions;
use crate::ui::{Printer, Reporter, bytes};
use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Instant;

/// Runs the command.
pub(crate) async fn run(
    global: &Global,
    files: &[PathBuf],
    arguments: &Bundle,
    printer: &Printer,
) -> Result<(), Failure> {
    let start = Start::with(&arguments.manifests);
    let project = checkout::project(global, files, printer).await?;
    let locked = locked(&project)?;
    match &arguments.action {
        BundleAction::Save { file } => save(&project, &locked, &connect(global).await?, &start, file, printer).await,
        BundleAction::Load { file } => {
            let (contents, opened) = read(file)?;
            check_locked(&project, &locked, &contents, file)?;
            load(&contents, &connect(global).await?, opened, file, printer).await
        }
    }
}

/// The image of each service by its digest. A missing or stale lock is a failure, because it names no image to save.
fn locked(project: &Project) -> Result<BTreeMap<String, ImageRef>, Failure> {
    let nothing = Lock::default();
    let compared = versions::compare(&project.declared, project.lock.as_ref().unwrap_or(&nothing));
    if !compared.is_current() || project.lock.is_none() {
        return Err(project.lock_failure(&compared));
    }
    if compared.locked.is_empty() {
        let diagnostic = Diagnostic::error("bundle-empty", "services.lock has no image to carry");
        return Err(Failure::new(
            Exit::Manifest,
            diagnostic.help("`devenv manifest` shows what was read, and from where"),
        ));
    }
    Ok(compared.locked)
}

fn digest_of(image: &ImageRef) -> &str {
    image.digest.as_deref().unwrap_or_default()
}

async fn save(
    project: &Project,
    locked: &BTreeMap<String, ImageRef>,
    engine: &Engine,
    start: &Start,
    file: &Path,
    printer: &Printer,
) -> Result<(), Failure> {
    bring(project, engine, start, printer).await?;
    let found = try_join_all(locked.iter().map(|(service, image)| find_image(project, engine, service, image))).await?;
    let mut documents = BTreeMap::new();
    let mut images = Vec::new();
    let mut ids = BTreeSet::new();
    for one in found {
        documents.extend(one.documents);
        images.push(one.bundled);
        ids.insert(one.id);
    }
    let head = Head::new(images, documents);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let written = write(&head, &ids, engine, &project.reading.root, file).await?;
    // Check the bundle as `load` does, so that the other machine will accept it.
    read(file)?.0.prove().map_err(|diagnostics| Failure::of(Exit::Image, diagnostics))?;
    for one in &head.images {
        printer.line(&format!(" {}  {}  {}", one.service, one.image, short(&one.digest)));
    }
    let count = head.images.len();
    printer.line(&format!("{} written · {count} services · {}", file.display(), bytes(written)));
    printer.line(&format!(
        "on the other machine, in a checkout with this services.lock: `devenv bundle load {}`",
        file.display()
    ));
    Ok(())
}

/// Pulls the missing images, as `up` does.
async fn bring(project: &Project, engine: &Engine, start: &Start, printer: &Printer) -> Result<(), Failure> {
    let prepared = prepare(project, engine, start, &[], None).await?;
    let plan = prepared.plan.pulls();
    if plan.steps.is_empty() {
        return Ok(());
    }
    let rows = rows_of(&prepared.desired);
    let reporter = Reporter::new(printer, &rows);
    let emit = |event: Event| reporter.event(&event);
    let run = apply::Run {
        engine,
        desired: &prepared.desired,
        mirror: project.machine.mirror.as_ref(),
        began: Instant::now(),
        timeout: start.timeout,
        emit: &emit,
        stop: &Stop::default(),
    };
    let pulled = apply::apply(&plan, &run).await;
    reporter.finish();
    pulled
}

struct Found {
    bundled: Bundled,
    id: String,
    documents: BTreeMap<String, Vec<u8>>,
}

/// An image of this engine, with the registry's documents that lead from its digest to the image.
async fn find_image(project: &Project, engine: &Engine, service: &str, image: &ImageRef) -> Result<Found, Failure> {
    let local = engine.local_image(image).await.map_err(EngineError::into_failure)?;
    let local = local.ok_or_else(|| {
        let diagnostic =
            Diagnostic::error("bundle-image", format!("the image of {service} is not on this engine any more"));
        Failure::new(
            Exit::Image,
            diagnostic.because(image.to_string()).help("run `devenv bundle save FILE` again: it pulls missing images"),
        )
    })?;
    let bundled = Bundled {
        service: service.to_owned(),
        image: ImageRef { digest: None, ..image.clone() }.to_string(),
        digest: digest_of(image).to_owned(),
        platform: local.platform.clone(),
    };
    if local.id == bundled.digest {
        return Ok(Found { bundled, id: local.id, documents: BTreeMap::new() });
    }
    let content = engine.registry_content(image, project.machine.mirror.as_ref(), &local.platform).await;
    let content = content.map_err(|fault| {
        let message = format!("cannot prove in a bundle that {service} has the image of services.lock");
        Failure::new(
            Exit::Image,
            Diagnostic::error("bundle-registry", message)
                .because(format!("the bundle needs the registry's index and manifest of {image}: {fault}"))
                .help("run `devenv bundle save FILE` on a machine that reaches the registry"),
        )
    })?;
    Ok(Found { bundled, id: local.id, documents: content.documents })
}

/// Writes a temporary file next to `file`, and renames it when it is complete. Returns the number of bytes.
async fn write(head: &Head, ids: &[&str], engine: &Engine, root: &Path, file: &Path) -> Result<u64, Failure> {
    let cannot = |error: io::Error| {
        let diagnostic = Diagnostic::error("bundle-write", format!("cannot write {}", file.display()));
        Failure::new(
            Exit::Failed,
            diagnostic.because(error.to_string()).help("check the folder, its permissions and its space"),
        )
    };
    let whole = std::path::absolute(file).map_err(cannot)?;
    let mut temporary = Checkout::at(root)
        .map_err(Fault::Io)
        .and_then(|checkout| checkout.replace(&whole, FileName::Asked, Mode::Kept))
        .map_err(|fault| cannot(fault.into()))?;
    let entry = head.entry().map_err(cannot)?;
    temporary.write_all(&entry).map_err(cannot)?;
    let mut written = entry.len() as u64;
    let mut parts = pin!(engine.save_images(ids));
    while let Some(part) = parts.next().await {
        let part = part.map_err(EngineError::into_failure)?;
        temporary.write_all(&part).map_err(cannot)?;
        written += part.len() as u64;
    }
    temporary.finish().map_err(cannot)?;
    Ok(written)
}

/// The content of a bundle, with every byte hashed, and the open file. The file is not opened a second time, because
/// another file could be there by then.
fn read(file: &Path) -> Result<(Contents, File), Failure> {
    let cannot = |error: io::Error| {
        let (message, help) = if error.kind() == io::ErrorKind::InvalidData {
            (
                format!("{} is no bundle", file.display()),
                "`devenv bundle save FILE` writes one, where a registry answers",
            )
        } else {
            (format!("cannot read {}", file.display()), "check the file, and whether it was copied whole")
        };
        Failure::new(Exit::Failed, Diagnostic::error("bundle-read", message).because(error.to_string()).help(help))
    };
    let opened = open_regular(file).map_err(cannot)?;
    let contents = bundle::read(BufReader::with_capacity(1 << 20, &opened)).map_err(cannot)?;
    Ok((contents, opened))
}

/// Fails unless the bundle has the image of each locked service with exactly its digest.
fn check_locked(
    project: &Project,
    locked: &BTreeMap<String, ImageRef>,
    contents: &Contents,
    file: &Path,
) -> Result<(), Failure> {
    let mut faults = Vec::new();
    for (service, image) in locked {
        let bundled = contents.head.images.iter().find(|one| one.service == *service);
        if bundled.is_some_and(|one| one.digest == digest_of(image)) {
            continue;
        }
        let has = bundled.map_or_else(|| "nothing".to_owned(), |one| one.digest.clone());
        let diagnostic = Diagnostic::error(
            "bundle-other",
            format!("{} has another image for {service} than services.lock", file.display()),
        )
        .because(format!("locked: {}, in the bundle: {has}", digest_of(image)))
        .help("save a new bundle with this services.lock, or check out the one that it was saved with");
        let declared = project.reading.stack.service(service);
        faults.push(match declared {
            Some(declared) => diagnostic.at(&declared.version.origin, "declared here"),
            None => diagnostic,
        });
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::of(Exit::Image, faults)) }
}

/// Proves the content of the bundle, loads the images, and names each image so that it is found by its digest.
async fn load(
    contents: &Contents,
    engine: &Engine,
    opened: File,
    file: &Path,
    printer: &Printer,
) -> Result<(), Failure> {
    let proven = contents.prove().map_err(|diagnostics| Failure::of(Exit::Image, diagnostics))?;
    let clean = CleanArchive::new(opened, contents, &proven).map_err(|error| {
        let diagnostic = Diagnostic::error("bundle-read", format!("cannot read {}", file.display()));
        Failure::new(Exit::Failed, diagnostic.because(error.to_string()).help("check the file"))
    })?;
    let loaded = engine.load_images(clean).await.map_err(EngineError::into_failure)?;
    for one in &proven {
        let mut id = None;
        for name in [&one.config, &one.bundled.digest].into_iter().chain(&loaded) {
            id = engine.with_layers(name, &one.diff_ids).await.map_err(EngineError::into_failure)?;
            if id.is_some() {
                break;
            }
        }
        let bundled = &one.bundled;
        let image = ImageRef::parse(&bundled.image).ok().zip(id);
        let (image, id) = image.ok_or_else(|| {
            let message = format!("the engine does not have {} after loading it", bundled.image);
            let diagnostic = Diagnostic::error("bundle-load", message)
                .because(format!("it says that it loaded: {}", loaded.join(", ")));
            Failure::new(Exit::Image, diagnostic.help("`docker load` of the file may tell more"))
        })?;
        engine.name_loaded(&id, &image, &bundled.digest).await.map_err(EngineError::into_failure)?;
        printer.line(&format!(" {}  {}  {}", bundled.service, bundled.image, short(&bundled.digest)));
    }
    printer.line(&format!("{} images loaded, each by the digest of services.lock · next: devenv up", proven.len()));
    Ok(())
}

fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}
