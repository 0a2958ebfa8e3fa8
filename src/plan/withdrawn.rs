//! Images that a registry no longer has. They are reported before a registry is asked for them.

use super::{Action, Desired, Plan};
use crate::kinds::{self, Withdrawn};
use crate::model::{Diagnostic, ImageRef, Origin};

/// An error for each service whose image would be downloaded and was withdrawn. Each error names the image to run
/// instead.
pub fn withdrawn_images(plan: &Plan, desired: &Desired) -> Vec<Diagnostic> {
    let is_pulled = |image: &ImageRef| {
        plan.steps.iter().any(|step| matches!(&step.action, Action::Pull { image: pulled, .. } if pulled == image))
    };
    let services = desired.services.iter().filter(|service| is_pulled(&service.container.image));
    let diagnostic = services.filter_map(|service| {
        let (image, environment) = (&service.container.image, &service.container.environment);
        let withdrawn = kinds::withdrawn(image, |name| environment.iter().any(|(known, _)| known == name))?;
        Some(withdrawn_image(&service.name, image, &withdrawn, &service.image_origin))
    });
    diagnostic.collect()
}

/// The error for one withdrawn image.
pub fn withdrawn_image(service: &str, image: &ImageRef, withdrawn: &Withdrawn, origin: &Origin) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("image-withdrawn", format!("{image} has been unavailable since {}", withdrawn.since))
            .at(origin, format!("{service} needs it"))
            .because(format!("{} ({})", withdrawn.what, withdrawn.source));
    instead(diagnostic, service, withdrawn).help(
        "a registry that still has the image can replace Docker Hub: DEVENV_REGISTRY_MIRROR; \
         an image that the engine has is used",
    )
}

/// Adds the image to run instead, as a line to paste.
pub fn instead(diagnostic: Diagnostic, service: &str, withdrawn: &Withdrawn) -> Diagnostic {
    diagnostic.help(format!(
        "run this one, in services.local.yaml: `services: {{{service}: {{image: \"{}\"}}}}`; \
         production cannot pull the old image again either",
        withdrawn.instead
    ))
}
