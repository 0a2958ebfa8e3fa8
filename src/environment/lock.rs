//! `services.lock` of a checkout: reads the file, resolves the missing entries, and writes the file.

use super::lock_reading::{by_tag, help_with, text_of};
use super::session::Project;
use crate::docker::{ContentFault, Engine, EngineError, PullFault};
use crate::kinds;
use crate::model::{Diagnostic, Exit, Failure, ImageRef, LocalImage, Lock, LockedService, Observed};
use crate::plan;
use crate::project::{Checkout, Fault, FileName};
use crate::resolve::{lock_file, versions};
use crate::ui::Printer;
use futures_util::future::try_join_all;
use std::path::Path;

/// The resolved entry of a service.
pub(crate) struct Resolved {
    entry: LockedService,
    /// The reason why the registry does not give the content of the digest.
    unavailable: Option<String>,
}

/// The lock with the chosen services resolved. With `newest`, the registry is asked even if the engine has the image
/// already.
pub(crate) async fn resolved(
    engine: &Engine,
    project: &Project,
    old: &Lock,
    chosen: &dyn Fn(&str) -> bool,
    newest: bool,
    printer: &Printer,
) -> Result<Lock, Failure> {
    let (wanted, kept): (Vec<_>, Vec<_>) = project.declared.iter().partition(|one| chosen(&one.service.name));
    let found = try_join_all(wanted.iter().map(|declared| resolve(engine, project, declared, newest))).await?;
    let kept = kept.iter().filter_map(|declared| old.services.get_key_value(&declared.service.name));
    let mut new = Lock { services: kept.map(|(name, entry)| (name.clone(), entry.clone())).collect() };
    let mut unavailable = Vec::new();
    for (declared, mut found) in wanted.iter().zip(found) {
        let name = &declared.service.name;
        if let Some(why) = found.unavailable {
            // Keep the platforms that the old lock has for the same digest.
            match old.services.get(name).filter(|before| before.digest == found.entry.digest) {
                Some(before) if !before.platforms.is_empty() => found.entry.platforms.clone_from(&before.platforms),
                _ => unavailable.push(without_platforms(declared, &why)),
            }
        }
        new.services.insert(name.clone(), found.entry);
    }
    printer.diagnostics(&unavailable);
    Ok(new)
}

fn without_platforms(declared: &versions::Declared, why: &str) -> Diagnostic {
    let name = &declared.service.name;
    Diagnostic::warning(
        "lock-platforms",
        format!("{name} is locked by the digest of its image only, without a digest for each platform"),
    )
    .at(&declared.service.version.origin, "declared here")
    .because(format!("its registry does not give the content of the digest: {why}"))
    .help(format!("run `devenv update {name}` where the registry can be reached; it adds the missing digests"))
}

/// Locks the running images if the project has no lock yet; returns whether it did. This never changes an existing
/// lock. If the lock cannot be written, this is only a warning.
pub(crate) async fn make_missing(project: &Project, engine: &Engine, printer: &Printer) -> bool {
    if project.lock.is_some() || project.declared.is_empty() {
        return false;
    }
    let made = async {
        let new = resolved(engine, project, &Lock::default(), &|_| true, false, printer).await?;
        write(&project.reading.root, &new)
    };
    match made.await {
        Ok(written) => written,
        Err(failure) => {
            let without = format!("so there is no {}; the running services are not affected", lock_file::NAME);
            printer.diagnostics(&failure.into_warnings(&without));
            false
        }
    }
}

async fn resolve(
    engine: &Engine,
    project: &Project,
    declared: &versions::Declared,
    newest: bool,
) -> Result<Resolved, Failure> {
    let (image, mirror) = (&declared.image, project.machine.mirror.as_ref());
    let local = engine.local_image(image).await.map_err(EngineError::into_failure)?;
    let here = local.as_ref().and_then(|local| versions::digest_of(image, local));
    let platform = declared.service.platform.as_ref().map_or(engine.platform(), |platform| &platform.value);
    // An image that was built on this engine is in no registry; an image that a manifest names by its digest cannot
    // change.
    let is_known = local.is_some() && (here.is_none() || !newest || image.digest.is_some());
    let digest = if is_known {
        image.digest.clone().or_else(|| here.clone())
    } else {
        withdrawn(engine, mirror.is_some(), declared).await?;
        let found = engine.registry_image(image, mirror).await.map_err(|fault| no_answer(declared, &fault))?;
        has_platform(declared, &found.digest, &found.platforms, platform)?;
        Some(found.digest)
    };
    let Some(digest) = digest else {
        return Ok(Resolved { entry: versions::entry(declared, None, local.as_ref(), None), unavailable: None });
    };
    let pinned = ImageRef { digest: Some(digest.clone()), ..image.clone() };
    let content = engine.registry_content(&pinned, mirror, platform).await;
    if let Err(ContentFault::Other(why)) = &content {
        return Err(wrong_content(declared, why));
    }
    if let Ok(content) = &content {
        let platforms: Vec<String> = content.platforms.keys().cloned().collect();
        has_platform(declared, &digest, &platforms, platform)?;
    }
    let same = local.filter(|_| here.as_ref() == Some(&digest));
    let entry = versions::entry(declared, Some(digest), same.as_ref(), content.as_ref().ok());
    Ok(Resolved { entry, unavailable: content.err().map(|fault| fault.to_string()) })
}

/// Fails for an image that its registry is known to have withdrawn, before the registry is asked.
async fn withdrawn(engine: &Engine, has_mirror: bool, declared: &versions::Declared) -> Result<(), Failure> {
    let service = &declared.service;
    let has = |name: &str| service.environment.iter().any(|(known, _)| known == name);
    let Some(found) = kinds::withdrawn(&declared.image, has) else { return Ok(()) };
    if has_mirror || engine.has_mirrors().await {
        return Ok(());
    }
    let diagnostic = plan::withdrawn_image(&service.name, &declared.image, &found, &service.version.origin);
    Err(Failure::new(Exit::Image, diagnostic))
}

fn no_answer(declared: &versions::Declared, fault: &PullFault) -> Failure {
    let service = &declared.service;
    let diagnostic = Diagnostic::error("lock-registry", format!("no registry gives the digest of {}", declared.image))
        .at(&service.version.origin, format!("{} is declared here", service.name))
        .because(fault.to_string())
        .help("check the name, the network and `docker login`; an image that is on the engine needs no registry");
    Failure::new(Exit::Image, diagnostic)
}

/// The registry gave content that does not match its digest.
fn wrong_content(declared: &versions::Declared, why: &str) -> Failure {
    let service = &declared.service;
    let diagnostic = Diagnostic::error(
        "lock-registry",
        format!("the registry of {} gave content that does not match the digest", declared.image),
    )
    .at(&service.version.origin, format!("{} is declared here", service.name))
    .because(why)
    .help("a proxy or a mirror between here and the registry may be broken: try without it");
    Failure::new(Exit::Image, diagnostic)
}

/// Checks that the image exists for the platform. Otherwise the error would appear only when the image is started.
fn has_platform(
    declared: &versions::Declared,
    digest: &str,
    platforms: &[String],
    wanted: &str,
) -> Result<(), Failure> {
    let is_for = |platform: &String| LocalImage { platform: platform.clone(), ..LocalImage::default() }.is_for(wanted);
    if platforms.is_empty() || platforms.iter().any(is_for) {
        return Ok(());
    }
    let image = &declared.image;
    let message = format!("{image} is not made for {wanted}");
    let diagnostic = Diagnostic::error("lock-platform", message)
        .at(&declared.service.version.origin, "declared here")
        .because(format!("the registry has {digest} for {}", platforms.join(", ")))
        .help("choose a tag that is made for this platform, or set `platform:` to one of these, which this engine then emulates");
    Err(Failure::new(Exit::Image, diagnostic))
}

/// Replaces the file if its text changes; returns whether it did.
pub(crate) fn write(root: &Path, lock: &Lock) -> Result<bool, Failure> {
    let text = lock_file::render(lock);
    let failed = |fault: &Fault| {
        let diagnostic =
            Diagnostic::error("lock-write", format!("cannot write {}", root.join(lock_file::NAME).display()));
        Failure::new(Exit::Failed, diagnostic.because(fault.to_string()).help(help_with(fault)))
    };
    let checkout = Checkout::at(root).map_err(|error| failed(&Fault::Io(error)))?;
    let name = Path::new(lock_file::NAME);
    if text_of(&checkout, name).is_ok_and(|before| before == text) {
        return Ok(false);
    }
    checkout.write(name, FileName::Same, text.as_bytes()).map_err(|fault| failed(&fault))?;
    Ok(true)
}

/// Checks that images that were locked by their id are on this engine. Such an image was built on an engine, and no
/// registry has it.
pub(crate) fn ensure_available(project: &Project, observed: &Observed) -> Result<(), Failure> {
    let mut faults = Vec::new();
    for service in &project.reading.stack.services {
        let name = &service.name;
        let Some(image) = project.locked_image(name) else { continue };
        let entry = project.lock.as_ref().and_then(|lock| lock.services.get(name));
        let by_id = entry.is_some_and(|entry| entry.digest.is_none());
        if by_id && !observed.images.contains_key(&image.to_string()) {
            faults.push(
                Diagnostic::error("lock-absent", format!("the image that services.lock has for {name} is not here"))
                    .at(&service.version.origin, "declared here")
                    .because(format!("{image} was built on another engine, and no registry is known to have it"))
                    .help("run `devenv bundle save FILE` on the machine where it was built, then `devenv bundle load FILE` here")
                    .help(format!("or build the image here, then run `devenv update {name}`")),
            );
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::of(Exit::Image, faults)) }
}

/// The warning for a tag that means another image than the lock has. The locked image stays in use.
pub(crate) fn moved_tag(service: &str, image: &ImageRef, locked: &str, now: &str, who: &str) -> Diagnostic {
    Diagnostic::warning(
        "tag-moved",
        format!("{} is another image now than services.lock has for {service}", by_tag(image)),
    )
    .because(format!("locked: {locked}, {who}: {now}; the locked one is used"))
    .help(format!("`devenv update {service}` takes the new one"))
}
