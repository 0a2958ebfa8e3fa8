//! Reads `services.lock` of a checkout.

use crate::manifest::Reading;
use crate::model::{Diagnostic, Exit, Failure, ImageRef, Lock};
use crate::project::{Checkout, Fault, Resource, read_at_most, within_deadline};
use crate::resolve::lock_file;
use std::io;
use std::path::Path;

/// The largest lock that is read, in bytes: thousands of services.
const LARGEST: u64 = 4 * 1024 * 1024;

/// The project's lock, if there is one. It is read with the limits of the manifests, and with the rest of their budget.
pub(crate) fn read(reading: &Reading) -> Result<Option<Lock>, Failure> {
    let name = Path::new(lock_file::NAME);
    let text = Checkout::at(&reading.root).map_err(Fault::Io).and_then(|checkout| text_of(&checkout, name));
    let text = match text {
        Ok(text) => text,
        Err(Fault::Missing) => return Ok(None),
        Err(fault) => {
            let diagnostic = Diagnostic::error("lock-read", format!("cannot read {}", lock_file::NAME));
            return Err(Failure::new(Exit::Manifest, diagnostic.because(fault.to_string()).help(help_with(&fault))));
        }
    };
    let budget = reading.budget.clone();
    budget.spend_file(name);
    budget.spend(Resource::Bytes, text.len());
    within_deadline(&reading.budget, move || lock_file::parse(Path::new(lock_file::NAME), &text, &budget))?.map(Some)
}

pub(crate) fn text_of(checkout: &Checkout, path: &Path) -> Result<String, Fault> {
    let bytes = read_at_most(checkout.open(path)?, LARGEST).map_err(Fault::Io)?;
    let no_text = |_| Fault::Io(io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8 text"));
    String::from_utf8(bytes).map_err(no_text)
}

/// A locked image without its digest, to find the image that its tag means today.
pub(crate) fn by_tag(image: &ImageRef) -> ImageRef {
    ImageRef { digest: None, ..image.clone() }
}

pub(crate) fn help_with(fault: &Fault) -> &'static str {
    match fault {
        Fault::Outside(_) | Fault::OtherPurpose(_) => "remove the link: the lock must be in the checkout itself",
        Fault::NotRegular | Fault::Folder => "remove it: the lock must be a regular file",
        _ => "check the file, the folder and their permissions",
    }
}
