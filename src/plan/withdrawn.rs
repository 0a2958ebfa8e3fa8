//! Images that a registry does not give any more, told before anybody is asked for them.

use super::{Action, Desired, Plan};
use crate::kinds::{self, Withdrawn};
use crate::model::{Diagnostic, ImageRef, Origin};

/// An error for each service whose image is to be downloaded and went away, with what to run instead.
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

/// The error for one.
pub fn withdrawn_image(service: &str, image: &ImageRef, withdrawn: &Withdrawn, origin: &Origin) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("image-withdrawn", format!("{image} is not to be had any more since {}", withdrawn.since))
            .at(origin, format!("{service} wants it"))
            .because(format!("{} ({})", withdrawn.what, withdrawn.source));
    instead(diagnostic, service, withdrawn).help(
        "a registry that still has it can stand in for Docker Hub: DEVENV_REGISTRY_MIRROR; \
         an image that is on the engine is used as it is",
    )
}

/// Says what to run instead, ready to be pasted.
pub fn instead(diagnostic: Diagnostic, service: &str, withdrawn: &Withdrawn) -> Diagnostic {
    diagnostic.help(format!(
        "run this one, in services.local.yaml: `services: {{{service}: {{image: \"{}\"}}}}`; \
         production will not get the old one again either",
        withdrawn.instead
    ))
}
