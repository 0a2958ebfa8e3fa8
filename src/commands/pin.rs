//! `devenv pin`: sets the version that production runs, if production's manifests leave the version open.

use crate::cli::{Global, Pin};
use crate::environment::checkout;
use crate::environment::facts_files::{by_service, read_facts};
use crate::environment::session::unknown_service;
use crate::manifest::{self, Reading};
use crate::model::{Diagnostic, Exit, Failure, ImageRef, Service, Severity, VersionClass};
use crate::project::{Checkout, Fault, FileName};
use crate::ui::Printer;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Runs the command: writes one pin, or one for each service whose server gave its release.
pub(crate) async fn run(global: &Global, files: &[PathBuf], pin: &Pin, printer: &Printer) -> Result<(), Failure> {
    let request = &checkout::source(global, files, printer).await?.request;
    let said = |service: &str, version: &str| Wanted { service: service.to_owned(), version: version.to_owned() };
    if let Some(path) = &pin.from_facts {
        let project = manifest::read(request)?;
        let facts_of = by_service(&project.stack, &project.kinds, read_facts(path)?)?;
        for service in &project.stack.services {
            let Some(facts) = facts_of.get(&service.name) else { continue };
            match &facts.version {
                Some(version) => pin_one(request, &said(&service.name, version), printer)?,
                None => printer.diagnostics(&[Diagnostic::warning(
                    "pin-unknown",
                    format!("{} is not pinned: its server did not say its version", service.name),
                )
                .help("pin it by hand: `devenv pin SERVICE VERSION`")]),
            }
        }
        return Ok(());
    }
    match (&pin.service, &pin.version) {
        (Some(service), Some(version)) => pin_one(request, &said(service, version), printer),
        // The command line requires both.
        _ => Ok(()),
    }
}

/// One pin.
struct Wanted {
    service: String,
    version: String,
}

/// Writes the pin, and reads the manifests again to prove it.
fn pin_one(request: &manifest::Request, pin: &Wanted, printer: &Printer) -> Result<(), Failure> {
    let reading = manifest::read(request)?;
    let errors: Vec<Diagnostic> =
        reading.diagnostics.iter().filter(|one| one.severity == Severity::Error).cloned().collect();
    let Some(before) = reading.stack.service(&pin.service) else {
        if reading.has_unreadable() {
            return Err(Failure::of(Exit::Manifest, errors));
        }
        return Err(unknown_service(&pin.service, reading.stack.services.iter().map(|service| service.name.as_str())));
    };
    if ImageRef::parse(&format!("x:{}", pin.version)).is_err() {
        return Err(Failure::new(
            Exit::Usage,
            Diagnostic::error("version-text", format!("`{}` is no version", pin.version))
                .help("write it as the image's tags are: `16.4`, `16.4-alpine`, `16.4@sha256:…`"),
        ));
    }
    // Keep the rest of the image's tag, besides the number (`-alpine`).
    let version = before.version.pinned_to(&pin.version, before.image.is_some());
    let pin = &Wanted { service: pin.service.clone(), version };
    let path = manifest::local_file(&reading.root);
    let shown = Path::new(path.file_name().unwrap_or(path.as_os_str()));
    let failed = |fault: Fault| cannot_write(shown, &fault);
    let checkout = Checkout::at(&reading.root).map_err(|error| failed(Fault::Io(error)))?;
    let old = match checkout.open(&path) {
        Ok(file) => Some(io::read_to_string(file).map_err(|error| failed(Fault::Io(error)))?),
        Err(Fault::Missing) => None,
        Err(fault) => return Err(failed(fault)),
    };
    let earlier = old.as_deref().unwrap_or_default();
    let text = manifest::pinned(shown, earlier, &pin.service, &pin.version, &reading.budget)?;
    checkout.write(&path, FileName::Same, text.as_bytes()).map_err(failed)?;
    let proven = manifest::read(request).and_then(|after| prove(&after, pin, shown));
    let (after, contradictions) = match proven {
        Ok(after) => after,
        Err(failure) => {
            // The manifests do not have the pinned version: restore the old file.
            let undone = match &old {
                Some(text) => checkout.write(&path, FileName::Same, text.as_bytes()),
                None => fs::remove_file(&path).map_err(Fault::Io),
            };
            undone.map_err(failed)?;
            return Err(failure);
        }
    };
    let said = match before.version.text.as_str() {
        "" => "none".to_owned(),
        text => text.to_owned(),
    };
    printer.line(&format!(
        "{} is pinned to {} in {} (before: {said}, {})",
        pin.service,
        pin.version,
        shown.display(),
        before.version.origin
    ));
    printer.diagnostics(&contradictions);
    if !matches!(after, VersionClass::Exact | VersionClass::Digest) {
        printer.diagnostics(&[Diagnostic::warning(
            "pin-open",
            format!("`{}` is no release: production may run another", pin.version),
        )
        .help("pin the full number, as production's server tells it")]);
    }
    Ok(())
}

/// Proves that the manifests now give the service the pinned version. Returns the version's class, and diagnostics for
/// the values that contradict the version.
fn prove(after: &Reading, pin: &Wanted, path: &Path) -> Result<(VersionClass, Vec<Diagnostic>), Failure> {
    let pinned = after.stack.service(&pin.service).filter(|service| service.version.text == pin.version);
    let pinned = pinned.filter(|service| service.version.origin.path() == path);
    let contradicted = |service: &Service| {
        let of_version = manifest::contradictions(&after.stack).into_iter();
        let of_version = of_version.filter(|one| one.origin.as_ref() == Some(&service.version.origin));
        of_version.map(manifest::in_one_line).collect()
    };
    pinned.map(|service| (service.version.class, contradicted(service))).ok_or_else(|| {
        let message = format!("a pin in {} does not reach `{}`", path.display(), pin.service);
        Failure::new(
            Exit::Failed,
            Diagnostic::error("pin", message)
                .because("another line of that file decides the version; the file was not changed")
                .help(format!("look at `services: {{{}: …}}` there", pin.service)),
        )
    })
}

fn cannot_write(path: &Path, fault: &Fault) -> Failure {
    let diagnostic = Diagnostic::error("pin", format!("cannot write the pin into {}", path.display()));
    let help = match fault {
        Fault::Outside(_) | Fault::OtherPurpose(_) => "remove the link: the file must be in the checkout itself",
        Fault::ReadOnly => "make the file writable, or write the pin by hand",
        _ => "check the file and its permissions",
    };
    Failure::new(Exit::Failed, diagnostic.because(fault.to_string()).help(help))
}
