//! Checks whether an image was built for the platform on which it has to run.

use super::DesiredService;
use crate::model::{Diagnostic, LocalImage, Observed};

/// A warning for each service whose image on the engine is for a platform other than production's platform, or other
/// than the engine's platform if production declares none.
pub fn platform_mismatches(services: &[DesiredService], observed: &Observed) -> Vec<Diagnostic> {
    services
        .iter()
        .filter_map(|service| {
            let image = observed.images.get(&service.container.image.to_string())?;
            platform_mismatch(service, image, &observed.platform)
        })
        .collect()
}

/// The warning for one service and its image.
pub fn platform_mismatch(service: &DesiredService, image: &LocalImage, engine: &str) -> Option<Diagnostic> {
    let production = service.container.platform.as_deref();
    let wanted = production.unwrap_or(engine);
    if wanted.is_empty() || image.platform.is_empty() || image.is_for(wanted) {
        return None;
    }
    let whose = if production.is_some() { "production runs it on" } else { "the engine runs on" };
    Some(
        Diagnostic::warning("platform", format!("{} runs an image for {}", service.name, image.platform))
            .at(&service.image_origin, format!("{whose} {wanted}"))
            .because("even with emulation, this is not the program that production runs")
            .help(format!(
                "`docker pull --platform {wanted} {}` pulls the right image, if the registry has it",
                service.container.image
            )),
    )
}
